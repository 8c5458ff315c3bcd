/*
 * params.h - structs of tfm.h that begin with their size: between programs and libraries of different versions.
 */
#ifndef TFM_RUNTIME_PARAMS_H
#define TFM_RUNTIME_PARAMS_H

#include "tfm.h"

/*
 * Copies what a program's struct has over *own, which holds the library's defaults; nothing to do if caller is NULL.
 * Both begin with a size_t: the size of the whole. name is that of the type, as errors show it.
 * Errors: TFM_ERROR_ARGUMENT (the size cannot be right), TFM_ERROR_UNSUPPORTED (the program sets what this version does
 * not know); *own is as it was then.
 */
tfm_status tfm_params_take(void *own, size_t own_size, const void *caller, const char *name, tfm_error *error);

/*
 * TFM_ERROR_UNSUPPORTED if an element of an array, named by its type, uses reserved members: then the program is of a
 * newer version.
 */
tfm_status tfm_params_check_reserved(const void *const reserved[2], const char *name, tfm_error *error);

/* Writes the first `size` bytes of *own to a program's struct, with this size in it; what the library lacks is zero. */
void tfm_params_give(void *caller, size_t size, const void *own, size_t own_size);

#endif
