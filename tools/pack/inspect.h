/*
 * inspect.h - what is in a model file, or what a checkpoint would become: for people, or as one JSON object.
 */
#ifndef TFM_TOOLS_PACK_INSPECT_H
#define TFM_TOOLS_PACK_INSPECT_H

#include <jansson.h>
#include <stdio.h>

#include "model_view.h"

typedef struct tfm_inspection {
    bool verbose;         /* all values and every tensor, not a summary */
    const json_t *source; /* what a checkpoint says of itself (checkpoint_facts.h), or NULL */
    const json_t *notes;  /* what was said while it was packed: strings */
} tfm_inspection;

/* In the order in which people ask: what it is, how it works, what it does if nothing is said, what it is made of. */
tfm_status tfm_inspect_text(const tfm_model_view *view, const tfm_inspection *inspection, FILE *out, tfm_error *error);
tfm_status tfm_inspect_json(const tfm_model_view *view, const tfm_inspection *inspection, FILE *out, tfm_error *error);
/* Of a checkpoint that cannot be packed, the little that is known (path, facts as above). */
void tfm_inspect_checkpoint(const char *path, const json_t *source, FILE *out);

/* Names of what files have: "panels"; "u32" for an array of such. */
const char *tfm_layout_name(tfm_layout layout);
const char *tfm_value_type_name(tfm_value_type type);

#endif
