/*
 * gguf_keys.c - what is done about each key of a GGUF file's metadata. Keys are those of the format's description
 * (ggml's docs/gguf.md) and of gguf-py (constants.py); "[arch]" stands for general.architecture.
 */
#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"
#include "gguf_model.h"
#include "tools/pack/common/name_format.h"
#include "tools/pack/common/path.h"
#include "tools/pack/config/key_rows.h"

#define ARCH "[arch]."

static const tfm_key keys[] = {
    /* what the file is, who made it and how */
    HARMLESS("general.*") HARMLESS("quantize.*") HARMLESS("imatrix.*") HARMLESS("split.*") HARMLESS("mradermacher.*")
    /* sizes */
    READ(ARCH "context_length", NULL) READ(ARCH "embedding_length", NULL) READ(ARCH "block_count", NULL)
        READ(ARCH "feed_forward_length", NULL) READ(ARCH "attention.head_count", NULL)
            READ(ARCH "attention.head_count_kv", NULL) READ(ARCH "attention.key_length", NULL)
                READ(ARCH "attention.value_length", NULL) READ(ARCH "expert_count", NULL)
                    HARMLESS(ARCH "vocab_size") /* the embedding's rows */
    HARMLESS(ARCH "tensor_data_layout") HARMLESS(ARCH "source.*")
    /* how it computes */
    READ(ARCH "attention.layer_norm_epsilon", NULL) READ(ARCH "attention.layer_norm_rms_epsilon", NULL)
        READ(ARCH "attention.sliding_window", NULL) READ(ARCH "use_parallel_residual", NULL)
            READ(ARCH "embedding_scale", NULL) READ(ARCH "residual_scale", NULL) READ(ARCH "attention.scale", NULL)
                READ(ARCH "logit_scale", NULL) READ(ARCH "attn_logit_softcapping", NULL)
                    READ(ARCH "final_logit_softcapping", NULL) READ(ARCH "pooling_type", NULL)
                        HARMLESS(ARCH "attention.causal") /* of the architecture */
    HARMLESS(ARCH "expert_used_count")                    /* refused with experts */
    REFUSED(ARCH "attention.clamp_kqv", NULL) REFUSED(ARCH "attention.max_alibi_bias", NULL)
        REFUSED(ARCH "attention.sliding_window_pattern", NULL) REFUSED(ARCH "attention.temperature_scale", "1")
            REFUSED(ARCH "attention.temperature_length", NULL) REFUSED(ARCH "attention.output_scale", "1")
                REFUSED(ARCH "expert_shared_count", NULL) REFUSED(ARCH "swin_norm", NULL)
    /* rotations */
    READ(ARCH "rope.dimension_count", NULL) READ(ARCH "rope.freq_base", NULL) READ(ARCH "rope.scaling.type", NULL)
        READ(ARCH "rope.scaling.factor", NULL) READ(ARCH "rope.scale_linear", NULL)
            HARMLESS(ARCH "rope.scaling.original_context_length") READ(ARCH "rope.scaling.attn_factor", NULL)
                READ(ARCH "rope.scaling.yarn_beta_fast", NULL) READ(ARCH "rope.scaling.yarn_beta_slow", NULL)
                    HARMLESS(ARCH "rope.scaling.finetuned") REFUSED(ARCH "rope.scaling.yarn_log_multiplier", NULL)
                        REFUSED(ARCH "rope.scaling.yarn_ext_factor", "1")
                            REFUSED(ARCH "rope.scaling.yarn_attn_factor", "1") REFUSED(ARCH "rope.freq_base_swa", NULL)
                                REFUSED(ARCH "rope.dimension_sections", NULL)
    /* the tokenizer: gguf_tokenizer.c refuses what it cannot obey */
    HARMLESS("tokenizer.ggml.model") HARMLESS("tokenizer.ggml.pre") HARMLESS("tokenizer.ggml.tokens")
        HARMLESS("tokenizer.ggml.token_type") HARMLESS("tokenizer.ggml.token_type_count")
            HARMLESS("tokenizer.ggml.scores") HARMLESS("tokenizer.ggml.merges") HARMLESS("tokenizer.ggml.added_tokens")
                HARMLESS("tokenizer.ggml.bos_token_id") HARMLESS("tokenizer.ggml.eos_token_id")
                    HARMLESS("tokenizer.ggml.eot_token_id") HARMLESS("tokenizer.ggml.eom_token_id")
                        HARMLESS("tokenizer.ggml.unknown_token_id") HARMLESS("tokenizer.ggml.seperator_token_id")
                            HARMLESS("tokenizer.ggml.separator_token_id") HARMLESS("tokenizer.ggml.padding_token_id")
                                HARMLESS("tokenizer.ggml.cls_token_id") HARMLESS("tokenizer.ggml.mask_token_id")
                                    HARMLESS("tokenizer.ggml.add_bos_token") HARMLESS("tokenizer.ggml.add_eos_token")
                                        HARMLESS("tokenizer.ggml.add_sep_token")
                                            HARMLESS("tokenizer.ggml.add_space_prefix")
                                                HARMLESS("tokenizer.ggml.remove_extra_whitespaces")
                                                    HARMLESS("tokenizer.ggml.precompiled_charsmap")
                                                        HARMLESS("tokenizer.ggml.normalizer.lowercase")
                                                            HARMLESS("tokenizer.ggml.normalizer.strip_accents")
    /* tokens that programs for code ask for by name */
    HARMLESS("tokenizer.ggml.prefix_token_id") HARMLESS("tokenizer.ggml.suffix_token_id")
        HARMLESS("tokenizer.ggml.middle_token_id") HARMLESS("tokenizer.ggml.fim_pre_token_id")
            HARMLESS("tokenizer.ggml.fim_suf_token_id") HARMLESS("tokenizer.ggml.fim_mid_token_id")
                HARMLESS("tokenizer.ggml.fim_pad_token_id") HARMLESS("tokenizer.ggml.fim_rep_token_id")
                    HARMLESS("tokenizer.ggml.fim_sep_token_id") LEFT_OUT("tokenizer.ggml.suppress_tokens", NULL)
                        HARMLESS("tokenizer.chat_template") HARMLESS("tokenizer.chat_template.*")
                            HARMLESS("tokenizer.chat_templates") HARMLESS("tokenizer.huggingface.*")
                                HARMLESS("tokenizer.rwkv.*")};
#define N_KEYS (sizeof keys / sizeof *keys)

/* The table with the architecture's name in it. */
typedef struct named_table {
    tfm_key keys[N_KEYS];
    tfm_name names[N_KEYS];
} named_table;

static void name_keys(named_table *table, const char *architecture) {
    for (size_t i = 0; i < N_KEYS; i++) {
        const bool of_architecture = strncmp(keys[i].name, ARCH, strlen(ARCH)) == 0;
        table->names[i] = of_architecture ? tfm_name_format("%s.%s", architecture, keys[i].name + strlen(ARCH))
                                          : tfm_name_format("%s", keys[i].name);
        table->keys[i] = keys[i];
        table->keys[i].name = table->names[i].text;
    }
}

/* A value as people should see it: of arrays how many elements they have. */
static json_t *json_of(const tfm_gguf_value *value) {
    int64_t whole;
    double real;
    if (value->is_array)
        return value->count ? json_sprintf("%llu values", (unsigned long long)value->count) : json_null();
    if (value->type == TFM_GGUF_BOOL) return json_boolean(value->data[0]);
    if (value->type == TFM_GGUF_STRING) {
        const uint8_t *at = value->data;
        size_t n;
        const char *text = tfm_gguf_next_string(&at, &n);
        json_t *string = n > 0 && n < 200 ? json_stringn(text, n) : NULL;
        return string ? string : json_sprintf("%zu bytes", n);
    }
    if (tfm_gguf_integer(value, 0, &whole)) return json_integer(whole);
    return tfm_gguf_real(value, 0, &real) ? json_real(real) : json_string("not a number");
}

void tfm_gguf_check_keys(tfm_gguf_model *m) {
    json_t *object = json_object();
    named_table *table = malloc(sizeof *table);
    bool ok = object && table;
    for (uint32_t i = 0; ok && i < m->gguf->n_values; i++) {
        const tfm_gguf_value *value = &m->gguf->values[i];
        if (tfm_utf8_valid_prefix(value->key, strlen(value->key)) != strlen(value->key))
            tfm_foreign_note(&m->foreign, "a key of its metadata is no text, and is left out");
        else
            ok = json_object_set_new(object, value->key, json_of(value)) == 0;
    }
    if (!ok) {
        tfm_foreign_fail(&m->foreign, TFM_ERROR_MEMORY, "out of memory");
    } else if (m->foreign.status == TFM_OK) {
        name_keys(table, m->family->architecture);
        const tfm_key_table all = {table->keys, N_KEYS, NULL};
        const char *slash = strrchr(m->gguf->path, '/');
        const tfm_path folder = tfm_path_folder(m->gguf->path);
        tfm_foreign_check_keys(&m->foreign, &all, folder.text, slash ? slash + 1 : m->gguf->path, object, m->asked);
    }
    json_decref(object);
    free(table);
}
