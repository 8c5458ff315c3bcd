/* messages_test.c - files of conversations, ours and such that are none. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "interact.h"
#include "tools/run/messages.h"

TestSuite(messages, .init = enter_scratch, .fini = leave_scratch, .timeout = 10 * TEST_SECONDS);

Test(messages, come_back_as_they_were) {
    static const tfm_message list[] = {{.role = "system", .content = "be brief", .n = 8},
                                       {.role = "user", .content = "a \"quoted\"\nline\t\xe2\x80\xa8.", .n = 20},
                                       {.role = "assistant", .content = NULL, .n = 0}};
    tfm_error error;
    tfm_messages read = {0};
    cr_assert_eq(tfm_messages_save("chat.json", list, 3, &error), TFM_OK, "%s", error.message);
    char *text = read_text("chat.json");
    cr_expect_eq(strchr(text, '\n') + 1, text + strlen(text), "one line");
    free(text);
    cr_assert_eq(tfm_messages_load("chat.json", &read, &error), TFM_OK, "%s", error.message);
    cr_assert_eq(read.n, 3);
    for (size_t i = 0; i < 3; i++) {
        cr_expect_str_eq(read.list[i].role, list[i].role);
        cr_expect_eq(read.list[i].n, list[i].n);
        cr_expect_str_eq(read.list[i].content, list[i].content ? list[i].content : "");
    }
    tfm_messages_free(&read);
}

Test(messages, are_refused) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "is no JSON"},
        {"[1, 2", "is no JSON"},
        {"[]", "is no conversation"},
        {"{}", "is no conversation"},
        {"{\"messages\": [], \"x\": 1}", "is no conversation"},
        {"{\"messages\": []}", "is no list of messages"},
        {"{\"messages\": {}}", "is no list of messages"},
        {"{\"messages\": [\"x\"]}", "message 1 is not"},
        {"{\"messages\": [{\"role\": \"user\"}]}", "message 1 is not"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": 7}]}", "message 1 is not"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"a\", \"x\": 1}]}", "message 1 is not"},
        {"{\"messages\": [{\"role\": \"user\", \"role\": \"user\", \"content\": \"a\"}]}", "is no JSON"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"a\\u0000b\"}]}", "is no JSON"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"\xff\"}]}", "is no JSON"},
        {"{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\"}]}", "the turn of 'user'"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"tool\", \"content\": \"b\"}]}",
         "message 2 is of 'tool'"}};
    tfm_error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tfm_messages read = {0};
        write_text("chat.json", cases[i].text);
        cr_expect_neq(tfm_messages_load("chat.json", &read, &error), TFM_OK, "%s", cases[i].text);
        cr_expect(strstr(error.message, "chat.json") && strstr(error.message, cases[i].message), "%s: %s",
                  cases[i].text, error.message);
        tfm_messages_free(&read);
    }
    tfm_messages read = {0};
    cr_assert_eq(mkfifo("pipe", 0600), 0);
    cr_expect_eq(tfm_messages_load("pipe", &read, &error), TFM_ERROR_IO, "a pipe is not waited for");
    cr_expect(strstr(error.message, "pipe: is no regular file"), "%s", error.message);
    char *deep = calloc(200001, 1);
    memset(deep, '[', 200000);
    write_text("chat.json", deep);
    free(deep);
    cr_expect_neq(tfm_messages_load("chat.json", &read, &error), TFM_OK);
    tfm_messages_free(&read);
}
