/* chrf.c - corpus chrF and chrF++. */
#include "chrf.h"

#include <stdlib.h>

#include "ngrams.h"

/* A sentence's characters and words, as sorted n-grams. */
typedef struct sentence {
    tfm_characters characters;
    tfm_words words;
    tfm_ngrams character_ngrams, word_ngrams;
} sentence;

static void free_sentence(sentence *parts) {
    tfm_ngrams_free(&parts->character_ngrams);
    tfm_ngrams_free(&parts->word_ngrams);
    tfm_characters_free(&parts->characters);
    tfm_words_free(&parts->words);
}

static bool read_sentence(sentence *parts, const tfm_chrf_options *options, tfm_slice text) {
    if (!tfm_characters_decode(&parts->characters, text, options->whitespace)) return false;
    if (options->word_order == 0) return true;
    return tfm_words_split(&parts->words, text) && tfm_words_split_punctuation(&parts->words);
}

static bool sort_sentence(sentence *parts, const tfm_chrf_options *options) {
    return tfm_ngrams_make(&parts->character_ngrams, parts->characters.data, parts->characters.n,
                           options->char_order) &&
           tfm_ngrams_make(&parts->word_ngrams, parts->words.numbers, parts->words.n, options->word_order);
}

/* Words get numbers that are equal in all the sentences; no words, nothing to do. */
static bool number_words(sentence *sentences, size_t n) {
    tfm_words *words = malloc(n * sizeof *words);
    if (!words) return false;
    for (size_t i = 0; i < n; i++) words[i] = sentences[i].words;
    bool ok = tfm_words_number(words, n);
    for (size_t i = 0; i < n; i++) sentences[i].words = words[i];
    free(words);
    return ok;
}

static tfm_chrf_counts count(const tfm_ngrams *hypothesis, tfm_ngrams *reference, unsigned order) {
    tfm_chrf_counts counts = {.reference = tfm_ngrams_count(reference, order)};
    /* An order that the reference has no n-gram of says nothing about precision. */
    if (counts.reference) counts.hypothesis = tfm_ngrams_count(hypothesis, order);
    counts.match = tfm_ngrams_match(hypothesis, reference, 1, order);
    return counts;
}

static tfm_chrf_stats compare(const tfm_chrf_options *options, const sentence *hypothesis, sentence *reference) {
    tfm_chrf_stats stats = {0};
    tfm_chrf_counts *next = stats.orders;
    for (unsigned n = 1; n <= options->char_order; n++)
        *next++ = count(&hypothesis->character_ngrams, &reference->character_ngrams, n);
    for (unsigned n = 1; n <= options->word_order; n++)
        *next++ = count(&hypothesis->word_ngrams, &reference->word_ngrams, n);
    return stats;
}

static void add_best(tfm_chrf_stats *stats, const tfm_chrf_options *options, sentence *sentences, size_t n_references) {
    tfm_chrf_stats best = {0};
    double best_score = -1;
    for (size_t r = 1; r <= n_references; r++) {
        tfm_chrf_stats one = compare(options, &sentences[0], &sentences[r]);
        double score = tfm_chrf_compute(&one, options);
        if (score > best_score) {
            best_score = score;
            best = one;
        }
    }
    for (unsigned i = 0; i < options->char_order + options->word_order; i++) {
        stats->orders[i].hypothesis += best.orders[i].hypothesis;
        stats->orders[i].reference += best.orders[i].reference;
        stats->orders[i].match += best.orders[i].match;
    }
}

bool tfm_chrf_add(tfm_chrf_stats *stats, const tfm_chrf_options *options, tfm_slice hypothesis,
                  const tfm_slice *references, size_t n_references) {
    size_t n = n_references + 1;
    sentence *sentences = calloc(n, sizeof *sentences);
    if (!sentences) return false;
    bool ok = read_sentence(&sentences[0], options, hypothesis);
    for (size_t i = 1; ok && i < n; i++) ok = read_sentence(&sentences[i], options, references[i - 1]);
    ok = ok && number_words(sentences, n);
    for (size_t i = 0; ok && i < n; i++) ok = sort_sentence(&sentences[i], options);
    if (ok) add_best(stats, options, sentences, n_references);
    for (size_t i = 0; i < n; i++) free_sentence(&sentences[i]);
    free(sentences);
    return ok;
}

/* (1 + b^2) p r / (b^2 p + r) */
static double f_score(double precision, double recall, double beta_squared) {
    return (1 + beta_squared) * precision * recall / (beta_squared * precision + recall);
}

double tfm_chrf_compute(const tfm_chrf_stats *stats, const tfm_chrf_options *options) {
    const double eps = 1e-16;
    double beta_squared = (double)options->beta * options->beta;
    unsigned n_orders = options->char_order + options->word_order, n_used = 0;
    double precision_sum = 0, recall_sum = 0, f_sum = 0;
    for (unsigned i = 0; i < n_orders; i++) {
        const tfm_chrf_counts *c = &stats->orders[i];
        double precision = c->hypothesis ? (double)c->match / (double)c->hypothesis : eps;
        double recall = c->reference ? (double)c->match / (double)c->reference : eps;
        f_sum += beta_squared * precision + recall > 0 ? f_score(precision, recall, beta_squared) : eps;
        if (c->hypothesis == 0 || c->reference == 0) continue;
        precision_sum += precision;
        recall_sum += recall;
        n_used++;
    }
    if (options->eps_smoothing) return 100 * f_sum / n_orders;
    if (precision_sum + recall_sum == 0) return 0;
    return 100 * f_score(precision_sum / n_used, recall_sum / n_used, beta_squared);
}
