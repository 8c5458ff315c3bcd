/* parser.c - the statements of a chat template. */
#include <stdio.h>
#include <string.h>

#include "builtins.h"
#include "syntax.h"

/* ---- tokens ---- */

void tfm_jinja_advance(jinja_parser *p) {
    if (p->has_ahead)
        p->token = p->ahead;
    else
        tfm_jinja_next_token(p->work, &p->lexer, &p->token);
    p->has_ahead = false;
    p->work->line = p->token.line;
    if (p->work->status != TFM_OK) p->token.type = TOKEN_END;
}

const jinja_token *tfm_jinja_look(jinja_parser *p) {
    if (!p->has_ahead) tfm_jinja_next_token(p->work, &p->lexer, &p->ahead);
    p->has_ahead = true;
    p->work->line = p->token.line;
    return &p->ahead;
}

static bool is_text(const jinja_token *token, jinja_token_type type, const char *text) {
    return token->type == type && token->n == strlen(text) && memcmp(token->text, text, token->n) == 0;
}

bool tfm_jinja_at(const jinja_parser *p, const char *punctuation) {
    return is_text(&p->token, TOKEN_PUNCTUATION, punctuation);
}

bool tfm_jinja_at_name(const jinja_parser *p, const char *name) { return is_text(&p->token, TOKEN_NAME, name); }

bool tfm_jinja_skip(jinja_parser *p, const char *punctuation) {
    if (!tfm_jinja_at(p, punctuation)) return false;
    tfm_jinja_advance(p);
    return true;
}

bool tfm_jinja_skip_name(jinja_parser *p, const char *name) {
    if (!tfm_jinja_at_name(p, name)) return false;
    tfm_jinja_advance(p);
    return true;
}

void tfm_jinja_unexpected(jinja_parser *p, const char *wanted) {
    const jinja_token *t = &p->token;
    const char *what = t->type == TOKEN_BLOCK_END    ? "%}"
                       : t->type == TOKEN_OUTPUT_END ? "}}"
                       : t->type == TOKEN_END        ? "the end"
                       : t->n > 0                    ? NULL
                                                     : "a constant";
    int n = (int)(t->n < 60 ? t->n : 60);
    if (what)
        tfm_jinja_fail(p->work, TFM_ERROR_UNSUPPORTED, "expected %s, found %s", wanted, what);
    else
        tfm_jinja_fail(p->work, TFM_ERROR_UNSUPPORTED, "expected %s, found '%.*s'", wanted, n, t->text);
    p->token.type = TOKEN_END;
}

void tfm_jinja_expect(jinja_parser *p, const char *punctuation) {
    char wanted[8];
    if (tfm_jinja_skip(p, punctuation)) return;
    snprintf(wanted, sizeof wanted, "'%s'", punctuation);
    tfm_jinja_unexpected(p, wanted);
}

jinja_value tfm_jinja_expect_name(jinja_parser *p) {
    if (p->token.type != TOKEN_NAME) {
        tfm_jinja_unexpected(p, "a name");
        return JINJA_UNDEFINED_VALUE;
    }
    jinja_value name = tfm_jinja_text(p->work, p->token.text, p->token.n);
    tfm_jinja_advance(p);
    return name;
}

static void expect_block_end(jinja_parser *p) {
    if (p->token.type == TOKEN_BLOCK_END)
        tfm_jinja_advance(p);
    else
        tfm_jinja_unexpected(p, "%}");
}

/* After a failure every node is the spare one, so that nobody needs to look for NULL; nothing of it is ever used. */
jinja_node *tfm_jinja_node(jinja_parser *p, jinja_node_type type) {
    jinja_node *node = tfm_jinja_take(p->work, 1, sizeof *node);
    if (!node) {
        node = &p->spare;
        memset(node, 0, sizeof *node);
    }
    node->type = type;
    node->line = p->token.line;
    return node;
}

void tfm_jinja_link(jinja_node ***end, jinja_node *node) {
    **end = node;
    *end = &node->next;
}

/* ---- statements ---- */

static jinja_node *parse_statements(jinja_parser *p, const char *const *ends);

/* After the head of a statement: its end, then all up to one of the ends, whose name is the current token then. */
static jinja_node *parse_body(jinja_parser *p, const char *const *ends) {
    tfm_jinja_skip(p, ":");
    expect_block_end(p);
    jinja_node *body = parse_statements(p, ends);
    if (p->work->status == TFM_OK && p->token.type == TOKEN_END)
        tfm_jinja_fail(p->work, TFM_ERROR_UNSUPPORTED, "the template ends before {%% %s %%}", ends[0]);
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
        jinja_node *node = tfm_jinja_node(p, NODE_IF);
        node->a = tfm_jinja_parse_tuple(p, true, NULL);
        node->b = parse_body(p, ends);
        *place = node;
        place = &node->c;
        if (!tfm_jinja_skip_name(p, "elif")) {
            if (tfm_jinja_skip_name(p, "else"))
                node->c = parse_whole_body(p, "endif");
            else
                tfm_jinja_advance(p); /* endif */
            return first;
        }
        node->op = 1;
        if (p->work->status != TFM_OK) return first;
    }
}

static jinja_node *parse_for(jinja_parser *p) {
    jinja_node *node = tfm_jinja_node(p, NODE_FOR);
    node->a = tfm_jinja_parse_target(p, false, "in");
    if (!tfm_jinja_skip_name(p, "in")) tfm_jinja_unexpected(p, "'in'");
    node->b = tfm_jinja_parse_tuple(p, true, "recursive");
    if (tfm_jinja_skip_name(p, "if")) node->c = tfm_jinja_parse_expression(p);
    if (tfm_jinja_at_name(p, "recursive"))
        tfm_jinja_fail(p->work, TFM_ERROR_UNSUPPORTED, "recursive loops are not known");
    p->loops++;
    node->d = parse_body(p, (const char *const[]){"endfor", "else", NULL});
    p->loops--;
    if (tfm_jinja_skip_name(p, "else"))
        node->e = parse_whole_body(p, "endfor");
    else
        tfm_jinja_advance(p);
    return node;
}

static jinja_node *parse_set(jinja_parser *p) {
    jinja_node *node = tfm_jinja_node(p, NODE_SET);
    node->a = tfm_jinja_parse_target(p, true, NULL);
    if (tfm_jinja_skip(p, "=")) {
        node->b = tfm_jinja_parse_tuple(p, false, NULL);
        return node;
    }
    node->type = NODE_SET_BLOCK;
    node->b = tfm_jinja_parse_filters(p, NULL, false);
    node->c = parse_whole_body(p, "endset");
    return node;
}

static jinja_node *parse_parameters(jinja_parser *p) {
    jinja_node *first = NULL, **end = &first;
    bool defaults = false;
    tfm_jinja_expect(p, "(");
    while (!tfm_jinja_at(p, ")") && p->work->status == TFM_OK) {
        if (first) tfm_jinja_expect(p, ",");
        jinja_node *parameter = tfm_jinja_node(p, NODE_NAME);
        parameter->value = tfm_jinja_expect_name(p);
        if (tfm_jinja_skip(p, "=")) {
            parameter->a = tfm_jinja_parse_expression(p);
            defaults = true;
        } else if (defaults) {
            tfm_jinja_fail(p->work, TFM_ERROR_UNSUPPORTED, "a parameter without a default follows one with a default");
        }
        tfm_jinja_link(&end, parameter);
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
    jinja_node *node = tfm_jinja_node(p, NODE_MACRO);
    node->value = tfm_jinja_expect_name(p);
    node->a = parse_parameters(p);
    parse_macro_body(p, node, "endmacro");
    return node;
}

static jinja_node *parse_call_block(jinja_parser *p) {
    jinja_node *node = tfm_jinja_node(p, NODE_CALL_BLOCK);
    node->b = tfm_jinja_node(p, NODE_MACRO);
    node->b->value = tfm_jinja_text(p->work, "caller", 6);
    if (tfm_jinja_at(p, "(")) node->b->a = parse_parameters(p);
    node->a = tfm_jinja_parse_expression(p);
    if (node->a->type != NODE_CALL) tfm_jinja_fail(p->work, TFM_ERROR_UNSUPPORTED, "{%% call %%} needs a call");
    parse_macro_body(p, node->b, "endcall");
    return node;
}

static jinja_node *parse_filter_block(jinja_parser *p) {
    jinja_node *node = tfm_jinja_node(p, NODE_FILTER_BLOCK);
    node->a = tfm_jinja_parse_filters(p, NULL, true);
    node->b = parse_whole_body(p, "endfilter");
    return node;
}

static jinja_node *parse_with(jinja_parser *p) {
    jinja_node *node = tfm_jinja_node(p, NODE_WITH), **targets = &node->a, **values = &node->b;
    while (p->token.type != TOKEN_BLOCK_END && p->work->status == TFM_OK) {
        if (node->a) tfm_jinja_expect(p, ",");
        tfm_jinja_link(&targets, tfm_jinja_parse_target(p, false, NULL));
        tfm_jinja_expect(p, "=");
        tfm_jinja_link(&values, tfm_jinja_parse_expression(p));
    }
    node->c = parse_whole_body(p, "endwith");
    return node;
}

/* What transformers uses to find the answers of the assistant; its text stays as it is. */
static jinja_node *parse_generation(jinja_parser *p) {
    jinja_node *node = tfm_jinja_node(p, NODE_SCOPE);
    uint32_t loops = p->loops;
    p->loops = 0;
    node->b = parse_whole_body(p, "endgeneration");
    p->loops = loops;
    return node;
}

static jinja_node *parse_break(jinja_parser *p) {
    if (p->loops == 0) tfm_jinja_fail(p->work, TFM_ERROR_UNSUPPORTED, "break and continue belong into a loop");
    return tfm_jinja_node(p, NODE_BREAK);
}

static jinja_node *parse_continue(jinja_parser *p) {
    jinja_node *node = parse_break(p);
    node->type = NODE_CONTINUE;
    return node;
}

static jinja_node *parse_print(jinja_parser *p) {
    jinja_node *first = NULL, **end = &first;
    while (p->token.type != TOKEN_BLOCK_END && p->work->status == TFM_OK) {
        if (first) tfm_jinja_expect(p, ",");
        jinja_node *node = tfm_jinja_node(p, NODE_OUTPUT);
        node->a = tfm_jinja_parse_expression(p);
        tfm_jinja_link(&end, node);
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
        if (!tfm_jinja_skip_name(p, known[i].name)) continue;
        if (!tfm_jinja_enter(p->work)) return NULL;
        jinja_node *node = known[i].parse(p);
        tfm_jinja_leave(p->work);
        return node;
    }
    if (p->token.type == TOKEN_NAME)
        tfm_jinja_fail(p->work, TFM_ERROR_UNSUPPORTED, "the tag '%.*s' is not known or does not belong here",
                       (int)(p->token.n < 60 ? p->token.n : 60), p->token.text);
    else
        tfm_jinja_unexpected(p, "the name of a tag");
    return NULL;
}

/* Statements up to a tag that is one of the ends (its name is the current token then), or to the end. */
static jinja_node *parse_statements(jinja_parser *p, const char *const *ends) {
    jinja_node *first = NULL, **end = &first;
    while (p->token.type != TOKEN_END && p->work->status == TFM_OK) {
        jinja_node *node = NULL;
        if (p->token.type == TOKEN_DATA) {
            node = tfm_jinja_node(p, NODE_TEXT);
            node->value = tfm_jinja_text(p->work, p->token.text, p->token.n);
            if (p->token.n == 0) node = NULL;
            tfm_jinja_advance(p);
        } else if (p->token.type == TOKEN_OUTPUT_BEGIN) {
            tfm_jinja_advance(p);
            node = tfm_jinja_node(p, NODE_OUTPUT);
            node->a = tfm_jinja_parse_tuple(p, false, NULL);
            if (p->token.type != TOKEN_OUTPUT_END) tfm_jinja_unexpected(p, "}}");
            tfm_jinja_advance(p);
        } else {
            tfm_jinja_advance(p);
            for (size_t i = 0; ends && ends[i]; i++) {
                if (tfm_jinja_at_name(p, ends[i])) return first;
            }
            node = parse_statement(p);
            expect_block_end(p);
        }
        if (p->work->status != TFM_OK) return NULL;
        if (node) *end = node;
        while (*end) end = &(*end)->next;
    }
    return first;
}

jinja_node *tfm_jinja_parse(jinja_parser *p, const char *text, size_t n) {
    jinja_value source = tfm_jinja_normalize(p->work, text, n);
    if (p->work->status != TFM_OK) return NULL;
    p->lexer = (jinja_lexer){
        .text = source.string->data, .n = source.string->n, .line = 1, .mode = TOKEN_DATA, .begin = TOKEN_END};
    tfm_jinja_advance(p);
    jinja_node *statements = parse_statements(p, NULL);
    return p->work->status == TFM_OK ? statements : NULL;
}
