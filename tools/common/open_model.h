/*
 * open_model.h - a model with the threads it runs on, opened as the options of a command line say.
 */
#ifndef TFM_TOOLS_COMMON_OPEN_MODEL_H
#define TFM_TOOLS_COMMON_OPEN_MODEL_H

#include "runtime/tfm.h"

typedef struct tfm_model_choice {
    uint32_t threads; /* 0: all cores this process may use */
    const char *isa;  /* NULL: TFM_ISA, else the best */
    int verify;       /* tfm_verify */
} tfm_model_choice;

/* The values of --verify, in the order of tfm_verify; NULL-terminated. */
extern const char *const tfm_verify_names[];

/*
 * Starts the threads and opens the model at path, with a progress bar for large files on a terminal. The caller frees
 * both, after an error too. Errors: those of tfm_pool_create and tfm_model_open.
 */
tfm_status tfm_open_model(const char *path, const tfm_model_choice *choice, tfm_pool **pool, tfm_model **model,
                          tfm_error *error);

#endif
