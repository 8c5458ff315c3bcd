/*
 * sampling.c - see sampling.h.
 *
 * A vocabulary is never sorted. Tokens that together reach a mass are found by the bits of what ranks them, eleven at a
 * time: the mass of each bucket is added up, and only the bucket in which the mass is reached is looked into further.
 */
#include "sampling.h"

#include <math.h>
#include <string.h>

/* ---- random numbers ---- */

void tfm_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t bits[4]) {
    uint32_t a = counter[0], b = counter[1], c = counter[2], d = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t x = (uint64_t)0xD2511F53 * a, y = (uint64_t)0xCD9E8D57 * c;
        a = (uint32_t)(y >> 32) ^ b ^ k0;
        b = (uint32_t)y;
        c = (uint32_t)(x >> 32) ^ d ^ k1;
        d = (uint32_t)x;
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    bits[0] = a, bits[1] = b, bits[2] = c, bits[3] = d;
}

double tfm_random(uint64_t seed, uint32_t output, uint64_t position) {
    const uint32_t counter[4] = {(uint32_t)position, (uint32_t)(position >> 32), output, 0};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t bits[4];
    tfm_philox(counter, key, bits);
    return (double)(((uint64_t)bits[0] << 32 | bits[1]) >> 11) * 0x1p-53;
}

/* ---- candidates ---- */

enum { BUCKET_BITS = 11, BUCKETS = 1 << BUCKET_BITS, FEW = 512 };

void tfm_sampler_allocate(tfm_sampler *sampler, tfm_arena *arena, size_t vocab_size) {
    sampler->p = tfm_arena_take(arena, vocab_size, sizeof *sampler->p);
    sampler->ids = tfm_arena_take(arena, vocab_size, sizeof *sampler->ids);
    sampler->scores = tfm_arena_take(arena, vocab_size, sizeof *sampler->scores);
    sampler->buckets = tfm_arena_take(arena, BUCKETS, sizeof *sampler->buckets);
}

/* Element i goes to sum i mod 8; the sums are joined in order. */
static double sum_of(const float *p, size_t n) {
    double lanes[8] = {0}, sum = 0;
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t l = 0; l < 8; l++) lanes[l] += (double)p[i + l];
    for (size_t l = 0; i < n; i++, l++) lanes[l] += (double)p[i];
    for (size_t l = 0; l < 8; l++) sum += lanes[l];
    return sum;
}

/* Numbers in the order of the floats they stand for. */
static uint32_t rank_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 31 ? ~bits : bits | 1u << 31;
}

/* Drops candidates whose rank is below `least`, and those that have it once their share of the mass is used up. */
static void keep_ranks(tfm_sampler *sampler, const float *wanted, uint32_t least, double share) {
    size_t kept = 0;
    for (size_t i = 0; i < sampler->n; i++) {
        uint32_t rank = rank_of(wanted[i]);
        if (rank < least || (rank == least && !(share > 0))) continue;
        if (rank == least) share -= (double)sampler->p[i];
        sampler->p[kept] = sampler->p[i];
        sampler->ids[kept] = sampler->ids[i];
        sampler->scores[kept++] = sampler->scores[i];
    }
    sampler->n = kept;
    sampler->total = sum_of(sampler->p, kept);
}

/* Keeps the smallest set of the most wanted candidates (p or scores) that reaches `mass`, at least one. */
static void keep_mass(tfm_sampler *sampler, const float *wanted, double mass) {
    uint32_t prefix = 0, mask = 0; /* the bits of the threshold that are known */
    double above = 0;              /* mass of what ranks over all that has the prefix */
    for (int shift = 32 - BUCKET_BITS; mask != UINT32_MAX; shift = shift > BUCKET_BITS ? shift - BUCKET_BITS : 0) {
        uint32_t last = BUCKETS; /* lowest bucket that is used */
        memset(sampler->buckets, 0, BUCKETS * sizeof *sampler->buckets);
        for (size_t i = 0; i < sampler->n; i++) {
            uint32_t rank = rank_of(wanted[i]), bucket = rank >> shift & (BUCKETS - 1);
            if ((rank & mask) != prefix) continue;
            sampler->buckets[bucket] += (double)sampler->p[i];
            if (bucket < last) last = bucket;
        }
        uint32_t bucket = BUCKETS - 1;
        while (bucket > last && !(above + sampler->buckets[bucket] >= mass && sampler->buckets[bucket] > 0))
            above += sampler->buckets[bucket--];
        mask |= (uint32_t)(BUCKETS - 1) << shift;
        prefix |= bucket << shift;
    }
    keep_ranks(sampler, wanted, prefix, above > 0 ? mass - above : fmax(mass, 0x1p-1000));
}

/* ---- filters ---- */

/* The k best tokens, best first, with their logits; none that is banned. */
static void take_best(tfm_sampler *sampler, const tfm_kernels *kernels, const float *logits, size_t vocab_size,
                      size_t k) {
    sampler->n = kernels->top_k(logits, vocab_size, k, sampler->scores, sampler->ids);
    while (sampler->n > 0 && sampler->scores[sampler->n - 1] == -INFINITY) sampler->n--;
}

static void take_all(tfm_sampler *sampler, const float *logits, size_t vocab_size) {
    sampler->n = vocab_size;
    for (size_t i = 0; i < vocab_size; i++) sampler->ids[i] = (uint32_t)i;
    memcpy(sampler->scores, logits, vocab_size * sizeof *logits);
}

/* Distances from the largest, so that no temperature makes them overflow upwards. */
static void apply_temperature(tfm_sampler *sampler, float largest, double temperature) {
    for (size_t i = 0; i < sampler->n; i++)
        sampler->scores[i] = (float)(((double)sampler->scores[i] - (double)largest) / temperature);
}

/* If a few of the best reach the mass, only they are candidates: they are found faster than a place among all. */
static void narrow(tfm_sampler *sampler, const tfm_kernels *kernels, double mass) {
    float p[FEW], scores[FEW];
    uint32_t places[FEW], ids[FEW];
    for (size_t few = 64; few <= FEW && few < sampler->n; few *= FEW / 64) {
        size_t n = kernels->top_k(sampler->p, sampler->n, few, p, places);
        if (n < few || !(sum_of(p, n) >= mass)) continue;
        for (size_t i = 0; i < n; i++) {
            scores[i] = sampler->scores[places[i]];
            ids[i] = sampler->ids[places[i]];
        }
        memcpy(sampler->p, p, n * sizeof *p);
        memcpy(sampler->scores, scores, n * sizeof *scores);
        memcpy(sampler->ids, ids, n * sizeof *ids);
        sampler->n = n;
        return;
    }
}

static void filter_top_p(tfm_sampler *sampler, const tfm_kernels *kernels, double top_p) {
    double mass = top_p * sampler->total;
    narrow(sampler, kernels, mass);
    keep_mass(sampler, sampler->p, mass);
}

static void filter_min_p(tfm_sampler *sampler, double min_p) {
    size_t kept = 0;
    float largest = 0;
    for (size_t i = 0; i < sampler->n; i++)
        if (sampler->p[i] > largest) largest = sampler->p[i];
    for (size_t i = 0; i < sampler->n; i++) {
        if ((double)sampler->p[i] < min_p * (double)largest) continue;
        sampler->p[kept] = sampler->p[i];
        sampler->ids[kept] = sampler->ids[i];
        sampler->scores[kept++] = sampler->scores[i];
    }
    sampler->n = kept;
    sampler->total = sum_of(sampler->p, kept);
}

/* A token is wanted the more, the closer its information -log p is to the mean over all: the entropy. */
static void filter_typical_p(tfm_sampler *sampler, const tfm_kernels *kernels, double typical_p) {
    kernels->log_softmax(sampler->scores, sampler->scores, sampler->n);
    double entropy = 0;
    for (size_t i = 0; i < sampler->n; i++)
        if (sampler->p[i] > 0) entropy -= (double)sampler->p[i] / sampler->total * (double)sampler->scores[i];
    for (size_t i = 0; i < sampler->n; i++) sampler->scores[i] = (float)-fabs((double)sampler->scores[i] + entropy);
    keep_mass(sampler, sampler->scores, typical_p * sampler->total);
}

bool tfm_sampler_filter(tfm_sampler *sampler, const tfm_generate_params *params, const tfm_kernels *kernels,
                        const float *logits, size_t vocab_size) {
    float largest;
    uint32_t best;
    if (kernels->top_k(logits, vocab_size, 1, &largest, &best) < 1 || isinf(largest)) return false;
    if (params->top_k > 0 && params->top_k < vocab_size)
        take_best(sampler, kernels, logits, vocab_size, params->top_k);
    else
        take_all(sampler, logits, vocab_size);
    apply_temperature(sampler, largest, params->temperature);
    memcpy(sampler->p, sampler->scores, sampler->n * sizeof *sampler->p);
    kernels->softmax(sampler->p, sampler->n);
    sampler->total = sum_of(sampler->p, sampler->n);
    if (!(sampler->total > 0)) return false; /* among all logits one is not a number */
    if (params->top_p < 1) filter_top_p(sampler, kernels, params->top_p);
    if (params->min_p > 0) filter_min_p(sampler, params->min_p);
    if (params->typical_p < 1) filter_typical_p(sampler, kernels, params->typical_p);
    return true;
}

/* ---- drawing ---- */

uint32_t tfm_sampler_draw(const tfm_sampler *sampler, double random) {
    double target = random * sampler->total, sum = 0;
    uint32_t token = 0; /* rounding may leave the sum below the target: then it is the last one */
    for (size_t i = 0; i < sampler->n && !(sum > target); i++) {
        if (!(sampler->p[i] > 0)) continue;
        sum += (double)sampler->p[i];
        token = sampler->ids[i];
    }
    return token;
}
