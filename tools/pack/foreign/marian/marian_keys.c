/* marian_keys.c - the tables of marian_keys.def. */
#include "marian_keys.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pack/config/key_rows.h"

static const tfm_key model_keys[] = {
#define MODEL_KEYS
#include "marian_keys.def"
#undef MODEL_KEYS
};
static const tfm_key decoder_keys[] = {
#define DECODER_KEYS
#include "marian_keys.def"
#undef DECODER_KEYS
};

const tfm_key_table tfm_marian_model_keys = {model_keys, sizeof model_keys / sizeof *model_keys, NULL};
const tfm_key_table tfm_marian_decoder_keys = {decoder_keys, sizeof decoder_keys / sizeof *decoder_keys, NULL};

/* Bytes of the first word if all words, with one space between them, are the same; else of the whole text. */
static size_t one_word(const char *text) {
    const size_t n = strcspn(text, " ");
    const char *at = text;
    while (strncmp(at, text, n) == 0 && at[n] == ' ') at += n + 1;
    return strncmp(at, text, n) == 0 && at[n] == 0 ? n : strlen(text);
}

static json_t *typed(const char *text) {
    char *end;
    if (strcmp(text, "true") == 0) return json_true();
    if (strcmp(text, "false") == 0) return json_false();
    if (strcmp(text, "null") == 0 || strcmp(text, "~") == 0) return json_null();
    const double number = strtod(text, &end);
    if (end == text || *end != 0 || !isfinite(number)) return json_stringn(text, one_word(text));
    const bool whole = fabs(number) < 1e15 && number == trunc(number);
    return whole ? json_integer((json_int_t)number) : json_real(number);
}

json_t *tfm_marian_typed(const json_t *options) {
    json_t *object = json_object(), *value;
    const char *key;
    json_object_foreach((json_t *)(uintptr_t)options, key, value) {
        if (object && json_object_set_new(object, key, typed(json_string_value(value))) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}
