/* workload.c - running pieces of work, and how fast they could be at most. */
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- pieces of work ---- */

bool perf_work_parse(const char *text, perf_work *work) {
    int end = 0;
    *work = (perf_work){.n_batch = 1, .n_beams = 1, .length = PERF_TARGET};
    if (sscanf(text, "encode:%zux%zu%n", &work->n_batch, &work->length, &end) == 2 && !text[end]) {
        work->kind = PERF_ENCODE;
        work->n_beams = 0;
    } else if (sscanf(text, "decode:%zux%zu%n", &work->n_batch, &work->n_beams, &end) == 2 && !text[end]) {
        work->kind = PERF_DECODE;
    } else if (sscanf(text, "prefill:%zu%n", &work->length, &end) == 1 && !text[end]) {
        work->kind = PERF_PREFILL;
    } else {
        return false;
    }
    return work->n_batch >= 1 && work->n_batch <= PERF_MAX_BATCH && work->length >= 1 &&
           work->length <= PERF_MAX_LENGTH && work->n_beams <= PERF_MAX_BEAMS &&
           (work->kind == PERF_ENCODE || work->n_beams >= 1);
}

const char *perf_work_name(const perf_work *work) {
    static const char *const names[] = {"encode", "decode", "prefill"};
    return names[work->kind];
}

double perf_work_tokens(const perf_work *work) { return (double)(work->n_batch * work->length); }

bool perf_work_fits(const perf_runner *runner, const perf_work *work) {
    const tfm_model_info *info = &runner->info;
    if (work->kind == PERF_ENCODE) return info->encoder_layers > 0 && work->length <= info->max_source;
    if (info->decoder_layers == 0 || work->length > info->max_target) return false;
    if (work->kind == PERF_PREFILL) return info->encoder_layers == 0;
    return work->n_beams == 1 || info->encoder_layers > 0;
}

/* ---- running ---- */

void perf_check(perf_runner *runner, tfm_status status) {
    if (status == TFM_OK) return;
    fprintf(stderr, "%s: %s\n", runner->program, runner->error.message);
    exit(1);
}

static void run_encode(perf_runner *r) {
    tfm_tokens inputs[PERF_MAX_BATCH];
    int32_t sources[PERF_MAX_BATCH];
    for (size_t i = 0; i < r->work.n_batch; i++) inputs[i] = (tfm_tokens){r->ids[i], r->work.length};
    perf_check(r, tfm_encode(r->session, inputs, r->work.n_batch, sources, NULL, &r->error));
    for (size_t i = 0; i < r->work.n_batch; i++) tfm_source_free(r->session, sources[i]);
}

static void run_generate(perf_runner *r) {
    tfm_input inputs[PERF_MAX_BATCH] = {{0}};
    for (size_t i = 0; i < r->work.n_batch; i++) inputs[i] = (tfm_input){.ids = r->ids[i], .n = PERF_SOURCE};
    r->generate.num_beams = (uint32_t)r->work.n_beams;
    perf_check(r, tfm_generate(r->session, inputs, r->work.n_batch, &r->generate, NULL, &r->error));
}

/* Steps of n tokens of each of n_batch new sequences. */
static void run_steps(perf_runner *r, size_t n_steps, size_t n) {
    const size_t n_batch = r->work.n_batch;
    int32_t sequences[PERF_MAX_BATCH];
    tfm_span spans[PERF_MAX_BATCH] = {{0}};
    for (size_t i = 0; i < n_batch; i++) perf_check(r, tfm_sequence_new(r->session, -1, &sequences[i], &r->error));
    for (size_t step = 0; step < n_steps; step++) {
        for (size_t i = 0; i < n_batch; i++)
            spans[i] = (tfm_span){.sequence = sequences[i],
                                  .ids = r->ids[i] + step * n,
                                  .n = n,
                                  .logits = r->logits + i * r->info.target_vocab_size};
        perf_check(r, tfm_decode(r->session, spans, n_batch, &r->error));
    }
    for (size_t i = 0; i < n_batch; i++) tfm_sequence_free(r->session, sequences[i]);
}

void perf_run(void *runner) {
    perf_runner *r = runner;
    if (r->work.kind == PERF_ENCODE)
        run_encode(r);
    else if (r->work.kind == PERF_PREFILL)
        run_steps(r, 1, r->work.length);
    else if (r->info.encoder_layers > 0)
        run_generate(r);
    else
        run_steps(r, PERF_TARGET, 1);
}

/* ---- opening ---- */

/* Random models say in their metadata which shape they have; others are named after their file. */
static const char *name_of(const tfm_model *model, const char *path) {
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    if (strcmp(model->arch.family, "random") != 0) return file;
    return tfm_table_string(tfm_file_table(model->file, "metadata"), "source", file);
}

static void name_types(perf_runner *r) {
    const tfm_stack *stack = r->info.decoder_layers > 0 ? &r->model->decoder : &r->model->encoder;
    r->dtype = tfm_dtype_name(stack->options->n_layers ? stack->layers[0].attention.qkv.w.dtype : stack->embed.dtype);
    r->dtype_embed = tfm_dtype_name(r->info.decoder_layers > 0 ? r->model->output.w.dtype : stack->embed.dtype);
}

static void open_session(perf_runner *r, const perf_options *options) {
    static const char *const kv_names[] = {[TFM_KV_F32] = "f32", [TFM_KV_F16] = "f16", [TFM_KV_INT8] = "int8"};
    tfm_session_params params = tfm_session_params_default();
    params.pool = r->pool;
    params.max_batch_tokens = PERF_MAX_BATCH * PERF_MAX_LENGTH;
    params.max_sources = PERF_MAX_BATCH;
    params.max_sequences = r->info.encoder_layers > 0 ? PERF_MAX_BATCH * PERF_MAX_BEAMS : PERF_MAX_BATCH;
    for (size_t i = 0; i < sizeof kv_names / sizeof *kv_names; i++)
        if (strcmp(kv_names[i], options->kv_dtype) == 0) params.kv_type = (tfm_kv_type)i;
    perf_check(r, tfm_session_create(&r->session, r->model, &params, &r->error));
}

perf_runner *perf_runner_open(const char *program, const char *path, const perf_options *options) {
    perf_runner *r = perf_alloc(sizeof *r);
    memset(r, 0, sizeof *r);
    r->program = program;
    r->n_threads = options->n_threads;
    perf_check(r, tfm_pool_create(&r->pool, options->n_threads, &r->error));
    tfm_model_params params = tfm_model_params_default();
    params.isa = tfm_isa_name(options->isa);
    params.pool = r->pool;
    perf_check(r, tfm_model_open(&r->model, path, &params, &r->error));
    r->info = tfm_model_get_info(r->model);
    r->name = name_of(r->model, path);
    name_types(r);
    open_session(r, options);

    uint32_t vocab = r->info.encoder_layers > 0 ? r->info.source_vocab_size : r->info.target_vocab_size;
    for (size_t i = 0; i < PERF_MAX_BATCH; i++)
        for (size_t t = 0; t < PERF_MAX_LENGTH; t++) r->ids[i][t] = (int32_t)((i * 7919 + t * 104729 + 17) % vocab);
    if (r->info.decoder_layers == 0) return r;
    r->logits = perf_alloc(PERF_MAX_BATCH * (size_t)r->info.target_vocab_size * sizeof(float));
    r->generate = tfm_generate_params_default(r->model);
    r->generate.max_new_tokens = PERF_TARGET;
    r->generate.min_length = 0;
    r->generate.n_eos_token_ids = 0; /* nothing ends before the limit */
    r->generate.forced_eos_token_id = -1;
    r->generate.num_return_sequences = 1;
    return r;
}

void perf_runner_close(perf_runner **runner) {
    perf_runner *r = *runner;
    free(r->logits);
    tfm_session_free(&r->session);
    tfm_model_close(&r->model);
    tfm_pool_free(&r->pool);
    free(r);
    *runner = NULL;
}

/* ---- limits ---- */

/* What one pass needs. */
typedef struct cost {
    double bytes, float_operations, integer_operations;
} cost;

static void add_linear(cost *c, const tfm_linear *l, double rows) {
    if (l->w.n == 0) return; /* layers do not have all kinds */
    double operations = 2 * (double)l->w.n * (double)l->w.k * rows;
    c->bytes += (double)tfm_panel_count(l->w.n) * (double)tfm_panel_bytes(l->w.dtype, l->w.k);
    *(tfm_dtype_quantized(l->w.dtype) ? &c->integer_operations : &c->float_operations) += operations;
}

/* rows tokens through a stack; a token sees `seen` positions on average in self-attention, n_source in cross-attention.
 */
static void add_stack(cost *c, const tfm_stack *stack, double rows, double seen, double n_source) {
    const tfm_stack_options *o = stack->options;
    for (uint32_t i = 0; i < o->n_layers; i++) {
        const tfm_layer *layer = &stack->layers[i];
        const tfm_linear *const all[] = {&layer->attention.qkv, &layer->attention.out, &layer->cross.q,
                                         &layer->cross.out,     &layer->ffn.up,        &layer->ffn.gate,
                                         &layer->ffn.down};
        for (size_t j = 0; j < sizeof all / sizeof *all; j++) add_linear(c, all[j], rows);
        c->float_operations += 4 * rows * (double)o->n_heads * (double)o->head_dim * (seen + n_source);
    }
}

/* A pass's seconds; *weights and *work add up what either bound would take. */
static double pass_seconds(const cost *c, const perf_machine *machine, double *weights, double *work) {
    double memory = c->bytes / machine->dram_gbytes * 1e-9;
    double compute = (c->float_operations / machine->fma_gflops + c->integer_operations / machine->int8_gops) * 1e-9;
    *(memory > compute ? weights : work) += memory > compute ? memory : compute;
    return memory > compute ? memory : compute;
}

static cost encoder_cost(const perf_runner *r, double n_batch, double length) {
    cost c = {0};
    add_stack(&c, &r->model->encoder, n_batch * length, length, 0);
    for (uint32_t i = 0; i < r->info.decoder_layers; i++)
        add_linear(&c, &r->model->decoder.layers[i].cross.kv, n_batch * length);
    return c;
}

static cost decoder_cost(const perf_runner *r, double n_batch, double n, double seen) {
    bool cross = r->model->decoder.cross;
    cost c = {0};
    add_stack(&c, &r->model->decoder, n_batch * n, seen, cross ? PERF_SOURCE : 0);
    add_linear(&c, &r->model->output, n_batch); /* the last token's logits only */
    return c;
}

double perf_work_limit(const perf_runner *r, const perf_machine *machine, const char **bound) {
    const perf_work *w = &r->work;
    double seconds = 0, weights = 0, work = 0, n_batch = (double)w->n_batch, length = (double)w->length;
    if (w->kind == PERF_ENCODE || (w->kind == PERF_DECODE && r->info.encoder_layers > 0)) {
        cost c = encoder_cost(r, n_batch, w->kind == PERF_ENCODE ? length : PERF_SOURCE);
        seconds += pass_seconds(&c, machine, &weights, &work);
    }
    if (w->kind == PERF_PREFILL) {
        cost c = decoder_cost(r, n_batch, length, (length + 1) / 2);
        seconds += pass_seconds(&c, machine, &weights, &work);
    }
    for (size_t step = 0; w->kind == PERF_DECODE && step < PERF_TARGET; step++) {
        cost c = decoder_cost(r, n_batch * (double)w->n_beams, 1, (double)step + 1);
        seconds += pass_seconds(&c, machine, &weights, &work);
    }
    *bound = weights > work ? "bandwidth" : "operations";
    return seconds;
}

double perf_first_token_limit(const perf_runner *r, const perf_machine *machine) {
    double weights = 0, work = 0;
    cost decoder = decoder_cost(r, 1, 1, 1), encoder = {0};
    if (r->info.encoder_layers > 0) encoder = encoder_cost(r, 1, PERF_SOURCE);
    return pass_seconds(&encoder, machine, &weights, &work) + pass_seconds(&decoder, machine, &weights, &work);
}
