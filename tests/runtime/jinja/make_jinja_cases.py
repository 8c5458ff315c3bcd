#!/usr/bin/env python3
"""make_jinja_cases.py - what jinja2 makes of templates, for jinja_cases_test.c. Needs jinja2 (3.1.6 made what is
committed).

usage: make_jinja_cases.py TEMPLATES_FOLDER > jinja_cases.json

The environment is the one apply_chat_template of transformers 4.46 renders with: its options, its filter tojson, its
tag generation, raise_exception, and the variables it always gives; strftime_now is left out. TEMPLATES_FOLDER
(templates/ beside this file) has whole templates; expressions.txt has small ones, one on each line (or between lines of
---), under the name of the file of runtime/jinja that they are about.
"""
import json
import os
import sys

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox


class Generation(jinja2.ext.Extension):
    """{% generation %}: a scope of its own whose text is left as it is."""
    tags = {'generation'}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(('name:endgeneration',), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method('same'), [], [], body).set_lineno(line)

    def same(self, caller):
        return caller()


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                                       extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters['tojson'] = to_json
    env.globals['raise_exception'] = raise_exception
    return env


ENV = environment()
TOKENS = {'bos_token': '<s>', 'eos_token': '</s>', 'pad_token': '<pad>', 'unk_token': '<unk>'}


def message(role, content):
    return {'role': role, 'content': content}


SMALL = [message('system', 'Be brief.'), message('user', 'Hi <b>&"\'</b>\n\u00e9\u4e16'), message('assistant', ' Yes ')]


def render(template, messages, prompt=True, tokens=TOKENS, **variables):
    """The text, or the name of the exception and its words."""
    try:
        text = ENV.from_string(template).render(messages=messages, tools=None, documents=None,
                                                add_generation_prompt=prompt, **{**tokens, **variables})
        return {'text': text}
    except Exception as error:  # pylint: disable=broad-except
        return {'error': type(error).__name__, 'words': str(error)}


def expressions(path):
    """The file of runtime/jinja they are about, and lines, or what stands between two lines of ---."""
    block = about = None
    for line in open(path, encoding='utf-8').read().split('\n')[:-1]:
        if line == '---':
            if block is not None:
                yield about, '\n'.join(block)
            block = [] if block is None else None
        elif block is not None:
            block.append(line)
        elif line.startswith('## '):
            about = line[3:]
        elif line:
            yield about, line


CONVERSATIONS = {
    'one': [message('user', 'What is a tensor?')],
    'system': [message('system', 'You are a helpful assistant.'), message('user', 'Hello, world!')],
    'turns': [message('user', 'Hi'), message('assistant', 'Hello! How can I help?'), message('user', '2 + 2?'),
              message('assistant', '  4\n'), message('user', 'Thanks.\n\n')],
    'full': [message('system', '  Answer in verse.\n'), message('user', 'Who are you?'),
             message('assistant', '<think>\nA question about me.\n</think>\n\nA model.'),
             message('user', ' And who am I? ')],
    'unicode': [message('user', '\u4f60\u597d \U0001f600 \u00e9t\u00e9 "quoted" <|im_end|> {{ 7 }} {% if %}'),
                message('assistant', '</s>\t\\n'), message('user', '')],
    'only system': [message('system', 'Nothing else.')],
    'answered': [message('user', 'Say it.'), message('assistant', 'It.')],
    'two users': [message('user', 'One'), message('user', 'Two')],
    'starts with assistant': [message('assistant', 'I begin.'), message('user', 'Go on.')],
    'tool': [message('user', 'Weather?'), message('assistant', ''), message('tool', '{"t": 21}'),
             message('user', 'Ok.')],
    'strange role': [message('user', 'x'), message('critic', 'y')],
    'none': [],
}


def variants(name, template, tokens, extra):
    """Each conversation with and without what begins an answer."""
    for conversation, messages in CONVERSATIONS.items():
        for prompt in (True, False):
            yield {'name': f'{name}: {conversation}', 'template': name, 'messages': messages, 'prompt': prompt,
                   'tokens': tokens, 'variables': extra,
                   **render(template, messages, prompt, tokens, **{k: value_of(v) for k, v in extra.items()})}


def value_of(text):
    """What tfm_chat_variable makes of a text."""
    if text in ('true', 'false', 'none'):
        return {'true': True, 'false': False, 'none': None}[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def main():
    folder = sys.argv[1]
    here = os.path.dirname(os.path.abspath(__file__))
    language = [{'file': about, 'template': t, **render(t, SMALL)}
                for about, t in expressions(os.path.join(here, 'expressions.txt'))]
    templates, cases = {}, []
    for file in sorted(os.listdir(folder)):
        name = os.path.splitext(file)[0]
        templates[name] = open(os.path.join(folder, file), encoding='utf-8', newline='').read()
        tokens = {} if name == 'chatml' else TOKENS
        for extra in ({}, {'date_string': '1 May 2025', 'enable_thinking': 'false', 'limit': '2'}):
            cases += variants(name, templates[name], tokens, extra)
    json.dump({'made with': f'tests/runtime/jinja/make_jinja_cases.py, jinja2 {jinja2.__version__}', 'messages': SMALL,
               'tokens': TOKENS, 'language': language, 'templates': templates, 'conversations': cases},
              sys.stdout, ensure_ascii=False, indent=0)
    sys.stdout.write('\n')


main()
