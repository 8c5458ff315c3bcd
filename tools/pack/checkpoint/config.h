/*
 * config.h - values of config.json and generation_config.json with their types checked.
 */
#ifndef TFM_TOOLS_PACK_CHECKPOINT_CONFIG_H
#define TFM_TOOLS_PACK_CHECKPOINT_CONFIG_H

#include "tools/pack/families/importer.h"

/* Reads values one after the other; the first failure stays in status, and later calls do nothing. */
typedef struct tfm_config {
    const char *folder, *file;
    const json_t *object;
    tfm_status status;
    tfm_error *error;
} tfm_config;

/* A missing key or null gives the fallback. */
uint64_t tfm_config_u64(tfm_config *config, const char *key, uint64_t min, uint64_t max, uint64_t fallback);
double tfm_config_real(tfm_config *config, const char *key, double min, double max, double fallback);
bool tfm_config_bool(tfm_config *config, const char *key, bool fallback);
const char *tfm_config_string(tfm_config *config, const char *key, const char *fallback);
/* Keeps a failure that names the file and the key. */
void tfm_config_fail(tfm_config *config, tfm_status status, const char *key, const char *why);

/* The name of docs/model-contents.md for an activation of transformers, or NULL. */
const char *tfm_config_activation(const char *name);

/* Values a family's configuration class has where config.json says nothing; -1: none. */
typedef struct tfm_generation_ids {
    int64_t decoder_start, pad, eos, forced_eos;
    bool causal; /* a decoder-only model: prompts are continued, nothing starts them */
} tfm_generation_ids;

/*
 * Writes the section generation: from generation_config.json alone where there is one, as transformers does, else from
 * config.json and the family's defaults. vocab_size: ids that the decoder knows.
 */
tfm_status tfm_write_generation(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_generation_ids *defaults,
                                uint64_t vocab_size, const tfm_pack_options *options, tfm_error *error);

#endif
