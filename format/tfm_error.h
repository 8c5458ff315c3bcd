/*
 * tfm_error.h - what every layer of tfm shares with its callers: statuses, errors, progress. A part of the public
 * interface; tfm.h includes it.
 */
#ifndef TFM_ERROR_H
#define TFM_ERROR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TFM_API __attribute__((visibility("default")))
#define TFM_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define TFM_API
#define TFM_PRINTF(text, first)
#endif

/* The values are part of the ABI and never change their meaning. */
typedef enum tfm_status {
    TFM_OK = 0,
    TFM_ERROR_ARGUMENT = 1,    /* the caller passed something out of range */
    TFM_ERROR_MEMORY = 2,      /* the system has no more memory */
    TFM_ERROR_IO = 3,          /* a file could not be opened, read, mapped or written */
    TFM_ERROR_FORMAT = 4,      /* the file is not a model file, or its structure is wrong */
    TFM_ERROR_CORRUPT = 5,     /* a hash does not match: the file was damaged */
    TFM_ERROR_UNSUPPORTED = 6, /* the file needs something this version or this processor does not have */
    TFM_ERROR_LIMIT = 7,       /* an input is longer than the model or the session allows */
    TFM_ERROR_CANCELLED = 8,   /* a callback or tfm_session_cancel asked to stop */
    TFM_ERROR_CHANGED = 9,     /* the model file shrank while it was in use */
    TFM_ERROR_STATE = 10       /* the call does not fit the state or the kind of the model or session */
} tfm_status;

typedef struct tfm_error {
    tfm_status status;
    char message[500]; /* one sentence or more, NUL-terminated UTF-8, no newline */
} tfm_error;

/* A short English name of a status ("file is damaged"), never NULL. */
TFM_API const char *tfm_status_text(tfm_status status);

/*
 * Fills *error (which may be NULL) with a sentence formatted as by printf, and returns status. What is no UTF-8 in it,
 * or a control character, becomes "?". Programs may use it too, so that their own functions report as the library's do:
 *     if (!file) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot be opened: %s", path, strerror(errno));
 */
TFM_API tfm_status tfm_fail(tfm_error *error, tfm_status status, const char *format, ...) TFM_PRINTF(3, 4);

/*
 * The failure that can come anywhere: tfm_fail with TFM_ERROR_MEMORY and "WHAT: out of memory", where WHAT, formatted
 * as by printf, is the file or the thing the memory was for.
 */
TFM_API tfm_status tfm_no_memory(tfm_error *error, const char *what, ...) TFM_PRINTF(2, 3);

/* Called with bytes done of bytes in total; a nonzero return stops the operation with TFM_ERROR_CANCELLED. */
typedef int (*tfm_progress)(void *user, uint64_t done, uint64_t total);

#ifdef __cplusplus
}
#endif

#endif
