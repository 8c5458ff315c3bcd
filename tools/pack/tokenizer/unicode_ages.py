#!/usr/bin/env python3
"""unicode_ages.py - writes unicode_ages.c from files of the Unicode Character Database 16.0.

usage: unicode_ages.py DerivedAge.txt DerivedGeneralCategory.txt >unicode_ages.c
"""
import sys

FIRST, UTF8PROC, LAST = 9, 15, 16  # versions: the first of interest, that of libutf8proc 2.8, the last


def properties(path):
    """Code point -> value of a UCD file."""
    values = {}
    for line in open(path, encoding="utf-8"):
        fields = [field.strip() for field in line.split("#")[0].split(";")]
        if len(fields) < 2:
            continue
        first, _, last = fields[0].partition("..")
        for code in range(int(first, 16), int(last or first, 16) + 1):
            values[code] = fields[1]
    return values


def main():
    ages = {code: int(age.split(".")[0]) for code, age in properties(sys.argv[1]).items()}
    categories = properties(sys.argv[2])
    rows = []
    for code in sorted(ages):
        if not FIRST <= ages[code] <= LAST or categories.get(code, "Cn") == "Cn":
            continue
        value = ages[code], categories[code].upper() if ages[code] > UTF8PROC else "CN"
        if rows and rows[-1][1] == code - 1 and rows[-1][2] == value:
            rows[-1][1] = code
        else:
            rows.append([code, code, value])
    print("/* unicode_ages.c - which code points were assigned since Unicode 9.0; made by unicode_ages.py. */")
    print('#include "unicode.h"\n\n/* clang-format off */')
    print("const tfm_unicode_range tfm_unicode_ages[] = {")
    for i in range(0, len(rows), 3):
        print("    " + " ".join("{0x%X, 0x%X, %d, UTF8PROC_CATEGORY_%s}," % (a, b, *v) for a, b, v in rows[i : i + 3]))
    print("};\n/* clang-format on */\n")
    print("const size_t tfm_n_unicode_ages = sizeof(tfm_unicode_ages) / sizeof(tfm_unicode_ages[0]);")


main()
