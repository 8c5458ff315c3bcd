/* ct2_npz_fuzz.c - fuzz targets of CTranslate2's model.bin and of Marian's .npz. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/pack/foreign/ctranslate2/ct2_file.h"
#include "tools/pack/foreign/marian/npz_file.h"
#include "tools/pack/checkpoint/checkpoint.h"
#include "pack_fuzz.h"

/* Whether it is a model; its tensors are read. */
static int open_source(const char *path) {
    tfm_checkpoint *source;
    tfm_error error;
    const int accepted = tfm_checkpoint_open(&source, path, &error) == TFM_OK;
    tfm_fuzz_require(accepted || error.message[0]);
    if (accepted) tfm_fuzz_read_all(source);
    tfm_checkpoint_close(&source);
    return accepted;
}

int tfm_fuzz_ct2(const uint8_t *data, size_t n) {
    char path[64];
    tfm_error error;
    tfm_ct2_file file;
    int fd = memfd_create("input", MFD_CLOEXEC);
    tfm_fuzz_require(fd >= 0 && write(fd, data, n) == (ssize_t)n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (tfm_ct2_file_open(&file, path, &error) == TFM_OK)
        for (uint32_t i = 0; i < file.n_variables; i++) {
            static const uint64_t sizes[] = {4, 1, 2, 4, 2, 2};
            const tfm_ct2_variable *v = &file.variables[i];
            tfm_fuzz_require(tfm_ct2_file_find(&file, v->name) == i && v->offset <= n);
            tfm_fuzz_require(v->count <= (n - v->offset) / sizes[v->type]);
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
        tfm_fuzz_require(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
        snprintf(npz, sizeof npz, "%s/model.npz", folder);
    }
    int fd = open(npz, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    tfm_fuzz_require(fd >= 0 && write(fd, data, n) == (ssize_t)n && close(fd) == 0);
    tfm_error error;
    json_t *flat = tfm_npz_yaml((const char *)data, n, "input", &error); /* vocabularies have the same form */
    json_decref(flat);
    return tfm_npz_file_is(npz) && open_source(npz);
}
