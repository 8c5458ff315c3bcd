/* config.c - typed values of a checkpoint's JSON files. */
#include "config.h"

tfm_config tfm_config_of(const tfm_checkpoint *checkpoint, tfm_error *error) {
    return (tfm_config){.folder = tfm_checkpoint_path(checkpoint),
                        .file = "config.json",
                        .object = tfm_checkpoint_config(checkpoint),
                        .error = error};
}

bool tfm_config_has(const tfm_config *config, const char *key) { return json_object_get(config->object, key) != NULL; }

void tfm_config_fail(tfm_config *config, tfm_status status, const char *key, const char *why) {
    if (config->status != TFM_OK) return;
    config->status = tfm_fail(config->error, status, "%s/%s: %s %s", config->folder, config->file, key, why);
}

static const json_t *get(const tfm_config *config, const char *key) {
    const json_t *value = config->status != TFM_OK ? NULL : json_object_get(config->object, key);
    return json_is_null(value) ? NULL : value;
}

uint64_t tfm_config_u64(tfm_config *config, const char *key, uint64_t min, uint64_t max, uint64_t fallback) {
    const json_t *value = get(config, key);
    if (!value) return fallback;
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || (uint64_t)number < min || (uint64_t)number > max) {
        tfm_config_fail(config, TFM_ERROR_FORMAT, key, "is not a whole number in the range that makes sense");
        return fallback;
    }
    return (uint64_t)number;
}

double tfm_config_real(tfm_config *config, const char *key, double min, double max, double fallback) {
    const json_t *value = get(config, key);
    if (!value) return fallback;
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= min && number <= max)) {
        tfm_config_fail(config, TFM_ERROR_FORMAT, key, "is not a number in the range that makes sense");
        return fallback;
    }
    return number;
}

bool tfm_config_bool(tfm_config *config, const char *key, bool fallback) {
    const json_t *value = get(config, key);
    if (!value) return fallback;
    if (!json_is_boolean(value)) {
        tfm_config_fail(config, TFM_ERROR_FORMAT, key, "is neither true nor false");
        return fallback;
    }
    return json_is_true(value);
}

const char *tfm_config_string(tfm_config *config, const char *key, const char *fallback) {
    const json_t *value = get(config, key);
    if (!value) return fallback;
    if (!json_is_string(value)) {
        tfm_config_fail(config, TFM_ERROR_FORMAT, key, "is not a string");
        return fallback;
    }
    return json_string_value(value);
}
