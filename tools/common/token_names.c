/* token_names.c - see token_names.h. */
#include "token_names.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bytes.h"
#include "cli.h"
#include "options.h"

void tfm_token_names_free(tfm_token_names *names) {
    tfm_text_free(&names->text);
    tfm_ids_free(&names->ends);
}

bool tfm_token_names_copy(const tfm_token_names *from, tfm_token_names *to) {
    if (from->ends.size == 0) return true;
    return tfm_text_append(&to->text, from->text.data, from->text.size) &&
           tfm_ids_append(&to->ends, from->ends.data, from->ends.size);
}

/* ---- reading ---- */

enum { FIRST = -2 }; /* the stand-in for the first name; those of the others lie below */

static bool add_name(tfm_token_names *names, const char *name, size_t n, int32_t *id) {
    if (n > (size_t)INT32_MAX - names->text.size || !tfm_text_append(&names->text, name, n)) return false;
    int32_t end = (int32_t)names->text.size;
    *id = FIRST - (int32_t)names->ends.size;
    return tfm_ids_append(&names->ends, &end, 1);
}

static bool is_number(const char *word, size_t n) {
    size_t i = n > 1 && word[0] == '-';
    for (; i < n && word[i] >= '0' && word[i] <= '9'; i++)
        ;
    return i == n;
}

tfm_status tfm_token_parse(const char *what, const char *word, size_t n, int64_t max, tfm_token_names *names,
                           int32_t *id, tfm_error *error) {
    if (n == 0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: a token has an id or a name, and here is nothing", what);
    if (!is_number(word, n)) return add_name(names, word, n, id) ? TFM_OK : tfm_no_memory(error, "%s", what);
    if (max > INT32_MAX) max = INT32_MAX;
    char digits[24] = "";
    uint64_t number = 0;
    if (n < sizeof digits) memcpy(digits, word, n);
    if (tfm_parse_u64(what, digits, 0, (uint64_t)max, &number, NULL) != TFM_OK)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: '%.*s' is not a token id from 0 to %lld", what,
                        (int)(n > 23 ? 23 : n), word, (long long)max);
    *id = (int32_t)number;
    return TFM_OK;
}

static tfm_status add_token(const char *what, const char *word, size_t n, int64_t max, tfm_token_names *names,
                            tfm_ids *ids, tfm_error *error) {
    int32_t id;
    tfm_status status = tfm_token_parse(what, word, n, max, names, &id, error);
    if (status == TFM_OK && !tfm_ids_append(ids, &id, 1)) status = tfm_no_memory(error, "%s", what);
    return status;
}

static tfm_status add_json(const char *what, const json_t *array, int64_t max, tfm_token_names *names, tfm_ids *ids,
                           tfm_error *error) {
    size_t i;
    const json_t *item;
    json_array_foreach(array, i, item) {
        char number[24];
        const char *word = json_string_value(item);
        if (json_is_integer(item)) {
            snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(item));
            word = number;
        }
        if (!word)
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: a list of tokens has ids and names, as in [2, \"</s>\"]",
                            what);
        tfm_status status = add_token(what, word, strlen(word), max, names, ids, error);
        if (status != TFM_OK) return status;
    }
    return TFM_OK;
}

static bool is_separator(char c) { return c == ' ' || c == '\t' || c == ',' || c == '\r' || c == '\n'; }

static bool only_numbers(const char *text, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!is_separator(text[i]) && (text[i] < '0' || text[i] > '9')) return false;
    return true;
}

tfm_status tfm_tokens_parse(const char *what, const char *text, size_t n, int64_t max, tfm_token_names *names,
                            tfm_ids *ids, tfm_error *error) {
    while (n > 0 && is_separator(text[n - 1])) n--;
    for (; n > 0 && is_separator(text[0]); n--) text++;
    if (n >= 2 && text[0] == '[' && text[n - 1] == ']') { /* perhaps a name: "[PAD]" */
        json_error_t where;
        json_t *array = json_loadb(text, n, 0, &where);
        tfm_status status = json_is_array(array) ? add_json(what, array, max, names, ids, error) : TFM_OK;
        bool read = json_is_array(array);
        json_decref(array);
        if (read) return status;
        if (only_numbers(text + 1, n - 2)) {
            text++;
            n -= 2;
        }
    }
    for (size_t i = 0; i < n;) {
        size_t start = i;
        while (i < n && !is_separator(text[i])) i++;
        tfm_status status = i > start ? add_token(what, text + start, i - start, max, names, ids, error) : TFM_OK;
        if (status != TFM_OK) return status;
        if (i == start) i++;
    }
    return TFM_OK;
}

/* ---- finding ---- */

/* Takes one of the signs that vocabularies put around a name from an end of it. */
static bool strip(const char **name, size_t *n) {
    static const char *const signs[] = {"\xe2\x96\x81", "\xc4\xa0", "<", ">", "[", "]", "|", "/", "_"};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        size_t length = strlen(signs[i]);
        if (*n <= length) continue;
        bool front = memcmp(*name, signs[i], length) == 0;
        if (!front && memcmp(*name + *n - length, signs[i], length) != 0) continue;
        if (front) *name += length;
        *n -= length;
        return true;
    }
    return false;
}

enum { USELESS = 1000, LONGEST = 40 }; /* tfm_name_distance has no longer ones */

/* How far a name is from a piece: 0 if only signs and capitals differ; USELESS if it is of no use to say. */
static size_t difference(const char *name, size_t n, const char *piece, size_t length) {
    while (strip(&piece, &length))
        ;
    if (length == n && strncasecmp(name, piece, n) == 0) return 0;
    size_t gap = length > n ? length - n : n - length, most = n / 3;
    if (gap > most || n > LONGEST || length > LONGEST) return USELESS; /* most of a vocabulary */
    size_t d = tfm_name_distance(name, n, piece, length);
    return d <= most ? d : USELESS;
}

enum { SHOWN = 3 };

typedef struct near_pieces {
    const char *pieces[SHOWN];
    size_t lengths[SHOWN], distances[SHOWN], n;
} near_pieces;

static void offer(near_pieces *near, const char *piece, size_t length, size_t distance) {
    size_t at = near->n;
    while (at > 0 && near->distances[at - 1] > distance) at--;
    if (at == SHOWN) return;
    if (near->n < SHOWN) near->n++;
    for (size_t i = near->n - 1; i > at; i--) {
        near->pieces[i] = near->pieces[i - 1];
        near->lengths[i] = near->lengths[i - 1];
        near->distances[i] = near->distances[i - 1];
    }
    near->pieces[at] = piece;
    near->lengths[at] = length;
    near->distances[at] = distance;
}

/* Appends the nearest names of the vocabulary, if there are any. */
static bool print_nearest(const tfm_model *model, tfm_side side, const char *name, size_t n, tfm_text *out) {
    tfm_model_info info = tfm_model_get_info(model);
    uint32_t size = side == TFM_TARGET ? info.target_vocab_size : info.source_vocab_size;
    near_pieces near = {.n = 0};
    while (strip(&name, &n))
        ;
    for (uint32_t id = 0; id < size; id++) {
        size_t length = 0;
        const char *piece = tfm_token_piece(model, side, (int32_t)id, &length);
        size_t distance = piece ? difference(name, n, piece, length) : USELESS;
        if (distance != USELESS) offer(&near, piece, length, distance);
    }
    bool ok = near.n == 0 || tfm_text_print(out, "; the nearest %s", near.n > 1 ? "are" : "is");
    for (size_t i = 0; i < near.n && ok; i++)
        ok = tfm_text_print(out, "%s '%.*s'", i ? "," : "", (int)near.lengths[i], near.pieces[i]);
    if (near.n == 0) ok = tfm_text_print(out, "; tfmeval tokenize MODEL TEXT shows the names of a text's tokens");
    return ok;
}

static tfm_status unknown(const char *what, const tfm_model *model, tfm_side side, const char *name, size_t n,
                          tfm_error *error) {
    tfm_text nearest = {0};
    const int shown = n > 60 ? 60 : (int)n;
    tfm_status status = TFM_ERROR_ARGUMENT;
    if (!tfm_model_get_info(model).has_tokenizer)
        tfm_fail(error, status,
                 "%s: '%.*s' is a token's name, and the model has no tokenizer to find it in: give its id", what, shown,
                 name);
    else if (print_nearest(model, side, name, n, &nearest))
        tfm_fail(error, status, "%s: the model has no token '%.*s'%s", what, shown, name, nearest.data);
    else
        status = tfm_no_memory(error, "%s", what);
    tfm_text_free(&nearest);
    return status;
}

tfm_status tfm_tokens_resolve(const char *what, const tfm_token_names *names, const tfm_model *model, tfm_side side,
                              int32_t *ids, size_t n, tfm_error *error) {
    for (size_t i = 0; i < n && names->ends.size; i++) {
        if (ids[i] > FIRST) continue;
        size_t place = (size_t)(FIRST - ids[i]);
        size_t start = place ? (size_t)names->ends.data[place - 1] : 0;
        size_t length = (size_t)names->ends.data[place] - start;
        const char *name = names->text.data + start;
        int32_t id = tfm_token_id(model, side, name, length);
        if (id < 0) return unknown(what, model, side, name, length, error);
        ids[i] = id;
    }
    return TFM_OK;
}
