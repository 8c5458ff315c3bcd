/* tap.h - results of plain test programs (Test Anything Protocol), for tests that Criterion is in the way of. */
#ifndef TFM_TESTS_SUPPORT_TAP_H
#define TFM_TESTS_SUPPORT_TAP_H

#include <stdbool.h>

/* Counts and prints one named case; returns ok. */
bool tap_ok(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A case that cannot be run here, and why. */
void tap_skip(const char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line for people. */
void tap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the program at once: what follows cannot be tested. */
void tap_bail_out(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Prints the plan; 0 if every case passed. */
int tap_done(void);

#endif
