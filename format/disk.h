/*
 * disk.h - the structures of model.bin as they lie on disk; docs/format.md describes every field.
 *
 * They are read and written by memcpy on little-endian machines; others are refused when a file is opened.
 */
#ifndef TFM_FORMAT_DISK_H
#define TFM_FORMAT_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TFM_DISK_MAGIC "\x89TFM\r\n\x1a\n"
#define TFM_DISK_BYTE_ORDER 0x01020304u
#define TFM_DISK_VERSION 1u
#define TFM_DISK_HEADER 128u
#define TFM_DISK_ALIGN 64u
#define TFM_DISK_PAGE 4096u
#define TFM_DISK_CHUNK ((size_t)1 << 20) /* bytes hashed as one */
#define TFM_DISK_MAX_LENGTH ((uint64_t)1 << 62)
#define TFM_DISK_MAX_SECTION ((uint64_t)1 << 30)
#define TFM_DISK_MAX_SECTIONS 1024u
#define TFM_DISK_MAX_TENSORS ((uint32_t)1 << 20)
#define TFM_DISK_MAX_ENTRIES ((uint32_t)1 << 20)
#define TFM_DISK_KEY_MAX 127u

typedef struct tfm_disk_header {
    unsigned char magic[8];
    uint32_t byte_order, version;
    uint64_t file_length;
    uint64_t directory_offset, directory_length, directory_hash;
    uint32_t n_sections, n_tensors;
    unsigned char reserved[64];
    uint64_t header_hash; /* of the bytes before it */
} tfm_disk_header;

enum { TFM_DISK_SECTION = 1, TFM_DISK_TENSOR = 2 };

typedef struct tfm_disk_record {
    char name[64];
    uint32_t kind, dtype, layout, rank;
    uint64_t shape[4];
    uint64_t offset, length, hash;
    uint64_t aux;
    unsigned char reserved[48];
} tfm_disk_record;

typedef struct tfm_disk_table {
    uint32_t count, reserved;
    uint64_t length;
} tfm_disk_table;

typedef struct tfm_disk_entry {
    uint32_t key_offset;
    uint16_t key_length, type;
    uint64_t n, value, size;
} tfm_disk_entry;

_Static_assert(sizeof(tfm_disk_header) == TFM_DISK_HEADER && offsetof(tfm_disk_header, header_hash) == 120, "header");
_Static_assert(sizeof(tfm_disk_record) == 192 && offsetof(tfm_disk_record, offset) == 112, "record");
_Static_assert(sizeof(tfm_disk_table) == 16 && sizeof(tfm_disk_entry) == 32, "table");

/* Whether n bytes are all zero, as padding and what is reserved must be. */
static inline bool tfm_all_zero(const void *data, size_t n) {
    const unsigned char *bytes = data;
    return n == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0);
}

/* x rounded up to a multiple of a (a power of two); x must be below 2^63. */
static inline uint64_t tfm_disk_align(uint64_t x, uint64_t a) { return (x + a - 1) & ~(a - 1); }

/* Where an extent must begin that follows data ending at `end`. */
static inline uint64_t tfm_disk_begin(uint64_t end, uint32_t kind, uint64_t length) {
    return tfm_disk_align(end, kind == TFM_DISK_TENSOR && length >= TFM_DISK_PAGE ? TFM_DISK_PAGE : TFM_DISK_ALIGN);
}

#endif
