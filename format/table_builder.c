/* table_builder.c - collecting typed values and writing them as a table, always the same bytes for the same values. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "grow.h"
#include "model_file.h"
#include "names.h"
#include "table.h"
#include "utf8.h"

typedef struct item {
    tfm_value_type type;
    uint64_t bits; /* of a number */
    void *data;    /* of the others: `size` bytes */
    uint64_t n, size;
    char key[TFM_DISK_KEY_MAX + 1];
} item;

struct tfm_table_builder {
    item **items; /* sorted by key */
    size_t n, capacity;
    tfm_error failure; /* the first; status TFM_OK while there is none */
};

tfm_table_builder *tfm_table_builder_new(void) { return calloc(1, sizeof(tfm_table_builder)); }

static void item_free(item *it) {
    if (it) free(it->data);
    free(it);
}

void tfm_table_builder_free(tfm_table_builder **builder) {
    if (!builder || !*builder) return;
    for (size_t i = 0; i < (*builder)->n; i++) item_free((*builder)->items[i]);
    free((*builder)->items);
    free(*builder);
    *builder = NULL;
}

static bool builder_usable(const tfm_table_builder *builder) { return builder && builder->failure.status == TFM_OK; }

static void fail_memory(tfm_table_builder *builder, const char *key) {
    tfm_no_memory(&builder->failure, "value '%s'", key);
}

/* The index of key, or where it belongs; *found says which. */
static size_t search(const tfm_table_builder *builder, const char *key, bool *found) {
    size_t low = 0, high = builder->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(builder->items[middle]->key, key);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = false;
    return low;
}

/* Takes `made`, replacing an item of the same key. */
static void insert(tfm_table_builder *builder, item *made) {
    bool found;
    size_t at = search(builder, made->key, &found);
    if (found) {
        item_free(builder->items[at]);
        builder->items[at] = made;
        return;
    }
    if (builder->n == TFM_DISK_MAX_ENTRIES) {
        tfm_fail(&builder->failure, TFM_ERROR_LIMIT, "a table holds at most %u values", TFM_DISK_MAX_ENTRIES);
        item_free(made);
        return;
    }
    if (!tfm_grow(&builder->items, &builder->capacity, builder->n, 1, sizeof *builder->items)) {
        fail_memory(builder, made->key);
        item_free(made);
        return;
    }
    memmove(builder->items + at + 1, builder->items + at, (builder->n - at) * sizeof *builder->items);
    builder->items[at] = made;
    builder->n++;
}

/* A checked new item without data, or NULL with the failure kept. */
static item *make_item(tfm_table_builder *builder, const char *key, tfm_value_type type) {
    if (!builder_usable(builder)) return NULL;
    size_t length = key ? strnlen(key, TFM_DISK_KEY_MAX + 1) : 0;
    if (length == 0 || length > TFM_DISK_KEY_MAX || !tfm_name_chars(key, length)) {
        tfm_fail(&builder->failure, TFM_ERROR_ARGUMENT,
                 "'%.200s' cannot be a key: 1 to %u of A-Z a-z 0-9 . _ - : %% / are needed", key ? key : "",
                 TFM_DISK_KEY_MAX);
        return NULL;
    }
    item *made = calloc(1, sizeof *made);
    if (!made) {
        fail_memory(builder, key);
        return NULL;
    }
    made->type = type;
    memcpy(made->key, key, length);
    return made;
}

/* Room for n elements of `size` bytes in all; false, and made is gone, if there is none. */
static bool make_bytes(tfm_table_builder *builder, item *made, uint64_t n, uint64_t size) {
    made->n = n;
    made->size = size;
    if (size > TFM_DISK_MAX_SECTION) {
        tfm_fail(&builder->failure, TFM_ERROR_LIMIT, "the value '%s' has over a GiB", made->key);
        item_free(made);
        return false;
    }
    made->data = malloc(size ? size : 1);
    if (!made->data) {
        fail_memory(builder, made->key);
        item_free(made);
        return false;
    }
    return true;
}

static void set_bytes(tfm_table_builder *builder, item *made, const void *data, uint64_t n, uint64_t size) {
    if (!make_bytes(builder, made, n, size)) return;
    if (data && size) memcpy(made->data, data, size);
    insert(builder, made);
}

void tfm_table_set_u64(tfm_table_builder *builder, const char *key, uint64_t value) {
    item *made = make_item(builder, key, TFM_VALUE_U64);
    if (!made) return;
    made->bits = value;
    insert(builder, made);
}

void tfm_table_set_f64(tfm_table_builder *builder, const char *key, double value) {
    item *made = make_item(builder, key, TFM_VALUE_F64);
    if (!made) return;
    if (isnan(value)) {
        tfm_fail(&builder->failure, TFM_ERROR_ARGUMENT, "the value '%s' is not a number (NaN)", key);
        item_free(made);
        return;
    }
    memcpy(&made->bits, &value, sizeof made->bits);
    insert(builder, made);
}

/* Whether text is there and valid; else keeps the failure and frees the item. */
static bool text_usable(tfm_table_builder *builder, item *made, const char *text) {
    if (text) {
        size_t length = strlen(text);
        if (tfm_utf8_valid_prefix(text, length) == length) return true;
    }
    tfm_fail(&builder->failure, TFM_ERROR_ARGUMENT, "the value '%s' is not valid UTF-8", made->key);
    item_free(made);
    return false;
}

void tfm_table_set_string(tfm_table_builder *builder, const char *key, const char *value) {
    item *made = make_item(builder, key, TFM_VALUE_STRING);
    if (!made || !text_usable(builder, made, value)) return;
    size_t n = strlen(value);
    set_bytes(builder, made, value, n, n + 1);
}

void tfm_table_set_array(tfm_table_builder *builder, const char *key, tfm_value_type type, const void *data, size_t n) {
    item *made = make_item(builder, key, type);
    if (!made) return;
    size_t element = type == TFM_VALUE_U8S ? 1 : 4;
    uint64_t size;
    if ((type != TFM_VALUE_U8S && type != TFM_VALUE_U32S && type != TFM_VALUE_F32S) || (!data && n != 0) ||
        __builtin_mul_overflow(n, element, &size)) {
        tfm_fail(&builder->failure, TFM_ERROR_ARGUMENT, "the value '%s' is not a possible array", key);
        item_free(made);
        return;
    }
    set_bytes(builder, made, data, n, size);
}

void tfm_table_set_strings(tfm_table_builder *builder, const char *key, const char *const *strings, size_t n) {
    item *made = make_item(builder, key, TFM_VALUE_STRINGS);
    if (!made) return;
    uint64_t size = 0;
    for (size_t i = 0; i < n; i++) {
        if (!text_usable(builder, made, strings ? strings[i] : NULL)) return;
        size += strlen(strings[i]) + 1;
    }
    if (!make_bytes(builder, made, n, size)) return;
    char *at = made->data;
    for (size_t i = 0; i < n; i++) at = stpcpy(at, strings[i]) + 1;
    insert(builder, made);
}

/* Strings of a list that was opened, which are valid and lie one after the other. */
static uint64_t strings_size(const tfm_value *value) {
    const char *at = value->data;
    for (size_t i = 0; i < value->n; i++) at += strlen(at) + 1;
    return (uint64_t)(at - (const char *)value->data);
}

void tfm_table_set_all(tfm_table_builder *builder, const tfm_table *table) {
    for (size_t i = 0; table && i < tfm_table_count(table); i++) {
        const tfm_value *value = tfm_table_at(table, i);
        item *made;
        switch (value->type) {
        case TFM_VALUE_U64: tfm_table_set_u64(builder, value->key, value->u64); break;
        case TFM_VALUE_F64: tfm_table_set_f64(builder, value->key, value->f64); break;
        case TFM_VALUE_STRING: tfm_table_set_string(builder, value->key, value->data); break;
        case TFM_VALUE_STRINGS:
            made = make_item(builder, value->key, TFM_VALUE_STRINGS);
            if (made) set_bytes(builder, made, value->data, value->n, strings_size(value));
            break;
        default: tfm_table_set_array(builder, value->key, value->type, value->data, value->n);
        }
    }
}

/* ---- writing ---- */

static bool has_bytes(const item *it) { return it->type > TFM_VALUE_F64; }

static uint64_t item_begin(const item *it, uint64_t end) {
    bool text = it->type == TFM_VALUE_STRING || it->type == TFM_VALUE_STRINGS;
    return tfm_disk_align(end, text ? 1 : TFM_DISK_ALIGN);
}

/* Bytes of the whole table. At most 2^20 values of at most 2^30 bytes: no overflow. */
static uint64_t table_length(const tfm_table_builder *builder) {
    uint64_t end = sizeof(tfm_disk_table) + builder->n * sizeof(tfm_disk_entry);
    for (size_t i = 0; i < builder->n; i++) end += strlen(builder->items[i]->key) + 1;
    for (size_t i = 0; i < builder->n; i++)
        if (has_bytes(builder->items[i])) end = item_begin(builder->items[i], end) + builder->items[i]->size;
    return end;
}

/* Fills `length` zero bytes at out. */
static void write_table(const tfm_table_builder *builder, unsigned char *out, uint64_t length) {
    tfm_disk_table head = {.count = (uint32_t)builder->n, .length = length};
    memcpy(out, &head, sizeof head);
    uint64_t key_at = sizeof head + builder->n * sizeof(tfm_disk_entry), end = key_at;
    for (size_t i = 0; i < builder->n; i++) end += strlen(builder->items[i]->key) + 1;
    for (size_t i = 0; i < builder->n; i++) {
        const item *it = builder->items[i];
        tfm_disk_entry entry = {.key_offset = (uint32_t)key_at,
                                .key_length = (uint16_t)strlen(it->key),
                                .type = (uint16_t)it->type,
                                .n = it->n,
                                .value = it->bits,
                                .size = it->size};
        memcpy(out + key_at, it->key, entry.key_length);
        key_at += entry.key_length + 1u;
        if (has_bytes(it)) {
            entry.value = item_begin(it, end);
            memcpy(out + entry.value, it->data, it->size);
            end = entry.value + it->size;
        }
        memcpy(out + sizeof head + i * sizeof entry, &entry, sizeof entry);
    }
}

tfm_status tfm_table_build(const tfm_table_builder *builder, void **data, size_t *n, tfm_error *error) {
    *data = NULL;
    *n = 0;
    if (!builder) return tfm_no_memory(error, "table");
    if (builder->failure.status != TFM_OK)
        return tfm_fail(error, builder->failure.status, "%s", builder->failure.message);
    uint64_t length = table_length(builder);
    if (length > TFM_DISK_MAX_SECTION)
        return tfm_fail(error, TFM_ERROR_LIMIT, "a table of %llu bytes is too long: a section has at most a GiB",
                        (unsigned long long)length);
    unsigned char *out = calloc(1, length);
    if (!out) return tfm_no_memory(error, "table of %llu bytes", (unsigned long long)length);
    write_table(builder, out, length);
    *data = out;
    *n = length;
    return TFM_OK;
}
