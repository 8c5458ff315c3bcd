/*
 * bench_translate.c - whole models: opening, encoding and decoding, against the bandwidth and FMA limits of the
 * machine. usage: bench_translate MODEL.bin [--threads N] [--isa NAME] [--json] [--quick]
 *
 * Every output is forced to TARGET tokens, so that the work is the same whatever the model says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../runtime/model.h"
#include "../runtime/pool.h"
#include "../runtime/tfm.h"
#include "harness.h"

enum { SOURCE = 32, TARGET = 64, MAX_BATCH = 32 };

typedef struct bench {
    perf_options options;
    perf_machine machine;
    tfm_pool *pool;
    tfm_model *model;
    tfm_session *session;
    int32_t ids[MAX_BATCH][512];
    tfm_input inputs[MAX_BATCH];
    tfm_tokens tokens[MAX_BATCH];
    size_t batch, length;
    tfm_generate_params generate;
    tfm_error error;
} bench;

static void check(bench *b, tfm_status status) {
    if (!status) return;
    fprintf(stderr, "bench_translate: %s\n", b->error.message);
    exit(1);
}

static void run_generate(void *arg) {
    bench *b = arg;
    check(b, tfm_generate(b->session, b->inputs, b->batch, &b->generate, NULL, &b->error));
}

static void run_encode(void *arg) {
    bench *b = arg;
    int32_t sources[MAX_BATCH];
    check(b, tfm_encode(b->session, b->tokens, b->batch, sources, NULL, &b->error));
    for (size_t i = 0; i < b->batch; i++) tfm_source_free(b->session, sources[i]);
}

/* Bytes of weights a pass of the encoder or a step of the decoder reads, and the multiply-adds of one token. */
typedef struct cost {
    double bytes, multiply_adds;
} cost;

static void add_linear(cost *c, const tfm_linear *l) {
    c->bytes += (double)l->w.n * (double)l->w.k * (double)tfm_dtype_size(l->w.dtype);
    c->multiply_adds += (double)l->w.n * (double)l->w.k;
}

static cost cost_of(const tfm_model *model, const tfm_stack *stack) {
    cost c = {0, 0};
    for (uint32_t i = 0; i < stack->options->n_layers; i++) {
        const tfm_layer *layer = &stack->layers[i];
        const tfm_linear *all[] = {&layer->qkv, &layer->out,  &layer->cross_q, &layer->cross_out,
                                   &layer->up,  &layer->gate, &layer->down};
        for (size_t j = 0; j < sizeof all / sizeof *all; j++) add_linear(&c, all[j]);
    }
    if (stack == &model->decoder) add_linear(&c, &model->output);
    return c;
}

static void print_row(const bench *b, const char *what, uint32_t beams, double tokens, const perf_candidate *c,
                      double limit) {
    if (b->options.json)
        printf("{\"work\": \"%s\", \"beams\": %u, \"batch\": %zu, \"length\": %zu, \"tokens_per_second\": %.1f, "
               "\"best\": %.1f, "
               "\"limit\": %.1f}\n",
               what, beams, b->batch, b->length, tokens / c->median, tokens / c->minimum, tokens / limit);
    else
        printf("%-7s beams %u batch %2zu length %3zu %10.0f tokens/s (best %8.0f) %5.0f%% of the limit %8.0f\n", what,
               beams, b->batch, b->length, tokens / c->median, tokens / c->minimum, 100 * limit / c->median,
               tokens / limit);
    fflush(stdout);
}

static double larger(double a, double b) { return a > b ? a : b; }

static void bench_encode(bench *b, size_t batch, size_t length) {
    b->batch = batch;
    b->length = length;
    for (size_t i = 0; i < batch; i++) b->tokens[i] = (tfm_tokens){b->ids[i], length};
    perf_candidate c = {.name = "encode", .run = run_encode, .arg = b};
    perf_compare(&c, 1, b->options.quick ? 3 : 7, 0.2);
    cost per = cost_of(b->model, &b->model->encoder);
    double tokens = (double)(batch * length);
    double limit =
        larger(2 * per.multiply_adds * tokens / b->machine.fma_gflops, per.bytes / b->machine.dram_gbytes) * 1e-9;
    print_row(b, "encode", 0, tokens, &c, limit);
}

static void bench_decode(bench *b, uint32_t beams, size_t batch) {
    b->batch = batch;
    b->length = TARGET;
    b->generate.num_beams = beams;
    perf_candidate c = {.name = "decode", .run = run_generate, .arg = b};
    perf_compare(&c, 1, b->options.quick ? 3 : 7, 0.2);
    cost per = cost_of(b->model, &b->model->decoder);
    double rows = (double)(batch * beams);
    double step =
        larger(2 * per.multiply_adds * rows / b->machine.fma_gflops, per.bytes / b->machine.dram_gbytes) * 1e-9;
    print_row(b, "decode", beams, (double)(batch * TARGET), &c, step * TARGET);
}

/* Private memory: what is neither the file's nor shared, in MB. */
static double private_megabytes(void) {
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    char line[256];
    double kilobytes = 0, value;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Private_Dirty: %lf", &value) == 1) kilobytes = value;
    if (file) fclose(file);
    return kilobytes / 1024;
}

static void open_model(bench *b, const char *path) {
    tfm_model_params params = tfm_model_params_default();
    params.isa = tfm_isa_name(b->options.isa);
    params.pool = b->pool;
    check(b, tfm_model_open(&b->model, path, &params, &b->error));
    tfm_model_close(&b->model);
    double start = perf_seconds();
    check(b, tfm_model_open(&b->model, path, &params, &b->error));
    double verified = perf_seconds() - start;
    tfm_model_close(&b->model);
    params.verify = TFM_VERIFY_LAZY;
    start = perf_seconds();
    check(b, tfm_model_open(&b->model, path, &params, &b->error));
    double lazy = perf_seconds() - start;
    double megabytes = (double)tfm_model_get_info(b->model).file_bytes / 1e6;
    if (b->options.json)
        printf("{\"work\": \"open\", \"megabytes\": %.1f, \"verified_ms\": %.2f, \"lazy_ms\": %.2f}\n", megabytes,
               verified * 1e3, lazy * 1e3);
    else
        printf("open    %.1f MB in page cache: %.1f ms with every byte verified (%.1f GB/s), %.2f ms with the header\n",
               megabytes, verified * 1e3, megabytes / verified * 1e-3, lazy * 1e3);
}

int main(int argc, char **argv) {
    static const char usage[] = "MODEL.bin [--threads N] [--isa NAME] [--json] [--quick]";
    bench *b = perf_alloc(sizeof *b);
    memset(b, 0, sizeof *b);
    b->options = perf_parse(argc, argv, usage);
    if (b->options.n_rest != 1) {
        fprintf(stderr, "usage: %s %s\n", argv[0], usage);
        return 2;
    }
    check(b, tfm_pool_create(&b->pool, b->options.n_threads, &b->error));
    b->machine = perf_measure_machine(b->options.isa, b->options.n_threads);
    perf_print_header(b->options.rest[0], b->options.isa, b->options.n_threads, &b->machine, b->options.json);
    open_model(b, b->options.rest[0]);
    tfm_session_params params = tfm_session_params_default();
    params.pool = b->pool;
    params.max_batch_tokens = MAX_BATCH * 512;
    check(b, tfm_session_create(&b->session, b->model, &params, &b->error));

    tfm_model_info info = tfm_model_get_info(b->model);
    for (size_t i = 0; i < MAX_BATCH; i++) {
        for (size_t t = 0; t < 512; t++)
            b->ids[i][t] = (int32_t)((i * 7919 + t * 104729 + 17) % info.source_vocab_size);
        b->inputs[i] = (tfm_input){.ids = b->ids[i], .n = SOURCE};
    }
    b->generate = tfm_generate_params_default(b->model);
    b->generate.max_new_tokens = TARGET;
    b->generate.min_length = 0;
    b->generate.n_eos_token_ids = 0; /* nothing ends before the limit */
    b->generate.forced_eos_token_id = -1;
    b->generate.num_return_sequences = 1;

    static const size_t batches[] = {1, 8, 32};
    size_t longest = info.max_source < 512 ? info.max_source : 512;
    bench_encode(b, 1, SOURCE);
    bench_encode(b, 32, SOURCE);
    bench_encode(b, 1, longest);
    if (!b->options.quick) bench_encode(b, 32, longest);
    for (uint32_t beams = 1; beams <= 4; beams += 3)
        for (size_t i = 0; i < 3; i++) bench_decode(b, beams, batches[i]);
    if (!b->options.json) printf("private memory at the end: %.1f MB\n", private_megabytes());
    tfm_session_free(&b->session);
    tfm_model_close(&b->model);
    tfm_pool_free(&b->pool);
    free(b);
    return 0;
}
