/* search_test.c - greedy and beam search, and the processing of scores, against plain implementations of the same
 * rules. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/generate/search.h"
#include "tests/support/tiny_session.h"

#define MAX_LENGTH 12
#define MAX_VOCAB 48
#define MAX_BEAMS 100

/* ---- scores: a function of the tokens so far ---- */

typedef struct world {
    uint64_t seed;
    size_t vocab;
    int steps;             /* values are multiples of 1 / steps: few make ties; 0: all differ */
    const int32_t *prefix; /* (n_prefix) that outputs are drawn to */
    size_t n_prefix;
} world;

static void scores_of(const world *w, const int32_t *ids, size_t n, float *row) {
    uint64_t state = w->seed + 1;
    for (size_t i = 0; i < n; i++) state = state * 0x9E3779B97F4A7C15u + (uint64_t)ids[i] + 1;
    for (size_t v = 0; v < w->vocab; v++) {
        double x = 3 * tiny_uniform(&state);
        row[v] = (float)(w->steps ? round(x * w->steps) / w->steps : x);
    }
}

/* ---- the search under test ---- */

typedef struct found {
    int32_t ids[MAX_LENGTH];
    size_t n;
    double score, sum;
    bool ended;
} found;

typedef struct results {
    found items[MAX_BEAMS];
    size_t n;
    bool failed;
} results;

static void run_search(const world *w, const tfm_generate_params *p, const int32_t *prompt, size_t n_prompt,
                       results *out) {
    const tfm_kernels *kernels = tfm_kernels_get(TFM_ISA_SCALAR);
    tfm_search s;
    tfm_sampler sampler;
    tfm_arena arena = {0};
    size_t rows = 0;
    float *memory = NULL;
    for (int placed = 0; placed < 2; placed++) {
        tfm_search_allocate(&s, &arena, p, w->vocab, p->max_length, 0);
        tfm_sampler_allocate(&sampler, &arena, w->vocab);
        rows = arena.used / sizeof *memory;
        tfm_arena_take(&arena, s.width * MAX_VOCAB, sizeof *memory);
        if (placed) break;
        memory = calloc(1, arena.used);
        cr_assert(memory && !arena.overflow);
        arena = (tfm_arena){.base = (char *)memory};
    }
    size_t nodes = p->max_length * s.width * (p->num_beams > 1 ? 2 : 1);
    *out = (results){0};
    tfm_search_start(&s, prompt, n_prompt, n_prompt, p->max_length);
    if (w->n_prefix) tfm_search_draw_to(&s, w->prefix, w->n_prefix);
    while (!s.done && !out->failed) {
        cr_assert(s.length < p->max_length && (size_t)s.n_nodes <= nodes);
        for (uint32_t b = 0; b < s.n_rows; b++) {
            int32_t ids[MAX_LENGTH];
            tfm_search_path(&s, s.beams[b].node, s.length, ids, NULL);
            scores_of(w, ids, s.length, memory + rows + b * MAX_VOCAB);
        }
        for (uint32_t b = s.n_rows; b-- > 0;) /* in any order */
            tfm_search_score(&s, b, memory + rows + b * MAX_VOCAB, kernels, &sampler);
        tfm_search_choose(&s);
        out->failed = s.failed;
        if (s.failed) break;
        tfm_search_settle(&s);
        tfm_search_advance(&s);
    }
    if (!out->failed) tfm_search_finish(&s);
    for (out->n = 0; !out->failed && out->n < s.n_finished; out->n++) {
        const tfm_finished *from = &s.finished[out->n];
        found *to = &out->items[out->n];
        *to = (found){.score = from->score, .sum = from->sum, .ended = from->ended};
        for (int32_t node = from->node; node >= 0; node = s.nodes[node].parent) to->n++;
        to->n -= n_prompt;
        int32_t ids[MAX_LENGTH];
        tfm_search_path(&s, from->node, to->n + n_prompt, ids, NULL);
        cr_assert(!memcmp(ids, prompt, n_prompt * sizeof *ids));
        memcpy(to->ids, ids + n_prompt, to->n * sizeof *ids);
    }
    free(memory);
}

/* ---- the plain one: whole texts, whole rows, sorting by the rules of BeamSearchScorer ---- */

typedef struct text {
    int32_t ids[MAX_LENGTH];
    double sum;
} text;

typedef struct candidate {
    double sum;
    uint32_t beam;
    int32_t token;
} candidate;

typedef struct plain {
    const world *w;
    const tfm_generate_params *p;
    size_t n_prompt, length;
    text beams[MAX_BEAMS];
    found kept[MAX_BEAMS + 1]; /* in the order they came */
    size_t n_kept;
    double worst;
} plain;

static int better(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    if (x->sum != y->sum) return x->sum > y->sum ? -1 : 1;
    int64_t i = (int64_t)x->beam * MAX_VOCAB + x->token, j = (int64_t)y->beam * MAX_VOCAB + y->token;
    return i < j ? -1 : i > j; /* the order of one flat row over beams and tokens */
}

static bool is_end(const tfm_generate_params *p, int32_t token) {
    for (size_t i = 0; i < p->n_eos_token_ids; i++)
        if (p->eos_token_ids[i] == token) return true;
    return false;
}

static size_t n_kept_of(const tfm_generate_params *p) {
    size_t n = (size_t)lround(p->num_beams * p->patience);
    return n ? n : 1;
}

static void keep(plain *s, const text *t, size_t n, double sum, bool ended) {
    double score = sum / pow((double)n, s->p->length_penalty);
    if (s->n_kept >= n_kept_of(s->p) && !(score > s->worst)) return;
    found *f = &s->kept[s->n_kept++];
    *f = (found){.n = n, .score = score, .sum = sum, .ended = ended};
    memcpy(f->ids, t->ids + s->n_prompt, n * sizeof *f->ids);
    if (s->n_kept > n_kept_of(s->p)) { /* the oldest of the worst goes */
        size_t worst = 0;
        for (size_t i = 1; i < s->n_kept; i++)
            if (s->kept[i].score < s->kept[worst].score) worst = i;
        memmove(s->kept + worst, s->kept + worst + 1, (s->n_kept - worst - 1) * sizeof *s->kept);
        s->n_kept--;
    }
    s->worst = INFINITY;
    for (size_t i = 0; i < s->n_kept; i++) s->worst = fmin(s->worst, s->kept[i].score);
}

/* The log-probability of a token, drawn to the prefix while the text is its beginning. */
static double drawn(const plain *s, const text *t, double log_prob, size_t token) {
    size_t at = s->length - s->n_prompt;
    if (at >= s->w->n_prefix || memcmp(t->ids + s->n_prompt, s->w->prefix, at * sizeof *t->ids) != 0) return log_prob;
    double beta = s->p->prefix_bias_beta;
    return log((1 - beta) * exp(log_prob) + ((int32_t)token == s->w->prefix[at] ? beta : 0));
}

static size_t list_candidates(plain *s, candidate *all) {
    const tfm_kernels *kernels = tfm_kernels_get(TFM_ISA_SCALAR);
    size_t n = 0;
    for (uint32_t b = 0; b < s->p->num_beams; b++) {
        float row[MAX_VOCAB];
        scores_of(s->w, s->beams[b].ids, s->length, row);
        kernels->log_softmax(row, row, s->w->vocab);
        for (size_t v = 0; v < s->w->vocab; v++)
            all[n++] = (candidate){s->beams[b].sum + drawn(s, &s->beams[b], (double)row[v], v), b, (int32_t)v};
    }
    qsort(all, n, sizeof *all, better);
    size_t per_beam = 1 + s->p->n_eos_token_ids;
    size_t most = (per_beam < 2 ? 2 : per_beam) * s->p->num_beams;
    return n < most ? n : most;
}

/* One step; true when the search is over. */
static bool plain_step(plain *s, bool *failed) {
    static candidate all[MAX_BEAMS * MAX_VOCAB];
    static text next[MAX_BEAMS];
    size_t n = list_candidates(s, all), n_next = 0;
    for (size_t rank = 0; rank < n && n_next < s->p->num_beams; rank++) {
        const candidate *c = &all[rank];
        text t = s->beams[c->beam];
        t.ids[s->length] = c->token;
        t.sum = c->sum;
        if (!is_end(s->p, c->token)) {
            next[n_next++] = t;
        } else if (rank < s->p->num_beams) {
            t.ids[s->length] = s->p->eos_token_ids[0];
            keep(s, &t, s->length + 1 - s->n_prompt, c->sum, true);
        }
    }
    *failed = n_next < s->p->num_beams;
    if (*failed) return true;
    size_t n_new = s->length + 1 - s->n_prompt;
    bool over = false;
    if (s->n_kept >= n_kept_of(s->p)) {
        bool longest = s->p->early_stopping == TFM_EARLY_NEVER && s->p->length_penalty > 0;
        double attainable =
            all[0].sum / pow((double)(longest ? s->p->max_length - s->n_prompt : n_new), s->p->length_penalty);
        over = s->p->early_stopping == TFM_EARLY_TRUE || s->worst >= attainable;
    }
    s->length++;
    if (over) return true;
    memcpy(s->beams, next, sizeof *next * s->p->num_beams);
    if (s->length < s->p->max_length) return false;
    for (uint32_t b = 0; b < s->p->num_beams; b++) keep(s, &s->beams[b], n_new, s->beams[b].sum, false);
    return true;
}

static void run_plain(const world *w, const tfm_generate_params *p, const int32_t *prompt, size_t n_prompt,
                      results *out) {
    static plain s;
    s = (plain){.w = w, .p = p, .n_prompt = n_prompt, .length = n_prompt};
    for (uint32_t b = 0; b < p->num_beams; b++) {
        memcpy(s.beams[b].ids, prompt, n_prompt * sizeof *prompt);
        s.beams[b].sum = b == 0 ? 0 : -1e9;
    }
    *out = (results){0};
    while (!plain_step(&s, &out->failed)) continue;
    if (out->failed) return;
    /* Best first; of equals the one that came last. */
    for (; out->n < s.n_kept; out->n++) {
        size_t best = SIZE_MAX;
        for (size_t i = 0; i < s.n_kept; i++)
            if (s.kept[i].n && (best == SIZE_MAX || s.kept[i].score >= s.kept[best].score)) best = i;
        out->items[out->n] = s.kept[best];
        s.kept[best].n = 0;
    }
}

static void compare(const results *got, const results *expected, const char *what, uint64_t seed) {
    cr_assert(got->failed == expected->failed && got->n == expected->n, "%s, seed %llu: %zu hypotheses, expected %zu",
              what, (unsigned long long)seed, got->n, expected->n);
    for (size_t i = 0; i < got->n; i++) {
        const found *a = &got->items[i], *b = &expected->items[i];
        cr_assert(a->n == b->n && !memcmp(a->ids, b->ids, a->n * sizeof *a->ids), "%s, seed %llu: hypothesis %zu", what,
                  (unsigned long long)seed, i);
        cr_assert(a->score == b->score && a->sum == b->sum && a->ended == b->ended, "%s, seed %llu: score of %zu", what,
                  (unsigned long long)seed, i);
    }
}

static tfm_generate_params plain_params(uint32_t num_beams, uint32_t max_length) {
    static const int32_t end[] = {0};
    return (tfm_generate_params){.num_beams = num_beams,
                                 .num_return_sequences = 1,
                                 .max_length = max_length,
                                 .length_penalty = 1,
                                 .patience = 1,
                                 .repetition_penalty = 1,
                                 .decoder_start_token_id = 1,
                                 .forced_bos_token_id = -1,
                                 .forced_eos_token_id = -1,
                                 .eos_token_ids = end,
                                 .n_eos_token_ids = 1};
}

Test(search, beams_follow_the_rules) {
    static const double penalties[] = {-1, -0.3, 0, 0.6, 1, 2};
    static const int32_t prompt[] = {1, 2, 3}, ends[] = {4, 0};
    static results got, expected;
    size_t n_failed = 0, n_ended = 0, n_open = 0;
    for (uint64_t seed = 1; seed <= 4000; seed++) {
        uint64_t r = seed * 104729;
        world w = {.seed = seed,
                   .vocab = 2 + tiny_random(&r) % 9,
                   .steps = tiny_random(&r) % 3 ? 0 : 1 + (int)(tiny_random(&r) % 3)};
        tfm_generate_params p = plain_params(2 + (uint32_t)(tiny_random(&r) % 5), 4 + (uint32_t)(tiny_random(&r) % 8));
        p.length_penalty = penalties[tiny_random(&r) % 6];
        p.early_stopping = (tfm_early_stopping)(tiny_random(&r) % 3);
        if (w.vocab > 5 && tiny_random(&r) % 3 == 0) p.eos_token_ids = ends, p.n_eos_token_ids = 2;
        if (tiny_random(&r) % 8 == 0) p.n_eos_token_ids = 0;
        size_t n_prompt = 1 + tiny_random(&r) % 3;
        run_search(&w, &p, prompt, n_prompt, &got);
        run_plain(&w, &p, prompt, n_prompt, &expected);
        compare(&got, &expected, "beams", seed);
        n_failed += got.failed;
        for (size_t i = 0; i < got.n; i++) got.items[i].ended ? n_ended++ : n_open++;
    }
    cr_assert(n_ended > 1000 && n_open > 1000 && n_failed < 2000, "%zu ended, %zu open, %zu failed", n_ended, n_open,
              n_failed);
}

Test(search, patient_beams_keep_more_hypotheses) {
    static const double patience[] = {0.1, 0.5, 1.4, 2, 3};
    static const int32_t prompt[] = {1, 2};
    static results got, expected, usual;
    size_t n_better = 0, n_more = 0;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        uint64_t r = seed * 7919;
        world w = {.seed = seed, .vocab = 4 + tiny_random(&r) % 9, .steps = tiny_random(&r) % 3 ? 0 : 2};
        tfm_generate_params p = plain_params(2 + (uint32_t)(tiny_random(&r) % 4), 4 + (uint32_t)(tiny_random(&r) % 8));
        p.early_stopping = (tfm_early_stopping)(tiny_random(&r) % 3);
        run_search(&w, &p, prompt, 2, &usual);
        p.patience = patience[tiny_random(&r) % 5];
        run_search(&w, &p, prompt, 2, &got);
        run_plain(&w, &p, prompt, 2, &expected);
        compare(&got, &expected, "patience", seed);
        if (got.failed || usual.failed || p.patience < 1) continue;
        n_more += got.n > usual.n;
        n_better += got.items[0].score > usual.items[0].score;
        cr_assert_geq(got.items[0].score, usual.items[0].score, "seed %llu", (unsigned long long)seed);
    }
    cr_assert(n_more > 100 && n_better > 20, "%zu searches kept more, %zu found better", n_more, n_better);
}

Test(search, beams_are_drawn_to_a_prefix) {
    static const double betas[] = {1e-3, 0.1, 0.5, 0.9, 0.999};
    static const int32_t prompt[] = {1, 2};
    static results got, expected, usual;
    size_t n_whole = 0, n_left = 0, n_changed = 0;
    for (uint64_t seed = 1; seed <= 1500; seed++) {
        uint64_t r = seed * 6151;
        int32_t prefix[3];
        for (size_t i = 0; i < 3; i++) prefix[i] = (int32_t)(1 + tiny_random(&r) % 6);
        world w = {.seed = seed, .vocab = 7 + tiny_random(&r) % 9};
        tfm_generate_params p = plain_params(1 + (uint32_t)(tiny_random(&r) % 5), 5 + (uint32_t)(tiny_random(&r) % 6));
        run_search(&w, &p, prompt, 2, &usual);
        w.prefix = prefix;
        w.n_prefix = 1 + tiny_random(&r) % 3;
        p.prefix_bias_beta = betas[tiny_random(&r) % 5];
        run_search(&w, &p, prompt, 2, &got);
        if (p.num_beams > 1) { /* the plain search of one beam is another test's */
            run_plain(&w, &p, prompt, 2, &expected);
            cr_assert(got.failed == expected.failed && got.n == expected.n, "seed %llu", (unsigned long long)seed);
            for (size_t i = 0; i < got.n; i++) {
                const found *a = &got.items[i], *b = &expected.items[i];
                cr_assert(
                    a->n == b->n && !memcmp(a->ids, b->ids, a->n * sizeof *a->ids) && fabs(a->sum - b->sum) < 1e-4,
                    "seed %llu: hypothesis %zu: %.9g, expected %.9g", (unsigned long long)seed, i, a->sum, b->sum);
            }
        }
        if (got.failed || usual.failed) continue;
        const found *best = &got.items[0];
        bool whole = best->n >= w.n_prefix && !memcmp(best->ids, prefix, w.n_prefix * sizeof *prefix);
        if (p.prefix_bias_beta > 0.99) cr_assert(whole, "seed %llu: not drawn", (unsigned long long)seed);
        whole ? n_whole++ : n_left++;
        n_changed +=
            best->n != usual.items[0].n || memcmp(best->ids, usual.items[0].ids, best->n * sizeof *prefix) != 0;
    }
    cr_assert(n_whole > 300 && n_left > 100 && n_changed > 200, "%zu begin with the prefix, %zu do not, %zu changed",
              n_whole, n_left, n_changed);
}

/* Every alternative is one of the best first tokens that end nothing, and goes on by itself. */
Test(search, alternatives_go_on_by_themselves) {
    static const int32_t prompt[] = {1, 2};
    static results got;
    const tfm_kernels *kernels = tfm_kernels_get(TFM_ISA_SCALAR);
    size_t n_left_out = 0;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        uint64_t r = seed * 3079;
        world w = {.seed = seed, .vocab = 5 + tiny_random(&r) % 9, .steps = seed % 4 ? 0 : 2};
        tfm_generate_params p = plain_params(1, 9);
        p.return_alternatives = true;
        p.num_return_sequences = 1 + (uint32_t)(tiny_random(&r) % 7);
        p.min_alternative_expansion_prob = seed % 3 ? 0 : 0.15;
        run_search(&w, &p, prompt, 2, &got);
        float first[MAX_VOCAB];
        scores_of(&w, prompt, 2, first);
        first[0] = -INFINITY; /* the end token */
        double total = 0;
        for (size_t v = 0; v < w.vocab; v++) total += exp((double)first[v]);
        size_t n = 0;
        for (bool taken[MAX_VOCAB] = {true}; n < p.num_return_sequences; n++) {
            size_t best = 0;
            for (size_t v = 1; v < w.vocab; v++)
                if (!taken[v] && (!best || first[v] > first[best])) best = v;
            double log_prob = best ? (double)first[best] - log(total) : -INFINITY;
            if (!best || (n > 0 && exp(log_prob) < p.min_alternative_expansion_prob)) break;
            taken[best] = true;
            text t = {.ids = {1, 2, (int32_t)best}, .sum = log_prob};
            size_t length = 3;
            while (length < 9 && t.ids[length - 1] != 0) {
                float row[MAX_VOCAB];
                scores_of(&w, t.ids, length, row);
                size_t next = 0;
                for (size_t v = 1; v < w.vocab; v++)
                    if (row[v] > row[next]) next = v;
                t.sum += (double)row[next] - (double)kernels->log_sum_exp(row, w.vocab);
                t.ids[length++] = (int32_t)next;
            }
            const found *f = &got.items[n];
            cr_assert(n < got.n && f->n == length - 2 && !memcmp(f->ids, t.ids + 2, f->n * sizeof *f->ids) &&
                          fabs(f->sum - t.sum) < 1e-5,
                      "seed %llu: alternative %zu", (unsigned long long)seed, n);
        }
        cr_assert_eq(got.n, n, "seed %llu: %zu alternatives, expected %zu", (unsigned long long)seed, got.n, n);
        n_left_out += n < p.num_return_sequences;
    }
    cr_assert_gt(n_left_out, 60);
}

/* With a beam for every text and no early end the search sees all texts and must find the best. */
Test(search, wide_beams_find_the_best_of_all) {
    static const int32_t prompt[] = {1};
    static results got;
    const tfm_kernels *kernels = tfm_kernels_get(TFM_ISA_SCALAR);
    size_t n_complete = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        world w = {.seed = seed, .vocab = 3};
        tfm_generate_params p = plain_params(16, 5); /* 2^4 texts do not end: no beam is ever lost */
        p.length_penalty = seed % 3 == 0 ? 0 : seed % 3 == 1 ? 1 : 0.5;
        p.early_stopping = TFM_EARLY_NEVER;
        /* All texts of at most 4 new tokens, a digit in base 3 each. */
        double best = -INFINITY;
        int32_t best_ids[5] = {0};
        size_t best_n = 0;
        for (int code = 0; code < 81; code++) {
            int32_t ids[5] = {1};
            double sum = 0;
            size_t n = 0;
            for (int rest = code; n < 4; rest /= 3) {
                float row[MAX_VOCAB];
                scores_of(&w, ids, n + 1, row);
                kernels->log_softmax(row, row, 3);
                ids[n + 1] = rest % 3;
                sum += (double)row[ids[n + 1]];
                n++;
                if (ids[n] == 0) break;
            }
            double score = sum / pow((double)n, p.length_penalty);
            if (score <= best) continue;
            best = score;
            best_n = n;
            memcpy(best_ids, ids, sizeof ids);
        }
        run_search(&w, &p, prompt, 1, &got);
        if (got.failed) continue; /* three tokens may not fill 16 beams at first: then nothing is promised */
        n_complete++;
        cr_assert(got.items[0].n == best_n && !memcmp(got.items[0].ids, best_ids + 1, best_n * sizeof *best_ids),
                  "seed %llu: score %g, best %g", (unsigned long long)seed, got.items[0].score, best);
    }
    cr_assert(n_complete > 20, "%zu searches", n_complete);
}

Test(search, greedy_takes_the_first_of_the_best) {
    static const int32_t prompt[] = {1};
    static results got;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        world w = {.seed = seed, .vocab = 2 + seed % 9, .steps = seed % 2 ? 1 : 0};
        tfm_generate_params p = plain_params(1, 10);
        run_search(&w, &p, prompt, 1, &got);
        int32_t ids[MAX_LENGTH] = {1};
        size_t n = 1;
        double sum = 0;
        do {
            float row[MAX_VOCAB];
            int32_t best = 0;
            double total = 0;
            scores_of(&w, ids, n, row);
            for (size_t v = 1; v < w.vocab; v++)
                if (row[v] > row[best]) best = (int32_t)v;
            for (size_t v = 0; v < w.vocab; v++) total += exp((double)row[v]);
            sum += (double)row[best] - log(total);
            ids[n++] = best;
        } while (ids[n - 1] != 0 && n < 10);
        cr_assert(!got.failed && got.n == 1, "seed %llu", (unsigned long long)seed);
        const found *f = &got.items[0];
        cr_assert(f->n == n - 1 && !memcmp(f->ids, ids + 1, f->n * sizeof *ids), "seed %llu", (unsigned long long)seed);
        cr_assert(f->ended == (ids[n - 1] == 0) && fabs(f->sum - sum) < 1e-5 && f->score == f->sum / (double)f->n);
    }
}

/* ---- processing of scores ---- */

typedef struct scene {
    int32_t ids[20];
    tfm_history history;
    float before[MAX_VOCAB], after[MAX_VOCAB];
    size_t vocab;
} scene;

static void make_scene(scene *s, uint64_t seed) {
    uint64_t r = seed * 7727;
    s->vocab = 5 + tiny_random(&r) % 8;
    size_t n = 1 + tiny_random(&r) % 20;
    for (size_t i = 0; i < n; i++) s->ids[i] = (int32_t)(tiny_random(&r) % (seed % 2 ? 3 : s->vocab));
    size_t n_prompt = 1 + tiny_random(&r) % n;
    s->history = (tfm_history){s->ids, n, n_prompt, n + 1 + tiny_random(&r) % 3};
    for (size_t v = 0; v < s->vocab; v++) s->before[v] = (float)(4 * tiny_uniform(&r));
}

static void apply(scene *s, const tfm_generate_params *p) {
    float scratch[20];
    memcpy(s->after, s->before, sizeof s->after);
    tfm_process_scores(p, &s->history, tfm_kernels_get(TFM_ISA_SCALAR), s->after, s->vocab, scratch);
}

/* Every token is banned or as before. */
static void check_bans(const scene *s, const bool *banned, const char *what, uint64_t seed) {
    for (size_t v = 0; v < s->vocab; v++) {
        float expected = banned[v] ? -INFINITY : s->before[v];
        cr_assert(s->after[v] == expected, "%s, seed %llu: token %zu is %g, expected %g", what,
                  (unsigned long long)seed, v, (double)s->after[v], (double)expected);
    }
}

Test(processors, nothing_asked_changes_nothing) {
    static scene s;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        make_scene(&s, seed);
        tfm_generate_params p = plain_params(1, 30);
        apply(&s, &p);
        check_bans(&s, (bool[MAX_VOCAB]){false}, "none", seed);
        cr_assert(!tfm_processors_need_ids(&p));
    }
}

Test(processors, repetition_penalty) {
    static scene s;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        make_scene(&s, seed);
        tfm_generate_params p = plain_params(1, 30);
        p.repetition_penalty = 1.3;
        apply(&s, &p);
        cr_assert(tfm_processors_need_ids(&p));
        for (size_t v = 0; v < s.vocab; v++) {
            bool occurs = false;
            for (size_t i = 0; i < s.history.n; i++) occurs |= s.ids[i] == (int32_t)v;
            float x = s.before[v], expected = !occurs ? x : x < 0 ? x * 1.3f : x / 1.3f;
            cr_assert(s.after[v] == expected, "seed %llu: token %zu", (unsigned long long)seed, v);
        }
    }
}

/* Of the tokens after the prompt, the first by their being there, the second by how often they are. */
Test(processors, presence_and_frequency_penalties) {
    static scene s;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        make_scene(&s, seed);
        tfm_generate_params p = plain_params(1, 30);
        p.presence_penalty = seed % 4 ? 0.7 : 0;
        p.frequency_penalty = seed % 3 ? -0.3 : 0;
        if (seed % 5 == 0) p.repetition_penalty = 1.3; /* which comes before them and sees the prompt */
        apply(&s, &p);
        cr_assert(tfm_processors_need_ids(&p) ==
                  (p.presence_penalty != 0 || p.frequency_penalty != 0 || p.repetition_penalty != 1));
        for (size_t v = 0; v < s.vocab; v++) {
            size_t count = 0;
            bool occurs = false;
            for (size_t i = 0; i < s.history.n; i++) {
                occurs |= s.ids[i] == (int32_t)v;
                count += s.ids[i] == (int32_t)v && i >= s.history.prompt_length;
            }
            float x = s.before[v];
            if (occurs && seed % 5 == 0) x = x < 0 ? x * 1.3f : x / 1.3f;
            double expected = (double)x - (count ? p.presence_penalty : 0) - p.frequency_penalty * (double)count;
            cr_assert(fabs((double)s.after[v] - expected) < 1e-6 && (count || s.after[v] == x), "seed %llu: token %zu",
                      (unsigned long long)seed, v);
        }
    }
}

Test(processors, biases_come_first) {
    static scene s;
    static const tfm_logit_bias biases[] = {{2, 0.5f}, {0, -INFINITY}, {2, 0.25f}, {99, 1}};
    for (uint64_t seed = 1; seed <= 200; seed++) {
        make_scene(&s, seed);
        tfm_generate_params p = plain_params(1, 30);
        p.logit_bias = biases;
        p.n_logit_bias = 4;
        p.repetition_penalty = 1.3;
        apply(&s, &p);
        for (size_t v = 0; v < s.vocab; v++) {
            bool occurs = false;
            for (size_t i = 0; i < s.history.n; i++) occurs |= s.ids[i] == (int32_t)v;
            float x = v == 0 ? -INFINITY : v == 2 ? s.before[v] + 0.5f + 0.25f : s.before[v];
            float expected = !occurs ? x : x < 0 ? x * 1.3f : x / 1.3f;
            cr_assert(s.after[v] == expected, "seed %llu: token %zu", (unsigned long long)seed, v);
        }
    }
}

Test(processors, no_repeat_ngram) {
    static scene s;
    for (uint64_t seed = 1; seed <= 600; seed++) {
        make_scene(&s, seed);
        tfm_generate_params p = plain_params(1, 30);
        size_t n = 1 + seed % 4;
        p.no_repeat_ngram_size = (uint32_t)n;
        apply(&s, &p);
        bool banned[MAX_VOCAB] = {false};
        for (size_t v = 0; v < s.vocab; v++) {
            /* Does history + v end with an n-gram that history has already? */
            int32_t with[21];
            memcpy(with, s.ids, s.history.n * sizeof *with);
            with[s.history.n] = (int32_t)v;
            if (s.history.n + 1 < n) continue;
            const int32_t *gram = with + s.history.n + 1 - n;
            for (size_t i = 0; i + n <= s.history.n; i++) banned[v] |= !memcmp(with + i, gram, n * sizeof *with);
        }
        check_bans(&s, banned, "ngram", seed);
    }
}

Test(processors, bad_words) {
    static scene s;
    static const int32_t one[] = {2}, two[] = {1, 0}, three[] = {0, 1, 2}, end[] = {0}, beyond[] = {99};
    static const tfm_tokens words[] = {{one, 1}, {two, 2}, {three, 3}, {end, 1}, {beyond, 1}, {one, 0}};
    for (uint64_t seed = 1; seed <= 400; seed++) {
        make_scene(&s, seed);
        tfm_generate_params p = plain_params(1, 30);
        p.bad_words = words;
        p.n_bad_words = 6;
        apply(&s, &p);
        size_t n = s.history.n;
        const int32_t *last = s.ids + n - 1;
        bool banned[MAX_VOCAB] = {false};
        banned[2] = true;
        if (n >= 2 && last[0] == 1) banned[0] = true; /* as transformers: only from a history as long as the word */
        if (n >= 3 && last[-1] == 0 && last[0] == 1) banned[2] = true;
        check_bans(&s, banned, "bad words", seed); /* the end token alone is no bad word */
        cr_assert(tfm_processors_need_ids(&p));
    }
}

Test(processors, lengths_and_forced_tokens) {
    static scene s;
    static const int32_t ends[] = {3, 0}, suppressed[] = {1, 4, 77};
    for (uint64_t seed = 1; seed <= 600; seed++) {
        make_scene(&s, seed);
        size_t n = s.history.n;
        tfm_generate_params p = plain_params(1, 30);
        p.eos_token_ids = ends;
        p.n_eos_token_ids = 2;
        bool banned[MAX_VOCAB] = {false};
        p.min_length = (uint32_t)(seed % 12);
        apply(&s, &p);
        banned[0] = banned[3] = n < p.min_length;
        check_bans(&s, banned, "min_length", seed);

        p.min_length = 0;
        p.min_new_tokens = (uint32_t)(seed % 7);
        apply(&s, &p);
        banned[0] = banned[3] = n - s.history.prompt_length < p.min_new_tokens;
        check_bans(&s, banned, "min_new_tokens", seed);

        p.min_new_tokens = 0;
        p.suppress_tokens = suppressed;
        p.n_suppress_tokens = 3;
        apply(&s, &p);
        memset(banned, 0, sizeof banned);
        banned[1] = banned[4] = true;
        check_bans(&s, banned, "suppress_tokens", seed);

        p.n_suppress_tokens = 0;
        p.forced_bos_token_id = 2;
        p.forced_eos_token_id = 3;
        apply(&s, &p);
        int32_t forced = n + 1 == s.history.max_length ? 3 : n == 1 ? 2 : -1;
        for (size_t v = 0; v < s.vocab; v++) {
            float expected = forced < 0 ? s.before[v] : (int32_t)v == forced ? 0 : -INFINITY;
            cr_assert(s.after[v] == expected, "forced, seed %llu: token %zu", (unsigned long long)seed, v);
        }
    }
}

Test(processors, renormalisation_comes_last) {
    static scene s;
    static const int32_t suppressed[] = {1};
    for (uint64_t seed = 1; seed <= 100; seed++) {
        make_scene(&s, seed);
        tfm_generate_params p = plain_params(1, 30);
        p.renormalize_logits = true;
        p.suppress_tokens = suppressed;
        p.n_suppress_tokens = 1;
        apply(&s, &p);
        double sum = 0;
        for (size_t v = 0; v < s.vocab; v++) sum += exp((double)s.after[v]);
        cr_assert(fabs(sum - 1) < 1e-6 && s.after[1] == -INFINITY);
        cr_assert(fabs((double)(s.after[2] - s.after[3] - (s.before[2] - s.before[3]))) < 1e-5);
    }
}
