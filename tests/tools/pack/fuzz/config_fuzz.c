/* config_fuzz.c - fuzz targets of configuration files with all importers behind them, and of files of shortlists. */
#include "pack_fuzz.h"

#include <jansson.h>
#include <string.h>

#include "fuzz_input.h"
#include "tools/pack/pack.h"
#include "tools/pack/shortlist/shortlist_internal.h"
#include "tools/pack/tokenizer/tokenizer_json.h"

/* A refusal is a sentence. */
static void check_refusal(tfm_status status, const tfm_error *error) {
    tfm_fuzz_require(error->status == status && error->message[0] != '\0');
}

/* ---- configuration files ---- */

/* Writes the bytes up to the next NUL as a file of the folder; NULL: there are none left, and the file is not there. */
static const uint8_t *write_part(const char *name, const uint8_t *data, const uint8_t *end) {
    if (!data) {
        tfm_fuzz_remove(name);
        return NULL;
    }
    const uint8_t *nul = memchr(data, 0, (size_t)(end - data));
    tfm_fuzz_write(name, data, (size_t)((nul ? nul : end) - data));
    return nul ? nul + 1 : NULL;
}

/*
 * The weights are one number: whatever the configuration, packing ends where the plan of the importer asks for its
 * tensors. That it came so far is what "accepted" means here.
 */
int tfm_fuzz_config(const uint8_t *data, size_t n) {
    static const char one_tensor[] = "\x36\0\0\0\0\0\0\0"
                                     "{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}\0\0\0";
    const uint8_t *end = data + n, *rest = write_part("config.json", data, end);
    rest = write_part("generation_config.json", rest, end);
    write_part("tokenizer_config.json", rest, end);
    tfm_fuzz_write("model.safetensors", one_tensor, sizeof one_tensor);
    tfm_fuzz_remove("pytorch_model.bin");
    tfm_error error = {0};
    const tfm_pack_request request = {
        .source = tfm_fuzz_folder(), .out = tfm_fuzz_path("out.bin"), .force = true, .options = {.dtype = TFM_F32}};
    tfm_status status = tfm_pack(&request, &error);
    tfm_fuzz_remove("model.safetensors");
    tfm_fuzz_remove("out.bin");
    if (status == TFM_OK) return 1;
    check_refusal(status, &error);
    return strstr(error.message, "tensors do not fit the model") != NULL;
}

/* ---- shortlists ---- */

enum { N_PIECES = 6 };

/* A tokenizer of a few pieces, made once. */
static const tfm_tokenizer *pieces_tokenizer(void) {
    static tfm_tokenizer *tokenizer;
    if (tokenizer) return tokenizer;
    static const char json[] =
        "{\"model\": {\"type\": \"WordLevel\", \"unk_token\": \"<unk>\", \"vocab\": {\"<unk>\": 0,"
        " \"</s>\": 1, \"a\": 2, \"b\": 3, \"NULL\": 4, \"\xE2\x96\x81z\": 5}}}";
    json_t *root = json_loads(json, 0, NULL);
    tfm_table_builder *builder = tfm_table_builder_new();
    tfm_error error;
    void *data;
    size_t n;
    static tfm_table *table;
    tfm_fuzz_require(root && builder && tfm_tokenizer_json(root, "pieces", builder, &error) == TFM_OK);
    tfm_fuzz_require(tfm_table_build(builder, &data, &n, &error) == TFM_OK);
    tfm_fuzz_require(tfm_table_open(&table, data, n, "pieces", &error) == TFM_OK);
    tfm_fuzz_require(tfm_tokenizer_open(&tokenizer, table, "pieces", &error) == TFM_OK);
    tfm_table_builder_free(&builder);
    json_decref(root);
    return tokenizer;
}

static bool never(void *user) {
    (void)user;
    return false;
}

int tfm_fuzz_shortlist(const uint8_t *data, size_t n) {
    tfm_fuzz_file input = tfm_fuzz_file_make(data, n);
    tfm_shortlist_pieces pieces = {0};
    tfm_error error = {0};
    tfm_fuzz_require(tfm_shortlist_pieces_open(&pieces, pieces_tokenizer(), N_PIECES, &error) == TFM_OK);
    tfm_shortlist_file file = {.source = &pieces, .target = &pieces};
    tfm_status status = tfm_shortlist_file_read(&file, input.path, never, NULL, &error);
    if (status != TFM_OK) check_refusal(status, &error);
    for (size_t i = 0; i < file.n_entries; i++) {
        const tfm_shortlist_entry *e = &file.entries[i];
        tfm_fuzz_require(e->source < N_PIECES && e->target < N_PIECES && e->probability == e->probability);
    }
    for (size_t i = 0; i < file.n_always; i++) tfm_fuzz_require(file.always[i] < N_PIECES);
    tfm_shortlist_file_free(&file);
    tfm_shortlist_pieces_close(&pieces);
    tfm_fuzz_file_close(&input);
    return status == TFM_OK;
}
