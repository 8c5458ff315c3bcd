"""tree.py - what the checks of the source tree share: its files, C without comments and texts, TAP, broken trees."""
import functools
import os
import re
import shutil
import subprocess
import tempfile

CODE = ('simd', 'format', 'runtime', 'tools')
# Folders of data, whose files are named by what they are data of.
DATA = ('tests/golden/checkpoints', 'tests/models')
PUBLIC_HEADERS = ('format/tfm_error.h', 'format/tfm_grow.h', 'runtime/tfm.h')


def is_data(path):
    return path.startswith(DATA) or '/corpus/' in path or '/templates/' in path


def walk(root, is_hidden=lambda folder: folder.startswith('.')):
    """(folder relative to root, its folders, its files), sorted, builds and hidden folders left out."""
    for folder, folders, names in os.walk(root):
        here = os.path.relpath(folder, root)
        folders[:] = sorted(f for f in folders if not is_hidden(f) and f != '__pycache__'
                            and not (here == '.' and f.startswith('build')))
        yield here, folders, sorted(names)


@functools.cache
def files_of(root, *endings):
    """Paths below root, relative to it, build folders and dot-folders left out."""
    return [os.path.normpath(os.path.join(here, name))
            for here, _, names in walk(root) for name in names if name.endswith(endings)]


@functools.cache
def tracked(root):
    """Paths of what belongs to the project: by git where it is installed and knows the folder, else all but builds."""
    if shutil.which('git'):
        listed = subprocess.run(['git', '-C', root, 'ls-files', '-z'], capture_output=True, text=True, check=False)
        if listed.returncode == 0 and listed.stdout:
            return sorted(filter(None, listed.stdout.split('\0')))
    return sorted(os.path.normpath(os.path.join(here, name))
                  for here, _, names in walk(root, ('.git', '.cache').__contains__) for name in names)


def code_of(root, *endings):
    """Those of the four layers."""
    return [path for path in files_of(root, *endings) if path.split(os.sep)[0] in CODE]


@functools.cache
def read(root, path):
    with open(os.path.join(root, path), encoding='utf-8') as file:
        return file.read()


def blank(match):
    return re.sub(r'[^\n]', ' ', match[0])


@functools.cache
def bare(text):
    """C whose comments, texts and characters are blanks; lines stay where they are."""
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', blank, text, flags=re.S)


def line_of(text, at):
    return text.count('\n', 0, at) + 1


BRACKET = re.compile(r'[(){}]')


def closing(text, at):
    """Where the parentheses or braces close that opened before at; the end of a text where they do not."""
    depth = 1
    for match in BRACKET.finditer(text, at):
        depth += 1 if match[0] in '({' else -1
        if depth == 0:
            return match.start()
    return len(text)


def report(results):
    """results: [(name, problems)]; prints TAP, gives the exit status."""
    print(f'1..{len(results)}')
    for name, problems in results:
        print(f'{"not ok" if problems else "ok"} - {name}')
        for problem in problems:
            print(f'# {problem}')
    return 1 if any(problems for _, problems in results) else 0


def check(rules, root):
    """What each rule says of the tree."""
    return [(f'{rule.__name__}: {rule.__doc__.splitlines()[0]}', list(rule(root))) for rule in rules]


def self_test(rules, files, expected):
    """Each rule on a tree that breaks it: {rule: (parts of what it must say, parts that it must not say)}."""
    results = []
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), 'w', encoding='utf-8') as file:
                file.write(text)
        for rule in rules:
            said = list(rule(root))
            wanted, unwanted = expected[rule]
            problems = [f'not caught: {part}' for part in wanted if not any(part in line for line in said)]
            problems += [f'wrongly said: {line}' for line in said if any(part in line for part in unwanted)]
            results.append((f'{rule.__name__} catches a broken tree', problems))
    return report(results)
