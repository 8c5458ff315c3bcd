/* prompt_test.c - tfmrun on a terminal: sentences, commands, history, Ctrl-C, Ctrl-D. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "interact.h"

TestSuite(prompt, .init = at_a_terminal, .fini = leave_scratch, .timeout = 10 * TEST_SECONDS);

static child start(const char *option) {
    const char *const words[] = {tfmrun_path(), shipped_model(), option, NULL};
    child c = start_on_terminal(words);
    expect(&c, "> ");
    return c;
}

static void leave(child *c) {
    send_text(c, "\x04");
    cr_expect_eq(end_child(c, NULL), 0);
}

Test(prompt, translates) {
    child c = start("--num-beams=1");
    send_text(&c, "Ein Hund.\n");
    expect(&c, "\nA dog is walking.\r\n");
    expect(&c, " tokens in ");
    expect(&c, "tokens/s, first token after ");
    expect(&c, "> ");
    send_text(&c, "Ein Mann schl\xc3\xa4"
                  "ft.\nEin Hund.\n\n   \nEin Hund.\n"); /* pasted in one piece */
    expect(&c, "\nA man sleeping.\r\n");
    expect(&c, "\nA dog is walking.\r\n");
    expect(&c, "\nA dog is walking.\r\n");
    leave(&c);
}

Test(prompt, uses_beams_and_lists_them) {
    child c = start(NULL);
    send_text(&c, "Ein Hund.\n");
    expect(&c, "\nA dog.\r\n");
    expect(&c, "tokens/s");
    send_text(&c, "/set num_return_sequences 2\n");
    expect(&c, "num-return-sequences     2  (set)");
    send_text(&c, "Ein Hund.\n");
    expect(&c, "  A dog.\r\n");
    leave(&c);
}

Test(prompt, has_commands) {
    child c = start("--length-penalty=0.5");
    send_text(&c, "/help\n/help set\n");
    static const char *const commands[] = {"/attention FILE", "/read FILE", "/set NAME VALUE", "/show",
                                           "/info",           "/exit",      "/unset",          "/reset",
                                           "num-beams",       "do-sample"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) expect(&c, commands[i]);
    send_text(&c, "/show\n");
    static const char *const shown[] = {"num-beams                4\r",     "length-penalty           0.5  (set)",
                                        "early-stopping           false",   "renormalize-logits       true",
                                        "forced-bos-token-id      none",    "forced-eos-token-id      0",
                                        "bad-words-ids            [[6000]]"};
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) expect(&c, shown[i]);
    send_text(&c, "/set --num-beams=1\n");
    expect(&c, "num-beams                1  (set)");
    send_text(&c, "/set num-return-sequences 2\n");
    expect(&c, "more than --num-beams 1");
    send_text(&c, "/set bad-words-ids [[7], [20, 18]]\n");
    expect(&c, "bad-words-ids            [[7], [20, 18]]  (set)");
    send_text(&c, "/unset bad-words-ids\n");
    expect(&c, "bad-words-ids            [[6000]]\r");
    send_text(&c, "/show num-return-sequences\n");
    expect(&c, "num-return-sequences     1\r");
    send_text(&c, "/set num-beam 3\n");
    expect(&c, "did you mean num-beams?");
    send_text(&c, "/set beam_size 3\n");
    expect(&c, "no setting 'beam_size'; did you mean num-beams?");
    send_text(&c, "/set beams 3\n");
    expect(&c, "no setting 'beams'; did you mean num-beams?");
    send_text(&c, "/set id 3\n"); /* several have that word */
    expect(&c, "no setting 'id'; /show lists them");
    send_text(&c, "/set threads 3\n");
    expect(&c, "threads can only be given when the program is started");
    send_text(&c, "/set max-length x\n");
    expect(&c, "'x' is not a whole number");
    send_text(&c, "/reset\n");
    expect(&c, "settings are as at the start");
    send_text(&c, "/show\n");
    expect(&c, "num-beams                4\r");
    expect(&c, "length-penalty           0.5  (set)");
    send_text(&c, "/info\n");
    expect(&c, "family           marian");
    expect(&c, "parameters       5495921");
    send_text(&c, "/frobnicate\n");
    expect(&c, "no command '/frobnicate'");
    send_text(&c, "/quit\n");
    cr_expect_eq(end_child(&c, NULL), 0);
}

Test(prompt, draws_attention) {
    child c = start("--num-beams=1");
    send_text(&c, "/attention map.svg\n");
    expect(&c, "there is none yet");
    send_text(&c, "Ein Hund.\n/attention map.svg\n");
    expect(&c, "wrote map.svg");
    send_text(&c, "/attention map.gif\n");
    expect(&c, "must end in .svg or .html");
    leave(&c);
    struct stat info;
    cr_expect(stat("map.svg", &info) == 0 && info.st_size > 1000);
}

/* Ctrl-C stops the sentence; the next one is as if nothing had been. */
Test(prompt, stops_a_sentence) {
    child c = start(NULL);
    send_text(&c, "/set eos-token-id none\n/set num-beams 100\n/set max-length 512\n");
    expect(&c, "max-length               512  (set)");
    send_text(&c, "Ein Hund.\n");
    bool stopped = false;
    for (int i = 0; i < 5 * TEST_SECONDS && !stopped; i++) {
        stopped = expect_within(&c, "stopped", 0.2);
        if (!stopped) send_text(&c, "\x03");
    }
    cr_assert(stopped, "%s", c.transcript);
    send_text(&c, "/reset\nEin Hund.\n");
    expect(&c, "\nA dog.\r\n");
    expect(&c, "tokens/s");
    expect(&c, "> ");
    /* The terminal drops what comes while it changes its mode; what it echoes has arrived. */
    bool echoed = false;
    for (int i = 0; i < TEST_SECONDS && !echoed; i++) {
        send_text(&c, "a line that is dropped");
        echoed = expect_within(&c, "dropped", 1);
    }
    send_text(&c, "\x03");
    expect(&c, "^C");
    send_text(&c, "Ein Hund.\n");
    expect(&c, "\nA dog.\r\n");
    leave(&c);
}

Test(prompt, keeps_its_history_private) {
    child c = start("--num-beams=1");
    send_text(&c, "Ein Hund.\n");
    expect(&c, "tokens/s");
    leave(&c);
    struct stat info;
    cr_assert_eq(stat("state/tfm/history", &info), 0);
    cr_expect_eq(info.st_mode & 0777, 0600);
    c = start("--num-beams=1");
    send_text(&c, "\x10\n"); /* Ctrl-P: the line before */
    expect(&c, "\nA dog is walking.\r\n");
    leave(&c);
}

Test(prompt, respects_plain_terminals) {
    setenv("NO_COLOR", "1", 1);
    child c = start("--num-beams=1");
    send_text(&c, "Ein Hund.\n");
    expect(&c, "tokens/s");
    cr_expect(!strstr(c.transcript, "\x1b[2m"), "no colours with NO_COLOR: %s", c.transcript);
    leave(&c);
    unsetenv("NO_COLOR");
    setenv("TERM", "dumb", 1);
    c = start("--num-beams=1");
    send_text(&c, "Ein Hund.\n");
    expect(&c, "\nA dog is walking.\r\n");
    cr_expect(!strchr(c.transcript, '\x1b'), "%s", c.transcript);
    leave(&c);
}

/* With --json a terminal is a stream like any other. */
Test(prompt, is_not_for_machines) {
    const char *const words[] = {tfmrun_path(), shipped_model(), "--json", "--num-beams=1", NULL};
    child c = start_on_terminal(words);
    send_text(&c, "Ein Hund.\n");
    expect(&c, "{\"text\":\"A dog is walking.\",");
    send_text(&c, "\x04");
    cr_expect_eq(end_child(&c, NULL), 0);
}

/* A message is as wide as the terminal, and broken between words. */
Test(prompt, messages_are_wrapped, .init = at_a_terminal) {
    const char *const words[] = {tfmrun_path(), shipped_model(), NULL};
    child c = start_on_terminal(words);
    const struct winsize narrow = {.ws_row = 40, .ws_col = 60};
    expect(&c, "> ");
    cr_assert_eq(ioctl(c.in, TIOCSWINSZ, &narrow), 0);
    send_text(&c, "/set alignment-from 9\r");
    expect(&c, "tfmrun: --alignment-from: the model has no layer 9; its\r\ndecoder's are 0 to 2, -1 is the last\r\n");
    expect(&c, "> ");
    send_text(&c, "/set num-beams 0\r");
    expect(&c, "tfmrun: num-beams: '0' is not a whole number from 1 to 1024\r\n");
    expect(&c, "> ");
    send_text(&c, "/exit\r");
    cr_expect_eq(end_child(&c, NULL), 0);
}
