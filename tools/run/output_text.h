/*
 * output_text.h - the text of one output as its tokens come: whole characters, cut before a stop string.
 */
#ifndef TFM_TOOLS_RUN_OUTPUT_TEXT_H
#define TFM_TOOLS_RUN_OUTPUT_TEXT_H

#include "runtime/tokenizer/text_stream.h"
#include "settings.h"

typedef struct tfm_output_text {
    tfm_text_stream *stream;
    const tfm_decoding *decoding; /* stop strings */
    tfm_text text;                /* so far; ends before the stop string that came */
    size_t settled;               /* bytes of it that will stay: behind them a stop string may have begun */
    bool stopped;
} tfm_output_text;

/*
 * Begins a text. context: the n tokens before the output, which decide for some tokenizers how it begins (with a
 * space, say); NULL: it stands for itself. Give it back with tfm_output_text_free also after an error.
 */
tfm_status tfm_output_text_start(tfm_output_text *o, const tfm_model *model, const tfm_decoding *decoding,
                                 const int32_t *context, size_t n, tfm_error *error);
/* Adds n tokens; those behind the one that completes a stop string do not count. */
tfm_status tfm_output_text_put(tfm_output_text *o, const int32_t *ids, size_t n, tfm_error *error);
/* No more tokens come: all of the text is settled. */
tfm_status tfm_output_text_end(tfm_output_text *o, tfm_error *error);
void tfm_output_text_free(tfm_output_text *o);

#endif
