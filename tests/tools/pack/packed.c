/* packed.c - see packed.h. */
#include "packed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pack/common/name_format.h"

char packed_notes[1000];

static void keep_note(void *user, const char *text) {
    (void)user;
    strncat(packed_notes, text, sizeof packed_notes - strlen(packed_notes) - 1);
}

tfm_status packed_try(const char *folder, tfm_dtype dtype, tfm_error *error) {
    tfm_pack_request request = {
        .source = folder, .out = in(folder, "m.bin"), .options = {.dtype = dtype, .note = keep_note}};
    packed_notes[0] = '\0';
    return tfm_pack(&request, error);
}

tfm_file *packed_file(const char *from, const char *out) {
    tfm_file *file;
    tfm_pack_request request = {.source = from, .out = out, .options = {.dtype = TFM_F32, .note = keep_note}};
    packed_notes[0] = '\0';
    REQUIRE_OK(tfm_pack(&request, error));
    REQUIRE_OK(tfm_file_open(&file, out, error));
    return file;
}

tfm_file *packed_open(const char *folder) {
    tfm_file *file;
    REQUIRE_OK(packed_try(folder, TFM_F32, error));
    REQUIRE_OK(tfm_file_open(&file, in(folder, "m.bin"), error));
    return file;
}

char *packed_folder(const char *config, model *m) {
    char *folder = scratch_make();
    write_text_in(folder, "config.json", config);
    write_safetensors(in(folder, "model.safetensors"), m);
    return folder;
}

void packed_configure(const char *folder, const char *changes) {
    size_t n;
    char *old = read_file(in(folder, "config.json"), &n);
    json_t *config = json_loads(old, 0, NULL), *change = json_loads(changes, 0, NULL);
    cr_assert(config && change && json_object_update(config, change) == 0, "%s", changes);
    char *fresh = json_dumps(config, 0);
    write_text_in(folder, "config.json", fresh);
    free(old);
    free(fresh);
    json_decref(config);
    json_decref(change);
}

float packed_at(const tfm_tensor *t, uint64_t row, uint64_t column) {
    uint64_t k = t->rank == 2 ? t->shape[1] : 1;
    uint64_t index = t->layout == TFM_LAYOUT_PANELS ? ((row / 16) * k + column) * 16 + row % 16 : row * k + column;
    const uint16_t *half = t->data;
    if (t->dtype == TFM_F16) return tfm_f16_to_f32(half[index]);
    if (t->dtype == TFM_BF16) return tfm_bf16_to_f32(half[index]);
    return ((const float *)t->data)[index];
}

static void check(const tfm_file *file, const char *name, uint64_t first, const tensor *from, bool vector) {
    const tfm_tensor *t = tfm_file_tensor(file, name);
    uint64_t rows = vector ? from->count : from->shape[0], columns = vector ? 1 : from->shape[1];
    cr_assert(t, "no tensor %s", name);
    cr_assert_eq(t->rank, vector ? 1 : 2, "%s", name);
    if (!vector) cr_assert_eq(t->shape[1], columns, "%s", name);
    cr_assert(first + rows <= t->shape[0], "%s", name);
    for (uint64_t r = 0; r < rows; r++)
        for (uint64_t c = 0; c < columns; c++)
            cr_assert(packed_at(t, first + r, c) == from->values[r * columns + c], "%s (%d, %d)", name, (int)r, (int)c);
}

void packed_check(const tfm_file *file, const char *name, uint64_t first, const tensor *from) {
    bool vector = from->rank == 1 || from->shape[0] == 1;
    check(file, name, first, from, vector);
    cr_assert_eq(tfm_file_tensor(file, name)->layout, vector ? TFM_LAYOUT_ROWS : TFM_LAYOUT_PANELS, "%s", name);
}

void packed_check_table(const tfm_file *file, const char *name, const tensor *from) {
    check(file, name, 0, from, false);
    const tfm_tensor *t = tfm_file_tensor(file, name);
    cr_assert(t->layout == TFM_LAYOUT_ROWS && t->shape[0] == from->shape[0], "%s", name);
}

void packed_check_linear(const tfm_file *file, const char *name, uint64_t first, model *m, const char *from) {
    static const char *const kinds[] = {"weight", "bias"};
    for (int i = 0; i < 2; i++)
        packed_check(file, tfm_name_format("%s.%s", name, kinds[i]).text, first,
                     model_find(m, tfm_name_format("%s.%s", from, kinds[i]).text));
}

const char *packed_word(const tfm_file *file, const char *key) {
    return tfm_table_string(tfm_file_table(file, "architecture"), key, "");
}

uint64_t packed_number(const tfm_file *file, const char *key) {
    return tfm_table_u64(tfm_file_table(file, "architecture"), key, 12345678);
}

double packed_real(const tfm_file *file, const char *key) {
    return tfm_table_f64(tfm_file_table(file, "architecture"), key, -1);
}

/* ---- two files with the same in them ---- */

static bool same_strings(const tfm_value *a, const tfm_value *b) {
    const char *x = a->data, *y = b->data;
    for (size_t i = 0; i < a->n; i++, x += strlen(x) + 1, y += strlen(y) + 1)
        if (strcmp(x, y) != 0) return false;
    return true;
}

bool packed_same_value(const tfm_value *a, const tfm_value *b) {
    const size_t size = a->type == TFM_VALUE_U8S ? 1 : 4;
    if (a->type != b->type || a->n != b->n) return false;
    if (a->type == TFM_VALUE_U64) return a->u64 == b->u64;
    if (a->type == TFM_VALUE_F64) return memcmp(&a->f64, &b->f64, sizeof a->f64) == 0;
    if (a->type == TFM_VALUE_STRING) return strcmp(a->data, b->data) == 0;
    if (a->type == TFM_VALUE_STRINGS) return same_strings(a, b);
    return a->n == 0 || memcmp(a->data, b->data, a->n * size) == 0;
}

void packed_compare_section(const tfm_file *a, const tfm_file *b, const char *section, const char *but) {
    const tfm_table *x = tfm_file_table(a, section), *y = tfm_file_table(b, section);
    cr_assert((!x) == (!y), "section %s is in one of the files only", section);
    if (!x) return;
    for (size_t i = 0; i < tfm_table_count(x); i++) {
        const tfm_value *value = tfm_table_at(x, i), *other = tfm_table_find(y, value->key);
        cr_assert(other, "%s lacks %s", section, value->key);
        cr_assert((but && strcmp(value->key, but) == 0) || packed_same_value(value, other), "%s: %s differs", section,
                  value->key);
    }
    cr_assert_eq(tfm_table_count(x), tfm_table_count(y), "%s", section);
}

void packed_compare_tensors(const tfm_file *a, const tfm_file *b) {
    for (size_t i = 0; i < tfm_file_tensor_count(a); i++) {
        const tfm_tensor *x = tfm_file_tensor_at(a, i), *y = tfm_file_tensor(b, x->name);
        cr_assert(y, "no tensor %s", x->name);
        cr_assert(x->hash == y->hash && x->length == y->length, "%s differs", x->name);
        cr_assert_eq(memcmp(x->data, y->data, x->length), 0, "%s differs", x->name);
    }
    cr_assert_eq(tfm_file_tensor_count(a), tfm_file_tensor_count(b));
}

void packed_misfit(const char *config, model *m, void (*change)(model *m), tfm_status expected, const char *text) {
    change(m);
    char *folder = packed_folder(config, m);
    size_t before = count_files(folder);
    REQUIRE_ERROR(expected, packed_try(folder, TFM_F32, error), text);
    cr_assert_eq(count_files(folder), before, "a failed run leaves nothing");
    model_free(&m);
    scratch_remove(&folder);
}
