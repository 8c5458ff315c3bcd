/* library_test.c - the version. */
#include <stdio.h>

#include "tests/support/tiny_session.h"

Test(library, version) {
    char expected[32];
    snprintf(expected, sizeof expected, "%d.%d.%d", TFM_VERSION_MAJOR, TFM_VERSION_MINOR, TFM_VERSION_PATCH);
    cr_assert_str_eq(tfm_version(), expected);
}
