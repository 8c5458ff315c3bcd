/* executor_reference.h - the forward pass of docs/model-contents.md in double precision and plain loops. */
#ifndef TFM_TESTS_RUNTIME_EXEC_EXECUTOR_REFERENCE_H
#define TFM_TESTS_RUNTIME_EXEC_EXECUTOR_REFERENCE_H

#include "tests/support/tiny_model.h"

/* states (n, d_model) of an encoder. */
void reference_encode(const tiny_model *model, const int32_t *ids, size_t n, double *states);

/*
 * states (n, d_model) and logits (n, vocab_size) of a decoder over ids; encoded (n_source, d_model) is what it attends
 * to, NULL for a decoder without an encoder.
 */
void reference_decode(const tiny_model *model, const int32_t *ids, size_t n, const double *encoded, size_t n_source,
                      double *states, double *logits);

/*
 * How far float results may be from these: every layer rounds each of the numbers it sums once, errors add up over
 * layers, and values grow to `largest`.
 */
double reference_tolerance(const tiny_model *model, size_t n_positions, double largest);

#endif
