/* multi30k_results.h - the shipped checkpoint's test sentences and the results that are known for them. */
#ifndef TFM_TESTS_RUNTIME_MULTI30K_RESULTS_H
#define TFM_TESTS_RUNTIME_MULTI30K_RESULTS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/tfm.h"

typedef struct known_output {
    tfm_tokens ids;
    double score; /* beams: sum / tokens; greedy: the sum of log-probabilities */
    double gap;   /* smallest distance of a decision */
} known_output;

typedef struct multi30k {
    size_t n;
    tfm_tokens *sources;
    tfm_input *inputs; /* the same, for tfm_generate */
    known_output *greedy, *beam4;
    char **german, **english, **greedy_text, **beam4_text; /* lines */
} multi30k;

/*
 * Reads the first n sentences (0: all) from the checkpoint's folder; ends the program with a message if that fails. The
 * environment variable TFM_TEST_SENTENCES lowers n, for slow machines.
 */
void multi30k_read(multi30k *data, const char *folder, size_t n);
void multi30k_free(multi30k *data);

#endif
