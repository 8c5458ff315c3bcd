/* settings_tokens.c - options whose values are tokens: one, a list, bad words, biases of logits. */
#include "settings_tokens.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/tfm.h"
#include "settings_lists.h"

/* ---- one, and lists ---- */

tfm_status tfm_parse_token(void *user, const tfm_option *option, const char *what, const char *value,
                           tfm_error *error) {
    tfm_settings *settings = user;
    int32_t *field = (int32_t *)((char *)user + option->offset);
    if (strcasecmp(value, "none") != 0 && strcmp(value, "-1") != 0)
        return tfm_token_parse(what, value, strlen(value), INT32_MAX, &settings->names, field, error);
    *field = -1;
    return TFM_OK;
}

tfm_status tfm_parse_id_list(void *user, const tfm_option *option, const char *what, const char *value,
                             tfm_error *error) {
    tfm_settings *settings = user;
    tfm_ids *list = (tfm_ids *)((char *)user + option->offset);
    tfm_ids ids = {0};
    tfm_status status = TFM_OK;
    if (strcmp(value, "none") != 0 && strcmp(value, "[none]") != 0)
        status = tfm_tokens_parse(what, value, strlen(value), INT32_MAX, &settings->names, &ids, error);
    if (status != TFM_OK) {
        tfm_ids_free(&ids);
        return status;
    }
    tfm_ids_free(list);
    *list = ids;
    return TFM_OK;
}

/* ---- bad words ---- */

/* The token that a JSON number or string is. */
static tfm_status read_token(const json_t *item, const char *what, tfm_token_names *names, int32_t *id,
                             tfm_error *error) {
    char number[24];
    const char *word = json_string_value(item);
    if (json_is_integer(item) && json_integer_value(item) >= 0) {
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(item));
        word = number;
    }
    if (!word)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "%s: each word is a list of token ids and names, as in [[1, 2], [\"</s>\"]]", what);
    return tfm_token_parse(what, word, strlen(word), INT32_MAX, names, id, error);
}

static tfm_status read_bad_word(const json_t *word, const char *what, tfm_token_names *names, tfm_ids *flat,
                                tfm_error *error) {
    int32_t n = (int32_t)json_array_size(word);
    if (!json_is_array(word) || n == 0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "%s: each word is a list of token ids and names, as in [[1, 2], [\"</s>\"]]", what);
    if (!tfm_ids_append(flat, &n, 1)) return tfm_no_memory(error, "%s", what);
    for (size_t i = 0; i < (size_t)n; i++) {
        int32_t id;
        tfm_status status = read_token(json_array_get(word, i), what, names, &id, error);
        if (status != TFM_OK) return status;
        if (!tfm_ids_append(flat, &id, 1)) return tfm_no_memory(error, "%s", what);
    }
    return TFM_OK;
}

tfm_tokens *tfm_bad_word_views(const tfm_ids *flat, size_t n_words) {
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
    tfm_settings *settings = user;
    tfm_decoding *decoding = &settings->decoding;
    if (strcmp(value, "none") == 0) value = "[]";
    json_error_t where;
    json_t *words = json_loads(value, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_array(words)) {
        json_decref(words);
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "%s: '%.80s' is not a JSON list of lists, as in [[1, 2], [\"</s>\"]]", what, value);
    }
    tfm_ids flat = {0};
    tfm_status status = TFM_OK;
    size_t n_words = json_array_size(words);
    for (size_t i = 0; i < n_words && status == TFM_OK; i++)
        status = read_bad_word(json_array_get(words, i), what, &settings->names, &flat, error);
    json_decref(words);
    tfm_tokens *views = status == TFM_OK ? tfm_bad_word_views(&flat, n_words) : NULL;
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

/* ---- biases of logits ---- */

/* A token of n bytes and its bias. */
static tfm_status add_bias(tfm_settings *settings, const char *what, const char *token, size_t n, const char *value,
                           tfm_error *error) {
    tfm_decoding *decoding = &settings->decoding;
    int32_t id;
    double number = -INFINITY;
    tfm_status status = tfm_token_parse(what, token, n, INT32_MAX, &settings->names, &id, error);
    if (status == TFM_OK && strcmp(value, "-inf") != 0)
        status = tfm_parse_double(what, value, -1e9, 1e9, &number, error);
    if (status != TFM_OK) return status;
    if (!tfm_grow(&decoding->logit_bias, &decoding->logit_bias_capacity, decoding->n_logit_bias, 1,
                  sizeof *decoding->logit_bias))
        return tfm_no_memory(error, "%s", what);
    decoding->logit_bias[decoding->n_logit_bias++] = (tfm_logit_bias){.id = id, .bias = (float)number};
    return TFM_OK;
}

static tfm_status add_json_biases(tfm_settings *settings, const char *what, json_t *object, tfm_error *error) {
    const char *token;
    json_t *value;
    tfm_status status = TFM_OK;
    json_object_foreach(object, token, value) {
        char number[32] = "";
        if (json_is_number(value)) snprintf(number, sizeof number, "%.17g", json_number_value(value));
        const char *text = json_is_string(value) ? json_string_value(value) : number;
        status = add_bias(settings, what, token, strlen(token), text, error);
        if (status != TFM_OK) break;
    }
    return status;
}

/* One "TOKEN=X" of n bytes; the name may have a "=" in it, the number has none. */
static tfm_status read_bias(tfm_settings *settings, const char *what, const char *text, size_t n, tfm_error *error) {
    const char *equals = memrchr(text, '=', n);
    char value[40];
    size_t n_value = equals ? (size_t)(text + n - equals) - 1 : 0;
    if (!equals || equals == text || n_value >= sizeof value)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: '%.*s' is not ID=X, as in 5=1.5 or </s>=-inf", what,
                        (int)(n > 40 ? 40 : n), text);
    memcpy(value, equals + 1, n_value);
    value[n_value] = 0;
    return add_bias(settings, what, text, (size_t)(equals - text), value, error);
}

tfm_status tfm_parse_logit_bias(void *user, const tfm_option *option, const char *what, const char *value,
                                tfm_error *error) {
    (void)option;
    json_error_t where;
    json_t *object = value[0] == '{' ? json_loads(value, JSON_REJECT_DUPLICATES, &where) : NULL;
    if (object) {
        tfm_status status = add_json_biases(user, what, object, error);
        json_decref(object);
        return status;
    }
    do {
        size_t n = strcspn(value, ", ");
        tfm_status status = read_bias(user, what, value, n, error);
        if (status != TFM_OK) return status;
        value += n + strspn(value + n, ", ");
    } while (*value);
    return TFM_OK;
}

/* ---- names to ids ---- */

static tfm_status resolve_option(tfm_settings *settings, const tfm_option *option, const tfm_model *model,
                                 tfm_error *error) {
    char what[80];
    const tfm_token_names *names = &settings->names;
    tfm_decoding *decoding = &settings->decoding;
    void *field = (char *)settings + option->offset;
    tfm_status status = TFM_OK;
    snprintf(what, sizeof what, "--%s", option->name);
    tfm_side side = tfm_settings_is_decoding(option) ? TFM_TARGET : TFM_SOURCE;
    if (option->kind == TFM_OPTION_ID) return tfm_tokens_resolve(what, names, model, side, field, 1, error);
    if (option->parse == tfm_parse_id_list) {
        const tfm_ids *list = field;
        return tfm_tokens_resolve(what, names, model, side, list->data, list->size, error);
    }
    for (size_t i = 0; option->parse == tfm_parse_logit_bias && i < decoding->n_logit_bias && status == TFM_OK; i++)
        status = tfm_tokens_resolve(what, names, model, side, &decoding->logit_bias[i].id, 1, error);
    size_t at = 0;
    for (size_t i = 0; option->parse == tfm_parse_bad_words && i < decoding->n_bad_words && status == TFM_OK; i++) {
        size_t n = decoding->bad_word_list[i].n;
        status = tfm_tokens_resolve(what, names, model, side, decoding->bad_words.data + at + 1, n, error);
        at += 1 + n;
    }
    return status;
}

tfm_status tfm_settings_resolve(tfm_settings *settings, const tfm_model *model, tfm_error *error) {
    const tfm_option *option;
    if (settings->names.ends.size == 0) return TFM_OK;
    for (size_t i = 0; (option = tfm_options_at(&tfm_settings_table, i)); i++) {
        tfm_status status = settings->given[i] ? resolve_option(settings, option, model, error) : TFM_OK;
        if (status != TFM_OK) return status;
    }
    tfm_token_names_free(&settings->names);
    return TFM_OK;
}
