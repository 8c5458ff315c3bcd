/*
 * analysis_options.h - what the options for encoder-only models set, and their rows of the table in settings.c.
 */
#ifndef TFM_TOOLS_RUN_ANALYSIS_ANALYSIS_OPTIONS_H
#define TFM_TOOLS_RUN_ANALYSIS_ANALYSIS_OPTIONS_H

#include "tools/common/options.h"

typedef enum tfm_vector_format { TFM_VECTORS_JSON = 0, TFM_VECTORS_F32 = 1, TFM_VECTORS_NPY = 2 } tfm_vector_format;

typedef struct tfm_analysis_settings {
    bool embed, similarity, fill_mask, classify;
    int format;  /* tfm_vector_format */
    int pooling; /* tfm_pooling */
    bool normalize;
    uint32_t top;
    int32_t mask_id;
} tfm_analysis_settings;

/* AT(member): offset of a member of tfm_analysis_settings in the settings. */
#define TFM_ANALYSIS_OPTIONS(AT)                                                                                       \
    {.kind = TFM_OPTION_GROUP,                                                                                         \
     .name = "Encoder-only models",                                                                                    \
     .help = "What is done if none of the first four is given depends on what the model was trained for: classes, "    \
             "missing words, or else vectors."},                                                                       \
        {.kind = TFM_OPTION_FLAG, .name = "embed", .offset = AT(embed), .help = "The vector of each input."},          \
        {.kind = TFM_OPTION_FLAG,                                                                                      \
         .name = "similarity",                                                                                         \
         .offset = AT(similarity),                                                                                     \
         .help = "The cosine of two texts: two TEXTs, or lines with a tab between them."},                             \
        {.kind = TFM_OPTION_FLAG,                                                                                      \
         .name = "fill-mask",                                                                                          \
         .offset = AT(fill_mask),                                                                                      \
         .help = "Words for the mask tokens of each input."},                                                          \
        {.kind = TFM_OPTION_FLAG,                                                                                      \
         .name = "classify",                                                                                           \
         .offset = AT(classify),                                                                                       \
         .help = "The class of each input, or of each of its tokens. A tab separates the texts of a pair."},           \
        {.kind = TFM_OPTION_U32,                                                                                       \
         .name = "top",                                                                                                \
         .argument = "N",                                                                                              \
         .offset = AT(top),                                                                                            \
         .min = 1,                                                                                                     \
         .max = 1 << 20,                                                                                               \
         .help = "How many words for a mask (default 5) or classes of an input (default 1; in JSON all)."},            \
        {.kind = TFM_OPTION_CHOICE,                                                                                    \
         .name = "format",                                                                                             \
         .offset = AT(format),                                                                                         \
         .choices = tfm_vector_format_choices,                                                                         \
         .help = "Of vectors: a line of JSON each (json, the default), rows of little-endian 32-bit floats (f32), or " \
                 "an array for NumPy (npy)."},                                                                         \
        {.kind = TFM_OPTION_CHOICE,                                                                                    \
         .name = "pooling",                                                                                            \
         .offset = AT(pooling),                                                                                        \
         .choices = tfm_pooling_choices,                                                                               \
         .help =                                                                                                       \
             "How a vector is made of those of the tokens: their mean, the first one (cls), or the largest values "    \
             "(max). Default: as packed with the model."},                                                             \
        {.kind = TFM_OPTION_BOOL,                                                                                      \
         .name = "normalize",                                                                                          \
         .offset = AT(normalize),                                                                                      \
         .help = "Divide vectors by their length. Default: as packed with the model."},                                \
    {                                                                                                                  \
        .kind = TFM_OPTION_ID, .name = "mask-id", .argument = "ID", .offset = AT(mask_id),                             \
        .help = "The mask token's id (default: that of [MASK] or <mask>)."                                             \
    }

extern const char *const tfm_vector_format_choices[], *const tfm_pooling_choices[];

#endif
