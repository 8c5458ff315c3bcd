/*
 * family.h - what importers share: the options of a stack, and layers in which each role has a tensor of its own.
 */
#ifndef TFM_TOOLS_PACK_FAMILIES_FAMILY_H
#define TFM_TOOLS_PACK_FAMILIES_FAMILY_H

#include "importer.h"
#include "tools/pack/checkpoint/generation_config.h"
#include "tools/pack/common/name_format.h"
#include "tools/pack/config/config.h"
#include "tools/pack/plan/plan.h"

/* What an import works on. */
typedef struct tfm_family {
    const tfm_importer *importer;
    tfm_checkpoint *checkpoint;
    const tfm_pack_options *options;
    tfm_plan *plan;
    uint64_t d_model;
} tfm_family;

/* Begins with an empty plan; a family that is all zero can be ended too. */
tfm_status tfm_family_begin(tfm_family *family, const tfm_importer *importer, tfm_checkpoint *checkpoint,
                            const tfm_pack_options *options, tfm_error *error);
void tfm_family_end(tfm_family *family);

/*
 * After the configuration is read and the tensors are planned: tfm_plan_check, and a look at what config.json has that
 * nobody asked for (config/keys.h).
 */
tfm_status tfm_family_check(const tfm_family *family, tfm_error *error);

/* Whether the name of some tensor begins so. */
bool tfm_family_has_prefix(const tfm_family *family, const char *prefix);

/* ---- options ---- */

/* The word of docs/model-contents.md for an activation of transformers, or NULL. */
const char *tfm_activation_word(const char *theirs);
/* The same for the value of a key of config.json; what has no word is refused. */
const char *tfm_family_activation(tfm_config *config, const char *key, const char *fallback);

/* The required options of a stack, as docs/model-contents.md has them. */
typedef struct tfm_family_stack {
    const char *name; /* "encoder", "decoder" */
    uint64_t vocab_size, n_layers, n_heads, n_kv_heads, head_dim, d_ff;
    uint64_t position_offset, max_positions;
    const char *activation, *norm, *norm_placement, *position, *biases;
    bool gated, embed_norm, final_norm;
    double norm_eps, embed_scale, attention_scale;
} tfm_family_stack;

/* The section architecture with kind, family and d_model in it; NULL: no memory, which is told. */
tfm_table_builder *tfm_family_architecture(const tfm_family *family, const char *kind, tfm_error *error);
void tfm_family_set_stack(tfm_table_builder *table, const tfm_family_stack *stack);
/* Options of a stack beyond those: "encoder" and "relative_positions" give encoder.relative_positions. */
void tfm_family_set_u64(tfm_table_builder *table, const char *stack, const char *key, uint64_t value);
void tfm_family_set_string(tfm_table_builder *table, const char *stack, const char *key, const char *value);
/* Writes the section if status is TFM_OK, and frees the table in any case. */
tfm_status tfm_family_write_architecture(tfm_table_builder **table, tfm_status status, tfm_writer *writer,
                                         tfm_error *error);

/* ---- tensors ---- */

/* Checkpoint names of a layer's parts, without ".weight" and ".bias"; NULL: the layer has no such part. */
typedef struct tfm_layer_names {
    const char *query, *key, *value, *out, *norm;
    const char *cross_query, *cross_key, *cross_value, *cross_out, *cross_norm;
    const char *up, *gate, *down, *ffn_norm;
} tfm_layer_names;

/* Plans layer `index`, whose tensors have the prefix `layer` there ("model.encoder.layers.0."). */
void tfm_family_layer(const tfm_family *family, const tfm_family_stack *stack, const tfm_layer_names *names,
                      const char *layer, uint64_t index);

/* Weight (rows of all parts, k) and, if has_bias, bias of linear layers joined along their outputs. */
void tfm_family_linear(const tfm_family *family, const char *output, const char *prefix, size_t n_parts,
                       const char *const *parts, const uint64_t *rows, uint64_t k, bool has_bias);
/* Weight and, for layer norms, bias of a norm over d_model; the first checkpoints of BERT call them gamma and beta. */
void tfm_family_norm(const tfm_family *family, const char *output, const char *prefix, const char *part, bool has_bias);

/*
 * An embedding that the checkpoint may hold under several names: the first that is there is taken, the others are
 * remembered for --export if they are equal, else left out with a note. If none is there, the last one is missing.
 */
tfm_status tfm_family_embedding(const tfm_family *family, const char *output, const tfm_name *candidates, size_t n,
                                uint64_t rows, tfm_error *error);

#endif
