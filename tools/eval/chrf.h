/*
 * chrf.h - corpus chrF (Popović 2015) and chrF++ (Popović 2017) with the counting of sacreBLEU (Post 2018).
 */
#ifndef TFM_TOOLS_EVAL_CHRF_H
#define TFM_TOOLS_EVAL_CHRF_H

#include "sentence.h"

enum { TFM_CHRF_MAX_ORDER = 16 }; /* of characters, and of words */

typedef struct tfm_chrf_options {
    unsigned char_order; /* 1 .. TFM_CHRF_MAX_ORDER, usually 6 */
    unsigned word_order; /* 0 .. TFM_CHRF_MAX_ORDER; 2: chrF++ */
    unsigned beta;       /* recall counts beta times as much as precision, usually 2 */
    bool whitespace;     /* white space is part of the character n-grams */
    bool eps_smoothing;  /* mean of the F scores of all orders, as chrF++.py has it, not F of the means of those that
                            occur */
} tfm_chrf_options;

typedef struct tfm_chrf_counts {
    uint64_t hypothesis, reference, match;
} tfm_chrf_counts;

/* What is summed over sentences: character orders first, then word orders. */
typedef struct tfm_chrf_stats {
    tfm_chrf_counts orders[2 * TFM_CHRF_MAX_ORDER];
} tfm_chrf_stats;

/*
 * Adds a sentence (valid UTF-8), compared with the one of its references (at least one) that gives it the highest
 * score. false when memory is out.
 */
bool tfm_chrf_add(tfm_chrf_stats *stats, const tfm_chrf_options *options, tfm_slice hypothesis,
                  const tfm_slice *references, size_t n_references);

/* 0 .. 100. */
double tfm_chrf_compute(const tfm_chrf_stats *stats, const tfm_chrf_options *options);

#endif
