/* legacy_tokenizer_files.c - vocab.txt, vocab.json and merges.txt in the form of tokenizer.json. */
#include "legacy_tokenizer_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/regular_file.h"
#include "tools/pack/common/json_file.h"
#include "tools/pack/common/path.h"
#include "tools/pack/tokenizer/settings/added_tokens.h"
#include "tools/pack/tokenizer/settings/tokenizer_flags.h"

/* The pre-tokenizer of Qwen2. */
#define QWEN2                                                                                                          \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "                                              \
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

bool tfm_legacy_tokenizer_is_in(const char *path) {
    return tfm_path_has(path, "vocab.txt") || (tfm_path_has(path, "vocab.json") && tfm_path_has(path, "merges.txt"));
}

static tfm_status no_memory(const tfm_tokenizer_files *f) { return tfm_no_memory(f->error, "%s", f->folder); }

/* What ends a line, or a byte order mark, is not part of it; Python's text mode reads it so too. */
static json_t *make_line(const char *line, size_t n, bool first, bool trim) {
    if (first && n >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0) {
        line += 3;
        n -= 3;
    }
    if (n > 0 && line[n - 1] == '\n') n--;
    while (n > 0 && line[n - 1] == '\r') n--;
    while (trim && n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t')) n--;
    return json_stringn(line, n);
}

/* Lines of a text file as JSON strings; trim: without white space at their ends. */
static tfm_status read_lines(const tfm_tokenizer_files *f, const char *name, bool trim, json_t **lines) {
    const tfm_path path = tfm_path_in(f->folder, name);
    char *line = NULL;
    size_t capacity = 0;
    int fd;
    *lines = NULL;
    tfm_status status = tfm_open_regular(path.text, "a list of tokens", &fd, NULL, f->error);
    if (status != TFM_OK) return status;
    FILE *file = fdopen(fd, "r");
    *lines = json_array();
    if (!file || !*lines) {
        if (file)
            fclose(file);
        else
            close(fd);
        return no_memory(f);
    }
    for (ssize_t n; status == TFM_OK && (n = getline(&line, &capacity, file)) >= 0;) {
        json_t *text = make_line(line, (size_t)n, json_array_size(*lines) == 0, trim);
        if (!text)
            status = tfm_fail(f->error, TFM_ERROR_FORMAT, "%s: line %zu is not UTF-8", path.text,
                              json_array_size(*lines) + 1);
        else if (json_array_append_new(*lines, text) != 0)
            status = no_memory(f);
    }
    free(line);
    fclose(file);
    return status;
}

/* ---- BERT ---- */

/* A token that stands around every text, with its id. */
static tfm_status need(const tfm_tokenizer_files *f, const json_t *vocabulary, const json_t *added, const char *role,
                       const char *fallback, const char **text, json_int_t *id) {
    *text = tfm_special_token_text(f, role, fallback);
    *id = *text ? tfm_added_tokens_find(vocabulary, added, *text) : -1;
    if (*id >= 0) return TFM_OK;
    return tfm_fail(f->error, TFM_ERROR_FORMAT, "%s: the vocabulary lacks the special token %.80s (%s)", f->folder,
                    *text ? *text : "", role);
}

static bool has_capital(const char *text) {
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z') return true;
    return false;
}

/* Pieces with capitals in a vocabulary that is used on lower case can never come out of a text. */
static void note_capitals(const tfm_tokenizer_files *f, const json_t *lines, bool lower) {
    size_t i, n_capital = 0, n_words = 0;
    const json_t *line;
    json_array_foreach((json_t *)(uintptr_t)lines, i, line) {
        const char *text = json_string_value(line);
        if (*text == '[' || *text == '<') continue; /* a special token */
        n_words++;
        n_capital += has_capital(text);
    }
    if (lower && n_capital * 20 > n_words)
        tfm_pack_note(f->options,
                      "%s/vocab.txt has %zu pieces with capital letters, but texts are made lower-case "
                      "(do_lower_case of tokenizer_config.json%s): if the model is a cased one, say false there",
                      f->folder, n_capital,
                      json_is_boolean(json_object_get(f->settings, "do_lower_case")) ? ""
                                                                                     : ", true if it is not there");
    if (!lower && n_words > 1000 && n_capital == 0)
        tfm_pack_note(f->options,
                      "%s/vocab.txt has no piece with a capital letter, but texts keep theirs (do_lower_case of "
                      "tokenizer_config.json is false): words with one become unknown",
                      f->folder);
}

static tfm_status make_words(const tfm_tokenizer_files *f, const json_t *lines, json_t **vocabulary) {
    size_t i;
    const json_t *line;
    *vocabulary = json_object();
    if (!*vocabulary) return no_memory(f);
    json_array_foreach((json_t *)(uintptr_t)lines, i, line) {
        if (json_object_setn_new(*vocabulary, json_string_value(line), json_string_length(line),
                                 json_integer((json_int_t)i)) != 0)
            return no_memory(f);
    }
    return TFM_OK;
}

static json_t *make_bert_normalizer(const tfm_tokenizer_files *f) {
    const json_t *strip = json_object_get(f->settings, "strip_accents");
    return json_pack("{s:s, s:b, s:b, s:o, s:b}", "type", "BertNormalizer", "clean_text",
                     tfm_tokenizer_flag(f, "clean_text", true, NULL), "handle_chinese_chars",
                     tfm_tokenizer_flag(f, "tokenize_chinese_chars", true, NULL), "strip_accents",
                     json_is_boolean(strip) ? json_boolean(json_is_true(strip)) : json_null(), "lowercase",
                     tfm_tokenizer_flag(f, "do_lower_case", true, NULL));
}

static tfm_status make_bert(const tfm_tokenizer_files *f, const json_t *vocabulary, const json_t *added,
                            json_t **root) {
    const char *cls, *sep, *unknown;
    json_int_t cls_id, sep_id = 0, unknown_id;
    tfm_status status = need(f, vocabulary, added, "cls_token", "[CLS]", &cls, &cls_id);
    if (status == TFM_OK) status = need(f, vocabulary, added, "sep_token", "[SEP]", &sep, &sep_id);
    if (status == TFM_OK) status = need(f, vocabulary, added, "unk_token", "[UNK]", &unknown, &unknown_id);
    if (status != TFM_OK) return status;
    *root = json_pack("{s:O, s:o, s:{s:s}, s:{s:s, s:[s, I], s:[s, I]}, s:{s:s, s:s, s:b}, "
                      "s:{s:s, s:s, s:s, s:i, s:O}}",
                      "added_tokens", added, "normalizer", make_bert_normalizer(f), "pre_tokenizer", "type",
                      "BertPreTokenizer", "post_processor", "type", "BertProcessing", "cls", cls, cls_id, "sep", sep,
                      sep_id, "decoder", "type", "WordPiece", "prefix", "##", "cleanup", 1, "model", "type",
                      "WordPiece", "unk_token", unknown, "continuing_subword_prefix", "##", "max_input_chars_per_word",
                      100, "vocab", vocabulary);
    return *root ? TFM_OK : no_memory(f);
}

/* Special tokens by their usual names, if the vocabulary has them. */
static tfm_status add_usual(const tfm_tokenizer_files *f, const json_t *vocabulary, const char *const (*usual)[2],
                            json_t *added) {
    for (size_t i = 0; usual[i][0]; i++) {
        const char *text = usual[i][1];
        const json_t *id = json_object_get(vocabulary, text);
        if (tfm_special_token(f, usual[i][0]) || !id || tfm_added_tokens_find(NULL, added, text) >= 0) continue;
        /* <mask> of RoBERTa's classes takes the space before it. */
        const bool takes_space = strcmp(text, "<mask>") == 0;
        json_t *token = json_pack("{s:O, s:s, s:b, s:b, s:b, s:b, s:b}", "id", id, "content", text, "single_word", 0,
                                  "lstrip", takes_space, "rstrip", 0, "normalized", takes_space, "special", 1);
        if (json_array_append_new(added, token) != 0) return no_memory(f);
    }
    return TFM_OK;
}

static tfm_status read_bert(const tfm_tokenizer_files *f, json_t **root) {
    static const char *const usual[][2] = {{"pad_token", "[PAD]"}, {"unk_token", "[UNK]"},   {"cls_token", "[CLS]"},
                                           {"sep_token", "[SEP]"}, {"mask_token", "[MASK]"}, {NULL, NULL}};
    json_t *lines = NULL, *vocabulary = NULL, *added = json_array();
    tfm_status status = added ? read_lines(f, "vocab.txt", true, &lines) : no_memory(f);
    if (status == TFM_OK) status = make_words(f, lines, &vocabulary);
    if (status == TFM_OK) status = tfm_added_tokens_take(f, vocabulary, added);
    if (status == TFM_OK) status = add_usual(f, vocabulary, usual, added);
    if (status == TFM_OK) status = make_bert(f, vocabulary, added, root);
    if (status == TFM_OK) note_capitals(f, lines, tfm_tokenizer_flag(f, "do_lower_case", true, NULL));
    json_decref(lines);
    json_decref(vocabulary);
    json_decref(added);
    return status;
}

/* ---- GPT-2 and its like ---- */

/* Lines of merges.txt but for the version and empty ones. */
static tfm_status read_merges(const tfm_tokenizer_files *f, json_t **merges) {
    json_t *lines = NULL, *line;
    size_t i;
    tfm_status status = read_lines(f, "merges.txt", false, &lines);
    *merges = json_array();
    if (status == TFM_OK && !*merges) status = no_memory(f);
    json_array_foreach(lines, i, line) {
        bool skip = json_string_length(line) == 0 || strncmp(json_string_value(line), "#version", 8) == 0;
        if (status == TFM_OK && !skip && json_array_append(*merges, line) != 0) status = no_memory(f);
    }
    json_decref(lines);
    return status;
}

/* What comes before BPE, by the class of tokenizer. */
static json_t *make_pre_tokenizer(const tfm_tokenizer_files *f) {
    const bool prefix_space = tfm_tokenizer_flag(f, "add_prefix_space", false, NULL);
    if (strcmp(f->class->name, "Qwen2Tokenizer") != 0)
        return json_pack("{s:{s:s, s:b}}", "pre_tokenizer", "type", "ByteLevel", "add_prefix_space", prefix_space);
    return json_pack("{s:{s:s}, s:{s:s, s:[{s:s, s:{s:s}, s:s, s:b}, {s:s, s:b, s:b}]}}", "normalizer", "type", "NFC",
                     "pre_tokenizer", "type", "Sequence", "pretokenizers", "type", "Split", "pattern", "Regex", QWEN2,
                     "behavior", "Isolated", "invert", 0, "type", "ByteLevel", "add_prefix_space", prefix_space,
                     "use_regex", 0);
}

/* What stands around the ids: cls and sep, or the start token where add_bos_token says so. */
static tfm_status make_frame(const tfm_tokenizer_files *f, const json_t *vocabulary, const json_t *added,
                             json_t **post) {
    const char *cls, *sep;
    json_int_t cls_id, sep_id = 0;
    tfm_frame frame = {0};
    tfm_status status;
    *post = NULL;
    if (f->class->cls_sep) {
        status = need(f, vocabulary, added, "cls_token", "<s>", &cls, &cls_id);
        if (status == TFM_OK) status = need(f, vocabulary, added, "sep_token", "</s>", &sep, &sep_id);
        if (status != TFM_OK) return status;
        *post =
            json_pack("{s:s, s:[s, I], s:[s, I]}", "type", "RobertaProcessing", "cls", cls, cls_id, "sep", sep, sep_id);
        return *post ? TFM_OK : no_memory(f);
    }
    /* Qwen2's class does not know it. */
    if (!f->class->bos || !tfm_tokenizer_flag(f, "add_bos_token", false, NULL)) return TFM_OK;
    status = need(f, vocabulary, added, "bos_token", f->class->bos, &frame.before, &frame.before_id);
    if (status != TFM_OK) return status;
    *post = tfm_frame_template(&frame, true);
    return *post ? TFM_OK : no_memory(f);
}

static tfm_status make_gpt2(const tfm_tokenizer_files *f, const json_t *vocabulary, const json_t *merges,
                            const json_t *added, json_t **root) {
    json_t *post, *parts = make_pre_tokenizer(f);
    tfm_status status = parts ? make_frame(f, vocabulary, added, &post) : no_memory(f);
    if (status == TFM_OK && post && json_object_set_new(parts, "post_processor", post) != 0) status = no_memory(f);
    if (status == TFM_OK) {
        *root = json_pack("{s:O, s:{s:s, s:b}, s:{s:s, s:n, s:b, s:b, s:O, s:O}}", "added_tokens", added, "decoder",
                          "type", "ByteLevel", "add_prefix_space",
                          tfm_tokenizer_flag(f, "add_prefix_space", false, NULL), "model", "type", "BPE", "unk_token",
                          "fuse_unk", 0, "byte_fallback", 0, "vocab", vocabulary, "merges", merges);
        if (!*root || json_object_update(*root, parts) != 0) status = no_memory(f);
    }
    json_decref(parts);
    return status;
}

static tfm_status read_gpt2(const tfm_tokenizer_files *f, json_t **root) {
    static const char *const roberta[][2] = {{"cls_token", "<s>"},   {"sep_token", "</s>"},    {"unk_token", "<unk>"},
                                             {"pad_token", "<pad>"}, {"mask_token", "<mask>"}, {NULL, NULL}};
    static const char *const gpt2[][2] = {{"unk_token", "<|endoftext|>"}, {NULL, NULL}};
    json_t *vocabulary = NULL, *merges = NULL, *added = json_array();
    tfm_status status =
        tfm_json_load(tfm_path_in(f->folder, "vocab.json").text, TFM_JSON_NUL | TFM_JSON_OBJECT, &vocabulary, f->error);
    if (status == TFM_OK && !added) status = no_memory(f);
    if (status == TFM_OK) status = read_merges(f, &merges);
    if (status == TFM_OK) status = tfm_added_tokens_take(f, vocabulary, added);
    if (status == TFM_OK) status = add_usual(f, vocabulary, f->class->cls_sep ? roberta : gpt2, added);
    if (status == TFM_OK) status = make_gpt2(f, vocabulary, merges, added, root);
    json_decref(vocabulary);
    json_decref(merges);
    json_decref(added);
    return status;
}

tfm_status tfm_legacy_tokenizer_read(const tfm_tokenizer_files *files, json_t **root) {
    *root = NULL;
    const bool words =
        tfm_path_has(files->folder, "vocab.txt") && (!files->class || files->class->source != TFM_SOURCE_BYTE_PAIRS);
    if (!words && !files->class)
        return tfm_fail(files->error, TFM_ERROR_UNSUPPORTED,
                        "%s: vocab.json with merges.txt needs a tokenizer_class of tokenizer_config.json or a known "
                        "model_type of config.json that says how words are found (GPT2Tokenizer, Qwen2Tokenizer, "
                        "RobertaTokenizer, BartTokenizer); a tokenizer.json says it all",
                        files->folder);
    tfm_status status = words ? read_bert(files, root) : read_gpt2(files, root);
    if (status != TFM_OK) {
        json_decref(*root);
        *root = NULL;
    }
    return status;
}
