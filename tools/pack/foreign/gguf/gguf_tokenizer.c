/* gguf_tokenizer.c - tokenizer.ggml.* of GGUF files in the form of tokenizer.json; see gguf_tokenizer.h. */
#include "gguf_tokenizer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/names.h"
#include "format/utf8.h"
#include "gguf_pretokenizers.h"
#include "runtime/tokenizer/spm/spm_normalizer.h"
#include "tools/pack/tokenizer/piece_list.h"
#include "tools/pack/tokenizer/tokenizer_json.h"

#define KEY "tokenizer.ggml."

typedef struct vocabulary {
    const tfm_gguf *gguf;
    const char *model, *pre; /* "llama"; how words are found, "" if not said */
    tfm_piece_list list;
    tfm_error *error;
} vocabulary;

static tfm_status wrong(const vocabulary *v, const char *key, const char *what) {
    return tfm_fail(v->error, TFM_ERROR_FORMAT, "%s: key '" KEY "%s' %s", v->gguf->path, key, what);
}

/* ---- values ---- */

static const tfm_gguf_value *find(const tfm_gguf *gguf, const char *name) {
    char key[80];
    snprintf(key, sizeof key, KEY "%s", name);
    return tfm_gguf_find(gguf, key);
}

static int64_t get_id(const tfm_gguf *gguf, const char *name, int64_t fallback) {
    const tfm_gguf_value *value = find(gguf, name);
    int64_t id;
    return value && !value->is_array && tfm_gguf_integer(value, 0, &id) && id >= 0 && id < INT32_MAX ? id : fallback;
}

static bool get_bool(const tfm_gguf *gguf, const char *name, bool fallback) {
    const tfm_gguf_value *value = find(gguf, name);
    return value && !value->is_array && value->type == TFM_GGUF_BOOL ? value->data[0] != 0 : fallback;
}

/* A short text in memory of the caller's; "" if there is none under this key. */
static const char *get_text(const tfm_gguf *gguf, const char *key, char *word, size_t size) {
    const tfm_gguf_value *value = tfm_gguf_find(gguf, key);
    word[0] = '\0';
    if (value && !value->is_array && value->type == TFM_GGUF_STRING) {
        const uint8_t *at = value->data;
        size_t n;
        const char *text = tfm_gguf_next_string(&at, &n);
        snprintf(word, size, "%.*s", n < size ? (int)n : (int)size - 1, text);
    }
    for (char *c = word; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e) *c = '?';
    return word;
}

static const char *get_word(const tfm_gguf *gguf, const char *name, char *word, size_t size) {
    char key[80];
    snprintf(key, sizeof key, KEY "%s", name);
    return get_text(gguf, key, word, size);
}

/* Tokens that llama.cpp takes where a file does not name them; -1: none. */
static int64_t default_id(const char *model, const char *name) {
    if (strcmp(model, "llama") == 0) return strcmp(name, "bos_token_id") == 0 ? 1 : 2;
    if (strcmp(model, "bert") == 0) return strcmp(name, "bos_token_id") == 0 ? 101 : -1;
    return -1; /* 11 there, which ends texts in the vocabulary of Falcon and is a comma in that of GPT-2 */
}

/* UTF-8 without NUL. What is not is left to the tokenizer to complain of. */
static bool is_text(const char *text, size_t n) { return !memchr(text, 0, n) && tfm_utf8_valid_prefix(text, n) == n; }

static tfm_status read_tokens(vocabulary *v) {
    const tfm_gguf_value *tokens = find(v->gguf, "tokens"), *types = find(v->gguf, "token_type"),
                         *scores = find(v->gguf, "scores");
    if (!tokens || !tokens->is_array || tokens->type != TFM_GGUF_STRING || tokens->count == 0)
        return wrong(v, "tokens", "is no list of texts");
    if (tokens->count > TFM_JSON_MAX_IDS) return wrong(v, "tokens", "has too many tokens");
    if (types && (!types->is_array || types->count != tokens->count))
        return wrong(v, "token_type", "has not as many elements as there are tokens");
    if (scores && (!scores->is_array || scores->count != tokens->count))
        return wrong(v, "scores", "has not as many elements as there are tokens");
    tfm_piece_list *list = &v->list;
    list->pieces = calloc((size_t)tokens->count, sizeof *list->pieces);
    if (!list->pieces) return tfm_no_memory(v->error, "%s: the tokenizer", v->gguf->path);
    const uint8_t *at = tokens->data;
    for (; list->n < tokens->count; list->n++) {
        tfm_spm_piece *p = &list->pieces[list->n];
        size_t n;
        int64_t kind = TFM_PIECE_NORMAL;
        double score = 0;
        p->text = tfm_gguf_next_string(&at, &n);
        if (n > 1 << 20) return wrong(v, "tokens", "has a token of over a million bytes");
        if (types && (!tfm_gguf_integer(types, list->n, &kind) || kind < 0 || kind > TFM_PIECE_BYTE))
            return wrong(v, "token_type", "has a value that is no type of token");
        if (scores && (!tfm_gguf_real(scores, list->n, &score) || !isfinite(score)))
            return wrong(v, "scores", "has a value that is no finite number");
        p->n = (uint32_t)n;
        p->kind = kind ? (uint32_t)kind : TFM_PIECE_NORMAL;
        p->score = (float)score;
    }
    return TFM_OK;
}

/* ---- byte-level BPE ---- */

static tfm_status find_pretokenizer(const vocabulary *v, const tfm_gguf_pretokenizer **words) {
    *words = tfm_gguf_pretokenizer_find(v->pre);
    if (*words) return TFM_OK;
    return tfm_fail(v->error, TFM_ERROR_UNSUPPORTED,
                    "%s: " KEY "pre is '%s': how it finds words is not known here; docs/checkpoints.md has the names "
                    "that are",
                    v->gguf->path, v->pre);
}

/* "left right" as one text each. */
static tfm_status read_merges(const vocabulary *v, json_t **merges) {
    const tfm_gguf_value *value = find(v->gguf, "merges");
    if (!value || !value->is_array || value->type != TFM_GGUF_STRING) return wrong(v, "merges", "is no list of texts");
    *merges = json_array();
    if (!*merges) return tfm_no_memory(v->error, "%s: the tokenizer", v->gguf->path);
    const uint8_t *at = value->data;
    for (uint64_t i = 0; i < value->count; i++) {
        size_t n;
        const char *text = tfm_gguf_next_string(&at, &n);
        json_t *merge = json_stringn(text, n);
        if (!merge) return wrong(v, "merges", "has a merge that is no UTF-8 text");
        if (json_array_append_new(*merges, merge) != 0)
            return tfm_no_memory(v->error, "%s: the tokenizer", v->gguf->path);
    }
    return TFM_OK;
}

static tfm_status byte_level(vocabulary *v, json_t **root) {
    json_t *pieces = NULL, *added = NULL, *merges = NULL, *words = NULL;
    const tfm_gguf_pretokenizer *chosen;
    tfm_status status = find_pretokenizer(v, &chosen);
    if (status != TFM_OK) return status;
    v->list.add_bos = get_bool(v->gguf, "add_bos_token", chosen->bos);
    v->list.add_eos = get_bool(v->gguf, "add_eos_token", false);
    status = tfm_piece_list_vocabulary(&v->list, &pieces, v->error);
    if (status == TFM_OK) status = tfm_piece_list_added(&v->list, pieces, &added, v->error);
    if (status == TFM_OK) status = read_merges(v, &merges);
    if (status == TFM_OK && !(words = tfm_gguf_pretokenizer_json(chosen)))
        status = tfm_no_memory(v->error, "%s: the tokenizer", v->gguf->path);
    if (status == TFM_OK) {
        *root = json_pack("{s:O, s:O, s:{s:s}, s:{s:s, s:n, s:b, s:b, s:b, s:O, s:O}}", "added_tokens", added,
                          "pre_tokenizer", words, "decoder", "type", "ByteLevel", "model", "type", "BPE", "unk_token",
                          "fuse_unk", 0, "byte_fallback", 0, "ignore_merges", chosen->ignore_merges, "vocab", pieces,
                          "merges", merges);
        bool ok = *root != NULL;
        if (ok && chosen->nfc) ok = json_object_set_new(*root, "normalizer", json_pack("{s:s}", "type", "NFC")) == 0;
        status = ok ? tfm_piece_list_template(&v->list, *root, v->error)
                    : tfm_no_memory(v->error, "%s: the tokenizer", v->gguf->path);
    }
    json_decref(pieces);
    json_decref(added);
    json_decref(merges);
    json_decref(words);
    return status;
}

/* ---- WordPiece ---- */

/* The spelling in vocab.txt: here words begin with U+2581 and other pieces have no mark, there it is "##". */
static char *word_piece(const tfm_spm_piece *p, size_t *n) {
    const char *text = p->text;
    char *spelling = malloc((size_t)p->n + 3);
    bool bracketed = p->n > 1 && text[0] == '[' && text[p->n - 1] == ']', starts = false;
    *n = p->n;
    if (!spelling) return NULL;
    if (p->n > 3 && memcmp(text, TFM_SPM_SPACE, 3) == 0) {
        starts = true;
        text += 3;
        *n -= 3;
    }
    if (!starts && !bracketed && p->kind == TFM_PIECE_NORMAL && p->n > 0) {
        memcpy(spelling, "##", 2);
        memcpy(spelling + 2, text, *n);
        *n += 2;
    } else if (*n > 0) {
        memcpy(spelling, text, *n);
    }
    return spelling;
}

/* Gives all pieces the spelling of vocab.txt, in memory that *texts owns. */
static tfm_status spell(const vocabulary *v, char **texts) {
    size_t total = 0, used = 0;
    for (size_t i = 0; i < v->list.n; i++) total += v->list.pieces[i].n + 2;
    *texts = malloc(total + 1);
    if (!*texts) return tfm_no_memory(v->error, "%s: the tokenizer", v->gguf->path);
    for (size_t i = 0; i < v->list.n; i++) {
        tfm_spm_piece *p = &v->list.pieces[i];
        size_t n;
        char *spelling = word_piece(p, &n);
        if (!spelling) return tfm_no_memory(v->error, "%s: the tokenizer", v->gguf->path);
        memcpy(*texts + used, spelling, n);
        free(spelling);
        p->text = *texts + used;
        p->n = (uint32_t)n;
        used += n;
    }
    return TFM_OK;
}

static tfm_status word_pieces(vocabulary *v, json_t **root) {
    json_t *pieces = NULL, *added = NULL;
    char *texts = NULL;
    tfm_piece_list *list = &v->list;
    const tfm_gguf *g = v->gguf;
    list->unknown = get_id(g, "unknown_token_id", 100);
    list->bos = get_id(g, "cls_token_id", get_id(g, "bos_token_id", 101));
    list->eos = get_id(g, "seperator_token_id", get_id(g, "separator_token_id", get_id(g, "eos_token_id", 102)));
    list->add_bos = list->add_eos = true; /* whatever add_bos_token, add_eos_token and add_sep_token say, as there */
    const bool lower_case = get_bool(g, "normalizer.lowercase", true);
    if ((uint64_t)list->unknown >= list->n || (uint64_t)list->bos >= list->n || (uint64_t)list->eos >= list->n)
        return wrong(v, "tokens", "lacks one of the tokens that stand for unknown words, begin and end");
    tfm_status status = spell(v, &texts);
    if (status == TFM_OK) status = tfm_piece_list_vocabulary(list, &pieces, v->error);
    if (status == TFM_OK) status = tfm_piece_list_added(list, pieces, &added, v->error);
    if (status == TFM_OK) {
        const tfm_spm_piece *unknown = &list->pieces[list->unknown], *cls = &list->pieces[list->bos],
                            *sep = &list->pieces[list->eos];
        const char *normalizer = "BertNormalizer";
        *root =
            json_pack("{s:O, s:{s:s, s:b, s:b, s:b, s:b}, s:{s:s}, s:{s:s, s:s, s:b}, s:{s:s, s:s%, s:s, s:i, s:O}}",
                      "added_tokens", added, "normalizer", "type", normalizer, "clean_text", 1, "handle_chinese_chars",
                      1, "strip_accents", get_bool(g, "normalizer.strip_accents", lower_case), "lowercase", lower_case,
                      "pre_tokenizer", "type", "BertPreTokenizer", "decoder", "type", "WordPiece", "prefix", "##",
                      "cleanup", 1, "model", "type", "WordPiece", "unk_token", unknown->text, (size_t)unknown->n,
                      "continuing_subword_prefix", "##", "max_input_chars_per_word", 100, "vocab", pieces);
        json_t *post =
            json_pack("{s:s, s:[s%, I], s:[s%, I]}", "type", "BertProcessing", "cls", cls->text, (size_t)cls->n,
                      (json_int_t)list->bos, "sep", sep->text, (size_t)sep->n, (json_int_t)list->eos);
        status = *root && json_object_set(*root, "post_processor", post) == 0
                     ? TFM_OK
                     : tfm_no_memory(v->error, "%s: the tokenizer", v->gguf->path);
        json_decref(post);
    }
    json_decref(pieces);
    json_decref(added);
    free(texts);
    return status;
}

/* ---- SentencePiece byte pairs ---- */

static tfm_status byte_pairs(vocabulary *v, json_t **root) {
    tfm_piece_list *list = &v->list;
    if (!find(v->gguf, "scores")) return wrong(v, "scores", "is missing");
    list->add_bos = get_bool(v->gguf, "add_bos_token", true);
    list->add_eos = get_bool(v->gguf, "add_eos_token", false);
    list->space_prefix = get_bool(v->gguf, "add_space_prefix", true);
    list->squeeze_spaces = get_bool(v->gguf, "remove_extra_whitespaces", false);
    if (find(v->gguf, "precompiled_charsmap"))
        return tfm_fail(v->error, TFM_ERROR_UNSUPPORTED,
                        "%s: key '" KEY "precompiled_charsmap' is not supported with " KEY "model '%s'", v->gguf->path,
                        v->model);
    list->unknown = get_id(v->gguf, "unknown_token_id", 0);
    for (size_t i = 0; i < list->n; i++) {
        /* Whatever the types say, there is one unknown piece. */
        tfm_spm_piece *p = &list->pieces[i];
        if (p->kind == TFM_PIECE_UNKNOWN && i != (size_t)list->unknown) p->kind = TFM_PIECE_UNUSED;
        if (i == (size_t)list->unknown && p->kind == TFM_PIECE_NORMAL) p->kind = TFM_PIECE_UNKNOWN;
    }
    return tfm_piece_list_byte_pairs(list, root, v->error);
}

/* ---- all ---- */

/* A token that should stand around an input must be known. */
static tfm_status check_ends(const vocabulary *v) {
    if (v->list.add_bos && v->list.bos < 0) return wrong(v, "bos_token_id", "is missing, and inputs should begin so");
    if (v->list.add_eos && v->list.eos < 0) return wrong(v, "eos_token_id", "is missing, and inputs should end so");
    return TFM_OK;
}

/* Whether white space after the tokens of chats belongs to them: what the files do not say, the model's name does. */
static bool is_phi3(const tfm_gguf *gguf, const char *model) {
    char name[200], architecture[40];
    get_text(gguf, "general.name", name, sizeof name);
    get_text(gguf, "general.architecture", architecture, sizeof architecture);
    return strcasestr(name, "phi-3") || strcasestr(name, "phi3") ||
           (strcmp(architecture, "phi3") == 0 && strcmp(model, "llama") == 0);
}

tfm_status tfm_gguf_tokenizer(const tfm_gguf *gguf, json_t **root, tfm_error *error) {
    static const struct {
        const char *model;
        tfm_status (*make)(vocabulary *v, json_t **root);
    } kinds[] = {{"llama", byte_pairs}, {"gpt2", byte_level}, {"bert", word_pieces}};
    char model[40], pre[40];
    vocabulary v = {.gguf = gguf, .error = error};
    *root = NULL;
    v.model = get_word(gguf, "model", model, sizeof model);
    v.pre = get_word(gguf, "pre", pre, sizeof pre);
    if (!model[0] || strcmp(model, "no_vocab") == 0 || strcmp(model, "none") == 0) return TFM_OK;
    v.list = (tfm_piece_list){.what = gguf->path, .unknown = -1};
    v.list.bos = get_id(gguf, "bos_token_id", default_id(model, "bos_token_id"));
    v.list.eos = get_id(gguf, "eos_token_id", default_id(model, "eos_token_id"));
    v.list.strip_after_added = is_phi3(gguf, model);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(model, kinds[i].model) != 0) continue;
        tfm_status status = read_tokens(&v);
        if (status == TFM_OK) status = kinds[i].make(&v, root);
        if (status == TFM_OK) status = check_ends(&v);
        free(v.list.pieces);
        if (status != TFM_OK) {
            json_decref(*root);
            *root = NULL;
        }
        return status;
    }
    return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                    "%s: " KEY "model is '%s'; supported are llama (SentencePiece), gpt2 (byte-level BPE) and bert "
                    "(WordPiece)",
                    gguf->path, model);
}

tfm_status tfm_gguf_write_tokenizer(const tfm_gguf *gguf, tfm_writer *writer, tfm_error *error) {
    json_t *root;
    tfm_status status = tfm_gguf_tokenizer(gguf, &root, error);
    if (status != TFM_OK || !root) return status;
    status = tfm_tokenizer_json_write(root, gguf->path, "tokenizer", writer, error);
    json_decref(root);
    return status;
}

const char *tfm_gguf_tokenizer_note(const tfm_gguf *gguf) {
    char model[40], pre[40];
    bool silent =
        strcmp(get_word(gguf, "model", model, sizeof model), "gpt2") == 0 && !get_word(gguf, "pre", pre, sizeof pre)[0];
    return silent ? "the file is older than " KEY "pre and does not say how its tokenizer finds words: 'default' is "
                    "taken, which may not be what the model was trained with"
                  : NULL;
}

/* ---- generation ---- */

static bool add_end(json_t *ends, int64_t id) {
    size_t i;
    json_t *end;
    if (id < 0) return true;
    json_array_foreach(ends, i, end) {
        if (json_integer_value(end) == id) return true;
    }
    return json_array_append_new(ends, json_integer(id)) == 0;
}

/* Texts and turns end with tokens that many files name nowhere but in the vocabulary; llama.cpp has this list. */
static bool add_turn_ends(const tfm_gguf *gguf, json_t *ends) {
    static const char *const words[] = {"<|eot_id|>",
                                        "<|im_end|>",
                                        "<|end|>",
                                        "<end_of_turn>",
                                        "<|endoftext|>",
                                        "<|eom_id|>",
                                        "<EOT>",
                                        "_<EOT>",
                                        "[EOT]",
                                        "[EOS]",
                                        "<eos>",
                                        "<|end_of_text|>",
                                        "<end_of_utterance>",
                                        "<\357\275\234end\342\226\201of\342\226\201sentence\357\275\234>"};
    const tfm_gguf_value *tokens = find(gguf, "tokens"), *types = find(gguf, "token_type");
    if (!tokens || tokens->type != TFM_GGUF_STRING || !types || types->count != tokens->count) return true;
    const uint8_t *at = tokens->data;
    bool ok = true;
    for (uint64_t i = 0; ok && i < tokens->count && i < TFM_JSON_MAX_IDS; i++) {
        size_t n;
        int64_t kind;
        const char *text = tfm_gguf_next_string(&at, &n);
        if (n < 5 || n > 30 || !tfm_gguf_integer(types, i, &kind) || kind != TFM_PIECE_CONTROL) continue;
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            if (n == strlen(words[k]) && memcmp(text, words[k], n) == 0) ok = add_end(ends, (int64_t)i);
    }
    return ok;
}

json_t *tfm_gguf_generation(const tfm_gguf *gguf) {
    json_t *config = json_object(), *ends = json_array();
    char model[40];
    const int64_t bos = get_id(gguf, "bos_token_id", -1), pad = get_id(gguf, "padding_token_id", -1);
    bool ok = config && ends;
    if (bos >= 0) ok = ok && json_object_set_new(config, "bos_token_id", json_integer(bos)) == 0;
    if (pad >= 0) ok = ok && json_object_set_new(config, "pad_token_id", json_integer(pad)) == 0;
    get_word(gguf, "model", model, sizeof model);
    ok = ok && add_end(ends, get_id(gguf, "eos_token_id", default_id(model, "eos_token_id"))) &&
         add_end(ends, get_id(gguf, "eot_token_id", -1)) && add_end(ends, get_id(gguf, "eom_token_id", -1));
    ok = ok && add_turn_ends(gguf, ends);
    if (ok && json_array_size(ends) > 0) ok = json_object_set(config, "eos_token_id", ends) == 0;
    json_decref(ends);
    if (ok) return config;
    json_decref(config);
    return NULL;
}

bool tfm_gguf_special_tokens(const tfm_gguf *gguf, char *texts[TFM_TOKEN_ROLES]) {
    static const char *const keys[TFM_TOKEN_ROLES] = {[TFM_TOKEN_BOS] = "bos_token_id",
                                                      [TFM_TOKEN_EOS] = "eos_token_id",
                                                      [TFM_TOKEN_PAD] = "padding_token_id",
                                                      [TFM_TOKEN_UNK] = "unknown_token_id"};
    const tfm_gguf_value *tokens = find(gguf, "tokens");
    if (!tokens || !tokens->is_array || tokens->type != TFM_GGUF_STRING) return true;
    const uint8_t *at = tokens->data;
    int64_t ids[TFM_TOKEN_ROLES];
    for (size_t k = 0; k < TFM_TOKEN_ROLES; k++) ids[k] = get_id(gguf, keys[k], -1);
    for (uint64_t i = 0; i < tokens->count; i++) {
        size_t n;
        const char *text = tfm_gguf_next_string(&at, &n);
        for (size_t k = 0; k < TFM_TOKEN_ROLES; k++) {
            if (ids[k] != (int64_t)i || n == 0 || !is_text(text, n)) continue;
            texts[k] = strndup(text, n);
            if (!texts[k]) return false;
        }
    }
    return true;
}
