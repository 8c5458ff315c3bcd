/* spm_test.c - the rules of segmentation and decoding, each on a model of a few pieces. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/runtime/tokenizer/tiny_spm.h"
#include "tests/runtime/tokenizer/tokenizers.h"

/* Suites by the file of runtime/tokenizer they are about. */
TestSuite(spm_unigram, .fini = remove_scratch, .timeout = 300);
TestSuite(spm_emit, .fini = remove_scratch, .timeout = 300);
TestSuite(spm_normalizer, .fini = remove_scratch, .timeout = 300);
TestSuite(spm_decode, .fini = remove_scratch, .timeout = 300);
TestSuite(spm_bpe, .fini = remove_scratch, .timeout = 300);
TestSuite(spm_encode, .fini = remove_scratch, .timeout = 300);
TestSuite(spm_open, .fini = remove_scratch, .timeout = 300);

#define SPACE "\xE2\x96\x81"
#define END (-1)

static packed make(const tiny_options *options, const tiny_piece *pieces) {
    size_t n;
    unsigned char *data = tiny_spm_model(options, pieces, &n);
    packed p;
    tfm_error error = {0};
    cr_assert_eq(pack_bytes(data, n, &p, &error), TFM_OK, "%s", error.message);
    free(data);
    return p;
}

static json_t *list(va_list arguments) {
    json_t *ids = json_array();
    for (int id; (id = va_arg(arguments, int)) != END;) json_array_append_new(ids, json_integer(id));
    return ids;
}

/* Expects that n bytes have these ids, up to END. */
static void encodes_bytes(const tfm_tokenizer *t, const char *text, size_t n, ...) {
    va_list arguments;
    va_start(arguments, n);
    json_t *ids = list(arguments);
    va_end(arguments);
    expect_ids(t, text, n, false, ids, text, 0);
    json_decref(ids);
}
#define ENCODES(t, text, ...) encodes_bytes(t, text, sizeof(text) - 1, __VA_ARGS__, END)

/* Expects the text of these ids. */
static void decodes_ids(const tfm_tokenizer *t, bool skip_special, const char *text, ...) {
    va_list arguments;
    va_start(arguments, text);
    json_t *ids = list(arguments);
    va_end(arguments);
    expect_text(t, ids, skip_special, text, strlen(text), text, 0);
    json_decref(ids);
}
#define DECODES(t, text, ...) decodes_ids(t, false, text, __VA_ARGS__, END)

/* 3 a, 4 b, 5 ab, 6 space, 7 abab */
static const tiny_piece ab[] = {{"a", -1, 0},   {"b", -1, 0},       {"ab", -2, 0},
                                {SPACE, -3, 0}, {"abab", -4.5f, 0}, {NULL, 0, 0}};

Test(spm_unigram, unigram_takes_the_best_and_keeps_the_first_of_equals) {
    tiny_options options = {0};
    packed p = make(&options, ab);
    ENCODES(p.source, "a", 6, 3);
    ENCODES(p.source, "ab", 6, 5);      /* -2 either way: the piece found first, from the left */
    ENCODES(p.source, "abab", 6, 5, 5); /* -4 beats -4.5 */
    ENCODES(p.source, "ba", 6, 4, 3);
    encodes_bytes(p.source, "", 0, END);
    encodes_bytes(p.source, "   ", 3, END); /* spaces alone vanish */
    packed_close(&p);
}

Test(spm_emit, unknown_characters_in_a_row_are_one_id) {
    tiny_options options = {0};
    packed p = make(&options, ab);
    ENCODES(p.source, "axyzb", 6, 3, 0, 4);
    ENCODES(p.source, "\xE6\x97\xA5\xE6\x9C\xAC", 6, 0);
    ENCODES(p.source, "x y", 6, 0, 6, 0);
    ENCODES(p.source, "<s>", 6, 0);        /* control pieces are not for text to name */
    ENCODES(p.source, "a\0b", 6, 3, 0, 4); /* a NUL is a character like others */
    packed_close(&p);
}

Test(spm_normalizer, invalid_bytes_become_replacement_characters) {
    static const tiny_piece pieces[] = {
        {"a", -1, 0}, {SPACE, -1, 0}, {"\xEF\xBF\xBD", -1, 0}, {"\xC3\xA9", -1, 0}, {NULL, 0, 0}};
    tiny_options options = {0};
    packed p = make(&options, pieces);
    ENCODES(p.source, "\xC3\xA9", 4, 6);
    ENCODES(p.source,
            "a\x80"
            "a",
            4, 3, 5, 3);
    ENCODES(p.source, "\xC3", 4, 5);
    ENCODES(p.source, "\xC0\x80", 4, 5, 5);               /* longer than needed */
    ENCODES(p.source, "\xED\xA0\x80", 4, 5, 5, 5);        /* a surrogate */
    ENCODES(p.source, "\xF4\x90\x80\x80", 4, 5, 5, 5, 5); /* beyond U+10FFFF */
    ENCODES(p.source,
            "\xE2\x82"
            "a",
            4, 5, 5, 3); /* cut off */
    packed_close(&p);
}

Test(spm_emit, bytes_stand_for_unknown_characters) {
    tiny_options options = {.byte_fallback = true};
    packed p = make(&options, ab);
    int first = TINY_FIRST_AFTER_BYTES;
    ENCODES(p.source, "a\xC3\xA9", first + 3, first, TINY_FIRST + 0xC3, TINY_FIRST + 0xA9);
    ENCODES(p.source, "\xFF", first + 3, TINY_FIRST + 0xEF, TINY_FIRST + 0xBF, TINY_FIRST + 0xBD);
    DECODES(p.source,
            "a\xC3\xA9"
            "b",
            first + 3, first, TINY_FIRST + 0xC3, TINY_FIRST + 0xA9, first + 1);
    DECODES(p.source,
            "\xEF\xBF\xBD"
            "a\xEF\xBF\xBD\xEF\xBF\xBD",
            TINY_FIRST + 0xC3, first, TINY_FIRST + 0xA9, TINY_FIRST + 0x80);
    packed_close(&p);
}

Test(spm_normalizer, user_defined_symbols_are_kept_whole) {
    static const tiny_piece pieces[] = {{"a", -1, 0}, {SPACE, -1, 0}, {"<x>", 0, 4}, {"<x>a", -0.5f, 0},
                                        {"A", -1, 0}, {"AB", 0, 4},   {"b", -1, 0},  {NULL, 0, 0}};
    static const tiny_rule rules[] = {{"A", "a"}, {"B", "b"}, {NULL, NULL}};
    tiny_options options = {.rules = rules};
    packed p = make(&options, pieces);
    ENCODES(p.source, "A", 4, 3);      /* the rule */
    ENCODES(p.source, "AAB", 4, 3, 8); /* the symbol comes before the rule */
    ENCODES(p.source, "a<x>b", 4, 3, 5, 9);
    packed_close(&p);
}

/* A symbol of n bytes scores n times the best score, which is taken to be at least the smallest float, less 0.1. */
Test(spm_unigram, user_defined_symbols_compete_by_score) {
    static const tiny_piece close[] = {{"ab", 0, 4},      {"c", -0.375f, 0}, {"abc", -0.5f, 0}, {"d", -0.4375f, 0},
                                       {"abd", -0.5f, 0}, {SPACE, -1, 0},    {NULL, 0, 0}};
    static const tiny_piece positive[] = {{"ab", 0, 4},       {"abc", 4, 0},  {"c", 0.25f, 0},
                                          {"abcc", 8.25f, 0}, {SPACE, -1, 0}, {NULL, 0, 0}};
    tiny_options options = {0};
    packed p = make(&options, close);
    ENCODES(p.source, "abc", 8, 3, 4); /* -0.1 - 0.375 beats -0.5 */
    ENCODES(p.source, "abd", 8, 7);    /* -0.1 - 0.4375 does not */
    packed_close(&p);
    p = make(&options, positive);
    ENCODES(p.source, "abc", 7, 3, 5);     /* 2 * 8.25 - 0.1 + 0.25 against 4 */
    ENCODES(p.source, "abcc", 7, 3, 5, 5); /* and against 8.25 */
    packed_close(&p);
}

Test(spm_normalizer, the_longest_rule_wins) {
    static const tiny_piece pieces[] = {{"a", -1, 0}, {"b", -1, 0}, {"c", -1, 0}, {SPACE, -1, 0}, {NULL, 0, 0}};
    static const tiny_rule rules[] = {{"x", "a"},  {"xy", "b"},    {"xyz", "cc"}, {"-", ""},
                                      {"\t", " "}, {"_", "  a  "}, {NULL, NULL}};
    tiny_options options = {.rules = rules};
    packed p = make(&options, pieces);
    ENCODES(p.source, "x", 6, 3);
    ENCODES(p.source, "xx", 6, 3, 3);
    ENCODES(p.source, "xyx", 6, 4, 3);
    ENCODES(p.source, "xyzxy", 6, 5, 5, 4);
    ENCODES(p.source, "a-b", 6, 3, 4);
    ENCODES(p.source, "\t a\t \tb \t", 6, 3, 6, 4);
    ENCODES(p.source, "b_b", 6, 4, 6, 6, 3, 6, 6, 4); /* spaces inside a replacement stay, unless one went before */
    ENCODES(p.source, "b _b", 6, 4, 6, 3, 6, 6, 4);
    encodes_bytes(p.source, "-", 1, END); /* the dummy prefix alone goes as a trailing space */
    packed_close(&p);
}

Test(spm_normalizer, white_space_options) {
    tiny_options keep = {.keep_spaces = true}, bare = {.no_dummy_prefix = true}, suffix = {.as_suffix = true};
    packed p = make(&keep, ab);
    ENCODES(p.source, " a  b ", 6, 6, 3, 6, 6, 4, 6);
    DECODES(p.source, "  a", 6, 6, 6, 3); /* one leading space is the dummy prefix */
    packed_close(&p);
    p = make(&bare, ab);
    ENCODES(p.source, " a  b ", 3, 6, 4);
    packed_close(&p);
    p = make(&suffix, ab);
    ENCODES(p.source, " a  b ", 3, 6, 4, 6);
    packed_close(&p);
    static const tiny_piece with_space[] = {{"a", -1, 0}, {" ", -1, 0}, {NULL, 0, 0}};
    tiny_options no_escape = {.no_escape = true};
    p = make(&no_escape, with_space);
    ENCODES(p.source, "  a  a ", 4, 3, 4, 3);
    packed_close(&p);
}

Test(spm_decode, decoding) {
    tiny_options options = {.unknown_surface = "??"};
    packed p = make(&options, ab);
    DECODES(p.source, "ab ab", 6, 5, 6, 5);
    DECODES(p.source, "a", 6, 6, 1, 6, 3, 2); /* every leading space goes, control pieces are nothing */
    DECODES(p.source, "?? a", 0, 6, 3);
    decodes_ids(p.source, true, "", END);
    tfm_text text = {0};
    tfm_error error = {0};
    int32_t outside[] = {3, 8}, negative[] = {-1};
    cr_expect_eq(tfm_tokenizer_decode(p.source, outside, 2, true, &text, &error), TFM_ERROR_ARGUMENT);
    cr_expect_eq(tfm_tokenizer_decode(p.source, negative, 1, true, &text, &error), TFM_ERROR_ARGUMENT);
    cr_expect_eq(text.size, 0);
    size_t n;
    const char *piece = tfm_tokenizer_piece(p.source, 5, &n);
    cr_assert_not_null(piece);
    cr_expect(n == 2 && memcmp(piece, "ab", 2) == 0);
    cr_expect_null(tfm_tokenizer_piece(p.source, 8, &n));
    tfm_text_free(&text);
    packed_close(&p);
}

Test(spm_decode, denormalizer_rewrites_decoded_text) {
    static const tiny_rule rules[] = {{"ab", "[\xC3\xA9]"}, {NULL, NULL}};
    tiny_options options = {.denormalizer_rules = rules};
    packed p = make(&options, ab);
    DECODES(p.source, "a [\xC3\xA9] b", 6, 3, 6, 3, 4, 6, 4);
    packed_close(&p);
}

/* 3 a, 4 b, 5 c, 6 ab, 7 bc, 8 abc (unused), 9 space */
Test(spm_bpe, byte_pairs_merge_the_best_score_first_then_the_leftmost) {
    static const tiny_piece pieces[] = {{"a", -9, 0},   {"b", -9, 0},   {"c", -9, 0},  {"ab", -2, 0}, {"bc", -1, 0},
                                        {"abc", -3, 5}, {SPACE, -9, 0}, {"aa", -1, 0}, {NULL, 0, 0}};
    tiny_options options = {.bpe = true};
    packed p = make(&options, pieces);
    ENCODES(p.source, "ab", 9, 6);
    ENCODES(p.source, "abb", 9, 6, 4);
    ENCODES(p.source, "abc", 9, 3, 7);  /* bc first; a + bc = abc is unused and comes apart the same way */
    ENCODES(p.source, "aaa", 9, 10, 3); /* leftmost of equals */
    ENCODES(p.source, "aaaa", 9, 10, 10);
    ENCODES(p.source, "abxyab", 9, 6, 0, 6);
    packed_close(&p);
}

Test(spm_bpe, byte_pairs_never_merge_user_defined_symbols) {
    static const tiny_piece pieces[] = {{"a", -9, 0}, {SPACE, -9, 0}, {"x", 0, 4}, {"ax", -1, 0}, {NULL, 0, 0}};
    tiny_options options = {.bpe = true};
    packed p = make(&options, pieces);
    ENCODES(p.source, "axa", 4, 3, 5, 3);
    packed_close(&p);
}

/* ---- against the plainest possible algorithms ---- */

static const tiny_piece random_pieces[] = {
    {"a", -3, 0},      {"b", -3.5f, 0}, {"c", -4, 0},     {SPACE, -2, 0},  {"ab", -4.5f, 0},   {"bc", -4.25f, 0},
    {"ca", -5, 0},     {"abc", -6, 0},  {"aa", -5, 0},    {"aaaa", -7, 0}, {SPACE "a", -3, 0}, {SPACE "ab", -4, 0},
    {"bca", -6.5f, 0}, {"cab", -6, 0},  {"ba", -5.5f, 0}, {"bb", -6, 0},   {"abcabc", -8, 0},  {NULL, 0, 0}};

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* A normalised text of letters and single spaces, in `normal`, and as it is given to the tokenizer, in `raw`. */
static void random_text(uint32_t *state, char *raw, char *normal) {
    size_t n = 1 + next_random(state) % 40, n_raw = 0;
    strcpy(normal, SPACE);
    for (size_t i = 0; i < n; i++) {
        char c = "aabbcd "[next_random(state) % 7];
        if (c == ' ' && (n_raw == 0 || raw[n_raw - 1] == ' ' || i + 1 == n)) c = 'a';
        raw[n_raw++] = c;
        raw[n_raw] = 0;
        strcat(normal, c == ' ' ? SPACE : (char[2]){c, 0});
    }
}

static int piece_at(const char *text, size_t n) {
    for (int i = 0; random_pieces[i].text != NULL; i++) {
        if (strlen(random_pieces[i].text) == n && memcmp(random_pieces[i].text, text, n) == 0) return i;
    }
    return -1;
}

static void append(json_t *ids, int id) {
    size_t n = json_array_size(ids);
    bool again = id == 0 && n > 0 && json_integer_value(json_array_get(ids, n - 1)) == 0;
    if (!again) json_array_append_new(ids, json_integer(id));
}

static size_t step_of(const char *text) { return (unsigned char)*text == 0xE2 ? 3 : 1; }

static json_t *slow_unigram(const char *text) {
    size_t n = strlen(text), from[256];
    float best[256];
    int last[256];
    for (size_t i = 0; i <= n; i++) last[i] = -2;
    best[0] = 0;
    for (size_t at = 0; at < n; at += step_of(text + at)) {
        bool single = false;
        for (size_t end = at + 1; end <= n; end++) {
            int piece = piece_at(text + at, end - at);
            if (piece < 0) continue;
            single |= end - at == step_of(text + at);
            float score = random_pieces[piece].score + best[at];
            if (last[end] == -2 || score > best[end]) {
                best[end] = score;
                last[end] = piece;
                from[end] = at;
            }
        }
        size_t end = at + step_of(text + at);
        if (!single && (last[end] == -2 || best[at] - 18.0f > best[end])) {
            best[end] = best[at] - 18.0f; /* the lowest score less 10 */
            last[end] = -1;
            from[end] = at;
        }
    }
    int pieces[256];
    size_t n_pieces = 0;
    for (size_t at = n; at > 0; at = from[at]) pieces[n_pieces++] = last[at];
    json_t *ids = json_array();
    while (n_pieces-- > 0) append(ids, pieces[n_pieces] < 0 ? 0 : pieces[n_pieces] + TINY_FIRST);
    return ids;
}

static json_t *slow_bpe(const char *text) {
    size_t starts[257], n = 0;
    for (size_t at = 0; text[at] != 0; at += step_of(text + at)) starts[n++] = at;
    starts[n] = strlen(text);
    for (;;) {
        size_t best = n;
        float score = -1e9f;
        for (size_t i = 0; i + 1 < n; i++) {
            int piece = piece_at(text + starts[i], starts[i + 2] - starts[i]);
            if (piece < 0 || random_pieces[piece].score <= score) continue;
            best = i;
            score = random_pieces[piece].score;
        }
        if (best == n) break;
        memmove(&starts[best + 1], &starts[best + 2], (n - best - 1) * sizeof starts[0]);
        n--;
    }
    json_t *ids = json_array();
    for (size_t i = 0; i < n; i++) {
        int piece = piece_at(text + starts[i], starts[i + 1] - starts[i]);
        append(ids, piece < 0 ? 0 : piece + TINY_FIRST);
    }
    return ids;
}

static void compare_with(bool bpe) {
    tiny_options options = {.bpe = bpe};
    packed p = make(&options, random_pieces);
    uint32_t state = 20240611;
    for (size_t i = 0; i < 3000; i++) {
        char raw[64], normal[256];
        random_text(&state, raw, normal);
        json_t *ids = bpe ? slow_bpe(normal) : slow_unigram(normal);
        expect_ids(p.source, raw, strlen(raw), false, ids, "seed 20240611, text", i);
        json_decref(ids);
    }
    packed_close(&p);
}

Test(spm_unigram, unigram_equals_plain_dynamic_programming) { compare_with(false); }

Test(spm_bpe, byte_pairs_equal_plain_merging) { compare_with(true); }

/* ---- size, threads, repetition ---- */

Test(spm_encode, long_texts_take_linear_time) {
    static const tiny_piece pieces[] = {{"a", -1, 0}, {"aa", -1, 0}, {SPACE, -1, 0}, {NULL, 0, 0}};
    size_t n = 1 << 20;
    char *text = malloc(n);
    cr_assert_not_null(text);
    memset(text, 'a', n);
    for (int bpe = 0; bpe < 2; bpe++) {
        tiny_options options = {.bpe = bpe == 1};
        packed p = make(&options, pieces);
        tfm_ids ids = {0};
        tfm_text back = {0};
        cr_assert_eq(tfm_tokenizer_encode(p.source, text, n, false, &ids, NULL), TFM_OK);
        cr_expect_eq(ids.size, 1 + n / 2);
        cr_assert_eq(tfm_tokenizer_decode(p.source, ids.data, ids.size, false, &back, NULL), TFM_OK);
        cr_expect(back.size == n && memcmp(back.data, text, n) == 0);
        tfm_ids_free(&ids);
        tfm_text_free(&back);
        packed_close(&p);
    }
    free(text);
}

static void *encode_often(void *tokenizer) {
    size_t wrong = 0;
    for (int i = 0; i < 2000; i++) {
        tfm_ids ids = {0};
        if (tfm_tokenizer_encode(tokenizer, "abab x ab", 9, false, &ids, NULL) != TFM_OK || ids.size != 7) wrong++;
        tfm_ids_free(&ids);
    }
    return (void *)wrong;
}

Test(spm_encode, one_tokenizer_serves_several_threads) {
    tiny_options options = {0};
    packed p = make(&options, ab);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) cr_assert_eq(pthread_create(&threads[i], NULL, encode_often, p.source), 0);
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        cr_expect_null(wrong);
    }
    packed_close(&p);
}

Test(spm_open, the_same_file_gives_the_same_bytes) {
    static const tiny_rule rules[] = {{"x", "a"}, {"xy", "b"}, {NULL, NULL}};
    tiny_options options = {.rules = rules};
    packed p = make(&options, random_pieces);
    packed_close(&p);
    size_t n_first, n_second;
    char *first = read_bytes(scratch_file("tokenizer.bin"), &n_first);
    p = make(&options, random_pieces);
    packed_close(&p);
    char *second = read_bytes(scratch_file("tokenizer.bin"), &n_second);
    cr_expect(n_first == n_second && memcmp(first, second, n_first) == 0);
    free(first);
    free(second);
}
