/*
 * hash.h - hashes of model.bin: XXH3-64 of chunks, joined to the hash of an extent. The same on every processor.
 */
#ifndef TFM_FORMAT_HASH_H
#define TFM_FORMAT_HASH_H

#include <stddef.h>
#include <stdint.h>

/* XXH3-64 of n bytes. */
typedef uint64_t tfm_hash_function(const void *data, size_t n);

/* The fastest one for this processor. */
tfm_hash_function *tfm_hash_select(void);

/* One per set of compiler flags; only tfm_hash_select and tests call them directly. */
tfm_hash_function tfm_hash_baseline;
tfm_hash_function tfm_hash_avx2;
tfm_hash_function tfm_hash_avx512;

/* The i-th that this processor can run, or NULL past the last; the baseline first. */
tfm_hash_function *tfm_hash_list(size_t i);

/* Joins chunk hashes, in order, to an extent's hash. The state is xxHash's, kept out of this header. */
typedef struct tfm_hash_join {
    _Alignas(64) unsigned char state[640];
} tfm_hash_join;

void tfm_hash_join_begin(tfm_hash_join *join);
void tfm_hash_join_add(tfm_hash_join *join, uint64_t chunk_hash);
uint64_t tfm_hash_join_end(const tfm_hash_join *join);

/* Hash of a whole extent, chunk after chunk. */
uint64_t tfm_hash_extent(tfm_hash_function *hash, const void *data, size_t n);

#endif
