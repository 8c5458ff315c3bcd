/* gguf.c - shows a GGUF file as the Hugging Face folder it was made from; see gguf_model.h. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/grow.h"
#include "format/names.h"
#include "format/utf8.h"
#include "gguf_blocks.h"
#include "gguf_model.h"
#include "gguf_tokenizer.h"
#include "tools/pack/foreign/foreign_formats.h"

/* ---- values ---- */

/* Where row r of the folder's tensor is in the file's. */
static uint64_t row_of(const tfm_gguf_entry *e, uint64_t rows, uint64_t r) {
    if (e->change == TFM_GGUF_ROPE_Q || e->change == TFM_GGUF_ROPE_K) {
        const uint64_t size = rows / e->n_heads, half = size / 2, inside = r % size;
        return r - inside + 2 * (inside % half) + inside / half;
    }
    if (e->change == TFM_GGUF_PER_HEAD) {
        const uint64_t size = rows / 3 / e->n_heads, head = r / (3 * size), kind = r / size % 3;
        return kind * (rows / 3) + head * size + r % size;
    }
    return r;
}

static tfm_status read_rows(void *state, uint64_t key, uint64_t row0, uint64_t n_rows, float *rows, tfm_error *error) {
    const tfm_gguf_model *m = state;
    const tfm_gguf_entry *e = &m->entries[key];
    const tfm_gguf_tensor *t = e->tensor;
    (void)error;
    const bool in_order = e->n_heads == 0;
    if (in_order) tfm_gguf_decode(t->block, t->data, e->first + row0 * e->width, n_rows * e->width, rows);
    for (uint64_t i = 0; !in_order && i < n_rows; i++) {
        const uint64_t row = row_of(e, t->count / e->width, row0 + i);
        tfm_gguf_decode(t->block, t->data, row * e->width, e->width, rows + i * e->width);
    }
    for (uint64_t i = 0; e->change == TFM_GGUF_PLUS_ONE && i < n_rows * e->width; i++) rows[i] -= 1;
    return TFM_OK;
}

/* ---- tensors ---- */

/* Adds rows [first, first + rows) of a tensor under a name of the folder. */
static tfm_status add(tfm_checkpoint *checkpoint, tfm_gguf_model *m, const char *name, tfm_gguf_entry entry,
                      uint32_t rank, uint64_t rows, tfm_error *error) {
    const tfm_gguf_tensor *t = entry.tensor;
    uint64_t shape[TFM_RANK_MAX];
    memcpy(shape, t->shape, sizeof shape);
    if (rank < t->rank) shape[0] = t->shape[1]; /* one row as a vector */
    if (rank == t->rank) shape[0] = rows;
    if (!tfm_grow(&m->entries, &m->entry_capacity, m->n_entries, 1, sizeof *m->entries))
        return tfm_no_memory(error, "%s", m->gguf->path);
    entry.width = 1;
    for (uint32_t i = 1; i < rank; i++) entry.width *= shape[i];
    m->entries[m->n_entries] = entry;
    return tfm_checkpoint_add_decoded(checkpoint, name, t->block->name, rank, shape, m->n_entries++, error);
}

static tfm_status misfit(const tfm_gguf_model *m, const tfm_gguf_tensor *t, tfm_error *error) {
    return tfm_fail(error, TFM_ERROR_FORMAT, "%s: tensor '%s' has a shape that does not fit the number of heads",
                    m->gguf->path, t->name);
}

/* The three tensors of a joined one: `stems` are their names. */
static tfm_status add_qkv(tfm_checkpoint *checkpoint, tfm_gguf_model *m, const tfm_gguf_tensor *t, const char *prefix,
                          const char *stems, const char *kind, tfm_error *error) {
    const uint64_t sizes[3] = {m->n_heads * m->head_dim, m->n_kv_heads * m->head_dim, m->n_kv_heads * m->head_dim};
    const uint64_t width = t->rank > 1 ? t->count / t->shape[0] : 1;
    if (t->shape[0] != sizes[0] + sizes[1] + sizes[2]) return misfit(m, t, error);
    uint64_t first = 0;
    tfm_status status = TFM_OK;
    for (size_t i = 0; status == TFM_OK && i < 3; i++) {
        char name[400];
        int n = (int)strcspn(stems, " ");
        snprintf(name, sizeof name, "%s%.*s%s", prefix, n, stems, kind);
        status =
            add(checkpoint, m, name, (tfm_gguf_entry){.tensor = t, .first = first * width}, t->rank, sizes[i], error);
        first += sizes[i];
        stems += n + strspn(stems + n, " ");
    }
    return status;
}

static tfm_status add_stacked(tfm_checkpoint *checkpoint, tfm_gguf_model *m, const tfm_gguf_tensor *t, const char *stem,
                              const char *kind, tfm_error *error) {
    if (t->rank != 2 || t->shape[0] > 4096) return misfit(m, t, error);
    tfm_status status = TFM_OK;
    for (uint64_t i = 0; status == TFM_OK && i < t->shape[0]; i++) {
        char name[400];
        snprintf(name, sizeof name, "%.300s.%" PRIu64 "%.20s", stem, i, kind);
        status =
            add(checkpoint, m, name, (tfm_gguf_entry){.tensor = t, .first = i * t->shape[1]}, 1, t->shape[1], error);
    }
    return status;
}

static tfm_status add_named(tfm_checkpoint *checkpoint, tfm_gguf_model *m, const tfm_gguf_tensor *t, const char *prefix,
                            const tfm_gguf_name *name, const char *kind, tfm_error *error) {
    char full[400];
    snprintf(full, sizeof full, "%s%s%s", prefix, name->hf ? name->hf : "", kind);
    tfm_gguf_entry entry = {.tensor = t, .change = name->change};
    switch (name->change) {
    case TFM_GGUF_DROPPED: return TFM_OK;
    case TFM_GGUF_QKV: return add_qkv(checkpoint, m, t, prefix, name->hf, kind, error);
    case TFM_GGUF_STACKED:
        snprintf(full, sizeof full, "%s%s", prefix, name->hf);
        return add_stacked(checkpoint, m, t, full, kind, error);
    case TFM_GGUF_ROPE_Q:
    case TFM_GGUF_ROPE_K:
        entry.n_heads = name->change == TFM_GGUF_ROPE_Q ? m->n_heads : m->n_kv_heads;
        if (t->shape[0] != entry.n_heads * m->head_dim || m->head_dim % 2) return misfit(m, t, error);
        break;
    case TFM_GGUF_PER_HEAD:
        entry.n_heads = m->n_heads;
        if (t->shape[0] != 3 * m->n_heads * m->head_dim) return misfit(m, t, error);
        break;
    default: break;
    }
    return add(checkpoint, m, full, entry, t->rank, t->shape[0], error);
}

/* "blk.3.attn_q.weight": the layer, what comes after it, and where ".weight" or ".bias" begins. */
static bool split_name(const char *name, uint64_t *layer, const char **stem, const char **kind) {
    *stem = name;
    *layer = UINT64_MAX;
    int n = 0;
    if (sscanf(name, "blk.%4" SCNu64 ".%n", layer, &n) == 1 && n > 0) *stem = name + n;
    *kind = strrchr(*stem, '.');
    return *kind && (strcmp(*kind, ".weight") == 0 || strcmp(*kind, ".bias") == 0);
}

/* NULL if none of the lists has it. */
static const tfm_gguf_name *find_name(const tfm_gguf_name *const *lists, const char *stem, size_t n) {
    for (; *lists; lists++)
        for (const tfm_gguf_name *name = *lists; name->gguf; name++)
            if (strlen(name->gguf) == n && memcmp(stem, name->gguf, n) == 0) return name;
    return NULL;
}

static tfm_status add_tensor(tfm_checkpoint *checkpoint, tfm_gguf_model *m, const tfm_gguf_tensor *t,
                             tfm_error *error) {
    uint64_t layer;
    const char *stem, *kind;
    char prefix[100] = "";
    if (split_name(t->name, &layer, &stem, &kind)) {
        const bool in_layer = layer != UINT64_MAX;
        if (in_layer) snprintf(prefix, sizeof prefix, "%s%" PRIu64 ".", m->family->layers, layer);
        const tfm_gguf_name *name =
            find_name(in_layer ? m->family->layer_tensors : m->family->tensors, stem, (size_t)(kind - stem));
        if (name) return add_named(checkpoint, m, t, prefix, name, kind, error);
    }
    return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: tensor '%s' has no place in a model of architecture %s",
                    m->gguf->path, t->name, m->family->architecture);
}

/* Some converters write the embedding a second time as the projection. */
static bool is_tied(const tfm_gguf *g) {
    const tfm_gguf_tensor *a = tfm_gguf_tensor_find(g, "token_embd.weight"),
                          *b = tfm_gguf_tensor_find(g, "output.weight");
    if (!b) return true;
    return a && a->block == b->block && a->rank == b->rank && memcmp(a->shape, b->shape, sizeof a->shape) == 0 &&
           memcmp(a->data, b->data, (size_t)a->bytes) == 0;
}

static tfm_status add_tensors(tfm_checkpoint *checkpoint, tfm_gguf_model *m, tfm_error *error) {
    tfm_status status = TFM_OK;
    for (uint32_t i = 0; status == TFM_OK && i < m->gguf->n_tensors; i++) {
        const tfm_gguf_tensor *t = &m->gguf->tensors[i];
        if (m->tied && strcmp(t->name, "output.weight") == 0) continue;
        status = add_tensor(checkpoint, m, t, error);
    }
    return status;
}

/* ---- opening ---- */

static tfm_status write_tokenizers(void *state, tfm_writer *writer, const tfm_pack_options *options, tfm_error *error) {
    (void)options;
    const tfm_gguf_model *m = state;
    return tfm_gguf_write_tokenizer(m->gguf, writer, error);
}

static void close_model(void *state) {
    tfm_gguf_model *m = state;
    tfm_gguf_close(&m->gguf);
    json_decref(m->asked);
    free(m->entries);
    free(m);
}

/* A text of the metadata in memory the caller frees; NULL if it is not there or there is no memory. */
static char *get_text(const tfm_gguf *g, const char *key) {
    const tfm_gguf_value *value = tfm_gguf_find(g, key);
    if (!value || value->is_array || value->type != TFM_GGUF_STRING) return NULL;
    const uint8_t *at = value->data;
    size_t n;
    const char *text = tfm_gguf_next_string(&at, &n);
    return n > 0 && !memchr(text, 0, n) ? strndup(text, n) : NULL;
}

static tfm_status find_family(tfm_gguf_model *m, const char *architecture, tfm_error *error) {
    char known[300] = "";
    size_t used = 0;
    for (size_t i = 0; tfm_gguf_families[i]; i++) {
        if (strcmp(tfm_gguf_families[i]->architecture, architecture) == 0) {
            m->family = tfm_gguf_families[i];
            return TFM_OK;
        }
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 tfm_gguf_families[i]->architecture);
    }
    char printable[60];
    snprintf(printable, sizeof printable, "%s", architecture);
    for (char *c = printable; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e) *c = '?';
    return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                    "%s: general.architecture '%s' is not supported as GGUF; this version knows: %s", m->gguf->path,
                    printable, known);
}

static bool is_part(const tfm_gguf *g) {
    const tfm_gguf_value *count = tfm_gguf_find(g, "split.count");
    int64_t n;
    return count && !count->is_array && tfm_gguf_integer(count, 0, &n) && n > 1;
}

static bool is_utf8(const char *text) { return tfm_utf8_valid_prefix(text, strlen(text)) == strlen(text); }

static tfm_status open_model(tfm_checkpoint *checkpoint, tfm_gguf_model *m, tfm_error *error) {
    char *architecture = get_text(m->gguf, "general.architecture");
    checkpoint->config = json_object();
    checkpoint->chat_template = get_text(m->gguf, "tokenizer.chat_template");
    checkpoint->name = get_text(m->gguf, "general.name");
    if (checkpoint->name && (!checkpoint->name[0] || !is_utf8(checkpoint->name))) {
        free(checkpoint->name);
        checkpoint->name = NULL;
    }
    m->config = checkpoint->config;
    m->asked = json_object();
    tfm_status status = TFM_OK;
    if (!checkpoint->config || !m->asked || !tfm_gguf_special_tokens(m->gguf, checkpoint->hints.special_tokens))
        status = tfm_no_memory(error, "%s", m->gguf->path);
    else if (checkpoint->chat_template && !is_utf8(checkpoint->chat_template))
        status =
            tfm_fail(error, TFM_ERROR_FORMAT, "%s: key 'tokenizer.chat_template' is not UTF-8 text", m->gguf->path);
    else if (!architecture)
        status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: key 'general.architecture' is missing", m->gguf->path);
    else if (is_part(m->gguf))
        status = tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                          "%s: is one of several files of a checkpoint; join them first (gguf-split --merge)",
                          m->gguf->path);
    else if (m->gguf->n_tensors > 0)
        status = find_family(m, architecture, error);
    free(architecture);
    if (status != TFM_OK || m->gguf->n_tensors == 0) return status; /* a vocabulary alone */
    m->tied = is_tied(m->gguf);
    tfm_gguf_config(m);
    status = m->foreign.status;
    if (status == TFM_OK && strcmp(m->family->model_type, "bert") != 0 &&
        !(checkpoint->generation_config = tfm_gguf_generation(m->gguf)))
        status = tfm_no_memory(error, "%s", m->gguf->path);
    const char *note = tfm_gguf_tokenizer_note(m->gguf);
    if (status == TFM_OK && note && !(checkpoint->note = strdup(note)))
        status = tfm_no_memory(error, "%s", m->gguf->path);
    if (status == TFM_OK) status = add_tensors(checkpoint, m, error);
    if (status != TFM_OK) return status;
    tfm_gguf_check_keys(m);
    return m->foreign.status;
}

static tfm_status open_gguf(tfm_checkpoint *checkpoint, const char *path, tfm_error *error) {
    tfm_gguf_model *m = calloc(1, sizeof *m);
    if (!m) return tfm_no_memory(error, "%s", path);
    checkpoint->reader = (tfm_checkpoint_reader){m, read_rows, write_tokenizers, close_model};
    m->foreign = (tfm_foreign_model){.checkpoint = checkpoint, .path = checkpoint->path, .error = error};
    tfm_status status = tfm_gguf_open(&m->gguf, path, error);
    if (status == TFM_OK) status = open_model(checkpoint, m, error);
    m->foreign.error = NULL; /* it was of this call */
    return status;
}

static bool is_gguf(const char *path, bool is_folder) { return !is_folder && tfm_gguf_is(path); }

const tfm_checkpoint_format tfm_gguf_format = {
    .name = "gguf",
    .what = "GGUF versions 2 and 3 (F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K)",
    .matches = is_gguf,
    .open = open_gguf,
};
