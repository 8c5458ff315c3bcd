/*
 * attention_file.h - the file of --attention and /attention: which input tokens each output token looked at.
 */
#ifndef TFM_TOOLS_RUN_ATTENTION_FILE_H
#define TFM_TOOLS_RUN_ATTENTION_FILE_H

#include "tools/common/new_file.h"
#include "tools/run/engine/engine.h"

typedef struct tfm_attention_file {
    const char *path;
    tfm_new_file file;
    bool html;      /* any number of pairs; an SVG shows one */
    size_t n_pairs; /* added so far */
} tfm_attention_file;

/* Is path named as a file this can write (.svg, .html)? Error: TFM_ERROR_ARGUMENT. */
tfm_status tfm_attention_check(const char *path, tfm_error *error);

/* Creates the file at path (which must stay). Errors: TFM_ERROR_ARGUMENT, _IO, _MEMORY. */
tfm_status tfm_attention_open(tfm_attention_file *file, const char *path, tfm_error *error);

/* Appends the drawing of an input and its output; number counts from 1. The hypothesis must have its attention. */
tfm_status tfm_attention_draw(const tfm_attention_file *file, const tfm_engine *engine, const tfm_ids *source,
                              const tfm_hypothesis *hypothesis, uint64_t number, tfm_text *out, tfm_error *error);

/* Writes a drawing. Of a second one for an SVG nothing is written: TFM_ERROR_STATE. */
tfm_status tfm_attention_add(tfm_attention_file *file, const tfm_text *drawing, tfm_error *error);

/* Ends the file; keep being false, nothing of it stays. Accepts one that is not open: .file.fd is -1. */
tfm_status tfm_attention_close(tfm_attention_file *file, bool keep, tfm_error *error);
bool tfm_attention_is_open(const tfm_attention_file *file);

#endif
