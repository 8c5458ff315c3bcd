/* sentence_transformers.c - modules.json and 1_Pooling/config.json; see sentence_transformers.h. */
#include "sentence_transformers.h"

#include <string.h>

#include "tools/pack/common/json_file.h"
#include "tools/pack/common/name_format.h"
#include "tools/pack/common/path.h"

/* ---- pooling ---- */

static const struct {
    const char *flag, *word; /* "pooling_mode_cls_token": true, or "pooling_mode": "cls" */
    const char *ours;        /* NULL: not supported */
} modes[] = {
    {"pooling_mode_cls_token", "cls", "cls"},
    {"pooling_mode_mean_tokens", "mean", "mean"},
    {"pooling_mode_max_tokens", "max", "max"},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", NULL},
    {"pooling_mode_weightedmean_tokens", "weightedmean", NULL},
    {"pooling_mode_lasttoken", "lasttoken", NULL},
};
#define N_MODES (sizeof modes / sizeof *modes)

static tfm_status set_pooling(const json_t *config, const char *path, tfm_table_builder *table, tfm_error *error) {
    const char *word = json_string_value(json_object_get(config, "pooling_mode")), *chosen = NULL;
    size_t n = 0;
    for (size_t i = 0; i < N_MODES; i++) {
        bool on = word ? strcmp(word, modes[i].word) == 0 : json_is_true(json_object_get(config, modes[i].flag));
        if (!on) continue;
        if (!modes[i].ours)
            return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: %s is not supported", path, modes[i].flag);
        chosen = modes[i].ours;
        n++;
    }
    if (n != 1)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: %s", path,
                        n ? "several ways of pooling at once are not supported" : "no known way of pooling is chosen");
    tfm_table_set_string(table, "pooling", chosen);
    return TFM_OK;
}

static tfm_status read_pooling(const char *folder, const char *module, tfm_table_builder *table, tfm_error *error) {
    const tfm_path module_folder = tfm_path_in(folder, module), path = tfm_path_in(module_folder.text, "config.json");
    json_t *config;
    tfm_status status = tfm_json_load(path.text, TFM_JSON_OPTIONAL, &config, error);
    if (status == TFM_OK && !json_is_object(config))
        status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: %s", path.text, config ? "is no JSON object" : "is missing");
    if (status == TFM_OK) status = set_pooling(config, path.text, table, error);
    json_decref(config);
    return status;
}

/* ---- modules ---- */

/* "sentence_transformers.models.Pooling" is "Pooling". */
static const char *class_of(const json_t *module) {
    const char *type = json_string_value(json_object_get(module, "type"));
    const char *dot = type ? strrchr(type, '.') : NULL;
    return dot ? dot + 1 : type;
}

static tfm_status set_module(const char *folder, const json_t *module, size_t index, tfm_table_builder *table,
                             tfm_error *error) {
    const char *class = class_of(module), *path = json_string_value(json_object_get(module, "path"));
    if (!class || !path)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s/modules.json: module %zu has no type or no path", folder, index);
    if (strcmp(class, "Transformer") == 0 && index == 0) return TFM_OK;
    if (strcmp(class, "Pooling") == 0 && index == 1) {
        if (path[0] == '/' || strstr(path, ".."))
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s/modules.json: path %.200s leaves the folder", folder, path);
        return read_pooling(folder, path, table, error);
    }
    if (strcmp(class, "Normalize") == 0 && index == 2) {
        tfm_table_set_u64(table, "pooling.normalize", 1);
        return TFM_OK;
    }
    return tfm_fail(
        error, TFM_ERROR_UNSUPPORTED,
        "%s/modules.json: module %zu, %.100s, is not supported there; Transformer, Pooling, Normalize are, in "
        "this order",
        folder, index, class);
}

tfm_status tfm_sentence_transformers_set(const tfm_checkpoint *checkpoint, tfm_table_builder *table, tfm_error *error) {
    const char *folder = tfm_checkpoint_path(checkpoint), *pooling = tfm_checkpoint_get_hints(checkpoint)->pooling;
    json_t *modules;
    if (pooling) {
        tfm_table_set_string(table, "pooling", pooling);
        return TFM_OK;
    }
    const tfm_path path = tfm_path_in(folder, "modules.json");
    tfm_status status = tfm_json_load(path.text, TFM_JSON_OPTIONAL, &modules, error);
    if (status != TFM_OK || !modules) return status;
    if (!json_is_array(modules)) status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: is no list of modules", path.text);
    for (size_t i = 0; status == TFM_OK && i < json_array_size(modules); i++)
        status = set_module(folder, json_array_get(modules, i), i, table, error);
    json_decref(modules);
    return status;
}

/* ---- what it does to texts ---- */

tfm_status tfm_sentence_transformers_note(const tfm_checkpoint *checkpoint, uint64_t max_positions,
                                          const tfm_pack_options *options, tfm_error *error) {
    json_t *config;
    if (!options->note) return TFM_OK;
    const tfm_path path = tfm_path_in(tfm_checkpoint_path(checkpoint), "sentence_bert_config.json");
    tfm_status status = tfm_json_load(path.text, TFM_JSON_OPTIONAL, &config, error);
    json_int_t longest = json_integer_value(json_object_get(config, "max_seq_length"));
    if (status == TFM_OK && longest > 0 && (uint64_t)longest < max_positions)
        tfm_pack_note(options,
                      "sentence-transformers cuts texts to %lld tokens; tfmrun --truncate --max-source-length %lld "
                      "does so too",
                      (long long)longest, (long long)longest);
    if (status == TFM_OK && json_is_true(json_object_get(config, "do_lower_case")))
        tfm_pack_note(options, "sentence-transformers makes lower case of texts before the tokenizer sees them; do "
                               "that if the tokenizer does not");
    json_decref(config);
    return status;
}
