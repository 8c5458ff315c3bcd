/* json_input_test.c - inputs that are JSON objects, prefixes for each line, scores and alignments, progress. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
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

/* A bias makes the model say that it does not know; ids stay as they are. */
Test(json_input, unknown_tokens_are_replaced) {
#define UNKNOWN "--num-beams=1", "--max-new-tokens=4", "--logit-bias=1=12"
    static const char input[] = "Ein Mann mit \xE6\x97\xA5\xE6\x9C\xAC spielt.\n";
    outcome plain = RUN(input, shipped_model(), UNKNOWN),
            replaced = RUN(input, shipped_model(), UNKNOWN, "--replace-unknowns"),
            last = RUN(input, shipped_model(), UNKNOWN, "--replace-unknowns", "--alignment-from=-1");
    cr_expect(plain.code == 0 && strcmp(plain.out, "\n") == 0, "%s%s", plain.out, plain.err);
    cr_expect(replaced.code == 0 && strcmp(replaced.out, "Mann Mann spielt\n") == 0, "%s%s", replaced.out,
              replaced.err);
    cr_expect(last.code == 0 && strcmp(last.out, "Mann Mann mit\n") == 0, "%s%s", last.out, last.err);
    free_outcome(&plain);
    free_outcome(&replaced);
    free_outcome(&last);
    outcome json = RUN("{\"text\": \"Ein Mann spielt.\", \"replace_unknowns\": true}\n", shipped_model(), UNKNOWN,
                       "--json-in", "--json");
    cr_expect(json.code == 0 && strstr(json.out, "{\"text\":\"Mann ") && strstr(json.out, "\"ids\":[1,1,1,0]"), "%s%s",
              json.out, json.err);
    free_outcome(&json);
    outcome ids = RUN("9 17 0\n", shipped_model(), "--ids", "--replace-unknowns");
    cr_expect(ids.code == 2 && strstr(ids.err, "with --ids there are none"), "%s", ids.err);
    outcome stop = RUN(input, shipped_model(), UNKNOWN, "--replace-unknowns", "--stop=x");
    cr_expect(stop.code == 2 && strstr(stop.err, "no --stop with it"), "%s", stop.err);
    free_outcome(&ids);
    free_outcome(&stop);
}

/* Row t, column s of what a run tells of attention. */
static double weight(const json_t *object, size_t t, size_t s) {
    return json_number_value(json_array_get(json_array_get(json_object_get(object, "attention"), t), s));
}

static json_t *attention_of(const char *from) {
    outcome run =
        from ? RUN("Ein Hund.\n", shipped_model(), "--num-beams=1", "--json", "--attention-weights", "--alignment",
                   "--alignment-from", from)
             : RUN("Ein Hund.\n", shipped_model(), "--num-beams=1", "--json", "--attention-weights", "--alignment");
    json_t *object = run.code == 0 ? json_loads(run.out, 0, NULL) : NULL;
    cr_assert(object, "%s: %d %s", from, run.code, run.err);
    free_outcome(&run);
    return object;
}

static void expect_mean(const json_t *whole, json_t *const *parts, size_t n, const char *what) {
    size_t rows = json_array_size(json_object_get(whole, "ids"));
    for (size_t t = 0; t < rows; t++)
        for (size_t s = 0; s < 4; s++) {
            double sum = 0;
            for (size_t i = 0; i < n; i++) sum += weight(parts[i], t, s);
            cr_expect(fabs(sum / (double)n - weight(whole, t, s)) < 1e-6, "%s: token %zu, input %zu", what, t, s);
        }
}

/* Three layers of four heads: the parts make up the whole, and pairs are those of the largest weights. */
Test(json_input, attention_of_layers_and_heads) {
    static const char *const layers[] = {"0", "1", "-1"}, *const heads[] = {"2:0", "2:1", "-1:2", "2:3"};
    json_t *all = attention_of(NULL), *by_layer[3], *by_head[4], *two = attention_of("2:0,1"),
           *both = attention_of("0 1:0,1,2,3");
    for (size_t i = 0; i < 3; i++) by_layer[i] = attention_of(layers[i]);
    for (size_t i = 0; i < 4; i++) by_head[i] = attention_of(heads[i]);
    cr_expect_eq(json_array_size(json_object_get(all, "input_ids")), 4);
    cr_expect_eq(json_array_size(json_object_get(all, "attention")), json_array_size(json_object_get(all, "ids")));
    expect_mean(all, by_layer, 3, "layers");
    expect_mean(by_layer[2], by_head, 4, "heads of the last layer");
    expect_mean(two, by_head, 2, "two heads");
    expect_mean(both, by_layer, 2, "two layers");
    cr_expect(!json_equal(json_object_get(by_head[0], "attention"), json_object_get(by_head[1], "attention")));
    size_t k;
    const json_t *pair;
    json_array_foreach(json_object_get(by_head[1], "alignment"), k, pair) {
        size_t source = (size_t)json_integer_value(json_array_get(pair, 0));
        for (size_t s = 0; s < 3; s++) cr_expect(weight(by_head[1], k, source) >= weight(by_head[1], k, s));
    }
    /* A line of its own, and a picture. */
    outcome line = RUN("{\"text\": \"Ein Hund.\", \"num_beams\": 1, \"alignment_from\": \"2:1\"}\n", shipped_model(),
                       "--json-in", "--json", "--alignment");
    json_t *own = json_loads(line.out, 0, NULL);
    cr_expect(json_equal(json_object_get(own, "alignment"), json_object_get(by_head[1], "alignment")), "%s", line.out);
    outcome plain = RUN("Ein Hund.\n", shipped_model(), "--num-beams=1", "--attention=plain.svg"),
            chosen =
                RUN("Ein Hund.\n", shipped_model(), "--num-beams=1", "--attention=chosen.svg", "--alignment-from=-1:1");
    cr_expect(plain.code == 0 && chosen.code == 0, "%s%s", plain.err, chosen.err);
    char *a = read_text("plain.svg"), *b = read_text("chosen.svg");
    cr_expect_str_neq(a, b);
    free(a);
    free(b);
    json_decref(all), json_decref(two), json_decref(both), json_decref(own);
    for (size_t i = 0; i < 3; i++) json_decref(by_layer[i]);
    for (size_t i = 0; i < 4; i++) json_decref(by_head[i]);
    free_outcome(&line);
    free_outcome(&plain);
    free_outcome(&chosen);
}

Test(json_input, heads_that_are_refused) {
    static const struct {
        const char *from, *message;
    } cases[] = {{"3", "the model has no layer 3; its decoder's are 0 to 2, -1 is the last"},
                 {"-4", "the model has no layer -4"},
                 {"0:4", "there is no head 4; a layer's are 0 to 3"},
                 {"0:-1", "'-1' is not a whole number"},
                 {"0:", "'0:' names no head"},
                 {"", "give a layer, as -1 for the last, or all"},
                 {"0:1,x", "'x' is not a whole number"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        outcome run = RUN("", shipped_model(), "--alignment", "--alignment-from", cases[i].from, "x");
        cr_expect(run.code == 2 && strstr(run.err, "--alignment-from: ") && strstr(run.err, cases[i].message),
                  "%s: %d %s", cases[i].from, run.code, run.err);
        free_outcome(&run);
    }
    outcome alone = RUN("", shipped_model(), "--alignment-from=1", "x");
    cr_expect(alone.code == 2 && strstr(alone.err, "give one of them"), "%s", alone.err);
    outcome plain = RUN("", shipped_model(), "--attention-weights", "x");
    cr_expect(plain.code == 2 && strstr(plain.err, "--attention-weights needs --json"), "%s", plain.err);
    free_outcome(&alone);
    free_outcome(&plain);
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
