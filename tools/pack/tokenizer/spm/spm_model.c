/* spm_model.c - parses a SentencePiece model file and checks everything in it. */
#include "spm_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/names.h"
#include "format/utf8.h"
#include "runtime/tokenizer/common/trie.h"
#include "runtime/tokenizer/spm/spm.h"
#include "spm.pb-c.h"
#include "tools/pack/common/source_file.h"

#define MAX_FILE ((size_t)64 << 20)
#define MAX_MEMORY ((size_t)512 << 20) /* a hostile file may ask for a hundred times its size */
#define MODEL_UNIGRAM 1
#define MODEL_BPE 2

/* An allocator with a limit, for the parser. */
typedef struct memory {
    ProtobufCAllocator allocator;
    size_t left;
    bool refused;
} memory;

static void *limited_alloc(void *data, size_t n) {
    memory *m = data;
    size_t cost = n + 16; /* what malloc adds, roughly; freeing does not give it back: parsing rarely frees */
    void *pointer = cost >= n && cost <= m->left ? malloc(n > 0 ? n : 1) : NULL;
    if (!pointer) {
        m->refused = true;
    } else {
        m->left -= cost;
    }
    return pointer;
}

static void limited_free(void *data, void *pointer) {
    (void)data;
    free(pointer);
}

/* ---- checks ---- */

typedef struct checker {
    tfm_spm_model *model;
    const char *what;
    tfm_error *error;
} checker;

static tfm_status wrong_piece(const checker *c, size_t i, const char *wrong) {
    return tfm_fail(c->error, TFM_ERROR_FORMAT, "%s: piece %zu %s; the file is damaged or not a SentencePiece model",
                    c->what, i, wrong);
}

static bool is_reserved(uint32_t kind) {
    return kind == TFM_PIECE_UNKNOWN || kind == TFM_PIECE_CONTROL || kind == TFM_PIECE_BYTE;
}

static bool is_text(const char *text, size_t n) {
    return n == 0 || (tfm_utf8_valid_prefix(text, n) == n && !memchr(text, 0, n));
}

static tfm_status take_piece(const checker *c, size_t i, const Spm__Piece *piece) {
    tfm_spm_piece *p = &c->model->pieces[i];
    *p = (tfm_spm_piece){(const char *)piece->text.data, 0, (uint32_t)piece->kind, piece->score};
    if (piece->text.len == 0) return wrong_piece(c, i, "has no text");
    if (piece->text.len > TFM_TRIE_MAX_KEY) return wrong_piece(c, i, "is longer than 1023 bytes");
    p->n = (uint32_t)piece->text.len;
    if (!is_text(p->text, p->n)) return wrong_piece(c, i, "is not UTF-8 text");
    if (!isfinite(p->score)) return wrong_piece(c, i, "has a score that is not finite");
    if (p->kind < TFM_PIECE_NORMAL || p->kind > TFM_PIECE_BYTE) return wrong_piece(c, i, "is of an unknown kind");
    if (p->kind == TFM_PIECE_BYTE && tfm_spm_byte(p->text, p->n) < 0) {
        return wrong_piece(c, i, "is a byte that is not spelled like <0x41>");
    }
    if (p->kind == TFM_PIECE_BYTE && !c->model->byte_fallback) {
        return wrong_piece(c, i, "is a byte although the model has none");
    }
    return TFM_OK;
}

/* Sorts the spellings into those that occur in text and those that do not; each may occur once in its list. */
static tfm_status index_pieces(const checker *c) {
    tfm_spm_model *m = c->model;
    for (size_t i = 0; i < m->n; i++) {
        const tfm_spm_piece *p = &m->pieces[i];
        tfm_trie_key key = {p->text, p->n, (uint32_t)i + 1};
        if (is_reserved(p->kind)) {
            m->reserved[m->n_reserved++] = key;
        } else {
            m->in_text[m->n_in_text++] = key;
        }
    }
    qsort(m->in_text, m->n_in_text, sizeof(tfm_trie_key), tfm_trie_key_compare);
    qsort(m->reserved, m->n_reserved, sizeof(tfm_trie_key), tfm_trie_key_compare);
    for (size_t i = 1; i < m->n_in_text; i++) {
        if (tfm_trie_key_compare(&m->in_text[i - 1], &m->in_text[i]) == 0) {
            return wrong_piece(c, m->in_text[i].value - 1, "is there twice");
        }
    }
    for (size_t i = 1; i < m->n_reserved; i++) {
        if (tfm_trie_key_compare(&m->reserved[i - 1], &m->reserved[i]) == 0) {
            return wrong_piece(c, m->reserved[i].value - 1, "is there twice");
        }
    }
    return TFM_OK;
}

/* Exactly one unknown piece, something that occurs in text, and all bytes or none. */
static tfm_status check_kinds(const checker *c) {
    tfm_spm_model *m = c->model;
    size_t n_unknown = 0, n_bytes = 0;
    for (size_t i = 0; i < m->n; i++) {
        if (m->pieces[i].kind == TFM_PIECE_UNKNOWN) {
            m->unknown = i;
            n_unknown++;
        }
        n_bytes += m->pieces[i].kind == TFM_PIECE_BYTE;
    }
    if (n_unknown != 1) {
        return tfm_fail(c->error, TFM_ERROR_FORMAT, "%s: it has %zu unknown pieces; one is needed", c->what, n_unknown);
    }
    if (m->n_in_text == 0) {
        return tfm_fail(c->error, TFM_ERROR_FORMAT, "%s: it has no piece that could occur in text", c->what);
    }
    if (m->byte_fallback && n_bytes != 256) {
        return tfm_fail(c->error, TFM_ERROR_FORMAT, "%s: it has %zu byte pieces; 256 are needed", c->what, n_bytes);
    }
    /* Byte-pair segmentation looks results up by spelling, reserved pieces first: one of these would be ambiguous. */
    for (size_t i = 0; m->byte_pairs && i < m->n_reserved; i++) {
        const tfm_trie_key *key = &m->reserved[i];
        bool character = tfm_utf8_char_length(key->text, key->n) == key->n;
        if (character || bsearch(key, m->in_text, m->n_in_text, sizeof *key, tfm_trie_key_compare)) {
            return tfm_fail(c->error, TFM_ERROR_UNSUPPORTED,
                            "%s: control piece %u could also come from text; such byte-pair models are not supported",
                            c->what, key->value - 1);
        }
    }
    return TFM_OK;
}

/* ---- reading ---- */

static tfm_status take_rules(const checker *c, const Spm__Normalizer *message, tfm_spm_rules *rules) {
    *rules = (tfm_spm_rules){NULL, 0, true, true, true};
    if (!message) return TFM_OK;
    if (message->encode_case || message->decode_case) {
        return tfm_fail(c->error, TFM_ERROR_UNSUPPORTED, "%s: it encodes letter case, which is not supported", c->what);
    }
    *rules = (tfm_spm_rules){message->precompiled_charsmap.data, message->precompiled_charsmap.len,
                             message->add_dummy_prefix != 0, message->remove_extra_whitespaces != 0,
                             message->escape_whitespaces != 0};
    return TFM_OK;
}

static tfm_status take_options(const checker *c, const Spm__Model *message) {
    tfm_spm_model *m = c->model;
    static const Spm__Trainer defaults = SPM__TRAINER__INIT;
    const Spm__Trainer *trainer = message->trainer ? message->trainer : &defaults;
    if (trainer->model_type != MODEL_UNIGRAM && trainer->model_type != MODEL_BPE) {
        return tfm_fail(c->error, TFM_ERROR_UNSUPPORTED,
                        "%s: SentencePiece models of type %d (words, characters) are not supported", c->what,
                        trainer->model_type);
    }
    m->byte_pairs = trainer->model_type == MODEL_BPE;
    m->byte_fallback = trainer->byte_fallback != 0;
    m->whitespace_as_suffix = trainer->treat_whitespace_as_suffix != 0;
    const char *surface = trainer->has_unk_surface ? (const char *)trainer->unk_surface.data : " \xE2\x81\x87 ";
    size_t n = trainer->has_unk_surface ? trainer->unk_surface.len : strlen(surface);
    if (n > 0) n = strnlen(surface, n); /* the library reads it as a C string */
    if (!is_text(surface, n)) {
        return tfm_fail(c->error, TFM_ERROR_FORMAT, "%s: the text for unknown pieces is not UTF-8", c->what);
    }
    m->unknown_surface = n > 0 ? strndup(surface, n) : strdup("");
    if (!m->unknown_surface) return tfm_no_memory(c->error, "%s", c->what);
    tfm_status status = take_rules(c, message->normalizer, &m->normalizer);
    if (status == TFM_OK) status = take_rules(c, message->denormalizer, &m->denormalizer);
    m->has_denormalizer = m->denormalizer.n_charsmap > 0;
    return status;
}

static tfm_status take_pieces(const checker *c, const Spm__Model *message) {
    tfm_spm_model *m = c->model;
    m->n = message->n_pieces;
    if (m->n > TFM_SPM_MAX_PIECES) {
        return tfm_fail(c->error, TFM_ERROR_LIMIT, "%s: it has %zu pieces; at most %u are supported", c->what, m->n,
                        TFM_SPM_MAX_PIECES);
    }
    m->pieces = calloc(m->n + 1, sizeof *m->pieces);
    m->in_text = calloc(m->n + 1, sizeof *m->in_text);
    m->reserved = calloc(m->n + 1, sizeof *m->reserved);
    if (!m->pieces || !m->in_text || !m->reserved) {
        return tfm_no_memory(c->error, "%s: %zu pieces", c->what, m->n);
    }
    tfm_status status = TFM_OK;
    for (size_t i = 0; i < m->n && status == TFM_OK; i++) status = take_piece(c, i, message->pieces[i]);
    if (status == TFM_OK) status = index_pieces(c);
    return status == TFM_OK ? check_kinds(c) : status;
}

tfm_status tfm_spm_model_parse(tfm_spm_model *model, const unsigned char *data, size_t n, const char *what,
                               tfm_error *error) {
    *model = (tfm_spm_model){0};
    checker c = {model, what, error};
    memory *m = calloc(1, sizeof *m);
    if (!m) return tfm_no_memory(error, "%s", what);
    *m = (memory){{limited_alloc, limited_free, m}, MAX_MEMORY, false};
    model->memory = m;
    Spm__Model *message = n <= MAX_FILE ? spm__model__unpack(&m->allocator, n, data) : NULL;
    model->message = message;
    tfm_status status;
    if (!message && m->refused) {
        status = tfm_no_memory(error, "%s: reading it (at most %zu MiB are used)", what, MAX_MEMORY >> 20);
    } else if (!message) {
        status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: it is not a SentencePiece model, or is damaged", what);
    } else {
        status = take_options(&c, message);
        if (status == TFM_OK) status = take_pieces(&c, message);
    }
    if (status != TFM_OK) tfm_spm_model_free(model);
    return status;
}

tfm_status tfm_spm_model_read(tfm_spm_model *model, const char *path, tfm_error *error) {
    tfm_text bytes = {0};
    *model = (tfm_spm_model){0};
    tfm_status status = tfm_read_source(path, MAX_FILE, &bytes, error);
    if (status == TFM_OK)
        status = tfm_spm_model_parse(model, (const unsigned char *)bytes.data, bytes.size, path, error);
    tfm_text_free(&bytes);
    return status;
}

void tfm_spm_model_free(tfm_spm_model *model) {
    memory *m = model->memory;
    if (model->message) spm__model__free_unpacked(model->message, &m->allocator);
    free(m);
    free(model->pieces);
    free(model->in_text);
    free(model->reserved);
    free(model->unknown_surface);
    *model = (tfm_spm_model){0};
}

int64_t tfm_spm_model_find(const tfm_spm_model *model, const char *text, size_t n) {
    if (n == 0 || n > TFM_TRIE_MAX_KEY) return -1;
    tfm_trie_key key = {text, (uint32_t)n, 0};
    const tfm_trie_key *found = bsearch(&key, model->reserved, model->n_reserved, sizeof key, tfm_trie_key_compare);
    if (!found) found = bsearch(&key, model->in_text, model->n_in_text, sizeof key, tfm_trie_key_compare);
    return found ? (int64_t)found->value - 1 : -1;
}
