/*
 * bench_model.c - whole models: opening, encoding, prefill and decoding, against the bandwidth and the peaks of the
 * machine. usage: bench_model MODEL.bin [WORK]... [--threads N] [--isa NAME] [--kv-dtype NAME] [--json] [--quick]
 *
 * WORK is encode:BATCHxLENGTH, decode:BATCHxBEAMS or prefill:LENGTH (workload.h); without any, what the model can do of
 * the usual list. Every output is forced to its length, so that the work is the same whatever the model says.
 */
#include <stdio.h>
#include <stdlib.h>

#include "report.h"
#include "workload.h"

static const char usage[] = "MODEL.bin [WORK]... [--threads N] [--isa NAME] [--kv-dtype NAME] [--json] [--quick]\n"
                            "WORK: encode:BATCHxLENGTH, decode:BATCHxBEAMS, prefill:LENGTH; as many as you like";

static const char *const usual[] = {"encode:1x32", "encode:32x32", "encode:1x512", "encode:32x512",
                                    "prefill:512", "decode:1x1",   "decode:4x1",   "decode:8x1",
                                    "decode:32x1", "decode:1x4",   "decode:8x4",   "decode:32x4"};
static const char *const usual_quick[] = {"encode:1x32", "prefill:128", "decode:1x1", "decode:8x1", "decode:1x4"};

static perf_figure figure_of(const perf_runner *r, const perf_options *options) {
    return (perf_figure){.name = perf_work_name(&r->work),
                         .model = r->name,
                         .dtype = r->dtype,
                         .dtype_embed = r->dtype_embed,
                         .kv_dtype = r->info.decoder_layers > 0 ? options->kv_dtype : NULL,
                         .n_threads = r->n_threads,
                         .n_beams = r->work.n_beams,
                         .n_batch = r->work.n_batch,
                         .length = r->work.length,
                         .unit = "tokens/s",
                         .tokens = perf_work_tokens(&r->work)};
}

static void bench_work(perf_runner *r, const perf_options *options, const perf_machine *machine) {
    perf_candidate c = {.name = "tfm", .run = perf_run, .arg = r};
    perf_time(&c, options->quick ? 0.1 : 2.0);
    perf_figure figure = figure_of(r, options);
    figure.time = &c;
    figure.limit = perf_work_limit(r, machine, &figure.bound);
    perf_print_figure(&figure, options->json);
}

typedef struct opener {
    perf_runner *runner;
    const char *path;
    tfm_model_params params;
} opener;

static void run_open(void *arg) {
    opener *o = arg;
    tfm_model *model;
    perf_check(o->runner, tfm_model_open(&model, o->path, &o->params, &o->runner->error));
    tfm_model_close(&model);
}

static void bench_open(perf_runner *r, const char *path, const perf_options *options, const perf_machine *machine) {
    for (int lazy = 0; lazy <= 1; lazy++) {
        opener o = {.runner = r, .path = path, .params = tfm_model_params_default()};
        o.params.isa = tfm_isa_name(options->isa);
        o.params.pool = r->pool;
        o.params.verify = lazy ? TFM_VERIFY_LAZY : TFM_VERIFY_ALL;
        perf_candidate c = {.name = "tfm", .run = run_open, .arg = &o};
        perf_time(&c, options->quick ? 0.05 : 0.5);
        perf_figure figure = figure_of(r, options);
        figure.name = lazy ? "open, header" : "open, verified";
        figure.kv_dtype = NULL;
        figure.n_beams = figure.n_batch = figure.length = 0;
        figure.unit = "ms";
        figure.time = &c;
        figure.limit = lazy ? 0 : (double)r->info.file_bytes / machine->dram_gbytes * 1e-9;
        figure.bound = "bandwidth";
        perf_print_figure(&figure, options->json);
    }
}

int main(int argc, char **argv) {
    perf_options options = perf_parse(argc, argv, usage);
    if (options.n_rest < 1) {
        fprintf(stderr, "usage: %s %s\n", argv[0], usage);
        return 2;
    }
    const char *path = options.rest[0], *const *works = options.rest + 1;
    size_t n_works = (size_t)options.n_rest - 1;
    bool chosen = n_works > 0;
    if (!chosen) {
        works = options.quick ? usual_quick : usual;
        n_works = options.quick ? sizeof usual_quick / sizeof *usual_quick : sizeof usual / sizeof *usual;
    }
    perf_machine machine = perf_measure_machine(options.isa, options.n_threads);
    perf_runner *runner = perf_runner_open("bench_model", path, &options);
    perf_print_header(runner->name, options.isa, options.n_threads, &machine, options.json);
    if (!chosen) bench_open(runner, path, &options, &machine);
    int result = 0;
    for (size_t i = 0; i < n_works; i++) {
        bool valid = perf_work_parse(works[i], &runner->work);
        if (valid && perf_work_fits(runner, &runner->work)) {
            bench_work(runner, &options, &machine);
        } else if (chosen) {
            fprintf(stderr, "bench_model: %s %s\n", works[i], valid ? "is nothing this model can do" : "is no WORK");
            result = 2;
        }
    }
    perf_runner_close(&runner);
    return result;
}
