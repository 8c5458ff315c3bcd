/* table.c - reading a table of typed values: every rule of docs/format.md is checked before a value is given out. */
#include "table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "hash.h"
#include "model_file.h"
#include "names.h"
#include "utf8.h"

struct tfm_table {
    size_t n;
    tfm_value values[];
};

/* What is being read; `end` is the end of what is accounted for so far. */
typedef struct reading {
    const unsigned char *data;
    uint64_t n, end;
    const char *what;
    tfm_error *error;
} reading;

static tfm_disk_entry entry_at(const reading *in, size_t i) {
    tfm_disk_entry entry;
    memcpy(&entry, in->data + sizeof(tfm_disk_table) + i * sizeof entry, sizeof entry);
    return entry;
}

static tfm_status read_key(reading *in, const tfm_disk_entry *entry, size_t i, const char *previous, tfm_value *value) {
    if (entry->key_offset != in->end || entry->key_length == 0 || entry->key_length > TFM_DISK_KEY_MAX ||
        in->n - in->end <= entry->key_length)
        return tfm_fail(in->error, TFM_ERROR_FORMAT, "%s: key %zu does not lie where it should", in->what, i);
    const char *key = (const char *)in->data + in->end;
    if (!tfm_name_chars(key, entry->key_length) || key[entry->key_length] != '\0')
        return tfm_fail(in->error, TFM_ERROR_FORMAT, "%s: key %zu has a character no key may have", in->what, i);
    if (previous && strcmp(previous, key) >= 0)
        return tfm_fail(in->error, TFM_ERROR_FORMAT, "%s: key '%s' is there twice or out of order", in->what, key);
    value->key = key;
    in->end += entry->key_length + 1u;
    return TFM_OK;
}

static tfm_status bad_value(const reading *in, const tfm_value *value, const char *problem) {
    return tfm_fail(in->error, TFM_ERROR_FORMAT, "%s: value '%s' %s", in->what, value->key, problem);
}

static tfm_status read_scalar(const reading *in, const tfm_disk_entry *entry, tfm_value *value) {
    if (entry->n != 0 || entry->size != 0) return bad_value(in, value, "is a number with a length");
    if (value->type == TFM_VALUE_U64) {
        value->u64 = entry->value;
        return TFM_OK;
    }
    memcpy(&value->f64, &entry->value, sizeof value->f64);
    return isnan(value->f64) ? bad_value(in, value, "is not a number (NaN)") : TFM_OK;
}

static bool text_size_fits(const tfm_disk_entry *entry, const char *text) {
    if (entry->type == TFM_VALUE_STRING)
        return entry->size != 0 && entry->n == entry->size - 1 && memchr(text, '\0', entry->size) == text + entry->n;
    uint64_t n_strings = 0;
    for (const char *at = text, *end = text + entry->size; at < end; n_strings++) {
        const char *zero = memchr(at, '\0', (size_t)(end - at));
        if (!zero) return false;
        at = zero + 1;
    }
    return n_strings == entry->n;
}

/* Strings and arrays: the bytes lie where the bytes before them end, and are as many as n says. */
static tfm_status read_bytes(reading *in, const tfm_disk_entry *entry, tfm_value *value) {
    bool text = value->type == TFM_VALUE_STRING || value->type == TFM_VALUE_STRINGS;
    uint64_t begin = tfm_disk_align(in->end, text ? 1 : TFM_DISK_ALIGN);
    if (begin > in->n || entry->value != begin || entry->size > in->n - begin)
        return bad_value(in, value, "does not lie where it should");
    if (!tfm_all_zero(in->data + in->end, begin - in->end))
        return bad_value(in, value, "is preceded by padding that is not zero");
    const char *data = (const char *)in->data + begin;
    uint64_t bytes;
    if (text) {
        if (!text_size_fits(entry, data)) return bad_value(in, value, "has a length that does not fit its text");
        if (tfm_utf8_valid_prefix(data, entry->size) != entry->size) return bad_value(in, value, "is not valid UTF-8");
    } else if (__builtin_mul_overflow(entry->n, value->type == TFM_VALUE_U8S ? 1 : 4, &bytes) || bytes != entry->size) {
        return bad_value(in, value, "has a length that does not fit its number of elements");
    }
    value->data = data;
    value->n = entry->n;
    in->end = begin + entry->size;
    return TFM_OK;
}

static tfm_status read_value(reading *in, const tfm_disk_entry *entry, tfm_value *value) {
    if (entry->type < TFM_VALUE_U64 || entry->type > TFM_VALUE_STRINGS)
        return tfm_fail(in->error, TFM_ERROR_UNSUPPORTED, "%s: value '%s' has the unknown type %u", in->what,
                        value->key, entry->type);
    value->type = (tfm_value_type)entry->type;
    return value->type <= TFM_VALUE_F64 ? read_scalar(in, entry, value) : read_bytes(in, entry, value);
}

static tfm_status read_entries(reading *in, tfm_table *table) {
    tfm_status status = TFM_OK;
    in->end = sizeof(tfm_disk_table) + table->n * sizeof(tfm_disk_entry);
    for (size_t i = 0; i < table->n && status == TFM_OK; i++) {
        tfm_disk_entry entry = entry_at(in, i);
        status = read_key(in, &entry, i, i == 0 ? NULL : table->values[i - 1].key, &table->values[i]);
    }
    for (size_t i = 0; i < table->n && status == TFM_OK; i++) {
        tfm_disk_entry entry = entry_at(in, i);
        status = read_value(in, &entry, &table->values[i]);
    }
    if (status == TFM_OK && in->end != in->n)
        status = tfm_fail(in->error, TFM_ERROR_FORMAT, "%s: %llu bytes follow the last value", in->what,
                          (unsigned long long)(in->n - in->end));
    return status;
}

tfm_status tfm_table_open(tfm_table **table, const void *data, size_t n, const char *what, tfm_error *error) {
    *table = NULL;
    tfm_disk_table head;
    if (n < sizeof head || n > TFM_DISK_MAX_SECTION)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: a table of %zu bytes is not possible", what, n);
    memcpy(&head, data, sizeof head);
    if (head.length != n || head.reserved != 0)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: the head of the table is wrong", what);
    if (head.count > TFM_DISK_MAX_ENTRIES || head.count > (n - sizeof head) / sizeof(tfm_disk_entry))
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: %u values do not fit into %zu bytes", what, head.count, n);
    tfm_table *made = calloc(1, sizeof *made + head.count * sizeof made->values[0]);
    if (!made) return tfm_no_memory(error, "%s: table of %u values", what, head.count);
    made->n = head.count;
    reading in = {.data = data, .n = n, .what = what, .error = error};
    tfm_status status = read_entries(&in, made);
    if (status != TFM_OK) {
        free(made);
        return status;
    }
    *table = made;
    return TFM_OK;
}

void tfm_table_close(tfm_table **table) {
    if (table) {
        free(*table);
        *table = NULL;
    }
}

size_t tfm_table_count(const tfm_table *table) { return table ? table->n : 0; }

const tfm_value *tfm_table_at(const tfm_table *table, size_t i) {
    return table && i < table->n ? &table->values[i] : NULL;
}

static int compare_key(const void *key, const void *value) { return strcmp(key, ((const tfm_value *)value)->key); }

const tfm_value *tfm_table_find(const tfm_table *table, const char *key) {
    return table ? bsearch(key, table->values, table->n, sizeof table->values[0], compare_key) : NULL;
}

static const tfm_value *find_typed(const tfm_table *table, const char *key, tfm_value_type type) {
    const tfm_value *value = tfm_table_find(table, key);
    return value && value->type == type ? value : NULL;
}

uint64_t tfm_table_u64(const tfm_table *table, const char *key, uint64_t fallback) {
    const tfm_value *value = find_typed(table, key, TFM_VALUE_U64);
    return value ? value->u64 : fallback;
}

double tfm_table_f64(const tfm_table *table, const char *key, double fallback) {
    const tfm_value *value = find_typed(table, key, TFM_VALUE_F64);
    return value ? value->f64 : fallback;
}

const char *tfm_table_string(const tfm_table *table, const char *key, const char *fallback) {
    const tfm_value *value = find_typed(table, key, TFM_VALUE_STRING);
    return value ? value->data : fallback;
}
