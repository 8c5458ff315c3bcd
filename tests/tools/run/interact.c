/* interact.c - running tfmrun in the tests, at once or step by step. */
#include "interact.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "format/grow.h"
#include "tests/support/data.h"

extern char **environ;

static const char *from_environment(const char *name) {
    const char *value = getenv(name);
    cr_assert(value && *value, "%s is not set; run the tests through meson", name);
    return value;
}

const char *tfmrun_path(void) { return from_environment("TFM_TFMRUN"); }
const char *shipped_model(void) { return from_environment("TFM_MODEL"); }
const char *shipped_folder(void) { return from_environment("TFM_MODEL_FOLDER"); }

const char *golden_model(const char *name) {
    static char model[256];
    snprintf(model, sizeof model, "%s.bin", name);
    const char *const words[] = {from_environment("TFM_TFMPACK"), golden_path(name), model, NULL};
    outcome packed = run_program(words, NULL);
    cr_assert_eq(packed.code, 0, "tfmpack: %s", packed.err);
    free_outcome(&packed);
    return model;
}

enum { MAX_WORDS = 64 };

outcome tfmrun(const char *input, const char *model, const char *const *words) {
    const char *all[MAX_WORDS];
    size_t n = 0;
    all[n++] = tfmrun_path();
    if (model) all[n++] = model;
    while (*words && n < MAX_WORDS - 1) all[n++] = *words++;
    all[n] = NULL;
    return run_program(all, input);
}

/* ---- step by step ---- */

/* The words of TFM_TEST_EXEC, then those given; lives until the next call. */
static char *const *command(const char *const *words) {
    static char prefix[512];
    static const char *all[MAX_WORDS];
    size_t n = 0;
    const char *exec = getenv("TFM_TEST_EXEC");
    snprintf(prefix, sizeof prefix, "%s", exec ? exec : "");
    for (char *rest = NULL, *word = strtok_r(prefix, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        all[n++] = word;
    while (*words && n < MAX_WORDS - 1) all[n++] = *words++;
    all[n] = NULL;
    return (char *const *)all;
}

void at_a_terminal(void) {
    enter_scratch();
    char state[256];
    cr_assert(getcwd(state, sizeof state - 16));
    strcat(state, "/state");
    setenv("XDG_STATE_HOME", state, 1);
    setenv("HOME", "/nonexistent", 1);
    setenv("TERM", "vt100", 1);
    setenv("LC_ALL", "C", 1);
    unsetenv("NO_COLOR");
}

child start_piped(const char *const *words) {
    int in[2], out[2];
    cr_assert(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "stderr", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    char *const *argv = command(words);
    child c = {.in = in[1], .out = out[0]};
    int failure = posix_spawnp(&c.pid, argv[0], &actions, NULL, argv, environ);
    cr_assert_eq(failure, 0, "cannot start %s: %s", argv[0], strerror(failure));
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    return c;
}

child start_on_terminal(const char *const *words) {
    char *const *argv = command(words);
    struct winsize size = {.ws_row = 40, .ws_col = 200};
    int terminal;
    pid_t pid = forkpty(&terminal, NULL, NULL, &size);
    cr_assert(pid >= 0, "forkpty: %s", strerror(errno));
    if (pid == 0) {
        execvp(argv[0], argv);
        _exit(127);
    }
    return (child){.pid = pid, .in = terminal, .out = terminal};
}

void send_bytes(child *c, const void *data, size_t n) {
    const char *at = data;
    while (n > 0) {
        ssize_t done = write(c->in, at, n);
        cr_assert(done >= 0, "write: %s", strerror(errno));
        at += done;
        n -= (size_t)done;
    }
}

void send_text(child *c, const char *text) { send_bytes(c, text, strlen(text)); }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Reads what is there, waiting until the deadline for something; false when nothing came or the output ended. */
static bool read_more(child *c, double deadline) {
    double left = deadline - now();
    struct pollfd output = {.fd = c->out, .events = POLLIN};
    if (poll(&output, 1, left > 0 ? (int)(1e3 * left) + 1 : 0) <= 0) return false;
    cr_assert(tfm_grow(&c->transcript, &c->capacity, c->n, 4097, 1));
    ssize_t got = read(c->out, c->transcript + c->n, 4096); /* a terminal whose program left gives EIO */
    if (got <= 0) return false;
    for (ssize_t i = 0; i < got; i++)
        if (!c->transcript[c->n + (size_t)i]) c->transcript[c->n + (size_t)i] = '?';
    c->n += (size_t)got;
    c->transcript[c->n] = 0;
    return true;
}

bool expect_within(child *c, const char *text, double seconds) {
    double deadline = now() + seconds;
    for (;;) {
        const char *found = c->transcript ? strstr(c->transcript + c->seen, text) : NULL;
        if (found) {
            c->seen = (size_t)(found - c->transcript) + strlen(text);
            return true;
        }
        if (!read_more(c, deadline)) return false;
    }
}

void expect(child *c, const char *text) {
    cr_assert(expect_within(c, text, TEST_SECONDS), "'%s' did not come; transcript so far:\n%s", text,
              c->transcript ? c->transcript : "");
}

int end_child(child *c, long *max_kib) {
    if (c->in != c->out) close(c->in);
    double deadline = now() + TEST_SECONDS;
    while (read_more(c, deadline))
        ;
    close(c->out);
    if (now() >= deadline) kill(c->pid, SIGKILL);
    int status;
    struct rusage usage;
    cr_assert_eq(wait4(c->pid, &status, 0, &usage), c->pid);
    if (max_kib) *max_kib = usage.ru_maxrss;
    free(c->transcript);
    c->transcript = NULL;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
