/* grow.c - room in arrays that grow. */
#include "grow.h"

#include <stdlib.h>

#define LEAST 16 /* elements */

void *tfm_grow(void *data, size_t *capacity, size_t size, size_t n, size_t element_bytes) {
    size_t need, bytes, more = *capacity + *capacity / 2;
    if (data && *capacity - size >= n) return data;
    if (__builtin_add_overflow(size, n, &need)) return NULL;
    if (need < more) need = more;
    if (need < LEAST) need = LEAST;
    if (__builtin_mul_overflow(need, element_bytes, &bytes)) return NULL;
    void *moved = realloc(data, bytes);
    if (moved) *capacity = need;
    return moved;
}
