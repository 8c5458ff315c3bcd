/* text_stream_test.c - ids that come one by one make the text that all of them make at once, and no more than that is
 * given out before it is certain. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tiny_json.h"
#include "tiny_spm.h"
#include "tokenizers.h"

TestSuite(text_stream, .fini = remove_scratch, .timeout = 300);

static uint32_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* Random sequences of ids, short and long, of all ids or of few. */
static void check_random(const tfm_tokenizer *t, const char *what) {
    uint64_t state = 1;
    uint32_t size = (uint32_t)tfm_tokenizer_size(t);
    for (size_t i = 0; i < 300; i++) {
        json_t *ids = json_array();
        uint32_t n = next_random(&state) % 24, first = next_random(&state) % size;
        uint32_t range = i % 2 == 0 ? size : next_random(&state) % (size - first) + 1;
        if (i % 2 == 0) first = 0;
        for (uint32_t k = 0; k < n; k++) json_array_append_new(ids, json_integer(first + next_random(&state) % range));
        expect_stream(t, ids, what, i);
        json_decref(ids);
    }
}

static packed open_json(const char *json) {
    write_scratch("tokenizer.json", json, strlen(json));
    return must_pack(scratch());
}

Test(text_stream, every_kind_of_tokenizer_json) {
    for (int which = 0; which < N_TINY_JSON; which++) {
        char *json = tiny_json(which);
        packed p = open_json(json);
        check_random(p.source, "tokenizer.json");
        packed_close(&p);
        free(json);
    }
}

/* Some real ones, and others in which steps meet that only arbitrary files put together. */
Test(text_stream, decoders_in_any_order) {
    static const char *const steps[] = {
        "{\"type\": \"ByteFallback\"}",
        "{\"type\": \"Fuse\"}",
        "{\"type\": \"Replace\", \"pattern\": {\"String\": \"ab\"}, \"content\": \"b\"}",
        "{\"type\": \"Replace\", \"pattern\": {\"String\": \"aab\"}, \"content\": \"\"}",
        "{\"type\": \"Replace\", \"pattern\": {\"String\": \"\\u2581\"}, \"content\": \" \"}",
        "{\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}",
        "{\"type\": \"Strip\", \"content\": \"\\u2581\", \"start\": 1, \"stop\": 2}",
        "{\"type\": \"WordPiece\", \"prefix\": \"##\", \"cleanup\": true}",
        "{\"type\": \"Metaspace\", \"replacement\": \"\\u2581\", \"prepend_scheme\": \"always\"}",
        "{\"type\": \"BPEDecoder\", \"suffix\": \"b\"}"};
    enum { N = sizeof steps / sizeof *steps };
    for (size_t i = 0; i < (size_t)N * N; i++) {
        char json[2048];
        snprintf(json, sizeof json,
                 "{\"decoder\": {\"type\": \"Sequence\", \"decoders\": [%s, %s%s%s]}, \"model\": {\"type\": "
                 "\"WordLevel\", \"unk_token\": \"?\", \"vocab\": {\"?\": 0, \"a\": 1, \"ab\": 2, \"\\u2581\": 3, "
                 "\"\\u2581a\": 4, \"##b\": 5, \" .\": 6, \" \": 7, \"<0x41>\": 8, \"<0xC3>\": 9, \"<0xA9>\": 10, "
                 "\"aa\": 11, \"\\u00e9\": 12, \"##\": 13}}}",
                 steps[i / N], steps[i % N], i % 3 == 0 ? ", " : "", i % 3 == 0 ? steps[i * 7 % N] : "");
        packed p = open_json(json);
        check_random(p.source, json);
        packed_close(&p);
    }
}

static const tiny_rule rules[] = {{"ab", "a\xC3\xA9"}, {" ", "  "}, {NULL, NULL}};
static const tiny_piece pieces[] = {{"a", -1, 0},
                                    {"b", -1, 0},
                                    {"ab", -2, 0},
                                    {"<x>", 0, 4},
                                    {TFM_SPACE, -3, 0},
                                    {TFM_SPACE TFM_SPACE, -3, 0},
                                    {"\xC2\xA0", -4, 0},
                                    {"a\xE2\x80\xA8", -4, 0},
                                    {TFM_SPACE "ab", -3, 0},
                                    {"\n", -4, 0},
                                    {"b" TFM_SPACE, -5, 0},
                                    {NULL, 0, 0}};

Test(text_stream, every_kind_of_sentencepiece) {
    static const tiny_options variants[] = {{.byte_fallback = true},
                                            {.bpe = true, .byte_fallback = true, .keep_spaces = true},
                                            {.no_dummy_prefix = true, .unknown_surface = " ? "},
                                            {.denormalizer_rules = rules},
                                            {.no_dummy_prefix = true, .keep_spaces = true, .no_escape = true}};
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        size_t n;
        unsigned char *data = tiny_spm_model(&variants[i], pieces, &n);
        packed p;
        tfm_error error = {0};
        cr_assert_eq(pack_bytes(data, n, &p, &error), TFM_OK, "%s", error.message);
        check_random(p.source, "SentencePiece");
        packed_close(&p);
        free(data);
    }
}

/* White space at both ends goes in Marian's texts, wherever it comes from. */
Test(text_stream, marian) {
    tiny_options options = {.byte_fallback = true};
    size_t n;
    unsigned char *data = tiny_spm_model(&options, pieces, &n);
    json_t *vocabulary = json_object();
    static const char *const spelled[] = {"</s>", "<unk>", "<pad>",    "a",     "ab",          TFM_SPACE,
                                          "\n",   "<x>",   "\xC2\xA0", ">>x<<", "\xE3\x80\x80"};
    for (size_t i = 0; i < sizeof spelled / sizeof *spelled; i++)
        json_object_set_new(vocabulary, spelled[i], json_integer((json_int_t)i));
    static const unsigned char bytes[] = {0x20, 0x09, 0xC2, 0xE2, 0x80, 0x81, 0x96, 0xA8, 0xA0, 0x41};
    for (size_t i = 0; i < sizeof bytes; i++) {
        char piece[8];
        snprintf(piece, sizeof piece, "<0x%02X>", (unsigned)bytes[i]);
        json_object_set_new(vocabulary, piece, json_integer((json_int_t)(20 + i)));
    }
    char *text = json_dumps(vocabulary, 0);
    write_scratch("vocab.json", text, strlen(text));
    write_scratch("source.spm", data, n);
    write_scratch("target.spm", data, n);
    packed p = must_pack(scratch());
    check_random(p.source, "Marian");
    packed_close(&p);
    free(text);
    json_decref(vocabulary);
    free(data);
}

/* ---- what is given out when ---- */

/* As Phi-3 and Llama have it. */
static const char byte_fallback[] =
    "{\"added_tokens\": [{\"id\": 8, \"content\": \"<s>\", \"special\": true}], \"decoder\": {\"type\": \"Sequence\", "
    "\"decoders\": [{\"type\": \"Replace\", \"pattern\": {\"String\": \"\\u2581\"}, \"content\": \" \"}, "
    "{\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"}, {\"type\": \"Strip\", \"content\": \" \", \"start\": 1, "
    "\"stop\": 0}]}, \"model\": {\"type\": \"WordLevel\", \"unk_token\": \"?\", \"vocab\": {\"?\": 0, \"\\u2581like\": "
    "1, \"\\u2581a\": 2, \"\\u2581\": 3, \"<0xF0>\": 4, \"<0x9F>\": 5, \"<0xA6>\": 6, \"<0x9C>\": 7}}}";

/* Pushes one id; the text that it gives. */
static void gives(tfm_text_stream *stream, int32_t id, const char *text) {
    tfm_text out = {0};
    tfm_error error = {0};
    cr_assert_eq(tfm_text_stream_push(stream, &id, 1, &out, &error), TFM_OK, "%s", error.message);
    cr_expect_str_eq(out.data, text, "id %d", id);
    tfm_text_free(&out);
}

static void ends(tfm_text_stream *stream, const char *text) {
    tfm_text out = {0};
    tfm_error error = {0};
    cr_assert_eq(tfm_text_stream_finish(stream, &out, &error), TFM_OK, "%s", error.message);
    cr_expect_str_eq(out.data, text);
    tfm_text_free(&out);
}

Test(text_stream, bytes_in_a_row_wait_for_what_follows) {
    packed p = open_json(byte_fallback);
    tfm_text_stream *stream;
    cr_assert_eq(tfm_text_stream_create(&stream, p.source, true, NULL), TFM_OK);
    for (int again = 0; again < 2; again++) {
        gives(stream, 1, "like");
        gives(stream, 2, " a");
        gives(stream, 3, " ");
        gives(stream, 4, "");
        gives(stream, 5, "");
        gives(stream, 6, "");
        gives(stream, 7, "");
        gives(stream, 2, "\xF0\x9F\xA6\x9C a");
        ends(stream, "");
    }
    gives(stream, 4, "");
    gives(stream, 5, "");
    gives(stream, 8, "");
    ends(stream, "\xEF\xBF\xBD\xEF\xBF\xBD");
    tfm_text_stream_free(&stream);
    packed_close(&p);
}

Test(text_stream, context_is_not_given_out) {
    packed p = open_json(byte_fallback);
    tfm_text_stream *stream;
    cr_assert_eq(tfm_text_stream_create(&stream, p.source, true, NULL), TFM_OK);
    const int32_t words[] = {1, 2}, bird[] = {2, 4, 5, 6, 7}, half[] = {2, 4, 5};
    cr_assert_eq(tfm_text_stream_context(stream, words, 2, NULL), TFM_OK);
    gives(stream, 2, " a"); /* not the first word, so its space stays */
    cr_assert_eq(tfm_text_stream_context(stream, bird, 5, NULL), TFM_OK);
    gives(stream, 2, " a");
    ends(stream, "");
    cr_assert_eq(tfm_text_stream_context(stream, bird, 5, NULL), TFM_OK);
    ends(stream, "");
    cr_assert_eq(tfm_text_stream_context(stream, half, 3, NULL), TFM_OK);
    gives(stream, 6, "");
    gives(stream, 7, "");
    gives(stream, 2, "\xF0\x9F\xA6\x9C a");
    tfm_text_stream_reset(stream);
    gives(stream, 2, "a");
    cr_assert_eq(tfm_text_stream_context(stream, NULL, 0, NULL), TFM_OK);
    gives(stream, 2, "a");
    tfm_text_stream_free(&stream);
    cr_expect_null(stream);
    tfm_text_stream_free(&stream);
    packed_close(&p);
}

Test(text_stream, a_wrong_id_has_no_effect) {
    packed p = open_json(byte_fallback);
    tfm_text_stream *stream;
    tfm_text out = {0};
    tfm_error error = {0};
    const int32_t outside[] = {2, 9}, negative[] = {2, -1};
    cr_assert_eq(tfm_text_stream_create(&stream, p.source, true, NULL), TFM_OK);
    cr_expect_eq(tfm_text_stream_push(stream, outside, 2, &out, &error), TFM_ERROR_ARGUMENT);
    cr_expect_eq(tfm_text_stream_push(stream, negative, 2, &out, &error), TFM_ERROR_ARGUMENT);
    cr_expect_not_null(strstr(error.message, "-1"));
    cr_expect_eq(out.size, 0);
    gives(stream, 2, "a");
    cr_expect_eq(tfm_text_stream_context(stream, outside, 2, &error), TFM_ERROR_ARGUMENT);
    gives(stream, 2, "a");
    tfm_text_stream_free(&stream);
    tfm_text_free(&out);
    packed_close(&p);
}

/* Time for a text is proportional to it: a row of bytes, or of white space, is not looked through again and again. */
Test(text_stream, long_rows) {
    enum { N = 400000 };
    packed p = open_json(byte_fallback);
    tfm_text_stream *stream;
    tfm_text out = {0};
    cr_assert_eq(tfm_text_stream_create(&stream, p.source, true, NULL), TFM_OK);
    for (int32_t i = 0; i < N; i++) {
        int32_t id = 4 + i % 4;
        cr_assert_eq(tfm_text_stream_push(stream, &id, 1, &out, NULL), TFM_OK);
    }
    cr_expect_eq(out.size, 0);
    cr_assert_eq(tfm_text_stream_finish(stream, &out, NULL), TFM_OK);
    cr_expect_eq(out.size, N);
    tfm_text_stream_free(&stream);
    tfm_text_free(&out);
    packed_close(&p);
}
