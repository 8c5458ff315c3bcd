/* attention_test.c - attention over paged keys and values, and the kernel that stores them. */
#include "checker.h"

#include <stdlib.h>
#include <string.h>

typedef struct cache {
    tfm_dtype dtype;
    tfm_kv_layout layout;
    char *data; /* (n_pages, page_stride) bytes; the last page may end early */
    uint32_t *pages;
    size_t n_pages, page_stride, extent, head_dim, n_positions;
    float *key, *value;           /* (n_positions, head_dim), what is stored */
    float *held_key, *held_value; /* likewise, what the cache then stands for */
} cache;

typedef struct attention {
    cache cache;
    tfm_attention_args args;
    size_t extent; /* floats of out */
} attention;

/* What the cache's type makes of one row: elements (as in the pages) and scale; held gets the numbers they stand for.
 */
static float store_reference(tfm_dtype dtype, const float *row, size_t n, void *elements, float *held) {
    float max = 0, scale = 1;
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        finite = finite && isfinite(row[i]);
        if (fabsf(row[i]) > max) max = fabsf(row[i]);
    }
    if (dtype == TFM_I8) scale = finite ? max / 127 : NAN;
    float factor = finite && max > 0 && isfinite(127 / max) ? 127 / max : 0;
    for (size_t i = 0; i < n; i++) {
        if (dtype == TFM_F32) {
            ((float *)elements)[i] = held[i] = row[i];
        } else if (dtype == TFM_F16) {
            ((uint16_t *)elements)[i] = tfm_f32_to_f16(row[i]);
            held[i] = tfm_f16_to_f32(((uint16_t *)elements)[i]);
        } else {
            ((int8_t *)elements)[i] = factor == 0 ? 0 : (int8_t)nearbyintf(row[i] * factor);
            held[i] = ((int8_t *)elements)[i] * scale;
        }
    }
    return scale;
}

/* Pages in random order, all bits set where no position is: NaN in keys and scales, so that whoever uses them is found
 * out. */
static void make_cache(check_case *c, cache *t, size_t n_positions, size_t head_dim) {
    static const tfm_dtype dtypes[] = {TFM_F32, TFM_F16, TFM_I8};
    size_t used = tfm_panel_count(n_positions), n = n_positions * head_dim;
    *t = (cache){.head_dim = head_dim, .n_positions = n_positions, .n_pages = used + check_below(c, 3)};
    t->dtype = dtypes[check_below(c, 3)];
    t->layout = tfm_kv_layout_of(t->dtype, head_dim);
    t->page_stride = t->layout.bytes + 64 * check_below(c, 2);
    t->extent = check_extent(t->n_pages, t->layout.bytes, t->page_stride);
    t->data = check_aligned(c, t->extent);
    memset(t->data, 0xff, t->extent);
    t->pages = check_bytes(c, used * sizeof *t->pages);
    size_t shift = t->n_pages ? check_below(c, t->n_pages) : 0;
    for (size_t i = 0; i < used; i++) t->pages[i] = (uint32_t)((used - 1 - i + shift) % t->n_pages);
    t->key = check_floats(c, n);
    t->value = check_floats(c, n);
    t->held_key = check_floats(c, n);
    t->held_value = check_floats(c, n);
    check_fill(c, t->key, n);
    check_fill(c, t->value, n);
    for (size_t i = 0; i < n && t->dtype == TFM_F16; i++) { /* at most 2^20 before */
        t->key[i] *= 0x1p-6f;
        t->value[i] *= 0x1p-6f;
    }
    void *elements = check_aligned(c, head_dim * sizeof(float));
    for (size_t i = 0; i < n; i += head_dim) {
        store_reference(t->dtype, t->key + i, head_dim, elements, t->held_key + i);
        store_reference(t->dtype, t->value + i, head_dim, elements, t->held_value + i);
    }
}

static tfm_kv_view view_of(const cache *t) {
    tfm_kv_view view = {.dtype = t->dtype,
                        .k = t->data + t->layout.k,
                        .v = t->data + t->layout.v,
                        .pages = t->pages,
                        .page_stride = t->page_stride};
    if (t->dtype == TFM_I8) {
        view.k_scale = (float *)(void *)(t->data + t->layout.k_scale);
        view.v_scale = (float *)(void *)(t->data + t->layout.v_scale);
    }
    return view;
}

static void fill_cache(const cache *t, const tfm_kernels *k) {
    tfm_kv_view view = view_of(t);
    k->kv_store(&view, 0, t->n_positions, t->head_dim, t->key, t->head_dim, t->value, t->head_dim);
}

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
    size_t n_positions = check_chance(c, 15) ? check_between(c, 200, 800) : check_size(c, 70);
    size_t group = check_chance(c, 60) ? 1 : check_between(c, 1, 4);
    *t = (attention){0};
    make_cache(c, &t->cache, n_positions, head_dim);
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
    a->kv = view_of(&t->cache);
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
    fill_cache(&t.cache, k);
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
    fill_cache(&t.cache, k);
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
    fill_cache(&t.cache, k);
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
    fill_cache(&t.cache, k);
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

/* Position p's row, as the reference has it, in the pages at `data`. */
static void place_reference(const cache *t, char *data, size_t p, void *elements, float *held) {
    size_t size = tfm_number_bytes(t->dtype), lane = p % TFM_PANEL;
    char *page = data + t->pages[p / TFM_PANEL] * t->page_stride;
    float scale = store_reference(t->dtype, t->key + p * t->head_dim, t->head_dim, elements, held);
    if (t->dtype == TFM_I8) memcpy(page + t->layout.k_scale + lane * sizeof scale, &scale, sizeof scale);
    for (size_t d = 0; d < t->head_dim; d++)
        memcpy(page + t->layout.k + (d * TFM_PANEL + lane) * size, (char *)elements + d * size, size);
    scale = store_reference(t->dtype, t->value + p * t->head_dim, t->head_dim, elements, held);
    if (t->dtype == TFM_I8) memcpy(page + t->layout.v_scale + lane * sizeof scale, &scale, sizeof scale);
    for (size_t d = 0; d < tfm_panel_count(t->head_dim) * TFM_PANEL; d++) {
        char *to = page + t->layout.v + (d / TFM_PANEL * TFM_PANEL + lane) * TFM_PANEL * size + d % TFM_PANEL * size;
        memset(to, 0, size);
        if (d < t->head_dim) memcpy(to, (char *)elements + d * size, size);
    }
}

/* Now and then numbers that the cache's type cannot hold. NaN only where its bits cannot show. */
static void make_odd(check_case *c, const cache *t, float *x) {
    static const float values[] = {INFINITY, -INFINITY, 65519.9f, 65520.0f, 1e30f, 3e-8f, 0x1p-25f, 1e-40f, NAN};
    size_t n = t->n_positions * t->head_dim;
    for (size_t i = 0; i < n; i++)
        if (check_chance(c, 3)) x[i] = values[check_below(c, t->dtype == TFM_I8 ? 9 : 8)];
    for (size_t p = 0; p < t->n_positions; p++) { /* whole rows too small for a factor, and rows of zeros */
        bool tiny = check_chance(c, 5), zero = check_chance(c, 5);
        for (size_t d = 0; d < t->head_dim && (tiny || zero); d++) x[p * t->head_dim + d] *= zero ? 0.0f : 0x1p-130f;
    }
}

/* Stores rows at a random place in two runs, and looks at every byte of the cache. */
void check_kv_store(check_case *c, const tfm_kernels *k) {
    cache t;
    size_t n_positions = check_size(c, 60), head_dim = check_chance(c, 20) ? 64 : check_size(c, 40);
    make_cache(c, &t, n_positions, head_dim);
    if (check_chance(c, 30)) {
        make_odd(c, &t, t.key);
        make_odd(c, &t, t.value);
    }
    size_t first = check_between(c, 0, n_positions), end = check_between(c, first, n_positions);
    size_t middle = check_between(c, first, end), stride = head_dim;
    const float *key = t.key + first * stride, *value = t.value + first * stride;
    tfm_kv_view view = view_of(&t);
    k->kv_store(&view, first, middle - first, head_dim, key, stride, value, stride);
    k->kv_store(&view, middle, end - middle, head_dim, key + (middle - first) * stride, stride,
                value + (middle - first) * stride, stride);
    char *expected = check_aligned(c, t.extent);
    memset(expected, 0xff, t.extent);
    void *elements = check_aligned(c, head_dim * sizeof(float));
    float *held = check_floats(c, head_dim);
    for (size_t p = first; p < end; p++) place_reference(&t, expected, p, elements, held);
    for (size_t i = 0; i < t.extent && !c->failed; i += sizeof(float)) {
        float got, wanted;
        memcpy(&got, t.data + i, sizeof got);
        memcpy(&wanted, expected + i, sizeof wanted);
        if (memcmp(&got, &wanted, sizeof got) != 0 && !(t.dtype == TFM_I8 && isnan(got) && isnan(wanted)))
            check_fail(c, "kv_store, %s: byte %zu of a page: got %a, expected %a", tfm_dtype_name(t.dtype),
                       i % t.page_stride, (double)got, (double)wanted);
    }
}
