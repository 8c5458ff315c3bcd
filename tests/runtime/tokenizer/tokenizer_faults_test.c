/* tokenizer_faults_test.c - the k-th allocation fails, for every k: a clean status, and nothing stays allocated. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/faults.h"
#include "tiny_json.h"
#include "tiny_spm.h"
#include "tokenizers.h"
#include "tools/pack/tokenizer/spm/spm_table.h"
#include "tools/pack/tokenizer/tokenizer_json.h"

TestSuite(tokenizer_faults, .fini = remove_scratch, .timeout = 300);

typedef struct bytes {
    unsigned char *data;
    size_t n;
} bytes;

static tfm_status pack_model(void *arg, tfm_error *error) {
    const bytes *file = arg;
    tfm_spm_model model;
    tfm_status status = tfm_spm_model_parse(&model, file->data, file->n, "model", error);
    if (status != TFM_OK) return status;
    tfm_table_builder *table = tfm_table_builder_new();
    status = table ? tfm_spm_table(&model, NULL, "model", table, error) : tfm_no_memory(error, "table");
    void *data = NULL;
    size_t n;
    if (status == TFM_OK) status = tfm_table_build(table, &data, &n, error);
    free(data);
    tfm_table_builder_free(&table);
    tfm_spm_model_free(&model);
    return status;
}

static const tiny_rule rules[] = {{"A", "a"}, {"A\xCC\x88", "\xC3\xA4"}, {"\t", " "}, {NULL, NULL}};
static const tiny_piece pieces[] = {
    {"a", -1, 0}, {"b", -1.5f, 0}, {"ab", -2, 0}, {"<x>", 0, 4}, {"\xE2\x96\x81", -1, 0}, {"ba", -3, 5}, {NULL, 0, 0}};
static const tiny_options variants[] = {{.rules = rules, .denormalizer_rules = rules},
                                        {.bpe = true, .byte_fallback = true}};

Test(tokenizer_faults, packing_a_model) {
    for (size_t i = 0; i < 2; i++) {
        bytes file;
        file.data = tiny_spm_model(&variants[i], pieces, &file.n);
        cr_expect_gt(fail_each_allocation(pack_model, &file), 30);
        free(file.data);
    }
}

static tfm_status read_vocabulary(void *arg, tfm_error *error) {
    tfm_vocabulary vocabulary;
    tfm_status status = tfm_vocabulary_read(&vocabulary, arg, NULL, NULL, error);
    tfm_vocabulary_free(&vocabulary);
    return status;
}

Test(tokenizer_faults, reading_a_vocabulary) {
    static const char json[] = "{\"</s>\": 0, \"<unk>\": 1, \"a\": 2}";
    write_scratch("vocab.json", json, sizeof json - 1);
    char path[4096];
    snprintf(path, sizeof path, "%s", scratch_file("vocab.json"));
    cr_expect_geq(fail_each_allocation(read_vocabulary, path), 2);
}

static tfm_status use_stream(const tfm_tokenizer *tokenizer, const tfm_ids *ids, tfm_error *error) {
    tfm_text_stream *stream;
    tfm_text text = {0};
    tfm_status status = tfm_text_stream_create(&stream, tokenizer, false, error);
    if (status == TFM_OK) status = tfm_text_stream_context(stream, ids->data, ids->size / 2, error);
    for (size_t i = ids->size / 2; i < ids->size && status == TFM_OK; i++)
        status = tfm_text_stream_push(stream, &ids->data[i], 1, &text, error);
    if (status == TFM_OK) status = tfm_text_stream_finish(stream, &text, error);
    tfm_text_stream_free(&stream);
    tfm_text_free(&text);
    return status;
}

static tfm_status use(void *arg, tfm_error *error) {
    const packed *p = arg;
    static const char text[] = "a ab <x> \t baab \xE2\x82\xAC zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";
    tfm_ids ids = {0};
    tfm_text back = {0};
    tfm_status status = tfm_tokenizer_encode(p->source, text, sizeof(text) - 1, true, &ids, error);
    if (status == TFM_OK) status = tfm_tokenizer_decode(p->source, ids.data, ids.size, true, &back, error);
    if (status == TFM_OK) status = use_stream(p->source, &ids, error);
    tfm_ids_free(&ids);
    tfm_text_free(&back);
    return status;
}

static tfm_status open_again(void *arg, tfm_error *error) {
    const packed *p = arg;
    tfm_tokenizer *tokenizer;
    tfm_status status = tfm_tokenizer_open(&tokenizer, tfm_file_table(p->file, "tokenizer"), "model", error);
    tfm_tokenizer_close(&tokenizer);
    return status;
}

Test(tokenizer_faults, opening_and_using) {
    for (size_t i = 0; i < 2; i++) {
        size_t n;
        unsigned char *data = tiny_spm_model(&variants[i], pieces, &n);
        packed p;
        tfm_error error = {0};
        cr_assert_eq(pack_bytes(data, n, &p, &error), TFM_OK, "%s", error.message);
        cr_expect_gt(fail_each_allocation(open_again, &p), 0);
        cr_expect_gt(fail_each_allocation(use, &p), 2);
        packed_close(&p);
        free(data);
    }
}

/* In the middle of an id: what was appended goes, and the stream must begin anew. */
Test(tokenizer_faults, a_stream_without_memory) {
    char *json = tiny_json(TINY_WORDLEVEL);
    write_scratch("tokenizer.json", json, strlen(json));
    packed p = must_pack(scratch());
    tfm_text_stream *stream;
    tfm_text text = {0};
    const int32_t ids[] = {2, 6, 7, 2};
    cr_assert_eq(tfm_text_stream_create(&stream, p.source, true, NULL), TFM_OK);
    cr_assert(tfm_text_append(&text, "!", 1));
    faults_begin(0, false);
    tfm_status status = tfm_text_stream_push(stream, ids, 4, &text, NULL);
    faults_end();
    cr_expect_eq(status, TFM_ERROR_MEMORY);
    cr_expect_str_eq(text.data, "!");
    cr_expect_eq(tfm_text_stream_push(stream, ids, 4, &text, NULL), TFM_ERROR_STATE);
    cr_expect_eq(tfm_text_stream_finish(stream, &text, NULL), TFM_ERROR_STATE);
    tfm_text_stream_reset(stream);
    cr_expect_eq(tfm_text_stream_push(stream, ids, 4, &text, NULL), TFM_OK);
    cr_expect_eq(tfm_text_stream_finish(stream, &text, NULL), TFM_OK);
    cr_expect_str_eq(text.data, "!b\xC3\xA9"
                                "ab");
    tfm_text_stream_free(&stream);
    tfm_text_free(&text);
    packed_close(&p);
    free(json);
}

/* Without memory for an index pieces are looked for one by one. */
Test(tokenizer_faults, piece_index_without_memory) {
    char *json = tiny_json(TINY_BYTES);
    write_scratch("tokenizer.json", json, strlen(json));
    packed p = must_pack(scratch());
    faults_begin(0, false);
    int32_t id = tfm_tokenizer_id(p.source, "<s>", 3), none;
    faults_begin(0, false);
    none = tfm_tokenizer_id(p.source, "<t>", 3);
    faults_end();
    cr_expect_eq(id, 9);
    cr_expect_eq(none, -1);
    packed_close(&p);
    free(json);
}

/* Counts from the packed file on: jansson's own allocations are not ours. */
Test(tokenizer_faults, opening_and_using_json) {
    for (int i = 0; i < N_TINY_JSON; i++) {
        char *json = tiny_json(i);
        write_scratch("tokenizer.json", json, strlen(json));
        packed p = must_pack(scratch());
        cr_expect_gt(fail_each_allocation(open_again, &p), 0);
        cr_expect_gt(fail_each_allocation(use, &p), 2);
        packed_close(&p);
        free(json);
    }
}

static tfm_status pack_json(void *arg, tfm_error *error) {
    tfm_table_builder *table = tfm_table_builder_new();
    tfm_status status = table ? tfm_tokenizer_json(arg, "json", table, error) : tfm_no_memory(error, "table");
    void *data = NULL;
    size_t n;
    if (status == TFM_OK) status = tfm_table_build(table, &data, &n, error);
    free(data);
    tfm_table_builder_free(&table);
    return status;
}

/* The file with a pattern and merges but no tables of all characters, which would take long to make so often. */
Test(tokenizer_faults, packing_json) {
    char *text = tiny_json(TINY_WORDS);
    json_t *json = json_loads(text, 0, NULL);
    cr_assert_not_null(json);
    cr_expect_gt(fail_each_allocation(pack_json, json), 30);
    json_decref(json);
    free(text);
}
