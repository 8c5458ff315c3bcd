/*
 * nearest_file.h - the file that was meant where a name is misspelt.
 */
#ifndef TFM_TOOLS_COMMON_NEAREST_FILE_H
#define TFM_TOOLS_COMMON_NEAREST_FILE_H

#include "bytes.h"

/* *out = the name in a folder that is most like one that is not there; empty: none is. False: no memory. */
bool tfm_nearest_file(const char *folder, const char *name, tfm_text *out);

#endif
