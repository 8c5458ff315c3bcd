/* encoder_reference.c - see encoder_reference.h; loops as the formulas have them, no care for speed. */
#include "encoder_reference.h"

#include <math.h>
#include <stdlib.h>

#include "tools/pack/common/name_format.h"

static double *doubles(size_t n) {
    double *x = calloc(n ? n : 1, sizeof *x);
    cr_assert(x);
    return x;
}

static const tensor *part(model *m, const char *name, const char *kind) {
    return model_find(m, tfm_name_format("%s.%s", name, kind).text);
}

double reference_gelu(double x) { return 0.5 * x * (1 + erf(x / sqrt(2))); }

void checkpoint_linear(model *m, const char *name, const double *x, double *y) {
    const tensor *weight = part(m, name, "weight"), *bias = part(m, name, "bias");
    size_t n_in = weight->shape[1];
    for (size_t i = 0; i < weight->shape[0]; i++) {
        y[i] = (double)bias->values[i];
        for (size_t j = 0; j < n_in; j++) y[i] += (double)weight->values[i * n_in + j] * x[j];
    }
}

void checkpoint_norm(model *m, const char *name, double eps, double *x) {
    const tensor *weight = part(m, name, "weight"), *bias = part(m, name, "bias");
    size_t d = weight->shape[0];
    double mean = 0, variance = 0;
    for (size_t i = 0; i < d; i++) mean += x[i] / (double)d;
    for (size_t i = 0; i < d; i++) variance += (x[i] - mean) * (x[i] - mean) / (double)d;
    for (size_t i = 0; i < d; i++)
        x[i] = (x[i] - mean) / sqrt(variance + eps) * (double)weight->values[i] + (double)bias->values[i];
}

static const float *row(const reference_encoder *e, const char *table, size_t i) {
    const tensor *t = model_find(e->m, tfm_name_format("%sembeddings.%s.weight", e->prefix, table).text);
    cr_assert_lt(i, t->shape[0]);
    return t->values + i * t->shape[1];
}

static void embed(const reference_encoder *e, int32_t id, int32_t type, size_t position, size_t d, double *x) {
    const float *word = row(e, "word_embeddings", (size_t)id);
    const float *place = row(e, "position_embeddings", position + e->position_offset);
    const float *kind = e->types ? row(e, "token_type_embeddings", (size_t)type) : NULL;
    for (size_t i = 0; i < d; i++) x[i] = (double)word[i] + (double)place[i] + (kind ? (double)kind[i] : 0);
    checkpoint_norm(e->m, tfm_name_format("%sembeddings.LayerNorm", e->prefix).text, e->norm_eps, x);
}

/* context (d) of query token t, all of (n, d). */
static void attend(const reference_encoder *e, const double *q, const double *k, const double *v, size_t n, size_t d,
                   size_t t, double *context) {
    size_t width = d / e->n_heads;
    double *weights = doubles(n);
    for (size_t h = 0; h < e->n_heads; h++) {
        double sum = 0;
        for (size_t j = 0; j < n; j++) {
            double score = 0;
            for (size_t i = h * width; i < (h + 1) * width; i++) score += q[t * d + i] * k[j * d + i];
            weights[j] = exp(score / sqrt((double)width));
            sum += weights[j];
        }
        for (size_t i = h * width; i < (h + 1) * width; i++) {
            context[i] = 0;
            for (size_t j = 0; j < n; j++) context[i] += weights[j] / sum * v[j * d + i];
        }
    }
    free(weights);
}

static tfm_name name_in(const reference_encoder *e, size_t layer, const char *part) {
    return tfm_name_format("%s%s%zu.%s", e->prefix, e->layers, layer, part);
}

static void layer(const reference_encoder *e, size_t number, double *x, size_t n, size_t d) {
    double *q = doubles(n * d), *k = doubles(n * d), *v = doubles(n * d), *context = doubles(d), *y = doubles(d);
    for (size_t t = 0; t < n; t++) {
        checkpoint_linear(e->m, name_in(e, number, e->query).text, x + t * d, q + t * d);
        checkpoint_linear(e->m, name_in(e, number, e->key).text, x + t * d, k + t * d);
        checkpoint_linear(e->m, name_in(e, number, e->value).text, x + t * d, v + t * d);
    }
    size_t width = part(e->m, name_in(e, number, e->up).text, "bias")->count;
    double *wide = doubles(width);
    for (size_t t = 0; t < n; t++) {
        attend(e, q, k, v, n, d, t, context);
        checkpoint_linear(e->m, name_in(e, number, e->out).text, context, y);
        for (size_t i = 0; i < d; i++) x[t * d + i] += y[i];
        checkpoint_norm(e->m, name_in(e, number, e->norm).text, e->norm_eps, x + t * d);
        checkpoint_linear(e->m, name_in(e, number, e->up).text, x + t * d, wide);
        for (size_t i = 0; i < width; i++) wide[i] = reference_gelu(wide[i]);
        checkpoint_linear(e->m, name_in(e, number, e->down).text, wide, y);
        for (size_t i = 0; i < d; i++) x[t * d + i] += y[i];
        checkpoint_norm(e->m, name_in(e, number, e->final).text, e->norm_eps, x + t * d);
    }
    free(q);
    free(k);
    free(v);
    free(context);
    free(y);
    free(wide);
}

double *reference_states(const reference_encoder *e, const int32_t *ids, const int32_t *types, size_t n) {
    size_t d = model_find(e->m, tfm_name_format("%sembeddings.word_embeddings.weight", e->prefix).text)->shape[1];
    double *x = doubles(n * d);
    for (size_t t = 0; t < n; t++) embed(e, ids[t], types ? types[t] : 0, t, d, x + t * d);
    for (size_t i = 0; i < e->n_layers; i++) layer(e, i, x, n, d);
    return x;
}
