/*
 * attention_pass.c - see attention_pass.h. Work is split by runs, heads and tiles of query rows: what a row sees
 * decides its bits, not who computes it.
 */
#include "attention_pass.h"

static const uint32_t *pages_of(const tfm_attention_pass *pass, const tfm_run *run) {
    return pass->cross ? run->cross_pages : run->pages;
}

static size_t n_positions(const tfm_attention_pass *pass, const tfm_run *run) {
    return pass->cross ? run->n_source : run->past + run->n;
}

typedef struct attention_job {
    const tfm_attention_pass *pass;
    bool stores; /* every item of attend_part stores its keys and values first */
} attention_job;

/* ---- storing keys and values ---- */

/* Those of one run and key/value head. */
static void store_head(const tfm_attention_pass *pass, const tfm_run *run, size_t g) {
    size_t head_dim = pass->cache->head_dim, stride = pass->query_stride, offset = run->row * stride + g * head_dim;
    tfm_kv_view to = tfm_kv_view_of(pass->cache, pages_of(pass, run), pass->layer, g);
    pass->session->model->kernels->kv_store(&to, run->past, run->n, head_dim, pass->key + offset, stride,
                                            pass->value + offset, stride);
}

static void store_part(void *arg, unsigned worker, unsigned n_workers) {
    const tfm_attention_pass *pass = ((const attention_job *)arg)->pass;
    const tfm_ragged_batch *batch = pass->batch;
    size_t item = 0;
    for (const tfm_run *run = batch->runs; run < batch->runs + batch->n_runs; run++)
        for (size_t g = 0; g < pass->cache->n_heads; g++)
            if (item++ % n_workers == worker) store_head(pass, run, g);
}

void tfm_attention_store(const tfm_attention_pass *pass) {
    size_t elements = pass->batch->n_tokens * pass->cache->n_heads * pass->cache->head_dim;
    tfm_pool_run_sized(pass->session->pool, elements * 4, store_part, &(attention_job){.pass = pass});
}

/* ---- attention ---- */

tfm_attention_args tfm_attention_args_of(const tfm_attention_pass *pass, const tfm_run *run, size_t head,
                                         size_t n_heads, size_t first, size_t n) {
    const tfm_stack_options *o = pass->options;
    size_t e = pass->cache->head_dim, row = run->row + first, group = o->n_heads / pass->cache->n_heads;
    tfm_attention_args args = {.query = pass->session->qkv + row * pass->query_stride + head * e,
                               .query_stride = pass->query_stride,
                               .query_group_stride = e,
                               .kv = tfm_kv_view_of(pass->cache, pages_of(pass, run), pass->layer, head / group),
                               .n_query = n,
                               .group = n_heads,
                               .head_dim = e,
                               .n_positions = n_positions(pass, run),
                               .query_position = run->past + first,
                               .causal = pass->causal,
                               .window = pass->window,
                               .scale = o->attention_scale,
                               .soft_cap = pass->cross ? 0.0f : o->attention_soft_cap};
    if (pass->bias) { /* of the key at position 0, for the first query and head */
        args.bias = pass->bias->values + head * pass->bias->width + pass->bias->centre - args.query_position;
        args.bias_row_stride = -1;
        args.bias_group_stride = (ptrdiff_t)pass->bias->width;
    }
    return args;
}

/* One tile of query rows of one run and one key/value head with the query heads that share it. */
static void attend(const tfm_attention_pass *pass, const tfm_run *run, size_t g, size_t first, size_t n,
                   void *scratch) {
    size_t e = pass->cache->head_dim, group = pass->options->n_heads / pass->cache->n_heads;
    size_t width = (size_t)pass->options->n_heads * e;
    tfm_attention_args args = tfm_attention_args_of(pass, run, g * group, group, first, n);
    args.out = pass->session->context + (run->row + first) * width + g * group * e;
    args.out_stride = width;
    args.out_group_stride = e;
    args.scratch = scratch;
    pass->session->model->kernels->attention(&args);
}

static void attend_part(void *arg, unsigned worker, unsigned n_workers) {
    const attention_job *job = arg;
    const tfm_attention_pass *pass = job->pass;
    const tfm_ragged_batch *batch = pass->batch;
    void *scratch = pass->session->scratch + worker * pass->session->scratch_bytes;
    size_t item = 0;
    for (const tfm_run *run = batch->runs; run < batch->runs + batch->n_runs; run++) {
        for (size_t g = 0; g < pass->cache->n_heads; g++) {
            for (size_t first = 0; first < run->n; first += TFM_QUERY_TILE) {
                if (item++ % n_workers != worker) continue;
                size_t left = run->n - first;
                if (job->stores) store_head(pass, run, g);
                attend(pass, run, g, first, left < TFM_QUERY_TILE ? left : TFM_QUERY_TILE, scratch);
            }
        }
    }
}

/*
 * Where each run and head is one item of work, as in decoding, the item stores its own keys and values, which saves a
 * region.
 */
void tfm_attention_run(const tfm_attention_pass *pass) {
    const tfm_ragged_batch *batch = pass->batch;
    attention_job job = {pass, !pass->cross};
    size_t pairs = 0; /* of queries and keys */
    for (const tfm_run *run = batch->runs; run < batch->runs + batch->n_runs; run++) {
        job.stores &= run->n <= TFM_QUERY_TILE;
        pairs += run->n * n_positions(pass, run);
    }
    if (!pass->cross && !job.stores) tfm_attention_store(pass);
    size_t width = (size_t)pass->options->n_heads * pass->cache->head_dim;
    tfm_pool_run_sized(pass->session->pool, pairs * width * 2, attend_part, &job);
}
