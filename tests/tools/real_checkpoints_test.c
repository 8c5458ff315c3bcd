/*
 * real_checkpoints_test.c - trained checkpoints of others, from text to text with the tools. They are not part of the
 * project; what they show of arithmetic, the golden checkpoints show as well.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/optional_main.h"
#include "tests/support/program.h"

const char *const optional_data = "checkpoints/tinystories-656k";

TestSuite(real, .init = enter_scratch, .fini = leave_scratch, .timeout = 240);

#define TOOL(name, ...) run_program((const char *const[]){getenv(name), __VA_ARGS__, NULL}, NULL)

static void pack(const char *checkpoint) {
    outcome result = TOOL("TFM_TFMPACK", shared_path(checkpoint), "model.bin");
    cr_assert_eq(result.code, 0, "%s", result.err);
    free_outcome(&result);
}

static json_t *load_json(const char *path) {
    json_error_t error;
    json_t *json = json_load_file(path, 0, &error);
    cr_assert(json, "%s: %s", path, error.text);
    return json;
}

/* Lines of JSON as a list. */
static json_t *parse_lines(const outcome *run) {
    cr_assert_eq(run->code, 0, "%s", run->err);
    json_t *list = json_array();
    for (const char *line = run->out, *end; (end = strchr(line, '\n')); line = end + 1) {
        json_t *object = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES, NULL);
        cr_assert(json_is_object(object), "%s", line);
        json_array_append_new(list, object);
    }
    return list;
}

static const char *string_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    cr_assert(text, "no %s in an object", key);
    return text;
}

/* ---- a decoder-only model with byte pairs ---- */

/* Text without the special tokens around it, and without the spaces that words lose where they are first or last. */
static const char *bare(char *text, bool ended) {
    static const char start[] = "<|start_story|>", end[] = "<|end_story|>";
    size_t n = strlen(text);
    if (ended && n >= sizeof end - 1 && strcmp(text + n - (sizeof end - 1), end) == 0) text[n -= sizeof end - 1] = 0;
    if (ended && n && text[n - 1] == ' ') text[n - 1] = 0;
    if (strncmp(text, start, sizeof start - 1) == 0) text += sizeof start - 1;
    return text + (*text == ' ');
}

static void check_story(const json_t *object, const json_t *want, const char *decoded, const char *name) {
    bool ended = json_is_true(json_object_get(want, "ended_with_eos"));
    char *copy = strdup(decoded), got[4096];
    cr_expect(json_equal(json_object_get(object, "ids"), json_object_get(want, "new_ids")), "%s", name);
    cr_expect_str_eq(string_of(object, "finish"), ended ? "end" : "length", "%s", name);
    snprintf(got, sizeof got, "%s%s", string_of(object, "prompt"), string_of(object, "text"));
    cr_expect_str_eq(got, bare(copy, ended), "%s", name);
    free(copy);
}

/* The options of a case as words; returns how many. */
static size_t case_words(const json_t *kwargs, char (*words)[64]) {
    static const char *const keys[] = {"num_beams", "max_new_tokens", "no_repeat_ngram_size", "repetition_penalty"};
    size_t n = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *value = json_object_get(kwargs, keys[i]);
        if (value) snprintf(words[n++], 64, "--%s=%g", keys[i], json_number_value(value));
    }
    return n;
}

Test(real, tinystories) {
    pack("checkpoints/tinystories-656k");
    json_t *expected = load_json(shared_path("checkpoints/tinystories-656k/expected/expected.json"));
    const json_t *texts = json_object_get(expected, "prompt_texts"), *one, *robust;
    size_t c, i, checked = 0;
    json_array_foreach(json_object_get(expected, "generate"), c, one) {
        char options[8][64];
        const char *words[32] = {getenv("TFM_TFMRUN"), "model.bin", "--json", "--no-timing", "--echo"};
        size_t n = 5, n_options = case_words(json_object_get(one, "kwargs"), options);
        for (i = 0; i < n_options; i++) words[n++] = options[i];
        words[n++] = "--";
        for (i = 0; i < json_array_size(texts); i++) words[n++] = json_string_value(json_array_get(texts, i));
        outcome run = run_program(words, NULL);
        json_t *objects = parse_lines(&run);
        json_array_foreach(json_object_get(one, "robust"), i, robust) {
            if (!json_is_true(robust)) continue;
            const json_t *outputs = json_array_get(json_object_get(one, "outputs"), i);
            const json_t *decoded = json_array_get(json_object_get(one, "decoded_prompt_and_new"), i);
            check_story(json_array_get(objects, i), json_array_get(outputs, 0), json_string_value(decoded),
                        string_of(one, "name"));
            checked++;
        }
        json_decref(objects);
        free_outcome(&run);
    }
    cr_expect_geq(checked, 24);
    json_decref(expected);
}

/* ---- llama2.c ---- */

/* What llama2.c itself writes greedily in 200 steps (the text its own test expects). */
static const char story[] =
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a "
    "big, red ball. She wanted to play with it, but it was too high.\n"
    "Lily's mom said, \"Lily, let's go to the park.\" Lily was sad and didn't know what to do. She said, \"I want to "
    "play with your ball, but I can't find it.\"\n"
    "Lily was sad and didn't know what to do. She said, \"I'm sorry, Lily. I didn't know what to do.\"\n"
    "Lily didn't want to help her mom, so she";

Test(real, stories260k) {
    pack("checkpoints/stories260K/stories260K.bin");
    write_text("start", "1");
    outcome run = TOOL("TFM_TFMRUN", "model.bin", "--ids", "--json", "--max-new-tokens=200", "--prompt-file=start");
    json_t *objects = parse_lines(&run);
    cr_expect_str_eq(string_of(json_array_get(objects, 0), "text"), story);
    json_decref(objects);
    free_outcome(&run);
    /* A prompt is tokenized as llama2.c does it: <s>, a space, byte pairs. */
    write_text("prompt", "{\"text\": \"Once upon a time, Zo\xC3\xAB ate 3 plums.\\n\"}\n");
    run = TOOL("TFM_TFMEVAL", "tokenize", "model.bin", "--in=prompt");
    objects = parse_lines(&run);
    json_t *ids = json_object_get(json_array_get(objects, 0), "ids");
    cr_expect_eq(json_integer_value(json_array_get(ids, 0)), 1);
    cr_expect_eq(json_integer_value(json_array_get(ids, 1)), 403, "\" Once\"");
    json_t *question = json_pack("{s:O}", "ids", ids);
    cr_assert_eq(json_dump_file(question, "ids", JSON_COMPACT), 0);
    json_decref(question);
    json_decref(objects);
    free_outcome(&run);
    run = TOOL("TFM_TFMEVAL", "tokenize", "model.bin", "--in=ids");
    objects = parse_lines(&run);
    cr_expect_str_eq(string_of(json_array_get(objects, 0), "text"), "Once upon a time, Zo\xC3\xAB ate 3 plums.\n");
    json_decref(objects);
    free_outcome(&run);
}

/* ---- spelling to sound ---- */

/* Words become the phonemes that the reference gives. */
Test(real, g2p) {
    pack("checkpoints/g2p-bart-en-us");
    json_t *expected = load_json(shared_path("checkpoints/g2p-bart-en-us/expected/expected.json"));
    const json_t *words = json_object_get(expected, "words");
    const json_t *beam = json_array_get(json_object_get(expected, "generate"), 1), *sound;
    size_t i, n = json_array_size(words);
    FILE *lines = fopen("words", "w");
    cr_assert(lines && n > 0);
    for (i = 0; i < n; i++) fprintf(lines, "%s\n", json_string_value(json_array_get(words, i)));
    fclose(lines);
    char options[8][64];
    const char *argv[16] = {getenv("TFM_TFMRUN"), "model.bin", "--json"};
    size_t n_options = case_words(json_object_get(beam, "kwargs"), options);
    for (i = 0; i < n_options; i++) argv[3 + i] = options[i];
    char *input = read_text("words");
    outcome run = run_program(argv, input);
    json_t *objects = parse_lines(&run);
    cr_assert_eq(json_array_size(objects), n);
    json_array_foreach(json_object_get(beam, "phonemes"), i, sound) {
        const json_t *best = json_is_array(sound) ? json_array_get(sound, 0) : sound;
        cr_expect_str_eq(string_of(json_array_get(objects, i), "text"), json_string_value(best));
    }
    cr_expect_eq(i, n);
    free(input);
    json_decref(objects);
    json_decref(expected);
    free_outcome(&run);
}
