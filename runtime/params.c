/* params.c - see params.h. */
#include "params.h"

#include <string.h>

#include "format/model_file.h"

/* Larger than any struct of settings will be: a number above it is no size. */
#define SIZE_MAX_SENSIBLE ((size_t)1 << 16)

static bool all_zero(const char *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (bytes[i]) return false;
    return true;
}

tfm_status tfm_params_take(void *own, size_t own_size, const void *caller, const char *name, tfm_error *error) {
    size_t size;
    if (!caller) return TFM_OK;
    memcpy(&size, caller, sizeof size);
    if (size < sizeof size || size > SIZE_MAX_SENSIBLE)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s.size is %zu: start from %s_default()", name, size, name);
    if (size > own_size && !all_zero((const char *)caller + own_size, size - own_size))
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                        "%s is of a newer version: the program sets members that this library (%s) does not know; use "
                        "a newer library, or leave them out",
                        name, tfm_version());
    memcpy(own, caller, size < own_size ? size : own_size);
    memcpy(own, &own_size, sizeof own_size);
    return TFM_OK;
}

tfm_status tfm_params_check_reserved(const void *const reserved[2], const char *name, tfm_error *error) {
    if (!reserved[0] && !reserved[1]) return TFM_OK;
    return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                    "%s.reserved is not NULL: set all of the struct, or use a newer library than %s", name,
                    tfm_version());
}

void tfm_params_give(void *caller, size_t size, const void *own, size_t own_size) {
    if (size > own_size) memset((char *)caller + own_size, 0, size - own_size);
    memcpy(caller, own, size < own_size ? size : own_size);
    memcpy(caller, &size, size < sizeof size ? size : sizeof size);
}
