/* cli.c - messages, numbers from text, terminals, progress: what every tool needs. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "runtime/tfm.h"
#include "shown.h"

static const char *program = "tfm";

/*
 * A descriptor that is closed would be given to the next file that is opened, and what is meant for the terminal would
 * be read from or written to a model file. /dev/null takes its place, opened so that reading stdin and writing stdout
 * fail, and are reported, as they would have.
 */
static void fill_standard_descriptors(void) {
    static const int modes[] = {O_WRONLY, O_RDONLY, O_RDWR};
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        int opened = open("/dev/null", modes[fd]); /* the lowest that is free: fd, unless something is very wrong */
        if (opened >= 0 && opened != fd) close(opened);
    }
}

void tfm_program(const char *name) {
    static char buffer[1 << 16]; /* a page of help is written at once, so that its failure has a reason */
    fill_standard_descriptors();
    if (!isatty(STDOUT_FILENO)) setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    program = name;
}

static void (*print_message)(FILE *out, const char *line, size_t n);

void tfm_program_messages(void (*print)(FILE *out, const char *line, size_t n)) { print_message = print; }

/* "NAME: kind" and the message to stderr, as one line. */
static void complain(const char *kind, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));
static void complain(const char *kind, const char *format, va_list arguments) {
    tfm_text raw = {0}, line = {0};
    bool ok = tfm_text_print_list(&raw, format, arguments) && tfm_text_print(&line, "%s: %s", program, kind) &&
              tfm_text_append_shown(&line, raw.data, raw.size, "");
    flockfile(stderr);
    if (!ok)
        fprintf(stderr, "%s: (out of memory)\n", program);
    else if (print_message)
        print_message(stderr, line.data, line.size);
    else
        fprintf(stderr, "%s\n", line.data);
    funlockfile(stderr);
    tfm_text_free(&raw);
    tfm_text_free(&line);
}

int tfm_complain(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    complain("", format, arguments);
    va_end(arguments);
    return TFM_EXIT_FAILURE;
}

int tfm_complain_usage(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    complain("", format, arguments);
    va_end(arguments);
    fprintf(stderr, "Try '%s --help'.\n", program);
    return TFM_EXIT_USAGE;
}

int tfm_note(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    complain("note: ", format, arguments);
    va_end(arguments);
    return TFM_EXIT_OK;
}

int tfm_finish_output(int code) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return code;
    return tfm_complain("cannot write to standard output: %s", errno ? strerror(errno) : "an earlier write failed");
}

int tfm_print_version(const char *isa) {
    tfm_error error;
    const char *chosen, *name;
    bool usable;
    tfm_status status = tfm_isa_choose(isa, &chosen, &error);
    printf("%s (tfm) %s\ninstruction sets:", program, tfm_version());
    for (size_t i = 0; (name = tfm_isa_list(i, &usable)); i++) {
        bool in_use = chosen && strcmp(name, chosen) == 0;
        printf("%s %s%s", i ? "," : "", name, !usable ? " (not on this processor)" : in_use ? " (in use)" : "");
    }
    printf("\n");
    return tfm_finish_output(status == TFM_OK ? TFM_EXIT_OK : tfm_complain("%s", error.message));
}

/* ---- numbers ---- */

/* strtol and its kin skip spaces and take a leading "+": what users type by mistake should not pass. */
static bool starts_number(const char *text, bool negative) {
    if (negative && *text == '-') text++;
    return (*text >= '0' && *text <= '9') || *text == '.';
}

tfm_status tfm_parse_u64(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *value,
                         tfm_error *error) {
    char *end = NULL;
    errno = 0;
    unsigned long long number = starts_number(text, false) ? strtoull(text, &end, 10) : 0;
    if (!end || end == text || *end || errno || number < min || number > max) {
        if (max == UINT64_MAX && min == 0)
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: '%.80s' is not a whole number", what, text);
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: '%.80s' is not a whole number from %llu to %llu", what, text,
                        (unsigned long long)min, (unsigned long long)max);
    }
    *value = number;
    return TFM_OK;
}

tfm_status tfm_parse_i64(const char *what, const char *text, int64_t min, int64_t max, int64_t *value,
                         tfm_error *error) {
    char *end = NULL;
    errno = 0;
    long long number = starts_number(text, true) ? strtoll(text, &end, 10) : 0;
    if (!end || end == text || *end || errno || number < min || number > max)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: '%.80s' is not a whole number from %lld to %lld", what, text,
                        (long long)min, (long long)max);
    *value = number;
    return TFM_OK;
}

tfm_status tfm_parse_double(const char *what, const char *text, double min, double max, double *value,
                            tfm_error *error) {
    char *end = NULL;
    double number = starts_number(text, true) && !strpbrk(text, "xX") ? strtod(text, &end) : 0;
    /* Values below DBL_MIN come with ERANGE and are good enough; infinity is not. */
    if (!end || end == text || *end || !isfinite(number) || number < min || number > max)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: '%.80s' is not a number from %.9g to %.9g", what, text, min,
                        max);
    *value = number;
    return TFM_OK;
}

tfm_status tfm_parse_bool(const char *what, const char *text, bool *value, tfm_error *error) {
    if (strcasecmp(text, "true") == 0)
        *value = true;
    else if (strcasecmp(text, "false") == 0)
        *value = false;
    else
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: '%.80s' is neither true nor false", what, text);
    return TFM_OK;
}

/* ---- time, terminals ---- */

double tfm_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bool tfm_color_terminal(int fd) {
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    return isatty(fd) && term && *term && strcmp(term, "dumb") != 0 && !(no_color && *no_color);
}

unsigned tfm_terminal_columns(int fd) {
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) return size.ws_col;
    return 80;
}

int tfm_progress_show(void *user, uint64_t done, uint64_t total) {
    tfm_progress_bar *bar = user;
    double now = tfm_seconds();
    if (total < bar->min_bytes || total == 0 || now - bar->last < 0.1 || !isatty(STDERR_FILENO)) return 0;
    bar->last = now;
    bar->shown = true;
    char cells[21];
    size_t full = (size_t)((double)done / (double)total * 20);
    for (size_t i = 0; i < 20; i++) cells[i] = i < full ? '#' : '.';
    cells[20] = 0;
    tfm_text what = {0};
    tfm_text_append_shown(&what, bar->what, strlen(bar->what), "");
    fprintf(stderr, "\r%.*s [%s] %3.0f %%", (int)tfm_terminal_columns(STDERR_FILENO) - 30, what.data ? what.data : "",
            cells, 100 * (double)done / (double)total);
    fflush(stderr);
    tfm_text_free(&what);
    return 0;
}

void tfm_progress_end(tfm_progress_bar *bar) {
    if (!bar->shown) return;
    fprintf(stderr, "\r%*s\r", (int)tfm_terminal_columns(STDERR_FILENO) - 1, "");
    fflush(stderr);
    bar->shown = false;
}
