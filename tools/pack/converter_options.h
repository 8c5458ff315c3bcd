/*
 * converter_options.h - options of other programs that convert models, for those who know tfmpack's by their names.
 */
#ifndef TFM_TOOLS_PACK_CONVERTER_OPTIONS_H
#define TFM_TOOLS_PACK_CONVERTER_OPTIONS_H

#include "tools/common/options.h"

extern const tfm_foreign_options tfm_pack_foreign_options;

#endif
