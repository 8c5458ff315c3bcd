#!/usr/bin/env python3
"""make_texts.py - the texts whose ids are recorded for each vocabulary here: what tokenizers get wrong.

usage: make_texts.py > texts.json

Every text under "texts" is valid UTF-8; those under "invalid" (hexadecimal) are not, and only SentencePiece says what
they become. "pairs" are two texts for one input.
"""
import json

EMPTY_AND_SPACES = [
    '', ' ', '  ', '   ', '    ', ' ' * 7, ' ' * 16, ' ' * 33, '\t', '\t\t', ' \t ', '\n', '\n\n', '\n\n\n', '\r',
    '\r\n', '\r\n\r\n', ' \n', '\n ', ' \n ', '\t\n\t', '\v', '\f', '\x85', '\u00a0', '\u2028', '\u2029', '\u200b',
    '\u3000', '\u2003', '\u205f', '\u1680', '\ufeff', ' a', 'a ', '  a', 'a  ', ' a ', '   a   b   ', 'a\tb', 'a\nb',
    'a\r\nb', 'a \n b', 'a\n\nb', 'a\u00a0b', 'a\u3000b', 'a\u2009b', 'a\u200bb', '\ufeffa', 'two  spaces',
    'three   spaces', 'a    b     c      d', ' leading', 'trailing ', '\u2581', '\u2581\u2581', ' \u2581 ', 'a\u2581b',
    '\u2581a', 'a \u2581b', '_', '__init__', 'line one\nline two\n', 'line one\r\nline two\r\n\r\nline four',
    '\n  indented\n\tby a tab', 'x' + ' ' * 20 + 'y',
]

WORDS = [
    'a', 'ab', 'the', 'The', 'THE', 'tHe', 'Hello', 'hello world', 'Hello, world!', "it's", "It's", "IT'S",
    "we'll they've I'm he'd", "WE'LL THEY'VE I'M HE'D", "'s", " 's", "x's", "can't won't don't", 'do not', 'd’accord',
    're-reading', 'e-mail', 'walking walked walker', 'internationalisation', 'unreadable readability',
    'supercalifragilisticexpialidocious', 'CamelCaseWord', 'snake_case_word', 'a.b.c', 'a,b,c', 'a-b-c', 'What?!',
    '...', '....', '!!!', '?!?!', '--', '---', '(a)', '[b]', '{c}', '<d>', '"quoted"', "'single'", '“curly”',
    '«guillemets»', 'a;b', 'a:b', 'a/b', 'a\\b', '#tag @name', 'a&b', 'a*b', '$5', '5$', '100%', '~/.config',
    'one, two, three. Four! Five? Six', ' . , ! ?', 'I do not know . He said , yes !', 'word' * 12,
]

NUMBERS = [
    '0', '1', '12', '123', '1234', '12345', '123456', '1234567', '12345678901234567890', '3.14159', '1,250',
    '1.250,00', '1e-5', '-1', '+49 30 1234567', '0x1F', '24/12/1999', '6:45', '1st 2nd 3rd', '10km', 'v1.2.3',
    '٠١٢٣٤٥', '०१२३', '１２３', '²³¹', '½ ¾', 'Ⅷ', '①②', '1 000 000', '1\u00a0000',
]

SCRIPTS = [
    'Größe Straße süß', 'GRÖSSE STRASSE', 'où ça, été, forêt', '¿Qué? ¡Sí!', 'łódź gęś żółta', 'İstanbul ışık',
    'người đếm tàu', 'ﬁ ﬂ ﬀ ſt', 'Ǆ ǅ ǆ ŉ', 'ΣΊΣΥΦΟΣ', 'φως λόγος', 'Смотритель маяка', 'Ёлка ёлка', 'їжак ґава',
    'שומר המגדלור', 'שָׁלוֹם', 'كان حارس المنارة', 'اَلسَّلَامُ', 'کشتی‌ها', 'لا ﷲ ﻻ', 'हिन्दी में क्षत्रिय', 'ज़ क़',
    'கப்பல்', 'ผู้ดูแลประภาคาร', 'น้ำ', 'ກາ', 'မြန်မာ', 'ខ្មែរ', '灯塔看守人', '今天天气很好。', '他说：“好的”', '燈塔', '灯台守は毎晩', 'カタカナ',
    'ｶﾀｶﾅ', 'ひらがなとカタカナ', 'が が', '등대지기', '안녕하세요', '각', 'ქართული', 'Հայերեն', 'ᚠᚢᚦ', '𝔘𝔫𝔦𝔠𝔬𝔡𝔢', '𐍈', '𠀀𠮷', 'ＡＢＣ', 'ａｂｃ',
    'English русский 中文 العربية mixed', 'abcдеф', '日本語text', 'a中b', '\u202eright to left\u202c',
]

MARKS = [
    '\u00e9', 'e\u0301', 'E\u0301', '\u00c5', 'A\u030a', '\u212b', 'a\u0308\u0323', 'a\u0323\u0308', 'q\u0307\u0323',
    '\u0301', ' \u0301', 'a\u0301\u0301\u0301\u0301', 'o\u0302\u0301n', '\u1e9b\u0323', '\uac00\u11a8',
    '\u1100\u1161\u11a8', '\u0958', '\u0e33',
    'Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031e', '\u00bc\u2044', 'x\u0338=y', '\u0344',
    '\u2126 \u03a9',
]

EMOJI = [
    '😂', '😂😂😂', '🦜', 'I like a 🦜 bird', 'a🦜b', '❤️', '❤', '👋🏽', '👨‍👩‍👧‍👦', '🏳️‍🌈', '🇩🇪', '🇩🇪🇫🇷', '🇩', '👩🏾‍🚀 👩🏾 ‍🚀',
    '1️⃣', '✨🚀✨', '☃', '⌚️', '🦜🦜🦜🦜🦜🦜🦜🦜', '\u200d', '🧑‍', 'text 🪨 and 🫠 new', '©®™',
]

CODE = [
    'def f(x):\n    return x + 1\n', 'if (a != NULL && b >= 0x1F) { c[i]++; }',
    '\tfor (size_t i = 0; i < n; i++) {\n\t\tx += y;\n\t}\n', '{"a": [1, 2.5, null, true], "b": {"c": "d"}}',
    '<p class="x">Two&nbsp;ships</p>', '<!-- no -->', 'SELECT * FROM t WHERE a = 1;',
    'https://lighthouse.example/log?year=1999&page=2#storm', 'keeper@lighthouse.example', 'C:\\dir\\file.txt',
    '# Heading\n\n- item **bold**\n- `code`\n', '\\frac{a}{b} \\alpha', 'a=b;c==d;e!=f', '∀ε>0 ∃δ>0', 'x²+y³', '\x00',
    'a\x00b', '\x01\x02', '\x1b[31mred\x1b[0m', '\x7f', '\ufffd', 'a\ufffdb', '\ue000', '\ufffe', '\U0010ffff',
    '\u00ad soft\u00adhyphen',
]

SPECIAL = [
    '<s>', '</s>', '<unk>', '<pad>', '<s>a</s>', 'a<s>b', ' <s> ', '<s><s>', '<|endoftext|>', 'a<|endoftext|>b',
    'a <|endoftext|> b', '<|im_start|>user\nHi<|im_end|>\n', '<|begin_of_text|>', '<|user|>\nHi<|end|>\n<|assistant|>',
    '<|end|>   a', '<|user|>   \n  a', '[CLS]', '[SEP]', '[MASK]', 'a [MASK] b', 'a[MASK]b', '[UNK]', '[PAD]', '[cls]',
    '<mask>', 'a <mask> b', 'a<mask>b', '<MASK>', '<|fim|>', '<extra_id_0>', 'a <extra_id_0> b', '<user_defined>',
    'a<user_defined>b', 'x<user_defined>', '<0x41>', '<0x0A>', 'a<0xE2>b', '##a', '▁the', 'Ġthe', 'Ċ', '</w>',
    '<|endoftext', '|>', '<word>', 'a<word>b', 'a <word> b', 'new\u2581word', '>>deu<< Hello', 'a >>deu<< b',
    '>>xyz<< a', '>><<', '@-@', 'newtoken', 'anewtokenb', 'a newtoken b', 'NEWTOKEN',
]

LONG = [
    'a' * 40, 'ab' * 60, 'A' * 120, 'the ' * 30, 'é' * 50, '中' * 40, '한' * 30, ' ' * 100, '\n' * 20, '.' * 70,
    '=' * 64, '0' * 50, '-=' * 40, 'x' * 300, 'the reading machine ' * 12,
    'Donaudampfschifffahrtsgesellschaftskapitän', '😂' * 20, 'the_' * 50, 'aA1 ' * 40,
]

INVALID = [
    '80', 'ff', 'c3', 'c3 28', 'a0 a1', 'e2 28 a1', 'e2 82', 'e2 82 28', 'f0 28 8c bc', 'f0 90 28 bc', 'f0 9f a6',
    'f0 9f 41', 'c0 80', 'c1 bf', 'e0 80 af', 'e0 9f bf', 'f0 80 80 af', 'f0 8f bf bf', 'ed a0 80', 'ed bf bf',
    'ed a0 bd ed b8 82', 'f4 90 80 80', 'f5 80 80 80', 'f8 88 80 80 80', 'fe fe ff ff', '61 80 62', '61 c3 62',
    '20 ff 20', '74 68 65 20 e2 82 20 74 68 65', 'e2 96', 'e2 96 20', 'f0 9f a6 9c f0 9f', 'c3 a9 c3', '00 80 00',
    'e4 b8 e4 b8 ad', 'ef bf', 'ef bf bd 80',
]

PAIRS = [
    ('How many ships?', 'Twelve ships.'), ('', ''), ('a', ''), ('', 'b'), ('Größe', '灯塔 🦜'), (' two  spaces ', '\n'),
    ('<s> [SEP]', '</s> [CLS]'), ("it's", "IT'S <mask>"),
]

texts = EMPTY_AND_SPACES + WORDS + NUMBERS + SCRIPTS + MARKS + EMOJI + CODE + SPECIAL + LONG
assert len(set(texts)) == len(texts), [t for t in texts if texts.count(t) > 1]
print('{"made by": "make_texts.py",\n"texts": [')
print(',\n'.join(json.dumps(t, ensure_ascii=True) for t in texts))
print('],\n"invalid": [')
print(',\n'.join(json.dumps(t.replace(' ', '')) for t in INVALID))
print('],\n"pairs": [')
print(',\n'.join(json.dumps(p, ensure_ascii=True) for p in PAIRS))
print(']}')
