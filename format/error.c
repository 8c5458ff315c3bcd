/* error.c - statuses by name, and messages that are clean whatever they speak of. */
#include "tfm_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

const char *tfm_status_text(tfm_status status) {
    switch (status) {
    case TFM_OK: return "no error";
    case TFM_ERROR_ARGUMENT: return "argument out of range";
    case TFM_ERROR_MEMORY: return "out of memory";
    case TFM_ERROR_IO: return "file cannot be read or written";
    case TFM_ERROR_FORMAT: return "not a valid model file";
    case TFM_ERROR_CORRUPT: return "file is damaged";
    case TFM_ERROR_UNSUPPORTED: return "not supported by this version or processor";
    case TFM_ERROR_LIMIT: return "input is too long";
    case TFM_ERROR_CANCELLED: return "cancelled";
    case TFM_ERROR_CHANGED: return "model file changed while in use";
    case TFM_ERROR_STATE: return "not possible with this model or session";
    }
    return "unknown status";
}

/* Paths and names of the outside may hold anything; a message holds UTF-8 without control characters. */
static void clean_message(char *message) {
    size_t n = strlen(message);
    for (size_t at = 0; at < n;) {
        size_t valid = tfm_utf8_valid_prefix(message + at, n - at);
        for (size_t i = at; i < at + valid; i++)
            if ((unsigned char)message[i] < 0x20 || message[i] == 0x7F) message[i] = '?';
        at += valid;
        if (at < n) message[at++] = '?';
    }
}

tfm_status tfm_fail(tfm_error *error, tfm_status status, const char *format, ...) {
    if (error) {
        va_list arguments;
        va_start(arguments, format);
        error->status = status;
        if (vsnprintf(error->message, sizeof error->message, format, arguments) < 0) error->message[0] = '\0';
        va_end(arguments);
        clean_message(error->message);
    }
    return status;
}

tfm_status tfm_no_memory(tfm_error *error, const char *what, ...) {
    char text[sizeof error->message - sizeof ": out of memory"];
    va_list arguments;
    va_start(arguments, what);
    if (vsnprintf(text, sizeof text, what, arguments) < 0) text[0] = '\0';
    va_end(arguments);
    return tfm_fail(error, TFM_ERROR_MEMORY, "%s: out of memory", text);
}
