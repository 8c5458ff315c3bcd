/* utf8_test.c - UTF-8 over all code points and all byte sequences, held to the definition of RFC 3629. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "format/utf8.h"

/* What RFC 3629 says, not how the code under test computes it: value, shortest form, no surrogates. */
static size_t defined_length(const unsigned char *s, size_t n, uint32_t *code) {
    static const struct {
        unsigned mask, bits;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000}};
    for (size_t length = 1; length <= 4 && length <= n; length++) {
        if ((s[0] & forms[length - 1].mask) != forms[length - 1].bits) continue;
        uint32_t value = s[0] & ~forms[length - 1].mask & 0xFFu;
        for (size_t i = 1; i < length; i++) {
            if (s[i] >> 6 != 2) return 0;
            value = value * 64 + s[i] % 64;
        }
        *code = value;
        return value >= forms[length - 1].least && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF) ? length : 0;
    }
    return 0;
}

Test(utf8, every_code_point_there_and_back) {
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        char text[8]; /* as many as tfm_utf8_valid_prefix reads at a time: gcc warns of a read that never happens */
        memset(text, 'x', sizeof text);
        size_t n = tfm_utf8_encode(code, text);
        cr_assert(n == (code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4) && text[n] == 'x', "U+%04X", code);
        bool surrogate = code >= 0xD800 && code <= 0xDFFF;
        uint32_t back = 1;
        cr_assert_eq(tfm_utf8_decode(text, n, &back), surrogate ? 0 : n, "U+%04X", code);
        cr_assert_eq(back, surrogate ? 0xFFFD : code, "U+%04X", code);
        cr_assert_eq(tfm_utf8_valid_prefix(text, n), surrogate ? 0 : n, "U+%04X", code);
        cr_assert_eq(tfm_utf8_announced_length(text[0]), n, "U+%04X", code);
        for (size_t i = 0; i < n; i++) cr_assert_eq(tfm_utf8_continues(text[i]), i > 0, "U+%04X", code);
        for (size_t cut = 1; cut < n; cut++) cr_assert_eq(tfm_utf8_char_length(text, cut), 0, "U+%04X", code);
    }
}

/* Whether some bytes more would make a character of n bytes that are none: tried, not reasoned. */
static bool can_become_one(const unsigned char *bytes, size_t n) {
    unsigned char longer[4];
    uint32_t code;
    memcpy(longer, bytes, n);
    for (size_t length = n + 1; length <= 4; length++) {
        longer[length - 1] = 0x80;
        for (unsigned next = 0x80; n < length && next <= 0xBF; next++) {
            longer[n] = (unsigned char)next;
            if (defined_length(longer, length, &code) == length) return true;
        }
    }
    return false;
}

/* One sequence through everything that decodes. */
static void check_sequence(const unsigned char *bytes, size_t n) {
    const char *text = (const char *)bytes;
    uint32_t expected = 0xFFFD, code = 1;
    size_t length = defined_length(bytes, n, &expected);
    if (length == 0) expected = 0xFFFD;
    bool same = tfm_utf8_char_length(text, n) == length;
    same = same && tfm_utf8_decode(text, n, &code) == length && code == expected;
    code = 1;
    same = same && tfm_utf8_next(text, n, &code) == (length ? length : 1) && code == expected;
    if (n < 4) same = same && tfm_utf8_is_open(text, n) == (length == 0 && can_become_one(bytes, n));
    /* Not cr_assert itself: it would take minutes over all of them. */
    if (!same) cr_assert_fail("%02X %02X %02X %02X, %zu bytes", bytes[0], bytes[1], bytes[2], bytes[3], n);
}

/* All beginnings of three bytes, and for the fourth one byte at each border;
 * cut off after every byte. */
Test(utf8, every_sequence) {
    static const unsigned char fourth[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0xBF, 0xC0, 0xFF};
    unsigned char bytes[4];
    for (uint32_t three = 0; three < 1u << 24; three++) {
        bytes[0] = (unsigned char)(three >> 16);
        bytes[1] = (unsigned char)(three >> 8);
        bytes[2] = (unsigned char)three;
        size_t n_fourth = bytes[0] >= 0xF0 ? sizeof fourth : 1;
        for (size_t i = 0; i < n_fourth; i++) {
            bytes[3] = fourth[i];
            check_sequence(bytes, 4);
        }
        check_sequence(bytes, 3);
        if (bytes[2] == 0) check_sequence(bytes, 2);
        if (bytes[2] == 0 && bytes[1] == 0) check_sequence(bytes, 1);
    }
}

Test(utf8, rejects_by_name) {
    static const char *const bad[] = {"\x80",             /* goes on with nothing */
                                      "\xBF",             /* the same */
                                      "\xC0\x80",         /* overlong U+0000 */
                                      "\xC1\xBF",         /* overlong U+007F */
                                      "\xE0\x80\x80",     /* overlong in three bytes */
                                      "\xE0\x9F\xBF",     /* overlong U+07FF */
                                      "\xED\xA0\x80",     /* U+D800 */
                                      "\xED\xBF\xBF",     /* U+DFFF */
                                      "\xF0\x80\x80\x80", /* overlong in four bytes */
                                      "\xF0\x8F\xBF\xBF", /* overlong U+FFFF */
                                      "\xF4\x90\x80\x80", /* U+110000 */
                                      "\xF5\x80\x80\x80", /* a first byte that leads above U+10FFFF */
                                      "\xF8\x88\x80\x80", /* of a form of five bytes */
                                      "\xFE",             /* never in UTF-8 */
                                      "\xFF",
                                      "\xC3", /* cut off */
                                      "\xE2\x82",
                                      "\xF0\x9F\x98",
                                      "\xC3(", /* another character in the middle */
                                      "\xE2\x82(",
                                      "\xF0\x9F\x98("};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint32_t code = 0;
        cr_expect_eq(tfm_utf8_char_length(bad[i], strlen(bad[i])), 0, "case %zu", i);
        cr_expect_eq(tfm_utf8_decode(bad[i], strlen(bad[i]), &code), 0, "case %zu", i);
        cr_expect_eq(code, 0xFFFD, "case %zu", i);
        cr_expect_eq(tfm_utf8_valid_prefix(bad[i], strlen(bad[i])), 0, "case %zu", i);
    }
}

/* Bytes that are broken at each place of a text of each length: the eight that
 * are looked at together, and the rest. */
Test(utf8, valid_prefix_ends_at_the_first_bad_byte) {
    for (size_t n = 0; n < 40; n++) {
        char text[40];
        memset(text, 'a', sizeof text);
        cr_expect_eq(tfm_utf8_valid_prefix(text, n), n);
        for (size_t bad = 0; bad < n; bad++) {
            text[bad] = (char)0x80;
            cr_expect_eq(tfm_utf8_valid_prefix(text, n), bad, "byte %zu of %zu", bad, n);
            memcpy(text + bad, "\xE2\x82\xAC", n - bad < 3 ? n - bad : 3);
            cr_expect_eq(tfm_utf8_valid_prefix(text, n), n - bad < 3 ? bad : n, "byte %zu of %zu", bad, n);
            memset(text, 'a', sizeof text);
        }
    }
    cr_expect_eq(tfm_utf8_valid_prefix("a\0b", 3), 3);
}

Test(utf8, broken_lengths) {
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {{"\x80", 1},         {"\xFF\x80", 1},         {"\xC3", 1},         {"\xC3(", 1},
                 {"\xC0\x80", 1},     {"\xE2\x82", 2},         {"\xE2\x82(", 2},    {"\xE2(\x82", 1},
                 {"\xE0\x80\x80", 1}, {"\xED\xA0\x80", 1},     {"\xF0\x9F\x98", 3}, {"\xF0\x9F\x98(", 3},
                 {"\xF0\x9F(", 2},    {"\xF0\x80\x80\x80", 1}, {"\xF4\x8F\xBF", 3}, {"\xF4\x90\x80\x80", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(tfm_utf8_broken_length(cases[i].text, strlen(cases[i].text)), cases[i].length, "case %zu", i);
}

Test(utf8, last_character) {
    static const struct {
        const char *text;
        size_t at;
        uint32_t code;
    } cases[] = {
        {"a", 0, 'a'},
        {"ab", 1, 'b'},
        {"a\xC3\xA4", 1, 0xE4},
        {"\xE2\x82\xAC", 0, 0x20AC},
        {"a\xF0\x9F\x98\x80", 1, 0x1F600},
        {"\x80", 0, 0xFFFD},
        {"a\x80", 1, 0xFFFD},        /* 'a' is no beginning of it */
        {"\xC3\xA4\xA4", 2, 0xFFFD}, /* one byte too many */
        {"\xF0\x9F\x98\x80\x80\x80", 5, 0xFFFD},
        {"\xE2\x82", 1, 0xFFFD},     /* cut off */
        {"\xED\xA0\x80", 2, 0xFFFD}, /* a surrogate */
        {"a\xFF", 1, 0xFFFD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t code = 0;
        cr_expect_eq(tfm_utf8_last(cases[i].text, strlen(cases[i].text), &code), cases[i].at, "case %zu", i);
        cr_expect_eq(code, cases[i].code, "case %zu: U+%04X", i, code);
    }
}
