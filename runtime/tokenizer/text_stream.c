/*
 * text_stream.c - text of ids that come one by one. Pieces depend on what stands before them (the first loses its
 * space, bytes make characters), so the last piece given out is decoded again with the new ones, and what it adds is
 * the text.
 */
#include <string.h>

#include "runtime/tfm.h"
#include "tokenizer.h"
#include "utf8_strict.h"

#define MOST_HELD 64 /* ids; no character is so long, the bytes are broken */

static bool is_open(const tfm_text *text) {
    return text->size >= 3 && memcmp(text->data + text->size - 3, TFM_UTF8_REPLACEMENT, 3) == 0;
}

/* Gives out what scratch has more than before; the ids from n_given on are then what the next are decoded with. */
static tfm_status give(tfm_text_stream *s, tfm_text *out, tfm_error *error) {
    size_t n = s->ids.size - s->n_given;
    tfm_text before = {0};
    tfm_status status =
        tfm_tokenizer_decode(s->tokenizer, s->ids.data + s->n_given, n, s->skip_special, &before, error);
    if (status == TFM_OK && s->scratch.size > s->before.size &&
        !tfm_text_append(out, s->scratch.data + s->before.size, s->scratch.size - s->before.size)) {
        status = tfm_fail(error, TFM_ERROR_MEMORY, "no memory for text");
    }
    if (status != TFM_OK) {
        tfm_text_free(&before);
        return status;
    }
    memmove(s->ids.data, s->ids.data + s->n_given, n * sizeof(*s->ids.data));
    s->ids.size = s->n_given = n;
    tfm_text_free(&s->before);
    s->before = before;
    return TFM_OK;
}

tfm_status tfm_text_stream_put(tfm_text_stream *s, int32_t id, tfm_text *out, tfm_error *error) {
    if (!tfm_ids_append(&s->ids, &id, 1)) return tfm_fail(error, TFM_ERROR_MEMORY, "no memory for a token");
    s->scratch.size = 0;
    tfm_status status =
        tfm_tokenizer_decode(s->tokenizer, s->ids.data, s->ids.size, s->skip_special, &s->scratch, error);
    bool held = s->scratch.size <= s->before.size || is_open(&s->scratch);
    if (status == TFM_OK && (!held || s->ids.size - s->n_given > MOST_HELD)) status = give(s, out, error);
    if (status != TFM_OK) s->ids.size--;
    return status;
}

tfm_status tfm_text_stream_end(tfm_text_stream *s, tfm_text *out, tfm_error *error) {
    tfm_status status = TFM_OK;
    s->scratch.size = 0;
    if (s->ids.size > s->n_given) {
        status = tfm_tokenizer_decode(s->tokenizer, s->ids.data, s->ids.size, s->skip_special, &s->scratch, error);
        if (status == TFM_OK) status = give(s, out, error);
    }
    if (status != TFM_OK) return status;
    s->ids.size = s->n_given = s->before.size = 0;
    return TFM_OK;
}

void tfm_text_stream_free(tfm_text_stream *s) {
    tfm_ids_free(&s->ids);
    tfm_text_free(&s->before);
    tfm_text_free(&s->scratch);
}
