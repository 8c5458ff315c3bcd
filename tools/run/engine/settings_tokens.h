/*
 * settings_tokens.h - parsers of options whose values are tokens, by id or by name; see tfm_option.parse. Names are
 * kept in settings.names until there is a model: see tfm_settings_resolve.
 */
#ifndef TFM_TOOLS_RUN_ENGINE_SETTINGS_TOKENS_H
#define TFM_TOOLS_RUN_ENGINE_SETTINGS_TOKENS_H

#include "settings.h"

/* "2", "</s>", or "none" (-1). */
tfm_status tfm_parse_token(void *settings, const tfm_option *option, const char *what, const char *value,
                           tfm_error *error);
/* "0", "0 2", "</s>,2" or "[0, \"</s>\"]"; "none" or "[]" for an empty list. */
tfm_status tfm_parse_id_list(void *settings, const tfm_option *option, const char *what, const char *value,
                             tfm_error *error);
/* "[[1, \"</s>\"], [3]]" or "none". */
tfm_status tfm_parse_bad_words(void *settings, const tfm_option *option, const char *what, const char *value,
                               tfm_error *error);
/* "5=1.5", "5=1.5,</s>=-inf" or {"5": 1.5, "</s>": "-inf"}. Appends, so that the option may be repeated. */
tfm_status tfm_parse_logit_bias(void *settings, const tfm_option *option, const char *what, const char *value,
                                tfm_error *error);

/* Views into bad words, each of which is its length followed by its tokens; NULL when memory is out. */
tfm_tokens *tfm_bad_word_views(const tfm_ids *flat, size_t n_words);

#endif
