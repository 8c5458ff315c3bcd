"""records.py - the measurements of perf/run as JSON lines: reading, telling one from another, and the figures of peers.

A record is one measurement (a JSON object a line). What was measured is said by its identity: name, model, dtype,
threads, beams, batch, length, ... ; what came out by `value` and `unit`, by median_s, min_s, max_s, lower_s, upper_s
(seconds of a run; the last two are quartiles), and by `limit` (in the unit) with `bound`. Where it was measured:
machine, compiler, commit. Records with "record": "machine" hold the peaks measured beside the others.
"""
import json
import statistics

RESULTS = {'value', 'unit', 'limit', 'bound', 'median_s', 'min_s', 'max_s', 'lower_s', 'upper_s', 'others',
           'share_of_step', 'calls', 'gflops', 'gbytes', 'machine', 'compiler', 'commit', 'repeats'}
SECONDS = ('median_s', 'min_s', 'max_s', 'lower_s', 'upper_s')
PEER_DTYPES = {'float32': 'f32', 'fp32': 'f32', 'float16': 'f16', 'q8_0': 'int8', 'q4_0': 'int4'}


class BadFile(Exception):
    """A file that is not what it should be; the message is for the user."""


def read(path):
    """The objects of a file of JSON lines."""
    found = []
    try:
        with open(path, encoding='utf-8') as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    record = json.loads(line)
                except ValueError as error:
                    raise BadFile(f'{path}: line {number} is not JSON: {error}') from error
                if not isinstance(record, dict):
                    raise BadFile(f'{path}: line {number} is not a JSON object')
                found.append(record)
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f'{path}: {error}') from error
    return found


def key(record):
    """What was measured, as something that can be compared and sorted."""
    return tuple(sorted((k, v) for k, v in record.items() if k not in RESULTS))


def label(record):
    """What was measured, for people."""
    if 'kernel' in record:
        size = ' x '.join(str(record[k]) for k in ('m', 'n', 'k') if k in record)
        rest = [f'{k} {record[k]}' for k in ('queries', 'positions', 'kv_dtype') if k in record]
        flags = [k for k in ('cold', 'causal') if record.get(k)]
        words = [record['kernel'], record.get('dtype'), size, *rest, *flags]
    else:
        words = [record.get(k) for k in ('model', 'dtype', 'share')] + [record.get('name') or record.get('work')]
        words += [f'{k} {record[k]}' for k in ('beams', 'batch', 'length') if k in record]
        if record.get('kv_dtype', 'f32') != 'f32':
            words.append(f'kv {record["kv_dtype"]}')
    words.append(f'{record.get("threads", 1)}t')
    return ' '.join(str(word) for word in words if word)


def normalise(record):
    """A kernel's figures are in microseconds: us and min_us alone; tfm_us and tfm_min_us beside X_us and X_min_us of
    other libraries; limit_us."""
    if 'kernel' not in record or 'value' in record:
        return record
    times = {k: record.pop(k) for k in list(record) if k == 'us' or k.endswith('_us')}
    ours = times.pop('tfm_us' if 'tfm_us' in times else 'us')
    least = times.pop('tfm_min_us', times.pop('min_us', ours))
    record.update(value=ours, unit='us', median_s=ours * 1e-6, min_s=least * 1e-6)
    if 'limit_us' in times:
        record['limit'] = times.pop('limit_us')
    others = {k[:-3]: v for k, v in times.items() if not k.endswith('_min_us') and not k.startswith('tfm_')}
    if others:
        record['others'] = others
    return record


def pool(records):
    """One record for each thing measured: runs of the same are put together."""
    groups = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    pooled = []
    for group in groups.values():
        record = dict(group[-1], repeats=len(group))
        if len(group) > 1:
            record['value'] = statistics.median(r['value'] for r in group)
            for name, choose in zip(SECONDS, (statistics.median, min, max, min, max)):
                values = [r[name] for r in group if name in r]
                if values:
                    record[name] = choose(values)
        pooled.append(record)
    return pooled


def better_is_more(record):
    return record['unit'].endswith('/s')


def of_limit(record):
    """The share of the limit that was reached, or None."""
    if not record.get('limit') or not record['value']:
        return None
    ratio = record['value'] / record['limit']
    return ratio if better_is_more(record) else 1 / ratio


def peer_record(peer):
    """A peer's figure in the terms of ours; the model is told by its name, or by what was done."""
    model, dtype = str(peer.get('model', '')).lower(), str(peer.get('dtype', '')).lower()
    for name, ours in PEER_DTYPES.items():
        if dtype == name or not dtype and name in model:
            dtype = ours
    if not dtype:
        dtype = next((d for d in ('f32', 'f16', 'int8', 'int4') if d in model), '')
    shape = next((f'llama-{size}' for size in ('1.1b', '110m') if size in model), None)
    if shape is None:
        shape = 'encoder-base' if peer['what'] == 'encode' else 'transformer-base'
    found = {'peer': peer['peer'], 'name': peer['what'], 'model': shape, 'dtype': dtype, 'threads': peer['threads'],
             'batch': peer.get('batch', 1), 'value': peer['tokens_per_s'], 'unit': 'tokens/s'}
    if peer['what'] != 'encode':
        found['beams'] = peer.get('beam', 1)
    if 'length' in peer:
        found['length'] = peer['length']
    return found


def read_peers(path):
    """The figures of other programs, one a line."""
    found = []
    for number, peer in enumerate(read(path), 1):
        try:
            found.append(peer_record(peer))
        except KeyError as error:
            raise BadFile(f'{path}: object {number} has no {error}') from error
    return found


def best_peer(record, peers):
    """The fastest of the peers that did the same, or None."""
    same = [p for p in peers if all(p.get(k) == record.get(k) for k in ('name', 'model', 'dtype', 'threads', 'batch'))
            and p.get('beams', 1) == record.get('beams', 1) and p.get('length', record.get('length')) ==
            record.get('length')]
    return max(same, key=lambda p: p['value'], default=None)
