/*
 * config.h - values of config.json and generation_config.json with their types checked.
 */
#ifndef TFM_TOOLS_PACK_CHECKPOINT_CONFIG_H
#define TFM_TOOLS_PACK_CHECKPOINT_CONFIG_H

#include "checkpoint.h"

/* Reads values one after the other; the first failure stays in status, and later calls do nothing. */
typedef struct tfm_config {
    const char *folder, *file;
    const json_t *object;
    tfm_status status;
    tfm_error *error;
} tfm_config;

/* The checkpoint's config.json, or what stands for it. */
tfm_config tfm_config_of(const tfm_checkpoint *checkpoint, tfm_error *error);

/* A missing key or null gives the fallback. */
uint64_t tfm_config_u64(tfm_config *config, const char *key, uint64_t min, uint64_t max, uint64_t fallback);
double tfm_config_real(tfm_config *config, const char *key, double min, double max, double fallback);
bool tfm_config_bool(tfm_config *config, const char *key, bool fallback);
const char *tfm_config_string(tfm_config *config, const char *key, const char *fallback);
/* Whether the key is there, be it with null. */
bool tfm_config_has(const tfm_config *config, const char *key);
/* Keeps a failure that names the file and the key. */
void tfm_config_fail(tfm_config *config, tfm_status status, const char *key, const char *why);

#endif
