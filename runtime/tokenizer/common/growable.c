/* growable.c - the growing lists of ids and of text. */
#include "growable.h"

#include <stdlib.h>
#include <string.h>

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

/* Capacity for size + n elements, at least one and a half times what there was; 0 if that overflows. */
static size_t grown(size_t size, size_t n, size_t capacity, size_t element) {
    size_t need, bytes;
    if (__builtin_add_overflow(size, n, &need)) return 0;
    if (need <= capacity + capacity / 2) need = capacity + capacity / 2;
    if (need < 16) need = 16;
    return __builtin_mul_overflow(need, element, &bytes) ? 0 : need;
}

bool tfm_ids_append(tfm_ids *ids, const int32_t *data, size_t n) {
    if (n == 0) return true;
    if (ids->capacity - ids->size < n) {
        size_t capacity = grown(ids->size, n, ids->capacity, sizeof(int32_t));
        int32_t *bigger = capacity != 0 ? realloc(ids->data, capacity * sizeof(int32_t)) : NULL;
        if (!bigger) return false;
        ids->data = bigger;
        ids->capacity = capacity;
    }
    memcpy(ids->data + ids->size, data, n * sizeof(int32_t));
    ids->size += n;
    return true;
}

bool tfm_text_append(tfm_text *text, const char *data, size_t n) {
    size_t with_nul;
    if (__builtin_add_overflow(n, (size_t)1, &with_nul)) return false;
    if (text->capacity - text->size < with_nul) {
        size_t capacity = grown(text->size, with_nul, text->capacity, 1);
        char *bigger = capacity != 0 ? realloc(text->data, capacity) : NULL;
        if (!bigger) return false;
        text->data = bigger;
        text->capacity = capacity;
    }
    if (n > 0) memcpy(text->data + text->size, data, n);
    text->size += n;
    text->data[text->size] = 0;
    return true;
}
