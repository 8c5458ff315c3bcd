/* wrap.c - see wrap.h. */
#include "wrap.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "tools/common/cli.h"
#include "tools/common/shown.h"

static bool move(tfm_text *from, tfm_text *to) {
    bool ok = from->size == 0 || tfm_text_append(to, from->data, from->size);
    from->size = 0;
    return ok;
}

/* Gives the word out, on a new line if this one has no room for it; that takes the place of the gap. */
static bool end_word(tfm_wrap *w, tfm_text *out) {
    bool ok = true;
    if (w->word.size == 0) return true;
    if (w->column > 0 && w->column + w->gap_columns + w->word_columns > w->width) {
        ok = tfm_text_append(out, "\n", 1);
        w->gap.size = 0;
        w->column = w->gap_columns = 0;
    }
    ok = ok && move(&w->gap, out) && move(&w->word, out);
    w->column += w->gap_columns + w->word_columns;
    if (w->column > w->width) w->column %= w->width; /* a word longer than a line: the terminal breaks it */
    w->gap_columns = w->word_columns = 0;
    return ok;
}

static bool end_line(tfm_wrap *w, tfm_text *out) {
    bool ok = end_word(w, out) && move(&w->gap, out) && tfm_text_append(out, "\n", 1);
    w->column = w->gap_columns = 0;
    return ok;
}

static bool add_space(tfm_wrap *w, char space, tfm_text *out) {
    bool ok = end_word(w, out) && tfm_text_append(&w->gap, &space, 1);
    unsigned at = w->column + w->gap_columns;
    w->gap_columns += space == '\t' ? 8 - at % 8 : 1;
    return ok;
}

static bool add_character(tfm_wrap *w, const char *text, size_t n, unsigned columns, tfm_text *out) {
    bool wide = columns > 1; /* of scripts whose lines break between any two of them */
    bool ok = (!wide || end_word(w, out)) && tfm_text_append(&w->word, text, n);
    w->word_columns += columns;
    return ok && (!wide || end_word(w, out));
}

bool tfm_wrap_push(tfm_wrap *w, const char *text, size_t n, tfm_text *out) {
    tfm_text shown = {0};
    bool ok = tfm_text_append_shown(&shown, text, n, "\n\t");
    for (size_t i = 0; i < shown.size && ok;) {
        uint32_t code;
        const char *at = shown.data + i;
        size_t length = tfm_character(at, shown.size - i, &code);
        if (code == '\n')
            ok = end_line(w, out);
        else if (code == ' ' || code == '\t')
            ok = add_space(w, *at, out);
        else
            ok = add_character(w, at, length, tfm_columns(code), out);
        i += length ? length : 1;
    }
    tfm_text_free(&shown);
    return ok;
}

bool tfm_wrap_finish(tfm_wrap *w, tfm_text *out) {
    bool ok = end_word(w, out) && move(&w->gap, out);
    tfm_text_free(&w->word);
    tfm_text_free(&w->gap);
    *w = (tfm_wrap){.width = w->width};
    return ok;
}

static void print_line(FILE *file, bool color, const char *line, size_t n) {
    tfm_wrap wrap = {.width = isatty(fileno(file)) ? tfm_terminal_columns(fileno(file)) - 1 : UINT_MAX};
    tfm_text out = {0};
    bool ok = tfm_wrap_push(&wrap, line, n, &out);
    ok = tfm_wrap_finish(&wrap, &out) && ok;
    if (ok) fprintf(file, "%s%.*s%s\n", color ? "\033[2m" : "", (int)out.size, out.data, color ? "\033[0m" : "");
    tfm_text_free(&out);
}

void tfm_wrap_line(FILE *file, const char *line, size_t n) { print_line(file, false, line, n); }

void tfm_wrap_note(FILE *file, bool dim, const char *format, ...) {
    tfm_text line = {0};
    va_list arguments;
    va_start(arguments, format);
    if (tfm_text_print_list(&line, format, arguments))
        print_line(file, dim && tfm_color_terminal(fileno(file)), line.data, line.size);
    va_end(arguments);
    tfm_text_free(&line);
}
