/* faults.c - memory and system calls that fail when a test wants it; see faults.h. */
#include "faults.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- memory ---- */

static _Atomic long n_made, n_alive;
static _Atomic long first_failing = -1; /* number of an allocation; -1: none */
static _Atomic bool all_that_follow;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
void *__real_reallocarray(void *old, size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t n);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
void __real_free(void *block);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);
int __wrap_asprintf(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void __wrap_free(void *block);

static bool fails(void) {
    long number = atomic_fetch_add(&n_made, 1), first = atomic_load(&first_failing);
    if (first < 0 || number < first || (number > first && !atomic_load(&all_that_follow))) return false;
    errno = ENOMEM;
    return true;
}

static void *counted(void *block) {
    if (block) atomic_fetch_add(&n_alive, 1);
    return block;
}

void *__wrap_malloc(size_t n) { return fails() ? NULL : counted(__real_malloc(n)); }

void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : counted(__real_calloc(n, size)); }

void *__wrap_realloc(void *old, size_t n) {
    if (fails()) return NULL;
    return old ? __real_realloc(old, n) : counted(__real_realloc(old, n));
}

void *__wrap_reallocarray(void *old, size_t n, size_t size) {
    if (fails()) return NULL;
    return old ? __real_reallocarray(old, n, size) : counted(__real_reallocarray(old, n, size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t n) {
    return fails() ? NULL : counted(__real_aligned_alloc(alignment, n));
}

char *__wrap_strdup(const char *text) { return fails() ? NULL : counted(__real_strdup(text)); }

char *__wrap_strndup(const char *text, size_t n) { return fails() ? NULL : counted(__real_strndup(text, n)); }

int __wrap_asprintf(char **text, const char *format, ...) {
    if (fails()) return -1;
    va_list arguments;
    va_start(arguments, format);
    int n = vasprintf(text, format, arguments);
    va_end(arguments);
    if (n >= 0) counted(*text);
    return n;
}

void __wrap_free(void *block) {
    if (block) atomic_fetch_sub(&n_alive, 1);
    __real_free(block);
}

long allocations_made(void) { return atomic_load(&n_made); }

long allocations_alive(void) { return atomic_load(&n_alive); }

void faults_begin(long k, bool lasting) {
    atomic_store(&all_that_follow, lasting);
    atomic_store(&first_failing, atomic_load(&n_made) + k);
}

void faults_end(void) { atomic_store(&first_failing, -1); }

/* Whether the job has an allocation number k. */
static bool fail_one(tfm_status (*job)(void *arg, tfm_error *error), void *arg, long k, bool lasting) {
    tfm_error error = {0};
    long made = allocations_made(), alive = allocations_alive();
    faults_begin(k, lasting);
    tfm_status status = job(arg, &error);
    faults_end();
    bool reached = allocations_made() - made > k;
    alive = allocations_alive() - alive;
    cr_assert_eq(alive, 0, "allocation %ld: %ld blocks leaked", k, alive);
    if (reached)
        cr_assert(status == TFM_ERROR_MEMORY && strstr(error.message, "memory"), "allocation %ld: status %d: %s", k,
                  (int)status, error.message);
    else
        cr_assert_eq(status, TFM_OK, "no allocation failed: status %d: %s", (int)status, error.message);
    return reached;
}

long fail_each_allocation(tfm_status (*job)(void *arg, tfm_error *error), void *arg) {
    long k = 0;
    while (fail_one(job, arg, k, false)) {
        fail_one(job, arg, k, true);
        cr_assert_lt(++k, 100000, "it never gets through");
    }
    return k;
}

/* ---- the system ---- */

static system_faults now;
static int n_fsync;
static unsigned n_calls;

void system_faults_set(system_faults faults) {
    now = faults;
    n_fsync = 0;
    n_calls = 0;
}

ssize_t __real_pread64(int fd, void *data, size_t n, off_t offset);
ssize_t __real_pwrite64(int fd, const void *data, size_t n, off_t offset);
void *__real_mmap64(void *address, size_t n, int protection, int flags, int fd, off_t offset);
int __real_fsync(int fd);
int __real_linkat(int from, const char *old, int to, const char *name, int flags);
int __real_renameat(int from, const char *old, int to, const char *name);
int __real_openat64(int directory, const char *name, int flags, ...);
ssize_t __wrap_pread64(int fd, void *data, size_t n, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t n, off_t offset);
void *__wrap_mmap64(void *address, size_t n, int protection, int flags, int fd, off_t offset);
int __wrap_fsync(int fd);
int __wrap_linkat(int from, const char *old, int to, const char *name, int flags);
int __wrap_renameat(int from, const char *old, int to, const char *name);
int __wrap_openat64(int directory, const char *name, int flags, ...);

static bool fails_with(int reason) {
    if (reason == 0) return false;
    errno = reason;
    return true;
}

static bool interrupted(void) { return now.trickle && fails_with(n_calls++ % 3 == 0 ? EINTR : 0); }

ssize_t __wrap_pread64(int fd, void *data, size_t n, off_t offset) {
    if (fails_with(now.pread) || interrupted()) return -1;
    return __real_pread64(fd, data, now.trickle && n > 0 ? 1 : n, offset);
}

ssize_t __wrap_pwrite64(int fd, const void *data, size_t n, off_t offset) {
    if (fails_with(now.pwrite) || interrupted()) return -1;
    return __real_pwrite64(fd, data, now.trickle && n > 0 ? 1 : n, offset);
}

void *__wrap_mmap64(void *address, size_t n, int protection, int flags, int fd, off_t offset) {
    bool refused = flags & MAP_ANONYMOUS ? fails() : fails_with(now.mmap);
    return refused ? MAP_FAILED : __real_mmap64(address, n, protection, flags, fd, offset);
}

int __wrap_fsync(int fd) {
    if (++n_fsync == now.fsync_number && fails_with(now.fsync)) return -1;
    return __real_fsync(fd);
}

int __wrap_linkat(int from, const char *old, int to, const char *name, int flags) {
    return fails_with(now.linkat) ? -1 : __real_linkat(from, old, to, name, flags);
}

int __wrap_renameat(int from, const char *old, int to, const char *name) {
    return fails_with(now.renameat) ? -1 : __real_renameat(from, old, to, name);
}

int __wrap_openat64(int directory, const char *name, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, mode_t);
    va_end(arguments);
    if (now.no_unnamed_files && (flags & O_TMPFILE) == O_TMPFILE && fails_with(EOPNOTSUPP)) return -1;
    return __real_openat64(directory, name, flags, mode);
}
