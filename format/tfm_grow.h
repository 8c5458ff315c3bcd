/*
 * tfm_grow.h - room in arrays that grow: the library's own, and those that a program makes for it. A part of the public
 * interface; tfm.h includes it.
 */
#ifndef TFM_GROW_H
#define TFM_GROW_H

#include <stdbool.h>
#include <stddef.h>

#include "tfm_error.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Makes room for n elements behind the first `size` of an array from malloc, at least half as much again as there was
 * when there is not enough. array is the address of the pointer to its elements, which may be NULL with *capacity 0;
 * free gives it back. False when memory is out or so many bytes cannot be; the array is then as it was.
 *
 *     if (!tfm_grow(&list->data, &list->capacity, list->size, n, sizeof *list->data)) return false;
 */
TFM_API bool tfm_grow(void *array, size_t *capacity, size_t size, size_t n, size_t element_bytes);

#ifdef __cplusplus
}
#endif

#endif
