/* tokenizer_pack.c - finds a checkpoint's tokenizer files and writes them into a model file. */
#include "tokenizer_pack.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "char_vocabulary.h"
#include "legacy_tokenizer_files.h"
#include "tokenizer_json.h"
#include "tools/pack/tokenizer/spm/spm_table.h"

static tfm_status no_memory(const char *path, tfm_error *error) {
    return tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", path);
}

/* folder/name in memory the caller frees, or NULL. */
static char *join(const char *folder, const char *name) {
    char *path;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

static bool is_file(const char *path) {
    struct stat st;
    return path && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool has_file(const char *folder, const char *name) {
    char *path = join(folder, name);
    bool found = is_file(path);
    free(path);
    return found;
}

/* ---- Marian ---- */

/* One side's table in *table. */
static tfm_status marian_side(const char *folder, const char *spm_name, const tfm_vocabulary *vocabulary,
                              tfm_table_builder **table, tfm_error *error) {
    char *path = join(folder, spm_name);
    *table = tfm_table_builder_new();
    tfm_spm_model model;
    tfm_status status = path && *table ? tfm_spm_model_read(&model, path, error) : no_memory(folder, error);
    if (status == TFM_OK) {
        status = tfm_spm_table(&model, vocabulary, path, *table, error);
        tfm_spm_model_free(&model);
    }
    free(path);
    return status;
}

/* A JSON object, or NULL if there is no such file. Settings may have a model_max_length of 10^30. */
static tfm_status optional_json(const char *folder, const char *name, json_t **json, tfm_error *error) {
    *json = NULL;
    char *path = join(folder, name);
    if (!path) return no_memory(folder, error);
    tfm_status status = TFM_OK;
    if (is_file(path)) {
        json_error_t wrong;
        *json = json_load_file(path, JSON_DECODE_INT_AS_REAL, &wrong);
        if (!*json) {
            status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: line %d: %s", path, wrong.line, wrong.text);
        }
    }
    free(path);
    return status;
}

/* Whether source and target have vocabularies of their own: as the configuration says, else if there are two files. */
static tfm_status is_separate(const char *folder, bool *separate, tfm_error *error) {
    json_t *config;
    tfm_status status = optional_json(folder, "tokenizer_config.json", &config, error);
    const json_t *said = json_object_get(config, "separate_vocabs");
    *separate = json_is_boolean(said) ? json_is_true(said) : has_file(folder, "target_vocab.json");
    json_decref(config);
    return status;
}

static tfm_status read_vocabulary(const char *folder, const char *name, tfm_vocabulary *vocabulary, tfm_error *error) {
    json_t *config = NULL, *map = NULL;
    char *path = join(folder, name);
    tfm_status status = path ? TFM_OK : no_memory(folder, error);
    if (status == TFM_OK) status = optional_json(folder, "tokenizer_config.json", &config, error);
    if (status == TFM_OK) status = optional_json(folder, "special_tokens_map.json", &map, error);
    if (status == TFM_OK) status = tfm_vocabulary_read(vocabulary, path, config, map, error);
    json_decref(config);
    json_decref(map);
    free(path);
    return status;
}

/* Whether two tables have the same bytes. */
static tfm_status compare(const tfm_table_builder *a, const tfm_table_builder *b, bool *same, tfm_error *error) {
    void *x = NULL, *y = NULL;
    size_t n_x = 0, n_y = 0;
    tfm_status status = tfm_table_build(a, &x, &n_x, error);
    if (status == TFM_OK) status = tfm_table_build(b, &y, &n_y, error);
    *same = status == TFM_OK && n_x == n_y && memcmp(x, y, n_x) == 0;
    free(x);
    free(y);
    return status;
}

static tfm_status pack_marian(const char *folder, tfm_writer *writer, tfm_error *error) {
    bool separate, same = false;
    tfm_vocabulary source = {0}, target = {0};
    tfm_table_builder *source_table = NULL, *target_table = NULL;
    tfm_status status = is_separate(folder, &separate, error);
    if (status == TFM_OK) status = read_vocabulary(folder, "vocab.json", &source, error);
    if (status == TFM_OK && separate) status = read_vocabulary(folder, "target_vocab.json", &target, error);
    if (status == TFM_OK) status = marian_side(folder, "source.spm", &source, &source_table, error);
    if (status == TFM_OK) {
        status = marian_side(folder, "target.spm", separate ? &target : &source, &target_table, error);
    }
    if (status == TFM_OK) status = compare(source_table, target_table, &same, error);
    if (status == TFM_OK) status = tfm_writer_section(writer, "tokenizer", source_table, error);
    if (status == TFM_OK && !same) status = tfm_writer_section(writer, "tokenizer.target", target_table, error);
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
    tfm_status status = folder ? optional_json(folder, "config.json", &config, error) : TFM_OK;
    if (status == TFM_OK && folder) status = optional_json(folder, "tokenizer_config.json", &settings, error);
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
    status = table ? tfm_spm_table(&model, NULL, path, table, error) : no_memory(path, error);
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
    tfm_status status = optional_json(folder, "config.json", &config, error);
    const char *type = json_string_value(json_object_get(config, "model_type"));
    for (size_t i = 0; status == TFM_OK && type && i < sizeof others / sizeof others[0]; i++)
        if (strcmp(type, others[i]) == 0)
            status = tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                              "%s: the ids of a model of type '%s' are others than this file's; save its tokenizer as "
                              "tokenizer.json beside it (save_pretrained of a fast tokenizer in transformers does)",
                              path, type);
    json_decref(config);
    return status;
}

static bool ends_with(const char *name, const char *end) {
    size_t n = strlen(name), n_end = strlen(end);
    return n > n_end && strcmp(name + n - n_end, end) == 0;
}

/*
 * The SentencePiece file of a folder: one of the usual names, else the only .spm or .model file. *path stays NULL if
 * there is none or if several leave it open.
 */
static tfm_status find_file(const char *folder, char **path, tfm_error *error) {
    static const char *const usual[] = {"spiece.model", "sentencepiece.bpe.model", "tokenizer.model"};
    *path = NULL;
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        if (!has_file(folder, usual[i])) continue;
        *path = join(folder, usual[i]);
        return *path ? TFM_OK : no_memory(folder, error);
    }
    DIR *dir = opendir(folder);
    if (!dir) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot be opened: %s", folder, strerror(errno));
    size_t n = 0;
    tfm_status status = TFM_OK;
    for (struct dirent *entry; status == TFM_OK && (entry = readdir(dir));) {
        if (!ends_with(entry->d_name, ".spm") && !ends_with(entry->d_name, ".model")) continue;
        free(*path);
        *path = join(folder, entry->d_name);
        if (!*path) status = no_memory(folder, error);
        n++;
    }
    closedir(dir);
    if (status != TFM_OK || n != 1) {
        free(*path);
        *path = NULL;
    }
    return status;
}

/* ---- Hugging Face ---- */

/* tokenizer.json, or the other files of a folder in its form. */
static tfm_status pack_json(const char *folder, bool whole, tfm_writer *writer, tfm_error *error) {
    json_t *root = NULL;
    char *path = whole ? join(folder, "tokenizer.json") : strdup(folder);
    if (!path) return no_memory(folder, error);
    tfm_status status = whole ? tfm_slow_files_load(path, &root, error) : tfm_slow_files_read(folder, &root, error);
    tfm_table_builder *table = tfm_table_builder_new();
    if (status == TFM_OK && !table) status = no_memory(path, error);
    if (status == TFM_OK) status = tfm_tokenizer_json(root, path, table, error);
    if (status == TFM_OK) status = tfm_writer_section(writer, "tokenizer", table, error);
    tfm_table_builder_free(&table);
    json_decref(root);
    free(path);
    return status;
}

static tfm_status write_json(const json_t *root, const char *what, const char *section, tfm_writer *writer,
                             tfm_error *error) {
    tfm_table_builder *table = tfm_table_builder_new();
    tfm_status status = table ? tfm_tokenizer_json(root, what, table, error) : no_memory(what, error);
    if (status == TFM_OK) status = tfm_writer_section(writer, section, table, error);
    tfm_table_builder_free(&table);
    return status;
}

/* Characters in config.json; *there is false if there are none. */
static tfm_status pack_characters(const char *folder, tfm_writer *writer, bool *there, tfm_error *error) {
    json_t *source, *target;
    tfm_status status = tfm_characters_read(folder, &source, &target, error);
    *there = source != NULL;
    if (status == TFM_OK && *there) status = write_json(source, folder, "tokenizer", writer, error);
    if (status == TFM_OK && *there) status = write_json(target, folder, "tokenizer.target", writer, error);
    json_decref(source);
    json_decref(target);
    return status;
}

tfm_status tfm_pack_tokenizers(const char *src, tfm_writer *writer, bool required, tfm_error *error) {
    if (is_file(src)) return pack_file(src, NULL, writer, error);
    if (has_file(src, "vocab.json") && has_file(src, "source.spm")) return pack_marian(src, writer, error);
    if (has_file(src, "tokenizer.json")) return pack_json(src, true, writer, error);
    char *path;
    bool characters = false;
    tfm_status status = find_file(src, &path, error);
    if (status == TFM_OK && !path) status = pack_characters(src, writer, &characters, error);
    if (characters) {
        free(path);
        return status;
    }
    if (status == TFM_OK && path) {
        status = check_family(src, path, error);
        if (status == TFM_OK) status = pack_file(path, src, writer, error);
    } else if (status == TFM_OK && tfm_slow_files_there(src)) {
        status = pack_json(src, false, writer, error);
    } else if (status == TFM_OK && required) {
        status =
            tfm_fail(error, TFM_ERROR_IO,
                     "%s: no tokenizer found; it needs tokenizer.json, vocab.txt, vocab.json with merges.txt or with "
                     "source.spm and target.spm, or one .spm or .model file",
                     src);
    }
    free(path);
    return status;
}
