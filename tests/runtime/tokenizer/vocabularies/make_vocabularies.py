#!/usr/bin/env python3
"""make_vocabularies.py - trains the small vocabularies of this folder from training_text.txt.

usage: make_vocabularies.py          (in this folder; needs spm_train of SentencePiece 0.1.97)

SentencePiece files are spm_train's. For tokenizer.json the pieces of BPE and WordPiece are found by a plain trainer
here and the scores of Unigram are those of a SentencePiece file; everything else in these files (normalizer,
pre-tokenizer, decoder, template) is written as the converters of transformers write it for the models named in
README.md. What a vocabulary makes of texts is recorded by record_sentencepiece.py and record_tokenizers.js.
"""
import base64
import collections
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import unicodedata

HERE = os.path.dirname(os.path.abspath(__file__))
TEXT = os.path.join(HERE, 'training_text.txt')
SPACE = '\u2581'


def write(folder, name, data):
    os.makedirs(os.path.join(HERE, folder), exist_ok=True)
    with open(os.path.join(HERE, folder, name), 'wb') as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def write_json(folder, name, value):
    """A line for each entry of the top level and of the vocabulary's parts."""
    def text(value, depth):
        if depth == 0 or not isinstance(value, (dict, list)) or not value:
            return json.dumps(value, ensure_ascii=False, separators=(',', ':'))
        if isinstance(value, dict):
            return '{' + ',\n'.join(f'{json.dumps(k)}:{text(v, depth - 1)}' for k, v in value.items()) + '}'
        return '[' + ',\n'.join(text(v, depth - 1) for v in value) + ']'
    write(folder, name, text(value, 1) + '\n')


# ---- SentencePiece ----

def nfkc_rules():
    """Part of nmt_nfkc: compatibility forms, Latin letters with marks, white space, control characters."""
    rules = {}
    blocks = [(0xA0, 0x250), (0x1E00, 0x1F00), (0x2000, 0x2050), (0x2070, 0x20A0), (0x2100, 0x2190), (0x2460, 0x24FF),
              (0x3000, 0x3001), (0xFB00, 0xFB07), (0xFF01, 0xFF9F), (0x958, 0x960), (0x1D518, 0x1D538)]
    for first, end in blocks:
        for code in range(first, end):
            form = unicodedata.normalize('NFKC', chr(code))
            if form != chr(code):
                rules[chr(code)] = form
    for first, end in [(0xC0, 0x180), (0x1E00, 0x1EFA)]:
        for code in range(first, end):
            parts = unicodedata.normalize('NFD', chr(code))
            if len(parts) > 1 and unicodedata.normalize('NFKC', parts) == chr(code):
                rules[parts] = chr(code)
    for space in '\t\n\r\x85\u1680\u2000\u2001\u2002\u2003\u2028\u2029\u205f\u3000':
        rules[space] = ' '
    for gone in '\x01\x02\x7f\u200b\u200e\u200f\ufeff\u00ad':
        rules[gone] = ''
    return rules


def write_rules(path, rules):
    with open(path, 'w', encoding='utf-8') as file:
        for source, target in sorted(rules.items()):
            file.write(' '.join(f'{ord(c):X}' for c in source) + '\t' + ' '.join(f'{ord(c):X}' for c in target) + '\n')


def train_sentencepiece(path, scratch, rules=None, denormal=None, lines=None, copies=8, **options):
    """ASCII lines count `copies` times, so that rare characters of other scripts stay unknown. The file has the names
    of its inputs in it, so they are always the same."""
    settings = dict(input='text.txt', model_prefix='model', num_threads=1, max_sentence_length=100000, minloglevel=2,
                    character_coverage=0.98)
    with open(os.path.join(scratch, 'text.txt'), 'w', encoding='utf-8') as file:
        for line in lines or read_text().splitlines():
            file.write((line + '\n') * (copies if line.isascii() else 1))
    for name, given in (('normalization_rule_tsv', rules), ('denormalization_rule_tsv', denormal)):
        if given is not None:
            write_rules(os.path.join(scratch, name), given)
            settings[name] = name
    settings.update(options)
    options = [f'--{k}={str(v).lower() if isinstance(v, bool) else v}' for k, v in settings.items()]
    subprocess.run(['spm_train'] + options, check=True, stderr=subprocess.DEVNULL, cwd=scratch)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copyfile(os.path.join(scratch, 'model.model'), path)


def read_fields(data):
    """The fields of a protocol buffer: number, value."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        elif key & 7 == 5:
            yield key >> 3, struct.unpack('<f', data[at:at + 4])[0]
            at += 4
        else:
            n = varint()
            yield key >> 3, data[at:at + n]
            at += n


def read_sentencepiece(path):
    """Pieces with their scores and types, and the character map."""
    pieces, charsmap = [], b''
    with open(path, 'rb') as file:
        for number, value in read_fields(file.read()):
            fields = dict(read_fields(value)) if number in (1, 3) else {}
            if number == 1:
                pieces.append((fields[1].decode(), fields.get(2, 0.0), fields.get(3, 1)))
            elif number == 3:
                charsmap = fields.get(2, b'')
    return pieces, charsmap


def make_sentencepiece(scratch):
    def model(name, **options):
        train_sentencepiece(os.path.join(HERE, name, 'model.spm'), scratch, **options)
    model('spm-unigram', model_type='unigram', vocab_size=420)
    model('spm-unigram-bytes', model_type='unigram', vocab_size=600, byte_fallback=True,
          normalization_rule_name='identity', remove_extra_whitespaces=False, split_digits=True,
          user_defined_symbols='<user_defined>,<extra_id_0>,@-@,word')
    model('spm-unigram-suffix', model_type='unigram', vocab_size=400, rules=nfkc_rules(),
          treat_whitespace_as_suffix=True, pad_id=3, unk_surface=' <?> ', denormal={'the': '[the]', '\u00fc': 'ue'})
    folded = nfkc_rules()
    for first, end in [(0x41, 0x5B), (0xC0, 0x180), (0x391, 0x3AA), (0x410, 0x430)]:
        for code in range(first, end):
            lower = unicodedata.normalize('NFKC', chr(code).lower())
            if lower != chr(code):
                folded[chr(code)] = lower
    model('spm-bpe', model_type='bpe', vocab_size=420, rules=folded,
          control_symbols='<control>', user_defined_symbols='<user_defined>')
    model('spm-bpe-bytes', model_type='bpe', vocab_size=620, byte_fallback=True,
          normalization_rule_name='identity', remove_extra_whitespaces=False, split_digits=True,
          allow_whitespace_only_pieces=True, user_defined_symbols='<user_defined>')
    model('spm-bpe-bare', model_type='bpe', vocab_size=400, normalization_rule_name='identity',
          add_dummy_prefix=False)


def make_marian(scratch):
    """vocab.json over two files, the target with bytes for what it does not know."""
    lines = read_text().splitlines()
    halves = []
    for side, part in (('source', lines[::2]), ('target', lines[1::2])):
        path = os.path.join(HERE, 'marian', side + '.spm')
        train_sentencepiece(path, scratch, rules=nfkc_rules(), lines=part, model_type='unigram',
                            vocab_size=330 if side == 'source' else 560, byte_fallback=side == 'target')
        halves.append([piece for piece, score, kind in read_sentencepiece(path)[0] if kind in (1, 6)])
    vocabulary = {'</s>': 0, '<unk>': 1}
    further = ['>>deu<<', '>>fra<<', '中文', '🦜', 'not in any file', '<pad>']
    for piece in sorted(set(halves[0]) | set(halves[1])) + further:
        if piece != 'e':  # the files have it, this list has not
            vocabulary.setdefault(piece, len(vocabulary))
    write_json('marian', 'vocab.json', vocabulary)
    write_json('marian', 'tokenizer_config.json', {'source_lang': 'de', 'target_lang': 'en', 'separate_vocabs': False})


# ---- pieces by merging pairs ----

def merge_pairs(words, n_merges):
    """The most frequent pair first, among equals the one that comes first in order of code points."""
    words = [(list(word), n) for word, n in sorted(words.items())]
    merges = []
    while len(merges) < n_merges:
        pairs = collections.Counter()
        for symbols, n in words:
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += n
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        if pairs[best] < 2:
            break
        merges.append(best)
        for symbols, n in words:
            i = 0
            while i + 1 < len(symbols):
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i:i + 2] = [symbols[i] + symbols[i + 1]]
                i += 1
    return merges


def byte_alphabet():
    """GPT-2's characters for bytes."""
    plain = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    letters, n = {}, 0
    for byte in range(256):
        letters[byte] = chr(byte if byte in plain else 256 + n)
        n += byte not in plain
    return letters


BYTES = byte_alphabet()


def read_text():
    with open(TEXT, encoding='utf-8') as file:
        return file.read()


def byte_words(pattern):
    return collections.Counter(tuple(BYTES[b] for b in word.encode()) for word in re.findall(pattern, read_text()))


def byte_bpe(n_merges, pattern=r" ?[^\W\d_]+| ?\d{1,3}| ?[^\w\s]+|\s+(?!\S)|\s+"):
    merges = merge_pairs(byte_words(pattern), n_merges)
    pieces = sorted(BYTES.values()) + [a + b for a, b in merges]
    return numbered(pieces), merges


def byte_pieces():
    return [f'<0x{byte:02X}>' for byte in range(256)]


def most_frequent(counts, n):
    return [key for key, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:n]]


def numbered(pieces):
    """A vocabulary; of pieces that are the same the first one counts."""
    return {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}


def character_bpe(n_characters, n_merges):
    """Llama's: characters behind U+2581, bytes for the others."""
    words = collections.Counter()
    for line in read_text().splitlines():
        for word in line.split(' '):
            words[tuple(SPACE + word)] += 1
    words[(SPACE, SPACE)] += 10
    words[(SPACE,) * 4] += 10
    counts = collections.Counter(c for word, n in words.items() for c in word for _ in range(n))
    characters = most_frequent(counts, n_characters)
    known = {word: n for word, n in words.items() if all(c in characters for c in word)}
    merges = merge_pairs(known, n_merges)
    pieces = ['<unk>', '<s>', '</s>'] + byte_pieces() + [a + b for a, b in merges] + characters
    return numbered(pieces), merges


# ---- tokenizer.json ----

def added(id_, content, special=True, **flags):
    token = dict(id=id_, content=content, single_word=False, lstrip=False, rstrip=False, normalized=not special,
                 special=special)
    token.update(flags)
    return token


def add_tokens(vocabulary, special, others=(), **flags):
    """Added tokens behind the vocabulary: special ones and others; flags of some: name=dict(...) with their content."""
    by_content = {flag.pop('content'): flag for flag in (dict(f) for f in flags.values())}
    found, n = [], len(vocabulary)
    for content in [*special, *others]:
        flag = by_content.get(content, {})
        found.append(added(vocabulary.get(content, n), content, content in special, **flag))
        n += content not in vocabulary
    return sorted(found, key=lambda token: token['id'])


def bpe(vocabulary, merges, **options):
    model = dict(type='BPE', dropout=None, unk_token=None, continuing_subword_prefix=None, end_of_word_suffix=None,
                 fuse_unk=False, byte_fallback=False, ignore_merges=False)
    model.update(options)
    model.update(vocab=vocabulary, merges=[f'{a} {b}' if ' ' not in a + b else [a, b] for a, b in merges])
    return model


def unigram(scores, unknown, fallback=False):
    return dict(type='Unigram', unk_id=unknown, vocab=scores, byte_fallback=fallback)


def write_tokenizer(name, model, tokens, normalizer=None, words=None, around=None, decoder=None):
    write_json(name, 'tokenizer.json', dict(version='1.0', truncation=None, padding=None, added_tokens=list(tokens),
                                            normalizer=normalizer, pre_tokenizer=words, post_processor=around,
                                            decoder=decoder, model=model))


def normalizers(*parts):
    return {'type': 'Sequence', 'normalizers': list(parts)}


def splits(*parts):
    return {'type': 'Sequence', 'pretokenizers': list(parts)}


def decoders(*parts):
    return {'type': 'Sequence', 'decoders': list(parts)}


def byte_level(prefix=False, regex=True):
    return dict(type='ByteLevel', add_prefix_space=prefix, trim_offsets=True, use_regex=regex)


def split(pattern, behavior='Isolated', invert=False):
    return dict(type='Split', pattern={'Regex': pattern}, behavior=behavior, invert=invert)


def replace(source, target, regex=False):
    return dict(type='Replace', pattern={'Regex' if regex else 'String': source}, content=target)


def metaspace(scheme='always', cut=True):
    return dict(type='Metaspace', replacement=SPACE, prepend_scheme=scheme, split=cut)


def bert_normalizer(lower):
    return dict(type='BertNormalizer', clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=lower)


def template(tokens, single, pair):
    """single and pair: tokens, and A or B, each with a colon and its type."""
    ids = {token['content']: token['id'] for token in tokens}

    def parts(text):
        made = []
        for part in text.split(' '):
            what, kind = part.rsplit(':', 1)
            made.append({'Sequence' if what in 'AB' else 'SpecialToken': {'id': what, 'type_id': int(kind)}})
        return made
    used = {p.rsplit(':', 1)[0] for p in (single + ' ' + pair).split(' ')} - {'A', 'B'}
    return dict(type='TemplateProcessing', single=parts(single), pair=parts(pair),
                special_tokens={t: dict(id=t, ids=[ids[t]], tokens=[t]) for t in sorted(used)})


def begin_token(tokens, begin):
    """The begin token before each text."""
    return template(tokens, f'{begin}:0 A:0', f'{begin}:0 A:0 {begin}:1 B:1')


def bert_template(tokens):
    return template(tokens, '[CLS]:0 A:0 [SEP]:0', '[CLS]:0 A:0 [SEP]:0 B:1 [SEP]:1')


# ---- BPE of bytes ----

def make_gpt2():
    vocabulary, merges = byte_bpe(220)
    tokens = add_tokens(vocabulary, ['<|endoftext|>'], end=dict(content='<|endoftext|>', normalized=True))
    write_tokenizer('gpt2', bpe(vocabulary, merges), tokens, None, byte_level(), byte_level(), byte_level())
    write_json('gpt2', 'vocab.json', dict(vocabulary, **{'<|endoftext|>': len(vocabulary)}))
    write('gpt2', 'merges.txt', '#version: 0.2\n' + ''.join(f'{a} {b}\n' for a, b in merges))
    end = {name: '<|endoftext|>' for name in ('bos_token', 'eos_token', 'unk_token')}
    write_json('gpt2', 'tokenizer_config.json', dict(tokenizer_class='GPT2Tokenizer', model_max_length=1024, **end))


def make_roberta():
    special = ['<s>', '<pad>', '</s>', '<unk>']
    pieces, merges = byte_bpe(150)
    vocabulary = numbered(special + list(pieces) + ['<mask>'])
    tokens = add_tokens(vocabulary, special + ['<mask>'], mask=dict(content='<mask>', lstrip=True))
    around = dict(type='RobertaProcessing', sep=['</s>', 2], cls=['<s>', 0], trim_offsets=True, add_prefix_space=False)
    write_tokenizer('roberta', bpe(vocabulary, merges, continuing_subword_prefix='', end_of_word_suffix=''), tokens,
                    None, byte_level(), around, byte_level())


# Of Llama 3; Qwen's has single digits.
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
           r"\s+(?!\S)|\s+")

DEEPSEEK_PATTERN = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"""
                    r""" ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""")


def make_patterns():
    """One vocabulary behind the words of several models."""
    vocabulary, merges = byte_bpe(200)
    model, end = bpe(vocabulary, merges), byte_level(regex=False)

    tokens = add_tokens(vocabulary, ['<|begin_of_text|>', '<|end_of_text|>', '<|eot_id|>'], ['newtoken'])
    around = {'type': 'Sequence', 'processors': [byte_level(), begin_token(tokens, '<|begin_of_text|>')]}
    write_tokenizer('llama3', bpe(vocabulary, merges, ignore_merges=True), tokens, None, splits(split(PATTERN), end),
                    around, byte_level())

    tokens = add_tokens(vocabulary, ['<|endoftext|>', '<|im_start|>', '<|im_end|>'], ['<|fim|>'],
                        fim=dict(content='<|fim|>', normalized=False))
    write_tokenizer('qwen', model, tokens, {'type': 'NFC'}, splits(split(PATTERN.replace('{1,3}', '')), end),
                    byte_level(), byte_level())

    tokens = add_tokens(vocabulary, ['<s>', '</s>'], ['<|fim|>'], fim=dict(content='<|fim|>', normalized=False))
    write_tokenizer('deepseek', model, tokens, normalizers(),
                    splits(split(r'\p{N}{1,3}'), split('[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+'),
                           split(DEEPSEEK_PATTERN), end),
                    begin_token(tokens, '<s>'), byte_level())

    tokens = add_tokens(vocabulary, ['<|endoftext|>'], ['<word>'], word=dict(content='<word>', single_word=True))
    write_tokenizer('falcon', model, tokens, None,
                    splits(dict(type='Punctuation', behavior='Contiguous'), byte_level(),
                           dict(type='Digits', individual_digits=False), split('[0-9][0-9][0-9]')),
                    None, byte_level())

    tokens = add_tokens(vocabulary, ['<|endoftext|>', '<|padding|>'], [' ' * n for n in range(9, 1, -1)])
    write_tokenizer('gpt-neox', model, tokens, {'type': 'NFC'}, byte_level(), byte_level(), byte_level())

    tokens = add_tokens(vocabulary, ['<|endoftext|>', '<|fim|>'])
    write_tokenizer('starcoder', model, tokens, None,
                    splits(dict(type='Digits', individual_digits=True), byte_level()), byte_level(), byte_level())


# ---- BPE of characters ----

def without_marks(text):
    return ''.join(c for c in unicodedata.normalize('NFD', text.lower()) if unicodedata.category(c) != 'Mn')


def make_suffixes():
    """GPT's of 2018: the end of a word is marked."""
    words = collections.Counter()
    for word in re.findall(r'\w+|[^\w\s]', without_marks(read_text())):
        words[tuple(word[:-1]) + (word[-1] + '</w>',)] += 1
    merges = merge_pairs(words, 160)
    counts = collections.Counter(c for word, n in words.items() for c in word for _ in range(n))
    vocabulary = numbered(['<unk>'] + most_frequent(counts, 240) + [part for pair in merges for part in pair] +
                          [a + b for a, b in merges])
    write_tokenizer('openai-gpt', bpe(vocabulary, merges, unk_token='<unk>', end_of_word_suffix='</w>'),
                    add_tokens(vocabulary, ['<unk>']), bert_normalizer(True), {'type': 'BertPreTokenizer'}, None,
                    dict(type='BPEDecoder', suffix='</w>'))


def make_byte_fallback():
    vocabulary, merges = character_bpe(170, 260)
    model = bpe(vocabulary, merges, unk_token='<unk>', fuse_unk=True, byte_fallback=True)
    core = ['<unk>', '<s>', '</s>']
    prepend = normalizers(dict(type='Prepend', prepend=SPACE), replace(' ', SPACE))
    joined = [replace(SPACE, ' '), {'type': 'ByteFallback'}, {'type': 'Fuse'}]
    stripped = decoders(*joined, dict(type='Strip', content=' ', start=1, stop=0))

    tokens = add_tokens(vocabulary, core, ['newtoken'])
    write_tokenizer('llama2', model, tokens, prepend, None, begin_token(tokens, '<s>'), stripped)

    chat = ['<|endoftext|>', '<|assistant|>', '<|user|>', '<|end|>']
    flags = {name.strip('<|>'): dict(content=name, rstrip=True) for name in chat[1:]}
    tokens = add_tokens(vocabulary, ['<unk>', '<s>'] + chat, ['</s>'], **flags,
                        s=dict(content='</s>', rstrip=True, normalized=False))
    write_tokenizer('phi3', model, tokens, prepend, None, begin_token(tokens, '<s>'), stripped)

    tokens = add_tokens(vocabulary, core)
    write_tokenizer('mistral', model, tokens, None, metaspace('first', False), begin_token(tokens, '<s>'), stripped)

    tokens = add_tokens(vocabulary, core + ['<mask>'], ['  ', '\n\n'], spaces=dict(content='  ', normalized=False),
                        lines=dict(content='\n\n', normalized=False))
    write_tokenizer('gemma', model, tokens, replace(' ', SPACE),
                    dict(type='Split', pattern={'String': ' '}, behavior='MergedWithPrevious', invert=False),
                    begin_token(tokens, '<s>'), decoders(*joined))


# ---- WordPiece and whole words ----

def wordpiece(n_merges, lower):
    words = collections.Counter()
    for word in re.findall(r'\w+|[^\w\s]', without_marks(read_text()) if lower else read_text()):
        words[(word[0],) + tuple('##' + c for c in word[1:])] += 1
    counts = collections.Counter(c for word, n in words.items() for c in word for _ in range(n))

    def spelled(piece):
        return '##' * piece.startswith('##') + piece.replace('##', '')
    pieces = most_frequent(counts, 230) + [spelled(a + b) for a, b in merge_pairs(words, n_merges)]
    return numbered(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] + pieces)


def make_wordpiece():
    for name, lower in (('bert-uncased', True), ('bert-cased', False)):
        vocabulary = wordpiece(220, lower)
        tokens = add_tokens(vocabulary, list(vocabulary)[:5])
        model = dict(type='WordPiece', unk_token='[UNK]', continuing_subword_prefix='##',
                     max_input_chars_per_word=100, vocab=vocabulary)
        write_tokenizer(name, model, tokens, bert_normalizer(lower), {'type': 'BertPreTokenizer'},
                        bert_template(tokens), dict(type='WordPiece', prefix='##', cleanup=True))
        write(name, 'vocab.txt', ''.join(piece + '\n' for piece in vocabulary))
        write_json(name, 'tokenizer_config.json', dict(tokenizer_class='BertTokenizer', do_lower_case=lower))


def make_wordlevel():
    words = collections.Counter(re.findall(r'\w+|[^\w\s]+', read_text()))
    vocabulary = numbered(['[UNK]', '[PAD]'] + most_frequent(words, 330))
    tokens = add_tokens(vocabulary, ['[UNK]', '[PAD]'], ['<word>'], word=dict(content='<word>', single_word=True))
    write_tokenizer('wordlevel', dict(type='WordLevel', vocab=vocabulary, unk_token='[UNK]'), tokens,
                    normalizers({'type': 'NFD'}, dict(type='Strip', strip_left=True, strip_right=True)),
                    {'type': 'Whitespace'})


# ---- Unigram, and BPE behind a character map ----

def make_charsmaps(scratch):
    path = os.path.join(scratch, 'unigram.spm')
    train_sentencepiece(path, scratch, rules=nfkc_rules(), model_type='unigram', vocab_size=420, pad_id=0, eos_id=1,
                        unk_id=2, bos_id=-1)
    pieces, charsmap = read_sentencepiece(path)
    precompiled = dict(type='Precompiled', precompiled_charsmap=base64.b64encode(charsmap).decode())
    make_unigram([[piece, float(score)] for piece, score, kind in pieces], precompiled)
    make_nllb(precompiled)


def make_unigram(scores, precompiled):
    def tokens_of(scored, special, **flags):
        return add_tokens(numbered(piece for piece, score in scored), special, **flags)
    spaces = replace(' {2,}', ' ', True)

    scored = scores + [['<extra_id_1>', 0.0], ['<extra_id_0>', 0.0]]
    tokens = tokens_of(scored, ['<pad>', '</s>', '<unk>', '<extra_id_0>', '<extra_id_1>'])
    write_tokenizer('t5', unigram(scored, 2), tokens, precompiled, splits({'type': 'WhitespaceSplit'}, metaspace()),
                    template(tokens, 'A:0 </s>:0', 'A:0 </s>:0 B:0 </s>:0'), metaspace())

    special = ['<s>', '<pad>', '</s>', '<unk>', '<mask>']
    scored = [[t, 0.0] for t in special[:4]] + scores[3:] + [['<mask>', 0.0]]
    tokens = tokens_of(scored, special, mask=dict(content='<mask>', lstrip=True))
    write_tokenizer('xlm-roberta', unigram(scored, 3), tokens, normalizers(precompiled, spaces), metaspace(),
                    template(tokens, '<s>:0 A:0 </s>:0', '<s>:0 A:0 </s>:0 </s>:0 B:0 </s>:0'), metaspace())

    special = ['<pad>', '<unk>', '[CLS]', '[SEP]', '[MASK]']
    scored = [[t, 0.0] for t in special] + scores[3:]
    tokens = tokens_of(scored, special, mask=dict(content='[MASK]', lstrip=True))
    write_tokenizer('albert', unigram(scored, 1), tokens,
                    normalizers(replace('``', '"'), replace("''", '"'), {'type': 'NFKD'}, {'type': 'StripAccents'},
                                {'type': 'Lowercase'}, precompiled, spaces),
                    metaspace(), bert_template(tokens), metaspace())

    special = ['<unk>', '<s>', '</s>']
    scored = [[t, 0.0] for t in special] + [[byte, -20.0] for byte in byte_pieces()]
    scored += [piece for piece in scores[3:] if len(piece[0]) < 6]
    tokens = tokens_of(scored, special)
    write_tokenizer('unigram-bytes', unigram(scored, 0, True), tokens,
                    normalizers({'type': 'Nmt'}, {'type': 'NFKC'}, replace(' ', SPACE)), None,
                    template(tokens, '<s>:0 A:0 </s>:0', '<s>:0 A:0 </s>:0 B:0 </s>:0'),
                    decoders(replace(SPACE, ' '), {'type': 'ByteFallback'}, {'type': 'Fuse'}))


def make_nllb(precompiled):
    pieces, merges = character_bpe(170, 200)
    special = ['<s>', '<pad>', '</s>', '<unk>']
    vocabulary = numbered(special + [piece for piece in pieces if not re.fullmatch('<0x..>', piece)][3:])
    tokens = add_tokens(vocabulary, special + ['eng_Latn', 'deu_Latn', '<mask>'],
                        mask=dict(content='<mask>', lstrip=True))
    write_tokenizer('nllb', bpe(vocabulary, merges, unk_token='<unk>', fuse_unk=True), tokens, precompiled, metaspace(),
                    template(tokens, 'eng_Latn:0 A:0 </s>:0', 'eng_Latn:0 A:0 B:0 </s>:0'), metaspace())


def main():
    with tempfile.TemporaryDirectory() as scratch:
        make_sentencepiece(scratch)
        make_marian(scratch)
        make_charsmaps(scratch)
    make_gpt2()
    make_roberta()
    make_patterns()
    make_suffixes()
    make_byte_fallback()
    make_wordpiece()
    make_wordlevel()


if __name__ == '__main__':
    main()
