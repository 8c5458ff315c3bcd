/* kernels_test.c - every kernel on every table this machine can run; see checker.h. */
#include "checker.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* Says which tables were put to the test, and notices an expected one that is missing. */
Test(kernels, tables) {
    const check_table *tables;
    size_t n = check_tables(&tables);
    for (size_t i = 0; i < n; i++) fprintf(stderr, "# kernels tested: %s\n", tables[i].name);
    cr_assert(n >= 1);
    cr_assert_eq(tables[0].kernels, check_scalar());
}

Test(kernels, gemm) { check_all("gemm", check_gemm, 250); }
Test(kernels, gemm_rows) { check_all("gemm rows", check_gemm_rows, 150); }
Test(kernels, gemm_special) { check_all("gemm special values", check_gemm_special, 100); }
Test(kernels, gemm_int) { check_all("gemm_int", check_gemm_int, 250); }
Test(kernels, gemm_int_rows) { check_all("gemm_int rows", check_gemm_int_rows, 150); }
Test(kernels, quantize) { check_all("quantize", check_quantize, 400); }
Test(kernels, embed_q) { check_all("embed from int8 and int4", check_embed_q, 150); }
Test(kernels, attention) { check_all("attention", check_attention, 250); }
Test(kernels, attention_cuts) { check_all("attention cuts", check_attention_cuts, 250); }
Test(kernels, attention_special) { check_all("attention special values", check_attention_special, 150); }
Test(kernels, attention_weights) { check_all("attention weights", check_attention_weights, 150); }
Test(kernels, kv_store) { check_all("kv_store", check_kv_store, 150); }
Test(kernels, layer_norm) { check_all("layer norm", check_layer_norm, 250); }
Test(kernels, rms_norm) { check_all("RMS norm", check_rms_norm, 250); }
Test(kernels, rope) { check_all("rope", check_rope, 300); }
Test(kernels, soft_cap) { check_all("soft cap", check_soft_cap, 200); }
Test(kernels, activate) { check_all("activate", check_activate, 400); }
Test(kernels, softmax) { check_all("softmax", check_softmax, 250); }
Test(kernels, log_softmax) { check_all("log softmax", check_log_softmax, 250); }
Test(kernels, softmax_special) { check_all("softmax special values", check_softmax_special, 200); }
Test(kernels, top_k) { check_all("top_k", check_top_k, 400); }
Test(kernels, embed) { check_all("embed", check_embed, 250); }
Test(kernels, add) { check_all("add", check_add, 100); }
