#!/usr/bin/env python3
"""check_api_program.py - runs the program of docs/api.md on a sentence of the test set and checks what it prints.

usage: check_api_program.py PROGRAM MODEL CHECKPOINT
"""
import json
import os
import shlex
import subprocess
import sys


def lines(folder, name):
    with open(os.path.join(folder, 'expected', name), encoding='utf-8') as file:
        return file.read().split('\n')


def main():
    program, model, checkpoint = sys.argv[1:]
    wrapper = shlex.split(os.environ.get('MESON_EXE_WRAPPER', ''))

    def run(*arguments):
        return subprocess.run([*wrapper, program, *arguments], capture_output=True, text=True, check=False)

    for i in (0, 5):
        beams = json.loads(lines(checkpoint, 'beam4.ids.jsonl')[i])
        expected = (f'{lines(checkpoint, "greedy.txt")[i]}\n'
                    f'{lines(checkpoint, "beam4.txt")[i]} (score {beams["score"]:.4f})\n')
        done = run(model, lines(checkpoint, 'test.de')[i])
        if done.returncode or done.stdout != expected or done.stderr:
            sys.exit(f'status {done.returncode}\nprinted  {done.stdout!r}\nexpected {expected!r}\n'
                     f'stderr   {done.stderr!r}')
    done = run('/nonexistent.bin', 'Hallo')
    if done.returncode != 1 or '/nonexistent.bin' not in done.stderr or done.stdout:
        sys.exit(f'a missing model: status {done.returncode}, {done.stderr!r}')
    if run().returncode != 2:
        sys.exit('without arguments the status is not 2')
    print('ok')


main()
