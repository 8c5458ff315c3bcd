/*
 * logits_processors.c - penalties, bans and forced tokens.
 */
#include "logits_processors.h"

#include <math.h>
#include <string.h>

static bool counts_occurrences(const tfm_generate_params *p) {
    return p->presence_penalty != 0 || p->frequency_penalty != 0;
}

bool tfm_processors_need_ids(const tfm_generate_params *p) {
    bool long_words = false;
    for (size_t i = 0; i < p->n_bad_words; i++) long_words |= p->bad_words[i].n > 1;
    return p->repetition_penalty != 1.0 || p->no_repeat_ngram_size > 0 || long_words || counts_occurrences(p);
}

static void add_biases(const tfm_generate_params *p, float *scores, size_t vocab_size) {
    for (size_t i = 0; i < p->n_logit_bias; i++) {
        const tfm_logit_bias *b = &p->logit_bias[i];
        if (b->id >= 0 && (size_t)b->id < vocab_size) scores[b->id] += b->bias;
    }
}

static void ban(float *scores, size_t vocab_size, int32_t id) {
    if (id >= 0 && (size_t)id < vocab_size) scores[id] = -INFINITY;
}

/* A token that occurs twice is penalised once: all are read before any is written. */
static void penalise_repetition(const tfm_history *h, double penalty, float *scores, float *scratch) {
    for (size_t i = 0; i < h->n; i++) {
        float score = scores[h->ids[i]];
        scratch[i] = score < 0 ? score * (float)penalty : score / (float)penalty;
    }
    for (size_t i = 0; i < h->n; i++) scores[h->ids[i]] = scratch[i];
}

/*
 * By how often the output has a token. The scores themselves count: those of the output's tokens are put aside, then
 * start from 0.
 */
static void penalise_occurrence(const tfm_history *h, const tfm_generate_params *p, float *scores, float *scratch) {
    const int32_t *ids = h->ids + h->prompt_length;
    size_t n = h->n - h->prompt_length;
    for (size_t i = 0; i < n; i++) scratch[i] = scores[ids[i]];
    for (size_t i = 0; i < n; i++) scores[ids[i]] = 0;
    for (size_t i = 0; i < n; i++) scores[ids[i]] += 1;
    for (size_t i = 0; i < n; i++) {
        double penalty = p->presence_penalty + p->frequency_penalty * (double)scores[ids[i]];
        scratch[i] = (float)((double)scratch[i] - penalty);
    }
    for (size_t i = 0; i < n; i++) scores[ids[i]] = scratch[i];
}

/* Bans each token that would complete an n-gram the history already has. */
static void block_ngrams(const tfm_history *h, size_t n, float *scores, size_t vocab_size) {
    if (h->n + 1 < n) return;
    const int32_t *tail = h->ids + h->n - (n - 1);
    for (size_t i = 0; i + n <= h->n; i++)
        if (!memcmp(h->ids + i, tail, (n - 1) * sizeof *tail)) ban(scores, vocab_size, h->ids[i + n - 1]);
}

/* The last token of a bad word is banned where the history ends with the others. A word that is an end token is no
 * bad word; one longer than the history is not looked at. */
static void block_bad_words(const tfm_generate_params *p, const tfm_history *h, float *scores, size_t vocab_size) {
    for (size_t i = 0; i < p->n_bad_words; i++) {
        const tfm_tokens *word = &p->bad_words[i];
        if (word->n == 0 || (word->n == 1 && tfm_is_end_token(p, word->ids[0]))) continue;
        size_t head = word->n - 1;
        if (head > 0 && word->n > h->n) continue;
        if (head > 0 && memcmp(h->ids + h->n - head, word->ids, head * sizeof *word->ids) != 0) continue;
        ban(scores, vocab_size, word->ids[head]);
    }
}

static void force(float *scores, size_t vocab_size, int32_t id) {
    for (size_t i = 0; i < vocab_size; i++) scores[i] = -INFINITY;
    if (id >= 0 && (size_t)id < vocab_size) scores[id] = 0;
}

void tfm_process_scores(const tfm_generate_params *p, const tfm_history *h, const tfm_kernels *kernels, float *scores,
                        size_t vocab_size, float *scratch) {
    add_biases(p, scores, vocab_size);
    if (p->repetition_penalty != 1.0) penalise_repetition(h, p->repetition_penalty, scores, scratch);
    if (counts_occurrences(p)) penalise_occurrence(h, p, scores, scratch);
    if (p->no_repeat_ngram_size > 0) block_ngrams(h, p->no_repeat_ngram_size, scores, vocab_size);
    block_bad_words(p, h, scores, vocab_size);
    if (h->n < p->min_length || h->n - h->prompt_length < p->min_new_tokens)
        for (size_t i = 0; i < p->n_eos_token_ids; i++) ban(scores, vocab_size, p->eos_token_ids[i]);
    if (p->forced_bos_token_id >= 0 && h->n == 1) force(scores, vocab_size, p->forced_bos_token_id);
    if (p->forced_eos_token_id >= 0 && h->n + 1 == h->max_length) force(scores, vocab_size, p->forced_eos_token_id);
    for (size_t i = 0; i < p->n_suppress_tokens; i++) ban(scores, vocab_size, p->suppress_tokens[i]);
    if (p->renormalize_logits) kernels->log_softmax(scores, scores, vocab_size);
}
