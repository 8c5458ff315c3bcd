/* gguf_config.c - settings of a GGUF file as config.json would have them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf_blocks.h"
#include "gguf_model.h"

#define MOST ((uint64_t)1 << 24)

void tfm_gguf_config_fail(tfm_gguf_model *m, tfm_status status, const char *key, const char *wrong) {
    tfm_foreign_fail(&m->foreign, status, "key '%s.%s' %s", m->family->architecture, key, wrong);
}

const tfm_gguf_value *tfm_gguf_config_find(const tfm_gguf_model *m, const char *key) {
    char full[120];
    snprintf(full, sizeof full, "%s.%s", m->family->architecture, key);
    json_object_set_new(m->asked, full, json_true());
    return tfm_gguf_find(m->gguf, full);
}

bool tfm_gguf_has(const tfm_gguf_model *m, const char *tensor) { return tfm_gguf_tensor_find(m->gguf, tensor) != NULL; }

/* A list of one number for each layer is one number if all are the same. */
static bool all_same(const tfm_gguf_value *value) {
    int64_t first, other;
    bool same = value->count > 0 && tfm_gguf_integer(value, 0, &first);
    for (uint64_t i = 1; same && i < value->count; i++) same = tfm_gguf_integer(value, i, &other) && other == first;
    return same;
}

uint64_t tfm_gguf_config_u64(tfm_gguf_model *m, const char *key, uint64_t fallback) {
    const tfm_gguf_value *value = m->foreign.status != TFM_OK ? NULL : tfm_gguf_config_find(m, key);
    int64_t number;
    if (!value) return fallback;
    if (value->is_array && !all_same(value)) {
        tfm_gguf_config_fail(m, TFM_ERROR_UNSUPPORTED, key, "differs from layer to layer, which is not supported");
        return fallback;
    }
    if (!tfm_gguf_integer(value, 0, &number) || number < 0 || (uint64_t)number > MOST) {
        tfm_gguf_config_fail(m, TFM_ERROR_FORMAT, key, "is not a whole number in the range that makes sense");
        return fallback;
    }
    return (uint64_t)number;
}

double tfm_gguf_config_real(tfm_gguf_model *m, const char *key, double fallback) {
    const tfm_gguf_value *value = m->foreign.status != TFM_OK ? NULL : tfm_gguf_config_find(m, key);
    double number;
    if (!value) return fallback;
    if (value->is_array || !tfm_gguf_real(value, 0, &number) || !isfinite(number)) {
        tfm_gguf_config_fail(m, TFM_ERROR_FORMAT, key, "is not a finite number");
        return fallback;
    }
    return number;
}

bool tfm_gguf_config_bool(tfm_gguf_model *m, const char *key, bool fallback) {
    const tfm_gguf_value *value = m->foreign.status != TFM_OK ? NULL : tfm_gguf_config_find(m, key);
    if (!value) return fallback;
    if (value->is_array || value->type != TFM_GGUF_BOOL) {
        tfm_gguf_config_fail(m, TFM_ERROR_FORMAT, key, "is neither true nor false");
        return fallback;
    }
    return value->data[0] != 0;
}

static void set(tfm_gguf_model *m, const char *key, json_t *value) {
    tfm_foreign_set(&m->foreign, m->config, key, value);
}

static void set_u64(tfm_gguf_model *m, const char *key, uint64_t number) {
    tfm_foreign_set_u64(&m->foreign, m->config, key, number);
}

static void copy(tfm_gguf_model *m, const tfm_gguf_key *key) {
    const tfm_gguf_value *value = tfm_gguf_config_find(m, key->gguf);
    if (!value) return;
    if (value->type == TFM_GGUF_BOOL)
        set(m, key->hf, json_boolean(tfm_gguf_config_bool(m, key->gguf, false)));
    else if (value->type == TFM_GGUF_F32 || value->type == TFM_GGUF_F64)
        set(m, key->hf, json_real(tfm_gguf_config_real(m, key->gguf, 0)));
    else
        set_u64(m, key->hf, tfm_gguf_config_u64(m, key->gguf, 0));
}

static void copy_all(tfm_gguf_model *m, const tfm_gguf_key *keys) {
    for (const tfm_gguf_key *key = keys; key && m->foreign.status == TFM_OK && key->gguf; key++) copy(m, key);
}

/* ---- rotations ---- */

/* The part of a head that has this many features, such that heads * part is them after rounding down. */
static void set_rotated(tfm_gguf_model *m, uint64_t rotated) {
    double part = (double)rotated / (double)m->head_dim;
    if (m->family->rotated) {
        while ((uint64_t)((double)m->head_dim * part) < rotated) part = nextafter(part, 2);
        set(m, m->family->rotated, json_real(part));
    } else if (rotated != m->head_dim) {
        tfm_gguf_config_fail(m, TFM_ERROR_UNSUPPORTED, "rope.dimension_count", "is not the size of a head");
    }
}

/* A tensor with one factor for each pair of rotated features, by which its frequency is divided. */
static void set_factors(tfm_gguf_model *m, const char *name, uint64_t rotated, uint64_t longest) {
    const tfm_gguf_tensor *t = tfm_gguf_tensor_find(m->gguf, name);
    json_t *list = json_array();
    if (t->count != rotated / 2)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT, "tensor '%s' has not as many elements as rotated pairs", name);
    for (uint64_t i = 0; m->foreign.status == TFM_OK && i < t->count; i++) {
        float factor;
        tfm_gguf_decode(t->block, t->data, i, 1, &factor);
        if (!(factor > 0) || !isfinite(factor))
            tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT, "tensor '%s' has a factor that is not positive", name);
        else if (json_array_append_new(list, json_real((double)factor)) != 0)
            tfm_foreign_fail(&m->foreign, TFM_ERROR_MEMORY, "out of memory");
    }
    set(m, "original_max_position_embeddings", json_integer((json_int_t)longest));
    double attention = tfm_gguf_config_real(m, "rope.scaling.attn_factor", 1);
    set(m, "rope_scaling",
        json_pack("{s:s, s:O, s:f}", "rope_type", "longrope", "short_factor", list, "attention_factor", attention));
    json_decref(list);
}

static void set_yarn(tfm_gguf_model *m, double factor, uint64_t original) {
    json_t *scaling = json_pack("{s:s, s:f}", "rope_type", "yarn", "factor", factor);
    static const tfm_gguf_key ramps[] = {{"rope.scaling.yarn_beta_fast", "beta_fast"},
                                         {"rope.scaling.yarn_beta_slow", "beta_slow"}};
    for (size_t i = 0; i < 2; i++)
        if (tfm_gguf_config_find(m, ramps[i].gguf))
            json_object_set_new(scaling, ramps[i].hf, json_real(tfm_gguf_config_real(m, ramps[i].gguf, 0)));
    if (tfm_gguf_config_find(m, "rope.scaling.attn_factor")) {
        double attention = tfm_gguf_config_real(m, "rope.scaling.attn_factor", 1) * (0.1 * log(factor) + 1);
        json_object_set_new(scaling, "attention_factor", json_real(attention));
    }
    set(m, "rope_scaling", scaling);
    set_u64(m, "max_position_embeddings", original); /* what yarn stretches */
}

static void set_scaling(tfm_gguf_model *m) {
    const tfm_gguf_value *type = tfm_gguf_config_find(m, "rope.scaling.type");
    double factor = tfm_gguf_config_real(m, "rope.scaling.factor", tfm_gguf_config_real(m, "rope.scale_linear", 1));
    uint64_t context = tfm_gguf_config_u64(m, "context_length", 0);
    size_t n = 0;
    const char *word = "";
    if (type && !type->is_array && type->type == TFM_GGUF_STRING) {
        const uint8_t *at = type->data;
        word = tfm_gguf_next_string(&at, &n);
    }
    if (n == 4 && memcmp(word, "yarn", 4) == 0 && factor >= 1)
        set_yarn(m, factor, tfm_gguf_config_u64(m, "rope.scaling.original_context_length", context));
    else if ((n == 6 && memcmp(word, "linear", 6) == 0) || (!type && factor != 1))
        set(m, "rope_scaling", json_pack("{s:s, s:f}", "rope_type", "linear", "factor", factor));
    else if (n > 0 && !(n == 4 && memcmp(word, "none", 4) == 0) && !(n == 8 && memcmp(word, "longrope", 8) == 0))
        tfm_gguf_config_fail(m, TFM_ERROR_UNSUPPORTED, "rope.scaling.type", "is none of none, linear, longrope, yarn");
}

static void set_rope(tfm_gguf_model *m) {
    const uint64_t rotated = tfm_gguf_config_u64(m, "rope.dimension_count", m->head_dim);
    const uint64_t context = tfm_gguf_config_u64(m, "context_length", 0);
    set(m, m->family->theta, json_real(tfm_gguf_config_real(m, "rope.freq_base", 10000)));
    if (rotated == 0 || rotated > m->head_dim)
        tfm_gguf_config_fail(m, TFM_ERROR_FORMAT, "rope.dimension_count", "does not fit the size of a head");
    if (m->foreign.status == TFM_OK) set_rotated(m, rotated);
    if (m->foreign.status != TFM_OK) return;
    if (tfm_gguf_has(m, "rope_freqs.weight"))
        set_factors(m, "rope_freqs.weight", rotated, context);
    else if (tfm_gguf_has(m, "rope_factors_short.weight"))
        set_factors(m, "rope_factors_short.weight", rotated,
                    tfm_gguf_config_u64(m, "rope.scaling.original_context_length", context));
    else
        set_scaling(m);
}

/* ---- all ---- */

static void read_sizes(tfm_gguf_model *m) {
    m->d_model = tfm_gguf_config_u64(m, "embedding_length", 0);
    m->n_layers = tfm_gguf_config_u64(m, "block_count", 0);
    m->n_heads = tfm_gguf_config_u64(m, "attention.head_count", 0);
    m->n_kv_heads = tfm_gguf_config_u64(m, "attention.head_count_kv", m->n_heads);
    if (m->foreign.status == TFM_OK &&
        (m->n_heads == 0 || m->n_heads > 4096 || m->n_kv_heads == 0 || m->n_kv_heads > m->n_heads))
        tfm_gguf_config_fail(m, TFM_ERROR_FORMAT, "attention.head_count", "does not fit the other sizes");
    if (m->foreign.status != TFM_OK) return;
    m->head_dim = tfm_gguf_config_u64(m, "attention.key_length", m->d_model / m->n_heads);
    if (m->foreign.status != TFM_OK) return;
    if (m->head_dim == 0 || m->head_dim > 4096)
        tfm_gguf_config_fail(m, TFM_ERROR_FORMAT, "attention.key_length", "is no possible size of a head");
    if (tfm_gguf_config_u64(m, "attention.value_length", m->head_dim) != m->head_dim)
        tfm_gguf_config_fail(m, TFM_ERROR_UNSUPPORTED, "attention.value_length", "differs from key_length");
    if (tfm_gguf_config_u64(m, "expert_count", 0) > 0)
        tfm_gguf_config_fail(m, TFM_ERROR_UNSUPPORTED, "expert_count",
                             "is not 0: mixtures of experts are not supported");
}

void tfm_gguf_config(tfm_gguf_model *m) {
    const tfm_gguf_family *f = m->family;
    const tfm_gguf_tensor *embedding = tfm_gguf_tensor_find(m->gguf, "token_embd.weight");
    for (size_t i = 0; f->required[i]; i++)
        for (const tfm_gguf_key *key = f->required[i]; key->gguf; key++)
            if (!tfm_gguf_config_find(m, key->gguf)) tfm_gguf_config_fail(m, TFM_ERROR_FORMAT, key->gguf, "is missing");
    read_sizes(m);
    set(m, "model_type", json_string(f->model_type));
    for (size_t i = 0; f->required[i]; i++) copy_all(m, f->required[i]);
    copy_all(m, f->optional);
    if (embedding) set_u64(m, "vocab_size", embedding->shape[0]);
    set(m, "tie_word_embeddings", json_boolean(m->tied));
    if (f->has_head_keys && m->foreign.status == TFM_OK) {
        set_u64(m, "head_dim", m->head_dim);
        set_u64(m, "num_key_value_heads", m->n_kv_heads);
    }
    if (f->theta && m->foreign.status == TFM_OK) set_rope(m);
    if (f->finish && m->foreign.status == TFM_OK) f->finish(m);
}
