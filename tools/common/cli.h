/*
 * cli.h - what every command-line tool needs: messages, exit codes, numbers from text, terminals, help and options.
 *
 * A tool calls tfm_program() first. Messages go to stderr as "NAME: message".
 */
#ifndef TFM_TOOLS_COMMON_CLI_H
#define TFM_TOOLS_COMMON_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/tfm.h"

enum { TFM_EXIT_OK = 0, TFM_EXIT_FAILURE = 1, TFM_EXIT_USAGE = 2 };

/* Names the program in messages; name must stay. Descriptors 0 to 2 that are closed are opened to nothing. */
void tfm_program(const char *name);

/*
 * Prints "NAME: message" and returns TFM_EXIT_FAILURE. A message is one line, whatever the strings in it hold: see
 * shown.h.
 */
int tfm_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints "NAME: note: message" and returns TFM_EXIT_OK. */
int tfm_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* As tfm_complain, then where to find help; returns TFM_EXIT_USAGE. */
int tfm_complain_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* From now on print writes such messages, each a line of n bytes without its end; NULL: they are written as they are.
 */
void tfm_program_messages(void (*print)(FILE *out, const char *line, size_t n));

/* Writes what stdout still holds: code, or TFM_EXIT_FAILURE after a sentence where it, or an earlier write, failed. */
int tfm_finish_output(int code);

/*
 * Prints the program's version and the instruction sets there are, with the one that a model opened with isa runs on
 * (NULL: none is asked for), or complains that it cannot be had. Returns TFM_EXIT_OK or TFM_EXIT_FAILURE.
 */
int tfm_print_version(const char *isa);

/*
 * Strict numbers: the whole text must be one number within [min, max]; no spaces, no "nan", no "inf". what names the
 * option in the message ("--num-beams: 'x' is not a whole number from 1 to 1000").
 * Error: TFM_ERROR_ARGUMENT.
 */
tfm_status tfm_parse_u64(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *value,
                         tfm_error *error);
tfm_status tfm_parse_i64(const char *what, const char *text, int64_t min, int64_t max, int64_t *value,
                         tfm_error *error);
tfm_status tfm_parse_double(const char *what, const char *text, double min, double max, double *value,
                            tfm_error *error);
/* true/false in any case, as people know them from Python and JSON. */
tfm_status tfm_parse_bool(const char *what, const char *text, bool *value, tfm_error *error);

/* Seconds of the monotonic clock. */
double tfm_seconds(void);

/* Is fd a terminal that understands colours and cursor movement (TERM is set and not "dumb", NO_COLOR is not set)? */
bool tfm_color_terminal(int fd);
/* Columns of the terminal on fd; 80 where nobody knows. */
unsigned tfm_terminal_columns(int fd);

/*
 * A line on stderr that shows how far something has come, if stderr is a terminal. Its address is the user of
 * tfm_progress_show, which is a tfm_progress. Nothing appears for work below min_bytes.
 */
typedef struct tfm_progress_bar {
    const char *what; /* "verifying model.bin" */
    uint64_t min_bytes;
    double last; /* when it was drawn last; start with 0 */
    bool shown;
} tfm_progress_bar;
int tfm_progress_show(void *bar, uint64_t done, uint64_t total);
/* Removes the line. */
void tfm_progress_end(tfm_progress_bar *bar);

#endif
