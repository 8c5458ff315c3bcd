/*
 * bench_tokenizer.c - how fast text becomes token ids and ids text, beside other programs that do the same.
 * usage: bench_tokenizer MODEL.bin TEXT [NAME=COMMAND]... [--json] [--quick]
 *
 * Each line of TEXT is tokenized alone, on one thread. A COMMAND (of the shell) tokenizes each line of its standard
 * input; its start is left out: it is run with the text once and with COPIES of it, in turns with ours, and the
 * difference counts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "runtime/tfm.h"

enum { COPIES = 41, MAX_BESIDE = 4, ROUNDS = 5 };

typedef struct text_file {
    char *data;
    size_t n, n_lines;
    tfm_tokens *ids; /* (n_lines) of each line */
} text_file;

typedef struct bench {
    tfm_model *model;
    text_file text;
    tfm_ids ids;
    tfm_text out;
} bench;

static void die(const char *what, const char *why) {
    fprintf(stderr, "bench_tokenizer: %s: %s\n", what, why);
    exit(1);
}

static text_file read_text(const char *path) {
    text_file text = {0};
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) die(path, strerror(errno));
    text.n = (size_t)ftell(file);
    rewind(file);
    text.data = perf_alloc(text.n + 1);
    if (fread(text.data, 1, text.n, file) != text.n || text.n == 0) die(path, "cannot be read, or is empty");
    fclose(file);
    for (size_t i = 0; i < text.n; i++) text.n_lines += text.data[i] == '\n';
    return text;
}

/* ---- ours ---- */

static void encode(void *arg) {
    bench *b = arg;
    const char *end = b->text.data + b->text.n;
    tfm_error error;
    for (const char *line = b->text.data, *next; line < end; line = next) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        next = stop ? stop + 1 : end;
        b->ids.size = 0;
        if (tfm_tokenize(b->model, TFM_SOURCE, line, (size_t)((stop ? stop : end) - line), true, &b->ids, &error) !=
            TFM_OK)
            die("tokenize", error.message);
    }
}

static void decode(void *arg) {
    bench *b = arg;
    tfm_error error;
    for (size_t i = 0; i < b->text.n_lines; i++) {
        b->out.size = 0;
        if (tfm_detokenize(b->model, TFM_SOURCE, b->text.ids[i].ids, b->text.ids[i].n, true, &b->out, &error) != TFM_OK)
            die("detokenize", error.message);
    }
}

/* The ids of every line, for decode. */
static void keep_ids(bench *b) {
    b->text.ids = perf_alloc((b->text.n_lines + 1) * sizeof *b->text.ids);
    const char *line = b->text.data;
    tfm_error error;
    for (size_t i = 0; i < b->text.n_lines; i++) {
        const char *stop = strchr(line, '\n');
        tfm_ids ids = {0};
        if (!stop) stop = line + strlen(line);
        if (tfm_tokenize(b->model, TFM_SOURCE, line, (size_t)(stop - line), true, &ids, &error) != TFM_OK)
            die("tokenize", error.message);
        b->text.ids[i] = (tfm_tokens){ids.data, ids.size}; /* kept until the end */
        line = stop + 1;
    }
}

/* ---- others ---- */

/* Seconds of a command with some copies of the text on its standard input. */
static double run_command(const char *command, const text_file *text, int copies) {
    char line[4096];
    if (snprintf(line, sizeof line, "{ %s ; } >/dev/null", command) >= (int)sizeof line) die(command, "is too long");
    double start = perf_seconds();
    FILE *pipe = popen(line, "w");
    if (!pipe) die(command, strerror(errno));
    for (int i = 0; i < copies; i++)
        if (fwrite(text->data, 1, text->n, pipe) != text->n) die(command, "does not read its standard input");
    if (pclose(pipe) != 0) die(command, "failed");
    return perf_seconds() - start;
}

static double median(double *x, int n) {
    perf_candidate c = {0};
    perf_summarise(&c, x, n);
    return c.median;
}

static void print(const perf_options *options, const char *what, const char *who, double bytes,
                  const perf_candidate *c) {
    double value = bytes / c->median * 1e-6;
    if (!options->json) {
        printf("%-10s %-16s %9.2f MB/s\n", what, who, value);
        return;
    }
    printf("{\"name\": \"%s\", \"tokenizer\": \"%s\", \"value\": %.4g, \"unit\": \"MB/s\"", what, who, value);
    if (c->minimum > 0)
        printf(", \"median_s\": %.4g, \"min_s\": %.4g, \"max_s\": %.4g, \"lower_s\": %.4g, \"upper_s\": %.4g",
               c->median, c->minimum, c->maximum, c->lower, c->upper);
    printf("}\n");
}

int main(int argc, char **argv) {
    static const char usage[] = "MODEL.bin TEXT [NAME=COMMAND]... [--json] [--quick]";
    perf_options options = perf_parse(argc, argv, usage);
    int n_beside = options.n_rest - 2, rounds = options.quick ? 1 : ROUNDS;
    if (n_beside < 0 || n_beside > MAX_BESIDE) die("usage", usage);
    bench b = {.text = read_text(options.rest[1])};
    tfm_error error;
    if (tfm_model_open(&b.model, options.rest[0], NULL, &error) != TFM_OK) die(options.rest[0], error.message);
    keep_ids(&b);

    double ours[ROUNDS] = {0}, once[MAX_BESIDE][ROUNDS], many[MAX_BESIDE][ROUNDS];
    perf_candidate encoding = {.name = "tfm", .run = encode, .arg = &b},
                   decoding = {.name = "tfm", .run = decode, .arg = &b};
    for (int round = 0; round < rounds; round++) {
        perf_compare(&encoding, 1, 3, options.quick ? 0.01 : 0.2, 0);
        ours[round] = encoding.median;
        for (int i = 0; i < n_beside; i++) {
            const char *command = strchr(options.rest[2 + i], '=');
            if (!command) die(options.rest[2 + i], "is not NAME=COMMAND");
            once[i][round] = run_command(command + 1, &b.text, 1);
            many[i][round] = run_command(command + 1, &b.text, COPIES);
        }
    }
    perf_summarise(&encoding, ours, rounds);
    print(&options, "tokenize", "tfm", (double)b.text.n, &encoding);
    for (int i = 0; i < n_beside; i++) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(options.rest[2 + i], "="), options.rest[2 + i]);
        perf_candidate c = {.median = (median(many[i], rounds) - median(once[i], rounds)) / (COPIES - 1)};
        print(&options, "tokenize", name, (double)b.text.n, &c);
    }
    perf_compare(&decoding, 1, options.quick ? 1 : 11, options.quick ? 0.01 : 0.1, 0);
    print(&options, "detokenize", "tfm", (double)b.text.n, &decoding);

    for (size_t i = 0; i < b.text.n_lines; i++) free((void *)(uintptr_t)b.text.ids[i].ids);
    free(b.text.ids);
    free(b.text.data);
    tfm_ids_free(&b.ids);
    tfm_text_free(&b.out);
    tfm_model_close(&b.model);
    return 0;
}
