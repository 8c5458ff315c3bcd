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

#include "harness.h"
#include "runtime/exec/step.h"
#include "runtime/os/pool.h"

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

/* What the time of a kernel counts as; a product's as that of its matrix. The names are those of kernels.def. */
#define PART_OF_gemm part_of(args->w)
#define PART_OF_gemm_int part_of(args->w)
#define PART_OF_quantize PERF_PART_QUANTIZE
#define PART_OF_attention (args->causal ? PERF_PART_ATTENTION : PERF_PART_CROSS_ATTENTION)
#define PART_OF_attention_weights PERF_PART_OTHER
#define PART_OF_kv_store PERF_PART_STORE
#define PART_OF_layer_norm PERF_PART_NORM
#define PART_OF_rms_norm PERF_PART_NORM
#define PART_OF_activate PERF_PART_OTHER
#define PART_OF_softmax PERF_PART_SOFTMAX
#define PART_OF_log_sum_exp PERF_PART_SOFTMAX
#define PART_OF_log_softmax PERF_PART_SOFTMAX
#define PART_OF_top_k PERF_PART_SOFTMAX
#define PART_OF_embed_panels PERF_PART_EMBED
#define PART_OF_embed_rows PERF_PART_EMBED
#define PART_OF_rope PERF_PART_OTHER
#define PART_OF_soft_cap PERF_PART_OTHER
#define PART_OF_add PERF_PART_OTHER

/* A call that is being clocked; counted when it goes out of scope, after the kernel's result is known. */
typedef struct clocked_call {
    perf_part part;
    double start;
} clocked_call;

static void count_call(clocked_call *call) { count(call->part, call->start); }

/* A kernel with the clock around it. Returning what a function without result "returns" is only pedantically wrong. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#define KERNEL(type, name, parameters, arguments)                                                                      \
    static type clocked_##name parameters {                                                                            \
        const perf_part part = PART_OF_##name;                                                                         \
        __attribute__((cleanup(count_call), unused)) clocked_call call = {part, perf_seconds()};                       \
        return state.original->name arguments;                                                                         \
    }
#include "simd/kernels.def"
#pragma GCC diagnostic pop

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
    state.clocked = (tfm_kernels){
        .isa = model->kernels->isa,
        .tile_rows = model->kernels->tile_rows,
#define KERNEL(type, name, parameters, arguments) .name = clocked_##name,
#include "simd/kernels.def"
    };
    add_stack(&model->encoder);
    add_stack(&model->decoder);
    add_matrix(&model->output, PERF_PART_VOCAB);
    qsort(state.matrices, state.n_matrices, sizeof *state.matrices, by_data);
    calibrate();
    model->kernels = &state.clocked;
}

/* ---- the pool and the encoder ---- */

/* What the library's own calls reach instead of the function, and the function: names that ld --wrap makes. */
void clocked_pool_run(tfm_pool *pool, tfm_task *task, void *arg) __asm__("__wrap_tfm_pool_run");
void original_pool_run(tfm_pool *pool, tfm_task *task, void *arg) __asm__("__real_tfm_pool_run");
tfm_status clocked_encode_step(tfm_session *session, const tfm_tokens *inputs, size_t n_sources, int32_t *sources,
                               tfm_step_result *result, tfm_error *error) __asm__("__wrap_tfm_encode_step");
tfm_status original_encode_step(tfm_session *session, const tfm_tokens *inputs, size_t n_sources, int32_t *sources,
                                tfm_step_result *result, tfm_error *error) __asm__("__real_tfm_encode_step");

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

void clocked_pool_run(tfm_pool *pool, tfm_task *task, void *arg) {
    if (!state.on || my_clocks()->in_task) {
        original_pool_run(pool, task, arg);
        return;
    }
    region r = {.task = task, .arg = arg};
    double start = perf_seconds(), busy = 0;
    original_pool_run(pool, clocked_task, &r);
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
tfm_status clocked_encode_step(tfm_session *session, const tfm_tokens *inputs, size_t n_sources, int32_t *sources,
                               tfm_step_result *result, tfm_error *error) {
    clocks kept[MAX_THREADS];
    double regions = state.regions, start = perf_seconds();
    size_t n = state.n_threads;
    for (size_t i = 0; i < n; i++) kept[i] = *state.threads[i];
    tfm_status status = original_encode_step(session, inputs, n_sources, sources, result, error);
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
