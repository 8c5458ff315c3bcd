/* process_test.c - the tools as processes: standard descriptors that are closed, outputs that cannot be written. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interact.h"

TestSuite(process, .init = enter_scratch, .fini = leave_scratch, .timeout = 10 * TEST_SECONDS);

/* Runs a line of shell in which $TOOL is a tool, $MODEL the shipped model. */
static outcome in_shell(const char *tool, const char *line) {
    setenv("TOOL", tool, 1);
    setenv("MODEL", shipped_model(), 1);
    char command[1024];
    snprintf(command, sizeof command, "run() { $TFM_EMULATOR \"$TOOL\" \"$@\"; }; %s", line);
    const char *const words[] = {"sh", "-c", command, NULL};
    return run_program(words, "");
}

/* A model file must not take the place of a descriptor that is closed. */
Test(process, with_closed_descriptors) {
    outcome input = in_shell(tfmrun_path(), "run \"$MODEL\" --num-beams 1 <&-");
    cr_expect_eq(input.code, 1);
    cr_expect_str_eq(input.out, "", "nothing was asked");
    cr_expect(strstr(input.err, "cannot read stdin"), "%s", input.err);
    outcome text = in_shell(tfmrun_path(), "run \"$MODEL\" --num-beams 1 'Ein Hund.' <&-");
    cr_expect_eq(text.code, 0, "%s", text.err);
    cr_expect_str_eq(text.out, "A dog is walking.\n", "stdin is not needed");
    outcome output = in_shell(tfmrun_path(), "run \"$MODEL\" --num-beams 1 'Ein Hund.' >&-");
    cr_expect_eq(output.code, 1);
    cr_expect(strstr(output.err, "cannot write the output"), "%s", output.err);
    outcome messages = in_shell(tfmrun_path(), "run \"$MODEL\" --num-beams 1 'Ein Hund.' 2>&-");
    cr_expect_eq(messages.code, 0);
    cr_expect_str_eq(messages.out, "A dog is walking.\n");
    outcome all = in_shell(tfmrun_path(), "cp \"$MODEL\" copy; run copy <&- >&- 2>&-; echo $?; cmp \"$MODEL\" copy");
    cr_expect_str_eq(all.out, "1\n", "and the model file is as it was");
    free_outcome(&input);
    free_outcome(&text);
    free_outcome(&output);
    free_outcome(&messages);
    free_outcome(&all);
}

/* A file that tfmpack writes is not given what was meant for the terminal. */
Test(process, packs_with_closed_descriptors) {
    setenv("SOURCE", shipped_folder(), 1);
    outcome run = in_shell(getenv("TFM_TFMPACK"),
                           "run \"$SOURCE\" a.bin >/dev/null && run \"$SOURCE\" b.bin <&- >&- 2>&-; cmp a.bin b.bin");
    cr_expect_eq(run.code, 0, "%s%s", run.out, run.err);
    free_outcome(&run);
}

Test(process, tells_what_cannot_be_written) {
    const char *const tools[] = {tfmrun_path(), getenv("TFM_TFMPACK"), getenv("TFM_TFMEVAL")};
    const char *const options[] = {"--help", "--version"};
    for (size_t i = 0; i < 6; i++) {
        char line[64];
        snprintf(line, sizeof line, "run %s >/dev/full", options[i % 2]);
        outcome full = in_shell(tools[i / 2], line);
        cr_expect(full.code == 1 && strstr(full.err, "No space left"), "%s %s: %d %s", tools[i / 2], options[i % 2],
                  full.code, full.err);
        free_outcome(&full);
    }
    /* Where SIGPIPE does not end the program, it says why it ends. */
    outcome pipe = in_shell(tfmrun_path(),
                            "trap '' PIPE; { sleep 0.2; run \"$MODEL\" --num-beams 1 'Ein Hund.'; echo $? >&2; } | :");
    cr_expect(strstr(pipe.err, "Broken pipe") && strstr(pipe.err, "\n1\n"), "%s", pipe.err);
    free_outcome(&pipe);
}

/* One form for all. */
Test(process, versions) {
    const char *const tools[][2] = {
        {tfmrun_path(), "tfmrun"}, {getenv("TFM_TFMPACK"), "tfmpack"}, {getenv("TFM_TFMEVAL"), "tfmeval"}};
    for (size_t i = 0; i < 3; i++) {
        const char *const words[] = {tools[i][0], "-V", NULL};
        outcome run = run_program(words, NULL);
        char start[64];
        snprintf(start, sizeof start, "%s (tfm) ", tools[i][1]);
        cr_expect_eq(run.code, 0);
        cr_expect(strncmp(run.out, start, strlen(start)) == 0 && strstr(run.out, "\ninstruction sets: "), "%s",
                  run.out);
        free_outcome(&run);
    }
}

/* Bash completes: words, from the tool's name on, the last one being at the cursor. */
static void expect_completed(const char *tool, const char *words, int n_words, const char *expected) {
    char line[4200];
    snprintf(line, sizeof line,
             "exec bash -c '. %s/%s.bash; COMP_WORDS=(%s %s); COMP_CWORD=%d; _%s; echo ${COMPREPLY[@]}'",
             getenv("TFM_COMPLETIONS"), tool, tool, words, n_words, tool);
    const char *const command[] = {"sh", "-c", line, NULL};
    outcome run = run_program(command, NULL);
    cr_expect_str_eq(run.out, expected, "%s %s: %s", tool, words, run.err);
    free_outcome(&run);
}

/* The scripts that are installed are those that the tools' tables of options give. */
Test(process, completions_are_fresh) {
    static const char *const shells[] = {"bash", "zsh", "fish"};
    const char *const tools[][2] = {
        {tfmrun_path(), "tfmrun"}, {getenv("TFM_TFMPACK"), "tfmpack"}, {getenv("TFM_TFMEVAL"), "tfmeval"}};
    for (size_t i = 0; i < 9; i++) {
        const char *tool = tools[i / 3][0], *name = tools[i / 3][1], *shell = shells[i % 3];
        const char *const words[] = {tool, "--shell-completion", shell, NULL};
        char path[4096];
        snprintf(path, sizeof path, "%s/%s.%s", getenv("TFM_COMPLETIONS"), name, shell);
        outcome run = run_program(words, NULL);
        char *installed = read_text(path);
        cr_expect_eq(run.code, 0, "%s", run.err);
        cr_expect_str_eq(run.out, installed, "write it anew: %s --shell-completion %s > tools/completions/%s.%s", name,
                         shell, name, shell);
        free(installed);
        free_outcome(&run);
    }
    expect_completed("tfmrun", "--early-stopping n", 2, "never\n");
    expect_completed("tfmeval", "\"\"", 1, "bleu chrf perplexity logits tokenize similarity bench\n");
    expect_completed("tfmeval", "b", 1, "bleu bench\n");
    expect_completed("tfmeval", "--s", 1, "--shell-completion\n");
    expect_completed("tfmeval", "bleu --smo", 2, "--smooth --smooth-value\n");
    expect_completed("tfmeval", "chrf --smo", 2, "\n");
    expect_completed("tfmeval", "bleu --smooth add", 3, "add-k\n");
    expect_completed("tfmeval", "perplexity model.bin --so", 3, "--source-lang\n");
    expect_completed("tfmeval", "bleu --ref te", 3, "\n");
    outcome wrong = RUN("", NULL, "--shell-completion", "csh");
    cr_expect(wrong.code == 2 && strstr(wrong.err, "'csh' is none of: bash, zsh, fish"), "%s", wrong.err);
    free_outcome(&wrong);
}
