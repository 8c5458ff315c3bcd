/* chat.c - opening chat templates and rendering conversations with them. */
#include "chat.h"

#include <stdlib.h>
#include <string.h>

#include "params.h"
#include "runtime/jinja/characters.h"
#include "runtime/jinja/interpreter.h"
#include "runtime/jinja/parser.h"
#include "runtime/tokenizer/common/white_space.h"

#define TEMPLATE_MAX ((size_t)1 << 20)
#define MIB ((size_t)1 << 20)

static const tfm_chat_params standard = {.size = sizeof standard, .add_generation_prompt = true};

void tfm_chat_params_init(tfm_chat_params *params, size_t size) {
    tfm_params_give(params, size, &standard, sizeof standard);
}

struct tfm_chat {
    jinja_state state; /* of parsing; holds the tree */
    const jinja_node *statements;
    char note[160];
};

tfm_status tfm_chat_open(tfm_chat **out, const char *text, size_t n, tfm_error *error) {
    tfm_chat *chat = calloc(1, sizeof *chat);
    *out = NULL;
    if (!chat) return tfm_no_memory(error, "chat template");
    chat->state.size_max = 64 * MIB + 64 * n;
    chat->state.work_max = 1000000 + 16 * (uint64_t)n;
    jinja_parser *parser = calloc(1, sizeof *parser);
    if (!parser) {
        free(chat);
        return tfm_no_memory(error, "chat template");
    }
    parser->state = &chat->state;
    parser->note = chat->note;
    parser->note_size = sizeof chat->note;
    if (n > TEMPLATE_MAX)
        tfm_jinja_fail(&chat->state, TFM_ERROR_LIMIT, "a chat template of more than %zu MiB", TEMPLATE_MAX >> 20);
    else
        chat->statements = tfm_jinja_parse(parser, text, n);
    free(parser);
    if (chat->state.status == TFM_ERROR_MEMORY) {
        tfm_status status = tfm_no_memory(error, "chat template");
        tfm_chat_close(&chat);
        return status;
    }
    *out = chat;
    return TFM_OK;
}

void tfm_chat_close(tfm_chat **chat) {
    if (!chat || !*chat) return;
    tfm_jinja_state_free(&(*chat)->state);
    free(*chat);
    *chat = NULL;
}

const char *tfm_chat_problem(const tfm_chat *chat) {
    if (chat->state.status != TFM_OK) return chat->state.error.message;
    return chat->note[0] != '\0' ? chat->note : NULL;
}

/* ---- what a template sees ---- */

static jinja_value text(jinja_context *c, const char *words) {
    return tfm_jinja_new_string(&c->state, words, strlen(words));
}

static void define(jinja_context *c, const char *name, jinja_value value) {
    jinja_value key = text(c, name);
    if (c->state.status == TFM_OK) tfm_jinja_define(c, key.string, value);
}

static void define_messages(jinja_context *c, const tfm_message *messages, size_t n) {
    jinja_value list = tfm_jinja_new_list(&c->state, JINJA_KIND_LIST, n);
    for (size_t i = 0; i < n && c->state.status == TFM_OK; i++) {
        jinja_value message = tfm_jinja_new_dict(&c->state);
        if (c->state.status != TFM_OK) return;
        tfm_jinja_dict_set(&c->state, message.dict, text(c, "role"), text(c, messages[i].role));
        tfm_jinja_dict_set(
            &c->state, message.dict, text(c, "content"),
            tfm_jinja_new_string(&c->state, messages[i].n > 0 ? messages[i].content : "", messages[i].n));
        tfm_jinja_list_append(&c->state, list.list, message);
    }
    define(c, "messages", list);
}

/* "true", "false", "none", a number, or else a string. */
static jinja_value variable(jinja_context *c, const char *words) {
    jinja_value string = text(c, words);
    const char *digits = words + (*words == '-');
    static const char *const names[] = {"int", "float"};
    if (strcmp(words, "true") == 0 || strcmp(words, "false") == 0) return jinja_bool(*words == 't');
    if (strcmp(words, "none") == 0) return JINJA_NONE_VALUE;
    if (*digits < '0' || *digits > '9' || digits[strspn(digits, "0123456789.eE+-")] != '\0') return string;
    bool real = digits[strspn(digits, "0123456789")] != '\0';
    jinja_value name = text(c, names[real]), failed = tfm_jinja_new_list(&c->state, JINJA_KIND_TUPLE, 1);
    static const jinja_dict none;
    if (c->state.status != TFM_OK) return string;
    tfm_jinja_list_append(&c->state, failed.list, string);
    return tfm_jinja_call_builtin(c, tfm_jinja_find_filter(name.string), "filter", name.string, string, failed.list,
                                  &none);
}

static void define_all(jinja_context *c, const tfm_chat_token *tokens, size_t n_tokens, const tfm_message *messages,
                       size_t n, const tfm_chat_params *params) {
    define_messages(c, messages, n);
    define(c, "tools", JINJA_NONE_VALUE);
    define(c, "documents", JINJA_NONE_VALUE);
    define(c, "add_generation_prompt", jinja_bool(params->add_generation_prompt && !params->continue_final_message));
    for (size_t i = 0; i < n_tokens; i++) define(c, tokens[i].name, text(c, tokens[i].text));
    for (size_t i = 0; i < params->n_variables; i++)
        define(c, params->variables[i].name, variable(c, params->variables[i].value));
}

/* ---- rendering ---- */

/* How much of the text is left when it is to end with the last message: up to its last occurrence, with its white space
 * at the end if the template has kept that. */
static size_t end_of_message(jinja_context *c, const jinja_buffer *out, const tfm_message *message) {
    const char *content = message->n > 0 ? message->content : "";
    size_t left = tfm_leading_white_space(content, message->n);
    size_t n = tfm_trimmed_length(content + left, message->n - left);
    if (n == 0) return out->n;
    for (size_t at = out->n >= n ? out->n - n + 1 : 0; at-- > 0 && tfm_jinja_charge_bytes(&c->state, n);) {
        if (memcmp(out->data + at, content + left, n) != 0) continue;
        bool kept = left == 0 && out->n - at >= message->n && memcmp(out->data + at, content, message->n) == 0;
        return at + (kept ? message->n : n);
    }
    tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT,
                   "the last message cannot be gone on with: the template does not show it as it is");
    return 0;
}

/* *bytes: of all messages. */
static tfm_status check_messages(const tfm_message *messages, size_t n, size_t *bytes, tfm_error *error) {
    *bytes = 0;
    if (!messages && n > 0) return tfm_fail(error, TFM_ERROR_ARGUMENT, "there are %zu messages at NULL", n);
    for (size_t i = 0; i < n; i++) {
        tfm_status status = tfm_params_check_reserved(messages[i].reserved, "tfm_message", error);
        if (status != TFM_OK) return status;
        if (!messages[i].role || (!messages[i].content && messages[i].n > 0))
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "message %zu has no %s", i,
                            messages[i].role ? "content" : "role");
        if (__builtin_add_overflow(*bytes, messages[i].n, bytes) || *bytes > ((size_t)1 << 30))
            return tfm_fail(error, TFM_ERROR_LIMIT, "the messages are longer than 1 GiB");
    }
    return TFM_OK;
}

static tfm_status check_variables(const tfm_chat_params *params, tfm_error *error) {
    const tfm_chat_variable *variables = params->variables;
    if (!variables && params->n_variables > 0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "there are %zu variables at NULL", params->n_variables);
    for (size_t i = 0; i < params->n_variables; i++)
        if (!variables[i].name || !variables[i].value)
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "variable %zu has no %s", i,
                            variables[i].name ? "value" : "name");
    return TFM_OK;
}

tfm_status tfm_chat_apply_template(const tfm_chat *chat, const tfm_chat_token *tokens, size_t n_tokens,
                                   const tfm_message *messages, size_t n, const tfm_chat_params *params,
                                   tfm_text *result, tfm_error *error) {
    if (chat->state.status != TFM_OK) return tfm_fail(error, chat->state.status, "%s", chat->state.error.message);
    tfm_chat_params own = standard;
    tfm_status status = tfm_params_take(&own, sizeof own, params, "tfm_chat_params", error);
    if (status != TFM_OK) return status;
    params = &own;
    size_t bytes = 0;
    status = check_messages(messages, n, &bytes, error);
    if (status == TFM_OK) status = check_variables(params, error);
    if (status != TFM_OK) return status;
    if (params->continue_final_message && n == 0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "there is no last message to go on with");
    jinja_buffer out = {0};
    jinja_context c = {.out = &out, .out_max = 16 * MIB + 16 * bytes};
    jinja_scope scope = {0};
    c.scope = &scope;
    c.state.size_max = 64 * MIB + 64 * bytes;
    c.state.work_max = ((uint64_t)1 << 24) + 64 * (uint64_t)bytes;
    define_all(&c, tokens, n_tokens, messages, n, params);
    tfm_jinja_execute(&c, chat->statements);
    c.state.line = 0;
    if (params->continue_final_message && c.state.status == TFM_OK) out.n = end_of_message(&c, &out, &messages[n - 1]);
    if (c.state.status == TFM_OK && !tfm_text_append(result, out.n > 0 ? out.data : "", out.n))
        tfm_jinja_fail(&c.state, TFM_ERROR_MEMORY, "conversation: out of memory");
    status = c.state.status;
    if (status != TFM_OK) tfm_fail(error, status, "%s", c.state.error.message);
    tfm_jinja_state_free(&c.state);
    return status;
}

/* ---- model files ---- */

tfm_status tfm_chat_read(tfm_chat **chat, const tfm_table *table, const char *path, tfm_chat_token *tokens,
                         size_t *n_tokens, tfm_error *error) {
    static const char *const names[] = {"bos_token", "eos_token", "pad_token", "unk_token"};
    const tfm_value *value = table ? tfm_table_find(table, "template") : NULL;
    *chat = NULL;
    *n_tokens = 0;
    if (!table) return TFM_OK;
    if (!value || value->type != TFM_VALUE_STRING)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: section 'chat' has no template", path);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *token = tfm_table_string(table, names[i], NULL);
        if (token) tokens[(*n_tokens)++] = (tfm_chat_token){names[i], token};
    }
    return tfm_chat_open(chat, value->data, value->n, error);
}
