/*
 * gguf_writer.h - GGUF files the tests put together themselves, whole or broken.
 */
#ifndef TFM_TESTS_TOOLS_PACK_FOREIGN_GGUF_GGUF_WRITER_H
#define TFM_TESTS_TOOLS_PACK_FOREIGN_GGUF_GGUF_WRITER_H

#include "tests/tools/pack/checkpoints.h"

enum { GGUF_F32 = 0, GGUF_F16 = 1, GGUF_Q8_0 = 8, GGUF_BF16 = 30 }; /* types of tensors */

typedef struct gguf_writer {
    buffer values, infos, data; /* metadata, list of tensors, their values */
    uint64_t n_values, n_tensors, alignment;
} gguf_writer;

gguf_writer gguf_begin(void);
void gguf_u32(gguf_writer *w, const char *key, uint64_t number);
void gguf_f32(gguf_writer *w, const char *key, double number);
void gguf_bool(gguf_writer *w, const char *key, bool value);
void gguf_string(gguf_writer *w, const char *key, const char *text);
void gguf_strings(gguf_writer *w, const char *key, const char *const *texts, size_t n);
void gguf_f32s(gguf_writer *w, const char *key, const float *numbers, size_t n);
void gguf_i32s(gguf_writer *w, const char *key, const int32_t *numbers, size_t n);
/* shape: slowest dimension first. */
void gguf_tensor(gguf_writer *w, const char *name, uint32_t type, uint32_t rank, const uint64_t *shape,
                 const void *data, size_t n);
/* The file in one piece; frees the writer. */
buffer gguf_end(gguf_writer *w);
/* The same, written to a path. */
void gguf_save(gguf_writer *w, const char *path);

#endif
