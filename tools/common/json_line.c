/* json_line.c - see json_line.h. */
#include "json_line.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

json_t *tfm_json_text(const char *text, size_t n) {
    tfm_text valid = {0};
    json_t *string = NULL;
    if (tfm_text_append_valid(&valid, text, n)) string = json_stringn(valid.data ? valid.data : "", valid.size);
    tfm_text_free(&valid);
    return string;
}

json_t *tfm_json_number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static const struct {
    const char *bytes, *escape;
} separators[] = {{"\xC2\x85", "\\u0085"}, {"\xE2\x80\xA8", "\\u2028"}, {"\xE2\x80\xA9", "\\u2029"}};

/* Such characters stand inside strings only, so they can be escaped wherever they are. */
static bool append_escaped(tfm_text *line, const char *text) {
    while (*text) {
        size_t n = strcspn(text, "\xC2\xE2");
        if (!tfm_text_append(line, text, n)) return false;
        text += n;
        if (!*text) break;
        size_t i = 0, length = 0;
        for (; i < sizeof separators / sizeof *separators; i++) {
            length = strlen(separators[i].bytes);
            if (!strncmp(text, separators[i].bytes, length)) break;
        }
        bool separates = i < sizeof separators / sizeof *separators;
        if (!separates) length = 1;
        if (!(separates ? tfm_text_append(line, separators[i].escape, 6) : tfm_text_append(line, text, 1)))
            return false;
        text += length;
    }
    return true;
}

bool tfm_json_line(const json_t *object, size_t flags, tfm_text *line) {
    char *text = json_dumps(object, flags);
    bool ok = text && append_escaped(line, text) && tfm_text_append(line, "\n", 1);
    free(text);
    return ok;
}
