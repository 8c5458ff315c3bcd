/* prompt.c - the interactive prompt: texts that are answered, and commands that start with "/". */
#include "prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "commands.h"
#include "line_editor.h"
#include "runtime/tfm.h"
#include "signals.h"
#include "tools/run/analysis/analysis.h"
#include "wrap.h"

/* ---- answers ---- */

/* An input that stands alone. */
static tfm_status answer_alone(tfm_commands *c, const char *text, size_t n, tfm_error *error) {
    tfm_ids ids = {0};
    tfm_status status = tfm_engine_input(c->engine, c->settings, text, n, &ids, error);
    if (status == TFM_OK && ids.size) {
        tfm_ids last = c->last;
        c->last = ids;
        ids = last;
        tfm_answer_request request = {.input = &c->last, .source = text, .n_source = n, .echo = c->settings->echo};
        status = tfm_answer(c->engine, c->settings, &request, error);
        if (status == TFM_OK && request.stopped) fprintf(stderr, "stopped\n");
        tfm_answer_forget(&request);
    }
    tfm_ids_free(&ids);
    return status;
}

static void answer_line(tfm_commands *c, const char *text, size_t n) {
    tfm_error error = {0};
    tfm_status status = c->engine->info.kind == TFM_KIND_ENCODER
                            ? tfm_analysis_answer(c->engine, c->settings, text, n, &error)
                        : c->engine->chat ? tfm_conversation_say(&c->conversation, text, n, &error)
                                          : answer_alone(c, text, n, &error);
    if (status == TFM_ERROR_CANCELLED)
        fprintf(stderr, "stopped\n");
    else if (status != TFM_OK)
        tfm_complain("%s", error.message);
}

/*
 * A text of one or several lines. For a model that goes on with a text, or answers messages, it is one input; one that
 * takes sentences gets each line, unless all of it was meant as one.
 */
static void answer_text(tfm_commands *c, const char *text, size_t n, bool one) {
    bool lines = !one && !tfm_engine_continues(c->engine);
    for (const char *end = text + n; text < end && !tfm_signals_end();) {
        const char *newline = lines ? memchr(text, '\n', (size_t)(end - text)) : NULL;
        const char *stop = newline ? newline : end;
        if (stop > text) answer_line(c, text, (size_t)(stop - text));
        text = newline ? newline + 1 : end;
    }
}

/* ---- the loop ---- */

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static size_t trimmed(const char *text, size_t n) {
    while (n > 0 && is_space(text[n - 1])) n--;
    return n;
}

static const char quotes[] = "\"\"\"";
enum { N_QUOTES = sizeof quotes - 1 };

static bool ends_quoted(const tfm_text *text) {
    size_t n = trimmed(text->data, text->size);
    return n >= N_QUOTES && memcmp(text->data + n - N_QUOTES, quotes, N_QUOTES) == 0;
}

/*
 * Reads on behind opening quotes until closing ones end a line: what stands between them is in *message. first: what
 * was typed behind the opening ones.
 */
static tfm_typed read_quoted(tfm_line_editor *editor, const char *first, size_t n, tfm_text *message) {
    tfm_typed typed = TFM_TYPED_LINE;
    message->size = 0;
    bool ok = tfm_text_append(message, first, n);
    while (ok && typed == TFM_TYPED_LINE && !ends_quoted(message)) {
        const char *text = NULL;
        typed = tfm_line_editor_read(editor, "... ", &text, &n);
        if (typed == TFM_TYPED_LINE) ok = tfm_text_append(message, "\n", 1) && tfm_text_append(message, text, n);
    }
    if (!ok) tfm_complain("out of memory");
    if (!ok || typed != TFM_TYPED_LINE) return ok ? typed : TFM_TYPED_DISCARDED;
    message->size = trimmed(message->data, trimmed(message->data, message->size) - N_QUOTES);
    if (message->size && message->data[0] == '\n') {
        message->size--;
        memmove(message->data, message->data + 1, message->size);
    }
    return typed;
}

/* A text between quotes, kept in the history as it was typed. */
static tfm_typed answer_quoted(tfm_line_editor *editor, tfm_commands *c, const char *text, size_t n) {
    tfm_text message = {0}, entry = {0};
    tfm_typed typed = read_quoted(editor, text + N_QUOTES, n - N_QUOTES, &message);
    if (typed == TFM_TYPED_LINE && message.size) {
        bool ok = tfm_text_append(&entry, quotes, N_QUOTES) && tfm_text_append(&entry, message.data, message.size) &&
                  tfm_text_append(&entry, quotes, N_QUOTES);
        if (ok) tfm_line_editor_remember(editor, entry.data, entry.size);
        answer_text(c, message.data, message.size, true);
    }
    tfm_text_free(&message);
    tfm_text_free(&entry);
    return typed;
}

static tfm_typed take_line(tfm_line_editor *editor, tfm_commands *c) {
    const char *text = NULL;
    size_t n = 0;
    tfm_typed typed = tfm_line_editor_read(editor, "> ", &text, &n);
    if (typed != TFM_TYPED_LINE) return typed;
    n = trimmed(text, n);
    if (n == 0) return typed;
    if (n >= N_QUOTES && memcmp(text, quotes, N_QUOTES) == 0) return answer_quoted(editor, c, text, n);
    tfm_line_editor_remember(editor, text, n);
    if (text[0] != '/') {
        answer_text(c, text, n, false);
        return typed;
    }
    tfm_commands_run(c, text, n);
    if (c->message.size) answer_text(c, c->message.data, c->message.size, false);
    c->message.size = 0;
    return typed;
}

/* Runs lines until the user leaves. */
static void run(tfm_line_editor *editor, tfm_commands *c) {
    while (!c->leave && !tfm_signals_end())
        if (take_line(editor, c) == TFM_TYPED_END) {
            fputc('\n', stdout); /* Ctrl-D: the shell's prompt belongs on a line of its own */
            fflush(stdout);
            return;
        }
}

static void greet(const tfm_engine *engine) {
    tfm_wrap_note(stderr, false, "%s, %llu parameters. Type %s, or /help; Ctrl-D leaves.",
                  engine->info.family[0] ? engine->info.family : "model", (unsigned long long)engine->info.n_parameters,
                  engine->chat                   ? "a message"
                  : tfm_engine_continues(engine) ? "a text to go on with"
                                                 : "a sentence");
}

int tfm_prompt_run(tfm_engine *engine, tfm_settings *settings, int argc, char **argv) {
    tfm_commands c = {.engine = engine,
                      .settings = settings,
                      .argc = argc,
                      .argv = argv,
                      .conversation = {.engine = engine, .settings = settings, .sequence = -1}};
    tfm_line_editor *editor = tfm_signals_catch() ? tfm_line_editor_open(tfm_commands_complete, &c) : NULL;
    int result = TFM_EXIT_OK;
    tfm_program_messages(tfm_wrap_line);
    if (editor) {
        greet(engine);
        run(editor, &c);
    } else {
        result = tfm_complain("cannot set up line editing");
    }
    tfm_line_editor_close(editor);
    tfm_conversation_free(&c.conversation);
    tfm_ids_free(&c.last);
    tfm_text_free(&c.message);
    tfm_program_messages(NULL);
    tfm_signals_die();
    return result;
}
