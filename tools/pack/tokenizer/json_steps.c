/* json_steps.c - normalizers and pre-tokenizers of tokenizer.json as steps (runtime/tokenizer/steps/steps.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base64.h"
#include "class_sets.h"
#include "normal_forms.h"
#include "regex.h"
#include "tokenizer_json.h"
#include "tools/pack/tokenizer/spm/charsmap.h"

#define MAX_STEPS 100

typedef struct step_list {
    tfm_json_reader *r;
    const char *name;
    size_t n;
    bool bytes; /* words are already bytes, written as byte-level characters */
    char key[96];
} step_list;

static const char *key_of(step_list *steps, const char *field) {
    snprintf(steps->key, sizeof steps->key, "%s.%zu.%s", steps->name, steps->n, field);
    return steps->key;
}

static void put_string(step_list *steps, const char *field, const char *value) {
    tfm_table_set_string(steps->r->table, key_of(steps, field), value);
}

static void put_flag(step_list *steps, const char *field, bool value) {
    tfm_table_set_u64(steps->r->table, key_of(steps, field), value);
}

static tfm_status put_trie(step_list *steps, const char *field, tfm_trie_key *keys, size_t n) {
    return tfm_trie_put(steps->r->table, key_of(steps, field), keys, n, steps->r->what, steps->r->error);
}

/* Classes of all characters, or, for words that are bytes, of the characters that bytes are written as. */
static tfm_status put_classes(step_list *steps, const uint8_t *classes) {
    if (!steps->bytes) return tfm_put_classes(steps->r->table, key_of(steps, "classes"), classes, steps->r->error);
    uint8_t bytes[256];
    for (unsigned i = 0; i < 256; i++) bytes[i] = classes[tfm_byte_character((unsigned char)i)];
    tfm_table_set_array(steps->r->table, key_of(steps, "bytes"), TFM_VALUE_U8S, bytes, 256);
    return TFM_OK;
}

/* Counts tables that are made by looking at all characters so many times. */
static tfm_status count_tables(step_list *steps, unsigned n) {
    if (tfm_named_sets_work(&steps->r->named, (uint64_t)n * TFM_UNICODE_CODES)) return TFM_OK;
    return tfm_fail(steps->r->error, TFM_ERROR_LIMIT,
                    "%s: its normalizers and pre-tokenizers take more work than tfmpack does for a tokenizer: there "
                    "need to be fewer (%s %zu)",
                    steps->r->what, steps->name, steps->n);
}

/* class 1 for what one predicate says, class 2 for another, if there is one. */
static tfm_status put_predicates(step_list *steps, bool (*one)(uint32_t), bool (*two)(uint32_t)) {
    tfm_status status = count_tables(steps, 1);
    if (status != TFM_OK) return status;
    uint8_t *classes = malloc(TFM_UNICODE_CODES);
    if (!classes) return tfm_json_no_memory(steps->r);
    for (uint32_t code = 0; code < TFM_UNICODE_CODES; code++) {
        classes[code] = one(code) ? 1 : two && two(code) ? 2 : 0;
    }
    status = put_classes(steps, classes);
    free(classes);
    return status;
}

static tfm_status need_string(step_list *steps, const json_t *json, const char *field, const char **value) {
    *value = json_string_value(json_object_get(json, field));
    if (*value) return TFM_OK;
    return tfm_fail(steps->r->error, TFM_ERROR_FORMAT, "%s: %s: %.80s has no string %s", steps->r->what, steps->name,
                    json_string_value(json_object_get(json, "type")), field);
}

static bool get_bool(const json_t *json, const char *field, bool fallback) {
    const json_t *value = json_object_get(json, field);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

/* ---- patterns ---- */

static tfm_status no_empty_match(step_list *steps, const char *pattern, const char *shown) {
    int code;
    PCRE2_SIZE at;
    uint32_t matches_empty = 1;
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, 0, &code, &at, NULL);
    if (!compiled) {
        return tfm_fail(steps->r->error, TFM_ERROR_UNSUPPORTED, "%s: the pattern %.200s is not understood",
                        steps->r->what, shown);
    }
    pcre2_pattern_info(compiled, PCRE2_INFO_MATCHEMPTY, &matches_empty);
    pcre2_code_free(compiled);
    if (matches_empty == 0) return TFM_OK;
    return tfm_fail(steps->r->error, TFM_ERROR_UNSUPPORTED, "%s: the pattern %.200s can match nothing at all",
                    steps->r->what, shown);
}

/* {"String": text} or {"Regex": pattern}: pattern and classes of a step. */
static tfm_status put_pattern(step_list *steps, const json_t *pattern) {
    const json_t *literal = json_object_get(pattern, "String"), *expression = json_object_get(pattern, "Regex");
    const json_t *text = literal ? literal : expression;
    if (!json_is_string(text)) return tfm_json_broken(steps->r, "a pattern is neither a String nor a Regex");
    tfm_regex regex;
    tfm_status status = (literal ? tfm_regex_literal : tfm_regex_translate)(
        &regex, json_string_value(text), json_string_length(text), steps->r->what, &steps->r->named, steps->r->error);
    if (status == TFM_OK) status = no_empty_match(steps, regex.pattern, json_string_value(text));
    if (status == TFM_OK) put_string(steps, "pattern", regex.pattern);
    if (status == TFM_OK) status = put_classes(steps, regex.classes);
    tfm_regex_free(&regex);
    return status;
}

static tfm_status put_regex(step_list *steps, const char *pattern) {
    json_t *json = json_pack("{s:s}", "Regex", pattern);
    tfm_status status = json ? put_pattern(steps, json) : tfm_json_no_memory(steps->r);
    json_decref(json);
    return status;
}

/* ---- normalizers ---- */

/* Rules of a step from keys and the texts they lead to. */
static tfm_status put_rules(step_list *steps, tfm_trie_key *keys, size_t n, const char *texts, const uint32_t *offsets,
                            size_t n_texts) {
    tfm_status status = put_trie(steps, "rules", keys, n);
    tfm_table_set_array(steps->r->table, key_of(steps, "replacements.text"), TFM_VALUE_U8S, texts, offsets[n_texts]);
    tfm_table_set_array(steps->r->table, key_of(steps, "replacements.offsets"), TFM_VALUE_U32S, offsets, n_texts + 1);
    return status;
}

static tfm_status put_one_rule(step_list *steps, const char *from, size_t n_from, const char *to, size_t n_to) {
    if (n_from == 0 || n_from > 1023) return tfm_json_unsupported(steps->r, "a replacement of a text of that length");
    tfm_trie_key key = {from, (uint32_t)n_from, 1};
    uint32_t offsets[2] = {0, (uint32_t)n_to};
    put_string(steps, "op", "map");
    tfm_status status = put_rules(steps, &key, 1, to, offsets, 1);
    steps->n++;
    return status;
}

static tfm_status lowercase(step_list *steps) {
    tfm_rules rules;
    tfm_status status = count_tables(steps, 1);
    if (status != TFM_OK) return status;
    status = tfm_rules_lowercase(&rules, steps->r->error);
    put_string(steps, "op", "map");
    if (status == TFM_OK) status = put_rules(steps, rules.keys, rules.n, rules.text, rules.offsets, rules.n);
    tfm_rules_free(&rules);
    steps->n++;
    return status;
}

static tfm_status normal_form(step_list *steps, bool compose, bool compatibility) {
    tfm_normal_form form;
    tfm_status status = count_tables(steps, 4); /* and more for each, as the table is sorted */
    if (status != TFM_OK) return status;
    status = tfm_normal_form_make(&form, compose, compatibility, steps->r->error);
    put_string(steps, "op", "normal-form");
    if (status == TFM_OK) {
        status = put_rules(steps, form.rules.keys, form.rules.n, form.rules.text, form.rules.offsets, form.rules.n);
    }
    if (status == TFM_OK && compose) status = put_trie(steps, "pairs", form.pairs.keys, form.pairs.n);
    if (status == TFM_OK) status = put_classes(steps, form.classes);
    tfm_normal_form_free(&form);
    steps->n++;
    return status;
}

static tfm_status filter(step_list *steps, const char *op, const char *text, bool (*one)(uint32_t),
                         bool (*two)(uint32_t)) {
    put_string(steps, "op", op);
    put_string(steps, "text", text);
    tfm_status status = put_predicates(steps, one, two);
    steps->n++;
    return status;
}

static bool bert_dropped(uint32_t code) { return code == 0 || code == 0xFFFD || tfm_unicode_bert_control(code); }

static bool bert_chinese(uint32_t code) {
    return (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3400 && code <= 0x4DBF) ||
           (code >= 0x20000 && code <= 0x2A6DF) || (code >= 0x2A700 && code <= 0x2B81F) ||
           (code >= 0x2B920 && code <= 0x2CEAF) || (code >= 0xF900 && code <= 0xFAFF) ||
           (code >= 0x2F800 && code <= 0x2FA1F);
}

static tfm_status bert(step_list *steps, const json_t *json) {
    tfm_status status = TFM_OK;
    bool lower = get_bool(json, "lowercase", true);
    if (get_bool(json, "clean_text", true)) status = filter(steps, "filter", " ", bert_dropped, tfm_unicode_space);
    if (status == TFM_OK && get_bool(json, "handle_chinese_chars", true)) {
        status = filter(steps, "surround", " ", bert_chinese, NULL);
    }
    if (status == TFM_OK && get_bool(json, "strip_accents", lower)) {
        status = normal_form(steps, false, false);
        if (status == TFM_OK) status = filter(steps, "filter", "", tfm_unicode_nonspacing, NULL);
    }
    return status == TFM_OK && lower ? lowercase(steps) : status;
}

static bool nmt_dropped(uint32_t code) {
    return (code >= 1 && code <= 8) || code == 0xB || (code >= 0xE && code <= 0x1F) || code == 0x7F || code == 0x8F ||
           code == 0x9F;
}

static bool nmt_space(uint32_t code) {
    return code == 9 || code == 0xA || code == 0xC || code == 0xD || code == 0x1680 ||
           (code >= 0x200B && code <= 0x200F) || code == 0x2028 || code == 0x2029 || code == 0x2581 || code == 0xFEFF ||
           code == 0xFFFD;
}

static tfm_status precompiled(step_list *steps, const json_t *json) {
    const json_t *encoded = json_object_get(json, "precompiled_charsmap");
    unsigned char *data = NULL;
    size_t n = 0;
    tfm_charsmap map = {0};
    if (!json_is_string(encoded)) return tfm_json_broken(steps->r, "a Precompiled normalizer has no character map");
    tfm_status status = tfm_base64_decode(json_string_value(encoded), json_string_length(encoded), &data, &n);
    if (status == TFM_ERROR_MEMORY) return tfm_json_no_memory(steps->r);
    if (status == TFM_OK) status = count_tables(steps, 2);
    if (status == TFM_ERROR_LIMIT) {
        free(data);
        return status;
    }
    if (status != TFM_OK) return tfm_json_broken(steps->r, "a Precompiled normalizer's character map is not base64");
    status = tfm_charsmap_read(&map, data, n, steps->r->what, steps->r->error);
    free(data);
    if (status != TFM_OK || map.n_keys == 0) { /* without rules nothing changes */
        tfm_charsmap_free(&map);
        return status;
    }
    put_string(steps, "op", "precompiled");
    status = put_rules(steps, map.keys, map.n_keys, map.text, map.offsets, map.n_replacements);
    tfm_charsmap_free(&map);
    uint8_t *classes = malloc(TFM_UNICODE_CODES);
    if (!classes) return tfm_json_no_memory(steps->r);
    for (uint32_t code = 0; code < TFM_UNICODE_CODES; code++) classes[code] = tfm_cluster_class(code);
    if (status == TFM_OK) status = put_classes(steps, classes);
    free(classes);
    steps->n++;
    return status;
}

static tfm_status replace(step_list *steps, const json_t *json) {
    const json_t *literal = json_object_get(json_object_get(json, "pattern"), "String");
    const json_t *content = json_object_get(json, "content");
    if (!json_is_string(content)) return tfm_json_broken(steps->r, "a Replace normalizer has no content");
    if (json_is_string(literal)) {
        return put_one_rule(steps, json_string_value(literal), json_string_length(literal), json_string_value(content),
                            json_string_length(content));
    }
    put_string(steps, "op", "replace");
    put_string(steps, "text", json_string_value(content));
    tfm_status status = put_pattern(steps, json_object_get(json, "pattern"));
    steps->n++;
    return status;
}

static tfm_status strip(step_list *steps, const json_t *json) {
    put_string(steps, "op", "strip");
    put_flag(steps, "left", get_bool(json, "strip_left", true));
    put_flag(steps, "right", get_bool(json, "strip_right", true));
    tfm_status status = put_predicates(steps, tfm_unicode_space, NULL);
    steps->n++;
    return status;
}

static tfm_status prepend(step_list *steps, const json_t *json) {
    const char *text;
    tfm_status status = need_string(steps, json, "prepend", &text);
    if (status != TFM_OK) return status;
    put_string(steps, "op", "prepend");
    put_string(steps, "text", text);
    steps->n++;
    return TFM_OK;
}

typedef tfm_status add_step(step_list *steps, const json_t *json, unsigned depth);

static tfm_status add_all(step_list *steps, const json_t *list, unsigned depth, add_step *add) {
    size_t i;
    json_t *part;
    if (!json_is_array(list)) return tfm_json_broken(steps->r, "a Sequence has no list");
    json_array_foreach(list, i, part) {
        tfm_status status = add(steps, part, depth + 1);
        if (status != TFM_OK) return status;
    }
    return TFM_OK;
}

static tfm_status unknown(step_list *steps, const char *type) {
    return tfm_fail(steps->r->error, TFM_ERROR_UNSUPPORTED, "%s: the %s %.80s is not among those tfmpack knows",
                    steps->r->what, steps->name, type);
}

/* The type of a part; NULL with *status set if it cannot be. */
static const char *type_of(step_list *steps, const json_t *json, unsigned depth, tfm_status *status) {
    const char *type = json_string_value(json_object_get(json, "type"));
    *status = TFM_OK;
    if (!type) *status = tfm_json_broken(steps->r, "a normalizer or pre-tokenizer has no type");
    if (depth > 8 || steps->n > MAX_STEPS)
        *status = tfm_json_unsupported(steps->r, "so many normalizers or pre-tokenizers");
    return *status == TFM_OK ? type : NULL;
}

static tfm_status add_normalizer(step_list *steps, const json_t *json, unsigned depth) {
    tfm_status status;
    const char *type = type_of(steps, json, depth, &status);
    if (!type) return status;
    if (strcmp(type, "Sequence") == 0)
        return add_all(steps, json_object_get(json, "normalizers"), depth, add_normalizer);
    if (strcmp(type, "BertNormalizer") == 0) return bert(steps, json);
    if (strcmp(type, "Lowercase") == 0) return lowercase(steps);
    if (strcmp(type, "StripAccents") == 0) return filter(steps, "filter", "", tfm_unicode_mark, NULL);
    if (strcmp(type, "Nmt") == 0) return filter(steps, "filter", " ", nmt_dropped, nmt_space);
    if (strcmp(type, "NFC") == 0) return normal_form(steps, true, false);
    if (strcmp(type, "NFD") == 0) return normal_form(steps, false, false);
    if (strcmp(type, "NFKC") == 0) return normal_form(steps, true, true);
    if (strcmp(type, "NFKD") == 0) return normal_form(steps, false, true);
    if (strcmp(type, "Precompiled") == 0) return precompiled(steps, json);
    if (strcmp(type, "Replace") == 0) return replace(steps, json);
    if (strcmp(type, "Strip") == 0) return strip(steps, json);
    if (strcmp(type, "Prepend") == 0) return prepend(steps, json);
    return unknown(steps, type);
}

/* ---- pre-tokenizers ---- */

static tfm_status end_split(step_list *steps, const char *behavior, bool invert) {
    put_string(steps, "op", "split");
    put_string(steps, "behavior", behavior);
    put_flag(steps, "invert", invert);
    steps->n++;
    return TFM_OK;
}

static tfm_status split_by(step_list *steps, bool (*predicate)(uint32_t), const char *behavior) {
    tfm_status status = put_predicates(steps, predicate, NULL);
    return status == TFM_OK ? end_split(steps, behavior, false) : status;
}

static tfm_status split_by_regex(step_list *steps, const char *pattern, const char *behavior, bool invert) {
    tfm_status status = put_regex(steps, pattern);
    return status == TFM_OK ? end_split(steps, behavior, invert) : status;
}

/* The library's name of a behaviour as the table has it. */
static const char *behavior_of(const json_t *json) {
    static const char *const names[][2] = {{"Removed", "removed"},
                                           {"Isolated", "isolated"},
                                           {"MergedWithPrevious", "merged-with-previous"},
                                           {"MergedWithNext", "merged-with-next"},
                                           {"Contiguous", "contiguous"}};
    const char *name = json_string_value(json_object_get(json, "behavior"));
    for (size_t i = 0; name && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i][0]) == 0) return names[i][1];
    }
    return NULL;
}

static void put_prefix(step_list *steps, const char *text, bool first) {
    put_string(steps, "op", "prefix");
    put_string(steps, "text", text);
    put_flag(steps, "first", first);
    steps->n++;
}

static tfm_status byte_level(step_list *steps, const json_t *json) {
    /* What GPT-2 takes for words. */
    static const char words[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
    tfm_status status = TFM_OK;
    if (steps->bytes) return tfm_json_unsupported(steps->r, "ByteLevel twice");
    if (get_bool(json, "add_prefix_space", true)) put_prefix(steps, " ", false);
    if (get_bool(json, "use_regex", true)) status = split_by_regex(steps, words, "isolated", false);
    steps->bytes = steps->r->byte_level = true;
    return status;
}

static tfm_status metaspace(step_list *steps, const json_t *json) {
    const json_t *replacement = json_object_get(json, "replacement");
    const char *text = json_string_value(replacement), *scheme = "always";
    size_t n = json_string_length(replacement);
    const json_t *said = json_object_get(json, "prepend_scheme");
    if (steps->bytes) return tfm_json_unsupported(steps->r, "Metaspace behind ByteLevel");
    if (n == 0) return tfm_json_broken(steps->r, "Metaspace has no replacement");
    if (json_is_string(said)) scheme = json_string_value(said);
    if (!get_bool(json, "add_prefix_space", true)) scheme = "never";
    bool first = strcmp(scheme, "first") == 0;
    if (!first && strcmp(scheme, "always") != 0 && strcmp(scheme, "never") != 0) return unknown(steps, scheme);
    tfm_status status = put_one_rule(steps, " ", 1, text, n);
    if (status == TFM_OK && strcmp(scheme, "never") != 0) put_prefix(steps, text, first);
    if (status != TFM_OK || !get_bool(json, "split", true)) return status;
    json_t *pattern = json_pack("{s:O}", "String", replacement);
    status = pattern ? put_pattern(steps, pattern) : tfm_json_no_memory(steps->r);
    json_decref(pattern);
    return status == TFM_OK ? end_split(steps, "merged-with-next", false) : status;
}

static tfm_status split(step_list *steps, const json_t *json) {
    const char *behavior = behavior_of(json);
    if (!behavior) return tfm_json_broken(steps->r, "Split has no known behavior");
    tfm_status status = put_pattern(steps, json_object_get(json, "pattern"));
    return status == TFM_OK ? end_split(steps, behavior, get_bool(json, "invert", false)) : status;
}

static tfm_status delimiter(step_list *steps, const json_t *json) {
    json_t *pattern = json_pack("{s:O?}", "String", json_object_get(json, "delimiter"));
    tfm_status status = pattern ? put_pattern(steps, pattern) : tfm_json_no_memory(steps->r);
    json_decref(pattern);
    return status == TFM_OK ? end_split(steps, "removed", false) : status;
}

static tfm_status add_pre_tokenizer(step_list *steps, const json_t *json, unsigned depth) {
    tfm_status status;
    const char *type = type_of(steps, json, depth, &status);
    if (!type) return status;
    if (strcmp(type, "Sequence") == 0) {
        return add_all(steps, json_object_get(json, "pretokenizers"), depth, add_pre_tokenizer);
    }
    if (strcmp(type, "ByteLevel") == 0) return byte_level(steps, json);
    if (strcmp(type, "Metaspace") == 0) return metaspace(steps, json);
    if (strcmp(type, "Split") == 0) return split(steps, json);
    if (strcmp(type, "WhitespaceSplit") == 0) return split_by(steps, tfm_unicode_space, "removed");
    if (strcmp(type, "CharDelimiterSplit") == 0) return delimiter(steps, json);
    if (strcmp(type, "Whitespace") == 0) {
        /* Here the library's \w has the two joiners too. */
        return split_by_regex(steps, "[\\w\\u200C\\u200D]+|[^\\w\\u200C\\u200D\\s]+", "removed", true);
    }
    if (strcmp(type, "BertPreTokenizer") == 0) {
        status = split_by(steps, tfm_unicode_space, "removed");
        return status == TFM_OK ? split_by(steps, tfm_unicode_bert_punctuation, "isolated") : status;
    }
    if (strcmp(type, "Digits") == 0) {
        bool single = get_bool(json, "individual_digits", false);
        return split_by(steps, tfm_unicode_numeric, single ? "isolated" : "contiguous");
    }
    if (strcmp(type, "Punctuation") == 0) {
        const char *behavior = json_object_get(json, "behavior") ? behavior_of(json) : "isolated";
        if (!behavior) return tfm_json_broken(steps->r, "Punctuation has no known behavior");
        return split_by(steps, tfm_unicode_bert_punctuation, behavior);
    }
    return unknown(steps, type);
}

static tfm_status all_steps(tfm_json_reader *r, const char *name, add_step *add) {
    step_list steps = {.r = r, .name = name};
    char key[64];
    const json_t *json = json_object_get(r->root, name);
    tfm_status status = !json || json_is_null(json) ? TFM_OK : add(&steps, json, 0);
    snprintf(key, sizeof key, "%s.count", name);
    tfm_table_set_u64(r->table, key, steps.n);
    return status;
}

tfm_status tfm_json_steps(tfm_json_reader *r) {
    tfm_status status = all_steps(r, "normalizer", add_normalizer);
    return status == TFM_OK ? all_steps(r, "pre_tokenizer", add_pre_tokenizer) : status;
}
