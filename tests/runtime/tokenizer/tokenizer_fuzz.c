/* tokenizer_fuzz.c - hostile SentencePiece and tokenizer.json files and hostile tables, up to the use of what opens. */
#include "tokenizer_fuzz.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/tokenizer/text_stream.h"
#include "tools/pack/tokenizer/spm/spm_table.h"
#include "tools/pack/tokenizer/tokenizer_json.h"

int fuzz_outcome;

/* A pattern may be too much for a text; nothing else may fail. */
static void check_status(tfm_status status) {
    if (status != TFM_OK && status != TFM_ERROR_LIMIT) abort();
}

/* What must hold of any tokenizer that opens; a broken promise stops the fuzzer. */
static void use_text(const tfm_tokenizer *t, const char *text, size_t n) {
    tfm_ids ids = {0}, types = {0};
    tfm_text back = {0};
    size_t size = tfm_tokenizer_size(t);
    check_status(tfm_tokenizer_encode(t, text, n, true, &ids, NULL));
    for (size_t i = 0; i < ids.size; i++) {
        if (ids.data[i] < 0 || (size_t)ids.data[i] >= size) abort();
    }
    if (tfm_tokenizer_decode(t, ids.data, ids.size, n % 2 == 0, &back, NULL) != TFM_OK) abort();
    tfm_text_stream *stream;
    tfm_text parts = {0};
    if (tfm_text_stream_create(&stream, t, n % 2 == 0, NULL) != TFM_OK) abort();
    for (size_t i = 0; i < ids.size; i++) {
        if (tfm_text_stream_push(stream, &ids.data[i], 1, &parts, NULL) != TFM_OK) abort();
    }
    if (tfm_text_stream_finish(stream, &parts, NULL) != TFM_OK) abort();
    if (parts.size != back.size || memcmp(parts.data, back.data, back.size) != 0) abort();
    tfm_text_stream_free(&stream);
    tfm_text_free(&parts);
    tfm_status pair = tfm_tokenizer_encode_pair(t, text, n, text, n / 2, true, &ids, &types, NULL);
    if (pair != TFM_ERROR_UNSUPPORTED) check_status(pair);
    tfm_ids_free(&ids);
    tfm_ids_free(&types);
    tfm_text_free(&back);
}

static void use(const tfm_tokenizer *t, const uint8_t *tail, size_t n_tail) {
    static const char mixed[] = "a ab  b\tA\xCC\x88<x>\xE2\x96\x81\xFF\0>>x<< abab \xEF\xBD\xB1 \xC3\xA9";
    use_text(t, mixed, sizeof mixed - 1);
    use_text(t, (const char *)tail, n_tail);
    size_t size = tfm_tokenizer_size(t);
    int32_t ids[64];
    size_t n = 0;
    for (size_t i = 0; i < size && n < 64; i += size / 64 + 1) ids[n++] = (int32_t)i;
    tfm_text text = {0};
    if (tfm_tokenizer_decode(t, ids, n, false, &text, NULL) != TFM_OK) abort();
    tfm_text_free(&text);
    for (size_t i = 0; i < n; i++) {
        size_t length;
        volatile char last = 0;
        const char *piece = tfm_tokenizer_piece(t, ids[i], &length);
        if (!piece) abort();
        if (length > 0) last = piece[length - 1];
        (void)last;
    }
}

/* A table in memory of exactly its size, so that a sanitizer sees every step outside. */
static void use_table(const void *data, size_t n, const uint8_t *tail, size_t n_tail) {
    tfm_table *table = NULL;
    tfm_tokenizer *tokenizer = NULL;
    void *copy = NULL;
    if (posix_memalign(&copy, 64, n > 0 ? n : 1) != 0) return;
    memcpy(copy, data, n);
    if (tfm_table_open(&table, copy, n, "fuzz", NULL) == TFM_OK &&
        tfm_tokenizer_open(&tokenizer, table, "fuzz", NULL) == TFM_OK) {
        fuzz_outcome = FUZZ_OPENED;
        use(tokenizer, tail, n_tail);
    }
    tfm_tokenizer_close(&tokenizer);
    tfm_table_close(&table);
    free(copy);
}

static void use_model(const uint8_t *data, size_t n, const uint8_t *tail, size_t n_tail) {
    tfm_spm_model model;
    tfm_error error;
    if (tfm_spm_model_parse(&model, data, n, "fuzz", &error) != TFM_OK) return;
    tfm_table_builder *builder = tfm_table_builder_new();
    void *bytes = NULL;
    size_t n_bytes = 0;
    if (builder && tfm_spm_table(&model, NULL, "fuzz", builder, &error) == TFM_OK) {
        if (tfm_table_build(builder, &bytes, &n_bytes, &error) != TFM_OK) abort();
        use_table(bytes, n_bytes, tail, n_tail);
        if (fuzz_outcome != FUZZ_OPENED) abort(); /* what is packed must open */
    }
    free(bytes);
    tfm_table_builder_free(&builder);
    tfm_spm_model_free(&model);
}

static void use_json(const uint8_t *data, size_t n, const uint8_t *tail, size_t n_tail) {
    tfm_error error;
    json_t *root = json_loadb((const char *)data, n, JSON_ALLOW_NUL, NULL);
    tfm_table_builder *builder = tfm_table_builder_new();
    void *bytes = NULL;
    size_t n_bytes = 0;
    if (root && builder && tfm_tokenizer_json(root, "fuzz", builder, &error) == TFM_OK &&
        tfm_table_build(builder, &bytes, &n_bytes, &error) == TFM_OK) {
        use_table(bytes, n_bytes, tail, n_tail);
        if (fuzz_outcome != FUZZ_OPENED) abort(); /* what is packed must open */
    }
    free(bytes);
    tfm_table_builder_free(&builder);
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    fuzz_outcome = FUZZ_REFUSED;
    if (n == 0) return 0;
    const uint8_t *rest = data + 1;
    n--;
    size_t n_tail = n < 48 ? n : 48;
    if (data[0] == '{') {
        use_json(data, n + 1, rest + n - n_tail, n_tail);
    } else if (data[0] % 2 == 0) {
        use_model(rest, n, rest + n - n_tail, n_tail);
    } else {
        use_table(rest, n, rest + n - n_tail, n_tail);
    }
    return 0;
}
