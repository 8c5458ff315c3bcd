/*
 * interact.h - running tfmrun in the tests: at once with everything recorded, or step by step on pipes or a terminal.
 */
#ifndef TFM_TESTS_TOOLS_RUN_INTERACT_H
#define TFM_TESTS_TOOLS_RUN_INTERACT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tests/support/program.h"

enum { TEST_SECONDS = 120 }; /* patience with a slow machine or an emulator; nothing waits that long when all is well */

/* Paths the build passes in the environment. */
const char *tfmrun_path(void);
const char *shipped_model(void);  /* multi30k-de-en, German to English */
const char *shipped_folder(void); /* its checkpoint, with expected/ */

/* Packs a golden checkpoint as NAME.bin into the scratch directory. */
const char *golden_model(const char *name);

/* Runs tfmrun on a model (NULL: none) with the words after it, NULL-terminated. RUN needs a word at least; NULL is
 * none. */
outcome tfmrun(const char *input, const char *model, const char *const *words);
#define RUN(input, model, ...) tfmrun(input, model, (const char *const[]){__VA_ARGS__, NULL})

/* A program that runs while the test talks to it. */
typedef struct child {
    pid_t pid;
    int in, out;        /* the same descriptor on a terminal */
    char *transcript;   /* NUL-terminated; NULs of the output become "?" */
    size_t n, capacity; /* bytes */
    size_t seen;        /* how far expect() has come */
} child;

/* A scratch directory, and the environment of a plain terminal. For the .init of a test. */
void at_a_terminal(void);
child start_piped(const char *const *words);
child start_on_terminal(const char *const *words);
void send_text(child *c, const char *text);
void send_bytes(child *c, const void *data, size_t n);
/* Waits until text appears behind what earlier calls found; false after seconds, or when the output ended before. */
bool expect_within(child *c, const char *text, double seconds);
/* The same within TEST_SECONDS; fails the test otherwise. */
void expect(child *c, const char *text);
/* Closes what is open, waits; the exit status or 128 + signal. max_kib, if not NULL: the most memory it had. */
int end_child(child *c, long *max_kib);

#endif
