/* json_input_test.c - inputs that are JSON objects, prefixes for each line, scores and alignments, progress. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stories.h"

TestSuite(json_input, .init = enter_scratch, .fini = leave_scratch, .timeout = 10 * TEST_SECONDS);

static void expect_out(outcome run, int code, const char *out) {
    cr_expect_eq(run.code, code, "%d: %s", run.code, run.err);
    cr_expect_str_eq(run.out, out);
    free_outcome(&run);
}

/* What a line says for itself is what the command line would have said for all. */
Test(json_input, has_options_of_its_own) {
    static const struct {
        const char *json, *words[3];
    } cases[] = {{"", {NULL}},
                 {", \"num_beams\": 1", {"--num-beams=1"}},
                 {", \"num-beams\": 1, \"max_new_tokens\": 3", {"--num-beams=1", "--max-new-tokens=3"}},
                 {", \"prefix\": \"The big\", \"num_beams\": 1", {"--prefix=The big", "--num-beams=1"}},
                 {", \"num_return_sequences\": 2", {"--num-return-sequences=2"}},
                 {", \"temperature\": 2.5, \"seed\": 3", {"--temperature=2.5", "--seed=3"}},
                 {", \"bad_words_ids\": [[18]], \"num_beams\": 1", {"--bad-words-ids=[[18]]", "--num-beams=1"}},
                 {", \"suppress_tokens\": [7, 18]", {"--suppress-tokens=7 18"}},
                 {", \"logit_bias\": {\"18\": -5, \"7\": \"-inf\"}", {"--logit-bias=18=-5,7=-inf"}},
                 {", \"stop\": [\"walk\"], \"num_beams\": 1", {"--stop=walk", "--num-beams=1"}},
                 {", \"early_stopping\": \"never\", \"length_penalty\": 0.5",
                  {"--early-stopping=never", "--length-penalty=0.5"}},
                 {", \"num_beams\": null", {NULL}}};
    enum { N = sizeof cases / sizeof *cases };
    char all[4096] = "", want[4096] = "";
    for (size_t i = 0; i < N; i++) {
        snprintf(all + strlen(all), sizeof all - strlen(all), "{\"text\": \"Ein Hund.\"%s}\n", cases[i].json);
        outcome one = RUN("Ein Hund.\n", shipped_model(), "--scores", cases[i].words[0], cases[i].words[1]);
        cr_expect_eq(one.code, 0, "%s", one.err);
        strcat(want, one.out);
        free_outcome(&one);
    }
    expect_out(RUN(all, shipped_model(), "--scores", "--json-in"), 0, want);
    /* Defaults of the command line hold where a line says nothing, and give way where it does. */
    expect_out(RUN("{\"text\": \"Ein Hund.\"}\n\n{\"text\": \"Ein Hund.\", \"max_length\": 4}\n", shipped_model(),
                   "--json-in", "--num-beams=1", "--max-new-tokens=5"),
               0, "A dog is walking\n\nA dog\n");
    expect_out(RUN("{\"text\": [20, 5, 0]}\n", shipped_model(), "--json-in", "--ids", "--num-beams=1",
                   "--max-new-tokens=1", "--prefix-ids=7"),
               0, "7 0\n");
}

Test(json_input, refuses_by_name) {
    static const struct {
        const char *line, *message;
    } cases[] = {{"x", "is no JSON object"},
                 {"[1]", "is no JSON object"},
                 {"{}", "has neither 'text' nor 'messages'"},
                 {"{\"text\": 1}", "'text' is no text"},
                 {"{\"text\": \"a\", \"messages\": []}", "has both"},
                 {"{\"text\": \"a\", \"text\": \"b\"}", "is no JSON object: duplicate"},
                 {"{\"text\": \"a\", \"colour\": 1}", "there is no option 'colour'"},
                 {"{\"text\": \"a\", \"num_beam\": 1}", "did you mean num-beams?"},
                 {"{\"text\": \"a\", \"threads\": 1}", "'threads' can only be given on the command line"},
                 {"{\"text\": \"a\", \"num_beams\": \"x\"}", "'num_beams': 'x' is not a whole number"},
                 {"{\"text\": \"a\", \"num_beams\": 1.5}", "'num_beams': '1.5' is not a whole number"},
                 {"{\"text\": \"a\", \"top_p\": [1, [2]]}", "'top_p': '[1,[2]]' is not a number"},
                 {"{\"text\": \"a\", \"num_return_sequences\": 9}", "is more than --num-beams"},
                 {"{\"text\": \"a\", \"suppress_tokens\": [99999]}", "has no token 99999"},
                 {"{\"text\": \"a\", \"logit_bias\": {\"xx!\": 1}}", "--logit-bias: the model has no token 'xx!'"},
                 {"{\"text\": \"a\", \"logit_bias\": {\"5\": [1]}}", "'logit_bias': '' is not a number"},
                 {"{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}", "messages need a chat template"}};
    enum { N = sizeof cases / sizeof *cases };
    char all[4096] = "";
    for (size_t i = 0; i < N; i++) strcat(strcat(all, cases[i].line), "\n");
    strcat(all, "{\"text\": \"Ein Hund.\"}\n");
    outcome run = RUN(all, shipped_model(), "--json-in", "--num-beams=1");
    cr_expect_eq(run.code, 1);
    const char *out = run.out;
    for (size_t i = 0; i < N; i++) {
        char number[24];
        snprintf(number, sizeof number, "line %zu: ", i + 1);
        const char *message = strstr(run.err, number);
        cr_expect(message && strstr(message, cases[i].message), "%s: %s", cases[i].line, message);
        cr_expect_eq(*out, '\n', "a line for a line");
        out++;
    }
    cr_expect_str_eq(out, "A dog is walking.\n");
    free_outcome(&run);
}

/* A conversation that /save wrote is a line. */
Test(json_input, takes_messages) {
    pack_chatting();
    outcome chat = RUN("", CHATTING, "--chat", "--max-new-tokens=6", "--system=Short", "Hello");
    char want[512];
    snprintf(want, sizeof want, "%s", chat.out);
    free_outcome(&chat);
    expect_out(RUN("{\"messages\": [{\"role\": \"system\", \"content\": \"Short\"}, {\"role\": \"user\", \"content\": "
                   "\"Hello\"}], \"max_new_tokens\": 6}\n",
                   CHATTING, "--json-in"),
               0, want);
}

/* ---- prefixes ---- */

Test(json_input, prefix_of_each_line) {
    write_text("prefixes", "The big\n\nOne\n");
    static const char three[] = "Ein Hund.\nEin Hund.\nEin Hund.\n", two[] = "Ein Hund.\nEin Hund.\n";
    expect_out(RUN(three, shipped_model(), "--num-beams=1", "--prefix-file=prefixes"), 0,
               "The big dog.\nA dog is walking.\nOne dog is.\n");
    outcome more = RUN(two, shipped_model(), "--num-beams=1", "--prefix-file=prefixes");
    cr_expect(more.code == 1 && strstr(more.err, "prefixes has more lines than there are inputs"), "%s", more.err);
    free_outcome(&more);
    write_text("prefixes", "18 18 7\n");
    outcome fewer = RUN("20 5 0\n20 5 0\n", shipped_model(), "--ids", "--max-new-tokens=1", "--prefix-file=prefixes");
    cr_expect(fewer.code == 1 && strstr(fewer.err, "line 2: prefixes has no line for it"), "%s", fewer.err);
    cr_expect_eq(strncmp(fewer.out, "18 18 7 ", 8), 0, "%s", fewer.out);
    free_outcome(&fewer);
}

/* ---- scores and alignments ---- */

Test(json_input, scores_and_alignment) {
    outcome json = RUN("Ein Hund.\n", shipped_model(), "--json", "-n", "2", "--alignment");
    outcome text = RUN("Ein Hund.\n", shipped_model(), "-n", "2", "--scores", "--alignment");
    json_t *object = json_loads(json.out, 0, NULL), *sequences = json_object_get(object, "sequences");
    char want[512] = "";
    for (size_t i = 0; i < 2; i++) {
        const json_t *sequence = json_array_get(sequences, i), *pair;
        size_t k;
        sprintf(want + strlen(want), "%.6f\t%s\t", json_real_value(json_object_get(sequence, "score")),
                json_string_value(json_object_get(sequence, "text")));
        json_array_foreach(json_object_get(sequence, "alignment"), k, pair) {
            long long source = json_integer_value(json_array_get(pair, 0)),
                      target = json_integer_value(json_array_get(pair, 1));
            sprintf(want + strlen(want), "%s%lld-%lld", k ? " " : "", source, target);
            cr_expect_lt(source, 3, "the input has 3 tokens and an end token, which is none of its text");
            cr_expect_eq(target, (long long)k, "each token of the output but its end token");
        }
        cr_expect_eq(json_array_size(json_object_get(sequence, "alignment")) + 1,
                     json_array_size(json_object_get(sequence, "ids")));
        strcat(want, "\n");
    }
    cr_expect_str_eq(text.out, want);
    /* "Hund" is what "dog" looked at. */
    cr_expect(strstr(text.out, "A dog.\t"), "%s", text.out);
    json_decref(object);
    free_outcome(&json);
    free_outcome(&text);
    pack_stories();
    outcome decoder = RUN("x\n", STORIES, "--alignment");
    cr_expect(decoder.code == 2 && strstr(decoder.err, "this model has no encoder"), "%s", decoder.err);
    free_outcome(&decoder);
}

/* ---- progress ---- */

Test(json_input, progress) {
    outcome asked = RUN("Ein Hund.\nEin Hund.\n", shipped_model(), "--num-beams=1", "--progress");
    cr_expect_eq(asked.code, 0);
    cr_expect(strstr(asked.err, "2 lines, 12 tokens in "), "%s", asked.err);
    cr_expect_str_eq(asked.out, "A dog is walking.\nA dog is walking.\n");
    free_outcome(&asked);
    outcome both = RUN("", shipped_model(), "--progress", "--quiet");
    cr_expect_eq(both.code, 2);
    free_outcome(&both);
    /* On a terminal beside files it shows itself, and leaves nothing but the summary. */
    setenv("TOOL", tfmrun_path(), 1);
    setenv("MODEL", shipped_model(), 1);
    const char *const words[] = {
        "sh", "-c",
        "yes 'Ein Hund.' | head -4000 > in; "
        "$TFM_EMULATOR \"$TOOL\" \"$MODEL\" --num-beams=1 --batch-tokens=64 < in > out; wc -l out",
        NULL};
    child c = start_on_terminal(words);
    expect(&c, " lines, ");
    expect(&c, " tokens/s, ");
    expect(&c, " left");
    expect(&c, "4000 out");
    end_child(&c, NULL);
}
