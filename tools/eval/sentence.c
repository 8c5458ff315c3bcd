/* sentence.c - words and characters of UTF-8 text. */
#include "sentence.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "runtime/tfm.h"

bool tfm_is_space(uint32_t code) {
    const utf8proc_property_t *property = utf8proc_get_property((utf8proc_int32_t)code);
    return property->category == UTF8PROC_CATEGORY_ZS || property->bidi_class == UTF8PROC_BIDI_CLASS_WS ||
           property->bidi_class == UTF8PROC_BIDI_CLASS_B || property->bidi_class == UTF8PROC_BIDI_CLASS_S;
}

/* The character at text[at]; *size receives its bytes. */
static uint32_t character_at(tfm_slice text, size_t at, size_t *size) {
    uint32_t code;
    *size = tfm_character(text.data + at, text.n - at, &code); /* callers check their input: it is valid */
    if (*size == 0) *size = 1;
    return code;
}

tfm_slice tfm_trim_end(tfm_slice text) {
    size_t end = 0;
    for (size_t at = 0, size; at < text.n; at += size)
        if (!tfm_is_space(character_at(text, at, &size))) end = at + size;
    return (tfm_slice){text.data, end};
}

static bool push_word(tfm_words *words, const char *data, size_t n) {
    if (!tfm_grow(&words->items, &words->capacity, words->n, 1, sizeof *words->items)) return false;
    words->items[words->n++] = (tfm_slice){data, n};
    return true;
}

bool tfm_words_split(tfm_words *words, tfm_slice text) {
    size_t start = 0;
    for (size_t at = 0, size; at < text.n; at += size) {
        if (!tfm_is_space(character_at(text, at, &size))) continue;
        if (at > start && !push_word(words, text.data + start, at - start)) return false;
        start = at + size;
    }
    return start == text.n || push_word(words, text.data + start, text.n - start);
}

static bool is_ascii_punctuation(char c) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

bool tfm_words_split_punctuation(tfm_words *words) {
    tfm_words parts = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < words->n; i++) {
        tfm_slice word = words->items[i];
        size_t size;
        character_at(word, 0, &size);
        size_t cut = word.n; /* a word of one character stays whole */
        if (size < word.n) {
            if (is_ascii_punctuation(word.data[word.n - 1]))
                cut = word.n - 1;
            else if (is_ascii_punctuation(word.data[0]))
                cut = 1;
        }
        ok = push_word(&parts, word.data, cut) && (cut == word.n || push_word(&parts, word.data + cut, word.n - cut));
    }
    tfm_words_free(words);
    *words = parts;
    return ok;
}

/* A word and where its number goes. */
typedef struct occurrence {
    tfm_slice word;
    uint32_t *number;
} occurrence;

static int compare_occurrences(const void *a, const void *b) {
    const occurrence *x = a, *y = b;
    if (x->word.n != y->word.n) return x->word.n < y->word.n ? -1 : 1;
    return memcmp(x->word.data, y->word.data, x->word.n);
}

bool tfm_words_number(tfm_words *words, size_t n) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++) total += words[i].n;
    if (total == 0) return true;
    if (total > UINT32_MAX) return false;
    occurrence *all = reallocarray(NULL, total, sizeof *all);
    bool ok = all != NULL;
    size_t filled = 0;
    for (size_t i = 0; ok && i < n; i++) {
        if (words[i].n == 0) continue;
        free(words[i].numbers);
        words[i].numbers = reallocarray(NULL, words[i].n, sizeof *words[i].numbers);
        ok = words[i].numbers != NULL;
        for (size_t j = 0; ok && j < words[i].n; j++)
            all[filled++] = (occurrence){words[i].items[j], &words[i].numbers[j]};
    }
    if (ok) {
        qsort(all, total, sizeof *all, compare_occurrences);
        uint32_t number = 0;
        for (size_t i = 0; i < total; i++) {
            if (i > 0 && compare_occurrences(&all[i - 1], &all[i]) != 0) number++;
            *all[i].number = number;
        }
    }
    free(all);
    return ok;
}

void tfm_words_free(tfm_words *words) {
    free(words->items);
    free(words->numbers);
    *words = (tfm_words){0};
}

bool tfm_characters_decode(tfm_characters *characters, tfm_slice text, bool whitespace) {
    if (text.n == 0) return true;
    characters->data = reallocarray(NULL, text.n, sizeof *characters->data);
    if (!characters->data) return false;
    for (size_t at = 0, size; at < text.n; at += size) {
        uint32_t code = character_at(text, at, &size);
        if (whitespace || !tfm_is_space(code)) characters->data[characters->n++] = code;
    }
    return true;
}

void tfm_characters_free(tfm_characters *characters) {
    free(characters->data);
    *characters = (tfm_characters){0};
}
