/*
 * pack.h - what tfmpack does, apart from talking to people: pack, inspect, export.
 */
#ifndef TFM_TOOLS_PACK_PACK_H
#define TFM_TOOLS_PACK_PACK_H

#include <stdio.h>

#include "tools/pack/common/pack_options.h"
#include "tools/pack/shortlist/shortlist.h"

typedef struct tfm_pack_request {
    const char *source, *out;    /* source: a path, or the name of a model in the cache of the Hugging Face hub */
    const char *name;            /* the model's own; NULL: what the source says of itself */
    const char *license;         /* NULL: not said */
    const char *const *metadata; /* (n_metadata) KEY=VALUE for people: languages, where the model comes from, ... */
    size_t n_metadata;
    const char *tokenizer; /* where the tokenizer is; NULL: as the source has it */
    bool dtype_auto;       /* options.dtype is to be the nearest to what most matrices of the source have */
    bool tokenizer_only;
    const char *chat_template; /* a file, instead of the checkpoint's own; NULL: none */
    bool force;                /* replace out though it is no model file */
    tfm_shortlist_request shortlist;
    tfm_pack_options options;
} tfm_pack_request;

/*
 * Checks KEY=VALUE for the request above; what names it in messages. Keys are [A-Za-z0-9._-]+, but none of those that
 * tfmpack writes itself. Error: TFM_ERROR_ARGUMENT.
 */
tfm_status tfm_pack_check_metadata(const char *what, const char *pair, tfm_error *error);

/* Packs a checkpoint folder, or only its tokenizer, or a model file in other types. Nothing appears at out unless all
 * is well. */
tfm_status tfm_pack(const tfm_pack_request *request, tfm_error *error);

/*
 * What tfm_pack would write, in an outline that tells of sections and tensors (format/model_file.h); nothing is
 * written, and no value of a tensor is read. request->out is not looked at. *source becomes what the checkpoint says of
 * itself (checkpoint_facts.h), also where packing it fails, or NULL; the caller decrefs it.
 */
tfm_status tfm_pack_outline(const tfm_pack_request *request, tfm_writer **writer, json_t **source, tfm_error *error);

/* Whether path is a regular file that begins as a model file does. */
bool tfm_pack_is_model_file(const char *path);

/* Facts of a model file for summaries. */
typedef struct tfm_pack_facts {
    char family[64], kind[32];
    char dtype[8], dtype_embed[8];                /* of the layers' matrices; of embeddings and vocabulary projection */
    uint64_t file_bytes, n_tensors, n_parameters; /* parameters: elements that come from the checkpoint */
    bool has_tokenizer, has_shortlist, has_chat_template;
} tfm_pack_facts;
void tfm_pack_get_facts(const tfm_file *file, tfm_pack_facts *facts);

/*
 * Writes the tensors that came from a checkpoint under their names there, matrices in the file's own type, quantised
 * ones in f32. Replaces out only if it is a safetensors file or force is set.
 */
tfm_status tfm_export(const tfm_file *file, const char *out, bool force, tfm_progress progress, void *progress_user,
                      tfm_error *error);

#endif
