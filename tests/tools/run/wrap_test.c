/* wrap_test.c - words broken at the width of a terminal, in whatever pieces they come. */
#include <criterion/criterion.h>
#include <string.h>

#include "format/utf8.h"
#include "tools/run/wrap.h"

static void expect_wrapped(unsigned width, const char *text, const char *want) {
    size_t n = strlen(text);
    for (size_t piece = 1; piece <= n + 1; piece++) {
        tfm_wrap wrap = {.width = width};
        tfm_text out = {0};
        for (size_t at = 0; at < n;) {
            size_t length = piece < n - at ? piece : n - at;
            while (at + length < n && tfm_utf8_continues(text[at + length])) length++; /* whole characters */
            cr_assert(tfm_wrap_push(&wrap, text + at, length, &out));
            at += length;
        }
        cr_assert(tfm_wrap_finish(&wrap, &out) && tfm_text_append(&out, "", 1));
        cr_expect_str_eq(out.data, want, "pieces of %zu: '%s'", piece, out.data);
        tfm_text_free(&out);
    }
}

Test(wrap, breaks_between_words) {
    expect_wrapped(20, "", "");
    expect_wrapped(20, "short", "short");
    expect_wrapped(10, "one two three four", "one two\nthree four");
    expect_wrapped(10, "exactly te", "exactly te");
    expect_wrapped(10, "exactly ten", "exactly\nten");
    expect_wrapped(10, "a  gap  of   two", "a  gap  of\ntwo");
    expect_wrapped(10, "ends with \n  spaces ", "ends with \n  spaces ");
}

Test(wrap, keeps_what_the_text_has) {
    expect_wrapped(10, "one\n\ntwo\n", "one\n\ntwo\n");
    expect_wrapped(12, "    code {\n\tx\n}", "    code {\n\tx\n}");
    expect_wrapped(8, "aa abcdefghijklmn z", "aa\nabcdefghijklmn z");
    expect_wrapped(6, "abcdefghij kl", "abcdefghij\nkl");
}

Test(wrap, counts_columns) {
    expect_wrapped(6, "\xc3\xa4\xc3\xb6\xc3\xbc \xc3\xa4\xc3\xb6\xc3\xbc",
                   "\xc3\xa4\xc3\xb6\xc3\xbc\n\xc3\xa4\xc3\xb6\xc3\xbc");
    /* Three of two columns each fit in 7; lines of such scripts break anywhere. */
    expect_wrapped(7, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xa7",
                   "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\n\xe3\x81\xa7");
    expect_wrapped(25, "\x1b[31mred\x07 end", "[U+001B][31mred[U+0007]\nend");
}
