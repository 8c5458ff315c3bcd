/* command_perplexity.c - tfmeval perplexity: how well a model predicts given translations, or text. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "perplexity.h"
#include "runtime/tfm.h"

typedef tfm_perplexity_settings settings;

#define AT(member) .offset = offsetof(settings, member)
static const tfm_option options[] = {
    {.kind = TFM_OPTION_STRING,
     .letter = 's',
     .name = "src",
     .argument = "FILE",
     AT(source),
     .help = "Source sentences, one a line."},
    {.kind = TFM_OPTION_STRING,
     .letter = 'r',
     .name = "ref",
     .argument = "FILE",
     AT(reference),
     .help = "Their translations, one a line."},
    {.kind = TFM_OPTION_STRING,
     .letter = 'i',
     .name = "in",
     .argument = "FILE",
     AT(in),
     .help =
         "Instead of both: lines of JSON, {\"input_ids\": [...], \"labels\": [...]}, where labels are all tokens to "
         "be predicted, the end token included and the start token not. Of a decoder-only model input_ids alone are "
         "the "
         "tokens of a text."},
    {.kind = TFM_OPTION_STRING,
     .name = "text",
     .argument = "FILE",
     AT(text),
     .help = "Decoder-only models: a file that is one text."},
    {.kind = TFM_OPTION_U32,
     .name = "max-length",
     .argument = "N",
     .min = 2,
     .max = 1 << 30,
     AT(max_length),
     .help = "Decoder-only models: tokens the model sees at the same time (default: all it takes, at most 2048)."},
    {.kind = TFM_OPTION_U32,
     .name = "stride",
     .argument = "N",
     .min = 1,
     .max = 1 << 30,
     AT(stride),
     .help = "Decoder-only models: how far these move on at a time; the smaller, the more context a token has, and the "
             "longer it takes (default: half of --max-length)."},
    {.kind = TFM_OPTION_FLAG,
     .name = "per-line",
     AT(per_line),
     .help = "Print every line's figures before the total; with --json also every token's log-probability."},
    {.kind = TFM_OPTION_FLAG, .name = "json", AT(json), .help = "Print JSON, one object a line."},
};

const tfm_command tfm_perplexity_page = {
    .usage = "perplexity [OPTION]... MODEL {--src SRC --ref REF | --text TEXT | --in IN.jsonl}",
    .description = "Prints the perplexity of given translations, or of text under a decoder-only model: exp of\n"
                   "the mean negative log-probability (nll) of their tokens, the end token of every line\n"
                   "of a translation included. Perplexities of models with different vocabularies cannot\n"
                   "be compared.\n",
    .examples = "  tfmeval perplexity model.bin --src test.de --ref test.en\n"
                "  tfmeval perplexity gpt2.bin --text wiki.txt --max-length 1024 --stride 512\n",
    .options = {.options = options, .n = sizeof options / sizeof *options, .next = &tfm_language_run_options},
    .n_arguments = 1};

enum { MAX_LINES = TFM_PERPLEXITY_BATCH };

/* A line of the batch: where its ids are. */
typedef struct pair {
    size_t source, n_source, target, n_target;
} pair;

typedef struct scorer {
    const settings *settings;
    tfm_opened model;
    tfm_generate_params params; /* the languages */
    tfm_session *session;
    tfm_text_file files[2];
    bool is_text; /* else one file of JSON */
    tfm_ids ids;  /* of the batch */
    pair pairs[MAX_LINES];
    size_t n_pairs, n_targets;
    float *log_probs;
    size_t log_probs_capacity;
    uint64_t n_lines, n_tokens;
    double nll;
} scorer;

/* ---- input ---- */

static tfm_status tokenize(scorer *run, tfm_side side, tfm_slice line, size_t max, tfm_error *error) {
    const tfm_text_file *file = &run->files[side == TFM_TARGET];
    size_t before = run->ids.size;
    tfm_error inner = {0};
    tfm_status status = side == TFM_SOURCE
                            ? tfm_tokenize_input(run->model.model, &run->params, line.data, line.n, &run->ids, &inner)
                            : tfm_tokenize_output(run->model.model, &run->params, line.data, line.n, &run->ids, &inner);
    if (status != TFM_OK) return tfm_record_fail(file, error, status, "%s", inner.message);
    size_t n = run->ids.size - before;
    if (n > max)
        return tfm_record_fail(file, error, TFM_ERROR_LIMIT, "%zu tokens; the model takes at most %zu", n, max);
    return TFM_OK;
}

/* Appends the ids of the next line's two sides; *middle is where the target's begin. */
static tfm_status read_pair(scorer *run, size_t *middle, bool *end, tfm_error *error) {
    const tfm_model_info *info = &run->model.info;
    size_t max_target = info->max_target - 1; /* the start token takes a place */
    tfm_slice lines[2];
    tfm_status status = tfm_text_files_next(run->files, run->is_text ? 2 : 1, lines, end, error);
    if (status != TFM_OK || *end) return status;
    if (run->is_text) {
        status = tokenize(run, TFM_SOURCE, lines[0], info->max_source, error);
        *middle = run->ids.size;
        return status == TFM_OK ? tokenize(run, TFM_TARGET, lines[1], max_target, error) : status;
    }
    json_t *object;
    status = tfm_record_parse(&run->files[0], lines[0], &object, error);
    if (status != TFM_OK) return status;
    status = tfm_record_ids(&run->files[0], object, "input_ids", info->source_vocab_size, info->max_source, false,
                            &run->ids, error);
    *middle = run->ids.size;
    if (status == TFM_OK)
        status = tfm_record_ids(&run->files[0], object, "labels", info->target_vocab_size, max_target, false, &run->ids,
                                error);
    json_decref(object);
    return status;
}

static tfm_status read_batch(scorer *run, bool *end, tfm_error *error) {
    run->ids.size = 0;
    run->n_pairs = run->n_targets = 0;
    while (run->n_pairs < MAX_LINES && run->ids.size < 4 * (size_t)run->settings->base.model.batch_tokens) {
        pair p = {.source = run->ids.size};
        tfm_status status = read_pair(run, &p.target, end, error);
        if (status != TFM_OK || *end) return status;
        p.n_source = p.target - p.source;
        p.n_target = run->ids.size - p.target;
        run->n_targets += p.n_target;
        run->pairs[run->n_pairs++] = p;
    }
    return TFM_OK;
}

/* ---- output ---- */

static tfm_status print_json(const tfm_perplexity_figures *f, tfm_error *error) {
    json_t *object = json_pack("{s:I, s:I, s:f, s:f}", f->key, (json_int_t)f->value, "tokens", (json_int_t)f->n_tokens,
                               "nll", f->nll, "ppl", exp(f->nll / (double)f->n_tokens));
    bool ok = object != NULL;
    if (ok && f->log_probs) {
        json_t *list = json_array();
        ok = json_object_set_new(object, "log_probs", list) == 0;
        for (uint64_t i = 0; ok && i < f->n_tokens; i++)
            ok = json_array_append_new(list, json_real((double)f->log_probs[i])) == 0;
    }
    if (ok && f->max_length)
        ok = json_object_set_new(object, "max_length", json_integer(f->max_length)) == 0 &&
             json_object_set_new(object, "stride", json_integer(f->stride)) == 0;
    ok = ok && json_dumpf(object, stdout, JSON_REAL_PRECISION(17)) == 0 && putchar('\n') != EOF;
    json_decref(object);
    return ok ? TFM_OK : tfm_fail(error, TFM_ERROR_IO, "cannot print the result as JSON (its numbers: %g)", f->nll);
}

tfm_status tfm_perplexity_print(const settings *set, const tfm_perplexity_figures *f, tfm_error *error) {
    if (set->json) return print_json(f, error);
    printf("%s = %" PRIu64 " tokens = %" PRIu64 " nll = %.4f ppl = %.4f", f->key, f->value, f->n_tokens, f->nll,
           exp(f->nll / (double)f->n_tokens));
    if (f->max_length) printf(" max_length = %u stride = %u", f->max_length, f->stride);
    putchar('\n');
    return TFM_OK;
}

/* ---- running ---- */

static tfm_status score_batch(scorer *run, tfm_error *error) {
    tfm_tokens inputs[MAX_LINES], targets[MAX_LINES];
    float *log_probs[MAX_LINES];
    if (run->n_targets > run->log_probs_capacity) {
        free(run->log_probs);
        run->log_probs = reallocarray(NULL, run->n_targets, sizeof *run->log_probs);
        run->log_probs_capacity = run->log_probs ? run->n_targets : 0;
        if (!run->log_probs) return tfm_no_memory(error, "%zu log-probabilities", run->n_targets);
    }
    float *next = run->log_probs;
    for (size_t i = 0; i < run->n_pairs; i++) {
        const pair *p = &run->pairs[i];
        inputs[i] = (tfm_tokens){run->ids.data + p->source, p->n_source};
        targets[i] = (tfm_tokens){run->ids.data + p->target, p->n_target};
        log_probs[i] = next;
        next += p->n_target;
    }
    return tfm_score_with(run->session, &run->params, inputs, targets, run->n_pairs, log_probs, NULL, error);
}

/* Sums of float32 log-probabilities, in double and in the order of the tokens. */
static tfm_status add_batch(scorer *run, tfm_error *error) {
    const float *log_probs = run->log_probs;
    tfm_status status = TFM_OK;
    for (size_t i = 0; status == TFM_OK && i < run->n_pairs; i++) {
        size_t n = run->pairs[i].n_target;
        double nll = 0;
        for (size_t j = 0; j < n; j++) nll -= (double)log_probs[j];
        tfm_perplexity_figures line = {
            .key = "line", .value = run->n_lines, .n_tokens = n, .nll = nll, .log_probs = log_probs};
        if (run->settings->per_line) status = tfm_perplexity_print(run->settings, &line, error);
        run->nll += nll;
        run->n_tokens += n;
        run->n_lines++;
        log_probs += n;
    }
    return status;
}

/* The languages, before any line is read. */
static tfm_status choose_languages(scorer *run, const char *path, tfm_error *error) {
    const tfm_model_command_settings *base = &run->settings->base;
    if (!run->is_text && base->source_language)
        return tfm_fail(error, TFM_ERROR_STATE,
                        "%s: --source-lang is for texts: with --in the ids say their language themselves", path);
    tfm_status status = tfm_opened_params(&run->model, base, &run->params, error);
    if (status != TFM_OK || !run->is_text) return status;
    tfm_error inner = {0};
    status = tfm_tokenize_output(run->model.model, &run->params, "", 0, &run->ids, &inner);
    run->ids.size = 0;
    return status == TFM_OK ? TFM_OK : tfm_fail(error, status, "%s (--target-lang)", inner.message);
}

static tfm_status open_all(scorer *run, const char *path, tfm_error *error) {
    const settings *set = run->settings;
    run->is_text = !set->in;
    if (set->text || set->max_length || set->stride)
        return tfm_fail(error, TFM_ERROR_STATE, "%s: --text, --max-length and --stride are for decoder-only models",
                        path);
    if (run->is_text && !run->model.info.has_tokenizer)
        return tfm_fail(error, TFM_ERROR_STATE, "%s: has no tokenizer; give token ids with --in", path);
    tfm_status status = choose_languages(run, path, error);
    if (status == TFM_OK) status = tfm_text_file_open(&run->files[0], run->is_text ? set->source : set->in, error);
    if (status == TFM_OK && run->is_text) status = tfm_text_file_open(&run->files[1], set->reference, error);
    if (status != TFM_OK) return status;
    tfm_session_params params = tfm_session_params_default();
    params.pool = run->model.pool;
    params.max_batch_tokens = set->base.model.batch_tokens;
    return tfm_session_create(&run->session, run->model.model, &params, error);
}

static tfm_status run_pairs(scorer *run, const char *path, tfm_error *error) {
    tfm_status status = open_all(run, path, error);
    for (bool end = false; status == TFM_OK && !end;) {
        status = read_batch(run, &end, error);
        if (status == TFM_OK && run->n_pairs > 0) status = score_batch(run, error);
        if (status == TFM_OK) status = add_batch(run, error);
    }
    if (status != TFM_OK) return status;
    if (run->n_lines == 0)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: no lines, nothing to score", run->files[0].name);
    return tfm_perplexity_print(
        run->settings,
        &(tfm_perplexity_figures){.key = "lines", .value = run->n_lines, .n_tokens = run->n_tokens, .nll = run->nll},
        error);
}

static tfm_status run_all(scorer *run, const char *path, tfm_error *error) {
    tfm_status status = tfm_opened_open(&run->model, path, &run->settings->base.model, error);
    if (status != TFM_OK) return status;
    switch (run->model.info.kind) {
    case TFM_KIND_ENCODER_DECODER: return run_pairs(run, path, error);
    case TFM_KIND_DECODER: return tfm_perplexity_of_text(run->settings, &run->model, path, error);
    default: return tfm_fail(error, TFM_ERROR_STATE, "%s: has no decoder that could predict tokens", path);
    }
}

int tfm_command_perplexity(int argc, char **argv) {
    settings set = {.base.model.batch_tokens = TFM_BATCH_TOKENS_DEFAULT};
    int code;
    if (!tfm_command_begin(&tfm_perplexity_page, &set.base.command, argc, argv, &code)) return code;
    int forms = (set.source || set.reference) + (set.in != NULL) + (set.text != NULL);
    if (forms != 1 || !set.source != !set.reference)
        return tfm_complain_usage("%s: give either --src and --ref, or --text, or --in", argv[0]);
    tfm_error error = {0};
    scorer *run = calloc(1, sizeof *run);
    if (!run) return tfm_complain("out of memory");
    *run = (scorer){.settings = &set, .files = {{.fd = -1}, {.fd = -1}}};
    tfm_status status = run_all(run, argv[1], &error);
    code = tfm_command_end();
    if (status != TFM_OK) code = tfm_command_fail(&error);
    tfm_session_free(&run->session);
    tfm_opened_close(&run->model);
    for (size_t i = 0; i < 2; i++) tfm_text_file_close(&run->files[i]);
    tfm_ids_free(&run->ids);
    free(run->log_probs);
    free(run);
    return code;
}
