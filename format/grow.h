/* grow.h - room in arrays that grow. */
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

#endif
