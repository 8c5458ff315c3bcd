/* tokens_test.c - tokens by their names in the vocabulary wherever tfmrun takes ids. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/tools/run/interact.h"

TestSuite(tokens, .init = enter_scratch, .fini = leave_scratch, .timeout = 10 * TEST_SECONDS);

#define DOG                                                                                                            \
    "\xe2\x96\x81"                                                                                                     \
    "dog"
#define IS "\xe2\x96\x81is"
#define EIN                                                                                                            \
    "\xe2\x96\x81"                                                                                                     \
    "Ein"
#define HUND "\xe2\x96\x81Hund"

static void expect_same(outcome a, outcome b, const char *shown) {
    cr_expect(a.code == 0 && b.code == 0, "%s: %d %s%d %s", shown, a.code, a.err, b.code, b.err);
    cr_expect_str_eq(a.out, b.out, "%s: %s%s", shown, a.out, b.out);
    free_outcome(&a);
    free_outcome(&b);
}

/* In the shipped vocabulary </s> is 0, "is" 18, "dog" 69. */
Test(tokens, names_mean_what_ids_mean) {
    static const struct {
        const char *name, *id;
    } cases[] = {{"--eos-token-id=" IS, "--eos-token-id=18"},
                 {"--eos-token-id=</s>," IS, "--eos-token-id=0 18"},
                 {"--eos-token-id=[\"" IS "\", 0]", "--eos-token-id=[18, 0]"},
                 {"--suppress-tokens=" DOG, "--suppress-tokens=69"},
                 {"--prefix-ids=" DOG " 7 " IS, "--prefix-ids=69 7 18"},
                 {"--bad-words-ids=[[\"" DOG "\"], [18, \"</s>\"]]", "--bad-words-ids=[[69], [18, 0]]"},
                 {"--logit-bias=" DOG "=-inf,7=-1.5," IS "=2", "--logit-bias=69=-inf,7=-1.5,18=2"},
                 {"--logit-bias={\"" DOG "\": \"-inf\", \"7\": -1.5}", "--logit-bias=69=-inf,7=-1.5"},
                 {"--forced-bos-token-id=" DOG, "--forced-bos-token-id=69"},
                 {"--forced-eos-token-id=" DOG, "--forced-eos-token-id=69"},
                 {"--decoder-start-token-id=" DOG, "--decoder-start-token-id=69"},
                 {"--pad-token-id=<unk>", "--pad-token-id=1"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_same(RUN("", shipped_model(), "--num-beams=1", "--max-new-tokens=6", cases[i].name, "Ein Hund."),
                    RUN("", shipped_model(), "--num-beams=1", "--max-new-tokens=6", cases[i].id, "Ein Hund."),
                    cases[i].name);
}

Test(tokens, names_in_inputs_and_in_json) {
    expect_same(RUN(EIN " " HUND " . </s>\n", shipped_model(), "--ids"), RUN("9 70 2 0\n", shipped_model(), "--ids"),
                "--ids");
    static const char names[] =
        "{\"text\": [\"" EIN "\", \"" HUND "\", 2, \"</s>\"], \"suppress_tokens\": [\"" DOG "\", 7]}\n"
        "{\"text\": \"" EIN " 70 . </s>\", \"logit_bias\": {\"" DOG "\": \"-inf\", \"7\": -2}, \"num_beams\": 1}\n"
        "{\"text\": [9, 70, 2, 0], \"bad_words_ids\": [[\"" DOG "\"]], \"forced_bos_token_id\": \"" IS "\"}\n";
    static const char numbers[] = "{\"text\": [9, 70, 2, 0], \"suppress_tokens\": [69, 7]}\n"
                                  "{\"text\": [9, 70, 2, 0], \"logit_bias\": {\"69\": \"-inf\", \"7\": -2}, "
                                  "\"num_beams\": 1}\n"
                                  "{\"text\": [9, 70, 2, 0], \"bad_words_ids\": [[69]], \"forced_bos_token_id\": 18}\n";
    expect_same(RUN(names, shipped_model(), "--ids", "--json-in"), RUN(numbers, shipped_model(), "--ids", "--json-in"),
                "--json-in");
    write_text("prefixes", DOG " 7\n");
    write_text("numbers", "69 7\n");
    expect_same(RUN("9 70 2 0\n", shipped_model(), "--ids", "--prefix-file=prefixes"),
                RUN("9 70 2 0\n", shipped_model(), "--ids", "--prefix-file=numbers"), "--prefix-file");
}

Test(tokens, unknown_names_are_refused_by_name) {
    static const struct {
        const char *word, *message;
    } cases[] = {
        {"--eos-token-id=</S>", "--eos-token-id: the model has no token '</S>'; the nearest are '</s>', "},
        {"--eos-token-id=0,Hundx", "--eos-token-id: the model has no token 'Hundx'; the nearest "},
        {"--suppress-tokens=[PAD] [UNK]", "--suppress-tokens: the model has no token '[PAD]'"},
        {"--prefix-ids=xx!", "--prefix-ids: the model has no token 'xx!'; tfmeval tokenize MODEL TEXT shows"},
        {"--bad-words-ids=[[0, \"xx!\"]]", "--bad-words-ids: the model has no token 'xx!'"},
        {"--logit-bias=xx!=1", "--logit-bias: the model has no token 'xx!'"},
        {"--logit-bias=xx!", "'xx!' is not ID=X"},
        {"--logit-bias==1", "'=1' is not ID=X"},
        {"--forced-bos-token-id=xx!", "--forced-bos-token-id: the model has no token 'xx!'"},
        {"--forced-eos-token-id=xx!", "--forced-eos-token-id: the model has no token 'xx!'"},
        {"--decoder-start-token-id=xx!", "--decoder-start-token-id: the model has no token 'xx!'"},
        {"--pad-token-id=xx!", "--pad-token-id: the model has no token 'xx!'"},
        {"--pad-token-id=", "--pad-token-id: a token has an id or a name, and here is nothing"},
        {"--eos-token-id=[[1]]", "--eos-token-id: a list of tokens has ids and names"},
        {"--eos-token-id=[1.5]", "--eos-token-id: a list of tokens has ids and names"},
        {"--eos-token-id=99999999999999999999999999", "--eos-token-id: '99999999999999999999999' is not a token id"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        outcome run = RUN("", shipped_model(), cases[i].word, "Ein Hund.");
        cr_expect(run.code == 2 && strstr(run.err, cases[i].message), "%s: %d %s", cases[i].word, run.code, run.err);
        cr_expect_str_eq(run.out, "");
        free_outcome(&run);
    }
}

Test(tokens, names_need_a_tokenizer) {
    const char *model = golden_model("marian");
    static const char *const words[] = {"--eos-token-id=</s>", "--bad-words-ids=[[\"</s>\"]]", "--logit-bias=</s>=1",
                                        "--pad-token-id=</s>"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        outcome run = RUN("5 0\n", model, "--ids", words[i]);
        cr_expect(run.code == 2 && strstr(run.err, "'</s>' is a token's name, and the model has no tokenizer"),
                  "%s: %s", words[i], run.err);
        free_outcome(&run);
    }
    outcome input = RUN("5 </s>\n", model, "--ids");
    cr_expect(input.code == 1 && strstr(input.err, "line 1: the input: '</s>' is a token's name"), "%s", input.err);
    free_outcome(&input);
}

/* A mistake at the prompt leaves what was set before. */
Test(tokens, names_at_the_prompt, .init = at_a_terminal) {
    const char *const words[] = {tfmrun_path(), shipped_model(), "--num-beams=1", "--suppress-tokens=</s>", NULL};
    child c = start_on_terminal(words);
    expect(&c, "> ");
    send_text(&c, "/set eos-token-id " IS "\r");
    expect(&c, "eos-token-id             18  (set)");
    send_text(&c, "/set forced-bos-token-id " DOG "\r");
    expect(&c, "forced-bos-token-id      69  (set)");
    send_text(&c, "/set forced-bos-token-id xx!\r");
    expect(&c, "has no token 'xx!'");
    send_text(&c, "/show forced-bos-token-id\r");
    expect(&c, "forced-bos-token-id      69  (set)");
    send_text(&c, "/show suppress-tokens\r");
    expect(&c, "suppress-tokens          0  (set)");
    send_text(&c, "/quit\r");
    cr_expect_eq(end_child(&c, NULL), 0);
}
