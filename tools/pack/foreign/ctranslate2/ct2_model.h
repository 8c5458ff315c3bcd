/*
 * ct2_model.h - a CTranslate2 folder while it is read: its variables by name, its vocabularies, the configuration and
 * the tensors of the Hugging Face folder it is shown as.
 */
#ifndef TFM_TOOLS_PACK_FOREIGN_CTRANSLATE2_CT2_MODEL_H
#define TFM_TOOLS_PACK_FOREIGN_CTRANSLATE2_CT2_MODEL_H

#include "ct2_file.h"
#include "tools/pack/common/name_format.h"
#include "tools/pack/common/path.h"
#include "tools/pack/foreign/array_views.h"
#include "tools/pack/foreign/foreign_model.h"

/* What is below does nothing after the first failure, which foreign.status keeps. */
typedef struct tfm_ct2_model {
    tfm_foreign_model foreign;
    tfm_path folder;
    tfm_ct2_file file;
    json_t *settings;                      /* their config.json, perhaps empty */
    json_t *source_tokens, *target_tokens; /* arrays of strings, or NULL: not there */
    json_t *config, *generation;           /* ours; owned by the checkpoint */
    tfm_array_views views;
    int64_t implied_heads; /* of models whose files do not say how many: by the name of their kind; 0: not implied */
    bool shared_options;   /* an early revision, whose options of a stack may be "num_heads" for "encoder/num_heads" */
    bool has_padding;      /* a row was added for a token "<pad>" after all others */
} tfm_ct2_model;

/* ---- variables; names are formatted ---- */

/* Whether it is there; without using it. */
__attribute__((format(printf, 2, 3))) bool tfm_ct2_has(tfm_ct2_model *m, const char *format, ...);
/* A single number, or the fallback if it is not there. The next three refuse what is not of their kind. */
double tfm_ct2_real(tfm_ct2_model *m, double fallback, const char *name);
int64_t tfm_ct2_integer(tfm_ct2_model *m, int64_t fallback, const char *name);
bool tfm_ct2_flag(tfm_ct2_model *m, bool fallback, const char *name);
/* A text, or the fallback if it is not there; lives in `text`. */
const char *tfm_ct2_text(tfm_ct2_model *m, const char *fallback, const char *name, char *text, size_t size);
/* Whether it is there as a flag, where some files have a number instead. */
bool tfm_ct2_is_flag(tfm_ct2_model *m, const char *name);
/* Dimension of an array that must be there. */
uint64_t tfm_ct2_dimension(tfm_ct2_model *m, const char *name, int dimension);
/* A number that must have one of two values, if it is there; else it is refused by name. */
void tfm_ct2_expect(tfm_ct2_model *m, const char *name, double a, double b);
/* Whether two names stand for one variable that is there. */
bool tfm_ct2_same(tfm_ct2_model *m, const char *a, const char *b);
/* Marks a variable as known though nothing comes of it. */
void tfm_ct2_ignore(tfm_ct2_model *m, const char *name);
/* Refuses the first variable or alias that nobody asked for, by name. */
void tfm_ct2_finish(tfm_ct2_model *m);

/* ---- tensors ---- */

/* A part of the model, called `from` there and `to` in a Hugging Face folder: names below are within it. */
typedef struct tfm_ct2_part {
    tfm_ct2_model *model;
    tfm_name to, from;
} tfm_ct2_part;

/* All of the model. */
tfm_ct2_part tfm_ct2_whole(tfm_ct2_model *m);
/* STACK/layer_I, which becomes TO.I. */
tfm_ct2_part tfm_ct2_layer(tfm_ct2_model *m, const char *to, const char *stack, uint64_t i);
tfm_name tfm_ct2_name_there(const tfm_ct2_part *part, const char *name);

/* The array `from` as `view` says, whose array, type and rank are filled in; rows 0: all rows. */
void tfm_ct2_show(const tfm_ct2_part *part, const char *to, const char *from, tfm_array_view view);
/* Rows that are computed by fill, or zeros; width 0: a vector. */
void tfm_ct2_show_filled(const tfm_ct2_part *part, const char *to, uint64_t rows, uint64_t width, tfm_row_fill *fill,
                         uint64_t first);
/* A linear layer: `to`.weight and, if has_bias, `to`.bias, zeros where there is none; else there must be none. */
void tfm_ct2_linear(const tfm_ct2_part *part, const char *to, const char *from, bool has_bias);
/* Its rows [first, first + rows). */
void tfm_ct2_linear_rows(const tfm_ct2_part *part, const char *to, const char *from, uint64_t first, uint64_t rows,
                         bool has_bias);
/* A linear layer with a bias that is (inputs, outputs) in a Hugging Face folder. */
void tfm_ct2_linear_transposed(const tfm_ct2_part *part, const char *to, const char *from);
/* `to`.weight and, of layer norms, `to`.bias. */
void tfm_ct2_norm(const tfm_ct2_part *part, const char *to, const char *from, bool has_bias);

/* Names of the linear layers of attention in a Hugging Face folder. */
typedef struct tfm_ct2_attention {
    const char *query, *key, *value, *out;
} tfm_ct2_attention;

/*
 * Attention: queries, keys and values are one linear layer there, with inner rows each; of cross-attention (is_cross)
 * queries are one, keys and values another. Keys and values with fewer heads are refused.
 */
void tfm_ct2_show_attention(const tfm_ct2_part *part, const tfm_ct2_attention *to, const char *from, bool is_cross,
                            uint64_t inner, bool has_bias);

/* ---- configuration ---- */

/* Sizes of a stack. */
typedef struct tfm_ct2_sizes {
    uint64_t d, vocab_size, n_layers, n_heads, d_ff;
} tfm_ct2_sizes;

/* The embeddings of a stack ("encoder", "decoder"), which may be the first of several. */
tfm_name tfm_ct2_embeddings(tfm_ct2_model *m, const char *stack);
/* An option of a stack. */
tfm_name tfm_ct2_option(tfm_ct2_model *m, const char *stack, const char *key);
/* What is missing or makes no sense is refused; every size is at least 1, after a failure too. */
tfm_ct2_sizes tfm_ct2_read_sizes(tfm_ct2_model *m, const char *stack);
/* The activation of a stack as transformers calls it; others are refused. */
const char *tfm_ct2_activation(tfm_ct2_model *m, const char *stack);
/* Refuses ALiBi and shared heads in a stack, and marks as known what has no effect here. */
void tfm_ct2_read_switches(tfm_ct2_model *m, const char *stack);
/* The epsilon of norms: theirs, or the default of their library. */
double tfm_ct2_epsilon(tfm_ct2_model *m, bool rms);

/* Sizes under the keys that most families have for them. */
void tfm_ct2_set_sizes(tfm_ct2_model *m, const tfm_ct2_sizes *sizes);
/* The id in the target vocabulary of the token their config.json names under `theirs`; false: not known. */
bool tfm_ct2_set_token(tfm_ct2_model *m, const char *key, const char *theirs);
/* eos_token_id, or a note that it is not known. */
void tfm_ct2_set_eos(tfm_ct2_model *m);

/* ---- kinds of models: configuration and tensors ---- */

void tfm_ct2_read_seq2seq(tfm_ct2_model *m);
void tfm_ct2_read_t5(tfm_ct2_model *m);
void tfm_ct2_read_decoder(tfm_ct2_model *m);
void tfm_ct2_read_encoder(tfm_ct2_model *m);

/* Reads the vocabularies beside model.bin. */
tfm_status tfm_ct2_read_vocabularies(tfm_ct2_model *m, tfm_error *error);
/* Writes the tokenizer from files beside model.bin, whose ids are those of the vocabulary. */
tfm_status tfm_ct2_write_tokenizers(tfm_ct2_model *m, tfm_writer *writer, const tfm_pack_options *options,
                                    tfm_error *error);

#endif
