/* line_editor_test.c - typing at the prompt: pasted text, Tab, the history that prompts share, signals. */
#include <criterion/criterion.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "stories.h"

TestSuite(line_editor, .init = at_a_terminal, .fini = leave_scratch, .timeout = 10 * TEST_SECONDS);

static child start(void) {
    const char *const words[] = {tfmrun_path(), shipped_model(), "--num-beams=1", "--no-timing", NULL};
    child c = start_on_terminal(words);
    expect(&c, "> ");
    return c;
}

static child start_chat(void) {
    pack_chatting();
    const char *const words[] = {tfmrun_path(), CHATTING, "--max-new-tokens=4", "--no-timing", NULL};
    child c = start_on_terminal(words);
    expect(&c, "> ");
    return c;
}

static void leave(child *c) {
    send_text(c, "\x04");
    cr_expect_eq(end_child(c, NULL), 0);
}

#define PASTE(text) "\x1b[200~" text "\x1b[201~"

/* Each pasted line is a sentence for a model that takes sentences; nothing is sent before Enter. */
Test(line_editor, takes_pasted_sentences) {
    child c = start();
    send_text(&c, PASTE("Ein Hund.\r\nEin Mann schl\xc3\xa4"
                        "ft.\n"));
    expect(&c, "Ein Hund.");
    cr_expect(!expect_within(&c, "A dog", 0.3), "Enter sends");
    send_text(&c, "\n");
    expect(&c, "\nA dog is walking.\r\nA man sleeping.\r\n");
    leave(&c);
}

/* Messages have lines, tabs and what looks like commands; Tab and Ctrl-C in what is pasted are no keys. */
Test(line_editor, takes_pasted_messages) {
    child c = start_chat();
    send_text(&c, PASTE("one\n\ttwo\n/quit\x03") "\n");
    expect(&c, "> ");
    send_text(&c, "/history\n");
    expect(&c, "user: one\r\n");
    expect(&c, "two\r\n/quit\r\n");
    expect(&c, "assistant: ");
    send_text(&c, "/clear\n");
    expect(&c, "forgotten");
    send_text(&c, "\"\"\"first\n\n/second \n\"\"\"\n");
    expect(&c, "... ");
    send_text(&c, "/history\n");
    expect(&c, "user: first\r\n\r\n/second\r\nassistant: ");
    /* Recalled, it is what it was. */
    send_text(&c, "/clear\n\x10\x10\x10\n/history\n");
    expect(&c, "forgotten");
    expect(&c, "user: first\r\n\r\n/second\r\nassistant: ");
    expect(&c, "> ");
    send_text(&c, "\"\"\"dropped\n");
    expect(&c, "... ");
    send_text(&c, "\x03");
    expect(&c, "^C");
    expect(&c, "> ");
    send_text(&c, "/history\n");
    expect(&c, "user: first");
    leave(&c);
}

Test(line_editor, completes_commands) {
    child c = start();
    write_text("some file.txt", "Ein Hund.\n");
    mkdir("some folder", 0700);
    write_text("odd\x1b[2J.txt", "");
    send_text(&c, "/he\t\n");
    expect(&c, "Type a sentence");
    send_text(&c, "/se\tnum-b\t2\n");
    expect(&c, "num-beams                2  (set)");
    send_text(&c, "/set early-stopping n\t\n");
    expect(&c, "early-stopping           never  (set)");
    send_text(&c, "/show top\t\t");
    expect(&c, "top-k  top-p\r\n");
    expect(&c, "/show top-");
    send_text(&c, "\x03/read some\t\t");
    expect(&c, "some file.txt  some folder/\r\n");
    send_text(&c, "i\t\n");
    expect(&c, "\nA dog.\r\n");
    send_text(&c, "/read od\t\n");
    expect(&c, "od: cannot open");
    expect(&c, "> ");           /* before that, Ctrl-C throws away what waits to be read */
    send_text(&c, "/re\t\x03"); /* of what means something here: no /retry */
    expect(&c, "read   reset\r\n");
    send_text(&c, "Ein\tHund.\n"); /* in a text it is white space */
    expect(&c, "\nA dog.\r\n");
    leave(&c);
}

Test(line_editor, has_its_commands_by_other_names) {
    child c = start();
    send_text(&c, "/?\n");
    expect(&c, "Type a sentence");
    send_text(&c, "/hlep\n");
    expect(&c, "did you mean /help?");
    send_text(&c, "/bye\n");
    expect(&c, "did you mean /exit?");
    send_text(&c, "/etc/passwd\n");
    expect(&c, "has a space before it");
    send_text(&c, "/help num_beams\n");
    expect(&c, "num-beams: Width of beam search");
    send_text(&c, "/retry\n");
    expect(&c, "there is no conversation here");
    send_text(&c, "/exit\n");
    cr_expect_eq(end_child(&c, NULL), 0);
}

/* ---- help ---- */

static void expect_short_help(child *c, size_t most) {
    send_text(c, "/help\n");
    expect(c, "/help\r\n");
    size_t begin = c->seen, lines = 0;
    expect(c, "> ");
    for (const char *line = c->transcript + begin, *end; (end = strstr(line, "\r\n")); line = end + 2) {
        if (strncmp(line, "\x1b[", 2) == 0) break;
        cr_expect_lt(end - line, 80, "%.*s", (int)(end - line), line);
        lines++;
    }
    cr_expect(lines > 3 && lines <= most, "%zu lines: %s", lines, c->transcript + begin);
}

Test(line_editor, helps_in_eight_lines) {
    child c = start_chat();
    expect_short_help(&c, 8);
    cr_expect(strstr(c.transcript, "/retry") && strstr(c.transcript, "/save FILE") && !strstr(c.transcript, "/att"));
    leave(&c);
    c = start();
    expect_short_help(&c, 8);
    cr_expect(!strstr(c.transcript, "/retry") && strstr(c.transcript, "/attention FILE"));
    leave(&c);
}

/* ---- history ---- */

/* The number of times that an entry is in the file. */
static size_t remembered(const char *entry) {
    char *text = read_text("state/tfm/history");
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, entry)); at += strlen(entry)) n++;
    free(text);
    return n;
}

Test(line_editor, shares_its_history) {
    child first = start(), second = start();
    send_text(&first, "Eine Katze.\n");
    expect(&first, "> ");
    send_text(&second, "Ein Hund.\n");
    expect(&second, "> ");
    leave(&second);
    leave(&first);
    cr_expect(remembered("Eine\\040Katze.") == 1 && remembered("Ein\\040Hund.") == 1, "%s",
              read_text("state/tfm/history"));
    child third = start();
    send_text(&third, "Ein Haus.\n");
    expect(&third, "> ");
    leave(&third);
    cr_expect(remembered("Eine\\040Katze.") == 1 && remembered("Ein\\040Haus.") == 1);
    struct stat info;
    cr_expect(stat("state/tfm/history", &info) == 0 && (info.st_mode & 0777) == 0600);
}

/* ---- signals ---- */

/* Waits for the end, compares the terminal with a new one, and gives the exit status. */
static int end_by_signal(child *c) {
    struct termios before, after;
    int other[2];
    cr_assert_eq(openpty(&other[0], &other[1], NULL, NULL, NULL), 0);
    cr_assert_eq(tcgetattr(other[0], &before), 0);
    cr_expect(!expect_within(c, "nothing says this", TEST_SECONDS));
    cr_assert_eq(tcgetattr(c->in, &after), 0);
    cr_expect(after.c_lflag == before.c_lflag && after.c_iflag == before.c_iflag && after.c_oflag == before.c_oflag,
              "the terminal is as it was found");
    close(other[0]);
    close(other[1]);
    return end_child(c, NULL);
}

Test(line_editor, ends_well_by_signals) {
    static const int numbers[] = {SIGTERM, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char entry[40];
        child c = start();
        snprintf(entry, sizeof entry, "Katze%d.", numbers[i]);
        send_text(&c, entry);
        send_text(&c, "\n");
        expect(&c, "> ");
        kill(c.pid, numbers[i]);
        cr_expect_eq(end_by_signal(&c), 128 + numbers[i]);
        cr_expect_eq(remembered(entry), 1, "the history is kept");
    }
}

/* From outside, an interrupt drops the line as Ctrl-C does, and a second one ends the program. */
Test(line_editor, ends_by_two_interrupts) {
    child c = start();
    send_text(&c, "half a line");
    expect(&c, "half a line");
    kill(c.pid, SIGINT);
    expect(&c, "^C");
    expect(&c, "> ");
    send_text(&c, "Ein Hund.\n");
    expect(&c, "\nA dog is walking.\r\n");
    expect(&c, "> ");
    kill(c.pid, SIGINT);
    expect(&c, "^C");
    expect(&c, "> ");
    kill(c.pid, SIGINT);
    cr_expect_eq(end_by_signal(&c), 128 + SIGINT);
    cr_expect_eq(remembered("Hund."), 1);
}

/* While an answer is made, too. */
Test(line_editor, ends_an_answer_by_a_signal) {
    child c = start();
    send_text(&c, "/set eos-token-id none\n/set num-beams 100\n/set max-length 512\n");
    expect(&c, "max-length               512  (set)");
    send_text(&c, "Ein Hund.\n");
    expect(&c, "Ein Hund.\r\n");
    usleep(100000);
    kill(c.pid, SIGTERM);
    cr_expect_eq(end_by_signal(&c), 128 + SIGTERM);
    cr_expect_eq(remembered("max-length"), 1);
}
