/* report.h - how the benchmarks of whole models say what they measured: a line of text or a JSON object a figure. */
#ifndef TFM_PERF_REPORT_H
#define TFM_PERF_REPORT_H

#include "harness.h"

typedef struct perf_figure {
    const char *name;          /* "decode" */
    const char *model, *dtype; /* "transformer-base", "int8" */
    const char *dtype_embed;   /* of embedding and vocabulary projection */
    const char *kv_dtype;      /* of the caches, or NULL */
    unsigned n_threads;
    size_t n_beams, n_batch, length; /* 0: does not apply */
    const char *unit;                /* "tokens/s", "ms", "MB" */
    double tokens;                   /* done in a run, for tokens/s */
    const perf_candidate *time;      /* or NULL, and `value` in the unit */
    double value;
    double limit;      /* seconds, or for MB in the unit; 0: none */
    const char *bound; /* what limits, "bandwidth" */
} perf_figure;

void perf_print_figure(const perf_figure *figure, bool json);

#endif
