#!/usr/bin/env python3
"""check_hardening.py - what was built has what the meson option `hardening` promises. Prints TAP.

usage: check_hardening.py READELF PROGRAM UNHARDENED FILE...

FILE: executables and shared libraries. PROGRAM and UNHARDENED are one small program built like everything else and with
all of it switched off: each check must pass the first and notice the second, or it shows nothing.
"""
import re
import subprocess
import sys


def headers(readelf, path):
    """What readelf says about a file: headers, segments, dynamic section and dynamic symbols."""
    return subprocess.run([readelf, '-hldW', '--dyn-syms', path], capture_output=True, text=True, check=True).stdout


def is_library(elf):
    return re.search(r'\(SONAME\)', elf) is not None


def position_independent(elf):
    return re.search(r'^ *Type: +DYN\b', elf, re.M) and (is_library(elf) or re.search(r'\(FLAGS_1\).*\bPIE\b', elf))


def read_only_relocations(elf):
    return re.search(r'^ *GNU_RELRO\b', elf, re.M)


def bound_at_start(elf):
    return re.search(r'\(BIND_NOW\)|\(FLAGS\).*\bBIND_NOW\b|\(FLAGS_1\).*\bNOW\b', elf)


def data_not_executable(elf):
    stack = re.search(r'^ *GNU_STACK .* RW +0x', elf, re.M)
    return stack and not re.search(r'^ *(LOAD|GNU_STACK) .* RWE +0x', elf, re.M)


def no_text_relocations(elf):
    return not re.search(r'\(TEXTREL\)|\(FLAGS\).*\bTEXTREL\b', elf)


def stack_protector(elf):
    return re.search(r'\bUND\b +__stack_chk_fail\b', elf)


def checked_functions(elf):
    return re.search(r'\bUND\b +__\w+_chk\b', elf)


CHECKS = [position_independent, read_only_relocations, bound_at_start, data_not_executable, stack_protector,
          checked_functions]
# A program with text relocations is more than a switch away: no counterexample for this one.
ALL = CHECKS + [no_text_relocations]


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    readelf, program, unhardened, *files = sys.argv[1:]
    results = []
    hard, soft = headers(readelf, program), headers(readelf, unhardened)
    for check in CHECKS:
        told = bool(check(hard) and not check(soft))
        results.append((f'{check.__name__} tells a hardened program from another', told))
    for path in files:
        elf = headers(readelf, path)
        missing = [check.__name__ for check in ALL if not check(elf)]
        results.append((path.split('/')[-1] + (': lacks ' + ', '.join(missing) if missing else ''), not missing))
    print(f'1..{len(results)}')
    for name, good in results:
        print(f'{"ok" if good else "not ok"} - {name}')
    return 0 if all(good for _, good in results) else 1


if __name__ == '__main__':
    sys.exit(main())
