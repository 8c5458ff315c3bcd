/* inspect_lines.c - see inspect_lines.h. */
#include "inspect_lines.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "tools/common/bytes.h"
#include "tools/common/shown.h"

enum { WIDTH = 80, FACT_COLUMN = 17 };

const char *tfm_size_text(uint64_t bytes, char *text, size_t size) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit < 4; unit++) value /= 1024;
    snprintf(text, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

const char *tfm_grouped(uint64_t number, char *text, size_t size) {
    char digits[32];
    size_t n = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, number), out = 0;
    for (size_t i = 0; i < n && out + 2 < size; i++) {
        if (i > 0 && (n - i) % 3 == 0) text[out++] = ',';
        text[out++] = digits[i];
    }
    text[out] = '\0';
    return text;
}

static size_t columns_of(const char *text, size_t n) {
    size_t columns = 0, length;
    uint32_t code;
    for (size_t i = 0; i<n; i += length> 0 ? length : 1) {
        length = tfm_character(text + i, n - i, &code);
        columns += tfm_columns(code);
    }
    return columns;
}

/* A line that may be shown, from a column on. */
static void print_words(FILE *out, size_t column, const char *text) {
    size_t at = column;
    while (*text) {
        const size_t blanks = strspn(text, " "), length = strcspn(text + blanks, " ");
        const size_t columns = columns_of(text + blanks, length);
        if (at > column && at + blanks + columns > WIDTH) {
            fprintf(out, "\n%*s", (int)column, "");
            at = column;
        } else {
            fprintf(out, "%*s", (int)blanks, "");
            at += blanks;
        }
        fwrite(text + blanks, 1, length, out);
        at += columns;
        text += blanks + length;
    }
    fputc('\n', out);
}

void tfm_print_wrapped(FILE *out, size_t column, const char *text) {
    for (bool more = true; more;) {
        const size_t n = strcspn(text, "\n");
        tfm_text line = {0};
        if (tfm_text_append_shown(&line, text, n, "") && tfm_text_append(&line, "", 1))
            print_words(out, column, line.data);
        else
            fputs("(out of memory)\n", out);
        tfm_text_free(&line);
        more = text[n] != '\0';
        if (more) fprintf(out, "%*s", (int)column, "");
        text += n + more;
    }
}

void tfm_print_fact(FILE *out, const char *name, const char *format, ...) {
    tfm_text text = {0};
    va_list arguments;
    va_start(arguments, format);
    fprintf(out, "  %-*s", FACT_COLUMN - 2, name);
    if (tfm_text_print_list(&text, format, arguments))
        tfm_print_wrapped(out, FACT_COLUMN, text.data);
    else
        fputs("(out of memory)\n", out);
    va_end(arguments);
    tfm_text_free(&text);
}
