/* settings_lists.c - options whose values are texts or lists of them; copies and ends of all lists. */
#include "settings_lists.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/tfm.h"
#include "settings_tokens.h"

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

/* ---- heads of attention ---- */

/* One "LAYER" or "LAYER:HEAD,HEAD" of n bytes. */
static tfm_status read_heads(tfm_decoding *to, const char *what, const char *text, size_t n, tfm_error *error) {
    char copy[256], *rest = NULL;
    if (n >= sizeof copy)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: '%.40s...' is too long; give the layer alone for all its heads",
                        what, text);
    memcpy(copy, text, n);
    copy[n] = 0;
    char *colon = strchr(copy, ':'), *heads = colon ? colon + 1 : NULL;
    if (colon) *colon = 0;
    int64_t layer, head = -1;
    tfm_status status = tfm_parse_i64(what, copy, -1000000, 1000000, &layer, error);
    char *word = heads ? strtok_r(heads, ",", &rest) : NULL;
    if (status == TFM_OK && heads && !word)
        status = tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: '%s:' names no head, as in -1:0,3", what, copy);
    for (bool more = true; more && status == TFM_OK; more = word != NULL) {
        if (word) status = tfm_parse_i64(what, word, 0, 1000000, &head, error);
        if (status == TFM_OK && !tfm_grow(&to->heads, &to->heads_capacity, to->n_heads, 1, sizeof *to->heads))
            status = tfm_no_memory(error, "%s", what);
        if (status != TFM_OK) break;
        to->heads[to->n_heads++] = (tfm_attention_head){.layer = (int32_t)layer, .head = (int32_t)head};
        if (word) word = strtok_r(NULL, ",", &rest);
    }
    return status;
}

tfm_status tfm_parse_heads(void *user, const tfm_option *option, const char *what, const char *value,
                           tfm_error *error) {
    (void)option;
    tfm_decoding *decoding = &((tfm_settings *)user)->decoding, list = {0};
    tfm_status status = TFM_OK;
    value += strspn(value, " ");
    if (strcmp(value, "all") == 0)
        value = "";
    else if (!*value)
        status = tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: give a layer, as -1 for the last, or all", what);
    while (*value && status == TFM_OK) {
        size_t n = strcspn(value, " ");
        status = read_heads(&list, what, value, n, error);
        value += n + strspn(value + n, " ");
    }
    if (status != TFM_OK) {
        free(list.heads);
        return status;
    }
    free(decoding->heads);
    decoding->heads = list.heads;
    decoding->n_heads = list.n_heads;
    decoding->heads_capacity = list.heads_capacity;
    return TFM_OK;
}

bool tfm_print_heads(const tfm_generate_params *params, tfm_text *out) {
    bool ok = params->n_attention_heads || tfm_text_print(out, "all");
    for (size_t i = 0; i < params->n_attention_heads && ok; i++) {
        const tfm_attention_head *chosen = &params->attention_heads[i];
        bool same = i && chosen[-1].layer == chosen->layer && chosen[-1].head >= 0 && chosen->head >= 0;
        ok = same ? tfm_text_print(out, ",%d", chosen->head)
                  : tfm_text_print(out, "%s%d", i ? " " : "", chosen->layer) &&
                        (chosen->head < 0 || tfm_text_print(out, ":%d", chosen->head));
    }
    return ok;
}

/* ---- what is kept ---- */

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
    if (ok && from->bad_word_list) ok = (to->bad_word_list = tfm_bad_word_views(&to->bad_words, from->n_bad_words));
    to->n_bad_words = to->bad_word_list ? from->n_bad_words : 0;
    if (ok && from->prefix) ok = (to->prefix = strdup(from->prefix));
    for (size_t i = 0; i < 2 && ok; i++)
        if (from->languages[i]) ok = (to->languages[i] = strdup(from->languages[i]));
    for (size_t i = 0; ok && i < from->n_stops; i++) {
        ok = tfm_grow(&to->stops, &to->stop_capacity, to->n_stops, 1, sizeof *to->stops) &&
             (to->stops[to->n_stops] = strdup(from->stops[i]));
        to->n_stops += ok;
    }
    if (ok && from->n_heads) {
        ok = tfm_grow(&to->heads, &to->heads_capacity, 0, from->n_heads, sizeof *to->heads);
        if (ok) memcpy(to->heads, from->heads, from->n_heads * sizeof *to->heads);
        to->n_heads = ok ? from->n_heads : 0;
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
