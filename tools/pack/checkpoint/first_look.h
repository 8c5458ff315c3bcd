/*
 * first_look.h - what somebody may have meant who names a path where no checkpoint is: errors that say what to do.
 */
#ifndef TFM_TOOLS_PACK_CHECKPOINT_FIRST_LOOK_H
#define TFM_TOOLS_PACK_CHECKPOINT_FIRST_LOOK_H

#include "format/tfm_error.h"

/* All give an error that names the path: of a folder without weights that can be read, */
tfm_status tfm_no_weights(const char *folder, tfm_error *error);
/* of a file that is of no known format, */
tfm_status tfm_no_checkpoint_file(const char *path, tfm_error *error);
/* and of a path that cannot be looked at, with errno as number: perhaps it is misspelt. */
tfm_status tfm_no_path(const char *path, int number, tfm_error *error);

#endif
