/* json_model.c - the models of tokenizer.json: BPE, WordPiece, Unigram, WordLevel. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "class_sets.h"
#include "format/utf8.h"
#include "runtime/tokenizer/pipeline/pipeline.h"
#include "runtime/tokenizer/spm/spm_normalizer.h"
#include "tokenizer_json.h"

#define UNKNOWN_PENALTY 10.0 /* below the lowest score */

static const json_t *model_of(const tfm_json_reader *r) { return json_object_get(r->root, "model"); }

static bool flag(const tfm_json_reader *r, const char *name) {
    return json_is_true(json_object_get(model_of(r), name));
}

/* A string of the model, "" for null or nothing. */
static const char *string(const tfm_json_reader *r, const char *name) {
    const char *value = json_string_value(json_object_get(model_of(r), name));
    return value ? value : "";
}

static bool starts_with(const char *text, size_t n, const char *prefix) {
    size_t n_prefix = strlen(prefix);
    return n >= n_prefix && memcmp(text, prefix, n_prefix) == 0;
}

/* Ids of <0x00> to <0xFF>; none if one is missing. */
static bool find_bytes(const tfm_json_reader *r, uint32_t ids[256], size_t *n_found) {
    *n_found = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[8];
        snprintf(text, sizeof text, "<0x%02X>", byte);
        int64_t id = tfm_json_find(r, text, 6);
        ids[byte] = (uint32_t)id;
        *n_found += id >= 0;
    }
    return *n_found == 256;
}

/* unk_token as unknown.id; required: words without it cannot be. */
static tfm_status put_unknown(tfm_json_reader *r, bool required) {
    const json_t *unknown = json_object_get(model_of(r), "unk_token");
    int64_t id =
        json_is_string(unknown) ? tfm_json_find(r, json_string_value(unknown), json_string_length(unknown)) : -1;
    if (id >= 0) tfm_table_set_u64(r->table, "unknown.id", (uint64_t)id);
    if (id < 0 && (required || json_is_string(unknown)))
        return tfm_json_broken(r, "the unknown token is not in the vocabulary");
    return TFM_OK;
}

/* The trie of pieces whose spelling, without a prefix, can stand in text. */
static tfm_status put_pieces(tfm_json_reader *r, const char *key, const char *prefix) {
    tfm_trie_key *keys = reallocarray(NULL, r->n_spellings + 1, sizeof *keys);
    if (!keys) return tfm_json_no_memory(r);
    size_t n = 0, n_prefix = strlen(prefix);
    for (size_t i = 0; i < r->n_spellings; i++) {
        tfm_trie_key k = r->spellings[i];
        if (k.n <= n_prefix || !starts_with(k.text, k.n, prefix)) continue;
        if (k.n - n_prefix > TFM_TRIE_MAX_KEY) {
            free(keys);
            return tfm_fail(r->error, TFM_ERROR_LIMIT, "%s: the piece %.40s... is longer than 1023 bytes", r->what,
                            k.text);
        }
        keys[n++] = (tfm_trie_key){k.text + n_prefix, k.n - (uint32_t)n_prefix, k.value};
    }
    tfm_status status = tfm_trie_put(r->table, key, keys, n, r->what, r->error);
    free(keys);
    return status;
}

static tfm_status wordpiece(tfm_json_reader *r) {
    const json_t *most = json_object_get(model_of(r), "max_input_chars_per_word");
    const json_t *prefix = json_object_get(model_of(r), "continuing_subword_prefix");
    if (!json_is_integer(most) || json_integer_value(most) < 0)
        return tfm_json_broken(r, "max_input_chars_per_word is missing");
    if (!json_is_string(prefix)) return tfm_json_broken(r, "continuing_subword_prefix is missing");
    tfm_table_set_u64(r->table, "max_characters", (uint64_t)json_integer_value(most));
    tfm_status status = put_unknown(r, true);
    if (status == TFM_OK) status = put_pieces(r, "pieces.trie", "");
    return status == TFM_OK ? put_pieces(r, "continuing.trie", json_string_value(prefix)) : status;
}

static tfm_status wordlevel(tfm_json_reader *r) {
    tfm_status status = put_unknown(r, true);
    return status == TFM_OK ? put_pieces(r, "pieces.trie", "") : status;
}

/*
 * A score as the library reads it: its JSON reader takes the digits as an integer and divides by a power of ten, two
 * roundings, and sums of scores are compared. The digits are the shortest that mean the number, as all writers of
 * tokenizer.json put them.
 */
static double read_score(double score) {
    char text[40];
    double power = 1.0;
    int digits = 0;
    do snprintf(text, sizeof text, "%.*e", digits, score);
    while (strtod(text, NULL) != score && ++digits < 17);
    int exponent = atoi(strchr(text, 'e') + 1) - digits;
    uint64_t significand = 0;
    for (const char *c = text; *c != 'e'; c++) {
        if (*c >= '0' && *c <= '9') significand = 10 * significand + (uint64_t)(*c - '0');
    }
    if (exponent >= 0 || exponent < -22) return score; /* powers of ten that are no exact doubles do not occur */
    for (int i = 0; i < -exponent; i++) power *= 10.0;
    double value = (double)significand / power;
    return score < 0 ? -value : value;
}

static tfm_status unigram(tfm_json_reader *r) {
    const json_t *vocabulary = json_object_get(model_of(r), "vocab"), *unknown = json_object_get(model_of(r), "unk_id");
    size_t n = json_array_size(vocabulary), n_bytes;
    uint32_t *scores = reallocarray(NULL, n + 1, 2 * sizeof *scores), bytes[256];
    if (!scores) return tfm_json_no_memory(r);
    double least = INFINITY;
    for (size_t i = 0; i < n; i++) {
        double score = read_score(json_number_value(json_array_get(json_array_get(vocabulary, i), 1)));
        uint64_t bits;
        memcpy(&bits, &score, sizeof bits);
        scores[2 * i] = (uint32_t)bits;
        scores[2 * i + 1] = (uint32_t)(bits >> 32);
        if (score < least) least = score;
    }
    tfm_table_set_array(r->table, "scores", TFM_VALUE_U32S, scores, 2 * n);
    free(scores);
    if (!isfinite(least)) return tfm_json_broken(r, "a piece has no finite score");
    tfm_table_set_f64(r->table, "unknown.score", least - UNKNOWN_PENALTY);
    if (!json_is_integer(unknown) || json_integer_value(unknown) < 0 || (size_t)json_integer_value(unknown) >= n)
        return tfm_json_unsupported(r, "a Unigram model without unk_id");
    tfm_table_set_u64(r->table, "unknown.id", (uint64_t)json_integer_value(unknown));
    if (flag(r, "byte_fallback")) {
        if (find_bytes(r, bytes, &n_bytes)) {
            tfm_table_set_array(r->table, "bytes.ids", TFM_VALUE_U32S, bytes, 256);
        } else if (n_bytes > 0) {
            return tfm_json_unsupported(r, "byte_fallback with some byte tokens missing");
        }
    }
    return put_pieces(r, "pieces.trie", "");
}

/* ---- BPE ---- */

typedef struct bpe {
    tfm_json_reader *r;
    tfm_merge *merges; /* slots */
    size_t n_slots;
    tfm_trie_key *keys; /* of pieces.trie: spellings as words have them */
    size_t n_keys;
    char *bytes; /* what keys of byte-level pieces point into */
    uint32_t symbols[256], byte_ids[256];
    bool has_bytes, crosses; /* crosses: some merge has U+2581 after something else */
} bpe;

/* The two sides of a merge: "a b" or ["a", "b"]. */
static bool sides(const json_t *merge, const char **a, size_t *n_a, const char **b, size_t *n_b) {
    if (json_is_string(merge)) {
        const char *text = json_string_value(merge);
        size_t n = json_string_length(merge);
        const char *space = memchr(text, ' ', n);
        if (!space) return false;
        *a = text;
        *n_a = (size_t)(space - text);
        *b = space + 1;
        *n_b = n - *n_a - 1;
        return !memchr(*b, ' ', *n_b);
    }
    const json_t *x = json_array_get(merge, 0), *y = json_array_get(merge, 1);
    if (!json_is_string(x) || !json_is_string(y) || json_array_size(merge) != 2) return false;
    *a = json_string_value(x);
    *n_a = json_string_length(x);
    *b = json_string_value(y);
    *n_b = json_string_length(y);
    return true;
}

/* Whether U+2581 comes after something else in a spelling. */
static bool has_inner_space(const char *text, size_t n) {
    while (n >= 3 && memcmp(text, TFM_SPM_SPACE, 3) == 0) {
        text += 3;
        n -= 3;
    }
    return memmem(text, n, TFM_SPM_SPACE, 3) != NULL;
}

static void insert(bpe *b, tfm_merge merge) {
    size_t slot = tfm_merge_slot(merge.left, merge.right, b->n_slots);
    while (b->merges[slot].rank != TFM_NO_ID &&
           (b->merges[slot].left != merge.left || b->merges[slot].right != merge.right)) {
        slot = (slot + 1) & (b->n_slots - 1);
    }
    b->merges[slot] = merge; /* the last of equal merges counts */
}

static tfm_status add_merge(bpe *b, const json_t *merge, uint32_t rank, size_t n_prefix) {
    tfm_json_reader *r = b->r;
    const char *x, *y;
    size_t n_x, n_y;
    if (!sides(merge, &x, &n_x, &y, &n_y) || n_y < n_prefix)
        return tfm_fail(r->error, TFM_ERROR_FORMAT, "%s: merge %u has not two sides", r->what, rank);
    char *both = malloc(n_x + n_y + 1);
    if (!both) return tfm_json_no_memory(r);
    memcpy(both, x, n_x);
    memcpy(both + n_x, y + n_prefix, n_y - n_prefix);
    size_t n = n_x + n_y - n_prefix;
    int64_t left = tfm_json_find(r, x, n_x), right = tfm_json_find(r, y, n_y), id = tfm_json_find(r, both, n);
    b->crosses |= has_inner_space(both, n);
    free(both);
    if (left < 0 || right < 0 || id < 0)
        return tfm_fail(r->error, TFM_ERROR_FORMAT, "%s: merge %u is not of pieces of the vocabulary", r->what, rank);
    insert(b, (tfm_merge){(uint32_t)left, (uint32_t)right, rank, (uint32_t)id});
    return TFM_OK;
}

static tfm_status read_merges(bpe *b) {
    const json_t *merges = json_object_get(model_of(b->r), "merges");
    size_t n = json_array_size(merges), i;
    json_t *merge;
    if (!json_is_array(merges)) return tfm_json_broken(b->r, "the model has no merges");
    for (b->n_slots = 4; b->n_slots < 2 * n; b->n_slots *= 2) continue;
    b->merges = reallocarray(NULL, b->n_slots, sizeof *b->merges);
    if (!b->merges) return tfm_json_no_memory(b->r);
    for (i = 0; i < b->n_slots; i++) b->merges[i] = (tfm_merge){0, 0, TFM_NO_ID, 0};
    json_array_foreach(merges, i, merge) {
        tfm_status status = add_merge(b, merge, (uint32_t)i, strlen(string(b->r, "continuing_subword_prefix")));
        if (status != TFM_OK) return status;
    }
    return TFM_OK;
}

/* Keys of pieces that can stand in words; longer ones than a trie takes come out by merging all the same. */
static tfm_status read_keys(bpe *b) {
    tfm_json_reader *r = b->r;
    size_t total = 0, n_bytes = 0;
    for (size_t i = 0; i < r->n_spellings; i++) total += r->spellings[i].n;
    b->keys = reallocarray(NULL, r->n_spellings + 1, sizeof *b->keys);
    b->bytes = malloc(total + 1);
    if (!b->keys || !b->bytes) return tfm_json_no_memory(r);
    for (size_t i = 0; i < r->n_spellings; i++) {
        tfm_trie_key key = r->spellings[i];
        if (r->byte_level) {
            size_t n = tfm_json_bytes(key.text, key.n, b->bytes + n_bytes);
            if (n == SIZE_MAX) continue;
            key.text = b->bytes + n_bytes;
            key.n = (uint32_t)n;
            n_bytes += n;
        }
        if (key.n == 0) continue;
        if (key.n <= TFM_TRIE_MAX_KEY)
            b->keys[b->n_keys++] = key;
        else if (flag(r, "ignore_merges"))
            return tfm_json_unsupported(r, "ignore_merges with a piece of over 1023 bytes");
    }
    return TFM_OK;
}

/* Marks in the trie the pieces that the word of their spelling comes out as. No two keys have one node, as ids differ.
 */
static tfm_status mark_whole(bpe *b, uint32_t *trie, size_t n_words) {
    tfm_word_model model = {.kind = TFM_WORD_MODEL_BPE,
                            .unknown_id = TFM_NO_ID,
                            .symbols = b->r->byte_level ? b->symbols : NULL,
                            .byte_ids = b->has_bytes ? b->byte_ids : NULL,
                            .merges = b->merges,
                            .n_merges = b->n_slots,
                            .prefix = string(b->r, "continuing_subword_prefix"),
                            .suffix = string(b->r, "end_of_word_suffix")};
    model.n_prefix = strlen(model.prefix);
    model.n_suffix = strlen(model.suffix);
    if (!tfm_trie_open(&model.pieces, trie, n_words, TFM_PIECE_WHOLE, b->r->size)) return tfm_json_no_memory(b->r);
    tfm_ids ids = {0};
    tfm_status status = TFM_OK;
    for (size_t i = 0; i < b->n_keys && status == TFM_OK; i++) {
        const tfm_trie_key *key = &b->keys[i];
        if (key->n <= model.n_suffix || memcmp(key->text + key->n - model.n_suffix, model.suffix, model.n_suffix) != 0)
            continue;
        ids.size = 0;
        status = tfm_word_model_merge_bpe(&model, key->text, key->n - model.n_suffix, &(tfm_word_output){.ids = &ids});
        uint32_t node = 0;
        if (ids.size == 1 && (uint32_t)ids.data[0] == key->value - 1 &&
            tfm_trie_walk(&model.pieces, &node, key->text, key->n)) {
            trie[2 * node + 1] |= TFM_PIECE_WHOLE;
        }
    }
    tfm_ids_free(&ids);
    return status == TFM_OK ? TFM_OK : tfm_json_no_memory(b->r);
}

static tfm_status put_bpe_pieces(bpe *b) {
    uint32_t *words;
    size_t n_words;
    tfm_json_reader *r = b->r;
    tfm_status status = tfm_trie_build(b->keys, b->n_keys, r->what, &words, &n_words, r->error);
    if (status != TFM_OK) return status;
    status = mark_whole(b, words, n_words);
    if (status == TFM_OK) tfm_table_set_array(r->table, "pieces.trie", TFM_VALUE_U32S, words, n_words);
    free(words);
    return status;
}

/* Ids of single bytes, and of the tokens that stand for bytes of unknown characters. */
static tfm_status read_bytes(bpe *b) {
    tfm_json_reader *r = b->r;
    size_t n_found;
    bool missing = false;
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[4];
        size_t n = tfm_utf8_encode(tfm_byte_character((unsigned char)byte), text);
        int64_t id = tfm_json_find(r, text, n);
        b->symbols[byte] = id < 0 ? TFM_NO_ID : (uint32_t)id;
        missing |= id < 0;
    }
    bool fallback = flag(r, "byte_fallback");
    if (r->byte_level && (*string(r, "continuing_subword_prefix") != 0 || *string(r, "end_of_word_suffix") != 0))
        return tfm_json_unsupported(r, "ByteLevel with continuing_subword_prefix or end_of_word_suffix");
    if (r->byte_level && missing && fallback) return tfm_json_unsupported(r, "byte_fallback with ByteLevel");
    b->has_bytes = fallback && !r->byte_level && find_bytes(r, b->byte_ids, &n_found);
    if (fallback && !r->byte_level && !b->has_bytes && n_found > 0)
        return tfm_json_unsupported(r, "byte_fallback with some byte tokens missing");
    if (b->has_bytes && *string(r, "continuing_subword_prefix") != 0)
        return tfm_json_unsupported(r, "byte_fallback with continuing_subword_prefix");
    if (b->has_bytes && *string(r, "end_of_word_suffix") != 0)
        return tfm_json_unsupported(r, "byte_fallback with end_of_word_suffix");
    return TFM_OK;
}

static tfm_status put_bpe(bpe *b) {
    tfm_json_reader *r = b->r;
    const json_t *dropout = json_object_get(model_of(r), "dropout");
    if (json_is_number(dropout) && json_number_value(dropout) != 0) return tfm_json_unsupported(r, "dropout");
    tfm_status status = read_bytes(b);
    if (status == TFM_OK) status = read_merges(b);
    if (status == TFM_OK) status = read_keys(b);
    if (status == TFM_OK) status = put_bpe_pieces(b);
    if (status == TFM_OK) status = put_unknown(r, false);
    if (status != TFM_OK) return status;
    tfm_table_set_array(r->table, "merges", TFM_VALUE_U32S, b->merges, 4 * b->n_slots);
    if (r->byte_level) tfm_table_set_array(r->table, "symbols", TFM_VALUE_U32S, b->symbols, 256);
    if (b->has_bytes) tfm_table_set_array(r->table, "bytes.ids", TFM_VALUE_U32S, b->byte_ids, 256);
    tfm_table_set_string(r->table, "prefix", string(r, "continuing_subword_prefix"));
    tfm_table_set_string(r->table, "suffix", string(r, "end_of_word_suffix"));
    tfm_table_set_u64(r->table, "fuse_unknown", flag(r, "fuse_unk"));
    tfm_table_set_u64(r->table, "ignore_merges", flag(r, "ignore_merges"));
    bool marked = *string(r, "continuing_subword_prefix") != 0 || *string(r, "end_of_word_suffix") != 0;
    if (!r->byte_level && !b->crosses && !marked && !flag(r, "ignore_merges") &&
        tfm_json_find(r, TFM_SPM_SPACE, 3) >= 0)
        tfm_table_set_string(r->table, "word_start", TFM_SPM_SPACE);
    return TFM_OK;
}

tfm_status tfm_json_model(tfm_json_reader *r) {
    const json_t *model = model_of(r);
    const char *type = json_string_value(json_object_get(model, "type"));
    /* Old files leave the type out; the fields tell. */
    if (!type)
        type = json_object_get(model, "merges")                      ? "BPE"
               : json_object_get(model, "unk_id")                    ? "Unigram"
               : json_object_get(model, "continuing_subword_prefix") ? "WordPiece"
                                                                     : "WordLevel";
    bool is_list = json_is_array(json_object_get(model, "vocab"));
    if (is_list != (strcmp(type, "Unigram") == 0)) return tfm_json_broken(r, "the vocabulary does not fit the model");
    if (r->byte_level && strcmp(type, "BPE") != 0)
        return tfm_json_unsupported(r, "ByteLevel with a model other than BPE");
    if (strcmp(type, "BPE") == 0) {
        bpe b = {.r = r};
        tfm_table_set_string(r->table, "type", "bpe");
        tfm_status status = put_bpe(&b);
        free(b.merges);
        free(b.keys);
        free(b.bytes);
        return status;
    }
    if (strcmp(type, "WordPiece") == 0) {
        tfm_table_set_string(r->table, "type", "wordpiece");
        return wordpiece(r);
    }
    if (strcmp(type, "Unigram") == 0) {
        tfm_table_set_string(r->table, "type", "unigram");
        return unigram(r);
    }
    if (strcmp(type, "WordLevel") == 0) {
        tfm_table_set_string(r->table, "type", "wordlevel");
        return wordlevel(r);
    }
    return tfm_fail(r->error, TFM_ERROR_UNSUPPORTED,
                    "%s: the model %.80s is not among BPE, WordPiece, Unigram and WordLevel", r->what, type);
}
