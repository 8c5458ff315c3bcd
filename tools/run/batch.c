/*
 * batch.c - lines in, lines out: what has come is collected into a window, sorted by length, run as one call, and
 * written in the order of the input. A window ends when it is full or when the input pauses, so memory is bounded
 * and a slow producer is answered at once.
 */
#include "batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "attention_file.h"
#include "json_input.h"
#include "output_text.h"
#include "result.h"
#include "runtime/tfm.h"
#include "tools/run/engine/line_report.h"
#include "tools/run/engine/windows.h"

enum {
    WINDOW_ITEMS = 4096,
    WINDOW_BATCHES = 8, /* a window has this many times --batch-tokens */
    PREFIX_BYTES = 16 << 20,
    KEPT_IDS = 65536, /* larger lists go back to the system */
    WRITE_BYTES = 64 * 1024
};

/* An input under settings of its own. */
typedef struct variation {
    tfm_json_input input;
    tfm_engine engine; /* if the input has options */
} variation;

typedef struct item {
    uint64_t number;
    size_t n_bytes;
    variation *own; /* NULL: as all others */
    tfm_ids ids;
    tfm_text source;    /* where unknown tokens are replaced by what stands in it */
    bool done, limited; /* limited: its output could go beyond the context, so batch.limited holds for it */
    tfm_text output, drawing;
    tfm_output_text *texts; /* (num_return_sequences) of what runs and is watched for stop strings, and of results */
} item;

typedef struct batch {
    tfm_engine *engine;
    const tfm_settings *settings;
    tfm_generate_params limited;
    const char *noun; /* "line", "argument" */
    bool whole;       /* an input with nothing in it is a prompt too */
    item *items;
    size_t n, n_tokens;
    size_t *order;     /* the items to run, longest first; callbacks count in this order */
    tfm_input *inputs; /* in that order */
    size_t n_pending;
    size_t written; /* items already given out */
    tfm_text out;
    double started, last_write;
    tfm_attention_file attention;
    tfm_lines prefixes; /* of --prefix-file; fd -1: none */
    tfm_line_report report;
    bool watched;        /* an input has stop strings */
    bool attention_full; /* an SVG has its pair */
    bool failed;         /* an input had an error: exit status 1 */
    tfm_status status;   /* what went wrong inside a callback */
    tfm_error error;
} batch;

/* ---- inputs of their own ---- */

static bool varies(const item *it) { return it->own && it->own->input.has_options; }
static const tfm_engine *engine_of(const batch *b, const item *it) { return varies(it) ? &it->own->engine : b->engine; }
static const tfm_settings *settings_of(const batch *b, const item *it) {
    return varies(it) ? &it->own->input.settings : b->settings;
}

static void forget_variation(item *it) {
    if (!it->own) return;
    if (it->own->input.has_options) tfm_engine_end_variation(&it->own->engine);
    tfm_json_input_free(&it->own->input);
    free(it->own);
    it->own = NULL;
}

/* Brings the options that the input has into force. */
static tfm_status vary(batch *b, item *it, tfm_error *error) {
    if (!it->own->input.has_options) return TFM_OK;
    return tfm_engine_vary(b->engine, &it->own->input.settings, &it->own->engine, error);
}

/* The next line of --prefix-file is this input's prefix. */
static tfm_status read_prefix(batch *b, item *it, tfm_error *error) {
    const char *line = NULL;
    size_t n = 0;
    tfm_line what = tfm_lines_next(&b->prefixes, -1, &line, &n);
    if (what == TFM_LINE_END)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s has no line for it", b->settings->prefix_file);
    if (what != TFM_LINE_READ)
        return tfm_fail(error, what == TFM_LINE_TOO_LONG ? TFM_ERROR_ARGUMENT : TFM_ERROR_IO,
                        "%s: line %llu cannot be read", b->settings->prefix_file,
                        (unsigned long long)b->prefixes.number);
    tfm_json_input *input = &it->own->input;
    char *text = strndup(line, n);
    const char *name = b->settings->ids ? "prefix-ids" : "prefix";
    const tfm_option *option = tfm_options_find(&tfm_settings_table, name, strlen(name));
    input->has_options = true;
    tfm_status status =
        text && tfm_settings_copy(b->settings, &input->settings) ? TFM_OK : tfm_no_memory(error, "prefix");
    if (status == TFM_OK && *text) {
        status = tfm_option_set(option, &input->settings, "its prefix", text, error);
        *tfm_settings_mark(&input->settings, option) = true;
    }
    free(text);
    return status == TFM_OK ? vary(b, it, error) : status;
}

/* ---- output ---- */

static tfm_status flush(batch *b, tfm_error *error) {
    bool ok = tfm_write_all(STDOUT_FILENO, b->out.data, b->out.size);
    int cause = errno;
    b->out.size = 0;
    b->last_write = tfm_seconds();
    if (ok) return TFM_OK;
    return tfm_fail(error, TFM_ERROR_IO, "cannot write the output: %s", strerror(cause));
}

static tfm_status add_drawing(batch *b, const item *it, tfm_error *error) {
    if (it->drawing.size == 0 || b->attention_full) return TFM_OK;
    tfm_status status = tfm_attention_add(&b->attention, &it->drawing, error);
    if (status == TFM_ERROR_STATE) {
        tfm_complain("%s", error->message);
        b->attention_full = true;
        return TFM_OK;
    }
    return status;
}

/* Moves the finished items at the front of the rest to the output. */
static tfm_status give_out(batch *b, tfm_error *error) {
    while (b->written < b->n && b->items[b->written].done) {
        item *it = &b->items[b->written++];
        if (!tfm_text_append(&b->out, it->output.data, it->output.size)) return tfm_no_memory(error, "output");
        tfm_status status = add_drawing(b, it, error);
        if (status != TFM_OK) return status;
    }
    bool due = b->out.size >= WRITE_BYTES || (b->out.size && tfm_seconds() - b->last_write > 0.1);
    return due ? flush(b, error) : TFM_OK;
}

/* Ends an item with an error that belongs to it alone. */
static tfm_status fail_item(batch *b, item *it, const char *message, tfm_error *error) {
    char whole[600];
    snprintf(whole, sizeof whole, "%s %llu: %s", b->noun, (unsigned long long)it->number, message);
    tfm_line_report_hide(&b->report);
    tfm_complain("%s", whole);
    tfm_line_report_done(&b->report, it->n_bytes, 0);
    b->failed = true;
    it->done = true;
    it->output.size = 0;
    return tfm_result_print_error(engine_of(b, it), b->settings, whole, &it->output, error);
}

/* ---- running a window ---- */

static tfm_status start_texts(batch *b, item *it, tfm_error *error) {
    const tfm_output_input input = {&it->ids, it->source.data, it->source.size};
    return it->texts ? TFM_OK : tfm_output_texts_start(&it->texts, engine_of(b, it), settings_of(b, it), &input, error);
}

static tfm_status finish_texts(batch *b, item *it, const tfm_hypothesis *const *hypotheses, size_t n,
                               tfm_error *error) {
    if (!tfm_result_has_text(b->engine, b->settings)) return TFM_OK;
    tfm_status status = start_texts(b, it, error);
    for (size_t i = 0; i < n && status == TFM_OK; i++)
        status = tfm_output_text_finish(&it->texts[i], hypotheses[i], error);
    return status;
}

static tfm_status finish(batch *b, item *it, const tfm_hypothesis *const *hypotheses, size_t n, tfm_error *error) {
    double seconds = tfm_seconds() - b->started;
    tfm_status status = n ? finish_texts(b, it, hypotheses, n, error) : TFM_OK;
    if (status == TFM_OK)
        status = tfm_result_print(engine_of(b, it), b->settings, &it->ids, hypotheses, it->texts, n, seconds,
                                  &it->output, error);
    if (status == TFM_OK && n && tfm_attention_is_open(&b->attention) && !b->attention_full)
        status = tfm_attention_draw(&b->attention, b->engine, &it->ids, hypotheses[0], it->number, &it->drawing, error);
    it->done = status == TFM_OK;
    size_t n_tokens = 0;
    for (size_t i = 0; i < n; i++) n_tokens += hypotheses[i]->n;
    tfm_line_report_done(&b->report, it->n_bytes, n_tokens);
    return status;
}

static int on_result(void *user, size_t index, const tfm_result *result) {
    batch *b = user;
    item *it = &b->items[b->order[index]];
    b->status = result->status == TFM_OK ? finish(b, it, result->hypotheses, result->n, &b->error)
                                         : fail_item(b, it, result->message, &b->error);
    tfm_output_texts_free(&it->texts, engine_of(b, it));
    if (b->status == TFM_OK) b->status = give_out(b, &b->error);
    return b->status != TFM_OK;
}

/* Ends an output that has come to a stop string. */
static int on_token(void *user, size_t index, uint32_t output, int32_t id) {
    batch *b = user;
    item *it = &b->items[b->order[index]];
    b->status = start_texts(b, it, &b->error);
    if (b->status == TFM_OK) b->status = tfm_output_text_push(&it->texts[output], &id, 1, &b->error);
    if (b->status != TFM_OK) return TFM_CANCEL;
    return it->texts[output].stopped ? TFM_END_OUTPUT : TFM_GO_ON;
}

/* Runs what is pending, in one call. */
static tfm_status generate(batch *b, tfm_error *error) {
    b->status = TFM_OK;
    tfm_generate_callbacks callbacks = {
        .size = sizeof callbacks, .on_token = b->watched ? on_token : NULL, .on_result = on_result, .user = b};
    tfm_status status =
        tfm_generate(b->engine->session, b->inputs, b->n_pending, &b->engine->params, &callbacks, error);
    for (size_t i = 0; i < b->n_pending; i++) {
        item *it = &b->items[b->order[i]];
        tfm_output_texts_free(&it->texts, engine_of(b, it));
    }
    if (b->status == TFM_OK) return status;
    *error = b->error; /* a callback stopped it */
    return b->status;
}

static int longer_first(const void *left, const void *right, void *user) {
    const batch *b = user;
    size_t l = *(const size_t *)left, r = *(const size_t *)right;
    size_t nl = b->items[l].ids.size, nr = b->items[r].ids.size;
    if (nl != nr) return nl > nr ? -1 : 1;
    return l < r ? -1 : 1;
}

static void forget_items(batch *b) {
    for (size_t i = 0; i < b->n; i++) {
        item *it = &b->items[i];
        if (it->ids.capacity > KEPT_IDS) tfm_ids_free(&it->ids);
        if (it->output.capacity > WRITE_BYTES) tfm_text_free(&it->output);
        tfm_text_free(&it->source);
        if (it->drawing.capacity > WRITE_BYTES) tfm_text_free(&it->drawing);
        it->output.size = it->drawing.size = 0;
        forget_variation(it);
        it->done = it->limited = false;
    }
    b->n = b->n_tokens = b->n_pending = b->written = 0;
}

static tfm_status run_window(void *user, tfm_error *error) {
    batch *b = user;
    if (b->n == 0) return TFM_OK;
    for (size_t i = 0; i < b->n; i++)
        if (!b->items[i].done) b->order[b->n_pending++] = i;
    qsort_r(b->order, b->n_pending, sizeof *b->order, longer_first, b);
    for (size_t i = 0; i < b->n_pending; i++) {
        const item *it = &b->items[b->order[i]];
        const tfm_ids *prefix = &engine_of(b, it)->prefix;
        const tfm_generate_params *own = varies(it) ? &it->own->engine.params : NULL;
        b->inputs[i] = (tfm_input){.ids = it->ids.data,
                                   .n = it->ids.size,
                                   .prefix = prefix->size ? prefix->data : NULL,
                                   .n_prefix = prefix->size,
                                   .params = own           ? own
                                             : it->limited ? &b->limited
                                                           : NULL};
    }
    b->started = tfm_seconds();
    tfm_status status = generate(b, error);
    if (status == TFM_OK) status = give_out(b, error);
    tfm_error ignored;
    if (status != TFM_OK)
        flush(b, &ignored); /* what was done in order is still worth having */
    else
        status = flush(b, error);
    forget_items(b);
    return status;
}

static bool window_full(const void *user) {
    const batch *b = user;
    return b->n == WINDOW_ITEMS || b->n_tokens >= (size_t)WINDOW_BATCHES * b->settings->batch_tokens;
}

/* ---- input ---- */

static size_t n_waiting(const void *user) { return ((const batch *)user)->n; }

static item *new_item(batch *b, uint64_t number, size_t n_bytes) {
    item *it = &b->items[b->n++];
    it->number = number;
    it->n_bytes = n_bytes;
    return it;
}

static tfm_status read_plain(batch *b, item *it, const char *text, size_t n, tfm_error *error) {
    const tfm_engine *engine = engine_of(b, it);
    it->source.size = 0;
    if (engine->params.replace_unknowns && !tfm_text_append(&it->source, text, n))
        return tfm_no_memory(error, "a text of %zu bytes", n);
    return b->whole ? tfm_engine_prompt(engine, settings_of(b, it), text, n, &it->ids, error)
                    : tfm_engine_input(engine, settings_of(b, it), text, n, &it->ids, error);
}

/* A line of --json-in; one with nothing in it is an input with nothing in it. */
static tfm_status read_json(batch *b, item *it, const char *text, size_t n, tfm_error *error) {
    size_t blank = 0;
    while (blank < n && strchr(" \t\r\n", text[blank])) blank++;
    if (blank == n) return TFM_OK;
    tfm_json_input *input = &it->own->input;
    tfm_status status = tfm_json_input_read(b->settings, text, n, input, error);
    if (status == TFM_OK) status = vary(b, it, error);
    if (status == TFM_OK && input->messages.n)
        return tfm_engine_messages(engine_of(b, it), settings_of(b, it), input->messages.list, input->messages.n,
                                   &it->ids, error);
    const tfm_text *own = &input->text;
    return status == TFM_OK ? read_plain(b, it, own->data ? own->data : "", own->size, error) : status;
}

/* The input's ids, and what is its own. */
static tfm_status read_item(batch *b, item *it, const char *text, size_t n, tfm_error *error) {
    bool json = b->settings->json_in;
    tfm_status status = TFM_OK;
    it->ids.size = 0;
    if (json || b->prefixes.fd >= 0) it->own = calloc(1, sizeof *it->own);
    if ((json || b->prefixes.fd >= 0) && !it->own) return tfm_no_memory(error, "input");
    if (b->prefixes.fd >= 0) status = read_prefix(b, it, error);
    if (status == TFM_OK) status = json ? read_json(b, it, text, n, error) : read_plain(b, it, text, n, error);
    return status;
}

static tfm_status add_text(void *user, uint64_t number, const char *text, size_t n, tfm_error *error) {
    batch *b = user;
    item *it = new_item(b, number, n + 1);
    tfm_status status = read_item(b, it, text, n, error);
    if (status == TFM_ERROR_LIMIT || status == TFM_ERROR_ARGUMENT || status == TFM_ERROR_UNSUPPORTED) {
        it->ids.size = 0;
        forget_variation(it);
        return fail_item(b, it, error->message, error);
    }
    if (status != TFM_OK) return status;
    b->watched |= settings_of(b, it)->decoding.n_stops > 0;
    tfm_generate_params params = tfm_engine_params(engine_of(b, it), it->ids.size, &it->limited);
    if (varies(it))
        it->own->engine.params = params;
    else if (it->limited)
        b->limited = params; /* the same for all of them */
    b->n_tokens += it->ids.size;
    b->started = tfm_seconds();
    return it->ids.size ? TFM_OK : finish(b, it, NULL, 0, error);
}

static tfm_status add_too_long(void *user, uint64_t number, const char *message, tfm_error *error) {
    batch *b = user;
    const char *line = NULL;
    size_t n = 0;
    if (b->prefixes.fd >= 0) tfm_lines_next(&b->prefixes, -1, &line, &n); /* its prefix is not another's */
    return fail_item(b, new_item(b, number, 0), message, error);
}

static tfm_windows windows_of(batch *b) {
    return (tfm_windows){b, add_text, add_too_long, n_waiting, window_full, run_window};
}

static tfm_status run_texts(batch *b, char *const *texts, size_t n, tfm_error *error) {
    b->whole = tfm_engine_continues(b->engine) && !b->settings->ids && !b->engine->chat;
    tfm_windows windows = windows_of(b);
    return tfm_windows_texts(&windows, texts, n, error);
}

static tfm_status run_lines(batch *b, tfm_error *error) {
    tfm_windows windows = windows_of(b);
    return tfm_windows_lines(&windows, error);
}

/* Is the output one text, printed as it is? */
static bool is_single(const batch *b, size_t n) {
    const tfm_settings *settings = b->settings;
    bool plain = !settings->json && !settings->ids && !settings->json_in && !settings->prefix_file &&
                 !settings->scores && !settings->alignment;
    return tfm_engine_continues(b->engine) && n == 1 && plain && b->engine->params.num_return_sequences == 1;
}

/* One text whose output appears as it comes, line breaks and all. */
static tfm_status run_single(batch *b, const char *text, tfm_error *error) {
    tfm_ids ids = {0};
    tfm_answer_request request = {.input = &ids, .plain = true, .echo = b->settings->echo};
    tfm_status status = tfm_engine_prompt(b->engine, b->settings, text, strlen(text), &ids, error);
    if (status == TFM_OK) status = tfm_answer(b->engine, b->settings, &request, error);
    tfm_answer_forget(&request);
    tfm_ids_free(&ids);
    return status;
}

static tfm_status make_room(batch *b, tfm_error *error) {
    b->items = calloc(WINDOW_ITEMS, sizeof *b->items);
    b->order = calloc(WINDOW_ITEMS, sizeof *b->order);
    b->inputs = calloc(WINDOW_ITEMS, sizeof *b->inputs);
    if (b->items && b->order && b->inputs) return TFM_OK;
    return tfm_no_memory(error, "a window of %d lines", WINDOW_ITEMS);
}

static void free_batch(batch *b) {
    for (size_t i = 0; b->items && i < WINDOW_ITEMS; i++) {
        tfm_ids_free(&b->items[i].ids);
        tfm_text_free(&b->items[i].output);
        tfm_text_free(&b->items[i].drawing);
        forget_variation(&b->items[i]);
    }
    free(b->items);
    free(b->order);
    free(b->inputs);
    tfm_text_free(&b->out);
    tfm_lines_close(&b->prefixes);
    if (b->prefixes.fd >= 0) close(b->prefixes.fd);
}

static tfm_status open_prefixes(batch *b, tfm_error *error) {
    const char *path = b->settings->prefix_file;
    if (!path) return TFM_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
    tfm_lines_open(&b->prefixes, fd, PREFIX_BYTES);
    return TFM_OK;
}

/* Lines that are left over belong to inputs that are not there: two files that do not go together. */
static void check_prefixes(batch *b) {
    const char *line = NULL;
    size_t n = 0;
    if (b->prefixes.fd < 0 || tfm_lines_next(&b->prefixes, -1, &line, &n) == TFM_LINE_END) return;
    tfm_complain("%s has more lines than there are inputs", b->settings->prefix_file);
    b->failed = true;
}

int tfm_batch_run(tfm_engine *engine, const tfm_settings *settings, char *const *texts, size_t n) {
    batch b = {
        .engine = engine, .settings = settings, .noun = texts ? "argument" : "line", .attention = {.file = {.fd = -1}}};
    tfm_error error = {0};
    b.prefixes.fd = -1;
    tfm_status status = make_room(&b, &error);
    if (status == TFM_OK) status = open_prefixes(&b, &error);
    tfm_line_report_start(&b.report, settings, !texts);
    if (status == TFM_OK && settings->attention) status = tfm_attention_open(&b.attention, settings->attention, &error);
    if (status == TFM_OK && texts)
        status = is_single(&b, n) ? run_single(&b, texts[0], &error) : run_texts(&b, texts, n, &error);
    else if (status == TFM_OK)
        status = run_lines(&b, &error);
    tfm_line_report_end(&b.report);
    if (status == TFM_OK) check_prefixes(&b);
    tfm_error closing = {0};
    if (tfm_attention_close(&b.attention, status == TFM_OK, &closing) != TFM_OK && status == TFM_OK) {
        status = closing.status;
        error = closing;
    }
    free_batch(&b);
    if (status != TFM_OK) tfm_complain("%s", error.message);
    return status == TFM_OK && !b.failed ? TFM_EXIT_OK : TFM_EXIT_FAILURE;
}
