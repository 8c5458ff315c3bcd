/* kernel_clock.h - a kernel table that keeps the time of every call, and where the rest of the time goes. */
#ifndef TFM_PERF_KERNEL_CLOCK_H
#define TFM_PERF_KERNEL_CLOCK_H

#include "runtime/model/model.h"

/* What time is spent on. */
typedef enum perf_part {
    PERF_PART_QKV,       /* products: attention's projections */
    PERF_PART_CROSS,     /* products: cross-attention's */
    PERF_PART_FFN,       /* products: feed-forward */
    PERF_PART_VOCAB,     /* products: vocabulary */
    PERF_PART_ATTENTION, /* over a sequence's own positions */
    PERF_PART_CROSS_ATTENTION,
    PERF_PART_STORE,
    PERF_PART_QUANTIZE,
    PERF_PART_NORM,
    PERF_PART_SOFTMAX,
    PERF_PART_EMBED,
    PERF_PART_OTHER,  /* kernels: activation, add */
    PERF_PART_GLUE,   /* inside parallel regions, but not in a kernel */
    PERF_PART_POOL,   /* starting and waiting for threads */
    PERF_PART_SERIAL, /* outside parallel regions: search, bookkeeping */
    PERF_PART_COUNT
} perf_part;

const char *perf_part_name(perf_part part);

/*
 * Makes the model run on clocked kernels. The clocks are off until perf_clock_start; perf_clock_stop fills in the
 * seconds each part took of the time between, and how often. Time in which n threads work on a part counts 1/n each, so
 * that the parts add up to the time that passed. What encoders do is left out altogether.
 */
void perf_clock_install(tfm_model *model);
void perf_clock_start(void);
typedef struct perf_shares {
    double seconds[PERF_PART_COUNT], calls[PERF_PART_COUNT];
    double total, regions; /* seconds without the encoder; parallel regions */
    double encoder;        /* seconds in encoders */
} perf_shares;
perf_shares perf_clock_stop(void);

#endif
