/*
 * grow.h - room in arrays that grow. Nothing else calls realloc, so that how they grow, and what sizes cannot be, is
 * decided once. It needs nothing of the library, and is part of what the tools share too.
 */
#ifndef TFM_FORMAT_GROW_H
#define TFM_FORMAT_GROW_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Makes room for n elements behind the first `size` of an array from malloc, at least half as much again as there was
 * when there is not enough. array is the address of the pointer to its elements, which may be NULL with *capacity 0.
 * False when memory is out or so many bytes cannot be; the array is then as it was.
 *
 *     if (!tfm_grow(&list->data, &list->capacity, list->size, n, sizeof *list->data)) return false;
 */
bool tfm_grow(void *array, size_t *capacity, size_t size, size_t n, size_t element_bytes);

/*
 * The same for an array that begins at `first`, on the stack or inside a struct: its elements are copied when it moves
 * to the heap. Whoever owns it frees it if it has moved.
 */
bool tfm_grow_from(const void *first, void *array, size_t *capacity, size_t size, size_t n, size_t element_bytes);

#endif
