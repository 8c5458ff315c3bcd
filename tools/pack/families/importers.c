/* importers.c - the list of checkpoint families. */
#include "importer.h"

extern const tfm_importer tfm_bart_importer, tfm_m2m100_importer, tfm_marian_importer, tfm_mbart_importer,
    tfm_mt5_importer, tfm_pegasus_importer, tfm_t5_importer;
extern const tfm_importer tfm_bert_importer, tfm_distilbert_importer, tfm_electra_importer, tfm_roberta_importer;
extern const tfm_importer tfm_bloom_importer, tfm_cohere_importer, tfm_gemma_importer, tfm_gemma2_importer,
    tfm_gpt2_importer, tfm_gpt_neo_importer, tfm_gpt_neox_importer, tfm_granite_importer, tfm_llama_importer,
    tfm_mistral_importer, tfm_opt_importer, tfm_phi_importer, tfm_phi3_importer, tfm_qwen2_importer, tfm_qwen3_importer,
    tfm_stablelm_importer, tfm_starcoder2_importer;

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
    /* decoders */
    &tfm_bloom_importer,
    &tfm_cohere_importer,
    &tfm_gemma_importer,
    &tfm_gemma2_importer,
    &tfm_gpt2_importer,
    &tfm_gpt_neo_importer,
    &tfm_gpt_neox_importer,
    &tfm_granite_importer,
    &tfm_llama_importer,
    &tfm_mistral_importer,
    &tfm_opt_importer,
    &tfm_phi_importer,
    &tfm_phi3_importer,
    &tfm_qwen2_importer,
    &tfm_qwen3_importer,
    &tfm_stablelm_importer,
    &tfm_starcoder2_importer,
    NULL,
};
