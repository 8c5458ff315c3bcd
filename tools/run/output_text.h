/*
 * output_text.h - the texts of an input's outputs, as their tokens come or from their hypotheses; no token is decoded
 * twice. Each ends before a stop string.
 */
#ifndef TFM_TOOLS_RUN_OUTPUT_TEXT_H
#define TFM_TOOLS_RUN_OUTPUT_TEXT_H

#include "tools/run/engine/engine.h"

/* What outputs are of. */
typedef struct tfm_output_input {
    const tfm_ids *ids;
    const char *text; /* n bytes that the ids are of, for outputs whose unknown tokens are replaced; or NULL */
    size_t n;
} tfm_output_input;

typedef struct tfm_output_text {
    const tfm_engine *engine;
    tfm_output_input input;
    tfm_detokenizer *detokenizer;
    tfm_text text; /* what is certain of it */
    size_t n_ids;  /* tokens that it is of */
    bool stopped;  /* by a stop string */
} tfm_output_text;

/*
 * Begins the texts of an input's outputs, num_return_sequences of them, with the prefix that all have. Give them back
 * with tfm_output_texts_free also after an error. input: must live as long as they.
 */
tfm_status tfm_output_texts_start(tfm_output_text **texts, const tfm_engine *engine, const tfm_settings *settings,
                                  const tfm_output_input *input, tfm_error *error);
void tfm_output_texts_free(tfm_output_text **texts, const tfm_engine *engine);

/* Adds n tokens; those behind the one that completes a stop string do not count. */
tfm_status tfm_output_text_push(tfm_output_text *o, const int32_t *ids, size_t n, tfm_error *error);
/* No more tokens come but those that a hypothesis has beyond the ones that came; NULL: none. All text is certain. */
tfm_status tfm_output_text_finish(tfm_output_text *o, const tfm_hypothesis *hypothesis, tfm_error *error);

#endif
