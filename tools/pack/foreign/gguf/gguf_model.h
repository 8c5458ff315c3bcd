/*
 * gguf_model.h - a GGUF file on its way to the Hugging Face folder it was made from: names, order of rows, settings.
 */
#ifndef TFM_TOOLS_PACK_FOREIGN_GGUF_GGUF_MODEL_H
#define TFM_TOOLS_PACK_FOREIGN_GGUF_GGUF_MODEL_H

#include "gguf_file.h"
#include "tools/pack/foreign/foreign_model.h"

/* What the converters did to a tensor, to be undone. */
typedef enum tfm_gguf_change {
    TFM_GGUF_SAME,
    TFM_GGUF_ROPE_Q,   /* rows of a head's two halves interleaved, for rotations of neighbours */
    TFM_GGUF_ROPE_K,   /* the same with as many heads as there are of keys */
    TFM_GGUF_PER_HEAD, /* queries, keys, values of each head put apart: all queries, all keys, all values */
    TFM_GGUF_QKV,      /* one tensor where the folder has three */
    TFM_GGUF_STACKED,  /* one where the folder has one for each head */
    TFM_GGUF_PLUS_ONE, /* 1 added */
    TFM_GGUF_DROPPED   /* not for the importer */
} tfm_gguf_change;

/* A tensor there and in the folder, without ".weight" and ".bias"; in layers also without what comes before. */
typedef struct tfm_gguf_name {
    const char *gguf;
    const char *hf; /* QKV: the three names, separated by spaces */
    tfm_gguf_change change;
} tfm_gguf_name;

/* A setting: without "ARCHITECTURE." there, in config.json here. */
typedef struct tfm_gguf_key {
    const char *gguf, *hf;
} tfm_gguf_key;

typedef struct tfm_gguf_model tfm_gguf_model;

/* Lists end with a name of NULL, lists of lists with NULL. */
typedef struct tfm_gguf_family {
    const char *architecture;              /* general.architecture */
    const char *model_type;                /* of config.json */
    const tfm_gguf_name *tensors[2];       /* "token_embd" */
    const char *layers;                    /* "model.layers.": "blk." in the folder */
    const tfm_gguf_name *layer_tensors[4]; /* "attn_q" of "blk.3.attn_q" */
    const tfm_gguf_key *required[3];
    const tfm_gguf_key *optional;          /* NULL: none */
    const char *theta;                     /* key for the base of rotations; NULL: no rotations */
    const char *rotated;                   /* key for the part of a head that is rotated; NULL: all of it */
    bool has_head_keys;                    /* config.json has head_dim and num_key_value_heads */
    void (*finish)(tfm_gguf_model *model); /* settings that no key gives; NULL: none */
} tfm_gguf_family;

/* All, NULL-terminated. */
extern const tfm_gguf_family *const tfm_gguf_families[];

/* A tensor as the importer sees it. */
typedef struct tfm_gguf_entry {
    const tfm_gguf_tensor *tensor;
    uint64_t first, width; /* first element; elements of a row */
    tfm_gguf_change change;
    uint64_t n_heads;
} tfm_gguf_entry;

struct tfm_gguf_model {
    tfm_foreign_model foreign;
    tfm_gguf *gguf;
    const tfm_gguf_family *family;
    tfm_gguf_entry *entries; /* by key */
    size_t n_entries, entry_capacity;
    json_t *config; /* of the checkpoint */
    json_t *asked;  /* an object of the keys that were asked for, "llama.context_length" */
    uint64_t d_model, n_layers, n_heads, n_kv_heads, head_dim;
    bool tied;
};

/* ---- settings (gguf_config.c); failures stay in foreign.status, and later calls do nothing ---- */

/* Fills in config, and the sizes above. */
void tfm_gguf_config(tfm_gguf_model *model);
/* Keeps a failure about "ARCHITECTURE.key". */
void tfm_gguf_config_fail(tfm_gguf_model *model, tfm_status status, const char *key, const char *wrong);
const tfm_gguf_value *tfm_gguf_config_find(const tfm_gguf_model *model, const char *key);
uint64_t tfm_gguf_config_u64(tfm_gguf_model *model, const char *key, uint64_t fallback);
double tfm_gguf_config_real(tfm_gguf_model *model, const char *key, double fallback);
bool tfm_gguf_config_bool(tfm_gguf_model *model, const char *key, bool fallback);
bool tfm_gguf_has(const tfm_gguf_model *model, const char *tensor);
/* A note about keys that nobody asked for and that are not known to be harmless (gguf_keys.c); some are refused. */
void tfm_gguf_check_keys(tfm_gguf_model *model);

#endif
