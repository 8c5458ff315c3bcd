/*
 * language_codes.h - the languages of a translation model: their codes, and where these stand. They go into the section
 * languages (docs/format.md).
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_SETTINGS_LANGUAGE_CODES_H
#define TFM_TOOLS_PACK_TOKENIZER_SETTINGS_LANGUAGE_CODES_H

#include "format/model_file.h"
#include "tokenizer_files.h"

typedef struct tfm_language_codes {
    json_t *ids;               /* {"deu_Latn": id}; NULL: no languages */
    tfm_language_place place;  /* of the source language's code; NONE: a source does not say its language */
    json_int_t source, target; /* ids of the codes where nothing else is asked for; -1: none */
    const char *target_place;  /* "forced", "start" or "source" */
} tfm_language_codes;

/*
 * The languages of a tokenizer. tokens: {"spelling": id} of what could be a code. Nothing (ids NULL) if the class has
 * no languages, or the tokens no codes. Errors: TFM_ERROR_FORMAT (src_lang or tgt_lang is not among them), _MEMORY.
 */
tfm_status tfm_language_codes_find(const tfm_tokenizer_files *files, const json_t *tokens, tfm_language_codes *codes);
void tfm_language_codes_free(tfm_language_codes *codes);

/* Changes a tokenizer.json whose class has languages: the source language's code stands around a text. */
tfm_status tfm_language_codes_frame(const tfm_tokenizer_files *files, json_t *root, tfm_language_codes *codes);

/* Adds the codes that a class has beyond its vocabulary to {"spelling": id}: they follow the first n_ids ids. */
tfm_status tfm_language_codes_append(const tfm_tokenizer_files *files, size_t n_ids, json_t *tokens);

/* Writes the section, if there are languages. */
tfm_status tfm_language_codes_write(const tfm_language_codes *codes, tfm_writer *writer, tfm_error *error);

#endif
