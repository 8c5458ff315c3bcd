/*
 * foreign_model.h - a foreign model while it is read: the checkpoint it fills in, and its first failure.
 *
 * Readers of hundreds of names are easier to read when no call has to be checked: the first failure stays, and what
 * comes after it does nothing.
 */
#ifndef TFM_TOOLS_PACK_FOREIGN_FOREIGN_MODEL_H
#define TFM_TOOLS_PACK_FOREIGN_FOREIGN_MODEL_H

#include "tools/pack/checkpoint/checkpoint_format.h"
#include "tools/pack/config/keys.h"

typedef struct tfm_foreign_model {
    tfm_checkpoint *checkpoint;
    const char *path; /* of the file, for messages */
    tfm_status status;
    tfm_error *error;
} tfm_foreign_model;

/* Keeps a failure that names the file. */
__attribute__((format(printf, 3, 4))) void tfm_foreign_fail(tfm_foreign_model *model, tfm_status status,
                                                            const char *format, ...);
/* One line for people, behind those that are there. */
__attribute__((format(printf, 2, 3))) void tfm_foreign_note(tfm_foreign_model *model, const char *format, ...);

/*
 * Looks for keys of a file that say something and that nobody obeys: a note about them, a line for each in
 * checkpoint->ignored, a failure for one that is refused. file: the name of one in `folder`; asked: see tfm_config.
 */
void tfm_foreign_check_keys(tfm_foreign_model *model, const tfm_key_table *table, const char *folder, const char *file,
                            const json_t *object, json_t *asked);

/* Members of config.json and its like. `set` takes value over. */
void tfm_foreign_set(tfm_foreign_model *model, json_t *object, const char *key, json_t *value);
void tfm_foreign_set_u64(tfm_foreign_model *model, json_t *object, const char *key, uint64_t value);
void tfm_foreign_set_real(tfm_foreign_model *model, json_t *object, const char *key, double value);
void tfm_foreign_set_bool(tfm_foreign_model *model, json_t *object, const char *key, bool value);
void tfm_foreign_set_string(tfm_foreign_model *model, json_t *object, const char *key, const char *value);

#endif
