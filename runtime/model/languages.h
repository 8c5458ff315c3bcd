/*
 * languages.h - the languages of a translation model of many: section languages (docs/format.md).
 */
#ifndef TFM_RUNTIME_MODEL_LANGUAGES_H
#define TFM_RUNTIME_MODEL_LANGUAGES_H

#include "architecture.h"
#include "format/table.h"
#include "runtime/tfm.h"

/* Where the code of a source's language stands. */
typedef enum tfm_language_source {
    TFM_LANGUAGE_SOURCE_NONE,
    TFM_LANGUAGE_SOURCE_FIRST, /* before the text */
    TFM_LANGUAGE_SOURCE_LAST   /* after its end token */
} tfm_language_source;

/* How an output is told its language. */
typedef enum tfm_language_target {
    TFM_LANGUAGE_TARGET_FORCED, /* its first token */
    TFM_LANGUAGE_TARGET_START,  /* the token before its first */
    TFM_LANGUAGE_TARGET_SOURCE  /* the first token of the source */
} tfm_language_target;

typedef struct tfm_languages {
    const char **codes;  /* (n) */
    const uint32_t *ids; /* (n) tokens */
    size_t n;            /* 0: the model has none */
    tfm_language_source source;
    tfm_language_target target;
    int32_t source_default, target_default; /* places in the lists; -1: none */
} tfm_languages;

/*
 * Reads and checks the section's table; no languages if it is NULL. Call tfm_languages_free after an error too. Errors:
 * TFM_ERROR_FORMAT, _MEMORY.
 */
tfm_status tfm_languages_read(tfm_languages *languages, const tfm_table *table, const tfm_architecture *arch,
                              const char *path, tfm_error *error);
void tfm_languages_free(tfm_languages *languages);

/* Puts params->target_language, if there is one, where it belongs among params. Errors: as tfm_language_token. */
tfm_status tfm_languages_apply(const tfm_model *model, tfm_generate_params *params, tfm_error *error);

#endif
