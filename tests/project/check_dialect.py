#!/usr/bin/env python3
"""check_dialect.py - one way of writing C, where a pattern can tell; the project speaks of itself alone. Prints TAP.

usage: check_dialect.py SOURCE_ROOT
       check_dialect.py --self-test        (every rule must catch a tree that breaks it)

docs/development.md, "How the code is written", is the whole of it.
"""
import os
import re
import sys

sys.dont_write_bytecode = True
import tree  # noqa: E402  (the file beside this one)

FOLDERS = tree.CODE + ('tests', 'perf')


def sources(root, *endings):
    for path in tree.files_of(root, *endings):
        if path.split(os.sep)[0] in FOLDERS and not tree.is_data(path):
            yield path


def found(root, word, pattern, message):
    """A problem for each place where C matches, comments and texts left out; a match has the word in it."""
    for path in sources(root, '.c', '.h'):
        text = tree.bare(tree.read(root, path))
        for match in re.finditer(pattern, text) if word in text else ():
            yield f'{path}:{tree.line_of(text, match.start())}: {message(match)}'


def check_null(root):
    """a pointer is tested by itself: `if (!p)`, `if (p)`; p != NULL only where a bool is stored or returned"""
    yield from found(root, 'NULL', r'== *NULL\b|\bNULL *[!=]=|!= NULL *\?', lambda m: f'"{m[0]}": write !p or p')
    for path in sources(root, '.c', '.h'):
        text = tree.bare(tree.read(root, path))
        for match in re.finditer(r'\b(?:if|while) \(', text) if '!= NULL' in text else ():
            condition = text[match.end():tree.closing(text, match.end())]
            for _ in range(2):  # what a function is given may well be a bool, and truth can be counted
                condition = re.sub(r'\w\([^()]*\)|\([^()]*\)(?= \+)|(?<=\+ )\([^()]*\)', tree.blank, condition)
            if '!= NULL' in condition:
                at = match.end() + condition.index('!= NULL')
                yield f'{path}:{tree.line_of(text, at)}: "!= NULL" in a condition: write p'


def type_names(root):
    """Names of types, ours and those that look like types."""
    names = set()
    for path in sources(root, '.c', '.h'):
        text = tree.bare(tree.read(root, path))
        names.update(re.findall(r'\b(?:struct|union|enum)\s+([A-Za-z_]\w*)', text))
        names.update(re.findall(r'^\s*\}\s*([A-Za-z_]\w*)\s*;', text, re.M))
        names.update(re.findall(r'\btypedef\b[^;{}]*?\b([A-Za-z_]\w*)\s*(?:\[[^\]]*\]\s*)?;', text))
        names.update(re.findall(r'\btypedef\b[^;{}]*?\(\s*\*?\s*([A-Za-z_]\w*)\s*\)\s*\(', text))
    return names


BASIC_TYPES = {'float', 'double', 'char', 'int', 'long', 'short', 'unsigned', 'signed', 'bool', 'void', 'FILE', 'DIR',
               'type',  # of a macro
               '__m128i', '__m256i', '__m512i', '__m128', '__m256', '__m512'}


def check_sizeof(root):
    """sizeof has parentheses around types only: `sizeof x`, `sizeof(float)`"""
    names = type_names(root) | BASIC_TYPES
    for path in sources(root, '.c', '.h'):
        text = tree.bare(tree.read(root, path))
        for match in re.finditer(r'\bsizeof *\(((?:\*|&|\w|->|\.|\[[\w ]*\])+)\)', text):
            operand = match[1]
            if operand in names or re.fullmatch(r'\w+_t', operand) or operand.isupper():
                continue
            yield f'{path}:{tree.line_of(text, match.start())}: "{match[0]}": write sizeof {operand}'


STATUS = r'(?:\w+(?:->|\.))*status\b'  # a variable or member
TRUTH = r'(?:\b(?:if|while) \(\(*|&&\s*|\|\|\s*)'  # what stands before something that is taken for true or false
TAKEN = re.compile(r'\s*(?:\)|&&|\|\||\?)')  # and after it
CALL = re.compile(rf'(!|{TRUTH})(\w+)\(')


def returns_status(text):
    """Names of functions that are declared or defined in a text: {name: whether they return a tfm_status}."""
    return {name: kind == 'tfm_status' for kind, name in
            re.findall(r'^(?:TFM_API |static |inline )*(\w+) \**(\w+)\([^;{}]*\)\s*[;{]', text, re.M)}


def check_status(root):
    """a status is compared: `status != TFM_OK`, `status == TFM_OK`"""
    yield from found(root, 'status', rf'!{STATUS}|(?:{TRUTH}|\breturn |[^=!<>]= ){STATUS}{TAKEN.pattern}|'
                     rf'(?:&&|\|\|)\s*{STATUS}\s*[;,]', lambda m: f'"{m[0]}": compare with TFM_OK')
    shared = {}
    for path in sources(root, '.h'):
        shared.update(returns_status(tree.bare(tree.read(root, path))))
    for path in sources(root, '.c', '.h'):
        text = tree.bare(tree.read(root, path))
        functions = {**shared, **returns_status(text)}
        for match in CALL.finditer(text):
            if functions.get(match[2]) and (match[1] == '!' or
                                            TAKEN.match(text, tree.closing(text, match.end()) + 1)):
                yield f'{path}:{tree.line_of(text, match.end())}: "{match[2]}(...)": compare with TFM_OK'


def check_usual_names(root):
    """a tfm_status is called status; above the kernels, s is a session and nothing else"""
    yield from found(root, 'tfm_status', r'\btfm_status (s|st|r|rc|ret|res|err|result)\b *[=;,)]',
                     lambda m: f'"{m[0]}": call it status')
    for path in sources(root, '.c', '.h'):
        if not path.startswith(('format/', 'runtime/', 'tools/')):
            continue
        text = tree.bare(tree.read(root, path))
        for match in re.finditer(r'\b(\w+) \**s\b(?= *(?:=[^=]|[;,)[]))', text):
            if match[1] not in ('tfm_session', 'return', 'sizeof', 'goto', 'else', 'case'):
                yield f'{path}:{tree.line_of(text, match.start())}: "{match[0]}": s is a session: write the word'


def check_option_tables(root):
    """tables of options use designated initialisers: {.name = "beams", ...}"""
    for path in sources(root, '.c', '.h'):
        text = tree.bare(tree.read(root, path))
        for match in re.finditer(r'\b(?:tfm_option|struct option) \w+\[\w*\] = \{', text):
            table = text[match.end():tree.closing(text, match.end())]
            for entry in re.finditer(r'\{(?! *(?:\.|0 *\}|\}))', table):
                at = match.end() + entry.start()
                yield f'{path}:{tree.line_of(text, at)}: an option by position: write {{.name = ...}}'
                break


def check_include_order(root):
    """includes stand so: the own header, the system's, ours, the last two in alphabetical order and each once"""
    for path in sources(root, '.c', '.h'):
        text = tree.read(root, path)
        # What stands between #if and #endif, or after a #define, has its reasons there.
        head = re.split(r'^[ \t]*#[ \t]*if(?!ndef \w+_H$)', text, maxsplit=1, flags=re.M)[0]
        parts = [re.findall(r'^#include (["<][^">]+\.h[">])', part, re.M)
                 for part in re.split(r'^#define (?!\w+_H$)', head, flags=re.M)]
        first, own = next((part for part in parts if part), []), f'"{os.path.basename(path)[:-2]}.h"'
        if path.endswith('.c') and own in first[1:]:
            yield f'{path}: {own} is the own header: include it first'
            first.remove(own)
        elif path.endswith('.c') and first and re.match(r'"[^/]+$', first[0]):
            del first[0]  # the header of this folder that declares what the file defines
        names = [name for part in parts for name in part]
        ours = [name for name in names if name[0] == '"']
        if names != [name for name in names if name[0] == '<'] + ours:
            yield f'{path}: {ours[0]} stands before a header of the system: include ours last'
        for part in parts:
            for one, other in zip(part, part[1:]):
                if one[0] == other[0] and one >= other:
                    yield f'{path}: {other} after {one}: put them in alphabetical order, each once'


def check_rulers(root):
    """rulers are short: `/* ---- words ---- */`"""
    for path in sources(root, '.c', '.h'):
        text = tree.read(root, path)
        for match in re.finditer(r'/\*[ *\n]*-{3,}[^/]*?\*/', text):
            if not re.fullmatch(r'/\* ---- [^\n]*[^\n -] ---- \*/', match[0]):
                line = match[0].splitlines()[0]
                yield f'{path}:{tree.line_of(text, match.start())}: "{line}": write /* ---- words ---- */'


def check_guards(root):
    """the guard of a header is its path: TFM_RUNTIME_EXEC_SESSION_H"""
    for path in sources(root, '.h'):
        text = tree.bare(tree.read(root, path))
        guard = re.search(r'^#ifndef (\w+)\n#define \1$', text, re.M)
        wanted = 'TFM_' + re.sub(r'\W', '_', path).upper()
        if path in tree.PUBLIC_HEADERS:
            wanted = re.sub(r'\W', '_', os.path.basename(path)).upper()
        if guard and guard[1] != wanted:
            yield f'{path}: the guard is {guard[1]}: call it {wanted}'
        elif not guard and path not in INCLUDED_TWICE:
            yield f'{path}: has no guard: call it {wanted}'


INCLUDED_TWICE = set()

# Spelled in two, so that this file does not break its own rule.
NOTES = ('TO' 'DO', 'FIX' 'ME', 'XX' 'X', 'HA' 'CK')
HOMES = ('/ho' 'me/', '/ro' 'ot/', '/Us' 'ers/', '/wo' 'rk/', '/tmp' '/w')
NOT_HERE = ((NOTES, re.compile(rf'\b(?:{"|".join(NOTES)})\b'), 'do it, or leave it out'),
            (HOMES, re.compile(rf'(?<![\w.])(?:{"|".join(HOMES[:-1])})\w|{HOMES[-1]}\b'), 'a path of one machine'))


def check_one_home(root):
    """arrays grow in format/grow.c, UTF-8 is decoded in format/utf8.h, tfm_no_memory says that memory is out"""
    for word, home, pattern, what in (
            ('realloc', ('format/grow.c', 'tests/support/faults.c'), r'\brealloc(?:array)?\((?! *NULL,)',
             'only tfm_grow reallocates: an array that grows calls it'),
            ('0x', ('format/utf8.h',), r'& *0x(?:3F|C0)u?\b[^;\n]*[|=]= *0x80\b|& *0x3Fu?\) *(?:\||<<)',
             'UTF-8 is taken apart and put together in format/utf8.h')):
        for problem in found(root, word, pattern, lambda m: f'"{m[0]}": {what}'):
            if not problem.startswith(home):
                yield problem
    for path in sources(root, '.c'):
        text = tree.read(root, path)
        for match in re.finditer(r'\btfm_fail\(\w[^;"]*TFM_ERROR_MEMORY,\s*"[^"]*\b(?:out of|no) memory\b', text):
            if path != 'format/error.c':
                yield f'{path}:{tree.line_of(text, match.start())}: say it with tfm_no_memory'


def check_speaks_of_itself(root):
    """no notes of what is still to do, no paths of somebody's machine"""
    for path in tree.tracked(root):
        if tree.is_data(path) or not os.path.isfile(os.path.join(root, path)):
            continue
        try:
            text = tree.read(root, path)
        except UnicodeDecodeError:
            continue
        for words, pattern, what in NOT_HERE:
            for match in pattern.finditer(text) if any(word in text for word in words) else ():
                yield f'{path}:{tree.line_of(text, match.start())}: "{match[0]}": {what}'


RULES = [check_null, check_sizeof, check_status, check_usual_names, check_option_tables, check_include_order,
         check_rulers, check_guards, check_one_home, check_speaks_of_itself]

BROKEN_TREE = {
    'format/one.h': '/* one.h - x */\n#ifndef TFM_ONE_H\n#define TFM_ONE_H\ntfm_status tfm_one(int a);\n#endif\n',
    'format/two.h': '/* two.h - x */\nint x;\n',
    'format/good.h': '/* good.h - x */\n#ifndef TFM_FORMAT_GOOD_H\n#define TFM_FORMAT_GOOD_H\n'
                     '/* ---- words ---- */\ntypedef struct tfm_good {\n    int a;\n} tfm_good;\n#endif\n',
    'format/one.c': '/* one.c - x */\n/* ---- words -------- */\n/* ---- words\n * ----- */\n'
                    'void f(void) {\n    if (p == NULL) g();\n    if (p->q != NULL) g();\n    return p != NULL;\n'
                    '    n = sizeof(x) + sizeof (y.z[1]) + sizeof(*p) + sizeof(tfm_good) + sizeof(uint8_t) + sizeof('
                    'int);\n'
                    '    if (status) g();\n    if (!status && a) g();\n    tfm_status s = g();\n    b = a && status;\n'
                    '    /* if (status) == NULL */\n    puts("sizeof(x) == NULL");\n    if (status == TFM_OK) g();\n'
                    '}\n',
    'format/null.c': '/* null.c - x */\nvoid f(void) {\n    while (a && (b.c[d(1)] != NULL)) g();\n'
                     '    if (g(p, q(p) != NULL)) g();\n    return p != NULL ? 1 : 2;\n    a = p != NULL;\n'
                     '    if (a) b = p != NULL;\n    h(NULL == p);\n'
                     '    if ((a != NULL) + (b != NULL) > 1) g();\n}\n',
    'format/status.c': '/* status.c - x */\nstatic tfm_status make(int a) {\n    if (tfm_one(1)) g();\n'
                       '    if (a && !make(f(1))) g();\n    for (; !m->status;) g();\n    return status || a;\n'
                       '    if (tfm_one(1) != TFM_OK) g();\n    if (put(1) && !put(2)) g();\n    g(status, m.status);\n'
                       '    if (status == TFM_OK && m.status == TFM_OK) return make(tfm_one(1));\n'
                       '    return make(1) == TFM_OK ? a : b;\n    return a && tfm_one(2);\n'
                       '    if (g(1) != 0 || make(1) || a) g();\n    x = status ? 1 : 2;\n    return status;\n}\n'
                       'static bool put(int a) {}\n',
    'tools/run/put.c': '/* put.c - x */\nstatic bool make(int a) {\n    if (make(1)) g();\n'
                       '    if (!tfm_one(1)) g();\n}\n',
    'runtime/names.c': '/* names.c - x */\nvoid f(tfm_session *s, const char *s, size_t n) {\n    scorer s = {0};\n'
                       '    return s;\n    n = sizeof s;\n}\nstruct {\n    int s[3];\n};\n',
    'simd/names.c': '/* names.c - x */\nvoid f(const char *s) {}\n',
    'tools/run/options.c': '/* options.c - x */\nstatic const tfm_option a[] = {\n    {.name = "a"},\n    {"b", 1},\n'
                           '};\nstatic const struct option b[] = {{.name = "a"}, {0}};\n'
                           'static const tfm_option c[2] = {\n    {.name = "a", .values = {"x"}, {.b = {1}}}, {}};\n',
    'runtime/order.c': '/* order.c - x */\n#include <a.h>\n#include "order.h"\n#include <c.h>\n#include <b.h>\n'
                       '#include "b.h"\n#include "a/b.h"\n',
    'runtime/tops.c': '/* tops.c - x */\n#include "a/b.h"\n#include <a.h>\n',
    'runtime/twice.c': '/* twice.c - x */\n#include "b.h"\n#include "a.h"\n#include "a.h"\n#include <a.h>\n',
    'runtime/order.h': '/* order.h - x */\n#ifndef TFM_RUNTIME_ORDER_H\n#define TFM_RUNTIME_ORDER_H\n#include <a.h>\n'
                       '#include <b.h>\n\n#include "a.h"\n#include "b/a.h"\n#endif\n',
    'runtime/well.c': '/* well.c - x */\n#include "wells.h"\n\n#include <b.h>\n\n#include "a.h"\n'
                      '#ifdef X\n#include <a.h>\n#endif\n',
    'format/grow.c': '/* grow.c - x */\nvoid *f(void *p) { return realloc(p, 1); }\n',
    'runtime/memory.c': '/* memory.c - x */\nvoid f(void) {\n    p = realloc(p, 2);\n    p = reallocarray(p, 2, n);\n'
                        '    p = reallocarray(NULL, n, 2);\n    /* realloc(p, 1) */\n'
                        '    tfm_fail(error, TFM_ERROR_MEMORY, "no memory for %d", n);\n'
                        '    tfm_fail(error, TFM_ERROR_MEMORY, "cannot start %d threads", n);\n'
                        '    if ((c & 0xC0) == 0x80) g();\n    code = (c & 0x3F) << 6 | d;\n'
                        '    if ((c & 0x80) != 0) g();\n'
                        '}\n',
    'perf/run': '# TO' 'DO: later\n',
    'docs/x.md': 'in /ho' 'me/me/x and /tmp/tfm-XXXXXX\n',
    'tests/x/corpus/a': 'TO' 'DO\n',
}
EXPECTED = {
    check_null: (['format/one.c:6: "== NULL"', 'format/one.c:7:', 'format/null.c:3:', 'format/null.c:5:',
                  'format/null.c:8:'],
                 ['format/one.c:8:', 'one.c:14:', 'one.c:15:', 'null.c:4:', 'null.c:6:', 'null.c:7:', 'null.c:9:']),
    check_sizeof: (['write sizeof x', 'write sizeof y.z[1]', 'write sizeof *p'],
                   ['tfm_good', 'uint8_t', 'int', ':15:']),
    check_status: (['format/one.c:10:', 'format/one.c:11:', 'format/one.c:13:', 'status.c:3: "tfm_one(...)"',
                    'status.c:4: "make(...)"', 'status.c:5: "!m->status"', 'status.c:6:', 'status.c:13: "make(...)"',
                    'status.c:14:', 'put.c:4:'],
                   ['one.c:14:', 'one.c:16:', 'status.c:7:', 'status.c:8:', 'status.c:9:', 'status.c:10:',
                    'status.c:11:', 'status.c:15:', 'put.c:3:']),
    check_usual_names: (['format/one.c:12: "tfm_status s =', 'runtime/names.c:2: "char *s', 'runtime/names.c:3:',
                         'runtime/names.c:8:'], ['tfm_session', 'names.c:4:', 'names.c:5:', 'simd/']),
    check_option_tables: (['tools/run/options.c:4:', 'tools/run/options.c:8:'], ['options.c:3:', 'options.c:6:']),
    check_include_order: (['order.c: "order.h" is the own header', 'order.c: <b.h> after <c.h>',
                           'order.c: "a/b.h" after "b.h"', 'tops.c: "a/b.h" stands before',
                           'twice.c: "a.h" stands before', 'twice.c: "a.h" after "a.h"'],
                          ['order.h:', 'well.c:']),
    check_rulers: (['format/one.c:2:', 'format/one.c:3:'], ['good.h']),
    check_guards: (['format/one.h: the guard is TFM_ONE_H: call it TFM_FORMAT_ONE_H', 'format/two.h: has no guard'],
                   ['good.h']),
    check_one_home: (['memory.c:3:', 'memory.c:4:', 'memory.c:7:', 'memory.c:9:', 'memory.c:10:'],
                     ['grow.c', 'memory.c:5:', 'memory.c:6:', 'memory.c:8:', 'memory.c:11:']),
    check_speaks_of_itself: (['perf/run:1:', 'docs/x.md:1: "/ho' 'me/m"'], ['XXXXXX', 'corpus']),
}


def main():
    if sys.argv[1:] == ['--self-test']:
        return tree.self_test(RULES, BROKEN_TREE, EXPECTED)
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    return tree.report(tree.check(RULES, sys.argv[1]))


if __name__ == '__main__':
    sys.exit(main())
