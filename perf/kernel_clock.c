/*
 * kernel_clock.c - the measuring kernel table, and the clocks around the pool and the encoder.
 *
 * The linker sends the library's calls of tfm_pool_run and tfm_encode_step here (--wrap), so that nothing in the
 * library needs to know.
 */
#include "kernel_clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/os/pool.h"
#include "runtime/exec/step.h"
#include "harness.h"

enum { MAX_MATRICES = 4096, MAX_THREADS = 256 };

/* One thread's sums. */
typedef struct clocks {
    double seconds[PERF_PART_COUNT], calls[PERF_PART_COUNT];
    double weighted_calls; /* with 1/n of a region each */
    double weight;         /* of time on this thread: 1 / threads of the region, 1 outside */
    double kernels;        /* seconds in kernels in this task */
    bool in_task;
} clocks;

static struct {
    const tfm_kernels *original;
    tfm_kernels clocked;
    struct {
        const void *data;
        perf_part part;
    } matrices[MAX_MATRICES];
    size_t n_matrices;
    clocks *threads[MAX_THREADS];
    size_t n_threads;
    pthread_mutex_t lock;
    bool on;
    double start, encoder, regions;
    double inside, around; /* what one measurement costs: within its own figure, and beside it */
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local clocks *mine;

static clocks *my_clocks(void) {
    if (mine) return mine;
    mine = calloc(1, sizeof *mine);
    pthread_mutex_lock(&state.lock);
    if (!mine || state.n_threads == MAX_THREADS) abort();
    mine->weight = 1;
    state.threads[state.n_threads++] = mine;
    pthread_mutex_unlock(&state.lock);
    return mine;
}

static void count(perf_part part, double start) {
    double seconds = perf_seconds() - start - state.inside;
    clocks *c = my_clocks();
    c->seconds[part] += seconds * c->weight;
    c->calls[part]++;
    c->weighted_calls += c->weight;
    if (c->in_task) c->kernels += seconds + state.inside + state.around;
}

/* ---- clocked kernels ---- */

static int by_data(const void *a, const void *b) {
    const void *const *x = a, *const *y = b;
    return *x < *y ? -1 : *x > *y;
}

static perf_part part_of(const tfm_matrix *w) {
    const void *key = w->data;
    const void *found = bsearch(&key, state.matrices, state.n_matrices, sizeof *state.matrices, by_data);
    size_t i = found ? (size_t)((const char *)found - (const char *)state.matrices) / sizeof *state.matrices : 0;
    return found ? state.matrices[i].part : PERF_PART_OTHER;
}

static void add_matrix(const tfm_linear *l, perf_part part) {
    if (l->w.n == 0 || state.n_matrices == MAX_MATRICES) return;
    state.matrices[state.n_matrices].data = l->w.data;
    state.matrices[state.n_matrices++].part = part;
}

static void gemm(const tfm_gemm_args *a, size_t row0, size_t row1, size_t panel0, size_t panel1) {
    perf_part part = part_of(a->w);
    double start = perf_seconds();
    state.original->gemm(a, row0, row1, panel0, panel1);
    count(part, start);
}
static void gemm_int(const tfm_gemm_args *a, size_t row0, size_t row1, size_t panel0, size_t panel1) {
    perf_part part = part_of(a->w);
    double start = perf_seconds();
    state.original->gemm_int(a, row0, row1, panel0, panel1);
    count(part, start);
}
static void quantize(const float *x, size_t x_stride, size_t k, const tfm_quantized *to, size_t row0, size_t row1) {
    double start = perf_seconds();
    state.original->quantize(x, x_stride, k, to, row0, row1);
    count(PERF_PART_QUANTIZE, start);
}
static void attention(const tfm_attention_args *a) {
    double start = perf_seconds();
    state.original->attention(a);
    count(a->causal ? PERF_PART_ATTENTION : PERF_PART_CROSS_ATTENTION, start);
}
static void kv_store(const tfm_kv_view *to, size_t first, size_t n_rows, size_t head_dim, const float *key,
                     size_t key_stride, const float *value, size_t value_stride) {
    double start = perf_seconds();
    state.original->kv_store(to, first, n_rows, head_dim, key, key_stride, value, value_stride);
    count(PERF_PART_STORE, start);
}
static void layer_norm(const float *x, size_t x_stride, float *y, size_t y_stride, size_t m, size_t n,
                       const float *weight, const float *bias, float eps) {
    double start = perf_seconds();
    state.original->layer_norm(x, x_stride, y, y_stride, m, n, weight, bias, eps);
    count(PERF_PART_NORM, start);
}
static void rms_norm(const float *x, size_t x_stride, float *y, size_t y_stride, size_t m, size_t n,
                     const float *weight, float eps) {
    double start = perf_seconds();
    state.original->rms_norm(x, x_stride, y, y_stride, m, n, weight, eps);
    count(PERF_PART_NORM, start);
}
static void activate(const float *x, float *y, size_t n, tfm_activation act, const float *mul) {
    double start = perf_seconds();
    state.original->activate(x, y, n, act, mul);
    count(PERF_PART_OTHER, start);
}
static void add(float *y, const float *x, size_t n) {
    double start = perf_seconds();
    state.original->add(y, x, n);
    count(PERF_PART_OTHER, start);
}
static void softmax(float *x, size_t n) {
    double start = perf_seconds();
    state.original->softmax(x, n);
    count(PERF_PART_SOFTMAX, start);
}
static float log_sum_exp(const float *x, size_t n) {
    double start = perf_seconds();
    float sum = state.original->log_sum_exp(x, n);
    count(PERF_PART_SOFTMAX, start);
    return sum;
}
static void log_softmax(const float *x, float *y, size_t n) {
    double start = perf_seconds();
    state.original->log_softmax(x, y, n);
    count(PERF_PART_SOFTMAX, start);
}
static size_t top_k(const float *x, size_t n, size_t k, float *values, uint32_t *indices) {
    double start = perf_seconds();
    size_t found = state.original->top_k(x, n, k, values, indices);
    count(PERF_PART_SOFTMAX, start);
    return found;
}
static void embed_panels(const tfm_matrix *table, const int32_t *ids, size_t m, float scale, const float *position,
                         const uint32_t *positions, float *y, size_t y_stride) {
    double start = perf_seconds();
    state.original->embed_panels(table, ids, m, scale, position, positions, y, y_stride);
    count(PERF_PART_EMBED, start);
}
static void embed_rows(const tfm_matrix *table, const int32_t *ids, size_t m, float scale, const float *position,
                       const uint32_t *positions, float *y, size_t y_stride) {
    double start = perf_seconds();
    state.original->embed_rows(table, ids, m, scale, position, positions, y, y_stride);
    count(PERF_PART_EMBED, start);
}

static void add_stack(const tfm_stack *stack) {
    for (uint32_t i = 0; stack->options && i < stack->options->n_layers; i++) {
        const tfm_layer *l = &stack->layers[i];
        add_matrix(&l->attention.qkv, PERF_PART_QKV);
        add_matrix(&l->attention.out, PERF_PART_QKV);
        add_matrix(&l->cross.q, PERF_PART_CROSS);
        add_matrix(&l->cross.kv, PERF_PART_CROSS);
        add_matrix(&l->cross.out, PERF_PART_CROSS);
        add_matrix(&l->ffn.up, PERF_PART_FFN);
        add_matrix(&l->ffn.gate, PERF_PART_FFN);
        add_matrix(&l->ffn.down, PERF_PART_FFN);
    }
}

/* What it costs to measure nothing: the least of many tries, as others may use the processor too. */
static void calibrate(void) {
    enum { TRIES = 200, CALLS = 100 };
    double least = 1, inside = 0;
    state.inside = state.around = 0;
    for (int try = 0; try < TRIES; try++) {
        perf_clock_start();
        double start = perf_seconds();
        for (int i = 0; i < CALLS; i++) count(PERF_PART_OTHER, perf_seconds());
        double whole = (perf_seconds() - start) / CALLS;
        if (whole >= least) continue;
        least = whole;
        inside = my_clocks()->seconds[PERF_PART_OTHER] / CALLS;
    }
    state.on = false;
    state.inside = inside;
    state.around = least - inside;
}

void perf_clock_install(tfm_model *model) {
    state.original = model->kernels;
    state.clocked = *model->kernels; /* kernels that are not listed here run unmeasured, as glue */
    state.clocked.gemm = gemm;
    state.clocked.gemm_int = gemm_int;
    state.clocked.quantize = quantize;
    state.clocked.attention = attention;
    state.clocked.kv_store = kv_store;
    state.clocked.layer_norm = layer_norm;
    state.clocked.rms_norm = rms_norm;
    state.clocked.activate = activate;
    state.clocked.add = add;
    state.clocked.softmax = softmax;
    state.clocked.log_sum_exp = log_sum_exp;
    state.clocked.log_softmax = log_softmax;
    state.clocked.top_k = top_k;
    state.clocked.embed_panels = embed_panels;
    state.clocked.embed_rows = embed_rows;
    add_stack(&model->encoder);
    add_stack(&model->decoder);
    add_matrix(&model->output, PERF_PART_VOCAB);
    qsort(state.matrices, state.n_matrices, sizeof *state.matrices, by_data);
    calibrate();
    model->kernels = &state.clocked;
}

/* ---- the pool and the encoder ---- */

void __real_tfm_pool_run(tfm_pool *pool, tfm_task *task, void *arg);
void __wrap_tfm_pool_run(tfm_pool *pool, tfm_task *task, void *arg);
tfm_status __real_tfm_encode_step(tfm_session *session, const tfm_tokens *inputs, size_t n_sources, int32_t *sources,
                                  tfm_step_result *result, tfm_error *error);
tfm_status __wrap_tfm_encode_step(tfm_session *session, const tfm_tokens *inputs, size_t n_sources, int32_t *sources,
                                  tfm_step_result *result, tfm_error *error);

typedef struct region {
    tfm_task *task;
    void *arg;
    double busy[MAX_THREADS];
    unsigned n_workers;
} region;

/* A worker's part of a region: what is not in kernels is glue. */
static void clocked_task(void *arg, unsigned worker, unsigned n_workers) {
    region *r = arg;
    clocks *c = my_clocks();
    c->weight = 1.0 / n_workers;
    c->in_task = true;
    c->kernels = 0;
    double start = perf_seconds();
    r->task(r->arg, worker, n_workers);
    double busy = perf_seconds() - start;
    double glue = busy - c->kernels;
    c->seconds[PERF_PART_GLUE] += (glue > 0 ? glue : 0) * c->weight;
    c->in_task = false;
    c->weight = 1;
    r->busy[worker % MAX_THREADS] = busy;
    if (worker == 0) r->n_workers = n_workers;
}

void __wrap_tfm_pool_run(tfm_pool *pool, tfm_task *task, void *arg) {
    if (!state.on || my_clocks()->in_task) {
        __real_tfm_pool_run(pool, task, arg);
        return;
    }
    region r = {.task = task, .arg = arg};
    double start = perf_seconds(), busy = 0;
    __real_tfm_pool_run(pool, clocked_task, &r);
    double wall = perf_seconds() - start;
    for (unsigned i = 0; i < r.n_workers && i < MAX_THREADS; i++) busy += r.busy[i];
    double waiting = wall - busy / r.n_workers;
    clocks *c = my_clocks();
    c->seconds[PERF_PART_POOL] += waiting > 0 ? waiting : 0;
    c->calls[PERF_PART_POOL] += r.n_workers > 1;
    state.regions++;
}

static void clear(void) {
    for (size_t i = 0; i < state.n_threads; i++) *state.threads[i] = (clocks){.weight = 1};
}

/* The clocks stand still while an encoder runs: what they counted is put back. */
tfm_status __wrap_tfm_encode_step(tfm_session *session, const tfm_tokens *inputs, size_t n_sources, int32_t *sources,
                                  tfm_step_result *result, tfm_error *error) {
    clocks kept[MAX_THREADS];
    double regions = state.regions, start = perf_seconds();
    size_t n = state.n_threads;
    for (size_t i = 0; i < n; i++) kept[i] = *state.threads[i];
    tfm_status status = __real_tfm_encode_step(session, inputs, n_sources, sources, result, error);
    if (!state.on) return status;
    clear();
    for (size_t i = 0; i < n; i++) *state.threads[i] = kept[i];
    state.regions = regions;
    state.encoder += perf_seconds() - start;
    return status;
}

void perf_clock_start(void) {
    clear();
    state.encoder = state.regions = 0;
    state.on = true;
    state.start = perf_seconds();
}

perf_shares perf_clock_stop(void) {
    perf_shares shares = {
        .total = perf_seconds() - state.start - state.encoder, .encoder = state.encoder, .regions = state.regions};
    state.on = false;
    double known = 0, clock_calls = 0;
    for (size_t i = 0; i < state.n_threads; i++) {
        const clocks *c = state.threads[i];
        for (int part = 0; part < PERF_PART_COUNT; part++) {
            shares.seconds[part] += c->seconds[part];
            shares.calls[part] += c->calls[part];
            known += c->seconds[part];
        }
        clock_calls += c->weighted_calls;
    }
    shares.total -= clock_calls * (state.inside + state.around); /* the clocks' own time */
    shares.seconds[PERF_PART_SERIAL] = shares.total > known ? shares.total - known : 0;
    return shares;
}

const char *perf_part_name(perf_part part) {
    static const char *const names[] = {
        [PERF_PART_QKV] = "products: self-attention",
        [PERF_PART_CROSS] = "products: cross-attention",
        [PERF_PART_FFN] = "products: feed-forward",
        [PERF_PART_VOCAB] = "products: vocabulary",
        [PERF_PART_ATTENTION] = "self-attention",
        [PERF_PART_CROSS_ATTENTION] = "cross-attention",
        [PERF_PART_STORE] = "storing keys and values",
        [PERF_PART_QUANTIZE] = "quantisation of activations",
        [PERF_PART_NORM] = "norms",
        [PERF_PART_SOFTMAX] = "softmax and top-k over the vocabulary",
        [PERF_PART_EMBED] = "embeddings",
        [PERF_PART_OTHER] = "other kernels",
        [PERF_PART_GLUE] = "between kernels",
        [PERF_PART_POOL] = "starting and waiting for threads",
        [PERF_PART_SERIAL] = "search and bookkeeping",
    };
    return names[part];
}
