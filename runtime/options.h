/*
 * options.h - the architecture options of a model, as docs/model-contents.md lists them.
 */
#ifndef TFM_OPTIONS_H
#define TFM_OPTIONS_H

#include "../format/table.h"
#include "../simd/kernels.h"
#include "tfm.h"

typedef enum tfm_norm_kind { TFM_NORM_LAYER, TFM_NORM_RMS } tfm_norm_kind;
typedef enum tfm_norm_placement { TFM_NORM_POST, TFM_NORM_PRE } tfm_norm_placement;
typedef enum tfm_position_kind { TFM_POSITION_NONE, TFM_POSITION_TABLE } tfm_position_kind;

typedef struct tfm_stack_options {
    uint32_t vocab_size, n_layers, n_heads, n_kv_heads, head_dim, d_ff;
    uint32_t activation; /* tfm_activation */
    uint32_t gated;
    uint32_t norm;           /* tfm_norm_kind */
    uint32_t norm_placement; /* tfm_norm_placement */
    float norm_eps;
    uint32_t position; /* tfm_position_kind */
    uint32_t position_offset, max_positions;
    float embed_scale;
    uint32_t embed_norm, final_norm;
    float attention_scale;
    uint32_t biases;
} tfm_stack_options;

typedef struct tfm_options {
    tfm_kind kind;
    const char *family; /* in the table */
    uint32_t d_model;
    bool has_encoder, has_decoder;
    tfm_stack_options encoder, decoder;
} tfm_options;

/*
 * Reads and checks every option; a key that is missing, unknown or out of range is an error that names it. path names
 * the file in errors.
 */
tfm_status tfm_options_read(tfm_options *options, const tfm_table *table, const char *path, tfm_error *error);

#endif
