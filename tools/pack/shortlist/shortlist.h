/*
 * shortlist.h - which target tokens a translation may be made of, given its source: from files other toolkits use into
 * the section shortlist (docs/model-contents.md).
 */
#ifndef TFM_TOOLS_PACK_SHORTLIST_SHORTLIST_H
#define TFM_TOOLS_PACK_SHORTLIST_SHORTLIST_H

#include "tools/pack/common/pack_options.h"

/* Marian's defaults. */
enum { TFM_SHORTLIST_FIRST = 100, TFM_SHORTLIST_BEST = 100 };

typedef struct tfm_shortlist_request {
    const char *path; /* NULL: no shortlist */
    /* So many of the lowest ids are always allowed; if not has_first, TFM_SHORTLIST_FIRST for a lexical table, else 0.
     */
    uint32_t first;
    bool has_first;
    /* Of a lexical table: most translations of a source token, and what their probability must be above. */
    uint32_t best;
    double threshold;
} tfm_shortlist_request;

/*
 * Reads request->path (docs/tfmpack.md says which formats) and adds the section. The writer must have the model's
 * sections architecture, generation and tokenizer by then. What was not understood as a piece of the vocabulary is told
 * as a note. Errors: TFM_ERROR_IO, _FORMAT (naming the line), _UNSUPPORTED, _LIMIT, _MEMORY, _CANCELLED.
 */
tfm_status tfm_pack_shortlist(const tfm_shortlist_request *request, tfm_writer *writer, const tfm_pack_options *options,
                              tfm_error *error);

#endif
