/* line_editor.c - see line_editor.h. Characters come to libedit through read_character, which also minds signals. */
#include "line_editor.h"

#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "line_history.h"
#include "signals.h"
#include "tools/common/cli.h"

enum { PASTE_BYTES = 16 << 20, CTRL_C = 3 };

struct tfm_line_editor {
    EditLine *line;
    tfm_line_history *history;
    tfm_complete_line complete;
    void *user;
    const char *prompt;
    struct termios terminal; /* as it was found */
    unsigned interrupts;     /* that came one after the other, with nothing typed between */
    bool discarded;          /* Ctrl-C at the prompt */
    bool brackets;           /* the terminal marks what is pasted */
};

static tfm_line_editor *editor_of(EditLine *line) {
    tfm_line_editor *e = NULL;
    el_get(line, EL_CLIENTDATA, &e);
    return e;
}

static char *prompt_text(EditLine *line) {
    static char text[16];
    const tfm_line_editor *e = editor_of(line);
    snprintf(text, sizeof text, "%s", e && e->prompt ? e->prompt : "");
    return text;
}

/* ---- what is typed ---- */

/* The next byte; 0 at the end, -1 when a signal asks for the end. An interrupt is what Ctrl-C is. */
static int read_byte(tfm_line_editor *e, unsigned char *byte) {
    for (;;) {
        switch (tfm_signals_wait(STDIN_FILENO)) {
        case TFM_AWAITED_END: return -1;
        case TFM_AWAITED_INTERRUPT:
            if (++e->interrupts > 1) { /* nobody types here: the second one means it */
                tfm_signals_ask_end(SIGINT);
                return -1;
            }
            *byte = CTRL_C;
            return 1;
        case TFM_AWAITED_TERMINAL:
            el_set(e->line, EL_PREP_TERM, 1);
            el_resize(e->line);
            el_set(e->line, EL_REFRESH);
            continue;
        case TFM_AWAITED_INPUT: break;
        }
        ssize_t n = read(STDIN_FILENO, byte, 1);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (n == 1) e->interrupts = 0;
        return n == 1 ? 1 : 0; /* a terminal that is gone is at its end */
    }
}

/* The next character of UTF-8; bytes that are none are U+FFFD. */
static int read_character(EditLine *line, wchar_t *character) {
    tfm_line_editor *e = editor_of(line);
    unsigned char bytes[4];
    int got = read_byte(e, &bytes[0]);
    if (got != 1) return got;
    size_t n = bytes[0] < 0xC2 ? 1 : bytes[0] < 0xE0 ? 2 : bytes[0] < 0xF0 ? 3 : bytes[0] < 0xF5 ? 4 : 1;
    for (size_t i = 1; i < n; i++)
        if ((got = read_byte(e, &bytes[i])) != 1) return got;
    uint32_t code;
    tfm_character((const char *)bytes, n, &code);
    *character = (wchar_t)code;
    return 1;
}

/* Ctrl-C at the prompt drops the line, as in a shell. */
static unsigned char discard_line(EditLine *line, int key) {
    (void)key;
    editor_of(line)->discarded = true;
    (void)!write(STDOUT_FILENO, "^C\r\n", 4);
    return CC_NEWLINE;
}

static void mark_pastes(const tfm_line_editor *e, bool on) {
    if (e->brackets) (void)!write(STDOUT_FILENO, on ? "\033[?2004h" : "\033[?2004l", 8);
}

/* Ctrl-Z: signals from keys are off while a line is edited (Ctrl-C is a key there), so this one is sent by hand. */
static unsigned char suspend(EditLine *line, int key) {
    (void)key;
    const tfm_line_editor *e = editor_of(line);
    el_set(line, EL_PREP_TERM, 0);
    mark_pastes(e, false);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &e->terminal);
    raise(SIGTSTP);
    el_set(line, EL_PREP_TERM, 1);
    mark_pastes(e, true);
    return CC_REDISPLAY;
}

/* ---- pasted text ---- */

/* Reads what stands between the marks; false if it did not end. What is beyond the limit is dropped. */
static bool read_paste(tfm_line_editor *e, tfm_text *text) {
    static const char end[] = "\033[201~";
    enum { N_END = sizeof end - 1 };
    unsigned char byte;
    while (read_byte(e, &byte) == 1) {
        if (!tfm_text_append(text, (const char *)&byte, 1)) return false;
        if (text->size >= N_END && memcmp(text->data + text->size - N_END, end, N_END) == 0) {
            text->size -= N_END;
            return true;
        }
        if (text->size > PASTE_BYTES) text->size = PASTE_BYTES;
    }
    return false;
}

/* Line ends as they are within a text; other control characters than tabs are nothing that anybody meant to paste. */
static wchar_t *wide_text(const tfm_text *text) {
    wchar_t *wide = calloc(text->size + 1, sizeof *wide);
    size_t n = 0;
    for (size_t i = 0; wide && i < text->size;) {
        uint32_t code;
        size_t length = tfm_character(text->data + i, text->size - i, &code);
        bool return_before = code == '\n' && i > 0 && text->data[i - 1] == '\r';
        if (code == '\r') code = '\n';
        if (!return_before && (code >= ' ' || code == '\n' || code == '\t') && code != 0x7f) wide[n++] = (wchar_t)code;
        i += length ? length : 1;
    }
    while (n > 0 && wide[n - 1] == L'\n') wide[--n] = 0; /* the one who pastes sends it by Enter */
    return wide;
}

static unsigned char take_paste(EditLine *line, int key) {
    (void)key;
    tfm_text text = {0};
    bool ended = read_paste(editor_of(line), &text);
    wchar_t *wide = wide_text(&text);
    bool ok = wide && (!*wide || el_winsertstr(line, wide) == 0);
    free(wide);
    tfm_text_free(&text);
    return !ended ? CC_EOF : ok ? CC_REFRESH : CC_ERROR;
}

/* ---- Tab ---- */

static void insert(EditLine *line, const char *text, size_t n) {
    char *copy = strndup(text, n);
    if (copy) el_insertstr(line, copy);
    free(copy);
}

static void show_names(const tfm_completion_list *list) {
    tfm_text out = {0};
    bool ok = tfm_text_append(&out, "\n", 1) && tfm_completion_print(list, tfm_terminal_columns(STDOUT_FILENO), &out);
    if (ok) tfm_write_all(STDOUT_FILENO, out.data, out.size);
    tfm_text_free(&out);
}

/* Completes a command; in a text it is a character like others. */
static unsigned char tab(EditLine *line, int key) {
    (void)key;
    tfm_line_editor *e = editor_of(line);
    const LineInfo *info = el_line(line);
    if (info->buffer == info->lastchar || info->buffer[0] != '/')
        return el_insertstr(line, "\t") ? CC_ERROR : CC_REFRESH;
    char *before = strndup(info->buffer, (size_t)(info->cursor - info->buffer)); /* el_line's own is short-lived */
    if (!before) return CC_ERROR;
    tfm_completion_list list = {0};
    e->complete(e->user, before, strlen(before), &list);
    size_t common = tfm_completion_finish(&list);
    unsigned char result = CC_REFRESH;
    if (list.n == 0 || list.failed) {
        result = CC_REFRESH_BEEP;
    } else if (list.n == 1) {
        insert(line, list.names[0] + list.n_word, common);
        bool folder = common + list.n_word > 0 && list.names[0][list.n_word + common - 1] == '/';
        if (list.end && !folder) insert(line, &list.end, 1);
    } else if (common) {
        insert(line, list.names[0] + list.n_word, common);
    } else {
        show_names(&list);
        result = CC_REDISPLAY;
    }
    tfm_completion_free(&list);
    free(before);
    return result;
}

/* ---- start and end ---- */

/* Text is UTF-8 here whatever the locale says; libedit goes by the locale. */
static void use_utf8(void) {
    if (setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0) return;
    setlocale(LC_CTYPE, "C.UTF-8");
}

static void bind_keys(EditLine *line) {
    /* The wide form: libedit copies narrow names and never frees the copies. */
    el_wset(line, EL_ADDFN, L"tfm-discard-line", L"drop the line", discard_line);
    el_wset(line, EL_ADDFN, L"tfm-suspend", L"suspend the program", suspend);
    el_wset(line, EL_ADDFN, L"tfm-paste", L"take what is pasted", take_paste);
    el_wset(line, EL_ADDFN, L"tfm-tab", L"complete a command", tab);
    el_set(line, EL_BIND, "^C", "tfm-discard-line", NULL);
    el_set(line, EL_BIND, "^Z", "tfm-suspend", NULL);
    el_set(line, EL_BIND, "^I", "tfm-tab", NULL);
    el_set(line, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_set(line, EL_BIND, "\\e[200~", "tfm-paste", NULL);
}

tfm_line_editor *tfm_line_editor_open(tfm_complete_line complete, void *user) {
    tfm_line_editor *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    use_utf8();
    const char *term = getenv("TERM");
    e->complete = complete;
    e->user = user;
    e->brackets = term && *term && strcmp(term, "dumb") != 0 && strncmp(term, "vt", 2) != 0; /* those are older */
    if (tcgetattr(STDIN_FILENO, &e->terminal) == 0) e->line = el_init("tfmrun", stdin, stdout, stderr);
    if (e->line) e->history = tfm_line_history_open();
    if (!e->history) {
        tfm_line_editor_close(e);
        return NULL;
    }
    el_set(e->line, EL_CLIENTDATA, e);
    el_set(e->line, EL_PROMPT, prompt_text);
    el_set(e->line, EL_EDITOR, "emacs");
    el_set(e->line, EL_HIST, history, tfm_line_history_list(e->history));
    el_set(e->line, EL_SIGNAL, 0);
    el_set(e->line, EL_GETCFN, read_character);
    bind_keys(e->line);
    el_set(e->line, EL_SETTY, "-d", "-isig", NULL);
    /* While an answer runs, what is typed or pasted waits unseen, and lines of it may have any length. */
    el_set(e->line, EL_SETTY, "-x", "-icanon", "-echo", NULL);
    el_source(e->line, NULL); /* ~/.editrc */
    return e;
}

void tfm_line_editor_close(tfm_line_editor *e) {
    if (!e) return;
    if (e->line) el_end(e->line);
    tfm_line_history_close(e->history);
    free(e);
}

tfm_typed tfm_line_editor_read(tfm_line_editor *e, const char *prompt, const char **text, size_t *n) {
    int length = 0;
    e->prompt = prompt;
    e->discarded = false;
    tfm_signals_expect();
    el_set(e->line, EL_PREP_TERM, 1); /* before the prompt is seen: what is typed then is taken as it is meant */
    mark_pastes(e, true);
    const char *line = el_gets(e->line, &length);
    mark_pastes(e, false);
    if (e->discarded) return TFM_TYPED_DISCARDED;
    if (!line || length <= 0) return TFM_TYPED_END;
    *text = line;
    *n = (size_t)length - (line[length - 1] == '\n');
    return TFM_TYPED_LINE;
}

void tfm_line_editor_remember(tfm_line_editor *e, const char *text, size_t n) {
    tfm_line_history_add(e->history, text, n);
}
