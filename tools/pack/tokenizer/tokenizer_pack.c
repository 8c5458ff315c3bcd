/* tokenizer_pack.c - finds a checkpoint's tokenizer files and writes them into a model file. */
#include "tokenizer_pack.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "char_vocabulary.h"
#include "legacy_tokenizer_files.h"
#include "tokenizer_json.h"
#include "tools/pack/common/json_file.h"
#include "tools/pack/common/path.h"
#include "tools/pack/tokenizer/spm/spm_pair.h"
#include "tools/pack/tokenizer/spm/spm_table.h"

/* A JSON file of a folder, or NULL if there is none. */
static tfm_status read_settings(const char *folder, const char *name, json_t **json, tfm_error *error) {
    return tfm_json_load(tfm_path_in(folder, name).text, TFM_JSON_OPTIONAL, json, error);
}

/* ---- Marian ---- */

/* Whether source and target have vocabularies of their own: as the configuration says, else if there are two files. */
static tfm_status is_separate(const char *folder, bool *separate, tfm_error *error) {
    json_t *config;
    tfm_status status = read_settings(folder, "tokenizer_config.json", &config, error);
    const json_t *said = json_object_get(config, "separate_vocabs");
    *separate = json_is_boolean(said) ? json_is_true(said) : tfm_path_has(folder, "target_vocab.json");
    json_decref(config);
    return status;
}

static tfm_status read_vocabulary(const char *folder, const char *name, tfm_vocabulary *vocabulary, tfm_error *error) {
    json_t *config = NULL, *map = NULL;
    tfm_status status = read_settings(folder, "tokenizer_config.json", &config, error);
    if (status == TFM_OK) status = read_settings(folder, "special_tokens_map.json", &map, error);
    if (status == TFM_OK) status = tfm_vocabulary_read(vocabulary, tfm_path_in(folder, name).text, config, map, error);
    json_decref(config);
    json_decref(map);
    return status;
}

static tfm_status pack_marian(const char *folder, tfm_writer *writer, tfm_error *error) {
    const tfm_path source_file = tfm_path_in(folder, "source.spm"), target_file = tfm_path_in(folder, "target.spm");
    bool separate;
    tfm_vocabulary source = {0}, target = {0};
    tfm_table_builder *source_table = NULL, *target_table = NULL;
    tfm_status status = is_separate(folder, &separate, error);
    if (status == TFM_OK) status = read_vocabulary(folder, "vocab.json", &source, error);
    if (status == TFM_OK && separate) status = read_vocabulary(folder, "target_vocab.json", &target, error);
    if (status == TFM_OK) status = tfm_spm_pair_side(source_file.text, &source, &source_table, error);
    if (status == TFM_OK)
        status = tfm_spm_pair_side(target_file.text, separate ? &target : &source, &target_table, error);
    if (status == TFM_OK) status = tfm_spm_pair_write(writer, source_table, target_table, error);
    tfm_table_builder_free(&source_table);
    tfm_table_builder_free(&target_table);
    tfm_vocabulary_free(&source);
    tfm_vocabulary_free(&target);
    return status;
}

/* ---- one SentencePiece file ---- */

/* The piece of one of two spellings as ids around an input; none if the file has neither. */
static void put_around(const tfm_spm_model *model, const char *key, const char *a, const char *b,
                       tfm_table_builder *table) {
    int64_t number = tfm_spm_model_find(model, a, strlen(a));
    if (number < 0) number = tfm_spm_model_find(model, b, strlen(b));
    const uint32_t id = (uint32_t)number;
    if (number >= 0) tfm_table_set_array(table, key, TFM_VALUE_U32S, &id, 1);
}

/* What the classes of these families put around the pieces of a text. */
static tfm_status put_special(const char *folder, const tfm_spm_model *model, tfm_table_builder *table,
                              tfm_error *error) {
    static const char *const with_end[] = {"t5", "mt5", "umt5", NULL};
    static const char *const with_start[] = {"llama", "mistral", "gemma", "gemma2", NULL};
    json_t *config = NULL, *settings = NULL;
    tfm_status status = folder ? read_settings(folder, "config.json", &config, error) : TFM_OK;
    if (status == TFM_OK && folder) status = read_settings(folder, "tokenizer_config.json", &settings, error);
    const char *type = json_string_value(json_object_get(config, "model_type"));
    for (size_t i = 0; type && with_end[i]; i++)
        if (strcmp(type, with_end[i]) == 0) put_around(model, "suffix.ids", "</s>", "<eos>", table);
    for (size_t i = 0; type && with_start[i]; i++) {
        if (strcmp(type, with_start[i]) != 0) continue;
        if (!json_is_false(json_object_get(settings, "add_bos_token")))
            put_around(model, "prefix.ids", "<s>", "<bos>", table);
        if (json_is_true(json_object_get(settings, "add_eos_token")))
            put_around(model, "suffix.ids", "</s>", "<eos>", table);
    }
    json_decref(config);
    json_decref(settings);
    return status;
}

/* folder: whose configuration counts, or NULL. */
static tfm_status pack_file(const char *path, const char *folder, tfm_writer *writer, tfm_error *error) {
    tfm_spm_model model;
    tfm_status status = tfm_spm_model_read(&model, path, error);
    if (status != TFM_OK) return status;
    tfm_table_builder *table = tfm_table_builder_new();
    status = table ? tfm_spm_table(&model, NULL, path, table, error) : tfm_no_memory(error, "%s", path);
    if (status == TFM_OK) status = put_special(folder, &model, table, error);
    if (status == TFM_OK) status = tfm_writer_section(writer, "tokenizer", table, error);
    tfm_table_builder_free(&table);
    tfm_spm_model_free(&model);
    return status;
}

/* Families whose ids are not the numbers of pieces in their SentencePiece file: they must not be taken for them. */
static tfm_status check_family(const char *folder, const char *path, tfm_error *error) {
    static const char *const others[] = {"xlm-roberta", "camembert", "mbart", "m2m_100", "pegasus"};
    json_t *config;
    tfm_status status = read_settings(folder, "config.json", &config, error);
    const char *type = json_string_value(json_object_get(config, "model_type"));
    for (size_t i = 0; status == TFM_OK && type && i < sizeof others / sizeof *others; i++)
        if (strcmp(type, others[i]) == 0)
            status = tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                              "%s: the ids of a model of type '%s' are others than this file's; save its tokenizer as "
                              "tokenizer.json beside it (save_pretrained of a fast tokenizer in transformers does)",
                              path, type);
    json_decref(config);
    return status;
}

/*
 * The SentencePiece file of a folder: one of the usual names, else the only .spm or .model file; false if there is none
 * or if several leave it open.
 */
static bool find_file(const char *folder, tfm_path *path) {
    static const char *const usual[] = {"spiece.model", "sentencepiece.bpe.model", "tokenizer.model"};
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        *path = tfm_path_in(folder, usual[i]);
        if (tfm_path_is_file(path->text)) return true;
    }
    return tfm_path_search(folder, "", ".spm", path) + tfm_path_search(folder, "", ".model", path) == 1;
}

/* ---- Hugging Face ---- */

static tfm_status pack_json(const char *folder, tfm_writer *writer, tfm_error *error) {
    const tfm_path path = tfm_path_in(folder, "tokenizer.json");
    json_t *root;
    tfm_status status = tfm_json_load(path.text, TFM_JSON_NUL, &root, error);
    if (status == TFM_OK) status = tfm_tokenizer_json_write(root, path.text, "tokenizer", writer, error);
    json_decref(root);
    return status;
}

static tfm_status pack_legacy_files(const char *folder, tfm_writer *writer, tfm_error *error) {
    json_t *root;
    tfm_status status = tfm_legacy_tokenizer_read(folder, &root, error);
    if (status == TFM_OK) status = tfm_tokenizer_json_write(root, folder, "tokenizer", writer, error);
    json_decref(root);
    return status;
}

/* Characters in config.json; *there is false if there are none. */
static tfm_status pack_characters(const char *folder, tfm_writer *writer, bool *there, tfm_error *error) {
    json_t *source, *target;
    tfm_status status = tfm_char_vocabulary_read(folder, &source, &target, error);
    *there = source != NULL;
    if (status == TFM_OK && *there) status = tfm_tokenizer_json_write(source, folder, "tokenizer", writer, error);
    if (status == TFM_OK && *there)
        status = tfm_tokenizer_json_write(target, folder, "tokenizer.target", writer, error);
    json_decref(source);
    json_decref(target);
    return status;
}

tfm_status tfm_pack_tokenizers(const char *path, tfm_writer *writer, bool required, tfm_error *error) {
    struct stat st;
    tfm_path file;
    bool characters;
    if (stat(path, &st) != 0) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode)) return pack_file(path, NULL, writer, error);
    if (tfm_path_has(path, "vocab.json") && tfm_path_has(path, "source.spm")) return pack_marian(path, writer, error);
    if (tfm_path_has(path, "tokenizer.json")) return pack_json(path, writer, error);
    if (find_file(path, &file)) {
        tfm_status status = check_family(path, file.text, error);
        return status == TFM_OK ? pack_file(file.text, path, writer, error) : status;
    }
    tfm_status status = pack_characters(path, writer, &characters, error);
    if (status != TFM_OK || characters) return status;
    if (tfm_legacy_tokenizer_is_in(path)) return pack_legacy_files(path, writer, error);
    if (!required) return TFM_OK;
    return tfm_fail(error, TFM_ERROR_IO,
                    "%s: no tokenizer found; it needs tokenizer.json, vocab.txt, vocab.json with merges.txt or with "
                    "source.spm and target.spm, or one .spm or .model file",
                    path);
}
