/* command_perplexity.c - tfmeval perplexity: how well a model predicts given translations, or text. */
#include "runtime/tfm.h"
#include "perplexity.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

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

static const tfm_command command = {
    .usage = "perplexity [OPTION]... MODEL {--src SRC --ref REF | --text TEXT | --in IN.jsonl}",
    .description = "Prints the perplexity of given translations, or of text under a decoder-only model: exp of\n"
                   "the mean negative log-probability (nll) of their tokens, the end token of every line\n"
                   "of a translation included. Perplexities of models with different vocabularies cannot\n"
                   "be compared.\n",
    .examples = "  tfmeval perplexity model.bin --src test.de --ref test.en\n"
                "  tfmeval perplexity gpt2.bin --text wiki.txt --max-length 1024 --stride 512\n",
    .options = {.options = options, .n = sizeof options / sizeof *options, .next = &tfm_run_options},
    .n_arguments = 1};

enum { MAX_LINES = TFM_PERPLEXITY_BATCH };

/* A line of the batch: where its ids are. */
typedef struct pair {
    size_t source, n_source, target, n_target;
} pair;

typedef struct scorer {
    const settings *settings;
    tfm_opened model;
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

static tfm_status tokenize(scorer *s, tfm_side side, tfm_slice line, size_t max, tfm_error *error) {
    const tfm_text_file *file = &s->files[side == TFM_TARGET];
    size_t before = s->ids.size;
    tfm_error inner = {0};
    tfm_status status = tfm_tokenize(s->model.model, side, line.data, line.n, true, &s->ids, &inner);
    if (status != TFM_OK) return tfm_record_fail(file, error, status, "%s", inner.message);
    size_t n = s->ids.size - before;
    if (n > max)
        return tfm_record_fail(file, error, TFM_ERROR_LIMIT, "%zu tokens; the model takes at most %zu", n, max);
    return TFM_OK;
}

/* Appends the ids of the next line's two sides; *middle is where the target's begin. */
static tfm_status read_pair(scorer *s, size_t *middle, bool *end, tfm_error *error) {
    const tfm_model_info *info = &s->model.info;
    size_t max_target = info->max_target - 1; /* the start token takes a place */
    tfm_slice lines[2];
    tfm_status status = tfm_text_files_next(s->files, s->is_text ? 2 : 1, lines, end, error);
    if (status != TFM_OK || *end) return status;
    if (s->is_text) {
        status = tokenize(s, TFM_SOURCE, lines[0], info->max_source, error);
        *middle = s->ids.size;
        return status == TFM_OK ? tokenize(s, TFM_TARGET, lines[1], max_target, error) : status;
    }
    json_t *object;
    status = tfm_record_parse(&s->files[0], lines[0], &object, error);
    if (status != TFM_OK) return status;
    status = tfm_record_ids(&s->files[0], object, "input_ids", info->source_vocab_size, info->max_source, false,
                            &s->ids, error);
    *middle = s->ids.size;
    if (status == TFM_OK)
        status =
            tfm_record_ids(&s->files[0], object, "labels", info->target_vocab_size, max_target, false, &s->ids, error);
    json_decref(object);
    return status;
}

static tfm_status read_batch(scorer *s, bool *end, tfm_error *error) {
    s->ids.size = 0;
    s->n_pairs = s->n_targets = 0;
    while (s->n_pairs < MAX_LINES && s->ids.size < 4 * (size_t)s->settings->base.model.batch_tokens) {
        pair p = {.source = s->ids.size};
        tfm_status status = read_pair(s, &p.target, end, error);
        if (status != TFM_OK || *end) return status;
        p.n_source = p.target - p.source;
        p.n_target = s->ids.size - p.target;
        s->n_targets += p.n_target;
        s->pairs[s->n_pairs++] = p;
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

static tfm_status score_batch(scorer *s, tfm_error *error) {
    tfm_tokens inputs[MAX_LINES], targets[MAX_LINES];
    float *log_probs[MAX_LINES];
    if (s->n_targets > s->log_probs_capacity) {
        free(s->log_probs);
        s->log_probs = reallocarray(NULL, s->n_targets, sizeof *s->log_probs);
        s->log_probs_capacity = s->log_probs ? s->n_targets : 0;
        if (!s->log_probs) return tfm_fail(error, TFM_ERROR_MEMORY, "out of memory");
    }
    float *next = s->log_probs;
    for (size_t i = 0; i < s->n_pairs; i++) {
        const pair *p = &s->pairs[i];
        inputs[i] = (tfm_tokens){s->ids.data + p->source, p->n_source};
        targets[i] = (tfm_tokens){s->ids.data + p->target, p->n_target};
        log_probs[i] = next;
        next += p->n_target;
    }
    return tfm_score(s->session, inputs, targets, s->n_pairs, log_probs, NULL, error);
}

/* Sums of float32 log-probabilities, in double and in the order of the tokens. */
static tfm_status add_batch(scorer *s, tfm_error *error) {
    const float *log_probs = s->log_probs;
    tfm_status status = TFM_OK;
    for (size_t i = 0; status == TFM_OK && i < s->n_pairs; i++) {
        size_t n = s->pairs[i].n_target;
        double nll = 0;
        for (size_t j = 0; j < n; j++) nll -= (double)log_probs[j];
        tfm_perplexity_figures line = {
            .key = "line", .value = s->n_lines, .n_tokens = n, .nll = nll, .log_probs = log_probs};
        if (s->settings->per_line) status = tfm_perplexity_print(s->settings, &line, error);
        s->nll += nll;
        s->n_tokens += n;
        s->n_lines++;
        log_probs += n;
    }
    return status;
}

static tfm_status open_all(scorer *s, const char *path, tfm_error *error) {
    const settings *set = s->settings;
    s->is_text = !set->in;
    if (set->text || set->max_length || set->stride)
        return tfm_fail(error, TFM_ERROR_STATE, "%s: --text, --max-length and --stride are for decoder-only models",
                        path);
    if (s->is_text && !s->model.info.has_tokenizer)
        return tfm_fail(error, TFM_ERROR_STATE, "%s: has no tokenizer; give token ids with --in", path);
    tfm_status status = tfm_text_file_open(&s->files[0], s->is_text ? set->source : set->in, error);
    if (status == TFM_OK && s->is_text) status = tfm_text_file_open(&s->files[1], set->reference, error);
    if (status != TFM_OK) return status;
    tfm_session_params params = tfm_session_params_default();
    params.pool = s->model.pool;
    params.max_batch_tokens = set->base.model.batch_tokens;
    return tfm_session_create(&s->session, s->model.model, &params, error);
}

static tfm_status run_pairs(scorer *s, const char *path, tfm_error *error) {
    tfm_status status = open_all(s, path, error);
    for (bool end = false; status == TFM_OK && !end;) {
        status = read_batch(s, &end, error);
        if (status == TFM_OK && s->n_pairs > 0) status = score_batch(s, error);
        if (status == TFM_OK) status = add_batch(s, error);
    }
    if (status != TFM_OK) return status;
    if (s->n_lines == 0) return tfm_fail(error, TFM_ERROR_FORMAT, "%s: no lines, nothing to score", s->files[0].name);
    return tfm_perplexity_print(
        s->settings,
        &(tfm_perplexity_figures){.key = "lines", .value = s->n_lines, .n_tokens = s->n_tokens, .nll = s->nll}, error);
}

static tfm_status run_all(scorer *s, const char *path, tfm_error *error) {
    tfm_status status = tfm_opened_open(&s->model, path, &s->settings->base.model, error);
    if (status != TFM_OK) return status;
    switch (s->model.info.kind) {
    case TFM_KIND_ENCODER_DECODER: return run_pairs(s, path, error);
    case TFM_KIND_DECODER: return tfm_perplexity_of_text(s->settings, &s->model, path, error);
    default: return tfm_fail(error, TFM_ERROR_STATE, "%s: has no decoder that could predict tokens", path);
    }
}

int tfm_command_perplexity(int argc, char **argv) {
    settings set = {.base.model.batch_tokens = TFM_BATCH_TOKENS_DEFAULT};
    int code;
    if (!tfm_command_begin(&command, &set.base.command, argc, argv, &code)) return code;
    int forms = (set.source || set.reference) + (set.in != NULL) + (set.text != NULL);
    if (forms != 1 || !set.source != !set.reference)
        return tfm_complain_usage("%s: give either --src and --ref, or --text, or --in", argv[0]);
    tfm_error error = {0};
    scorer *s = calloc(1, sizeof *s);
    if (!s) return tfm_complain("out of memory");
    *s = (scorer){.settings = &set, .files = {{.fd = -1}, {.fd = -1}}};
    tfm_status status = run_all(s, argv[1], &error);
    code = tfm_command_end();
    if (status != TFM_OK) code = tfm_command_fail(&error);
    tfm_session_free(&s->session);
    tfm_opened_close(&s->model);
    for (size_t i = 0; i < 2; i++) tfm_text_file_close(&s->files[i]);
    tfm_ids_free(&s->ids);
    free(s->log_probs);
    free(s);
    return code;
}
