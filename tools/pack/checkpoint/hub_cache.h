/*
 * hub_cache.h - the cache in which the tools of the Hugging Face hub keep what they downloaded: read, never filled.
 */
#ifndef TFM_TOOLS_PACK_CHECKPOINT_HUB_CACHE_H
#define TFM_TOOLS_PACK_CHECKPOINT_HUB_CACHE_H

#include <stdbool.h>

#include "format/tfm_error.h"
#include "tools/pack/common/path.h"

typedef struct tfm_hub_source {
    tfm_path path;  /* what is to be opened: a snapshot, or the source itself */
    char name[200]; /* "org/name" where the cache says so, else "" */
} tfm_hub_source;

/*
 * What a source is: models--ORG--NAME of a cache becomes the snapshot that its refs/main names, or its only one; the
 * name ORG/NAME of a model becomes that of the cache in $HF_HUB_CACHE, $HF_HOME/hub or ~/.cache/huggingface/hub, unless
 * there is a file or folder of that path, or of ORG; all else stays itself. A model that is not in the cache, or one of
 * several snapshots of which none is named, is refused with what to do (TFM_ERROR_IO).
 */
tfm_status tfm_hub_find(const char *source, tfm_hub_source *found, tfm_error *error);

/* Whether a text is the name of a model on the hub, "org/name", as far as can be seen: not a path that begins with a
 * dot or slash. */
bool tfm_hub_is_name(const char *text);

#endif
