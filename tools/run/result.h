/*
 * result.h - what tfmrun prints for an input: text, token ids or a JSON object.
 */
#ifndef TFM_TOOLS_RUN_RESULT_H
#define TFM_TOOLS_RUN_RESULT_H

#include "output_text.h"

/* Is there text in what is printed of an output? */
bool tfm_result_has_text(const tfm_engine *engine, const tfm_settings *settings);

/*
 * Appends the lines of one input: a line for each hypothesis (n may be 0: an input with nothing in it), or one JSON
 * object. input: its tokens. texts: (n) of the hypotheses; NULL if n is 0 or there is no text in what is printed.
 * seconds: from the start of the call to this result. Errors: TFM_ERROR_MEMORY and those of tfm_detokenize.
 */
tfm_status tfm_result_print(const tfm_engine *engine, const tfm_settings *settings, const tfm_ids *input,
                            const tfm_hypothesis *const *hypotheses, const tfm_output_text *texts, size_t n,
                            double seconds, tfm_text *out, tfm_error *error);

/* The lines of an input that failed: as many as a result has, empty, or one JSON object {"error": message}. */
tfm_status tfm_result_print_error(const tfm_engine *engine, const tfm_settings *settings, const char *message,
                                  tfm_text *out, tfm_error *error);

#endif
