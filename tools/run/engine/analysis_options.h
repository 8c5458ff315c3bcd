/*
 * analysis_options.h - the options for encoder-only models, and what they set.
 */
#ifndef TFM_TOOLS_RUN_ENGINE_ANALYSIS_OPTIONS_H
#define TFM_TOOLS_RUN_ENGINE_ANALYSIS_OPTIONS_H

#include "tools/common/options.h"

typedef enum tfm_vector_format { TFM_VECTORS_JSON = 0, TFM_VECTORS_F32 = 1, TFM_VECTORS_NPY = 2 } tfm_vector_format;

typedef struct tfm_analysis_settings {
    bool embed, similarity, fill_mask, classify;
    int format;  /* tfm_vector_format */
    int pooling; /* tfm_pooling */
    bool normalize;
    const char *prompt; /* a name; "": none */
    uint32_t top;
    int32_t mask_id;
} tfm_analysis_settings;

/* The options, in the order of --help; members of tfm_settings. */
enum { TFM_N_ANALYSIS_OPTIONS = 11 };
extern const tfm_option tfm_analysis_options[TFM_N_ANALYSIS_OPTIONS];

/* A tfm_vector_format as it is typed. */
const char *tfm_vector_format_name(int format);

#endif
