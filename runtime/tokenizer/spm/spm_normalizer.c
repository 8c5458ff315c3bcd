/* spm_normalizer.c - SentencePiece's normalisation (Kudo and Richardson 2018, section 3.2), with its rules in a trie.
 */
#include "spm_normalizer.h"

#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"

/* True if the byte begins no spelling that is ASCII in its first two bytes. */
static bool is_plain(const tfm_trie *trie, unsigned char byte) {
    uint32_t node = 0;
    if (!trie->units || !tfm_trie_step(trie, &node, byte)) return true;
    if (trie->units[node].value != 0) return false;
    for (unsigned next = 0; next < 128; next++) {
        uint32_t child = node;
        if (tfm_trie_step(trie, &child, (unsigned char)next)) return false;
    }
    return true;
}

void tfm_spm_normalizer_prepare(tfm_spm_normalizer *z) {
    for (unsigned byte = 0; byte < 128; byte++) {
        z->plain[byte] = is_plain(&z->rules, (unsigned char)byte) && is_plain(&z->symbols, (unsigned char)byte);
    }
}

/* What one step makes of the beginning of a text. */
typedef struct step {
    const char *text;
    size_t n;
    size_t consumed;
} step;

/* A symbol, else the longest rule, else one character; a byte that begins none becomes U+FFFD. n >= 1. */
static step normalize_prefix(const tfm_spm_normalizer *z, const char *text, size_t n) {
    size_t length = 0;
    if (z->symbols.units && tfm_trie_longest(&z->symbols, text, n, &length) != 0) {
        return (step){text, length, length};
    }
    if (z->rules.units) {
        uint32_t rule = tfm_trie_longest(&z->rules, text, n, &length);
        if (rule != 0) {
            uint32_t from = z->offsets[rule - 1], to = z->offsets[rule];
            return (step){z->replacements + from, to - from, length};
        }
    }
    length = tfm_utf8_char_length(text, n);
    if (length == 0) return (step){TFM_UTF8_REPLACEMENT, 3, 1};
    return (step){text, length, length};
}

static void put_space(const tfm_spm_normalizer *z, tfm_text *out) {
    if (z->escape_whitespaces) {
        memcpy(out->data + out->size, TFM_SPM_SPACE, 3);
        out->size += 3;
    } else {
        out->data[out->size++] = ' ';
    }
}

/* Asked for every replacement, and mostly there is room. */
static bool reserve(tfm_text *out, size_t n) { return out->capacity - out->size > n || tfm_text_reserve(out, n); }

static bool put(const tfm_spm_normalizer *z, const char *text, size_t n, tfm_text *out) {
    size_t room;
    if (__builtin_mul_overflow(n, (size_t)3, &room) || !reserve(out, room)) return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == ' ') {
            put_space(z, out);
        } else {
            out->data[out->size++] = text[i];
        }
    }
    return true;
}

/* Copies ASCII that no rule or symbol touches; stops before anything else. Returns the bytes consumed. */
static size_t put_plain(const tfm_spm_normalizer *z, const char *text, size_t n, bool *after_space, tfm_text *out) {
    size_t i = 0;
    for (; i < n; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte >= 0x80 || !z->plain[byte] || (i + 1 < n && (unsigned char)text[i + 1] >= 0x80)) break;
        if (out->capacity - out->size < 3 && !tfm_text_reserve(out, 3 + (n - i))) break;
        if (byte != ' ') {
            out->data[out->size++] = (char)byte;
            *after_space = false;
        } else if (!*after_space) {
            put_space(z, out);
            *after_space = z->remove_extra_whitespaces;
        }
    }
    return i;
}

static bool put_all(const tfm_spm_normalizer *z, const char *text, size_t n, tfm_text *out) {
    bool after_space = z->remove_extra_whitespaces;
    while (n > 0) {
        size_t consumed = put_plain(z, text, n, &after_space, out);
        text += consumed;
        n -= consumed;
        if (n == 0) break;
        step next = normalize_prefix(z, text, n);
        while (after_space && next.n > 0 && next.text[0] == ' ') {
            next.text++;
            next.n--;
        }
        if (next.n > 0) {
            if (!put(z, next.text, next.n, out)) return false;
            after_space = z->remove_extra_whitespaces && next.text[next.n - 1] == ' ';
        }
        text += next.consumed;
        n -= next.consumed;
    }
    return true;
}

static void drop_trailing_spaces(const tfm_spm_normalizer *z, size_t start, tfm_text *out) {
    const char *space = z->escape_whitespaces ? TFM_SPM_SPACE : " ";
    size_t n = strlen(space);
    while (out->size - start >= n && memcmp(out->data + out->size - n, space, n) == 0) out->size -= n;
}

bool tfm_spm_normalize(const tfm_spm_normalizer *z, const char *text, size_t n, tfm_text *out) {
    if (z->remove_extra_whitespaces) {
        while (n > 0) {
            step next = normalize_prefix(z, text, n);
            if (next.n != 1 || next.text[0] != ' ') break;
            text += next.consumed;
            n -= next.consumed;
        }
    }
    if (n == 0) return true;
    size_t start = out->size, room;
    if (__builtin_add_overflow(n, n / 2 + 16, &room) || !reserve(out, room)) return false;
    if (z->add_dummy_prefix && !z->whitespace_as_suffix) put_space(z, out);
    if (!put_all(z, text, n, out)) return false;
    if (z->remove_extra_whitespaces) drop_trailing_spaces(z, start, out);
    if (z->add_dummy_prefix && z->whitespace_as_suffix) {
        if (!reserve(out, 3)) return false;
        put_space(z, out);
    }
    return true;
}
