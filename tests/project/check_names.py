#!/usr/bin/env python3
"""check_names.py - one name, one meaning: names that files share, and names of files. Prints TAP.

usage: check_names.py SOURCE_ROOT
       check_names.py --self-test          (every rule must catch a tree that breaks it)

C has one room for all functions of a library, and headers bring theirs into every file that includes them. So what is
shared (functions that are not static, and types and macros of headers) has a name nothing else has, and a static
function does not hide a shared one.
"""
import collections
import os
import re
import sys

sys.dont_write_bytecode = True
import tree  # noqa: E402  (the file beside this one)

# Files of which one is taken: they say the same in the language of their instruction set.
ALTERNATIVES = {'simd/v16/v16_': 'simd/v16', 'simd/dot/dot_': 'simd/dot'}
# A word of C's own, or a function that each program has.
NOT_NAMES = {'if', 'for', 'while', 'switch', 'return', 'sizeof', 'defined', 'main', 'LLVMFuzzerTestOneInput'}
# Macros that stand for `static inline`, or make the name of a kernel.
STATIC = {'static', 'V16_INLINE'}
NAMING = re.compile(r'\b(?:V16|DOT)_NAME\s*\(\s*(\w+)\s*\)')
# The public header of another version.
FOREIGN_HEADERS = {'tests/runtime/abi/tfm_of_another_version.h'}
# What a foreign header asks its users to define.
FOREIGN_MACROS = {'PCRE2_CODE_UNIT_WIDTH'}

FUNCTION = re.compile(r'^((?:[A-Za-z_]\w*[ \n*]+)+)([A-Za-z_]\w*)\s*\([^;{}#]*\)(?:\s*__attribute__\s*\(\([^;{}]*\)\))?'
                      r'\s*([;{])', re.M)
BODY = re.compile(r'\b(struct|union|enum)\s+([A-Za-z_]\w*)\s*\{')
CLOSING = re.compile(r'^\}\s*([A-Za-z_]\w*)\s*;', re.M)
ALIAS = re.compile(r'^typedef\s+(?!(?:struct|union|enum)\s+\w+\s+\w+\s*;)[^;{}]*?(?:\b([A-Za-z_]\w*)(?:\[[^\]]*\])?\s*;'
                   r'|\(\s*\*?\s*([A-Za-z_]\w*)\s*\)\s*\()', re.M)
MACRO = re.compile(r'^[ \t]*#[ \t]*define[ \t]+([A-Za-z_]\w*)', re.M)
DEFAULT = re.compile(r'^[ \t]*#[ \t]*(?:if !defined\((\w+)\)|ifndef (\w+))[ \t]*\n'
                     r'[ \t]*#[ \t]*define[ \t]+(?:\1|\2)\b.*$', re.M)
UNDEFINED = re.compile(r'^[ \t]*#[ \t]*undef[ \t]+([A-Za-z_]\w*)', re.M)


def home(path):
    """Where a name lives: its file, or all alternatives together."""
    return next((place for start, place in ALTERNATIVES.items() if path.startswith(start)), path)


class Names:
    """What the four layers, or the files of a folder, define: {name: {home}} of each kind."""

    def __init__(self, root, folders=tree.CODE):
        self.functions, self.statics, self.declared = (collections.defaultdict(set) for _ in range(3))
        self.types, self.local_types = collections.defaultdict(set), collections.defaultdict(set)
        self.macros, self.local_macros = collections.defaultdict(set), collections.defaultdict(set)
        # What a list in a .def file is read with; it is undefined at its end.
        lists = ''.join(tree.read(root, path) for path in tree.code_of(root, '.def'))
        self.of_lists = set(UNDEFINED.findall(lists))
        for path in tree.files_of(root, '.c', '.h'):
            if path.split(os.sep)[0] not in folders or path in FOREIGN_HEADERS:
                continue
            self.read(path, tree.bare(tree.read(root, path)))

    def read(self, path, text):
        header, place = path.endswith('.h'), home(path)
        # What #if !defined(NAME) stands before is for where there is no other.
        text = DEFAULT.sub(tree.blank, text)
        for name in set(MACRO.findall(text)) - self.of_lists - set(UNDEFINED.findall(text)):
            (self.macros if header else self.local_macros)[name].add(place)
        text = re.sub(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', tree.blank, text, flags=re.M)
        text = NAMING.sub(r'V16_NAME_\1', text)
        for words, name, end in FUNCTION.findall(text):
            words = words.replace('*', ' ').split()
            if name in NOT_NAMES or words[0] in NOT_NAMES or words[0] in ('else', 'typedef'):
                continue
            static = STATIC & set(words)
            if end == '{' and static:
                self.statics[name].add(place)
            elif end == '{':
                self.functions[name].add(place)
            elif header and not static:
                self.declared[name].add(place)
        types = self.types if header else self.local_types
        names = {name for _, name in BODY.findall(text)} | set(CLOSING.findall(text))
        names |= {a or b for a, b in ALIAS.findall(text)}
        for name in names:
            types[name].add(place)

    def shared(self):
        """{name: ('a function', places)} of everything that a name elsewhere could be mixed up with."""
        found = {}
        for name, places in self.statics.items():
            in_headers = {p for p in places if not p.endswith('.c')}
            if in_headers:
                found[name] = ('a function of a header', in_headers)
        found.update({name: ('a type of a header', places) for name, places in self.types.items()})
        found.update({name: ('a macro of a header', places) for name, places in self.macros.items()})
        found.update({name: ('a shared function', places) for name, places in self.functions.items()})
        return found


def says(places):
    return ' and '.join(sorted(places))


def check_shared_once(root):
    """a shared name is defined once: functions that are not static, types and macros of headers"""
    names = Names(root)
    for kind, found in (('function', names.functions), ('macro', names.macros)):
        for name, places in sorted(found.items()):
            if len(places) > 1 and name not in FOREIGN_MACROS:
                yield f'{kind} {name} is in {says(places)}: rename one, or let both use one'
    for name, places in sorted(names.declared.items()):
        if len(places) > 1:
            yield f'function {name} is declared in {says(places)}: one header declares it'
    for name, places in sorted(names.types.items()):
        bodies = places | names.local_types.get(name, set())
        if len(bodies) > 1:
            yield f'type {name} is defined in {says(bodies)}: rename one, or let both use one'
    kinds = {'function': names.functions, 'type': names.types, 'macro': names.macros}
    for one, other in (('function', 'type'), ('function', 'macro'), ('type', 'macro')):
        for name in sorted(set(kinds[one]) & set(kinds[other])):
            where, too = says(kinds[one][name]), says(kinds[other][name])
            yield f'{name} is a {one} in {where} and a {other} in {too}: rename one'


def check_nothing_hides(root):
    """a name of one file alone does not hide one that files share"""
    names = Names(root)
    shared = names.shared()
    for kind, found in (('static function', names.statics), ('type', names.local_types),
                        ('macro', names.local_macros)):
        for name, places in sorted(found.items()):
            if name not in shared or name in FOREIGN_MACROS:
                continue
            what, where = shared[name]
            hiding = {p for p in places if p.endswith('.c')} - where
            if hiding and not (kind == 'type' and what == 'a type of a header'):  # said above
                yield f'{says(hiding)}: {kind} {name} hides {what}, {says(where)}: rename it'


def check_tests_share_once(root):
    """a name that files of tests/ share is defined once there, and is not one of the code's"""
    tests, code = Names(root, ('tests',)), Names(root)
    taken = {**code.functions, **code.types, **code.macros}
    for kind, found in (('function', tests.functions), ('function', tests.declared), ('macro', tests.macros),
                        ('type', tests.types)):
        for name, places in sorted(found.items()):
            if len(places) > 1:
                yield f'{kind} {name} is in {says(places)}: rename one, or let both use one, in tests/support'
            elif name in taken:
                yield f'{kind} {name} of {says(places)} is also in {says(taken[name])}: rename it'
    for name in sorted(set(tests.functions) & set(tests.types)):
        where, too = says(tests.functions[name]), says(tests.types[name])
        yield f'{name} is a function in {where} and a type in {too}: rename one'


def check_basenames(root):
    """no two files of code have one name, whatever their folders (meson.build excepted)"""
    seen = {}
    for path in tree.files_of(root, '.c', '.h', '.def', '.py', ''):
        top, name = path.split(os.sep)[0], os.path.basename(path)
        is_code = re.fullmatch(r'[\w-]+(\.(c|h|def|py))?', name)
        if top not in tree.CODE + ('tests', 'perf') or tree.is_data(path) or not is_code:
            continue
        if name in seen:
            yield f'{path}: same name as {seen[name]}: rename one after what it is about'
        seen.setdefault(name, path)


RULES = [check_shared_once, check_nothing_hides, check_tests_share_once, check_basenames]

BROKEN_TREE = {
    'format/one.h': '/* one.h - x */\ntypedef struct tfm_one {\n    int a;\n} tfm_one;\n#define TFM_ONE 1\n'
                    'tfm_status tfm_open(int a);\nstatic inline int help(int a) { return a; }\n'
                    'typedef struct tfm_opaque tfm_opaque;\nvoid tfm_put(const char *text)\n'
                    '    __attribute__((format(printf, 1, 2)));\ntypedef enum tfm_kind { TFM_A } tfm_kind;\n',
    'format/one.c': '/* one.c - x */\nint *tfm_open(int a) {\n    return "}";\n}\nstruct tfm_opaque {\n    int b;\n};\n'
                    'static void local(void) { if (a) { b(); } }\ntypedef struct only_here {\n    int c;\n'
                    '} only_here;\n',
    'runtime/two.h': '/* two.h - x */\ntypedef int tfm_one;\n#define TFM_ONE 2\ntypedef void (*tfm_open)(int a);\n'
                     'void tfm_put(const char *text);\n#define tfm_kind 1\n',
    'runtime/two.c': '/* two.c - x */\nconst char *\ntfm_open(int a) {\n}\nstatic int help(int a) { return a; }\n'
                     'static void local(void) {}\nstatic bool tfm_put(int a) { return a; }\n#define TFM_ONE 3\n'
                     'typedef struct only_here {\n    int d;\n} only_here;\nint main(void) { return tfm_open(1); }\n',
    'tools/run/two.c': '/* two.c - x */\nint main(void) {}\n/* int tfm_open(int a) {} */\n'
                       'V16_INLINE int help(int b) {}\n',
    'simd/v16/v16_a.h': '/* v16_a.h - x */\nV16_INLINE v16 v16_add(v16 a, v16 b) { return a + b; }\n',
    'simd/v16/v16_b.h': '/* v16_b.h - x */\nV16_INLINE v16 v16_add(v16 a, v16 b) { return b + a; }\n',
    'format/list.def': 'ITEM(a)\n#undef ITEM\n',
    'format/lists.h': '/* lists.h - x */\n#define ITEM(a) a\n#include "list.def"\n#define FIELD 1\n#undef FIELD\n'
                      '#if !defined(TFM_ONE)\n#define TFM_ONE 4\n#endif\n',
    'runtime/lists.c': '/* lists.c - x */\n#define ITEM(a) #a\n#include "format/list.def"\n#define FIELD 2\n',
    'tests/a/one_test.c': '/* one_test.c - x */\nint shared(void) {}\nstatic int alone(void) {}\n'
                          'int tfm_open(int a) {}\nint LLVMFuzzerTestOneInput(int a) {}\nint thing(void) {}\n',
    'tests/a/help.h': '/* help.h - x */\nint shared(void);\n#define NEED(a) a\n'
                      'typedef struct thing {\n    int a;\n} thing;\n',
    'tests/b/help.h': '/* help.h - x */\n#define NEED(b) b\n#define TFM_ONE 1\n',
    'tests/b/two_test.c': '/* two_test.c - x */\nint shared(void) {}\nstatic int alone(void) {}\n'
                          'int LLVMFuzzerTestOneInput(int a) {}\nint main(void) {}\n',
    'tests/run-all': '',
    'perf/run-all': '',
    'tests/x/corpus/a/config.json': '',
}
EXPECTED = {
    check_shared_once: (['function tfm_open is in format/one.c and runtime/two.c', 'macro TFM_ONE',
                         'type tfm_one is defined in format/one.h and runtime/two.h', 'function tfm_put is declared in',
                         'tfm_open is a function in',
                         'tfm_kind is a type in format/one.h and a macro in runtime/two.h'],
                        ['v16_add', 'tfm_opaque', 'only_here', 'main', 'local', 'help', 'ITEM', 'lists.h']),
    check_nothing_hides: (['runtime/two.c and tools/run/two.c: static function help hides a function of a header',
                           'macro TFM_ONE hides'], ['local', 'v16_add', 'only_here', 'main', 'ITEM', 'FIELD']),
    check_tests_share_once: (['function shared is in tests/a/one_test.c and tests/b/two_test.c', 'macro NEED is in',
                              'function tfm_open of tests/a/one_test.c is also in', 'macro TFM_ONE of tests/b/help.h',
                              'thing is a function in'], ['alone', 'LLVM', 'main']),
    check_basenames: (['tools/run/two.c: same name as runtime/two.c', 'tests/run-all: same name as perf/run-all'],
                      ['config.json']),
}


def main():
    if sys.argv[1:] == ['--self-test']:
        return tree.self_test(RULES, BROKEN_TREE, EXPECTED)
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    return tree.report(tree.check(RULES, sys.argv[1]))


if __name__ == '__main__':
    sys.exit(main())
