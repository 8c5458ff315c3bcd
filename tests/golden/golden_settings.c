/* golden_settings.c - see golden_settings.h. */
#include "golden_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* GenerationConfig of transformers where nothing is said. */
static const tfm_generate_params standard = {
    .num_beams = 1,
    .num_return_sequences = 1,
    .max_length = 20,
    .length_penalty = 1,
    .repetition_penalty = 1,
    .decoder_start_token_id = -1,
    .bos_token_id = -1,
    .forced_bos_token_id = -1,
    .forced_eos_token_id = -1,
    .pad_token_id = -1,
    .temperature = 1,
    .top_p = 1,
    .typical_p = 1,
};

typedef enum kind { COUNT, TOKEN, REAL, FLAG } kind;
static const struct field {
    const char *name;
    kind kind;
    size_t offset;
} fields[] = {
#define FIELD(name, kind)                                                                                              \
    { #name, kind, offsetof(tfm_generate_params, name) }
    FIELD(num_beams, COUNT),
    FIELD(num_return_sequences, COUNT),
    FIELD(max_length, COUNT),
    FIELD(max_new_tokens, COUNT),
    FIELD(min_length, COUNT),
    FIELD(min_new_tokens, COUNT),
    FIELD(no_repeat_ngram_size, COUNT),
    FIELD(do_sample, FLAG),
    FIELD(top_k, COUNT),
    FIELD(temperature, REAL),
    FIELD(top_p, REAL),
    FIELD(min_p, REAL),
    FIELD(typical_p, REAL),
    FIELD(length_penalty, REAL),
    FIELD(repetition_penalty, REAL),
    FIELD(renormalize_logits, FLAG),
    FIELD(decoder_start_token_id, TOKEN),
    FIELD(bos_token_id, TOKEN),
    FIELD(forced_bos_token_id, TOKEN),
    FIELD(forced_eos_token_id, TOKEN),
    FIELD(pad_token_id, TOKEN),
#undef FIELD
};
#define N_FIELDS (sizeof fields / sizeof *fields)

static void set_scalar(tfm_generate_params *params, const struct field *f, const json_t *value) {
    void *out = (char *)params + f->offset;
    const void *none = (const char *)&standard + f->offset;
    bool null = json_is_null(value);
    switch (f->kind) {
    case COUNT: *(uint32_t *)out = null ? *(const uint32_t *)none : (uint32_t)json_integer_value(value); break;
    case TOKEN: *(int32_t *)out = null ? -1 : (int32_t)json_integer_value(value); break;
    case REAL: *(double *)out = null ? *(const double *)none : json_number_value(value); break;
    case FLAG: *(bool *)out = json_is_true(value); break;
    }
}

static void *own(golden_settings *s, size_t n, size_t size) {
    void *memory = s->n_owned < sizeof s->owned / sizeof *s->owned ? calloc(n + 1, size) : NULL;
    if (!memory) abort();
    return s->owned[s->n_owned++] = memory;
}

/* A number or a list of numbers. */
static int32_t *read_list(golden_settings *s, const json_t *value, size_t *n) {
    *n = json_is_array(value) ? json_array_size(value) : json_is_integer(value);
    int32_t *list = own(s, *n, sizeof *list);
    for (size_t i = 0; i < *n; i++)
        list[i] = (int32_t)json_integer_value(json_is_array(value) ? json_array_get(value, i) : value);
    return list;
}

static void read_words(golden_settings *s, const json_t *value) {
    size_t n = json_array_size(value), total = 0, at = 0;
    for (size_t i = 0; i < n; i++) total += json_array_size(json_array_get(value, i));
    tfm_tokens *words = own(s, n, sizeof *words);
    int32_t *ids = own(s, total, sizeof *ids);
    for (size_t i = 0; i < n; i++) {
        const json_t *word = json_array_get(value, i);
        words[i] = (tfm_tokens){ids + at, json_array_size(word)};
        for (size_t j = 0; j < words[i].n; j++) ids[at++] = (int32_t)json_integer_value(json_array_get(word, j));
    }
    s->params.bad_words = words;
    s->params.n_bad_words = n;
}

static bool set_early_stopping(tfm_generate_params *params, const json_t *value) {
    const char *word = json_string_value(value);
    if (word && strcmp(word, "never")) return false;
    params->early_stopping = word ? TFM_EARLY_NEVER : json_is_true(value) ? TFM_EARLY_TRUE : TFM_EARLY_FALSE;
    return true;
}

static bool set(golden_settings *s, const char *key, const json_t *value) {
    for (size_t i = 0; i < N_FIELDS; i++) {
        if (strcmp(fields[i].name, key)) continue;
        set_scalar(&s->params, &fields[i], value);
        return true;
    }
    if (!strcmp(key, "early_stopping")) return set_early_stopping(&s->params, value);
    if (!strcmp(key, "bad_words_ids")) return read_words(s, value), true;
    if (!strcmp(key, "eos_token_id"))
        return s->params.eos_token_ids = read_list(s, value, &s->params.n_eos_token_ids), true;
    if (!strcmp(key, "suppress_tokens"))
        return s->params.suppress_tokens = read_list(s, value, &s->params.n_suppress_tokens), true;
    return json_is_null(value);
}

bool golden_settings_apply(golden_settings *s, const json_t *object, char why[200]) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        if (set(s, key, value)) continue;
        snprintf(why, 200, "setting %s is not known", key);
        return false;
    }
    return true;
}

static size_t max_length(const tfm_generate_params *p) {
    return p->max_new_tokens ? p->max_new_tokens + 1 : p->max_length;
}

static bool same_list(const int32_t *a, size_t n_a, const int32_t *b, size_t n_b) {
    return n_a == n_b && (n_a == 0 || !memcmp(a, b, n_a * sizeof *a));
}

static bool same_words(const tfm_generate_params *a, const tfm_generate_params *b) {
    if (a->n_bad_words != b->n_bad_words) return false;
    for (size_t i = 0; i < a->n_bad_words; i++)
        if (!same_list(a->bad_words[i].ids, a->bad_words[i].n, b->bad_words[i].ids, b->bad_words[i].n)) return false;
    return true;
}

static bool same_scalar(const tfm_generate_params *a, const tfm_generate_params *b, const struct field *f) {
    const char *x = (const char *)a + f->offset, *y = (const char *)b + f->offset;
    switch (f->kind) {
    case REAL: return *(const double *)x == *(const double *)y;
    case FLAG: return *(const bool *)x == *(const bool *)y;
    default: return *(const uint32_t *)x == *(const uint32_t *)y;
    }
}

/* Settings of sampling mean nothing without it. */
static bool is_for_sampling(const struct field *f) {
    static const char *const names[] = {"top_k", "temperature", "top_p", "min_p", "typical_p"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(f->name, names[i])) return true;
    return false;
}

static const char *first_difference(const tfm_generate_params *a, const tfm_generate_params *b) {
    for (size_t i = 0; i < N_FIELDS; i++) {
        bool length = !strncmp(fields[i].name, "max_", 4); /* two settings for one length */
        if (length || (is_for_sampling(&fields[i]) && !a->do_sample && !b->do_sample)) continue;
        if (!same_scalar(a, b, &fields[i])) return fields[i].name;
    }
    if (max_length(a) != max_length(b)) return "max_length";
    if (a->early_stopping != b->early_stopping) return "early_stopping";
    if (!same_list(a->eos_token_ids, a->n_eos_token_ids, b->eos_token_ids, b->n_eos_token_ids)) return "eos_token_id";
    if (!same_list(a->suppress_tokens, a->n_suppress_tokens, b->suppress_tokens, b->n_suppress_tokens))
        return "suppress_tokens";
    return same_words(a, b) ? NULL : "bad_words_ids";
}

bool golden_settings_match(const golden_settings *settings, const json_t *effective, char why[200]) {
    golden_settings expected = {.params = standard};
    if (!json_object_get(effective, "pad_token_id")) /* not said of prompts that are continued one by one */
        expected.params.pad_token_id = settings->params.pad_token_id;
    bool ok = golden_settings_apply(&expected, effective, why);
    const char *name = ok ? first_difference(&settings->params, &expected.params) : NULL;
    if (name) snprintf(why, 200, "setting %s is not the one of the case", name);
    golden_settings_free(&expected);
    return ok && !name;
}

void golden_settings_free(golden_settings *settings) {
    for (size_t i = 0; i < settings->n_owned; i++) free(settings->owned[i]);
    settings->n_owned = 0;
}
