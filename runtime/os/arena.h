/*
 * arena.h - many buffers in one allocation: laid out once to count, once to place.
 */
#ifndef TFM_RUNTIME_OS_ARENA_H
#define TFM_RUNTIME_OS_ARENA_H

#include <stdbool.h>
#include <stddef.h>

typedef struct tfm_arena {
    char *base; /* NULL: only count */
    size_t used;
    bool overflow;
} tfm_arena;

/* The next count * size bytes, at a multiple of 64 from the base; NULL while counting. */
static inline void *tfm_arena_take(tfm_arena *arena, size_t count, size_t size) {
    size_t bytes, end;
    if (__builtin_mul_overflow(count, size, &bytes) || __builtin_add_overflow(bytes, 63, &bytes) ||
        __builtin_add_overflow(arena->used, bytes & ~(size_t)63, &end)) {
        arena->overflow = true;
        return NULL;
    }
    void *part = arena->base ? arena->base + arena->used : NULL;
    arena->used = end;
    return part;
}

#endif
