/*
 * inspect_lines.h - how --inspect writes lines: names at the left, values in one column, nothing past 80 columns.
 */
#ifndef TFM_TOOLS_PACK_INSPECT_LINES_H
#define TFM_TOOLS_PACK_INSPECT_LINES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Bytes in the unit people read: "22.2 MiB". Gives text. */
const char *tfm_size_text(uint64_t bytes, char *text, size_t size);
/* 1234567 as 1,234,567. Gives text. */
const char *tfm_grouped(uint64_t number, char *text, size_t size);

/*
 * Text of a stranger from a column on, as it may be shown, wrapped between words at 80 columns; its lines stand one
 * below the other. Ends the line.
 */
void tfm_print_wrapped(FILE *out, size_t column, const char *text);
/* "  name          text", with what printf makes of the format. */
void tfm_print_fact(FILE *out, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
