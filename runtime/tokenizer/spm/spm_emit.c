/*
 * spm_emit.c - where the segmentations put their pieces: numbers become ids, and unknown characters in a row become one
 * id, or bytes.
 */
#include "runtime/tokenizer/common/unknowns.h"
#include "spm.h"

static bool put_id(tfm_ids *ids, uint32_t id) {
    int32_t value = (int32_t)id;
    if (ids->size == ids->capacity) return tfm_ids_append(ids, &value, 1);
    ids->data[ids->size++] = value;
    return true;
}

/* An id that stands for text[start, end). */
static bool put_noting(tfm_spm_emitter *e, uint32_t id, size_t start, size_t end) {
    if (id == e->spm->unknown_id && !tfm_unknowns_note(e->unknowns, e->text + start, end - start)) return false;
    return put_id(e->ids, id);
}

static uint32_t id_of(const tfm_spm *spm, uint32_t number) { return spm->ids ? spm->ids[number] : number; }

uint32_t tfm_spm_id_of_text(const tfm_spm *spm, const char *text, size_t n) {
    uint32_t value = tfm_trie_find(&spm->others, text, n);
    if (value != 0) return value - 1;
    value = tfm_trie_find(&spm->pieces, text, n) & ~TFM_SPM_FLAGS;
    return value != 0 ? id_of(spm, value - 1) : spm->unknown_id;
}

static bool emit_unknown_row(tfm_spm_emitter *e) {
    const char *text = e->text + e->unknown_start;
    const size_t start = e->unknown_start, n = e->unknown_end - start;
    e->unknown_start = e->unknown_end;
    if (!e->spm->byte_ids) return put_noting(e, tfm_spm_id_of_text(e->spm, text, n), start, start + n);
    for (size_t i = 0; i < n; i++) {
        if (!put_id(e->ids, e->spm->byte_ids[(unsigned char)text[i]])) return false;
    }
    return true;
}

bool tfm_spm_emit_piece(tfm_spm_emitter *e, uint32_t number, size_t start, size_t end) {
    if (e->unknown_start != e->unknown_end && !emit_unknown_row(e)) return false;
    return put_noting(e, id_of(e->spm, number), start, end);
}

bool tfm_spm_emit_unknown(tfm_spm_emitter *e, size_t start, size_t end) {
    if (e->unknown_start == e->unknown_end) e->unknown_start = start;
    e->unknown_end = end;
    return true;
}

bool tfm_spm_emit_end(tfm_spm_emitter *e) { return e->unknown_start == e->unknown_end || emit_unknown_row(e); }
