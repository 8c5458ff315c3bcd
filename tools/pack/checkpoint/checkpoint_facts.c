/* checkpoint_facts.c - see checkpoint_facts.h. */
#include "checkpoint_facts.h"

#include <string.h>
#include <sys/stat.h>

#include "checkpoint_format.h"
#include "tools/pack/common/json_file.h"
#include "tools/pack/common/path.h"

/* Of the file, or of model.bin in a folder that is one file's home; 0 where it cannot be told. */
static uint64_t bytes_of(const char *path) {
    struct stat info;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode) && stat(tfm_path_in(path, "model.bin").text, &info) != 0)
        return 0;
    return S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0;
}

/* Tensors of one file stand together. */
static uint64_t bytes_of_files(const tfm_checkpoint *checkpoint) {
    uint64_t bytes = 0;
    const char *before = NULL;
    for (size_t i = 0; i < checkpoint->n_entries; i++) {
        const char *file = checkpoint->entries[i].file;
        if (!before || strcmp(before, file) != 0) bytes += bytes_of(file);
        before = file;
    }
    return bytes;
}

static json_t *weights(const tfm_checkpoint *checkpoint) {
    json_t *types = json_object();
    for (size_t i = 0; types && i < checkpoint->n_entries; i++) {
        const tfm_checkpoint_tensor *tensor = &checkpoint->entries[i].tensor;
        uint64_t sum = (uint64_t)json_integer_value(json_object_get(types, tensor->dtype_name)), count = 1;
        for (uint32_t k = 0; k < tensor->rank; k++) count *= tensor->shape[k];
        sum += count;
        json_object_set_new(types, tensor->dtype_name, json_integer((json_int_t)sum));
    }
    return types;
}

json_t *tfm_checkpoint_facts(const tfm_checkpoint *checkpoint) {
    const json_t *config = checkpoint->config;
    json_t *tokenizer = NULL;
    tfm_error ignored; /* what is wrong with the file is said by who packs it */
    if (tfm_json_load(tfm_path_in(checkpoint->path, "tokenizer_config.json").text, TFM_JSON_OPTIONAL, &tokenizer,
                      &ignored) != TFM_OK)
        tokenizer = NULL;
    const json_t *classes = json_object_get(config, "architectures");
    json_t *facts =
        json_pack("{s:s, s:I, s:I, s:o, s:s*, s:s*, s:s*}", "format", checkpoint->format, "bytes",
                  (json_int_t)bytes_of_files(checkpoint), "tensors", (json_int_t)checkpoint->n_entries, "weights",
                  weights(checkpoint), "model_type", json_string_value(json_object_get(config, "model_type")),
                  "architecture", json_string_value(json_array_get(classes, 0)), "tokenizer_class",
                  json_string_value(json_object_get(tokenizer, "tokenizer_class")));
    json_decref(tokenizer);
    return facts;
}
