/*
 * checkpoints.h - tiny checkpoints the tests make themselves, in every container tfmpack reads, and ways to break them.
 */
#ifndef TFM_TESTS_TOOLS_PACK_CHECKPOINTS_H
#define TFM_TESTS_TOOLS_PACK_CHECKPOINTS_H

#include <jansson.h>

#include "files.h"
#include "tools/safetensors/safetensors.h"

/* ---- tensors ---- */

typedef struct tensor {
    char name[100];
    tfm_st_dtype dtype;
    uint32_t rank;
    uint64_t shape[4], count;
    float *values;  /* in f32, whatever dtype: rounded when written */
    size_t storage; /* number of the tensor whose storage it has: its own, or an earlier one (tied) */
} tensor;

typedef struct model {
    tensor list[160];
    size_t n;
    uint64_t seed;
} model;

/* What a Marian checkpoint is made from; marian_default() gives sizes that differ wherever they may. */
typedef struct marian {
    uint64_t d, vocab, decoder_vocab, positions;
    uint64_t encoder_layers, decoder_layers, encoder_heads, decoder_heads, encoder_ffn, decoder_ffn;
    bool shared, tied, bare; /* bare: MarianModel, without "model." */
    const char *activation;
    tfm_st_dtype dtype;
} marian;
marian marian_default(void);

/* Without tensors; seed: of their values. */
model *model_new(uint64_t seed);
model *model_marian(const marian *m);
void model_free(model **m);
/* Adds a tensor of random values; rank 1 if columns is 0. */
tensor *model_add(model *m, const char *name, uint64_t rows, uint64_t columns, tfm_st_dtype dtype);
/* NAME.weight (rows, columns) and, if has_bias, NAME.bias (rows); a norm with columns 0. */
void model_add_linear(model *m, const char *name, uint64_t rows, uint64_t columns, bool has_bias, tfm_st_dtype dtype);
/* Adds a second name for a tensor that is there. */
void model_tie(model *m, const char *name, const char *to);
tensor *model_find(model *m, const char *name);
void model_drop(model *m, const char *name);
/* A matrix (rows, columns) transposed; the caller frees. */
float *transposed(const float *values, uint64_t rows, uint64_t columns);
/* Keeps the first n tensors. */
void model_cut(model *m, size_t n);

/* config.json of m; extra: more JSON members, each with a comma before it, or NULL. */
void write_config(const char *folder, const marian *m, const char *extra);

void write_safetensors(const char *path, model *m);
/* Two shards and their index. */
void write_sharded(const char *folder, model *m);
void write_torch_zip(const char *path, model *m, bool deflate);
void write_torch_legacy(const char *path, model *m);
/* An entry of an archive of libzip. */
struct zip;
void put_zip_entry(struct zip *zip, const char *name, const void *data, size_t n, bool deflate);
/* The pickle of a state dict; legacy persistent ids have a sixth member. */
buffer state_pickle(model *m, bool legacy);
/* Magic number, version and facts of the machine, the way a legacy file starts. */
buffer legacy_prologue(void);

/* config.json and model.safetensors of the model in a fresh folder. */
char *marian_folder(const marian *m);

#endif
