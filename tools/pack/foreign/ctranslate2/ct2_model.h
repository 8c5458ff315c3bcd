/*
 * ct2_model.h - a CTranslate2 folder while it is read: its variables by name, its vocabularies, the configuration and
 * the tensors of the Hugging Face folder it is shown as.
 */
#ifndef TFM_TOOLS_PACK_FOREIGN_CTRANSLATE2_CT2_MODEL_H
#define TFM_TOOLS_PACK_FOREIGN_CTRANSLATE2_CT2_MODEL_H

#include <limits.h>

#include "ct2_file.h"
#include "tools/pack/checkpoint/array_views.h"
#include "tools/pack/families/family.h"

typedef struct tfm_ct2_path {
    char text[PATH_MAX + 64];
} tfm_ct2_path;

typedef struct tfm_ct2_model {
    tfm_checkpoint *checkpoint;
    char *folder;
    tfm_ct2_file file;
    json_t *settings;                      /* their config.json, perhaps empty */
    json_t *source_tokens, *target_tokens; /* arrays of strings, or NULL: not there */
    json_t *config, *generation;           /* ours; owned by checkpoint */
    tfm_array_views views;
    bool has_padding; /* a row was added for a token "<pad>" after all others */
    /* The first failure stays, and later calls do nothing. */
    tfm_status status;
    tfm_error *error;
} tfm_ct2_model;

/* Keeps a failure that names the file. */
__attribute__((format(printf, 3, 4))) void tfm_ct2_fail(tfm_ct2_model *m, tfm_status status, const char *format, ...);

/* ---- variables; names are formatted ---- */

/* Whether it is there; without using it. */
__attribute__((format(printf, 2, 3))) bool tfm_ct2_has(tfm_ct2_model *m, const char *format, ...);
/* A single number, or the fallback if it is not there. The next three refuse what is not of their kind. */
double tfm_ct2_real(tfm_ct2_model *m, double fallback, const char *name);
int64_t tfm_ct2_integer(tfm_ct2_model *m, int64_t fallback, const char *name);
bool tfm_ct2_flag(tfm_ct2_model *m, bool fallback, const char *name);
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

/* The array `from` as `view` says, whose array, type and rank are filled in; rows 0: all rows. */
void tfm_ct2_show(tfm_ct2_model *m, const char *name, const char *from, tfm_array_view view);
/* Rows that are computed by fill, or zeros. */
void tfm_ct2_show_filled(tfm_ct2_model *m, const char *name, uint64_t rows, uint64_t width, tfm_view_fill fill,
                         uint64_t first);
/* `to`.weight and `to`.bias from rows [first, first + rows) (0: all) of the linear layer `from`; a missing bias is 0.
 */
void tfm_ct2_linear(tfm_ct2_model *m, const char *to, const char *from, uint64_t first, uint64_t rows);
/* The same without a bias, which must not be there. */
void tfm_ct2_linear_plain(tfm_ct2_model *m, const char *to, const char *from, uint64_t first, uint64_t rows);
/* `to`.weight and, of layer norms, `to`.bias. */
void tfm_ct2_norm(tfm_ct2_model *m, const char *to, const char *from, bool has_bias);

/* ---- configuration ---- */

void tfm_ct2_set_integer(tfm_ct2_model *m, json_t *object, const char *key, uint64_t value);
void tfm_ct2_set_real(tfm_ct2_model *m, json_t *object, const char *key, double value);
void tfm_ct2_set_bool(tfm_ct2_model *m, json_t *object, const char *key, bool value);
void tfm_ct2_set_string(tfm_ct2_model *m, json_t *object, const char *key, const char *value);
/* The token their config.json names under key, as an id of the vocabulary, or -1. */
int64_t tfm_ct2_token(tfm_ct2_model *m, const json_t *tokens, const char *key);
/* The epsilon of norms: theirs, or the default of their library. */
double tfm_ct2_epsilon(tfm_ct2_model *m, bool rms);
/* The name transformers has for the activation in the variable `name`; others are refused. */
const char *tfm_ct2_activation(tfm_ct2_model *m, const char *name);
/* How many of PREFIX0, PREFIX1, ... have variables: "encoder/layer_" */
uint64_t tfm_ct2_count(tfm_ct2_model *m, const char *prefix, const char *member);
/* One line for people. */
__attribute__((format(printf, 2, 3))) void tfm_ct2_note(tfm_ct2_model *m, const char *format, ...);

/* ---- kinds of models: configuration and tensors ---- */

void tfm_ct2_read_seq2seq(tfm_ct2_model *m);
void tfm_ct2_read_t5(tfm_ct2_model *m);
void tfm_ct2_read_decoder(tfm_ct2_model *m);
void tfm_ct2_read_encoder(tfm_ct2_model *m);

/* folder/name; folders longer than PATH_MAX are refused when they are opened. */
tfm_ct2_path tfm_ct2_in_folder(const char *folder, const char *name);
/* Reads the vocabularies beside model.bin. */
tfm_status tfm_ct2_read_vocabularies(tfm_ct2_model *m, tfm_error *error);
/* Writes the tokenizer from files beside model.bin, whose ids are those of the vocabulary. */
tfm_status tfm_ct2_write_tokenizers(tfm_ct2_model *m, tfm_writer *writer, tfm_error *error);

#endif
