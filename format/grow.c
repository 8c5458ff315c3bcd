/* grow.c - room in arrays that grow. */
#include "grow.h"

#include <stdlib.h>
#include <string.h>

#define LEAST 16 /* elements */

bool tfm_grow_from(const void *first, void *array, size_t *capacity, size_t size, size_t n, size_t element_bytes) {
    size_t need, bytes, more = *capacity + *capacity / 2;
    if (__builtin_add_overflow(size, n, &need)) return false;
    if (need <= *capacity) return true;
    if (need < more) need = more;
    if (need < LEAST) need = LEAST;
    if (__builtin_mul_overflow(need, element_bytes, &bytes)) return false;
    void *data, *moved;
    memcpy(&data, array, sizeof data); /* whatever the type of the pointer */
    moved = realloc(data == first ? NULL : data, bytes);
    if (!moved) return false;
    if (first && data == first) memcpy(moved, first, size * element_bytes);
    memcpy(array, &moved, sizeof moved);
    *capacity = need;
    return true;
}

bool tfm_grow(void *array, size_t *capacity, size_t size, size_t n, size_t element_bytes) {
    return tfm_grow_from(NULL, array, capacity, size, n, element_bytes);
}
