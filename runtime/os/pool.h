/*
 * pool.h - running work on the threads of a tfm_pool.
 */
#ifndef TFM_RUNTIME_OS_POOL_H
#define TFM_RUNTIME_OS_POOL_H

#include <stddef.h>

#include "format/model_file.h"
#include "runtime/tfm.h"

/*
 * Calls task(arg, w, n) once for every w in 0 .. n - 1, n being the number of threads, and returns when all have
 * returned: the same as for (w = 0; w < n; w++) task(arg, w, n), in any order. With pool NULL, while the pool works for
 * another caller, or in a process forked since the pool was made, n is 1 and the task runs on the calling thread. A
 * task may not start another one on the pool: it would be run on its own thread alone.
 */
typedef void tfm_task(void *arg, unsigned worker, unsigned n_workers);
void tfm_pool_run(tfm_pool *pool, tfm_task *task, void *arg);

/* Multiply-adds of a product below which waking the workers costs more than they save. */
#define TFM_POOL_WORK_MIN ((size_t)1 << 16)
/* What an element of a norm, a quantisation or an embedding costs, in the same unit. */
#define TFM_ELEMENT_WORK 8

/* tfm_pool_run for work of a known size, counted in multiply-adds: too little of it stays on the calling thread. */
static inline void tfm_pool_run_sized(tfm_pool *pool, size_t work, tfm_task *task, void *arg) {
    tfm_pool_run(work < TFM_POOL_WORK_MIN ? NULL : pool, task, arg);
}

/* The part of 0 .. n - 1 that belongs to a worker; parts begin at multiples of grain. */
void tfm_partition(size_t n, size_t grain, unsigned worker, unsigned n_workers, size_t *begin, size_t *end);

/* The pool as the format layer wants to see it. */
tfm_parallel tfm_pool_parallel(tfm_pool *pool);

#endif
