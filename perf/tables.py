"""tables.py - the measurements of perf/run as Markdown tables, aligned to be read as they are."""
import re

import records


def number(x):
    """Three digits or more, as short as that allows."""
    if x is None:
        return '–'
    if abs(x) >= 100:
        return f'{x:,.0f}'
    return f'{x:.1f}' if abs(x) >= 10 else f'{x:.2f}'


def percent(x):
    return '–' if x is None else f'{100 * x:.0f} %'


def times(x):
    return '–' if x is None else f'{x:.2f}'


def spread(record):
    """The middle half of the runs, beside the median."""
    if 'upper_s' not in record:
        return None
    return (record['upper_s'] - record['lower_s']) / record['median_s']


def best(record):
    """The value of the fastest run."""
    if 'min_s' not in record or not record['value']:
        return None
    ratio = record['median_s'] / record['min_s'] if record['min_s'] else 1
    return record['value'] * ratio if records.better_is_more(record) else record['value'] / ratio


def table(head, rows, left):
    """left: how many columns hold words."""
    if not rows:
        return ''
    widths = [max(len(str(row[c])) for row in [head, *rows]) for c in range(len(head))]
    lines = []
    for row in [head, None, *rows]:
        cells = []
        for c, width in enumerate(widths):
            if row is None:
                cells.append('-' * width if c < left else '-' * (width - 1) + ':')
            else:
                cells.append(str(row[c]).ljust(width) if c < left else str(row[c]).rjust(width))
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines) + '\n'


def machines(found):
    """Where and on what, with the highest peaks seen on each number of threads."""
    peaks = {}
    for record in found:
        if record.get('record') == 'machine':
            name = (record['cpu'], record['compiler'], record['commit'], record['isa'], record['threads'])
            best_so_far = peaks.setdefault(name, {})
            for k in ('fma_gflops', 'int8_gops', 'l2_gbytes', 'dram_gbytes'):
                best_so_far[k] = max(best_so_far.get(k, 0), record.get(k, 0))
    rows = [[*name, *(number(peaks[name][k]) for k in ('fma_gflops', 'int8_gops', 'l2_gbytes', 'dram_gbytes'))]
            for name in sorted(peaks)]
    return table(['processor', 'compiler', 'commit', 'ISA', 'threads', 'f32 GFLOP/s', 'int8 GOP/s', 'L2 GB/s',
                  'DRAM GB/s'], rows, 4)


def work_order(r):
    dtypes = ('f32', 'bf16', 'f16', 'int8', 'int4')
    dtype = dtypes.index(r['dtype']) if r['dtype'] in dtypes else len(dtypes)
    return (r['model'], r['name'] == 'decode', r.get('beams', 0), r.get('batch', 0), r.get('length', 0), dtype,
            r['threads'])


def whole_models(found, peers):
    """Figures in tokens per second, beside the fastest peer that did the same."""
    rows = []
    for r in sorted((r for r in found if r.get('unit') == 'tokens/s'), key=work_order):
        peer = records.best_peer(r, peers)
        kv = r.get('kv_dtype', 'f32')
        row = [r['model'], r['name'], r['dtype'] + (f', kv {kv}' if kv != 'f32' else ''), r['threads'],
               r.get('beams', '–'), r.get('batch', '–'), r.get('length', '–'), number(r['value']), number(best(r)),
               percent(spread(r)), percent(records.of_limit(r)), r.get('bound', '–')]
        if peers:
            row += ['–', '–'] if not peer else [f'{peer["peer"]} {number(peer["value"])}',
                                                times(r['value'] / peer['value'])]
        rows.append(row)
    head = ['model', 'work', 'type', 'threads', 'beams', 'batch', 'length', 'tokens/s', 'best', 'spread',
            'of the limit', 'bound by']
    return table(head + (['best peer', 'ours / peer'] if peers else []), rows, 3)


def same_but(record, found, **changed):
    """The record that differs in this alone, or None."""
    wanted = records.key({**record, **changed})
    return next((r for r in found if records.key(r) == wanted), None)


def ratios(found):
    """Beams against as many greedy rows, and two threads against one."""
    rows = []
    for r in sorted((r for r in found if r.get('unit') == 'tokens/s'), key=work_order):
        what = f'{r["name"]} {r.get("batch", 1)}' + (f' x {r["beams"]}' if r.get('beams', 1) > 1 else '') + \
            f', {r.get("length", 0)} tokens'
        rows_at_once = r.get('batch', 1) * r.get('beams', 1)
        greedy = r.get('beams', 1) > 1 and same_but(r, found, beams=1, batch=rows_at_once)
        if greedy:
            rows.append([r['model'], what, r['dtype'], r['threads'], f'time / greedy, batch {rows_at_once}',
                         times(r['median_s'] / greedy['median_s'])])
        one = r['threads'] > 1 and same_but(r, found, threads=1)
        if one:
            rows.append([r['model'], what, r['dtype'], r['threads'], 'speed / one thread',
                         times(r['value'] / one['value'])])
    rows.sort(key=lambda row: row[4])
    return table(['model', 'work', 'type', 'threads', 'what', 'ratio'], rows, 3)


def thread_pool(found):
    rows = [[r['name'].removeprefix('pool: '), r['threads'], f'{number(r["value"])} {r["unit"]}', number(best(r))]
            for r in found if r.get('name', '').startswith('pool: ')]
    return table(['what', 'threads', 'median', 'best'], rows, 1)


def tokenizers(found):
    rows = [[r['name'], r['tokenizer'], number(r['value']), number(best(r))] for r in found if r.get('unit') == 'MB/s']
    return table(['work', 'program', 'MB/s', 'best'], rows, 2)


def start_and_memory(found):
    rows = [[r['model'], r['dtype'], r['name'], r['threads'], r.get('beams', '–'), r.get('batch', '–'),
             f'{number(r["value"])} {r["unit"]}', number(best(r)), percent(spread(r)), number(r.get('limit'))]
            for r in found if r.get('unit') in ('ms', 'MB') and 'kernel' not in r]
    return table(['model', 'type', 'what', 'threads', 'beams', 'batch', 'value', 'best', 'spread', 'limit'], rows, 3)


def products(found):
    """Kernels that have a limit, beside other libraries."""
    kernels = [r for r in found if 'kernel' in r and ('m' in r or r.get('limit'))]
    others = sorted({name for r in kernels for name in r.get('others', {})})
    rows = []
    for r in kernels:
        other = r.get('others', {})
        fastest = min(other.values(), default=None)
        size = ' x '.join(str(r[k]) for k in ('m', 'n', 'k') if k in r) or \
            ' '.join(f'{k} {r[k]}' for k in ('queries', 'positions', 'n') if k in r)
        rows.append([r['kernel'], r.get('dtype', '–'), size, 'dram' if r.get('cold') else 'cache', r['threads'],
                     number(r['value']), number(best(r)), percent(records.of_limit(r)),
                     *(number(other.get(name)) for name in others), times(fastest / r['value'] if fastest else None)])
    return table(['kernel', 'type', 'size', 'weights in', 'threads', 'us', 'best', 'of the limit',
                  *(f'{name} us' for name in others), 'best of them / ours'], rows, 4)


def other_kernels(found):
    rows = []
    for r in found:
        if 'kernel' in r and not ('m' in r or r.get('limit')):
            keys = ('dtype', 'kv_dtype', 'queries', 'positions', 'n', 'causal')
            what = ' '.join(f'{k} {r[k]}' for k in keys if k in r)
            rows.append([r['kernel'], what, r['threads'], number(r['value']), number(r.get('gflops'))])
    return table(['kernel', 'size', 'threads', 'us', 'GFLOP/s'], rows, 2)


SMALL = ('quantisation of activations', 'norms', 'softmax and top-k over the vocabulary', 'other kernels')


def shares(found):
    """What each part of a step costs: for each model a table of parts down, pieces of work across."""
    text = ''
    found = [r for r in found if 'share' in r]
    for model in dict.fromkeys((r['model'], r['dtype']) for r in found):
        cells, totals, parts, works = {}, {}, {}, {}
        for r in (r for r in found if (r['model'], r['dtype']) == model):
            work = f'{r["work"]} {r["batch"]} x {r["beams"]}, {r["threads"]}t'
            works[work] = parts[r['share']] = True
            cells[r['share'], work] = r
            totals[work] = totals.get(work, 0) + r['value']
        small = [sum(cells[part, work]['share_of_step'] for part in SMALL if (part, work) in cells) for work in works]
        rows = [['a step, us', *(number(totals[work]) for work in works)]]
        rows += [[part, *(percent(cells[part, work]['share_of_step']) if (part, work) in cells else '–'
                          for work in works)] for part in parts]
        rows.append(['norms, softmax, top-k, quantisation together', *map(percent, small)])
        text += table([' '.join(model), *works], rows, 1) + '\n'
    return text.rstrip('\n') + '\n' if text else ''


def sections(found, peers):
    """{title: Markdown} of all there is."""
    pooled = records.pool(r for r in found if 'record' not in r)
    every = {'Machine, and its peaks measured in this run': machines(found),
             'Whole models': whole_models(pooled, peers),
             'Ratios between figures': ratios(pooled),
             'Start and memory': start_and_memory(pooled),
             'What a step spends its time on': shares(pooled),
             'Thread pool': thread_pool(pooled),
             'Tokenizer': tokenizers(pooled),
             'Kernels beside their limits': products(pooled),
             'Other kernels': other_kernels(pooled)}
    return {title: text for title, text in every.items() if text}


def document(found, peers):
    """Everything, as Markdown."""
    return '\n'.join(f'### {title}\n\n{text}' for title, text in sections(found, peers).items())


def fill(text, found, peers, picture):
    """A document with its measured parts replaced; they stand between lines that name them and lines that end them."""
    for title, measured in sections(found, peers).items():
        if title == 'Whole models':
            measured += f'\n![Speed of whole models in percent of the limit]({picture})\n'
        pattern = rf'(<!-- measured: {re.escape(title)} -->\n).*?(<!-- end -->)'
        text = re.sub(pattern, lambda match, new=measured: f'{match[1]}\n{new}\n{match[2]}', text, flags=re.S)
    return text
