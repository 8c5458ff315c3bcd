/* tiny_session.h - an open tiny model with a session, for Criterion tests. */
#ifndef TFM_TESTS_SUPPORT_TINY_SESSION_H
#define TFM_TESTS_SUPPORT_TINY_SESSION_H

#include <criterion/criterion.h>

#include "runtime/tfm.h"
#include "tiny_model.h"

typedef struct fixture {
    char path[256];
    tiny_model *tiny;
    tfm_pool *pool;
    tfm_model *model;
    tfm_session *session;
    size_t d, vocab;
} fixture;

/* Writes, opens and makes a session; NULL: tiny_config_default, tfm_session_params_default with a pool of 3 threads. */
void fixture_open(fixture *f, const tiny_config *config, const tfm_session_params *params);
void fixture_close(fixture *f);
/* A fresh path for a file; the test unlinks it. */
void fixture_path(char path[256]);

/* n ids below vocab, the same for the same seed. */
void fixture_ids(int32_t *ids, size_t n, size_t vocab, uint64_t seed);

/* Encodes and starts a sequence (the source is -1 for a decoder). */
int32_t fixture_source(fixture *f, const int32_t *ids, size_t n);
int32_t fixture_sequence(fixture *f, int32_t source);
/* Appends ids; logits (n, vocab) or NULL. */
void fixture_feed(fixture *f, int32_t sequence, const int32_t *ids, size_t n, float *logits);

#endif
