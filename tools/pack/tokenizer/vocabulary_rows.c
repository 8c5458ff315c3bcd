/* vocabulary_rows.c - see vocabulary_rows.h. */
#include "vocabulary_rows.h"

#include "runtime/tokenizer/tokenizer.h"

static tfm_status open_table(const tfm_writer *writer, const char *name, tfm_table **table, tfm_error *error) {
    size_t n;
    const void *data = tfm_writer_section_data(writer, name, &n);
    *table = NULL;
    return data ? tfm_table_open(table, data, n, name, error) : TFM_OK;
}

/* A section's tokenizer against the rows of a stack. */
static tfm_status check(const tfm_writer *writer, const char *section, const char *stack, uint64_t rows,
                        const char *what, tfm_error *error) {
    tfm_table *table;
    tfm_tokenizer *tokenizer = NULL;
    tfm_status status = rows > 0 ? open_table(writer, section, &table, error) : TFM_OK;
    if (rows == 0 || status != TFM_OK || !table) return status;
    status = tfm_tokenizer_open(&tokenizer, table, section, error);
    const uint64_t size = status == TFM_OK ? tfm_tokenizer_size(tokenizer) : 0;
    if (size > rows) {
        size_t n = 0;
        const char *piece = tfm_tokenizer_piece(tokenizer, (int32_t)(size - 1), &n);
        status =
            tfm_fail(error, TFM_ERROR_FORMAT,
                     "%s: the tokenizer has ids up to %llu ('%.*s'), but the %s has embeddings for 0 to %llu only: "
                     "they do not belong together, or tokens were added and the model not resized; pack with "
                     "--tokenizer PATH of the right one, or --tokenizer none",
                     what, (unsigned long long)size - 1, (int)(n < 40 ? n : 40), piece ? piece : "", stack,
                     (unsigned long long)rows - 1);
    }
    tfm_tokenizer_close(&tokenizer);
    tfm_table_close(&table);
    return status;
}

tfm_status tfm_vocabulary_rows_check(const tfm_writer *writer, const char *what, tfm_error *error) {
    tfm_table *architecture;
    size_t n;
    tfm_status status = open_table(writer, "architecture", &architecture, error);
    if (status != TFM_OK || !architecture) return status;
    const uint64_t encoder = tfm_table_u64(architecture, "encoder.vocab_size", 0);
    const uint64_t decoder = tfm_table_u64(architecture, "decoder.vocab_size", 0);
    const bool separate = tfm_writer_section_data(writer, "tokenizer.target", &n) != NULL;
    status = check(writer, "tokenizer", "encoder", encoder, what, error);
    if (status == TFM_OK)
        status = check(writer, separate ? "tokenizer.target" : "tokenizer", "decoder", decoder, what, error);
    tfm_table_close(&architecture);
    return status;
}
