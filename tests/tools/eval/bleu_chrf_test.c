/* bleu_chrf_test.c - tfmeval's command line, and tfmeval bleu and chrf on files. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/program.h"
#include "tests/support/version.h"

#define TFMEVAL getenv("TFM_TFMEVAL")
#define RUN(input, ...) run_program((const char *const[]){TFMEVAL, __VA_ARGS__, NULL}, input)

TestSuite(score, .init = enter_scratch, .fini = leave_scratch);

static void assert_prints(outcome result, const char *expected) {
    cr_assert(result.code == 0 && strcmp(result.out, expected) == 0 && result.err[0] == 0, "%d\n%s%s, expected\n%s",
              result.code, result.out, result.err, expected);
    free_outcome(&result);
}

/* stderr is "tfmeval: ..." and holds the text. */
static void assert_fails(outcome result, int code, const char *text) {
    cr_assert(result.code == code && strncmp(result.err, "tfmeval: ", 9) == 0 && strstr(result.err, text),
              "%d\n%s%s, expected %d: %s", result.code, result.out, result.err, code, text);
    free_outcome(&result);
}

static void assert_shows(outcome result, const char *text) {
    cr_assert(result.code == 0 && strstr(result.out, text) && result.err[0] == 0, "%d\n%s%s, expected %s", result.code,
              result.out, result.err, text);
    free_outcome(&result);
}

#define BLEU_1 "BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:tfm-" VERSION " = "

Test(score, usage) {
    assert_shows(RUN(NULL, "--help"), "Usage: tfmeval COMMAND");
    assert_shows(RUN(NULL, "--version"), "tfmeval (tfm) " VERSION);
    assert_shows(RUN(NULL, "--version"), "(in use)");
    setenv("TFM_ISA", "nonsense", 1);
    assert_fails(RUN(NULL, "--version"), 1, "TFM_ISA: ");
    unsetenv("TFM_ISA");
    static const char *const commands[] = {"bleu", "chrf", "perplexity", "logits", "tokenize"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        assert_shows(RUN(NULL, commands[i], "--help"), "Usage: tfmeval ");
    assert_fails(run_program((const char *const[]){TFMEVAL, NULL}, NULL), 2, "command is missing");
    assert_fails(RUN(NULL, "blue"), 2, "unknown command 'blue'; did you mean bleu?");
    assert_fails(RUN(NULL, "--json"), 2, "unknown option --json");
    assert_fails(RUN(NULL, "--verson"), 2, "did you mean --version?");
    assert_fails(RUN(NULL, "bleu"), 2, "--ref is missing");
    assert_fails(RUN(NULL, "bleu", "--reff", "x"), 2, "--ref");
    assert_fails(RUN(NULL, "bleu", "--ref", "x", "y"), 2, "unexpected argument 'y'");
    assert_fails(RUN(NULL, "bleu", "--ref", "x", "--smooth", "much"), 2, "--smooth");
    assert_fails(RUN(NULL, "chrf", "--ref", "x", "--char-order", "0"), 2, "--char-order");
    assert_fails(RUN(NULL, "logits", "m.bin"), 2, "--out is missing");
    assert_fails(RUN(NULL, "tokenize"), 2, "model file is missing");
    assert_fails(RUN(NULL, "perplexity", "m.bin", "--src", "x"), 2, "--src and --ref");
    assert_fails(RUN(NULL, "perplexity", "m.bin", "--src", "x", "--ref", "y", "--in", "z"), 2, "--src and --ref");
    assert_fails(RUN(NULL, "perplexity", "m.bin", "--text", "x", "--in", "z"), 2, "--text");
    assert_fails(RUN(NULL, "perplexity", "m.bin", "--text", "x", "--stride", "0"), 2, "--stride");
    assert_fails(RUN(NULL, "perplexity", "m.bin", "--text", "x", "--max-length", "1"), 2, "--max-length");
}

Test(score, bleu_of_a_small_corpus) {
    write_text("ref", "the cat is on the mat\nHello, world!\n");
    write_text("hyp", "the cat sat on the mat\nHello, world!\n");
    /* counts 9/10, 6/8, 3/6, 1/4 */
    assert_prints(RUN(NULL, "bleu", "--ref", "ref", "--hyp", "hyp"),
                  BLEU_1 "53.90 90.0/75.0/50.0/25.0 (BP = 1.000 ratio = 1.000 hyp_len = 10 ref_len = 10)\n");
    /* from a pipe, with Windows line ends, the last missing; at 4 digits */
    assert_prints(RUN("the cat sat on the mat\r\nHello, world!", "bleu", "-w4", "--ref=ref"),
                  BLEU_1 "53.8956 90.0/75.0/50.0/25.0 (BP = 1.000 ratio = 1.000 hyp_len = 10 ref_len = 10)\n");
    assert_shows(
        RUN(NULL, "bleu", "--ref", "ref", "--hyp", "hyp", "--smooth", "floor", "--tokenize", "none", "--lowercase"),
        "BLEU|nrefs:1|case:lc|eff:no|tok:none|smooth:floor[0.10]|version:tfm-" VERSION " = ");
    assert_shows(RUN(NULL, "bleu", "--ref", "ref", "--hyp", "hyp", "--smooth", "add-k", "--smooth-value", "0.5"),
                 "|smooth:add-k[0.50]|");
}

Test(score, several_references) {
    write_text("one", "the cat is on the mat\n");
    write_text("two", "a cat sat on a mat today\n");
    /* of "the cat sat on the mat": 6/6, "the cat" "cat sat" "sat on" "on the" "the mat" 5/5, 2/4, 0/3 */
    assert_prints(RUN("the cat sat on the mat\n", "bleu", "--ref", "one", "--ref", "two"),
                  "BLEU|nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp|version:tfm-" VERSION
                  " = 53.73 100.0/100.0/50.0/16.7 "
                  "(BP = 1.000 ratio = 1.000 hyp_len = 6 ref_len = 6)\n");
}

Test(score, chrf_in_both_forms) {
    write_text("ref", "abd\n");
    /* 100 * (2/3 + 1/2 + 0) / 3 */
    assert_prints(RUN("abc\n", "chrf", "--ref", "ref"),
                  "chrF2|nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:tfm-" VERSION " = 38.89\n");
    assert_shows(RUN("abc\n", "bleu", "--chrf", "--word-order", "2", "--ref", "ref", "--lowercase", "--whitespace"),
                 "\nchrF2++|nrefs:1|case:lc|eff:yes|nc:6|nw:2|space:yes|version:tfm-" VERSION " = ");
    assert_shows(RUN("abc\n", "chrf", "--beta", "3", "--eps-smoothing", "--char-order=3", "--ref", "ref"),
                 "chrF3|nrefs:1|case:mixed|eff:no|nc:3|nw:0|space:no|version:tfm-" VERSION " = 38.89\n");
}

Test(score, json) {
    write_text("ref", "the cat is on the mat\n");
    outcome result = RUN("the cat sat on the mat\n", "bleu", "--chrf", "--json", "--ref", "ref");
    cr_assert_eq(result.code, 0, "%s", result.err);
    char *second = strchr(result.out, '\n') + 1;
    json_t *bleu = json_loadb(result.out, (size_t)(second - result.out), 0, NULL), *chrf = json_loads(second, 0, NULL);
    cr_assert(bleu && chrf, "%s", result.out);
    const char *name, *signature, *verbose;
    double score, precision;
    int correct, total, hyp_len;
    cr_assert_eq(json_unpack(bleu, "{s:s, s:s, s:s, s:F, s:[iiii], s:[iiii], s:i}", "name", &name, "signature",
                             &signature, "verbose_score", &verbose, "score", &score, "correct", &correct, &correct,
                             &correct, &correct, "total", &total, &total, &total, &total, "hyp_len", &hyp_len),
                 0);
    precision = json_number_value(json_array_get(json_object_get(bleu, "precisions"), 1));
    cr_assert_str_eq(name, "BLEU");
    cr_assert_str_eq(signature, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:tfm-" VERSION);
    cr_assert_str_eq(verbose, "83.3/60.0/25.0/16.7 (BP = 1.000 ratio = 1.000 hyp_len = 6 ref_len = 6)");
    cr_assert_float_eq(score, 100 * pow(5.0 / 6 * 3 / 5 * 1 / 4 * 1 / 6, 0.25), 1e-12);
    cr_assert(correct == 0 && total == 3 && hyp_len == 6 && precision == 60);
    cr_assert_str_eq(json_string_value(json_object_get(chrf, "name")), "chrF2");
    cr_assert(json_is_real(json_object_get(chrf, "score")));
    json_decref(bleu);
    json_decref(chrf);
    free_outcome(&result);
}

Test(score, wrong_input) {
    write_text("three", "a\nb\nc\n");
    write_text("five", "a\nb\nc\nd\ne");
    write_text("bytes", "a\nb\xFF\nc\n");
    write_text("empty", "");
    assert_fails(RUN(NULL, "bleu", "--ref", "three", "--hyp", "five"), 1, "five has 5 lines but three has 3");
    assert_fails(RUN(NULL, "bleu", "--ref", "five", "--hyp", "three"), 1, "three has 3 lines but five has 5");
    assert_fails(RUN(NULL, "bleu", "--ref", "three", "--ref", "five", "--hyp", "three"), 1,
                 "three has 3 lines but five has 5");
    assert_fails(RUN("x\n", "bleu", "--ref", "three"), 1, "<stdin> has 1 lines but three has 3");
    assert_fails(RUN(NULL, "bleu", "--ref", "three", "--hyp", "bytes"), 1, "bytes:2: not valid UTF-8 at byte 2 (0xFF)");
    assert_fails(RUN(NULL, "chrf", "--ref", "empty", "--hyp", "empty"), 1, "no lines");
    assert_fails(RUN(NULL, "bleu", "--ref", "three", "--hyp", "none"), 1, "none: cannot open");
    assert_fails(RUN(NULL, "bleu", "--ref", "-"), 2, "stdin");
}

Test(score, warns_of_tokenized_text) {
    char text[100 * 4 + 1];
    for (size_t i = 0; i < 100; i++) memcpy(text + 4 * i, "a .\n", 5);
    write_text("ref", text);
    outcome result = RUN(text, "bleu", "--ref", "ref");
    cr_assert(result.code == 0 && strstr(result.err, "100 lines of <stdin> end in \" .\""), "%s", result.err);
    free_outcome(&result);
}

Test(score, published_figures_of_multi30k) {
    char ref[1024], greedy[1024], beam[1024];
    const char *folder = getenv("TFM_MULTI30K");
    snprintf(ref, sizeof ref, "%s/expected/test.en", folder);
    snprintf(greedy, sizeof greedy, "%s/expected/greedy.txt", folder);
    snprintf(beam, sizeof beam, "%s/expected/beam4.txt", folder);
    assert_prints(RUN(NULL, "bleu", "--ref", ref, "--hyp", greedy),
                  BLEU_1 "38.64 71.8/47.9/32.9/23.0 (BP = 0.962 ratio = 0.962 hyp_len = 12468 ref_len = 12955)\n");
    assert_prints(RUN(NULL, "bleu", "--ref", ref, "--hyp", beam),
                  BLEU_1 "40.09 73.1/49.5/34.5/24.6 (BP = 0.958 ratio = 0.959 hyp_len = 12420 ref_len = 12955)\n");
    assert_shows(RUN(NULL, "bleu", "--lowercase", "--ref", ref, "--hyp", greedy),
                 "|case:lc|eff:no|tok:13a|smooth:exp|version:tfm-" VERSION " = 38.83 ");
    assert_shows(RUN(NULL, "bleu", "--lowercase", "--ref", ref, "--hyp", beam), " = 40.29 ");
    /* computed with sacreBLEU 2.6.0 */
    assert_shows(RUN(NULL, "chrf", "-w", "6", "--ref", ref, "--hyp", greedy), " = 58.076736\n");
    assert_shows(RUN(NULL, "chrf", "-w", "6", "--word-order", "2", "--ref", ref, "--hyp", beam), " = 59.317597\n");
}
