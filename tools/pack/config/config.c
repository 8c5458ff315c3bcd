/* config.c - typed values of a checkpoint's JSON files. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "keys.h"
#include "tools/pack/common/name_format.h"

/* ---- failures ---- */

tfm_name tfm_config_key_name(const tfm_config *config, const char *key) {
    return config->within ? tfm_name_format("%s.%s", config->within, key) : tfm_name_format("%s", key);
}

void tfm_config_fail(tfm_config *config, tfm_status status, const char *key, const char *why) {
    if (config->status != TFM_OK) return;
    config->status = tfm_fail(config->error, status, "%s/%s: %s %s", config->folder, config->file,
                              tfm_config_key_name(config, key).text, why);
}

void tfm_config_unsupported(tfm_config *config, const char *key) {
    char value[100];
    tfm_key_value_text(tfm_config_get(config, key), value, sizeof value);
    tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, key,
                    tfm_name_format("has a value that is not supported: %s", value).text);
}

/* ---- values ---- */

static void remember(const tfm_config *config, const char *key) {
    if (config->asked) json_object_set_new(config->asked, tfm_config_key_name(config, key).text, json_true());
}

/* A key's values under its own name and under the other one that it may have; NULL: not there. Both are asked for. */
typedef struct named_values {
    const char *alias;
    const json_t *own, *other;
} named_values;

static named_values look_up(const tfm_config *config, const char *key) {
    const char *alias = config->within ? NULL : tfm_key_alias(config->scope, key);
    remember(config, key);
    if (alias) remember(config, alias);
    return (named_values){alias, json_object_get(config->object, key),
                          alias ? json_object_get(config->object, alias) : NULL};
}

static bool is_there(const json_t *value) { return value && !json_is_null(value); }

/* The value under whichever of the names it is there. */
static const json_t *find(const tfm_config *config, const char *key) {
    const named_values v = look_up(config, key);
    return v.other && !is_there(v.own) ? v.other : v.own;
}

const json_t *tfm_config_get(const tfm_config *config, const char *key) {
    const json_t *value = find(config, key);
    return json_is_null(value) ? NULL : value;
}

bool tfm_config_has(const tfm_config *config, const char *key) { return find(config, key) != NULL; }

tfm_config tfm_config_within(tfm_config *config, const char *key) {
    tfm_config inner = *config;
    inner.within = key;
    inner.object = tfm_config_get(config, key);
    if (inner.object && !json_is_object(inner.object) && !json_is_false(inner.object))
        tfm_config_fail(config, TFM_ERROR_FORMAT, key, "is no object");
    if (!json_is_object(inner.object)) inner.object = NULL;
    return inner;
}

/* A value that will be looked at; NULL after a failure, too. Two names with two values are refused. */
static const json_t *get(tfm_config *config, const char *key) {
    const named_values v = look_up(config, key);
    if (is_there(v.own) && is_there(v.other) && !json_equal(v.own, v.other))
        tfm_config_fail(config, TFM_ERROR_FORMAT, key,
                        tfm_name_format("and %s, which mean the same, differ", v.alias).text);
    return config->status != TFM_OK ? NULL : tfm_config_get(config, key);
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
