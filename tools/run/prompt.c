/* prompt.c - the interactive prompt: line editing and history by libedit, commands that start with "/". */
#include "prompt.h"

#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "answer.h"
#include "commands.h"
#include "runtime/tfm.h"
#include "tools/common/shown.h"
#include "tools/run/analysis/analysis.h"

enum { HISTORY_LINES = 1000 };

typedef struct prompt {
    EditLine *line;
    History *history;
    HistEvent event;
    char *history_path;      /* NULL: not kept */
    struct termios terminal; /* as it was found */
    bool discarded;          /* Ctrl-C at the prompt */
} prompt;

/* ---- line editing ---- */

static char *prompt_text(EditLine *line) {
    (void)line;
    static char text[] = "> ";
    return text;
}

/* Ctrl-C at the prompt drops the line, as in a shell. */
static unsigned char discard_line(EditLine *line, int key) {
    (void)key;
    prompt *p = NULL;
    el_get(line, EL_CLIENTDATA, &p);
    if (p) p->discarded = true;
    (void)!write(STDOUT_FILENO, "^C\r\n", 4);
    return CC_NEWLINE;
}

/* Ctrl-Z: signals from keys are off while a line is edited (Ctrl-C is a key there), so this one is sent by hand. */
static unsigned char suspend(EditLine *line, int key) {
    (void)key;
    prompt *p = NULL;
    el_get(line, EL_CLIENTDATA, &p);
    el_set(line, EL_PREP_TERM, 0);
    if (p) tcsetattr(STDIN_FILENO, TCSADRAIN, &p->terminal);
    raise(SIGTSTP);
    el_set(line, EL_PREP_TERM, 1);
    return CC_REDISPLAY;
}

/* Text is UTF-8 here whatever the locale says; libedit goes by the locale. */
static void use_utf8(void) {
    if (setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0) return;
    setlocale(LC_CTYPE, "C.UTF-8");
}

/* Creates the folders of path that are missing. */
static void make_folders(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0700);
        *slash = '/';
    }
}

static char *history_file(void) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    tfm_text path = {0};
    bool ok = false;
    if (state && state[0] == '/')
        ok = tfm_text_print(&path, "%s/tfm/history", state);
    else if (home && home[0] == '/')
        ok = tfm_text_print(&path, "%s/.local/state/tfm/history", home);
    if (ok) make_folders(path.data);
    if (!ok) tfm_text_free(&path);
    return path.data;
}

static bool open_prompt(prompt *p) {
    use_utf8();
    if (tcgetattr(STDIN_FILENO, &p->terminal) < 0) return false;
    p->line = el_init("tfmrun", stdin, stdout, stderr);
    p->history = history_init();
    if (!p->line || !p->history) return false;
    history(p->history, &p->event, H_SETSIZE, HISTORY_LINES);
    history(p->history, &p->event, H_SETUNIQUE, 1);
    p->history_path = history_file();
    if (p->history_path) history(p->history, &p->event, H_LOAD, p->history_path);
    el_set(p->line, EL_CLIENTDATA, p);
    el_set(p->line, EL_PROMPT, prompt_text);
    el_set(p->line, EL_EDITOR, "emacs");
    el_set(p->line, EL_HIST, history, p->history);
    el_set(p->line, EL_SIGNAL, 0);
    /* The wide form: libedit copies narrow names and never frees the copies. */
    el_wset(p->line, EL_ADDFN, L"tfm-discard-line", L"drop the line", discard_line);
    el_wset(p->line, EL_ADDFN, L"tfm-suspend", L"suspend the program", suspend);
    el_set(p->line, EL_BIND, "^C", "tfm-discard-line", NULL);
    el_set(p->line, EL_BIND, "^Z", "tfm-suspend", NULL);
    el_set(p->line, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_set(p->line, EL_SETTY, "-d", "-isig", NULL);
    /* While an answer runs, what is typed or pasted waits unseen, and lines of it may have any length. */
    el_set(p->line, EL_SETTY, "-x", "-icanon", "-echo", NULL);
    el_source(p->line, NULL); /* ~/.editrc */
    return true;
}

static void close_prompt(prompt *p) {
    if (p->history && p->history_path) {
        mode_t before = umask(077);
        history(p->history, &p->event, H_SAVE, p->history_path);
        umask(before);
        chmod(p->history_path, 0600);
    }
    if (p->line) el_end(p->line);
    if (p->history) history_end(p->history);
    free(p->history_path);
}

/* ---- the loop ---- */

/* An input that stands alone. */
static tfm_status answer_alone(tfm_commands *c, const char *text, size_t n, tfm_error *error) {
    tfm_ids ids = {0};
    tfm_status status = tfm_engine_input(c->engine, c->settings, text, n, &ids, error);
    if (status == TFM_OK && ids.size) {
        tfm_ids last = c->last;
        c->last = ids;
        ids = last;
        tfm_answer_request request = {.input = &c->last, .echo = c->settings->echo};
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

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* Runs lines until the user leaves. */
static void run(prompt *p, tfm_commands *c) {
    while (!c->leave) {
        int n = 0;
        p->discarded = false;
        errno = 0;
        const char *text = el_gets(p->line, &n);
        if (p->discarded) continue;
        if (!text && n < 0 && errno == EINTR) continue;
        if (!text || n <= 0) {
            fputc('\n', stdout); /* Ctrl-D: the shell's prompt belongs on a line of its own */
            return;
        }
        size_t length = (size_t)n;
        while (length > 0 && is_space(text[length - 1])) length--;
        if (length == 0) continue;
        history(p->history, &p->event, H_ENTER, text);
        if (text[0] == '/')
            tfm_commands_run(c, text, length);
        else
            answer_line(c, text, length);
    }
}

int tfm_prompt_run(tfm_engine *engine, tfm_settings *settings, int argc, char **argv) {
    prompt p = {0};
    tfm_commands c = {.engine = engine,
                      .settings = settings,
                      .argc = argc,
                      .argv = argv,
                      .conversation = {.engine = engine, .settings = settings, .sequence = -1}};
    int result = TFM_EXIT_OK;
    if (open_prompt(&p)) {
        tfm_answer_catch_interrupts();
        tfm_say(stderr, "%s, %llu parameters. Type %s, or /help; Ctrl-D leaves.",
                engine->info.family[0] ? engine->info.family : "model", (unsigned long long)engine->info.n_parameters,
                engine->chat                   ? "a message"
                : tfm_engine_continues(engine) ? "a text to go on with"
                                               : "a sentence");
        run(&p, &c);
    } else {
        result = tfm_complain("cannot set up line editing");
    }
    close_prompt(&p);
    tfm_conversation_free(&c.conversation);
    tfm_ids_free(&c.last);
    return result;
}
