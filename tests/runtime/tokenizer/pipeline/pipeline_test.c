/* pipeline_test.c - what each part of a tokenizer.json does, on files small enough to work out by hand. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/runtime/tokenizer/tiny_json.h"
#include "tests/runtime/tokenizer/tokenizers.h"

/* Suites by the file of runtime/tokenizer they are about. */
TestSuite(pipeline_bpe, .fini = remove_scratch, .timeout = 120);
TestSuite(pipeline_word, .fini = remove_scratch, .timeout = 120);
TestSuite(pipeline_unigram, .fini = remove_scratch, .timeout = 120);
TestSuite(step_split, .fini = remove_scratch, .timeout = 120);
TestSuite(tokenizer_json, .fini = remove_scratch, .timeout = 120);

static packed open_text(const char *json) {
    write_scratch("tokenizer.json", json, strlen(json));
    return must_pack(scratch());
}

static packed open_tiny(int which) {
    char *json = tiny_json(which);
    packed p = open_text(json);
    free(json);
    return p;
}

static json_t *list_of(const char *ids) {
    json_t *list = json_array();
    for (char *end; *ids != 0; ids = end) {
        json_array_append_new(list, json_integer(strtol(ids, &end, 10)));
        if (end == ids) break;
    }
    return list;
}

static void ids_are(const packed *p, const char *text, bool special, const char *ids) {
    json_t *list = list_of(ids);
    expect_ids(p->source, text, strlen(text), special, list, text, 0);
    json_decref(list);
}

static void text_is(const packed *p, const char *ids, bool skip_special, const char *text) {
    json_t *list = list_of(ids);
    expect_text(p->source, list, skip_special, text, strlen(text), ids, 0);
    json_decref(list);
}

Test(pipeline_bpe, byte_level) {
    packed p = open_tiny(TINY_BYTES);
    ids_are(&p, "ab", false, "8");          /* the prefix space and the whole word */
    ids_are(&p, "a", true, "9 3 10");       /* what RoBERTa puts around */
    ids_are(&p, "e\xCC\x81", false, "2 7"); /* composed, then two bytes that merge */
    ids_are(&p, "ba", false, "2 1 0");
    ids_are(&p, "a<s>a", false, "3 9 3");
    ids_are(&p, "a <x>  b", false, "3 10 2 1");    /* takes the spaces on both sides */
    ids_are(&p, "a<w>", false, "3");               /* part of a word, and no bytes for < w > */
    ids_are(&p, "a <w> a", false, "3 2 11 2 3");   /* a space that stands alone is a word */
    ids_are(&p, "a'sab'Sb", false, "3 2 8 2 2 1"); /* 's in both cases; bytes without pieces vanish */
    ids_are(&p, "", false, "");
    ids_are(&p, "", true, "9 10");
    text_is(&p, "3 7 2 4", false, " a\xC3\xA9 ab");
    text_is(&p, "5 0 6", false,
            "\xEF\xBF\xBD"
            "a\xEF\xBF\xBD"); /* halves of a character */
    text_is(&p, "9 3 11 10", true, " a<w><x>");
    text_is(&p, "9 3", false, "<s> a");
    packed_close(&p);
}

Test(pipeline_bpe, marked_words) {
    packed p = open_tiny(TINY_WORDS);
    ids_are(&p, "ab a", false, "5 4");
    ids_are(&p, "abb", false, "6 3");
    ids_are(&p, "ab   ab", false, "5 5"); /* spaces become one mark, which is cut away */
    ids_are(&p, "xyab", false, "0 3");    /* unknown ones in a row are one, and a is none inside a word */
    text_is(&p, "5 4 6 3", false, "ab a abb");
    text_is(&p, "", false, "");
    packed_close(&p);
}

Test(pipeline_word, wordpiece) {
    packed p = open_tiny(TINY_WORDPIECE);
    ids_are(&p, "AB \xC3\x84!", true, "1 5 2 6 0"); /* lower case, no accents, punctuation by itself */
    ids_are(&p,
            "aba\xE4\xB8\x80"
            "a",
            false, "5 3 7 2");
    ids_are(&p, "aaaaaa aaaaa ax", false, "0 2 3 3 3 3 0"); /* six characters are too many */
    ids_are(&p,
            "a\xC2\xAD"
            "b [CLS]a\x01",
            false, "5 1 2");
    text_is(&p, "1 5 3 6 2", true, "aba! a");
    text_is(&p, "3 3", false, "##aa");
    packed_close(&p);
}

Test(pipeline_unigram, unigram) {
    packed p = open_tiny(TINY_UNIGRAM);
    ids_are(&p, "ab", false, "2 5");        /* as good as U+2581 a, b, and found first */
    ids_are(&p, " A b\t", true, "3 2 6 1"); /* no U+2581 before it, as it is not where the text begins */
    ids_are(&p, "xyab", false, "2 0 5");    /* unknown ones in a row are one */
    ids_are(&p, "\xEF\xAC\x81", false, "2 5");
    ids_are(&p, "A\xCC\x88", false, "4"); /* the cluster goes by its shortest rule */
    text_is(&p, "4 6 2 5", false, "ab ab");
    tfm_ids ids = {0}, types = {0};
    cr_assert_eq(tfm_tokenizer_encode_pair(p.source, "a", 1, "b", 1, true, &ids, &types, NULL), TFM_OK);
    cr_assert_eq(ids.size, 3);
    cr_expect_eq(types.data[0], 0);
    cr_expect_eq(types.data[2], 1);
    tfm_ids_free(&ids);
    tfm_ids_free(&types);
    packed_close(&p);
}

Test(pipeline_word, wordlevel) {
    packed p = open_tiny(TINY_WORDLEVEL);
    ids_are(&p,
            "\xC3\x84"
            "b A11!! x",
            false, "2 1 3 3 5 0");
    ids_are(&p, "\xEF\xAC\x81 A\xE2\x80\x8D", false, "4 0"); /* the ligature comes apart; a joiner is of the word */
    text_is(&p, "1 1 1 6 7 1", false, "a\xC3\xA9");          /* two go from the beginning, one from the end */
    text_is(&p, "6 3", false,
            "\xEF\xBF\xBD"
            "1");
    packed_close(&p);
}

/* A split's behaviours, on whole words so that every piece shows. */
static void splits(const char *split, const char *text, const char *ids) {
    char json[2048];
    snprintf(json, sizeof json,
             "{\"pre_tokenizer\": %s, \"model\": {\"type\": \"WordLevel\", \"unk_token\": \"?\", \"vocab\": {\"?\": 0, "
             "\"a\": 1, \"-\": 2, \"--\": 3, \"a-\": 4, \"-a\": 5, \"--a\": 6, \"a--\": 7, \"a--a\": 8, \"12\": 9, "
             "\"1\": 10, \"2\": 11}}}",
             split);
    packed p = open_text(json);
    ids_are(&p, text, false, ids);
    packed_close(&p);
}

#define SPLIT(behavior, invert)                                                                                        \
    "{\"type\": \"Split\", \"pattern\": {\"String\": \"-\"}, \"behavior\": \"" behavior "\", \"invert\": " invert "}"

Test(step_split, behaviors) {
    splits(SPLIT("Removed", "false"), "a--a-", "1 1");
    splits(SPLIT("Removed", "true"), "a--a-", "2 2 2");
    splits(SPLIT("Isolated", "false"), "a--a-", "1 2 2 1 2");
    splits(SPLIT("MergedWithPrevious", "false"), "a--a-", "4 2 4");
    splits(SPLIT("MergedWithNext", "false"), "a--a-", "1 2 5 2");
    splits(SPLIT("Contiguous", "false"), "a--a-", "1 3 1 2");
    splits("{\"type\": \"Digits\", \"individual_digits\": false}", "a12a", "1 9 1");
    splits("{\"type\": \"Digits\", \"individual_digits\": true}", "a12a", "1 10 11 1");
    splits("{\"type\": \"Punctuation\"}", "a--a", "1 2 2 1");
    splits("{\"type\": \"Punctuation\", \"behavior\": \"Contiguous\"}", "a--a", "1 3 1");
    splits("{\"type\": \"WhitespaceSplit\"}", " a--a \xE3\x80\x80-a", "8 5");
    splits("{\"type\": \"Split\", \"pattern\": {\"Regex\": \"-+(?=a)|[^\\\\x2D]\"}, \"behavior\": \"Removed\", "
           "\"invert\": true}",
           "a--a-", "1 3 1");
}

/* A long word takes the way of long ones, and comes out the same. */
Test(pipeline_bpe, long_words) {
    packed p = open_tiny(TINY_BYTES);
    enum { N = 200000 };
    char *text = malloc(2 * N);
    cr_assert_not_null(text);
    for (size_t i = 0; i < N; i++) memcpy(text + 2 * i, "ab", 2);
    tfm_ids ids = {0};
    cr_assert_eq(tfm_tokenizer_encode(p.source, text, 2 * N, false, &ids, NULL), TFM_OK);
    cr_assert_eq(ids.size, N + 1);
    cr_expect_eq(ids.data[0], 3); /* a space and a merge before a and b */
    cr_expect_eq(ids.data[1], 1);
    for (size_t i = 2; i <= N; i++) cr_assert_eq(ids.data[i], 4);
    tfm_ids_free(&ids);
    free(text);
    packed_close(&p);
}

/* ---- refusals ---- */

#define MODEL "\"model\": {\"type\": \"WordLevel\", \"unk_token\": \"a\", \"vocab\": {\"a\": 0}}"

static void refuses(const char *json, tfm_status status, const char *reason) {
    packed p;
    tfm_error error = {0};
    write_scratch("tokenizer.json", json, strlen(json));
    cr_expect_eq(pack(scratch(), &p, &error), status, "%s: %s", json, error.message);
    cr_expect_not_null(strstr(error.message, reason), "\"%s\" lacks \"%s\"", error.message, reason);
    cr_expect_not_null(strstr(error.message, "tokenizer.json"), "\"%s\" does not name the file", error.message);
}

static void refuses_part(const char *part, const char *reason) {
    char json[2048];
    snprintf(json, sizeof json, "{%s, " MODEL "}", part);
    refuses(json, TFM_ERROR_UNSUPPORTED, reason);
}

static void refuses_pattern(const char *pattern) {
    char part[1024];
    snprintf(part, sizeof(part),
             "\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"%s\"}, \"behavior\": \"Isolated\"}",
             pattern);
    refuses_part(part, "pattern");
}

Test(tokenizer_json, refusals_name_the_part) {
    refuses("{", TFM_ERROR_FORMAT, "line 1");
    refuses("{}", TFM_ERROR_FORMAT, "no model");
    refuses("{\"model\": {\"type\": \"Telepathy\", \"vocab\": {}}}", TFM_ERROR_FORMAT, "empty");
    refuses("{\"model\": {\"type\": \"Telepathy\", \"vocab\": {\"a\": 0}}}", TFM_ERROR_UNSUPPORTED, "Telepathy");
    refuses("{\"model\": {\"type\": \"BPE\", \"dropout\": 0.1, \"vocab\": {\"a\": 0}, \"merges\": []}}",
            TFM_ERROR_UNSUPPORTED, "dropout");
    refuses("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a b\"]}}", TFM_ERROR_FORMAT,
            "merge 0");
    refuses("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 0}, \"merges\": []}}", TFM_ERROR_FORMAT,
            "given twice");
    refuses("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 99999999}, \"merges\": []}}", TFM_ERROR_LIMIT,
            "99999999");
    refuses_part("\"normalizer\": {\"type\": \"ByteLevel\"}", "normalizer ByteLevel");
    refuses_part("\"pre_tokenizer\": {\"type\": \"UnicodeScripts\"}", "pre_tokenizer UnicodeScripts");
    refuses_part("\"pre_tokenizer\": {\"type\": \"ByteLevel\"}", "ByteLevel with a model other than BPE");
    refuses_part("\"post_processor\": {\"type\": \"Magic\"}", "post-processor Magic");
    refuses_part("\"decoder\": {\"type\": \"CTC\"}", "decoder CTC");
    refuses_part("\"decoder\": {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"a\"}, \"content\": \"\"}",
                 "Replace with a Regex");
    refuses_part("\"added_tokens\": [{\"id\": 5, \"content\": \"x\"}]", "added token x");
}

Test(tokenizer_json, refused_patterns) {
    static const char *const patterns[] = {
        "^a",          "a$",      "\\\\bword",    "(a)\\\\1", "(?<=a)b", "a{1,2}+", "\\\\p{Han}",
        "[[:alpha:]]", "(?i:st)", "(?i:\\u00e9)", "a**",      "x*",      "",        "a{,3}",
        "(?<n>a)",     "[a&&b]",  "(a",           "a)",       "[b-a]",   "(?=a)*b", "\\\\h"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) refuses_pattern(patterns[i]);
}
