/* export_test.c - real checkpoints: what goes in comes out again, bit for bit, from every container. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoints.h"
#include "tests/support/data.h"
#include "tests/support/tensor_values.h"
#include "tools/pack/checkpoint/checkpoint.h"
#include "tools/pack/pack.h"

TestSuite(golden, .timeout = 240);

/* The checkpoint that ships. */
static const char *shipped(void) {
    const char *path = getenv("TFM_MODEL");
    cr_assert(path, "TFM_MODEL is not set; run the tests through meson");
    return path;
}

static void pack_to(const char *source, const char *out, tfm_dtype dtype) {
    tfm_pack_request request = {.source = source, .out = out, .options = {.dtype = dtype}};
    REQUIRE_OK(tfm_pack(&request, error));
}

static void export_to(const char *model_file, const char *out) {
    tfm_file *file;
    REQUIRE_OK(tfm_file_open(&file, model_file, error));
    REQUIRE_OK(tfm_file_verify(file, NULL, NULL, NULL, error));
    REQUIRE_OK(tfm_export(file, out, false, NULL, NULL, error));
    tfm_file_close(&file);
}

/* Every tensor of the checkpoint is in the export with its shape and its bits, and nothing else is there. */
static void check_round_trip(const char *from, tfm_dtype dtype) {
    char *folder = scratch_make();
    tfm_checkpoint *checkpoint;
    tfm_safetensors *file;
    pack_to(from, in(folder, "m.bin"), dtype);
    export_to(in(folder, "m.bin"), in(folder, "m.safetensors"));
    REQUIRE_OK(tfm_checkpoint_open(&checkpoint, from, error));
    REQUIRE_OK(tfm_safetensors_open(&file, in(folder, "m.safetensors"), error));
    cr_assert_eq(tfm_safetensors_count(file), tfm_checkpoint_count(checkpoint));
    for (size_t i = 0; i < tfm_checkpoint_count(checkpoint); i++) {
        const tfm_checkpoint_tensor *t = tfm_checkpoint_at(checkpoint, i);
        const tfm_st_tensor *back;
        float *values, *original;
        REQUIRE_OK(load_tensor_f32(file, t->name, &values, &back, error));
        cr_assert(back->rank == t->rank && memcmp(back->shape, t->shape, sizeof t->shape) == 0, "%s", t->name);
        original = malloc((back->count + 1) * sizeof *original);
        cr_assert(original);
        REQUIRE_OK(tfm_checkpoint_read(checkpoint, t, 0, t->shape[0], original, error));
        bool narrow = back->dtype != TFM_ST_F32;
        cr_assert_eq(narrow, dtype != TFM_F32 && t->rank == 2 && t->shape[0] > 1, "%s", t->name);
        for (uint64_t k = 0; narrow && k < back->count; k++)
            original[k] = dtype == TFM_F16 ? tfm_f16_to_f32(tfm_f32_to_f16(original[k]))
                                           : tfm_bf16_to_f32(tfm_f32_to_bf16(original[k]));
        cr_assert_eq(memcmp(values, original, back->count * sizeof *values), 0, "%s", t->name);
        free(values);
        free(original);
    }
    tfm_safetensors_close(&file);
    tfm_checkpoint_close(&checkpoint);
    scratch_remove(&folder);
}

Test(golden, marian_round_trip) { check_round_trip(golden_path("marian"), TFM_F32); }
Test(golden, marian_ptbin_round_trip) { check_round_trip(golden_path("marian-ptbin"), TFM_F32); }
Test(golden, bart_round_trip) { check_round_trip(golden_path("bart"), TFM_F32); }
Test(golden, mbart_round_trip) { check_round_trip(golden_path("mbart"), TFM_F32); }
Test(golden, m2m100_round_trip) { check_round_trip(golden_path("m2m100"), TFM_F32); }
Test(golden, t5_v1_0_round_trip) { check_round_trip(golden_path("t5-v1_0"), TFM_F32); }
Test(golden, t5_v1_1_round_trip) { check_round_trip(golden_path("t5-v1_1"), TFM_F32); }
Test(golden, bert_round_trip) { check_round_trip(golden_path("bert"), TFM_F32); }
Test(golden, bert_mlm_round_trip) { check_round_trip(golden_path("bert-mlm"), TFM_F32); }
Test(golden, distilbert_mlm_round_trip) { check_round_trip(golden_path("distilbert-mlm"), TFM_F32); }
Test(golden, roberta_mlm_round_trip) { check_round_trip(golden_path("roberta-mlm"), TFM_F32); }
Test(golden, bert_reranker_round_trip) { check_round_trip(golden_path("bert-reranker"), TFM_F32); }
Test(golden, roberta_seqcls_round_trip) { check_round_trip(golden_path("roberta-seqcls"), TFM_F32); }
Test(golden, llama_round_trip) { check_round_trip(golden_path("llama"), TFM_F32); }
Test(golden, llama_linear_round_trip) { check_round_trip(golden_path("llama-linear"), TFM_F32); }
Test(golden, qwen2_sharded_round_trip) { check_round_trip(golden_path("qwen2-sharded"), TFM_F32); }
Test(golden, cohere_round_trip) { check_round_trip(golden_path("cohere"), TFM_F32); }
Test(golden, opt_round_trip) { check_round_trip(golden_path("opt"), TFM_F32); }
Test(golden, phi_round_trip) { check_round_trip(golden_path("phi"), TFM_F32); }

/* Transposed, rearranged, split or raised by 1: --export says so and names the tensor. */
Test(golden, rearranged_tensors_are_not_exported) {
    static const char *const names[] = {"gpt2", "gptneox", "phi3", "gemma"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *folder = scratch_make();
        tfm_file *file;
        pack_to(golden_path(names[i]), in(folder, "m.bin"), TFM_F32);
        REQUIRE_OK(tfm_file_open(&file, in(folder, "m.bin"), error));
        REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tfm_export(file, in(folder, "m.safetensors"), false, NULL, NULL, error),
                      "rearranged");
        cr_assert(access(in(folder, "m.safetensors"), F_OK) != 0);
        tfm_file_close(&file);
        scratch_remove(&folder);
    }
}

Test(golden, multi30k_round_trip) { check_round_trip(shipped(), TFM_F32); }
Test(golden, marian_f16) { check_round_trip(golden_path("marian"), TFM_F16); }
Test(golden, marian_bf16) { check_round_trip(golden_path("marian"), TFM_BF16); }

/* One checkpoint in two containers: the same tensors, the same hashes, in the same places. */
Test(golden, containers_give_the_same_tensors) {
    char *folder = scratch_make(), *config;
    const char *checkpoint = golden_path("marian-ptbin"); /* pytorch_model.bin */
    size_t n;
    tfm_file *a, *b;
    pack_to(checkpoint, in(folder, "a.bin"), TFM_F32);
    export_to(in(folder, "a.bin"), in(folder, "model.safetensors"));
    config = read_file(in(checkpoint, "config.json"), &n);
    write_file(in(folder, "config.json"), config, n);
    free(config);
    pack_to(folder, in(folder, "b.bin"), TFM_F32);
    REQUIRE_OK(tfm_file_open(&a, in(folder, "a.bin"), error));
    REQUIRE_OK(tfm_file_open(&b, in(folder, "b.bin"), error));
    cr_assert(tfm_file_tensor_count(a) == tfm_file_tensor_count(b) && tfm_file_tensor_count(a) > 50);
    for (size_t i = 0; i < tfm_file_tensor_count(a); i++) {
        const tfm_tensor *x = tfm_file_tensor_at(a, i), *y = tfm_file_tensor_at(b, i);
        cr_assert_str_eq(x->name, y->name);
        cr_assert(x->hash == y->hash && x->length == y->length && x->offset == y->offset, "%s", x->name);
    }
    tfm_file_close(&a);
    tfm_file_close(&b);
    scratch_remove(&folder);
}
