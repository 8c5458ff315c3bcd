/* table_test.c - tables of typed values: building, reading, and every rule a damaged one may break. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_files.h"
#include "tests/support/require.h"

/* A table of one value of each type; built once more in each test. */
static image build_table(void) {
    tfm_table_builder *builder = tfm_table_builder_new();
    const uint32_t ids[] = {7, 8, 9};
    tfm_table_set_strings(builder, "words", (const char *const[]){"a", "", "\xC3\xA4"}, 3);
    tfm_table_set_array(builder, "ids", TFM_VALUE_U32S, ids, 3);
    tfm_table_set_f64(builder, "scale", -0.125);
    tfm_table_set_string(builder, "kind", "decoder");
    tfm_table_set_u64(builder, "big", UINT64_MAX);
    image im;
    void *data;
    REQUIRE_OK(tfm_table_build(builder, &data, &im.n, error));
    im.data = data;
    tfm_table_builder_free(&builder);
    cr_assert_null(builder);
    return im;
}

static tfm_status try_open(const image *im, tfm_error *error) {
    /* A copy that ends where its last byte does, so that a sanitizer sees every read past it. */
    unsigned char *exact = malloc(im->n ? im->n : 1);
    memcpy(exact, im->data, im->n);
    tfm_table *table;
    tfm_status status = tfm_table_open(&table, exact, im->n, "test", error);
    MUST((status == TFM_OK) == (table != NULL), "status %d", (int)status);
    if (table) MUST(table_is_canonical(table, exact, im->n), "an accepted table has a second form");
    tfm_table_close(&table);
    free(exact);
    return status;
}

Test(table, round_trip) {
    image im = build_table();
    tfm_table *table;
    REQUIRE_OK(tfm_table_open(&table, im.data, im.n, "test", error));
    cr_assert_eq(tfm_table_count(table), 5);
    for (size_t i = 1; i < 5; i++) cr_assert(strcmp(tfm_table_at(table, i - 1)->key, tfm_table_at(table, i)->key) < 0);
    cr_assert_null(tfm_table_at(table, 5));
    cr_assert_eq(tfm_table_u64(table, "big", 1), UINT64_MAX);
    cr_assert_eq(tfm_table_f64(table, "scale", 1), -0.125);
    cr_assert_str_eq(tfm_table_string(table, "kind", ""), "decoder");
    const tfm_value *ids = tfm_table_find(table, "ids");
    cr_assert(ids && ids->type == TFM_VALUE_U32S && ids->n == 3 && ((const uint32_t *)ids->data)[2] == 9);
    cr_assert_eq(((const unsigned char *)ids->data - im.data) % 64, 0);
    const tfm_value *words = tfm_table_find(table, "words");
    cr_assert(words && words->type == TFM_VALUE_STRINGS && words->n == 3);
    cr_assert_arr_eq(words->data, "a\0\0\xC3\xA4", 6);
    /* Absent, of another type, or no table at all: the fallback. */
    cr_assert_null(tfm_table_find(table, "absent"));
    cr_assert_eq(tfm_table_u64(table, "kind", 3), 3);
    cr_assert_eq(tfm_table_f64(table, "big", 2.5), 2.5);
    cr_assert_null(tfm_table_string(table, "big", NULL));
    cr_assert_eq(tfm_table_u64(NULL, "big", 4), 4);
    cr_assert_eq(tfm_table_count(NULL), 0);
    tfm_table_close(&table);
    image_free(&im);
}

Test(table, same_values_same_bytes_whatever_the_order) {
    void *data[2];
    size_t n[2];
    for (int i = 0; i < 2; i++) {
        tfm_table_builder *builder = tfm_table_builder_new();
        for (int k = 0; k < 300; k++) {
            char key[20];
            snprintf(key, sizeof key, "key.%d", i == 0 ? k : 299 - k);
            tfm_table_set_u64(builder, key, 0);
            tfm_table_set_string(builder, key, key); /* replaces, with another type */
        }
        REQUIRE_OK(tfm_table_build(builder, &data[i], &n[i], error));
        tfm_table_builder_free(&builder);
    }
    cr_assert_eq(n[0], n[1]);
    cr_assert_arr_eq(data[0], data[1], n[0]);
    free(data[0]);
    free(data[1]);
}

Test(table, empty_and_extreme_values) {
    tfm_table_builder *builder = tfm_table_builder_new();
    void *data;
    size_t n;
    REQUIRE_OK(tfm_table_build(builder, &data, &n, error));
    cr_assert_eq(n, 16);
    tfm_table *table;
    REQUIRE_OK(tfm_table_open(&table, data, n, "empty", error));
    cr_assert_eq(tfm_table_count(table), 0);
    tfm_table_close(&table);
    free(data);

    char longest[128];
    memset(longest, 'k', 127);
    longest[127] = '\0';
    const float values[] = {NAN, INFINITY, -0.0f, FLT_TRUE_MIN};
    tfm_table_set_array(builder, longest, TFM_VALUE_F32S, values, 4);
    tfm_table_set_f64(builder, "%dtype:A-b_C/0.x", -INFINITY);
    tfm_table_set_strings(builder, "none", NULL, 0);
    tfm_table_set_array(builder, "zzz", TFM_VALUE_U8S, NULL, 0);
    REQUIRE_OK(tfm_table_build(builder, &data, &n, error));
    REQUIRE_OK(tfm_table_open(&table, data, n, "extreme", error));
    cr_assert_arr_eq(tfm_table_find(table, longest)->data, values, sizeof values);
    cr_assert_eq(tfm_table_f64(table, "%dtype:A-b_C/0.x", 0), -INFINITY);
    cr_assert_eq(tfm_table_find(table, "none")->n, 0);
    tfm_table_close(&table);
    free(data);
    tfm_table_builder_free(&builder);
}

static void expect_build_failure(tfm_table_builder *builder, tfm_status status, const char *part) {
    tfm_error error;
    void *data;
    size_t n;
    cr_assert_eq(tfm_table_build(builder, &data, &n, &error), status, "%s", part);
    cr_assert(strstr(error.message, part), "'%s' should contain '%s'", error.message, part);
    cr_assert(!data && n == 0);
    tfm_table_builder_free(&builder);
}

static tfm_table_builder *with_key(const char *key) {
    tfm_table_builder *builder = tfm_table_builder_new();
    tfm_table_set_u64(builder, key, 1);
    tfm_table_set_u64(builder, "later", 1); /* the first failure is the one that is kept */
    return builder;
}

Test(table, builder_refuses) {
    char too_long[129];
    memset(too_long, 'k', 128);
    too_long[128] = '\0';
    expect_build_failure(with_key(""), TFM_ERROR_ARGUMENT, "cannot be a key");
    expect_build_failure(with_key(NULL), TFM_ERROR_ARGUMENT, "cannot be a key");
    expect_build_failure(with_key("a b"), TFM_ERROR_ARGUMENT, "'a b'");
    expect_build_failure(with_key("\xC3\xA4"), TFM_ERROR_ARGUMENT, "cannot be a key");
    expect_build_failure(with_key(too_long), TFM_ERROR_ARGUMENT, "cannot be a key");
    expect_build_failure(NULL, TFM_ERROR_MEMORY, "memory");

    tfm_table_builder *builder = tfm_table_builder_new();
    tfm_table_set_f64(builder, "f", NAN);
    expect_build_failure(builder, TFM_ERROR_ARGUMENT, "'f'");
    builder = tfm_table_builder_new();
    tfm_table_set_string(builder, "s", NULL);
    expect_build_failure(builder, TFM_ERROR_ARGUMENT, "'s'");
    builder = tfm_table_builder_new();
    tfm_table_set_strings(builder, "s", (const char *const[]){"fine", "\xED\xA0\x80"}, 2);
    expect_build_failure(builder, TFM_ERROR_ARGUMENT, "UTF-8");
    builder = tfm_table_builder_new();
    tfm_table_set_strings(builder, "s", NULL, 2);
    expect_build_failure(builder, TFM_ERROR_ARGUMENT, "'s'");
    builder = tfm_table_builder_new();
    tfm_table_set_array(builder, "a", TFM_VALUE_STRING, "x", 1);
    expect_build_failure(builder, TFM_ERROR_ARGUMENT, "'a'");
    builder = tfm_table_builder_new();
    tfm_table_set_array(builder, "a", TFM_VALUE_U8S, NULL, 1);
    expect_build_failure(builder, TFM_ERROR_ARGUMENT, "'a'");
    builder = tfm_table_builder_new();
    tfm_table_set_array(builder, "a", TFM_VALUE_U32S, "x", SIZE_MAX / 2);
    expect_build_failure(builder, TFM_ERROR_ARGUMENT, "'a'");
    builder = tfm_table_builder_new();
    tfm_table_set_array(builder, "a", TFM_VALUE_U8S, "x", ((size_t)1 << 30) + 1);
    expect_build_failure(builder, TFM_ERROR_LIMIT, "GiB");
}

Test(table, utf8) {
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"plain", true},
        {"\x7F", true},
        {"\xC2\x80", true},
        {"\xDF\xBF", true},
        {"\xE0\xA0\x80", true},
        {"\xED\x9F\xBF", true},
        {"\xEE\x80\x80", true},
        {"\xEF\xBF\xBF", true},
        {"\xF0\x90\x80\x80", true},
        {"\xF4\x8F\xBF\xBF", true},
        {"long enough for eight at once \xC3\xA4 and on", true},
        {"\x80", false},             /* begins with a continuation */
        {"\xC0\x80", false},         /* overlong */
        {"\xC1\xBF", false},         /* overlong */
        {"\xE0\x9F\xBF", false},     /* overlong */
        {"\xF0\x8F\xBF\xBF", false}, /* overlong */
        {"\xED\xA0\x80", false},     /* surrogate */
        {"\xF4\x90\x80\x80", false}, /* above U+10FFFF */
        {"\xF5\x80\x80\x80", false},
        {"\xFF", false},
        {"\xC3", false}, /* cut short */
        {"\xE2\x96", false},
        {"\xF0\x9F\x99", false},
        {"\xE2\x96z", false},
        {"\xF0\x9F\x99z", false},
        {"long enough for eight at once \xC3 and on", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tfm_table_builder *builder = tfm_table_builder_new();
        tfm_table_set_string(builder, "s", cases[i].text);
        void *data;
        size_t n;
        tfm_status status = tfm_table_build(builder, &data, &n, NULL);
        cr_assert_eq(status == TFM_OK, cases[i].valid, "case %zu", i);
        free(data);
        tfm_table_builder_free(&builder);
        /* The reader must agree: the same text put into a table behind the builder's back. */
        image im = build_table();
        size_t length = strlen(cases[i].text), kept = im.n - 3; /* the last string has two bytes and a zero */
        image longer = {.data = calloc(1, kept + length + 1), .n = kept + length + 1};
        memcpy(longer.data, im.data, kept);
        memcpy(longer.data + kept, cases[i].text, length);
        tfm_disk_table *head = (tfm_disk_table *)(void *)longer.data;
        head->length = longer.n;
        tfm_disk_entry *last = (tfm_disk_entry *)(void *)(longer.data + sizeof *head) + 4;
        last->size += length - 2;
        cr_assert_eq(try_open(&longer, NULL), cases[i].valid ? TFM_OK : TFM_ERROR_FORMAT, "case %zu", i);
        image_free(&longer);
        image_free(&im);
    }
}

/* ---- damage, one rule at a time ---- */

typedef struct table_parts {
    tfm_disk_table *head;
    tfm_disk_entry *entry; /* sorted: big, ids, kind, scale, words */
    image *im;
} table_parts;
enum { BIG, IDS, KIND, SCALE, WORDS };

static void no_room_for_head(table_parts *t) { t->im->n = 15; }
static void reserved_set(table_parts *t) { t->head->reserved = 1; }
static void length_short(table_parts *t) { t->head->length--; }
static void length_huge(table_parts *t) { t->head->length = UINT64_MAX; }
static void cut_by_one(table_parts *t) { t->head->length = --t->im->n; }
static void one_more(table_parts *t) { t->head->length = ++t->im->n; }
static void count_less(table_parts *t) { t->head->count--; }
static void count_more(table_parts *t) { t->head->count++; }
static void count_huge(table_parts *t) { t->head->count = UINT32_MAX; }
static void count_wraps(table_parts *t) { t->head->count = 1u << 27; } /* times 32 is 2^32 */
static void key_elsewhere(table_parts *t) { t->entry[KIND].key_offset = t->entry[BIG].key_offset; }
static void key_far(table_parts *t) { t->entry[BIG].key_offset = UINT32_MAX; }
static void key_empty(table_parts *t) { t->entry[BIG].key_length = 0; }
static void key_long(table_parts *t) { t->entry[BIG].key_length = 128; }
static void key_longer(table_parts *t) { t->entry[BIG].key_length++; }
static void key_shorter(table_parts *t) { t->entry[BIG].key_length--; }
static unsigned char *key_of(table_parts *t, int i) { return t->im->data + t->entry[i].key_offset; }
static void key_space(table_parts *t) { key_of(t, BIG)[1] = ' '; }
static void key_nul(table_parts *t) { key_of(t, BIG)[1] = '\0'; }
static void key_unended(table_parts *t) { key_of(t, BIG)[3] = 'x'; }
static void key_order(table_parts *t) { key_of(t, BIG)[0] = 'z'; }
static void key_twice(table_parts *t) { memcpy(key_of(t, BIG), "ids", 3); }
static void type_zero(table_parts *t) { t->entry[BIG].type = 0; }
static void type_eight(table_parts *t) { t->entry[WORDS].type = 8; }
static void type_swapped(table_parts *t) { t->entry[IDS].type = TFM_VALUE_U8S; }
static void type_string_of_list(table_parts *t) { t->entry[WORDS].type = TFM_VALUE_STRING; }
static void scalar_n(table_parts *t) { t->entry[BIG].n = 1; }
static void scalar_size(table_parts *t) { t->entry[SCALE].size = 8; }
static void scalar_nan(table_parts *t) { t->entry[SCALE].value = 0x7FF0000000000001u; }
static void scalar_negative_nan(table_parts *t) { t->entry[SCALE].value = 0xFFF8000000000000u; }
static void array_unaligned(table_parts *t) { t->entry[IDS].value -= 4; }
static void array_far(table_parts *t) { t->entry[IDS].value = UINT64_MAX - 63; }
static void array_overlaps_keys(table_parts *t) { t->entry[IDS].value = 0; }
static void array_size(table_parts *t) { t->entry[IDS].size = 16; }
static void array_n_wraps(table_parts *t) { t->entry[IDS].n = (UINT64_MAX / 4) + 1 + 3; } /* times 4 wraps to 12 */
static void array_size_huge(table_parts *t) { t->entry[IDS].size = UINT64_MAX; }
static void padding_set(table_parts *t) { t->im->data[t->entry[IDS].value - 1] = 1; }
static void string_gap(table_parts *t) { t->entry[KIND].value++; }
static void string_size_zero(table_parts *t) { t->entry[KIND].size = t->entry[KIND].n = 0; }
static void string_n(table_parts *t) { t->entry[KIND].n++; }
static void string_n_wraps(table_parts *t) { t->entry[KIND].n = UINT64_MAX, t->entry[KIND].size = 0; }
static void string_unended(table_parts *t) { t->im->data[t->entry[KIND].value + 7] = 'x'; }
static void string_nul(table_parts *t) { t->im->data[t->entry[KIND].value + 2] = '\0'; }
static void string_invalid(table_parts *t) { t->im->data[t->entry[KIND].value + 2] = 0xC3; }
static void list_n(table_parts *t) { t->entry[WORDS].n = 2; }
static void list_n_huge(table_parts *t) { t->entry[WORDS].n = UINT64_MAX; }
static void list_unended(table_parts *t) { t->im->data[t->im->n - 1] = 'x'; }
static void list_invalid(table_parts *t) { t->im->data[t->im->n - 2] = 'x'; } /* half of an a with dots stays */

Test(table, every_rule) {
    static const struct {
        const char *name;
        void (*damage)(table_parts *t);
        tfm_status status;
        const char *part; /* of the message */
    } cases[] = {
#define CASE(function, status, part) {#function, function, status, part}
        CASE(no_room_for_head, TFM_ERROR_FORMAT, "15 bytes"),
        CASE(reserved_set, TFM_ERROR_FORMAT, "head"),
        CASE(length_short, TFM_ERROR_FORMAT, "head"),
        CASE(length_huge, TFM_ERROR_FORMAT, "head"),
        CASE(cut_by_one, TFM_ERROR_FORMAT, "'words'"),
        CASE(one_more, TFM_ERROR_FORMAT, "follow"),
        CASE(count_less, TFM_ERROR_FORMAT, "key 0"),
        CASE(count_more, TFM_ERROR_FORMAT, "key 0"),
        CASE(count_huge, TFM_ERROR_FORMAT, "do not fit"),
        CASE(count_wraps, TFM_ERROR_FORMAT, "do not fit"),
        CASE(key_elsewhere, TFM_ERROR_FORMAT, "key 2"),
        CASE(key_far, TFM_ERROR_FORMAT, "key 0"),
        CASE(key_empty, TFM_ERROR_FORMAT, "key 0"),
        CASE(key_long, TFM_ERROR_FORMAT, "key 0"),
        CASE(key_longer, TFM_ERROR_FORMAT, "character"),
        CASE(key_shorter, TFM_ERROR_FORMAT, "character"),
        CASE(key_space, TFM_ERROR_FORMAT, "character"),
        CASE(key_nul, TFM_ERROR_FORMAT, "character"),
        CASE(key_unended, TFM_ERROR_FORMAT, "character"),
        CASE(key_order, TFM_ERROR_FORMAT, "out of order"),
        CASE(key_twice, TFM_ERROR_FORMAT, "twice"),
        CASE(type_zero, TFM_ERROR_UNSUPPORTED, "'big' has the unknown type 0"),
        CASE(type_eight, TFM_ERROR_UNSUPPORTED, "'words' has the unknown type 8"),
        CASE(type_swapped, TFM_ERROR_FORMAT, "'ids'"),
        CASE(type_string_of_list, TFM_ERROR_FORMAT, "'words'"),
        CASE(scalar_n, TFM_ERROR_FORMAT, "'big'"),
        CASE(scalar_size, TFM_ERROR_FORMAT, "'scale'"),
        CASE(scalar_nan, TFM_ERROR_FORMAT, "NaN"),
        CASE(scalar_negative_nan, TFM_ERROR_FORMAT, "NaN"),
        CASE(array_unaligned, TFM_ERROR_FORMAT, "'ids' does not lie"),
        CASE(array_far, TFM_ERROR_FORMAT, "'ids' does not lie"),
        CASE(array_overlaps_keys, TFM_ERROR_FORMAT, "'ids' does not lie"),
        CASE(array_size, TFM_ERROR_FORMAT, "number of elements"),
        CASE(array_n_wraps, TFM_ERROR_FORMAT, "number of elements"),
        CASE(array_size_huge, TFM_ERROR_FORMAT, "'ids' does not lie"),
        CASE(padding_set, TFM_ERROR_FORMAT, "padding"),
        CASE(string_gap, TFM_ERROR_FORMAT, "'kind' does not lie"),
        CASE(string_size_zero, TFM_ERROR_FORMAT, "fit its text"),
        CASE(string_n, TFM_ERROR_FORMAT, "fit its text"),
        CASE(string_n_wraps, TFM_ERROR_FORMAT, "fit its text"),
        CASE(string_unended, TFM_ERROR_FORMAT, "fit its text"),
        CASE(string_nul, TFM_ERROR_FORMAT, "fit its text"),
        CASE(string_invalid, TFM_ERROR_FORMAT, "UTF-8"),
        CASE(list_n, TFM_ERROR_FORMAT, "fit its text"),
        CASE(list_n_huge, TFM_ERROR_FORMAT, "fit its text"),
        CASE(list_unended, TFM_ERROR_FORMAT, "fit its text"),
        CASE(list_invalid, TFM_ERROR_FORMAT, "UTF-8"),
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        image im = build_table();
        image room = {.data = calloc(1, im.n + 1), .n = im.n};
        memcpy(room.data, im.data, im.n);
        table_parts parts = {.head = (tfm_disk_table *)(void *)room.data, .im = &room};
        parts.entry = (tfm_disk_entry *)(void *)(room.data + sizeof *parts.head);
        cases[i].damage(&parts);
        tfm_error error = {0};
        tfm_status status = try_open(&room, &error);
        cr_assert_eq(status, cases[i].status, "%s: status %d: %s", cases[i].name, (int)status, error.message);
        cr_assert(strstr(error.message, cases[i].part), "%s: '%s'", cases[i].name, error.message);
        image_free(&room);
        image_free(&im);
    }
}

Test(table, cut_at_every_length) {
    image im = build_table();
    for (size_t n = 0; n < im.n; n++) {
        image cut = {.data = im.data, .n = n};
        cr_assert_eq(try_open(&cut, NULL), TFM_ERROR_FORMAT, "%zu bytes", n);
        image claims = image_copy(&im); /* and when the head claims the same */
        claims.n = n;
        ((tfm_disk_table *)(void *)claims.data)->length = n;
        cr_assert_eq(try_open(&claims, NULL), TFM_ERROR_FORMAT, "%zu bytes", n);
        image_free(&claims);
    }
    image_free(&im);
}

/* Nothing protects a table by itself: whatever a change makes of it, it is refused or has the one form it can have. */
Test(table, random_damage) {
    image im = build_table();
    random_state random = {.s = 0x5EED};
    size_t n_accepted = 0;
    for (int round = 0; round < 100000; round++) {
        image copy = image_copy(&im);
        for (uint64_t i = 0, n = 1 + random_next(&random) % 3; i < n; i++)
            copy.data[random_next(&random) % im.n] ^= (unsigned char)(1u << (random_next(&random) % 8));
        n_accepted += try_open(&copy, NULL) == TFM_OK;
        image_free(&copy);
    }
    cr_assert_gt(n_accepted, 0); /* changed numbers and letters */
    image_free(&im);
}
