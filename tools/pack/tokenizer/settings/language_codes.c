/* language_codes.c - see language_codes.h. What stands where is that of the classes of transformers 4.46. */
#include "language_codes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "added_tokens.h"
#include "tokenizer_flags.h"

#define MAX_CODE 32 /* bytes of a code */

static tfm_status no_memory(const tfm_tokenizer_files *f) {
    return tfm_no_memory(f->error, "%s: the tokenizer", f->folder);
}

/* ---- what a code looks like ---- */

static size_t count_lower(const char *text) { return strspn(text, "abcdefghijklmnopqrstuvwxyz"); }

static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

/* deu_Latn, de_DE, en_XX */
static bool is_plain_code(const char *text) {
    const size_t n = count_lower(text);
    if (n < 2 || n > 3 || text[n] != '_' || !is_upper(text[n + 1])) return false;
    const char *rest = text + n + 2;
    const size_t n_rest = strlen(rest);
    return (n_rest == 1 && is_upper(*rest)) || (n_rest == 3 && count_lower(rest) == 3);
}

/* What stands between a beginning and an end of two characters each, as "de" of __de__. */
static bool is_marked_code(const char *text, const char *begin, const char *end, char *code) {
    const size_t n = strlen(text);
    if (n < 5 || n - 4 >= MAX_CODE || memcmp(text, begin, 2) != 0 || memcmp(text + n - 2, end, 2) != 0) return false;
    snprintf(code, MAX_CODE, "%.*s", (int)(n - 4), text + 2);
    return strcspn(code, "<>_ ") > 0;
}

/* The code that a token spells, as people type it; false: none. */
static bool code_of(const tfm_tokenizer_class *class, const char *text, char code[MAX_CODE]) {
    if (class->source == TFM_SOURCE_PAIR) return is_marked_code(text, ">>", "<<", code);
    if (class->code_format) return is_marked_code(text, "__", "__", code);
    if (!is_plain_code(text)) return false;
    snprintf(code, MAX_CODE, "%s", text);
    return true;
}

/* ---- finding them ---- */

static tfm_status collect(const tfm_tokenizer_files *f, const json_t *tokens, json_t **ids) {
    const char *text;
    char code[MAX_CODE];
    json_t *id;
    *ids = json_object();
    if (!*ids) return no_memory(f);
    json_object_foreach((json_t *)(uintptr_t)tokens, text, id) {
        if (code_of(f->class, text, code) && json_object_set(*ids, code, id) != 0) return no_memory(f);
    }
    if (json_object_size(*ids) > 0) return TFM_OK;
    json_decref(*ids);
    *ids = NULL;
    return TFM_OK;
}

/* The id of the code that a key of tokenizer_config.json names, or of the class's own; -1: none. */
static tfm_status choose(const tfm_tokenizer_files *f, const json_t *ids, const char *key, const char *fallback,
                         json_int_t *id) {
    const char *said = json_string_value(json_object_get(f->settings, key)), *code = said ? said : fallback;
    char plain[MAX_CODE];
    const json_t *found = code ? json_object_get(ids, code) : NULL;
    if (!found && code && code_of(f->class, code, plain)) found = json_object_get(ids, plain);
    *id = found ? json_integer_value(found) : -1;
    if (found || !said) return TFM_OK;
    return tfm_fail(f->error, TFM_ERROR_FORMAT,
                    "%s/tokenizer_config.json: %s is %.40s, which is no language of the "
                    "vocabulary",
                    f->folder, key, said);
}

static tfm_language_place place_of(const tfm_tokenizer_files *f) {
    const bool nllb = strcmp(f->class->name, "NllbTokenizer") == 0;
    return nllb && tfm_tokenizer_flag(f, "legacy_behaviour", false, NULL) ? TFM_LANGUAGE_LAST : f->class->language;
}

tfm_status tfm_language_codes_find(const tfm_tokenizer_files *files, const json_t *tokens, tfm_language_codes *codes) {
    const tfm_tokenizer_class *class = files->class;
    *codes = (tfm_language_codes){.source = -1, .target = -1};
    if (!class || (class->language == TFM_LANGUAGE_NONE && class->source != TFM_SOURCE_PAIR)) return TFM_OK;
    tfm_status status = collect(files, tokens, &codes->ids);
    if (status != TFM_OK || !codes->ids) return status;
    codes->place = place_of(files);
    codes->target_place = class->source == TFM_SOURCE_PAIR ? "source"
                          : class->starts_with_language    ? "start"
                                                           : "forced";
    if (codes->place == TFM_LANGUAGE_NONE) return TFM_OK;
    status = choose(files, codes->ids, "src_lang", class->source_language, &codes->source);
    if (status == TFM_OK) status = choose(files, codes->ids, "tgt_lang", NULL, &codes->target);
    if (status == TFM_OK && codes->source < 0)
        status =
            tfm_fail(files->error, TFM_ERROR_FORMAT,
                     "%s: the vocabulary has languages, but not %s; src_lang of tokenizer_config.json must say which "
                     "one texts have",
                     files->folder, class->source_language);
    return status;
}

void tfm_language_codes_free(tfm_language_codes *codes) {
    json_decref(codes->ids);
    codes->ids = NULL;
}

tfm_status tfm_language_codes_append(const tfm_tokenizer_files *files, size_t n_ids, json_t *tokens) {
    json_int_t next = (json_int_t)n_ids;
    for (const char *at = files->class->codes; at && *at; at += strspn(at, " ")) {
        const int n = (int)strcspn(at, " ");
        char text[MAX_CODE + 8];
        snprintf(text, sizeof text, "__%.*s__", n, at);
        if (json_object_set_new(tokens, text, json_integer(next++)) != 0) return no_memory(files);
        at += n;
    }
    return TFM_OK;
}

/* ---- around a text ---- */

static const char *spelling_of(const json_t *tokens, json_int_t id) {
    const char *text;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)tokens, text, value) {
        if (json_integer_value(value) == id) return text;
    }
    return NULL;
}

/* {"spelling": id} of the vocabulary and the added tokens. */
static json_t *all_tokens(const json_t *root) {
    json_t *ids = tfm_vocabulary_ids(json_object_get(json_object_get(root, "model"), "vocab")), *token;
    json_t *all = json_copy(ids);
    size_t i;
    json_decref(ids);
    json_array_foreach(json_object_get(root, "added_tokens"), i, token) {
        const char *text = json_string_value(json_object_get(token, "content"));
        if (all && text) json_object_set(all, text, json_object_get(token, "id"));
    }
    return all;
}

static tfm_status put_template(const tfm_tokenizer_files *f, json_t *root, const json_t *tokens,
                               const tfm_language_codes *codes) {
    const char *end = tfm_special_token_text(f, "eos_token", f->class->eos);
    const json_t *end_id = end ? json_object_get(tokens, end) : NULL;
    const char *code = spelling_of(tokens, codes->source);
    if (!end_id || !code)
        return tfm_fail(f->error, TFM_ERROR_FORMAT, "%s: eos_token is not in the vocabulary", f->folder);
    tfm_frame frame = {.after = {end}, .after_ids = {json_integer_value(end_id), codes->source}};
    if (codes->place == TFM_LANGUAGE_LAST) {
        frame.after[1] = code;
    } else {
        frame.before = code;
        frame.before_id = codes->source;
    }
    return json_object_set_new(root, "post_processor", tfm_frame_template(&frame, false)) == 0 ? TFM_OK : no_memory(f);
}

tfm_status tfm_language_codes_frame(const tfm_tokenizer_files *files, json_t *root, tfm_language_codes *codes) {
    *codes = (tfm_language_codes){0};
    if (!files->class || files->class->language == TFM_LANGUAGE_NONE) return TFM_OK;
    json_t *tokens = all_tokens(root);
    if (!tokens) return no_memory(files);
    tfm_status status = tfm_language_codes_find(files, tokens, codes);
    if (status == TFM_OK && codes->ids) status = put_template(files, root, tokens, codes);
    json_decref(tokens);
    return status;
}

/* ---- the section ---- */

static int by_code(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* In the order of codes. */
static tfm_status put_codes(const tfm_language_codes *codes, tfm_table_builder *table, tfm_error *error) {
    const size_t n = json_object_size(codes->ids);
    const char **list = calloc(n + 1, sizeof *list), *code;
    uint32_t *ids = calloc(n + 1, sizeof *ids);
    const bool ok = list && ids;
    json_t *id;
    size_t i = 0;
    json_object_foreach(codes->ids, code, id) {
        if (ok) list[i++] = code;
    }
    if (ok) qsort(list, n, sizeof *list, by_code);
    for (i = 0; ok && i < n; i++) ids[i] = (uint32_t)json_integer_value(json_object_get(codes->ids, list[i]));
    if (ok) tfm_table_set_strings(table, "codes", list, n);
    if (ok) tfm_table_set_array(table, "ids", TFM_VALUE_U32S, ids, n);
    free(list);
    free(ids);
    return ok ? TFM_OK : tfm_no_memory(error, "section languages");
}

tfm_status tfm_language_codes_write(const tfm_language_codes *codes, tfm_writer *writer, tfm_error *error) {
    static const char *const places[] = {
        [TFM_LANGUAGE_NONE] = "none", [TFM_LANGUAGE_FIRST] = "first", [TFM_LANGUAGE_LAST] = "last"};
    if (!codes->ids) return TFM_OK;
    tfm_table_builder *table = tfm_table_builder_new();
    if (!table) return tfm_no_memory(error, "section languages");
    tfm_status status = put_codes(codes, table, error);
    tfm_table_set_string(table, "source", places[codes->place]);
    tfm_table_set_string(table, "target", codes->target_place);
    if (codes->source >= 0) tfm_table_set_u64(table, "source.default", (uint64_t)codes->source);
    if (codes->target >= 0) tfm_table_set_u64(table, "target.default", (uint64_t)codes->target);
    if (status == TFM_OK) status = tfm_writer_section(writer, "languages", table, error);
    tfm_table_builder_free(&table);
    return status;
}
