/*
 * bleu.h - corpus BLEU (Papineni et al. 2002) with the counting, smoothing and rounding of sacreBLEU (Post 2018).
 */
#ifndef TFM_TOOLS_EVAL_BLEU_H
#define TFM_TOOLS_EVAL_BLEU_H

#include "sentence.h"

enum { TFM_BLEU_ORDER = 4 };

/* What is summed over sentences. */
typedef struct tfm_bleu_stats {
    uint64_t hyp_len, ref_len; /* words; of the references the one closest in length, the shorter of two */
    uint64_t correct[TFM_BLEU_ORDER], total[TFM_BLEU_ORDER];
} tfm_bleu_stats;

/* Adds a sentence, given as tokenized text: words with white space between. false when memory is out. */
bool tfm_bleu_add(tfm_bleu_stats *stats, tfm_slice hypothesis, const tfm_slice *references, size_t n_references);

/* What happens to a precision of zero (Chen and Cherry 2014). */
typedef enum tfm_bleu_smooth {
    TFM_SMOOTH_NONE,
    TFM_SMOOTH_FLOOR, /* the value takes the place of a count of zero */
    TFM_SMOOTH_ADD_K, /* the value is added to both counts of orders above 1 */
    TFM_SMOOTH_EXP    /* the i-th zero becomes 1 / 2^i matches */
} tfm_bleu_smooth;

typedef struct tfm_bleu_score {
    double score; /* 0 .. 100 */
    double precisions[TFM_BLEU_ORDER];
    double brevity_penalty;
    double ratio; /* hyp_len / ref_len, 0 without references */
} tfm_bleu_score;

/* smooth_value: for floor and add-k. */
tfm_bleu_score tfm_bleu_compute(const tfm_bleu_stats *stats, tfm_bleu_smooth smooth, double smooth_value);

#endif
