/* pack_fuzz.c - runs one input through the parsers of Hugging Face folders and checks what they accept. */
#include "pack_fuzz.h"

#include "fuzz_input.h"
#include "tools/pack/checkpoint/unpickle.h"
#include "tools/safetensors/safetensors.h"

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
    tfm_fuzz_file input = tfm_fuzz_file_make(data, n);
    tfm_error error;
    tfm_safetensors *file;
    const int accepted = tfm_safetensors_open(&file, input.path, &error) == TFM_OK;
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
    tfm_fuzz_file_close(&input);
    return accepted;
}

int tfm_fuzz_pytorch(const uint8_t *data, size_t n) {
    tfm_fuzz_write("config.json", "{}", 2);
    tfm_fuzz_write("pytorch_model.bin", data, n);
    return tfm_fuzz_open(tfm_fuzz_folder());
}
