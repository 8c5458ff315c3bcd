/*
 * logits.h - tfmeval logits: the lines to compute and the file the results go to.
 */
#ifndef TFM_TOOLS_EVAL_LOGITS_H
#define TFM_TOOLS_EVAL_LOGITS_H

#include "model_options.h"
#include "tools/safetensors/safetensors.h"

typedef struct tfm_logits_settings {
    tfm_model_command_settings base;
    const char *in, *out;
    bool decoder_states, vectors;
} tfm_logits_settings;

/* A line of the input: where its ids are. A decoder-only model has its input_ids as target and no source. */
typedef struct tfm_logits_line {
    size_t source, n_source, target, n_target;
    size_t types; /* n_source of them, if has_types */
    bool has_types;
} tfm_logits_line;

typedef struct tfm_logits {
    const tfm_logits_settings *settings;
    tfm_opened model;
    tfm_session *session;
    tfm_safetensors_writer *writer;
    tfm_ids ids; /* of all lines */
    tfm_logits_line *lines;
    size_t n_lines, capacity;
    size_t longest_source, longest_target;
    size_t batch_tokens; /* of a side in a batch; a longer line is a batch of its own */
    size_t max_rows;     /* of logits at the same time */
    float *encoder, *decoder, *logits, *vectors;
} tfm_logits;

/* Rows of scores that an encoder-only model gives for a line. */
static inline size_t tfm_logits_rows(const tfm_logits *r, const tfm_logits_line *line) {
    return r->model.info.head == TFM_HEAD_SEQUENCE ? 1 : line->n_source;
}

/* Declares, computes and writes all lines. */
tfm_status tfm_logits_run(tfm_logits *r, tfm_error *error);

#endif
