/* jinja_faults_test.c - the k-th allocation fails, for every k: a clean status, and nothing stays allocated. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/chat.h"

TestSuite(chat_faults, .timeout = 120);

/* Counts while armed; fails the call number fail_at. */
static bool armed;
static long n_calls, fail_at, n_live;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *pointer, size_t n);
void __real_free(void *pointer);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *pointer, size_t n);
void __wrap_free(void *pointer);

static bool fails(void) { return armed && n_calls++ == fail_at; }

static void *made(void *pointer, bool is_new) {
    if (armed && is_new && pointer) n_live++;
    return pointer;
}

void *__wrap_malloc(size_t n) { return fails() ? NULL : made(__real_malloc(n), true); }

void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : made(__real_calloc(n, size), true); }

void *__wrap_realloc(void *pointer, size_t n) { return fails() ? NULL : made(__real_realloc(pointer, n), !pointer); }

void __wrap_free(void *pointer) {
    if (armed && pointer) n_live--;
    __real_free(pointer);
}

static const char template[] =
    "{% macro m(a, b=[1, {'x': 2}]) %}{{ a ~ b | tojson }}{% endmacro %}{% set ns = namespace(s='') %}"
    "{% for x in messages %}{% set ns.s = ns.s ~ x.content * 3000 %}{{ m(x.role) }}{{ loop.nextitem }}{% endfor %}"
    "{{ ns.s | upper | replace('A', 'bb') | length }}{{ range(3000) | list | sort(reverse=true) | join(',') }}";

static tfm_status job(tfm_error *error) {
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

Test(chat_faults, each_allocation) {
    long k = 0;
    for (;; k++) {
        tfm_error error = {0};
        n_calls = n_live = 0;
        fail_at = k;
        armed = true;
        tfm_status status = job(&error);
        armed = false;
        cr_assert_eq(n_live, 0, "allocation %ld: %ld stay allocated", k, n_live);
        if (n_calls <= k) {
            cr_assert_eq(status, TFM_OK, "%s", error.message);
            break;
        }
        cr_assert_eq(status, TFM_ERROR_MEMORY, "allocation %ld: status %d: %s", k, (int)status, error.message);
    }
    cr_expect_gt(k, 10, "only %ld allocations", k);
}
