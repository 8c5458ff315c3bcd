/* workload.h - what the benchmarks of whole models run: a model, a session for it, and pieces of work. */
#ifndef TFM_PERF_WORKLOAD_H
#define TFM_PERF_WORKLOAD_H

#include "harness.h"
#include "runtime/model/model.h"

/*
 * ENCODE    n_batch inputs of `length` tokens through the encoder
 * DECODE    with an encoder: tfm_generate of PERF_TARGET tokens for each of n_batch inputs of PERF_SOURCE tokens, the
 *           encoder's pass included; without one: PERF_TARGET tokens for each of n_batch empty sequences, one at a time
 * PREFILL   one sequence of `length` tokens through a decoder-only model, with the logits of the last
 */
typedef enum perf_work_kind { PERF_ENCODE, PERF_DECODE, PERF_PREFILL } perf_work_kind;

enum { PERF_SOURCE = 32, PERF_TARGET = 64, PERF_MAX_BATCH = 32, PERF_MAX_BEAMS = 8, PERF_MAX_LENGTH = 512 };

typedef struct perf_work {
    perf_work_kind kind;
    size_t n_batch, length, n_beams;
} perf_work;

/* "encode:32x512" (batch, length), "decode:8x4" (batch, beams), "prefill:512"; false if it is none of these. */
bool perf_work_parse(const char *text, perf_work *work);
const char *perf_work_name(const perf_work *work);
/* Tokens that count for tokens per second. */
double perf_work_tokens(const perf_work *work);

typedef struct perf_runner {
    const char *program;
    tfm_pool *pool;
    tfm_model *model;
    tfm_session *session;
    tfm_model_info info;
    const char *name, *dtype, *dtype_embed; /* of the model */
    unsigned n_threads;
    perf_work work; /* what perf_run does */
    int32_t ids[PERF_MAX_BATCH][PERF_MAX_LENGTH];
    float *logits; /* (PERF_MAX_BATCH, vocab) */
    tfm_generate_params generate;
    tfm_error error;
} perf_runner;

/* Opens a model (verified later, when used) and a session of kv_type; ends the program with a message on failure. */
perf_runner *perf_runner_open(const char *program, const char *path, const perf_options *options);
void perf_runner_close(perf_runner **runner);
/* Ends the program with a message if status is an error. */
void perf_check(perf_runner *runner, tfm_status status);
/* Whether the model can do the work. */
bool perf_work_fits(const perf_runner *runner, const perf_work *work);
/* Does runner->work once; ends the program with a message on failure. */
void perf_run(void *runner);

/*
 * Seconds that runner->work cannot be faster than: pass by pass, the longer of the bytes of all weights at the
 * bandwidth of DRAM, and the operations of products and attention at their peaks. *bound says which of the two was
 * longer in most of the time.
 */
double perf_work_limit(const perf_runner *runner, const perf_machine *machine, const char **bound);
/* Likewise for the first token of an answer to PERF_SOURCE tokens (of an empty text, without an encoder). */
double perf_first_token_limit(const perf_runner *runner, const perf_machine *machine);

#endif
