/* panels_test.c - panels of floats, and rows copied between panels of any type; tests/format/quantized_panels_test.c
 * has the layout of int8 and int4, and how close they come. */
#include "checker.h"

#include <criterion/criterion.h>
#include <string.h>

Test(panels, floats) {
    enum { ROWS = 13, K = 7 };
    float rows[ROWS * 9], back[ROWS * 9], panel[K * TFM_PANEL];
    for (size_t i = 0; i < ROWS * 9; i++) rows[i] = back[i] = (float)i;
    tfm_panel_pack(rows, 9, ROWS, K, TFM_F32, panel);
    for (size_t column = 0; column < K; column++)
        for (size_t row = 0; row < TFM_PANEL; row++)
            cr_assert_eq(panel[column * TFM_PANEL + row], row < ROWS ? rows[row * 9 + column] : 0.0f);
    tfm_panel_unpack(panel, TFM_F32, ROWS, K, back, 9);
    cr_assert_arr_eq(back, rows, sizeof rows);
    for (unsigned dtype = TFM_F16; dtype <= TFM_BF16; dtype++) {
        tfm_panel_pack(rows, 9, ROWS, K, (tfm_dtype)dtype, panel);
        memset(back, 0, sizeof back);
        tfm_panel_unpack(panel, (tfm_dtype)dtype, ROWS, K, back, 9);
        for (size_t i = 0; i < ROWS; i++)
            cr_assert_arr_eq(back + i * 9, rows + i * 9, K * sizeof *rows); /* small integers are exact in both */
    }
}

Test(panels, rows_as_they_are) {
    enum { K = 7 };
    uint16_t halves[K * TFM_PANEL], row[K];
    float panel[K * TFM_PANEL], rows[3 * K];
    for (size_t i = 0; i < K * TFM_PANEL; i++) {
        halves[i] = (uint16_t)(i * 2503);
        panel[i] = (float)i;
    }
    tfm_panel_rows(halves, TFM_F16, K, 5, 1, row);
    for (size_t c = 0; c < K; c++) cr_assert_eq(row[c], halves[c * TFM_PANEL + 5]);
    tfm_panel_rows(panel, TFM_F32, K, 2, 3, rows);
    for (size_t r = 0; r < 3; r++)
        for (size_t c = 0; c < K; c++) cr_assert_eq(rows[r * K + c], panel[c * TFM_PANEL + 2 + r]);
}

Test(panels, count) {
    cr_assert_eq(tfm_panel_count(0), 0);
    cr_assert_eq(tfm_panel_count(16), 1);
    cr_assert_eq(tfm_panel_count(17), 2);
    cr_assert_eq(tfm_panel_count(SIZE_MAX), SIZE_MAX / 16 + 1);
}

/* A matrix (n, k) whose panels hold any bytes. */
static unsigned char *any_panels(check_case *c, size_t n, size_t k, tfm_dtype dtype, size_t *bytes) {
    *bytes = tfm_panel_count(n) * tfm_panel_bytes(dtype, k);
    unsigned char *panels = check_aligned(c, *bytes);
    for (size_t i = 0; i < *bytes; i++) panels[i] = (unsigned char)check_next(c);
    return panels;
}

static void unpack_row(const void *panels, size_t row, size_t k, tfm_dtype dtype, float *x) {
    float all[TFM_PANEL * 200];
    const char *panel = (const char *)panels + row / TFM_PANEL * tfm_panel_bytes(dtype, k);
    tfm_panel_unpack(panel, dtype, TFM_PANEL, k, all, k);
    memcpy(x, all + row % TFM_PANEL * k, k * sizeof *x);
}

/* A row that is copied is the row it is a copy of, and all others are what they were; copied back, so is it. */
static void check_copy_row(check_case *c, const tfm_kernels *kernels) {
    enum { FROM = 20, TO = 40 };
    (void)kernels;
    tfm_dtype dtype = (tfm_dtype)check_below(c, TFM_DTYPE_COUNT);
    size_t k = check_between(c, 1, 200), from_row = check_below(c, FROM), to_row = check_below(c, TO), bytes;
    const unsigned char *from = any_panels(c, FROM, k, dtype, &bytes);
    unsigned char *to = any_panels(c, TO, k, dtype, &bytes), *before = check_aligned(c, bytes);
    memcpy(before, to, bytes);
    tfm_panels_copy_row(dtype, k, to, to_row, from, from_row);
    for (size_t row = 0; row < TO; row++) {
        float got[200], expected[200];
        unpack_row(to, row, k, dtype, got);
        if (row == to_row)
            unpack_row(from, from_row, k, dtype, expected);
        else
            unpack_row(before, row, k, dtype, expected);
        check_equal(c, row == to_row ? "the copied row" : "another row", got, expected, k);
    }
    tfm_panels_copy_row(dtype, k, to, to_row, before, to_row);
    if (memcmp(to, before, bytes) != 0) check_fail(c, "%s: copied back, bytes differ", tfm_dtype_name(dtype));
}

Test(panels, copy_row) {
    char why[sizeof((check_case *)NULL)->why];
    size_t n = check_scaled(300);
    for (uint64_t seed = 1; seed <= n; seed++)
        cr_assert(check_run(check_copy_row, check_scalar(), seed, why), "seed %llu: %s", (unsigned long long)seed, why);
}
