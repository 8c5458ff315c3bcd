/*
 * program.h - running a command-line program in a scratch directory, with everything it prints recorded.
 */
#ifndef TFM_TESTS_SUPPORT_PROGRAM_H
#define TFM_TESTS_SUPPORT_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

typedef struct outcome {
    int code;        /* exit status, or 128 + signal */
    char *out, *err; /* NUL-terminated */
    size_t n_out;
} outcome;

/*
 * A new directory, and now the current one; leave_scratch removes it. For the .init and .fini of a test: programs that
 * it starts get signals that nobody ignores.
 */
void enter_scratch(void);
void leave_scratch(void);

/*
 * Runs argv (NULL-terminated) with the words of the environment variable TFM_TEST_EXEC before it, if there are any.
 * input: what stdin holds, or NULL for nothing. The caller gives the outcome to free_outcome.
 */
outcome run_program(const char *const *argv, const char *input);
void free_outcome(outcome *result);

/* A program at the other end of two pipes, started like the one above; stderr goes where the test's goes. */
typedef struct dialog {
    int to, from;
    int child;
} dialog;
dialog start_dialog(const char *const *argv);
/* Sends a line, waits for the line that answers it and gives it without its end; the caller frees it. */
char *ask_program(dialog *d, const char *line);
/* Ends the program's input and gives its exit status. */
int end_dialog(dialog *d);

/* Writes a file in the scratch directory, and the same for text without NULs. */
void write_bytes(const char *name, const void *data, size_t n);
void write_text(const char *name, const char *text);

/* A whole file, NUL-terminated, which the caller frees. */
char *read_text(const char *name);

#endif
