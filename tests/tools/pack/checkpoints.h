/*
 * checkpoints.h - tiny checkpoints the tests make themselves, in every container tfmpack reads, and ways to break them.
 */
#ifndef TFM_TESTS_TOOLS_PACK_CHECKPOINTS_H
#define TFM_TESTS_TOOLS_PACK_CHECKPOINTS_H

#include <criterion/criterion.h>
#include <jansson.h>

#include "runtime/tfm.h"
#include "tools/safetensors/safetensors.h"

/* ---- folders and files ---- */

/* A fresh folder; its path lives until scratch_remove, which deletes it with all files in it. */
char *scratch_make(void);
void scratch_remove(char **folder);
/* folder/name in one of a few static buffers. */
const char *in(const char *folder, const char *name);
void write_file(const char *path, const void *data, size_t n);
/* All bytes of a file, NUL-terminated; the caller frees. */
char *read_file(const char *path, size_t *n);
/* Entries of a folder. */
size_t count_files(const char *folder);

/* xorshift; the tests print their seeds. */
uint32_t random_next(uint64_t *state);

/* ---- a buffer to put files together ---- */

typedef struct buffer {
    unsigned char *data;
    size_t n, capacity;
} buffer;
void put(buffer *b, const void *data, size_t n);
void put_text(buffer *b, const char *text);
void put_byte(buffer *b, unsigned char byte);
void put_number(buffer *b, uint64_t number, size_t bytes);
void buffer_free(buffer *b);

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

model *model_marian(const marian *m);
void model_free(model **m);
/* Adds a tensor of random values; rank 1 if columns is 0. */
tensor *model_add(model *m, const char *name, uint64_t rows, uint64_t columns, tfm_st_dtype dtype);
/* Adds a second name for a tensor that is there. */
void model_tie(model *m, const char *name, const char *to);
tensor *model_find(model *m, const char *name);
void model_drop(model *m, const char *name);
/* Keeps the first n tensors. */
void model_cut(model *m, size_t n);

/* config.json of m; extra: more JSON members, each with a comma before it, or NULL. */
void write_config(const char *folder, const marian *m, const char *extra);

void write_safetensors(const char *path, model *m);
/* Two shards and their index. */
void write_sharded(const char *folder, model *m);
void write_torch_zip(const char *path, model *m, bool deflate);
void write_torch_legacy(const char *path, model *m);
/* The pickle of a state dict; legacy persistent ids have a sixth member. */
buffer state_pickle(model *m, bool legacy);
/* Magic number, version and facts of the machine, the way a legacy file starts. */
buffer legacy_prologue(void);

/* config.json and model.safetensors of the model in a fresh folder. */
char *marian_folder(const marian *m);

/* ---- running a command ---- */

typedef struct outcome {
    int code; /* exit status, or 128 + signal */
    char *out, *err;
} outcome;
/* Runs tfmpack as a user would, behind the words of TFM_TEST_EXEC; arguments end with NULL. */
outcome run_tfmpack(const char *const *arguments);
void outcome_free(outcome *o);
/* Starts it without waiting. */
int start_tfmpack(const char *const *arguments);

#define REQUIRE_OK(call)                                                                                               \
    do {                                                                                                               \
        tfm_error call_error = {0}, *error = &call_error;                                                              \
        tfm_status call_status = (call);                                                                               \
        cr_assert(call_status == TFM_OK, "%s: %d: %s", #call, (int)call_status, error->message);                       \
    } while (0)

/* The call fails with this status, and its message has this text in it. */
#define REQUIRE_ERROR(call, expected, text)                                                                            \
    do {                                                                                                               \
        tfm_error call_error = {0}, *error = &call_error;                                                              \
        tfm_status call_status = (call);                                                                               \
        cr_assert(call_status == (expected), "%s: status %d, not %d: %s", #call, (int)call_status, (int)(expected),    \
                  error->message);                                                                                     \
        cr_assert(strstr(error->message, (text)), "message lacks '%s': %s", (text), error->message);                   \
    } while (0)

#endif
