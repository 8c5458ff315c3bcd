/* llama2c_tokenizer.c - tokenizer files of llama2.c: pieces with scores and nothing else. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "llama2c.h"
#include "runtime/tokenizer/spm/spm.h"
#include "tools/pack/common/source_file.h"
#include "tools/pack/tokenizer/piece_list.h"
#include "tools/pack/tokenizer/tokenizer_json.h"

#define MAX_FILE ((size_t)64 << 20)

typedef struct reader {
    const char *path;
    tfm_piece_list list;
    tfm_text file;
    char *texts; /* spellings with U+2581 for spaces */
    tfm_error *error;
} reader;

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
    if (r->file.size < 4 || count < 3 || count > (r->file.size - 4) / 9) return wrong(r, count);
    list->pieces = calloc((size_t)count, sizeof *list->pieces);
    r->texts = malloc(3 * r->file.size);
    if (!list->pieces || !r->texts) return tfm_no_memory(r->error, "%s: the tokenizer", r->path);
    for (; list->n < count; list->n++) {
        tfm_spm_piece *p = &list->pieces[list->n];
        uint32_t n;
        if (r->file.size - at < 8) return wrong(r, count);
        memcpy(&p->score, r->file.data + at, 4);
        memcpy(&n, r->file.data + at + 4, 4);
        at += 8;
        if (n == 0 || n > r->file.size - at || !isfinite(p->score)) return wrong(r, count);
        p->text = r->texts + used;
        p->kind = kind_of(list->n, r->file.data + at, n);
        for (uint32_t i = 0; i < n; i++) {
            bool space = r->file.data[at + i] == ' ' && p->kind == TFM_PIECE_NORMAL;
            memcpy(r->texts + used, space ? (const void *)TFM_SPM_SPACE : r->file.data + at + i, space ? 3 : 1);
            used += space ? 3 : 1;
        }
        p->n = (uint32_t)(r->texts + used - p->text);
        at += n;
    }
    return at == r->file.size ? TFM_OK : wrong(r, count);
}

tfm_status tfm_llama2c_tokenizer_table(const char *path, uint64_t vocab_size, tfm_table_builder *table,
                                       tfm_error *error) {
    reader r = {.path = path, .error = error};
    json_t *root = NULL;
    r.list = (tfm_piece_list){.what = path, .bos = 1, .eos = 2, .add_bos = true, .space_prefix = true};
    tfm_status status = tfm_read_source(path, MAX_FILE, &r.file, error);
    if (status == TFM_OK) status = take_pieces(&r, vocab_size);
    if (status == TFM_OK) status = tfm_piece_list_byte_pairs(&r.list, &root, error);
    if (status == TFM_OK) status = tfm_tokenizer_json(root, path, table, error);
    json_decref(root);
    free(r.list.pieces);
    free(r.texts);
    tfm_text_free(&r.file);
    return status;
}

tfm_status tfm_llama2c_write_tokenizer(const char *path, uint64_t vocab_size, tfm_writer *writer, tfm_error *error) {
    tfm_table_builder *table = tfm_table_builder_new();
    tfm_status status = table ? tfm_llama2c_tokenizer_table(path, vocab_size, table, error)
                              : tfm_no_memory(error, "%s: the tokenizer", path);
    if (status == TFM_OK) status = tfm_writer_section(writer, "tokenizer", table, error);
    tfm_table_builder_free(&table);
    return status;
}
