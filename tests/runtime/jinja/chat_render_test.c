/* chat_render_test.c - conversations through the library: variables, going on with a message, model files, no memory.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/model_file.h"
#include "jinja_cases.h"

TestSuite(render, .timeout = 120);

static rendered with_variable(const char *template, const char *value) {
    json_t *variables = json_pack("{s:s}", "v", value);
    rendered r = render(template, strlen(template), NULL, NULL, variables, NULL);
    json_decref(variables);
    return r;
}

static void expect_text(rendered r, const char *expected) {
    cr_expect_eq(r.status, TFM_OK, "%s", r.error.message);
    cr_expect_str_eq(r.text.data ? r.text.data : "(none)", expected);
    rendered_free(&r);
}

Test(render, variables) {
    static const char *const cases[][2] = {
        {"true", "True true"}, {"false", "False false"}, {"none", "None null"},        {"12", "12 12"},
        {"-3", "-3 -3"},       {"1.50", "1.5 1.5"},      {"1e3", "1000.0 1000.0"},     {"text", "text \"text\""},
        {"", " \"\""},         {"-", "- \"-\""},         {"1.2.3", "1.2.3 \"1.2.3\""}, {"12 May", "12 May \"12 May\""},
        {"1e", "1e \"1e\""},   {"True", "True \"True\""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_text(with_variable("{{ v }} {{ v | tojson }}", cases[i][0]), cases[i][1]);
    expect_text(render_text("{{ tools is none }}{{ documents is none }}{{ bos_token is defined }}"), "TrueTrueFalse");
    cr_expect(tfm_chat_params_default().add_generation_prompt);
    cr_expect_not(tfm_chat_params_default().continue_final_message);
}

/* template, last message, the whole; NULL: refused. */
Test(render, continue_final_message) {
    static const char *const keep = "{% for m in messages %}<{{ m.content }}>{% endfor %}{{ add_generation_prompt }}";
    static const char *const trim = "{% for m in messages %}<{{ m.content | trim }}>{% endfor %}end";
    static const struct {
        const char *template, *message, *expected;
    } cases[] = {{keep, "Sure:", "<Q Sure:><Sure:"},   {keep, "Sure: \n", "<Q Sure:><Sure: \n"},
                 {keep, " Sure:", "<Q Sure:>< Sure:"}, {keep, "", NULL},
                 {trim, "Sure: ", "<Q Sure:><Sure:"},  {trim, " Sure:\n", "<Q Sure:><Sure:"},
                 {"{{ 'nothing' }}", "Sure:", NULL},   {keep, "e", "<Q Sure:><e>False"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *messages = json_pack("[{s:s, s:s}, {s:s, s:s}]", "role", "user", "content", "Q Sure:", "role",
                                     "assistant", "content", cases[i].message);
        tfm_chat_params params = {.size = sizeof params, .add_generation_prompt = true, .continue_final_message = true};
        rendered r = render(cases[i].template, strlen(cases[i].template), messages, NULL, NULL, &params);
        if (cases[i].expected) {
            cr_expect_eq(r.status, TFM_OK, "%zu: %s", i, r.error.message);
            cr_expect_str_eq(r.text.data ? r.text.data : "", cases[i].expected, "%zu: %s", i, r.text.data);
        } else {
            cr_expect_eq(r.status, i == 3 ? TFM_OK : TFM_ERROR_ARGUMENT, "%zu", i);
        }
        rendered_free(&r);
        json_decref(messages);
    }
    tfm_chat_params params = {.size = sizeof params, .continue_final_message = true};
    rendered r = render("x", 1, NULL, NULL, NULL, &params);
    cr_expect_eq(r.status, TFM_ERROR_ARGUMENT);
    rendered_free(&r);
}

/* Long conversations are no hostile ones. */
Test(render, long_conversation) {
    json_t *cases = cases_load(), *templates = json_object_get(cases, "templates"), *template;
    const char *name;
    enum { N = 301, LENGTH = 20000 };
    tfm_message *messages = calloc(N, sizeof *messages);
    char *content = malloc(LENGTH);
    cr_assert(messages != NULL && content != NULL);
    for (size_t i = 0; i < LENGTH; i++) content[i] = "some words, and \n more"[i % 22];
    for (size_t i = 0; i < N; i++)
        messages[i] = (tfm_message){.role = i % 2 ? "assistant" : "user", .content = content, .n = LENGTH};
    json_object_foreach(templates, name, template) {
        tfm_chat *chat;
        tfm_text text = {0};
        tfm_error error = {0};
        cr_assert_eq(tfm_chat_open(&chat, json_string_value(template), json_string_length(template), NULL), TFM_OK);
        tfm_status status = tfm_chat_apply_template(chat, NULL, 0, messages, N, NULL, &text, &error);
        /* Templates that add eos_token have none here; that is all that may be wrong. */
        cr_expect(status == TFM_OK || strstr(error.message, "undefined") != NULL, "%s: %s", name, error.message);
        cr_expect(status != TFM_OK || text.size > (size_t)N * (LENGTH - 30), "%s: %zu bytes", name, text.size);
        tfm_text_free(&text);
        tfm_chat_close(&chat);
    }
    free(content);
    free(messages);
    json_decref(cases);
}

/* ---- through a model file ---- */

static void write_model(const char *path, const char *template, const char *bos) {
    tfm_error error = {0};
    tfm_writer *writer;
    tfm_table_builder *kind = tfm_table_builder_new(), *chat = tfm_table_builder_new();
    tfm_table_set_string(kind, "kind", "tokenizer");
    if (template) tfm_table_set_string(chat, "template", template);
    if (bos) tfm_table_set_string(chat, "bos_token", bos);
    cr_assert_eq(tfm_writer_create(&writer, path, &error), TFM_OK, "%s", error.message);
    cr_assert_eq(tfm_writer_section(writer, "architecture", kind, &error), TFM_OK, "%s", error.message);
    if (template || bos) cr_assert_eq(tfm_writer_section(writer, "chat", chat, &error), TFM_OK, "%s", error.message);
    cr_assert_eq(tfm_writer_commit(&writer, &error), TFM_OK, "%s", error.message);
    tfm_table_builder_free(&kind);
    tfm_table_builder_free(&chat);
}

/* The status of opening the file or of rendering one message with it. */
static tfm_status through_file(const char *template, const char *bos, tfm_text *text, bool *has, tfm_error *error) {
    char path[] = "/tmp/tfm-chat-XXXXXX";
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
    tfm_model *model;
    write_model(path, template, bos);
    tfm_status status = tfm_model_open(&model, path, NULL, error);
    unlink(path);
    if (status != TFM_OK) return status;
    *has = tfm_model_get_info(model).has_chat_template;
    tfm_message message = {.role = "user", .content = "Hi", .n = 2};
    status = tfm_chat_render(model, &message, 1, NULL, text, error);
    tfm_model_close(&model);
    return status;
}

Test(render, model_files) {
    tfm_error error = {0};
    tfm_text text = {0};
    bool has = false;
    const char *template = "{{ bos_token }}{{ messages[0].content }}{{ add_generation_prompt }}";
    cr_assert_eq(through_file(template, "<s>", &text, &has, &error), TFM_OK, "%s", error.message);
    cr_expect_str_eq(text.data, "<s>HiTrue");
    cr_expect(has);
    cr_assert_eq(through_file("!", NULL, &text, &has, &error), TFM_OK, "%s", error.message);
    cr_expect_str_eq(text.data, "<s>HiTrue!", "text is appended");
    /* A template that cannot be read leaves the model usable. */
    has = false;
    cr_expect_eq(through_file("{% nonsense %}", NULL, &text, &has, &error), TFM_ERROR_UNSUPPORTED);
    cr_expect_not_null(strstr(error.message, "nonsense"), "%s", error.message);
    cr_expect(has);
    cr_expect_str_eq(text.data, "<s>HiTrue!");
    cr_expect_eq(through_file(NULL, NULL, &text, &has, &error), TFM_ERROR_STATE);
    cr_expect_not_null(strstr(error.message, "--chat-template"), "%s", error.message);
    cr_expect_not(has);
    cr_expect_eq(through_file(NULL, "<s>", &text, &has, &error), TFM_ERROR_FORMAT);
    tfm_text_free(&text);
}
