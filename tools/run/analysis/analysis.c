/*
 * analysis.c - lines in, results out, for encoder-only models: what has come is collected into a window and run as
 * ragged batches in its order. A window ends when it is full or when the input pauses, so memory is bounded and a slow
 * producer is answered at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis_internal.h"
#include "runtime/tfm.h"
#include "tools/run/engine/line_report.h"
#include "tools/run/engine/windows.h"

enum {
    WINDOW_ITEMS = 2048,
    WINDOW_BATCHES = 8,       /* a window has this many times --batch-tokens */
    RESULT_FLOATS = 16 << 20, /* of one batch, unless one input has more */
    KEPT_IDS = 65536,         /* larger lists go back to the system */
    WRITE_BYTES = 64 * 1024
};

typedef struct item {
    uint64_t number;
    size_t n_bytes;               /* of its line */
    tfm_analysis_input inputs[2]; /* similarities have two */
    float *results[2];
    bool failed;
    tfm_text output; /* of one that failed */
} item;

typedef struct text_part {
    const char *data;
    size_t n;
} text_part;

typedef struct windows {
    tfm_analysis a;
    const char *noun; /* "line", "argument"; NULL: an error of the input ends all */
    item *items;
    size_t n, n_tokens;
    tfm_example *examples; /* 2 for each item */
    float *results;
    size_t capacity; /* of results */
    tfm_text out;
    tfm_vector_file file;
    tfm_line_report report;
    bool failed; /* an input had an error: exit status 1 */
} windows;

static size_t n_inputs(const tfm_analysis *a) { return a->action == TFM_SIMILARITY ? 2 : 1; }

static size_t result_size(const tfm_analysis *a, const item *it) {
    size_t size = 0;
    for (size_t i = 0; !it->failed && i < n_inputs(a); i++) size += tfm_analysis_result_size(a, &it->inputs[i]);
    return size;
}

/* ---- running a window ---- */

static tfm_status flush(windows *w, tfm_error *error) {
    tfm_status status = tfm_vector_file_write(&w->file, w->out.data, w->out.size, error);
    w->out.size = 0;
    return status;
}

/* Items from first on whose results fit; at least one. */
static size_t batch_size(const windows *w, size_t first, size_t *floats) {
    size_t n = 0;
    *floats = 0;
    for (; first + n < w->n; n++) {
        size_t size = result_size(&w->a, &w->items[first + n]);
        if (n > 0 && *floats + size > RESULT_FLOATS) break;
        *floats += size;
    }
    return n;
}

static tfm_status analyze(windows *w, item *items, size_t n, tfm_error *error) {
    size_t n_examples = 0;
    float *at = w->results;
    for (size_t k = 0; k < n; k++) {
        for (size_t i = 0; !items[k].failed && i < n_inputs(&w->a); i++) {
            items[k].results[i] = at;
            at += tfm_analysis_result_size(&w->a, &items[k].inputs[i]);
            w->examples[n_examples++] = tfm_analysis_example(&w->a, &items[k].inputs[i], items[k].results[i]);
        }
    }
    return tfm_analyze(w->a.engine->session, w->examples, n_examples, &w->a.embed, NULL, error);
}

static tfm_status print_items(windows *w, item *items, size_t n, tfm_error *error) {
    tfm_status status = TFM_OK;
    for (size_t k = 0; status == TFM_OK && k < n; k++) {
        const item *it = &items[k];
        tfm_line_report_done(&w->report, it->n_bytes, it->failed ? 0 : it->inputs[0].ids.size + it->inputs[1].ids.size);
        if (!it->failed)
            status = tfm_analysis_print(&w->a, it->inputs, it->results, &w->out, error);
        else if (!tfm_text_append(&w->out, it->output.data, it->output.size))
            status = tfm_no_memory(error, "output");
        if (status == TFM_OK && w->out.size >= WRITE_BYTES) status = flush(w, error);
    }
    return status;
}

static tfm_status run_batch(windows *w, item *items, size_t n, size_t floats, tfm_error *error) {
    if (floats > w->capacity) {
        free(w->results);
        w->results = malloc(floats * sizeof *w->results);
        w->capacity = w->results ? floats : 0;
        if (!w->results) return tfm_no_memory(error, "%zu numbers of results (shorter inputs need less)", floats);
    }
    tfm_status status = analyze(w, items, n, error);
    return status != TFM_OK ? status : print_items(w, items, n, error);
}

static void forget_items(windows *w) {
    for (size_t k = 0; k < w->n; k++) {
        for (size_t i = 0; i < 2; i++)
            if (w->items[k].inputs[i].ids.capacity > KEPT_IDS) tfm_analysis_input_free(&w->items[k].inputs[i]);
        w->items[k].output.size = 0;
        w->items[k].failed = false;
    }
    w->n = w->n_tokens = 0;
    if (w->capacity <= RESULT_FLOATS) return;
    free(w->results);
    w->results = NULL;
    w->capacity = 0;
}

static tfm_status run_window(void *user, tfm_error *error) {
    windows *w = user;
    tfm_status status = TFM_OK;
    for (size_t first = 0, n; status == TFM_OK && first < w->n; first += n) {
        size_t floats;
        n = batch_size(w, first, &floats);
        status = run_batch(w, w->items + first, n, floats, error);
    }
    tfm_error ignored;
    if (status != TFM_OK)
        flush(w, &ignored); /* what was done is still worth having */
    else
        status = flush(w, error);
    forget_items(w);
    return status;
}

static bool window_full(const void *user) {
    const windows *w = user;
    return w->n == WINDOW_ITEMS || w->n_tokens >= (size_t)WINDOW_BATCHES * w->a.settings->batch_tokens;
}

/* ---- input ---- */

static size_t n_waiting(const void *user) { return ((const windows *)user)->n; }

static item *new_item(windows *w, uint64_t number) {
    item *it = &w->items[w->n++];
    it->number = number;
    return it;
}

/* Ends an item with an error that belongs to it alone. */
static tfm_status fail_item(windows *w, item *it, const char *message, tfm_error *error) {
    char whole[600];
    if (!w->noun) return error->status;
    snprintf(whole, sizeof whole, "%s %llu: %s", w->noun, (unsigned long long)it->number, message);
    tfm_line_report_hide(&w->report);
    tfm_complain("%s", whole);
    w->failed = it->failed = true;
    return tfm_analysis_print_error(&w->a, whole, &it->output, error);
}

/* Reads the item's texts, one or two. */
static tfm_status read_item(windows *w, item *it, const text_part *texts, size_t n, tfm_error *error) {
    tfm_status status = TFM_OK;
    for (size_t i = 0; status == TFM_OK && i < n; i++)
        status = tfm_analysis_read(&w->a, texts[i].data, texts[i].n, &it->inputs[i], error);
    if (status == TFM_ERROR_LIMIT || status == TFM_ERROR_ARGUMENT || status == TFM_ERROR_UNSUPPORTED)
        return fail_item(w, it, error->message, error);
    for (size_t i = 0; i < n; i++) w->n_tokens += it->inputs[i].ids.size;
    return status;
}

static tfm_status add_text(void *user, uint64_t number, const char *text, size_t n, tfm_error *error) {
    windows *w = user;
    item *it = new_item(w, number);
    it->n_bytes = n + 1;
    const char *tab = memchr(text, '\t', n);
    if (w->a.action != TFM_SIMILARITY) return read_item(w, it, &(text_part){text, n}, 1, error);
    if (!tab || memchr(tab + 1, '\t', n - (size_t)(tab - text) - 1)) {
        tfm_fail(error, TFM_ERROR_ARGUMENT, "a similarity is of two texts with one tab between them");
        return fail_item(w, it, error->message, error);
    }
    const text_part both[] = {{text, (size_t)(tab - text)}, {tab + 1, n - (size_t)(tab - text) - 1}};
    return read_item(w, it, both, 2, error);
}

static tfm_status add_too_long(void *user, uint64_t number, const char *message, tfm_error *error) {
    windows *w = user;
    tfm_fail(error, TFM_ERROR_LIMIT, "%s", message);
    return fail_item(w, new_item(w, number), message, error);
}

/* texts NULL: lines of standard input. */
static tfm_status run_inputs(windows *w, char *const *texts, size_t n, tfm_error *error) {
    const tfm_windows inputs = {w, add_text, add_too_long, n_waiting, window_full, run_window};
    if (!texts) return tfm_windows_lines(&inputs, error);
    if (w->a.action == TFM_SIMILARITY && n == 2) {
        const text_part both[] = {{texts[0], strlen(texts[0])}, {texts[1], strlen(texts[1])}};
        tfm_status status = read_item(w, new_item(w, 1), both, 2, error);
        return status != TFM_OK ? status : run_window(w, error);
    }
    return tfm_windows_texts(&inputs, texts, n, error);
}

/* ---- start and end ---- */

static void free_windows(windows *w) {
    for (size_t k = 0; w->items && k < WINDOW_ITEMS; k++) {
        for (size_t i = 0; i < 2; i++) tfm_analysis_input_free(&w->items[k].inputs[i]);
        tfm_text_free(&w->items[k].output);
    }
    free(w->items);
    free(w->examples);
    free(w->results);
    tfm_text_free(&w->out);
    tfm_analysis_close(&w->a);
}

static tfm_status make_room(windows *w, size_t n, tfm_error *error) {
    w->items = calloc(n, sizeof *w->items);
    w->examples = calloc(2 * n, sizeof *w->examples);
    return w->items && w->examples ? TFM_OK : tfm_no_memory(error, "%zu inputs", n);
}

int tfm_analysis_run(tfm_engine *engine, const tfm_settings *settings, char *const *texts, size_t n) {
    windows w = {.noun = texts ? "argument" : "line", .file = {.fd = -1}};
    tfm_error error = {0}, closing = {0};
    tfm_status status = tfm_analysis_open(&w.a, engine, settings, &error);
    if (status == TFM_OK) status = make_room(&w, WINDOW_ITEMS, &error);
    if (status == TFM_OK) status = tfm_vector_file_open(&w.file, &w.a, &error);
    bool usage = status == TFM_ERROR_ARGUMENT;
    tfm_line_report_start(&w.report, settings, !texts);
    if (status == TFM_OK) status = run_inputs(&w, texts, n, &error);
    tfm_line_report_end(&w.report);
    if (tfm_vector_file_close(&w.file, &closing) != TFM_OK && status == TFM_OK) {
        status = closing.status;
        error = closing;
    }
    free_windows(&w);
    if (status != TFM_OK) tfm_complain("%s", error.message);
    if (usage) return TFM_EXIT_USAGE;
    return status != TFM_OK || w.failed ? TFM_EXIT_FAILURE : TFM_EXIT_OK;
}

tfm_status tfm_analysis_answer(tfm_engine *engine, const tfm_settings *settings, const char *text, size_t n,
                               tfm_error *error) {
    windows w = {.file = {.fd = STDOUT_FILENO}};
    tfm_status status = tfm_analysis_open(&w.a, engine, settings, error);
    if (status == TFM_OK) status = make_room(&w, WINDOW_ITEMS, error);
    if (status == TFM_OK) status = add_text(&w, 1, text, n, error);
    if (status == TFM_OK) status = run_window(&w, error);
    free_windows(&w);
    return status;
}
