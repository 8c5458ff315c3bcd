/*
 * search.c - greedy search, beam search and sampling, as transformers 4.46 does them (GenerationMixin._sample,
 * _beam_search with BeamSearchScorer).
 */
#include "search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "generate_params.h"

/* Score of the beams that do not exist yet in the first step: any real one beats them. */
#define ABSENT (-1e9)

static bool has_beams(const tfm_generate_params *p) { return p->num_beams > 1; }

/* Candidates looked at in each step. */
static size_t n_candidates(const tfm_generate_params *p) {
    size_t per_beam = 1 + p->n_eos_token_ids;
    if (!has_beams(p)) return 1;
    return (per_beam < 2 ? 2 : per_beam) * p->num_beams;
}

/* Those of one row: it has no more than the vocabulary. */
static size_t n_row_candidates(const tfm_search *search) {
    size_t k = n_candidates(search->params);
    return k < search->vocab_size ? k : search->vocab_size;
}

/* ---- memory ---- */

void tfm_search_allocate(tfm_search *search, tfm_arena *a, const tfm_generate_params *p, size_t vocab_size,
                         size_t max_length, size_t max_source) {
    size_t width = tfm_generate_width(p), nodes;
    /* Per step at most num_beams that go on and num_beams that end. */
    if (__builtin_mul_overflow(max_length, has_beams(p) ? 2 * width : width, &nodes)) a->overflow = true;
    *search =
        (tfm_search){.params = p, .vocab_size = vocab_size, .width = (uint32_t)width, .n_top = p->n_top_log_probs};
    size_t k = n_row_candidates(search);
    search->history = tfm_processors_need_ids(p) ? max_length : 0;
    search->nodes = tfm_arena_take(a, nodes, sizeof *search->nodes);
    search->beams = tfm_arena_take(a, width, sizeof *search->beams);
    search->next = tfm_arena_take(a, width, sizeof *search->next);
    search->candidates = tfm_arena_take(a, width * k, sizeof *search->candidates);
    search->n_kept = has_beams(p) ? tfm_hypotheses_kept(p) : (uint32_t)width;
    search->finished = tfm_arena_take(a, (size_t)search->n_kept + 1, sizeof *search->finished);
    search->values = tfm_arena_take(a, width * k, sizeof *search->values);
    search->indices = tfm_arena_take(a, width * k, sizeof *search->indices);
    search->found = tfm_arena_take(a, width, sizeof *search->found);
    search->ids = tfm_arena_take(a, width * search->history, sizeof *search->ids);
    search->scratch = tfm_arena_take(a, width * search->history, sizeof *search->scratch);
    if (max_source > 0) search->attention = tfm_arena_take(a, nodes, max_source * sizeof *search->attention);
    if (search->n_top == 0) return;
    search->row_top_ids = tfm_arena_take(a, width * search->n_top, sizeof *search->row_top_ids);
    search->row_top_log_probs = tfm_arena_take(a, width * search->n_top, sizeof *search->row_top_log_probs);
    search->top_ids = tfm_arena_take(a, nodes, search->n_top * sizeof *search->top_ids);
    search->top_log_probs = tfm_arena_take(a, nodes, search->n_top * sizeof *search->top_log_probs);
}

/* row: the one it was chosen from, NULL for a token that was given. */
static int32_t add_node(tfm_search *search, int32_t token, int32_t parent, float log_prob, const uint32_t *row) {
    size_t n = search->n_top, at = (size_t)search->n_nodes * n;
    search->nodes[search->n_nodes] = (tfm_node){token, parent, log_prob};
    for (size_t i = 0; i < n; i++) {
        search->top_ids[at + i] = row ? search->row_top_ids[*row * n + i] : -1;
        search->top_log_probs[at + i] = row ? search->row_top_log_probs[*row * n + i] : -INFINITY;
    }
    return search->n_nodes++;
}

void tfm_search_start(tfm_search *search, const int32_t *prompt, size_t n, size_t output_start, size_t max_length) {
    search->prompt_length = search->length = n;
    search->output_start = output_start;
    search->max_length = max_length;
    search->n_rows = 1;
    search->n_beams = search->width;
    search->done = search->failed = false;
    search->n_nodes = 0;
    search->n_finished = 0;
    search->worst = 1e9;
    search->n_bias = 0;
    int32_t node = -1;
    for (size_t i = 0; i < n; i++) node = add_node(search, prompt[i], node, 0, NULL);
    for (uint32_t b = 0; b < search->width; b++) {
        bool absent = has_beams(search->params) && b > 0;
        search->beams[b] = (tfm_beam){.score = absent ? ABSENT : 0, .output = b, .node = node, .sequence = -1};
    }
}

void tfm_search_draw_to(tfm_search *search, const int32_t *prefix, size_t n) {
    search->bias = prefix;
    search->n_bias = n;
    for (uint32_t b = 0; b < search->n_beams; b++) search->beams[b].on_prefix = n > 0;
}

void tfm_search_path(const tfm_search *search, int32_t node, size_t n, int32_t *ids, float *log_probs) {
    for (size_t i = n; i-- > 0; node = search->nodes[node].parent) {
        if (ids) ids[i] = search->nodes[node].token;
        if (log_probs) log_probs[i] = search->nodes[node].log_prob;
    }
}

/* ---- scores ---- */

static void process(tfm_search *search, uint32_t b, float *row, const tfm_kernels *kernels) {
    int32_t *ids = search->ids + b * search->history;
    if (search->history) tfm_search_path(search, search->beams[b].node, search->length, ids, NULL);
    tfm_history history = {ids, search->length, search->prompt_length, search->max_length};
    tfm_process_scores(search->params, &history, kernels, row, search->vocab_size,
                       search->scratch + b * search->history);
}

/* The most probable tokens of a row; log_total: of the scores, where they are no log-probabilities. */
static void keep_top(tfm_search *search, uint32_t b, const float *row, float log_total, const tfm_kernels *kernels) {
    float *log_probs = search->row_top_log_probs + b * search->n_top;
    int32_t *ids = search->row_top_ids + b * search->n_top;
    size_t n = kernels->top_k(row, search->vocab_size, search->n_top, log_probs, (uint32_t *)ids);
    for (size_t i = 0; i < search->n_top; i++) {
        bool possible = i < n && log_probs[i] > -INFINITY;
        ids[i] = possible ? ids[i] : -1;
        log_probs[i] = possible ? log_probs[i] - log_total : -INFINITY;
    }
}

/* Whether this step draws a beam to a token of the prefix. */
static bool is_drawn(const tfm_search *search, const tfm_beam *beam) {
    return beam->on_prefix && search->length - search->output_start < search->n_bias;
}

/* Whether a beam with one more token is still a beginning of the prefix. */
static bool stays_on_prefix(const tfm_search *search, const tfm_beam *parent, int32_t token) {
    return is_drawn(search, parent) && search->bias[search->length - search->output_start] == token;
}

/*
 * Probabilities p become (1 - beta) p, and beta more for the token of the prefix. The row becomes log-probabilities;
 * sums are the kernels', so that they are the same everywhere.
 */
static void draw_to_prefix(const tfm_search *search, float *row, const tfm_kernels *kernels) {
    double beta = search->params->prefix_bias_beta;
    int32_t token = search->bias[search->length - search->output_start];
    float rest = (float)log1p(-beta);
    kernels->log_softmax(row, row, search->vocab_size);
    const float parts[] = {row[token] + rest, (float)log(beta)};
    for (size_t i = 0; i < search->vocab_size; i++) row[i] += rest;
    row[token] = kernels->log_sum_exp(parts, 2);
}

/* Whether this step chooses the alternatives that outputs begin with. */
static bool is_expanding(const tfm_search *search) {
    return search->params->return_alternatives && search->length == search->prompt_length;
}

/* Alternatives end nothing. */
static void ban_ends(const tfm_search *search, float *row) {
    for (size_t i = 0; i < search->params->n_eos_token_ids; i++) {
        int32_t id = search->params->eos_token_ids[i];
        if (id >= 0 && (size_t)id < search->vocab_size) row[id] = -INFINITY;
    }
}

/* The most probable tokens, one for each output: all that are probable enough, and the best. */
static void expand(tfm_search *search, const float *row, float log_total, const tfm_kernels *kernels) {
    double least = search->params->min_alternative_expansion_prob;
    size_t n = kernels->top_k(row, search->vocab_size, search->width, search->values, search->indices);
    for (size_t i = 0; i < search->width; i++) {
        bool possible = i < n && search->values[i] > -INFINITY;
        if (possible) search->values[i] -= log_total;
        search->found[i] = possible && (i == 0 || exp((double)search->values[i]) >= least);
    }
    while (search->n_beams > 1 && !search->found[search->n_beams - 1]) search->n_beams--;
}

static void draw(tfm_search *search, uint32_t b, const float *row, float log_total, const tfm_kernels *kernels,
                 tfm_sampler *sampler) {
    bool found = tfm_sampler_filter(sampler, search->params, kernels, row, search->vocab_size);
    /* After the prompt all outputs draw from one row. */
    uint32_t end = search->n_rows < search->n_beams ? search->n_beams : b + 1;
    for (uint32_t i = b; i < end; i++) {
        search->found[i] = found;
        if (!found) continue;
        double random =
            tfm_random(search->params->seed, search->beams[i].output, search->length - search->output_start);
        search->indices[i] = tfm_sampler_draw(sampler, random);
        search->values[i] = row[search->indices[i]] - log_total;
    }
}

void tfm_search_score(tfm_search *search, uint32_t b, float *row, const tfm_kernels *kernels, tfm_sampler *sampler) {
    size_t k = n_row_candidates(search);
    bool beams = has_beams(search->params);
    if (beams) kernels->log_softmax(row, row, search->vocab_size);
    process(search, b, row, kernels);
    if (is_expanding(search)) ban_ends(search, row);
    bool drawn = is_drawn(search, &search->beams[b]);
    if (drawn) draw_to_prefix(search, row, kernels);
    float log_total = beams || drawn ? 0 : kernels->log_sum_exp(row, search->vocab_size);
    if (search->n_top) keep_top(search, b, row, log_total, kernels);
    if (is_expanding(search)) {
        expand(search, row, log_total, kernels);
        return;
    }
    if (search->params->do_sample) {
        draw(search, b, row, log_total, kernels, sampler);
        return;
    }
    search->found[b] = kernels->top_k(row, search->vocab_size, k, search->values + b * k, search->indices + b * k);
    if (!beams) search->values[b] -= log_total;
}

static double penalised(double sum, size_t n_tokens, double length_penalty) {
    return sum / pow((double)n_tokens, length_penalty);
}

/* ---- one token for each output ---- */

static void choose_singly(tfm_search *search) {
    for (uint32_t i = 0; i < search->n_beams; i++) {
        if (search->found[i] < 1) {
            search->failed = true;
            return;
        }
        const tfm_beam *beam = &search->beams[i];
        float log_prob = search->values[i];
        int32_t token = (int32_t)search->indices[i];
        uint32_t row = i < search->n_rows ? i : search->n_rows - 1;
        search->next[i] = (tfm_beam){.score = beam->score + (double)log_prob,
                                     .log_prob = log_prob,
                                     .token = token,
                                     .parent = row,
                                     .output = beam->output,
                                     .ends = tfm_is_end_token(search->params, token),
                                     .on_prefix = stays_on_prefix(search, beam, token),
                                     .node = add_node(search, token, beam->node, log_prob, &row)};
    }
    search->n_next = search->n_beams;
}

static void end_output(tfm_search *search, const tfm_beam *b, size_t length, bool ended) {
    double score = penalised(b->score, length - search->prompt_length, search->params->length_penalty);
    search->finished[search->n_finished++] = (tfm_finished){score, b->score, b->node, b->output, ended};
}

void tfm_search_settle(tfm_search *search) {
    if (has_beams(search->params) || search->failed) return;
    search->n_next = 0;
    for (uint32_t i = 0; i < search->n_beams; i++) {
        if (search->next[i].ends)
            end_output(search, &search->next[i], search->length + 1, true);
        else
            search->next[search->n_next++] = search->next[i];
    }
    search->done = search->n_next == 0;
}

/* ---- beams ---- */

static int by_score(const void *a, const void *b) {
    const tfm_beam *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->parent != y->parent) return x->parent < y->parent ? -1 : 1;
    return x->token < y->token ? -1 : x->token > y->token;
}

/* The best continuations of every beam, best first. In the first step all beams share one row. */
static size_t gather_candidates(tfm_search *search) {
    size_t k = n_row_candidates(search), most = n_candidates(search->params), n = 0;
    for (uint32_t b = 0; b < search->params->num_beams; b++) {
        uint32_t row = b < search->n_rows ? b : search->n_rows - 1;
        for (size_t i = 0; i < search->found[row]; i++) {
            float value = search->values[row * k + i];
            search->candidates[n++] = (tfm_beam){.score = search->beams[b].score + (double)value,
                                                 .log_prob = value,
                                                 .token = (int32_t)search->indices[row * k + i],
                                                 .parent = b};
        }
    }
    qsort(search->candidates, n, sizeof *search->candidates, by_score);
    return n < most ? n : most;
}

/* Keeps a hypothesis if there is room or it beats the worst. Among equals the newer one goes first. */
static void keep(tfm_search *search, tfm_finished f) {
    if (search->n_finished >= search->n_kept && f.score <= search->worst) return;
    search->finished[search->n_finished++] = f;
    if (search->n_finished <= search->n_kept) {
        if (f.score < search->worst) search->worst = f.score;
        return;
    }
    uint32_t worst = 0;
    for (uint32_t i = 1; i < search->n_finished; i++)
        if (search->finished[i].score < search->finished[worst].score) worst = i;
    for (uint32_t i = worst; i + 1 < search->n_finished; i++) search->finished[i] = search->finished[i + 1];
    search->n_finished--;
    search->worst = search->finished[0].score;
    for (uint32_t i = 1; i < search->n_finished; i++)
        if (search->finished[i].score < search->worst) search->worst = search->finished[i].score;
}

/* Whether no continuation can be better than the worst hypothesis kept. best: the best candidate's sum. */
static bool is_over(const tfm_search *search, double best) {
    const tfm_generate_params *p = search->params;
    if (search->n_finished < search->n_kept) return false;
    if (p->early_stopping == TFM_EARLY_TRUE) return true;
    size_t n = search->length + 1 - search->prompt_length;
    if (p->early_stopping == TFM_EARLY_NEVER && p->length_penalty > 0) n = search->max_length - search->prompt_length;
    return search->worst >= penalised(best, n, p->length_penalty);
}

/* transformers writes the first end token, whichever came; one outside the vocabulary would be no token. */
static int32_t written_end(const tfm_search *search, int32_t came) {
    int32_t first = search->params->eos_token_ids[0];
    return first >= 0 && (size_t)first < search->vocab_size ? first : came;
}

static void choose_beams(tfm_search *search) {
    size_t n = gather_candidates(search);
    uint32_t n_next = 0, num_beams = search->params->num_beams;
    for (size_t rank = 0; rank < n && n_next < num_beams; rank++) {
        const tfm_beam *c = &search->candidates[rank];
        bool ends = tfm_is_end_token(search->params, c->token);
        if (ends && rank >= num_beams) continue;
        int32_t parent = search->beams[c->parent].node;
        uint32_t row = c->parent < search->n_rows ? c->parent : search->n_rows - 1;
        if (ends) {
            int32_t node = add_node(search, written_end(search, c->token), parent, c->log_prob, &row);
            double score =
                penalised(c->score, search->length + 1 - search->prompt_length, search->params->length_penalty);
            keep(search, (tfm_finished){score, c->score, node, 0, true});
        } else {
            search->next[n_next] = *c;
            search->next[n_next].on_prefix = stays_on_prefix(search, &search->beams[c->parent], c->token);
            search->next[n_next].parent = row;
            search->next[n_next++].node = add_node(search, c->token, parent, c->log_prob, &row);
        }
    }
    search->n_next = n_next;
    search->failed = n_next < num_beams;
    search->done = !search->failed && is_over(search, search->candidates[0].score);
}

/* The beams that are left join the hypotheses. */
static void keep_beams(tfm_search *search) {
    for (uint32_t b = 0; b < search->n_beams; b++) {
        double sum = search->beams[b].score;
        double score = penalised(sum, search->length - search->prompt_length, search->params->length_penalty);
        keep(search, (tfm_finished){score, sum, search->beams[b].node, 0, false});
    }
}

/* ---- steps ---- */

void tfm_search_choose(tfm_search *search) {
    if (has_beams(search->params))
        choose_beams(search);
    else
        choose_singly(search);
}

void tfm_search_advance(tfm_search *search) {
    search->length++;
    if (search->done) return;
    memcpy(search->beams, search->next, search->n_next * sizeof *search->beams);
    search->n_rows = search->n_beams = search->n_next;
    if (search->length < search->max_length) return;
    search->done = true;
    if (has_beams(search->params))
        keep_beams(search);
    else
        for (uint32_t i = 0; i < search->n_beams; i++) end_output(search, &search->beams[i], search->length, false);
}

/* Whether a hypothesis goes before one that was kept earlier: among equals it does, as popping from transformers'
 * sorted list has it. */
static bool goes_first(const tfm_search *search, const tfm_finished *newer, const tfm_finished *older) {
    return has_beams(search->params) ? older->score <= newer->score : newer->output < older->output;
}

void tfm_search_finish(tfm_search *search) {
    for (uint32_t i = 1; i < search->n_finished; i++) {
        tfm_finished f = search->finished[i];
        uint32_t j = i;
        for (; j > 0 && goes_first(search, &f, &search->finished[j - 1]); j--)
            search->finished[j] = search->finished[j - 1];
        search->finished[j] = f;
    }
}
