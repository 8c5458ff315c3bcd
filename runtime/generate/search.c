/*
 * search.c - greedy search, beam search and sampling, as transformers 4.46 does them (GenerationMixin._sample,
 * _beam_search with BeamSearchScorer).
 */
#include "search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Score of the beams that do not exist yet in the first step: any real one beats them. */
#define ABSENT (-1e9)

static bool has_beams(const tfm_generate_params *p) { return p->num_beams > 1; }

uint32_t tfm_search_width(const tfm_generate_params *p) {
    return p->do_sample ? p->num_return_sequences : p->num_beams;
}

/* Candidates looked at in each step. */
static size_t n_candidates(const tfm_generate_params *p) {
    size_t per_beam = 1 + p->n_eos_token_ids;
    if (!has_beams(p)) return 1;
    return (per_beam < 2 ? 2 : per_beam) * p->num_beams;
}

/* ---- memory ---- */

void tfm_search_place(tfm_search *s, tfm_arena *a, const tfm_generate_params *p, size_t vocab_size, size_t max_length,
                      size_t max_source) {
    size_t width = tfm_search_width(p), k = n_candidates(p), nodes;
    /* Per step at most num_beams that go on and num_beams that end. */
    if (__builtin_mul_overflow(max_length, has_beams(p) ? 2 * width : width, &nodes)) a->overflow = true;
    *s = (tfm_search){.params = p, .vocab_size = vocab_size, .width = (uint32_t)width, .n_top = p->n_top_log_probs};
    s->history = tfm_processors_need_ids(p) ? max_length : 0;
    s->nodes = tfm_arena_take(a, nodes, sizeof *s->nodes);
    s->beams = tfm_arena_take(a, width, sizeof *s->beams);
    s->next = tfm_arena_take(a, width, sizeof *s->next);
    s->candidates = tfm_arena_take(a, width * k, sizeof *s->candidates);
    s->finished = tfm_arena_take(a, width + 1, sizeof *s->finished);
    s->values = tfm_arena_take(a, width * k, sizeof *s->values);
    s->indices = tfm_arena_take(a, width * k, sizeof *s->indices);
    s->found = tfm_arena_take(a, width, sizeof *s->found);
    s->ids = tfm_arena_take(a, width * s->history, sizeof *s->ids);
    s->scratch = tfm_arena_take(a, width * s->history, sizeof *s->scratch);
    if (max_source > 0) s->attention = tfm_arena_take(a, nodes, max_source * sizeof *s->attention);
    if (s->n_top == 0) return;
    s->row_top_ids = tfm_arena_take(a, width * s->n_top, sizeof *s->row_top_ids);
    s->row_top_log_probs = tfm_arena_take(a, width * s->n_top, sizeof *s->row_top_log_probs);
    s->top_ids = tfm_arena_take(a, nodes, s->n_top * sizeof *s->top_ids);
    s->top_log_probs = tfm_arena_take(a, nodes, s->n_top * sizeof *s->top_log_probs);
}

/* row: the one it was chosen from, NULL for a token that was given. */
static int32_t add_node(tfm_search *s, int32_t token, int32_t parent, float log_prob, const uint32_t *row) {
    size_t n = s->n_top, at = (size_t)s->n_nodes * n;
    s->nodes[s->n_nodes] = (tfm_node){token, parent, log_prob};
    for (size_t i = 0; i < n; i++) {
        s->top_ids[at + i] = row ? s->row_top_ids[*row * n + i] : -1;
        s->top_log_probs[at + i] = row ? s->row_top_log_probs[*row * n + i] : -INFINITY;
    }
    return s->n_nodes++;
}

void tfm_search_start(tfm_search *s, const int32_t *prompt, size_t n, size_t output_start, size_t max_length) {
    s->prompt_length = s->length = n;
    s->output_start = output_start;
    s->max_length = max_length;
    s->n_rows = 1;
    s->n_beams = s->width;
    s->done = s->failed = false;
    s->n_nodes = 0;
    s->n_finished = 0;
    s->worst = 1e9;
    int32_t node = -1;
    for (size_t i = 0; i < n; i++) node = add_node(s, prompt[i], node, 0, NULL);
    for (uint32_t b = 0; b < s->width; b++) {
        bool absent = has_beams(s->params) && b > 0;
        s->beams[b] = (tfm_beam){.score = absent ? ABSENT : 0, .output = b, .node = node, .sequence = -1};
    }
}

void tfm_search_path(const tfm_search *s, int32_t node, size_t n, int32_t *ids, float *log_probs) {
    for (size_t i = n; i-- > 0; node = s->nodes[node].parent) {
        if (ids) ids[i] = s->nodes[node].token;
        if (log_probs) log_probs[i] = s->nodes[node].log_prob;
    }
}

/* ---- scores ---- */

static void process(tfm_search *s, uint32_t b, float *row, const tfm_kernels *kernels) {
    int32_t *ids = s->ids + b * s->history;
    if (s->history) tfm_search_path(s, s->beams[b].node, s->length, ids, NULL);
    tfm_history history = {ids, s->length, s->prompt_length, s->max_length};
    tfm_process_scores(s->params, &history, kernels, row, s->vocab_size, s->scratch + b * s->history);
}

/* The most probable tokens of a row; log_total: of the scores, where they are no log-probabilities. */
static void keep_top(tfm_search *s, uint32_t b, const float *row, float log_total, const tfm_kernels *kernels) {
    float *log_probs = s->row_top_log_probs + b * s->n_top;
    int32_t *ids = s->row_top_ids + b * s->n_top;
    size_t n = kernels->top_k(row, s->vocab_size, s->n_top, log_probs, (uint32_t *)ids);
    for (size_t i = 0; i < s->n_top; i++) {
        bool possible = i < n && log_probs[i] > -INFINITY;
        ids[i] = possible ? ids[i] : -1;
        log_probs[i] = possible ? log_probs[i] - log_total : -INFINITY;
    }
}

static void draw(tfm_search *s, uint32_t b, const float *row, float log_total, const tfm_kernels *kernels,
                 tfm_sampler *sampler) {
    bool found = tfm_sampler_filter(sampler, s->params, kernels, row, s->vocab_size);
    /* After the prompt all outputs draw from one row. */
    uint32_t end = s->n_rows < s->n_beams ? s->n_beams : b + 1;
    for (uint32_t i = b; i < end; i++) {
        s->found[i] = found;
        if (!found) continue;
        double random = tfm_random(s->params->seed, s->beams[i].output, s->length - s->output_start);
        s->indices[i] = tfm_sampler_draw(sampler, random);
        s->values[i] = row[s->indices[i]] - log_total;
    }
}

void tfm_search_score(tfm_search *s, uint32_t b, float *row, const tfm_kernels *kernels, tfm_sampler *sampler) {
    size_t k = n_candidates(s->params);
    bool beams = has_beams(s->params);
    if (beams) kernels->log_softmax(row, row, s->vocab_size);
    process(s, b, row, kernels);
    float log_total = beams ? 0 : kernels->log_sum_exp(row, s->vocab_size);
    if (s->n_top) keep_top(s, b, row, log_total, kernels);
    if (s->params->do_sample) {
        draw(s, b, row, log_total, kernels, sampler);
        return;
    }
    s->found[b] = kernels->top_k(row, s->vocab_size, k, s->values + b * k, s->indices + b * k);
    if (!beams) s->values[b] -= log_total;
}

static double penalised(double sum, size_t n_tokens, double length_penalty) {
    return sum / pow((double)n_tokens, length_penalty);
}

/* ---- one token for each output ---- */

static void choose_singly(tfm_search *s) {
    for (uint32_t i = 0; i < s->n_beams; i++) {
        if (s->found[i] < 1) {
            s->failed = true;
            return;
        }
        const tfm_beam *beam = &s->beams[i];
        float log_prob = s->values[i];
        int32_t token = (int32_t)s->indices[i];
        uint32_t row = i < s->n_rows ? i : s->n_rows - 1;
        s->next[i] = (tfm_beam){.score = beam->score + (double)log_prob,
                                .log_prob = log_prob,
                                .token = token,
                                .parent = row,
                                .output = beam->output,
                                .ends = tfm_is_end_token(s->params, token),
                                .node = add_node(s, token, beam->node, log_prob, &row)};
    }
    s->n_next = s->n_beams;
}

static void end_output(tfm_search *s, const tfm_beam *b, size_t length, bool ended) {
    double score = penalised(b->score, length - s->prompt_length, s->params->length_penalty);
    s->finished[s->n_finished++] = (tfm_finished){score, b->score, b->node, b->output, ended};
}

void tfm_search_settle(tfm_search *s) {
    if (has_beams(s->params) || s->failed) return;
    s->n_next = 0;
    for (uint32_t i = 0; i < s->n_beams; i++) {
        if (s->next[i].ends)
            end_output(s, &s->next[i], s->length + 1, true);
        else
            s->next[s->n_next++] = s->next[i];
    }
    s->done = s->n_next == 0;
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
    size_t k = n_candidates(s->params), n = 0;
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
        uint32_t row = c->parent < s->n_rows ? c->parent : s->n_rows - 1;
        if (ends) {
            /* transformers writes the first end token, whichever it was. */
            int32_t node = add_node(s, s->params->eos_token_ids[0], parent, c->log_prob, &row);
            double score = penalised(c->score, s->length + 1 - s->prompt_length, s->params->length_penalty);
            keep(s, (tfm_finished){score, c->score, node, 0, true});
        } else {
            s->next[n_next] = *c;
            s->next[n_next].parent = row;
            s->next[n_next++].node = add_node(s, c->token, parent, c->log_prob, &row);
        }
    }
    s->n_next = n_next;
    s->failed = n_next < num_beams;
    s->done = !s->failed && is_over(s, s->candidates[0].score);
}

/* The beams that are left join the hypotheses. */
static void keep_beams(tfm_search *s) {
    for (uint32_t b = 0; b < s->n_beams; b++) {
        double sum = s->beams[b].score;
        double score = penalised(sum, s->length - s->prompt_length, s->params->length_penalty);
        keep(s, (tfm_finished){score, sum, s->beams[b].node, 0, false});
    }
}

/* ---- steps ---- */

void tfm_search_choose(tfm_search *s) {
    if (has_beams(s->params))
        choose_beams(s);
    else
        choose_singly(s);
}

void tfm_search_advance(tfm_search *s) {
    s->length++;
    if (s->done) return;
    memcpy(s->beams, s->next, s->n_next * sizeof *s->beams);
    s->n_rows = s->n_beams = s->n_next;
    if (s->length < s->max_length) return;
    s->done = true;
    if (has_beams(s->params))
        keep_beams(s);
    else
        for (uint32_t i = 0; i < s->n_beams; i++) end_output(s, &s->beams[i], s->length, false);
}

/* Whether a hypothesis goes before one that was kept earlier: among equals it does, as popping from transformers'
 * sorted list has it. */
static bool goes_first(const tfm_search *s, const tfm_finished *newer, const tfm_finished *older) {
    return has_beams(s->params) ? older->score <= newer->score : newer->output < older->output;
}

void tfm_search_finish(tfm_search *s) {
    for (uint32_t i = 1; i < s->n_finished; i++) {
        tfm_finished f = s->finished[i];
        uint32_t j = i;
        for (; j > 0 && goes_first(s, &f, &s->finished[j - 1]); j--) s->finished[j] = s->finished[j - 1];
        s->finished[j] = f;
    }
}
