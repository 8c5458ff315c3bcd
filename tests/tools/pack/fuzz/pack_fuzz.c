/* pack_fuzz.c - runs one input through each parser of foreign files and checks what it accepts. */
#include "pack_fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/pack/checkpoint/checkpoint.h"
#include "tools/pack/checkpoint/unpickle.h"

#define MOST 4096

void tfm_fuzz_require(int truth) {
    if (!truth) abort();
}

void tfm_fuzz_read_all(tfm_checkpoint *source) {
    static float values[MOST];
    tfm_error error;
    for (size_t i = 0; i < tfm_checkpoint_count(source); i++) {
        const tfm_checkpoint_tensor *t = tfm_checkpoint_at(source, i);
        uint64_t width = 1;
        for (int k = 1; k < TFM_RANK_MAX; k++)
            if (__builtin_mul_overflow(width, t->shape[k], &width)) width = UINT64_MAX;
        if (width > MOST || t->shape[0] == 0) continue;
        tfm_checkpoint_read(source, t, 0, 1, values, &error);
        tfm_checkpoint_read(source, t, t->shape[0] - 1, 1, values, &error);
    }
}

int tfm_fuzz_pickle(const uint8_t *data, size_t n) {
    const tfm_pk_value *value;
    tfm_error error;
    tfm_unpickler *u = tfm_unpickler_memory("input", data, n);
    if (!u) return 0;
    int accepted = tfm_unpickle(u, &value, &error) == TFM_OK;
    const tfm_pk_storage *storages;
    size_t n_storages = tfm_unpickler_storages(u, &storages);
    for (uint32_t i = 0; i < u->n_tensors; i++) {
        const tfm_pk_tensor *t = tfm_unpickler_tensor(u, i);
        tfm_fuzz_require(t->storage < n_storages && t->rank <= TFM_RANK_MAX);
        uint64_t last = t->offset, step;
        int empty = 0, overflow = 0;
        for (uint32_t k = 0; k < t->rank; k++) {
            empty |= t->shape[k] == 0;
            overflow |= __builtin_mul_overflow(t->shape[k] - (t->shape[k] > 0), t->stride[k], &step);
            overflow |= __builtin_add_overflow(last, step, &last);
        }
        tfm_fuzz_require(empty || (!overflow && last < storages[t->storage].count));
    }
    tfm_unpickler_free(&u);
    return accepted;
}

int tfm_fuzz_safetensors(const uint8_t *data, size_t n) {
    char path[64];
    tfm_error error;
    tfm_safetensors *file;
    int fd = memfd_create("input", MFD_CLOEXEC);
    tfm_fuzz_require(fd >= 0 && write(fd, data, n) == (ssize_t)n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int accepted = tfm_safetensors_open(&file, path, &error) == TFM_OK;
    uint64_t position = 0;
    for (size_t i = 0; accepted && i < tfm_safetensors_count(file); i++) {
        const tfm_st_tensor *t = tfm_safetensors_at(file, i);
        tfm_fuzz_require(tfm_safetensors_find(file, t->name) == t);
        tfm_fuzz_require(t->offset >= 8 && t->offset <= n && t->length <= n - t->offset);
        tfm_fuzz_require(i == 0 || t->offset == position);
        tfm_fuzz_require(t->length == t->count * tfm_st_dtype_size(t->dtype));
        position = t->offset + t->length;
    }
    if (accepted) tfm_safetensors_close(&file);
    close(fd);
    return accepted;
}

static char folder[64];

static void remove_folder(void) {
    char path[100];
    static const char *const names[] = {"config.json", "pytorch_model.bin"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static void write_name(const char *name, const void *data, size_t n) {
    char path[100];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    tfm_fuzz_require(fd >= 0 && write(fd, data, n) == (ssize_t)n && close(fd) == 0);
}

int tfm_fuzz_pytorch(const uint8_t *data, size_t n) {
    tfm_error error;
    tfm_checkpoint *source;
    float values[256];
    if (!folder[0]) {
        strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/tfm-fuzz-XXXXXX" : "/tmp/tfm-fuzz-XXXXXX");
        tfm_fuzz_require(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
        write_name("config.json", "{}", 2);
    }
    write_name("pytorch_model.bin", data, n);
    int accepted = tfm_checkpoint_open(&source, folder, &error) == TFM_OK;
    for (size_t i = 0; accepted && i < tfm_checkpoint_count(source); i++) {
        const tfm_checkpoint_tensor *t = tfm_checkpoint_at(source, i);
        uint64_t width = 1;
        for (int k = 1; k < TFM_RANK_MAX; k++)
            if (__builtin_mul_overflow(width, t->shape[k], &width)) width = UINT64_MAX;
        if (width > 256 || t->shape[0] == 0) continue;
        tfm_checkpoint_read(source, t, 0, 1, values, &error);
        tfm_checkpoint_read(source, t, t->shape[0] - 1, 1, values, &error);
    }
    if (accepted) tfm_checkpoint_close(&source);
    return accepted;
}
