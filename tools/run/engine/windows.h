/*
 * windows.h - inputs collected into windows that are run at once: a window ends when it is full or when the input
 * pauses, so that memory is bounded and a slow producer is answered at once.
 */
#ifndef TFM_TOOLS_RUN_ENGINE_WINDOWS_H
#define TFM_TOOLS_RUN_ENGINE_WINDOWS_H

#include "runtime/tfm.h"

/* What to do with inputs; user is passed on to each. */
typedef struct tfm_windows {
    void *user;
    /* Puts an input into the window. */
    tfm_status (*add)(void *user, uint64_t number, const char *text, size_t n, tfm_error *error);
    /* Puts one there that is too long to be read; message says so. */
    tfm_status (*add_too_long)(void *user, uint64_t number, const char *message, tfm_error *error);
    size_t (*waiting)(const void *user); /* inputs in the window */
    bool (*full)(const void *user);
    tfm_status (*run)(void *user, tfm_error *error); /* and empties the window */
} tfm_windows;

/* Lines of standard input, numbered from 1. */
tfm_status tfm_windows_lines(const tfm_windows *windows, tfm_error *error);
/* n texts, numbered from 1. */
tfm_status tfm_windows_texts(const tfm_windows *windows, char *const *texts, size_t n, tfm_error *error);

#endif
