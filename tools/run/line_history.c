/* line_history.c - see line_history.h. */
#include "line_history.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/common/bytes.h"
#include "tools/common/new_file.h"

enum { LINES = 1000, FILE_BYTES = 16 << 20 };

struct tfm_line_history {
    History *list;
    HistEvent event;
    char *path;   /* NULL: not kept */
    char **added; /* (n) by this prompt */
    size_t n, capacity;
};

/* Creates the folders of path that are missing. */
static void make_folders(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0700);
        *slash = '/';
    }
}

static char *find_path(void) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    tfm_text path = {0};
    bool ok = false;
    if (state && state[0] == '/')
        ok = tfm_text_print(&path, "%s/tfm/history", state);
    else if (home && home[0] == '/')
        ok = tfm_text_print(&path, "%s/.local/state/tfm/history", home);
    if (ok) make_folders(path.data);
    if (!ok) tfm_text_free(&path);
    return path.data;
}

/* An empty list, and what the file has; NULL when memory is out. */
static History *load(const char *path, HistEvent *event) {
    struct stat facts;
    History *list = history_init();
    if (!list) return NULL;
    history(list, event, H_SETSIZE, LINES);
    history(list, event, H_SETUNIQUE, 1);
    bool usable = path && stat(path, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size <= FILE_BYTES;
    if (usable) history(list, event, H_LOAD, path);
    return list;
}

tfm_line_history *tfm_line_history_open(void) {
    tfm_line_history *h = calloc(1, sizeof *h);
    if (!h) return NULL;
    h->path = find_path();
    h->list = load(h->path, &h->event);
    if (h->list) return h;
    free(h->path);
    free(h);
    return NULL;
}

History *tfm_line_history_list(tfm_line_history *history) { return history->list; }

void tfm_line_history_add(tfm_line_history *h, const char *text, size_t n) {
    char *copy = strndup(text, n);
    if (copy) history(h->list, &h->event, H_ENTER, copy);
    if (copy && tfm_grow(&h->added, &h->capacity, h->n, 1, sizeof *h->added))
        h->added[h->n++] = copy;
    else
        free(copy);
}

/* ---- the file ---- */

/* A lock beside the file, which itself is replaced; -1 if there can be none. */
static int lock_beside(const char *path) {
    tfm_text name = {0};
    int fd = -1;
    if (tfm_text_print(&name, "%s.lock", path)) fd = open(name.data, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    tfm_text_free(&name);
    if (fd >= 0) (void)!flock(fd, LOCK_EX); /* held for as long as it takes to write a thousand lines */
    return fd;
}

static void write_list(History *list, HistEvent *event, const char *path) {
    tfm_new_file file;
    tfm_error error;
    if (tfm_new_file_open(&file, path, &error) != TFM_OK) return;
    if (!file.in_place) (void)!fchmod(file.fd, 0600);
    int copy = dup(file.fd);
    FILE *stream = copy >= 0 ? fdopen(copy, "w") : NULL;
    bool ok = stream && history(list, event, H_SAVE_FP, stream) >= 0 && fflush(stream) == 0;
    if (stream)
        ok = fclose(stream) == 0 && ok;
    else if (copy >= 0)
        close(copy);
    tfm_new_file_close(&file, ok, &error);
}

static void save(tfm_line_history *h) {
    int lock = lock_beside(h->path);
    HistEvent event;
    History *whole = load(h->path, &event);
    for (size_t i = 0; whole && i < h->n; i++) history(whole, &event, H_ENTER, h->added[i]);
    if (whole) write_list(whole, &event, h->path);
    if (whole) history_end(whole);
    if (lock >= 0) close(lock);
}

void tfm_line_history_close(tfm_line_history *h) {
    if (!h) return;
    if (h->path && h->n) save(h);
    for (size_t i = 0; i < h->n; i++) free(h->added[i]);
    free(h->added);
    history_end(h->list);
    free(h->path);
    free(h);
}
