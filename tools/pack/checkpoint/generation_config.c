/* generation_config.c - decoding defaults of a checkpoint become the section generation. */
#include "generation_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#define IDS_MAX ((size_t)1 << 20)

/* Whole numbers and flags that are written as they are. */
static const char *const numbers[] = {"max_length", "max_new_tokens",       "min_length",           "min_new_tokens",
                                      "num_beams",  "num_return_sequences", "no_repeat_ngram_size", NULL};
static const char *const ids[] = {"forced_bos_token_id", "bos_token_id", NULL};
static const char *const reals[] = {"length_penalty", "repetition_penalty", NULL};

static void write_number(tfm_config *config, tfm_table_builder *table, const char *key, uint64_t max) {
    const json_t *value = json_object_get(config->object, key);
    if (!value || json_is_null(value)) return;
    uint64_t number = tfm_config_u64(config, key, 0, max, 0);
    if (config->status == TFM_OK) tfm_table_set_u64(table, key, number);
}

static void write_real(tfm_config *config, tfm_table_builder *table, const char *key) {
    const json_t *value = json_object_get(config->object, key);
    if (!value || json_is_null(value)) return;
    if (!json_is_number(value))
        tfm_config_fail(config, TFM_ERROR_FORMAT, key, "is not a number");
    else
        tfm_table_set_f64(table, key, json_number_value(value));
}

/* A real that only sampling looks at; one out of range matters only if tokens are drawn. */
static void write_sampling_real(tfm_config *config, tfm_table_builder *table, const char *key, bool draws) {
    double value = json_number_value(json_object_get(config->object, key));
    bool possible = strcmp(key, "temperature") ? value >= 0 && value <= 1 : value > 0;
    if (!json_is_number(json_object_get(config->object, key)) || possible)
        write_real(config, table, key);
    else if (draws)
        tfm_config_fail(config, TFM_ERROR_FORMAT, key, "is out of range");
}

/* Whether tokens are to be drawn, which is not done with beams. */
static bool samples(const tfm_config *config) {
    return json_is_true(json_object_get(config->object, "do_sample")) &&
           json_integer_value(json_object_get(config->object, "num_beams")) <= 1;
}

static void write_sampling(tfm_config *config, tfm_table_builder *table) {
    static const char *const keys[] = {"temperature", "top_p", "min_p", "typical_p"};
    bool draws = samples(config);
    if (draws) tfm_table_set_u64(table, "do_sample", 1);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) write_sampling_real(config, table, keys[i], draws);
    /* Where it is not said transformers takes 50; null is none. */
    if (draws && !json_object_get(config->object, "top_k"))
        tfm_table_set_u64(table, "top_k", 50);
    else if (draws || json_integer_value(json_object_get(config->object, "top_k")) >= 0)
        write_number(config, table, "top_k", UINT32_MAX);
}

/* Older configurations have 0 and 1 for false and true. */
static void write_early_stopping(tfm_config *config, tfm_table_builder *table) {
    const json_t *value = json_object_get(config->object, "early_stopping");
    if (!value || json_is_null(value)) return;
    if (json_is_boolean(value) || (json_is_integer(value) && (json_integer_value(value) | 1) == 1))
        tfm_table_set_string(table, "early_stopping",
                             json_is_true(value) || json_integer_value(value) == 1 ? "true" : "false");
    else if (json_is_string(value) && strcmp(json_string_value(value), "never") == 0)
        tfm_table_set_string(table, "early_stopping", "never");
    else
        tfm_config_fail(config, TFM_ERROR_FORMAT, "early_stopping", "is none of false, true and \"never\"");
}

static bool get_id(tfm_config *config, const char *key, const json_t *value, uint32_t *id) {
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || number > INT32_MAX) {
        tfm_config_fail(config, TFM_ERROR_FORMAT, key, "has a value that is not a token id");
        return false;
    }
    *id = (uint32_t)number;
    return true;
}

/* One id or a list of ids. */
static void write_ids(tfm_config *config, tfm_table_builder *table, const char *key) {
    const json_t *value = json_object_get(config->object, key);
    if (!value || json_is_null(value)) return;
    size_t n = json_is_array(value) ? json_array_size(value) : 1;
    uint32_t *list = n <= IDS_MAX ? malloc((n + 1) * sizeof *list) : NULL;
    if (!list) {
        tfm_config_fail(config, TFM_ERROR_MEMORY, key, "is too long a list");
        return;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++)
        ok = get_id(config, key, json_is_array(value) ? json_array_get(value, i) : value, &list[i]);
    if (ok && n > 0) tfm_table_set_array(table, key, TFM_VALUE_U32S, list, n);
    free(list);
}

/* Each word as its length, then its ids. */
static void write_bad_words(tfm_config *config, tfm_table_builder *table) {
    const char *key = "bad_words_ids";
    const json_t *words = json_object_get(config->object, key);
    if (!words || json_is_null(words)) return;
    size_t total = 0, n = 0;
    for (size_t i = 0; i < json_array_size(words); i++) {
        const json_t *word = json_array_get(words, i);
        if (json_array_size(word) == 0) {
            tfm_config_fail(config, TFM_ERROR_FORMAT, key, "is not a list of lists of token ids");
            return;
        }
        total += 1 + json_array_size(word);
    }
    uint32_t *list = total <= IDS_MAX ? malloc((total + 1) * sizeof *list) : NULL;
    if (!list) {
        tfm_config_fail(config, TFM_ERROR_MEMORY, key, "is too long a list");
        return;
    }
    bool ok = json_is_array(words);
    if (!ok) tfm_config_fail(config, TFM_ERROR_FORMAT, key, "is not a list of lists of token ids");
    for (size_t i = 0; ok && i < json_array_size(words); i++) {
        const json_t *word = json_array_get(words, i);
        list[n++] = (uint32_t)json_array_size(word);
        for (size_t k = 0; ok && k < json_array_size(word); k++)
            ok = get_id(config, key, json_array_get(word, k), &list[n++]);
    }
    if (ok && n > 0) tfm_table_set_array(table, key, TFM_VALUE_U32S, list, n);
    free(list);
}

/* Settings that would change results and that the runtime does not have: left out, and said. */
static void note_unsupported(const tfm_config *config, const tfm_pack_options *options) {
    static const struct {
        const char *key;
        double neutral;
    } settings[] = {{"epsilon_cutoff", 0},
                    {"eta_cutoff", 0},
                    {"num_beam_groups", 1},
                    {"diversity_penalty", 0},
                    {"penalty_alpha", 0},
                    {"guidance_scale", 1},
                    {"encoder_no_repeat_ngram_size", 0},
                    {"force_words_ids", 0},
                    {"encoder_repetition_penalty", 1},
                    {"constraints", 0},
                    {"begin_suppress_tokens", 0},
                    {"sequence_bias", 0},
                    {"exponential_decay_length_penalty", 0},
                    {"forced_decoder_ids", 0},
                    {"remove_invalid_values", 0},
                    {"watermarking_config", 0}};
    char text[400] = "";
    size_t used = 0;
    if (json_is_true(json_object_get(config->object, "do_sample")) && !samples(config))
        used = (size_t)snprintf(text, sizeof text, "do_sample with num_beams");
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const json_t *value = json_object_get(config->object, settings[i].key);
        if (!value || json_is_null(value) || json_is_false(value)) continue;
        if (json_is_number(value) && json_number_value(value) == settings[i].neutral) continue;
        if (json_is_array(value) && json_array_size(value) == 0) continue;
        if (used + 40 < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? ", " : "", settings[i].key);
    }
    if (used) tfm_pack_note(options, "%s: settings that are not supported are left out: %s", config->file, text);
}

/* forced_eos_token_id may be a list in transformers; the runtime forces one. */
static void write_single_id(tfm_config *config, tfm_table_builder *table, const char *key) {
    const json_t *value = json_object_get(config->object, key);
    uint32_t id;
    if (json_is_array(value) && json_array_size(value) == 1) value = json_array_get(value, 0);
    if (!value || json_is_null(value)) return;
    if (get_id(config, key, value, &id)) tfm_table_set_u64(table, key, id);
}

/* config.json of a repository older than generation_config.json: the class's defaults fill the gaps. */
static json_t *from_config(const json_t *config, const tfm_generation_ids *defaults) {
    const struct {
        const char *key;
        int64_t id;
    } gaps[] = {{"decoder_start_token_id", defaults->decoder_start},
                {"pad_token_id", defaults->pad},
                {"eos_token_id", defaults->eos},
                {"forced_eos_token_id", defaults->forced_eos}};
    json_t *copy = json_copy((json_t *)config);
    bool ok = copy != NULL;
    for (size_t i = 0; ok && i < sizeof gaps / sizeof *gaps; i++)
        if (gaps[i].id >= 0 && !json_object_get(copy, gaps[i].key))
            ok = json_object_set_new(copy, gaps[i].key, json_integer(gaps[i].id)) == 0;
    if (ok) return copy;
    json_decref(copy);
    return NULL;
}

/* What generation starts from must be an id the decoder has. */
static void write_start(tfm_config *config, const json_t *model_config, tfm_table_builder *table, uint64_t vocab_size) {
    static const char *const keys[] = {"decoder_start_token_id", "bos_token_id", NULL};
    for (size_t i = 0; keys[i]; i++) {
        const json_t *value = json_object_get(config->object, keys[i]);
        uint32_t id;
        if (!value || json_is_null(value)) continue;
        if (!get_id(config, keys[i], value, &id)) return;
        if (id >= vocab_size) {
            tfm_config_fail(config, TFM_ERROR_FORMAT, keys[i], "is not in the decoder's vocabulary");
            return;
        }
        tfm_table_set_u64(table, "decoder_start_token_id", id);
        return;
    }
    const json_t *value = json_object_get(model_config, "decoder_start_token_id");
    if (json_is_integer(value) && json_integer_value(value) >= 0 && (uint64_t)json_integer_value(value) < vocab_size)
        tfm_table_set_u64(table, "decoder_start_token_id", (uint64_t)json_integer_value(value));
}

tfm_status tfm_write_generation(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_generation_ids *defaults,
                                uint64_t vocab_size, const tfm_pack_options *options, tfm_error *error) {
    const json_t *own = tfm_checkpoint_generation_config(checkpoint);
    json_t *merged = own ? json_incref((json_t *)own) : from_config(tfm_checkpoint_config(checkpoint), defaults);
    tfm_table_builder *table = tfm_table_builder_new();
    tfm_config config = {tfm_checkpoint_path(checkpoint), own ? "generation_config.json" : "config.json", merged,
                         TFM_OK, error};
    if (!table || !merged) {
        config.status = tfm_no_memory(error, "%s", tfm_checkpoint_path(checkpoint));
    } else {
        for (size_t i = 0; numbers[i]; i++) write_number(&config, table, numbers[i], UINT32_MAX);
        for (size_t i = 0; ids[i]; i++) write_number(&config, table, ids[i], INT32_MAX);
        for (size_t i = 0; reals[i]; i++) write_real(&config, table, reals[i]);
        tfm_table_set_u64(table, "renormalize_logits", tfm_config_bool(&config, "renormalize_logits", false));
        write_number(&config, table, "pad_token_id", INT32_MAX);
        write_single_id(&config, table, "forced_eos_token_id");
        write_early_stopping(&config, table);
        write_sampling(&config, table);
        write_ids(&config, table, "eos_token_id");
        write_ids(&config, table, "suppress_tokens");
        write_bad_words(&config, table);
        if (!defaults->causal) write_start(&config, tfm_checkpoint_config(checkpoint), table, vocab_size);
        note_unsupported(&config, options);
    }
    tfm_status status = config.status;
    if (status == TFM_OK) status = tfm_writer_section(writer, "generation", table, error);
    tfm_table_builder_free(&table);
    json_decref(merged);
    return status;
}
