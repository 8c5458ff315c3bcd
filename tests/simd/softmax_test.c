/* softmax_test.c - softmax and its logarithm. */
#include "checker.h"

#include <string.h>

static double log_sum_exp(const float *x, size_t n) {
    double max = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        if (x[i] > max) max = x[i];
    for (size_t i = 0; i < n; i++) sum += exp(x[i] - max);
    return sum == 0 || max == -INFINITY ? -INFINITY : max + log(sum);
}

static float *make_scores(check_case *c, size_t n) {
    float *x = check_vector(c, n), scale = check_chance(c, 50) ? 20.0f : 3.0f;
    for (size_t i = 0; i < n; i++) {
        x[i] *= scale;
        if (check_chance(c, 3)) x[i] = -INFINITY;
    }
    return x;
}

/* Relative error of a sum of n exponentials: of each argument, of each exponential, of the sum. */
static double exp_sum_error(size_t n, double range) { return (range + 3 + (double)n / 16 + 4) * CHECK_U; }

static double range_of(const float *x, size_t n) {
    double low = 0, high = -INFINITY;
    for (size_t i = 0; i < n; i++)
        if (x[i] > high) high = x[i];
    for (size_t i = 0; i < n; i++)
        if (high - x[i] > low && x[i] > high - 88) low = high - x[i];
    return low;
}

void check_softmax(check_case *c, const tfm_kernels *k) {
    size_t n = check_chance(c, 10) ? check_size(c, 3000) : check_size(c, 150);
    float *x = make_scores(c, n), *got = check_floats(c, n), *expected = check_floats(c, n);
    if (n > 0) {
        memcpy(got, x, n * sizeof *x);
        memcpy(expected, x, n * sizeof *x);
    }
    k->softmax(got, n);
    check_scalar()->softmax(expected, n);
    check_equal(c, "softmax", got, expected, n);
    double lse = log_sum_exp(x, n), relative = 2 * exp_sum_error(n, range_of(x, n)) + 2 * CHECK_U;
    for (size_t i = 0; i < n && !c->failed; i++) {
        double y = lse == -INFINITY ? 0 : exp(x[i] - lse);
        check_near(c, "softmax", i, got[i], y, relative * y + 0x1p-126);
    }
}

void check_log_softmax(check_case *c, const tfm_kernels *k) {
    size_t n = check_chance(c, 10) ? check_size(c, 3000) : check_size(c, 150);
    float *x = make_scores(c, n), *got = check_floats(c, n), *expected = check_floats(c, n);
    k->log_softmax(x, got, n);
    check_scalar()->log_softmax(x, expected, n);
    check_equal(c, "log_softmax", got, expected, n);
    float sum = k->log_sum_exp(x, n), sum_expected = check_scalar()->log_sum_exp(x, n);
    check_equal(c, "log_sum_exp", &sum, &sum_expected, 1);
    double lse = log_sum_exp(x, n), bound = exp_sum_error(n, range_of(x, n)) + CHECK_U * fabs(lse);
    check_near(c, "log_sum_exp", 0, sum, lse, bound);
    for (size_t i = 0; i < n && !c->failed; i++)
        check_near(c, "log_softmax", i, got[i], lse == -INFINITY ? NAN : x[i] - lse,
                   bound + CHECK_U * fabs(x[i] - lse));
    k->log_softmax(x, x, n);
    check_equal(c, "log_softmax in place", x, expected, n);
}

/* NaN makes every weight NaN; nothing but -inf makes zeros; an infinity is as IEEE arithmetic has it. */
void check_softmax_special(check_case *c, const tfm_kernels *k) {
    size_t n = check_between(c, 1, 100);
    float *x = make_scores(c, n), *got = check_floats(c, n), *expected = check_floats(c, n);
    bool nan = check_chance(c, 50), empty = !nan && check_chance(c, 50);
    check_spice(c, x, n, nan);
    for (size_t i = 0; i < n && empty; i++) x[i] = -INFINITY;
    memcpy(got, x, n * sizeof *x);
    memcpy(expected, x, n * sizeof *x);
    k->softmax(got, n);
    check_scalar()->softmax(expected, n);
    check_equal(c, "softmax of special values", got, expected, n);
    for (size_t i = 0; i < n; i++) {
        if (nan && !isnan(got[i])) check_fail(c, "softmax: a NaN at input left element %zu as %g", i, (double)got[i]);
        if (empty && got[i] != 0) check_fail(c, "softmax: a row of -inf gave %g at %zu", (double)got[i], i);
    }
    float sum = k->log_sum_exp(x, n), sum_expected = check_scalar()->log_sum_exp(x, n);
    check_equal(c, "log_sum_exp of special values", &sum, &sum_expected, 1);
    if (empty && sum != -INFINITY) check_fail(c, "log_sum_exp: a row of -inf gave %g", (double)sum);
}
