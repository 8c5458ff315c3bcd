/* tap.c - see tap.h. */
#include "tap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned n_cases, n_failed;

bool tap_ok(bool ok, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("%s %u - ", ok ? "ok" : "not ok", ++n_cases);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
    fflush(stdout);
    n_failed += !ok;
    return ok;
}

void tap_skip(const char *why, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("ok %u - ", ++n_cases);
    vprintf(format, arguments);
    printf(" # SKIP %s\n", why);
    va_end(arguments);
}

void tap_note(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("# ");
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}

void tap_bail_out(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("Bail out! ");
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
    exit(1);
}

int tap_done(void) {
    printf("1..%u\n", n_cases);
    return n_failed > 0 || n_cases == 0;
}
