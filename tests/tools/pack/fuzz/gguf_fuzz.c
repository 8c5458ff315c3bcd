/* gguf_fuzz.c - fuzz targets of the forms that are one file: GGUF, llama2.c. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/pack/foreign/gguf/gguf_file.h"
#include "tools/pack/foreign/gguf/gguf_tokenizer.h"
#include "tools/pack/foreign/llama2c/llama2c.h"
#include "tools/pack/checkpoint/checkpoint.h"
#include "tools/pack/tokenizer/tokenizer_json.h"
#include "pack_fuzz.h"

/* Bounds of everything a header gave, and its tokenizer. */
static int check_gguf(const char *path) {
    tfm_gguf *g;
    tfm_error error;
    json_t *root = NULL;
    if (tfm_gguf_open(&g, path, &error) != TFM_OK) return 0;
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        const tfm_gguf_tensor *t = &g->tensors[i];
        tfm_fuzz_require(t->data >= g->bytes && t->bytes <= g->size &&
                         (size_t)(t->data - g->bytes) <= g->size - t->bytes);
        tfm_fuzz_require(tfm_gguf_tensor_find(g, t->name) == t);
    }
    for (uint32_t i = 0; i < g->n_values; i++) {
        const tfm_gguf_value *v = &g->values[i];
        tfm_fuzz_require(v->data >= g->bytes && v->data <= g->bytes + g->size && tfm_gguf_find(g, v->key) == v);
    }
    int accepted = tfm_gguf_tokenizer(g, &root, &error) == TFM_OK;
    tfm_table_builder *table = tfm_table_builder_new();
    /* The patterns of byte-level BPE are ours, and translating them takes most of a second. */
    if (json_object_get(json_object_get(root, "pre_tokenizer"), "pretokenizers")) json_object_clear(root);
    if (json_object_size(root) > 0 && table) accepted = tfm_tokenizer_json(root, path, table, &error) == TFM_OK;
    tfm_table_builder_free(&table);
    json_decref(root);
    tfm_gguf_close(&g);
    return accepted;
}

int tfm_fuzz_gguf(const uint8_t *data, size_t n) {
    char path[64];
    tfm_error error;
    tfm_checkpoint *source;
    int fd = memfd_create("input", MFD_CLOEXEC);
    tfm_fuzz_require(fd >= 0 && write(fd, data, n) == (ssize_t)n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int accepted = n >= 4 && memcmp(data, "GGUF", 4) == 0 && check_gguf(path);
    if (accepted) accepted = tfm_checkpoint_open(&source, path, &error) == TFM_OK;
    if (accepted) {
        tfm_fuzz_read_all(source);
        tfm_checkpoint_close(&source);
    }
    close(fd);
    return accepted;
}

static char folder[64];

static const char *in_folder(const char *name) {
    static char path[100];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void remove_folder(void) {
    unlink(in_folder("x.bin"));
    rmdir(folder);
}

/* A checkpoint; or, behind the word TOK, a tokenizer of 8 tokens. */
int tfm_fuzz_llama2c(const uint8_t *data, size_t n) {
    tfm_error error;
    if (!folder[0]) {
        strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/tfm-fuzz-XXXXXX" : "/tmp/tfm-fuzz-XXXXXX");
        tfm_fuzz_require(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
    }
    bool tokenizer = n >= 3 && memcmp(data, "TOK", 3) == 0;
    if (tokenizer) data += 3, n -= 3;
    unlink(in_folder("x.bin"));
    int fd = open(in_folder("x.bin"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    tfm_fuzz_require(fd >= 0 && write(fd, data, n) == (ssize_t)n && close(fd) == 0);
    if (tokenizer) {
        tfm_writer *writer;
        tfm_fuzz_require(tfm_writer_create(&writer, in_folder("out.bin"), &error) == TFM_OK);
        int accepted = tfm_llama2c_write_tokenizer(in_folder("x.bin"), 8, writer, &error) == TFM_OK;
        tfm_writer_abort(&writer);
        return accepted;
    }
    tfm_checkpoint *source;
    if (!tfm_llama2c_format.is(in_folder("x.bin"), false)) return 0;
    if (tfm_checkpoint_open(&source, in_folder("x.bin"), &error) != TFM_OK) return 0;
    tfm_fuzz_read_all(source);
    tfm_checkpoint_close(&source);
    return 1;
}
