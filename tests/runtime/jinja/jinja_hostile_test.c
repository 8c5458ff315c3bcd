/* jinja_hostile_test.c - templates that want too much, are too deep or are no text: refused in time, and nothing leaks.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chat_template_fuzz.h"
#include "jinja_cases.h"

TestSuite(hostile, .timeout = 300);

static void expect_status(const char *template, tfm_status status, const char *words) {
    rendered r = render_text(template);
    cr_expect_eq(r.status, status, "%.80s: status %d, not %d: %s", template, (int)r.status, (int)status,
                 r.error.message);
    cr_expect(!words || strstr(r.error.message, words) != NULL, "%.80s: %s", template, r.error.message);
    cr_expect_eq(r.text.size, (size_t)0);
    rendered_free(&r);
}

/* before, then n times part, then after. */
static char *repeated(const char *before, const char *part, size_t n, const char *after) {
    size_t length = strlen(part), at = strlen(before);
    char *text = malloc(at + n * length + strlen(after) + 1);
    cr_assert_not_null(text);
    memcpy(text, before, at);
    for (size_t i = 0; i < n; i++, at += length) memcpy(text + at, part, length);
    memcpy(text + at, after, strlen(after) + 1);
    return text;
}

Test(hostile, deep_nesting) {
    static const char *const parts[][3] = {{"{{ ", "(", ""},
                                           {"{{ ", "[", ""},
                                           {"{{ ", "{1:", ""},
                                           {"{{ ", "not ", "1 }}"},
                                           {"{{ ", "-", "1 }}"},
                                           {"", "{% if 1 %}", ""},
                                           {"", "{% for x in [1] %}", ""},
                                           {"{{ a", "[a", ""},
                                           {"{{ a", "(a", ""},
                                           {"{{ 1", " if 1 else 1", " }}"},
                                           {"{{ 1", "|abs", " }}"},
                                           {"{{ 1", " + 1", " }}"},
                                           {"{{ 1", "**1", " }}"},
                                           {"{{ ''", ".upper()", " }}"},
                                           {"{{ ''", "[0:]", " }}"},
                                           {"{{ 1", " is odd", " }}"},
                                           {"{{ 1", " and 1", " }}"},
                                           {"", "{% macro m() %}", ""},
                                           {"", "{% set a %}", ""},
                                           {"{% set ", "(", "a = 1 %}"},
                                           {"", "{% filter upper %}", ""}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        for (size_t n = 50; n <= 50000; n *= 10) {
            char *text = repeated(parts[i][0], parts[i][1], n, parts[i][2]);
            rendered r = render_text(text);
            cr_expect(n < 5000 || r.status == TFM_ERROR_LIMIT || r.status == TFM_ERROR_UNSUPPORTED,
                      "%s%s... status %d: %s", parts[i][0], parts[i][1], (int)r.status, r.error.message);
            rendered_free(&r);
            free(text);
        }
    }
}

Test(hostile, values_within_values) {
    expect_status("{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}", TFM_ERROR_LIMIT, "deep");
    expect_status(
        "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
        TFM_ERROR_LIMIT, "deep");
    expect_status("{% set ns = namespace(x=[], y=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% set ns.y = "
                  "[ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
                  TFM_ERROR_LIMIT, "deep");
    expect_status("{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}"
                  "{{ ns.x | tojson }}",
                  TFM_ERROR_LIMIT, "deep");
    expect_status("{% set ns = namespace(x=[1]) %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
                  "{{ ns.x }}",
                  TFM_ERROR_LIMIT, NULL);
}

Test(hostile, without_end) {
    expect_status("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", TFM_ERROR_LIMIT, "deep");
    expect_status("{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}", TFM_ERROR_LIMIT, NULL);
    expect_status("{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}"
                  "{% endfor %}{% endfor %}",
                  TFM_ERROR_LIMIT, NULL);
    expect_status("{% macro m(n) %}{% if n > 0 %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(30) }}",
                  TFM_ERROR_LIMIT, NULL);
}

/* Names that are passed over in a scope or a dictionary are work too. */
Test(hostile, many_names) {
    static const char *const templates[] = {"{% macro m(",
                                            ") %}{% endmacro %}{% for i in range(20) %}{{ m() }}{% endfor %}"};
    tfm_text text = {0};
    bool ok = tfm_text_append(&text, templates[0], strlen(templates[0]));
    for (int i = 0; i < 40000 && ok; i++) {
        char name[16];
        ok = tfm_text_append(&text, name, (size_t)sprintf(name, i ? ",a%d" : "a%d", i));
    }
    cr_assert(ok && tfm_text_append(&text, templates[1], strlen(templates[1])));
    expect_status(text.data, TFM_ERROR_LIMIT, "takes too long");
    tfm_text_free(&text);
}

/* What Python has and templates here cannot use is refused by name, not undefined. */
Test(hostile, known_to_python_alone) {
    expect_status("{{ 'a'.__class__ }}", TFM_ERROR_UNSUPPORTED, "__class__");
    expect_status("{{ [1].copy() }}", TFM_ERROR_UNSUPPORTED, "copy");
    expect_status("{{ 'a'.zfill(3) }}", TFM_ERROR_UNSUPPORTED, "zfill");
    expect_status("{{ (5).bit_length() }}", TFM_ERROR_UNSUPPORTED, "bit_length");
    expect_status("{{ {}.update({}) }}", TFM_ERROR_UNSUPPORTED, "update");
}

Test(hostile, too_much) {
    expect_status("{{ range(100001) }}", TFM_ERROR_LIMIT, "range");
    expect_status("{{ range(-9223372036854775807, 9223372036854775807) }}", TFM_ERROR_LIMIT, "range");
    expect_status("{{ 'a' * 9223372036854775807 }}", TFM_ERROR_LIMIT, NULL);
    expect_status("{{ 'ab' * 4611686018427387904 }}", TFM_ERROR_LIMIT, NULL);
    expect_status("{{ 'a' * 100000000 }}", TFM_ERROR_LIMIT, NULL);
    expect_status("{{ [1] * 1000000000000 }}", TFM_ERROR_LIMIT, NULL);
    expect_status("{{ [] * 9223372036854775807 + [raise_exception('end')] }}", TFM_ERROR_ARGUMENT, "end");
    expect_status("{{ 2 ** 63 }}", TFM_ERROR_LIMIT, "large");
    expect_status("{{ 10 ** 1000000000000000000 }}", TFM_ERROR_LIMIT, "large");
    expect_status("{{ 9223372036854775807 + 1 }}", TFM_ERROR_LIMIT, "large");
    expect_status("{{ (-9223372036854775807 - 1) // -1 }}", TFM_ERROR_LIMIT, "large");
    expect_status("{{ -(-9223372036854775807 - 1) }}", TFM_ERROR_LIMIT, "large");
    expect_status("{{ '99999999999999999999' | int }}", TFM_ERROR_LIMIT, "large");
    expect_status("{{ 99999999999999999999 }}", TFM_ERROR_UNSUPPORTED, "large");
    expect_status("{{ 'a' | indent(9223372036854775807) }}", TFM_ERROR_LIMIT, NULL);
    expect_status("{{ 'a'.center(9223372036854775807) }}", TFM_ERROR_LIMIT, NULL);
    expect_status("{{ [1] | tojson(indent=9223372036854775807) }}", TFM_ERROR_LIMIT, NULL);
    expect_status("{% for i in range(1000) %}{{ 'a' * 100000 }}{% endfor %}", TFM_ERROR_LIMIT, NULL);
    expect_status("{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
                  TFM_ERROR_LIMIT, NULL);
    expect_status("{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s | replace('a', ns.s) %}"
                  "{% endfor %}",
                  TFM_ERROR_LIMIT, NULL);
    char *text = repeated("", "x", (1 << 20) + 1, "");
    expect_status(text, TFM_ERROR_LIMIT, "MiB");
    free(text);
}

Test(hostile, what_is_not_known_is_named) {
    expect_status("a\nb{{ 1 | frobnicate }}", TFM_ERROR_UNSUPPORTED, "line 2: the filter 'frobnicate'");
    expect_status("{{ 1 is frobnicated }}", TFM_ERROR_UNSUPPORTED, "the test 'frobnicated'");
    expect_status("\n\n{% frobnicate %}", TFM_ERROR_UNSUPPORTED, "line 3: the tag 'frobnicate'");
    expect_status("{{ 'a'.zfill(3) }}", TFM_ERROR_UNSUPPORTED, "the method 'zfill'");
    expect_status("{{ [].append(3) }}", TFM_ERROR_UNSUPPORTED, "the method 'append'");
    expect_status("{{ lipsum() }}", TFM_ERROR_UNSUPPORTED, "the function 'lipsum'");
    expect_status("{% for x in [1] recursive %}{% endfor %}", TFM_ERROR_UNSUPPORTED, "recursive");
    expect_status("{% block a %}{% endblock %}", TFM_ERROR_UNSUPPORTED, "'block'");
    expect_status("{{ ''.__class__ }}", TFM_ERROR_UNSUPPORTED, "'__class__'");
    expect_status("{{ ''['__class__'] }}", TFM_ERROR_UNSUPPORTED, "'__class__'");
    expect_status("{{ messages | map('odd') | list }}{{ [1] | map('nope') | list }}", TFM_ERROR_UNSUPPORTED, "'nope'");
    expect_status("{{ range }}", TFM_ERROR_UNSUPPORTED, "printing");
    expect_status("{{ [1] | map('string') }}", TFM_ERROR_UNSUPPORTED, "generator");
    expect_status("{{ ('a' | safe) + '<' }}", TFM_ERROR_UNSUPPORTED, "safe");
    expect_status("{{ 'ß' | upper }}", TFM_ERROR_UNSUPPORTED, "U+00DF");
    expect_status("{{ 'é'.isalpha() }}", TFM_ERROR_UNSUPPORTED, "U+00E9");
    expect_status("{{ strftime_now('%Y') }}", TFM_ERROR_ARGUMENT, "'strftime_now' is undefined");
    expect_status("{{ messages[0].x.y }}", TFM_ERROR_ARGUMENT, "undefined");
    expect_status("{{ raise_exception('two\nlines \x01') }}", TFM_ERROR_ARGUMENT, "two lines");
}

Test(hostile, what_may_not_be_reached_is_noted) {
    tfm_chat *chat;
    const char *text = "{% if false %}\n{{ 1 | frobnicate }}{% endif %}";
    cr_assert_eq(tfm_chat_open(&chat, text, strlen(text), NULL), TFM_OK);
    cr_assert_not_null(tfm_chat_problem(chat));
    cr_expect_not_null(strstr(tfm_chat_problem(chat), "line 2: the filter 'frobnicate'"), "%s", tfm_chat_problem(chat));
    tfm_chat_close(&chat);
    rendered r = render_text(text);
    cr_expect_eq(r.status, TFM_OK, "%s", r.error.message);
    rendered_free(&r);
    cr_assert_eq(tfm_chat_open(&chat, "{{ 1 | abs }}", 13, NULL), TFM_OK);
    cr_expect_null(tfm_chat_problem(chat));
    tfm_chat_close(&chat);
    tfm_chat_close(&chat);
}

Test(hostile, bytes_that_are_no_text) {
    static const char *const templates[] = {"\xff\xfe{{ '\x80' | length }}",
                                            "{{ '\xe4\xb8' ~ 1 }}",
                                            "{{ \xc3\xa9 }}",
                                            "{{ '\xf0\x9f'[0] | tojson }}",
                                            "{% for c in '\xc3\xa9\xff' %}{{ c }},{% endfor %}",
                                            "{{ ['\xff'] }}"};
    static const tfm_status expected[] = {TFM_OK, TFM_OK, TFM_ERROR_UNSUPPORTED, TFM_OK, TFM_OK, TFM_OK};
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
        rendered r = render_text(templates[i]);
        cr_expect_eq(r.status, expected[i], "%zu: %s", i, r.error.message);
        rendered_free(&r);
    }
    rendered r = render("a\0b{{ '\0' | length }}", 21, NULL, NULL, NULL, NULL);
    cr_expect_eq(r.status, TFM_OK, "%s", r.error.message);
    cr_expect(r.text.size == 4 && memcmp(r.text.data, "a\0b1", 4) == 0);
    rendered_free(&r);
}

/* Every part of every real template, and every one with a byte changed. */
Test(hostile, broken_templates) {
    json_t *cases = cases_load();
    const char *name;
    json_t *template;
    uint64_t state = 0x9e3779b97f4a7c15;
    cr_log_info("seed %llx", (unsigned long long)state);
    json_object_foreach(json_object_get(cases, "templates"), name, template) {
        const char *text = json_string_value(template);
        size_t n = json_string_length(template);
        char *copy = malloc(n + 24);
        cr_assert_not_null(copy);
        for (size_t i = 0; i < 300; i++) {
            state ^= state << 13, state ^= state >> 7, state ^= state << 17;
            size_t length = i < 100 ? state % n : n;
            memcpy(copy, text, length);
            if (i >= 100) copy[(state >> 8) % n] = "{}%-|()[]'\"~+.,:=x0 \n\xff#"[state % 24];
            memcpy(copy + length, "\0a\0b\0\xff<think>\0x", 15);
            LLVMFuzzerTestOneInput((const uint8_t *)copy, length + 15);
        }
        free(copy);
    }
    json_decref(cases);
}

/* Inputs that found something once, and those that reach much. */
Test(hostile, corpus) {
    DIR *folder = opendir(TFM_CHAT_CORPUS);
    cr_assert_not_null(folder, "%s", TFM_CHAT_CORPUS);
    size_t n_files = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[4096];
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", TFM_CHAT_CORPUS, entry->d_name);
        FILE *file = fopen(path, "rb");
        cr_assert_not_null(file, "%s", path);
        static uint8_t data[1 << 16];
        size_t n = fread(data, 1, sizeof data, file);
        fclose(file);
        LLVMFuzzerTestOneInput(data, n);
        n_files++;
    }
    closedir(folder);
    cr_expect_geq(n_files, (size_t)20);
}
