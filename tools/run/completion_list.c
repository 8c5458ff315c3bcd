/* completion_list.c - see completion_list.h. */
#include "completion_list.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/common/shown.h"

enum { MOST_NAMES = 4096 }; /* of a folder of any size, who types can use no more */

void tfm_completion_start(tfm_completion_list *list, const char *word, size_t n, char end) {
    *list = (tfm_completion_list){.word = word, .n_word = n, .end = end};
}

void tfm_completion_free(tfm_completion_list *list) {
    for (size_t i = 0; i < list->n; i++) free(list->names[i]);
    free(list->names);
    *list = (tfm_completion_list){0};
}

void tfm_completion_add(tfm_completion_list *list, const char *name) {
    if (strncmp(name, list->word, list->n_word) != 0 || list->n == MOST_NAMES) return;
    char *copy = strdup(name);
    if (!copy || !tfm_grow(&list->names, &list->capacity, list->n, 1, sizeof *list->names)) {
        free(copy);
        list->failed = true;
        return;
    }
    list->names[list->n++] = copy;
}

static bool is_harmless(const char *name) {
    for (size_t i = 0, n = strlen(name); i < n;) {
        uint32_t code;
        size_t length = tfm_character(name + i, n - i, &code);
        if (length == 0 || tfm_is_control(code)) return false;
        i += length;
    }
    return true;
}

/* Adds one entry of a folder; path begins with what was typed of it. */
static void add_entry(tfm_completion_list *list, tfm_text *path, size_t n_folder, const char *name) {
    struct stat facts;
    path->size = n_folder;
    if (!is_harmless(name) || !tfm_text_print(path, "%s", name)) return;
    if (stat(path->data, &facts) == 0 && S_ISDIR(facts.st_mode)) tfm_text_print(path, "/");
    tfm_completion_add(list, path->data);
}

void tfm_completion_add_files(tfm_completion_list *list) {
    const char *slash = memrchr(list->word, '/', list->n_word);
    size_t n_folder = slash ? (size_t)(slash + 1 - list->word) : 0;
    const char *start = list->word + n_folder;
    size_t n_start = list->n_word - n_folder;
    tfm_text path = {0};
    if (!tfm_text_print(&path, "%.*s", (int)n_folder, list->word)) return;
    DIR *folder = opendir(n_folder ? path.data : ".");
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        const char *name = entry->d_name;
        bool hidden = name[0] == '.' && (n_start == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0);
        if (!hidden && strncmp(name, start, n_start) == 0) add_entry(list, &path, n_folder, name);
    }
    if (folder) closedir(folder);
    tfm_text_free(&path);
}

static int by_name(const void *left, const void *right) { return strcmp(*(char *const *)left, *(char *const *)right); }

size_t tfm_completion_finish(tfm_completion_list *list) {
    if (list->n == 0) return 0;
    qsort(list->names, list->n, sizeof *list->names, by_name);
    size_t kept = 1;
    for (size_t i = 1; i < list->n; i++) {
        if (strcmp(list->names[i], list->names[kept - 1]) == 0)
            free(list->names[i]);
        else
            list->names[kept++] = list->names[i];
    }
    list->n = kept;
    const char *first = list->names[0], *last = list->names[kept - 1];
    size_t common = list->n_word, n = strlen(first);
    while (common < n) { /* whole characters */
        uint32_t code;
        size_t length = tfm_character(first + common, n - common, &code);
        if (length == 0 || strncmp(first + common, last + common, length) != 0) break;
        common += length;
    }
    return common - list->n_word;
}

static size_t columns_of(const char *name) {
    size_t columns = 0;
    for (size_t i = 0, n = strlen(name); i < n;) {
        uint32_t code;
        size_t length = tfm_character(name + i, n - i, &code);
        columns += tfm_columns(code);
        i += length ? length : 1;
    }
    return columns;
}

bool tfm_completion_print(const tfm_completion_list *list, unsigned width, tfm_text *out) {
    size_t widest = 0;
    for (size_t i = 0; i < list->n; i++) {
        size_t columns = columns_of(list->names[i]);
        if (columns > widest) widest = columns;
    }
    size_t across = width / (widest + 2), at = 0;
    bool ok = true;
    for (size_t i = 0; i < list->n && ok; i++) {
        bool end = ++at >= across || i + 1 == list->n;
        size_t pad = end ? 0 : widest + 2 - columns_of(list->names[i]);
        ok = tfm_text_print(out, "%s%*s%s", list->names[i], (int)pad, "", end ? "\n" : "");
        if (end) at = 0;
    }
    return ok;
}
