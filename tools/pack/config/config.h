/*
 * config.h - values of a checkpoint's JSON files with their types checked. What is asked for is remembered, so that
 * keys.h can tell what nobody asked for.
 */
#ifndef TFM_TOOLS_PACK_CONFIG_CONFIG_H
#define TFM_TOOLS_PACK_CONFIG_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "format/tfm_error.h"
#include "tools/pack/common/name_format.h"

/* Reads values one after the other; the first failure stays in status, and later calls do nothing. */
typedef struct tfm_config {
    const char *folder, *file;
    const json_t *object;
    const char *within; /* the key of which `object` is the value, for messages and tables; NULL: the whole file */
    const char *scope;  /* the model_type; NULL: not said */
    json_t *asked;      /* an object whose keys are those asked for, "rope_scaling.factor"; NULL: not remembered */
    tfm_status status;
    tfm_error *error;
} tfm_config;

/* A key as it stands in the whole file: "rope_scaling.factor". */
tfm_name tfm_config_key_name(const tfm_config *config, const char *key);

/*
 * The object under a key, which is asked for; its object is NULL if there is none. A value of another type is a failure
 * of config, later ones are its own.
 */
tfm_config tfm_config_within(tfm_config *config, const char *key);

/* A missing key or null gives NULL. */
const json_t *tfm_config_get(const tfm_config *config, const char *key);
/* A missing key or null gives the fallback. */
uint64_t tfm_config_u64(tfm_config *config, const char *key, uint64_t min, uint64_t max, uint64_t fallback);
double tfm_config_real(tfm_config *config, const char *key, double min, double max, double fallback);
bool tfm_config_bool(tfm_config *config, const char *key, bool fallback);
const char *tfm_config_string(tfm_config *config, const char *key, const char *fallback);
/* Whether the key is there, be it with null. */
bool tfm_config_has(const tfm_config *config, const char *key);
/* Keeps a failure that names the file and the key. */
void tfm_config_fail(tfm_config *config, tfm_status status, const char *key, const char *why);
/* The same for a value that means something else than the ones that are supported; it is shown. */
void tfm_config_unsupported(tfm_config *config, const char *key);

#endif
