/* arguments_test.c - tfmrun's command line: help, version, every kind of wrong argument. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tools/run/interact.h"
#include "tools/run/engine/settings.h"
#include "tools/run/engine/settings_tokens.h"

TestSuite(arguments, .init = enter_scratch, .fini = leave_scratch, .timeout = 10 * TEST_SECONDS);

Test(arguments, help_has_every_option) {
    outcome help = RUN(NULL, NULL, "--help");
    cr_expect_eq(help.code, 0);
    cr_expect_str_eq(help.err, "");
    size_t n_options = 0;
    const tfm_option *option;
    for (size_t i = 0; (option = tfm_options_at(&tfm_settings_table, i)); i++) {
        if (option->kind == TFM_OPTION_GROUP) continue;
        char name[64];
        snprintf(name, sizeof name, " --%s", option->name);
        cr_expect(strstr(help.out, name), "--help lacks%s", name);
        cr_expect(option->help && strlen(option->help) > 8, "%s has no help", option->name);
        for (size_t j = 0; j < i; j++)
            cr_expect_neq(strcmp(tfm_options_at(&tfm_settings_table, j)->name, option->name), 0, "%s twice",
                          option->name);
        n_options++;
    }
    cr_expect_geq(n_options, 30);
    for (char *line = strtok(help.out, "\n"); line; line = strtok(NULL, "\n"))
        cr_expect_leq(strlen(line), 120, "too long for a terminal: %s", line);
    free_outcome(&help);
}

Test(arguments, man_page_has_every_option) {
    const char *path = getenv("TFM_MAN_PAGE");
    FILE *file = path ? fopen(path, "r") : NULL;
    cr_assert(file, "TFM_MAN_PAGE: %s", path ? path : "not set");
    static char page[1 << 16];
    size_t n = 0;
    /* Without the backslashes that keep dashes as they are. */
    for (int c; (c = fgetc(file)) != EOF && n < sizeof page - 1;)
        if (c != '\\') page[n++] = (char)c;
    fclose(file);
    const tfm_option *option;
    for (size_t i = 0; (option = tfm_options_at(&tfm_settings_table, i)); i++) {
        char entry[80];
        snprintf(entry, sizeof entry, "fB--%sfR", option->name);
        if (option->kind != TFM_OPTION_GROUP) cr_expect(strstr(page, entry), "no %s", entry);
    }
}

/* Hugging Face's names, as people know them. */
Test(arguments, names_of_transformers) {
    static const char *const names[] = {"num_beams",
                                        "num_return_sequences",
                                        "presence_penalty",
                                        "temperature",
                                        "top_k",
                                        "top_p",
                                        "min_p",
                                        "typical_p",
                                        "length_penalty",
                                        "early_stopping",
                                        "no_repeat_ngram_size",
                                        "repetition_penalty",
                                        "min_length",
                                        "max_length",
                                        "max_new_tokens",
                                        "min_new_tokens",
                                        "renormalize_logits",
                                        "forced_bos_token_id",
                                        "forced_eos_token_id",
                                        "bad_words_ids",
                                        "suppress_tokens",
                                        "decoder_start_token_id",
                                        "eos_token_id",
                                        "pad_token_id",
                                        "do_sample"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const tfm_option *option = tfm_options_find(&tfm_settings_table, names[i], strlen(names[i]));
        cr_assert(option, "%s", names[i]);
        cr_expect(tfm_settings_is_decoding(option), "%s", names[i]);
    }
    const tfm_option *threads = tfm_options_find(&tfm_settings_table, "--threads", 9);
    cr_assert(threads);
    cr_expect(!tfm_settings_is_decoding(threads));
}

/* Every option refuses a value that is none, and names itself. */
Test(arguments, every_option_checks_its_value) {
    size_t checked = 0;
    const tfm_option *option;
    for (size_t i = 0; (option = tfm_options_at(&tfm_settings_table, i)); i++) {
        if (option->kind == TFM_OPTION_GROUP || option->kind == TFM_OPTION_STRING ||
            strcmp(option->name, "prefix") == 0 || strstr(option->name, "-lang") || strcmp(option->name, "stop") == 0)
            continue;
        bool tokens = option->kind == TFM_OPTION_ID || option->parse == tfm_parse_id_list; /* x may be a token's name */
        char word[64];
        snprintf(word, sizeof word, "--%s=%s", option->name, tokens ? "-7" : "x");
        char program[] = "tfmrun", *argv[] = {program, word, NULL};
        tfm_settings settings;
        cr_assert(tfm_settings_init(&settings));
        size_t n;
        tfm_error error = {0};
        cr_expect_eq(tfm_options_parse(&tfm_settings_table, &settings, settings.given, 2, argv, &n, &error),
                     TFM_ERROR_ARGUMENT, "%s", word);
        cr_expect(strstr(error.message, option->name), "%s: message '%s'", word, error.message);
        tfm_settings_free(&settings);
        checked++;
    }
    cr_expect_geq(checked, 25);
}

typedef struct mistake {
    const char *words[8];
    const char *message;
} mistake;

Test(arguments, mistakes_are_explained) {
    const char *model = shipped_model();
    const mistake mistakes[] = {
        {{NULL}, "which model"},
        {{model, "--num-beam", "2"}, "did you mean --num-beams?"},
        {{model, "--frobnicate"}, "unknown option --frobnicate"},
        {{model, "-x"}, "unknown option -x"},
        {{model, "--num-beams"}, "--num-beams needs a value"},
        {{model, "--num-beams", "0"}, "'0' is not a whole number from 1 to"},
        {{model, "--num-beams", "-1"}, "'-1' is not a whole number"},
        {{model, "--num-beams", "2.5"}, "'2.5' is not a whole number"},
        {{model, "--num-beams", "99999999999999999999"}, "is not a whole number"},
        {{model, "--num-beams", " 2"}, "is not a whole number"},
        {{model, "--num-beams", ""}, "is not a whole number"},
        {{model, "--length-penalty", "nan"}, "'nan' is not a number"},
        {{model, "--length-penalty", "inf"}, "'inf' is not a number"},
        {{model, "--length-penalty=0x1p3"}, "is not a number"},
        {{model, "--length-penalty", "1e999"}, "is not a number"},
        {{model, "--early-stopping", "sometimes", "text"}, NULL}, /* "sometimes" is a text here: no mistake */
        {{model, "--early-stopping=sometimes"}, "is none of: false, true, never"},
        {{model, "--do-sample", "true", "--num-beams", "4"}, "--num-beams 4 does not go with sampling"},
        {{model, "--do-sample", "true", "--temperature", "0"}, "give one"},
        {{model, "--temperature", "-1"}, "is not a number"},
        {{model, "--top-p", "1.5"}, "is not a number from"},
        {{model, "--logit-bias", "5"}, "'5' is not ID=X"},
        {{model, "--logit-bias", "5=nan"}, "'nan' is not a number"},
        {{model, "--logit-bias", "5=1,6001=2"}, "has no token 6001"},
        {{model, "--stop", ""}, "--stop: an empty text"},
        {{model, "--stop", "x"}, "--stop is not for beams"},
        {{model, "--seed", "1.5"}, "is not a whole number"},
        {{model, "--bad-words-ids", "[1, 2]"}, "each word is a list of token ids and names"},
        {{model, "--bad-words-ids", "[[1, -2]]"}, "each word is a list of token ids"},
        {{model, "--bad-words-ids", "[[]]"}, "each word is a list of token ids"},
        {{model, "--bad-words-ids", "[["}, "is not a JSON list"},
        {{model, "--bad-words-ids", "[[99999]]"}, "has no token 99999"},
        {{model, "--eos-token-id", "1,-5"}, "'-5' is not a token id"},
        {{model, "--eos-token-id", "6001"}, "has no token 6001"},
        {{model, "--forced-bos-token-id", "-7"}, "'-7' is not a token id"},
        {{model, "--forced-bos-token-id", "123456"}, "has no token 123456"},
        {{model, "--prefix-ids", "1 2 77777"}, "has no token 77777"},
        {{model, "--num-return-sequences", "5", "--num-beams", "4"}, "more than --num-beams 4"},
        {{model, "--max-length", "5000"}, "--max-length 5000 is more than the model can"},
        {{model, "--max-new-tokens", "5000"}, "--max-new-tokens 5000 is more than the model can"},
        {{model, "--max-length", "1"}, "--max-length 1 leaves no token"},
        {{model, "--max-length", "3", "--prefix-ids", "7 8 9"}, "the prefix has 3 tokens"},
        {{model, "--max-new-tokens", "510", "--prefix-ids", "7 8 9"}, "with the start token that is 514"},
        {{model, "--max-length", "5", "--min-length", "6"}, "--min-length 6 is more than --max-length 5"},
        {{model, "--max-new-tokens", "5", "--min-new-tokens", "6"},
         "--min-new-tokens 6 is more than --max-new-tokens 5"},
        {{model, "--decoder-start-token-id", "none"}, "give --decoder-start-token-id"},
        {{model, "--log-probs"}, "--log-probs needs --json"},
        {{model, "--attention", "map.png"}, "must end in .svg or .html"},
        {{model, "--ids=1"}, "--ids takes no value"},
        {{model, "--threads", "5000"}, "from 0 to 1024"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        outcome run = tfmrun("", NULL, mistakes[i].words);
        const char *shown = mistakes[i].words[1] ? mistakes[i].words[1] : "(nothing)";
        if (mistakes[i].message) {
            cr_expect_eq(run.code, 2, "%s: exit status %d, %s", shown, run.code, run.err);
            cr_expect(strstr(run.err, mistakes[i].message), "%s: '%s' is not in: %s", shown, mistakes[i].message,
                      run.err);
            cr_expect(strncmp(run.err, "tfmrun: ", 8) == 0, "%s", run.err);
            cr_expect_str_eq(run.out, "");
        } else {
            cr_expect_eq(run.code, 0, "%s: %s", shown, run.err);
        }
        free_outcome(&run);
    }
}

Test(arguments, forms_that_are_understood) {
    const char *model = shipped_model(), *text = "Ein Hund.";
    const mistake forms[] = {
        {{model, "--num_beams=2", "--max_new_tokens", "9", text}, NULL},
        {{"--num-beams", "2", model, "--max-new-tokens", "9", text}, NULL},
        {{"-t1", model, "--num-beams", "2", "--max-new-tokens=9", "--", text}, NULL},
        {{model, text, "--num-beams=2", "--renormalize-logits", "--do-sample", "False", "--max-new-tokens=9"}, NULL},
    };
    outcome first = tfmrun("", NULL, forms[0].words);
    cr_expect_eq(first.code, 0, "%s", first.err);
    cr_expect_str_eq(first.out, "A dog.\n");
    for (size_t i = 1; i < sizeof forms / sizeof *forms; i++) {
        outcome run = tfmrun("", NULL, forms[i].words);
        cr_expect_eq(run.code, 0, "form %zu: %s", i, run.err);
        cr_expect_str_eq(run.out, first.out);
        free_outcome(&run);
    }
    free_outcome(&first);
    outcome dashes = RUN("", model, "--num-beams=1", "--", "--ids");
    cr_expect_eq(dashes.code, 0, "after -- nothing is an option: %s", dashes.err);
    free_outcome(&dashes);
}

Test(arguments, version) {
    outcome plain = RUN(NULL, NULL, "--version");
    cr_expect_eq(plain.code, 0);
    cr_expect(strstr(plain.out, tfm_version()), "%s", plain.out);
    cr_expect(strstr(plain.out, "(in use)") && strstr(plain.out, "threads: "), "%s", plain.out);
    free_outcome(&plain);
    outcome scalar = RUN(NULL, NULL, "-V", "--isa", "scalar", "-t", "3");
    cr_expect(strstr(scalar.out, "scalar (in use)") && strstr(scalar.out, "threads: 3"), "%s", scalar.out);
    free_outcome(&scalar);
    outcome wrong = RUN(NULL, NULL, "--version", "--isa", "mmx");
    cr_expect_eq(wrong.code, 1);
    cr_expect(strstr(wrong.err, "mmx") && !strstr(wrong.out, "(in use)"), "%s", wrong.err);
    free_outcome(&wrong);
    setenv("TFM_ISA", "nonsense", 1);
    outcome environment = RUN(NULL, NULL, "--version");
    cr_expect_eq(environment.code, 1);
    cr_expect(strstr(environment.err, "TFM_ISA") && strstr(environment.err, "nonsense"), "%s", environment.err);
    free_outcome(&environment);
    unsetenv("TFM_ISA");
}

/* What cannot be opened is a failure with the library's own sentence, which names the file. */
Test(arguments, files_that_cannot_be_opened) {
    write_text("text.bin", "this is not a model\n");
    write_text("empty.bin", "");
    static const char *const names[] = {"missing.bin", "text.bin", "empty.bin", "/"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        outcome run = RUN("", names[i], NULL);
        cr_expect_eq(run.code, 1, "%s", names[i]);
        cr_expect(strncmp(run.err, "tfmrun: ", 8) == 0 && strstr(run.err, names[i]), "%s", run.err);
        const char *end = strchr(run.err, '\n'); /* a line, and perhaps a note of what to do */
        cr_expect(end && (!end[1] || strncmp(end + 1, "tfmrun: note: ", 14) == 0), "%s", run.err);
        free_outcome(&run);
    }
    outcome isa = RUN("", shipped_model(), "--isa", "mmx");
    cr_expect_eq(isa.code, 1);
    cr_expect(strstr(isa.err, "mmx"), "%s", isa.err);
    free_outcome(&isa);
}

/* ---- names of others, and first steps ---- */

Test(arguments, know_what_others_call_them) {
    for (size_t i = 0; i < tfm_settings_foreign.n; i++) {
        const tfm_foreign_option *other = &tfm_settings_foreign.options[i];
        cr_expect(!tfm_options_find(&tfm_settings_table, other->name, strlen(other->name)), "%s is ours", other->name);
        cr_expect(!other->ours || tfm_options_find(&tfm_settings_table, other->ours, strlen(other->ours)),
                  "%s: there is no --%s", other->name, other->ours);
        cr_expect((other->ours != NULL) != (other->advice != NULL), "%s", other->name);
    }
    static const struct {
        const char *word, *message;
    } cases[] = {{"--beam_size", "here it is --num-beams"},
                 {"--beam-size=4", "here it is --num-beams"},
                 {"--temp", "here it is --temperature"},
                 {"--n-predict", "here it is --max-new-tokens"},
                 {"-p", "give the text itself"},
                 {"-ngl", "on the processor alone"},
                 {"--max_decoding_length", "--max-new-tokens"},
                 {"--n-best", "here it is --num-return-sequences"},
                 {"--max_tokens", "--max-new-tokens"},
                 {"--num-baems", "did you mean --num-beams?"},
                 {"-x", "unknown option -x"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        outcome run = RUN(NULL, "model.bin", cases[i].word, "x");
        cr_expect(run.code == 2 && strstr(run.err, cases[i].message), "%s: %s", cases[i].word, run.err);
        free_outcome(&run);
    }
}

Test(arguments, letters_in_one_word) {
    outcome run = RUN("", shipped_model(), "-jqt1", "--no-timing", "Ein Hund.");
    cr_expect_eq(run.code, 0, "%s", run.err);
    cr_expect_eq(strncmp(run.out, "{\"text\":\"A dog.\"", 16), 0, "%s", run.out);
    outcome value = RUN("", shipped_model(), "-jn2", "Ein Hund.");
    cr_expect(strstr(value.out, "\"sequences\""), "%s", value.out);
    outcome wrong = RUN("", shipped_model(), "-jx", "Ein Hund.");
    cr_expect(wrong.code == 2 && strstr(wrong.err, "unknown option -jx"), "%s", wrong.err);
    free_outcome(&run);
    free_outcome(&value);
    free_outcome(&wrong);
}

Test(arguments, what_is_no_model) {
    outcome folder = RUN("", shipped_folder(), "Ein Hund.");
    cr_expect(folder.code == 1 && strstr(folder.err, "is a folder") && strstr(folder.err, "pack it first: tfmpack "),
              "%s", folder.err);
    outcome swapped = RUN("", "Ein Hund.", shipped_model());
    cr_expect(swapped.code == 1 && strstr(swapped.err, "the model comes first: tfmrun "), "%s", swapped.err);
    free_outcome(&folder);
    free_outcome(&swapped);
    write_text("lines.txt", "Ein Hund.\n");
    write_text("model.gguf", "GGUF");
    write_text("broken.bin", "");
    char config[4096];
    snprintf(config, sizeof config, "%s/config.json", shipped_folder());
    const mistake cases[] = {{{"line.txt"}, "note: there is lines.txt"},
                             {{"lines.txt"}, "note: the model comes first: tfmrun MODEL < lines.txt"},
                             {{"model.gguf"}, "note: pack it first: tfmpack model.gguf model.bin"},
                             {{config}, "note: it lies in a checkpoint, which is packed whole: tfmpack "},
                             {{"."}, "note: if it is a checkpoint, pack it first: tfmpack . model.bin"},
                             {{"nowhere/model.bin"}, "note: there is no folder nowhere/"},
                             {{"Ein Hund schläft."}, "note: the model comes first, and a text of several words"},
                             {{"Ein", "Hund"}, "note: the model comes first, and a text of several words"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        outcome run = tfmrun("", NULL, cases[i].words);
        cr_expect(run.code == 1 && strstr(run.err, cases[i].message), "%s: %s", cases[i].words[0], run.err);
        free_outcome(&run);
    }
    outcome broken = RUN("", "broken.bin", NULL);
    cr_expect(broken.code == 1 && !strstr(broken.err, "note: "), "%s", broken.err);
    free_outcome(&broken);
}

/* Words without quotes are inputs each; at a terminal it is said. */
Test(arguments, quotes_that_were_forgotten, .init = at_a_terminal) {
    const char *const words[] = {tfmrun_path(), shipped_model(), "--num-beams=1", "Ein", "Hund", NULL};
    child c = start_on_terminal(words);
    expect(&c, "note: these are 2 inputs; quotes make one of them: tfmrun MODEL \"Ein Hund\"");
    expect(&c, "Dogs.");
    cr_expect_eq(end_child(&c, NULL), 0);
    outcome piped = RUN("", shipped_model(), "--num-beams=1", "Ein", "Hund");
    cr_expect_str_eq(piped.err, "");
    free_outcome(&piped);
}
