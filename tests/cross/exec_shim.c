/*
 * exec_shim.c - lets a program that runs under qemu-user start programs under it too.
 *
 * The test framework runs every test in a new process of the same executable, and tool tests start the tools. Under
 * qemu-user such an execve goes to the host's kernel, which cannot run a foreign file (or, for another CPU model of
 * the same architecture, runs it natively and so tests the wrong processor). Preloaded into the guest, this library
 * puts the emulator in front of every ELF file for the guest's architecture. No binfmt_misc and no root are needed.
 *
 * TFM_EMULATOR: the emulator and its options, separated by spaces.
 */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__aarch64__)
#define GUEST_MACHINE EM_AARCH64
#elif defined(__x86_64__)
#define GUEST_MACHINE EM_X86_64
#else
#error "exec_shim.c does not know this architecture's ELF machine number"
#endif

#define PUBLIC __attribute__((visibility("default")))
#define MAX_WORDS 512

extern char **environ;

/* A command as the kernel shall see it. Lies on the stack: between fork and exec nothing may be allocated. */
typedef struct command {
    const char *path;
    char *argv[MAX_WORDS];
    char *envp[MAX_WORDS];
    char emulator[4096];
} command;

static bool is_guest_elf(const char *path) {
    Elf64_Ehdr header;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, &header, sizeof header);
    close(fd);
    return n == (ssize_t)sizeof header && memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
           header.e_machine == GUEST_MACHINE;
}

static bool append(char **list, size_t *n, const char *word) {
    if (*n + 1 >= MAX_WORDS) return false;
    list[(*n)++] = (char *)(uintptr_t)word;
    list[*n] = NULL;
    return true;
}

/* Fills *c; 0 or an errno value. */
static int make_command(command *c, const char *path, char *const argv[], char *const envp[]) {
    size_t n_args = 0, n_env = 0;
    size_t first = 0; /* of argv to copy */
    bool fits = true;
    const char *emulator = getenv("TFM_EMULATOR");

    c->argv[0] = c->envp[0] = NULL;
    c->path = path;
    if (emulator && is_guest_elf(path)) {
        if (strlen(emulator) >= sizeof c->emulator) return E2BIG;
        strcpy(c->emulator, emulator);
        char *save = NULL;
        for (char *word = strtok_r(c->emulator, " ", &save); word; word = strtok_r(NULL, " ", &save))
            fits &= append(c->argv, &n_args, word);
        if (argv[0]) {
            fits &= append(c->argv, &n_args, "-0") && append(c->argv, &n_args, argv[0]);
            first = 1;
        }
        fits &= append(c->argv, &n_args, path);
        c->path = c->argv[0];
    }
    for (size_t i = first; argv[i]; i++) fits &= append(c->argv, &n_args, argv[i]);
    /* The emulator preloads this library by an option of its own; a program of the host could not load it. */
    for (size_t i = 0; envp && envp[i]; i++)
        if (strncmp(envp[i], "LD_PRELOAD=", 11) != 0) fits &= append(c->envp, &n_env, envp[i]);
    return fits ? 0 : E2BIG;
}

PUBLIC int execve(const char *path, char *const argv[], char *const envp[]) {
    command c;
    int error = make_command(&c, path, argv, envp);
    if (error) {
        errno = error;
        return -1;
    }
    return (int)syscall(SYS_execve, c.path, c.argv, c.envp);
}

PUBLIC int execv(const char *path, char *const argv[]) { return execve(path, argv, environ); }

/* Writes the file that the shell would run for a command name; 0 or an errno value. */
static int search_path(const char *name, char out[static 4096]) {
    const char *path = strchr(name, '/') ? "" : getenv("PATH");
    for (const char *dir = path ? path : "/usr/bin:/bin";;) {
        size_t n = strcspn(dir, ":");
        size_t n_name = strlen(name);
        if (n + 1 + n_name < 4096) {
            memcpy(out, dir, n);
            if (n > 0) out[n++] = '/';
            memcpy(out + n, name, n_name + 1);
            if (access(out, X_OK) == 0) return 0;
        }
        dir += strcspn(dir, ":");
        if (*dir == '\0') return ENOENT;
        dir++;
    }
}

PUBLIC int execvpe(const char *name, char *const argv[], char *const envp[]) {
    char path[4096];
    int error = search_path(name, path);
    if (error) {
        errno = error;
        return -1;
    }
    return execve(path, argv, envp);
}

PUBLIC int execvp(const char *name, char *const argv[]) { return execvpe(name, argv, environ); }

PUBLIC int execl(const char *path, const char *arg, ...) {
    char *argv[MAX_WORDS];
    size_t n = 0;
    bool fits = true;
    va_list args;
    va_start(args, arg);
    for (const char *word = arg; word; word = va_arg(args, const char *)) fits &= append(argv, &n, word);
    va_end(args);
    argv[n] = NULL;
    if (!fits) {
        errno = E2BIG;
        return -1;
    }
    return execve(path, argv, environ);
}

typedef int spawn_function(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                           char *const[], char *const[]);

PUBLIC int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) {
    command c;
    int error = make_command(&c, path, argv, envp);
    if (error) return error;
    spawn_function *real;
    *(void **)&real = dlsym(RTLD_NEXT, "posix_spawn");
    return real ? real(pid, c.path, actions, attributes, c.argv, c.envp) : ENOSYS;
}

PUBLIC int posix_spawnp(pid_t *pid, const char *name, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) {
    char path[4096];
    int error = search_path(name, path);
    return error ? error : posix_spawn(pid, path, actions, attributes, argv, envp);
}
