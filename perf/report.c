/* report.c - a figure as text or as JSON. */
#include "report.h"

#include <stdio.h>
#include <string.h>

/* A figure's unit from seconds. */
static double in_unit(const perf_figure *f, double seconds) {
    if (!f->time || seconds <= 0) return seconds;
    return strcmp(f->unit, "ms") == 0 ? seconds * 1e3 : f->tokens / seconds;
}

static void print_json(const perf_figure *f, double value) {
    printf("{\"name\": \"%s\", \"model\": \"%s\", \"dtype\": \"%s\", \"dtype_embed\": \"%s\"", f->name, f->model,
           f->dtype, f->dtype_embed);
    if (f->kv_dtype) printf(", \"kv_dtype\": \"%s\"", f->kv_dtype);
    printf(", \"threads\": %u", f->n_threads);
    if (f->n_beams) printf(", \"beams\": %zu", f->n_beams);
    if (f->n_batch) printf(", \"batch\": %zu", f->n_batch);
    if (f->length) printf(", \"length\": %zu", f->length);
    printf(", \"value\": %.6g, \"unit\": \"%s\"", value, f->unit);
    if (f->limit > 0) printf(", \"limit\": %.6g, \"bound\": \"%s\"", in_unit(f, f->limit), f->bound);
    if (f->time)
        printf(", \"median_s\": %.6g, \"min_s\": %.6g, \"max_s\": %.6g, \"lower_s\": %.6g, \"upper_s\": %.6g",
               f->time->median, f->time->minimum, f->time->maximum, f->time->lower, f->time->upper);
    printf("}\n");
}

static void print_text(const perf_figure *f, double value) {
    char what[64];
    int n = snprintf(what, sizeof what, "%s", f->name);
    if (f->n_beams && n < (int)sizeof what) n += snprintf(what + n, sizeof what - (size_t)n, " beams %zu", f->n_beams);
    if (f->n_batch && n < (int)sizeof what) n += snprintf(what + n, sizeof what - (size_t)n, " batch %zu", f->n_batch);
    if (f->length && n < (int)sizeof what) snprintf(what + n, sizeof what - (size_t)n, " length %zu", f->length);
    printf("%-36s %9.1f %-8s", what, value, f->unit);
    if (f->time)
        printf(" (best %.1f, spread %.0f %%)", in_unit(f, f->time->minimum),
               100 * (f->time->upper - f->time->lower) / f->time->median);
    if (f->limit > 0) {
        double limit = in_unit(f, f->limit);
        printf(" %3.0f %% of the limit %.1f (%s)", 100 * (f->time ? f->limit / f->time->median : limit / value), limit,
               f->bound);
    }
    printf("\n");
}

void perf_print_figure(const perf_figure *f, bool json) {
    double value = f->time ? in_unit(f, f->time->median) : f->value;
    (json ? print_json : print_text)(f, value);
    fflush(stdout);
}
