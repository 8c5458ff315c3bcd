/* fuzz_input.c - see fuzz_input.h. */
#include "fuzz_input.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_WIDTH 4096 /* of the tensors that are read */
#define MAX_NAMES 8

void tfm_fuzz_require(int truth) {
    if (!truth) abort();
}

tfm_fuzz_file tfm_fuzz_file_make(const uint8_t *data, size_t n) {
    tfm_fuzz_file file = {.fd = memfd_create("input", MFD_CLOEXEC)};
    tfm_fuzz_require(file.fd >= 0 && write(file.fd, data, n) == (ssize_t)n);
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    return file;
}

void tfm_fuzz_file_close(tfm_fuzz_file *file) { close(file->fd); }

/* ---- a folder ---- */

static char folder[64], paths[MAX_NAMES][100];
static size_t n_paths;

static void remove_folder(void) {
    for (size_t i = 0; i < n_paths; i++) unlink(paths[i]);
    rmdir(folder);
}

const char *tfm_fuzz_folder(void) {
    if (!folder[0]) {
        strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/tfm-fuzz-XXXXXX" : "/tmp/tfm-fuzz-XXXXXX");
        tfm_fuzz_require(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
    }
    return folder;
}

const char *tfm_fuzz_path(const char *name) {
    char path[100];
    snprintf(path, sizeof path, "%s/%s", tfm_fuzz_folder(), name);
    for (size_t i = 0; i < n_paths; i++)
        if (strcmp(paths[i], path) == 0) return paths[i];
    tfm_fuzz_require(n_paths < MAX_NAMES);
    strcpy(paths[n_paths], path);
    return paths[n_paths++];
}

const char *tfm_fuzz_write(const char *name, const void *data, size_t n) {
    const char *path = tfm_fuzz_path(name);
    unlink(path); /* some file systems flush a file that is cut to nothing and written again */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    tfm_fuzz_require(fd >= 0 && write(fd, data, n) == (ssize_t)n && close(fd) == 0);
    return path;
}

void tfm_fuzz_remove(const char *name) { unlink(tfm_fuzz_path(name)); }

/* ---- checkpoints ---- */

int tfm_fuzz_open(const char *path) {
    static float values[MAX_WIDTH];
    tfm_checkpoint *checkpoint;
    tfm_error error = {0};
    if (tfm_checkpoint_open(&checkpoint, path, &error) != TFM_OK) {
        tfm_fuzz_require(error.message[0]);
        return 0;
    }
    for (size_t i = 0; i < tfm_checkpoint_count(checkpoint); i++) {
        const tfm_checkpoint_tensor *t = tfm_checkpoint_at(checkpoint, i);
        uint64_t width = 1;
        for (int k = 1; k < TFM_RANK_MAX; k++)
            if (__builtin_mul_overflow(width, t->shape[k], &width)) width = UINT64_MAX;
        if (width > MAX_WIDTH || t->shape[0] == 0) continue;
        tfm_checkpoint_read(checkpoint, t, 0, 1, values, &error);
        tfm_checkpoint_read(checkpoint, t, t->shape[0] - 1, 1, values, &error);
    }
    tfm_checkpoint_close(&checkpoint);
    return 1;
}
