/* grow.h - room in arrays that grow. */
#ifndef TFM_FORMAT_GROW_H
#define TFM_FORMAT_GROW_H

#include <stddef.h>

/*
 * Room for n more elements behind the first `size` of an array from malloc, or NULL: like realloc, but it gives at
 * least half as much again as there was, and nothing is done while there is room. data may be NULL, *capacity 0. NULL
 * is returned when memory is out or so many bytes cannot be; the array is then as it was.
 *
 *     int32_t *data = tfm_grow(list->data, &list->capacity, list->size, n, sizeof *data);
 *     if (!data) return false;
 *     list->data = data;
 */
void *tfm_grow(void *data, size_t *capacity, size_t size, size_t n, size_t element_bytes);

#endif
