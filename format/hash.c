/* hash.c - choice of the hash function for this processor; hashes of extents from those of their chunks. */
#define XXH_INLINE_ALL
#include "hash.h"

#include <stdatomic.h>
#include <xxhash.h>

#include "disk.h"
#include "simd/isa.h"

_Static_assert(sizeof(XXH3_state_t) <= sizeof(tfm_hash_join), "room for xxHash's state");
_Static_assert(_Alignof(XXH3_state_t) <= _Alignof(tfm_hash_join), "alignment of xxHash's state");

tfm_hash_function *tfm_hash_list(size_t i) {
    tfm_hash_function *usable[3] = {tfm_hash_baseline};
    size_t n = 1;
#ifdef TFM_HASH_X86
    if (tfm_isa_usable(TFM_ISA_AVX2)) usable[n++] = tfm_hash_avx2;
    if (tfm_isa_usable(TFM_ISA_AVX512)) usable[n++] = tfm_hash_avx512;
#endif
    return i < n ? usable[i] : NULL;
}

tfm_hash_function *tfm_hash_select(void) {
    /* Asking the processor can take microseconds (a virtual machine traps it). Threads that race store the same. */
    static _Atomic(tfm_hash_function *) chosen;
    tfm_hash_function *best = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (best) return best;
    tfm_hash_function *next;
    for (size_t i = 0; (next = tfm_hash_list(i)); i++) best = next;
    atomic_store_explicit(&chosen, best, memory_order_relaxed);
    return best;
}

void tfm_hash_join_begin(tfm_hash_join *join) {
    XXH3_INITSTATE((XXH3_state_t *)(void *)join->state);
    XXH3_64bits_reset((XXH3_state_t *)(void *)join->state);
}

void tfm_hash_join_add(tfm_hash_join *join, uint64_t chunk_hash) {
    XXH3_64bits_update((XXH3_state_t *)(void *)join->state, &chunk_hash, sizeof chunk_hash);
}

uint64_t tfm_hash_join_end(const tfm_hash_join *join) {
    return XXH3_64bits_digest((const XXH3_state_t *)(const void *)join->state);
}

uint64_t tfm_hash_extent(tfm_hash_function *hash, const void *data, size_t n) {
    const unsigned char *bytes = data;
    tfm_hash_join join;
    tfm_hash_join_begin(&join);
    for (size_t at = 0; at < n; at += TFM_DISK_CHUNK)
        tfm_hash_join_add(&join, hash(bytes + at, n - at < TFM_DISK_CHUNK ? n - at : TFM_DISK_CHUNK));
    return tfm_hash_join_end(&join);
}
