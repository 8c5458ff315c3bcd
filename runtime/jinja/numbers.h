/*
 * numbers.h - numbers of chat templates as text and back, as Python writes and reads them and whatever the locale.
 */
#ifndef TFM_RUNTIME_JINJA_NUMBERS_H
#define TFM_RUNTIME_JINJA_NUMBERS_H

#include "value.h"

/* The number that n digits (a sign before them, if any), times ten to a power, are nearest to. */
double tfm_jinja_decimal(jinja_state *state, const char *digits, size_t n, int64_t power);

/* What int() and float() read; false if the string is no such number or after a failure. */
bool tfm_jinja_read_int(jinja_state *state, const jinja_string *string, int64_t *number);
bool tfm_jinja_read_float(jinja_state *state, const jinja_string *string, double *number);

/* The shortest text that gives the number back. */
void tfm_jinja_append_number(jinja_state *state, jinja_buffer *out, jinja_value number);

#endif
