/* llama2c_tokenizer.c - tokenizer files of llama2.c: pieces with scores and nothing else. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llama2c.h"
#include "runtime/tokenizer/spm.h"
#include "runtime/tokenizer/utf8_strict.h"
#include "tools/pack/tokenizer/piece_list.h"
#include "tools/pack/tokenizer/tokenizer_json.h"

#define MAX_FILE ((size_t)64 << 20)

typedef struct reader {
    const char *path;
    tfm_piece_list list;
    unsigned char *data;
    char *texts; /* spellings with U+2581 for spaces */
    size_t n;
    tfm_error *error;
} reader;

static tfm_status no_memory(const reader *r) {
    return tfm_fail(r->error, TFM_ERROR_MEMORY, "%s: no memory for the tokenizer", r->path);
}

static tfm_status load(reader *r) {
    FILE *file = fopen(r->path, "re");
    if (!file) return tfm_fail(r->error, TFM_ERROR_IO, "%s: cannot open: %s", r->path, strerror(errno));
    r->data = malloc(MAX_FILE);
    r->n = r->data ? fread(r->data, 1, MAX_FILE, file) : 0;
    bool failed = ferror(file) != 0;
    fclose(file);
    if (!r->data) return no_memory(r);
    if (failed) return tfm_fail(r->error, TFM_ERROR_IO, "%s: cannot be read", r->path);
    if (r->n == MAX_FILE) return tfm_fail(r->error, TFM_ERROR_FORMAT, "%s: is too long for a tokenizer", r->path);
    return TFM_OK;
}

static tfm_status wrong(const reader *r, uint64_t expected) {
    return tfm_fail(r->error, TFM_ERROR_FORMAT,
                    "%s: is no tokenizer file of llama2.c with %" PRIu64 " tokens, as many as the model has", r->path,
                    expected);
}

static uint32_t kind_of(size_t id, const char *text, size_t n) {
    if (id == 0) return TFM_PIECE_UNKNOWN;
    if (id <= 2) return TFM_PIECE_CONTROL;
    return tfm_spm_byte(text, n) >= 0 ? TFM_PIECE_BYTE : TFM_PIECE_NORMAL;
}

static tfm_status take_pieces(reader *r, uint64_t count) {
    tfm_piece_list *list = &r->list;
    size_t at = 4, used = 0;
    /* A piece takes 9 bytes at least, and each of its bytes at most three. */
    if (r->n < 4 || count < 3 || count > (r->n - 4) / 9) return wrong(r, count);
    list->pieces = calloc((size_t)count, sizeof *list->pieces);
    r->texts = malloc(3 * r->n);
    if (!list->pieces || !r->texts) return no_memory(r);
    for (; list->n < count; list->n++) {
        tfm_spm_piece *p = &list->pieces[list->n];
        uint32_t n;
        if (r->n - at < 8) return wrong(r, count);
        memcpy(&p->score, r->data + at, 4);
        memcpy(&n, r->data + at + 4, 4);
        at += 8;
        if (n == 0 || n > r->n - at || !isfinite(p->score)) return wrong(r, count);
        p->text = r->texts + used;
        p->kind = kind_of(list->n, (const char *)r->data + at, n);
        for (uint32_t i = 0; i < n; i++) {
            bool space = r->data[at + i] == ' ' && p->kind == TFM_PIECE_NORMAL;
            memcpy(r->texts + used, space ? (const void *)TFM_UTF8_SPACE : r->data + at + i, space ? 3 : 1);
            used += space ? 3 : 1;
        }
        p->n = (uint32_t)(r->texts + used - p->text);
        at += n;
    }
    return at == r->n ? TFM_OK : wrong(r, count);
}

static tfm_status write_table(const reader *r, const json_t *root, tfm_writer *writer) {
    tfm_table_builder *table = tfm_table_builder_new();
    tfm_status status = table ? tfm_tokenizer_json(root, r->path, table, r->error) : no_memory(r);
    if (status == TFM_OK) status = tfm_writer_section(writer, "tokenizer", table, r->error);
    tfm_table_builder_free(&table);
    return status;
}

tfm_status tfm_llama2c_write_tokenizer(const char *path, uint64_t vocab_size, tfm_writer *writer, tfm_error *error) {
    reader r = {.path = path, .error = error};
    json_t *root = NULL;
    r.list = (tfm_piece_list){.what = path, .bos = 1, .eos = 2, .add_bos = true, .space_prefix = true};
    tfm_status status = load(&r);
    if (status == TFM_OK) status = take_pieces(&r, vocab_size);
    if (status == TFM_OK) status = tfm_piece_list_byte_pairs(&r.list, &root, error);
    if (status == TFM_OK) status = write_table(&r, root, writer);
    json_decref(root);
    free(r.list.pieces);
    free(r.texts);
    free(r.data);
    return status;
}
