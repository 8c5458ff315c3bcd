/*
 * checkpoint.h - a checkpoint as importers see it: a configuration and named tensors, whatever container they came in.
 */
#ifndef TFM_TOOLS_PACK_CHECKPOINT_CHECKPOINT_H
#define TFM_TOOLS_PACK_CHECKPOINT_CHECKPOINT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "format/model_file.h"
#include "tools/pack/common/pack_options.h"
#include "tools/pack/config/config.h"

typedef struct tfm_checkpoint tfm_checkpoint;

typedef struct tfm_checkpoint_tensor {
    const char *name;
    size_t index;           /* tfm_checkpoint_at(checkpoint, index) is this one */
    tfm_dtype dtype;        /* TFM_DTYPE_COUNT: a type that cannot be read as floats (an integer buffer, a double) */
    const char *dtype_name; /* "F32", "I64", ... */
    uint32_t rank;          /* 0 .. TFM_RANK_MAX */
    uint64_t shape[TFM_RANK_MAX];
    uint64_t storage; /* equal for names that share one storage at one offset with one shape (tied weights) */
} tfm_checkpoint_tensor;

/* Special tokens that chat templates name. */
enum { TFM_TOKEN_BOS, TFM_TOKEN_EOS, TFM_TOKEN_PAD, TFM_TOKEN_UNK, TFM_TOKEN_ROLES };

/*
 * What a foreign format (foreign/) knows of its model and no configuration of Hugging Face has a key for. A Hugging
 * Face folder leaves all of it zero: nothing it says can set these.
 */
typedef struct tfm_checkpoint_hints {
    bool linear_not_transposed;            /* GPT-2: linear layers are (outputs, inputs), as in all other families */
    bool two_vocabularies;                 /* decoder_vocab_size counts, also in families that do not have that key */
    const char *pooling;                   /* how token states become one vector: "mean", "cls"; NULL: not said */
    char *special_tokens[TFM_TOKEN_ROLES]; /* their texts, NULL: not said; freed with the checkpoint */
} tfm_checkpoint_hints;

/*
 * Opens a checkpoint. A file, or a folder with a file, of a foreign format (GGUF, CTranslate2, llama2.c, Marian's npz)
 * is shown as the Hugging Face folder it could have been. Else a folder: config.json with, in this order of preference,
 * model.safetensors, model.safetensors.index.json, pytorch_model.bin or pytorch_model.bin.index.json. The path of one
 * of these files opens the folder it is in with that file. Bounds of all headers are checked here. Errors name the
 * file.
 */
tfm_status tfm_checkpoint_open(tfm_checkpoint **checkpoint, const char *path, tfm_error *error);
void tfm_checkpoint_close(tfm_checkpoint **checkpoint);

/* Whether a path is of a foreign format, which has its own way to keep a tokenizer. */
bool tfm_checkpoint_is_foreign(const char *path);

/* The folder, or the file of a format of one file. */
const char *tfm_checkpoint_path(const tfm_checkpoint *checkpoint);
/* The folder that was opened: of sentence-transformers' older ones the model is in a folder of it. */
const char *tfm_checkpoint_home(const tfm_checkpoint *checkpoint);
/* "safetensors", "safetensors (sharded)", "pytorch (zip)", "pytorch (legacy)", "pytorch (sharded)", "gguf", ... */
const char *tfm_checkpoint_container(const tfm_checkpoint *checkpoint);
/* The model's own name: GGUF's general.name, or _name_or_path of config.json where that is "org/name"; NULL: not said.
 */
const char *tfm_checkpoint_name(const tfm_checkpoint *checkpoint);
/* What a person should know ("pytorch_model.bin is not read: model.safetensors is there"), or NULL. */
const char *tfm_checkpoint_note(const tfm_checkpoint *checkpoint);
/* Keys of a foreign format that had no effect, a line for each; NULL: none. */
const json_t *tfm_checkpoint_ignored(const tfm_checkpoint *checkpoint);
/* config.json, or what stands for it; generation_config.json or NULL */
const json_t *tfm_checkpoint_config(const tfm_checkpoint *checkpoint);
const json_t *tfm_checkpoint_generation_config(const tfm_checkpoint *checkpoint);
/* The same to be read key by key; what is asked for is remembered where there is a config.json that a person wrote. */
tfm_config tfm_checkpoint_read_config(const tfm_checkpoint *checkpoint, tfm_error *error);
const tfm_checkpoint_hints *tfm_checkpoint_get_hints(const tfm_checkpoint *checkpoint);
/* The chat template a file of a foreign format has in itself (Jinja), or NULL. */
const char *tfm_checkpoint_chat_template(const tfm_checkpoint *checkpoint);
/* Writes the sections of the checkpoint's tokenizer; nothing where it has none. */
tfm_status tfm_checkpoint_write_tokenizers(tfm_checkpoint *checkpoint, tfm_writer *writer,
                                           const tfm_pack_options *options, tfm_error *error);

size_t tfm_checkpoint_count(const tfm_checkpoint *checkpoint);
const tfm_checkpoint_tensor *tfm_checkpoint_at(const tfm_checkpoint *checkpoint, size_t i);
const tfm_checkpoint_tensor *tfm_checkpoint_find(const tfm_checkpoint *checkpoint, const char *name);

/*
 * Reads rows [row0, row0 + n_rows) of a tensor as f32, row-major (a vector is n rows of one element, a number one row;
 * strides of the file are resolved). Non-finite values are refused by name with TFM_ERROR_CORRUPT, which no other error
 * has. Memory: a small buffer, and for PyTorch's zip form one storage.
 */
tfm_status tfm_checkpoint_read(tfm_checkpoint *checkpoint, const tfm_checkpoint_tensor *tensor, uint64_t row0,
                               uint64_t n_rows, float *rows, tfm_error *error);

/*
 * Whether two tensors have the same type, shape and values, bit for bit. Names of one storage are equal without a look
 * at the values; copies that are not contiguous count as different.
 */
tfm_status tfm_checkpoint_equal(tfm_checkpoint *checkpoint, const tfm_checkpoint_tensor *a,
                                const tfm_checkpoint_tensor *b, bool *equal, tfm_error *error);

#endif
