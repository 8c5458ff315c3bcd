/* importers.c - the table of importers that importers.def lists. */
#include "importer.h"

#define IMPORTER(file, name) extern const tfm_importer tfm_##name##_importer;
#include "importers.def"
#undef IMPORTER

const tfm_importer *const tfm_importers[] = {
#define IMPORTER(file, name) &tfm_##name##_importer,
#include "importers.def"
#undef IMPORTER
    NULL,
};
