/* generation_config.c - decoding defaults of a checkpoint become the section generation. */
#include "generation_config.h"

#include <stdlib.h>
#include <string.h>

#include "tools/pack/config/keys.h"

#define IDS_MAX ((size_t)1 << 20)

/* What is read, what it goes into, and who is told. */
typedef struct generation {
    tfm_config config;
    tfm_table_builder *table;
    uint64_t vocab_size;
    const tfm_pack_options *options;
} generation;

/* ---- numbers ---- */

static const char *const numbers[] = {"min_length",           "min_new_tokens",       "num_beams",
                                      "num_return_sequences", "no_repeat_ngram_size", NULL};
static const char *const limits[] = {"max_length", "max_new_tokens", NULL};
static const char *const reals[] = {"length_penalty", "repetition_penalty", NULL};

static void write_number(generation *g, const char *key) {
    if (!tfm_config_get(&g->config, key)) return;
    uint64_t number = tfm_config_u64(&g->config, key, 0, UINT32_MAX, 0);
    if (g->config.status == TFM_OK) tfm_table_set_u64(g->table, key, number);
}

/* A length that may be as large as Python's whole numbers: 10^30 is no limit. */
static void write_limit(generation *g, const char *key) {
    const json_t *value = tfm_config_get(&g->config, key);
    if (json_number_value(value) >= UINT32_MAX)
        tfm_table_set_u64(g->table, key, UINT32_MAX);
    else
        write_number(g, key);
}

static void write_real(generation *g, const char *key) {
    const json_t *value = tfm_config_get(&g->config, key);
    if (!value) return;
    if (!json_is_number(value))
        tfm_config_fail(&g->config, TFM_ERROR_FORMAT, key, "is not a number");
    else
        tfm_table_set_f64(g->table, key, json_number_value(value));
}

/* ---- search and sampling ---- */

/* A real that only sampling looks at; one out of range matters only if tokens are drawn. */
static void write_sampling_real(generation *g, const char *key, bool draws) {
    const json_t *number = tfm_config_get(&g->config, key);
    double value = json_number_value(number);
    bool possible = strcmp(key, "temperature") ? value >= 0 && value <= 1 : value > 0;
    if (!json_is_number(number) || possible)
        write_real(g, key);
    else if (draws)
        tfm_config_fail(&g->config, TFM_ERROR_FORMAT, key, "is out of range");
}

static void write_sampling(generation *g) {
    static const char *const keys[] = {"temperature", "top_p", "min_p", "typical_p"};
    const bool asked = tfm_config_bool(&g->config, "do_sample", false);
    /* Tokens are not drawn together with beams. */
    const bool draws = asked && json_integer_value(tfm_config_get(&g->config, "num_beams")) <= 1;
    if (draws) tfm_table_set_u64(g->table, "do_sample", 1);
    if (asked && !draws)
        tfm_pack_note(g->options, "%s: settings that are not supported are left out: do_sample with num_beams",
                      g->config.file);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) write_sampling_real(g, keys[i], draws);
    /* Where it is not said transformers takes 50; null is none. */
    if (draws && !tfm_config_has(&g->config, "top_k"))
        tfm_table_set_u64(g->table, "top_k", 50);
    else if (draws || json_integer_value(tfm_config_get(&g->config, "top_k")) >= 0)
        write_number(g, "top_k");
}

/* Older configurations have 0 and 1 for false and true. */
static void write_early_stopping(generation *g) {
    const json_t *value = tfm_config_get(&g->config, "early_stopping");
    if (!value) return;
    if (json_is_boolean(value) || (json_is_integer(value) && (json_integer_value(value) | 1) == 1))
        tfm_table_set_string(g->table, "early_stopping",
                             json_is_true(value) || json_integer_value(value) == 1 ? "true" : "false");
    else if (json_is_string(value) && strcmp(json_string_value(value), "never") == 0)
        tfm_table_set_string(g->table, "early_stopping", "never");
    else
        tfm_config_fail(&g->config, TFM_ERROR_FORMAT, "early_stopping", "is none of false, true and \"never\"");
}

/* ---- token ids ---- */

/* An id that the model may give or be given, or one that it must know. */
typedef enum id_rule { MAY_BE_OUTSIDE, MUST_BE_INSIDE } id_rule;

/*
 * Whether there is an id. A negative number stands for none, as -1 does for many; one outside the vocabulary never
 * comes, so that it says nothing either where it need not be inside.
 */
static bool get_id(generation *g, const char *key, const json_t *value, id_rule rule, uint32_t *id) {
    const json_int_t number = json_integer_value(value);
    const bool inside = number < INT32_MAX && (uint64_t)number < g->vocab_size;
    if (!json_is_integer(value) || (number < 0 && rule == MUST_BE_INSIDE)) {
        tfm_config_fail(&g->config, TFM_ERROR_FORMAT, key, "has a value that is not a token id");
        return false;
    }
    if (number < 0) return false;
    if (!inside && rule == MUST_BE_INSIDE)
        tfm_config_fail(&g->config, TFM_ERROR_FORMAT, key, "is not in the vocabulary");
    if (!inside && rule == MAY_BE_OUTSIDE)
        tfm_pack_note(g->options,
                      "%s: %s %lld is not in the vocabulary of %llu tokens: it never comes, and is left out",
                      g->config.file, key, (long long)number, (unsigned long long)g->vocab_size);
    *id = (uint32_t)number;
    return inside;
}

static void write_id(generation *g, const char *key, id_rule rule) {
    const json_t *value = tfm_config_get(&g->config, key);
    uint32_t id;
    /* forced_eos_token_id may be a list in transformers; one is forced here. */
    if (json_is_array(value) && json_array_size(value) == 1) value = json_array_get(value, 0);
    if (json_is_array(value))
        tfm_config_unsupported(&g->config, key);
    else if (value && (json_integer_value(value) >= 0 || !json_is_integer(value)) && get_id(g, key, value, rule, &id))
        tfm_table_set_u64(g->table, key, id);
}

/* One id or a list of ids. */
static void write_ids(generation *g, const char *key) {
    const json_t *value = tfm_config_get(&g->config, key);
    if (!value) return;
    size_t n = json_is_array(value) ? json_array_size(value) : 1, used = 0;
    uint32_t *list = n <= IDS_MAX ? malloc((n + 1) * sizeof *list) : NULL;
    if (!list) {
        tfm_config_fail(&g->config, TFM_ERROR_MEMORY, key, "is too long a list");
        return;
    }
    for (size_t i = 0; g->config.status == TFM_OK && i < n; i++)
        used += get_id(g, key, json_is_array(value) ? json_array_get(value, i) : value, MAY_BE_OUTSIDE, &list[used]);
    if (g->config.status == TFM_OK && used > 0) tfm_table_set_array(g->table, key, TFM_VALUE_U32S, list, used);
    free(list);
}

/* Words are lists of ids; *total: ids and words together. */
static bool are_words(const json_t *words, size_t *total) {
    *total = 0;
    for (size_t i = 0; i < json_array_size(words); i++) {
        const size_t n = json_array_size(json_array_get(words, i));
        if (n == 0) return false;
        *total += 1 + n;
    }
    return json_is_array(words);
}

/* Each word as its length, then its ids. */
static void write_bad_words(generation *g) {
    const char *key = "bad_words_ids";
    const json_t *words = tfm_config_get(&g->config, key);
    size_t total, n = 0;
    if (!words) return;
    if (!are_words(words, &total)) {
        tfm_config_fail(&g->config, TFM_ERROR_FORMAT, key, "is not a list of lists of token ids");
        return;
    }
    uint32_t *list = total <= IDS_MAX ? malloc((total + 1) * sizeof *list) : NULL;
    if (!list) {
        tfm_config_fail(&g->config, TFM_ERROR_MEMORY, key, "is too long a list");
        return;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < json_array_size(words); i++) {
        const json_t *word = json_array_get(words, i);
        list[n++] = (uint32_t)json_array_size(word);
        for (size_t k = 0; ok && k < json_array_size(word); k++)
            ok = get_id(g, key, json_array_get(word, k), MUST_BE_INSIDE, &list[n++]);
    }
    if (ok && n > 0) tfm_table_set_array(g->table, key, TFM_VALUE_U32S, list, n);
    free(list);
}

/* What generation starts from: its own, else bos_token_id, else the model's. */
static void write_start(generation *g, const json_t *model_config) {
    static const char *const keys[] = {"decoder_start_token_id", "bos_token_id", NULL};
    uint32_t id;
    for (size_t i = 0; keys[i]; i++) {
        const json_t *value = tfm_config_get(&g->config, keys[i]);
        if (!value) continue;
        if (get_id(g, keys[i], value, MUST_BE_INSIDE, &id)) tfm_table_set_u64(g->table, keys[0], id);
        return;
    }
    const json_t *value = json_object_get(model_config, "decoder_start_token_id");
    if (json_is_integer(value) && json_integer_value(value) >= 0 && (uint64_t)json_integer_value(value) < g->vocab_size)
        tfm_table_set_u64(g->table, keys[0], (uint64_t)json_integer_value(value));
}

/* ---- the section ---- */

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

static void write_settings(generation *g) {
    for (size_t i = 0; limits[i]; i++) write_limit(g, limits[i]);
    for (size_t i = 0; numbers[i]; i++) write_number(g, numbers[i]);
    for (size_t i = 0; reals[i]; i++) write_real(g, reals[i]);
    tfm_table_set_u64(g->table, "renormalize_logits", tfm_config_bool(&g->config, "renormalize_logits", false));
    write_early_stopping(g);
    write_sampling(g);
    write_id(g, "bos_token_id", MAY_BE_OUTSIDE);
    write_id(g, "pad_token_id", MAY_BE_OUTSIDE);
    write_id(g, "forced_bos_token_id", MUST_BE_INSIDE);
    write_id(g, "forced_eos_token_id", MUST_BE_INSIDE);
    write_ids(g, "eos_token_id");
    write_ids(g, "suppress_tokens");
    write_bad_words(g);
}

tfm_status tfm_write_generation(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_generation_ids *defaults,
                                uint64_t vocab_size, const tfm_pack_options *options, tfm_error *error) {
    const json_t *own = tfm_checkpoint_generation_config(checkpoint);
    const char *file = own ? "generation_config.json" : "config.json";
    json_t *merged = own ? json_incref((json_t *)own) : from_config(tfm_checkpoint_config(checkpoint), defaults);
    generation g = {
        .config = {.folder = tfm_checkpoint_path(checkpoint), .file = file, .object = merged, .error = error},
        .table = tfm_table_builder_new(),
        .vocab_size = vocab_size,
        .options = options};
    g.config.asked = json_object();
    tfm_status status = TFM_OK;
    if (!g.table || !merged || !g.config.asked) {
        status = tfm_no_memory(error, "%s", tfm_checkpoint_path(checkpoint));
    } else {
        write_settings(&g);
        if (!defaults->causal) write_start(&g, tfm_checkpoint_config(checkpoint));
        status = tfm_keys_check(&tfm_generation_keys, &g.config, !own, options);
    }
    if (status == TFM_OK) status = tfm_writer_section(writer, "generation", g.table, error);
    tfm_table_builder_free(&g.table);
    json_decref(merged);
    json_decref(g.config.asked);
    return status;
}
