/* command_logits.c - tfmeval logits: encoder states and logits of given ids, as a safetensors file. */
#include "../../format/model_file.h"
#include "../common/safetensors.h"
#include "model_options.h"
#include "record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct settings {
    tfm_command_settings common;
    tfm_model_settings model;
    const char *in, *out;
    bool decoder_states;
} settings;

#define AT(member) .offset = offsetof(settings, member)
static const tfm_option options[] = {
    {.kind = TFM_OPTION_STRING,
     .letter = 'i',
     .name = "in",
     .argument = "FILE",
     AT(in),
     .help = "Lines of JSON with the ids (default: -, standard input)."},
    {.kind = TFM_OPTION_STRING,
     .letter = 'o',
     .name = "out",
     .argument = "FILE",
     AT(out),
     .help = "The safetensors file to write."},
    {.kind = TFM_OPTION_FLAG,
     .name = "decoder-states",
     AT(decoder_states),
     .help = "Also write N.decoder, the decoder's states before the vocabulary projection."},
    TFM_OPTIONS_RUN(settings, model),
    TFM_OPTIONS_MODEL(settings, model),
    TFM_OPTION_HELP};

static const tfm_command command = {
    .usage = "logits [OPTION]... MODEL --in IN.jsonl --out OUT.safetensors",
    .description = "Runs an encoder-decoder over given ids. Each input line is\n"
                   "  {\"input_ids\": [...], \"decoder_input_ids\": [...]}\n"
                   "(the decoder's start token included). For line N, the first being 0, the output holds,\n"
                   "in F32, N.encoder (source tokens, d_model) and N.logits (target tokens, vocabulary).\n",
    .examples = "  tfmeval logits model.bin --in cases.jsonl --out logits.safetensors\n",
    .options = {options, sizeof options / sizeof *options},
    .n_arguments = 1};

/* Floats of logits held at the same time, unless one token has more: 64 MiB. */
#define LOGITS_BUDGET ((size_t)16 << 20)
enum { MAX_LINES = 64 }; /* in one batch */

/* A line of the input: where its ids are. */
typedef struct pair {
    size_t source, n_source, target, n_target;
} pair;

typedef struct runner {
    const settings *settings;
    tfm_opened model;
    tfm_session *session;
    tfm_safetensors_writer *writer;
    tfm_ids ids; /* of all lines */
    pair *pairs;
    size_t n_pairs, capacity;
    size_t longest_source, longest_target;
    size_t batch_tokens; /* of a side in a batch; a longer line is a batch of its own */
    size_t max_rows;     /* of logits at the same time */
    float *encoder, *decoder, *logits;
} runner;

/* ---- input --------------------------------------------------------------------------------------------------- */

static tfm_status add_pair(runner *r, const tfm_text_file *in, const json_t *object, tfm_error *error) {
    const tfm_model_info *info = &r->model.info;
    if (r->n_pairs == r->capacity) {
        size_t capacity = r->capacity ? r->capacity * 2 : 256;
        pair *pairs = reallocarray(r->pairs, capacity, sizeof *pairs);
        if (!pairs) return tfm_record_fail(in, error, TFM_ERROR_MEMORY, "out of memory");
        r->pairs = pairs;
        r->capacity = capacity;
    }
    pair p = {.source = r->ids.size};
    tfm_status status =
        tfm_record_ids(in, object, "input_ids", info->source_vocab_size, info->max_source, false, &r->ids, error);
    p.target = r->ids.size;
    p.n_source = p.target - p.source;
    if (status == TFM_OK)
        status = tfm_record_ids(in, object, "decoder_input_ids", info->target_vocab_size, info->max_target, false,
                                &r->ids, error);
    if (status != TFM_OK) return status;
    p.n_target = r->ids.size - p.target;
    if (p.n_source > r->longest_source) r->longest_source = p.n_source;
    if (p.n_target > r->longest_target) r->longest_target = p.n_target;
    r->pairs[r->n_pairs++] = p;
    return TFM_OK;
}

static tfm_status read_lines(runner *r, tfm_text_file *in, tfm_error *error) {
    for (;;) {
        tfm_slice line;
        bool end;
        tfm_status status = tfm_text_file_next(in, &line, &end, error);
        if (status != TFM_OK || end) return status;
        json_t *object;
        status = tfm_record_parse(in, line, &object, error);
        if (status != TFM_OK) return status;
        status = add_pair(r, in, object, error);
        json_decref(object);
        if (status != TFM_OK) return status;
    }
}

static tfm_status read_input(runner *r, tfm_error *error) {
    tfm_text_file in = {.fd = -1};
    tfm_status status = tfm_text_file_open(&in, r->settings->in, error);
    if (status == TFM_OK) status = read_lines(r, &in, error);
    if (status == TFM_OK && r->n_pairs == 0)
        status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: no lines, nothing to compute", in.name);
    tfm_text_file_close(&in);
    return status;
}

/* ---- output -------------------------------------------------------------------------------------------------- */

static tfm_status declare(runner *r, size_t line, const char *what, size_t rows, size_t columns, tfm_error *error) {
    char name[64];
    snprintf(name, sizeof name, "%zu.%s", line, what);
    return tfm_safetensors_writer_declare(r->writer, name, TFM_ST_F32, 2, (uint64_t[]){rows, columns}, error);
}

/* The data follow in this order. */
static tfm_status declare_all(runner *r, tfm_error *error) {
    const tfm_model_info *info = &r->model.info;
    tfm_status status = tfm_safetensors_writer_create(&r->writer, r->settings->out, error);
    for (size_t i = 0; status == TFM_OK && i < r->n_pairs; i++) {
        status = declare(r, i, "encoder", r->pairs[i].n_source, info->d_model, error);
        if (status == TFM_OK) status = declare(r, i, "logits", r->pairs[i].n_target, info->target_vocab_size, error);
        if (status == TFM_OK && r->settings->decoder_states)
            status = declare(r, i, "decoder", r->pairs[i].n_target, info->d_model, error);
    }
    return status;
}

static tfm_status write_rows(runner *r, const float *rows, size_t n, size_t columns, tfm_error *error) {
    return tfm_safetensors_writer_write(r->writer, rows, n * columns * sizeof *rows, error);
}

/* ---- running ------------------------------------------------------------------------------------------------- */

/* Buffers for the largest batch, and a session that can hold it. */
static tfm_status prepare(runner *r, tfm_error *error) {
    const tfm_model_info *info = &r->model.info;
    r->batch_tokens = r->settings->model.batch_tokens;
    size_t encoder_rows = r->batch_tokens > r->longest_source ? r->batch_tokens : r->longest_source;
    size_t decoder_rows = r->batch_tokens > r->longest_target ? r->batch_tokens : r->longest_target;
    r->max_rows = LOGITS_BUDGET / info->target_vocab_size;
    if (r->max_rows == 0) r->max_rows = 1;
    if (r->max_rows > r->batch_tokens) r->max_rows = r->batch_tokens;

    tfm_session_params params = tfm_session_params_default();
    params.pool = r->model.pool;
    params.max_sources = params.max_sequences = MAX_LINES;
    params.max_batch_tokens = (uint32_t)encoder_rows;
    params.max_source = (uint32_t)r->longest_source;
    params.max_target = (uint32_t)r->longest_target;
    tfm_status status = tfm_session_create(&r->session, r->model.model, &params, error);
    if (status != TFM_OK) return status;
    r->encoder = reallocarray(NULL, encoder_rows, info->d_model * sizeof(float));
    r->decoder = reallocarray(NULL, decoder_rows, info->d_model * sizeof(float));
    r->logits = reallocarray(NULL, r->max_rows, info->target_vocab_size * sizeof(float));
    if (r->encoder && r->decoder && r->logits) return TFM_OK;
    return tfm_fail(error, TFM_ERROR_MEMORY, "out of memory; a smaller --batch-tokens takes less");
}

/* Lines from first on that fit into one batch; at least one. */
static size_t batch_size(const runner *r, size_t first) {
    size_t n = 0, n_source = 0, n_target = 0;
    while (n < MAX_LINES && first + n < r->n_pairs) {
        n_source += r->pairs[first + n].n_source;
        n_target += r->pairs[first + n].n_target;
        if (n > 0 && (n_source > r->batch_tokens || n_target > r->max_rows)) break;
        n++;
    }
    return n;
}

static tfm_status encode(runner *r, size_t first, size_t n, int32_t *sources, tfm_error *error) {
    tfm_tokens inputs[MAX_LINES];
    float *states[MAX_LINES];
    float *next = r->encoder;
    for (size_t i = 0; i < n; i++) {
        const pair *p = &r->pairs[first + i];
        inputs[i] = (tfm_tokens){r->ids.data + p->source, p->n_source};
        states[i] = next;
        next += p->n_source * r->model.info.d_model;
    }
    return tfm_encode(r->session, inputs, n, sources, states, error);
}

/* Lines whose logits fit into the buffer, all at the same time. */
static tfm_status decode_batch(runner *r, size_t first, size_t n, const int32_t *sequences, tfm_error *error) {
    const tfm_model_info *info = &r->model.info;
    tfm_span spans[MAX_LINES];
    size_t row = 0, source_row = 0;
    for (size_t i = 0; i < n; i++) {
        const pair *p = &r->pairs[first + i];
        spans[i] = (tfm_span){.sequence = sequences[i],
                              .ids = r->ids.data + p->target,
                              .n = p->n_target,
                              .logits = r->logits + row * info->target_vocab_size,
                              .states = r->decoder + row * info->d_model,
                              .all_logits = true};
        row += p->n_target;
    }
    tfm_status status = tfm_decode(r->session, spans, n, error);
    for (size_t i = 0; status == TFM_OK && i < n; i++) {
        const pair *p = &r->pairs[first + i];
        status = write_rows(r, r->encoder + source_row * info->d_model, p->n_source, info->d_model, error);
        source_row += p->n_source;
        if (status == TFM_OK) status = write_rows(r, spans[i].logits, p->n_target, info->target_vocab_size, error);
        if (status == TFM_OK && r->settings->decoder_states)
            status = write_rows(r, spans[i].states, p->n_target, info->d_model, error);
    }
    return status;
}

/* One line with more logits than the buffer holds, piece by piece: the same bits. */
static tfm_status decode_long(runner *r, size_t line, int32_t sequence, tfm_error *error) {
    const tfm_model_info *info = &r->model.info;
    const pair *p = &r->pairs[line];
    tfm_status status = write_rows(r, r->encoder, p->n_source, info->d_model, error);
    for (size_t at = 0; status == TFM_OK && at < p->n_target; at += r->max_rows) {
        size_t n = p->n_target - at < r->max_rows ? p->n_target - at : r->max_rows;
        tfm_span span = {.sequence = sequence,
                         .ids = r->ids.data + p->target + at,
                         .n = n,
                         .logits = r->logits,
                         .states = r->decoder + at * info->d_model,
                         .all_logits = true};
        status = tfm_decode(r->session, &span, 1, error);
        if (status == TFM_OK) status = write_rows(r, r->logits, n, info->target_vocab_size, error);
    }
    if (status == TFM_OK && r->settings->decoder_states)
        status = write_rows(r, r->decoder, p->n_target, info->d_model, error);
    return status;
}

static tfm_status run_batch(runner *r, size_t first, size_t n, tfm_error *error) {
    int32_t sources[MAX_LINES], sequences[MAX_LINES];
    tfm_status status = encode(r, first, n, sources, error);
    if (status != TFM_OK) return status;
    size_t n_sequences = 0;
    while (status == TFM_OK && n_sequences < n) {
        status = tfm_sequence_new(r->session, sources[n_sequences], &sequences[n_sequences], error);
        n_sequences += status == TFM_OK;
    }
    if (status == TFM_OK)
        status = n == 1 && r->pairs[first].n_target > r->max_rows ? decode_long(r, first, sequences[0], error)
                                                                  : decode_batch(r, first, n, sequences, error);
    for (size_t i = 0; i < n_sequences; i++) tfm_sequence_free(r->session, sequences[i]);
    for (size_t i = 0; i < n; i++) tfm_source_free(r->session, sources[i]);
    return status;
}

static tfm_status run_all(runner *r, const char *path, tfm_error *error) {
    tfm_status status = tfm_opened_open(&r->model, path, &r->settings->model, error);
    if (status == TFM_OK && r->model.info.kind != TFM_KIND_ENCODER_DECODER)
        status = tfm_fail(error, TFM_ERROR_STATE, "%s: not an encoder-decoder", path);
    if (status == TFM_OK) status = read_input(r, error);
    if (status == TFM_OK) status = prepare(r, error);
    if (status == TFM_OK) status = declare_all(r, error);
    for (size_t at = 0; status == TFM_OK && at < r->n_pairs;) {
        size_t n = batch_size(r, at);
        status = run_batch(r, at, n, error);
        at += n;
    }
    return status == TFM_OK ? tfm_safetensors_writer_commit(&r->writer, error) : status;
}

int tfm_command_logits(int argc, char **argv) {
    settings set = {.in = "-", .model.batch_tokens = TFM_BATCH_TOKENS_DEFAULT};
    int code;
    if (!tfm_command_begin(&command, &set.common, argc, argv, &code)) return code;
    if (!set.out) return tfm_complain_usage("%s: --out is missing", argv[0]);
    tfm_error error = {0};
    runner r = {.settings = &set};
    tfm_status status = run_all(&r, argv[1], &error);
    tfm_safetensors_writer_abort(&r.writer);
    tfm_session_free(&r.session);
    tfm_opened_close(&r.model);
    tfm_ids_free(&r.ids);
    free(r.pairs);
    free(r.encoder);
    free(r.decoder);
    free(r.logits);
    return status == TFM_OK ? TFM_EXIT_OK : tfm_command_fail(&error);
}
