/*
 * require.h - calls that must succeed, and calls that must fail with a message that says why.
 */
#ifndef TFM_TESTS_SUPPORT_REQUIRE_H
#define TFM_TESTS_SUPPORT_REQUIRE_H

#include <criterion/criterion.h>
#include <string.h>

#include "runtime/tfm.h"

/* The call passes `error` on. */
#define REQUIRE_OK(call)                                                                                               \
    do {                                                                                                               \
        tfm_error error_ = {0};                                                                                        \
        tfm_error *error = &error_;                                                                                    \
        tfm_status status_ = (call);                                                                                   \
        cr_assert(status_ == TFM_OK, "%s: %s: %s", #call, tfm_status_text(status_), error_.message);                   \
    } while (0)

/* The call fails with this status, and the message has every one of the words. */
#define REQUIRE_ERROR(expected, call, ...)                                                                             \
    do {                                                                                                               \
        tfm_error error_ = {0};                                                                                        \
        tfm_error *error = &error_;                                                                                    \
        tfm_status status_ = (call);                                                                                   \
        const char *const words_[] = {__VA_ARGS__};                                                                    \
        cr_assert(status_ == (expected), "%s: %s (%s) instead of %s", #call, tfm_status_text(status_), error_.message, \
                  tfm_status_text(expected));                                                                          \
        cr_assert(error_.status == status_, "%s: the error's status is %d", #call, (int)error_.status);                \
        for (size_t w_ = 0; w_ < sizeof words_ / sizeof *words_; w_++)                                                 \
            cr_assert(strstr(error_.message, words_[w_]), "%s: \"%s\" does not say \"%s\"", #call, error_.message,     \
                      words_[w_]);                                                                                     \
    } while (0)

#endif
