/* result.c - results as text, token ids or JSON. */
#include "result.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../format/model_file.h"
#include "../common/json_line.h"

static tfm_status no_memory(tfm_error *error) { return tfm_fail(error, TFM_ERROR_MEMORY, "result: out of memory"); }

/* ---- plain lines ---------------------------------------------------------------------------------------------- */

/* One line in, one line out: line breaks inside a text become spaces. */
static void flatten(char *text, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (text[i] == '\n' || text[i] == '\r') text[i] = ' ';
}

static tfm_status print_text(const tfm_engine *engine, const tfm_hypothesis *hypothesis, tfm_bytes *out,
                             tfm_error *error) {
    tfm_text text = {0};
    tfm_status status = tfm_detokenize(engine->model, TFM_TARGET, hypothesis->ids, hypothesis->n, true, &text, error);
    if (status == TFM_OK) {
        flatten(text.data, text.size);
        if (!tfm_bytes_append(out, text.data, text.size)) status = no_memory(error);
    }
    tfm_text_free(&text);
    return status;
}

static bool print_ids(const tfm_hypothesis *hypothesis, tfm_bytes *out) {
    bool ok = true;
    for (size_t i = 0; i < hypothesis->n && ok; i++)
        ok = tfm_bytes_print(out, "%s%d", i ? " " : "", hypothesis->ids[i]);
    return ok;
}

static tfm_status print_lines(const tfm_engine *engine, const tfm_settings *settings, const tfm_hypothesis *hypotheses,
                              size_t n, tfm_bytes *out, tfm_error *error) {
    tfm_status status = TFM_OK;
    for (size_t i = 0; i < engine->params.num_return_sequences && status == TFM_OK; i++) {
        if (i < n && settings->ids)
            status = print_ids(&hypotheses[i], out) ? TFM_OK : no_memory(error);
        else if (i < n)
            status = print_text(engine, &hypotheses[i], out, error);
        if (status == TFM_OK && !tfm_bytes_append(out, "\n", 1)) status = no_memory(error);
    }
    return status;
}

/* ---- JSON ----------------------------------------------------------------------------------------------------- */

/* A string of any bytes; NULL when memory is out. */
static json_t *json_text(const char *text, size_t n) {
    tfm_bytes valid = {0};
    json_t *string = NULL;
    if (tfm_utf8_append_valid(&valid, text, n)) string = json_stringn(valid.data ? valid.data : "", valid.size);
    tfm_bytes_free(&valid);
    return string;
}

/* JSON has no infinities: a forbidden token's log-probability is null. */
static json_t *json_number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

/* Adds text, ids, score and log-probabilities of a hypothesis (NULL: of an input with nothing in it) to object. */
static tfm_status add_hypothesis(json_t *object, const tfm_engine *engine, const tfm_settings *settings,
                                 const tfm_hypothesis *hypothesis, tfm_error *error) {
    static const tfm_hypothesis nothing;
    const tfm_hypothesis *h = hypothesis ? hypothesis : &nothing;
    bool failed = false;
    if (engine->info.has_tokenizer) {
        tfm_text text = {0};
        tfm_status status = tfm_detokenize(engine->model, TFM_TARGET, h->ids, h->n, true, &text, error);
        if (status == TFM_OK) failed = json_object_set_new(object, "text", json_text(text.data, text.size));
        tfm_text_free(&text);
        if (status != TFM_OK) return status;
    }
    json_t *ids = json_array(), *log_probs = settings->log_probs ? json_array() : NULL;
    for (size_t i = 0; i < h->n; i++) {
        failed |= json_array_append_new(ids, json_integer(h->ids[i])) != 0;
        if (log_probs && h->log_probs) failed |= json_array_append_new(log_probs, json_number(h->log_probs[i])) != 0;
    }
    failed |= json_object_set_new(object, "ids", ids) != 0;
    failed |= json_object_set_new(object, "score", hypothesis ? json_number(h->score) : json_null()) != 0;
    if (settings->log_probs) failed |= json_object_set_new(object, "token_log_probs", log_probs) != 0;
    return failed ? no_memory(error) : TFM_OK;
}

static tfm_status add_sequences(json_t *object, const tfm_engine *engine, const tfm_settings *settings,
                                const tfm_hypothesis *hypotheses, size_t n, tfm_error *error) {
    json_t *sequences = json_array();
    if (json_object_set_new(object, "sequences", sequences)) return no_memory(error);
    for (size_t i = 0; i < n; i++) {
        json_t *sequence = json_object();
        if (json_array_append_new(sequences, sequence)) return no_memory(error);
        tfm_status status = add_hypothesis(sequence, engine, settings, &hypotheses[i], error);
        if (status != TFM_OK) return status;
    }
    return TFM_OK;
}

/* Takes the object. Nine digits are enough to give a float back bit for bit. */
static tfm_status print_object(json_t *object, tfm_bytes *out, tfm_error *error) {
    bool ok = object && tfm_json_line(object, JSON_COMPACT | JSON_REAL_PRECISION(9), out);
    json_decref(object);
    return ok ? TFM_OK : no_memory(error);
}

static tfm_status print_json(const tfm_engine *engine, const tfm_settings *settings, const tfm_hypothesis *hypotheses,
                             size_t n, double seconds, tfm_bytes *out, tfm_error *error) {
    json_t *object = json_object();
    if (!object) return no_memory(error);
    tfm_status status = add_hypothesis(object, engine, settings, n ? &hypotheses[0] : NULL, error);
    if (status == TFM_OK && engine->params.num_return_sequences > 1)
        status = add_sequences(object, engine, settings, hypotheses, n, error);
    if (status == TFM_OK && !settings->no_timing) {
        json_t *timing = json_pack("{s:I, s:f}", "tokens", (json_int_t)(n ? hypotheses[0].n : 0), "ms",
                                   1e-3 * (double)(int64_t)(seconds * 1e6 + 0.5));
        if (json_object_set_new(object, "timing", timing)) status = no_memory(error);
    }
    if (status == TFM_OK) return print_object(object, out, error);
    json_decref(object);
    return status;
}

tfm_status tfm_result_print(const tfm_engine *engine, const tfm_settings *settings, const tfm_hypothesis *hypotheses,
                            size_t n, double seconds, tfm_bytes *out, tfm_error *error) {
    if (settings->json) return print_json(engine, settings, hypotheses, n, seconds, out, error);
    return print_lines(engine, settings, hypotheses, n, out, error);
}

tfm_status tfm_result_print_error(const tfm_engine *engine, const tfm_settings *settings, const char *message,
                                  tfm_bytes *out, tfm_error *error) {
    if (!settings->json) return print_lines(engine, settings, NULL, 0, out, error);
    return print_object(json_pack("{s:o}", "error", json_text(message, strlen(message))), out, error);
}
