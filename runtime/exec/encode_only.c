/*
 * encode_only.c - encoder-only models: hidden states, pooled vectors, sentence embeddings, scores of heads.
 */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "runtime/params.h"
#include "session.h"

/* ---- what is asked ---- */

static tfm_status check_score_tokens(const tfm_session *s, const tfm_example *e, size_t i, tfm_error *error) {
    if (!e->score_tokens) return TFM_OK;
    if (s->model->arch.head.kind == TFM_HEAD_SEQUENCE)
        return tfm_fail(error, TFM_ERROR_STATE, "%s scores whole inputs, not tokens", tfm_file_path(s->model->file));
    if (e->n_score_tokens > e->n)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "input %zu: scores of %zu tokens are asked for, it has %zu", i,
                        e->n_score_tokens, e->n);
    for (size_t t = 0; t < e->n_score_tokens; t++)
        if (e->score_tokens[t] >= e->n)
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "input %zu: scores of token %u are asked for, it has %zu", i,
                            e->score_tokens[t], e->n);
    return TFM_OK;
}

static tfm_status check_example(const tfm_session *s, const tfm_example *e, size_t i, tfm_error *error) {
    const tfm_architecture *o = &s->model->arch;
    tfm_status status = tfm_params_check_reserved(e->reserved, "tfm_example", error);
    if (status != TFM_OK) return status;
    if (e->n == 0 || e->n > s->params.max_source)
        return tfm_fail(error, TFM_ERROR_LIMIT, "input %zu has %zu tokens; allowed are 1 to %u", i, e->n,
                        s->params.max_source);
    for (size_t t = 0; t < e->n; t++) {
        if (!tfm_id_valid(e->ids[t], o->encoder.vocab_size))
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "input %zu: token id %d is outside the vocabulary (0 .. %u)", i,
                            e->ids[t], o->encoder.vocab_size - 1);
        uint32_t n_types = o->encoder.token_types > 0 ? o->encoder.token_types : 1;
        if (e->token_types && !tfm_id_valid(e->token_types[t], n_types))
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "input %zu: token type %d is not one of the model's (0 .. %u)",
                            i, e->token_types[t], n_types - 1);
    }
    if (e->pooled && !o->head.pooler)
        return tfm_fail(error, TFM_ERROR_STATE, "%s has no pooler", tfm_file_path(s->model->file));
    if (e->scores && o->head.kind == TFM_HEAD_NONE)
        return tfm_fail(error, TFM_ERROR_STATE, "%s has no head, it gives no scores", tfm_file_path(s->model->file));
    return check_score_tokens(s, e, i, error);
}

/* As many examples as one pass takes, laid out one after the other. */
static size_t lay_out(tfm_session *s, const tfm_example *examples, size_t n, size_t *n_tokens) {
    size_t row = 0, page = 0, count = 0;
    for (; count < n && count < s->params.max_sources; count++) {
        const tfm_example *e = &examples[count];
        if (e->n > s->params.max_batch_tokens - row) break;
        memcpy(s->ids + row, e->ids, e->n * sizeof *s->ids);
        for (size_t t = 0; s->token_types && t < e->n; t++)
            s->token_types[row + t] = e->token_types ? (uint32_t)e->token_types[t] : 0;
        s->runs[count] = (tfm_run){.row = row, .n = e->n, .pages = s->encoder_pages + page, .n_source = e->n};
        row += e->n;
        page += tfm_kv_pages(e->n);
    }
    *n_tokens = row;
    return count;
}

/* ---- results ---- */

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

/* The first tokens of all examples through the pooler, in one product. */
static void pool(tfm_session *s, const tfm_example *examples, size_t n) {
    size_t d = s->model->arch.d_model;
    for (size_t i = 0; i < n; i++) memcpy(s->last + i * d, s->x + s->runs[i].row * d, d * sizeof(float));
    tfm_apply_linear(s, &s->model->pooler, s->last, n, TFM_ACT_TANH, s->h);
    for (size_t i = 0; i < n; i++)
        if (examples[i].pooled) memcpy(examples[i].pooled, s->h + i * d, d * sizeof(float));
}

/* Rows of scores that an example asks for. */
static size_t n_score_rows(const tfm_session *s, const tfm_example *e) {
    if (!e->scores) return 0;
    if (e->score_tokens) return e->n_score_tokens;
    return s->model->arch.head.kind == TFM_HEAD_SEQUENCE ? 1 : e->n;
}

/* The states an example's scores are computed of, to out (n_score_rows, d); states (n, d) are all of it. */
static void gather(const tfm_session *s, const tfm_example *e, const float *states, float *out) {
    size_t d = s->model->arch.d_model, rows = n_score_rows(s, e);
    if (!e->score_tokens) memcpy(out, states, rows * d * sizeof(float));
    for (size_t i = 0; e->score_tokens && i < rows; i++)
        memcpy(out + i * d, states + e->score_tokens[i] * d, d * sizeof(float));
}

/* Writes rows [first, first + n) of all scores, counted over the examples in order, to where they belong. */
static void scatter(const tfm_session *s, const tfm_example *examples, size_t n_examples, size_t first, size_t n) {
    size_t width = s->model->output.w.n, row = 0;
    for (size_t i = 0; i < n_examples && row < first + n; i++) {
        size_t rows = n_score_rows(s, &examples[i]);
        for (size_t r = row < first ? first - row : 0; r < rows && row + r < first + n; r++)
            memcpy(examples[i].scores + r * width, s->logits + (row + r - first) * width, width * sizeof(float));
        row += rows;
    }
}

static tfm_status score(tfm_session *s, const tfm_example *examples, size_t n, tfm_error *error) {
    const tfm_head_options *head = &s->model->arch.head;
    size_t d = s->model->arch.d_model, m = 0;
    for (size_t i = 0; i < n; i++) {
        gather(s, &examples[i], s->x + s->runs[i].row * d, s->last + m * d);
        m += n_score_rows(s, &examples[i]);
    }
    float *x = s->last;
    if (head->kind == TFM_HEAD_SEQUENCE && head->pooler) {
        tfm_apply_linear(s, &s->model->pooler, x, m, TFM_ACT_TANH, s->h);
        memcpy(x, s->h, m * d * sizeof(float));
    }
    if (head->dense) {
        x = s->h;
        tfm_apply_linear(s, &s->model->head_dense, s->last, m, (tfm_activation)head->activation, x);
    }
    if (head->norm) tfm_apply_norm(s, &s->model->encoder, &s->model->head_norm, x, m, x);
    tfm_status status = TFM_OK;
    for (size_t first = 0; !status && first < m; first += TFM_SCORE_ROWS) {
        size_t rows = m - first < TFM_SCORE_ROWS ? m - first : TFM_SCORE_ROWS;
        status = tfm_project(s, &s->model->output, x + first * d, rows, s->logits, error);
        if (!status) scatter(s, examples, n, first, rows);
    }
    return status;
}

static tfm_status give_results(tfm_session *s, const tfm_example *examples, size_t n, const tfm_embed_params *params,
                               tfm_error *error) {
    size_t d = s->model->arch.d_model;
    bool pooled = false, scores = false;
    for (size_t i = 0; i < n; i++) {
        const float *states = s->x + s->runs[i].row * d;
        if (examples[i].states) memcpy(examples[i].states, states, examples[i].n * d * sizeof(float));
        if (examples[i].embedding) embed_sentence(states, examples[i].n, d, params, examples[i].embedding);
        pooled |= examples[i].pooled != NULL;
        scores |= examples[i].scores != NULL;
    }
    tfm_status status = tfm_model_verify_group(s->model, &s->model->output_group, s->pool, error);
    if (!status && pooled) pool(s, examples, n);
    if (!status && scores) status = score(s, examples, n, error);
    return status ? status : tfm_model_check_unchanged(s->model, error);
}

tfm_status tfm_analyze(tfm_session *s, const tfm_example *examples, size_t n, const tfm_embed_params *params,
                       tfm_error *error) {
    atomic_store(&s->cancelled, false);
    if (s->model->arch.kind != TFM_KIND_ENCODER)
        return tfm_fail(error, TFM_ERROR_STATE, "%s is no encoder-only model", tfm_file_path(s->model->file));
    tfm_embed_params own = tfm_embed_params_default(s->model);
    tfm_status status = tfm_params_take(&own, sizeof own, params, "tfm_embed_params", error);
    if (status == TFM_OK && (unsigned)own.pooling > TFM_POOLING_MAX)
        status = tfm_fail(error, TFM_ERROR_ARGUMENT, "pooling is %d, which is none of tfm_pooling", (int)own.pooling);
    for (size_t i = 0; !status && i < n; i++) status = check_example(s, &examples[i], i, error);
    for (size_t done = 0; !status && done < n;) {
        size_t n_tokens, count = lay_out(s, examples + done, n - done, &n_tokens);
        status = tfm_forward(s, &s->model->encoder, s->runs, count, n_tokens, error);
        if (!status) status = give_results(s, examples + done, count, &own, error);
        done += count;
    }
    return status;
}
