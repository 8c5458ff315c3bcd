/* golden_settings.h - generation settings as JSON, under Hugging Face's names. */
#ifndef TFM_TESTS_GOLDEN_GOLDEN_SETTINGS_H
#define TFM_TESTS_GOLDEN_GOLDEN_SETTINGS_H

#include <jansson.h>

#include "runtime/tfm.h"

typedef struct golden_settings {
    tfm_generate_params params;
    void *owned[4]; /* lists the params point to */
    size_t n_owned;
} golden_settings;

/* Changes params by an object of settings; null takes a setting away. false, and why, for one that is not known. */
bool golden_settings_apply(golden_settings *settings, const json_t *object, char why[200]);
/* Whether params are what transformers' defaults and `effective` make; why names the first that is not. */
bool golden_settings_match(const golden_settings *settings, const json_t *effective, char why[200]);
void golden_settings_free(golden_settings *settings);

#endif
