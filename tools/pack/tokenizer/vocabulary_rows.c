/* vocabulary_rows.c - see vocabulary_rows.h. */
#include "vocabulary_rows.h"

#include <string.h>

#include "format/utf8.h"
#include "legacy_tokenizer_files.h"
#include "runtime/tokenizer/tokenizer.h"
#include "tools/pack/common/path.h"

static tfm_status open_table(const tfm_writer *writer, const char *name, tfm_table **table, tfm_error *error) {
    size_t n;
    const void *data = tfm_writer_section_data(writer, name, &n);
    *table = NULL;
    return data ? tfm_table_open(table, data, n, name, error) : TFM_OK;
}

typedef struct misfit {
    unsigned long long last_id, last_row;
    char piece[48]; /* of last_id */
} misfit;

/* A section's tokenizer against the rows of a stack; *is_one: it has ids beyond them. */
static tfm_status compare(const tfm_writer *writer, const char *section, uint64_t rows, misfit *m, bool *is_one,
                          tfm_error *error) {
    tfm_table *table = NULL;
    tfm_tokenizer *tokenizer = NULL;
    tfm_status status = rows > 0 ? open_table(writer, section, &table, error) : TFM_OK;
    if (status == TFM_OK && table) status = tfm_tokenizer_open(&tokenizer, table, section, error);
    const uint64_t size = tokenizer ? tfm_tokenizer_size(tokenizer) : 0;
    *is_one = size > rows;
    if (*is_one) {
        size_t n = 0;
        const char *piece = tfm_tokenizer_piece(tokenizer, (int32_t)(size - 1), &n);
        *m = (misfit){.last_id = size - 1, .last_row = rows - 1};
        if (piece && tfm_utf8_valid_prefix(piece, n) == n && n < sizeof m->piece) memcpy(m->piece, piece, n);
    }
    tfm_tokenizer_close(&tokenizer);
    tfm_table_close(&table);
    return status;
}

/* Whether a file of the folder says which tokenizer its model has. */
static bool is_said(const char *folder) {
    tfm_tokenizer_files files;
    tfm_error error;
    const bool opened = tfm_tokenizer_files_open(&files, folder, NULL, &error) == TFM_OK;
    const bool said =
        !opened || files.class_name || tfm_path_has(folder, "tokenizer.json") || !tfm_legacy_tokenizer_is_in(folder);
    tfm_tokenizer_files_close(&files);
    return said;
}

static tfm_status refuse(const misfit *m, const char *stack, const char *what, const tfm_pack_options *options,
                         tfm_error *error) {
    if (is_said(what))
        return tfm_fail(
            error, TFM_ERROR_FORMAT,
            "%s: the tokenizer has ids up to %llu ('%s'), but the %s has embeddings for 0 to %llu only: they "
            "do not belong together, or tokens were added and the model not resized; pack with --tokenizer "
            "PATH of the right one, or --tokenizer none",
            what, m->last_id, m->piece, stack, m->last_row);
    tfm_pack_note(
        options,
        "%s: the tokenizer has ids up to %llu ('%s'), but the %s has embeddings for 0 to %llu only; texts with "
        "other ids will be refused",
        what, m->last_id, m->piece, stack, m->last_row);
    return TFM_OK;
}

tfm_status tfm_vocabulary_rows_check(const tfm_writer *writer, const char *what, const tfm_pack_options *options,
                                     tfm_error *error) {
    static const char *const stacks[] = {"encoder", "decoder"};
    tfm_table *architecture;
    size_t n;
    tfm_status status = open_table(writer, "architecture", &architecture, error);
    if (status != TFM_OK || !architecture) return status;
    const uint64_t rows[] = {tfm_table_u64(architecture, "encoder.vocab_size", 0),
                             tfm_table_u64(architecture, "decoder.vocab_size", 0)};
    const bool separate = tfm_writer_section_data(writer, "tokenizer.target", &n) != NULL;
    bool is_misfit = false;
    for (size_t i = 0; i < 2 && status == TFM_OK && !is_misfit; i++) {
        misfit m;
        if (rows[i] == 0) continue;
        status = compare(writer, separate && i == 1 ? "tokenizer.target" : "tokenizer", rows[i], &m, &is_misfit, error);
        if (status == TFM_OK && is_misfit) status = refuse(&m, stacks[i], what, options, error);
    }
    tfm_table_close(&architecture);
    return status;
}
