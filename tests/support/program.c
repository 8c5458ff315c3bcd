/* program.c - running a command-line program in a scratch directory. */
#include "program.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char scratch[64];

/* Whoever runs the tests may ignore signals, as a shell does for what it runs in the background. */
static void take_signals(void) {
    static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) signal(numbers[i], SIG_DFL);
}

void enter_scratch(void) {
    take_signals();
    snprintf(scratch, sizeof scratch, "/tmp/tfmeval-test-XXXXXX");
    cr_assert_not_null(mkdtemp(scratch));
    cr_assert_eq(chdir(scratch), 0);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *position) {
    (void)info, (void)kind, (void)position;
    return remove(path);
}

void leave_scratch(void) {
    if (chdir("/") == 0 && scratch[0]) nftw(scratch, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

void write_bytes(const char *name, const void *data, size_t n) {
    FILE *file = fopen(name, "wb");
    cr_assert(file && fwrite(data, 1, n, file) == n && fclose(file) == 0, "cannot write %s", name);
}

void write_text(const char *name, const char *text) { write_bytes(name, text, strlen(text)); }

static char *read_all(const char *name, size_t *n) {
    FILE *file = fopen(name, "rb");
    cr_assert(file, "cannot open %s", name);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *text = calloc((size_t)size + 1, 1);
    cr_assert(text && fread(text, 1, (size_t)size, file) == (size_t)size);
    fclose(file);
    *n = (size_t)size;
    return text;
}

char *read_text(const char *name) {
    size_t n;
    return read_all(name, &n);
}

enum { MAX_WORDS = 64 };

/* Starts argv, with the words of TFM_TEST_EXEC before it. */
static pid_t start(const char *const *argv, const posix_spawn_file_actions_t *actions) {
    const char *words[MAX_WORDS];
    size_t n = 0;
    char prefix[512] = "";
    if (getenv("TFM_TEST_EXEC")) snprintf(prefix, sizeof prefix, "%s", getenv("TFM_TEST_EXEC"));
    for (char *rest = NULL, *word = strtok_r(prefix, " ", &rest); word && n < MAX_WORDS / 2;
         word = strtok_r(NULL, " ", &rest))
        words[n++] = word;
    while (*argv && n < MAX_WORDS - 1) words[n++] = *argv++;
    words[n] = NULL;
    pid_t child;
    int failure = posix_spawnp(&child, words[0], actions, NULL, (char *const *)words, environ);
    cr_assert_eq(failure, 0, "cannot start %s: %s", words[0], strerror(failure));
    return child;
}

static int wait_for(pid_t child) {
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

outcome run_program(const char *const *argv, const char *input) {
    write_text("stdin", input ? input : "");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "stdin", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "stdout", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, "stderr", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    outcome result = {.code = wait_for(start(argv, &actions))};
    posix_spawn_file_actions_destroy(&actions);
    size_t n_err;
    result.out = read_all("stdout", &result.n_out);
    result.err = read_all("stderr", &n_err);
    return result;
}

void free_outcome(outcome *result) {
    free(result->out);
    free(result->err);
}

dialog start_dialog(const char *const *argv) {
    int to[2], from[2];
    cr_assert(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], 0);
    posix_spawn_file_actions_adddup2(&actions, from[1], 1);
    dialog d = {.to = to[1], .from = from[0], .child = start(argv, &actions)};
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    return d;
}

char *ask_program(dialog *d, const char *line) {
    cr_assert_eq(dprintf(d->to, "%s\n", line), (int)strlen(line) + 1);
    char *answer = calloc(1, 4096), c;
    size_t n = 0;
    while (n < 4095 && read(d->from, &c, 1) == 1 && c != '\n') answer[n++] = c;
    return answer;
}

int end_dialog(dialog *d) {
    close(d->to);
    int code = wait_for(d->child);
    close(d->from);
    return code;
}
