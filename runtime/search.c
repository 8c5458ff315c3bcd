/*
 * search.c - greedy and beam search, as transformers 4.46 does them (GenerationMixin._sample without sampling,
 * _beam_search with BeamSearchScorer).
 */
#include "search.h"

#include <math.h>
#include <stdlib.h>

/* Score of the beams that do not exist yet in the first step: any real one beats them. */
#define ABSENT (-1e9)

size_t tfm_search_candidates(const tfm_generate_params *p) {
    size_t per_beam = 1 + p->n_eos_token_ids;
    if (p->num_beams == 1) return 1;
    return (per_beam < 2 ? 2 : per_beam) * p->num_beams;
}

size_t tfm_search_nodes(const tfm_generate_params *p, size_t max_length) {
    /* Per step at most num_beams that go on and num_beams that end. */
    return max_length * (p->num_beams == 1 ? 1 : 2 * (size_t)p->num_beams);
}

static int32_t add_node(tfm_search *s, int32_t token, int32_t parent, float log_prob) {
    s->nodes[s->n_nodes] = (tfm_node){token, parent, log_prob};
    return s->n_nodes++;
}

void tfm_search_start(tfm_search *s, const int32_t *prompt, size_t n, size_t max_length) {
    s->prompt_length = s->length = n;
    s->max_length = max_length;
    s->n_rows = 1;
    s->done = s->failed = false;
    s->n_nodes = 0;
    s->n_finished = 0;
    s->worst = 1e9;
    int32_t node = -1;
    for (size_t i = 0; i < n; i++) node = add_node(s, prompt[i], node, 0);
    for (uint32_t b = 0; b < s->params->num_beams; b++)
        s->beams[b] = (tfm_beam){.score = b == 0 ? 0 : ABSENT, .node = node, .sequence = -1};
}

void tfm_search_path(const tfm_search *s, int32_t node, size_t n, int32_t *ids, float *log_probs) {
    for (size_t i = n; i-- > 0; node = s->nodes[node].parent) {
        if (ids) ids[i] = s->nodes[node].token;
        if (log_probs) log_probs[i] = s->nodes[node].log_prob;
    }
}

size_t tfm_search_history(const tfm_generate_params *p, size_t max_length) {
    return tfm_processors_need_ids(p) ? max_length : 0;
}

static void process(tfm_search *s, uint32_t b, float *row, const tfm_kernels *kernels) {
    int32_t *ids = s->ids + b * s->history;
    if (s->history) tfm_search_path(s, s->beams[b].node, s->length, ids, NULL);
    tfm_history history = {ids, s->length, s->prompt_length, s->max_length};
    tfm_process_scores(s->params, &history, kernels, row, s->vocab_size, s->scratch + b * s->history);
}

void tfm_search_score(tfm_search *s, uint32_t b, float *row, const tfm_kernels *kernels) {
    size_t k = tfm_search_candidates(s->params);
    bool greedy = s->params->num_beams == 1;
    if (!greedy) kernels->log_softmax(row, row, s->vocab_size);
    process(s, b, row, kernels);
    s->found[b] = kernels->top_k(row, s->vocab_size, k, s->values + b * k, s->indices + b * k);
    if (greedy && s->found[b]) s->values[0] -= kernels->log_sum_exp(row, s->vocab_size);
}

/* ---- greedy ---- */

static void choose_greedy(tfm_search *s) {
    tfm_beam *beam = &s->beams[0];
    if (s->found[0] < 1) {
        s->failed = true;
        return;
    }
    float log_prob = s->values[0];
    int32_t token = (int32_t)s->indices[0], node = add_node(s, token, beam->node, log_prob);
    s->next[0] = (tfm_beam){.score = beam->score + log_prob, .log_prob = log_prob, .token = token, .node = node};
    if (tfm_is_end_token(s->params, token)) {
        s->finished[0] = (tfm_finished){0, s->next[0].score, node, true};
        s->n_finished = 1;
        s->done = true;
    }
}

/* ---- beams ---- */

static int by_score(const void *a, const void *b) {
    const tfm_beam *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->parent != y->parent) return x->parent < y->parent ? -1 : 1;
    return x->token < y->token ? -1 : x->token > y->token;
}

/* The best continuations of every beam, best first. In the first step all beams share one row. */
static size_t gather_candidates(tfm_search *s) {
    size_t k = tfm_search_candidates(s->params), n = 0;
    for (uint32_t b = 0; b < s->params->num_beams; b++) {
        uint32_t row = b < s->n_rows ? b : s->n_rows - 1;
        for (size_t i = 0; i < s->found[row]; i++) {
            float value = s->values[row * k + i];
            s->candidates[n++] = (tfm_beam){.score = s->beams[b].score + (double)value,
                                            .log_prob = value,
                                            .token = (int32_t)s->indices[row * k + i],
                                            .parent = b};
        }
    }
    qsort(s->candidates, n, sizeof *s->candidates, by_score);
    return n < k ? n : k;
}

static double penalised(double sum, size_t n_tokens, double length_penalty) {
    return sum / pow((double)n_tokens, length_penalty);
}

/* Keeps a hypothesis if there is room or it beats the worst. Among equals the newer one goes first. */
static void keep(tfm_search *s, tfm_finished f) {
    if (s->n_finished >= s->params->num_beams && f.score <= s->worst) return;
    s->finished[s->n_finished++] = f;
    if (s->n_finished <= s->params->num_beams) {
        if (f.score < s->worst) s->worst = f.score;
        return;
    }
    uint32_t worst = 0;
    for (uint32_t i = 1; i < s->n_finished; i++)
        if (s->finished[i].score < s->finished[worst].score) worst = i;
    for (uint32_t i = worst; i + 1 < s->n_finished; i++) s->finished[i] = s->finished[i + 1];
    s->n_finished--;
    s->worst = s->finished[0].score;
    for (uint32_t i = 1; i < s->n_finished; i++)
        if (s->finished[i].score < s->worst) s->worst = s->finished[i].score;
}

/* Whether no continuation can be better than the worst hypothesis kept. best: the best candidate's sum. */
static bool is_over(const tfm_search *s, double best) {
    const tfm_generate_params *p = s->params;
    if (s->n_finished < p->num_beams) return false;
    if (p->early_stopping == TFM_EARLY_TRUE) return true;
    size_t n = s->length + 1 - s->prompt_length;
    if (p->early_stopping == TFM_EARLY_NEVER && p->length_penalty > 0) n = s->max_length - s->prompt_length;
    return s->worst >= penalised(best, n, p->length_penalty);
}

static void choose_beams(tfm_search *s) {
    size_t n = gather_candidates(s);
    uint32_t n_next = 0, num_beams = s->params->num_beams;
    for (size_t rank = 0; rank < n && n_next < num_beams; rank++) {
        const tfm_beam *c = &s->candidates[rank];
        bool ends = tfm_is_end_token(s->params, c->token);
        if (ends && rank >= num_beams) continue;
        int32_t parent = s->beams[c->parent].node;
        if (ends) {
            /* transformers writes the first end token, whichever it was. */
            int32_t node = add_node(s, s->params->eos_token_ids[0], parent, c->log_prob);
            double score = penalised(c->score, s->length + 1 - s->prompt_length, s->params->length_penalty);
            keep(s, (tfm_finished){score, c->score, node, true});
        } else {
            s->next[n_next] = *c;
            s->next[n_next++].node = add_node(s, c->token, parent, c->log_prob);
        }
    }
    s->failed = n_next < num_beams;
    s->done = !s->failed && is_over(s, s->candidates[0].score);
}

void tfm_search_choose(tfm_search *s) {
    if (s->params->num_beams == 1)
        choose_greedy(s);
    else
        choose_beams(s);
}

void tfm_search_advance(tfm_search *s) {
    s->length++;
    if (s->done) return;
    for (uint32_t b = 0; b < s->params->num_beams; b++) s->beams[b] = s->next[b];
    s->n_rows = s->params->num_beams;
    if (s->length >= s->max_length) {
        /* The beams that are left join the hypotheses. */
        for (uint32_t b = 0; b < s->params->num_beams; b++) {
            double sum = s->beams[b].score;
            double score = penalised(sum, s->length - s->prompt_length, s->params->length_penalty);
            keep(s, (tfm_finished){score, sum, s->beams[b].node, false});
        }
        s->done = true;
    }
}

void tfm_search_finish(tfm_search *s) {
    if (s->params->num_beams == 1)
        s->finished[0].score = penalised(s->finished[0].sum, s->length - s->prompt_length, s->params->length_penalty);
    /* Insertion sort, best first; among equals the newer one first, as popping from transformers' sorted list does. */
    for (uint32_t i = 1; i < s->n_finished; i++) {
        tfm_finished f = s->finished[i];
        uint32_t j = i;
        for (; j > 0 && s->finished[j - 1].score <= f.score; j--) s->finished[j] = s->finished[j - 1];
        s->finished[j] = f;
    }
}
