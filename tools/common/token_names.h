/*
 * token_names.h - tokens as people write them: by id, or by name, as the vocabulary spells it ("</s>", "deu_Latn").
 *
 * Options are read before a model is open. So a name becomes a stand-in first, an id below -1 that is its place in a
 * list of names, and the token's id once there is a model to ask. What is a whole number is an id, also where the
 * vocabulary has a token that is spelled so.
 */
#ifndef TFM_TOOLS_COMMON_TOKEN_NAMES_H
#define TFM_TOOLS_COMMON_TOKEN_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/tfm.h"

/* Names that wait; all zero: none. */
typedef struct tfm_token_names {
    tfm_text text; /* one after the other */
    tfm_ids ends;  /* where each ends */
} tfm_token_names;

void tfm_token_names_free(tfm_token_names *names);
/* to: without names. False, with part of them, when memory is out. */
bool tfm_token_names_copy(const tfm_token_names *from, tfm_token_names *to);

/*
 * The token that a word of n bytes means: an id within [0, max], or a stand-in. what names it in messages.
 * Errors: TFM_ERROR_ARGUMENT (no word, or a number outside), TFM_ERROR_MEMORY.
 */
tfm_status tfm_token_parse(const char *what, const char *word, size_t n, int64_t max, tfm_token_names *names,
                           int32_t *id, tfm_error *error);
/*
 * Appends the tokens of n bytes of text: words with spaces, tabs or commas between them, or a JSON array of numbers
 * and strings, for names that have such characters in them. Errors: as above.
 */
tfm_status tfm_tokens_parse(const char *what, const char *text, size_t n, int64_t max, tfm_token_names *names,
                            tfm_ids *ids, tfm_error *error);

/*
 * Puts the ids of the model's tokens in the place of stand-ins among n ids. side: whose vocabulary.
 * Error: TFM_ERROR_ARGUMENT (it has no such token, and the message names the nearest; or the model has no tokenizer).
 */
tfm_status tfm_tokens_resolve(const char *what, const tfm_token_names *names, const tfm_model *model, tfm_side side,
                              int32_t *ids, size_t n, tfm_error *error);

#endif
