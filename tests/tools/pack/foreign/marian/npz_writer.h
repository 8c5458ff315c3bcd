/* npz_writer.h - writes Marian's .npz for the tests: entry by entry, or a whole checkpoint. */
#ifndef TFM_TESTS_TOOLS_PACK_FOREIGN_MARIAN_NPZ_WRITER_H
#define TFM_TESTS_TOOLS_PACK_FOREIGN_MARIAN_NPZ_WRITER_H

#include "tests/tools/pack/checkpoints.h"

typedef struct npz_writer npz_writer;

/* deflate: entries are compressed; half: values are f16. */
npz_writer *npz_start(const char *path, bool deflate, bool half);
/* Bytes of an entry; ".npy" is added to its name. */
void npz_entry(npz_writer *w, const char *name, const void *data, size_t n);
void npz_array(npz_writer *w, const char *name, uint64_t rows, uint64_t columns, const float *values);
void npz_options(npz_writer *w, const char *yaml);
void npz_finish(npz_writer **w);

/* The Marian checkpoint of a Hugging Face folder as a file; more: further lines of options. */
void npz_convert(const char *folder, const char *path, const char *more, bool deflate, bool half);

#endif
