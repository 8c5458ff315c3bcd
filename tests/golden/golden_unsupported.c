/* golden_unsupported.c - see golden_unsupported.h. */
#include "golden_unsupported.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/grow.h"
#include "golden.h"
#include "tests/support/tap.h"
#include "tools/pack/pack.h"

enum { N_COLUMNS = 5 };
static const char *const stages[] = {
    [GOLDEN_PACK] = "pack", [GOLDEN_POSITIONS] = "positions", [GOLDEN_EMBEDDING] = "embedding"};

/* ---- the list ---- */

/* Cuts a line at " | " and takes the blanks off both ends of each column; the number of columns. */
static size_t split(char *line, char *columns[N_COLUMNS]) {
    size_t n = 0;
    for (char *rest = line; rest; n++) {
        char *bar = strstr(rest, " | "), *end = bar ? bar : rest + strlen(rest);
        while (end > rest && strchr(" \n", end[-1])) end--;
        while (*rest == ' ') rest++;
        if (n < N_COLUMNS) columns[n] = rest;
        rest = bar ? bar + 3 : NULL;
        *end = '\0';
    }
    return n;
}

static bool parse(char *line, golden_unsupported *entry) {
    char *columns[N_COLUMNS];
    if (split(line, columns) != N_COLUMNS) return false;
    for (size_t i = 0; i < N_COLUMNS; i++)
        if (!*columns[i]) return false;
    *entry = (golden_unsupported){
        .key = columns[0], .model_class = columns[1], .message = columns[3], .missing = columns[4]};
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        entry->stage = (golden_stage)i;
        if (!strcmp(columns[2], stages[i])) return strchr(entry->key, '/');
    }
    return false;
}

golden_list golden_list_read(const char *path) {
    golden_list list = {0};
    FILE *file = fopen(path, "r");
    if (!file) tap_bail_out("%s: cannot be read", path);
    char *line = NULL;
    size_t size = 0, capacity = 0;
    for (unsigned number = 1; getline(&line, &size, file) >= 0; number++) {
        if (*line == '#' || *line == '\n') continue;
        char *copy = strdup(line);
        if (!copy || !tfm_grow(&list.entries, &capacity, list.n, 1, sizeof *list.entries)) tap_bail_out("no memory");
        if (!parse(copy, &list.entries[list.n++])) tap_bail_out("%s:%u: not an entry: %s", path, number, line);
        if (list.entries[list.n - 1].key != copy) tap_bail_out("%s:%u: begins with a blank", path, number);
    }
    free(line);
    fclose(file);
    return list;
}

void golden_list_free(golden_list *list) {
    for (size_t i = 0; i < list->n; i++) free(list->entries[i].key); /* the whole line */
    free(list->entries);
    *list = (golden_list){0};
}

/* The last n parts of a path. */
static const char *tail(const char *path, unsigned n) {
    const char *at = path + strlen(path);
    while (at > path && (at[-1] != '/' || --n)) at--;
    return at;
}

const golden_unsupported *golden_list_find(golden_list *list, const char *folder) {
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->entries[i].key, tail(folder, 2))) continue;
        list->entries[i].met = true;
        return &list->entries[i];
    }
    return NULL;
}

void golden_list_check_met(const golden_list *list, const char *folder) {
    const char *set = tail(folder, 1);
    size_t length = strlen(set), n_missing = 0;
    for (size_t i = 0; i < list->n; i++) {
        const golden_unsupported *entry = &list->entries[i];
        if (entry->met || strncmp(entry->key, set, length) || entry->key[length] != '/') continue;
        tap_note("%s is listed as not supported, but there is no such folder", entry->key);
        n_missing++;
    }
    tap_ok(n_missing == 0, "%s: every checkpoint listed as not supported is there", set);
}

/* ---- refusals ---- */

static bool says_class(const char *folder, const golden_unsupported *entry) {
    char *path = golden_join(folder, "expected/expected.json");
    json_t *expected = json_load_file(path, 0, NULL);
    const char *model_class = json_string_value(json_object_get(expected, "model_class"));
    bool same = model_class && !strcmp(model_class, entry->model_class);
    if (!same) tap_note("the class is %s, not %s", model_class ? model_class : "unknown", entry->model_class);
    json_decref(expected);
    free(path);
    return same;
}

/* The files of a folder. */
static size_t count_files(const char *folder) {
    DIR *entries = opendir(folder);
    if (!entries) tap_bail_out("cannot read %s", folder);
    size_t n = 0;
    for (const struct dirent *entry; (entry = readdir(entries));)
        n += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    closedir(entries);
    return n;
}

void golden_check_refused(const char *folder, const char *name, const golden_unsupported *entry) {
    const char *base = getenv("TMPDIR");
    char *scratch = golden_join(base ? base : "/tmp", "tfm-golden-XXXXXX");
    if (!mkdtemp(scratch)) tap_bail_out("cannot make %s", scratch);
    char *file = golden_join(scratch, "model.bin");
    tfm_error error = {0};
    tfm_pack_request request = {.source = folder, .out = file, .options = {.dtype = TFM_F32}};
    tfm_status status = tfm_pack(&request, &error);
    if (status == TFM_OK) tap_note("it can be packed now: take it off the list and see whether all comes out right");
    if (status != TFM_OK && !strstr(error.message, entry->message)) tap_note("tfmpack says: %s", error.message);
    size_t n_files = count_files(scratch);
    if (status != TFM_OK && n_files) tap_note("%zu files are left behind", n_files);
    bool ok = says_class(folder, entry) && status != TFM_OK && strstr(error.message, entry->message) && n_files == 0;
    tap_ok(ok, "%s: refused: %s (missing: %s)", name, entry->message, entry->missing);
    unlink(file);
    rmdir(scratch);
    free(file);
    free(scratch);
}
