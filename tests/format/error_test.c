/* error_test.c - statuses by name, and messages that are UTF-8 without control characters whatever they speak of. */
#include <criterion/criterion.h>
#include <string.h>

#include "format/tfm_error.h"

Test(error, every_status_has_a_name) {
    for (int status = TFM_OK; status <= TFM_ERROR_STATE; status++) {
        const char *text = tfm_status_text((tfm_status)status);
        cr_assert(text && *text && strcmp(text, "unknown status") != 0, "status %d", status);
        for (int other = TFM_OK; other < status; other++)
            cr_expect_str_neq(text, tfm_status_text((tfm_status)other), "statuses %d and %d", other, status);
    }
    cr_expect_str_eq(tfm_status_text((tfm_status)(TFM_ERROR_STATE + 1)), "unknown status");
    cr_expect_str_eq(tfm_status_text((tfm_status)-1), "unknown status");
}

Test(error, fills_and_returns) {
    tfm_error error = {0};
    cr_expect_eq(tfm_fail(&error, TFM_ERROR_LIMIT, "%s: %d of %d", "a", 3, 2), TFM_ERROR_LIMIT);
    cr_expect_eq(error.status, TFM_ERROR_LIMIT);
    cr_expect_str_eq(error.message, "a: 3 of 2");
    cr_expect_eq(tfm_fail(NULL, TFM_ERROR_STATE, "nobody listens"), TFM_ERROR_STATE);
}

Test(error, messages_are_clean) {
    static const struct {
        const char *said, *cleaned;
    } cases[] = {
        {"plain", "plain"},
        {"", ""},
        {"a\nb\tc\x01\x1f\x7f", "a?b?c???"},
        {"\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80", "\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80"},
        {"\xC3", "?"},
        {"a\xFFz\x80", "a?z?"},
        {"\xE2\x82 x", "?? x"},
        {"\xED\xA0\x80", "???"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tfm_error error = {0};
        tfm_fail(&error, TFM_ERROR_IO, "%s", cases[i].said);
        cr_expect_str_eq(error.message, cases[i].cleaned, "case %zu: '%s'", i, error.message);
    }
}

/* A message that is too long ends early, also in the middle of a character. */
Test(error, long_messages_are_cut) {
    char text[sizeof((tfm_error){0}).message + 9];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    tfm_error error = {0};
    tfm_fail(&error, TFM_ERROR_IO, "%s", text);
    cr_expect_eq(strlen(error.message), sizeof error.message - 1);
    cr_expect_eq(strspn(error.message, "x"), sizeof error.message - 1);
    memcpy(text + sizeof error.message - 2, "\xC3\xA4", 2);
    tfm_fail(&error, TFM_ERROR_IO, "%s", text);
    cr_expect_eq(strlen(error.message), sizeof error.message - 1);
    cr_expect_str_eq(error.message + sizeof error.message - 3, "x?");
}

Test(error, no_memory_says_for_what) {
    tfm_error error = {0};
    cr_expect_eq(tfm_no_memory(&error, "%s: line %d", "a.txt", 7), TFM_ERROR_MEMORY);
    cr_expect_eq(error.status, TFM_ERROR_MEMORY);
    cr_expect_str_eq(error.message, "a.txt: line 7: out of memory");
    cr_expect_eq(tfm_no_memory(NULL, "x"), TFM_ERROR_MEMORY);
    char path[sizeof error.message + 9];
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = 0;
    tfm_no_memory(&error, "%s", path);
    cr_expect_lt(strlen(error.message), sizeof error.message);
    cr_expect_str_eq(error.message + strlen(error.message) - strlen("x: out of memory"), "x: out of memory");
}
