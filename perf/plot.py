"""plot.py - the measurements of whole models as a plot (SVG): bars in percent of the limit, which is a line."""
from xml.sax.saxutils import escape

import records

# LETTER: room for one in the column beside the bars, in which what they reached is written, so that no text meets a
# bar, an axis or another text.
BAR, GAP, TITLE, LABEL, WIDTH, LETTER, SCALE, TOP = 13, 10, 16, 60, 300, 6, 1.2, 64
COLOURS = {'f32': '#4878a8', 'f16': '#5f9ea0', 'bf16': '#6a8caf', 'int8': '#d08030', 'int4': '#a05a9c'}
STYLE = '''
text { font: 11px system-ui, sans-serif; fill: #303840; }
.title { font-weight: 600; } .head { font-size: 14px; font-weight: 600; } .small { font-size: 10px; }
.limit { stroke: #c03030; stroke-width: 1.5; } .grid { stroke: #80808055; } .peer { fill: #8a929a; }
@media (prefers-color-scheme: dark) { text { fill: #d8dde2; } .limit { stroke: #ff7070; } }
'''


def group_title(record):
    what = f'{record["model"]}, {record["name"]}'
    if record['name'] == 'decode' and record['model'].startswith(('transformer', 'tiny')) and 'beams' in record:
        search = 'greedy' if record['beams'] == 1 else f'beam {record["beams"]}'
        return f'{what}, {search}, batch {record["batch"]}'
    batch = f', batch {record["batch"]}' if record.get('batch', 1) > 1 else ''
    return f'{what}, {record.get("length")} tokens{batch}'


def groups_of(found):
    """[(title, [type])] in the order of the run, and {(title, type, threads): record}."""
    groups, cells = {}, {}
    for record in found:
        if record.get('unit') == 'tokens/s' and records.of_limit(record) and record.get('kv_dtype', 'f32') == 'f32':
            title = group_title(record)
            groups.setdefault(title, [])
            if record['dtype'] not in groups[title]:
                groups[title].append(record['dtype'])
            cells[title, record['dtype'], record['threads']] = record
    return list(groups.items()), cells


def short(value):
    return f'{value:,.0f}' if value >= 100 else f'{value:.1f}'


def bar(x, y, share, css, text):
    width = max(1.0, min(share, SCALE) * WIDTH / SCALE)
    return (f'<rect x="{x}" y="{y}" width="{width:.1f}" height="{BAR - 2}" {css}/>'
            f'<text class="small" x="{x + WIDTH + 6}" y="{y + BAR - 4}">{escape(text)}</text>\n')


def axes(x, top, bottom):
    """The lines of one group's bars: its title stands between the groups, where there are none."""
    out = []
    for percent in (0, 25, 50, 75, 100):
        at = x + percent / 100 * WIDTH / SCALE
        out.append(f'<line class="{"limit" if percent == 100 else "grid"}" x1="{at:.1f}" x2="{at:.1f}" '
                   f'y1="{top}" y2="{bottom}"/>\n')
    return ''.join(out)


def scale(x, y):
    """What the lines stand for."""
    return ''.join(f'<text class="small" x="{x + percent / 100 * WIDTH / SCALE:.1f}" y="{y}" text-anchor="middle">'
                   f'{"limit" if percent == 100 else f"{percent} %"}</text>\n' for percent in (0, 25, 50, 75, 100))


def reached(record, peers):
    peer = records.best_peer(record, peers)
    ratio = f', {record["value"] / peer["value"]:.2f} x {peer["peer"]}' if peer else ''
    return f'{short(record["value"])} tokens/s{ratio}'


def cell(x, y, record, peers):
    """The bars of one type on one number of threads: ours, and the fastest peer's against the same limit."""
    peer = records.best_peer(record, peers)
    colour = f'style="fill:{COLOURS.get(record["dtype"], "#608060")}"'
    text = bar(x, y, records.of_limit(record), colour, reached(record, peers))
    if peer:
        text += bar(x, y + BAR, peer['value'] / record['limit'], 'class="peer"', short(peer['value']))
    return text


def rows_of(groups, cells, peers, threads):
    """[(y, title, [(y, type)], end)] and the height of all."""
    y, rows = TOP, []
    for title, dtypes in groups:
        lines, at = [], y + TITLE
        for dtype in dtypes:
            lines.append((at, dtype))
            found = [cells[title, dtype, t] for t in threads if (title, dtype, t) in cells]
            has_peer = any(records.best_peer(cell, peers) for cell in found)
            at += BAR * (2 if has_peer else 1)
        rows.append((y, title, lines, at))
        y = at + GAP
    return rows, y


def document(found, peers):
    """The whole plot; a plot without bars where nothing was measured that has a limit."""
    groups, cells = groups_of(records.pool(r for r in found if 'record' not in r))
    threads = sorted({t for _, _, t in cells})
    rows, height = rows_of(groups, cells, peers, threads)
    pitch = WIDTH + 20 + LETTER * max((len(reached(record, peers)) for record in cells.values()), default=0)
    width = LABEL + max(1, len(threads)) * pitch
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height + 24}" width="{width}" '
           f'height="{height + 24}" role="img"><style>{STYLE}</style>\n',
           '<text class="head" x="10" y="20">Speed of whole models, in percent of what the machine allows</text>\n']
    measured = next((r for r in found if 'record' in r), None)
    if measured:
        names = ', '.join(str(measured[k]) for k in ('cpu', 'isa', 'compiler')) + f', commit {measured["commit"]}'
        out.append(f'<text class="small" x="10" y="36">{escape(names)}'
                   f'{"; grey: the fastest peer at the same type" if peers else ""}</text>\n')
    for column, n in enumerate(threads):
        x = LABEL + column * pitch
        out.append(f'<text class="title" x="{x}" y="{TOP - 10}">{n} thread{"s" if n > 1 else ""}</text>\n')
        out.append(scale(x, height + 14))
    for y, title, lines, end in rows:
        out.append(f'<text class="title" x="10" y="{y + 11}">{escape(title)}</text>\n')
        out.extend(axes(LABEL + column * pitch, y + TITLE - 1, end) for column in range(len(threads)))
        for at, dtype in lines:
            out.append(f'<text x="{LABEL - 8}" y="{at + BAR - 3}" text-anchor="end">{escape(dtype)}</text>\n')
            for column, n in enumerate(threads):
                if (title, dtype, n) in cells:
                    out.append(cell(LABEL + column * pitch, at, cells[title, dtype, n], peers))
    return ''.join(out) + '</svg>\n'
