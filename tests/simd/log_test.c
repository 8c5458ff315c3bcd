/* log_test.c - the logarithm of simd/log.h against libm's, within one unit of the last place. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>

#include "simd/log.h"

Test(log, against_libm) {
    size_t n = 0;
    for (double x = DBL_MIN; x < 0x1p1000; x *= 1.0001, n++) {
        double expected = log(x), unit = fmax(fabs(expected), DBL_MIN) * DBL_EPSILON;
        cr_assert(fabs(tfm_log(x) - expected) <= unit, "ln %a: %a, expected %a", x, tfm_log(x), expected);
    }
    cr_assert(n > 1000000);
}

Test(log, ends) {
    cr_assert(tfm_log(1) == 0);
    cr_assert(tfm_log(0) == -INFINITY);
    cr_assert(tfm_log(INFINITY) == INFINITY);
    cr_assert(isnan(tfm_log(-1)));
    cr_assert(isnan(tfm_log(NAN)));
}
