/*
 * require.h - calls that must succeed, and calls that must fail with a message that says why.
 */
#ifndef TFM_TESTS_TOOLS_PACK_REQUIRE_H
#define TFM_TESTS_TOOLS_PACK_REQUIRE_H

#include <criterion/criterion.h>
#include <string.h>

#include "runtime/tfm.h"

/* The call passes `error` on. */
#define REQUIRE_OK(call)                                                                                               \
    do {                                                                                                               \
        tfm_error call_error = {0}, *error = &call_error;                                                              \
        tfm_status call_status = (call);                                                                               \
        cr_assert(call_status == TFM_OK, "%s: %d: %s", #call, (int)call_status, error->message);                       \
    } while (0)

/* The call fails with this status, and its message has this text in it. */
#define REQUIRE_ERROR(call, expected, text)                                                                            \
    do {                                                                                                               \
        tfm_error call_error = {0}, *error = &call_error;                                                              \
        tfm_status call_status = (call);                                                                               \
        cr_assert(call_status == (expected), "%s: status %d, not %d: %s", #call, (int)call_status, (int)(expected),    \
                  error->message);                                                                                     \
        cr_assert(strstr(error->message, (text)), "message lacks '%s': %s", (text), error->message);                   \
    } while (0)

#endif
