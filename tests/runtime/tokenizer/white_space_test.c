/* white_space_test.c - which characters are white space, and texts without that at their ends. */
#include <criterion/criterion.h>
#include <string.h>

#include "format/utf8.h"
#include "runtime/tokenizer/common/white_space.h"

/* [c for c in range(0x110000) if chr(c).isspace()] of Python 3.11 */
static const uint32_t spaces[] = {0x9,    0xA,    0xB,    0xC,    0xD,    0x1C,   0x1D,   0x1E,   0x1F,   0x20,
                                  0x85,   0xA0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006,
                                  0x2007, 0x2008, 0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
enum { N_SPACES = sizeof spaces / sizeof *spaces };

Test(white_space, every_code_point) {
    size_t next = 0;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        bool is = next < N_SPACES && spaces[next] == code;
        cr_assert_eq(tfm_is_white_space(code), is, "U+%04X", code);
        next += is;
    }
    cr_assert_eq(next, N_SPACES);
}

Test(white_space, at_both_ends) {
    for (size_t i = 0; i < N_SPACES; i++)
        for (size_t j = 0; j < N_SPACES; j++) {
            char text[32] = "";
            size_t n = tfm_utf8_encode(spaces[i], text);
            n += tfm_utf8_encode(spaces[j], text + n);
            cr_assert_eq(tfm_leading_white_space(text, n), n);
            cr_assert_eq(tfm_trimmed_length(text, n), 0);
            size_t first = n;
            memcpy(text + n, "\xC3\xA4 b", 4);
            n += 4;
            size_t end = n;
            n += tfm_utf8_encode(spaces[j], text + n);
            n += tfm_utf8_encode(spaces[i], text + n);
            cr_assert_eq(tfm_leading_white_space(text, n), first);
            cr_assert_eq(tfm_trimmed_length(text, n), end);
        }
    cr_expect_eq(tfm_leading_white_space("", 0), 0);
    cr_expect_eq(tfm_trimmed_length("", 0), 0);
}

/* Bytes that are no UTF-8 are no white space, whatever a part of them would be. */
Test(white_space, not_in_broken_text) {
    cr_expect_eq(tfm_leading_white_space("\x85 ", 2), 0);
    cr_expect_eq(tfm_leading_white_space(" \xE2\x80", 3), 1);
    cr_expect_eq(tfm_trimmed_length("a\xA0", 2), 2);
    cr_expect_eq(tfm_trimmed_length("a\xE2\x80 ", 4), 3);
    cr_expect_eq(tfm_trimmed_length("\xE1\xC2\x85", 3), 1);
}
