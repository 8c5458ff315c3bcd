/* answer.c - runs one input for the prompt: streams what is certain, obeys Ctrl-C, says how long it took. */
#include "answer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../format/model_file.h"
#include "attention.h"

/* ---- Ctrl-C --------------------------------------------------------------------------------------------------- */

static tfm_session *volatile running; /* read by the signal handler */

static void on_interrupt(int number) {
    (void)number;
    tfm_session *session = running;
    if (session) tfm_session_cancel(session);
}

void tfm_answer_catch_interrupts(void) {
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

/* ---- showing -------------------------------------------------------------------------------------------------- */

typedef struct answer {
    const tfm_engine *engine;
    const tfm_ids *input;
    tfm_attention_file *attention; /* NULL: show the output */
    tfm_ids ids;                   /* new tokens so far; greedy only */
    tfm_bytes shown;               /* what of their text is on the screen */
    double first;                  /* when the first token came, or 0 */
    size_t n_tokens;
    tfm_status status; /* what went wrong inside a callback */
    tfm_error error;
} answer;

static void show(const char *text, size_t n) { (void)!tfm_write_all(STDOUT_FILENO, text, n); }

/* Bytes of text that will not change: without a last character of which bytes are still to come. */
static size_t settled(const tfm_text *text) {
    static const char replacement[] = "\xef\xbf\xbd";
    size_t n = text->size;
    while (n >= 3 && memcmp(text->data + n - 3, replacement, 3) == 0) n -= 3;
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        if (((unsigned char)text->data[n - back] & 0xc0) == 0x80) continue;
        bool whole = tfm_utf8_char(text->data + n - back, back, NULL) == back;
        return whole ? n : n - back;
    }
    return n;
}

/* Brings the screen up to ids, the output so far; all: it will not grow any more. */
static tfm_status show_growth(answer *a, const int32_t *ids, size_t n, bool all) {
    tfm_text text = {0};
    tfm_status status = tfm_detokenize(a->engine->model, TFM_TARGET, ids, n, true, &text, &a->error);
    size_t end = all ? text.size : settled(&text), before = a->shown.size;
    if (status == TFM_OK && end >= before && (before == 0 || memcmp(text.data, a->shown.data, before) == 0)) {
        show(text.data + before, end - before);
        if (!tfm_bytes_append(&a->shown, text.data + before, end - before))
            status = tfm_fail(&a->error, TFM_ERROR_MEMORY, "answer: out of memory");
    } else if (status == TFM_OK && all) {
        /* The tokenizer took back something it had said: the whole text on a new line. */
        show("\n", 1);
        show(text.data, text.size);
    }
    tfm_text_free(&text);
    return status;
}

/* Several outputs: a line each, with its score. */
static tfm_status show_list(answer *a, const tfm_hypothesis *hypotheses, size_t n) {
    tfm_status status = TFM_OK;
    for (size_t i = 0; i < n && status == TFM_OK; i++) {
        char score[32];
        int length = snprintf(score, sizeof score, "%s%9.4f  ", i ? "\n" : "", hypotheses[i].score);
        show(score, (size_t)length);
        a->shown.size = 0;
        status = show_growth(a, hypotheses[i].ids, hypotheses[i].n, true);
    }
    return status;
}

static int on_token(void *user, size_t index, uint32_t output, int32_t id) {
    (void)index;
    (void)output;
    answer *a = user;
    if (a->first == 0) a->first = tfm_seconds();
    if (!tfm_push_ids(&a->ids, &id, 1))
        a->status = tfm_fail(&a->error, TFM_ERROR_MEMORY, "answer: out of memory");
    else
        a->status = show_growth(a, a->ids.data, a->ids.size, false);
    return a->status == TFM_OK ? TFM_GO_ON : TFM_CANCEL;
}

static tfm_status draw(answer *a, const tfm_hypothesis *hypothesis) {
    tfm_bytes drawing = {0};
    tfm_status status = tfm_attention_draw(a->attention, a->engine, a->input, hypothesis, 1, &drawing, &a->error);
    if (status == TFM_OK) status = tfm_attention_add(a->attention, &drawing, &a->error);
    tfm_bytes_free(&drawing);
    return status;
}

static int on_result(void *user, size_t index, const tfm_hypothesis *hypotheses, size_t n) {
    (void)index;
    answer *a = user;
    for (size_t i = 0; i < n; i++) a->n_tokens += hypotheses[i].n;
    if (n == 0)
        a->status = TFM_OK;
    else if (a->attention)
        a->status = draw(a, &hypotheses[0]);
    else
        a->status = n > 1 ? show_list(a, hypotheses, n) : show_growth(a, hypotheses[0].ids, hypotheses[0].n, true);
    return a->status != TFM_OK;
}

static void show_timing(const answer *a, double start) {
    double end = tfm_seconds();
    bool color = tfm_color_terminal(STDERR_FILENO);
    char first[64] = "";
    if (a->first > 0) snprintf(first, sizeof first, ", first token after %.1f ms", 1e3 * (a->first - start));
    fprintf(stderr, "%s%zu tokens in %.1f ms, %.0f tokens/s%s%s\n", color ? "\033[2m" : "", a->n_tokens,
            1e3 * (end - start), (double)a->n_tokens / (end - start), first, color ? "\033[0m" : "");
}

static tfm_status run(answer *a, tfm_engine *engine, tfm_error *error) {
    tfm_generate_params params = engine->params;
    params.keep_attention = a->attention;
    bool streams = params.num_beams == 1 && !a->attention;
    tfm_generate_callbacks callbacks = {.on_token = streams ? on_token : NULL, .on_result = on_result, .user = a};
    const tfm_ids *prefix = &engine->prefix;
    tfm_input input = {.ids = a->input->data,
                       .n = a->input->size,
                       .prefix = prefix->size ? prefix->data : NULL,
                       .n_prefix = prefix->size};
    running = engine->session;
    tfm_status status = tfm_generate(engine->session, &input, 1, &params, &callbacks, error);
    running = NULL;
    if (a->status == TFM_OK) return status;
    *error = a->error;
    return a->status;
}

tfm_status tfm_answer(tfm_engine *engine, const tfm_settings *settings, const tfm_ids *input, const char *attention,
                      tfm_error *error) {
    answer a = {.engine = engine, .input = input};
    tfm_attention_file file = {.fd = -1};
    tfm_status status = TFM_OK;
    if (attention) {
        status = tfm_attention_open(&file, attention, error);
        a.attention = &file;
    }
    double start = tfm_seconds();
    if (status == TFM_OK) status = run(&a, engine, error);
    if (!attention && (a.shown.size || status == TFM_OK)) show("\n", 1);
    if (status == TFM_OK && !attention && !settings->no_timing) show_timing(&a, start);
    tfm_error closing;
    if (tfm_attention_close(&file, &closing) != TFM_OK && status == TFM_OK) {
        status = closing.status;
        *error = closing;
    }
    tfm_ids_free(&a.ids);
    tfm_bytes_free(&a.shown);
    return status;
}
