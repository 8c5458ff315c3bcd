/* kernels_test.c - every check of checks.def, on every table this machine can run. */
#include "checker.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* Says which tables were put to the test. */
Test(kernels, tables) {
    const check_table *tables;
    size_t n = check_tables(&tables);
    for (size_t i = 0; i < n; i++) fprintf(stderr, "# kernels tested: %s\n", tables[i].name);
    cr_assert(n >= 1);
    cr_assert_eq(tables[0].kernels, check_scalar());
}

#define CHECK(name, n)                                                                                                 \
    Test(kernels, name) { check_all(#name, check_##name, n); }
#include "checks.def"
