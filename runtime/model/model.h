/*
 * model.h - an open model: options, weights where they lie in the file, tokenizers, decoding defaults.
 */
#ifndef TFM_RUNTIME_MODEL_MODEL_H
#define TFM_RUNTIME_MODEL_MODEL_H

#include <stdatomic.h>

#include "architecture.h"
#include "format/model_file.h"
#include "languages.h"
#include "runtime/chat.h"
#include "runtime/tfm.h"
#include "runtime/tokenizer/tokenizer.h"
#include "simd/kernels.h"

typedef struct tfm_linear {
    tfm_matrix w;      /* (n, k) panels */
    const float *bias; /* (n) or NULL */
} tfm_linear;

typedef struct tfm_norm {
    const float *weight; /* (n) */
    const float *bias;   /* NULL: none */
    uint32_t n;
} tfm_norm;

/* Tensors that are used together, and whether their hashes have been checked (see tfm_model_verify_group). */
#define TFM_GROUP_MAX 32
typedef struct tfm_weight_group {
    const tfm_tensor *tensors[TFM_GROUP_MAX];
    size_t n;
    atomic_bool verified;
} tfm_weight_group;

/* The weights of a layer's sublayers, named as the tensors are (docs/model-contents.md). */
typedef struct tfm_attention_sublayer {
    tfm_linear qkv, out;
    tfm_norm norm, post_norm;
    tfm_norm q_norm, k_norm; /* (head_dim), or (heads, head_dim) */
} tfm_attention_sublayer;

typedef struct tfm_cross_sublayer {
    tfm_linear q, kv, out;
    tfm_norm norm, post_norm;
} tfm_cross_sublayer;

typedef struct tfm_ffn_sublayer {
    tfm_linear up, gate, down;
    tfm_norm norm, post_norm;
} tfm_ffn_sublayer;

/*
 * A layer mixes tokens (attention), then features (feed-forward). Other kinds of either would be sublayers beside
 * these: docs/architecture.md says where.
 */
typedef struct tfm_layer {
    tfm_attention_sublayer attention;
    tfm_cross_sublayer cross; /* decoders of encoder-decoders */
    tfm_ffn_sublayer ffn;
    tfm_weight_group group; /* all of its tensors */
} tfm_layer;

typedef struct tfm_stack {
    const tfm_stack_options *options;
    bool cross; /* layers have cross-attention */
    tfm_matrix embed;
    tfm_layout embed_layout;
    const float *position;   /* (max_positions + position_offset, embed.k) or NULL */
    const float *token_type; /* (token_types, embed.k) or NULL */
    const float *relative;   /* (relative_buckets, n_heads) or NULL */
    tfm_norm embed_norm, final_norm;
    tfm_linear embed_projection; /* (d_model, embed.k), where that is another width */
    tfm_layer *layers;
    tfm_weight_group group; /* all that is not in a layer */
} tfm_stack;

/* Which target tokens each source token allows; offsets NULL: there is none. */
typedef struct tfm_shortlist {
    const uint32_t *always, *offsets, *targets; /* targets[offsets[id]] .. targets[offsets[id + 1] - 1], ascending */
    size_t n_always, n_sources;
} tfm_shortlist;

struct tfm_model {
    /* The file, mapped. What is found in it lies in the mapping unless something else is said. */
    tfm_file *file;
    bool lazy;          /* tensors are verified at first use */
    atomic_bool shrank; /* under us: set by the handler of SIGBUS */

    /* What is computed, and with which kernels: section architecture and the tensors. */
    tfm_architecture arch;
    const tfm_kernels *kernels;
    tfm_stack encoder, decoder;

    /* After the last layer. */
    tfm_linear output; /* (vocab, d_model) with final bias; (classes, d_model) of a classifier */
    tfm_linear head_dense, pooler;
    tfm_norm head_norm;
    tfm_weight_group output_group; /* all of these */

    /* Text to ids and back: sections tokenizer, tokenizer.target and chat. All have their own memory. */
    tfm_tokenizer *tokenizer, *target_tokenizer; /* NULL: none; target_tokenizer NULL: one for both */
    tfm_chat *chat;                              /* NULL: no template */
    tfm_chat_token chat_tokens[4];
    size_t n_chat_tokens;

    tfm_languages languages; /* section languages */

    /* How outputs are chosen: sections generation and shortlist. */
    tfm_generate_params defaults;
    int32_t *lists;    /* eos ids, suppressed tokens, bad words of defaults, in memory of the model */
    tfm_tokens *words; /* bad words, into lists */
    tfm_shortlist shortlist;
};

/* ---- weights.c ---- */

/*
 * Binds every tensor that the options ask for to its place, once its shape, type and layout are checked. Errors:
 * TFM_ERROR_FORMAT (also for a tensor that the options do not ask for), TFM_ERROR_MEMORY.
 */
tfm_status tfm_weights_bind(tfm_model *model, tfm_error *error);
void tfm_weights_release(tfm_model *model);
/* Parameters of the checkpoint. */
uint64_t tfm_weights_count(const tfm_file *file);
/* The name of the type that most elements of tensors have; "" without tensors. */
const char *tfm_weights_dtype(const tfm_file *file);

/* ---- generation_defaults.c ---- */

/* Reads section generation (NULL: there is none) into model->defaults. Errors: TFM_ERROR_UNSUPPORTED, _MEMORY. */
tfm_status tfm_generation_defaults_read(tfm_model *model, const tfm_table *table, tfm_error *error);

/* ---- shortlist_section.c ---- */

/* Reads and checks the section's table; leaves everything zero if it is NULL. Error: TFM_ERROR_FORMAT. */
tfm_status tfm_shortlist_read(tfm_shortlist *shortlist, const tfm_table *table, const tfm_architecture *arch,
                              const char *path, tfm_error *error);

/* ---- model.c ---- */

/* Verifies the tensors of a group unless that was done; nothing to do in models opened with TFM_VERIFY_ALL. */
tfm_status tfm_model_verify_group(tfm_model *model, tfm_weight_group *group, tfm_pool *pool, tfm_error *error);

/* TFM_ERROR_CHANGED if the file shrank under us since it was opened. */
tfm_status tfm_model_check_unchanged(const tfm_model *model, tfm_error *error);

/* ---- model_text.c ---- */

/* The tokenizer of a side, or NULL. */
const tfm_tokenizer *tfm_model_tokenizer(const tfm_model *model, tfm_side side);
/* The same, for calls that cannot do without: TFM_ERROR_STATE if there is none. */
tfm_status tfm_model_need_tokenizer(const tfm_model *model, tfm_side side, const tfm_tokenizer **tokenizer,
                                    tfm_error *error);

#endif
