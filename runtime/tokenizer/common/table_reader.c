/* table_reader.c - typed and checked values of one tokenizer table. */
#include "table_reader.h"

#include <math.h>
#include <stdio.h>

void tfm_reader_fail(tfm_table_reader *r, const char *key, const char *wrong) {
    if (r->status != TFM_OK) return;
    r->status = tfm_fail(r->error, TFM_ERROR_FORMAT, "%s: %s: %s; the file was not made by tfmpack as it should be",
                         r->what, key, wrong);
}

const tfm_value *tfm_reader_get(tfm_table_reader *r, const char *key, tfm_value_type type, bool required) {
    if (r->status != TFM_OK) return NULL;
    const tfm_value *value = tfm_table_find(r->table, key);
    if (!value) {
        if (required) tfm_reader_fail(r, key, "is missing");
        return NULL;
    }
    if (value->type != type) {
        tfm_reader_fail(r, key, "has the wrong type");
        return NULL;
    }
    r->n_read++;
    return value;
}

bool tfm_reader_bool(tfm_table_reader *r, const char *key) {
    const tfm_value *value = tfm_reader_get(r, key, TFM_VALUE_U64, true);
    if (value && value->u64 > 1) tfm_reader_fail(r, key, "is neither 0 nor 1");
    return value && value->u64 == 1;
}

float tfm_reader_float(tfm_table_reader *r, const char *key) {
    const tfm_value *value = tfm_reader_get(r, key, TFM_VALUE_F64, true);
    if (!value) return 0.0f;
    if (!isfinite((float)value->f64)) tfm_reader_fail(r, key, "is not finite");
    return (float)value->f64;
}

const uint32_t *tfm_reader_indices(tfm_table_reader *r, const char *key, bool required, size_t limit, size_t *n) {
    const tfm_value *value = tfm_reader_get(r, key, TFM_VALUE_U32S, required);
    *n = value ? value->n : 0;
    const uint32_t *data = value ? value->data : NULL;
    for (size_t i = 0; i < *n; i++) {
        if (data[i] >= limit) {
            tfm_reader_fail(r, key, "has an index out of range");
            return NULL;
        }
    }
    return data;
}

void tfm_reader_trie(tfm_table_reader *r, const char *key, bool required, uint32_t flags, size_t n_values,
                     tfm_trie *trie) {
    const tfm_value *value = tfm_reader_get(r, key, TFM_VALUE_U32S, required);
    if (value && !tfm_trie_open(trie, value->data, value->n, flags, n_values)) {
        tfm_reader_fail(r, key, "is not a sound trie");
    }
}

void tfm_reader_texts(tfm_table_reader *r, const char *name, const char **texts, const uint32_t **offsets, size_t *n) {
    char key[64];
    snprintf(key, sizeof key, "%s.text", name);
    const tfm_value *text = tfm_reader_get(r, key, TFM_VALUE_U8S, true);
    snprintf(key, sizeof key, "%s.offsets", name);
    const tfm_value *ends = tfm_reader_get(r, key, TFM_VALUE_U32S, true);
    if (!text || !ends) return;
    const uint32_t *data = ends->data;
    if (ends->n == 0) {
        tfm_reader_fail(r, key, "is empty");
        return;
    }
    for (size_t i = 1; i < ends->n; i++) {
        if (data[i] < data[i - 1]) tfm_reader_fail(r, key, "goes backwards");
    }
    if (data[ends->n - 1] > text->n) tfm_reader_fail(r, key, "leads outside the text");
    *texts = text->data;
    *offsets = data;
    *n = ends->n - 1;
}

void tfm_reader_char_classes(tfm_table_reader *r, const char *name, tfm_char_classes *classes) {
    char key[96];
    snprintf(key, sizeof key, "%s.pages", name);
    const tfm_value *pages = tfm_reader_get(r, key, TFM_VALUE_U8S, true);
    snprintf(key, sizeof key, "%s.index", name);
    size_t n;
    const uint32_t *index = tfm_reader_indices(r, key, true, pages ? pages->n / 256 : 0, &n);
    if (index && n != TFM_CHAR_CLASS_PAGES) tfm_reader_fail(r, key, "has the wrong length");
    if (!pages || !index) return;
    classes->index = index;
    classes->pages = pages->data;
}
