/*
 * encoder_reference.h - encoders in the manner of BERT computed plainly in double, from a checkpoint's own tensors.
 */
#ifndef TFM_TESTS_TOOLS_PACK_FAMILIES_ENCODER_REFERENCE_H
#define TFM_TESTS_TOOLS_PACK_FAMILIES_ENCODER_REFERENCE_H

#include "tests/tools/pack/checkpoints.h"

/* Names of the tensors, sizes that the tensors do not tell. */
typedef struct reference_encoder {
    model *m;
    const char *prefix, *layers;                                      /* "bert.", "encoder.layer." */
    const char *query, *key, *value, *out, *norm, *up, *down, *final; /* within a layer */
    size_t n_layers, n_heads, position_offset;
    bool types;
    double norm_eps;
} reference_encoder;

/* Hidden states (n, d) after the last layer; the caller frees. types may be NULL. */
double *reference_states(const reference_encoder *e, const int32_t *ids, const int32_t *types, size_t n);

/* y (rows of NAME.weight) = NAME.weight x + NAME.bias. */
void checkpoint_linear(model *m, const char *name, const double *x, double *y);
/* x (d) becomes its layer norm with NAME.weight and NAME.bias. */
void checkpoint_norm(model *m, const char *name, double eps, double *x);

double reference_gelu(double x);

#endif
