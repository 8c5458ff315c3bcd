/* shown.c - see shown.h. */
#include "shown.h"

#include <string.h>

#include "bytes.h"

bool tfm_is_line_control(uint32_t code) {
    return (code >= '\t' && code <= '\r') || code == 0x85 || code == 0x2028 || code == 0x2029;
}

bool tfm_is_control(uint32_t code) {
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069);
}

bool tfm_text_append_shown(tfm_text *out, const char *text, size_t n, const char *keep) {
    bool ok = tfm_text_reserve(out, n);
    for (size_t i = 0; i < n && ok;) {
        uint32_t code;
        size_t length = tfm_character(text + i, n - i, &code);
        if (length == 0)
            ok = tfm_text_append(out, "\xef\xbf\xbd", 3);
        else if (!tfm_is_control(code) || (code && code < 0x80 && strchr(keep, (int)code)))
            ok = tfm_text_append(out, text + i, length);
        else
            ok = tfm_is_line_control(code) ? tfm_text_append(out, " ", 1) : tfm_text_print(out, "[U+%04X]", code);
        i += length ? length : 1;
    }
    return ok;
}

void tfm_say(FILE *out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    tfm_say_list(out, format, arguments);
    va_end(arguments);
}

void tfm_say_list(FILE *out, const char *format, va_list arguments) {
    tfm_text raw = {0}, line = {0};
    const bool ok = tfm_text_print_list(&raw, format, arguments) &&
                    tfm_text_append_shown(&line, raw.data, raw.size, "") && tfm_text_append(&line, "\n", 1);
    if (ok)
        fwrite(line.data, 1, line.size, out);
    else
        fputs("(out of memory)\n", out);
    tfm_text_free(&raw);
    tfm_text_free(&line);
}
