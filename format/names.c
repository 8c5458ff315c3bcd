/* names.c - rules for text in model.bin: names, keys, UTF-8. */
#include "names.h"

#include <stdint.h>
#include <string.h>

bool tfm_name_chars(const char *text, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && (c == '\0' || !strchr("._-:%/", c))) return false;
    }
    return true;
}

/* Bytes of the one character at text, 0 if it is not valid UTF-8. n is at least 1. */
static size_t utf8_length(const unsigned char *text, size_t n) {
    if (text[0] < 0x80) return 1;
    size_t length = text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : 2;
    if (text[0] < 0xC2 || text[0] > 0xF4 || n < length) return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xC0) != 0x80) return 0;
    /* The second byte is restricted where the first would allow overlong forms, surrogates or more than U+10FFFF. */
    if ((text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xED && text[1] > 0x9F) ||
        (text[0] == 0xF0 && text[1] < 0x90) || (text[0] == 0xF4 && text[1] > 0x8F))
        return 0;
    return length;
}

size_t tfm_utf8_valid_prefix(const char *text, size_t n) {
    const unsigned char *bytes = (const unsigned char *)text;
    size_t at = 0;
    while (at < n) {
        uint64_t eight;
        if (n - at >= sizeof eight) {
            memcpy(&eight, bytes + at, sizeof eight);
            if ((eight & 0x8080808080808080u) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        size_t length = utf8_length(bytes + at, n - at);
        if (length == 0) break;
        at += length;
    }
    return at;
}

bool tfm_section_extension(const char *name) { return name[0] == 'x' && name[1] == '-'; }

bool tfm_section_known(const char *name) {
    static const char *const known[] = {"architecture", "generation", "tokenizer", "tokenizer.target",
                                        "chat",         "shortlist",  "metadata",  "origin"};
    for (size_t i = 0; i < sizeof(known) / sizeof known[0]; i++)
        if (strcmp(name, known[i]) == 0) return true;
    return false;
}
