/* regex_test.c - what tokenizers of strangers may cost: patterns, normalizers and added tokens, in counted work. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/require.h"
#include "tokenized.h"
#include "tools/pack/tokenizer/regex.h"

TestSuite(regex, .timeout = 120);

/* Translates a pattern n times for one tokenizer; *work: what was counted. */
static tfm_status translate(const char *pattern, unsigned times, uint64_t *work, tfm_error *error) {
    tfm_named_sets named = {0};
    tfm_status status = TFM_OK;
    for (unsigned i = 0; i < times && status == TFM_OK; i++) {
        tfm_regex regex;
        status = tfm_regex_translate(&regex, pattern, strlen(pattern), "t.json", &named, error);
        tfm_regex_free(&regex);
    }
    *work = named.work;
    tfm_named_sets_free(&named);
    return status;
}

/* A text so many times, in brackets if they are given. */
static char *repeat(const char *open, const char *text, unsigned times, const char *close) {
    char *all = calloc(1, strlen(open) + times * strlen(text) + strlen(close) + 1), *end = stpcpy(all, open);
    for (unsigned i = 0; i < times; i++) end = stpcpy(end, text);
    strcpy(end, close);
    return all;
}

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SPACES "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* 2 to 8 million of the 71 there are, o200k with its eight categories 16. */
Test(regex, published_patterns_are_far_below_the_limit) {
    static const char *const published[] = {
        /* GPT-2, RoBERTa, BART, OPT, Falcon */
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
        /* cl100k, Llama 3, SmolLM 3 */
        CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" SPACES,
        /* Qwen 2 and 3 */
        CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" SPACES,
        /* o200k */
        "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+" CONTRACTIONS "?"
        "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*" CONTRACTIONS "?"
        "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" SPACES,
        /* DeepSeek V3 */
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
        " ?[\\p{P}\\p{S}]+[\\r\\n]*" SPACES,
        /* BLOOM */
        " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"};
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        uint64_t work;
        tfm_error error = {0};
        cr_expect_eq(translate(published[i], 1, &work, &error), TFM_OK, "%s", error.message);
        cr_expect_lt(work, TFM_TOKENIZER_WORK / 4, "%s: %llu", published[i], (unsigned long long)work);
    }
}

/* What took seconds to minutes: long rows of named sets, brackets of them, one character many thousand times. */
Test(regex, work_is_bounded) {
    static const struct {
        const char *open, *text;
        unsigned times;
        const char *close;
    } patterns[] = {
        {"", "\\s", 100, ""},         {"[", "\\w", 99, "]"},           {"", "\\s", 5000, ""}, {"", "\\W", 30000, ""},
        {"[", "\\D", 30000, "]"},     {"(?i:", "abcdeg", 1000, ")"},   {"", "a", 5000, ""},   {"", "a", 60000, ""},
        {"", "[^\\p{Lu}]", 6000, ""}, {"[", "!-\U0010FFFF", 9000, "]"}};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        uint64_t work;
        char *pattern = repeat(patterns[i].open, patterns[i].text, patterns[i].times, patterns[i].close);
        tfm_error error = {0};
        tfm_status status = translate(pattern, 1, &work, &error);
        cr_expect(status == TFM_OK || strstr(error.message, pattern[0] == '\\' ? "t.json: the pattern \\" : "t.json"));
        /* What goes beyond is one step: a set that is divided. */
        cr_expect_lt(work, TFM_TOKENIZER_WORK + 8 * TFM_UNICODE_CODES, "%zu: %llu", i, (unsigned long long)work);
        cr_expect(patterns[i].times > 100 || status == TFM_OK, "%s", error.message);
        free(pattern);
    }
}

Test(regex, many_patterns_share_what_there_is) {
    uint64_t once, many;
    REQUIRE_OK(translate("\\s+\\S|\\p{L}+", 1, &once, error));
    REQUIRE_OK(translate("\\s+\\S|\\p{L}+", 10, &many, error));
    cr_expect_lt(many, 10 * once, "sets that have a name are made once");
    REQUIRE_ERROR(TFM_ERROR_LIMIT, translate("\\s+\\S|\\p{L}+", 100, &many, error), "t.json: the pattern \\s+\\S|",
                  "more work than tfmpack does", "need to be shorter, or fewer");
}

/* A pattern that a model file would not take is refused when it is packed. */
Test(regex, translations_are_as_long_as_a_model_file_takes) {
    uint64_t work;
    char *pattern = repeat("", "ab", 10000, "");
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, translate(pattern, 1, &work, error), "64 KiB when translated");
    free(pattern);
}

/* ---- the other parts of a tokenizer ---- */

/* Packs a tokenizer of one word behind a normalizer, so many times, with added tokens. */
static tfm_status pack_normalized(const char *normalizer, unsigned times, const char *tokens, tfm_error *error) {
    char *rest = repeat(", ", normalizer, 1, ""), *all = repeat(normalizer, rest, times - 1, ""), *json = NULL;
    cr_assert_gt(asprintf(&json,
                          "{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [%s]}, \"added_tokens\": [%s], "
                          "\"model\": {\"type\": \"WordLevel\", \"unk_token\": \"a\", \"vocab\": {\"a\": 0}}}",
                          all, tokens),
                 0);
    char *folder = tokenizer_folder((const char *const[]){"tokenizer.json", json, NULL});
    tfm_status status = tokenizer_try(folder, error);
    scratch_remove(&folder);
    free(rest);
    free(all);
    free(json);
    return status;
}

#define DOUBLE(from, to) "{\"type\": \"Replace\", \"pattern\": {\"String\": \"" from "\"}, \"content\": \"" to "\"}"
#define TOKEN(text) "{\"id\": 1, \"content\": \"" text "\", \"special\": false, \"normalized\": true}"

Test(regex, normalizers_are_bounded) {
    REQUIRE_OK(pack_normalized("{\"type\": \"BertNormalizer\"}", 4, "", error));
    REQUIRE_ERROR(TFM_ERROR_LIMIT, pack_normalized("{\"type\": \"NFKC\"}", 20, "", error), "normalizer 1",
                  "there need to be fewer");
}

/* Forty steps that double what comes make 2^40 of one letter; a pattern that backtracks takes 2^24 steps. */
Test(regex, added_tokens_are_bounded) {
    REQUIRE_OK(pack_normalized(DOUBLE("z", "zz"), 3, TOKEN("xzx"), error));
    REQUIRE_ERROR(TFM_ERROR_LIMIT, pack_normalized(DOUBLE("z", "zz"), 40, TOKEN("xzx"), error),
                  "for the added token xzx");
    static const char nested[] =
        "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \"(?:(?:a|b)+|b+)+c\"}, \"content\": "
        "\"\"}";
    REQUIRE_ERROR(TFM_ERROR_LIMIT, pack_normalized(nested, 1, TOKEN("ababababababababababababababababababdc"), error),
                  "for the added token ab");
}
