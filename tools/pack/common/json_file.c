/* json_file.c - see json_file.h. */
#include "json_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "source_file.h"
#include "tools/common/bytes.h"

/* The largest tokenizer.json known has 35 MB. */
#define MAX_MIB 256
/* Whole numbers of as many digits are within 64 bits. */
#define MAX_DIGITS 18

/* ---- what Python writes and JSON does not have ---- */

static bool is_of_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '-' ||
           c == '.';
}

static size_t word_length(const char *text, size_t n) {
    size_t length = 0;
    while (length < n && is_of_word(text[length])) length++;
    return length;
}

/* A value outside strings: a number, or a word such as true. */
static bool append_word(tfm_text *out, const char *word, size_t n) {
    char *text = strndup(word, n);
    if (!text) return false;
    const size_t digits = strspn(text + (text[0] == '-'), "0123456789");
    const bool is_number = digits > 0, is_whole = digits + (text[0] == '-') == n;
    const bool is_endless = is_number && isinf(strtod(text, NULL));
    const bool is_word = !strcmp(text, "NaN") || !strcmp(text, "Infinity") || !strcmp(text, "-Infinity");
    const bool quoted = is_endless || is_word;
    bool ok = (!quoted || tfm_text_append(out, "\"", 1)) && tfm_text_append(out, word, n);
    if (quoted)
        ok = ok && tfm_text_append(out, "\"", 1);
    else if (is_whole && digits > MAX_DIGITS)
        ok = ok && tfm_text_append(out, ".0", 2);
    free(text);
    return ok;
}

/* The end of the string that begins at text, past its quotation mark. */
static size_t string_length(const char *text, size_t n) {
    size_t at = 1;
    while (at < n && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
    return at < n ? at + 1 : n;
}

static bool make_json(const tfm_text *text, size_t start, tfm_text *out) {
    bool ok = true;
    for (size_t at = start; ok && at < text->size;) {
        const char *here = text->data + at;
        const size_t left = text->size - at, length = word_length(here, left);
        if (length > 0) {
            ok = append_word(out, here, length);
            at += length;
        } else {
            const size_t n = *here == '"' ? string_length(here, left) : 1;
            ok = tfm_text_append(out, here, n);
            at += n;
        }
    }
    return ok;
}

/* ---- files ---- */

static tfm_status parse(const tfm_text *text, const char *path, unsigned rules, json_t **json, tfm_error *error) {
    const size_t flags = rules & TFM_JSON_NUL ? JSON_ALLOW_NUL : 0;
    const size_t start = text->size >= 3 && !memcmp(text->data, "\xEF\xBB\xBF", 3) ? 3 : 0;
    json_error_t problem;
    *json = json_loadb(text->data + start, text->size - start, flags, &problem);
    if (!*json && json_error_code(&problem) != json_error_out_of_memory) {
        tfm_text plain = {0};
        const bool ok = tfm_text_append(&plain, "", 0) && make_json(text, start, &plain);
        if (ok) *json = json_loadb(plain.data, plain.size, flags, &problem);
        tfm_text_free(&plain);
        if (!ok) return tfm_no_memory(error, "%s", path);
    }
    if (!*json && json_error_code(&problem) == json_error_out_of_memory) return tfm_no_memory(error, "%s", path);
    if (!*json) return tfm_fail(error, TFM_ERROR_FORMAT, "%s: line %d: %s", path, problem.line, problem.text);
    if (rules & TFM_JSON_OBJECT && !json_is_object(*json))
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: not a JSON object", path);
    return TFM_OK;
}

tfm_status tfm_json_load(const char *path, unsigned rules, json_t **json, tfm_error *error) {
    struct stat st;
    tfm_text text = {0};
    *json = NULL;
    /* A link to nothing is something that is there, and cannot be read. */
    if (rules & TFM_JSON_OPTIONAL && lstat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR)) return TFM_OK;
    tfm_status status = tfm_read_source(path, (size_t)MAX_MIB << 20, &text, error);
    if (status == TFM_ERROR_LIMIT)
        status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: too large (over %d MiB)", path, MAX_MIB);
    if (status == TFM_OK) status = parse(&text, path, rules, json, error);
    tfm_text_free(&text);
    if (status != TFM_OK) {
        json_decref(*json);
        *json = NULL;
    }
    return status;
}
