/* names.c - rules for text in model.bin: names of tensors and sections, keys. */
#include "names.h"

#include <string.h>

bool tfm_name_chars(const char *text, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && (c == '\0' || !strchr("._-:%/", c))) return false;
    }
    return true;
}

bool tfm_section_extension(const char *name) { return name[0] == 'x' && name[1] == '-'; }

bool tfm_section_known(const char *name) {
    static const char *const known[] = {"architecture", "generation", "tokenizer", "tokenizer.target", "chat",
                                        "shortlist",    "metadata",   "origin",    "languages"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0) return true;
    return false;
}
