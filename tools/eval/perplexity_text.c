/*
 * perplexity_text.c - the perplexity of text under a decoder-only model, through a window that slides.
 *
 * The window holds max_length tokens and moves on by stride. Of each window only the tokens that no window before had
 * are scored, so that each is scored once, after at least max_length - stride tokens (or all there are). The first
 * token of a text has nothing before it and is not scored; with a stride of max_length neither is the first of any
 * window.
 */
#include <stdlib.h>

#include "perplexity.h"
#include "runtime/tfm.h"

enum {
    LONGEST_DEFAULT = 2048,    /* window, where the model takes more */
    TEXT_MAX = 1 << 30,        /* bytes */
    LINE_TOKENS_MAX = 1 << 28, /* of --in */
    ROWS = 64                  /* tokens whose logits are held at the same time */
};

typedef struct reader {
    const tfm_perplexity_settings *settings;
    const tfm_opened *model;
    tfm_session *session;
    uint32_t max_length, stride;
    tfm_ids ids;      /* of the text */
    float *log_probs; /* (n_scored) */
    size_t capacity, n_scored;
    uint64_t n_lines, n_tokens;
    double nll;
} reader;

/* The windows of a text, one after the other. */
typedef struct window {
    size_t begin, first, end; /* tokens begin .. end - 1; those from first on are scored */
} window;

static bool next_window(const reader *r, window *w) {
    size_t n = r->ids.size, scored = w->end;
    if (scored == n) return false;
    if (scored > 0) w->begin += r->stride;
    w->end = n - w->begin < r->max_length ? n : w->begin + r->max_length;
    w->first = scored > w->begin ? scored : w->begin + 1;
    return true;
}

static tfm_status score(reader *r, tfm_error *error) {
    tfm_tokens inputs[TFM_PERPLEXITY_BATCH], targets[TFM_PERPLEXITY_BATCH];
    float *log_probs[TFM_PERPLEXITY_BATCH];
    window w = {0};
    r->n_scored = 0;
    for (bool more = true; more;) {
        size_t n = 0, n_tokens = 0;
        while (n < TFM_PERPLEXITY_BATCH && n_tokens < 4 * (size_t)r->settings->base.model.batch_tokens &&
               (more = next_window(r, &w))) {
            if (w.first == w.end) continue; /* one token, with nothing before it */
            inputs[n] = (tfm_tokens){r->ids.data + w.begin, w.first - w.begin};
            targets[n] = (tfm_tokens){r->ids.data + w.first, w.end - w.first};
            log_probs[n] = r->log_probs + r->n_scored;
            r->n_scored += targets[n].n;
            n_tokens += w.end - w.begin;
            n++;
        }
        tfm_status status = tfm_score(r->session, inputs, targets, n, log_probs, NULL, error);
        if (status != TFM_OK) return status;
    }
    return TFM_OK;
}

/* The ids of a text are read: scores and adds up, in double and in the order of the tokens. */
static tfm_status add_text(reader *r, tfm_error *error) {
    if (r->ids.size > r->capacity) {
        free(r->log_probs);
        r->log_probs = reallocarray(NULL, r->ids.size, sizeof *r->log_probs);
        r->capacity = r->log_probs ? r->ids.size : 0;
        if (!r->log_probs) return tfm_no_memory(error, "%zu log-probabilities", r->ids.size);
    }
    tfm_status status = score(r, error);
    double nll = 0;
    for (size_t i = 0; status == TFM_OK && i < r->n_scored; i++) nll -= (double)r->log_probs[i];
    if (status == TFM_OK && r->settings->per_line)
        status = tfm_perplexity_print(
            r->settings,
            &(tfm_perplexity_figures){
                .key = "line", .value = r->n_lines, .n_tokens = r->n_scored, .nll = nll, .log_probs = r->log_probs},
            error);
    r->nll += nll;
    r->n_tokens += r->n_scored;
    r->n_lines++;
    return status;
}

/* All of a file is one text. */
static tfm_status read_text(reader *r, tfm_error *error) {
    tfm_text bytes = {0};
    tfm_status status = tfm_read_file(r->settings->text, TEXT_MAX, &bytes, error);
    if (status == TFM_OK)
        status =
            tfm_tokenize(r->model->model, TFM_SOURCE, bytes.size ? bytes.data : "", bytes.size, true, &r->ids, error);
    tfm_text_free(&bytes);
    if (status == TFM_OK && r->ids.size < 2)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: %zu tokens, nothing to predict", r->settings->text, r->ids.size);
    return status == TFM_OK ? add_text(r, error) : status;
}

/* Each line of JSON has the ids of a text. */
static tfm_status read_lines(reader *r, tfm_error *error) {
    tfm_text_file file = {.fd = -1};
    tfm_status status = tfm_text_file_open(&file, r->settings->in, error);
    for (bool end = false; status == TFM_OK && !end;) {
        tfm_slice line;
        json_t *object = NULL;
        r->ids.size = 0;
        status = tfm_text_file_next(&file, &line, &end, error);
        if (status != TFM_OK || end) break;
        status = tfm_record_parse(&file, line, &object, error);
        if (status == TFM_OK)
            status = tfm_record_ids(&file, object, "input_ids", r->model->info.target_vocab_size, LINE_TOKENS_MAX,
                                    false, &r->ids, error);
        json_decref(object);
        if (status == TFM_OK && r->ids.size < 2)
            status = tfm_record_fail(&file, error, TFM_ERROR_FORMAT, "one token, nothing to predict");
        if (status == TFM_OK) status = add_text(r, error);
    }
    if (status == TFM_OK && r->n_lines == 0)
        status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: no lines, nothing to score", file.name);
    tfm_text_file_close(&file);
    return status;
}

static tfm_status choose_window(reader *r, const char *path, tfm_error *error) {
    const tfm_perplexity_settings *set = r->settings;
    uint32_t most = r->model->info.max_target;
    r->max_length = set->max_length ? set->max_length : most < LONGEST_DEFAULT ? most : LONGEST_DEFAULT;
    r->stride = set->stride ? set->stride : r->max_length / 2;
    if (r->max_length > most || r->max_length < 2)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--max-length is %u; %s takes 2 to %u tokens", r->max_length, path,
                        most);
    if (r->stride > r->max_length)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "--stride is %u, more than --max-length (%u): tokens between windows would be left out",
                        r->stride, r->max_length);
    return TFM_OK;
}

static tfm_status run(reader *r, const char *path, tfm_error *error) {
    tfm_status status = choose_window(r, path, error);
    if (status != TFM_OK) return status;
    tfm_session_params params = tfm_session_params_default();
    params.pool = r->model->pool;
    params.max_batch_tokens = r->settings->base.model.batch_tokens;
    params.max_sequences = ROWS;
    params.max_target = r->max_length;
    status = tfm_session_create(&r->session, r->model->model, &params, error);
    if (status == TFM_OK) status = r->settings->text ? read_text(r, error) : read_lines(r, error);
    if (status != TFM_OK) return status;
    return tfm_perplexity_print(r->settings,
                                &(tfm_perplexity_figures){.key = "lines",
                                                          .value = r->n_lines,
                                                          .n_tokens = r->n_tokens,
                                                          .nll = r->nll,
                                                          .max_length = r->max_length,
                                                          .stride = r->stride},
                                error);
}

tfm_status tfm_perplexity_of_text(const tfm_perplexity_settings *settings, const tfm_opened *model, const char *path,
                                  tfm_error *error) {
    if (settings->source)
        return tfm_fail(error, TFM_ERROR_STATE, "%s: --src and --ref are for encoder-decoders; give --text", path);
    if (settings->base.source_language || settings->base.target_language)
        return tfm_fail(error, TFM_ERROR_STATE, "%s: --source-lang and --target-lang are for encoder-decoders", path);
    if (settings->text && !model->info.has_tokenizer)
        return tfm_fail(error, TFM_ERROR_STATE, "%s: has no tokenizer; give token ids with --in", path);
    reader r = {.settings = settings, .model = model};
    tfm_status status = run(&r, path, error);
    tfm_session_free(&r.session);
    tfm_ids_free(&r.ids);
    free(r.log_probs);
    return status;
}
