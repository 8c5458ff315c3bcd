#!/usr/bin/env python3
"""check_digest.py - digest says the same of the same bits, and something else of others. Prints TAP.

usage: check_digest.py DIGEST BUILD
"""
import os
import subprocess
import sys

LEFT_OUT = 'bert'
NAMES = ('albert', 'bert-mlm', 'marian', 'phi3-longrope')


def run(digest, build, **environment):
    """What digest prints, as {name and type: the rest}."""
    only = [f'--only={name}' for name in (*NAMES, LEFT_OUT)]
    command = [sys.executable, digest, *only, f'--except={LEFT_OUT}', build]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    return {tuple(words[:-1]): words[-1] for words in lines}, done


def main():
    digest, build = sys.argv[1:]
    best, done = run(digest, build)
    scalar, _ = run(digest, build, TFM_ISA='scalar')
    # bert-mlm in three types, marian in four, the others in two, and the whole; albert is refused
    hashes = {value.split()[0] for value in best.values()} - {'refused'}
    results = [
        ('a line for each checkpoint and type, and one for all', done.returncode == 0 and len(best) == 12),
        ('what is refused is said to be', best.get(('albert', 'f32')) == 'refused' and
         best.get(('phi3-longrope', 'f32'), '').endswith(' (2 inputs refused)')),
        ('every other line has a hash of its own', len(hashes) == 10),
        ('all instruction sets give the same', best == scalar),
    ]
    print(f'1..{len(results)}')
    for name, good in results:
        print(f'{"ok" if good else "not ok"} - {name}')
    if not all(good for _, good in results):
        print(f'# {best}\n# {scalar}\n# {done.stderr}')
    return not all(good for _, good in results)


if __name__ == '__main__':
    sys.exit(main())
