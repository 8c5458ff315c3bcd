/*
 * bert_like.h - encoders in the manner of BERT: post-norm layers with biases, learned positions, and heads.
 *
 * The families differ in the names of settings and tensors, in where positions start and in their heads.
 */
#ifndef TFM_TOOLS_PACK_FAMILIES_ENCODERS_BERT_LIKE_H
#define TFM_TOOLS_PACK_FAMILIES_ENCODERS_BERT_LIKE_H

#include "tools/pack/families/family.h"

/*
 * A head of the checkpoint. It is there if the tensor `projection`.weight is (masked_lm: `bias`); names without
 * ".weight" and ".bias", not under the body's prefix.
 */
typedef struct tfm_bert_head {
    const char *kind;          /* a word of the option `head`; NULL ends a list */
    const char *architectures; /* words of which one must be in the name of the class; NULL: any */
    const char *projection;    /* masked_lm: the name it has where it is stored although it is tied */
    const char *bias;          /* masked_lm: the tensor's whole name; else `projection`.bias */
    const char *dense;         /* NULL: none */
    const char *activation;    /* of dense; NULL: the one of the layers */
    const char *norm;          /* NULL: none */
    const char *labels;        /* names of the classes separated by spaces; NULL: those of config.json */
    const char *function;      /* a word of the option `head.function`; NULL: as config.json has it */
    bool pooled;               /* its input is the pooler's output */
} tfm_bert_head;

/* Keys of config.json. */
typedef struct tfm_bert_keys {
    const char *d_model, *n_layers, *n_heads, *d_ff, *activation;
    const char *norm_eps; /* NULL: 1e-12 */
} tfm_bert_keys;

typedef struct tfm_bert_like {
    const char *prefix; /* "bert." */
    const tfm_bert_keys *keys;
    struct { /* where config.json says nothing; 0 as in BERT */
        uint64_t vocab_size, n_layers, token_types, pad, d_model, n_heads, d_ff, embed_width;
    } defaults;
    bool positions_after_padding; /* position 0 is the row after the padding's */
    bool token_types;
    const char *embed_projection; /* from the width of embeddings to that of layers; NULL: they have one width */
    const char *layers;           /* "encoder.layer." */
    const tfm_layer_names *names;
    const char *pooler;           /* NULL: the family has none */
    const tfm_bert_head *heads;   /* the first that is there counts */
    const char *const *ignorable; /* tensors that are left out with a note, NULL-terminated; NULL: none */
} tfm_bert_like;

/* What BERT, RoBERTa and ELECTRA have in common: layers "encoder.layer." too. */
extern const tfm_bert_keys tfm_bert_keys_of_bert;
extern const tfm_layer_names tfm_layer_names_of_bert;

/* tfm_importer.import of these families. */
tfm_status tfm_import_bert_like(const tfm_importer *importer, tfm_checkpoint *checkpoint, tfm_writer *writer,
                                const tfm_pack_options *options, tfm_error *error);

#endif
