/* jinja_faults_test.c - the k-th allocation fails, for every k: a clean status, and nothing stays allocated. */
#include <criterion/criterion.h>

#include "runtime/chat.h"
#include "tests/support/faults.h"

TestSuite(chat_faults, .timeout = 120);

static const char template[] =
    "{% macro m(a, b=[1, {'x': 2}]) %}{{ a ~ b | tojson }}{% endmacro %}{% set ns = namespace(s='') %}"
    "{% for x in messages %}{% set ns.s = ns.s ~ x.content * 3000 %}{{ m(x.role) }}{{ loop.nextitem }}{% endfor %}"
    "{{ ns.s | upper | replace('A', 'bb') | length }}{{ range(3000) | list | sort(reverse=true) | join(',') }}";

static tfm_status open_and_render(void *arg, tfm_error *error) {
    (void)arg;
    static const tfm_message messages[] = {{.role = "user", .content = "abc", .n = 3},
                                           {.role = "assistant", .content = "\xc3\xa9", .n = 2}};
    tfm_chat *chat;
    tfm_text text = {0};
    tfm_status status = tfm_chat_open(&chat, template, sizeof template - 1, error);
    if (status == TFM_OK) status = tfm_chat_apply_template(chat, NULL, 0, messages, 2, NULL, &text, error);
    tfm_chat_close(&chat);
    tfm_text_free(&text);
    return status;
}

Test(chat_faults, each_allocation) { cr_expect_gt(fail_each_allocation(open_and_render, NULL), 10); }
