/* tiny_model.h - models of random weights and any shape, made by the tests themselves. */
#ifndef TFM_TESTS_SUPPORT_TINY_MODEL_H
#define TFM_TESTS_SUPPORT_TINY_MODEL_H

#include "format/model_file.h"

typedef struct tiny_stack {
    uint32_t vocab_size, n_layers, n_heads, n_kv_heads, head_dim, d_ff;
    const char *activation;
    bool gated, rms, pre_norm;
    bool position_table, own_position;
    uint32_t position_offset, max_positions;
    double embed_scale, attention_scale;
    bool embed_norm, final_norm, biases, own_embed;

    /* Options that zeros leave out. */
    const char *biases_word; /* in place of biases */
    bool both_norms, no_norm_bias;
    uint32_t sublayers; /* tfm_sublayers */
    double residual_scale;
    const char *position_word; /* "rope", "alibi" or "relative" */
    uint32_t rope_dim, relative_buckets, relative_max_distance;
    bool rope_interleaved;
    double rope_factor;
    double soft_cap;
    uint32_t window;  /* in every second layer, from the first on */
    uint32_t qk_norm; /* tfm_qk_norm */
    bool qk_norm_bias;
    uint32_t token_types;
} tiny_stack;

/* Frequency of pair i, slope of head h. */
double tiny_frequency(const tiny_stack *stack, uint32_t i);
float tiny_slope(uint32_t h);

typedef struct tiny_config {
    const char *kind; /* as in docs/model-contents.md */
    uint32_t d_model;
    tiny_stack encoder, decoder;
    bool output_weight, output_bias; /* an own vocabulary projection; a bias on logits */
    bool embed_rows;                 /* embeddings that are not the projection lie in rows */
    tfm_dtype dtype;
    double logit_gain; /* spread of logits */
    double output_scale, output_soft_cap;
    /* Of an encoder: "masked_lm", "token" or "sequence", or NULL. */
    const char *head;
    bool head_dense, head_norm, pooler; /* the dense layer's activation is gelu */
    uint32_t head_classes;              /* not of "masked_lm" */
    uint64_t seed;
    void (*generation)(tfm_table_builder *table); /* adds to the section, or NULL */
    void (*metadata)(tfm_table_builder *table);   /* makes the section, or NULL: there is none */
} tiny_config;

#define TINY_NORM_EPS 1e-5
#define TINY_START 1 /* decoder_start_token_id */
#define TINY_END 0   /* eos_token_id */

typedef struct tiny_tensor {
    char name[TFM_NAME_MAX + 1];
    uint64_t rows, columns; /* columns 0: a vector */
    bool panels;
    bool table;    /* f32 rows, whatever the type of matrices */
    float *values; /* exactly what the file holds */
} tiny_tensor;

typedef struct tiny_model {
    tiny_config config;
    tiny_tensor *tensors;
    size_t n, capacity;
} tiny_model;

/* An encoder-decoder of odd sizes: d_model 15, 3 heads of 5, vocabulary 37, post-norm, all biases. */
tiny_config tiny_config_default(void);
/* A decoder-only model: pre-norm, no positions, 6 heads of 10 that share 2 of keys and values. */
tiny_config tiny_config_decoder(void);
/* The functions end the process with a message if something fails. */
tiny_model *tiny_model_make(const tiny_config *config);
void tiny_model_write(const tiny_model *model, const char *path);
void tiny_model_free(tiny_model **model);
/* NULL if there is none of that name. */
const float *tiny_model_find(const tiny_model *model, const char *name);

/* Section architecture of a configuration, for tests that change it. */
tfm_table_builder *tiny_architecture(const tiny_config *config);

/* A generator with a fixed start (xorshift64*), and a number in [-1, 1) from it. */
uint64_t tiny_random(uint64_t *state);
double tiny_uniform(uint64_t *state);

#endif
