/* expected.c - comparing a tokenizer with what its real library made of texts. */
#include "expected.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* The ids of a case with what special tokens put around them. */
static json_t *with_special(const json_t *expected, const json_t *ids) {
    json_t *all = json_array();
    json_array_extend(all, json_object_get(expected, "special_prefix"));
    json_array_extend(all, (json_t *)(uintptr_t)ids);
    json_array_extend(all, json_object_get(expected, "special_suffix"));
    return all;
}

static void check_texts(const tfm_tokenizer *t, const json_t *texts, const json_t *expected) {
    const json_t *all_ids = json_object_get(expected, "ids"), *decoded = json_object_get(expected, "text"), *text;
    bool has_special = json_object_get(expected, "special_prefix") != NULL;
    size_t i;
    cr_assert_eq(json_array_size(all_ids), json_array_size(texts));
    cr_assert_eq(json_array_size(json_object_get(expected, "special_exceptions")), 0);
    json_array_foreach((json_t *)(uintptr_t)texts, i, text) {
        const json_t *ids = json_array_get(all_ids, i), *back = json_array_get(decoded, i);
        if (!json_is_string(back)) back = text;
        expect_ids(t, json_string_value(text), json_string_length(text), false, ids, "text", i);
        expect_text(t, ids, true, json_string_value(back), json_string_length(back), "decoded text", i);
        expect_stream(t, ids, "text", i);
        if (!has_special) continue;
        json_t *whole = with_special(expected, ids);
        expect_ids(t, json_string_value(text), json_string_length(text), true, whole, "text with special tokens", i);
        json_decref(whole);
    }
}

/* How many ids are put around texts. */
static void check_special_counts(const tfm_tokenizer *t, const json_t *expected, const json_t *pairs) {
    tfm_special_split counts;
    cr_assert(tfm_tokenizer_special_counts(t, false, &counts));
    cr_expect_eq(counts.before, json_array_size(json_object_get(expected, "special_prefix")));
    cr_expect_eq(counts.between, 0);
    cr_expect_eq(counts.after, json_array_size(json_object_get(expected, "special_suffix")));
    cr_assert(tfm_tokenizer_special_counts(t, true, &counts));
    tfm_ids plain = {0};
    const json_t *pair = json_array_get(pairs, 0), *a = json_object_get(pair, "a"), *b = json_object_get(pair, "b");
    cr_assert_eq(tfm_tokenizer_encode_pair(t, json_string_value(a), json_string_length(a), json_string_value(b),
                                           json_string_length(b), false, &plain, NULL, NULL),
                 TFM_OK);
    cr_expect_eq(plain.size + counts.before + counts.between + counts.after,
                 json_array_size(json_object_get(pair, "ids")));
    tfm_ids_free(&plain);
}

static void check_pairs(const tfm_tokenizer *t, const json_t *pairs) {
    size_t i, k;
    json_t *pair, *value;
    json_array_foreach((json_t *)(uintptr_t)pairs, i, pair) {
        tfm_ids ids = {0}, types = {0};
        tfm_error error = {0};
        const json_t *a = json_object_get(pair, "a"), *b = json_object_get(pair, "b");
        cr_assert_eq(tfm_tokenizer_encode_pair(t, json_string_value(a), json_string_length(a), json_string_value(b),
                                               json_string_length(b), true, &ids, &types, &error),
                     TFM_OK, "%s", error.message);
        cr_assert_eq(ids.size, json_array_size(json_object_get(pair, "ids")), "pair %zu", i);
        cr_assert_eq(types.size, ids.size);
        json_array_foreach(json_object_get(pair, "ids"), k, value) {
            cr_expect_eq(ids.data[k], json_integer_value(value), "pair %zu, id %zu", i, k);
        }
        json_array_foreach(json_object_get(pair, "type_ids"), k, value) {
            cr_expect_eq(types.data[k], json_integer_value(value), "pair %zu, type %zu", i, k);
        }
        tfm_ids_free(&ids);
        tfm_ids_free(&types);
    }
}

static void check_decoding(const tfm_tokenizer *t, const json_t *decode) {
    size_t i;
    json_t *entry;
    cr_assert_geq(json_array_size(decode), 80);
    json_array_foreach((json_t *)(uintptr_t)decode, i, entry) {
        const json_t *ids = json_object_get(entry, "ids"), *text = json_object_get(entry, "text");
        const json_t *skipped = json_object_get(entry, "text_skip_special");
        expect_text(t, ids, false, json_string_value(text), json_string_length(text), "arbitrary ids", i);
        if (skipped)
            expect_text(t, ids, true, json_string_value(skipped), json_string_length(skipped),
                        "arbitrary ids, special skipped", i);
        expect_stream(t, ids, "arbitrary ids", i);
    }
}

static void check_invalid(const tfm_tokenizer *t, const json_t *invalid) {
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)(uintptr_t)invalid, i, entry) {
        const char *hex = json_string_value(json_object_get(entry, "hex"));
        char bytes[512];
        size_t n = strlen(hex) / 2;
        cr_assert_leq(n, sizeof bytes);
        for (size_t k = 0; k < n; k++) {
            char digits[3] = {hex[2 * k], hex[2 * k + 1], 0};
            bytes[k] = (char)strtoul(digits, NULL, 16);
        }
        expect_ids(t, bytes, n, false, json_object_get(entry, "ids"), "invalid UTF-8", i);
    }
}

void check_expected(const packed *p, const json_t *texts, const json_t *expected) {
    const json_t *pairs = json_object_get(expected, "pairs");
    cr_assert_eq(tfm_tokenizer_size(p->source), (size_t)json_integer_value(json_object_get(expected, "vocab_size")));
    check_texts(p->source, texts, expected);
    check_decoding(p->source, json_object_get(expected, "decode"));
    check_invalid(p->source, json_object_get(expected, "invalid_utf8"));
    if (!pairs) return;
    check_pairs(p->source, pairs);
    check_special_counts(p->source, expected, pairs);
}
