/*
 * bench.h - how long passes of a model take: prompts or inputs of a length, and steps of decoding with so many outputs
 * at a depth.
 */
#ifndef TFM_TOOLS_EVAL_BENCH_H
#define TFM_TOOLS_EVAL_BENCH_H

#include "runtime/tfm.h"

typedef enum tfm_bench_kind {
    TFM_BENCH_INPUT,  /* whole inputs go through at once: a prompt, the source of an encoder */
    TFM_BENCH_DECODE, /* one token for each output, behind `length` tokens of it */
} tfm_bench_kind;

typedef struct tfm_bench_case {
    tfm_bench_kind kind;
    uint32_t batch;  /* inputs or outputs at the same time, at most TFM_BENCH_BATCH */
    uint32_t length; /* tokens of each input; tokens that each output has already */
} tfm_bench_case;

enum { TFM_BENCH_BATCH = 16, TFM_BENCH_STEPS = 16, TFM_BENCH_SOURCE = 32, TFM_BENCH_REPEATS = 100 };

/* Seconds of one pass: of all inputs, or of one step of decoding. */
typedef struct tfm_bench_time {
    double median, least, most;
} tfm_bench_time;

typedef struct tfm_bench {
    tfm_session *session;
    tfm_model_info info;
    uint32_t max_source, max_target, batch_tokens; /* of the session */
    float *out;                                    /* (TFM_BENCH_BATCH, widest row) logits or embeddings */
    int32_t *ids;                                  /* (longest input) tokens that mean nothing */
} tfm_bench;

/* Makes a session on the pool. *bench may be given to tfm_bench_close either way. Errors: those of tfm.h. */
tfm_status tfm_bench_open(tfm_bench *bench, tfm_model *model, tfm_pool *pool, uint32_t batch_tokens, tfm_error *error);
void tfm_bench_close(tfm_bench *bench);

/* Whether the model and its session have room for a case. */
bool tfm_bench_fits(const tfm_bench *bench, const tfm_bench_case *which);

/* Runs a case once, and then so many times (at most TFM_BENCH_REPEATS) with a look at the clock. */
tfm_status tfm_bench_run(tfm_bench *bench, const tfm_bench_case *which, uint32_t repeats, tfm_bench_time *time,
                         tfm_error *error);

#endif
