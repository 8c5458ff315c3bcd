/*
 * encode_only.c - encoder-only models: hidden states, pooled vectors, sentence embeddings, scores of heads.
 */
#include <math.h>
#include <string.h>

#include "executor.h"
#include "linear.h"
#include "rows.h"
#include "runtime/params.h"

/* ---- what is asked ---- */

static tfm_status check_score_tokens(const tfm_session *session, const tfm_example *e, size_t i, tfm_error *error) {
    if (!e->score_tokens) return TFM_OK;
    if (session->model->arch.head.kind == TFM_HEAD_SEQUENCE)
        return tfm_fail(error, TFM_ERROR_STATE, "%s scores whole inputs, not tokens",
                        tfm_file_path(session->model->file));
    if (e->n_score_tokens > e->n)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "input %zu: scores of %zu tokens are asked for, it has %zu", i,
                        e->n_score_tokens, e->n);
    for (size_t t = 0; t < e->n_score_tokens; t++)
        if (e->score_tokens[t] >= e->n)
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "input %zu: scores of token %u are asked for, it has %zu", i,
                            e->score_tokens[t], e->n);
    return TFM_OK;
}

static tfm_status check_example(const tfm_session *session, const tfm_example *e, size_t i, tfm_error *error) {
    const tfm_architecture *arch = &session->model->arch;
    tfm_status status = tfm_params_check_reserved(e->reserved, "tfm_example", error);
    if (status != TFM_OK) return status;
    if (e->n == 0 || e->n > session->params.max_source)
        return tfm_fail(error, TFM_ERROR_LIMIT, "input %zu has %zu tokens; allowed are 1 to %u", i, e->n,
                        session->params.max_source);
    if (!e->ids) return tfm_fail(error, TFM_ERROR_ARGUMENT, "input %zu: there are %zu token ids at NULL", i, e->n);
    for (size_t t = 0; t < e->n; t++) {
        if (!tfm_id_valid(e->ids[t], arch->encoder.vocab_size))
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "input %zu: token id %d is outside the vocabulary (0 .. %u)", i,
                            e->ids[t], arch->encoder.vocab_size - 1);
        uint32_t n_types = arch->encoder.token_types > 0 ? arch->encoder.token_types : 1;
        if (e->token_types && !tfm_id_valid(e->token_types[t], n_types))
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "input %zu: token type %d is not one of the model's (0 .. %u)",
                            i, e->token_types[t], n_types - 1);
    }
    if (e->pooled && !arch->head.pooler)
        return tfm_fail(error, TFM_ERROR_STATE, "%s has no pooler", tfm_file_path(session->model->file));
    if (e->scores && arch->head.kind == TFM_HEAD_NONE)
        return tfm_fail(error, TFM_ERROR_STATE, "%s has no head, it gives no scores",
                        tfm_file_path(session->model->file));
    return check_score_tokens(session, e, i, error);
}

/*
 * A batch of examples from number `first` on, as many as one pass takes; those with an error are left out. The runs
 * have the examples' numbers. Returns the number of the next one.
 */
static size_t lay_out(tfm_session *session, const tfm_example *examples, const tfm_error *errors, size_t first,
                      size_t n) {
    tfm_ragged_batch *batch = &session->batch;
    const uint32_t *pages = session->encoder_pages;
    size_t i = first;
    tfm_ragged_batch_clear(batch);
    for (; i < n && batch->n_runs < session->params.max_sources; i++) {
        const tfm_example *e = &examples[i];
        if (errors && errors[i].status != TFM_OK) continue;
        if (e->n > session->params.max_batch_tokens - batch->n_tokens) break;
        tfm_run *run = tfm_ragged_batch_append(batch, e->ids, e->n, 0);
        run->sequence = (int32_t)i;
        run->pages = pages;
        for (size_t t = 0; batch->token_types && e->token_types && t < e->n; t++)
            batch->token_types[run->row + t] = (uint32_t)e->token_types[t];
        pages += tfm_kv_pages(e->n);
    }
    return i;
}

/* ---- results ---- */

/* The example of a run, and its last hidden states (n, d_model). */
static const tfm_example *example_of(const tfm_example *examples, const tfm_run *run) {
    return &examples[run->sequence];
}
static const float *states_of(const tfm_session *session, const tfm_run *run) {
    return session->x + run->row * session->model->arch.d_model;
}

/* One vector of the hidden states (n, d) of a sentence, computed in double and rounded once. */
static void embed_sentence(const float *states, size_t n, size_t d, const tfm_embed_params *params, float *out) {
    double square = 0;
    for (size_t i = 0; i < d; i++) {
        double value = (double)states[i];
        if (params->pooling == TFM_POOLING_MEAN) {
            for (size_t t = 1; t < n; t++) value += (double)states[t * d + i];
            value /= (double)n;
        } else if (params->pooling == TFM_POOLING_MAX) {
            for (size_t t = 1; t < n; t++)
                if ((double)states[t * d + i] > value) value = (double)states[t * d + i];
        }
        out[i] = (float)value;
        square += value * value;
    }
    if (!params->normalize) return;
    double length = sqrt(square) > 1e-12 ? sqrt(square) : 1e-12;
    for (size_t i = 0; i < d; i++) out[i] = (float)((double)out[i] / length);
}

/* session->h (m, d_model) = tanh of the pooler's product with m rows of session->head. */
static void apply_pooler(tfm_session *session, size_t m) {
    tfm_apply_linear(session, &session->model->pooler, session->head, m, session->h,
                     (tfm_epilogue){.act = TFM_ACT_TANH});
}

/* The first tokens of all examples through the pooler, in one product. */
static void write_pooled(tfm_session *session, const tfm_example *examples) {
    const tfm_ragged_batch *batch = &session->batch;
    size_t d = session->model->arch.d_model;
    for (size_t i = 0; i < batch->n_runs; i++)
        memcpy(session->head + i * d, states_of(session, &batch->runs[i]), d * sizeof(float));
    apply_pooler(session, batch->n_runs);
    for (size_t i = 0; i < batch->n_runs; i++) {
        const tfm_example *e = example_of(examples, &batch->runs[i]);
        if (e->pooled) memcpy(e->pooled, session->h + i * d, d * sizeof(float));
    }
}

/* ---- scores ---- */

/* Rows of scores that an example asks for. */
static size_t n_score_rows(const tfm_session *session, const tfm_example *e) {
    if (!e->scores) return 0;
    if (e->score_tokens) return e->n_score_tokens;
    return session->model->arch.head.kind == TFM_HEAD_SEQUENCE ? 1 : e->n;
}

/* The states an example's scores are computed of, to out (n_score_rows, d); states (n, d) are all of it. */
static void gather(const tfm_session *session, const tfm_example *e, const float *states, float *out) {
    size_t d = session->model->arch.d_model, rows = n_score_rows(session, e);
    if (!e->score_tokens) memcpy(out, states, rows * d * sizeof(float));
    for (size_t i = 0; e->score_tokens && i < rows; i++)
        memcpy(out + i * d, states + e->score_tokens[i] * d, d * sizeof(float));
}

/* Writes rows [first, first + n) of all scores, counted over the runs in order, to where they belong. */
static void scatter(const tfm_session *session, const tfm_example *examples, size_t first, size_t n) {
    const tfm_ragged_batch *batch = &session->batch;
    size_t width = session->model->output.w.n, row = 0;
    for (size_t i = 0; i < batch->n_runs && row < first + n; i++) {
        const tfm_example *e = example_of(examples, &batch->runs[i]);
        size_t rows = n_score_rows(session, e);
        for (size_t r = row < first ? first - row : 0; r < rows && row + r < first + n; r++)
            memcpy(e->scores + r * width, session->logits + (row + r - first) * width, width * sizeof(float));
        row += rows;
    }
}

/* The head's layers before its projection, over m rows of session->head; returns where their results are. */
static float *apply_head(tfm_session *session, size_t m) {
    const tfm_model *model = session->model;
    const tfm_head_options *head = &model->arch.head;
    float *x = session->head;
    if (head->kind == TFM_HEAD_SEQUENCE && head->pooler) {
        apply_pooler(session, m);
        memcpy(x, session->h, m * model->arch.d_model * sizeof *x);
    }
    if (head->dense) {
        x = session->h;
        tfm_apply_linear(session, &model->head_dense, session->head, m, x,
                         (tfm_epilogue){.act = (tfm_activation)head->activation});
    }
    if (head->norm) tfm_apply_norm(session, model->encoder.options, &model->head_norm, x, m, x);
    return x;
}

static tfm_status write_scores(tfm_session *session, const tfm_example *examples, tfm_error *error) {
    const tfm_ragged_batch *batch = &session->batch;
    size_t d = session->model->arch.d_model, m = 0;
    for (const tfm_run *run = batch->runs; run < batch->runs + batch->n_runs; run++) {
        const tfm_example *e = example_of(examples, run);
        gather(session, e, states_of(session, run), session->head + m * d);
        m += n_score_rows(session, e);
    }
    const float *x = apply_head(session, m);
    for (size_t first = 0; first < m; first += session->logits_rows) {
        size_t rows = m - first < session->logits_rows ? m - first : session->logits_rows;
        tfm_status status = tfm_project(session, &session->model->output, x + first * session->model->output.w.k, rows,
                                        session->logits, error);
        if (status != TFM_OK) return status;
        scatter(session, examples, first, rows);
    }
    return TFM_OK;
}

static tfm_status write_results(tfm_session *session, const tfm_example *examples, const tfm_embed_params *params,
                                tfm_error *error) {
    const tfm_ragged_batch *batch = &session->batch;
    size_t d = session->model->arch.d_model;
    bool pooled = false, scores = false;
    for (const tfm_run *run = batch->runs; run < batch->runs + batch->n_runs; run++) {
        const tfm_example *e = example_of(examples, run);
        if (e->states) memcpy(e->states, states_of(session, run), e->n * d * sizeof(float));
        if (e->embedding) embed_sentence(states_of(session, run), e->n, d, params, e->embedding);
        pooled |= e->pooled != NULL;
        scores |= e->scores != NULL;
    }
    tfm_status status = tfm_model_verify_group(session->model, &session->model->output_group, session->pool, error);
    if (status == TFM_OK && pooled) write_pooled(session, examples);
    if (status == TFM_OK && scores) status = write_scores(session, examples, error);
    return status != TFM_OK ? status : tfm_model_check_unchanged(session->model, error);
}

/* ---- the call ---- */

/* Errors of examples go to errors, or if that is NULL the first of them is the call's. */
static tfm_status check_examples(const tfm_session *session, const tfm_example *examples, size_t n, tfm_error *errors,
                                 tfm_error *error) {
    for (size_t i = 0; i < n; i++) {
        if (errors) errors[i] = (tfm_error){0};
        tfm_status status = check_example(session, &examples[i], i, errors ? &errors[i] : error);
        if (status != TFM_OK && !errors) return status;
    }
    return TFM_OK;
}

tfm_status tfm_analyze(tfm_session *session, const tfm_example *examples, size_t n, const tfm_embed_params *params,
                       tfm_error *errors, tfm_error *error) {
    if (session->model->arch.kind != TFM_KIND_ENCODER)
        return tfm_fail(error, TFM_ERROR_STATE, "%s is no encoder-only model", tfm_file_path(session->model->file));
    tfm_embed_params own = tfm_embed_params_default(session->model);
    tfm_status status = tfm_params_take(&own, sizeof own, params, "tfm_embed_params", error);
    if (status == TFM_OK && (unsigned)own.pooling > TFM_POOLING_MAX)
        status = tfm_fail(error, TFM_ERROR_ARGUMENT, "pooling is %d, which is none of tfm_pooling", (int)own.pooling);
    if (status == TFM_OK && n > 0 && !examples)
        status = tfm_fail(error, TFM_ERROR_ARGUMENT, "there are %zu inputs at NULL", n);
    if (status == TFM_OK) status = check_examples(session, examples, n, errors, error);
    for (size_t next = 0; status == TFM_OK && next < n;) {
        next = lay_out(session, examples, errors, next, n);
        if (session->batch.n_runs == 0) break; /* none is left that can be run */
        status = tfm_forward(session, &session->model->encoder, &session->batch, error);
        if (status == TFM_OK) status = write_results(session, examples, &own, error);
    }
    return status;
}
