/* logits_run.c - computes lines in batches, whatever the kind of model, and writes them as they are done. */
#include "logits.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/tfm.h"

/* Floats of logits held at the same time, unless one token (of an encoder: one line) has more: 64 MiB. */
#define LOGITS_BUDGET ((size_t)16 << 20)
enum { MAX_LINES = 64 }; /* in one batch */

/* Width of a row of logits, 0 without a head. */
static size_t width(const tfm_logits *r) {
    return r->model.info.kind == TFM_KIND_ENCODER ? r->model.info.n_outputs : r->model.info.target_vocab_size;
}

/* ---- output ---- */

static tfm_status declare(tfm_logits *r, size_t line, const char *what, size_t rows, size_t columns, tfm_error *error) {
    char name[64];
    snprintf(name, sizeof name, "%zu.%s", line, what);
    return tfm_safetensors_writer_declare(r->writer, name, TFM_ST_F32, 2, (uint64_t[]){rows, columns}, error);
}

static tfm_status declare_encoder(tfm_logits *r, size_t i, tfm_error *error) {
    const tfm_model_info *info = &r->model.info;
    const tfm_logits_line *line = &r->lines[i];
    tfm_status status = declare(r, i, "encoder", line->n_source, info->d_model, error);
    if (status == TFM_OK && width(r) > 0) status = declare(r, i, "logits", tfm_logits_rows(r, line), width(r), error);
    if (status == TFM_OK && r->settings->vectors) status = declare(r, i, "embedding", 1, info->d_model, error);
    if (status == TFM_OK && r->settings->vectors && info->has_pooler)
        status = declare(r, i, "pooled", 1, info->d_model, error);
    return status;
}

/* The states of a decoder-only model come after its logits, which need not be there all at the same time. */
static tfm_status declare_decoder(tfm_logits *r, size_t i, tfm_error *error) {
    const tfm_model_info *info = &r->model.info;
    const tfm_logits_line *line = &r->lines[i];
    const bool alone = info->kind == TFM_KIND_DECODER;
    tfm_status status = TFM_OK;
    if (!alone) status = declare(r, i, "encoder", line->n_source, info->d_model, error);
    if (status == TFM_OK) status = declare(r, i, "logits", line->n_target, width(r), error);
    if (status == TFM_OK && (alone || r->settings->decoder_states))
        status = declare(r, i, alone ? "encoder" : "decoder", line->n_target, info->d_model, error);
    return status;
}

/* The data follow in this order. */
static tfm_status declare_all(tfm_logits *r, tfm_error *error) {
    tfm_status status = tfm_safetensors_writer_create(&r->writer, r->settings->out, error);
    for (size_t i = 0; status == TFM_OK && i < r->n_lines; i++)
        status = r->model.info.kind == TFM_KIND_ENCODER ? declare_encoder(r, i, error) : declare_decoder(r, i, error);
    return status;
}

static tfm_status write_rows(tfm_logits *r, const float *rows, size_t n, size_t columns, tfm_error *error) {
    return tfm_safetensors_writer_write(r->writer, rows, n * columns * sizeof *rows, error);
}

/* ---- encoder-only models ---- */

static tfm_status run_encoder(tfm_logits *r, size_t first, size_t n, tfm_error *error) {
    const size_t d = r->model.info.d_model, columns = width(r);
    const bool pooled = r->settings->vectors && r->model.info.has_pooler;
    tfm_example examples[MAX_LINES] = {0};
    size_t row = 0, score_row = 0;
    for (size_t i = 0; i < n; i++) {
        const tfm_logits_line *line = &r->lines[first + i];
        examples[i] = (tfm_example){.ids = r->ids.data + line->source,
                                    .n = line->n_source,
                                    .token_types = line->has_types ? r->ids.data + line->types : NULL,
                                    .states = r->encoder + row * d,
                                    .scores = columns ? r->logits + score_row * columns : NULL,
                                    .embedding = r->settings->vectors ? r->vectors + 2 * i * d : NULL,
                                    .pooled = pooled ? r->vectors + (2 * i + 1) * d : NULL};
        row += line->n_source;
        score_row += tfm_logits_rows(r, line);
    }
    tfm_status status = tfm_analyze(r->session, examples, n, NULL, NULL, error);
    for (size_t i = 0; status == TFM_OK && i < n; i++) {
        const tfm_example *e = &examples[i];
        status = write_rows(r, e->states, e->n, d, error);
        if (status == TFM_OK && e->scores)
            status = write_rows(r, e->scores, tfm_logits_rows(r, &r->lines[first + i]), columns, error);
        if (status == TFM_OK && e->embedding) status = write_rows(r, e->embedding, 1, d, error);
        if (status == TFM_OK && e->pooled) status = write_rows(r, e->pooled, 1, d, error);
    }
    return status;
}

/* ---- models with a decoder ---- */

static tfm_status encode(tfm_logits *r, size_t first, size_t n, int32_t *sources, tfm_error *error) {
    tfm_tokens inputs[MAX_LINES] = {0};
    float *states[MAX_LINES] = {0};
    float *next = r->encoder;
    for (size_t i = 0; i < n; i++) {
        const tfm_logits_line *line = &r->lines[first + i];
        inputs[i] = (tfm_tokens){r->ids.data + line->source, line->n_source};
        states[i] = next;
        next += line->n_source * r->model.info.d_model;
    }
    return tfm_encode(r->session, inputs, n, sources, states, error);
}

static bool wants_states(const tfm_logits *r) {
    return r->model.info.kind == TFM_KIND_DECODER || r->settings->decoder_states;
}

/* Lines whose logits fit into the buffer, all at the same time. */
static tfm_status decode_batch(tfm_logits *r, size_t first, size_t n, const int32_t *sequences, tfm_error *error) {
    const size_t d = r->model.info.d_model, columns = width(r);
    tfm_span spans[MAX_LINES];
    size_t row = 0, source_row = 0;
    for (size_t i = 0; i < n; i++) {
        const tfm_logits_line *line = &r->lines[first + i];
        spans[i] = (tfm_span){.sequence = sequences[i],
                              .ids = r->ids.data + line->target,
                              .n = line->n_target,
                              .logits = r->logits + row * columns,
                              .states = r->decoder + row * d,
                              .all_logits = true};
        row += line->n_target;
    }
    tfm_status status = tfm_decode(r->session, spans, n, error);
    for (size_t i = 0; status == TFM_OK && i < n; i++) {
        const tfm_logits_line *line = &r->lines[first + i];
        if (line->n_source > 0) status = write_rows(r, r->encoder + source_row * d, line->n_source, d, error);
        source_row += line->n_source;
        if (status == TFM_OK) status = write_rows(r, spans[i].logits, line->n_target, columns, error);
        if (status == TFM_OK && wants_states(r)) status = write_rows(r, spans[i].states, line->n_target, d, error);
    }
    return status;
}

/* One line with more logits than the buffer holds, piece by piece: the same bits. */
static tfm_status decode_long(tfm_logits *r, size_t index, int32_t sequence, tfm_error *error) {
    const size_t d = r->model.info.d_model;
    const tfm_logits_line *line = &r->lines[index];
    tfm_status status = TFM_OK;
    if (line->n_source > 0) status = write_rows(r, r->encoder, line->n_source, d, error);
    for (size_t at = 0; status == TFM_OK && at < line->n_target; at += r->max_rows) {
        size_t n = line->n_target - at < r->max_rows ? line->n_target - at : r->max_rows;
        tfm_span span = {.sequence = sequence,
                         .ids = r->ids.data + line->target + at,
                         .n = n,
                         .logits = r->logits,
                         .states = r->decoder + at * d,
                         .all_logits = true};
        status = tfm_decode(r->session, &span, 1, error);
        if (status == TFM_OK) status = write_rows(r, r->logits, n, width(r), error);
    }
    if (status == TFM_OK && wants_states(r)) status = write_rows(r, r->decoder, line->n_target, d, error);
    return status;
}

static tfm_status run_decoder(tfm_logits *r, size_t first, size_t n, tfm_error *error) {
    int32_t sources[MAX_LINES], sequences[MAX_LINES];
    const bool encodes = r->model.info.kind == TFM_KIND_ENCODER_DECODER;
    tfm_status status = encodes ? encode(r, first, n, sources, error) : TFM_OK;
    if (status != TFM_OK) return status;
    size_t n_sequences = 0;
    while (status == TFM_OK && n_sequences < n) {
        int32_t source = encodes ? sources[n_sequences] : -1;
        status = tfm_sequence_new(r->session, source, &sequences[n_sequences], error);
        n_sequences += status == TFM_OK;
    }
    if (status == TFM_OK)
        status = n == 1 && r->lines[first].n_target > r->max_rows ? decode_long(r, first, sequences[0], error)
                                                                  : decode_batch(r, first, n, sequences, error);
    for (size_t i = 0; i < n_sequences; i++) tfm_sequence_free(r->session, sequences[i]);
    for (size_t i = 0; encodes && i < n; i++) tfm_source_free(r->session, sources[i]);
    return status;
}

/* ---- batches ---- */

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* Buffers for the largest batch, and a session that can hold it. */
static tfm_status prepare(tfm_logits *r, tfm_error *error) {
    const tfm_model_info *info = &r->model.info;
    r->batch_tokens = r->settings->base.model.batch_tokens;
    size_t encoder_rows = larger(r->batch_tokens, r->longest_source), columns = larger(width(r), 1);
    size_t decoder_rows = larger(r->batch_tokens, r->longest_target);
    r->max_rows = larger(LOGITS_BUDGET / columns, 1);
    if (r->max_rows > r->batch_tokens) r->max_rows = r->batch_tokens;
    /* An encoder gives all rows of a line at the same time. */
    size_t logits_rows = info->kind == TFM_KIND_ENCODER ? larger(r->max_rows, r->longest_source) : r->max_rows;

    tfm_session_params params = tfm_session_params_default();
    params.pool = r->model.pool;
    params.max_sources = params.max_sequences = MAX_LINES;
    params.max_batch_tokens = (uint32_t)(info->kind == TFM_KIND_DECODER ? decoder_rows : encoder_rows);
    params.max_source = (uint32_t)r->longest_source;
    params.max_target = (uint32_t)r->longest_target;
    tfm_status status = tfm_session_create(&r->session, r->model.model, &params, error);
    if (status != TFM_OK) return status;
    r->encoder = reallocarray(NULL, encoder_rows, info->d_model * sizeof(float));
    r->decoder = reallocarray(NULL, decoder_rows, info->d_model * sizeof(float));
    r->logits = reallocarray(NULL, logits_rows, columns * sizeof(float));
    r->vectors = reallocarray(NULL, 2 * MAX_LINES, info->d_model * sizeof(float));
    if (r->encoder && r->decoder && r->logits && r->vectors) return TFM_OK;
    return tfm_no_memory(error, "a batch (a smaller --batch-tokens takes less)");
}

/* Lines from first on that fit into one batch; at least one. */
static size_t batch_size(const tfm_logits *r, size_t first) {
    size_t n = 0, n_source = 0, n_rows = 0;
    bool encoder = r->model.info.kind == TFM_KIND_ENCODER;
    while (n < MAX_LINES && first + n < r->n_lines) {
        const tfm_logits_line *line = &r->lines[first + n];
        n_source += line->n_source;
        n_rows += encoder ? tfm_logits_rows(r, line) : line->n_target;
        if (n > 0 && (n_source > r->batch_tokens || n_rows > r->max_rows)) break;
        n++;
    }
    return n;
}

tfm_status tfm_logits_run(tfm_logits *r, tfm_error *error) {
    tfm_status status = prepare(r, error);
    if (status == TFM_OK) status = declare_all(r, error);
    for (size_t at = 0; status == TFM_OK && at < r->n_lines;) {
        size_t n = batch_size(r, at);
        status = r->model.info.kind == TFM_KIND_ENCODER ? run_encoder(r, at, n, error) : run_decoder(r, at, n, error);
        at += n;
    }
    return status == TFM_OK ? tfm_safetensors_writer_commit(&r->writer, error) : status;
}
