#!/usr/bin/env python3
"""check_tree.py - the rules of the source tree that no compiler checks. Prints TAP.

usage: check_tree.py SOURCE_ROOT [SHARED_LIBRARY STATIC_LIBRARY NM]
       check_tree.py --self-test          (every rule must catch a tree that breaks it)
"""
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
import tree  # noqa: E402  (the file beside this one)
from tree import PUBLIC_HEADERS, files_of, read  # noqa: E402

# The order of the folders: what is included stands further up, or in the same place. Of two folders on one line neither
# includes the other. A file is in the place with the longest name that its path begins with. tests and perf see all.
ORDER = [
    ['simd/dtype.h'],
    ['simd/panels.h'],
    ['simd/isa.def'],
    ['simd/isa.h'],
    ['simd/kernels.def'],
    ['simd/kernels.h'],
    ['simd/v16'],
    ['simd/dot'],
    ['simd'],
    ['format'],
    ['runtime/tfm.h'],
    ['runtime/params.'],
    ['runtime/os'],
    ['runtime/tokenizer/common'],
    ['runtime/tokenizer/steps'],
    ['runtime/tokenizer/pipeline', 'runtime/tokenizer/spm'],
    ['runtime/tokenizer'],
    ['runtime/jinja'],
    ['runtime/chat.'],
    ['runtime/model'],
    ['runtime/detokenizer.'],
    ['runtime/exec'],
    ['runtime/generate'],
    ['runtime'],
    ['tools/common'],
    ['tools/safetensors'],
    ['tools/pack/common'],
    ['tools/pack/config'],
    ['tools/pack/tokenizer/spm', 'tools/pack/tokenizer/settings'],
    ['tools/pack/tokenizer'],
    ['tools/pack/checkpoint'],
    ['tools/pack/plan'],
    ['tools/pack/families'],
    ['tools/pack/families/encoders', 'tools/pack/families/decoders', 'tools/pack/families/encoder_decoders'],
    ['tools/pack/foreign'],
    ['tools/pack/shortlist'],
    ['tools/run/engine'],
    ['tools/run/analysis'],
    ['tools/pack', 'tools/run', 'tools/eval'],
]
RANKS = {place: rank for rank, places in enumerate(ORDER) for place in places}
# The public headers lie side by side once they are installed, so the one that includes the other names it alone.
INSTALLED_TOGETHER = {('runtime/tfm.h', os.path.basename(path)) for path in PUBLIC_HEADERS if path != 'runtime/tfm.h'}
# These see the library as its users do. (tfmpack knows the file's format, and tools/safetensors the types of numbers.)
USERS = ('tools/run/', 'tools/eval/', 'tools/common/')
# The library's only foreign headers are xxhash.h and pcre2.h; these belong to the tools.
TOOLS_ONLY = re.compile(r'(jansson|zip|editline/|histedit|protobuf-c/|google/|utf8proc|criterion/)')
TOP_LEVEL = {'meson.build', 'meson_options.txt', 'runtime', 'format', 'simd', 'tools', 'tests', 'perf', 'docs',
             'README.md', 'LICENSE', 'NOTICE', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'}
MAX_LINES = 1000
MAX_ENTRIES = 40
# Folders of data, of any size.
MANY_ENTRIES = {'tests/golden/checkpoints', 'tests/runtime/tokenizer/corpus',
                'tests/runtime/jinja/corpus/chat_template'}
# Folders of tests that are no mirror of a folder of the tree.
OTHER_TESTS = {'tests/cross', 'tests/golden', 'tests/models', 'tests/project', 'tests/runtime/abi', 'tests/support',
               'tests/tools/pack/fuzz'}
# Folders of code whose tests stand elsewhere than in the folder of the same name.
TESTED_IN = {
    'simd/dot': 'tests/simd',
    'simd/v16': 'tests/simd',
    'runtime/tokenizer/common': 'tests/runtime/tokenizer',
    'runtime/tokenizer/steps': 'tests/runtime/tokenizer/pipeline',
    'tools/common': 'tests/tools/run',
    'tools/pack/families': 'tests/tools/pack/families/encoders',
    'tools/pack/foreign': 'tests/tools/pack/foreign/gguf',
    'tools/pack/tokenizer/spm': 'tests/runtime/tokenizer',
}
GENERATED = ('.pb-c.h', 'perf_commit.h')
TOOLS = ('tfmrun', 'tfmpack', 'tfmeval')


def place_of(path):
    """The place of a file in ORDER; None for tests and perf."""
    return max((place for place in RANKS if path.startswith(place)), key=len, default=None)


def includes(root, path):
    """(quote, name, the file it means) of each #include."""
    for quote, name in re.findall(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', read(root, path), re.M):
        yield quote, name, os.path.join(os.path.dirname(path), name) if '/' not in name else name


def check_include_form(root):
    """a file of the same folder is included by its name, others by their path from the top of the tree"""
    for path in files_of(root, '.c', '.h'):
        for quote, name, target in includes(root, path):
            if quote == '<':
                if path.startswith(('simd/', 'format/', 'runtime/')) and TOOLS_ONLY.match(name):
                    yield f'{path}: <{name}> is for tools only: the library does without'
            elif (path, name) not in INSTALLED_TOGETHER and not name.endswith(GENERATED) and \
                    ('..' in name or not os.path.exists(os.path.join(root, target))):
                yield f'{path}: "{name}": there is no such file: name one of the same folder alone, others from the top'
            elif '/' in name and os.path.dirname(name) == os.path.dirname(path):
                yield f'{path}: "{name}": stands in the same folder: include it by its name alone'


def check_arrows(root):
    """an arrow between folders points down the order of check_tree.py"""
    for path in files_of(root, '.c', '.h'):
        here = place_of(path)
        for quote, name, target in includes(root, path):
            there = place_of(target)
            if here is None or quote == '<' or there == here or (path, name) in INSTALLED_TOGETHER:
                continue
            if there is None:
                yield f'{path} includes {target}: only tests and perf may'
            elif RANKS[there] >= RANKS[here]:
                yield f'{path} includes {target}: {there} does not stand below {here}: move what is needed down'


def check_public_only(root):
    """tfmrun, tfmeval and what tools share see the library through tfm.h alone"""
    for path in files_of(root, '.c', '.h'):
        for quote, _, target in includes(root, path):
            if path.startswith(USERS) and quote == '"' and target.startswith(('simd/', 'format/', 'runtime/')) \
                    and target not in PUBLIC_HEADERS:
                yield f'{path} includes {target}: tfm.h should offer what is needed'


def check_folder_sizes(root):
    """no folder has more than 40 entries"""
    for here, folders, names in tree.walk(root):
        n = len(folders) + len(names)
        if n > MAX_ENTRIES and here not in MANY_ENTRIES:
            yield f'{here}: {n} entries, more than {MAX_ENTRIES}: divide it by concern'


def check_tests_mirror(root):
    """tests stand in the folder of what they test, in files NAME_test.c and NAME_fuzz.c"""
    for path in files_of(root, '.c'):
        folder, name = os.path.split(path)
        if not path.startswith('tests/') or tree.is_data(path):
            continue
        mirrored = folder.removeprefix('tests').lstrip('/')
        if not folder.startswith(tuple(OTHER_TESTS)) and not os.path.isdir(os.path.join(root, mirrored)):
            yield f'{path}: there is no {mirrored} to be tested: put it beside the tests of what it tests'
        has_cases = re.search(r'^(Test|ParameterizedTest|Theory)\(', read(root, path), re.M)
        if has_cases and not name.endswith(('_test.c', '_fuzz.c')):
            yield f'{path}: has test cases: call it {name[:-2]}_test.c'


def has_tests(root, folder):
    there = os.path.join(root, folder)
    return os.path.isdir(there) and any(name.endswith('_test.c') for name in os.listdir(there))


def check_folders_tested(root):
    """a folder of code has a folder of tests of the same name, or check_tree.py says where its tests are"""
    folders = sorted({os.path.dirname(path) for path in tree.code_of(root, '.c', '.h')})
    for folder in folders:
        tests = TESTED_IN.get(folder, f'tests/{folder}')
        if not has_tests(root, tests):
            yield f'{folder}: no tests in {tests}: write some, or say in TESTED_IN of check_tree.py where they are'
    for folder in TESTED_IN:
        if folder not in folders:
            yield f'{folder}: is in TESTED_IN of check_tree.py, but not in the tree: take it off'
        elif has_tests(root, f'tests/{folder}'):
            yield f'{folder}: has tests of its own now: take it off TESTED_IN of check_tree.py'


def check_version_once(root):
    """the version is typed once, in tfm.h"""
    parts = re.findall(r'^#define TFM_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$', read(root, 'runtime/tfm.h'), re.M)
    version = '.'.join(parts)
    if len(parts) != 3:
        yield 'runtime/tfm.h: does not define TFM_VERSION_MAJOR, TFM_VERSION_MINOR and TFM_VERSION_PATCH'
        return
    for path in files_of(root, '.c', '.h', '.py', 'meson.build'):
        for number, line in enumerate(read(root, path).splitlines(), 1):
            if re.search(rf'(?<![\w.]){re.escape(version)}(?![\w.])', line):
                yield f'{path}:{number}: "{version}": make it of the macros of tfm.h, or of meson.project_version()'


def check_file_lengths(root):
    """no file is longer than 1,000 lines"""
    for path in files_of(root, '.c', '.h', '.py', '.md', 'meson.build'):
        n = read(root, path).count('\n')
        if n > MAX_LINES:
            yield f'{path}: {n} lines, more than {MAX_LINES}: divide it by subject'


def check_purpose_lines(root):
    """a file of C begins with its name and its purpose"""
    for path in files_of(root, '.c', '.h'):
        head = read(root, path)[:400]
        if not re.match(r'/\*\s*(\*\s*)?' + re.escape(os.path.basename(path)) + r' - \S', head):
            yield f'{path}: does not begin with a comment "{os.path.basename(path)} - purpose": write one'


def check_file_names(root):
    """names of files are lower case, and all code is C"""
    for path in files_of(root, '.c', '.h', '.cc', '.cpp', '.cxx', '.hpp'):
        if not re.fullmatch(r'[a-z0-9_]+\.[ch]', os.path.basename(path)):
            yield f'{path}: names are lower case letters, digits and _, and all code is C: rename it'


def check_no_orphans(root):
    """every file of C is built"""
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
            yield f'{path}: built by no meson.build: name it in one, or delete it'


def check_top_level(root):
    """the top level holds what check_tree.py lists, and all of it"""
    names = {path.split('/')[0] for path in tree.tracked(root)}
    for name in sorted(names - TOP_LEVEL):
        if not name.startswith('.'):
            yield f'{name}: does not belong at the top level: move it into a folder'
    for name in sorted(TOP_LEVEL):
        if not os.path.exists(os.path.join(root, name)):
            yield f'{name}: missing'


def check_strict_arithmetic(root):
    """no switch changes the meaning of float arithmetic"""
    for path in files_of(root, 'meson.build', '.c', '.h'):
        for number, line in enumerate(read(root, path).splitlines(), 1):
            if re.search(r"'-f(unsafe-math|associative-math|finite-math)|'-Ofast|'-ffast-math|optimize *\( *\"|"
                         r'#\s*pragma\s+(STDC\s+FP_CONTRACT\s+ON|GCC\s+optimize|clang\s+fp)', line):
                yield f'{path}:{number}: changes the meaning of float arithmetic: {line.strip()}'


def check_man_pages(root):
    """every tool has a man page with all sections"""
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
    """links of documents lead somewhere"""
    for path in files_of(root, '.md'):
        if path.startswith('tests/models/') and path != 'tests/models/README.md':
            continue  # descriptions that came with the checkpoints
        for target in re.findall(r'\]\(([^)#\s]+)[^)]*\)', read(root, path)):
            if not re.match(r'[a-z]+:', target) and \
                    not os.path.exists(os.path.join(root, os.path.dirname(path), target)):
                yield f'{path}: link to {target}, which does not exist'


RULES = [check_include_form, check_arrows, check_public_only, check_folder_sizes, check_tests_mirror,
         check_folders_tested, check_version_once, check_file_lengths, check_purpose_lines, check_file_names,
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


BROKEN_TREE = {
    'simd/upwards.c': '/* upwards.c - x */\n#include "runtime/tfm.h"\n',
    'runtime/tfm.h': '/* tfm.h - x */\n#include "tfm_error.h"\nTFM_API int tfm_x(void);\n#define TFM_VERSION_MAJOR 7\n'
                     '#define TFM_VERSION_MINOR 1\n#define TFM_VERSION_PATCH 3\n',
    'runtime/library.c': '/* library.c - x */\n#include "tfm_error.h"\n#include "runtime/tfm.h"\n"7.1.3" "17.1.3"\n',
    'format/tfm_error.h': '/* tfm_error.h - x */\n',
    'runtime/parse.c': '/* parse.c - x */\n#include <jansson.h>\n',
    'runtime/nowhere.c': '/* nowhere.c - x */\n#include "nowhere.h"\n',
    'format/down.c': '/* down.c - x */\n#include "runtime/tfm.h"\n#include "runtime/model/model.h"\n',
    'runtime/model/model.h': '\n' * 1001,
    'runtime/exec/step.h': '/* step.h - x */\n#include "runtime/model/model.h"\n',
    'runtime/model/model.c': '/* model.c - x */\n#include "runtime/exec/step.h"\n#include "runtime/os/pool.h"\n',
    'runtime/os/pool.h': '/* pool.h - x */\n#include "runtime/tokenizer/trie.h"\n#include "runtime/tfm.h"\n',
    'runtime/tokenizer/trie.h': '/* trie.h - x */\n',
    'tools/run/shout.c': '/* shout.c - x */\n#include "tools/pack/families/importer.h"\n#include "runtime/tfm.h"\n'
                         '#include "runtime/model/model.h"\n#include "tests/support/tap.h"\n',
    'tools/pack/families/importer.h': '/* importer.h - x */\n#include "tools/pack/pack.h"\n',
    'tools/pack/pack.h': '/* pack.h - x */\n#include "tools/pack/families/importer.h"\n',
    'tools/Upper.c': 'int x;\n',
    'tests/support/tap.h': '/* tap.h - x */\n#include "runtime/model/model.h"\n',
    'tests/runtime/os/cases.c': '/* cases.c - x */\nTest(a, b) {}\n',
    'tests/runtime/gone/pool_test.c': '/* pool_test.c - x */\n',
    'tests/runtime/model/model_test.c': '/* model_test.c - x */\n',
    'meson.build': "add_project_arguments('-ffast-math', language: 'c')\n",
    'src.txt': '',
    'README.md': '[gone](docs/gone.md)\n',
    **{f'perf/bench_{i}.py': '' for i in range(41)},
    **{f'tests/golden/checkpoints/{i}/config.json': '' for i in range(41)},
}
# For each rule, parts of what it must say about that tree, and of what it must not say.
EXPECTED = {
    check_include_form: (['<jansson.h> is for tools only', '"nowhere.h": there is no such file',
                          'runtime/library.c: "tfm_error.h"', '"runtime/tfm.h": stands in the same folder'],
                         ['runtime/tfm.h: "tfm_error.h"', 'step.h']),
    check_arrows: (['simd/upwards.c includes runtime/tfm.h', 'format/down.c includes runtime/tfm.h',
                    'format/down.c includes runtime/model/model.h',
                    'runtime/model/model.c includes runtime/exec/step.h',
                    'runtime/os/pool.h includes runtime/tokenizer/trie.h', 'importer.h includes tools/pack/pack.h',
                    'tools/run/shout.c includes tests/support/tap.h'],
                   ['tests/support/tap.h includes', 'includes runtime/os/pool.h', 'pool.h includes runtime/tfm.h',
                    'tools/run/shout.c includes runtime/', 'tools/run/shout.c includes tools/', 'step.h includes']),
    check_public_only: (['tools/run/shout.c includes runtime/model/model.h'], ['runtime/tfm.h', 'tools/pack']),
    check_folder_sizes: (['perf: 41 entries'], ['checkpoints']),
    check_tests_mirror: (['tests/runtime/gone/pool_test.c: there is no runtime/gone',
                          'tests/runtime/os/cases.c: has test cases: call it cases_test.c'],
                         ['model_test.c', 'support']),
    check_folders_tested: (['runtime/os: no tests', 'tools/run: no tests', 'simd/v16: is in TESTED_IN'],
                           ['runtime/model:']),
    check_version_once: (['runtime/library.c:4: "7.1.3"'], ['17.1.3', 'tfm.h:']),
    check_file_lengths: (['runtime/model/model.h: 1001 lines'], []),
    check_purpose_lines: (['runtime/model/model.h', 'tools/Upper.c'], ['simd/upwards.c']),
    check_file_names: (['tools/Upper.c'], ['simd/upwards.c']),
    check_no_orphans: (['simd/upwards.c'], []),
    check_top_level: (['src.txt', 'LICENSE: missing'], ['simd']),
    check_strict_arithmetic: (['meson.build:1'], []),
    check_man_pages: (['docs/tfmrun.1: missing'], []),
    check_links: (['docs/gone.md'], []),
}


def main():
    if sys.argv[1:] == ['--self-test']:
        return tree.self_test(RULES, BROKEN_TREE, EXPECTED)
    if len(sys.argv) not in (2, 5):
        sys.exit(__doc__)
    results = tree.check(RULES, sys.argv[1])
    if len(sys.argv) == 5:
        results.append((check_symbols.__name__, list(check_symbols(*sys.argv[1:]))))
    return tree.report(results)


if __name__ == '__main__':
    sys.exit(main())
