/* executor_reference.h - the forward pass of docs/model-contents.md in double precision and plain loops. */
#ifndef TFM_TESTS_RUNTIME_EXEC_EXECUTOR_REFERENCE_H
#define TFM_TESTS_RUNTIME_EXEC_EXECUTOR_REFERENCE_H

#include "runtime/tfm.h"
#include "tests/support/tiny_model.h"

/* states (n, d_model) of an encoder. types: of tokens, or NULL. */
void reference_encode(const tiny_model *model, const int32_t *ids, const int32_t *types, size_t n, double *states);

/* y (m, n) = x (m, k) through layer NAME.weight and NAME.bias of the model, and an activation by its name. */
void reference_linear(const tiny_model *model, const char *name, const char *activation, const double *x, size_t m,
                      size_t n, size_t k, double *y);
/* y (m, d_model) = the encoder's kind of norm of x, with NAME.weight and NAME.bias; y may be x. */
void reference_norm(const tiny_model *model, const char *name, const double *x, size_t m, double *y);

/*
 * states (n, d_model) and logits (n, vocab_size) of a decoder over ids; encoded (n_source, d_model) is what it attends
 * to, NULL for a decoder without an encoder.
 */
void reference_decode(const tiny_model *model, const int32_t *ids, size_t n, const double *encoded, size_t n_source,
                      double *states, double *logits);

/* Which weights of attention: those of one query (its position) in one head. */
typedef struct reference_place {
    tfm_attention_kind kind;
    uint32_t layer;
    size_t head, query;
    size_t begin; /* the first key it sees */
} reference_place;

/* Told the weights (n) of keys begin, begin + 1, ... while the functions above run. */
typedef void reference_listener(void *user, const reference_place *place, const double *weights, size_t n);
void reference_listen(reference_listener *on_weights, void *user);

/*
 * How far float results may be from these: every layer rounds each of the numbers it sums once, errors add up over
 * layers, and values grow to `largest`.
 */
double reference_tolerance(const tiny_model *model, size_t n_positions, double largest);

#endif
