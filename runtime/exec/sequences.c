/* sequences.c - see sequences.h, and tfm.h for what is public. */
#include "sequences.h"

#include <string.h>

/* ---- sources ---- */

bool tfm_source_used(const tfm_session *session, int32_t source) {
    return session && session->sources && source >= 0 && (uint32_t)source < session->params.max_sources &&
           session->sources[source].used;
}

int32_t tfm_source_take(tfm_session *session, size_t n) {
    for (uint32_t i = 0; i < session->params.max_sources; i++) {
        tfm_source_slot *slot = &session->sources[i];
        if (slot->used) continue;
        /* There are pages for max_sources of the longest inputs, so this cannot fail. */
        if (session->model->arch.has_decoder) tfm_kv_extend(&session->cross_kv, slot->pages, 0, n);
        slot->used = true;
        slot->n = (uint32_t)n;
        return (int32_t)i;
    }
    return -1;
}

void tfm_source_free(tfm_session *session, int32_t source) {
    if (!tfm_source_used(session, source)) return;
    tfm_source_slot *slot = &session->sources[source];
    if (session->model->arch.has_decoder) tfm_kv_page_release(&session->cross_kv, slot->pages, tfm_kv_pages(slot->n));
    slot->used = false;
}

size_t tfm_free_sources(const tfm_session *session) {
    size_t n = 0;
    for (uint32_t i = 0; session->sources && i < session->params.max_sources; i++) n += !session->sources[i].used;
    return n;
}

/* ---- sequences ---- */

bool tfm_sequence_used(const tfm_session *session, int32_t sequence) {
    return session && session->sequences && sequence >= 0 && (uint32_t)sequence < session->params.max_sequences &&
           session->sequences[sequence].used;
}

size_t tfm_free_sequences(const tfm_session *session) {
    size_t n = 0;
    for (uint32_t i = 0; session->sequences && i < session->params.max_sequences; i++) n += !session->sequences[i].used;
    return n;
}

static tfm_status take_sequence(tfm_session *session, int32_t *sequence, tfm_error *error) {
    for (uint32_t i = 0; i < session->params.max_sequences; i++) {
        if (session->sequences[i].used) continue;
        session->sequences[i].used = true;
        session->sequences[i].length = 0;
        *sequence = (int32_t)i;
        return TFM_OK;
    }
    return tfm_fail(error, TFM_ERROR_LIMIT, "all %u sequences of the session are in use",
                    session->params.max_sequences);
}

tfm_status tfm_sequence_new(tfm_session *session, int32_t source, int32_t *sequence, tfm_error *error) {
    *sequence = -1;
    const tfm_architecture *arch = &session->model->arch;
    if (!arch->has_decoder)
        return tfm_fail(error, TFM_ERROR_STATE, "%s has no decoder", tfm_file_path(session->model->file));
    if (arch->has_encoder ? !tfm_source_used(session, source) : source != -1)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        arch->has_encoder ? "source %d is not one that tfm_encode gave"
                                          : "source is %d, but the model has no encoder",
                        source);
    tfm_status status = take_sequence(session, sequence, error);
    if (status == TFM_OK) session->sequences[*sequence].source = source;
    return status;
}

tfm_status tfm_sequence_fork(tfm_session *session, int32_t sequence, int32_t *copy, tfm_error *error) {
    *copy = -1;
    if (!tfm_sequence_used(session, sequence))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "there is no sequence %d", sequence);
    tfm_status status = take_sequence(session, copy, error);
    if (status != TFM_OK) return status;
    tfm_sequence_slot *from = &session->sequences[sequence], *to = &session->sequences[*copy];
    uint32_t n_pages = tfm_kv_pages(from->length);
    memcpy(to->pages, from->pages, n_pages * sizeof *to->pages);
    tfm_kv_page_retain(&session->decoder.kv, to->pages, n_pages);
    to->length = from->length;
    to->source = from->source;
    return TFM_OK;
}

void tfm_sequence_extend(tfm_session *session, int32_t sequence, size_t n) {
    tfm_sequence_slot *slot = &session->sequences[sequence];
    /* There are pages for max_sequences of the longest outputs, so this cannot fail. */
    tfm_kv_extend(&session->decoder.kv, slot->pages, slot->length, n);
    slot->length += (uint32_t)n;
}

void tfm_sequence_truncate(tfm_session *session, int32_t sequence, size_t n) {
    if (!tfm_sequence_used(session, sequence) || n >= session->sequences[sequence].length) return;
    tfm_sequence_slot *slot = &session->sequences[sequence];
    uint32_t keep = tfm_kv_pages(n);
    tfm_kv_page_release(&session->decoder.kv, slot->pages + keep, tfm_kv_pages(slot->length) - keep);
    slot->length = (uint32_t)n;
}

void tfm_sequence_free(tfm_session *session, int32_t sequence) {
    if (!tfm_sequence_used(session, sequence)) return;
    tfm_sequence_truncate(session, sequence, 0);
    session->sequences[sequence].used = false;
}

size_t tfm_sequence_length(const tfm_session *session, int32_t sequence) {
    return tfm_sequence_used(session, sequence) ? session->sequences[sequence].length : 0;
}
