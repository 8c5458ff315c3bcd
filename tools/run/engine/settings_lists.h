/*
 * settings_lists.h - parsers of options whose values are lists or free text; see tfm_option.parse. Those that say so
 * append, so that the option may be repeated.
 */
#ifndef TFM_TOOLS_RUN_ENGINE_SETTINGS_LISTS_H
#define TFM_TOOLS_RUN_ENGINE_SETTINGS_LISTS_H

#include "settings.h"

tfm_status tfm_parse_prefix(void *settings, const tfm_option *option, const char *what, const char *value,
                            tfm_error *error);
/* The code of a language; none: as the model says. */
tfm_status tfm_parse_language(void *settings, const tfm_option *option, const char *what, const char *value,
                              tfm_error *error);
/* A text with \n, \t and \\ for newline, tab and backslash. Appends. */
tfm_status tfm_parse_stop(void *settings, const tfm_option *option, const char *what, const char *value,
                          tfm_error *error);
/* "5", "-1:0,3" (a layer and heads of it), several with spaces between them; "all". */
tfm_status tfm_parse_heads(void *settings, const tfm_option *option, const char *what, const char *value,
                           tfm_error *error);
tfm_status tfm_parse_seed(void *settings, const tfm_option *option, const char *what, const char *value,
                          tfm_error *error);

/* Sets *to to a copy with lists of its own; false, with part of them, when memory is out. */
bool tfm_copy_lists(const tfm_decoding *from, tfm_decoding *to);
/* Empties what an appending option collected; nothing for the others. */
void tfm_clear_list(tfm_decoding *decoding, const tfm_option *option);

/* Appends the list of an appending option as one would type it, or "none". */
bool tfm_print_stops(const tfm_decoding *decoding, tfm_text *out);
bool tfm_print_heads(const tfm_generate_params *params, tfm_text *out);
bool tfm_print_logit_bias(const tfm_generate_params *params, tfm_text *out);

#endif
