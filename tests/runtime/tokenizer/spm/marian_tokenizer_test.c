/* marian_tokenizer_test.c - vocab.json over SentencePiece, as MarianTokenizer of transformers 4.46 reads and joins. */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/runtime/tokenizer/tiny_spm.h"
#include "tests/runtime/tokenizer/tokenizers.h"

TestSuite(marian, .fini = remove_scratch, .timeout = 60);

#define SPACE "\xE2\x96\x81"
#define END (-1)

/* Numbers of pieces: 3 a, 4 b, 5 ab, 6 space, 7 c. */
static const tiny_piece source_pieces[] = {{"a", -1, 0},   {"b", -1, 0}, {"ab", -1.5f, 0},
                                           {SPACE, -1, 0}, {"c", -1, 0}, {NULL, 0, 0}};
static const tiny_piece target_pieces[] = {
    {"x", -1, 0}, {"y", -1, 0}, {SPACE "x", -1, 0}, {SPACE, -1, 0}, {NULL, 0, 0}};

/* c has no id; z and zz are no pieces; 8 has no spelling. */
#define VOCABULARY                                                                                                     \
    "{\"</s>\":0,\"<unk>\":1,\"a\":2,\"b\":3,\"ab\":4,\"" SPACE "\":5,\"x\":6,\"" SPACE "x\":7,\"z\":9,\"zz\":10,"     \
    "\">>fra<<\":11,\"<pad>\":12}"

static void write_text(const char *name, const char *text) { write_scratch(name, text, strlen(text)); }

static void write_model(const char *name, const tiny_piece *pieces) {
    tiny_options options = {0};
    size_t n;
    unsigned char *data = tiny_spm_model(&options, pieces, &n);
    write_scratch(name, data, n);
    free(data);
}

static tfm_status pack_scratch(packed *p, tfm_error *error) {
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", scratch());
    return pack(folder, p, error);
}

static packed make(const char *vocabulary) {
    write_model("source.spm", source_pieces);
    write_model("target.spm", target_pieces);
    write_text("vocab.json", vocabulary);
    packed p;
    tfm_error error = {0};
    cr_assert_eq(pack_scratch(&p, &error), TFM_OK, "%s", error.message);
    return p;
}

static json_t *list(va_list arguments) {
    json_t *ids = json_array();
    for (int id; (id = va_arg(arguments, int)) != END;) json_array_append_new(ids, json_integer(id));
    return ids;
}

static void encodes(const tfm_tokenizer *t, bool special, const char *text, ...) {
    va_list arguments;
    va_start(arguments, text);
    json_t *ids = list(arguments);
    va_end(arguments);
    expect_ids(t, text, strlen(text), special, ids, text, 0);
    json_decref(ids);
}

static void decodes(const tfm_tokenizer *t, bool skip_special, const char *text, ...) {
    va_list arguments;
    va_start(arguments, text);
    json_t *ids = list(arguments);
    va_end(arguments);
    expect_text(t, ids, skip_special, text, strlen(text), text, 0);
    json_decref(ids);
}

Test(marian, ids_come_from_the_vocabulary) {
    packed p = make(VOCABULARY);
    cr_assert_not_null(p.target);
    cr_expect_eq(tfm_tokenizer_size(p.source), 13);
    encodes(p.source, false, "ab ba", 5, 4, 5, 3, 2, END);
    encodes(p.source, true, "a", 5, 2, 0, END);
    encodes(p.source, true, "", 0, END);
    encodes(p.source, false, "acca", 5, 2, 1, 1, 2, END); /* pieces without an id: each its own unknown */
    encodes(p.source, false, "aqqa", 5, 2, 1, 2, END);    /* characters that are no pieces: one for a row */
    encodes(p.target, true, "x y", 7, 5, 1, 0, END);
    packed_close(&p);
}

/* A row of characters that are no pieces may still be spelled in the vocabulary, which holds both languages. */
Test(marian, rows_of_unknown_characters_are_looked_up) {
    packed p = make(VOCABULARY);
    encodes(p.source, false, "z", 5, 9, END);
    encodes(p.source, false, "azzb", 5, 2, 10, 3, END);
    encodes(p.source, false, "zzz", 5, 1, END);
    encodes(p.source, false, "x", 5, 6, END);
    encodes(p.source, false, "</s>", 5, 1, END); /* not the end token */
    packed_close(&p);
}

Test(marian, language_codes) {
    packed p = make(VOCABULARY);
    encodes(p.source, true, ">>fra<< ab", 11, 5, 4, 0, END);
    encodes(p.source, true, ">>fra<<", 11, 0, END);
    encodes(p.source, true, ">>deu<< ab", 1, 5, 4, 0, END);
    encodes(p.source, false, "a>>fra<<b", 5, 4, END);          /* gone, since it does not begin the text */
    encodes(p.source, false, ">>fra<<a>>b<<ab", 1, 5, 4, END); /* up to the last << of the line */
    encodes(p.source, false, ">>fra<<a\n>>b<<b", 11, 5, 2, 1, 3, END);
    encodes(p.source, false, "a>><<b", 5, 2, 1, 3, END); /* nothing inside: text */
    packed_close(&p);
    p = make("{\"</s>\":0,\"<unk>\":1,\"a\":2,\"" SPACE "\":3}");
    encodes(p.source, false, ">>fra<<a", 3, 1, 2, 1, 2, END); /* a vocabulary without codes: text */
    packed_close(&p);
}

Test(marian, decoding) {
    packed p = make(VOCABULARY);
    decodes(p.target, true, "x x", 7, 7, 0, END);
    decodes(p.target, true, "xx", 7, 12, 6, 1, 8, 0, END); /* special tokens and holes drop out */
    decodes(p.target, false, "x</s> x", 7, 0, 7, END);
    decodes(p.target, false, "<pad> x<unk>", 12, 7, 8, END);    /* white space at both ends goes */
    decodes(p.target, true, "zz>>fra<<a x", 10, 11, 2, 7, END); /* spellings that target.spm lacks */
    decodes(p.source, true, "ab a", 5, 4, 5, 2, 0, END);
    decodes(p.target, true, "", END);
    tfm_text text = {0};
    int32_t id = 13;
    cr_expect_eq(tfm_tokenizer_decode(p.target, &id, 1, true, &text, NULL), TFM_ERROR_ARGUMENT);
    /* appending leaves what is there alone, its white space too */
    cr_assert(tfm_text_append(&text, "  ", 2));
    id = 7;
    cr_assert_eq(tfm_tokenizer_decode(p.target, &id, 1, true, &text, NULL), TFM_OK);
    cr_expect_str_eq(text.data, "  x");
    tfm_text_free(&text);
    packed_close(&p);
}

Test(marian, separate_vocabularies) {
    write_text("target_vocab.json", "{\"<unk>\":0,\"</s>\":1,\"y\":2,\"" SPACE "x\":3}");
    packed p = make(VOCABULARY);
    cr_assert_not_null(p.target);
    cr_expect_eq(tfm_tokenizer_size(p.target), 4);
    encodes(p.target, true, "xy", 3, 2, 1, END);
    decodes(p.target, true, "xy", 3, 2, 1, END);
    encodes(p.source, true, "ab", 5, 4, 0, END);
    packed_close(&p);
    write_text("tokenizer_config.json",
               "{\"separate_vocabs\": false, \"model_max_length\": 1000000000000000019884624838656}");
    p = make(VOCABULARY);
    cr_expect_eq(tfm_tokenizer_size(p.target), 13);
    packed_close(&p);
}

Test(marian, equal_sides_take_one_section) {
    write_model("source.spm", source_pieces);
    write_model("target.spm", source_pieces);
    write_text("vocab.json", VOCABULARY);
    packed p;
    tfm_error error = {0};
    cr_assert_eq(pack_scratch(&p, &error), TFM_OK, "%s", error.message);
    cr_expect_null(p.target);
    packed_close(&p);
}

Test(marian, special_tokens_by_configuration) {
    write_text("tokenizer_config.json",
               "{\"unk_token\": {\"content\": \"z\"}, \"additional_special_tokens\": [\"x\", {\"content\": \"a\"}]}");
    write_text("special_tokens_map.json", "{\"eos_token\": \"zz\", \"unk_token\": \"b\"}");
    packed p = make(VOCABULARY);
    encodes(p.source, true, "cq", 5, 9, 9, 10, END);
    decodes(p.target, true, "b", 2, 3, 6, 9, 10, END);
    decodes(p.target, true, "", 0, END); /* no token of this model any more, but silent in target.spm */
    packed_close(&p);
}

Test(marian, refusals) {
    static const struct {
        const char *vocabulary, *reason;
    } cases[] = {
        {"", "vocab.json"},
        {"[]", "not a JSON object"},
        {"{\"</s>\":0,\"<unk>\":-1}", "no id between"},
        {"{\"</s>\":0,\"<unk>\":99999999}", "no id between"},
        {"{\"</s>\":0,\"<unk>\":\"1\"}", "no id between"},
        {"{\"</s>\":0}", "lacks the token <unk>"},
        {"{\"<unk>\":0}", "lacks the token </s>"},
    };
    write_model("source.spm", source_pieces);
    write_model("target.spm", target_pieces);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_text("vocab.json", cases[i].vocabulary);
        packed p;
        tfm_error error = {0};
        cr_expect_eq(pack_scratch(&p, &error), TFM_ERROR_FORMAT);
        cr_expect_not_null(strstr(error.message, cases[i].reason), "%s", error.message);
        cr_expect_not_null(strstr(error.message, "vocab.json"), "%s", error.message);
    }
    write_text("vocab.json", VOCABULARY);
    write_text("target.spm", "no model");
    packed p;
    tfm_error error = {0};
    cr_expect_eq(pack_scratch(&p, &error), TFM_ERROR_FORMAT);
    cr_expect_not_null(strstr(error.message, "target.spm"), "%s", error.message);
}
