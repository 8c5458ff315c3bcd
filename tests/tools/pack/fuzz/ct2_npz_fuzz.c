/* ct2_npz_fuzz.c - fuzz targets of CTranslate2's model.bin and Marian's npz. */
#include "pack_fuzz.h"

#include <jansson.h>

#include "fuzz_input.h"
#include "tools/pack/foreign/ctranslate2/ct2_file.h"
#include "tools/pack/foreign/marian/npz_file.h"

int tfm_fuzz_ct2(const uint8_t *data, size_t n) {
    static const uint64_t sizes[] = {4, 1, 2, 4, 2, 2}; /* of elements, by type */
    tfm_fuzz_file input = tfm_fuzz_file_make(data, n);
    tfm_error error;
    tfm_ct2_file file;
    if (tfm_ct2_file_open(&file, input.path, &error) == TFM_OK)
        for (uint32_t i = 0; i < file.n_variables; i++) {
            const tfm_ct2_variable *v = &file.variables[i];
            tfm_fuzz_require(tfm_ct2_file_find(&file, v->name) == i && v->offset <= n);
            tfm_fuzz_require(v->count <= (n - v->offset) / sizes[v->type]);
        }
    tfm_ct2_file_close(&file);
    const int accepted = tfm_ct2_file_is(input.path) && tfm_fuzz_open(input.path);
    tfm_fuzz_file_close(&input);
    return accepted;
}

int tfm_fuzz_npz(const uint8_t *data, size_t n) {
    const char *path = tfm_fuzz_write("model.npz", data, n);
    tfm_error error;
    json_t *flat;
    tfm_npz_yaml((const char *)data, n, "input", &flat, &error); /* vocabularies are YAML too */
    json_decref(flat);
    return tfm_npz_file_is(path) && tfm_fuzz_open(path);
}
