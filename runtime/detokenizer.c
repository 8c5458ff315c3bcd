/*
 * detokenizer.c - tfm_detokenizer: the text of ids that come one by one (tokenizer/text_stream.h), which ends before a
 * stop string.
 */
#include "detokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/model/model.h"
#include "runtime/tokenizer/text_stream.h"

struct tfm_detokenizer {
    tfm_text_stream *stream;
    const char *const *stop_strings; /* (n_stop_strings) the caller's */
    size_t n_stop_strings;
    tfm_text tail;           /* bytes that were not given out: a stop string may begin with them */
    const char *stop_string; /* the one that came; NULL: none */
    bool finished;           /* the next id begins a new text */
    bool failed;             /* text was lost */
};

/* More than a program has: such a number is a mistake. */
#define STOP_STRINGS_MAX ((size_t)1 << 24)

tfm_status tfm_stop_strings_check(const char *const *strings, size_t n, tfm_error *error) {
    if (n > STOP_STRINGS_MAX || (n > 0 && !strings))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "stop_strings: there are %zu at %s", n, strings ? "once" : "NULL");
    for (size_t i = 0; i < n; i++)
        if (!strings[i] || !*strings[i])
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "stop_strings: number %zu is empty", i);
    return TFM_OK;
}

/* ---- handles ---- */

tfm_status tfm_detokenizer_create(tfm_detokenizer **detokenizer, const tfm_model *model, tfm_side side,
                                  bool skip_special, tfm_error *error) {
    *detokenizer = NULL;
    const tfm_tokenizer *tokenizer;
    tfm_status status = tfm_model_need_tokenizer(model, side, &tokenizer, error);
    if (status != TFM_OK) return status;
    tfm_detokenizer *new = calloc(1, sizeof *new);
    if (!new) return tfm_no_memory(error, "a detokenizer");
    status = tfm_text_stream_create(&new->stream, tokenizer, skip_special, error);
    if (status == TFM_OK)
        *detokenizer = new;
    else
        free(new);
    return status;
}

void tfm_detokenizer_free(tfm_detokenizer **detokenizer) {
    if (!detokenizer || !*detokenizer) return;
    tfm_text_stream_free(&(*detokenizer)->stream);
    tfm_text_free(&(*detokenizer)->tail);
    free(*detokenizer);
    *detokenizer = NULL;
}

static void begin(tfm_detokenizer *d) {
    d->tail.size = 0;
    d->stop_string = NULL;
    d->finished = d->failed = false;
}

tfm_status tfm_detokenizer_continue(tfm_detokenizer *detokenizer, const int32_t *ids, size_t n, tfm_error *error) {
    begin(detokenizer);
    return tfm_text_stream_context(detokenizer->stream, ids, n, error);
}

/* ---- stop strings ---- */

tfm_status tfm_detokenizer_set_stop_strings(tfm_detokenizer *detokenizer, const char *const *strings, size_t n,
                                            tfm_error *error) {
    tfm_status status = tfm_stop_strings_check(strings, n, error);
    if (status != TFM_OK) return status;
    detokenizer->stop_strings = strings;
    detokenizer->n_stop_strings = n;
    return TFM_OK;
}

const char *tfm_detokenizer_stop_string(const tfm_detokenizer *detokenizer) { return detokenizer->stop_string; }

/* Of the stop strings that end behind the first `from` bytes of the tail, the one that begins first cuts it. */
static void cut_at_stop(tfm_detokenizer *d, size_t from) {
    tfm_text *tail = &d->tail;
    size_t first = tail->size;
    for (size_t i = 0; i < d->n_stop_strings; i++) {
        const char *stop = d->stop_strings[i];
        size_t n = strlen(stop), start = from >= n ? from - n + 1 : 0;
        const char *found = memmem(tail->data + start, tail->size - start, stop, n);
        if (!found || (size_t)(found - tail->data) >= first) continue;
        first = (size_t)(found - tail->data);
        d->stop_string = stop;
    }
    tail->size = first;
}

/* Bytes at the end of the tail with which a stop string may begin. */
static size_t held_back(const tfm_detokenizer *d) {
    const tfm_text *tail = &d->tail;
    size_t most = 0;
    for (size_t i = 0; i < d->n_stop_strings; i++) {
        const char *stop = d->stop_strings[i];
        size_t n = strlen(stop) - 1;
        if (n > tail->size) n = tail->size;
        while (n > most && memcmp(tail->data + tail->size - n, stop, n) != 0) n--;
        if (n > most) most = n;
    }
    return most;
}

/* ---- text ---- */

/* Moves the first n bytes of the tail to *text. */
static tfm_status give(tfm_detokenizer *d, size_t n, tfm_text *text, tfm_error *error) {
    if (!tfm_text_append(text, n ? d->tail.data : "", n)) return tfm_no_memory(error, "text");
    d->tail.size -= n;
    if (d->tail.size > 0) memmove(d->tail.data, d->tail.data + n, d->tail.size);
    return TFM_OK;
}

/* Ids one by one, because where the text ends must not depend on how many of them come at once. */
static tfm_status push_to_tail(tfm_detokenizer *d, const int32_t *ids, size_t n, tfm_error *error) {
    tfm_status status = tfm_text_stream_check(d->stream, ids, n, error);
    for (size_t i = 0; i < n && status == TFM_OK && !d->stop_string; i++) {
        size_t before = d->tail.size;
        status = tfm_text_stream_push(d->stream, &ids[i], 1, &d->tail, error);
        if (status == TFM_OK && d->tail.size > before) cut_at_stop(d, before);
    }
    return status;
}

static tfm_status check_state(const tfm_detokenizer *d, tfm_error *error) {
    if (!d->failed) return TFM_OK;
    return tfm_fail(error, TFM_ERROR_STATE, "memory ran out in this text; tfm_detokenizer_continue begins another");
}

static tfm_status push(tfm_detokenizer *d, const int32_t *ids, size_t n, tfm_text *text, tfm_error *error) {
    if (d->n_stop_strings == 0 && d->tail.size == 0 && !d->stop_string)
        return tfm_text_stream_push(d->stream, ids, n, text, error);
    tfm_status status = push_to_tail(d, ids, n, error);
    if (status != TFM_OK) return status;
    return give(d, d->tail.size - (d->stop_string ? 0 : held_back(d)), text, error);
}

tfm_status tfm_detokenizer_push(tfm_detokenizer *detokenizer, const int32_t *ids, size_t n, tfm_text *text,
                                tfm_error *error) {
    if (detokenizer->finished) begin(detokenizer);
    tfm_status status = check_state(detokenizer, error);
    if (status == TFM_OK) status = push(detokenizer, ids, n, text, error);
    detokenizer->failed |= status == TFM_ERROR_MEMORY;
    return status;
}

static tfm_status finish(tfm_detokenizer *d, tfm_text *text, tfm_error *error) {
    size_t before = d->tail.size;
    tfm_status status = TFM_OK;
    if (d->stop_string)
        tfm_text_stream_reset(d->stream);
    else
        status = tfm_text_stream_finish(d->stream, &d->tail, error);
    if (status != TFM_OK) return status;
    if (d->tail.size > before) cut_at_stop(d, before);
    return give(d, d->tail.size, text, error);
}

tfm_status tfm_detokenizer_finish(tfm_detokenizer *detokenizer, tfm_text *text, tfm_error *error) {
    if (detokenizer->finished) begin(detokenizer);
    tfm_status status = check_state(detokenizer, error);
    if (status == TFM_OK) status = finish(detokenizer, text, error);
    detokenizer->failed |= status == TFM_ERROR_MEMORY;
    detokenizer->finished = status == TFM_OK;
    return status;
}
