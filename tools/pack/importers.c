/* importers.c - the list of checkpoint families. */
#include "importer.h"

extern const tfm_importer tfm_marian_importer;

const tfm_importer *const tfm_importers[] = {&tfm_marian_importer, NULL};
