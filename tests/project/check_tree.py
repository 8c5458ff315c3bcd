#!/usr/bin/env python3
"""check_tree.py - the rules of the source tree that no compiler checks. Prints TAP.

usage: check_tree.py SOURCE_ROOT [SHARED_LIBRARY STATIC_LIBRARY NM]
       check_tree.py --self-test          (every rule must catch a tree that breaks it)
"""
import os
import re
import subprocess
import sys
import tempfile

# An arrow may only point down. tests and perf may see everything.
LAYERS = {'simd': 0, 'format': 1, 'runtime': 2, 'tools': 3}
# Within runtime/ too; what lies beside these folders (tfm.h, settings, chat templates) is seen by all.
RUNTIME = ('os', 'tokenizer', 'jinja', 'model', 'exec', 'generate')
# The public headers lie side by side once they are installed, so the one that includes the other names it alone.
PUBLIC_HEADERS = ('format/tfm_error.h', 'runtime/tfm.h')
INSTALLED_TOGETHER = {('runtime/tfm.h', 'tfm_error.h')}
# Tools that need no more than those, as any program outside this tree.
PUBLIC_ONLY = ('tools/run/', 'tools/eval/', 'tools/common/')
# The library's only foreign headers are sleef.h, xxhash.h and pcre2.h; these belong to the tools.
TOOLS_ONLY = re.compile(r'(jansson|zip|editline/|histedit|protobuf-c/|google/|utf8proc|criterion/)')
TOP_LEVEL = {'meson.build', 'meson_options.txt', 'runtime', 'format', 'simd', 'tools', 'tests', 'perf', 'docs',
             'README.md', 'LICENSE', 'NOTICE', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'}
MAX_LINES = 1000
GENERATED = ('.pb-c.h', 'perf_commit.h')
TOOLS = ('tfmrun', 'tfmpack', 'tfmeval')


def files_of(root, *endings):
    """Paths below root, relative to it, build folders and dot-folders left out."""
    found = []
    for folder, folders, names in os.walk(root):
        here = os.path.relpath(folder, root)
        folders[:] = sorted(f for f in folders if not f.startswith('.') and f != '__pycache__'
                            and not (here == '.' and f.startswith('build')))
        for name in sorted(names):
            if name.endswith(endings):
                found.append(os.path.normpath(os.path.join(here, name)))
    return found


def read(root, path):
    with open(os.path.join(root, path), encoding='utf-8') as file:
        return file.read()


def check_include_layers(root):
    for path in files_of(root, '.c', '.h'):
        layer = path.split(os.sep)[0]
        for quote, name in re.findall(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', read(root, path), re.M):
            if quote == '<':
                if LAYERS.get(layer, 9) <= LAYERS['runtime'] and TOOLS_ONLY.match(name):
                    yield f'{path}: <{name}> is for tools only'
                continue
            if (path, name) in INSTALLED_TOGETHER:
                continue
            target = os.path.join(os.path.dirname(path), name) if '/' not in name else name
            if not os.path.exists(os.path.join(root, target)) or '..' in name:
                if not name.endswith(GENERATED):
                    yield f'{path}: "{name}": a file of the same folder is named alone, others from the top of the tree'
                continue
            there = target.split(os.sep)[0]
            if layer not in LAYERS:
                continue
            if LAYERS.get(there, 9) > LAYERS[layer]:
                yield f'{path}: {layer} may not include {target}'
            if path.startswith('tools/') and not path.startswith('tools/pack/') and target.startswith('tools/pack/'):
                yield f'{path}: only tfmpack reads foreign checkpoints; {target} is not for other tools'
            if path.startswith(PUBLIC_ONLY) and there != 'tools' and target not in PUBLIC_HEADERS:
                yield f'{path}: uses the public headers alone; {target} is none of them'


def check_runtime_folders(root):
    for path in files_of(root, '.c', '.h'):
        here = path.split(os.sep)
        if here[0] != 'runtime' or here[1] not in RUNTIME:
            continue
        for target in re.findall(r'^\s*#\s*include\s*"(runtime/[^">]+)"', read(root, path), re.M):
            there = target.split('/')[1]
            if there in RUNTIME and RUNTIME.index(there) > RUNTIME.index(here[1]):
                yield f'{path}: runtime/{here[1]} may not include {target}'


def check_file_lengths(root):
    for path in files_of(root, '.c', '.h', '.py', '.md', 'meson.build'):
        n = read(root, path).count('\n')
        if n > MAX_LINES:
            yield f'{path}: {n} lines, more than {MAX_LINES}'


def check_purpose_lines(root):
    for path in files_of(root, '.c', '.h'):
        head = read(root, path)[:400]
        if not re.match(r'/\*\s*(\*\s*)?' + re.escape(os.path.basename(path)) + r' - \S', head):
            yield f'{path}: does not begin with a comment "{os.path.basename(path)} - purpose"'


def check_file_names(root):
    seen = {}
    for path in files_of(root, '.c', '.h', '.cc', '.cpp', '.cxx', '.hpp'):
        name = os.path.basename(path)
        if not re.fullmatch(r'[a-z0-9_]+\.[ch]', name):
            yield f'{path}: names are lower case letters, digits and _, and all code is C'
        if not path.startswith(('tests/', 'perf/')):
            key = (path.split(os.sep)[0], name)
            if key in seen:
                yield f'{path}: same name as {seen[key]}'
            seen[key] = path


def check_no_orphans(root):
    # meson.build takes importers from a list in C, importers.def
    users = ''.join(read(root, p) for p in files_of(root, 'meson.build', 'make-sysroot', '.def'))
    included = set()
    for path in files_of(root, '.c', '.h'):
        included.update(os.path.basename(n) for n in re.findall(r'#\s*include\s*"([^"]+)"', read(root, path)))
    for path in files_of(root, '.c'):
        name = os.path.basename(path)
        # meson.build may name a kernel's file by a loop: 'kernels_@0@.c' or 'kernels_' + isa + '.c'
        stem = re.sub(r'_[a-z0-9]+\.c$', '', name)
        if name not in users and name not in included and not re.search(re.escape(stem) + r"_(@\d@|' *\+)", users):
            yield f'{path}: built by no meson.build'


def check_top_level(root):
    listed = subprocess.run(['git', '-C', root, 'ls-files'], capture_output=True, text=True, check=False)
    names = {line.split('/')[0] for line in listed.stdout.splitlines()} if listed.returncode == 0 else \
        {n for n in os.listdir(root) if not n.startswith('build')}
    for name in sorted(names - TOP_LEVEL):
        if not name.startswith('.'):
            yield f'{name}: does not belong at the top level'
    for name in sorted(TOP_LEVEL):
        if not os.path.exists(os.path.join(root, name)):
            yield f'{name}: missing'


def check_strict_arithmetic(root):
    for path in files_of(root, 'meson.build', '.c', '.h'):
        for number, line in enumerate(read(root, path).splitlines(), 1):
            if re.search(r"'-f(unsafe-math|associative-math|finite-math)|'-Ofast|'-ffast-math|optimize *\( *\"|"
                         r'#\s*pragma\s+(STDC\s+FP_CONTRACT\s+ON|GCC\s+optimize|clang\s+fp)', line):
                yield f'{path}:{number}: changes the meaning of float arithmetic: {line.strip()}'


def check_man_pages(root):
    for tool in TOOLS:
        path = f'docs/{tool}.1'
        if not os.path.exists(os.path.join(root, path)):
            yield f'{path}: missing'
            continue
        text = read(root, path)
        for section in ('NAME', 'SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'EXAMPLES', 'EXIT STATUS'):
            if not re.search(rf'^\.S[Hh] "?{section}"?\s*$', text, re.M):
                yield f'{path}: no section {section}'


def check_links(root):
    for path in files_of(root, '.md'):
        if path.startswith('tests/models/') and path != 'tests/models/README.md':
            continue  # descriptions that came with the checkpoints
        for target in re.findall(r'\]\(([^)#\s]+)[^)]*\)', read(root, path)):
            if not re.match(r'[a-z]+:', target) and \
                    not os.path.exists(os.path.join(root, os.path.dirname(path), target)):
                yield f'{path}: link to {target}, which does not exist'


RULES = [check_include_layers, check_runtime_folders, check_file_lengths, check_purpose_lines, check_file_names,
         check_no_orphans, check_top_level, check_strict_arithmetic, check_man_pages, check_links]


def symbols(nm, *arguments):
    out = subprocess.run([nm, *arguments], capture_output=True, text=True, check=True).stdout
    lines = [line.split() for line in out.splitlines()]
    return {words[-1].split('@')[0] for words in lines if len(words) >= 2 and words[-2] in 'TDBRVWiu'}


def check_symbols(root, shared, static, nm):
    """The shared library exports what the public headers declare, no more; the static one keeps to the prefix."""
    public = ''.join(read(root, path) for path in PUBLIC_HEADERS)
    declared = set(re.findall(r'^TFM_API [^;(]*?\b(tfm_\w+)\s*\(', public, re.M))
    exported = symbols(nm, '-D', '--defined-only', shared)
    if not declared or not exported:
        yield 'no symbols found'
    for name in sorted(exported - declared):
        yield f'exported, but not in a public header: {name}'
    for name in sorted(declared - exported):
        yield f'declared in a public header, but not exported: {name}'
    for name in sorted(symbols(nm, '-g', '--defined-only', static)):
        if not name.startswith('tfm_'):
            yield f'global symbol of the static library without prefix tfm_: {name}'


def report(results):
    """results: [(name, problems)]; prints TAP, gives the exit status."""
    print(f'1..{len(results)}')
    for name, problems in results:
        print(f'{"not ok" if problems else "ok"} - {name}')
        for problem in problems:
            print(f'# {problem}')
    return 1 if any(problems for _, problems in results) else 0


BROKEN_TREE = {
    'simd/upwards.c': '/* upwards.c - x */\n#include "runtime/tfm.h"\n',
    'runtime/tfm.h': '/* tfm.h - x */\n#include "tfm_error.h"\nTFM_API int tfm_x(void);\n',
    'runtime/library.c': '/* library.c - x */\n#include "tfm_error.h"\n',
    'format/tfm_error.h': '/* tfm_error.h - x */\n',
    'runtime/parse.c': '/* parse.c - x */\n#include <jansson.h>\n',
    'runtime/nowhere.c': '/* nowhere.c - x */\n#include "nowhere.h"\n',
    'format/down.c': '/* down.c - x */\n#include "runtime/tfm.h"\n#include "runtime/model/model.h"\n',
    'runtime/model/model.h': '\n' * 1001,
    'runtime/os/up.c': '/* up.c - x */\n#include "runtime/model/model.h"\n#include "runtime/tfm.h"\n',
    'tools/run/shout.c': ('/* shout.c - x */\n#include "tools/pack/families/importer.h"\n'
                          '#include "runtime/model/model.h"\n'),
    'tools/pack/families/importer.h': '/* importer.h - x */\n',
    'tools/Upper.c': 'int x;\n',
    'tools/run/importer.h': '/* importer.h - x */\n',
    'meson.build': "add_project_arguments('-ffast-math', language: 'c')\n",
    'src.txt': '',
    'README.md': '[gone](docs/gone.md)\n',
}
# For each rule, parts of what it must say about that tree.
EXPECTED = {
    check_include_layers: ['simd may not include runtime/tfm.h', '<jansson.h> is for tools only', '"nowhere.h"',
                           'format may not include runtime/tfm.h', 'format may not include runtime/model/model.h',
                           'runtime/library.c: "tfm_error.h"', 'only tfmpack reads',
                           'tools/run/shout.c: uses the public headers alone'],
    check_runtime_folders: ['runtime/os/up.c: runtime/os may not include runtime/model/model.h'],
    check_file_lengths: ['runtime/model/model.h: 1001 lines'],
    check_purpose_lines: ['runtime/model/model.h', 'tools/Upper.c'],
    check_file_names: ['tools/Upper.c', 'same name as'],
    check_no_orphans: ['simd/upwards.c'],
    check_top_level: ['src.txt', 'LICENSE: missing'],
    check_strict_arithmetic: ['meson.build:1'],
    check_man_pages: ['docs/tfmrun.1: missing'],
    check_links: ['docs/gone.md'],
}


def self_test():
    results = []
    with tempfile.TemporaryDirectory() as root:
        for path, text in BROKEN_TREE.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), 'w', encoding='utf-8') as file:
                file.write(text)
        for rule in RULES:
            said = list(rule(root))
            missed = [part for part in EXPECTED[rule] if not any(part in line for line in said)]
            if rule is check_include_layers and any('runtime/tfm.h: "tfm_error.h"' in line for line in said):
                missed.append('the exception for tfm.h')
            results.append((f'{rule.__name__} catches a broken tree', [f'not caught: {part}' for part in missed]))
    return report(results)


def main():
    if sys.argv[1:] == ['--self-test']:
        return self_test()
    if len(sys.argv) not in (2, 5):
        sys.exit(__doc__)
    root = sys.argv[1]
    results = [(rule.__name__, list(rule(root))) for rule in RULES]
    if len(sys.argv) == 5:
        results.append((check_symbols.__name__, list(check_symbols(root, *sys.argv[2:]))))
    return report(results)


if __name__ == '__main__':
    sys.exit(main())
