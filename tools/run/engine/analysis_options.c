/* analysis_options.c - the options for encoder-only models. */
#include "analysis_options.h"

#include <stddef.h>

#include "settings.h"
#include "settings_tokens.h"

#define AT(member) offsetof(tfm_settings, analysis.member)

static const char *const format_choices[] = {"json", "f32", "npy", NULL};  /* tfm_vector_format */
static const char *const pooling_choices[] = {"mean", "cls", "max", NULL}; /* tfm_pooling */

const tfm_option tfm_analysis_options[TFM_N_ANALYSIS_OPTIONS] = {
    {.kind = TFM_OPTION_GROUP,
     .name = "Encoder-only models",
     .help = "What is done if none of the first four is given depends on what the model was trained for: classes, "
             "missing words, or else vectors."},
    {.kind = TFM_OPTION_FLAG, .name = "embed", .offset = AT(embed), .help = "The vector of each input."},
    {.kind = TFM_OPTION_FLAG,
     .name = "similarity",
     .offset = AT(similarity),
     .help = "The cosine of two texts: two TEXTs, or lines with a tab between them."},
    {.kind = TFM_OPTION_FLAG,
     .name = "fill-mask",
     .offset = AT(fill_mask),
     .help = "Words for the mask tokens of each input."},
    {.kind = TFM_OPTION_FLAG,
     .name = "classify",
     .offset = AT(classify),
     .help = "The class of each input, or of each of its tokens. A tab separates the texts of a pair."},
    {.kind = TFM_OPTION_U32,
     .name = "top",
     .argument = "N",
     .offset = AT(top),
     .min = 1,
     .max = 1 << 20,
     .help = "How many words for a mask (default 5) or classes of an input (default 1; in JSON all)."},
    {.kind = TFM_OPTION_CHOICE,
     .name = "format",
     .offset = AT(format),
     .choices = format_choices,
     .help = "Of vectors: a line of JSON each (json, the default), rows of little-endian 32-bit floats (f32), or "
             "an array for NumPy (npy)."},
    {.kind = TFM_OPTION_CHOICE,
     .name = "pooling",
     .offset = AT(pooling),
     .choices = pooling_choices,
     .help = "How a vector is made of those of the tokens: their mean, the first one (cls), or the largest values "
             "(max). Default: as packed with the model."},
    {.kind = TFM_OPTION_BOOL,
     .name = "normalize",
     .offset = AT(normalize),
     .help = "Divide vectors by their length. Default: as packed with the model."},
    {.kind = TFM_OPTION_STRING,
     .name = "prompt",
     .argument = "NAME",
     .offset = AT(prompt),
     .help =
         "Which of the model's prompts is put before each text of a vector; an empty NAME: none. Default: as packed "
         "with the model."},
    {.kind = TFM_OPTION_ID,
     .name = "mask-id",
     .argument = "ID",
     .offset = AT(mask_id),
     .parse = tfm_parse_token,
     .help = "The mask token (default: that of [MASK] or <mask>)."},
};

const char *tfm_vector_format_name(int format) { return format_choices[format]; }
