/*
 * ct2_writer.h - writes CTranslate2 model folders for the tests: variables one by one, or a whole checkpoint.
 */
#ifndef TFM_TESTS_TOOLS_PACK_FOREIGN_CTRANSLATE2_CT2_WRITER_H
#define TFM_TESTS_TOOLS_PACK_FOREIGN_CTRANSLATE2_CT2_WRITER_H

#include "tests/tools/pack/checkpoints.h"
#include "tools/pack/checkpoint/checkpoint.h"
#include "tools/pack/foreign/ctranslate2/ct2_file.h"

typedef struct ct2_array {
    char name[120];
    uint32_t rank;
    uint64_t shape[2];
    float *values;
} ct2_array;

typedef struct ct2_writer {
    const char *spec;
    uint32_t version, revision;
    tfm_ct2_type type; /* of weights; what is no weight stays f32 where this is an integer */
    buffer variables, aliases;
    uint32_t n_variables, n_aliases;
    ct2_array arrays[400]; /* written so far: equal ones become aliases */
    size_t n_arrays;
} ct2_writer;

ct2_writer *ct2_start(const char *spec, uint32_t revision, uint32_t version, tfm_ct2_type type);
/* A single number; before version 4 whole numbers are bytes or 16 bits wide. */
void ct2_number(ct2_writer *w, const char *name, tfm_ct2_type type, double value);
/* A text, as bytes. */
void ct2_text(ct2_writer *w, const char *name, const char *text);
/* Takes the values over. rank 1: rows only. */
void ct2_values(ct2_writer *w, const char *name, uint32_t rank, uint64_t rows, uint64_t columns, float *values);
void ct2_alias(ct2_writer *w, const char *name, const char *target);
/* The whole file. */
buffer ct2_file(const ct2_writer *w);
/* model.bin in the folder; frees the writer. */
void ct2_finish(ct2_writer **w, const char *folder);
void ct2_free(ct2_writer **w);

/* The checkpoint in `from` (a Hugging Face folder of a family of the list in ct2_models.c) as a folder of its own. */
char *ct2_convert(const char *from, uint32_t version, tfm_ct2_type type);
/* Its variables only. */
ct2_writer *ct2_model(const char *from, uint32_t version, tfm_ct2_type type);

#endif
