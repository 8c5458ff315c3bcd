/*
 * sequences.h - the books of a session: which sources and sequences there are, how long they are, which pages they
 * list.
 *
 * A sequence lists pages of the decoder's cache, several sequences the same ones after a fork. Freeing, truncating and
 * forking move numbers of pages, never their contents (kv_cache.h).
 */
#ifndef TFM_RUNTIME_EXEC_SEQUENCES_H
#define TFM_RUNTIME_EXEC_SEQUENCES_H

#include "session.h"

/* A source number with pages of the cross cache for n tokens (n <= max_source), or -1 if all numbers are in use. */
int32_t tfm_source_take(tfm_session *session, size_t n);

/* Whether that is the number of a source or of a sequence. */
bool tfm_source_used(const tfm_session *session, int32_t source);
bool tfm_sequence_used(const tfm_session *session, int32_t sequence);

/* Numbers that are not in use. */
size_t tfm_free_sources(const tfm_session *session);
size_t tfm_free_sequences(const tfm_session *session);

/* Makes a sequence n tokens longer (max_target at most in all), with pages of its own where they will be written to. */
void tfm_sequence_extend(tfm_session *session, int32_t sequence, size_t n);

#endif
