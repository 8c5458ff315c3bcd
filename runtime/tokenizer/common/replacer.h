/*
 * replacer.h - replaces one text by another in a text that comes in parts: the result is that of replacing in the
 * whole, from the left and without overlaps, and is given on as soon as it is certain.
 */
#ifndef TFM_RUNTIME_TOKENIZER_COMMON_REPLACER_H
#define TFM_RUNTIME_TOKENIZER_COMMON_REPLACER_H

#include <stdbool.h>
#include <stddef.h>

/* Takes n bytes of the result; false (memory) ends the replacement. */
typedef bool tfm_text_sink(void *arg, const char *data, size_t n);

typedef struct tfm_replacer {
    const char *from, *to; /* they must outlive the replacer */
    size_t n_from, n_to;   /* n_from >= 1 */
    size_t *borders;       /* (n_from) length of the longest proper prefix of from[0..i] that is a suffix of it */
    size_t matched;        /* how much of from the text ends with; it is not given on yet */
} tfm_replacer;

/* False when memory is out; free it all the same. */
bool tfm_replacer_init(tfm_replacer *replacer, const char *from, size_t n_from, const char *to, size_t n_to);
void tfm_replacer_free(tfm_replacer *replacer);

/* The next n bytes of the text; false if a sink says so. */
bool tfm_replacer_put(tfm_replacer *replacer, const char *data, size_t n, tfm_text_sink *sink, void *arg);
/* The end of the text: what was held back goes on. The replacer can take another text then. */
bool tfm_replacer_end(tfm_replacer *replacer, tfm_text_sink *sink, void *arg);

#endif
