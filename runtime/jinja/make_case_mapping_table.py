#!/usr/bin/env python3
"""make_case_mapping_table.py - writes case_mapping_table.h from what Python's str.upper, str.lower and str.title do.

usage: make_case_mapping_table.py > case_mapping_table.h
       make_case_mapping_table.py --check case_mapping_table.h   (prints TAP; skipped where Python has another Unicode)
"""
import sys
import unicodedata

UNICODE = '14.0.0'
COLUMNS = 4
HEAD = '''\
/*
 * case_mapping_table.h - upper and lower case of Unicode 14 beyond ASCII's rules, made by make_case_mapping_table.py:
 * characters first, first + stride, ... last become themselves + delta. delta 0: several characters, or something that
 * depends on what stands around it.
 */
#ifndef TFM_RUNTIME_JINJA_CASE_MAPPING_TABLE_H
#define TFM_RUNTIME_JINJA_CASE_MAPPING_TABLE_H

#include <stdint.h>

typedef struct case_range {
    uint32_t first, last, stride;
    int32_t delta;
} case_range;
'''
FINAL_SIGMA = 0x3A3  # its lower case is another one at the end of a word


def upper(code):
    """What is added to a character's code, None if it stays, 0 if that says too little."""
    text = chr(code)
    if text.upper() == text:
        return None
    return ord(text.upper()) - code if len(text.upper()) == 1 and text.title() == text.upper() else 0


def lower(code):
    text = chr(code)
    if text.lower() == text:
        return None
    return ord(text.lower()) - code if len(text.lower()) == 1 and code != FINAL_SIGMA else 0


def ranges(change):
    """(first, last, stride, delta), as long as neighbours at a distance of 1 or 2 change alike."""
    codes = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000 and change(code) is not None]
    made, i = [], 0
    while i < len(codes):
        end, delta, stride = i + 1, change(codes[i]), 1
        if end < len(codes) and codes[end] - codes[i] <= 2 and change(codes[end]) == delta:
            stride = codes[end] - codes[i]
            while end < len(codes) and codes[end] - codes[end - 1] == stride and change(codes[end]) == delta:
                end += 1
        made.append((codes[i], codes[end - 1], stride, delta))
        i = end
    return made


def rows(values):
    """Entries in columns, as clang-format aligns them."""
    texts = [f'{{0x{first:X}, 0x{last:X}, {stride}, {delta}}},' for first, last, stride, delta in values]
    widths = [max(len(text) for text in texts[column::COLUMNS]) for column in range(COLUMNS)]
    for i in range(0, len(texts), COLUMNS):
        row = texts[i:i + COLUMNS]
        yield '    ' + ' '.join(text.ljust(width) for text, width in zip(row, widths)).rstrip()


def table():
    text = HEAD
    for name, change in (('to_upper', upper), ('to_lower', lower)):
        text += f'\nstatic const case_range {name}[] = {{\n' + '\n'.join(rows(ranges(change))) + '\n};\n'
    return text + '\n#endif\n'


def main():
    if sys.argv[1:2] != ['--check']:
        sys.stdout.write(table())
        return
    if unicodedata.unidata_version != UNICODE:
        print(f'1..0 # SKIP Python has Unicode {unicodedata.unidata_version}, the table {UNICODE}')
        return
    with open(sys.argv[2], encoding='utf-8') as file:
        same = file.read() == table()
    print('1..1\n' + ('ok' if same else 'not ok') + ' 1 - case_mapping_table.h is what its script makes')


if __name__ == '__main__':
    main()
