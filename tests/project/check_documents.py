#!/usr/bin/env python3
"""check_documents.py - documents name files and options that exist. Prints TAP.

usage: check_documents.py SOURCE_ROOT [PROGRAM...]
       check_documents.py --self-test

Every file, folder, function and type of ours that a document names is in the tree. Every long option that a program's
--help shows is in its man page, docs/PROGRAM.1, which shows no option that none of the programs has.
"""
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
import tree  # noqa: E402  (the file beside this one)

# The project's own file names are told from those of checkpoints and examples by these endings.
NAMED = re.compile(r'`((?:[\w-]+/)*[\w-]+\.(?:c|h|py|def))`|`((?:simd|format|runtime|tools|tests|perf|docs)/[\w/.-]*)`')
# Files of others, and files that a reader is to write.
FOREIGN = {'xxhash.h', 'translate.c', 'modeling_starcoder2.py', 'configuration_starcoder2.py', 'NAME_test.c',
           'NAME_fuzz.c', 'simd/NAME.c'}


def check_names(text, files):
    """Names in text that are no end of a file's path, nor a folder's."""
    for match in NAMED.finditer(text):
        name = (match[1] or match[2]).rstrip('/')
        ends = ('/' + name, '/' + name + '.c')  # a benchmark is named without .c
        if name not in FOREIGN and not any(('/' + f).endswith(ends) or f.startswith(name + '/') for f in files):
            yield name


def check_identifiers(text, identifiers):
    """Functions, types and macros in text that no source has; families of names end with _ and have members."""
    for name in sorted(set(re.findall(r'(?<![\w/.-])(?:tfm|TFM)_\w+', text)) - identifiers):
        if not (name.endswith('_') and any(i.startswith(name) for i in identifiers)):
            yield name


def check_code(text, sources):
    """Blocks of C that stand in no source."""
    for block in re.findall(r'^```c\n(.*?)^```$', text, re.M | re.S):
        if not any(block in source for source in sources):
            yield 'C that stands in no source: ' + block.split('\n')[0]


def identifiers_of(root, files):
    sources = [f for f in files if f.endswith(('.c', '.h', '.build', '.py')) or re.search(r'(^|/)[a-z-]+$', f)]
    text = ' '.join(read(root, f) for f in sources if '/corpus/' not in f)
    return set(re.findall(r'\b(?:tfm|TFM)_\w+', text))


def options_of(text):
    return {option.rstrip('-') for option in re.findall(r'(?<![\w-])--[a-z][a-z0-9-]*', text)}


def read(root, path):
    with open(os.path.join(root, path), encoding='utf-8') as file:
        return file.read()


def help_of(program):
    """What a program's --help says, and that of its commands if it has any."""
    text = subprocess.run([program, '--help'], capture_output=True, text=True, check=True).stdout
    for command in sorted(set(re.findall(r'^  ([a-z]+)  +\S', text, re.M))):
        more = subprocess.run([program, command, '--help'], capture_output=True, text=True, check=False)
        text += more.stdout
    return text


def compare_options(has, known, shown):
    """Sentences about options of a program that its man page lacks, and about some there that no program knows."""
    for option in sorted(has - shown):
        yield f'does not show {option}'
    for option in sorted(shown - known):
        yield f'shows {option}, which there is not'


def check_manuals(root, programs):
    """For each program, what is wrong with its man page."""
    options = {os.path.basename(program): options_of(help_of(program)) for program in programs}
    known = set().union(*options.values()) | {'--name'}  # the form of an option in general
    for name, has in options.items():
        manual = options_of(re.sub(r'\\f[A-Z]', '', read(root, f'docs/{name}.1')).replace('\\-', '-'))
        yield f'docs/{name}.1 shows the options of {name}', list(compare_options(has, known, manual))


def self_test():
    files = ['runtime/tfm.h', 'docs/api.md', 'tools/pack/families/decoders/llama.c']
    cases = [
        ('a file that is gone', list(check_names('see `runtime/gone.c` and `tfm.h`', files)), ['runtime/gone.c']),
        ('a folder that is gone', list(check_names('`tools/pack/families/` and `tools/run/`', files)), ['tools/run']),
        ('a part of a name is none', list(check_names('`lama.c`', files)), ['lama.c']),
        ('a function that is gone', list(check_identifiers('`tfm_open()`, `TFM_ISA_*`', {'tfm_close', 'TFM_ISA_X'})),
         ['tfm_open']),
        ('code that is gone', list(check_code('```c\nint x;\n```\n```c\nint y;\n```\n', ['/* */\nint x;\n'])),
         ['C that stands in no source: int y;']),
        ('options', list(compare_options(options_of('-x, --top-k N, --json'), {'--top-k'}, {'--top-k', '--jsonl'})),
         ['does not show --json', 'shows --jsonl, which there is not']),
    ]
    return report([(f'notices {name}', [] if said == expected else [f'said {said}']) for name, said, expected in cases])


def report(results):
    print(f'1..{len(results)}')
    for name, problems in results:
        print(f'{"not ok" if problems else "ok"} - {name}')
        for problem in problems:
            print(f'# {problem}')
    return 1 if any(problems for _, problems in results) else 0


def main():
    if sys.argv[1:] == ['--self-test']:
        return self_test()
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    root, programs = sys.argv[1], sys.argv[2:]
    files = tree.tracked(root)
    documents = [f for f in files if re.fullmatch(r'[A-Z]+\.md|docs/[\w-]+\.[md1-9]+', f) and f != 'CHANGELOG.md']
    identifiers = identifiers_of(root, files)
    results = []
    for document in documents:
        text = read(root, document)
        problems = [*check_names(text, files), *check_identifiers(text.replace('\\-', '-'), identifiers)]
        results.append((f'{document} names what there is', problems))
    page = 'docs/adding-a-family.md'  # the page that shows a file of the tree
    importers = [read(root, f) for f in files if f.startswith('tools/pack/families/') and f.endswith('.c')]
    results.append((f'{page} shows what is in the tree', list(check_code(read(root, page), importers))))
    results += check_manuals(root, programs)
    return report(results)


if __name__ == '__main__':
    sys.exit(main())
