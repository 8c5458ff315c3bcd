/* metrics_test.c - BLEU and chrF on cases worked out by hand, and the text handling below them. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/eval/bleu.h"
#include "tools/eval/chrf.h"
#include "tools/eval/ngrams.h"

static tfm_slice slice(const char *text) { return (tfm_slice){text, strlen(text)}; }

static void assert_near(double got, double expected) {
    cr_assert(fabs(got - expected) <= 1e-12 * fabs(expected), "%.17g, expected %.17g", got, expected);
}

/* ---- n-grams ---- */

/* Counting one by one, without sorting. */
static uint64_t slow_match(const uint32_t *h, size_t n_h, const uint32_t *r, size_t n_r, unsigned order) {
    uint64_t matches = 0;
    for (size_t i = 0; i + order <= n_h; i++) {
        bool seen = false;
        for (size_t j = 0; j < i; j++) seen = seen || memcmp(h + i, h + j, order * sizeof *h) == 0;
        if (seen) continue;
        uint64_t in_h = 0, in_r = 0;
        for (size_t j = 0; j + order <= n_h; j++) in_h += memcmp(h + i, h + j, order * sizeof *h) == 0;
        for (size_t j = 0; j + order <= n_r; j++) in_r += memcmp(h + i, r + j, order * sizeof *h) == 0;
        matches += in_h < in_r ? in_h : in_r;
    }
    return matches;
}

Test(ngrams, equal_counting_one_by_one) {
    unsigned seed = 20260101;
    cr_log_info("seed %u", seed);
    for (int round = 0; round < 300; round++) {
        uint32_t h[24], r[24];
        size_t n_h = (size_t)rand_r(&seed) % 25, n_r = (size_t)rand_r(&seed) % 25;
        unsigned letters = 1 + (unsigned)rand_r(&seed) % 4;
        for (size_t i = 0; i < n_h; i++) h[i] = (uint32_t)rand_r(&seed) % letters;
        for (size_t i = 0; i < n_r; i++) r[i] = (uint32_t)rand_r(&seed) % letters;
        tfm_ngrams x, y;
        cr_assert(tfm_ngrams_make(&x, h, n_h, 6));
        cr_assert(tfm_ngrams_make(&y, r, n_r, 6));
        for (unsigned order = 1; order <= 6; order++) {
            cr_assert_eq(tfm_ngrams_count(&x, order), n_h < order ? 0 : n_h - order + 1);
            cr_assert_eq(tfm_ngrams_match(&x, &y, 1, order), slow_match(h, n_h, r, n_r, order), "round %d order %u",
                         round, order);
        }
        tfm_ngrams_free(&x);
        tfm_ngrams_free(&y);
    }
}

/* ---- text ---- */

Test(sentence, white_space_is_that_of_python) {
    static const uint32_t spaces[] = {9,      10,     11,     12,     13,     28,     29,     30,     31,     32,
                                      0x85,   0xA0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006,
                                      0x2007, 0x2008, 0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
    size_t next = 0;
    for (uint32_t code = 0; code < 0x110000; code++) {
        bool expected = next < sizeof spaces / sizeof *spaces && spaces[next] == code;
        next += expected;
        cr_assert_eq(tfm_is_space(code), expected, "U+%04X", code);
    }
    cr_assert_eq(next, 29);
}

Test(sentence, splits_words_and_punctuation) {
    tfm_words words = {0};
    cr_assert(tfm_words_split(&words, slice(" (hi) \xC2\xA0\"a\xE3\x80\x80! x, ...  \xC3\xA9 \xC3\xA9.")));
    cr_assert(tfm_words_split_punctuation(&words));
    static const char *const expected[] = {"(hi", ")",  "\"", "a",        "!",        "x",
                                           ",",   "..", ".",  "\xC3\xA9", "\xC3\xA9", "."};
    cr_assert_eq(words.n, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < words.n; i++)
        cr_assert(words.items[i].n == strlen(expected[i]) &&
                      memcmp(words.items[i].data, expected[i], words.items[i].n) == 0,
                  "word %zu is %.*s", i, (int)words.items[i].n, words.items[i].data);
    cr_assert(tfm_words_number(&words, 1));
    cr_assert_eq(words.numbers[8], words.numbers[11]);
    cr_assert_eq(words.numbers[9], words.numbers[10]);
    cr_assert_neq(words.numbers[0], words.numbers[1]);
    tfm_words_free(&words);
}

/* Words of the tokenized text, with one space between. */
static void assert_tokens(tfm_bleu_tokenizer_kind kind, bool lowercase, const char *text, const char *expected) {
    tfm_error error = {0};
    tfm_bleu_tokenizer *tokenizer;
    cr_assert_eq(tfm_bleu_tokenizer_create(&tokenizer, kind, lowercase, &error), TFM_OK, "%s", error.message);
    tfm_text result = {0};
    cr_assert_eq(tfm_bleu_tokenizer_run(tokenizer, slice(text), &result, &error), TFM_OK, "%s", error.message);
    tfm_words words = {0};
    cr_assert(tfm_words_split(&words, (tfm_slice){result.data ? result.data : "", result.size}));
    char joined[512] = "";
    for (size_t i = 0; i < words.n; i++) {
        if (i > 0) strcat(joined, " ");
        strncat(joined, words.items[i].data, words.items[i].n);
    }
    cr_assert_str_eq(joined, expected, "'%s' became '%s', expected '%s'", text, joined, expected);
    tfm_words_free(&words);
    tfm_text_free(&result);
    tfm_bleu_tokenizer_free(&tokenizer);
}

Test(sentence, tokenizes_as_mteval_13a) {
    static const char *const cases[][2] = {
        {"", ""},
        {"   ", ""},
        {"1,000.5", "1,000.5"},
        {"1,000.", "1,000 ."},
        {".5 5.", ". 5 5 ."},
        {"a.b", "a . b"},
        {"a,5", "a , 5"},
        {"$5", "$ 5"},
        {"a-b", "a-b"},
        {"3-4", "3 - 4"},
        {"3--4", "3 - -4"},
        {"don't", "don't"},
        {"x...", "x . . ."},
        {",,,", ", , ,"},
        {"&quot;Hi&quot;", "\" Hi \""},
        {"&amp;lt;b&gt;", "< b >"}, /* &amp; first, so that it makes another entity */
        {"&LT;", "& LT ;"},
        {"a<skipped>b", "ab"},
        {"[a]{b}~`^_|\\/@#%*+=!?:;()", "[ a ] { b } ~ ` ^ _ | \\ / @ # % * + = ! ? : ; ( )"},
        {"\xE2\x82\xAC"
         "5 \xC2\xAB"
         "a\xC2\xBB.",
         "\xE2\x82\xAC"
         "5 \xC2\xAB"
         "a\xC2\xBB ."},
        {"\xE4\xBD\xA0,5 5,\xE4\xBD\xA0", "\xE4\xBD\xA0 , 5 5 , \xE4\xBD\xA0"},
        {"tail \xC2\xA0\r", "tail"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_tokens(TFM_TOKENIZE_13A, false, cases[i][0], cases[i][1]);
    assert_tokens(TFM_TOKENIZE_13A, true, "A &QUOT;B&QUOT;", "a \" b \"");
}

Test(sentence, tokenizes_otherwise) {
    assert_tokens(TFM_TOKENIZE_NONE, false, " a,b  &quot; ", "a,b &quot;");
    assert_tokens(TFM_TOKENIZE_CHAR, false, "ab \xC3\xA9.", "a b \xC3\xA9 .");
    /* mteval-v14 leaves a period after a number at the end of the sentence */
    assert_tokens(TFM_TOKENIZE_INTL, false, "in 2016.", "in 2016.");
    assert_tokens(TFM_TOKENIZE_INTL, false, "1,000.5 don't a-b x.", "1,000.5 don ' t a - b x .");
    assert_tokens(TFM_TOKENIZE_INTL, false,
                  "\xE2\x82\xAC"
                  "5 \xC2\xAB"
                  "a\xC2\xBB\xE3\x80\x82",
                  "\xE2\x82\xAC 5 \xC2\xAB a \xC2\xBB \xE3\x80\x82");
}

Test(sentence, lower_case_is_that_of_python) {
    static const char *const cases[][2] = {
        {"ABC \xC3\x84\xC3\x96\xC3\x9C \xE1\xBA\x9E", "abc \xC3\xA4\xC3\xB6\xC3\xBC \xC3\x9F"},
        {"\xC4\xB0x", "i\xCC\x87x"}, /* dotted capital I */
        {"\xCE\xA3 \xCE\x91\xCE\xA3 \xCE\x91\xCE\xA3\xCE\x91", "\xCF\x83 \xCE\xB1\xCF\x82 \xCE\xB1\xCF\x83\xCE\xB1"},
        {"\xCE\x91\xCE\xA3. \xCE\x91\xCE\xA3'\xCE\x91", "\xCE\xB1\xCF\x82. \xCE\xB1\xCF\x83'\xCE\xB1"},
        {"\xCE\x91\xCE\xA3\xCE\xA3", "\xCE\xB1\xCF\x83\xCF\x82"},
        {"\xC7\x85", "\xC7\x86"}, /* title case */
    };
    tfm_error error = {0};
    tfm_lowercase *lowercase;
    cr_assert_eq(tfm_lowercase_create(&lowercase, &error), TFM_OK, "%s", error.message);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tfm_text result = {0};
        cr_assert_eq(tfm_lowercase_run(lowercase, slice(cases[i][0]), &result, &error), TFM_OK, "%s", error.message);
        cr_assert(result.size == strlen(cases[i][1]) && memcmp(result.data, cases[i][1], result.size) == 0,
                  "'%s' became '%.*s'", cases[i][0], (int)result.size, result.data);
        tfm_text_free(&result);
    }
    tfm_lowercase_free(&lowercase);
}

/* ---- BLEU ---- */

static tfm_bleu_stats count(const char *hypothesis, const char *const *references, size_t n) {
    tfm_slice slices[4];
    for (size_t i = 0; i < n; i++) slices[i] = slice(references[i]);
    tfm_bleu_stats stats = {0};
    cr_assert(tfm_bleu_add(&stats, slice(hypothesis), slices, n));
    return stats;
}

static void assert_counts(const uint64_t *got, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    cr_assert(got[0] == a && got[1] == b && got[2] == c && got[3] == d, "%lu %lu %lu %lu", got[0], got[1], got[2],
              got[3]);
}

Test(bleu, counts_and_smooths) {
    tfm_bleu_stats s = count("the cat sat on the mat", (const char *[]){"the cat is on the mat"}, 1);
    assert_counts(s.correct, 5, 3, 1, 0);
    assert_counts(s.total, 6, 5, 4, 3);
    tfm_bleu_score score = tfm_bleu_compute(&s, TFM_SMOOTH_EXP, 0);
    assert_near(score.precisions[3], 100.0 / 6);
    assert_near(score.score, 100 * pow(5.0 / 6 * 3 / 5 * 1 / 4 * 1 / 6, 0.25));
    assert_near(score.brevity_penalty, 1);
    assert_near(tfm_bleu_compute(&s, TFM_SMOOTH_FLOOR, 0.1).score, 100 * pow(5.0 / 6 * 3 / 5 * 1 / 4 * 0.1 / 3, 0.25));
    assert_near(tfm_bleu_compute(&s, TFM_SMOOTH_ADD_K, 1).score, 100 * pow(5.0 / 6 * 4 / 6 * 2 / 5 * 1 / 4, 0.25));
    cr_assert_eq(tfm_bleu_compute(&s, TFM_SMOOTH_NONE, 0).score, 0);
}

Test(bleu, every_zero_order_halves_again) {
    tfm_bleu_stats s = count("a b c d e", (const char *[]){"a x b y c"}, 1);
    assert_counts(s.correct, 3, 0, 0, 0);
    tfm_bleu_score score = tfm_bleu_compute(&s, TFM_SMOOTH_EXP, 0);
    assert_near(score.score, 100 * pow(3.0 / 5 * 1 / (2 * 4) * 1 / (4 * 3) * 1 / (8 * 2), 0.25));
}

Test(bleu, clips_by_the_reference_that_has_most) {
    tfm_bleu_stats s =
        count("the the the the the the the", (const char *[]){"the cat is on the mat", "there is a cat on the mat"}, 2);
    assert_counts(s.correct, 2, 0, 0, 0);
    assert_counts(s.total, 7, 6, 5, 4);
    cr_assert_eq(s.ref_len, 7);
    s = count("a a b b", (const char *[]){"a a x", "b b y", "a b z"}, 3);
    assert_counts(s.correct, 4, 3, 0, 0); /* a a, a b, b b: each in another reference */
}

Test(bleu, takes_the_closest_reference_length) {
    cr_assert_eq(count("1 2 3 4", (const char *[]){"1 2 3 4 5 6", "1 2 3"}, 2).ref_len, 3);
    cr_assert_eq(count("1 2 3 4", (const char *[]){"1 2 3 4 5", "1 2 3"}, 2).ref_len, 3); /* the shorter of a tie */
    cr_assert_eq(count("1 2 3 4", (const char *[]){"1 2 3", "1 2 3 4 5"}, 2).ref_len, 3);
    cr_assert_eq(count("", (const char *[]){"1 2 3", ""}, 2).ref_len, 0);
}

Test(bleu, brevity) {
    tfm_bleu_stats s = count("a b c d", (const char *[]){"a b c d e f"}, 1);
    tfm_bleu_score score = tfm_bleu_compute(&s, TFM_SMOOTH_EXP, 0);
    assert_near(score.brevity_penalty, exp(1 - 6.0 / 4));
    assert_near(score.score, 100 * exp(-0.5));
    assert_near(score.ratio, 4.0 / 6);
}

Test(bleu, empty_and_short_hypotheses) {
    tfm_bleu_stats s = count("", (const char *[]){"a b"}, 1);
    tfm_bleu_score score = tfm_bleu_compute(&s, TFM_SMOOTH_EXP, 0);
    cr_assert(score.score == 0 && score.brevity_penalty == 0);
    /* no 4-grams at all: zero, whatever the smoothing */
    s = count("a b c", (const char *[]){"a b c"}, 1);
    cr_assert_eq(tfm_bleu_compute(&s, TFM_SMOOTH_EXP, 0).score, 0);
    cr_assert_eq(tfm_bleu_compute(&s, TFM_SMOOTH_FLOOR, 0.1).score, 0);
    /* an empty one among others counts for length only */
    tfm_slice reference = slice("a b c d");
    cr_assert(tfm_bleu_add(&s, slice("a b c d"), &reference, 1));
    cr_assert(tfm_bleu_add(&s, slice(""), &reference, 1));
    cr_assert_eq(s.ref_len, 11);
    assert_counts(s.correct, 7, 5, 3, 1);
    assert_near(tfm_bleu_compute(&s, TFM_SMOOTH_EXP, 0).score, 100 * exp(1 - 11.0 / 7));
    /* nothing in common: zero */
    s = count("a b c d", (const char *[]){"e f g h"}, 1);
    cr_assert_eq(tfm_bleu_compute(&s, TFM_SMOOTH_EXP, 0).score, 0);
}

/* ---- chrF ---- */

static const tfm_chrf_options chrf2 = {.char_order = 6, .beta = 2};

static double chrf(const tfm_chrf_options *options, const char *hypothesis, const char *const *references, size_t n) {
    tfm_slice slices[4];
    for (size_t i = 0; i < n; i++) slices[i] = slice(references[i]);
    tfm_chrf_stats stats = {0};
    cr_assert(tfm_chrf_add(&stats, options, slice(hypothesis), slices, n));
    return tfm_chrf_compute(&stats, options);
}

static double f(double precision, double recall, double beta) {
    return 100 * (1 + beta * beta) * precision * recall / (beta * beta * precision + recall);
}

Test(chrf, orders_that_occur_are_averaged) {
    /* 2 of 3 characters, 1 of 2 pairs, 0 of 1 triples, nothing longer */
    assert_near(chrf(&chrf2, "abc", (const char *[]){"abd"}, 1), 100 * (2.0 / 3 + 1.0 / 2) / 3);
    /* precision and recall differ: hypothesis 4 characters, reference 2 */
    assert_near(chrf(&chrf2, "abab", (const char *[]){"ab"}, 1), f((2.0 / 4 + 1.0 / 3) / 2, 1, 2));
    tfm_chrf_options beta1 = chrf2;
    beta1.beta = 1;
    assert_near(chrf(&beta1, "abab", (const char *[]){"ab"}, 1), f((2.0 / 4 + 1.0 / 3) / 2, 1, 1));
    cr_assert_eq(chrf(&chrf2, "", (const char *[]){"ab"}, 1), 0);
    cr_assert_eq(chrf(&chrf2, "xy", (const char *[]){"ab"}, 1), 0);
    assert_near(chrf(&chrf2, "\xF0\x9F\x98\x80\xC3\xA9", (const char *[]){"\xF0\x9F\x98\x80\xC3\xA9"}, 1), 100);
}

Test(chrf, white_space_counts_on_request) {
    assert_near(chrf(&chrf2, "a b", (const char *[]){"a\xC2\xA0 b"}, 1), 100);
    tfm_chrf_options spaces = chrf2;
    spaces.whitespace = true;
    /* "a b" against "ab": 2 of 3 and 2 of 2, 0 of 2 and 0 of 1; no triple in the reference */
    assert_near(chrf(&spaces, "a b", (const char *[]){"ab"}, 1), f((2.0 / 3) / 2, 1.0 / 2, 2));
}

Test(chrf, epsilon_averages_all_orders) {
    tfm_chrf_options eps = chrf2;
    eps.eps_smoothing = true;
    double expected = (100 * (2.0 / 3 + 1.0 / 2)) / 6;
    cr_assert_float_eq(chrf(&eps, "abc", (const char *[]){"abd"}, 1), expected, 1e-9);
}

Test(chrf, words_join_in) {
    tfm_chrf_options plus = chrf2;
    plus.char_order = 1;
    plus.word_order = 2;
    /* characters: 3 of 5; words "(hi" ")" "x" against "hi" ")" "yz": 1 of 3; pairs: 0 of 2 */
    assert_near(chrf(&plus, "(hi) x", (const char *[]){"hi) yz"}, 1),
                f((3.0 / 5 + 1.0 / 3 + 0) / 3, (3.0 / 5 + 1.0 / 3 + 0) / 3, 2));
}

Test(chrf, the_best_reference_counts) {
    double alone = chrf(&chrf2, "the cat", (const char *[]){"the car"}, 1);
    assert_near(chrf(&chrf2, "the cat", (const char *[]){"a dog", "the car", "xyz"}, 3), alone);
    assert_near(chrf(&chrf2, "the cat", (const char *[]){"", "the cat"}, 2), 100);
}
