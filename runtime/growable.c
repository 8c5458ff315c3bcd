/* growable.c - the growing lists of ids and of text. */
#include <stdlib.h>
#include <string.h>

#include "format/grow.h"
#include "format/utf8.h"
#include "tfm.h"

void tfm_ids_free(tfm_ids *ids) {
    if (!ids) return;
    free(ids->data);
    *ids = (tfm_ids){0};
}

void tfm_text_free(tfm_text *text) {
    if (!text) return;
    free(text->data);
    *text = (tfm_text){0};
}

bool tfm_ids_append(tfm_ids *ids, const int32_t *data, size_t n) {
    if (n == 0) return true;
    if (ids->capacity - ids->size < n && !tfm_grow(&ids->data, &ids->capacity, ids->size, n, sizeof *ids->data))
        return false;
    memcpy(ids->data + ids->size, data, n * sizeof *data);
    ids->size += n;
    return true;
}

static bool has_room(tfm_text *text, size_t n) {
    return text->capacity - text->size > n ||
           (n < SIZE_MAX && tfm_grow(&text->data, &text->capacity, text->size, n + 1, 1));
}

bool tfm_text_reserve(tfm_text *text, size_t n) {
    if (!has_room(text, n)) return false;
    text->data[text->size] = 0;
    return true;
}

bool tfm_text_append(tfm_text *text, const char *data, size_t n) {
    if (!has_room(text, n)) return false;
    if (n > 0) memcpy(text->data + text->size, data, n);
    text->size += n;
    text->data[text->size] = 0;
    return true;
}

bool tfm_text_append_valid(tfm_text *text, const char *data, size_t n) {
    size_t size = text->size;
    for (size_t at = 0; at < n;) {
        size_t valid = tfm_utf8_valid_prefix(data + at, n - at);
        bool whole = at + valid == n;
        if (!tfm_text_append(text, data + at, valid) || (!whole && !tfm_text_append(text, TFM_UTF8_REPLACEMENT, 3))) {
            text->size = size;
            if (text->data) text->data[size] = 0;
            return false;
        }
        at += valid + !whole;
    }
    return true;
}
