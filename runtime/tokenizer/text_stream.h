/*
 * text_stream.h - text of ids that come one by one. All that was given out, put together, is the text that
 * tfm_tokenizer_decode makes of all ids at once, whatever the ids are: what a later id can still change is held back.
 * Time is proportional to the text.
 *
 * What is held back: bytes of a character that is not complete; with byte fallback in tokenizer.json, byte tokens in a
 * row up to the next other token, because one byte that is no UTF-8 makes all of them U+FFFD; white space where the
 * decoder takes it away from the end.
 */
#ifndef TFM_RUNTIME_TOKENIZER_TEXT_STREAM_H
#define TFM_RUNTIME_TOKENIZER_TEXT_STREAM_H

#include "tokenizer.h"

typedef struct tfm_text_stream tfm_text_stream;

/*
 * A new stream; the tokenizer must outlive it. One thread at a time may use it. skip_special: as for
 * tfm_tokenizer_decode. Error: TFM_ERROR_MEMORY.
 */
tfm_status tfm_text_stream_create(tfm_text_stream **stream, const tfm_tokenizer *tokenizer, bool skip_special,
                                  tfm_error *error);
void tfm_text_stream_free(tfm_text_stream **stream);

/*
 * Appends to *out the text that n more ids make certain, perhaps nothing.
 * Errors: TFM_ERROR_ARGUMENT (an id outside the vocabulary: none of the ids has an effect), TFM_ERROR_MEMORY. After
 * the latter *out is as it was, and the stream gives TFM_ERROR_STATE until it is reset.
 */
tfm_status tfm_text_stream_push(tfm_text_stream *stream, const int32_t *ids, size_t n, tfm_text *out, tfm_error *error);
/* What tfm_text_stream_push would say of ids, with which nothing is done. */
tfm_status tfm_text_stream_check(const tfm_text_stream *stream, const int32_t *ids, size_t n, tfm_error *error);
/* No more ids come: appends what was held back. The stream is then as new. Errors: as above. */
tfm_status tfm_text_stream_finish(tfm_text_stream *stream, tfm_text *out, tfm_error *error);
/* Forgets all ids. */
void tfm_text_stream_reset(tfm_text_stream *stream);

/*
 * Begins anew behind n ids whose text is known: it is not given out, but decides how the text of the next ids begins
 * (with a space, say). A character that they do not complete is given out with the ids that do.
 * Errors: as for tfm_text_stream_push.
 */
tfm_status tfm_text_stream_context(tfm_text_stream *stream, const int32_t *ids, size_t n, tfm_error *error);

#endif
