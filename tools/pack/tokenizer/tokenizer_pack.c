/* tokenizer_pack.c - finds a checkpoint's tokenizer files and writes them into a model file. */
#include "tokenizer_pack.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "char_vocabulary.h"
#include "legacy_tokenizer_files.h"
#include "piece_json.h"
#include "tokenizer_json.h"
#include "tools/pack/common/json_file.h"
#include "tools/pack/common/path.h"
#include "tools/pack/tokenizer/settings/added_tokens.h"
#include "tools/pack/tokenizer/settings/language_codes.h"
#include "tools/pack/tokenizer/settings/tokenizer_flags.h"
#include "tools/pack/tokenizer/spm/spm_pair.h"
#include "tools/pack/tokenizer/spm/spm_table.h"

/* ---- vocab.json beside SentencePiece files ---- */

/* Whether source and target have vocabularies of their own: as the configuration says, else if there are two files. */
static bool is_separate(const tfm_tokenizer_files *f) {
    return tfm_tokenizer_flag(f, "separate_vocabs", tfm_path_has(f->folder, "target_vocab.json"), NULL);
}

static tfm_status read_vocabulary(const tfm_tokenizer_files *f, const char *name, tfm_vocabulary *vocabulary) {
    return tfm_vocabulary_read(vocabulary, tfm_path_in(f->folder, name).text, f->settings, f->map, f->error);
}

/* Codes such as >>fra<<, with which a source says its target language. */
static tfm_status write_marian_languages(const tfm_tokenizer_files *f, const tfm_vocabulary *source,
                                         tfm_writer *writer) {
    tfm_tokenizer_files files = *f;
    tfm_language_codes codes;
    files.class = tfm_tokenizer_class_find("MarianTokenizer");
    tfm_status status = tfm_language_codes_find(&files, source->json, &codes);
    if (status == TFM_OK) status = tfm_language_codes_write(&codes, writer, f->error);
    tfm_language_codes_free(&codes);
    return status;
}

static tfm_status pack_marian(const tfm_tokenizer_files *f, tfm_writer *writer) {
    const tfm_path source_file = tfm_path_in(f->folder, "source.spm"),
                   target_file = tfm_path_in(f->folder, "target.spm");
    const bool separate = is_separate(f);
    tfm_vocabulary source = {0}, target = {0};
    tfm_table_builder *source_table = NULL, *target_table = NULL;
    tfm_status status = read_vocabulary(f, "vocab.json", &source);
    if (status == TFM_OK && separate) status = read_vocabulary(f, "target_vocab.json", &target);
    if (status == TFM_OK) status = tfm_spm_pair_side(source_file.text, &source, &source_table, f->error);
    if (status == TFM_OK)
        status = tfm_spm_pair_side(target_file.text, separate ? &target : &source, &target_table, f->error);
    if (status == TFM_OK) status = tfm_spm_pair_write(writer, source_table, target_table, f->error);
    if (status == TFM_OK) status = write_marian_languages(f, &source, writer);
    tfm_table_builder_free(&source_table);
    tfm_table_builder_free(&target_table);
    tfm_vocabulary_free(&source);
    tfm_vocabulary_free(&target);
    return status;
}

/* M2M100: ids of vocab.json, language codes behind them. */
static tfm_status make_m2m100_vocabulary(const tfm_tokenizer_files *f, const char *path, tfm_vocabulary *vocabulary,
                                         tfm_language_codes *codes) {
    json_t *tokens, *all = NULL;
    *vocabulary = (tfm_vocabulary){0};
    *codes = (tfm_language_codes){0};
    tfm_status status = tfm_json_load(path, TFM_JSON_OBJECT, &tokens, f->error);
    if (status != TFM_OK) return status;
    const size_t n = json_object_size(tokens);
    status = tfm_language_codes_append(f, n, tokens);
    all = json_incref(tokens);
    if (status == TFM_OK)
        status = tfm_vocabulary_make(vocabulary, tokens, path, f->settings, f->map, f->error);
    else
        json_decref(tokens);
    if (status == TFM_OK) status = tfm_language_codes_find(f, all, codes);
    json_decref(all);
    if (status != TFM_OK) return status;
    const int64_t bos = tfm_vocabulary_find(vocabulary, "<s>", 3);
    if (bos >= 0) vocabulary->entries[bos].special = true;
    const char *code;
    json_t *id;
    json_object_foreach(codes->ids, code, id) vocabulary->entries[json_integer_value(id)].special = true;
    vocabulary->plain_join = true;
    return TFM_OK;
}

static tfm_status pack_m2m100(const tfm_tokenizer_files *f, const char *file, tfm_writer *writer) {
    tfm_vocabulary vocabulary;
    tfm_language_codes codes;
    tfm_table_builder *table = NULL;
    tfm_status status = make_m2m100_vocabulary(f, tfm_path_in(f->folder, "vocab.json").text, &vocabulary, &codes);
    if (status == TFM_OK) status = tfm_spm_pair_side(file, &vocabulary, &table, f->error);
    if (status == TFM_OK && codes.source >= 0) {
        const uint32_t id = (uint32_t)codes.source;
        tfm_table_set_array(table, "prefix.ids", TFM_VALUE_U32S, &id, 1);
    }
    if (status == TFM_OK) status = tfm_writer_section(writer, "tokenizer", table, f->error);
    if (status == TFM_OK) status = tfm_language_codes_write(&codes, writer, f->error);
    tfm_table_builder_free(&table);
    tfm_vocabulary_free(&vocabulary);
    tfm_language_codes_free(&codes);
    return status;
}

/* ---- one SentencePiece file ---- */

/* A token as ids around an input; the other spelling where the file has not the first. */
static void put_around(const tfm_spm_model *model, const char *key, const char *a, const char *b,
                       tfm_table_builder *table) {
    int64_t number = tfm_spm_model_find(model, a, strlen(a));
    if (number < 0) number = tfm_spm_model_find(model, b, strlen(b));
    const uint32_t id = (uint32_t)number;
    if (number >= 0) tfm_table_set_array(table, key, TFM_VALUE_U32S, &id, 1);
}

/* What the class puts around the pieces of a text. */
static void put_frame(const tfm_tokenizer_files *f, const tfm_spm_model *model, tfm_table_builder *table) {
    const tfm_tokenizer_class *class = f ? f->class : NULL;
    if (!class || class->source != TFM_SOURCE_PIECES) return;
    const bool flags = class->rebuilds;
    const char *bos = tfm_special_token_text(f, "bos_token", class->bos);
    const char *eos = tfm_special_token_text(f, "eos_token", class->eos);
    if (bos && (flags ? tfm_tokenizer_flag(f, "add_bos_token", class->adds_bos, NULL) : class->adds_bos))
        put_around(model, "prefix.ids", bos, "<bos>", table);
    if (eos && (flags ? tfm_tokenizer_flag(f, "add_eos_token", class->adds_eos, NULL) : class->adds_eos))
        put_around(model, "suffix.ids", eos, "<eos>", table);
}

/* The file as SentencePiece itself reads it. f: whose class counts, or NULL. */
static tfm_status pack_pieces(const tfm_tokenizer_files *f, const tfm_spm_model *model, const char *path,
                              tfm_writer *writer, tfm_error *error) {
    tfm_table_builder *table = tfm_table_builder_new();
    tfm_status status = table ? tfm_spm_table(model, NULL, path, table, error) : tfm_no_memory(error, "%s", path);
    if (status == TFM_OK) put_frame(f, model, table);
    if (status == TFM_OK) status = tfm_writer_section(writer, "tokenizer", table, error);
    tfm_table_builder_free(&table);
    return status;
}

/* A piece that never comes out of a text, or out of exactly its spelling: nothing changes if the class adds it. */
static bool is_own_piece(const void *user, const char *text) {
    const tfm_spm_model *model = user;
    const int64_t number = tfm_spm_model_find(model, text, strlen(text));
    if (number < 0) return false;
    const uint32_t kind = model->pieces[number].kind;
    return kind == TFM_PIECE_CONTROL || kind == TFM_PIECE_UNKNOWN || kind == TFM_PIECE_USER_DEFINED;
}

/* As transformers makes a tokenizer.json of it. */
static tfm_status pack_converted(const tfm_tokenizer_files *f, const tfm_spm_model *model, const char *path,
                                 tfm_writer *writer) {
    json_t *root;
    tfm_language_codes codes = {0};
    tfm_status status = tfm_piece_json(f, model, path, &root, f->error);
    if (status == TFM_OK) status = tfm_language_codes_frame(f, root, &codes);
    if (status == TFM_OK) status = tfm_tokenizer_json_write(root, path, "tokenizer", writer, f->error);
    if (status == TFM_OK) status = tfm_language_codes_write(&codes, writer, f->error);
    tfm_language_codes_free(&codes);
    json_decref(root);
    return status;
}

/* The class of the files must be one that is made of such a file; one that is not known is not guessed. */
static tfm_status check_class(const tfm_tokenizer_files *f, const char *path) {
    const tfm_tokenizer_class *class = f->class;
    if (class && class->source == TFM_SOURCE_PIECES) return TFM_OK;
    if (f->class_name)
        return tfm_fail(f->error, TFM_ERROR_UNSUPPORTED,
                        "%s: the tokenizer class %.60s of %s %s%s; save the tokenizer with save_pretrained of a fast "
                        "tokenizer in transformers, which writes tokenizer.json, or pack with --tokenizer none",
                        path, f->class_name, f->class_file,
                        class ? "is not made of such a file but of " : "is not known, and its ids may be others",
                        class ? tfm_tokenizer_class_files(class) : "");
    if (class)
        tfm_pack_note(f->options,
                      "%s: %s, the tokenizer class of this model_type, is not made of such a file; ids are the numbers "
                      "of its pieces, with nothing around a text",
                      path, class->name);
    return TFM_OK;
}

/* f: NULL for a file alone. */
static tfm_status pack_file(const tfm_tokenizer_files *f, const char *path, tfm_writer *writer, tfm_error *error) {
    tfm_spm_model model;
    tfm_status status = f ? check_class(f, path) : TFM_OK;
    if (status == TFM_OK) status = tfm_spm_model_read(&model, path, error);
    if (status != TFM_OK) return status;
    const bool pieces = f && f->class && f->class->source == TFM_SOURCE_PIECES;
    const bool converted =
        pieces && (f->class->order != TFM_ORDER_FILE || tfm_added_tokens_any(f, is_own_piece, &model));
    status = converted ? pack_converted(f, &model, path, writer) : pack_pieces(f, &model, path, writer, error);
    tfm_spm_model_free(&model);
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

static tfm_status pack_json(const tfm_tokenizer_files *f, tfm_writer *writer) {
    const tfm_path path = tfm_path_in(f->folder, "tokenizer.json");
    json_t *root;
    tfm_language_codes codes = {0};
    tfm_status status = tfm_json_load(path.text, TFM_JSON_NUL, &root, f->error);
    if (status == TFM_OK)
        status = tfm_tokenizer_keys_check(f, &tfm_tokenizer_json_keys, "tokenizer.json", root, "model");
    if (status == TFM_OK) status = tfm_tokenizer_flags_take(f, root);
    if (status == TFM_OK) status = tfm_language_codes_frame(f, root, &codes);
    if (status == TFM_OK) status = tfm_tokenizer_json_write(root, path.text, "tokenizer", writer, f->error);
    if (status == TFM_OK) status = tfm_language_codes_write(&codes, writer, f->error);
    tfm_language_codes_free(&codes);
    json_decref(root);
    return status;
}

static tfm_status pack_legacy_files(const tfm_tokenizer_files *f, tfm_writer *writer) {
    json_t *root;
    tfm_status status = tfm_legacy_tokenizer_read(f, &root);
    if (status == TFM_OK) status = tfm_tokenizer_json_write(root, f->folder, "tokenizer", writer, f->error);
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

/* ---- which of them ---- */

static bool is_source(const tfm_tokenizer_files *f, tfm_tokenizer_source source) {
    return f->class && f->class->source == source;
}

/* Part of a tokenizer, with what is not there. */
static tfm_status check_halves(const tfm_tokenizer_files *f) {
    static const char *const halves[][2] = {{"source.spm", "target.spm"},
                                            {"source.spm", "vocab.json"},
                                            {"target.spm", "source.spm"},
                                            {"merges.txt", "vocab.json"},
                                            {"vocab.json", "merges.txt"}};
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
        if (!tfm_path_has(f->folder, halves[i][0]) || tfm_path_has(f->folder, halves[i][1])) continue;
        return tfm_fail(
            f->error, TFM_ERROR_IO,
            "%s: has %s, but not %s, which belongs to it%s; get that file too, or pack with --tokenizer none",
            f->folder, halves[i][0], halves[i][1],
            i == 4 ? " (or source.spm and target.spm, or sentencepiece.bpe.model)" : "");
    }
    return TFM_OK;
}

/* Files older than tokenizer.json must be those that the class is made of. */
static tfm_status check_legacy_class(const tfm_tokenizer_files *f) {
    const bool words = tfm_path_has(f->folder, "vocab.txt");
    const bool pairs = tfm_path_has(f->folder, "vocab.json") && tfm_path_has(f->folder, "merges.txt");
    if ((is_source(f, TFM_SOURCE_WORDS) && words) || (is_source(f, TFM_SOURCE_BYTE_PAIRS) && pairs)) return TFM_OK;
    if (!f->class && !f->class_name) return TFM_OK;
    return tfm_fail(
        f->error, TFM_ERROR_UNSUPPORTED,
        "%s: the tokenizer class %.60s %s%s; save the tokenizer with save_pretrained of a fast tokenizer in "
        "transformers, which writes tokenizer.json, or pack with --tokenizer none",
        f->folder, f->class ? f->class->name : f->class_name,
        f->class ? "is made of other files than those here: " : "is not known: how it finds words is not said",
        f->class ? tfm_tokenizer_class_files(f->class) : "");
}

static tfm_status pack_folder(tfm_tokenizer_files *f, tfm_writer *writer, bool required) {
    const char *folder = f->folder;
    const bool has_json = tfm_path_has(folder, "tokenizer.json"), has_vocabulary = tfm_path_has(folder, "vocab.json");
    tfm_path file;
    bool characters;
    if (has_vocabulary && tfm_path_has(folder, "source.spm") && tfm_path_has(folder, "target.spm"))
        return pack_marian(f, writer);
    if (is_source(f, TFM_SOURCE_NUMBERED) && has_vocabulary && find_file(folder, &file))
        return pack_m2m100(f, file.text, writer);
    /* NLLB has this model_type too. */
    if (is_source(f, TFM_SOURCE_NUMBERED) && !f->class_name) f->class = tfm_tokenizer_class_find("NllbTokenizer");
    if (has_json) return pack_json(f, writer);
    if (!tfm_path_has(folder, "source.spm") && find_file(folder, &file))
        return pack_file(f, file.text, writer, f->error);
    tfm_status status = pack_characters(folder, writer, &characters, f->error);
    if (status != TFM_OK || characters) return status;
    if (tfm_legacy_tokenizer_is_in(folder)) {
        status = check_legacy_class(f);
        return status == TFM_OK ? pack_legacy_files(f, writer) : status;
    }
    status = check_halves(f);
    if (status != TFM_OK || !required) return status;
    return tfm_fail(f->error, TFM_ERROR_IO,
                    "%s: no tokenizer found; it needs tokenizer.json, vocab.txt, vocab.json with merges.txt or with "
                    "source.spm and target.spm, or one .spm or .model file",
                    folder);
}

tfm_status tfm_pack_tokenizers(const char *path, tfm_writer *writer, bool required, const tfm_pack_options *options,
                               tfm_error *error) {
    struct stat st;
    tfm_tokenizer_files files;
    if (stat(path, &st) != 0) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode)) return pack_file(NULL, path, writer, error);
    tfm_status status = tfm_tokenizer_files_open(&files, path, options, error);
    if (status == TFM_OK) status = pack_folder(&files, writer, required);
    tfm_tokenizer_files_close(&files);
    return status;
}
