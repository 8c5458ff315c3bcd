/*
 * answer.h - one input alone: run, shown as it comes, stopped by Ctrl-C.
 */
#ifndef TFM_TOOLS_RUN_ANSWER_H
#define TFM_TOOLS_RUN_ANSWER_H

#include "tools/run/engine/engine.h"

typedef struct tfm_answer_request {
    const tfm_ids *input;
    const char *source; /* n_source bytes that it is of; NULL: not known, outputs then replace nothing by it */
    size_t n_source;
    const char *attention; /* NULL, or the path of a drawing to make instead of showing the output */
    bool plain;            /* the output alone: no timing */
    bool echo;             /* show the input's text before it */
    int32_t *sequence;     /* see tfm_input */
    size_t n_kept;         /* tokens of the input that the sequence holds */

    /* The best output, also what there is of it after Ctrl-C or an error; see tfm_answer_forget. */
    tfm_ids ids;
    tfm_text text;
    bool ended;   /* with an end token or a stop string */
    bool stopped; /* by Ctrl-C */
} tfm_answer_request;

/*
 * Runs the input and shows its outputs on stdout, those without beams as they grow, then a line of timing on stderr.
 * Errors: those of tfm_generate; TFM_ERROR_CANCELLED after Ctrl-C where nothing of the output was there yet;
 * TFM_ERROR_IO.
 */
tfm_status tfm_answer(tfm_engine *engine, const tfm_settings *settings, tfm_answer_request *request, tfm_error *error);

/* Gives the result back. */
void tfm_answer_forget(tfm_answer_request *request);

#endif
