/*
 * importer.h - what a checkpoint family must provide to tfmpack.
 *
 * A checkpoint (checkpoint/checkpoint.h) is a configuration and named tensors, whatever container they came in. An
 * importer turns them into the options and tensors of docs/model-contents.md. It is one file and one line in
 * importers.def. What families share is in files they share, to be read in this order: family.h (all), then bart_like.h
 * (encoder-decoders), bert_like.h (encoders), causal.h with llama_like.h and gpt_like.h (decoders).
 */
#ifndef TFM_TOOLS_PACK_FAMILIES_IMPORTER_H
#define TFM_TOOLS_PACK_FAMILIES_IMPORTER_H

#include "tools/pack/checkpoint/checkpoint.h"
#include "tools/pack/common/pack_options.h"

struct tfm_causal;
struct tfm_config;

typedef struct tfm_importer tfm_importer;
struct tfm_importer {
    const char *family;      /* "marian": the option `family` of the model file */
    const char *model_types; /* values of config.json's model_type it takes, separated by spaces */
    const char *what;        /* one line for --list */
    /* Writes sections architecture, generation, origin and all tensors. Refuses missing, extra, misshapen and
     * non-finite tensors by name. */
    tfm_status (*import)(const tfm_importer *importer, tfm_checkpoint *checkpoint, tfm_writer *writer,
                         const tfm_pack_options *options, tfm_error *error);
    /* What `import` wants to know of the family: */
    union {
        const struct tfm_bart_like *bart_like;                                     /* tfm_import_bart_like */
        const struct tfm_bert_like *bert_like;                                     /* tfm_import_bert_like */
        const struct tfm_t5_like *t5_like;                                         /* t5.c */
        void (*read_causal)(struct tfm_causal *causal, struct tfm_config *config); /* tfm_import_causal */
    };
};

/* All importers, in the order of --list, NULL-terminated. */
extern const tfm_importer *const tfm_importers[];

#endif
