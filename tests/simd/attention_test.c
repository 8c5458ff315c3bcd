/* attention_test.c - attention over paged keys and values. */
#include "checker.h"

#include <string.h>

#include "kv_case.h"

typedef struct attention {
    kv_case cache;
    tfm_attention_args args;
    size_t extent; /* floats of out */
} attention;

static void make_bias(check_case *c, attention *t) {
    tfm_attention_args *a = &t->args;
    size_t row = a->n_positions + check_below(c, 4);
    a->bias_row_stride = check_chance(c, 20) ? 0 : (ptrdiff_t)row;
    a->bias_group_stride = check_chance(c, 20) ? 0 : (ptrdiff_t)(row * a->n_query);
    size_t last_row = a->n_query > 0 && a->bias_row_stride ? (a->n_query - 1) * row : 0;
    size_t last_group = a->group > 0 && a->bias_group_stride ? (a->group - 1) * row * a->n_query : 0;
    size_t n = last_row + last_group + a->n_positions;
    float *bias = check_floats(c, n);
    check_fill(c, bias, n);
    bool masks = check_chance(c, 30);
    for (size_t i = 0; i < n && masks; i++)
        if (check_chance(c, 20)) bias[i] = -INFINITY;
    a->bias = bias;
}

static void make_attention(check_case *c, attention *t) {
    size_t head_dim = check_chance(c, 20) ? 64 : check_chance(c, 20) ? check_size(c, 40) : check_between(c, 1, 40);
    head_dim += head_dim == 0; /* a head has features */
    size_t n_positions = check_chance(c, 15) ? check_between(c, 200, 800) : check_size(c, 70);
    size_t group = check_chance(c, 60) ? 1 : check_between(c, 1, 4);
    *t = (attention){0};
    kv_case_make(c, &t->cache, n_positions, head_dim);
    tfm_attention_args *a = &t->args;
    bool causal = check_chance(c, 50);
    size_t most = check_chance(c, 30) ? 30 : 7;
    a->n_query = causal && most > n_positions ? check_between(c, 0, n_positions) : check_size(c, most);
    a->group = group;
    a->head_dim = head_dim;
    a->n_positions = n_positions;
    a->causal = causal;
    a->query_position = causal ? check_between(c, 0, n_positions - a->n_query) : check_below(c, n_positions + 5);
    a->window = check_chance(c, 30) ? check_between(c, 1, n_positions + 3) : 0;
    a->scale = check_uniform(c, 0.05f, 0.6f);
    a->soft_cap = check_chance(c, 20) ? check_uniform(c, 0.5f, 5) : 0;
    a->query_group_stride = head_dim + check_below(c, 3);
    a->query_stride = group * a->query_group_stride + check_below(c, 3);
    a->out_group_stride = head_dim + check_below(c, 3);
    a->out_stride = group * a->out_group_stride + check_below(c, 3);
    size_t rows = a->n_query,
           n = rows ? (rows - 1) * a->query_stride + (group - 1) * a->query_group_stride + head_dim : 0;
    float *query = check_floats(c, n);
    check_fill(c, query, n);
    float factor = check_chance(c, 20) ? 20.0f : 3.0f;
    for (size_t i = 0; i < n; i++) query[i] *= factor;
    a->query = query;
    a->kv = kv_case_view(&t->cache);
    if (check_chance(c, 30)) make_bias(c, t);
    t->extent = rows ? (rows - 1) * a->out_stride + (group - 1) * a->out_group_stride + head_dim : 0;
}

static float *run(check_case *c, attention *t, const tfm_kernels *k) {
    float *out = check_floats(c, t->extent);
    t->args.out = out;
    t->args.scratch = check_aligned(c, tfm_attention_scratch(k, t->args.head_dim));
    k->attention(&t->args);
    return out;
}

static bool in_head(const void *context, size_t i) {
    const tfm_attention_args *a = context;
    size_t within = i % a->out_stride;
    return within / a->out_group_stride < a->group && within % a->out_group_stride < a->head_dim;
}

/* Weights of one row in double; returns the largest error the kernel may make in a score. */
static double reference_weights(const attention *t, size_t row, size_t head, double *weights) {
    const tfm_attention_args *a = &t->args;
    const float *q = a->query + row * a->query_stride + head * a->query_group_stride;
    size_t next = a->query_position + row + 1, end = a->causal ? next : a->n_positions;
    size_t begin = a->window == 0 || next < a->window ? 0 : next - a->window;
    double max = -INFINITY, sum = 0, error = 0;
    for (size_t p = 0; p < a->n_positions; p++) {
        double s = 0, size = 0;
        weights[p] = -INFINITY;
        if (p < begin || p >= end) continue;
        for (size_t d = 0; d < a->head_dim; d++) {
            double term = (double)q[d] * (double)t->cache.held_key[p * a->head_dim + d];
            s += term;
            size += fabs(term);
        }
        s *= (double)a->scale;
        double one = ((double)a->head_dim + 3) * CHECK_U * size * (double)a->scale;
        if (a->soft_cap != 0) {
            s = (double)a->soft_cap * tanh(s / (double)a->soft_cap);
            one += 6 * CHECK_U * fabs(s);
        }
        if (a->bias)
            s += a->bias[(ptrdiff_t)row * a->bias_row_stride + (ptrdiff_t)head * a->bias_group_stride + (ptrdiff_t)p];
        weights[p] = s;
        if (s == -INFINITY) continue;
        one += CHECK_U * fabs(s);
        if (one > error) error = one;
        if (s > max) max = s;
    }
    for (size_t p = 0; p < a->n_positions; p++) sum += weights[p] = max == -INFINITY ? 0 : exp(weights[p] - max);
    double range = 0; /* score - max is rounded too */
    for (size_t p = 0; p < a->n_positions; p++) {
        if (weights[p] > 1e-38 && -log(weights[p]) > range) range = -log(weights[p]);
        if (sum > 0) weights[p] /= sum;
    }
    return error + CHECK_U * range;
}

static void check_row(check_case *c, const attention *t, size_t row, size_t head, const float *out) {
    const tfm_attention_args *a = &t->args;
    double *weights = check_bytes(c, a->n_positions * sizeof *weights);
    double error = reference_weights(t, row, head, weights), n = (double)a->n_positions;
    double relative = 2 * expm1(error) * 1.01 + (2 * n + 40) * CHECK_U;
    for (size_t d = 0; d < a->head_dim && !c->failed; d++) {
        double y = 0, size = 0;
        for (size_t p = 0; p < a->n_positions; p++) {
            y += weights[p] * (double)t->cache.held_value[p * a->head_dim + d];
            size += weights[p] * fabs((double)t->cache.held_value[p * a->head_dim + d]);
        }
        check_near(c, "attention", d, out[row * a->out_stride + head * a->out_group_stride + d], y,
                   relative * size + 1e-36);
    }
}

void check_attention(check_case *c, const tfm_kernels *k) {
    attention t;
    make_attention(c, &t);
    kv_case_fill(&t.cache, k);
    float *got = run(c, &t, k), *expected = run(c, &t, check_scalar());
    check_untouched(c, "attention", got, t.extent, in_head, &t.args);
    for (size_t i = 0; i < t.extent && !c->failed; i++)
        if (in_head(&t.args, i)) check_equal(c, "attention", got + i, expected + i, 1);
    size_t rows = t.args.n_query * t.args.group;
    for (size_t i = 0; i < 3 && rows > 0; i++) {
        size_t pair = i == 0 ? rows - 1 : check_below(c, rows);
        check_row(c, &t, pair / t.args.group, pair % t.args.group, got);
    }
}

/* Queries cut into runs, heads taken apart, later keys not stored yet: a row's bits are those it has in the whole. */
void check_attention_cuts(check_case *c, const tfm_kernels *k) {
    attention t;
    make_attention(c, &t);
    kv_case_fill(&t.cache, k);
    float *whole = run(c, &t, k), *pieces = check_floats(c, t.extent);
    const tfm_attention_args a = t.args;
    if (a.causal) { /* forget all positions from the first query on */
        for (size_t i = 0; i < t.cache.n_pages; i++)
            memset(t.cache.data + i * t.cache.page_stride, 0xff, t.cache.layout.v);
        k->kv_store(&a.kv, 0, a.query_position, a.head_dim, t.cache.key, a.head_dim, t.cache.value, a.head_dim);
    }
    for (size_t row = 0; row < a.n_query;) {
        size_t n = check_chance(c, 60) ? 1 : check_between(c, 1, a.n_query - row), from = a.query_position + row;
        if (a.causal)
            k->kv_store(&a.kv, from, n, a.head_dim, t.cache.key + from * a.head_dim, a.head_dim,
                        t.cache.value + from * a.head_dim, a.head_dim);
        bool apart = check_chance(c, 50);
        for (size_t head = 0; head < (apart ? a.group : 1); head++) {
            tfm_attention_args one = a;
            one.n_query = n;
            one.query_position = from;
            if (a.causal) one.n_positions = from + n;
            if (apart) one.group = 1;
            one.query += row * a.query_stride + head * a.query_group_stride;
            one.out = pieces + row * a.out_stride + head * a.out_group_stride;
            if (a.bias) one.bias += (ptrdiff_t)row * a.bias_row_stride + (ptrdiff_t)head * a.bias_group_stride;
            k->attention(&one);
        }
        row += n;
    }
    for (size_t i = 0; i < t.extent && !c->failed; i++)
        if (in_head(&a, i)) check_equal(c, "attention in pieces", pieces + i, whole + i, 1);
}

/* Infinities and NaN in one row's query, or in a bias, stay in that row and are the same everywhere. */
void check_attention_special(check_case *c, const tfm_kernels *k) {
    static const float values[] = {INFINITY, -INFINITY, NAN, 0x1p127f, -0x1p127f};
    attention t;
    make_attention(c, &t);
    tfm_attention_args *a = &t.args;
    if (a->n_query == 0 || a->head_dim == 0) return;
    kv_case_fill(&t.cache, k);
    float *before = run(c, &t, k);
    size_t row = check_below(c, a->n_query),
           n = (a->n_query - 1) * a->query_stride + (a->group - 1) * a->query_group_stride + a->head_dim;
    float *query = check_floats(c, n);
    memcpy(query, a->query, n * sizeof *query);
    query[row * a->query_stride + check_below(c, a->head_dim)] = values[check_below(c, 5)];
    a->query = query;
    float *got = run(c, &t, k), *expected = run(c, &t, check_scalar());
    for (size_t i = 0; i < t.extent && !c->failed; i++) {
        if (!in_head(a, i)) continue;
        check_equal(c, "attention with special values", got + i, expected + i, 1);
        if (i / a->out_stride != row) check_equal(c, "attention beside special values", got + i, before + i, 1);
    }
}

void check_attention_weights(check_case *c, const tfm_kernels *k) {
    attention t;
    make_attention(c, &t);
    kv_case_fill(&t.cache, k);
    const tfm_attention_args *a = &t.args;
    size_t stride = a->n_positions + check_below(c, 3), extent = check_extent(a->n_query, a->n_positions, stride);
    float *got = check_floats(c, extent), *expected = check_floats(c, extent);
    k->attention_weights(a, got, stride);
    check_scalar()->attention_weights(a, expected, stride);
    check_equal(c, "attention_weights", got, expected, extent);
    double *weights = check_bytes(c, a->n_positions * sizeof *weights), n = (double)a->n_positions;
    for (size_t row = 0; row < a->n_query && !c->failed; row++) {
        double relative = 2 * expm1(reference_weights(&t, row, 0, weights)) * 1.01 + (n / 8 + 40) * CHECK_U;
        for (size_t p = 0; p < a->n_positions; p++)
            check_near(c, "attention_weights", p, got[row * stride + p], weights[p], relative * weights[p] + 1e-36);
    }
}
