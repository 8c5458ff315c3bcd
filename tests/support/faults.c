/* faults.c - see faults.h. */
#include "faults.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

static atomic_size_t n_allocations, failing; /* failing: the number of the one that fails; 0: none */
static atomic_long n_live;

size_t faults_allocations(void) { return atomic_load(&n_allocations); }
long faults_live(void) { return atomic_load(&n_live); }
void faults_fail(size_t k) { atomic_store(&failing, k ? atomic_load(&n_allocations) + k : 0); }

static bool fails(void) {
    if (atomic_fetch_add(&n_allocations, 1) + 1 != atomic_load(&failing)) return false;
    errno = ENOMEM;
    return true;
}

static void *made(void *block) {
    if (block) atomic_fetch_add(&n_live, 1);
    return block;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t n);
void *__real_reallocarray(void *block, size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t n);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
void __real_free(void *block);
void *__real_mmap(void *address, size_t n, int protection, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t n);
void *__wrap_reallocarray(void *block, size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);
void __wrap_free(void *block);
void *__wrap_mmap(void *address, size_t n, int protection, int flags, int fd, off_t offset);

void *__wrap_malloc(size_t n) { return fails() ? NULL : made(__real_malloc(n)); }

void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : made(__real_calloc(n, size)); }

void *__wrap_realloc(void *block, size_t n) {
    if (fails()) return NULL;
    bool first = !block;
    void *moved = __real_realloc(block, n);
    return first ? made(moved) : moved;
}

void *__wrap_reallocarray(void *block, size_t n, size_t size) {
    if (fails()) return NULL;
    bool first = !block;
    void *moved = __real_reallocarray(block, n, size);
    return first ? made(moved) : moved;
}

void *__wrap_aligned_alloc(size_t alignment, size_t n) {
    return fails() ? NULL : made(__real_aligned_alloc(alignment, n));
}

char *__wrap_strdup(const char *text) { return fails() ? NULL : made(__real_strdup(text)); }

char *__wrap_strndup(const char *text, size_t n) { return fails() ? NULL : made(__real_strndup(text, n)); }

void __wrap_free(void *block) {
    if (block) atomic_fetch_sub(&n_live, 1);
    __real_free(block);
}

void *__wrap_mmap(void *address, size_t n, int protection, int flags, int fd, off_t offset) {
    return fails() ? MAP_FAILED : __real_mmap(address, n, protection, flags, fd, offset);
}
