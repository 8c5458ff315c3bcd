/*
 * sampling.h - drawing a token: which tokens may be drawn, how probable each is, and a random number to choose by.
 *
 * Nothing here depends on the machine: exponentials and logarithms are those of the kernels, sums are of doubles in a
 * fixed order, and the random numbers are a function of the seed and of the place they are used at.
 */
#ifndef TFM_RUNTIME_GENERATE_SAMPLING_H
#define TFM_RUNTIME_GENERATE_SAMPLING_H

#include "runtime/os/arena.h"
#include "runtime/tfm.h"
#include "simd/kernels.h"

/*
 * Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011): ten rounds
 * turn a counter into random bits.
 */
void tfm_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t bits[4]);

/* A number in [0, 1), a multiple of 2^-53, for token `position` of output `output`. */
double tfm_random(uint64_t seed, uint32_t output, uint64_t position);

/* The tokens that may be drawn, and room to find them; one for each thread. */
typedef struct tfm_sampler {
    size_t n;        /* candidates */
    float *p;        /* (vocab) their probabilities, up to a factor that all share */
    uint32_t *ids;   /* (vocab) their tokens */
    double total;    /* sum of p */
    float *scores;   /* (vocab) scratch: their logits by temperature, or how much they are wanted */
    double *buckets; /* scratch */
} tfm_sampler;

void tfm_sampler_allocate(tfm_sampler *sampler, tfm_arena *arena, size_t vocab_size);

/*
 * Finds the tokens that may be drawn by temperature, top_k, top_p, min_p and typical_p, in this order, as the logits
 * warpers of transformers 4.46 have them; each of the last three sees the probabilities that the ones before left,
 * and keeps the smallest set that reaches its mass, at least one token. Where tokens are equal the lower ids are kept.
 * top_p: Holtzman et al. 2020; min_p: Nguyen et al. 2024; typical_p: Meister et al. 2023.
 * False if no token has a probability (all are banned, or the scores are no numbers).
 */
bool tfm_sampler_filter(tfm_sampler *sampler, const tfm_generate_params *params, const tfm_kernels *kernels,
                        const float *logits, size_t vocab_size);

/* The token that a number in [0, 1) points at. */
uint32_t tfm_sampler_draw(const tfm_sampler *sampler, double random);

#endif
