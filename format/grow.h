/*
 * grow.h - tfm_grow, and what only the library's own arrays need of it. Nothing else calls realloc, so that how they
 * grow, and what sizes cannot be, is decided once.
 */
#ifndef TFM_FORMAT_GROW_H
#define TFM_FORMAT_GROW_H

#include "tfm_grow.h"

/*
 * tfm_grow for an array that begins at `first`, on the stack or inside a struct: its elements are copied when it moves
 * to the heap. Whoever owns it frees it if it has moved.
 */
bool tfm_grow_from(const void *first, void *array, size_t *capacity, size_t size, size_t n, size_t element_bytes);

#endif
