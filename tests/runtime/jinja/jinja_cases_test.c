/* jinja_cases_test.c - templates render as jinja2 renders them, byte for byte; what it refuses is refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "jinja_cases.h"

TestSuite(language, .timeout = 120);
TestSuite(cases, .timeout = 120);

/* What jinja2 cannot read is not known here either; what goes wrong while it renders goes wrong here. */
static bool fits(tfm_status status, const char *error) {
    if (!strcmp(error, "TemplateSyntaxError") || !strcmp(error, "TemplateAssertionError") ||
        !strcmp(error, "SyntaxError") || !strcmp(error, "SecurityError"))
        return status == TFM_ERROR_UNSUPPORTED;
    if (!strcmp(error, "OverflowError")) return status == TFM_ERROR_LIMIT;
    return status == TFM_ERROR_ARGUMENT || status == TFM_ERROR_UNSUPPORTED;
}

static bool same(const rendered *r, const json_t *expected) {
    return r->text.size == json_string_length(expected) &&
           (r->text.size == 0 || memcmp(r->text.data, json_string_value(expected), r->text.size) == 0);
}

static void check(const char *name, const rendered *r, const json_t *expected) {
    const json_t *text = json_object_get(expected, "text");
    const char *error = json_string_value(json_object_get(expected, "error"));
    const char *words = json_string_value(json_object_get(expected, "words"));
    if (text) {
        cr_expect(r->status == TFM_OK, "%s: status %d: %s", name, (int)r->status, r->error.message);
        if (r->status == TFM_OK)
            cr_expect(same(r, text), "%s:\n expected |%s|\n      got |%s|", name, json_string_value(text),
                      r->text.size ? r->text.data : "");
        return;
    }
    cr_expect(fits(r->status, error), "%s: %s: %s\n but status %d: %s %s", name, error, words, (int)r->status,
              r->error.message, r->status == TFM_OK ? r->text.data : "");
    cr_expect_eq(r->text.size, (size_t)0, "%s: text in spite of an error", name);
    cr_expect_eq(r->error.status, r->status);
    if (!strcmp(error, "TemplateError"))
        cr_expect_not_null(strstr(r->error.message, words), "%s: '%s' lacks '%s'", name, r->error.message, words);
}

/* ---- small templates, under the file of runtime/jinja that they are about ---- */

static void check_file(const char *file) {
    json_t *cases = cases_load();
    const json_t *list = json_object_get(cases, "language"), *entry;
    size_t i, n = 0;
    json_array_foreach(list, i, entry) {
        if (strcmp(json_string_value(json_object_get(entry, "file")), file) != 0) continue;
        const json_t *template = json_object_get(entry, "template");
        rendered r = render(json_string_value(template), json_string_length(template),
                            json_object_get(cases, "messages"), json_object_get(cases, "tokens"), NULL, NULL);
        check(json_string_value(template), &r, entry);
        rendered_free(&r);
        n++;
    }
    cr_expect_geq(n, 2, "%s: %zu cases", file, n);
    json_decref(cases);
}

#define FILES(X)                                                                                                       \
    X(attributes)                                                                                                      \
    X(builtin_functions)                                                                                               \
    X(builtin_tests)                                                                                                   \
    X(builtins)                                                                                                        \
    X(calls)                                                                                                           \
    X(case_mapping)                                                                                                    \
    X(characters)                                                                                                      \
    X(expressions)                                                                                                     \
    X(filters)                                                                                                         \
    X(json)                                                                                                            \
    X(lexer)                                                                                                           \
    X(list_filters)                                                                                                    \
    X(methods)                                                                                                         \
    X(number_filters)                                                                                                  \
    X(numbers)                                                                                                         \
    X(operators)                                                                                                       \
    X(parse_expression)                                                                                                \
    X(parser)                                                                                                          \
    X(print)                                                                                                           \
    X(statements)                                                                                                      \
    X(str_filters)                                                                                                     \
    X(str_format)                                                                                                      \
    X(str_methods)

#define FILE_TEST(file)                                                                                                \
    Test(language, file) { check_file(#file ".c"); }
FILES(FILE_TEST)

/* No case stands under a file that is not asked for. */
Test(language, every_case) {
    json_t *cases = cases_load();
    const json_t *list = json_object_get(cases, "language"), *entry;
#define FILE_NAME(file) #file ".c",
    static const char *const files[] = {FILES(FILE_NAME)};
    size_t i;
    cr_assert_geq(json_array_size(list), (size_t)260);
    json_array_foreach(list, i, entry) {
        const char *file = json_string_value(json_object_get(entry, "file"));
        bool known = false;
        for (size_t k = 0; k < sizeof files / sizeof *files; k++) known |= strcmp(file, files[k]) == 0;
        cr_expect(known, "%s", file);
    }
    json_decref(cases);
}

/* ---- whole templates ---- */

Test(cases, conversations) {
    json_t *cases = cases_load();
    const json_t *list = json_object_get(cases, "conversations"), *entry;
    size_t i;
    cr_assert_geq(json_array_size(list), (size_t)500);
    json_array_foreach(list, i, entry) {
        const char *name = json_string_value(json_object_get(entry, "template"));
        const json_t *template = json_object_get(json_object_get(cases, "templates"), name);
        tfm_chat_params params = {.size = sizeof params,
                                  .add_generation_prompt = json_is_true(json_object_get(entry, "prompt"))};
        rendered r =
            render(json_string_value(template), json_string_length(template), json_object_get(entry, "messages"),
                   json_object_get(entry, "tokens"), json_object_get(entry, "variables"), &params);
        check(json_string_value(json_object_get(entry, "name")), &r, entry);
        rendered_free(&r);
    }
    json_decref(cases);
}

/* The templates of real checkpoints are those in the cases. */
Test(cases, shared_templates) {
    const char *shared = getenv("TFM_SHARED");
    static const char *const names[] = {"qwen2.5", "phi-3-mini"};
    json_t *cases = cases_load();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/tokenizers/%s/tokenizer_config.json", shared ? shared : "", names[i]);
        json_t *config = json_load_file(path, 0, NULL);
        if (!config) cr_skip_test("%s is not there", path);
        cr_expect(json_equal(json_object_get(config, "chat_template"),
                             json_object_get(json_object_get(cases, "templates"), names[i])),
                  "%s", names[i]);
        json_decref(config);
    }
    json_decref(cases);
}
