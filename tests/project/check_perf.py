#!/usr/bin/env python3
"""check_perf.py - perf/compare and the tables of perf/run on fixed measurements. Prints TAP; measures nothing.

usage: check_perf.py SOURCE_ROOT
"""
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

sys.dont_write_bytecode = True

WHERE = {'machine': 'a processor', 'compiler': 'gcc 12', 'commit': 'abc', 'isa': 'avx2'}


def decode(seconds, spread=0.01, batch=8, dtype='int8', **more):
    """64 tokens for each of a batch, in so many seconds."""
    return {'name': 'decode', 'model': 'transformer-base', 'dtype': dtype, 'threads': 1, 'beams': 1, 'batch': batch,
            'length': 64, 'value': 64 * batch / seconds, 'unit': 'tokens/s', 'limit': 64 * batch / 0.8,
            'bound': 'bandwidth', 'median_s': seconds, 'min_s': seconds * (1 - 2 * spread),
            'max_s': seconds * (1 + 2 * spread), 'lower_s': seconds * (1 - spread), 'upper_s': seconds * (1 + spread),
            **WHERE, **more}


def memory(megabytes):
    return {'name': 'private memory', 'model': 'tiny', 'dtype': 'f32', 'threads': 1, 'value': megabytes, 'unit': 'MB',
            **WHERE}


def product(us, least):
    return {'kernel': 'gemm', 'm': 8, 'n': 512, 'k': 512, 'dtype': 'f32', 'cold': False, 'threads': 1, 'value': us,
            'unit': 'us', 'median_s': us * 1e-6, 'min_s': least * 1e-6, 'limit': 10, 'others': {'onednn': 40.0},
            **WHERE}


def attention(us, gbytes):
    return {'kernel': 'attention', 'dtype': 'int8', 'queries': 1, 'positions': 256, 'causal': True, 'cold': False,
            'threads': 1, 'value': us, 'unit': 'us', 'median_s': us * 1e-6, 'min_s': us * 1e-6, 'gbytes': gbytes,
            'gflops': gbytes / 2, **WHERE}


# What a benchmark of kernels prints, and what becomes of it.
LINES = [
    ('a kernel alone', {'kernel': 'relu', 'us': 3.0, 'min_us': 2.0},
     {'kernel': 'relu', 'value': 3.0, 'unit': 'us', 'median_s': 3e-6, 'min_s': 2e-6}),
    ('a kernel beside others',
     {'kernel': 'gemm_int', 'limit_us': 1.0, 'tfm_us': 3.0, 'tfm_min_us': 2.0, 'tfm_f32_us': 9.0, 'tfm_f32_min_us': 8.0,
      'onednn_us': 5.0, 'onednn_min_us': 4.0},
     {'kernel': 'gemm_int', 'value': 3.0, 'unit': 'us', 'median_s': 3e-6, 'min_s': 2e-6, 'limit': 1.0,
      'others': {'onednn': 5.0}}),
]

# (what it shows, base, new, further arguments, exit status, what the output must hold)
CASES = [
    ('the same results', [decode(1), memory(5)], [decode(1), memory(5)], [], 0,
     ['2 compared: 0 slower, 0 unsure, 0 faster, 2 same']),
    ('a regression', [decode(1)], [decode(1.2)], [], 1, ['slower', '+20.0 %', 'transformer-base int8 decode']),
    ('an improvement', [decode(1)], [decode(0.8)], [], 0, ['faster', '-20.0 %']),
    ('under 5 % is noise', [decode(1, 0.001)], [decode(1.04, 0.001)], [], 0, ['1 same']),
    ('another threshold', [decode(1, 0.001)], [decode(1.04, 0.001)], ['--noise', '3'], 1, ['1 slower']),
    ('runs that overlap', [decode(1, 0.15)], [decode(1.2, 0.15)], [], 0, ['1 unsure']),
    ('repeated runs widen the spread', [decode(1), decode(1.19)], [decode(1.2), decode(1.18)], [], 0, ['1 unsure']),
    ('repeated runs that agree', [decode(1), decode(1.01)], [decode(1.2), decode(1.21)], [], 1, ['1 slower']),
    ('order does not matter', [decode(1), decode(1, batch=1)], [decode(1, batch=1), decode(1.3)], [], 1,
     ['1 slower', '1 same']),
    ('memory has no spread', [memory(5)], [memory(6)], [], 1, ['private memory', '+20.0 %']),
    ('a kernel whose best run held', [product(10, 9)], [product(12, 9.1)], [], 0, ['1 unsure']),
    ('a kernel that got slower', [product(10, 9)], [product(12, 11)], [], 1, ['gemm f32 8 x 512 x 512']),
    ('a kernel whose rates differ too', [attention(10, 4)], [attention(12, 3)], [], 1, ['1 compared: 1 slower']),
    ('what only one side has', [decode(1), memory(5)], [decode(1), decode(1, dtype='f32')], [], 0,
     ['1 compared', 'only in the base 1, only in the new 1']),
    ('what was not asked for', [decode(1), memory(5)], [decode(2), memory(5)], ['--only', 'memory'], 0, ['1 compared']),
    ('what stayed the same, on demand', [decode(1)], [decode(1)], ['--all'], 0, ['| same ']),
    ('another machine', [decode(1)], [decode(1, machine='another')], [], 2, ['different machines']),
    ('another machine, by force', [decode(1)], [decode(1, machine='another')], ['--force'], 0, ['1 same']),
    ('nothing in common', [decode(1)], [memory(5)], [], 2, ['nothing was measured in both']),
    ('no measurements', [], [memory(5)], [], 2, ['no measurements']),
    ('peaks and shares are no figures', [decode(1), {'record': 'machine', 'fma_gflops': 100}],
     [decode(1), {'share': 'norms', 'value': 3, 'threads': 1}], [], 0, ['1 compared']),
]
BAD_FILES = [('no JSON', 'nonsense\n', 'line 1 is not JSON'), ('no object', '{}\n[1]\n', 'line 2 is not a JSON object'),
             ('no text', b'\xff\xfe', 'base.jsonl')]
PEERS = [{'peer': 'slowpoke', 'what': 'decode', 'beam': 1, 'batch': 8, 'threads': 1, 'dtype': 'int8',
          'tokens_per_s': 128},
         {'peer': 'hare', 'what': 'decode', 'beam': 1, 'batch': 8, 'length': 64, 'threads': 1, 'dtype': 'int8',
          'tokens_per_s': 256},
         {'peer': 'hare', 'what': 'decode', 'beam': 4, 'batch': 8, 'threads': 1, 'dtype': 'int8', 'tokens_per_s': 9999},
         {'peer': 'llama.cpp', 'what': 'prefill', 'model': 'llama-1.1b-q8_0', 'length': 512, 'threads': 1,
          'tokens_per_s': 30}]
PREFILL = decode(1, model='llama-1.1b', name='prefill', length=512, batch=1, value=120.0, limit=150.0)


class Checker:
    def __init__(self, root, folder):
        self.root, self.folder, self.results = root, folder, []

    def write(self, name, content):
        path = os.path.join(self.folder, name)
        if not isinstance(content, (str, bytes)):
            content = ''.join(json.dumps(record) + '\n' for record in content)
        with open(path, 'wb') as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return path

    def run(self, program, *arguments):
        """(exit status, everything it printed)."""
        done = subprocess.run([sys.executable, os.path.join(self.root, 'perf', program), *arguments],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def check(self, name, outcome, status, wanted):
        found, said = outcome
        missing = [part for part in wanted if part not in said]
        problems = [f'{part!r} is not in the output' for part in missing]
        if found != status:
            problems.append(f'exit status {found}, not {status}')
        self.results.append((name, problems + (said.splitlines() if problems else [])))

    def lines(self):
        sys.path.insert(0, os.path.join(self.root, 'perf'))
        import records
        for name, line, wanted in LINES:
            got = {k: round(v, 12) if isinstance(v, float) else v for k, v in records.normalise(dict(line)).items()}
            self.results.append((f'records: {name}', [] if got == wanted else [f'{got}, not {wanted}']))

    def compare(self):
        for name, base, new, more, status, wanted in CASES:
            paths = self.write('base.jsonl', base), self.write('new.jsonl', new)
            self.check(f'compare: {name}', self.run('compare', *paths, *more), status, wanted)
        new = self.write('new.jsonl', [decode(1)])
        for name, content, wanted in BAD_FILES:
            self.check(f'compare: {name}', self.run('compare', self.write('base.jsonl', content), new), 2, [wanted])
        nowhere = self.run('compare', os.path.join(self.folder, 'nowhere'), new)
        self.check('compare: no such file', nowhere, 2, ['nowhere'])
        self.check('compare: one file', self.run('compare', new), 2, ['two files'])

    def tables(self):
        beams = decode(2.2, batch=2, beams=4)
        results = self.write('results.jsonl', [decode(1), decode(0.5, threads=2), beams, PREFILL, memory(5),
                                               product(20, 19)])
        arguments = ['--from', results, '--peers', self.write('peers.jsonl', PEERS), '--out', self.folder]
        # 512 tokens/s against the faster peer's 256, of a limit of 640; 120 against 30; oneDNN 40 us against 20; two
        # threads twice as fast; two inputs with four beams in 2.2 times the time of eight without.
        self.check('run: tables with peers', self.run('run', *arguments), 0,
                   ['hare 256', '2.00 |', '80 %', 'llama.cpp 30.0', '4.00 |', 'onednn us', '50 %', '5.00 MB',
                    'time / greedy, batch 8 |', '2.20 |', 'speed / one thread |'])
        with open(os.path.join(self.folder, 'results.svg'), encoding='utf-8') as file:
            plot = file.read()
        self.check('run: plot with its limit and peers', (0, plot), 0,
                   ['class="limit"', '512 tokens/s, 2.00 x hare', '120 tokens/s, 4.00 x llama.cpp', 'class="peer"'])
        try:
            xml.etree.ElementTree.fromstring(plot)
            problems = []
        except xml.etree.ElementTree.ParseError as error:
            problems = [str(error)]
        self.results.append(('run: the plot is XML', problems))
        self.results.append(('run: no label of the plot meets another, a bar or an axis', problems or collisions(plot)))
        self.crowded_plot()
        page = self.write('page.md', 'Before.\n<!-- measured: Whole models -->\nold\n<!-- end -->\nAfter.\n')
        self.run('run', *arguments, '--docs', page)
        with open(page, encoding='utf-8') as file:
            text = file.read()
        self.check('run: tables put into a document', (0, text), 0,
                   ['Before.\n<!--', 'hare 256', '](page.svg)', '<!-- end -->\nAfter.'])
        self.results.append(('run: and its old tables taken out', ['old'] if 'old\n' in text else []))
        lacking = self.write('peers.jsonl', [{'peer': 'hare', 'what': 'decode'}])
        self.check('run: peers that say too little', self.run('run', '--from', results, '--peers', lacking), 1,
                   ["object 1 has no 'threads'"])


    def crowded_plot(self):
        """Bars of every length, with the longest labels there are, side by side."""
        import plot
        found = [decode(0.8 / share, threads=threads, dtype=dtype, batch=batch, model='transformer-base-of-a-long-name')
                 for batch, share in ((1, 0.02), (8, 0.7), (32, 0.95), (999, 1.4)) for dtype in ('f32', 'bf16')
                 for threads in (1, 2)]
        peers = [dict(record, peer='a-peer-of-a-long-name', value=record['value'] * 0.9) for record in found]
        picture = plot.document(found, peers)
        self.results.append(('plot: labels of a crowded one are apart', collisions(picture)))
        moved = picture.replace(f'x="{plot.LABEL + plot.WIDTH + 6}"', f'x="{plot.LABEL + plot.WIDTH - 90}"')
        self.results.append(('plot: labels that are not apart are found',
                             [] if moved != picture and collisions(moved) else ['nothing was found']))


def boxes(svg):
    """(what, left, top, right, bottom) of each text, bar and line; a letter is taken to be as wide as a wide one."""
    found = []
    for element in xml.etree.ElementTree.fromstring(svg):
        kind, at = element.tag.split('}')[-1], element.attrib
        if kind == 'text':
            size = {'head': 14, 'small': 10}.get(at.get('class'), 11)
            wide, x, y = 0.6 * size * len(element.text), float(at['x']), float(at['y'])
            left = x - wide * {'middle': 0.5, 'end': 1}.get(at.get('text-anchor'), 0)
            found.append((f'text "{element.text}"', left, y - 0.8 * size, left + wide, y + 0.2 * size))
        elif kind == 'rect':
            x, y = float(at['x']), float(at['y'])
            found.append(('a bar', x, y, x + float(at['width']), y + float(at['height'])))
        elif kind == 'line':
            found.append(('an axis', float(at['x1']), float(at['y1']), float(at['x2']), float(at['y2'])))
    return found


def collisions(svg):
    """What of a plot lies over one of its texts."""
    found = boxes(svg)
    return [f'{a[0]} meets {b[0]}' for i, a in enumerate(found) for b in found[i + 1:]
            if (a[0].startswith('text') or b[0].startswith('text')) and a[1] < b[3] and b[1] < a[3] and a[2] < b[4]
            and b[2] < a[4]]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        checker = Checker(sys.argv[1], folder)
        checker.lines()
        checker.compare()
        checker.tables()
    print(f'1..{len(checker.results)}')
    for name, problems in checker.results:
        print(f'{"not ok" if problems else "ok"} - {name}')
        for problem in problems:
            print(f'# {problem}')
    return 1 if any(problems for _, problems in checker.results) else 0


if __name__ == '__main__':
    sys.exit(main())
