/*
 * bench_process.c - tfmrun as a user starts it: the time from exec to the first token, and private memory.
 * usage: bench_process TFMRUN MODEL.bin [--threads N] [--isa NAME] [--json] [--quick]
 *
 * The model file is in the page cache. Time ends when the first byte of the answer, one token long, arrives in a pipe.
 * Memory is what the kernel counts as anonymous pages of the process (Pss_Anon of smaps_rollup: no file pages) after it
 * has answered and before it may end; it gives nothing back in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"
#include "workload.h"

static void die(const char *what) {
    fprintf(stderr, "bench_process: %s: %s\n", what, strerror(errno));
    exit(1);
}

typedef struct child {
    pid_t pid;
    int in, out; /* our ends of its standard input and output */
} child;

static child start(const char *const *argv) {
    int in[2], out[2];
    posix_spawn_file_actions_t actions;
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || posix_spawn_file_actions_init(&actions)) die("pipe");
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    child c = {.in = in[1], .out = out[0]};
    errno = posix_spawn(&c.pid, argv[0], &actions, NULL, (char *const *)argv, environ);
    if (errno) die(argv[0]);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    return c;
}

static void finish(child *c) {
    char rest[4096];
    int status = 0;
    if (c->in >= 0) close(c->in);
    while (read(c->out, rest, sizeof rest) > 0) continue;
    close(c->out);
    if (waitpid(c->pid, &status, 0) < 0 || status != 0) {
        fprintf(stderr, "bench_process: tfmrun failed\n");
        exit(1);
    }
}

/* ---- a run of tfmrun ---- */

enum { INPUT_BYTES = 8 * PERF_SOURCE };

typedef struct bench {
    perf_options options;
    perf_machine machine;
    perf_runner *model; /* what is known of the model; it runs elsewhere */
    const char *tfmrun, *path;
    char input[INPUT_BYTES], n_threads[16];
    const char *verify;
} bench;

enum { MAX_ARGUMENTS = 32 };

/* argv of tfmrun with this many beams and new tokens; text is NULL for inputs from a pipe. */
static void arguments(const bench *b, const char *argv[MAX_ARGUMENTS], const char *n_beams, const char *n_tokens,
                      const char *text) {
    const char *const all[] = {b->tfmrun,
                               b->path,
                               "--ids",
                               "--threads",
                               b->n_threads,
                               "--isa",
                               tfm_isa_name(b->options.isa),
                               "--verify",
                               b->verify,
                               "--num-beams",
                               n_beams,
                               "--max-new-tokens",
                               n_tokens,
                               "--eos-token-id",
                               "none",
                               "--forced-eos-token-id",
                               "none",
                               text ? "--" : NULL,
                               text};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) argv[i] = all[i];
    argv[sizeof all / sizeof *all] = NULL;
}

static perf_figure figure_of(const bench *b) {
    const perf_runner *m = b->model;
    return (perf_figure){.model = m->name, .dtype = m->dtype, .dtype_embed = m->dtype_embed, .n_threads = m->n_threads};
}

/* Seconds until the first byte: the end of the process is not ours to time. */
static double first_token_seconds(const bench *b) {
    const char *argv[MAX_ARGUMENTS];
    char first;
    arguments(b, argv, "1", "1", b->input);
    double begin = perf_seconds();
    child c = start(argv);
    if (read(c.out, &first, 1) != 1) die("no answer from tfmrun");
    double seconds = perf_seconds() - begin;
    finish(&c);
    return seconds;
}

/* ---- what is measured ---- */

static void bench_start(bench *b, const char *verify) {
    double times[15];
    int n = b->options.quick ? 3 : 15;
    b->verify = verify;
    first_token_seconds(b);
    for (int i = 0; i < n; i++) times[i] = first_token_seconds(b);
    perf_candidate c = {.name = "tfmrun"};
    perf_summarise(&c, times, n);
    perf_figure figure = figure_of(b);
    bool all = strcmp(verify, "all") == 0;
    figure.name = all ? "first token, verified" : "first token, header";
    figure.unit = "ms";
    figure.time = &c;
    figure.limit = perf_first_token_limit(b->model, &b->machine);
    if (all) figure.limit += (double)b->model->info.file_bytes / b->machine.dram_gbytes * 1e-9;
    figure.bound = "bandwidth";
    perf_print_figure(&figure, b->options.json);
}

/* Anonymous memory of a process in MB. */
static double private_megabytes(pid_t pid) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "re");
    double kilobytes = -1, value;
    if (!file) die(path);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Pss_Anon: %lf", &value) == 1 ||
            (kilobytes < 0 && sscanf(line, "Anonymous: %lf", &value) == 1))
            kilobytes = value;
    fclose(file);
    return kilobytes / 1024;
}

/* n_lines inputs through a pipe that stays open until the process has been looked at. */
static void bench_memory(bench *b, size_t n_lines, size_t n_beams) {
    const char *argv[MAX_ARGUMENTS];
    char beams[8], tokens[8], byte;
    snprintf(beams, sizeof beams, "%zu", n_beams);
    snprintf(tokens, sizeof tokens, "%d", PERF_TARGET);
    b->verify = "all";
    arguments(b, argv, beams, tokens, NULL);
    child c = start(argv);
    for (size_t i = 0; i < n_lines; i++)
        if (dprintf(c.in, "%s\n", b->input) < 0) die("writing to tfmrun");
    for (size_t i = 0; i < n_lines; i += byte == '\n')
        if (read(c.out, &byte, 1) != 1) die("no answer from tfmrun");
    perf_figure figure = figure_of(b);
    figure.name = "private memory";
    figure.n_beams = n_beams;
    figure.n_batch = n_lines;
    figure.length = PERF_TARGET;
    figure.unit = "MB";
    figure.value = private_megabytes(c.pid);
    finish(&c);
    perf_print_figure(&figure, b->options.json);
}

int main(int argc, char **argv) {
    static const char usage[] = "TFMRUN MODEL.bin [--threads N] [--isa NAME] [--json] [--quick]";
    bench b = {.options = perf_parse(argc, argv, usage)};
    if (b.options.n_rest != 2) {
        fprintf(stderr, "usage: %s %s\n", argv[0], usage);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    b.tfmrun = b.options.rest[0];
    b.path = b.options.rest[1];
    b.machine = perf_measure_machine(b.options.isa, b.options.n_threads);
    b.model = perf_runner_open("bench_process", b.path, &b.options); /* brings the file into the page cache as well */
    snprintf(b.n_threads, sizeof b.n_threads, "%u", b.options.n_threads);
    uint32_t vocab = b.model->info.target_vocab_size;
    for (size_t t = 0, used = 0; t < PERF_SOURCE && used < sizeof b.input; t++)
        used +=
            (size_t)snprintf(b.input + used, sizeof b.input - used, "%s%zu", t ? " " : "", (t * 104729 + 17) % vocab);
    perf_print_header("tfmrun", b.options.isa, b.options.n_threads, &b.machine, b.options.json);
    bench_start(&b, "all");
    bench_start(&b, "header");
    bench_memory(&b, 1, 1);
    bench_memory(&b, PERF_MAX_BATCH, 1);
    bench_memory(&b, PERF_MAX_BATCH, 4);
    perf_runner_close(&b.model);
    return 0;
}
