/*
 * generation_defaults.c - decoding defaults packed with a model: section generation.
 */
#include <stdlib.h>
#include <string.h>

#include "model.h"

/* What transformers' GenerationConfig has where a checkpoint says nothing. */
static const tfm_generate_params standard = {
    .size = sizeof standard,
    .num_beams = 1,
    .num_return_sequences = 1,
    .max_length = 20,
    .length_penalty = 1.0,
    .repetition_penalty = 1.0,
    .decoder_start_token_id = -1,
    .bos_token_id = -1,
    .forced_bos_token_id = -1,
    .forced_eos_token_id = -1,
    .pad_token_id = -1,
    .temperature = 1.0,
    .top_p = 1.0,
    .typical_p = 1.0,
    .patience = 1.0,
};

typedef enum field_kind { FIELD_U32, FIELD_ID, FIELD_FLAG, FIELD_DOUBLE } field_kind;

static const struct field {
    const char *key;
    field_kind kind;
    size_t offset;
} fields[] = {
    {.key = "num_beams", .kind = FIELD_U32, .offset = offsetof(tfm_generate_params, num_beams)},
    {.key = "num_return_sequences", .kind = FIELD_U32, .offset = offsetof(tfm_generate_params, num_return_sequences)},
    {.key = "max_length", .kind = FIELD_U32, .offset = offsetof(tfm_generate_params, max_length)},
    {.key = "max_new_tokens", .kind = FIELD_U32, .offset = offsetof(tfm_generate_params, max_new_tokens)},
    {.key = "min_length", .kind = FIELD_U32, .offset = offsetof(tfm_generate_params, min_length)},
    {.key = "min_new_tokens", .kind = FIELD_U32, .offset = offsetof(tfm_generate_params, min_new_tokens)},
    {.key = "no_repeat_ngram_size", .kind = FIELD_U32, .offset = offsetof(tfm_generate_params, no_repeat_ngram_size)},
    {.key = "renormalize_logits", .kind = FIELD_FLAG, .offset = offsetof(tfm_generate_params, renormalize_logits)},
    {.key = "decoder_start_token_id",
     .kind = FIELD_ID,
     .offset = offsetof(tfm_generate_params, decoder_start_token_id)},
    {.key = "forced_bos_token_id", .kind = FIELD_ID, .offset = offsetof(tfm_generate_params, forced_bos_token_id)},
    {.key = "forced_eos_token_id", .kind = FIELD_ID, .offset = offsetof(tfm_generate_params, forced_eos_token_id)},
    {.key = "bos_token_id", .kind = FIELD_ID, .offset = offsetof(tfm_generate_params, bos_token_id)},
    {.key = "pad_token_id", .kind = FIELD_ID, .offset = offsetof(tfm_generate_params, pad_token_id)},
    {.key = "length_penalty", .kind = FIELD_DOUBLE, .offset = offsetof(tfm_generate_params, length_penalty)},
    {.key = "repetition_penalty", .kind = FIELD_DOUBLE, .offset = offsetof(tfm_generate_params, repetition_penalty)},
    {.key = "do_sample", .kind = FIELD_FLAG, .offset = offsetof(tfm_generate_params, do_sample)},
    {.key = "top_k", .kind = FIELD_U32, .offset = offsetof(tfm_generate_params, top_k)},
    {.key = "temperature", .kind = FIELD_DOUBLE, .offset = offsetof(tfm_generate_params, temperature)},
    {.key = "top_p", .kind = FIELD_DOUBLE, .offset = offsetof(tfm_generate_params, top_p)},
    {.key = "min_p", .kind = FIELD_DOUBLE, .offset = offsetof(tfm_generate_params, min_p)},
    {.key = "typical_p", .kind = FIELD_DOUBLE, .offset = offsetof(tfm_generate_params, typical_p)},
    {.key = "prefix_bias_beta", .kind = FIELD_DOUBLE, .offset = offsetof(tfm_generate_params, prefix_bias_beta)},
    {.key = "patience", .kind = FIELD_DOUBLE, .offset = offsetof(tfm_generate_params, patience)},
    {.key = "return_alternatives", .kind = FIELD_FLAG, .offset = offsetof(tfm_generate_params, return_alternatives)},
    {.key = "min_alternative_expansion_prob",
     .kind = FIELD_DOUBLE,
     .offset = offsetof(tfm_generate_params, min_alternative_expansion_prob)},
};

static const char *path_of(const tfm_model *model) { return model->file ? tfm_file_path(model->file) : "a model"; }

static tfm_status refuse(const tfm_model *model, const char *key, const char *why, tfm_error *error) {
    return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: generation option %s %s; pack the checkpoint again",
                    path_of(model), key, why);
}

static tfm_status read_scalar(tfm_model *model, const struct field *f, const tfm_value *value, tfm_error *error) {
    void *out = (char *)&model->defaults + f->offset;
    if (value->type != (f->kind == FIELD_DOUBLE ? TFM_VALUE_F64 : TFM_VALUE_U64))
        return refuse(model, f->key, "has the wrong type", error);
    if (f->kind == FIELD_DOUBLE) {
        *(double *)out = value->f64;
        return TFM_OK;
    }
    uint64_t limit = f->kind == FIELD_FLAG ? 1 : f->kind == FIELD_ID ? INT32_MAX : UINT32_MAX;
    if (value->u64 > limit) return refuse(model, f->key, "is out of range", error);
    if (f->kind == FIELD_FLAG)
        *(bool *)out = value->u64 != 0;
    else if (f->kind == FIELD_ID)
        *(int32_t *)out = (int32_t)value->u64;
    else
        *(uint32_t *)out = (uint32_t)value->u64;
    return TFM_OK;
}

static tfm_status read_early_stopping(tfm_model *model, const tfm_value *value, tfm_error *error) {
    const char *word = value->type == TFM_VALUE_STRING ? value->data : "";
    tfm_early_stopping *out = &model->defaults.early_stopping;
    if (!strcmp(word, "false"))
        *out = TFM_EARLY_FALSE;
    else if (!strcmp(word, "true"))
        *out = TFM_EARLY_TRUE;
    else if (!strcmp(word, "never"))
        *out = TFM_EARLY_NEVER;
    else
        return refuse(model, value->key, "must be false, true or never", error);
    return TFM_OK;
}

/* Copies a list of ids to `list`; all must fit int32. */
static tfm_status read_ids(tfm_model *model, const tfm_value *value, int32_t *list, tfm_error *error) {
    const uint32_t *ids = value->data;
    for (size_t i = 0; i < value->n; i++) {
        if (ids[i] > INT32_MAX) return refuse(model, value->key, "holds a number that is no token id", error);
        list[i] = (int32_t)ids[i];
    }
    return TFM_OK;
}

/* Words as length, ids, length, ids, ... */
static tfm_status split_words(tfm_model *model, const char *key, const int32_t *list, size_t n, tfm_error *error) {
    size_t n_words = 0;
    for (size_t i = 0; i < n; n_words++) {
        size_t length = (size_t)list[i];
        if (length == 0 || length > n - i - 1) return refuse(model, key, "is damaged: a length is wrong", error);
        i += length + 1;
    }
    model->words = calloc(n_words ? n_words : 1, sizeof *model->words);
    if (!model->words) return tfm_no_memory(error, "%s", path_of(model));
    for (size_t i = 0, w = 0; i < n; i += (size_t)list[i] + 1)
        model->words[w++] = (tfm_tokens){list + i + 1, (size_t)list[i]};
    model->defaults.bad_words = model->words;
    model->defaults.n_bad_words = n_words;
    return TFM_OK;
}

static const char *const list_keys[] = {"eos_token_id", "suppress_tokens", "bad_words_ids"};

static tfm_status read_lists(tfm_model *model, const tfm_table *table, tfm_error *error) {
    const tfm_value *values[3];
    size_t total = 0;
    for (size_t i = 0; i < 3; i++) {
        values[i] = tfm_table_find(table, list_keys[i]);
        if (values[i] && values[i]->type != TFM_VALUE_U32S)
            return refuse(model, list_keys[i], "has the wrong type", error);
        total += values[i] ? values[i]->n : 0;
    }
    model->lists = calloc(total ? total : 1, sizeof *model->lists);
    if (!model->lists) return tfm_no_memory(error, "%s", path_of(model));
    int32_t *list = model->lists;
    for (size_t i = 0; i < 3; i++) {
        if (!values[i]) continue;
        tfm_status status = read_ids(model, values[i], list, error);
        if (status == TFM_OK && i == 2) status = split_words(model, list_keys[i], list, values[i]->n, error);
        if (status != TFM_OK) return status;
        if (i == 0) {
            model->defaults.eos_token_ids = list;
            model->defaults.n_eos_token_ids = values[i]->n;
        } else if (i == 1) {
            model->defaults.suppress_tokens = list;
            model->defaults.n_suppress_tokens = values[i]->n;
        }
        list += values[i]->n;
    }
    return TFM_OK;
}

static bool is_list_key(const char *key) {
    for (size_t i = 0; i < 3; i++)
        if (!strcmp(key, list_keys[i])) return true;
    return false;
}

tfm_status tfm_generation_defaults_read(tfm_model *model, const tfm_table *table, tfm_error *error) {
    model->defaults = standard;
    if (!table) return TFM_OK;
    for (size_t i = 0; i < tfm_table_count(table); i++) {
        const tfm_value *value = tfm_table_at(table, i);
        if (is_list_key(value->key)) continue;
        tfm_status status = TFM_OK;
        if (!strcmp(value->key, "early_stopping")) {
            status = read_early_stopping(model, value, error);
        } else {
            size_t f = 0;
            while (f < sizeof fields / sizeof *fields && strcmp(fields[f].key, value->key) != 0) f++;
            if (f == sizeof fields / sizeof *fields) return refuse(model, value->key, "is not known", error);
            status = read_scalar(model, &fields[f], value, error);
        }
        if (status != TFM_OK) return status;
    }
    if (model->defaults.decoder_start_token_id < 0)
        model->defaults.decoder_start_token_id = model->defaults.bos_token_id;
    return read_lists(model, table, error);
}
