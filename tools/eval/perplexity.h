/*
 * perplexity.h - what the two forms of tfmeval perplexity share: pairs of a source and its translation, and text that
 * a decoder-only model reads through a window.
 */
#ifndef TFM_TOOLS_EVAL_PERPLEXITY_H
#define TFM_TOOLS_EVAL_PERPLEXITY_H

#include "model_options.h"
#include "record.h"

typedef struct tfm_perplexity_settings {
    tfm_model_command_settings base;
    const char *source, *reference, *in, *text;
    uint32_t stride, max_length; /* 0: not given */
    bool json, per_line;
} tfm_perplexity_settings;

enum { TFM_PERPLEXITY_BATCH = 256 }; /* pairs or windows scored in one call */

/* Figures of a line ("line", its number) or of all ("lines", how many). */
typedef struct tfm_perplexity_figures {
    const char *key;
    uint64_t value;
    uint64_t n_tokens; /* that were predicted */
    double nll;
    const float *log_probs;      /* NULL, or (n_tokens) */
    uint32_t max_length, stride; /* 0: there was no window */
} tfm_perplexity_figures;

tfm_status tfm_perplexity_print(const tfm_perplexity_settings *settings, const tfm_perplexity_figures *figures,
                                tfm_error *error);

/* The perplexity of text under an open decoder-only model. */
tfm_status tfm_perplexity_of_text(const tfm_perplexity_settings *settings, const tfm_opened *model, const char *path,
                                  tfm_error *error);

#endif
