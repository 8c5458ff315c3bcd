/* gguf_fuzz.c - fuzz targets of GGUF and of llama2.c. */
#include "pack_fuzz.h"

#include <jansson.h>
#include <string.h>

#include "fuzz_input.h"
#include "tools/pack/foreign/foreign_formats.h"
#include "tools/pack/foreign/gguf/gguf_file.h"
#include "tools/pack/foreign/gguf/gguf_tokenizer.h"
#include "tools/pack/foreign/llama2c/llama2c.h"
#include "tools/pack/tokenizer/tokenizer_json.h"

/* Bounds of everything a header gave, and its tokenizer. */
static int check_gguf(const char *path) {
    tfm_gguf *g;
    tfm_error error;
    json_t *root = NULL;
    if (tfm_gguf_open(&g, path, &error) != TFM_OK) return 0;
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        const tfm_gguf_tensor *t = &g->tensors[i];
        tfm_fuzz_require(t->data >= g->bytes && t->bytes <= g->size &&
                         (size_t)(t->data - g->bytes) <= g->size - t->bytes);
        tfm_fuzz_require(tfm_gguf_tensor_find(g, t->name) == t);
    }
    for (uint32_t i = 0; i < g->n_values; i++) {
        const tfm_gguf_value *v = &g->values[i];
        tfm_fuzz_require(v->data >= g->bytes && v->data <= g->bytes + g->size && tfm_gguf_find(g, v->key) == v);
    }
    int accepted = tfm_gguf_tokenizer(g, &root, &error) == TFM_OK;
    tfm_table_builder *table = tfm_table_builder_new();
    /* The patterns of byte-level BPE are ours, and translating them takes most of a second. */
    if (json_object_get(json_object_get(root, "pre_tokenizer"), "pretokenizers")) json_object_clear(root);
    if (json_object_size(root) > 0 && table) accepted = tfm_tokenizer_json(root, path, table, &error) == TFM_OK;
    tfm_table_builder_free(&table);
    json_decref(root);
    tfm_gguf_close(&g);
    return accepted;
}

int tfm_fuzz_gguf(const uint8_t *data, size_t n) {
    tfm_fuzz_file file = tfm_fuzz_file_make(data, n);
    const int accepted = n >= 4 && memcmp(data, "GGUF", 4) == 0 && check_gguf(file.path) && tfm_fuzz_open(file.path);
    tfm_fuzz_file_close(&file);
    return accepted;
}

/* Its table alone: a writer of model files has buffers of a MiB, which a sanitizer fills and clears in each run. */
static int make_tokenizer(const char *path) {
    tfm_error error;
    tfm_table_builder *table = tfm_table_builder_new();
    const int accepted = table && tfm_llama2c_tokenizer_table(path, 8, table, &error) == TFM_OK;
    tfm_table_builder_free(&table);
    return accepted;
}

/* A checkpoint; or, behind the word TOK, a tokenizer of 8 tokens. */
int tfm_fuzz_llama2c(const uint8_t *data, size_t n) {
    const size_t skipped = n >= 3 && memcmp(data, "TOK", 3) == 0 ? 3 : 0;
    const char *path = tfm_fuzz_write("x.bin", data + skipped, n - skipped);
    if (skipped > 0) return make_tokenizer(path);
    return tfm_llama2c_format.matches(path, false) && tfm_fuzz_open(path);
}
