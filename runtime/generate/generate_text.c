/*
 * generate_text.c - tfm_generate_text: texts and conversations in, texts out, as they come and whole.
 *
 * All inputs are tokenised first; tfm_generate_inputs runs them, and what its callbacks bring becomes text here. An
 * output that somebody watches (on_text, or a stop string) is decoded as its tokens come, every other one at its end:
 * no token is decoded twice.
 */
#include <stdlib.h>
#include <string.h>

#include "generate.h"
#include "runtime/exec/session.h"
#include "runtime/params.h"
#include "text_input.h"

/* The text of an output, and how much of it on_text has had. */
typedef struct stream {
    tfm_detokenizer *detokenizer;
    tfm_text text;
    size_t given;
} stream;

/* An input that runs. */
typedef struct item {
    size_t index;                  /* the caller's */
    size_t first_id, n_ids;        /* in text_run.ids */
    size_t first_prefix, n_prefix; /* in text_run.prefixes */
    uint32_t n_outputs;
    bool watched; /* its outputs are decoded as they come */
    bool drawn;   /* to the prefix, whose tokens come like any other */
    bool replace; /* unknown tokens, by what stands in the input */
    const char *const *stop_strings;
    size_t n_stop_strings;
    stream *streams; /* (n_outputs) once the first token has come */
} item;

typedef struct text_run {
    tfm_session *session;
    const tfm_text_input *inputs;
    size_t n;
    tfm_generate_params params; /* of inputs without their own */
    tfm_text_callbacks callbacks;
    tfm_ids ids, prefixes;
    item *items; /* (n_items) */
    size_t n_items;
    tfm_text_output *outputs;     /* (most outputs of an input) */
    const tfm_text_output **list; /* of them */
    uint32_t most_outputs;
    tfm_error refusal; /* of the first input that cannot run, if there is no on_result to hear of it */
    size_t refused;    /* its number */
    tfm_error error;   /* what went wrong inside a callback; status TFM_OK: nothing */
} text_run;

/* ---- results ---- */

/* False: stop. */
static bool report(text_run *run, size_t index, const tfm_text_result *result) {
    const tfm_text_callbacks *callbacks = &run->callbacks;
    if (callbacks->on_result) return callbacks->on_result(callbacks->user, index, result) == 0;
    bool first = run->refusal.status == TFM_OK || index < run->refused;
    if (result->status == TFM_OK || !first) return true;
    run->refused = index;
    tfm_fail(&run->refusal, result->status, "input %zu: %s", index, result->message);
    return true;
}

static void free_streams(item *it) {
    for (uint32_t i = 0; it->streams && i < it->n_outputs; i++) {
        tfm_detokenizer_free(&it->streams[i].detokenizer);
        tfm_text_free(&it->streams[i].text);
    }
    free(it->streams);
    it->streams = NULL;
}

static tfm_status push(text_run *run, stream *out, const int32_t *ids, size_t n) {
    return tfm_detokenizer_push(out->detokenizer, ids, n, &out->text, &run->error);
}

/* What goes on with a text is read as its continuation; an answer stands for itself. */
static tfm_status start_stream(text_run *run, const item *it, stream *out) {
    const tfm_model *model = run->session->model;
    tfm_status status = tfm_detokenizer_create(&out->detokenizer, model, TFM_TARGET, true, &run->error);
    if (status == TFM_OK)
        status = tfm_detokenizer_set_stop_strings(out->detokenizer, it->stop_strings, it->n_stop_strings, &run->error);
    if (status == TFM_OK && !model->arch.has_encoder && run->inputs[it->index].text)
        status = tfm_detokenizer_continue(out->detokenizer, run->ids.data + it->first_id, it->n_ids, &run->error);
    if (status == TFM_OK && it->watched && !it->drawn)
        status = push(run, out, run->prefixes.data + it->first_prefix, it->n_prefix);
    return status;
}

static tfm_status start_streams(text_run *run, item *it) {
    it->streams = calloc(it->n_outputs, sizeof *it->streams);
    if (!it->streams) return tfm_no_memory(&run->error, "%u texts", it->n_outputs);
    tfm_status status = TFM_OK;
    for (uint32_t i = 0; status == TFM_OK && i < it->n_outputs; i++) status = start_stream(run, it, &it->streams[i]);
    return status;
}

/* Tells on_text what is new of an output. */
static int give(const text_run *run, const item *it, uint32_t output) {
    stream *out = &it->streams[output];
    size_t from = out->given;
    if (!run->callbacks.on_text || !it->watched || out->text.size <= from) return TFM_GO_ON;
    out->given = out->text.size;
    return run->callbacks.on_text(run->callbacks.user, it->index, output, out->text.data + from, out->given - from);
}

static int on_token(void *user, size_t index, uint32_t output, int32_t id) {
    text_run *run = user;
    item *it = &run->items[index];
    if (!it->watched) return TFM_GO_ON;
    tfm_status status = it->streams ? TFM_OK : start_streams(run, it);
    if (status == TFM_OK) status = push(run, &it->streams[output], &id, 1);
    if (status != TFM_OK) return TFM_CANCEL;
    int answer = give(run, it, output);
    if (answer != TFM_GO_ON) return answer;
    return tfm_detokenizer_stop_string(it->streams[output].detokenizer) ? TFM_END_OUTPUT : TFM_GO_ON;
}

/* The text of an output that nobody watched. */
static tfm_status make_text(text_run *run, const item *it, stream *out, const tfm_hypothesis *hypothesis) {
    const tfm_text_input *input = &run->inputs[it->index];
    if (!it->replace) return push(run, out, hypothesis->ids, hypothesis->n);
    return tfm_replace_unknowns(run->session->model, input->text, input->n, run->ids.data + it->first_id, it->n_ids,
                                hypothesis, &out->text, &run->error);
}

/* The text of an output to its end; false: stop. */
static bool complete(text_run *run, item *it, uint32_t output, const tfm_hypothesis *hypothesis) {
    stream *out = &it->streams[output];
    tfm_status status = it->watched ? TFM_OK : make_text(run, it, out, hypothesis);
    if (status == TFM_OK) status = tfm_detokenizer_finish(out->detokenizer, &out->text, &run->error);
    if (status != TFM_OK) return false;
    run->outputs[output] = (tfm_text_output){.text = out->text.data,
                                             .n = out->text.size,
                                             .stop_string = tfm_detokenizer_stop_string(out->detokenizer),
                                             .hypothesis = hypothesis};
    int answer = give(run, it, output);
    return answer == TFM_GO_ON || answer == TFM_END_OUTPUT;
}

static int on_result(void *user, size_t index, const tfm_result *result) {
    text_run *run = user;
    item *it = &run->items[index];
    tfm_text_result whole = {.status = result->status,
                             .message = result->message,
                             .outputs = run->list,
                             .n = result->n,
                             .n_input_tokens = it->n_ids};
    bool going = it->streams || result->n == 0 || start_streams(run, it) == TFM_OK;
    for (uint32_t i = 0; going && i < result->n; i++) going = complete(run, it, i, result->hypotheses[i]);
    going = going && report(run, it->index, &whole);
    free_streams(it);
    return !going;
}

/* ---- inputs ---- */

static tfm_status prepare_item(text_run *run, item *it, size_t index, tfm_error *error) {
    const tfm_text_input *input = &run->inputs[index];
    const tfm_model *model = run->session->model;
    tfm_generate_params params = run->params;
    tfm_status status = TFM_OK;
    *it = (item){.index = index, .first_id = run->ids.size, .first_prefix = run->prefixes.size};
    if (input->params) {
        params = model->defaults;
        status = tfm_params_take(&params, sizeof params, input->params, "tfm_generate_params", error);
    }
    if (status == TFM_OK) status = tfm_text_input_tokenize(model, input, &params, &run->ids, &run->prefixes, error);
    it->n_ids = run->ids.size - it->first_id;
    it->n_prefix = run->prefixes.size - it->first_prefix;
    it->n_outputs = params.num_return_sequences;
    it->drawn = params.prefix_bias_beta > 0;
    it->stop_strings = params.stop_strings;
    it->n_stop_strings = params.n_stop_strings;
    it->replace = params.replace_unknowns;
    it->watched = params.num_beams == 1 && (run->callbacks.on_text || params.n_stop_strings > 0) && !it->replace;
    if (status == TFM_OK && it->replace && !input->text)
        status = tfm_fail(error, TFM_ERROR_ARGUMENT, "replace_unknowns is for texts, not for conversations");
    return status;
}

/* Makes items of all inputs; those that cannot run are reported. */
static tfm_status prepare(text_run *run, tfm_error *error) {
    for (size_t i = 0; i < run->n; i++) {
        tfm_error own = {0};
        item *it = &run->items[run->n_items];
        tfm_status status = prepare_item(run, it, i, &own);
        if (status == TFM_ERROR_MEMORY) return tfm_fail(error, status, "%s", own.message);
        if (status != TFM_OK) {
            const tfm_text_result refused = {.status = status, .message = own.message};
            if (!report(run, i, &refused)) return tfm_fail(error, TFM_ERROR_CANCELLED, "cancelled");
            continue;
        }
        run->n_items++;
        /* More than the session holds will be refused. */
        uint32_t most = run->session->params.max_sequences, n = it->n_outputs < most ? it->n_outputs : most;
        if (n > run->most_outputs) run->most_outputs = n;
    }
    return TFM_OK;
}

/* ---- the call ---- */

static tfm_input input_of(const text_run *run, const item *it) {
    return (tfm_input){.ids = run->ids.data + it->first_id,
                       .n = it->n_ids,
                       .prefix = it->n_prefix ? run->prefixes.data + it->first_prefix : NULL,
                       .n_prefix = it->n_prefix,
                       .params = run->inputs[it->index].params};
}

/* inputs: (n_items) scratch. */
static tfm_status run_items(text_run *run, tfm_input *inputs, const tfm_generate_params *params, tfm_error *error) {
    tfm_generate_callbacks callbacks = {.size = sizeof callbacks, .on_result = on_result, .user = run};
    for (uint32_t i = 0; i < run->most_outputs; i++) run->list[i] = &run->outputs[i];
    for (size_t i = 0; i < run->n_items; i++) {
        inputs[i] = input_of(run, &run->items[i]);
        if (run->items[i].watched) callbacks.on_token = on_token;
    }
    tfm_status status = tfm_generate_inputs(run->session, inputs, run->n_items, params, &callbacks, error);
    if (run->error.status == TFM_OK) return status;
    return tfm_fail(error, run->error.status, "%s", run->error.message);
}

static tfm_status run_all(text_run *run, const tfm_generate_params *params, tfm_error *error) {
    run->items = calloc(run->n ? run->n : 1, sizeof *run->items);
    tfm_status status = run->items ? prepare(run, error) : tfm_no_memory(error, "%zu inputs", run->n);
    if (status != TFM_OK) return status;
    tfm_input *inputs = calloc(run->n_items + 1, sizeof *inputs);
    run->outputs = calloc((size_t)run->most_outputs + 1, sizeof *run->outputs);
    run->list = calloc((size_t)run->most_outputs + 1, sizeof *run->list);
    status = inputs && run->outputs && run->list ? run_items(run, inputs, params, error)
                                                 : tfm_no_memory(error, "%zu inputs", run->n_items);
    free(inputs);
    return status;
}

static void free_run(text_run *run) {
    for (size_t i = 0; run->items && i < run->n_items; i++) free_streams(&run->items[i]);
    free(run->items);
    free(run->outputs);
    free(run->list);
    tfm_ids_free(&run->ids);
    tfm_ids_free(&run->prefixes);
}

void tfm_text_callbacks_init(tfm_text_callbacks *callbacks, size_t size) {
    static const tfm_text_callbacks none = {.size = sizeof none};
    tfm_params_give(callbacks, size, &none, sizeof none);
}

tfm_status tfm_generate_text(tfm_session *session, const tfm_text_input *inputs, size_t n,
                             const tfm_generate_params *params, const tfm_text_callbacks *callbacks, tfm_error *error) {
    text_run run = {.session = session, .inputs = inputs, .n = n, .params = session->model->defaults};
    const tfm_tokenizer *tokenizer;
    tfm_status status = tfm_params_take(&run.params, sizeof run.params, params, "tfm_generate_params", error);
    if (status == TFM_OK)
        status = tfm_params_take(&run.callbacks, sizeof run.callbacks, callbacks, "tfm_text_callbacks", error);
    if (status == TFM_OK && n > 0 && !inputs)
        status = tfm_fail(error, TFM_ERROR_ARGUMENT, "there are %zu inputs at NULL", n);
    if (status == TFM_OK) status = tfm_model_need_tokenizer(session->model, TFM_SOURCE, &tokenizer, error);
    if (status != TFM_OK) return status;
    status = run_all(&run, params, error);
    free_run(&run);
    if (status != TFM_OK || run.refusal.status == TFM_OK) return status;
    return tfm_fail(error, run.refusal.status, "%s", run.refusal.message);
}
