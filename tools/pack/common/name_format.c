/* name_format.c - see name_format.h. */
#include "name_format.h"

#include <stdarg.h>
#include <stdio.h>

tfm_name tfm_name_format(const char *format, ...) {
    tfm_name result;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result.text, sizeof result.text, format, arguments);
    va_end(arguments);
    return result;
}
