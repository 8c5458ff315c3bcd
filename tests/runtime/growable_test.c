/* growable_test.c - the growing lists of ids and text that tfm.h hands out, and what they do without memory. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/tfm.h"
#include "tests/support/faults.h"

Test(growable, ids_keep_what_was_appended) {
    tfm_ids ids = {0};
    cr_assert(tfm_ids_append(&ids, NULL, 0));
    cr_assert(!ids.data);
    int32_t next = 0;
    for (size_t n = 0; n < 200; n++) {
        int32_t part[200];
        for (size_t i = 0; i < n; i++) part[i] = next++;
        cr_assert(tfm_ids_append(&ids, part, n));
        cr_assert(ids.size == (size_t)next && ids.size <= ids.capacity);
    }
    for (int32_t i = 0; i < next; i++) cr_assert_eq(ids.data[i], i);
    tfm_ids_free(&ids);
    cr_assert(!ids.data && ids.size == 0 && ids.capacity == 0);
}

Test(growable, text_ends_with_a_nul) {
    tfm_text text = {0};
    cr_assert(tfm_text_append(&text, NULL, 0));
    cr_assert(text.size == 0 && text.data && text.data[0] == 0);
    for (size_t n = 0; n < 300; n++) {
        char part[300];
        memset(part, 'a' + (int)(n % 26), sizeof part);
        size_t size = text.size;
        cr_assert(tfm_text_append(&text, part, n));
        cr_assert(text.size == size + n && text.capacity > text.size && text.data[text.size] == 0);
        cr_assert(memcmp(text.data + size, part, n) == 0);
    }
    tfm_text_free(&text);
    cr_assert(!text.data && text.size == 0 && text.capacity == 0);
}

Test(growable, reserved_room_is_there) {
    tfm_text text = {0};
    cr_assert(tfm_text_append(&text, "ab", 2));
    cr_assert(tfm_text_reserve(&text, 1000));
    cr_assert(text.capacity > 1002 && text.size == 2);
    cr_assert_str_eq(text.data, "ab");
    const char *data = text.data;
    for (int i = 0; i < 1000; i++) cr_assert(tfm_text_append(&text, "x", 1));
    cr_assert_eq(text.data, data, "moved in spite of its room");
    tfm_text_free(&text);
}

Test(growable, text_that_is_no_utf8_becomes_valid) {
    static const char *const cases[][2] = {
        {"", ""},
        {"a", "a"},
        {"\xC3\xA4", "\xC3\xA4"},
        {"\xFF", "\xEF\xBF\xBD"},
        {"a\xFF\xC3\xA4\xE2\x82z", "a\xEF\xBF\xBD\xC3\xA4\xEF\xBF\xBD\xEF\xBF\xBDz"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"0123456789\x80", "0123456789\xEF\xBF\xBD"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tfm_text text = {0};
        cr_assert(tfm_text_append(&text, "!", 1));
        cr_assert(tfm_text_append_valid(&text, cases[i][0], strlen(cases[i][0])));
        cr_expect_str_eq(text.data + 1, cases[i][1], "case %zu: %s", i, text.data);
        cr_expect_eq(text.size, 1 + strlen(cases[i][1]));
        tfm_text_free(&text);
    }
}

/* What cannot be appended leaves the list as it was: with room, without, and before there is anything. */
Test(growable, without_memory_nothing_changes) {
    char big[1000];
    memset(big, 'b', sizeof big);
    big[500] = (char)0xFF;
    for (int begun = 0; begun < 2; begun++) {
        tfm_text text = {0};
        tfm_ids ids = {0};
        const int32_t numbers[1000] = {7};
        if (begun) cr_assert(tfm_text_append(&text, "a", 1) && tfm_ids_append(&ids, numbers, 1));
        const tfm_text text_before = text;
        const tfm_ids ids_before = ids;
        faults_begin(0, true);
        bool appended = tfm_text_append(&text, big, sizeof big) || tfm_text_append_valid(&text, big, sizeof big) ||
                        tfm_text_reserve(&text, sizeof big) || tfm_ids_append(&ids, numbers, 1000);
        faults_end();
        cr_assert(!appended);
        cr_assert(text.data == text_before.data && text.size == text_before.size &&
                  text.capacity == text_before.capacity);
        cr_assert(ids.data == ids_before.data && ids.size == ids_before.size && ids.capacity == ids_before.capacity);
        if (begun) cr_assert_str_eq(text.data, "a");
        tfm_text_free(&text);
        tfm_ids_free(&ids);
    }
    /* The second half of a text that is no UTF-8 finds no room: the first half goes too. */
    tfm_text text = {0};
    cr_assert(tfm_text_append(&text, "a", 1) && tfm_text_reserve(&text, 510));
    faults_begin(0, true);
    bool appended = tfm_text_append_valid(&text, big, sizeof big);
    faults_end();
    cr_assert(!appended && text.size == 1);
    cr_assert_str_eq(text.data, "a");
    tfm_text_free(&text);
}

Test(growable, sizes_that_cannot_be) {
    tfm_text text = {0};
    cr_assert(tfm_text_append(&text, "a", 1));
    cr_expect(!tfm_text_reserve(&text, SIZE_MAX));
    cr_expect(!tfm_text_reserve(&text, SIZE_MAX - 1));
    cr_expect_str_eq(text.data, "a");
    tfm_text_free(&text);
    void *data = NULL;
    size_t capacity = 0;
    cr_expect(!tfm_grow(&data, &capacity, 0, SIZE_MAX / 4, 8));
    cr_expect(!tfm_grow(&data, &capacity, 1, SIZE_MAX, 1));
    cr_expect(!data && capacity == 0);
}

/* Growing by one element costs few moves. */
Test(growable, grows_in_steps) {
    void *data = NULL;
    size_t capacity = 0, n_moves = 0;
    for (size_t size = 0; size < 100000; size++) {
        const void *data_before = data;
        size_t before = capacity;
        cr_assert(tfm_grow(&data, &capacity, size, 1, 24) && capacity > size);
        cr_assert(capacity == before ? data == data_before : capacity >= before + before / 2);
        n_moves += capacity != before;
    }
    cr_expect_lt(n_moves, 30);
    cr_assert(tfm_grow(&data, &capacity, 2 * capacity, 1, 24)); /* elements in between may be missing */
    free(data);
}
