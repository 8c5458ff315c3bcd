/* sampling_test.c - random numbers against published ones, filters against plain implementations, frequencies of what
 * is drawn. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/generate/sampling.h"
#include "tests/support/tiny_session.h"

#define MAX_VOCAB 5003

typedef struct workplace {
    tfm_sampler sampler;
    char *memory;
    float logits[MAX_VOCAB];
} workplace;

static void workplace_open(workplace *w) {
    tfm_arena arena = {0};
    tfm_sampler_allocate(&w->sampler, &arena, MAX_VOCAB);
    w->memory = calloc(1, arena.used);
    cr_assert(w->memory);
    arena = (tfm_arena){.base = w->memory};
    tfm_sampler_allocate(&w->sampler, &arena, MAX_VOCAB);
}

static void workplace_close(workplace *w) { free(w->memory); }

static tfm_generate_params all_tokens(void) {
    return (tfm_generate_params){.do_sample = true, .temperature = 1, .top_p = 1, .typical_p = 1};
}

/* steps: logits are multiples of 1 / steps, so that many are equal; 0: all differ. */
static void fill(workplace *w, size_t vocab, uint64_t seed, double spread, int steps) {
    uint64_t random = seed;
    for (size_t v = 0; v < vocab; v++) {
        double x = spread * tiny_uniform(&random);
        w->logits[v] = (float)(steps ? round(x * steps) / steps : x);
    }
}

/* ---- random numbers ---- */

/* The known answers of the authors' Random123. */
Test(sampling, philox_is_the_published_one) {
    static const struct {
        uint32_t counter[4], key[2], bits[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t bits[4];
        tfm_philox(known[i].counter, known[i].key, bits);
        cr_assert(!memcmp(bits, known[i].bits, sizeof bits), "case %zu: %08x %08x %08x %08x", i, bits[0], bits[1],
                  bits[2], bits[3]);
    }
}

Test(sampling, random_numbers_are_spread_evenly) {
    enum { N = 4096, BINS = 16 };
    size_t counts[BINS] = {0};
    for (uint32_t i = 0; i < N; i++) {
        double x = tfm_random(i / 256, i / 16 % 16, i % 16);
        cr_assert(x >= 0 && x < 1);
        counts[(size_t)(x * BINS)]++;
    }
    double chi_square = 0;
    for (size_t i = 0; i < BINS; i++) chi_square += pow((double)counts[i] - N / BINS, 2) / (N / BINS);
    cr_assert(chi_square < 37.7, "%g; one in a thousand is above 37.7", chi_square);
    double x = tfm_random(1, 2, 3);
    cr_assert(x == tfm_random(1, 2, 3) && x != tfm_random(2, 2, 3) && x != tfm_random(1, 3, 3));
    cr_assert(x != tfm_random(1, 2, 4) && x != tfm_random(1 + (1ull << 32), 2, 3));
    cr_assert(x != tfm_random(1, 2, 3 + (1ull << 32)));
}

/* ---- filters: the rules of transformers' warpers with whole sorts in double ---- */

typedef struct entry {
    double logit, p, key;
    size_t id;
} entry;

static int by_key(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->key != y->key) return x->key > y->key ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void normalise(entry *e, size_t n) {
    double sum = 0, largest = -INFINITY;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, e[i].logit);
    for (size_t i = 0; i < n; i++) sum += e[i].p = exp(e[i].logit - largest);
    for (size_t i = 0; i < n; i++) e[i].p /= sum;
}

static size_t keep_mass(entry *e, size_t n, double mass) {
    double sum = 0;
    size_t kept = 0;
    qsort(e, n, sizeof *e, by_key);
    while (kept < n && (kept == 0 || sum < mass)) sum += e[kept++].p;
    normalise(e, kept);
    return kept;
}

static size_t plain_filter(const tfm_generate_params *p, const float *logits, size_t vocab, entry *e) {
    size_t n = 0, kept = 0;
    for (size_t v = 0; v < vocab; v++)
        if (logits[v] > -INFINITY) e[n++] = (entry){(double)logits[v] / p->temperature, 0, (double)logits[v], v};
    qsort(e, n, sizeof *e, by_key);
    if (p->top_k > 0 && p->top_k < n) n = p->top_k;
    normalise(e, n);
    if (p->top_p < 1) n = keep_mass(e, n, p->top_p);
    for (size_t i = 0; i < n; i++)
        if (e[i].p >= p->min_p * e[0].p) e[kept++] = e[i];
    n = kept;
    normalise(e, n);
    if (p->typical_p < 1) {
        double entropy = 0;
        for (size_t i = 0; i < n; i++) entropy -= e[i].p > 0 ? e[i].p * log(e[i].p) : 0;
        for (size_t i = 0; i < n; i++) e[i].key = -fabs(log(e[i].p) + entropy);
        n = keep_mass(e, n, p->typical_p);
    }
    return n;
}

static void compare(workplace *w, const tfm_generate_params *p, size_t vocab, uint64_t seed) {
    static entry expected[MAX_VOCAB];
    static double got[MAX_VOCAB];
    const tfm_kernels *kernels = tfm_kernels_get(TFM_ISA_SCALAR);
    size_t n = plain_filter(p, w->logits, vocab, expected);
    cr_assert(tfm_sampler_filter(&w->sampler, p, kernels, w->logits, vocab), "seed %llu", (unsigned long long)seed);
    size_t n_got = 0;
    memset(got, 0, sizeof got);
    for (size_t i = 0; i < w->sampler.n; i++) {
        cr_assert(w->sampler.ids[i] < vocab && got[w->sampler.ids[i]] == 0);
        got[w->sampler.ids[i]] = (double)w->sampler.p[i] / w->sampler.total;
        n_got += w->sampler.p[i] > 0;
    }
    cr_assert(n_got == n, "seed %llu: %zu tokens of %zu, expected %zu", (unsigned long long)seed, n_got, vocab, n);
    for (size_t i = 0; i < n; i++)
        cr_assert(fabs(got[expected[i].id] - expected[i].p) < 1e-6 + 1e-5 * expected[i].p,
                  "seed %llu: token %zu has %g, expected %g", (unsigned long long)seed, expected[i].id,
                  got[expected[i].id], expected[i].p);
}

Test(sampling, filters_follow_the_rules) {
    static workplace w;
    static const size_t sizes[] = {1, 2, 5, 37, 64, 65, 512, 600, MAX_VOCAB};
    workplace_open(&w);
    for (uint64_t seed = 1; seed <= 600; seed++) {
        uint64_t r = seed * 7919;
        size_t vocab = sizes[tiny_random(&r) % 9];
        fill(&w, vocab, tiny_random(&r), 0.5 + (double)(tiny_random(&r) % 16), seed % 3 == 0 ? 2 : 0);
        for (size_t i = 0; i < tiny_random(&r) % vocab / 4; i++) w.logits[tiny_random(&r) % vocab] = -INFINITY;
        w.logits[tiny_random(&r) % vocab] = 0;
        tfm_generate_params p = all_tokens();
        p.temperature = 0.5 + fabs(tiny_uniform(&r)) * 1.5;
        if (tiny_random(&r) % 2) p.top_k = (uint32_t)(tiny_random(&r) % (vocab + 2));
        if (tiny_random(&r) % 2) p.top_p = fabs(tiny_uniform(&r));
        if (tiny_random(&r) % 3 == 0) p.min_p = 0.3 * fabs(tiny_uniform(&r));
        if (tiny_random(&r) % 3 == 0) p.typical_p = fabs(tiny_uniform(&r));
        compare(&w, &p, vocab, seed);
    }
    workplace_close(&w);
}

/* Flat rows need thousands of tokens, steep ones a few: both ways to find them must agree with the rules. */
Test(sampling, flat_and_steep_rows) {
    static workplace w;
    workplace_open(&w);
    for (uint64_t seed = 1; seed <= 40; seed++) {
        tfm_generate_params p = all_tokens();
        fill(&w, MAX_VOCAB, seed, seed % 2 ? 1 : 30, 0);
        p.top_p = 0.001 + 0.998 * (double)seed / 40;
        compare(&w, &p, MAX_VOCAB, seed);
        p.typical_p = 0.7;
        compare(&w, &p, MAX_VOCAB, seed);
    }
    workplace_close(&w);
}

static void expect_ids(workplace *w, const tfm_generate_params *p, size_t vocab, size_t n) {
    bool seen[64] = {false};
    cr_assert(tfm_sampler_filter(&w->sampler, p, tfm_kernels_get(TFM_ISA_SCALAR), w->logits, vocab));
    cr_assert(w->sampler.n == n, "%zu tokens, expected %zu", w->sampler.n, n);
    for (size_t i = 0; i < n; i++) seen[w->sampler.ids[i]] = true;
    for (size_t i = 0; i < n; i++) cr_assert(seen[i], "token %zu is not kept", i);
}

Test(sampling, of_equal_tokens_the_lower_ids_stay) {
    static workplace w;
    workplace_open(&w);
    for (size_t v = 0; v < 8; v++) w.logits[v] = 1.5f;
    tfm_generate_params p = all_tokens();
    expect_ids(&w, &p, 8, 8);
    p.top_k = 3;
    expect_ids(&w, &p, 8, 3);
    p = all_tokens();
    p.top_p = 0.4;
    expect_ids(&w, &p, 8, 4);
    p.top_p = 0;
    expect_ids(&w, &p, 8, 1);
    p = all_tokens();
    p.typical_p = 0.4;
    expect_ids(&w, &p, 8, 4);
    p = all_tokens();
    p.min_p = 1;
    expect_ids(&w, &p, 8, 8);
    workplace_close(&w);
}

Test(sampling, extreme_rows_and_temperatures) {
    static workplace w;
    const tfm_kernels *kernels = tfm_kernels_get(TFM_ISA_SCALAR);
    workplace_open(&w);
    tfm_generate_params p = all_tokens();
    fill(&w, 50, 1, 5, 0);
    w.logits[17] = 9;
    p.temperature = 1e-300;
    cr_assert(tfm_sampler_filter(&w.sampler, &p, kernels, w.logits, 50));
    cr_assert(tfm_sampler_draw(&w.sampler, 0) == 17 && tfm_sampler_draw(&w.sampler, 1 - 0x1p-53) == 17);
    p.temperature = 1e300;
    cr_assert(tfm_sampler_filter(&w.sampler, &p, kernels, w.logits, 50));
    for (size_t i = 0; i < 50; i++) cr_assert(fabsf(w.sampler.p[i] - 0.02f) < 1e-8f);
    p.temperature = 1;
    w.logits[0] = w.logits[49] = -INFINITY;
    cr_assert(tfm_sampler_filter(&w.sampler, &p, kernels, w.logits, 50));
    cr_assert(tfm_sampler_draw(&w.sampler, 0) == 1 && tfm_sampler_draw(&w.sampler, 1 - 0x1p-53) == 48);
    for (uint32_t top_k = 0; top_k <= 10; top_k += 10) {
        p.top_k = top_k;
        w.logits[5] = INFINITY;
        cr_assert(!tfm_sampler_filter(&w.sampler, &p, kernels, w.logits, 50), "an infinite score");
        for (size_t v = 0; v < 50; v++) w.logits[v] = -INFINITY;
        cr_assert(!tfm_sampler_filter(&w.sampler, &p, kernels, w.logits, 50), "all banned");
        for (size_t v = 0; v < 50; v++) w.logits[v] = NAN;
        cr_assert(!tfm_sampler_filter(&w.sampler, &p, kernels, w.logits, 50), "no numbers");
        fill(&w, 50, 1, 5, 0);
    }
    p.top_k = 0;
    w.logits[3] = NAN;
    cr_assert(!tfm_sampler_filter(&w.sampler, &p, kernels, w.logits, 50), "one that is no number");
    p.top_k = 10; /* it is never among the best */
    cr_assert(tfm_sampler_filter(&w.sampler, &p, kernels, w.logits, 50));
    workplace_close(&w);
}

/* ---- drawing ---- */

Test(sampling, frequencies_are_probabilities) {
    enum { N = 20000, VOCAB = 12 };
    static workplace w;
    workplace_open(&w);
    fill(&w, VOCAB, 3, 2, 0);
    tfm_generate_params p = all_tokens();
    p.temperature = 0.8;
    for (int banned = 0; banned < 2; banned++) {
        if (banned) p.top_k = 8, p.top_p = 0.95;
        cr_assert(tfm_sampler_filter(&w.sampler, &p, tfm_kernels_get(TFM_ISA_SCALAR), w.logits, VOCAB));
        size_t counts[VOCAB] = {0};
        for (uint32_t i = 0; i < N; i++) counts[tfm_sampler_draw(&w.sampler, tfm_random(42, i / 100, i % 100))]++;
        double chi_square = 0;
        size_t total = 0;
        for (size_t i = 0; i < w.sampler.n; i++) {
            double expected = N * (double)w.sampler.p[i] / w.sampler.total;
            double count = (double)counts[w.sampler.ids[i]];
            cr_assert(expected > 5, "too rare a token for this test");
            chi_square += (count - expected) * (count - expected) / expected;
            total += counts[w.sampler.ids[i]];
        }
        cr_assert(total == N, "tokens that are filtered out were drawn");
        cr_assert(chi_square < 31.3, "%g; one in a thousand is above 31.3 (11 degrees of freedom)", chi_square);
    }
    workplace_close(&w);
}

Test(sampling, the_same_bits_on_every_instruction_set) {
    static workplace w, other;
    workplace_open(&w);
    workplace_open(&other);
    for (uint64_t seed = 1; seed <= 60; seed++) {
        uint64_t r = seed;
        tfm_generate_params p = all_tokens();
        size_t vocab = seed % 2 ? MAX_VOCAB : 1 + tiny_random(&r) % 700;
        fill(&w, vocab, seed, 1 + (double)(seed % 13), 0);
        p.temperature = 0.3 + (double)(seed % 5);
        if (seed % 3 == 0) p.top_k = (uint32_t)(1 + seed % 90);
        if (seed % 4 == 0) p.top_p = 0.8;
        if (seed % 5 == 0) p.min_p = 0.02;
        if (seed % 7 == 0) p.typical_p = 0.6;
        cr_assert(tfm_sampler_filter(&w.sampler, &p, tfm_kernels_get(TFM_ISA_SCALAR), w.logits, vocab));
        for (tfm_isa isa = TFM_ISA_SCALAR + 1; isa < TFM_ISA_COUNT; isa++) {
            if (!tfm_isa_usable(isa)) continue;
            cr_assert(tfm_sampler_filter(&other.sampler, &p, tfm_kernels_get(isa), w.logits, vocab));
            size_t n = w.sampler.n;
            cr_assert(other.sampler.n == n && other.sampler.total == w.sampler.total, "%s, seed %llu",
                      tfm_isa_name(isa), (unsigned long long)seed);
            cr_assert(!memcmp(other.sampler.p, w.sampler.p, n * sizeof(float)));
            cr_assert(!memcmp(other.sampler.ids, w.sampler.ids, n * sizeof(uint32_t)));
            for (uint32_t i = 0; i < 20; i++) {
                double random = tfm_random(seed, 0, i);
                cr_assert(tfm_sampler_draw(&other.sampler, random) == tfm_sampler_draw(&w.sampler, random));
            }
        }
    }
    workplace_close(&w);
    workplace_close(&other);
}
