/* multi30k_results.c - see multi30k.h. */
#include "multi30k_results.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/grow.h"
#include "tests/support/tap.h"

static FILE *open_expected(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/expected/%s", folder, name);
    FILE *file = fopen(path, "re");
    if (!file) tap_bail_out("cannot read %s", path);
    return file;
}

/* Up to n lines (0: all) without their ends; *found is how many there were. */
static char **read_lines(const char *folder, const char *name, size_t n, size_t *found) {
    FILE *file = open_expected(folder, name);
    char **lines = NULL, *line = NULL;
    size_t size = 0, capacity = 0, count = 0;
    for (ssize_t length; (n == 0 || count < n) && (length = getline(&line, &size, file)) >= 0; count++) {
        if (length > 0 && line[length - 1] == '\n') line[length - 1] = '\0';
        if (!tfm_grow(&lines, &capacity, count, 1, sizeof *lines) || !(lines[count] = strdup(line)))
            tap_bail_out("no memory");
    }
    free(line);
    fclose(file);
    if (count == 0 || (n != 0 && count != n)) tap_bail_out("%s has %zu lines", name, count);
    *found = count;
    return lines;
}

static void free_lines(char **lines, size_t n) {
    for (size_t i = 0; lines && i < n; i++) free(lines[i]);
    free(lines);
}

static json_t *parse(const char *line) {
    json_t *object = json_loads(line, 0, NULL);
    if (!object) tap_bail_out("not JSON: %.80s", line);
    return object;
}

static tfm_tokens read_ids(const json_t *object) {
    const json_t *list = json_object_get(object, "ids");
    size_t n = json_array_size(list);
    int32_t *ids = calloc(n + 1, sizeof *ids);
    if (!ids || n == 0) tap_bail_out("a line without ids");
    for (size_t i = 0; i < n; i++) ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return (tfm_tokens){ids, n};
}

static known_output *read_outputs(const char *folder, const char *name, const char *score, const char *gap, size_t n) {
    size_t found;
    char **lines = read_lines(folder, name, n, &found);
    known_output *known = calloc(n, sizeof *known);
    if (!known) tap_bail_out("no memory");
    for (size_t i = 0; i < n; i++) {
        json_t *object = parse(lines[i]);
        known[i] = (known_output){.ids = read_ids(object),
                                  .score = json_number_value(json_object_get(object, score)),
                                  .gap = json_number_value(json_object_get(object, gap))};
        json_decref(object);
    }
    free_lines(lines, n);
    return known;
}

void multi30k_read(multi30k *data, const char *folder, size_t n) {
    const char *limit = getenv("TFM_TEST_SENTENCES");
    size_t most = limit ? strtoul(limit, NULL, 10) : 0;
    if (most > 0 && (n == 0 || most < n)) n = most;

    char **lines = read_lines(folder, "src.ids.jsonl", n, &n);
    *data = (multi30k){.n = n, .sources = calloc(n, sizeof *data->sources), .inputs = calloc(n, sizeof *data->inputs)};
    if (!data->sources || !data->inputs) tap_bail_out("no memory");
    for (size_t i = 0; i < n; i++) {
        json_t *object = parse(lines[i]);
        data->sources[i] = read_ids(object);
        data->inputs[i] = (tfm_input){.ids = data->sources[i].ids, .n = data->sources[i].n};
        json_decref(object);
    }
    free_lines(lines, n);
    size_t found;
    data->greedy = read_outputs(folder, "greedy.ids.jsonl", "sum_logprob", "min_margin", n);
    data->beam4 = read_outputs(folder, "beam4.ids.jsonl", "score", "min_gap", n);
    data->german = read_lines(folder, "test.de", n, &found);
    data->english = read_lines(folder, "test.en", n, &found);
    data->greedy_text = read_lines(folder, "greedy.txt", n, &found);
    data->beam4_text = read_lines(folder, "beam4.txt", n, &found);
}

void multi30k_free(multi30k *data) {
    for (size_t i = 0; i < data->n; i++) {
        free((void *)data->sources[i].ids);
        free((void *)data->greedy[i].ids.ids);
        free((void *)data->beam4[i].ids.ids);
    }
    free(data->sources);
    free(data->inputs);
    free(data->greedy);
    free(data->beam4);
    free_lines(data->german, data->n);
    free_lines(data->english, data->n);
    free_lines(data->greedy_text, data->n);
    free_lines(data->beam4_text, data->n);
}
