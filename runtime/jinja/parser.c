/* parser.c - the statements of a chat template. */
#include "parser.h"

static void expect_block_end(jinja_parser *p) {
    if (p->token.type == JINJA_TOKEN_BLOCK_END)
        tfm_jinja_advance(p);
    else
        tfm_jinja_unexpected(p, "%}");
}

static jinja_node *parse_statements(jinja_parser *p, const char *const *ends);

/* After the head of a statement: its end, then all up to one of the ends, whose name is the current token then. */
static jinja_node *parse_body(jinja_parser *p, const char *const *ends) {
    tfm_jinja_accept(p, ":");
    expect_block_end(p);
    jinja_node *body = parse_statements(p, ends);
    if (p->state->status == TFM_OK && p->token.type == JINJA_TOKEN_END)
        tfm_jinja_fail(p->state, TFM_ERROR_UNSUPPORTED, "the template ends before {%% %s %%}", ends[0]);
    return body;
}

static jinja_node *parse_whole_body(jinja_parser *p, const char *end) {
    jinja_node *body = parse_body(p, (const char *const[]){end, NULL});
    tfm_jinja_advance(p);
    return body;
}

static jinja_node *parse_if(jinja_parser *p) {
    static const char *const ends[] = {"endif", "else", "elif", NULL};
    jinja_node *first = NULL, **place = &first;
    for (;;) {
        jinja_node *node = tfm_jinja_new_node(p, JINJA_NODE_IF);
        node->a = tfm_jinja_parse_tuple(p, true, NULL);
        node->b = parse_body(p, ends);
        *place = node;
        place = &node->c;
        if (!tfm_jinja_accept_name(p, "elif")) {
            if (tfm_jinja_accept_name(p, "else"))
                node->c = parse_whole_body(p, "endif");
            else
                tfm_jinja_advance(p); /* endif */
            return first;
        }
        node->op = 1;
        if (p->state->status != TFM_OK) return first;
    }
}

static jinja_node *parse_for(jinja_parser *p) {
    jinja_node *node = tfm_jinja_new_node(p, JINJA_NODE_FOR);
    node->a = tfm_jinja_parse_target(p, false, "in");
    if (!tfm_jinja_accept_name(p, "in")) tfm_jinja_unexpected(p, "'in'");
    node->b = tfm_jinja_parse_tuple(p, true, "recursive");
    if (tfm_jinja_accept_name(p, "if")) node->c = tfm_jinja_parse_expression(p);
    if (tfm_jinja_at_name(p, "recursive"))
        tfm_jinja_fail(p->state, TFM_ERROR_UNSUPPORTED, "recursive loops are not known");
    p->loops++;
    node->d = parse_body(p, (const char *const[]){"endfor", "else", NULL});
    p->loops--;
    if (tfm_jinja_accept_name(p, "else"))
        node->e = parse_whole_body(p, "endfor");
    else
        tfm_jinja_advance(p);
    return node;
}

static jinja_node *parse_set(jinja_parser *p) {
    jinja_node *node = tfm_jinja_new_node(p, JINJA_NODE_SET);
    node->a = tfm_jinja_parse_target(p, true, NULL);
    if (tfm_jinja_accept(p, "=")) {
        node->b = tfm_jinja_parse_tuple(p, false, NULL);
        return node;
    }
    node->type = JINJA_NODE_SET_BLOCK;
    node->b = tfm_jinja_parse_filters(p, NULL, false);
    node->c = parse_whole_body(p, "endset");
    return node;
}

static jinja_node *parse_parameters(jinja_parser *p) {
    jinja_node *first = NULL, **end = &first;
    bool defaults = false;
    tfm_jinja_expect(p, "(");
    while (!tfm_jinja_at(p, ")") && p->state->status == TFM_OK) {
        if (first) tfm_jinja_expect(p, ",");
        jinja_node *parameter = tfm_jinja_new_node(p, JINJA_NODE_NAME);
        parameter->value = tfm_jinja_expect_name(p);
        if (tfm_jinja_accept(p, "=")) {
            parameter->a = tfm_jinja_parse_expression(p);
            defaults = true;
        } else if (defaults) {
            tfm_jinja_fail(p->state, TFM_ERROR_UNSUPPORTED, "a parameter without a default follows one with a default");
        }
        tfm_jinja_append_node(&end, parameter);
    }
    tfm_jinja_expect(p, ")");
    return first;
}

/* The body of a macro is a world of its own for break and continue. */
static void parse_macro_body(jinja_parser *p, jinja_node *macro, const char *end) {
    uint32_t loops = p->loops, uses = 0, *outer = p->macro_uses;
    p->loops = 0;
    p->macro_uses = &uses;
    macro->b = parse_whole_body(p, end);
    p->loops = loops;
    p->macro_uses = outer;
    macro->op = uses;
}

static jinja_node *parse_macro(jinja_parser *p) {
    jinja_node *node = tfm_jinja_new_node(p, JINJA_NODE_MACRO);
    node->value = tfm_jinja_expect_name(p);
    node->a = parse_parameters(p);
    parse_macro_body(p, node, "endmacro");
    return node;
}

static jinja_node *parse_call_block(jinja_parser *p) {
    jinja_node *node = tfm_jinja_new_node(p, JINJA_NODE_CALL_BLOCK);
    node->b = tfm_jinja_new_node(p, JINJA_NODE_MACRO);
    node->b->value = tfm_jinja_new_string(p->state, "caller", 6);
    if (tfm_jinja_at(p, "(")) node->b->a = parse_parameters(p);
    node->a = tfm_jinja_parse_expression(p);
    if (node->a->type != JINJA_NODE_CALL) tfm_jinja_fail(p->state, TFM_ERROR_UNSUPPORTED, "{%% call %%} needs a call");
    parse_macro_body(p, node->b, "endcall");
    return node;
}

static jinja_node *parse_filter_block(jinja_parser *p) {
    jinja_node *node = tfm_jinja_new_node(p, JINJA_NODE_FILTER_BLOCK);
    node->a = tfm_jinja_parse_filters(p, NULL, true);
    node->b = parse_whole_body(p, "endfilter");
    return node;
}

static jinja_node *parse_with(jinja_parser *p) {
    jinja_node *node = tfm_jinja_new_node(p, JINJA_NODE_WITH), **targets = &node->a, **values = &node->b;
    while (p->token.type != JINJA_TOKEN_BLOCK_END && p->state->status == TFM_OK) {
        if (node->a) tfm_jinja_expect(p, ",");
        tfm_jinja_append_node(&targets, tfm_jinja_parse_target(p, false, NULL));
        tfm_jinja_expect(p, "=");
        tfm_jinja_append_node(&values, tfm_jinja_parse_expression(p));
    }
    node->c = parse_whole_body(p, "endwith");
    return node;
}

/* What transformers uses to find the answers of the assistant; its text stays as it is. */
static jinja_node *parse_generation(jinja_parser *p) {
    jinja_node *node = tfm_jinja_new_node(p, JINJA_NODE_SCOPE);
    uint32_t loops = p->loops;
    p->loops = 0;
    node->b = parse_whole_body(p, "endgeneration");
    p->loops = loops;
    return node;
}

static jinja_node *parse_break(jinja_parser *p) {
    if (p->loops == 0) tfm_jinja_fail(p->state, TFM_ERROR_UNSUPPORTED, "break and continue belong into a loop");
    return tfm_jinja_new_node(p, JINJA_NODE_BREAK);
}

static jinja_node *parse_continue(jinja_parser *p) {
    jinja_node *node = parse_break(p);
    node->type = JINJA_NODE_CONTINUE;
    return node;
}

static jinja_node *parse_print(jinja_parser *p) {
    jinja_node *first = NULL, **end = &first;
    while (p->token.type != JINJA_TOKEN_BLOCK_END && p->state->status == TFM_OK) {
        if (first) tfm_jinja_expect(p, ",");
        jinja_node *node = tfm_jinja_new_node(p, JINJA_NODE_OUTPUT);
        node->a = tfm_jinja_parse_expression(p);
        tfm_jinja_append_node(&end, node);
    }
    return first;
}

/* The statement after {%, up to where its %} must be. */
static jinja_node *parse_statement(jinja_parser *p) {
    static const struct {
        const char *name;
        jinja_node *(*parse)(jinja_parser *p);
    } known[] = {{"if", parse_if},           {"for", parse_for},
                 {"set", parse_set},         {"macro", parse_macro},
                 {"call", parse_call_block}, {"filter", parse_filter_block},
                 {"with", parse_with},       {"generation", parse_generation},
                 {"break", parse_break},     {"continue", parse_continue},
                 {"print", parse_print}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!tfm_jinja_accept_name(p, known[i].name)) continue;
        if (!tfm_jinja_enter(p->state)) return NULL;
        jinja_node *node = known[i].parse(p);
        tfm_jinja_leave(p->state);
        return node;
    }
    if (p->token.type == JINJA_TOKEN_NAME)
        tfm_jinja_fail(p->state, TFM_ERROR_UNSUPPORTED, "the tag '%.*s' is not known or does not belong here",
                       (int)(p->token.n < 60 ? p->token.n : 60), p->token.text);
    else
        tfm_jinja_unexpected(p, "the name of a tag");
    return NULL;
}

/* Statements up to a tag that is one of the ends (its name is the current token then), or to the end. */
static jinja_node *parse_statements(jinja_parser *p, const char *const *ends) {
    jinja_node *first = NULL, **end = &first;
    while (p->token.type != JINJA_TOKEN_END && p->state->status == TFM_OK) {
        jinja_node *node = NULL;
        if (p->token.type == JINJA_TOKEN_DATA) {
            node = tfm_jinja_new_node(p, JINJA_NODE_TEXT);
            node->value = tfm_jinja_new_string(p->state, p->token.text, p->token.n);
            if (p->token.n == 0) node = NULL;
            tfm_jinja_advance(p);
        } else if (p->token.type == JINJA_TOKEN_OUTPUT_BEGIN) {
            tfm_jinja_advance(p);
            node = tfm_jinja_new_node(p, JINJA_NODE_OUTPUT);
            node->a = tfm_jinja_parse_tuple(p, false, NULL);
            if (p->token.type != JINJA_TOKEN_OUTPUT_END) tfm_jinja_unexpected(p, "}}");
            tfm_jinja_advance(p);
        } else {
            tfm_jinja_advance(p);
            for (size_t i = 0; ends && ends[i]; i++) {
                if (tfm_jinja_at_name(p, ends[i])) return first;
            }
            node = parse_statement(p);
            expect_block_end(p);
        }
        if (p->state->status != TFM_OK) return NULL;
        if (node) *end = node;
        while (*end) end = &(*end)->next;
    }
    return first;
}

jinja_node *tfm_jinja_parse(jinja_parser *p, const char *text, size_t n) {
    jinja_value source = tfm_jinja_normalize_newlines(p->state, text, n);
    if (p->state->status != TFM_OK) return NULL;
    p->lexer = (jinja_lexer){.text = source.string->data,
                             .n = source.string->n,
                             .line = 1,
                             .mode = JINJA_TOKEN_DATA,
                             .begin = JINJA_TOKEN_END};
    tfm_jinja_advance(p);
    jinja_node *statements = parse_statements(p, NULL);
    return p->state->status == TFM_OK ? statements : NULL;
}
