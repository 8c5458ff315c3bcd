/* shown_test.c - strings of strangers as people see them, alone and through the tools: labels, metadata, messages. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interact.h"
#include "tests/support/data.h"
#include "tools/common/shown.h"

TestSuite(shown, .init = enter_scratch, .fini = leave_scratch, .timeout = 10 * TEST_SECONDS);

static void expect_shown(const char *text, const char *keep, const char *want) {
    tfm_text out = {0};
    cr_assert(tfm_text_append_shown(&out, text, strlen(text), keep) && tfm_text_append(&out, "", 1));
    cr_expect_str_eq(out.data, want);
    tfm_text_free(&out);
}

Test(shown, has_no_control_characters) {
    expect_shown("plain \xc3\xa4 \xe6\x97\xa5 \xf0\x9f\x99\x82", "", "plain \xc3\xa4 \xe6\x97\xa5 \xf0\x9f\x99\x82");
    expect_shown("a\nb\tc\rd\ve\ff", "", "a b c d e f");
    expect_shown("a\nb\tc", "\n\t", "a\nb\tc");
    expect_shown("\x1b[31mred\x7f\a", "", "[U+001B][31mred[U+007F][U+0007]");
    expect_shown("\xc2\x9b"
                 "31m",
                 "", "[U+009B]31m"); /* C1: a sequence's beginning in one character */
    expect_shown("a\xc2\x85"
                 "b\xe2\x80\xa8"
                 "c\xe2\x80\xa9"
                 "d",
                 "", "a b c d");
    expect_shown("x\xe2\x80\xae"
                 "cod.exe\xe2\x81\xa9",
                 "", "x[U+202E]cod.exe[U+2069]");
    expect_shown("\xff\xc3", "", "\xef\xbf\xbd\xef\xbf\xbd");
    tfm_text out = {0};
    cr_expect(tfm_text_append_shown(&out, "a\0b", 3, "\n") && tfm_text_append(&out, "", 1));
    cr_expect_str_eq(out.data, "a[U+0000]b", "the end of keep is none of its characters");
    tfm_text_free(&out);
}

Test(shown, lines_are_lines) {
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    tfm_say(file, "%s: %d%s", "na\nme", 7, "\x1b[2J");
    fclose(file);
    cr_expect_str_eq(text, "na me: 7[U+001B][2J\n");
    free(text);
}

/* One output is one line whatever the classes are called, and no name reaches a terminal as a command. */
Test(shown, names_of_classes) {
    char command[1024];
    snprintf(command, sizeof command,
             "cp -r '%s' copy && chmod -R u+w copy && "
             "sed -i '/id2label/,/}/{s|NEGATIVE|no\\\\nt\\\\u001b[31m|;s|POSITIVE|ye\\\\ts|}' copy/config.json",
             golden_path("distilbert-seqcls"));
    cr_assert_eq(system(command), 0);
    const char *const words[] = {getenv("TFM_TFMPACK"), "-q", "--metadata", "note=a\x1b[2Jb", "copy",
                                 "model.bin",           NULL};
    outcome packed = run_program(words, NULL);
    cr_assert_eq(packed.code, 0, "%s", packed.err);
    outcome run = RUN("5 6 7\n8 9\n", "model.bin", "--ids", "--top", "2");
    cr_assert_eq(run.code, 0, "%s", run.err);
    size_t lines = 0, tabs = 0;
    for (const char *c = run.out; *c; c++) lines += *c == '\n', tabs += *c == '\t';
    cr_expect(lines == 2 && tabs == 2 * 3, "%s", run.out);
    cr_expect(strstr(run.out, "no t[U+001B][31m") && strstr(run.out, "ye s"), "%s", run.out);
    const char *const look[] = {getenv("TFM_TFMPACK"), "--inspect", "model.bin", NULL};
    outcome inspected = run_program(look, NULL);
    cr_expect_eq(inspected.code, 0);
    cr_expect(strstr(inspected.out, "a[U+001B][2Jb") && !strchr(inspected.out, 0x1b), "%s", inspected.out);
    free_outcome(&packed);
    free_outcome(&run);
    free_outcome(&inspected);
}

Test(shown, messages) {
    outcome run = RUN("", "no\nsuch\x1b[2J\xc2\x9b.\xe2\x80\xae.bin", "x");
    cr_expect_eq(run.code, 1);
    cr_expect(strstr(run.err, "no?such?[2J[U+009B].[U+202E].bin: cannot be opened"), "%s", run.err);
    outcome option = RUN("", NULL, "--\x1b[31m");
    cr_expect_eq(option.code, 2);
    cr_expect(strstr(option.err, "?[31m") && !strchr(option.err, 0x1b), "%s", option.err);
    free_outcome(&run);
    free_outcome(&option);
}
