#!/usr/bin/env python3
"""check_editorconfig.py - every file of the project is as .editorconfig says. Prints TAP.

usage: check_editorconfig.py SOURCE_ROOT
       check_editorconfig.py --self-test          (every rule must catch a file that breaks it)
"""
import configparser
import os
import re
import sys

sys.dont_write_bytecode = True
import tree  # noqa: E402  (the file beside this one)


def matcher(glob):
    """A section's glob as a regular expression of paths: *, **, {a,b}; without a slash it speaks of names."""
    parts = {'**': '.*', '*': '[^/]*', '{': '(?:', '}': ')', ',': '|'}
    pattern = ''.join(parts.get(token, re.escape(token)) for token in re.findall(r'\*\*|[*{},]|[^*{},]+', glob))
    return re.compile(pattern if '/' in glob else '(?:.*/)?' + pattern)


def read_sections(text):
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string('[DEFAULT]\n' + text)
    return [(matcher(name), {k: v for k, v in parser[name].items() if k != 'root'}) for name in parser.sections()]


def settings_of(sections, path):
    settings = {}
    for pattern, values in sections:
        if pattern.fullmatch(path):
            settings.update(values)
    return {k: v for k, v in settings.items() if v not in ('unset', 'off')}


def problems_of(settings, data):
    try:
        text = data.decode('utf-8') if settings.get('charset') == 'utf-8' else data.decode('latin-1')
    except UnicodeDecodeError as error:
        yield f'byte {error.start} is no UTF-8'
        return
    lines = text.split('\n')
    if settings.get('insert_final_newline') == 'true' and text and not text.endswith('\n'):
        yield 'no newline at the end'
    for number, line in enumerate(lines, 1):
        if settings.get('end_of_line') == 'lf' and '\r' in line:
            yield f'line {number}: a carriage return'
        if settings.get('trim_trailing_whitespace') == 'true' and re.search(r'[ \t]$', line):
            yield f'line {number}: white space at the end'
        if settings.get('indent_style') == 'space' and re.match(r' *\t', line):
            yield f'line {number}: indented with a tab'
        if len(line) > int(settings.get('max_line_length', len(line))):
            yield f'line {number}: {len(line)} characters'


def check(root):
    with open(os.path.join(root, '.editorconfig'), encoding='utf-8') as file:
        sections = read_sections(file.read())
    problems = []
    for path in tree.tracked(root):
        settings, full = settings_of(sections, path), os.path.join(root, path)
        if settings and os.path.isfile(full) and not os.path.islink(full):
            with open(full, 'rb') as file:
                problems += [f'{path}: {problem}' for problem in problems_of(settings, file.read())]
    print('1..1')
    print(f'{"not ok" if problems else "ok"} - files are as .editorconfig says')
    for problem in problems:
        print(f'# {problem}')
    return 1 if problems else 0


EXAMPLE = '''root = true
[*]
charset = utf-8
end_of_line = lf
insert_final_newline = true
trim_trailing_whitespace = true
indent_style = space
max_line_length = 20
[data/**]
charset = unset
end_of_line = unset
[{a,b}.md]
max_line_length = off
'''
# path, bytes, part of what must be said; None: nothing
CASES = [
    ('x.c', b'int x;\n', None),
    ('deep/x.c', b'\xff\n', 'byte 0 is no UTF-8'),
    ('x.c', b'int x;', 'no newline at the end'),
    ('x.c', b'int x; \n', 'line 1: white space'),
    ('x.c', b'int x;\r\n', 'line 1: a carriage return'),
    ('x.c', b'{\n\tint x;\n', 'line 2: indented with a tab'),
    ('x.c', b'int much_too_long_a_name;\n', 'line 1: 25 characters'),
    ('data/deep/x.bin', b'\xff\r\n', None),
    ('doc/a.md', b'a line of more than 20 characters\n', None),
    ('doc/c.md', b'a line of more than 20 characters\n', 'line 1: 33 characters'),
]


def self_test():
    sections = read_sections(EXAMPLE)
    print(f'1..{len(CASES)}')
    failed = False
    for path, data, expected in CASES:
        said = list(problems_of(settings_of(sections, path), data))
        good = len(said) == 1 and expected in said[0] if expected else not said
        failed |= not good
        print(f'{"ok" if good else "not ok"} - {path}: {expected or "nothing to say"}')
        if not good:
            print(f'# said: {said}')
    return 1 if failed else 0


def main():
    if sys.argv[1:] == ['--self-test']:
        return self_test()
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    return check(sys.argv[1])


if __name__ == '__main__':
    sys.exit(main())
