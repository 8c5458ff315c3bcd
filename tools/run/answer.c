/* answer.c - runs one input alone: streams what is certain, obeys Ctrl-C, says how long it took. */
#include "answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attention_file.h"
#include "output_text.h"
#include "runtime/tfm.h"
#include "signals.h"
#include "wrap.h"

/* ---- showing ---- */

typedef struct answer {
    const tfm_engine *engine;
    tfm_generate_params params;
    tfm_answer_request *request;
    tfm_attention_file *attention; /* NULL: show the output */
    tfm_output_text *texts;        /* (num_return_sequences) */
    size_t n_shown;                /* bytes of the first one that are on the screen */
    tfm_wrap wrap;                 /* of a terminal; width 0: what is shown goes out as it is */
    tfm_text pending;              /* what goes out next */
    double first;                  /* when the first token came, or 0 */
    size_t n_tokens;
    bool wrote;        /* something is on the screen */
    tfm_status status; /* what went wrong inside a callback */
    tfm_error error;
} answer;

static tfm_status put(answer *a, const char *text, size_t n) {
    if (tfm_write_all(STDOUT_FILENO, text, n)) return TFM_OK;
    return tfm_fail(&a->error, TFM_ERROR_IO, "cannot write the output: %s", strerror(errno));
}

/* What has come of words, to the screen. */
static tfm_status put_pending(answer *a) {
    tfm_status status = put(a, a->pending.data, a->pending.size);
    a->pending.size = 0;
    return status;
}

static tfm_status show(answer *a, const char *text, size_t n) {
    if (n == 0) return TFM_OK;
    a->wrote = true;
    if (!a->wrap.width) return put(a, text, n);
    if (!tfm_wrap_push(&a->wrap, text, n, &a->pending)) return tfm_no_memory(&a->error, "output");
    return put_pending(a);
}

/* Ends the last line. */
static tfm_status show_end(answer *a) {
    if (!tfm_wrap_finish(&a->wrap, &a->pending) || !tfm_text_append(&a->pending, "\n", 1))
        return tfm_no_memory(&a->error, "output");
    return put_pending(a);
}

/* Brings the screen up to what is certain of the only output. */
static tfm_status show_growth(answer *a) {
    const tfm_text *text = &a->texts[0].text;
    size_t before = a->n_shown;
    if (text->size <= before) return TFM_OK;
    a->n_shown = text->size;
    return show(a, text->data + before, text->size - before);
}

/* Several outputs: a line each, with its score. */
static tfm_status show_list(answer *a, const tfm_hypothesis *const *hypotheses, size_t n) {
    tfm_status status = TFM_OK;
    for (size_t i = 0; i < n && status == TFM_OK; i++) {
        char score[32];
        int length = snprintf(score, sizeof score, "%s%9.4f  ", i ? "\n" : "", hypotheses[i]->score);
        status = show(a, score, (size_t)length);
        if (status == TFM_OK) status = show(a, a->texts[i].text.data, a->texts[i].text.size);
    }
    return status;
}

static bool streams(const answer *a) {
    return a->params.num_beams == 1 && !a->attention && !a->params.replace_unknowns;
}

static int on_token(void *user, size_t index, uint32_t output, int32_t id) {
    (void)index;
    answer *a = user;
    if (a->first == 0) a->first = tfm_seconds();
    tfm_signals_token_came();
    a->status = tfm_output_text_push(&a->texts[output], &id, 1, &a->error);
    if (a->status == TFM_OK && a->params.num_return_sequences == 1) {
        if (!tfm_ids_append(&a->request->ids, &id, 1))
            a->status = tfm_no_memory(&a->error, "answer");
        else
            a->status = show_growth(a);
    }
    if (a->status != TFM_OK) return TFM_CANCEL;
    return a->texts[output].stopped || tfm_signals_interrupted() ? TFM_END_OUTPUT : TFM_GO_ON;
}

static tfm_status draw(answer *a, const tfm_hypothesis *hypothesis) {
    tfm_text drawing = {0};
    tfm_status status =
        tfm_attention_draw(a->attention, a->engine, a->request->input, hypothesis, 1, &drawing, &a->error);
    if (status == TFM_OK) status = tfm_attention_add(a->attention, &drawing, &a->error);
    tfm_text_free(&drawing);
    return status;
}

/* The texts of all outputs to their ends. Those of beams come only now. */
static tfm_status complete(answer *a, const tfm_hypothesis *const *hypotheses, size_t n) {
    tfm_status status = TFM_OK;
    for (size_t i = 0; i < n && status == TFM_OK; i++) {
        a->n_tokens += hypotheses[i]->n;
        status = tfm_output_text_finish(&a->texts[i], hypotheses[i], &a->error);
    }
    a->request->ids.size = 0;
    if (status == TFM_OK && n && !tfm_ids_append(&a->request->ids, hypotheses[0]->ids, hypotheses[0]->n))
        status = tfm_no_memory(&a->error, "answer");
    return status;
}

static int on_result(void *user, size_t index, const tfm_result *result) {
    (void)index;
    answer *a = user;
    const tfm_hypothesis *const *hypotheses = result->hypotheses;
    size_t n = result->n;
    a->status = result->status == TFM_OK ? complete(a, hypotheses, n)
                                         : tfm_fail(&a->error, result->status, "%s", result->message);
    if (n == 0 || a->status != TFM_OK) return a->status != TFM_OK;
    a->request->ended = (hypotheses[0]->ended && !tfm_signals_interrupted()) || a->texts[0].stopped;
    if (a->attention)
        a->status = draw(a, hypotheses[0]);
    else
        a->status = n > 1 ? show_list(a, hypotheses, n) : show_growth(a);
    return a->status != TFM_OK;
}

/* ---- running ---- */

static void show_timing(const answer *a, double start) {
    double end = tfm_seconds();
    char first[64] = "", prompt[96] = "", seed[40] = "";
    if (a->first > 0) snprintf(first, sizeof first, ", first token after %.1f ms", 1e3 * (a->first - start));
    if (tfm_engine_continues(a->engine))
        snprintf(prompt, sizeof prompt, "; prompt of %zu tokens, %zu of them kept", a->request->input->size,
                 a->request->n_kept);
    if (a->params.do_sample) snprintf(seed, sizeof seed, "; seed %llu", (unsigned long long)a->params.seed);
    tfm_wrap_note(stderr, true, "%zu tokens in %.1f ms, %.0f tokens/s%s%s%s", a->n_tokens, 1e3 * (end - start),
                  (double)a->n_tokens / (end - start), first, prompt, seed);
}

static tfm_status show_echo(answer *a, tfm_error *error) {
    tfm_text text = {0};
    const tfm_ids *input = a->request->input;
    tfm_status status = tfm_detokenize(a->engine->model, TFM_SOURCE, input->data, input->size, true, &text, error);
    if (status == TFM_OK) status = show(a, text.data, text.size);
    if (status == TFM_ERROR_IO) *error = a->error;
    tfm_text_free(&text);
    return status;
}

/* The outputs begin, with the prefix they all have. */
static tfm_status start(answer *a, const tfm_settings *settings, tfm_error *error) {
    const tfm_output_input input = {a->request->input, a->request->source, a->request->n_source};
    tfm_status status = tfm_output_texts_start(&a->texts, a->engine, settings, &input, error);
    return status == TFM_OK && a->request->echo ? show_echo(a, error) : status;
}

static tfm_status run(answer *a, tfm_engine *engine, tfm_error *error) {
    tfm_generate_callbacks callbacks = {
        .size = sizeof callbacks, .on_token = streams(a) ? on_token : NULL, .on_result = on_result, .user = a};
    const tfm_ids *prefix = &engine->prefix;
    tfm_input input = {.ids = a->request->input->data,
                       .n = a->request->input->size,
                       .prefix = prefix->size ? prefix->data : NULL,
                       .n_prefix = prefix->size,
                       .sequence = a->request->sequence};
    tfm_signals_answer(engine->session);
    tfm_status status = tfm_generate(engine->session, &input, 1, &a->params, &callbacks, error);
    tfm_signals_answered();
    a->request->stopped = tfm_signals_interrupted();
    if (a->status != TFM_OK) {
        *error = a->error;
        return a->status;
    }
    return status;
}

/* Hands the best output over, as far as it came. */
static void finish(answer *a) {
    if (!a->texts) return;
    tfm_error ignored;
    tfm_output_text *best = &a->texts[0];
    if (best->detokenizer) tfm_output_text_finish(best, NULL, &ignored);
    a->request->text = best->text;
    best->text = (tfm_text){0};
    tfm_output_texts_free(&a->texts, a->engine);
}

/* Each answer is drawn anew, and all can be had again from the first seed. A drawing is of the last answer. */
static void choose_seed(answer *a, tfm_engine *engine) {
    if (!a->attention) engine->n_answers++;
    if (engine->n_answers) a->params.seed += engine->n_answers - 1;
}

tfm_status tfm_answer(tfm_engine *engine, const tfm_settings *settings, tfm_answer_request *request, tfm_error *error) {
    answer a = {.engine = engine, .request = request, .params = tfm_engine_params(engine, request->input->size, NULL)};
    tfm_attention_file file = {.file = {.fd = -1}};
    tfm_status status = TFM_OK;
    if (request->attention) {
        status = tfm_attention_open(&file, request->attention, error);
        a.attention = &file;
    }
    if (isatty(STDOUT_FILENO)) a.wrap.width = tfm_terminal_columns(STDOUT_FILENO) - 1;
    a.params.keep_attention = request->attention;
    choose_seed(&a, engine);
    double begin = tfm_seconds();
    if (status == TFM_OK) status = start(&a, settings, error);
    if (status == TFM_OK) status = run(&a, engine, error);
    bool line = !request->attention && status != TFM_ERROR_IO && (a.wrote || status == TFM_OK);
    if (line && show_end(&a) != TFM_OK && status == TFM_OK) {
        status = a.error.status;
        *error = a.error;
    }
    if (status == TFM_OK && !request->attention && !request->plain && !settings->no_timing) show_timing(&a, begin);
    tfm_error closing;
    if (tfm_attention_close(&file, status == TFM_OK, &closing) != TFM_OK && status == TFM_OK) {
        status = closing.status;
        *error = closing;
    }
    finish(&a);
    tfm_text_free(&a.wrap.word);
    tfm_text_free(&a.wrap.gap);
    tfm_text_free(&a.pending);
    return status;
}

void tfm_answer_forget(tfm_answer_request *request) {
    tfm_ids_free(&request->ids);
    tfm_text_free(&request->text);
}
