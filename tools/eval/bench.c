/* bench.c - see bench.h. */
#include "bench.h"

#include <stdlib.h>

#include "tools/common/cli.h"

/* Longest context that is tried: more would be a session that small machines cannot hold. */
enum { LONGEST = 4096 + TFM_BENCH_STEPS };

static uint32_t least_of(uint32_t a, uint32_t b) { return a < b ? a : b; }

tfm_status tfm_bench_open(tfm_bench *bench, tfm_model *model, tfm_pool *pool, uint32_t batch_tokens, tfm_error *error) {
    *bench = (tfm_bench){.info = tfm_model_get_info(model), .batch_tokens = batch_tokens};
    const tfm_model_info *info = &bench->info;
    tfm_session_params params = tfm_session_params_default();
    params.pool = pool;
    params.max_sources = params.max_sequences = TFM_BENCH_BATCH;
    params.max_batch_tokens = batch_tokens;
    params.max_source = bench->max_source = least_of(info->max_source, LONGEST);
    params.max_target = bench->max_target = least_of(info->max_target, LONGEST);
    tfm_status status = tfm_session_create(&bench->session, model, &params, error);
    if (status != TFM_OK) return status;
    size_t width = info->kind == TFM_KIND_ENCODER ? info->d_model : info->target_vocab_size;
    bench->out = calloc(TFM_BENCH_BATCH * width, sizeof *bench->out);
    bench->ids = calloc(LONGEST, sizeof *bench->ids);
    if (!bench->out || !bench->ids) return tfm_no_memory(error, "buffers of a measurement");
    uint32_t vocab_size = least_of(info->source_vocab_size, info->target_vocab_size), state = 1;
    for (size_t i = 0; i < LONGEST; i++) {
        state = state * 1664525 + 1013904223;
        bench->ids[i] = (int32_t)((state >> 8) % vocab_size);
    }
    return TFM_OK;
}

void tfm_bench_close(tfm_bench *bench) {
    tfm_session_free(&bench->session);
    free(bench->out);
    free(bench->ids);
    bench->out = NULL;
    bench->ids = NULL;
}

bool tfm_bench_fits(const tfm_bench *bench, const tfm_bench_case *which) {
    uint32_t most = bench->info.kind == TFM_KIND_DECODER ? bench->max_target : bench->max_source;
    if (which->batch > TFM_BENCH_BATCH) return false;
    if (which->kind == TFM_BENCH_INPUT)
        return which->length <= most && (uint64_t)which->batch * which->length <= bench->batch_tokens;
    return which->length + TFM_BENCH_STEPS <= bench->max_target && which->length <= bench->batch_tokens;
}

/* ---- passes ---- */

static tfm_status encode(tfm_bench *b, uint32_t batch, uint32_t length, int32_t *sources, tfm_error *error) {
    tfm_tokens inputs[TFM_BENCH_BATCH];
    for (uint32_t i = 0; i < batch; i++) inputs[i] = (tfm_tokens){b->ids, length};
    return tfm_encode(b->session, inputs, batch, sources, NULL, error);
}

static tfm_status analyze(tfm_bench *b, uint32_t batch, uint32_t length, tfm_error *error) {
    tfm_example examples[TFM_BENCH_BATCH];
    for (uint32_t i = 0; i < batch; i++)
        examples[i] = (tfm_example){.ids = b->ids, .n = length, .embedding = b->out + (size_t)i * b->info.d_model};
    return tfm_analyze(b->session, examples, batch, NULL, NULL, error);
}

/* Appends n tokens to each of the sequences, with the logits of their last ones. */
static tfm_status feed(tfm_bench *b, const int32_t *sequences, uint32_t batch, uint32_t n, tfm_error *error) {
    tfm_span spans[TFM_BENCH_BATCH];
    for (uint32_t i = 0; i < batch; i++)
        spans[i] = (tfm_span){
            .sequence = sequences[i], .ids = b->ids, .n = n, .logits = b->out + (size_t)i * b->info.target_vocab_size};
    return tfm_decode(b->session, spans, batch, error);
}

static tfm_status start_sequences(tfm_bench *b, const int32_t *sources, int32_t *sequences, uint32_t batch,
                                  tfm_error *error) {
    tfm_status status = TFM_OK;
    for (uint32_t i = 0; i < TFM_BENCH_BATCH; i++) sequences[i] = -1;
    for (uint32_t i = 0; i < batch && status == TFM_OK; i++)
        status = tfm_sequence_new(b->session, sources ? sources[i] : -1, &sequences[i], error);
    return status;
}

static void free_all(tfm_bench *b, const int32_t *sources, const int32_t *sequences) {
    for (uint32_t i = 0; i < TFM_BENCH_BATCH; i++) tfm_sequence_free(b->session, sequences[i]);
    for (uint32_t i = 0; i < TFM_BENCH_BATCH; i++) tfm_source_free(b->session, sources[i]);
}

/* ---- measuring ---- */

static tfm_status time_input(tfm_bench *b, const tfm_bench_case *c, double *seconds, tfm_error *error) {
    int32_t sources[TFM_BENCH_BATCH], sequences[TFM_BENCH_BATCH];
    for (uint32_t i = 0; i < TFM_BENCH_BATCH; i++) sources[i] = sequences[i] = -1;
    tfm_status status = TFM_OK;
    if (b->info.kind == TFM_KIND_DECODER) status = start_sequences(b, NULL, sequences, c->batch, error);
    double start = tfm_seconds();
    if (status == TFM_OK && b->info.kind == TFM_KIND_DECODER)
        status = feed(b, sequences, c->batch, c->length, error);
    else if (status == TFM_OK && b->info.kind == TFM_KIND_ENCODER)
        status = analyze(b, c->batch, c->length, error);
    else if (status == TFM_OK)
        status = encode(b, c->batch, c->length, sources, error);
    *seconds = tfm_seconds() - start;
    free_all(b, sources, sequences);
    return status;
}

/* Outputs that have `length` tokens; an encoder's inputs are short. */
static tfm_status prepare(tfm_bench *b, const tfm_bench_case *c, int32_t *sources, int32_t *sequences,
                          tfm_error *error) {
    bool has_encoder = b->info.kind == TFM_KIND_ENCODER_DECODER;
    uint32_t source = least_of(TFM_BENCH_SOURCE, b->max_source);
    tfm_status status = TFM_OK;
    for (uint32_t i = 0; i < c->batch && has_encoder && status == TFM_OK; i++)
        status = encode(b, 1, source, &sources[i], error);
    if (status == TFM_OK) status = start_sequences(b, has_encoder ? sources : NULL, sequences, c->batch, error);
    for (uint32_t i = 0; i < c->batch && c->length > 0 && status == TFM_OK; i++)
        status = feed(b, sequences + i, 1, c->length, error);
    return status;
}

static tfm_status time_steps(tfm_bench *b, const tfm_bench_case *c, const int32_t *sequences, double *seconds,
                             tfm_error *error) {
    tfm_status status = TFM_OK;
    double start = tfm_seconds();
    for (int i = 0; i < TFM_BENCH_STEPS && status == TFM_OK; i++) status = feed(b, sequences, c->batch, 1, error);
    *seconds = (tfm_seconds() - start) / TFM_BENCH_STEPS;
    for (uint32_t i = 0; i < c->batch; i++) tfm_sequence_truncate(b->session, sequences[i], c->length);
    return status;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

tfm_status tfm_bench_run(tfm_bench *bench, const tfm_bench_case *which, uint32_t repeats, tfm_bench_time *time,
                         tfm_error *error) {
    int32_t sources[TFM_BENCH_BATCH], sequences[TFM_BENCH_BATCH];
    double seconds[TFM_BENCH_REPEATS + 1] = {0};
    bool decode = which->kind == TFM_BENCH_DECODE;
    for (uint32_t i = 0; i < TFM_BENCH_BATCH; i++) sources[i] = sequences[i] = -1;
    tfm_status status = decode ? prepare(bench, which, sources, sequences, error) : TFM_OK;
    for (uint32_t i = 0; i <= repeats && status == TFM_OK; i++)
        status = decode ? time_steps(bench, which, sequences, &seconds[i], error)
                        : time_input(bench, which, &seconds[i], error);
    free_all(bench, sources, sequences);
    double *taken = seconds + 1; /* the first time, memory is touched */
    qsort(taken, repeats, sizeof *taken, ascending);
    *time = (tfm_bench_time){
        .median = (taken[(repeats - 1) / 2] + taken[repeats / 2]) / 2, .least = taken[0], .most = taken[repeats - 1]};
    return status;
}
