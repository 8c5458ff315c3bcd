/* settings_lists.c - options whose values are lists: token ids, bad words, biases of logits, stop strings, texts. */
#include "settings_lists.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/tfm.h"

/* ---- token ids ---- */

tfm_status tfm_parse_id_list(void *settings, const tfm_option *option, const char *what, const char *value,
                             tfm_error *error) {
    tfm_ids *list = (tfm_ids *)((char *)settings + option->offset);
    tfm_ids ids = {0};
    size_t n = strlen(value);
    if (n >= 2 && value[0] == '[' && value[n - 1] == ']') {
        value++;
        n -= 2;
    }
    tfm_status status = TFM_OK;
    if (!(n == 4 && memcmp(value, "none", 4) == 0)) status = tfm_parse_ids(what, value, n, INT32_MAX, &ids, error);
    if (status != TFM_OK) {
        tfm_ids_free(&ids);
        return status;
    }
    tfm_ids_free(list);
    *list = ids;
    return TFM_OK;
}

static tfm_status read_bad_word(const json_t *word, const char *what, tfm_ids *flat, tfm_error *error) {
    int32_t n = (int32_t)json_array_size(word);
    if (!json_is_array(word) || n == 0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: each word is a list of token ids, as in [[1, 2], [3]]", what);
    if (!tfm_ids_append(flat, &n, 1)) return tfm_no_memory(error, "%s", what);
    for (size_t i = 0; i < (size_t)n; i++) {
        const json_t *id = json_array_get(word, i);
        json_int_t number = json_is_integer(id) ? json_integer_value(id) : -1;
        if (number < 0 || number > INT32_MAX)
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: each word is a list of token ids, as in [[1, 2], [3]]",
                            what);
        int32_t value = (int32_t)number;
        if (!tfm_ids_append(flat, &value, 1)) return tfm_no_memory(error, "%s", what);
    }
    return TFM_OK;
}

/* Makes the views of the words; flat is final here. */
static tfm_tokens *word_views(const tfm_ids *flat, size_t n_words) {
    tfm_tokens *views = calloc(n_words ? n_words : 1, sizeof *views);
    for (size_t i = 0, at = 0; views && i < n_words; i++) {
        views[i] = (tfm_tokens){.ids = flat->data + at + 1, .n = (size_t)flat->data[at]};
        at += 1 + views[i].n;
    }
    return views;
}

tfm_status tfm_parse_bad_words(void *user, const tfm_option *option, const char *what, const char *value,
                               tfm_error *error) {
    (void)option;
    tfm_decoding *decoding = &((tfm_settings *)user)->decoding;
    if (strcmp(value, "none") == 0) value = "[]";
    json_error_t where;
    json_t *words = json_loads(value, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_array(words)) {
        json_decref(words);
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: '%.80s' is not a JSON list of lists, as in [[1, 2], [3]]", what,
                        value);
    }
    tfm_ids flat = {0};
    tfm_status status = TFM_OK;
    size_t n_words = json_array_size(words);
    for (size_t i = 0; i < n_words && status == TFM_OK; i++)
        status = read_bad_word(json_array_get(words, i), what, &flat, error);
    json_decref(words);
    tfm_tokens *views = status == TFM_OK ? word_views(&flat, n_words) : NULL;
    if (status == TFM_OK && !views) status = tfm_no_memory(error, "%s", what);
    if (status != TFM_OK) {
        tfm_ids_free(&flat);
        return status;
    }
    tfm_ids_free(&decoding->bad_words);
    free(decoding->bad_word_list);
    decoding->bad_words = flat;
    decoding->bad_word_list = views;
    decoding->n_bad_words = n_words;
    return TFM_OK;
}

/* ---- texts ---- */

tfm_status tfm_parse_prefix(void *user, const tfm_option *option, const char *what, const char *value,
                            tfm_error *error) {
    (void)option;
    tfm_decoding *decoding = &((tfm_settings *)user)->decoding;
    char *copy = strdup(value);
    if (!copy) return tfm_no_memory(error, "%s", what);
    free(decoding->prefix);
    decoding->prefix = copy;
    return TFM_OK;
}

tfm_status tfm_parse_language(void *user, const tfm_option *option, const char *what, const char *value,
                              tfm_error *error) {
    tfm_decoding *decoding = &((tfm_settings *)user)->decoding;
    const bool is_source = option->offset == offsetof(tfm_settings, decoding.values.source_language);
    char **kept = &decoding->languages[!is_source];
    char *copy = strcmp(value, "none") != 0 ? strdup(value) : NULL;
    if (!copy && strcmp(value, "none") != 0) return tfm_no_memory(error, "%s", what);
    free(*kept);
    *kept = copy;
    return TFM_OK;
}

/* In place: \n, \t and \\ become what they stand for; other backslashes stay. */
static void unescape(char *text) {
    char *out = text;
    for (const char *in = text; *in; in++) {
        char next = *in == '\\' ? in[1] : 0;
        bool known = next == 'n' || next == 't' || next == '\\';
        *out++ = next == 'n' ? '\n' : next == 't' ? '\t' : *in;
        in += known;
    }
    *out = 0;
}

tfm_status tfm_parse_stop(void *user, const tfm_option *option, const char *what, const char *value, tfm_error *error) {
    (void)option;
    tfm_decoding *decoding = &((tfm_settings *)user)->decoding;
    if (!*value) return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: an empty text would stop every output at once", what);
    if (!tfm_grow(&decoding->stops, &decoding->stop_capacity, decoding->n_stops, 1, sizeof *decoding->stops))
        return tfm_no_memory(error, "%s", what);
    char *stop = strdup(value);
    if (!stop) return tfm_no_memory(error, "%s", what);
    unescape(stop);
    decoding->stops[decoding->n_stops++] = stop;
    return TFM_OK;
}

bool tfm_print_stops(const tfm_decoding *decoding, tfm_text *out) {
    bool ok = decoding->n_stops || tfm_text_print(out, "none");
    for (size_t i = 0; i < decoding->n_stops && ok; i++) {
        ok = tfm_text_print(out, "%s\"", i ? " " : "");
        for (const char *c = decoding->stops[i]; *c && ok; c++) {
            const char *word = *c == '\n' ? "\\n" : *c == '\t' ? "\\t" : *c == '\\' ? "\\\\" : NULL;
            ok = word ? tfm_text_append(out, word, 2) : tfm_text_append(out, c, 1);
        }
        ok = ok && tfm_text_append(out, "\"", 1);
    }
    return ok;
}

/* ---- numbers of tokens ---- */

/* One "ID=X" of n bytes. */
static tfm_status read_bias(const char *what, const char *text, size_t n, tfm_logit_bias *bias, tfm_error *error) {
    char copy[64];
    const char *equals = memchr(text, '=', n);
    if (!equals || n >= sizeof copy)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: '%.*s' is not ID=X, as in 5=1.5 or 7=-inf", what,
                        (int)(n > 40 ? 40 : n), text);
    memcpy(copy, text, n);
    copy[n] = 0;
    char *value = copy + (equals - text);
    *value++ = 0;
    int64_t id;
    double number = -INFINITY;
    tfm_status status = tfm_parse_i64(what, copy, 0, INT32_MAX, &id, error);
    if (status == TFM_OK && strcmp(value, "-inf") != 0)
        status = tfm_parse_double(what, value, -1e9, 1e9, &number, error);
    if (status == TFM_OK) *bias = (tfm_logit_bias){.id = (int32_t)id, .bias = (float)number};
    return status;
}

tfm_status tfm_parse_logit_bias(void *user, const tfm_option *option, const char *what, const char *value,
                                tfm_error *error) {
    (void)option;
    tfm_decoding *decoding = &((tfm_settings *)user)->decoding;
    do {
        size_t n = strcspn(value, ", ");
        if (!tfm_grow(&decoding->logit_bias, &decoding->logit_bias_capacity, decoding->n_logit_bias, 1,
                      sizeof *decoding->logit_bias))
            return tfm_no_memory(error, "%s", what);
        tfm_status status = read_bias(what, value, n, &decoding->logit_bias[decoding->n_logit_bias], error);
        if (status != TFM_OK) return status;
        decoding->n_logit_bias++;
        value += n + strspn(value + n, ", ");
    } while (*value);
    return TFM_OK;
}

bool tfm_print_logit_bias(const tfm_generate_params *params, tfm_text *out) {
    bool ok = params->n_logit_bias || tfm_text_print(out, "none");
    for (size_t i = 0; i < params->n_logit_bias && ok; i++)
        ok = tfm_text_print(out, "%s%d=%.9g", i ? " " : "", params->logit_bias[i].id,
                            (double)params->logit_bias[i].bias);
    return ok;
}

tfm_status tfm_parse_seed(void *user, const tfm_option *option, const char *what, const char *value, tfm_error *error) {
    (void)option;
    return tfm_parse_u64(what, value, 0, INT64_MAX, &((tfm_settings *)user)->decoding.values.seed, error);
}

bool tfm_copy_lists(const tfm_decoding *from, tfm_decoding *to) {
    *to = (tfm_decoding){.values = from->values};
    bool ok = tfm_ids_append(&to->eos_token_ids, from->eos_token_ids.data, from->eos_token_ids.size) &&
              tfm_ids_append(&to->suppress_tokens, from->suppress_tokens.data, from->suppress_tokens.size) &&
              tfm_ids_append(&to->prefix_ids, from->prefix_ids.data, from->prefix_ids.size) &&
              tfm_ids_append(&to->bad_words, from->bad_words.data, from->bad_words.size);
    if (ok && from->bad_word_list) ok = (to->bad_word_list = word_views(&to->bad_words, from->n_bad_words));
    to->n_bad_words = to->bad_word_list ? from->n_bad_words : 0;
    if (ok && from->prefix) ok = (to->prefix = strdup(from->prefix));
    for (size_t i = 0; i < 2 && ok; i++)
        if (from->languages[i]) ok = (to->languages[i] = strdup(from->languages[i]));
    for (size_t i = 0; ok && i < from->n_stops; i++) {
        ok = tfm_grow(&to->stops, &to->stop_capacity, to->n_stops, 1, sizeof *to->stops) &&
             (to->stops[to->n_stops] = strdup(from->stops[i]));
        to->n_stops += ok;
    }
    if (ok && from->n_logit_bias) {
        ok = tfm_grow(&to->logit_bias, &to->logit_bias_capacity, 0, from->n_logit_bias, sizeof *to->logit_bias);
        if (ok) memcpy(to->logit_bias, from->logit_bias, from->n_logit_bias * sizeof *to->logit_bias);
        to->n_logit_bias = ok ? from->n_logit_bias : 0;
    }
    return ok;
}

void tfm_clear_list(tfm_decoding *decoding, const tfm_option *option) {
    if (option->parse == tfm_parse_stop) {
        for (size_t i = 0; i < decoding->n_stops; i++) free(decoding->stops[i]);
        free(decoding->stops);
        decoding->stops = NULL;
        decoding->n_stops = decoding->stop_capacity = 0;
    } else if (option->parse == tfm_parse_logit_bias) {
        free(decoding->logit_bias);
        decoding->logit_bias = NULL;
        decoding->n_logit_bias = decoding->logit_bias_capacity = 0;
    }
}
