/* repack_test.c - a model file packed again is the file that its checkpoint gives in those types. */
#include <stdlib.h>
#include <string.h>

#include "packed.h"
#include "tests/support/data.h"
#include "tools/pack/common/path.h"

TestSuite(repack, .timeout = 120);

static tfm_status pack(const char *from, const char *to, tfm_dtype dtype, const char *license, tfm_error *error) {
    const tfm_pack_request request = {.source = from, .out = to, .license = license, .options = {.dtype = dtype}};
    return tfm_pack(&request, error);
}

static void check_equal(const char *a, const char *b) {
    size_t n_a, n_b;
    char *first = read_file(a, &n_a), *second = read_file(b, &n_b);
    cr_expect(n_a == n_b && memcmp(first, second, n_a) == 0, "%s and %s differ", a, b);
    free(first);
    free(second);
}

/* One of each kind; GPT-2's tensors are rearranged, the projection of OPT is tied. */
Test(repack, equals_packing_the_checkpoint) {
    static const char *const names[] = {"gpt2", "opt", "t5-v1_0", "bert-mlm", "distilbert-seqcls", "m2m100"};
    static const tfm_dtype dtypes[] = {TFM_F32, TFM_F16, TFM_BF16, TFM_I8, TFM_I4};
    char *folder = scratch_make();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const tfm_path f32 = tfm_path_in(folder, "f32.bin"), at_once = tfm_path_in(folder, "at-once.bin");
        const tfm_path again = tfm_path_in(folder, "again.bin"), twice = tfm_path_in(folder, "twice.bin");
        REQUIRE_OK(pack(golden_path(names[i]), f32.text, TFM_F32, NULL, error));
        for (size_t t = 0; t < sizeof dtypes / sizeof *dtypes; t++) {
            REQUIRE_OK(pack(golden_path(names[i]), at_once.text, dtypes[t], NULL, error));
            REQUIRE_OK(pack(f32.text, again.text, dtypes[t], NULL, error));
            check_equal(again.text, at_once.text);
            /* What is of that type already stays as it is; int4 looks for its scales anew. */
            if (dtypes[t] == TFM_I4) continue;
            REQUIRE_OK(pack(again.text, twice.text, dtypes[t], NULL, error));
            check_equal(twice.text, at_once.text);
        }
    }
    scratch_remove(&folder);
}

Test(repack, metadata) {
    char *folder = scratch_make();
    const tfm_path first = tfm_path_in(folder, "first.bin"), second = tfm_path_in(folder, "second.bin");
    tfm_file *file;
    REQUIRE_OK(pack(golden_path("gpt2"), first.text, TFM_F32, "MIT", error));
    REQUIRE_OK(pack(first.text, second.text, TFM_I8, NULL, error));
    REQUIRE_OK(tfm_file_open(&file, second.text, error));
    const tfm_table *t = tfm_file_table(file, "metadata");
    cr_expect_str_eq(tfm_table_string(t, "source", ""), "gpt2");
    cr_expect_str_eq(tfm_table_string(t, "source_format", ""), "safetensors");
    cr_expect_str_eq(tfm_table_string(t, "license", ""), "MIT");
    cr_expect_str_eq(tfm_table_string(t, "command", ""), "--dtype int8 --dtype-embed int8");
    tfm_file_close(&file);
    scratch_remove(&folder);
}

Test(repack, refused) {
    char *folder = scratch_make();
    const tfm_path first = tfm_path_in(folder, "first.bin"), second = tfm_path_in(folder, "second.bin");
    REQUIRE_OK(pack(golden_path("gpt2"), first.text, TFM_F32, NULL, error));
    tfm_pack_request request = {.source = first.text, .out = second.text, .chat_template = "x"};
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tfm_pack(&request, error), "is packed already");
    request = (tfm_pack_request){.source = first.text, .out = second.text, .tokenizer_only = true};
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tfm_pack(&request, error), "is packed already");
    request = (tfm_pack_request){.source = first.text, .out = first.text};
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_pack(&request, error), "are the same file");
    /* One wrong byte in a tensor. */
    size_t n;
    char *bytes = read_file(first.text, &n);
    bytes[n / 2] ^= 1;
    write_file(first.text, bytes, n);
    free(bytes);
    request = (tfm_pack_request){.source = first.text, .out = second.text};
    REQUIRE_ERROR(TFM_ERROR_CORRUPT, tfm_pack(&request, error), "first.bin");
    cr_expect_eq(count_files(folder), 1);
    scratch_remove(&folder);
}
