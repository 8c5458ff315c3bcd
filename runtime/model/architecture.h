/*
 * architecture.h - the architecture options of a model, as docs/model-contents.md lists them.
 */
#ifndef TFM_RUNTIME_MODEL_ARCHITECTURE_H
#define TFM_RUNTIME_MODEL_ARCHITECTURE_H

#include "format/table.h"
#include "runtime/tfm.h"
#include "simd/kernels.h"

typedef enum tfm_norm_kind { TFM_NORM_LAYER, TFM_NORM_RMS } tfm_norm_kind;
typedef enum tfm_norm_placement { TFM_NORM_POST, TFM_NORM_PRE, TFM_NORM_BOTH } tfm_norm_placement;
typedef enum tfm_sublayers { TFM_SEQUENTIAL, TFM_PARALLEL, TFM_PARALLEL_SHARED } tfm_sublayers;
typedef enum tfm_position_kind {
    TFM_POSITION_NONE,
    TFM_POSITION_TABLE,
    TFM_POSITION_ROPE,
    TFM_POSITION_ALIBI,
    TFM_POSITION_RELATIVE
} tfm_position_kind;
typedef enum tfm_qk_norm { TFM_QK_NORM_NONE, TFM_QK_NORM_SHARED, TFM_QK_NORM_HEADS } tfm_qk_norm;

/* Bits: which linear layers have a bias. */
enum { TFM_BIAS_QKV = 1, TFM_BIAS_OUT = 2, TFM_BIAS_FFN = 4 };

typedef struct tfm_stack_options {
    uint32_t vocab_size, n_layers, n_heads, n_kv_heads, head_dim, d_ff;
    uint32_t activation; /* tfm_activation */
    uint32_t gated;
    uint32_t norm;           /* tfm_norm_kind */
    uint32_t norm_bias;      /* layer norms have one */
    uint32_t norm_placement; /* tfm_norm_placement */
    float norm_eps;
    uint32_t sublayers; /* tfm_sublayers */
    float residual_scale;
    uint32_t position; /* tfm_position_kind */
    uint32_t position_offset, max_positions;
    uint32_t rope_dim;
    uint32_t rope_layout; /* tfm_rope_layout */
    float rope_factor;
    uint32_t relative_buckets, relative_max_distance;
    float embed_scale;
    uint32_t token_types;
    uint32_t embed_width; /* of embeddings before their projection to d_model; 0: d_model, none is made */
    uint32_t embed_norm, final_norm;
    float attention_scale, attention_soft_cap;
    uint32_t qk_norm; /* tfm_qk_norm */
    uint32_t biases;  /* TFM_BIAS_* */

    /* In the table; NULL where the option is not there. */
    const uint32_t *windows;       /* (n_layers) 0: no limit */
    const float *rope_frequencies; /* (2, rope_dim / 2) high and low parts */
    const float *alibi_slopes;     /* (n_heads) */
} tfm_stack_options;

/* What an encoder has after its last layer. */
typedef struct tfm_head_options {
    uint32_t kind;        /* tfm_head */
    uint32_t dense, norm; /* before the projection */
    uint32_t activation;  /* tfm_activation */
    uint32_t classes;
    uint32_t function; /* tfm_score_function */
    uint32_t pooler;
    uint32_t pooling; /* tfm_pooling */
    uint32_t normalize;
    const tfm_value *labels; /* a list of strings, or NULL */
    /* Texts to be put before an input by name: lists of strings of one length, or NULL; the default's name, or NULL. */
    const tfm_value *prompt_names, *prompt_texts;
    const char *default_prompt;
} tfm_head_options;

typedef struct tfm_architecture {
    tfm_kind kind;
    const char *family; /* in the table */
    uint32_t d_model;
    bool has_encoder, has_decoder;
    tfm_stack_options encoder, decoder;
    float output_scale, output_soft_cap; /* of logits */
    tfm_head_options head;
} tfm_architecture;

/*
 * Reads and checks every option; a key that is missing, unknown or out of range is an error that names it. path names
 * the file in errors.
 */
tfm_status tfm_architecture_read(tfm_architecture *arch, const tfm_table *table, const char *path, tfm_error *error);

/* The text of a prompt by its name, or NULL. */
const char *tfm_architecture_prompt(const tfm_architecture *arch, const char *name);

#endif
