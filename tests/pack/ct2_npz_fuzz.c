/* ct2_npz_fuzz.c - fuzz targets of CTranslate2's model.bin and of Marian's .npz. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/pack/ct2_file.h"
#include "../../tools/pack/npz_file.h"
#include "../../tools/pack/source.h"
#include "fuzz_targets.h"

#define MOST 4096

static void require(int truth) {
    if (!truth) abort();
}

/* First and last row of every tensor. */
static void read_all(tfm_source *source) {
    static float values[MOST];
    tfm_error error;
    for (size_t i = 0; i < tfm_source_count(source); i++) {
        const tfm_source_tensor *t = tfm_source_at(source, i);
        uint64_t width = 1;
        for (int k = 1; k < TFM_RANK_MAX; k++)
            if (__builtin_mul_overflow(width, t->shape[k], &width)) width = UINT64_MAX;
        if (width > MOST || t->shape[0] == 0) continue;
        tfm_source_read(source, t, 0, 1, values, &error);
        tfm_source_read(source, t, t->shape[0] - 1, 1, values, &error);
    }
}

/* Whether it is a model; its tensors are read. */
static int open_source(const char *path) {
    tfm_source *source;
    tfm_error error;
    const int accepted = tfm_source_open(&source, path, &error) == TFM_OK;
    require(accepted || error.message[0]);
    if (accepted) read_all(source);
    tfm_source_close(&source);
    return accepted;
}

int tfm_fuzz_ct2(const uint8_t *data, size_t n) {
    char path[64];
    tfm_error error;
    tfm_ct2_file file;
    int fd = memfd_create("input", MFD_CLOEXEC);
    require(fd >= 0 && write(fd, data, n) == (ssize_t)n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (tfm_ct2_file_open(&file, path, &error) == TFM_OK)
        for (uint32_t i = 0; i < file.n_variables; i++) {
            static const uint64_t sizes[] = {4, 1, 2, 4, 2, 2};
            const tfm_ct2_variable *v = &file.variables[i];
            require(tfm_ct2_file_find(&file, v->name) == i && v->offset <= n);
            require(v->count <= (n - v->offset) / sizes[v->type]);
        }
    tfm_ct2_file_close(&file);
    const int accepted = tfm_ct2_file_is(path) && open_source(path);
    close(fd);
    return accepted;
}

static char folder[64], npz[100];

static void remove_folder(void) {
    unlink(npz);
    rmdir(folder);
}

int tfm_fuzz_npz(const uint8_t *data, size_t n) {
    if (!folder[0]) {
        strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/tfm-fuzz-XXXXXX" : "/tmp/tfm-fuzz-XXXXXX");
        require(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
        snprintf(npz, sizeof npz, "%s/model.npz", folder);
    }
    int fd = open(npz, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(fd >= 0 && write(fd, data, n) == (ssize_t)n && close(fd) == 0);
    tfm_error error;
    json_t *flat = tfm_npz_yaml((const char *)data, n, "input", &error); /* vocabularies have the same form */
    json_decref(flat);
    return tfm_npz_file_is(npz) && open_source(npz);
}
