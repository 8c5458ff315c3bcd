/* result.c - results as text, token ids or JSON. */
#include "result.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output_text.h"
#include "runtime/tfm.h"
#include "tools/common/json_line.h"

/* What is printed, and how. */
typedef struct printer {
    const tfm_engine *engine;
    const tfm_settings *settings;
    const tfm_ids *input;
    const tfm_hypothesis *const *hypotheses; /* (n) */
    const tfm_output_text *texts;            /* (n) or NULL */
    size_t n;
    tfm_error *error;
} printer;

bool tfm_result_has_text(const tfm_engine *engine, const tfm_settings *settings) {
    return engine->info.has_tokenizer && (settings->json || !settings->ids);
}

static tfm_status prompt_text(const printer *p, tfm_text *text) {
    return tfm_detokenize(p->engine->model, TFM_SOURCE, p->input->data, p->input->size, true, text, p->error);
}

/* ---- plain lines ---- */

/* One line in, one line out: line breaks inside a text become spaces. */
static bool flatten(const char *text, size_t n, tfm_text *out) {
    size_t before = out->size;
    if (!tfm_text_append(out, text, n)) return false;
    for (char *c = out->data + before; c < out->data + out->size; c++)
        if (*c == '\n' || *c == '\r') *c = ' ';
    return true;
}

/* The same for texts whose line breaks matter: as \n, \r and \\. */
static bool escape(const char *text, size_t n, tfm_text *out) {
    bool ok = tfm_text_reserve(out, n);
    for (size_t i = 0; i < n && ok; i++) {
        const char *word = text[i] == '\n' ? "\\n" : text[i] == '\r' ? "\\r" : text[i] == '\\' ? "\\\\" : NULL;
        ok = word ? tfm_text_append(out, word, 2) : tfm_text_append(out, &text[i], 1);
    }
    return ok;
}

static bool print_flat(const printer *p, const tfm_text *text, tfm_text *out) {
    if (text->size == 0) return true;
    return tfm_engine_continues(p->engine) ? escape(text->data, text->size, out) : flatten(text->data, text->size, out);
}

static bool print_ids(const tfm_hypothesis *hypothesis, tfm_text *out) {
    bool ok = true;
    for (size_t i = 0; i < hypothesis->n && ok; i++) ok = tfm_text_print(out, "%s%d", i ? " " : "", hypothesis->ids[i]);
    return ok;
}

/* ---- alignment ---- */

/* The tokens of the input that are its text's: those that the tokenizer puts around are left out. */
static tfm_status text_tokens(const printer *p, size_t *first, size_t *end) {
    size_t n_last = 0;
    const tfm_ids *input = p->input;
    tfm_status status = TFM_OK;
    *first = 0;
    if (p->settings->ids)
        n_last = input->size && tfm_is_end_token(&p->engine->params, input->data[input->size - 1]);
    else
        status = tfm_special_counts(p->engine->model, TFM_SOURCE, first, &n_last, p->error);
    *end = input->size > n_last ? input->size - n_last : 0;
    return status;
}

/*
 * The pairs of a hypothesis: for each of its tokens but the end token, the token of the text that it looked at most.
 * pair gets both, counted from 0.
 */
static tfm_status each_pair(const printer *p, const tfm_hypothesis *h, bool (*pair)(void *, size_t, size_t),
                            void *user) {
    size_t first, end;
    tfm_status status = text_tokens(p, &first, &end);
    if (status != TFM_OK || !h->attention) return status;
    for (size_t t = 0; t < h->n; t++) {
        const float *row = h->attention + t * p->input->size;
        size_t best = first;
        for (size_t i = first; i < end; i++)
            if (row[i] > row[best]) best = i;
        if (first >= end || row[best] <= 0 || tfm_is_end_token(&p->engine->params, h->ids[t])) continue;
        if (!pair(user, best - first, t)) return tfm_no_memory(p->error, "alignment");
    }
    return TFM_OK;
}

static bool print_pair(void *user, size_t source, size_t target) {
    tfm_text *out = user;
    bool first = out->size == 0 || out->data[out->size - 1] == '\t';
    return tfm_text_print(out, "%s%zu-%zu", first ? "" : " ", source, target);
}

static bool add_pair(void *user, size_t source, size_t target) {
    json_t *pair = json_pack("[I, I]", (json_int_t)source, (json_int_t)target);
    return json_array_append_new(user, pair) == 0;
}

/* ---- plain lines, continued ---- */

/* As many lines as results have, empty ones where there is none. */
static tfm_status print_lines(const printer *p, tfm_text *out) {
    tfm_text prompt = {0};
    tfm_status status = p->n && p->settings->echo && !p->settings->ids ? prompt_text(p, &prompt) : TFM_OK;
    for (size_t i = 0; i < p->engine->params.num_return_sequences && status == TFM_OK; i++) {
        bool ok = i >= p->n || !p->settings->scores || tfm_text_print(out, "%.6f\t", p->hypotheses[i]->score);
        if (i < p->n && ok)
            ok = p->settings->ids ? print_ids(p->hypotheses[i], out)
                                  : print_flat(p, &prompt, out) && print_flat(p, &p->texts[i].text, out);
        if (i < p->n && p->settings->alignment && ok) {
            ok = tfm_text_append(out, "\t", 1);
            if (ok) status = each_pair(p, p->hypotheses[i], print_pair, out);
            if (status != TFM_OK) break;
        }
        if (!ok || !tfm_text_append(out, "\n", 1)) status = tfm_no_memory(p->error, "result");
    }
    tfm_text_free(&prompt);
    return status;
}

/* ---- JSON ---- */

/* The most probable tokens in one place; NULL when memory is out. */
static json_t *top_of(const printer *p, const int32_t *ids, const float *log_probs) {
    json_t *place = json_array();
    bool failed = !place;
    for (size_t k = 0; k < p->engine->params.n_top_log_probs && ids[k] >= 0 && !failed; k++) {
        size_t length = 0;
        const char *piece = tfm_token_piece(p->engine->model, TFM_TARGET, ids[k], &length);
        json_t *token = json_object();
        failed = json_array_append_new(place, token) || json_object_set_new(token, "id", json_integer(ids[k])) ||
                 (piece && json_object_set_new(token, "piece", tfm_json_text(piece, length))) ||
                 json_object_set_new(token, "log_prob", tfm_json_number((double)log_probs[k]));
    }
    if (!failed) return place;
    json_decref(place);
    return NULL;
}

static json_t *top_list(const printer *p, const tfm_hypothesis *h) {
    size_t n_top = p->engine->params.n_top_log_probs;
    json_t *places = json_array();
    bool failed = !places;
    for (size_t i = 0; h->top_ids && i < h->n && !failed; i++)
        failed = json_array_append_new(places, top_of(p, h->top_ids + i * n_top, h->top_log_probs + i * n_top)) != 0;
    if (!failed) return places;
    json_decref(places);
    return NULL;
}

/* A row for each token of the output, with a column for each token of the input; NULL when memory is out. */
static json_t *attention_rows(const printer *p, const tfm_hypothesis *h) {
    json_t *rows = json_array();
    bool failed = !rows;
    for (size_t t = 0; h->attention && t < h->n && !failed; t++) {
        json_t *row = json_array();
        failed = json_array_append_new(rows, row) != 0;
        for (size_t i = 0; i < p->input->size && !failed; i++)
            failed = json_array_append_new(row, tfm_json_number((double)h->attention[t * p->input->size + i])) != 0;
    }
    if (!failed) return rows;
    json_decref(rows);
    return NULL;
}

/* Adds text, ids, score and log-probabilities of hypothesis i, or of an input with nothing in it, to object. */
static tfm_status add_hypothesis(json_t *object, const printer *p, size_t i) {
    static const tfm_hypothesis no_tokens;
    static const tfm_output_text no_text;
    bool exists = i < p->n;
    const tfm_hypothesis *h = exists ? p->hypotheses[i] : &no_tokens;
    const tfm_output_text *o = exists && p->texts ? &p->texts[i] : &no_text;
    const char *finish = o->stopped ? "stop" : h->ended ? "end" : "length";
    bool failed = false;
    if (p->engine->info.has_tokenizer)
        failed =
            json_object_set_new(object, "text", tfm_json_text(o->text.size ? o->text.data : "", o->text.size)) != 0;
    json_t *ids = json_array(), *log_probs = p->settings->log_probs ? json_array() : NULL;
    for (size_t t = 0; t < h->n; t++) {
        failed |= json_array_append_new(ids, json_integer(h->ids[t])) != 0;
        if (log_probs && h->log_probs)
            failed |= json_array_append_new(log_probs, tfm_json_number(h->log_probs[t])) != 0;
    }
    failed |= json_object_set_new(object, "ids", ids) != 0;
    failed |= json_object_set_new(object, "score", exists ? tfm_json_number(h->score) : json_null()) != 0;
    if (p->settings->log_probs) failed |= json_object_set_new(object, "token_log_probs", log_probs) != 0;
    if (p->settings->top_log_probs) failed |= json_object_set_new(object, "top_log_probs", top_list(p, h)) != 0;
    if (p->settings->alignment) {
        json_t *pairs = json_array();
        failed |= json_object_set_new(object, "alignment", pairs) != 0;
        tfm_status status = exists && !failed ? each_pair(p, h, add_pair, pairs) : TFM_OK;
        if (status != TFM_OK) return status;
    }
    if (p->settings->attention_weights) failed |= json_object_set_new(object, "attention", attention_rows(p, h)) != 0;
    if (exists && tfm_engine_continues(p->engine))
        failed |= json_object_set_new(object, "finish", json_string(finish)) != 0;
    return failed ? tfm_no_memory(p->error, "result") : TFM_OK;
}

static tfm_status add_sequences(json_t *object, const printer *p) {
    json_t *sequences = json_array();
    if (json_object_set_new(object, "sequences", sequences)) return tfm_no_memory(p->error, "result");
    for (size_t i = 0; i < p->n; i++) {
        json_t *sequence = json_object();
        if (json_array_append_new(sequences, sequence)) return tfm_no_memory(p->error, "result");
        tfm_status status = add_hypothesis(sequence, p, i);
        if (status != TFM_OK) return status;
    }
    return TFM_OK;
}

/* The columns of attention_rows; NULL when memory is out. */
static json_t *input_ids(const printer *p) {
    json_t *ids = json_array();
    for (size_t i = 0; ids && i < p->input->size; i++)
        if (json_array_append_new(ids, json_integer(p->input->data[i]))) {
            json_decref(ids);
            return NULL;
        }
    return ids;
}

static tfm_status add_prompt(json_t *object, const printer *p) {
    tfm_text text = {0};
    tfm_status status = prompt_text(p, &text);
    if (status == TFM_OK && json_object_set_new(object, "prompt", tfm_json_text(text.data ? text.data : "", text.size)))
        status = tfm_no_memory(p->error, "result");
    tfm_text_free(&text);
    return status;
}

static tfm_status add_timing(json_t *object, const printer *p, size_t n_tokens, double seconds) {
    json_t *timing =
        json_pack("{s:I, s:f}", "tokens", (json_int_t)n_tokens, "ms", 1e-3 * (double)(int64_t)(seconds * 1e6 + 0.5));
    bool failed = json_object_set_new(object, "timing", timing) != 0;
    if (!failed && tfm_engine_continues(p->engine))
        failed = json_object_set_new(timing, "prompt_tokens", json_integer((json_int_t)p->input->size)) != 0;
    return failed ? tfm_no_memory(p->error, "result") : TFM_OK;
}

/* Takes the object. Nine digits are enough to give a float back bit for bit. */
static tfm_status print_object(json_t *object, tfm_text *out, tfm_error *error) {
    bool ok = object && tfm_json_line(object, JSON_COMPACT | JSON_REAL_PRECISION(9), out);
    json_decref(object);
    return ok ? TFM_OK : tfm_no_memory(error, "result");
}

static tfm_status print_json(const printer *p, double seconds, tfm_text *out) {
    json_t *object = json_object();
    if (!object) return tfm_no_memory(p->error, "result");
    tfm_status status = p->settings->echo && p->engine->info.has_tokenizer ? add_prompt(object, p) : TFM_OK;
    if (status == TFM_OK) status = add_hypothesis(object, p, 0);
    if (status == TFM_OK && p->engine->params.num_return_sequences > 1) status = add_sequences(object, p);
    if (status == TFM_OK && p->settings->attention_weights && json_object_set_new(object, "input_ids", input_ids(p)))
        status = tfm_no_memory(p->error, "result");
    if (status == TFM_OK && p->engine->params.do_sample &&
        json_object_set_new(object, "seed", json_integer((json_int_t)p->engine->params.seed)))
        status = tfm_no_memory(p->error, "result");
    if (status == TFM_OK && !p->settings->no_timing)
        status = add_timing(object, p, p->n ? p->hypotheses[0]->n : 0, seconds);
    if (status == TFM_OK) return print_object(object, out, p->error);
    json_decref(object);
    return status;
}

tfm_status tfm_result_print(const tfm_engine *engine, const tfm_settings *settings, const tfm_ids *input,
                            const tfm_hypothesis *const *hypotheses, const tfm_output_text *texts, size_t n,
                            double seconds, tfm_text *out, tfm_error *error) {
    const printer p = {engine, settings, input, hypotheses, texts, n, error};
    return settings->json ? print_json(&p, seconds, out) : print_lines(&p, out);
}

tfm_status tfm_result_print_error(const tfm_engine *engine, const tfm_settings *settings, const char *message,
                                  tfm_text *out, tfm_error *error) {
    static const tfm_ids nothing;
    const printer p = {engine, settings, &nothing, NULL, NULL, 0, error};
    if (!settings->json) return print_lines(&p, out);
    return print_object(json_pack("{s:o}", "error", tfm_json_text(message, strlen(message))), out, error);
}
