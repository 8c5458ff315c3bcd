/* signals.c - see signals.h. Handlers note what has come and write to a pipe, so that waiting misses nothing. */
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

static tfm_session *volatile running;     /* whose answer is being made */
static volatile sig_atomic_t interrupted; /* ends the output at its next token */
static volatile sig_atomic_t tokens_come; /* if not, the call is cancelled at once */
static volatile sig_atomic_t ending;      /* the signal that asks for the end */
static volatile sig_atomic_t terminal_changed;
static int wake[2] = {-1, -1};
static struct termios terminal; /* as it was found */

static void on_end(int number) {
    if (ending) {
        /* The first one was not enough: what can be done here is little, and safe. */
        static const char plain[] = "\033[?2004l";
        (void)!write(STDOUT_FILENO, plain, sizeof plain - 1);
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    ending = number;
    if (running) tfm_session_cancel(running);
}

static void on_signal(int number) {
    int cause = errno;
    switch (number) {
    case SIGINT:
        interrupted = 1;
        if (running && !tokens_come) tfm_session_cancel(running);
        break;
    case SIGCONT:
    case SIGWINCH: terminal_changed = 1; break;
    default: on_end(number);
    }
    (void)!write(wake[1], "", 1);
    errno = cause;
}

bool tfm_signals_catch(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCONT, SIGWINCH};
    if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) < 0 || tcgetattr(STDIN_FILENO, &terminal) < 0) return false;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    return true;
}

/* ---- answers ---- */

void tfm_signals_answer(tfm_session *session) {
    interrupted = tokens_come = 0;
    tfm_session_clear_cancel(session); /* an interrupt that came when the last answer was finished was for it */
    running = session;
    if (ending) tfm_session_cancel(session);
}

void tfm_signals_token_came(void) { tokens_come = 1; }
void tfm_signals_answered(void) { running = NULL; }
bool tfm_signals_interrupted(void) { return interrupted || ending; }

/* ---- the end ---- */

int tfm_signals_end(void) { return ending; }
void tfm_signals_ask_end(int number) { ending = number; }

void tfm_signals_die(void) {
    if (!ending) return;
    signal(ending, SIG_DFL);
    raise(ending);
}

/* ---- waiting ---- */

static void drain(void) {
    char bytes[64];
    while (read(wake[0], bytes, sizeof bytes) > 0)
        ;
}

void tfm_signals_expect(void) {
    drain();
    interrupted = 0;
}

tfm_awaited tfm_signals_wait(int fd) {
    for (;;) {
        if (ending) return TFM_AWAITED_END;
        if (interrupted) {
            interrupted = 0;
            return TFM_AWAITED_INTERRUPT;
        }
        if (terminal_changed) {
            terminal_changed = 0;
            return TFM_AWAITED_TERMINAL;
        }
        struct pollfd ready[] = {{.fd = fd, .events = POLLIN}, {.fd = wake[0], .events = POLLIN}};
        if (poll(ready, 2, -1) < 0) continue; /* by a signal, which has left its note */
        if (ready[1].revents)
            drain();
        else if (ready[0].revents)
            return TFM_AWAITED_INPUT;
    }
}
