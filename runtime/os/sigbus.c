/*
 * sigbus.c - the SIGBUS handler. Only async-signal-safe work: atomics and mmap (a plain system call here).
 */
#include "sigbus.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_MAPPINGS 256

/* A slot is in use while base is not 0; it is written before base is, and base is cleared before it is reused. */
static struct mapping {
    _Atomic uintptr_t base;
    _Atomic size_t n;
    _Atomic(atomic_bool *) shrank;
} mappings[MAX_MAPPINGS];

static struct sigaction previous;
static size_t page_size;

/* Puts a page of zeros at the address if it lies in a watched mapping. */
static bool repair(uintptr_t address) {
    for (size_t i = 0; i < MAX_MAPPINGS; i++) {
        uintptr_t base = atomic_load(&mappings[i].base);
        if (!base || address < base || address - base >= atomic_load(&mappings[i].n)) continue;
        void *page = (void *)(address & ~(uintptr_t)(page_size - 1)); // NOLINT: the page that faulted
        if (mmap(page, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
            return false;
        atomic_store(atomic_load(&mappings[i].shrank), true);
        return true;
    }
    return false;
}

static void on_sigbus(int signal, siginfo_t *info, void *context) {
    int saved = errno;
    bool repaired = repair((uintptr_t)info->si_addr);
    errno = saved;
    if (repaired) return;
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(signal, info, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(signal);
    } else {
        /* Not ours and nobody else's: the access faults again and ends the program as it would have without us. */
        struct sigaction standard = {.sa_handler = SIG_DFL};
        sigaction(SIGBUS, &standard, NULL);
    }
}

static void install(void) {
    page_size = (size_t)sysconf(_SC_PAGESIZE);
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &previous);
}

static pthread_mutex_t slots = PTHREAD_MUTEX_INITIALIZER;

bool tfm_sigbus_watch(const void *base, size_t n, atomic_bool *shrank) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    pthread_mutex_lock(&slots);
    bool found = false;
    for (size_t i = 0; i < MAX_MAPPINGS && !found; i++) {
        if (atomic_load(&mappings[i].base)) continue;
        atomic_store(&mappings[i].n, n);
        atomic_store(&mappings[i].shrank, shrank);
        atomic_store(&mappings[i].base, (uintptr_t)base);
        found = true;
    }
    pthread_mutex_unlock(&slots);
    return found;
}

void tfm_sigbus_forget(const void *base) {
    pthread_mutex_lock(&slots);
    for (size_t i = 0; i < MAX_MAPPINGS; i++)
        if (atomic_load(&mappings[i].base) == (uintptr_t)base) atomic_store(&mappings[i].base, 0);
    pthread_mutex_unlock(&slots);
}
