/* completion_test.c - tfmrun with a decoder-only model: continuations in pipes and of arguments. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stories.h"
#include "tests/support/data.h"

#define DOG "One day, a little dog"

TestSuite(completion, .init = enter_scratch, .fini = leave_scratch, .timeout = 10 * TEST_SECONDS);

static void expect_run(const outcome *run, int code, const char *out) {
    cr_expect_eq(run->code, code, "exit status %d: %s", run->code, run->err);
    cr_expect_str_eq(run->out, out);
}

/* Object of line i. */
static json_t *object_at(const char *lines, size_t i) {
    while (i-- > 0) lines = strchr(lines, '\n') + 1;
    json_t *object = json_loadb(lines, strcspn(lines, "\n"), JSON_REJECT_DUPLICATES, NULL);
    cr_assert(json_is_object(object), "%s", lines);
    return object;
}

static const char *string_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    cr_assert(text, "no %s in an object", key);
    return text;
}

/* ---- against the expected outputs ---- */

/* The settings of a case as options; the caller frees them. */
static size_t case_words(const json_t *kwargs, const char **words) {
    const char *key;
    json_t *value;
    size_t n = 0;
    json_object_foreach((json_t *)kwargs, key, value) {
        char *word = NULL, *text = json_dumps(value, JSON_ENCODE_ANY);
        cr_assert(asprintf(&word, "--%s=%s", key, text) > 0);
        words[n++] = word;
        free(text);
    }
    return n;
}

static void check_output(const json_t *got, const json_t *want, const char *name) {
    const json_t *score = json_object_get(want, "sequences_score");
    bool ended = json_is_true(json_object_get(want, "ended_with_eos"));
    char *ids = json_dumps(json_object_get(got, "ids"), JSON_COMPACT);
    cr_expect(json_equal(json_object_get(got, "ids"), json_object_get(want, "new_ids")), "%s: %s", name, ids);
    cr_expect_str_eq(string_of(got, "finish"), ended ? "end" : "length", "%s", name);
    if (score)
        cr_expect_float_eq(json_number_value(json_object_get(got, "score")), json_number_value(score), 1e-4, "%s",
                           name);
    free(ids);
}

/* Every generation case of the golden checkpoint, its prompts as lines of ids. */
Test(completion, equals_the_reference) {
    pack_stories();
    json_t *expected = json_load_file(golden_path("llama/expected/expected.json"), 0, NULL);
    const json_t *prompts = json_object_get(expected, "prompts"), *prompt, *one;
    size_t i, k, c, checked = 0;
    FILE *lines = fopen("prompts", "w");
    cr_assert(expected && lines);
    json_array_foreach((json_t *)prompts, i, prompt) {
        for (k = 0; k < json_array_size(prompt); k++)
            fprintf(lines, "%s%" JSON_INTEGER_FORMAT, k ? " " : "", json_integer_value(json_array_get(prompt, k)));
        putc('\n', lines);
    }
    fclose(lines);
    char *input = read_text("prompts");
    json_array_foreach(json_object_get(expected, "generate"), c, one) {
        const char *words[32] = {"--json", "--no-timing", "--ids"};
        size_t n = 3, n_options = case_words(json_object_get(one, "kwargs"), words + n);
        outcome run = tfmrun(input, STORIES, words);
        cr_assert_eq(run.code, 0, "%s", run.err);
        for (i = 0; i < json_array_size(prompts); i++) {
            json_t *object = object_at(run.out, i);
            const json_t *hypotheses = json_array_get(json_object_get(one, "outputs"), i);
            const json_t *sequences = json_object_get(object, "sequences");
            for (k = 0; k < json_array_size(hypotheses); k++, checked++)
                check_output(sequences ? json_array_get(sequences, k) : object, json_array_get(hypotheses, k),
                             string_of(one, "name"));
            json_decref(object);
        }
        for (i = 0; i < n_options; i++) free((char *)words[n + i]);
        free_outcome(&run);
    }
    cr_expect_geq(checked, 40);
    free(input);
    json_decref(expected);
}

/* ---- forms ---- */

Test(completion, in_every_form) {
    pack_stories();
    outcome plain = RUN("", STORIES, "--max-new-tokens=90", DOG);
    cr_expect_eq(plain.code, 0, "%s", plain.err);
    cr_expect_eq(strncmp(plain.out, " bread there moon fish out'0", 28), 0, "%s", plain.out);
    cr_expect(strchr(plain.out, '\n') < plain.out + strlen(plain.out) - 1, "line breaks as they are: %s", plain.out);
    write_text("prompt.txt", DOG "\n");
    outcome file = RUN("", STORIES, "--max-new-tokens=90", "--prompt-file", "prompt.txt");
    expect_run(&file, 0, plain.out);
    outcome standard = RUN(DOG, STORIES, "--max-new-tokens=90", "--prompt-file=-");
    expect_run(&standard, 0, plain.out);
    outcome echo = RUN("", STORIES, "--max-new-tokens=90", "--echo", DOG);
    cr_expect_eq(strncmp(echo.out, DOG " bread there", 33), 0, "%s", echo.out);
    /* Lines stay lines. */
    outcome lines = RUN(DOG "\n\n" DOG "\n", STORIES, "--max-new-tokens=90");
    size_t n = 0;
    for (const char *at = lines.out; (at = strchr(at, '\n')); at++) n++;
    cr_expect_eq(n, 3, "%s", lines.out);
    cr_expect(strstr(lines.out, "her rain\\n hisi moonf"), "%s", lines.out);
    cr_expect(strstr(lines.out, "\n\n bread there"), "%s", lines.out);
    outcome ids = RUN("1 34 16 7 156 49 46 3 158 115\n", STORIES, "--max-new-tokens=3", "--ids");
    expect_run(&ids, 0, "147 187 151\n");
    free_outcome(&plain);
    free_outcome(&file);
    free_outcome(&standard);
    free_outcome(&echo);
    free_outcome(&lines);
    free_outcome(&ids);
}

Test(completion, ends_before_stop_strings) {
    pack_stories();
    /* " then away then away snow always! apple not sweet himb him them tree red" */
    outcome one = RUN("", STORIES, "--stop", "ow alw", "The cat"); /* amid two words, so over tokens */
    expect_run(&one, 0, " then away then away sn\n");
    outcome first = RUN("", STORIES, "--stop=sweet", "--stop=apple", "The cat");
    expect_run(&first, 0, " then away then away snow always! \n");
    outcome newline = RUN("", STORIES, "--max-new-tokens=120", "--stop=\\n", DOG);
    cr_expect(strstr(newline.out, "her rain\n") && !strstr(newline.out, "hisi"), "%s", newline.out);
    outcome json = RUN("", STORIES, "--stop=apple", "--json", "The cat");
    json_t *object = object_at(json.out, 0);
    cr_expect_str_eq(string_of(object, "text"), " then away then away snow always! ");
    cr_expect_str_eq(string_of(object, "finish"), "stop");
    cr_expect_lt(json_array_size(json_object_get(object, "ids")), 12, "it goes no further: %s", json.out);
    json_decref(object);
    outcome several = RUN("", STORIES, "--stop=.", "--stop=w", "-n", "6", "--seed=2", "--json", "The cat");
    object = object_at(several.out, 0);
    const json_t *sequences = json_object_get(object, "sequences"), *sequence;
    cr_assert_eq(json_array_size(sequences), 6);
    size_t i, stopped = 0;
    json_array_foreach(sequences, i, sequence) {
        const char *text = string_of(sequence, "text");
        cr_expect(!strchr(text, '.') && !strchr(text, 'w'), "%s", text);
        stopped += strcmp(string_of(sequence, "finish"), "stop") == 0;
    }
    cr_expect_geq(stopped, 4);
    json_decref(object);
    free_outcome(&one);
    free_outcome(&first);
    free_outcome(&newline);
    free_outcome(&json);
    free_outcome(&several);
}

/* ---- sampling ---- */

#define DRAWN "--json", "--no-timing", "--temperature=0.9", "--top-k=100", "--top-p=0.95", "--max-new-tokens=24"

Test(completion, draws_the_same_from_a_seed) {
    pack_stories();
    outcome one = RUN("", STORIES, DRAWN, "--seed=7", "-t1", "The cat", "Tom and Sam", "One day");
    cr_expect_eq(one.code, 0, "%s", one.err);
    outcome threads = RUN("", STORIES, DRAWN, "--seed=7", "-t2", "The cat", "Tom and Sam", "One day");
    expect_run(&threads, 0, one.out);
    outcome scalar = RUN("", STORIES, DRAWN, "--seed=7", "--isa=scalar", "The cat", "Tom and Sam", "One day");
    expect_run(&scalar, 0, one.out);
    outcome small = RUN("", STORIES, DRAWN, "--seed=7", "--batch-tokens=1", "The cat", "Tom and Sam", "One day");
    expect_run(&small, 0, one.out);
    outcome alone = RUN("", STORIES, DRAWN, "--seed=7", "Tom and Sam");
    cr_expect_eq(strncmp(strchr(one.out, '\n') + 1, alone.out, strlen(alone.out)), 0, "%s%s", one.out, alone.out);
    outcome other = RUN("", STORIES, DRAWN, "--seed=8", "Tom and Sam");
    cr_expect(strcmp(other.out, alone.out) != 0);
    /* Without a seed each run has its own, and tells it. */
    outcome any = RUN("", STORIES, DRAWN, "Tom and Sam");
    json_t *object = object_at(any.out, 0);
    char seed[48];
    snprintf(seed, sizeof seed, "--seed=%lld", (long long)json_integer_value(json_object_get(object, "seed")));
    outcome again = RUN("", STORIES, DRAWN, seed, "Tom and Sam");
    expect_run(&again, 0, any.out);
    json_decref(object);
    outcome zero = RUN("", STORIES, "--temperature=0", "--max-new-tokens=24", "Tom and Sam");
    outcome greedy = RUN("", STORIES, "--max-new-tokens=24", "Tom and Sam");
    expect_run(&zero, 0, greedy.out);
    outcome *all[] = {&one, &threads, &scalar, &small, &alone, &other, &any, &again, &zero, &greedy};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_outcome(all[i]);
}

Test(completion, several_of_a_prompt) {
    pack_stories();
    outcome run = RUN("The cat\nTom\n", STORIES, "-n", "3", "--seed=2", "--max-new-tokens=12");
    cr_expect_eq(run.code, 0, "%s", run.err);
    const char *line[6];
    size_t n = 0;
    for (char *rest = NULL, *at = strtok_r(run.out, "\n", &rest); at && n < 6; at = strtok_r(NULL, "\n", &rest))
        line[n++] = at;
    cr_assert_eq(n, 6, "three lines each");
    for (size_t i = 0; i < 3; i++) cr_expect(strcmp(line[i], line[(i + 1) % 3]) != 0, "%s twice", line[i]);
    free_outcome(&run);
    outcome free_choice = RUN("", STORIES, "--json", "--max-new-tokens=1", "The cat");
    cr_expect(strstr(free_choice.out, "\"ids\":[61]"), "%s", free_choice.out);
    free_outcome(&free_choice);
    outcome forbidden = RUN("", STORIES, "--logit-bias", "61=-inf", "--json", "--max-new-tokens=1", "The cat");
    cr_expect(strstr(forbidden.out, "\"ids\":[") && !strstr(forbidden.out, "\"ids\":[61]"), "%s", forbidden.out);
    free_outcome(&forbidden);
    outcome forced = RUN("", STORIES, "--logit-bias", "7=1e4,100=-inf", "--ids", "--max-new-tokens=2", "1 80");
    expect_run(&forced, 0, "7 7\n");
    free_outcome(&forced);
    outcome top = RUN("", STORIES, "--json", "--log-probs", "--top-log-probs=3", "--max-new-tokens=2", "The cat");
    json_t *object = object_at(top.out, 0);
    const json_t *places = json_object_get(object, "top_log_probs"), *place = json_array_get(places, 0);
    cr_assert(json_array_size(places) == 2 && json_array_size(place) == 3, "%s", top.out);
    const json_t *best = json_array_get(place, 0);
    cr_expect_eq(json_integer_value(json_object_get(best, "id")),
                 json_integer_value(json_array_get(json_object_get(object, "ids"), 0)));
    cr_expect_eq(json_real_value(json_object_get(best, "log_prob")),
                 json_real_value(json_array_get(json_object_get(object, "token_log_probs"), 0)));
    json_decref(object);
    free_outcome(&top);
}

/* ---- limits ---- */

Test(completion, ends_where_the_context_does) {
    pack_stories();
    outcome full = RUN("", STORIES, "--json", "--max-new-tokens=3000", "--eos-token-id=none", "The cat");
    json_t *object = object_at(full.out, 0);
    cr_expect_str_eq(string_of(object, "finish"), "length");
    cr_expect_eq(json_array_size(json_object_get(object, "ids")), STORY_CONTEXT + 1 - 5);
    json_decref(object);
    free_outcome(&full);
    /* One that is limited beside one that is not, and each alone. */
    const char *limit = "--max-new-tokens=507", *endless = "--eos-token-id=none";
    outcome both = RUN("The cat and the dog\nThe\n", STORIES, limit, endless);
    cr_expect_eq(both.code, 0, "%s", both.err);
    outcome first = RUN("The cat and the dog\n", STORIES, limit, endless);
    outcome second = RUN("The\n", STORIES, limit, endless);
    size_t n = strlen(first.out);
    cr_expect(strncmp(both.out, first.out, n) == 0 && strcmp(both.out + n, second.out) == 0, "%s", both.out);
    free_outcome(&both);
    free_outcome(&first);
    free_outcome(&second);
    char long_line[8192] = "";
    for (size_t i = 0; i < 300; i++) strcat(long_line, "The cat ");
    strcat(long_line, "\nThe cat\n");
    outcome longer = RUN(long_line, STORIES, "--max-new-tokens=3");
    cr_expect_eq(longer.code, 1);
    cr_expect(strstr(longer.err, "line 1: the input has") && strstr(longer.err, "512 at most"), "%s", longer.err);
    cr_expect_str_eq(longer.out, "\n then away then\n");
    free_outcome(&longer);
    /* What is cut leaves room for what was asked for: of the prompt the end stays. */
    static const struct {
        const char *words[3], *tokens, *prompt;
    } cuts[] = {{{"--max-new-tokens=3"}, "\"tokens\":3", "\"prompt_tokens\":509"},
                {{"--max-new-tokens=500"}, "\"tokens\":500", "\"prompt_tokens\":12"},
                {{"--max-new-tokens=9", "--prefix-ids=5 6"}, "\"tokens\":11", "\"prompt_tokens\":501"},
                {{"--max-length=100"}, "\"tokens\":25", "\"prompt_tokens\":75"},
                {{"--temperature=0"}, "\"tokens\":129", "\"prompt_tokens\":384"}};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        outcome cut =
            RUN(long_line, STORIES, "--truncate", "--json", "--eos-token-id=none", cuts[i].words[0], cuts[i].words[1]);
        cr_expect_eq(cut.code, 0, "%s", cut.err);
        *strchr(cut.out, '\n') = 0;
        cr_expect(strstr(cut.out, cuts[i].tokens) && strstr(cut.out, cuts[i].prompt), "%s", strstr(cut.out, "timing"));
        free_outcome(&cut);
    }
    outcome no_room = RUN(long_line, STORIES, "--truncate", "--max-new-tokens=512");
    cr_expect_eq(no_room.code, 1);
    cr_expect(strstr(no_room.err, "line 1: ") && strstr(no_room.err, "has no room for any of them"), "%s", no_room.err);
    free_outcome(&no_room);
}

typedef struct mistake {
    const char *words[6];
    int code;
    const char *message;
} mistake;

Test(completion, mistakes_are_explained) {
    pack_stories();
    static const mistake mistakes[] = {
        {{"--chat", "x"}, 2, "has no chat template"},
        {{"--system=x", "x"}, 2, "has no chat template"},
        {{"--chat", "--completion", "x"}, 2, "either --chat or --completion"},
        {{"--attention=map.svg", "x"}, 2, "this model has no encoder"},
        {{"--shortlist", "x"}, 2, "--shortlist is for models with an encoder"},
        {{"--prompt-file=prompt.txt", "x"}, 2, "no TEXT goes with it"},
        {{"--prompt-file=missing.txt"}, 1, "missing.txt"},
        {{"--top-log-probs=2", "x"}, 2, "--top-log-probs needs --json"},
        {{"--num-beams=2", "--stop=x", "x"}, 2, "--stop is not for beams"},
        {{"--num-beams=2", "--temperature=0.5", "x"}, 2, "does not go with sampling"},
        {{"--do-sample=false", "-n2", "x"}, 2, "--do-sample draws as many as you like"},
        {{"--logit-bias=200=1", "x"}, 2, "has no token 200"},
        {{"--max-length=2", "--json", "The cat"}, 1, "argument 1: the input has 5 tokens"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        outcome run = tfmrun("", STORIES, mistakes[i].words);
        cr_expect_eq(run.code, mistakes[i].code, "%s: exit status %d", mistakes[i].words[0], run.code);
        cr_expect(strstr(run.err, mistakes[i].message), "'%s' is not in: %s", mistakes[i].message, run.err);
        free_outcome(&run);
    }
    outcome encoder = RUN("", shipped_model(), "--chat", "Ein Hund.");
    cr_expect_eq(encoder.code, 2);
    cr_expect(strstr(encoder.err, "--chat is for decoder-only models"), "%s", encoder.err);
    free_outcome(&encoder);
}

/* ---- messages in pipes ---- */

Test(completion, of_messages) {
    pack_chatting();
    outcome one = RUN("", CHATTING, "--chat", "--max-new-tokens=20", "Tell a story");
    cr_expect_eq(one.code, 0, "%s", one.err);
    outcome lines = RUN("Hello\nTell a story\n", CHATTING, "--chat", "--max-new-tokens=20");
    cr_expect(strstr(lines.out, one.out), "%s has no %s", lines.out, one.out);
    outcome system = RUN("", CHATTING, "--system", "Be kind", "--max-new-tokens=20", "--json", "Tell a story");
    outcome plain = RUN("", CHATTING, "--chat", "--max-new-tokens=20", "--json", "Tell a story");
    json_t *with = object_at(system.out, 0), *without = object_at(plain.out, 0);
    cr_expect_gt(json_integer_value(json_object_get(json_object_get(with, "timing"), "prompt_tokens")),
                 json_integer_value(json_object_get(json_object_get(without, "timing"), "prompt_tokens")));
    write_text("system.txt", "Be kind\n");
    outcome file = RUN("", CHATTING, "--system-file=system.txt", "--max-new-tokens=20", "--json", "Tell a story");
    json_t *same = object_at(file.out, 0);
    cr_expect(json_equal(json_object_get(with, "ids"), json_object_get(same, "ids")), "%s%s", system.out, file.out);
    json_decref(with);
    json_decref(without);
    json_decref(same);
    /* A template alone changes nothing: texts are gone on with. */
    outcome text = RUN("", CHATTING, "--max-new-tokens=3", "The cat");
    expect_run(&text, 0, " then away then\n");
    outcome *all[] = {&one, &lines, &system, &plain, &file, &text};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_outcome(all[i]);
}

/* ---- a model file's own settings ---- */

/* Outputs that no session is made for: which option to give. */
Test(completion, of_a_model_that_asks_for_a_million_outputs) {
    pack_stories_with("{\"do_sample\": true, \"num_return_sequences\": 1000000, \"max_new_tokens\": 3}");
    outcome run = RUN("a\n", STORIES, "--no-timing");
    cr_expect_eq(run.code, 2);
    cr_expect(
        strstr(run.err, "num-return-sequences is 1000000, and 1 to 1024 are possible: give --num-return-sequences"),
        "%s", run.err);
    free_outcome(&run);
    run = RUN("a\n", STORIES, "--num-return-sequences", "2");
    cr_expect_eq(run.code, 0, "%s", run.err);
    free_outcome(&run);
    pack_stories_with("{\"num_beams\": 4294967295, \"max_new_tokens\": 3}");
    run = RUN("a\n", STORIES, "--no-timing");
    cr_expect(run.code == 2 && strstr(run.err, "give --num-beams"), "%s", run.err);
    free_outcome(&run);
}
