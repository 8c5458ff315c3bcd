/*
 * analysis_internal.h - what the files of the analysis share: what is asked, inputs as token ids, results as text.
 */
#ifndef TFM_TOOLS_RUN_ANALYSIS_ANALYSIS_INTERNAL_H
#define TFM_TOOLS_RUN_ANALYSIS_ANALYSIS_INTERNAL_H

#include "analysis.h"
#include "tools/run/engine/analysis_check.h"

/* What is done with every input; settled once, by tfm_analysis_open. */
typedef struct tfm_analysis {
    tfm_engine *engine;
    const tfm_settings *settings;
    tfm_action action;
    tfm_embed_params embed;
    uint32_t top;          /* most candidates or classes */
    bool all_classes;      /* classes as many as there are, or top */
    int32_t mask_id;       /* -1: not known */
    const char *mask_text; /* how it is written, or NULL */
    tfm_ids around;        /* ids the tokenizer puts around every text */
} tfm_analysis;

tfm_status tfm_analysis_open(tfm_analysis *a, tfm_engine *engine, const tfm_settings *settings, tfm_error *error);
void tfm_analysis_close(tfm_analysis *a);

/* ---- inputs ---- */

/* A text, or a pair of texts that is one input. Lists are kept and used again. */
typedef struct tfm_analysis_input {
    tfm_ids ids;
    tfm_ids types; /* empty: all 0 */
    tfm_ids masks; /* positions of mask tokens */
} tfm_analysis_input;

/*
 * Replaces the input by a text's. Errors that belong to the text alone: TFM_ERROR_LIMIT, TFM_ERROR_ARGUMENT,
 * TFM_ERROR_UNSUPPORTED (a pair, and the tokenizer knows none).
 */
tfm_status tfm_analysis_read(const tfm_analysis *a, const char *text, size_t n, tfm_analysis_input *input,
                             tfm_error *error);
void tfm_analysis_input_free(tfm_analysis_input *input);

/* Floats of an input's result: an embedding, or scores. */
size_t tfm_analysis_result_size(const tfm_analysis *a, const tfm_analysis_input *input);
/* The example of an input whose result goes to `result`. */
tfm_example tfm_analysis_example(const tfm_analysis *a, const tfm_analysis_input *input, float *result);

/* ---- results ---- */

/*
 * Appends what is said of an input. inputs and results: two of each for similarities. Errors: TFM_ERROR_MEMORY and
 * those of tfm_detokenize.
 */
tfm_status tfm_analysis_print(const tfm_analysis *a, const tfm_analysis_input *inputs, float *const *results,
                              tfm_text *out, tfm_error *error);
/* What stands in place of the result of an input that failed. */
tfm_status tfm_analysis_print_error(const tfm_analysis *a, const char *message, tfm_text *out, tfm_error *error);

/* ---- output ---- */

/* Where results go: stdout; an array for NumPy into a file of its own first where its header cannot be written last. */
typedef struct tfm_vector_file {
    int fd;
    bool npy, patch; /* patch: stdout, whose header is overwritten at the end */
    int64_t start;   /* of the array in stdout */
    uint64_t n_bytes;
    uint32_t width;
} tfm_vector_file;

tfm_status tfm_vector_file_open(tfm_vector_file *file, const tfm_analysis *a, tfm_error *error);
tfm_status tfm_vector_file_write(tfm_vector_file *file, const void *data, size_t n, tfm_error *error);
/* Completes the output. */
tfm_status tfm_vector_file_close(tfm_vector_file *file, tfm_error *error);

#endif
