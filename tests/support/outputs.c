/* outputs.c - see outputs.h. */
#include "outputs.h"

#include <stdlib.h>
#include <string.h>

#include "format/hash.h"
#include "runtime/tfm.h"

static void *copy(const void *data, size_t size) {
    void *memory = malloc(size ? size : 1);
    if (memory && size) memcpy(memory, data, size);
    return memory;
}

static int keep(void *user, size_t index, const tfm_result *result) {
    outputs *o = user;
    if (index >= o->n || result->n > o->n_each) return 1;
    o->calls[index]++;
    o->counts[index] = result->n;
    if (result->status != TFM_OK) tfm_fail(&o->errors[index], result->status, "%s", result->message);
    for (size_t i = 0; i < result->n; i++) {
        const tfm_hypothesis *h = result->hypotheses[i];
        output *item = &o->items[index * o->n_each + i];
        if (item->ids) return 1;
        *item = (output){.ids = copy(h->ids, h->n * sizeof *h->ids),
                         .n = h->n,
                         .ended = h->ended,
                         .sum_log_prob = h->sum_log_prob,
                         .score = h->score};
        if (h->log_probs) item->log_probs = copy(h->log_probs, h->n * sizeof *h->log_probs);
        if (h->attention) item->attention = copy(h->attention, h->n * o->inputs[index].n * sizeof *h->attention);
        if (!item->ids) return 1;
    }
    return 0;
}

static outputs *make(const tfm_input *inputs, size_t n, const tfm_generate_params *params) {
    outputs *o = calloc(1, sizeof *o);
    if (!o) return NULL;
    size_t n_each = params ? params->num_return_sequences : 1;
    for (size_t i = 0; i < n; i++)
        if (inputs[i].params && inputs[i].params->num_return_sequences > n_each)
            n_each = inputs[i].params->num_return_sequences;
    if (n_each > 1024) n_each = 1024; /* more than a session holds: it will be refused */
    *o = (outputs){.inputs = inputs, .n = n, .n_each = n_each};
    o->items = calloc(n * n_each + 1, sizeof *o->items);
    o->counts = calloc(n + 1, sizeof *o->counts);
    o->calls = calloc(n + 1, sizeof *o->calls);
    o->errors = calloc(n + 1, sizeof *o->errors);
    if (!o->items || !o->counts || !o->calls || !o->errors) outputs_free(&o);
    return o;
}

void outputs_free(outputs **result) {
    outputs *o = *result;
    *result = NULL;
    if (!o) return;
    for (size_t i = 0; o->items && i < o->n * o->n_each; i++) {
        free(o->items[i].ids);
        free(o->items[i].log_probs);
        free(o->items[i].attention);
    }
    free(o->items);
    free(o->counts);
    free(o->calls);
    free(o->errors);
    free(o);
}

tfm_status outputs_generate_some(tfm_session *session, const tfm_input *inputs, size_t n,
                                 const tfm_generate_params *params, outputs **result, tfm_error *error) {
    *result = make(inputs, n, params);
    if (!*result) return tfm_no_memory(error, "outputs");
    tfm_generate_callbacks callbacks = {.size = sizeof callbacks, .on_result = keep, .user = *result};
    tfm_status status = tfm_generate(session, inputs, n, params, &callbacks, error);
    if (status != TFM_OK) outputs_free(result);
    return status;
}

static tfm_status first_error(outputs **result, tfm_error *error) {
    for (size_t i = 0; i < (*result)->n; i++) {
        const tfm_error *e = &(*result)->errors[i];
        if (e->status == TFM_OK) continue;
        tfm_status status = tfm_fail(error, e->status, "input %zu: %s", i, e->message);
        outputs_free(result);
        return status;
    }
    return TFM_OK;
}

tfm_status outputs_generate(tfm_session *session, const tfm_input *inputs, size_t n, const tfm_generate_params *params,
                            outputs **result, tfm_error *error) {
    tfm_status status = outputs_generate_some(session, inputs, n, params, result, error);
    return status == TFM_OK ? first_error(result, error) : status;
}

tfm_status outputs_generate_singly(tfm_session *session, const tfm_input *inputs, size_t n,
                                   const tfm_generate_params *params, outputs **result, tfm_error *error) {
    *result = make(inputs, n, params);
    if (!*result) return tfm_no_memory(error, "outputs");
    for (size_t i = 0; i < n; i++) {
        outputs one = {.inputs = inputs + i,
                       .n = 1,
                       .n_each = (*result)->n_each,
                       .items = (*result)->items + i * (*result)->n_each,
                       .counts = (*result)->counts + i,
                       .calls = (*result)->calls + i,
                       .errors = (*result)->errors + i};
        tfm_generate_callbacks callbacks = {.size = sizeof callbacks, .on_result = keep, .user = &one};
        tfm_status status = tfm_generate(session, inputs + i, 1, params, &callbacks, error);
        if (status != TFM_OK) {
            outputs_free(result);
            return status;
        }
    }
    return first_error(result, error);
}

const output *outputs_at(const outputs *o, size_t input, size_t hypothesis) {
    return &o->items[input * o->n_each + hypothesis];
}

static bool same(const output *a, const output *b) {
    return a->n == b->n && a->ended == b->ended && !memcmp(a->ids, b->ids, a->n * sizeof *a->ids) &&
           !memcmp(&a->score, &b->score, sizeof a->score) &&
           !memcmp(&a->sum_log_prob, &b->sum_log_prob, sizeof a->sum_log_prob);
}

bool outputs_same(const outputs *a, const outputs *b) {
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++) {
        if (a->calls[i] != 1 || b->calls[i] != 1 || a->counts[i] != b->counts[i]) return false;
        for (size_t j = 0; j < a->counts[i]; j++)
            if (!same(outputs_at(a, i, j), outputs_at(b, i, j))) return false;
    }
    return true;
}

uint64_t outputs_hash(const outputs *o) {
    tfm_hash_join join;
    tfm_hash_join_begin(&join);
    for (size_t i = 0; i < o->n; i++) {
        for (size_t j = 0; j < o->counts[i]; j++) {
            const output *item = outputs_at(o, i, j);
            tfm_hash_join_add(&join, tfm_hash_baseline(item->ids, item->n * sizeof *item->ids));
            tfm_hash_join_add(&join, tfm_hash_baseline(&item->score, sizeof item->score));
            tfm_hash_join_add(&join, tfm_hash_baseline(&item->sum_log_prob, sizeof item->sum_log_prob));
            tfm_hash_join_add(&join, item->ended);
        }
    }
    return tfm_hash_join_end(&join);
}
