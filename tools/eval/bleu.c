/* bleu.c - corpus BLEU. */
#include "bleu.h"

#include <math.h>
#include <stdlib.h>

#include "ngrams.h"

/* sacreBLEU's logarithm of zero: low enough to make the score zero, without infinities. */
#define LOG_OF_ZERO (-9999999999.0)

static uint64_t distance(uint64_t a, uint64_t b) { return a > b ? a - b : b - a; }

/* sequences[0] is the hypothesis. */
static void add_counts(tfm_bleu_stats *stats, tfm_ngrams *sequences, size_t n_references) {
    const tfm_ngrams *hypothesis = &sequences[0];
    uint64_t closest = n_references ? sequences[1].n : 0;
    for (size_t r = 2; r <= n_references; r++) {
        uint64_t length = sequences[r].n;
        uint64_t old = distance(closest, hypothesis->n), new = distance(length, hypothesis->n);
        if (new < old || (new == old &&length < closest)) closest = length;
    }
    stats->hyp_len += hypothesis->n;
    stats->ref_len += closest;
    for (unsigned order = 1; order <= TFM_BLEU_ORDER; order++) {
        stats->total[order - 1] += tfm_ngrams_count(hypothesis, order);
        stats->correct[order - 1] += tfm_ngrams_match(hypothesis, sequences + 1, n_references, order);
    }
}

bool tfm_bleu_add(tfm_bleu_stats *stats, tfm_slice hypothesis, const tfm_slice *references, size_t n_references) {
    size_t n = n_references + 1;
    tfm_words *words = calloc(n, sizeof *words);
    tfm_ngrams *sequences = calloc(n, sizeof *sequences);
    bool ok = words && sequences && tfm_words_split(&words[0], hypothesis);
    for (size_t i = 1; ok && i < n; i++) ok = tfm_words_split(&words[i], references[i - 1]);
    ok = ok && tfm_words_number(words, n);
    for (size_t i = 0; ok && i < n; i++)
        ok = tfm_ngrams_make(&sequences[i], words[i].numbers, words[i].n, TFM_BLEU_ORDER);
    if (ok) add_counts(stats, sequences, n_references);
    for (size_t i = 0; sequences && i < n; i++) tfm_ngrams_free(&sequences[i]);
    for (size_t i = 0; words && i < n; i++) tfm_words_free(&words[i]);
    free(sequences);
    free(words);
    return ok;
}

static double brevity_penalty(const tfm_bleu_stats *stats) {
    if (stats->hyp_len >= stats->ref_len) return 1;
    return stats->hyp_len ? exp(1 - (double)stats->ref_len / (double)stats->hyp_len) : 0;
}

tfm_bleu_score tfm_bleu_compute(const tfm_bleu_stats *stats, tfm_bleu_smooth smooth, double smooth_value) {
    tfm_bleu_score result = {.brevity_penalty = brevity_penalty(stats)};
    if (stats->ref_len) result.ratio = (double)stats->hyp_len / (double)stats->ref_len;
    bool any = false;
    for (int i = 0; i < TFM_BLEU_ORDER; i++) any = any || stats->correct[i];
    if (!any) return result; /* no smoothing makes something of nothing */

    double zeros = 1, sum = 0;
    bool counted = true; /* false from the first order on that has no n-grams at all */
    for (int i = 0; i < TFM_BLEU_ORDER; i++) {
        double added = smooth == TFM_SMOOTH_ADD_K && i > 0 ? smooth_value : 0;
        double correct = (double)stats->correct[i] + added, total = (double)stats->total[i] + added;
        counted = counted && total > 0;
        if (counted) {
            if (correct > 0) {
                result.precisions[i] = 100 * correct / total;
            } else if (smooth == TFM_SMOOTH_EXP) {
                zeros *= 2;
                result.precisions[i] = 100 / (zeros * total);
            } else if (smooth == TFM_SMOOTH_FLOOR) {
                result.precisions[i] = 100 * smooth_value / total;
            }
        }
        sum += result.precisions[i] > 0 ? log(result.precisions[i]) : LOG_OF_ZERO;
    }
    result.score = result.brevity_penalty * exp(sum / TFM_BLEU_ORDER);
    return result;
}
