/* output_text.c - the text of one output as its tokens come: whole characters, cut before a stop string. */
#include "output_text.h"

#include <string.h>

#include "runtime/model/model.h"

/* Tokens of the context that are decoded: a token's text depends on its neighbours, not on what is far away. */
enum { CONTEXT = 16 };

tfm_status tfm_output_text_start(tfm_output_text *o, const tfm_model *model, const tfm_decoding *decoding,
                                 const int32_t *context, size_t n, tfm_error *error) {
    *o = (tfm_output_text){.decoding = decoding};
    tfm_status status = tfm_text_stream_create(&o->stream, tfm_model_tokenizer(model, TFM_TARGET), true, error);
    size_t n_known = n < CONTEXT ? n : CONTEXT;
    if (status == TFM_OK && n_known > 0)
        status = tfm_text_stream_context(o->stream, context + (n - n_known), n_known, error);
    return status;
}

/* The first stop string that stands in text and ends behind its first `from` bytes; the text is cut before it. */
static void cut_at_stop(tfm_output_text *o, size_t from) {
    size_t first = o->text.size;
    for (size_t i = 0; i < o->decoding->n_stops; i++) {
        const tfm_stop *stop = &o->decoding->stops[i];
        size_t start = from >= stop->n ? from - stop->n + 1 : 0;
        if (start >= o->text.size) continue;
        const char *found = memmem(o->text.data + start, o->text.size - start, stop->text, stop->n);
        if (!found || (size_t)(found - o->text.data) >= first) continue;
        first = (size_t)(found - o->text.data);
        o->stopped = true;
    }
    if (!o->stopped) return;
    o->text.size = first;
    o->text.data[first] = 0;
}

/* Bytes at the end of the text with which a stop string may begin. */
static size_t held_back(const tfm_output_text *o) {
    size_t most = 0;
    for (size_t i = 0; i < o->decoding->n_stops; i++) {
        const tfm_stop *stop = &o->decoding->stops[i];
        size_t n = stop->n - 1 < o->text.size ? stop->n - 1 : o->text.size;
        while (n > most && memcmp(o->text.data + o->text.size - n, stop->text, n) != 0) n--;
        if (n > most) most = n;
    }
    return most;
}

tfm_status tfm_output_text_put(tfm_output_text *o, const int32_t *ids, size_t n, tfm_error *error) {
    for (size_t i = 0; i < n && !o->stopped; i++) {
        size_t before = o->text.size;
        tfm_status status = tfm_text_stream_push(o->stream, &ids[i], 1, &o->text, error);
        if (status != TFM_OK) return status;
        if (o->text.size == before) continue;
        cut_at_stop(o, before);
        o->settled = o->stopped ? o->text.size : o->text.size - held_back(o);
    }
    return TFM_OK;
}

tfm_status tfm_output_text_end(tfm_output_text *o, tfm_error *error) {
    size_t before = o->text.size;
    tfm_status status = o->stopped ? TFM_OK : tfm_text_stream_finish(o->stream, &o->text, error);
    if (status != TFM_OK) return status;
    if (o->text.size > before) cut_at_stop(o, before);
    o->settled = o->text.size;
    return TFM_OK;
}

void tfm_output_text_free(tfm_output_text *o) {
    tfm_text_stream_free(&o->stream);
    tfm_text_free(&o->text);
}
