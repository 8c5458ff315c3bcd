/* conversation_test.c - tfmrun with a decoder-only model on a terminal: conversations, and texts to go on with. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stories.h"

TestSuite(chat, .init = at_a_terminal, .fini = leave_scratch, .timeout = 10 * TEST_SECONDS);

static child start(const char *model, const char *first, const char *second) {
    const char *const words[] = {tfmrun_path(), model, first, second, NULL};
    child c = start_on_terminal(words);
    expect(&c, "Ctrl-D leaves.");
    expect(&c, "> ");
    return c;
}

static void leave(child *c) {
    send_text(c, "\x04");
    cr_expect_eq(end_child(c, NULL), 0);
}

/* Sends a line and gives the answer to it, and how many tokens of its prompt were kept. The caller frees it. */
static char *say(child *c, const char *text, unsigned *kept) {
    send_text(c, text);
    send_text(c, "\n");
    expect(c, "\r\n"); /* the line itself, as the terminal shows it */
    size_t begin = c->seen;
    expect(c, "; prompt of ");
    size_t end = c->seen;
    expect(c, " of them kept");
    unsigned n_prompt = 0, n_kept = 0;
    cr_assert_eq(sscanf(c->transcript + end, "%u tokens, %u of", &n_prompt, &n_kept), 2, "%s", c->transcript);
    cr_expect_lt(n_kept, n_prompt);
    if (kept) *kept = n_kept;
    const char *answer = c->transcript + begin, *stop = strstr(answer, "\r\n");
    cr_assert(stop && stop < c->transcript + end, "%s", c->transcript);
    char *copy = strndup(answer, (size_t)(stop - answer)); /* the transcript may move */
    expect(c, "> ");
    return copy;
}

/* One line of output of a command. */
static void command(child *c, const char *line, const char *output) {
    send_text(c, line);
    send_text(c, "\n");
    expect(c, output);
    expect(c, "> ");
}

Test(chat, keeps_what_was_said) {
    pack_chatting();
    child c = start(CHATTING, "--max-new-tokens=20", "--system=Short");
    unsigned kept;
    char *first = say(&c, "Hello", &kept);
    cr_expect_eq(kept, 0);
    char *second = say(&c, "Tell a story", &kept);
    cr_expect_gt(kept, 20, "the first turn is not run again: %u", kept);
    send_text(&c, "/history\n");
    expect(&c, "system: Short");
    expect(&c, "user: Hello");
    expect(&c, first);
    expect(&c, "user: Tell a story");
    expect(&c, second);
    expect(&c, "> ");
    /* Whatever is kept, the answer is the same. */
    char *again = say(&c, "/retry", &kept);
    cr_expect_gt(kept, 50);
    cr_expect_str_eq(again, second);
    command(&c, "/set num-beams 2", "(set)");
    free(say(&c, "/retry", &kept));
    command(&c, "/set num-beams 1", "(set)");
    char *anew = say(&c, "/retry", &kept);
    cr_expect_eq(kept, 0, "beams keep nothing");
    cr_expect_str_eq(anew, second);
    command(&c, "/undo", "the last message and its answer are forgotten");
    char *repeated = say(&c, "Tell a story", &kept);
    cr_expect_str_eq(repeated, second);
    command(&c, "/clear", "the conversation is forgotten");
    char *fresh = say(&c, "Hello", &kept);
    cr_expect_str_eq(fresh, first);
    command(&c, "/system Long", "Long");
    command(&c, "/system", "Long");
    command(&c, "/info", "context          512 tokens");
    command(&c, "/set num-return-sequences 2", "goes on with one answer");
    command(&c, "/attention map.svg", "has none to draw");
    leave(&c);
    /* In a pipe the message has the same answer. */
    outcome piped = RUN("", CHATTING, "--chat", "--max-new-tokens=20", "--system=Short", "Hello");
    cr_expect(strncmp(piped.out, first, strlen(first)) == 0, "%s, not %s", piped.out, first);
    free_outcome(&piped);
    char *all[] = {first, second, again, anew, repeated, fresh};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

Test(chat, draws_answers_that_can_be_had_again) {
    pack_chatting();
    child c = start(CHATTING, "--max-new-tokens=12", "--temperature=1.2");
    command(&c, "/set seed 5", "seed                     5  (set)");
    char *first = say(&c, "Hello", NULL);
    expect_within(&c, "seed 5", 0);
    char *other = say(&c, "/retry", NULL);
    cr_expect(strcmp(first, other) != 0, "%s", first);
    command(&c, "/set seed 5", "seed                     5  (set)");
    char *same = say(&c, "/retry", NULL);
    cr_expect_str_eq(same, first);
    leave(&c);
    free(first);
    free(other);
    free(same);
}

/* The oldest turns go; a message that is too long alone changes nothing. */
Test(chat, goes_on_when_the_context_is_full) {
    pack_chatting();
    child c = start(CHATTING, "--max-new-tokens=10", NULL);
    char line[4096] = "", text[4300];
    for (size_t i = 0; i < 40; i++) strcat(line, "the little cat ");
    bool full = false;
    for (unsigned i = 0; i < 12 && !full; i++) {
        snprintf(text, sizeof text, "Turn %u %s", i, line);
        free(say(&c, text, NULL));
        full = strstr(c.transcript, "the context of 512 tokens is full: the conversation goes on without its first ");
    }
    cr_expect(full, "%s", c.transcript);
    size_t before = c.seen;
    send_text(&c, "/history\n");
    expect(&c, "user: Turn ");
    cr_expect(!strstr(c.transcript + before, "user: Turn 0"), "%s", c.transcript + before);
    expect(&c, "> ");
    text[0] = 0;
    for (size_t i = 0; i < 270; i++) strcat(text, &"the little cat "[(i % 2) * 4]);
    send_text(&c, text);
    send_text(&c, "\n");
    expect(&c, "the message takes ");
    expect(&c, "the context has 512");
    expect(&c, "> ");
    before = c.seen;
    send_text(&c, "/history\n");
    expect(&c, "user: Turn ");
    cr_expect(!strstr(c.transcript + before, text), "the message is not part of the conversation");
    expect(&c, "> ");
    free(say(&c, "Hello", NULL));
    leave(&c);
}

/* What was said before Ctrl-C stays. */
Test(chat, stops_an_answer) {
    pack_chatting();
    child c = start(CHATTING, "--isa=scalar", "--threads=1");
    command(&c, "/set eos-token-id none", "(set)");
    bool stopped = false;
    for (int i = 0; i < 10 && !stopped; i++) {
        send_text(&c, "/clear\nHello\n");
        expect(&c, "the conversation is forgotten");
        expect(&c, "Hello\r\n");
        send_text(&c, "\x03");
        stopped = expect_within(&c, "stopped", 5);
        expect(&c, "> ");
    }
    cr_assert(stopped, "%s", c.transcript);
    command(&c, "/set max-new-tokens 5", "(set)");
    free(say(&c, "Hello", NULL));
    send_text(&c, "/history\n");
    expect(&c, "user: Hello");
    expect(&c, "assistant: ");
    leave(&c);
}

Test(chat, without_a_template_goes_on_with_texts) {
    pack_stories();
    child c = start(STORIES, "--max-new-tokens=10", NULL);
    cr_expect(strstr(c.transcript, "Type a text to go on with"), "%s", c.transcript);
    char *text = say(&c, "The cat", NULL);
    cr_expect_str_eq(text, " then away then away snow always! apple not sweet");
    free(text);
    command(&c, "/set stop apple", "stop                     \"apple\"  (set)");
    text = say(&c, "The cat", NULL);
    cr_expect_str_eq(text, " then away then away snow always! ");
    free(text);
    command(&c, "/unset stop", "stop                     none");
    command(&c, "/set stop x", "(set)");
    command(&c, "/set num-beams 2", "--stop is not for beams");
    command(&c, "/retry", "there is no conversation here");
    command(&c, "/set num-return-sequences 2", "(set)");
    send_text(&c, "The cat\n");
    expect(&c, "tokens/s");
    expect(&c, "seed ");
    leave(&c);
}

/* A conversation that is kept in a file goes on where it was. */
Test(chat, is_kept_in_a_file) {
    pack_chatting();
    child c = start(CHATTING, "--max-new-tokens=20", "--system=Short");
    command(&c, "/save chat.json", "wrote chat.json"); /* a system message is something */
    char *first = say(&c, "Hello", NULL);
    command(&c, "/save chat.json", "wrote chat.json");
    char *second = say(&c, "Tell a story", NULL);
    leave(&c);
    c = start(CHATTING, "--max-new-tokens=20", NULL);
    command(&c, "/save no.json", "nothing has been said yet");
    free(say(&c, "Something else", NULL));
    command(&c, "/load nothing.json", "nothing.json: cannot open");
    command(&c, "/load template.jinja", "is no JSON");
    send_text(&c, "/history\n");
    expect(&c, "user: Something else");
    command(&c, "/load chat.json", "2 messages of chat.json");
    char *again = say(&c, "Tell a story", NULL);
    cr_expect_str_eq(again, second);
    send_text(&c, "/history\n");
    expect(&c, "system: Short");
    expect(&c, "user: Hello");
    expect(&c, first);
    leave(&c);
    free(first);
    free(second);
    free(again);
}
