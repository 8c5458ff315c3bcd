/* importers.c - the list of checkpoint families. */
#include "importer.h"

extern const tfm_importer tfm_bart_importer, tfm_m2m100_importer, tfm_marian_importer, tfm_mbart_importer,
    tfm_mt5_importer, tfm_pegasus_importer, tfm_t5_importer;
extern const tfm_importer tfm_bert_importer, tfm_distilbert_importer, tfm_electra_importer, tfm_roberta_importer;

const tfm_importer *const tfm_importers[] = {
    /* encoder-decoders */
    &tfm_bart_importer,
    &tfm_m2m100_importer,
    &tfm_marian_importer,
    &tfm_mbart_importer,
    &tfm_mt5_importer,
    &tfm_pegasus_importer,
    &tfm_t5_importer,
    /* encoders */
    &tfm_bert_importer,
    &tfm_distilbert_importer,
    &tfm_electra_importer,
    &tfm_roberta_importer,
    NULL,
};
