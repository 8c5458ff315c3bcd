/* importers.c - the list of checkpoint families. */
#include "importer.h"

extern const tfm_importer tfm_bart_importer, tfm_m2m100_importer, tfm_marian_importer, tfm_mbart_importer,
    tfm_pegasus_importer;

const tfm_importer *const tfm_importers[] = {&tfm_bart_importer,  &tfm_m2m100_importer,  &tfm_marian_importer,
                                             &tfm_mbart_importer, &tfm_pegasus_importer, NULL};
