/* command.c - runs tfmpack as a user would, and keeps what it prints. */
#include "checkpoints.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* TFM_TEST_EXEC's words, the command, its arguments. The strings stay until the end of the test. */
static pid_t spawn(const char *const *arguments, const posix_spawn_file_actions_t *actions) {
    char *words[64], *prefix = getenv("TFM_TEST_EXEC");
    size_t n = 0;
    const char *tool = getenv("TFM_PACK_TOOL");
    cr_assert(tool, "TFM_PACK_TOOL must name the command");
    prefix = prefix ? strdup(prefix) : NULL;
    for (char *rest = prefix, *word; rest && (word = strtok_r(rest, " ", &rest)) && n < 16;) words[n++] = word;
    words[n++] = (char *)tool;
    for (size_t i = 0; arguments[i] && n < 63; i++) words[n++] = (char *)arguments[i];
    words[n] = NULL;
    pid_t pid;
    int failed = posix_spawnp(&pid, words[0], actions, NULL, words, environ);
    cr_assert(failed == 0, "cannot run %s: %s", words[0], strerror(failed));
    free(prefix);
    return pid;
}

static char *read_rest(int fd) {
    buffer b = {0};
    char part[4096];
    lseek(fd, 0, SEEK_SET);
    for (ssize_t got; (got = read(fd, part, sizeof part)) > 0;) put(&b, part, (size_t)got);
    put_byte(&b, 0);
    close(fd);
    return (char *)b.data;
}

static int anonymous_file(void) {
    char path[] = "/tmp/tfm-pack-out-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    cr_assert(fd >= 0);
    unlink(path);
    return fd;
}

outcome run_tfmpack(const char *const *arguments) {
    int out = anonymous_file(), err = anonymous_file(), status;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_adddup2(&actions, err, 2);
    pid_t pid = spawn(arguments, &actions);
    posix_spawn_file_actions_destroy(&actions);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return (outcome){WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_rest(out), read_rest(err)};
}

int start_tfmpack(const char *const *arguments) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (int fd = 0; fd < 3; fd++) posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    pid_t pid = spawn(arguments, &actions);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

void outcome_free(outcome *o) {
    free(o->out);
    free(o->err);
}
