/*
 * bench_shares.c - what each part of a piece of work costs. usage: bench_shares MODEL.bin WORK... [--threads N]
 * [--isa NAME] [--kv-dtype NAME] [--json] [--quick]
 *
 * For decode: of the decoder's steps alone; the encoder is left out. The fastest of several runs is shown. The clocks
 * cost time of their own, which is measured and taken off.
 */
#include <stdio.h>

#include "kernel_clock.h"
#include "workload.h"

static const char usage[] = "MODEL.bin WORK... [--threads N] [--isa NAME] [--kv-dtype NAME] [--json] [--quick]\n"
                            "WORK: encode:BATCHxLENGTH, decode:BATCHxBEAMS, prefill:LENGTH; as many as you like";

static void print(const perf_runner *r, const perf_shares *s, bool json) {
    double steps = r->work.kind == PERF_DECODE ? PERF_TARGET : 1, step = s->total / steps;
    if (!json)
        printf("%s, beams %zu, batch %zu: %.1f us a step, %.0f parallel regions\n", perf_work_name(&r->work),
               r->work.n_beams, r->work.n_batch, step * 1e6, s->regions / steps);
    for (int part = 0; part < PERF_PART_COUNT; part++) {
        double seconds = s->seconds[part] / steps, share = s->seconds[part] / s->total;
        if (s->seconds[part] <= 0) continue;
        if (json)
            printf(
                "{\"share\": \"%s\", \"work\": \"%s\", \"model\": \"%s\", \"dtype\": \"%s\", \"dtype_embed\": \"%s\", "
                "\"threads\": %u, \"beams\": %zu, \"batch\": %zu, \"value\": %.4g, \"unit\": \"us\", "
                "\"share_of_step\": %.4g, \"calls\": %.1f}\n",
                perf_part_name((perf_part)part), perf_work_name(&r->work), r->name, r->dtype, r->dtype_embed,
                r->n_threads, r->work.n_beams, r->work.n_batch, seconds * 1e6, share, s->calls[part] / steps);
        else
            printf("  %-40s %9.1f us %5.1f %% %8.1f calls\n", perf_part_name((perf_part)part), seconds * 1e6,
                   100 * share, s->calls[part] / steps);
    }
    fflush(stdout);
}

int main(int argc, char **argv) {
    perf_options options = perf_parse(argc, argv, usage);
    if (options.n_rest < 2) {
        fprintf(stderr, "usage: %s %s\n", argv[0], usage);
        return 2;
    }
    perf_runner *runner = perf_runner_open("bench_shares", options.rest[0], &options);
    perf_clock_install(runner->model);
    if (!options.json)
        printf("%s %s, %u threads, %s\n", runner->name, runner->dtype, options.n_threads, tfm_isa_name(options.isa));
    for (int i = 1; i < options.n_rest; i++) {
        if (!perf_work_parse(options.rest[i], &runner->work) || !perf_work_fits(runner, &runner->work)) {
            fprintf(stderr, "bench_shares: %s is nothing this model can do\n", options.rest[i]);
            return 2;
        }
        perf_run(runner);
        double begin = perf_seconds(), budget = options.quick ? 0.1 : 2.0;
        perf_shares least = {0};
        for (int run = 0; run < 3 || perf_seconds() - begin < budget; run++) {
            perf_clock_start();
            perf_run(runner);
            perf_shares shares = perf_clock_stop();
            if (run == 0 || shares.total < least.total) least = shares;
        }
        print(runner, &least, options.json);
    }
    perf_runner_close(&runner);
    return 0;
}
