/* executor_reference.c - see executor_reference.h. Written for reading, not for speed. */
#include "executor_reference.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct pass {
    const tiny_model *model;
    const tiny_stack *stack;
    const char *name; /* "encoder", "decoder" */
    size_t d, n;
    double *x; /* (n, d) */
    const double *encoded;
    size_t n_source;
    uint32_t layer;
} pass;

static reference_listener *listener;
static void *listener_user;

void reference_listen(reference_listener *on_weights, void *user) {
    listener = on_weights;
    listener_user = user;
}

static double *allocate(size_t n) {
    double *memory = calloc(n ? n : 1, sizeof *memory);
    if (!memory) abort();
    return memory;
}

__attribute__((format(printf, 2, 3))) static const float *find(const tiny_model *model, const char *format, ...) {
    char name[TFM_NAME_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    return tiny_model_find(model, name);
}

static double activate(const char *activation, double x) {
    if (!strcmp(activation, "none")) return x;
    if (!strcmp(activation, "relu")) return x > 0 ? x : 0;
    if (!strcmp(activation, "gelu")) return 0.5 * x * (1 + erf(x / sqrt(2)));
    if (!strcmp(activation, "gelu_tanh")) return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    if (!strcmp(activation, "silu")) return x / (1 + exp(-x));
    if (!strcmp(activation, "tanh")) return tanh(x);
    abort();
}

void reference_linear(const tiny_model *model, const char *name, const char *activation, const double *x, size_t m,
                      size_t n, size_t k, double *y) {
    const float *w = find(model, "%s.weight", name), *bias = find(model, "%s.bias", name);
    if (!w) abort();
    for (size_t row = 0; row < m; row++) {
        for (size_t i = 0; i < n; i++) {
            double sum = bias ? (double)bias[i] : 0;
            for (size_t j = 0; j < k; j++) sum += x[row * k + j] * (double)w[i * k + j];
            y[row * n + i] = activate(activation, sum);
        }
    }
}

/* y (m, n) = x (m, k) W^T + b; in memory the caller frees. */
static double *linear(const pass *p, const char *stem, const char *part, const double *x, size_t m, size_t n,
                      size_t k) {
    char name[TFM_NAME_MAX + 1];
    double *y = allocate(m * n);
    snprintf(name, sizeof name, "%s.%s", stem, part);
    reference_linear(p->model, name, "none", x, m, n, k, y);
    return y;
}

static void norm_row(const pass *p, const float *weight, const float *bias, const double *x, double *y, size_t n) {
    double mean = 0, square = 0;
    for (size_t i = 0; i < n && !p->stack->rms; i++) mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++) square += (x[i] - mean) * (x[i] - mean) / (double)n;
    double scale = 1 / sqrt(square + TINY_NORM_EPS);
    for (size_t i = 0; i < n; i++) y[i] = (x[i] - mean) * scale * (double)weight[i] + (bias ? (double)bias[i] : 0);
}

static void norm(const pass *p, const char *stem, const double *x, double *y, size_t m) {
    const float *weight = find(p->model, "%s.weight", stem), *bias = find(p->model, "%s.bias", stem);
    if (!weight) abort();
    for (size_t row = 0; row < m; row++) norm_row(p, weight, bias, x + row * p->d, y + row * p->d, p->d);
}

void reference_norm(const tiny_model *model, const char *name, const double *x, size_t m, double *y) {
    pass p = {.model = model, .stack = &model->config.encoder, .d = model->config.d_model};
    norm(&p, name, x, y, m);
}

/* What a score is made of besides query and key. */
typedef struct scoring {
    double scale, soft_cap;
    const double *bias; /* of each key, or NULL */
} scoring;

/* One query over n keys and values, stride apart: the plain formula. place: what the weights are of. */
static void attend(const double *query, const double *keys, const double *values, size_t n, size_t stride,
                   size_t head_dim, scoring how, double *out, reference_place place) {
    double *scores = allocate(n), largest = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < head_dim; j++) scores[i] += query[j] * keys[i * stride + j];
        scores[i] *= how.scale;
        if (how.soft_cap != 0) scores[i] = how.soft_cap * tanh(scores[i] / how.soft_cap);
        if (how.bias) scores[i] += how.bias[i];
        largest = fmax(largest, scores[i]);
    }
    for (size_t i = 0; i < n; i++) sum += scores[i] = exp(scores[i] - largest);
    for (size_t i = 0; i < n; i++) scores[i] /= sum;
    if (listener) listener(listener_user, &place, scores, n);
    for (size_t j = 0; j < head_dim; j++) out[j] = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < head_dim; j++) out[j] += scores[i] * values[i * stride + j];
    free(scores);
}

/* Norms and rotations of one query or key at position t. */
static void prepare_head(const pass *p, const char *stem, const char *part, size_t h, size_t t, double *x) {
    const tiny_stack *s = p->stack;
    const float *weight = find(p->model, "%s.%s.weight", stem, part), *bias = find(p->model, "%s.%s.bias", stem, part);
    size_t own = s->qk_norm == 2 ? h * s->head_dim : 0;
    if (s->qk_norm) norm_row(p, weight + own, bias ? bias + own : NULL, x, x, s->head_dim);
    for (uint32_t i = 0; i < s->rope_dim / 2; i++) {
        double *a = s->rope_interleaved ? x + 2 * i : x + i, *b = s->rope_interleaved ? a + 1 : a + s->rope_dim / 2;
        double angle = (double)t * tiny_frequency(s, i), factor = s->rope_factor != 0 ? s->rope_factor : 1;
        double c = factor * cos(angle), sine = factor * sin(angle), first = *a * c - *b * sine;
        *b = *b * c + *a * sine;
        *a = first;
    }
}

/* The bucket of T5 by its definition. */
static size_t bucket(const tiny_stack *s, ptrdiff_t offset, bool causal) {
    size_t n = s->relative_buckets, first = 0, distance = (size_t)(offset < 0 ? -offset : offset);
    if (!causal) {
        n /= 2;
        first = offset > 0 ? n : 0;
    }
    size_t exact = n / 2;
    if (distance < exact) return first + distance;
    double part = log((double)distance / (double)exact) / log((double)s->relative_max_distance / (double)exact);
    size_t result = exact + (size_t)(part * (double)(n - exact));
    return first + (result < n ? result : n - 1);
}

static double *biases_of(const pass *p, size_t h, size_t t, size_t n, bool causal) {
    const tiny_stack *s = p->stack;
    if (!s->position_word || !strcmp(s->position_word, "rope")) return NULL;
    double *bias = allocate(n);
    const float *table = find(p->model, "%s.relative", p->name);
    for (size_t k = 0; k < n; k++) {
        ptrdiff_t offset = (ptrdiff_t)k - (ptrdiff_t)t;
        bias[k] = table ? (double)table[bucket(s, offset, causal) * s->n_heads + h]
                        : (double)tiny_slope((uint32_t)h) * (double)offset;
    }
    return bias;
}

static double *self_attention(const pass *p, const char *stem, const double *x) {
    const tiny_stack *s = p->stack;
    size_t e = s->head_dim, q = s->n_heads * e, kv = s->n_kv_heads * e, stride = q + 2 * kv;
    double *qkv = linear(p, stem, "qkv", x, p->n, stride, p->d), *context = allocate(p->n * q);
    bool causal = !strcmp(p->name, "decoder");
    for (size_t t = 0; t < p->n; t++) {
        for (size_t h = 0; h < s->n_heads; h++) prepare_head(p, stem, "q_norm", h, t, qkv + t * stride + h * e);
        for (size_t h = 0; h < s->n_kv_heads; h++) prepare_head(p, stem, "k_norm", h, t, qkv + t * stride + q + h * e);
    }
    for (size_t t = 0; t < p->n; t++) {
        size_t end = causal ? t + 1 : p->n, begin = 0;
        if (s->window && p->layer % 2 == 0 && end > s->window) begin = end - s->window;
        for (size_t h = 0; h < s->n_heads; h++) {
            size_t g = h / (s->n_heads / s->n_kv_heads);
            double *bias = biases_of(p, h, t, end, causal);
            scoring how = {s->attention_scale, s->soft_cap, bias ? bias + begin : NULL};
            attend(qkv + t * stride + h * e, qkv + begin * stride + q + g * e, qkv + begin * stride + q + kv + g * e,
                   end - begin, stride, e, how, context + t * q + h * e,
                   (reference_place){causal ? TFM_ATTENTION_SELF : TFM_ATTENTION_ENCODER, p->layer, h, t, begin});
            free(bias);
        }
    }
    double *y = linear(p, stem, "out", context, p->n, p->d, q);
    free(qkv);
    free(context);
    return y;
}

static double *cross_attention(const pass *p, const char *stem, const double *x) {
    const tiny_stack *s = p->stack;
    size_t e = s->head_dim, q = s->n_heads * e;
    double *queries = linear(p, stem, "q", x, p->n, q, p->d), *context = allocate(p->n * q);
    double *kv = linear(p, stem, "kv", p->encoded, p->n_source, 2 * q, p->d);
    for (size_t t = 0; t < p->n; t++)
        for (size_t h = 0; h < s->n_heads; h++)
            attend(queries + t * q + h * e, kv + h * e, kv + q + h * e, p->n_source, 2 * q, e,
                   (scoring){s->attention_scale, 0, NULL}, context + t * q + h * e,
                   (reference_place){TFM_ATTENTION_CROSS, p->layer, h, t, 0});
    double *y = linear(p, stem, "out", context, p->n, p->d, q);
    free(queries);
    free(kv);
    free(context);
    return y;
}

static double *feed_forward(const pass *p, const char *stem, const double *x) {
    const tiny_stack *s = p->stack;
    double *up = linear(p, stem, "up", x, p->n, s->d_ff, p->d);
    double *gate = s->gated ? linear(p, stem, "gate", x, p->n, s->d_ff, p->d) : NULL;
    for (size_t i = 0; i < p->n * s->d_ff; i++)
        up[i] = gate ? activate(s->activation, gate[i]) * up[i] : activate(s->activation, up[i]);
    double *y = linear(p, stem, "down", up, p->n, p->d, s->d_ff);
    free(up);
    free(gate);
    return y;
}

typedef double *sublayer(const pass *p, const char *stem, const double *x);

/* What a sublayer adds to the residual stream x, whose norm is called `norm_name`; in memory the caller frees. */
static double *sublayer_of(pass *p, sublayer *run, const char *part, const char *norm_part) {
    const tiny_stack *s = p->stack;
    char stem[TFM_NAME_MAX + 1], norm_name[TFM_NAME_MAX + 1], post_name[TFM_NAME_MAX + 1];
    snprintf(stem, sizeof stem, "%s.%u.%s", p->name, p->layer, part);
    snprintf(norm_name, sizeof norm_name, "%s.%u.%s.norm", p->name, p->layer, norm_part);
    snprintf(post_name, sizeof post_name, "%s.%u.%s.post_norm", p->name, p->layer, part);
    double *normed = allocate(p->n * p->d), scale = s->residual_scale != 0 ? s->residual_scale : 1;
    bool first = s->pre_norm || s->both_norms;
    if (first) norm(p, norm_name, p->x, normed, p->n);
    double *y = run(p, stem, first ? normed : p->x);
    for (size_t i = 0; i < p->n * p->d; i++) y[i] *= scale;
    if (s->both_norms) norm(p, post_name, y, y, p->n);
    free(normed);
    return y;
}

static void add_to(pass *p, double *y) {
    for (size_t i = 0; i < p->n * p->d; i++) p->x[i] += y[i];
    free(y);
}

static void run_sublayer(pass *p, sublayer *run, const char *part) {
    char norm_name[TFM_NAME_MAX + 1];
    snprintf(norm_name, sizeof norm_name, "%s.%u.%s.norm", p->name, p->layer, part);
    add_to(p, sublayer_of(p, run, part, part));
    if (!p->stack->pre_norm && !p->stack->both_norms) norm(p, norm_name, p->x, p->x, p->n);
}

static void run_layer(pass *p) {
    if (p->stack->sublayers) {
        double *attention = sublayer_of(p, self_attention, "attention", "attention");
        double *ffn = sublayer_of(p, feed_forward, "ffn", p->stack->sublayers == 2 ? "attention" : "ffn");
        add_to(p, attention);
        add_to(p, ffn);
        return;
    }
    run_sublayer(p, self_attention, "attention");
    if (p->encoded) run_sublayer(p, cross_attention, "cross");
    run_sublayer(p, feed_forward, "ffn");
}

static void embed(pass *p, const int32_t *ids, const int32_t *types) {
    const float *table = find(p->model, "%s.embed", p->name), *position = find(p->model, "%s.position", p->name);
    const float *type_table = find(p->model, "%s.token_type", p->name);
    if (!table) table = find(p->model, "embed");
    if (!position) position = find(p->model, "position");
    for (size_t t = 0; t < p->n; t++) {
        for (size_t i = 0; i < p->d; i++) {
            double value = (double)table[(size_t)ids[t] * p->d + i] * p->stack->embed_scale;
            if (p->stack->position_table) value += (double)position[(t + p->stack->position_offset) * p->d + i];
            if (type_table) value += (double)type_table[(size_t)(types ? types[t] : 0) * p->d + i];
            p->x[t * p->d + i] = value;
        }
    }
}

static void forward(pass *p, const int32_t *ids, const int32_t *types) {
    char name[TFM_NAME_MAX + 1];
    embed(p, ids, types);
    snprintf(name, sizeof name, "%s.embed_norm", p->name);
    if (p->stack->embed_norm) norm(p, name, p->x, p->x, p->n);
    for (p->layer = 0; p->layer < p->stack->n_layers; p->layer++) run_layer(p);
    snprintf(name, sizeof name, "%s.norm", p->name);
    if (p->stack->final_norm) norm(p, name, p->x, p->x, p->n);
}

void reference_encode(const tiny_model *model, const int32_t *ids, const int32_t *types, size_t n, double *states) {
    pass p = {.model = model,
              .stack = &model->config.encoder,
              .name = "encoder",
              .d = model->config.d_model,
              .n = n,
              .x = states};
    forward(&p, ids, types);
}

void reference_decode(const tiny_model *model, const int32_t *ids, size_t n, const double *encoded, size_t n_source,
                      double *states, double *logits) {
    pass p = {.model = model,
              .stack = &model->config.decoder,
              .name = "decoder",
              .d = model->config.d_model,
              .n = n,
              .x = states,
              .encoded = encoded,
              .n_source = n_source};
    forward(&p, ids, NULL);
    const float *w = find(model, "output.weight"), *bias = find(model, "output.bias");
    if (!w) w = find(model, "decoder.embed");
    if (!w) w = find(model, "embed");
    size_t vocab = model->config.decoder.vocab_size;
    for (size_t t = 0; t < n; t++) {
        for (size_t v = 0; v < vocab; v++) {
            double sum = bias ? (double)bias[v] : 0;
            for (size_t i = 0; i < p.d; i++) sum += states[t * p.d + i] * (double)w[v * p.d + i];
            if (model->config.output_scale != 0) sum *= model->config.output_scale;
            const double cap = model->config.output_soft_cap;
            logits[t * vocab + v] = cap != 0 ? cap * tanh(sum / cap) : sum;
        }
    }
}

double reference_tolerance(const tiny_model *model, size_t n_positions, double largest) {
    const tiny_config *c = &model->config;
    size_t layers = (size_t)c->encoder.n_layers + c->decoder.n_layers + 1;
    size_t ff = c->encoder.d_ff > c->decoder.d_ff ? c->encoder.d_ff : c->decoder.d_ff;
    /* Rounding errors of a sum of n numbers are about as likely up as down: sqrt(n), not n. */
    return 0x1p-24 * 8 * (double)layers * sqrt((double)(c->d_model * 4 + ff + n_positions)) * fmax(1, largest);
}
