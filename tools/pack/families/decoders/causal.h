/*
 * causal.h - what importers of decoder-only families share: options, rotary frequencies, names of tensors.
 */
#ifndef TFM_TOOLS_PACK_FAMILIES_DECODERS_CAUSAL_H
#define TFM_TOOLS_PACK_FAMILIES_DECODERS_CAUSAL_H

#include "tools/pack/families/family.h"

/* How queries, keys and values lie in the checkpoint. */
typedef enum tfm_qkv_layout {
    TFM_QKV_APART,     /* three tensors */
    TFM_QKV_JOINED,    /* one, rows of query, key, value */
    TFM_QKV_PER_HEAD,  /* one, query, key and value of each head together */
    TFM_QKV_TRANSPOSED /* as joined, inputs and outputs exchanged */
} tfm_qkv_layout;

/* Names of tensors without ".weight" and ".bias"; NULL: the family has no such tensor. */
typedef struct tfm_causal_names {
    const char *prefix;    /* of all but the head; a checkpoint may also lack it */
    const char *layers;    /* "layers": layer 3 has the prefix "layers.3." */
    const char *embedding; /* of tokens */
    const char *position, *embed_norm, *final_norm;
    const char *head;
    tfm_qkv_layout qkv_layout;
    const char *qkv[3]; /* the first one only unless apart */
    const char *out, *norm, *post_norm, *q_norm, *k_norm;
    bool qk_norm_stacked; /* q_norm and k_norm are prefixes of a number for each head */
    const char *up, *gate, *down, *ffn_norm, *ffn_post_norm;
    const char *gate_up; /* gate and up as one */
    bool transposed;     /* all linear layers of a layer are (inputs, outputs) */
} tfm_causal_names;

/* A decoder as config.json describes it; zeros are the defaults of docs/model-contents.md. */
typedef struct tfm_causal {
    tfm_family family;
    tfm_family_stack stack;
    tfm_causal_names names;
    const char *sublayers, *qk_norm;    /* NULL: default */
    bool no_norm_bias, head_bias, tied; /* tied: the embedding is the projection */
    bool qk_norm_bias;
    float norm_plus; /* added to weights of norms */
    bool over_layer; /* scores of layer i are divided by i + 1 */
    double residual_scale, soft_cap, output_scale, output_soft_cap;
    uint64_t rope_dim; /* 0: no rotations */
    bool rope_interleaved;
    double rope_theta, rope_factor;
    double *frequencies; /* (rope_dim / 2), set by tfm_causal_rope */
    uint32_t *windows;   /* (n_layers) or NULL */
    float *slopes;       /* (n_heads) or NULL */
    tfm_generation_ids ids;
} tfm_causal;

/* tfm_importer.import of decoders: read_causal fills in the rest; failures stay in config->status. */
tfm_status tfm_import_causal(const tfm_importer *importer, tfm_checkpoint *checkpoint, tfm_writer *writer,
                             const tfm_pack_options *options, tfm_error *error);

/* The word of docs/model-contents.md for which layers have biases. */
const char *tfm_causal_biases(tfm_config *config, bool qkv, bool out, bool ffn);
/* What scores are divided by in nearly all families, as a factor: 1 / the root of a head's size. */
double tfm_causal_attention_scale(uint64_t head_dim);
/* Where a family's configuration has the base of its rotations and the part of a head they turn, and the defaults. */
typedef struct tfm_rope_keys {
    const char *theta; /* "rope_theta" */
    double default_theta;
    const char *part; /* "partial_rotary_factor"; NULL: whole heads */
    double default_part;
} tfm_rope_keys;
/*
 * Rotations of the heads' features, with the base, the part and the scaling that config.json has: at its top and in
 * rope_scaling, or all in rope_parameters as transformers 5 writes it. Two places that contradict each other are
 * refused.
 */
void tfm_causal_rope(tfm_causal *causal, tfm_config *config, const tfm_rope_keys *keys);
/* A window of so many positions in the layers for which choose(layer, user) is true (NULL: in all); 0: none. */
void tfm_causal_windows(tfm_causal *causal, tfm_config *config, uint64_t window,
                        bool (*choose)(uint64_t layer, const void *user), const void *user);
/* The same where layer_types of config.json says which layers have one, if it is there; else `choose` does. */
void tfm_causal_layer_types(tfm_causal *causal, tfm_config *config, uint64_t window,
                            bool (*choose)(uint64_t layer, const void *user), const void *user);

#endif
