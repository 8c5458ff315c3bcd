/* lines_test.c - tfmrun in pipes: order, pauses, bad lines, JSON, token ids, memory. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "interact.h"

TestSuite(lines, .init = enter_scratch, .fini = leave_scratch, .timeout = 10 * TEST_SECONDS);

/* The first n lines of a file of the shipped checkpoint's expected/, or of all if n is 0. The caller frees it. */
static char *expected_lines(const char *name, size_t n) {
    char path[4096];
    snprintf(path, sizeof path, "%s/expected/%s", shipped_folder(), name);
    FILE *file = fopen(path, "rb");
    cr_assert(file, "%s", path);
    char *text = NULL, *line = NULL;
    size_t size = 0, room = 0;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; (n == 0 || i < n) && getline(&line, &room, file) > 0; i++) fputs(line, out);
    fclose(out);
    fclose(file);
    free(line);
    return text;
}

static void expect_run(const outcome *run, int code, const char *out) {
    cr_expect_eq(run->code, code, "exit status %d: %s", run->code, run->err);
    cr_expect_str_eq(run->out, out);
}

/* ---- text ---- */

Test(lines, keep_their_order) {
    enum { N = 40 };
    char *german = expected_lines("test.de", N), *greedy = expected_lines("greedy.txt", N);
    outcome one = RUN(german, shipped_model(), "--num-beams", "1");
    expect_run(&one, 0, greedy);
    cr_expect_str_eq(one.err, "");
    /* Small batches cut the same lines into many windows. */
    outcome small = RUN(german, shipped_model(), "--num-beams", "1", "--batch-tokens", "16", "--threads", "3");
    expect_run(&small, 0, greedy);
    free_outcome(&one);
    free_outcome(&small);
    free(german);
    free(greedy);
}

Test(lines, use_the_models_own_settings) {
    enum { N = 6 };
    char *german = expected_lines("test.de", N), *beams = expected_lines("beam4.txt", N);
    outcome run = RUN(german, shipped_model(), NULL);
    expect_run(&run, 0, beams);
    free_outcome(&run);
    free(german);
    free(beams);
}

Test(lines, ends_and_blanks) {
    outcome run = RUN("\nEin Hund.\r\n   \n\n \t\r\nEin Hund.", shipped_model(), "--num-beams=1");
    expect_run(&run, 0, "\nA dog is walking.\n\n\n\nA dog is walking.\n");
    free_outcome(&run);
    outcome nothing = RUN("", shipped_model(), NULL);
    expect_run(&nothing, 0, "");
    free_outcome(&nothing);
    outcome texts = RUN("not read\n", shipped_model(), "--num-beams=1", "Ein Hund.", "", "Ein Hund.");
    expect_run(&texts, 0, "A dog is walking.\n\nA dog is walking.\n");
    free_outcome(&texts);
}

Test(lines, several_outputs_each) {
    outcome run = RUN("Ein Hund.\n\n", shipped_model(), "--num-beams=3", "--num-return-sequences=3");
    size_t n = 0;
    for (const char *at = run.out; (at = strchr(at, '\n')); at++) n++;
    cr_expect_eq(n, 6, "three lines for each input: %s", run.out);
    cr_expect_eq(strncmp(run.out, "A dog.\n", 7), 0, "%s", run.out);
    cr_expect_str_eq(run.out + strlen(run.out) - 4, "\n\n\n\n");
    free_outcome(&run);
}

Test(lines, that_are_too_long) {
    static const char input[] =
        "Ein Hund.\nEin Mann und eine Frau und ein Kind und ein Hund und ein Ball.\nEin Hund.\n";
    outcome run = RUN(input, shipped_model(), "--num-beams=1", "--max-source-length", "8");
    expect_run(&run, 1, "A dog is walking.\n\nA dog is walking.\n");
    cr_expect(strstr(run.err, "line 2: the input has") && strstr(run.err, "8 at most"), "%s", run.err);
    free_outcome(&run);
    outcome cut = RUN(input, shipped_model(), "--num-beams=1", "--max-source-length", "8", "--truncate");
    outcome same = RUN("Ein Mann und eine Frau und ein\n", shipped_model(), "--num-beams=1");
    char whole[400];
    snprintf(whole, sizeof whole, "A dog is walking.\n%sA dog is walking.\n", same.out);
    expect_run(&cut, 0, whole); /* seven words and the end token */
    free_outcome(&cut);
    free_outcome(&same);
    /* Longer than the model takes, and longer than any buffer. */
    size_t n = 200000;
    char *huge = malloc(n + 32);
    for (size_t i = 0; i < n; i += 4) memcpy(huge + i, "ein ", 4);
    strcpy(huge + n, "\nEin Hund.\n");
    outcome model = RUN(huge, shipped_model(), "--num-beams=1");
    expect_run(&model, 1, "\nA dog is walking.\n");
    cr_expect(strstr(model.err, "line 1: the input has 50001 tokens"), "%s", model.err);
    free_outcome(&model);
    free(huge);
}

Test(lines, odd_bytes) {
    static const char input[] = "Ein \xff Hund.\n\xe2\x96\n\x01\x02\nEin Hund.\n";
    outcome run = RUN(input, shipped_model(), "--num-beams=1", "--json", "--max-new-tokens=8");
    cr_expect_eq(run.code, 0, "%s", run.err);
    size_t n = 0;
    for (char *rest = NULL, *line = strtok_r(run.out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), n++) {
        json_t *object = json_loads(line, 0, NULL);
        cr_expect(json_is_object(object), "%s", line);
        json_decref(object);
    }
    cr_expect_eq(n, 4);
    free_outcome(&run);
}

/* What has come is answered while the writer still thinks about the rest. */
Test(lines, are_answered_at_a_pause) {
    const char *const words[] = {tfmrun_path(), shipped_model(), "--num-beams=1", NULL};
    child c = start_piped(words);
    send_text(&c, "Ein Hund.\nEin");
    expect(&c, "A dog is walking.\n");
    send_text(&c, " Hund.\n");
    expect(&c, "A dog is walking.\n");
    send_text(&c, "\n");
    expect(&c, "\n");
    send_text(&c, "Ein Hund.");
    close(c.in);
    c.in = c.out;
    expect(&c, "A dog is walking.\n");
    cr_expect_eq(end_child(&c, NULL), 0);
}

/* A reader that leaves early, as head does, is no error worth a message. */
Test(lines, end_quietly_without_a_reader) {
    write_text("stderr", "");
    const char *const words[] = {tfmrun_path(), shipped_model(), "--num-beams=1", NULL};
    child c = start_piped(words);
    send_text(&c, "Ein Hund.\n");
    expect(&c, "A dog is walking.\n");
    close(c.out);
    c.out = open("/dev/null", O_RDONLY);
    signal(SIGPIPE, SIG_IGN);
    send_text(&c, "Ein Hund.\n");
    int code = end_child(&c, NULL);
    cr_expect(code == 1 || code == 128 + SIGPIPE, "%d", code);
    FILE *file = fopen("stderr", "r");
    char text[256];
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = 0;
    cr_expect_str_eq(text, "");
}

Test(lines, full_disk_is_reported) {
    const char *const words[] = {"sh",
                                 "-c",
                                 "exec $TFM_EMULATOR \"$0\" \"$@\" >/dev/full",
                                 tfmrun_path(),
                                 shipped_model(),
                                 "--num-beams=1",
                                 "Ein Hund.",
                                 NULL};
    outcome run = run_program(words, NULL);
    cr_expect_eq(run.code, 1);
    cr_expect(strstr(run.err, "cannot write the output"), "%s", run.err);
    free_outcome(&run);
}

/* ---- token ids ---- */

/* The ids of line i of an expected/ file, as text. */
static void expected_ids(const char *lines, size_t i, const char *key, char *out, size_t size) {
    while (i-- > 0) lines = strchr(lines, '\n') + 1;
    json_t *object = json_loadb(lines, strcspn(lines, "\n"), 0, NULL);
    const json_t *ids = json_is_array(object) ? object : json_object_get(object, key);
    cr_assert(json_is_array(ids), "%.*s", (int)strcspn(lines, "\n"), lines);
    size_t used = 0;
    for (size_t j = 0; j < json_array_size(ids); j++)
        used += (size_t)snprintf(out + used, size - used, "%s%d", j ? " " : "",
                                 (int)json_integer_value(json_array_get(ids, j)));
    snprintf(out + used, size - used, "\n");
    json_decref(object);
}

Test(lines, of_token_ids) {
    enum { N = 8 };
    char *source = expected_lines("src.ids.jsonl", N), *target = expected_lines("greedy.ids.jsonl", N);
    char input[8192] = "", output[8192] = "";
    for (size_t i = 0; i < N; i++) {
        expected_ids(source, i, "ids", input + strlen(input), 1024);
        expected_ids(target, i, "ids", output + strlen(output), 1024);
    }
    outcome run = RUN(input, shipped_model(), "--ids", "--num-beams", "1");
    expect_run(&run, 0, output);
    free_outcome(&run);
    free(source);
    free(target);
}

Test(lines, of_wrong_token_ids) {
    outcome good = RUN("7 0\n", shipped_model(), "--ids", "--num-beams=1");
    char expected[256];
    snprintf(expected, sizeof expected, "\n\n\n%s\n\n", good.out);
    outcome run =
        RUN("7 6001 0\n7 xx! 0\n-3\n7,  0\n\n12345678901234567890123\n", shipped_model(), "--ids", "--num-beams=1");
    expect_run(&run, 1, expected);
    static const char *const complaints[] = {"line 1: the input: '6001' is not a token id from 0 to 6000",
                                             "line 2: the input: the model has no token 'xx!'",
                                             "line 3: the input: '-3'", "line 6: the input: '12345678901234567890123'"};
    for (size_t i = 0; i < sizeof complaints / sizeof *complaints; i++)
        cr_expect(strstr(run.err, complaints[i]), "'%s' is not in: %s", complaints[i], run.err);
    free_outcome(&run);
    free_outcome(&good);
}

Test(lines, without_a_tokenizer) {
    const char *model = golden_model("marian");
    outcome text = RUN("Ein Hund.\n", model, NULL);
    cr_expect_eq(text.code, 1);
    cr_expect(strstr(text.err, "has no tokenizer; with --ids"), "%s", text.err);
    free_outcome(&text);
    outcome ids = RUN("90 127 92 198 133 116 38 81 0\n", model, "--ids");
    expect_run(&ids, 0,
               "128 82 164 164 164 164 164 164 164 164 164 164 164 164 164 164 164 164 164 164 164 164 164 "
               "164 0\n");
    free_outcome(&ids);
    outcome json = RUN("90 127 0\n", model, "--ids", "--json");
    cr_expect_eq(json.code, 0, "%s", json.err);
    cr_expect(strncmp(json.out, "{\"ids\":[", 8) == 0, "no text without a tokenizer: %s", json.out);
    free_outcome(&json);
}

Test(lines, that_must_start_with_a_prefix) {
    outcome run = RUN("Ein Hund.\n", shipped_model(), "--num-beams=1", "--prefix", "The big");
    cr_expect_eq(run.code, 0, "%s", run.err);
    cr_expect_eq(strncmp(run.out, "The big", 7), 0, "%s", run.out);
    free_outcome(&run);
    outcome ids = RUN("Ein Hund.\n", shipped_model(), "--prefix-ids", "18 18 7", "--json");
    cr_expect(strstr(ids.out, "\"ids\":[18,18,7,"), "%s", ids.out);
    free_outcome(&ids);
    /* The prefix does not count in max-new-tokens, however few those are. (What transformers gives.) */
    outcome few = RUN("Ein Mann schl\xc3\xa4"
                      "ft.\n",
                      shipped_model(), "--prefix", "The man", "--max-new-tokens=10");
    expect_run(&few, 0, "The man is sleeping.\n");
    free_outcome(&few);
    static const struct {
        const char *name, *input, *output;
    } golden[] = {{"t5-v1_1", "33 79 47 194 141 179 149 98 1", "5 6 7 193 138 40 47\n"},
                  {"bart", "0 184 86 42 126 85 55 66 2", "5 6 7 142 186 46 2\n"}};
    for (size_t i = 0; i < 2; i++) {
        outcome beams = RUN(golden[i].input, golden_model(golden[i].name), "--ids", "--prefix-ids=5 6 7",
                            "--max-new-tokens=4", "--num-beams=3");
        expect_run(&beams, 0, golden[i].output);
        free_outcome(&beams);
    }
}

/* ---- JSON ---- */

static json_t *object_of(const char *line) {
    json_error_t error;
    json_t *object = json_loadb(line, strcspn(line, "\n"), JSON_REJECT_DUPLICATES, &error);
    cr_assert(json_is_object(object), "%s: %s", error.text, line);
    return object;
}

static void check_sequence(const json_t *sequence) {
    const json_t *ids = json_object_get(sequence, "ids"), *log_probs = json_object_get(sequence, "token_log_probs");
    cr_assert(json_is_array(ids) && json_is_array(log_probs));
    cr_expect(json_is_string(json_object_get(sequence, "text")));
    size_t n = json_array_size(ids);
    cr_assert_gt(n, 0);
    cr_expect_eq(json_array_size(log_probs), n);
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += json_real_value(json_array_get(log_probs, i));
    double score = json_real_value(json_object_get(sequence, "score"));
    cr_expect_lt(fabs(score - sum / (double)n), 1e-5, "score %g, mean of log-probabilities %g", score, sum / (double)n);
}

Test(lines, as_json) {
    outcome run = RUN("Ein Hund.\n\n", shipped_model(), "--json", "--log-probs", "--num-return-sequences=2");
    cr_assert_eq(run.code, 0, "%s", run.err);
    json_t *object = object_of(run.out);
    check_sequence(object);
    cr_expect_str_eq(json_string_value(json_object_get(object, "text")), "A dog.");
    const json_t *ids = json_object_get(object, "ids");
    cr_expect_eq(json_integer_value(json_array_get(ids, json_array_size(ids) - 1)), 0, "the end token belongs to ids");
    const json_t *sequences = json_object_get(object, "sequences");
    cr_assert_eq(json_array_size(sequences), 2);
    for (size_t i = 0; i < 2; i++) check_sequence(json_array_get(sequences, i));
    cr_expect(json_equal(ids, json_object_get(json_array_get(sequences, 0), "ids")));
    cr_expect_geq(json_real_value(json_object_get(json_array_get(sequences, 0), "score")),
                  json_real_value(json_object_get(json_array_get(sequences, 1), "score")));
    const json_t *timing = json_object_get(object, "timing");
    cr_expect_eq(json_integer_value(json_object_get(timing, "tokens")), (json_int_t)json_array_size(ids));
    cr_expect(json_is_real(json_object_get(timing, "ms")));
    json_decref(object);

    json_t *empty = object_of(strchr(run.out, '\n') + 1);
    cr_expect_str_eq(json_string_value(json_object_get(empty, "text")), "");
    cr_expect_eq(json_array_size(json_object_get(empty, "ids")), 0);
    cr_expect(json_is_null(json_object_get(empty, "score")));
    json_decref(empty);
    free_outcome(&run);
}

Test(lines, as_json_with_an_error) {
    outcome run = RUN("1 2 99999\n7 0\n", shipped_model(), "--json", "--ids");
    cr_expect_eq(run.code, 1);
    json_t *object = object_of(run.out);
    const char *message = json_string_value(json_object_get(object, "error"));
    cr_expect(message && strstr(message, "line 1") && strstr(message, "99999"), "%s", run.out);
    cr_expect_eq(json_object_size(object), 1);
    json_decref(object);
    object = object_of(strchr(run.out, '\n') + 1);
    cr_expect(json_object_get(object, "ids") && !json_object_get(object, "sequences"));
    json_decref(object);
    free_outcome(&run);
}

Test(lines, as_json_are_reproducible) {
    char *german = expected_lines("test.de", 3);
    outcome one = RUN(german, shipped_model(), "--json", "--no-timing", "--log-probs", "--num-beams=2", "-t1");
    outcome two = RUN(german, shipped_model(), "--json", "--no-timing", "--log-probs", "--num-beams=2", "-t3",
                      "--batch-tokens=20", "--isa=scalar", "--verify=header");
    cr_expect_eq(one.code, 0, "%s", one.err);
    expect_run(&two, 0, one.out);
    cr_expect(!strstr(one.out, "timing"));
    free_outcome(&one);
    free_outcome(&two);
    free(german);
}

/* ---- attention ---- */

static size_t count(const char *text, const char *word) {
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word)) n++;
    return n;
}

static char *contents(const char *name) {
    char *text = NULL;
    size_t size = 0, room = 1 << 20;
    FILE *file = fopen(name, "rb");
    cr_assert(file, "%s was not written", name);
    text = calloc(room, 1);
    size = fread(text, 1, room - 1, file);
    cr_assert_lt(size, room - 1);
    fclose(file);
    return text;
}

Test(lines, with_attention) {
    outcome run = RUN("", shipped_model(), "--json", "--attention", "map.svg", "Ein Hund.");
    cr_assert_eq(run.code, 0, "%s", run.err);
    json_t *object = object_of(run.out);
    size_t n_target = json_array_size(json_object_get(object, "ids"));
    json_decref(object);
    char *svg = contents("map.svg");
    cr_expect_eq(count(svg, "<title>"), 4 * n_target, "a cell for each pair; the input has 4 tokens");
    cr_expect(strstr(svg, "Hund") && strstr(svg, "dog") && strstr(svg, "&lt;/s&gt;"));
    cr_expect_eq(strncmp(svg, "<?xml ", 6), 0);
    free(svg);
    free_outcome(&run);

    outcome page = RUN("Ein Hund.\n\nEin Mann.\n", shipped_model(), "--attention", "map.html");
    cr_expect_eq(page.code, 0, "%s", page.err);
    char *html = contents("map.html");
    cr_expect_eq(count(html, "<figure "), 2);
    cr_expect_eq(count(html, "</svg>"), 2);
    cr_expect(strstr(html, "pair-1") && strstr(html, "pair-3"), "figures bear the numbers of the lines");
    cr_expect_eq(strcmp(html + strlen(html) - strlen("</body></html>\n"), "</body></html>\n"), 0);
    free(html);
    outcome same = RUN("Ein Hund.\n\nEin Mann.\n", shipped_model(), NULL);
    cr_expect_str_eq(page.out, same.out, "drawing changes no output");
    free_outcome(&page);
    free_outcome(&same);

    outcome two = RUN("", shipped_model(), "--num-beams=1", "--attention", "two.svg", "Ein Hund.", "Ein Hund.");
    expect_run(&two, 0, "A dog is walking.\nA dog is walking.\n");
    cr_expect(strstr(two.err, "shows one sentence pair"), "%s", two.err);
    free_outcome(&two);
    outcome folder = RUN("", shipped_model(), "--attention", "no/such/map.svg", "Ein Hund.");
    cr_expect_eq(folder.code, 1);
    cr_expect(strstr(folder.err, "no/such/map.svg: cannot create"), "%s", folder.err);
    free_outcome(&folder);
}

/* ---- memory ---- */

/* Memory of a run over n times line, in KiB. */
static long memory_over(const char *model, const char *line, size_t n) {
    const char *const words[] = {tfmrun_path(),       model,         "--ids", "--num-beams=1", "--max-new-tokens=1",
                                 "--batch-tokens=64", "--threads=1", NULL};
    signal(SIGPIPE, SIG_IGN);
    child c = start_piped(words);
    fcntl(c.in, F_SETFL, O_NONBLOCK);
    size_t length = strlen(line), left = n * length, answers = 0;
    while (answers < n) {
        while (left > 0) {
            size_t at = (n * length - left) % length;
            ssize_t done = write(c.in, line + at, length - at);
            if (done <= 0) break;
            left -= (size_t)done;
        }
        char block[65536];
        ssize_t got = read(c.out, block, sizeof block);
        if (got <= 0) break;
        for (ssize_t i = 0; i < got; i++) answers += block[i] == '\n';
    }
    cr_expect_eq(answers, n);
    long kib = 0;
    cr_expect_eq(end_child(&c, &kib), 0);
    return kib;
}

/* Address sanitizers (gcc defines a macro, clang a feature) keep freed memory for a while. */
#if defined(__has_feature)
#define UNDER_ASAN __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#else
#define UNDER_ASAN 0
#endif

/* What CTranslate2 has: alternatives after a prefix, those left out as empty lines; a prefix that is only a leaning. */
Test(lines, options_of_ctranslate2) {
    outcome run = RUN("Ein Mann schläft.\n", shipped_model(), "--prefix", "A man is", "--return-alternatives", "-n",
                      "4", "--min-alternative-expansion-prob", "0.02");
    expect_run(&run, 0, "A man is sleeping.\nA man is asleep.\n\n\n");
    free_outcome(&run);
    run = RUN("Ein Mann schläft.\n", shipped_model(), "--prefix", "A dog", "--prefix-bias-beta", "0.001");
    expect_run(&run, 0, "A man is sleeping.\n");
    free_outcome(&run);
    run = RUN("Ein Mann schläft.\n", shipped_model(), "--prefix", "A dog", "--prefix-bias-beta", "0.9", "--patience",
              "2");
    expect_run(&run, 0, "A dog is sleeping.\n");
    free_outcome(&run);
    run = RUN("Ein Mann schläft.\n", shipped_model(), "--return-alternatives", "--num-beams", "2");
    cr_expect(run.code != 0 && strstr(run.err, "return_alternatives with num_beams 2"), "%s", run.err);
    free_outcome(&run);
}

Test(lines, without_end_take_no_more_memory) {
    const char *model = golden_model("marian");
    long few = memory_over(model, "9 81 0\n", 1000), many = memory_over(model, "9 81 0\n", 20000);
    long blank = memory_over(model, "\n", 300000);
    cr_log_info("peak memory: %ld KiB after 1,000 lines, %ld after 20,000, %ld after 300,000 blank ones", few, many,
                blank);
#if !UNDER_ASAN
    cr_expect_lt(many, few + 4096);
    cr_expect_lt(blank, few + 4096);
#endif
}
