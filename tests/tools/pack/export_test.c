/* export_test.c - real checkpoints: what goes in comes out again, bit for bit, from every container. */
#include "checkpoints.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/pack/pack.h"
#include "tools/pack/checkpoint/checkpoint.h"
#include "tests/support/tensor_values.h"

TestSuite(golden, .timeout = 240);

/* Path of a folder of the shared material; the test is skipped without it. */
static const char *shared(const char *name) {
    const char *base = getenv("TFM_SHARED");
    const char *path = in(base ? base : "/nonexistent", name);
    if (access(path, R_OK) != 0) cr_skip_test("%s is not here; set TFM_SHARED", path);
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
static void check_round_trip(const char *checkpoint, tfm_dtype dtype) {
    char *folder = scratch_make();
    tfm_checkpoint *source;
    tfm_safetensors *file;
    pack_to(checkpoint, in(folder, "m.bin"), dtype);
    export_to(in(folder, "m.bin"), in(folder, "m.safetensors"));
    REQUIRE_OK(tfm_checkpoint_open(&source, checkpoint, error));
    REQUIRE_OK(tfm_safetensors_open(&file, in(folder, "m.safetensors"), error));
    cr_assert_eq(tfm_safetensors_count(file), tfm_checkpoint_count(source));
    for (size_t i = 0; i < tfm_checkpoint_count(source); i++) {
        const tfm_checkpoint_tensor *t = tfm_checkpoint_at(source, i);
        const tfm_st_tensor *back;
        float *values, *original;
        REQUIRE_OK(load_tensor_f32(file, t->name, &values, &back, error));
        cr_assert(back->rank == t->rank && memcmp(back->shape, t->shape, sizeof t->shape) == 0, "%s", t->name);
        original = malloc((back->count + 1) * sizeof *original);
        cr_assert(original);
        REQUIRE_OK(tfm_checkpoint_read(source, t, 0, t->shape[0], original, error));
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
    tfm_checkpoint_close(&source);
    scratch_remove(&folder);
}

Test(golden, marian_round_trip) { check_round_trip(shared("golden/marian"), TFM_F32); }
Test(golden, marian_ptbin_round_trip) { check_round_trip(shared("golden/marian-ptbin"), TFM_F32); }
Test(golden, bart_round_trip) { check_round_trip(shared("golden/bart"), TFM_F32); }
Test(golden, mbart_round_trip) { check_round_trip(shared("golden/mbart"), TFM_F32); }
Test(golden, m2m100_round_trip) { check_round_trip(shared("golden/m2m100"), TFM_F32); }
Test(golden, t5_v1_0_round_trip) { check_round_trip(shared("golden/t5-v1_0"), TFM_F32); }
Test(golden, t5_v1_1_round_trip) { check_round_trip(shared("golden/t5-v1_1"), TFM_F32); }
Test(golden, bert_round_trip) { check_round_trip(shared("golden/bert"), TFM_F32); }
Test(golden, bert_mlm_round_trip) { check_round_trip(shared("golden/bert-mlm"), TFM_F32); }
Test(golden, distilbert_mlm_round_trip) { check_round_trip(shared("golden/distilbert-mlm"), TFM_F32); }
Test(golden, roberta_mlm_round_trip) { check_round_trip(shared("golden/roberta-mlm"), TFM_F32); }
Test(golden, bert_tiny_sst2_round_trip) { check_round_trip(shared("checkpoints/bert-tiny-sst2"), TFM_F32); }
Test(golden, llama_round_trip) { check_round_trip(shared("golden/llama"), TFM_F32); }
Test(golden, llama_linear_round_trip) { check_round_trip(shared("golden/llama-linear"), TFM_F32); }
Test(golden, qwen2_sharded_round_trip) { check_round_trip(shared("golden/qwen2-sharded"), TFM_F32); }
Test(golden, cohere_round_trip) { check_round_trip(shared("golden/cohere"), TFM_F32); }
Test(golden, opt_round_trip) { check_round_trip(shared("golden/opt"), TFM_F32); }
Test(golden, phi_round_trip) { check_round_trip(shared("golden/phi"), TFM_F32); }

/* Transposed, rearranged, split or raised by 1: --export says so and names the tensor. */
Test(golden, rearranged_tensors_are_not_exported) {
    static const char *const names[] = {"golden/gpt2", "golden/gptneox", "golden/phi3", "golden/gemma"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *folder = scratch_make();
        tfm_file *file;
        pack_to(shared(names[i]), in(folder, "m.bin"), TFM_F32);
        REQUIRE_OK(tfm_file_open(&file, in(folder, "m.bin"), error));
        REQUIRE_ERROR(tfm_export(file, in(folder, "m.safetensors"), false, NULL, NULL, error), TFM_ERROR_UNSUPPORTED,
                      "rearranged");
        cr_assert(access(in(folder, "m.safetensors"), F_OK) != 0);
        tfm_file_close(&file);
        scratch_remove(&folder);
    }
}

Test(golden, multi30k_round_trip) { check_round_trip(shared("checkpoints/multi30k-de-en"), TFM_F32); }
Test(golden, multi30k_ptbin_round_trip) {
    check_round_trip(shared("checkpoints/multi30k-de-en/pytorch_model.bin"), TFM_F32);
}
Test(golden, marian_f16) { check_round_trip(shared("golden/marian"), TFM_F16); }
Test(golden, marian_bf16) { check_round_trip(shared("golden/marian"), TFM_BF16); }

/* One checkpoint in two containers: the same tensors, the same hashes, in the same places. */
Test(golden, containers_give_the_same_tensors) {
    char *folder = scratch_make();
    const char *checkpoint = shared("checkpoints/multi30k-de-en");
    tfm_file *a, *b;
    pack_to(checkpoint, in(folder, "a.bin"), TFM_F32);
    pack_to(in(checkpoint, "pytorch_model.bin"), in(folder, "b.bin"), TFM_F32);
    REQUIRE_OK(tfm_file_open(&a, in(folder, "a.bin"), error));
    REQUIRE_OK(tfm_file_open(&b, in(folder, "b.bin"), error));
    cr_assert(tfm_file_tensor_count(a) == tfm_file_tensor_count(b) && tfm_file_tensor_count(a) == 99);
    for (size_t i = 0; i < tfm_file_tensor_count(a); i++) {
        const tfm_tensor *x = tfm_file_tensor_at(a, i), *y = tfm_file_tensor_at(b, i);
        cr_assert_str_eq(x->name, y->name);
        cr_assert(x->hash == y->hash && x->length == y->length && x->offset == y->offset, "%s", x->name);
    }
    tfm_file_close(&a);
    tfm_file_close(&b);
    scratch_remove(&folder);
}
