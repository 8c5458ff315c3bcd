/* buffers_test.c - what is no weight is left out; what could be one is not. */
#include <string.h>

#include "tests/tools/pack/packed.h"
#include "tools/pack/plan/buffers.h"

TestSuite(buffers, .timeout = 120);

static bool is_buffer(const char *type, const char *name, tfm_dtype dtype, uint32_t rank, uint64_t a, uint64_t b,
                      uint64_t c, uint64_t d) {
    const tfm_checkpoint_tensor one = {.name = name, .dtype = dtype, .rank = rank, .shape = {a, b, c, d}};
    return tfm_is_buffer(type, &one);
}

#define INTEGERS TFM_DTYPE_COUNT
#define LAYER "model.layers.0."

Test(buffers, are_known) {
    cr_expect(is_buffer("bert", "bert.embeddings.position_ids", INTEGERS, 2, 1, 512, 1, 1));
    cr_expect(is_buffer(NULL, "position_ids", INTEGERS, 1, 512, 1, 1, 1));
    cr_expect(is_buffer("xlm-roberta", "embeddings.token_type_ids", INTEGERS, 2, 1, 514, 1, 1));
    cr_expect(is_buffer("m2m_100", "model.encoder.version", TFM_F32, 1, 1, 1, 1, 1));
    cr_expect(is_buffer("mbart", "decoder.version", TFM_F32, 1, 3, 1, 1, 1));
    cr_expect(is_buffer("opt", "model.decoder.version", TFM_F16, 1, 1, 1, 1, 1));
    cr_expect(is_buffer("m2m_100", "model.decoder.embed_positions._float_tensor", TFM_F32, 1, 1, 1, 1, 1));
    cr_expect(is_buffer("m2m_100", "model.decoder.embed_positions.weights", TFM_F32, 2, 1026, 1024, 1, 1));
    cr_expect(is_buffer("llama", LAYER "self_attn.rotary_emb.inv_freq", TFM_F32, 1, 64, 1, 1, 1));
    cr_expect(is_buffer("mistral", LAYER "self_attn.rotary_emb.cos_cached", TFM_BF16, 4, 1, 1, 4096, 128));
    cr_expect(is_buffer("gpt_neox", "gpt_neox.layers.3.attention.rotary_emb.inv_freq", TFM_F16, 1, 12, 1, 1, 1));
    cr_expect(is_buffer("gpt_neox", "gpt_neox.layers.3.attention.bias", INTEGERS, 4, 1, 1, 2048, 2048));
    cr_expect(is_buffer("gpt_neox", "gpt_neox.layers.3.attention.masked_bias", TFM_F32, 0, 1, 1, 1, 1));
    cr_expect(is_buffer("gpt2", "h.0.attn.bias", TFM_F32, 4, 1, 1, 1024, 1024));
    cr_expect(is_buffer("gpt2", "transformer.h.11.attn.masked_bias", TFM_F32, 0, 1, 1, 1, 1));
    cr_expect(is_buffer("gpt_neo", "transformer.h.0.attn.attention.bias", INTEGERS, 4, 1, 1, 2048, 2048));
}

Test(buffers, are_not_guessed) {
    cr_expect(!is_buffer("bert", "bert.embeddings.position_ids", TFM_F32, 2, 1, 512, 1, 1), "floats are weights");
    cr_expect(!is_buffer("bert", "bert.embeddings.position_ids", INTEGERS, 2, 2, 512, 1, 1));
    cr_expect(!is_buffer("bert", "my_position_ids", INTEGERS, 1, 512, 1, 1, 1), "the end of another name");
    cr_expect(!is_buffer("llama", "model.encoder.version", TFM_F32, 1, 1, 1, 1, 1), "another family");
    cr_expect(!is_buffer("m2m_100", "model.encoder.version", TFM_F32, 1, 4, 1, 1, 1), "more than a version has");
    cr_expect(!is_buffer("bert", "encoder.layer.0.rotary_emb.inv_freq", TFM_F32, 1, 32, 1, 1, 1), "no rotations here");
    cr_expect(!is_buffer(NULL, LAYER "self_attn.rotary_emb.inv_freq", TFM_F32, 1, 64, 1, 1, 1));
    cr_expect(!is_buffer("gpt2", "h.0.attn.bias", TFM_F32, 1, 768, 1, 1, 1), "a vector is a bias");
    cr_expect(!is_buffer("gpt2", "h.0.attn.bias", TFM_F32, 4, 1, 12, 1024, 1024), "biases of heads are weights");
    cr_expect(!is_buffer("gpt2", "h.0.attn.bias", TFM_F32, 4, 1, 1, 1024, 512));
    cr_expect(!is_buffer("gpt_neox", "gpt_neox.layers.3.attention.masked_bias", TFM_F32, 1, 2, 1, 1, 1));
}

/* Beside the weights of a checkpoint; the model file is the same as without. */
Test(buffers, of_a_checkpoint) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    tfm_file *file = packed_open(folder);
    const uint64_t length = tfm_file_length(file);
    tfm_file_close(&file);
    model *m = model_marian(&small);
    model_add(m, "model.encoder.version", 3, 0, TFM_ST_F32);
    model_add(m, "decoder.version", 1, 0, TFM_ST_F32);
    write_safetensors(in(folder, "model.safetensors"), m);
    file = packed_open(folder);
    cr_expect_eq(tfm_file_length(file), length);
    tfm_file_close(&file);
    model_add(m, "encoder.revision", 3, 0, TFM_ST_F32);
    write_safetensors(in(folder, "model.safetensors"), m);
    REQUIRE_ERROR(TFM_ERROR_FORMAT, packed_try(folder, TFM_F32, error), "1 not expected: encoder.revision");
    model_free(&m);
    scratch_remove(&folder);
}
