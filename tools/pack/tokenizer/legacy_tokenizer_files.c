/* legacy_tokenizer_files.c - vocab.txt, vocab.json and merges.txt in the form of tokenizer.json. */
#include "legacy_tokenizer_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/regular_file.h"
#include "tools/pack/common/json_file.h"
#include "tools/pack/common/path.h"

/* The pre-tokenizer of Qwen2. */
#define QWEN2                                                                                                          \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "                                              \
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

typedef struct folder {
    const char *path;
    json_t *config; /* tokenizer_config.json, or NULL */
    json_t *map;    /* special_tokens_map.json, or NULL */
    json_t *added;  /* added_tokens.json, or NULL */
    tfm_error *error;
} folder;

bool tfm_legacy_tokenizer_is_in(const char *path) {
    return tfm_path_has(path, "vocab.txt") || (tfm_path_has(path, "vocab.json") && tfm_path_has(path, "merges.txt"));
}

static tfm_status load(folder *f, const char *name, unsigned rules, json_t **json) {
    return tfm_json_load(tfm_path_in(f->path, name).text, TFM_JSON_NUL | rules, json, f->error);
}

static bool get_bool(const folder *f, const char *name, bool fallback) {
    const json_t *value = json_object_get(f->config, name);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

/* Lines of a text file, without what ends them, as JSON strings. */
static tfm_status read_lines(folder *f, const char *name, bool trim, json_t **lines) {
    const tfm_path path = tfm_path_in(f->path, name);
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
        return tfm_no_memory(f->error, "%s", f->path);
    }
    for (ssize_t n; status == TFM_OK && (n = getline(&line, &capacity, file)) >= 0;) {
        while (n > 0 &&
               (line[n - 1] == '\n' || (trim && (line[n - 1] == '\r' || line[n - 1] == ' ' || line[n - 1] == '\t'))))
            n--;
        json_t *text = json_stringn(line, (size_t)n);
        if (!text)
            status = tfm_fail(f->error, TFM_ERROR_FORMAT, "%s: line %zu is not UTF-8", path.text,
                              json_array_size(*lines) + 1);
        else if (json_array_append_new(*lines, text) != 0)
            status = tfm_no_memory(f->error, "%s", f->path);
    }
    free(line);
    fclose(file);
    return status;
}

/* ---- special tokens ---- */

/* A special token by its role, as the configuration or the map names it; fallback may be NULL. */
static const char *special(const folder *f, const char *role, const char *fallback) {
    const json_t *const places[] = {f->config, f->map};
    for (size_t i = 0; i < 2; i++) {
        const json_t *token = json_object_get(places[i], role);
        if (json_is_null(token)) return NULL;
        if (json_is_object(token)) token = json_object_get(token, "content");
        if (json_is_string(token)) return json_string_value(token);
    }
    return fallback;
}

static bool has_token(const json_t *list, const char *content) {
    size_t i;
    json_t *token;
    json_array_foreach(list, i, token) {
        if (strcmp(json_string_value(json_object_get(token, "content")), content) == 0) return true;
    }
    return false;
}

static tfm_status append_token(const folder *f, json_t *list, json_int_t id, const char *content, const json_t *like,
                               bool is_special) {
    if (has_token(list, content)) return TFM_OK;
    json_t *token = json_pack("{s:I, s:s, s:b, s:b, s:b, s:b, s:b}", "id", id, "content", content, "single_word",
                              json_is_true(json_object_get(like, "single_word")), "lstrip",
                              json_is_true(json_object_get(like, "lstrip")), "rstrip",
                              json_is_true(json_object_get(like, "rstrip")), "normalized",
                              json_is_true(json_object_get(like, "normalized")), "special", is_special);
    return token && json_array_append_new(list, token) == 0 ? TFM_OK : tfm_no_memory(f->error, "%s", f->path);
}

static int by_id(const void *a, const void *b) {
    const char *const *x = a, *const *y = b;
    long i = strtol(*x, NULL, 10), k = strtol(*y, NULL, 10);
    return (i > k) - (i < k);
}

/* added_tokens_decoder of the configuration: {"50256": {"content": ..., ...}, ...}, in order of ids. */
static tfm_status from_decoder(const folder *f, const json_t *decoder, json_t *list) {
    size_t n = json_object_size(decoder), i = 0;
    const char **ids = calloc(n + 1, sizeof *ids), *key;
    json_t *token;
    if (!ids) return tfm_no_memory(f->error, "%s", f->path);
    json_object_foreach((json_t *)(uintptr_t)decoder, key, token) ids[i++] = key;
    qsort(ids, n, sizeof *ids, by_id);
    tfm_status status = TFM_OK;
    for (i = 0; i < n && status == TFM_OK; i++) {
        token = json_object_get(decoder, ids[i]);
        const char *content = json_string_value(json_object_get(token, "content"));
        if (!content) {
            status = tfm_fail(f->error, TFM_ERROR_FORMAT,
                              "%s: tokenizer_config.json has an added token without content", f->path);
        } else {
            status = append_token(f, list, strtol(ids[i], NULL, 10), content, token,
                                  json_is_true(json_object_get(token, "special")));
        }
    }
    free(ids);
    return status;
}

/* The tokens that are found in text before all else: those of the configuration, then the special ones by role. */
static tfm_status added_tokens(const folder *f, const json_t *vocabulary, const char *const *roles,
                               const char *const *fallbacks, json_t **list) {
    *list = json_array();
    if (!*list) return tfm_no_memory(f->error, "%s", f->path);
    const json_t *decoder = json_object_get(f->config, "added_tokens_decoder");
    tfm_status status = json_is_object(decoder) ? from_decoder(f, decoder, *list) : TFM_OK;
    if (!json_is_object(decoder) && json_object_size(f->added) > 0)
        return tfm_fail(f->error, TFM_ERROR_UNSUPPORTED,
                        "%s: added_tokens.json without added_tokens_decoder in tokenizer_config.json is not supported",
                        f->path);
    for (size_t i = 0; roles[i] && status == TFM_OK; i++) {
        const char *content = special(f, roles[i], fallbacks[i]);
        const json_t *id = content ? json_object_get(vocabulary, content) : NULL;
        const json_t *like = json_object_get(f->config, roles[i]);
        if (!json_is_object(like)) like = json_object_get(f->map, roles[i]);
        if (!content || (!id && has_token(*list, content))) continue;
        if (!id)
            return tfm_fail(f->error, TFM_ERROR_FORMAT, "%s: the special token %.80s is not in the vocabulary", f->path,
                            content);
        status = append_token(f, *list, json_integer_value(id), content, like, true);
    }
    return status;
}

/* ---- BERT ---- */

static tfm_status read_bert(folder *f, json_t **root) {
    static const char *const roles[] = {"pad_token", "unk_token", "cls_token", "sep_token", "mask_token", NULL};
    static const char *const fallbacks[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", NULL};
    json_t *lines = NULL, *vocabulary = json_object(), *added = NULL;
    tfm_status status = vocabulary ? read_lines(f, "vocab.txt", true, &lines) : tfm_no_memory(f->error, "%s", f->path);
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line) {
        if (status == TFM_OK && json_object_setn_new(vocabulary, json_string_value(line), json_string_length(line),
                                                     json_integer((json_int_t)i)) != 0)
            status = tfm_no_memory(f->error, "%s", f->path);
    }
    if (status == TFM_OK) status = added_tokens(f, vocabulary, roles, fallbacks, &added);
    const char *unknown = special(f, "unk_token", "[UNK]"), *cls = special(f, "cls_token", "[CLS]"),
               *sep = special(f, "sep_token", "[SEP]");
    if (status == TFM_OK &&
        (!unknown || !json_object_get(vocabulary, cls ? cls : "") || !json_object_get(vocabulary, sep ? sep : "")))
        status = tfm_fail(f->error, TFM_ERROR_FORMAT, "%s: vocab.txt lacks the special tokens", f->path);
    if (status == TFM_OK) {
        const json_t *strip = json_object_get(f->config, "strip_accents");
        *root = json_pack("{s:O, s:{s:s, s:b, s:b, s:o, s:b}, s:{s:s}, s:{s:s, s:[s, O], s:[s, O]}, s:{s:s, s:s, s:b}, "
                          "s:{s:s, s:s, s:s, s:i, s:O}}",
                          "added_tokens", added, "normalizer", "type", "BertNormalizer", "clean_text",
                          get_bool(f, "clean_text", true), "handle_chinese_chars",
                          get_bool(f, "tokenize_chinese_chars", true), "strip_accents",
                          json_is_boolean(strip) ? json_boolean(json_is_true(strip)) : json_null(), "lowercase",
                          get_bool(f, "do_lower_case", true), "pre_tokenizer", "type", "BertPreTokenizer",
                          "post_processor", "type", "BertProcessing", "cls", cls, json_object_get(vocabulary, cls),
                          "sep", sep, json_object_get(vocabulary, sep), "decoder", "type", "WordPiece", "prefix", "##",
                          "cleanup", 1, "model", "type", "WordPiece", "unk_token", unknown, "continuing_subword_prefix",
                          "##", "max_input_chars_per_word", 100, "vocab", vocabulary);
        if (!*root) status = tfm_no_memory(f->error, "%s", f->path);
    }
    json_decref(lines);
    json_decref(vocabulary);
    json_decref(added);
    return status;
}

/* ---- GPT-2 and its like ---- */

/* Lines of merges.txt but for the version and empty ones. */
static tfm_status read_merges(folder *f, json_t **merges) {
    json_t *lines = NULL, *line;
    size_t i;
    tfm_status status = read_lines(f, "merges.txt", false, &lines);
    *merges = json_array();
    if (status == TFM_OK && !*merges) status = tfm_no_memory(f->error, "%s", f->path);
    json_array_foreach(lines, i, line) {
        bool skip = json_string_length(line) == 0 || strncmp(json_string_value(line), "#version", 8) == 0;
        if (status == TFM_OK && !skip && json_array_append(*merges, line) != 0)
            status = tfm_no_memory(f->error, "%s", f->path);
    }
    json_decref(lines);
    return status;
}

/* What comes before BPE and around its ids, by the class of tokenizer. */
static json_t *parts_of(const folder *f, const char *class, const json_t *vocabulary) {
    bool prefix_space = get_bool(f, "add_prefix_space", false);
    if (strncmp(class, "Qwen2", 5) == 0) {
        return json_pack("{s:{s:s}, s:{s:s, s:[{s:s, s:{s:s}, s:s, s:b}, {s:s, s:b, s:b}]}}", "normalizer", "type",
                         "NFC", "pre_tokenizer", "type", "Sequence", "pretokenizers", "type", "Split", "pattern",
                         "Regex", QWEN2, "behavior", "Isolated", "invert", 0, "type", "ByteLevel", "add_prefix_space",
                         prefix_space, "use_regex", 0);
    }
    json_t *parts = json_pack("{s:{s:s, s:b}}", "pre_tokenizer", "type", "ByteLevel", "add_prefix_space", prefix_space);
    const char *cls = special(f, "cls_token", "<s>"), *sep = special(f, "sep_token", "</s>");
    const json_t *cls_id = cls ? json_object_get(vocabulary, cls) : NULL;
    const json_t *sep_id = sep ? json_object_get(vocabulary, sep) : NULL;
    bool roberta = strncmp(class, "Roberta", 7) == 0 || strncmp(class, "Bart", 4) == 0;
    json_t *post = NULL;
    if (roberta && cls_id && sep_id) {
        post =
            json_pack("{s:s, s:[s, O], s:[s, O]}", "type", "RobertaProcessing", "cls", cls, cls_id, "sep", sep, sep_id);
    }
    if (post && json_object_set_new(parts, "post_processor", post) != 0) {
        json_decref(parts);
        return NULL;
    }
    return parts;
}

static tfm_status read_gpt2(folder *f, json_t **root) {
    static const char *const roles[] = {"bos_token", "eos_token", "unk_token",  "sep_token",
                                        "pad_token", "cls_token", "mask_token", NULL};
    static const char *const none[] = {NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL};
    static const char *const known[] = {"GPT2Tokenizer", "Qwen2Tokenizer", "RobertaTokenizer", "BartTokenizer"};
    json_t *vocabulary = NULL, *merges = NULL, *added = NULL, *parts = NULL;
    const json_t *said = json_object_get(f->config, "tokenizer_class");
    char class[64];
    snprintf(class, sizeof class, "%s", json_is_string(said) ? json_string_value(said) : "");
    size_t n = strlen(class);
    if (n > 4 && strcmp(class + n - 4, "Fast") == 0) class[n - 4] = 0;
    bool is_known = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) is_known |= strcmp(class, known[i]) == 0;
    if (!is_known) {
        return tfm_fail(f->error, TFM_ERROR_UNSUPPORTED,
                        "%s: vocab.json with merges.txt needs a tokenizer_class of tokenizer_config.json that says how "
                        "words are found "
                        "(GPT2Tokenizer, Qwen2Tokenizer, RobertaTokenizer or BartTokenizer), not '%.40s'; "
                        "a tokenizer.json says it all",
                        f->path, class);
    }
    tfm_status status = load(f, "vocab.json", 0, &vocabulary);
    if (status == TFM_OK) status = read_merges(f, &merges);
    if (status == TFM_OK) status = added_tokens(f, vocabulary, roles, none, &added);
    if (status == TFM_OK && !(parts = parts_of(f, class, vocabulary))) status = tfm_no_memory(f->error, "%s", f->path);
    if (status == TFM_OK) {
        *root =
            json_pack("{s:O, s:{s:s, s:b}, s:{s:s, s:n, s:b, s:b, s:O, s:O}}", "added_tokens", added, "decoder", "type",
                      "ByteLevel", "add_prefix_space", get_bool(f, "add_prefix_space", false), "model", "type", "BPE",
                      "unk_token", "fuse_unk", 0, "byte_fallback", 0, "vocab", vocabulary, "merges", merges);
        if (!*root || json_object_update(*root, parts) != 0) status = tfm_no_memory(f->error, "%s", f->path);
    }
    json_decref(vocabulary);
    json_decref(merges);
    json_decref(added);
    json_decref(parts);
    return status;
}

tfm_status tfm_legacy_tokenizer_read(const char *path, json_t **root, tfm_error *error) {
    folder f = {.path = path, .error = error};
    *root = NULL;
    tfm_status status = load(&f, "tokenizer_config.json", TFM_JSON_OPTIONAL, &f.config);
    if (status == TFM_OK) status = load(&f, "special_tokens_map.json", TFM_JSON_OPTIONAL, &f.map);
    if (status == TFM_OK) status = load(&f, "added_tokens.json", TFM_JSON_OPTIONAL, &f.added);
    if (status == TFM_OK) status = tfm_path_has(path, "vocab.txt") ? read_bert(&f, root) : read_gpt2(&f, root);
    json_decref(f.config);
    json_decref(f.map);
    json_decref(f.added);
    if (status != TFM_OK) {
        json_decref(*root);
        *root = NULL;
    }
    return status;
}
