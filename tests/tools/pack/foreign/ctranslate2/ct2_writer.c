/* ct2_writer.c - writes CTranslate2 model folders for the tests; see ct2_writer.h. */
#include "ct2_writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simd/panels.h"

ct2_writer *ct2_start(const char *spec, uint32_t revision, uint32_t version, tfm_ct2_type type) {
    ct2_writer *w = calloc(1, sizeof *w);
    cr_assert(w);
    w->spec = spec;
    w->revision = revision;
    w->version = version;
    w->type = type;
    return w;
}

static void put_name(buffer *b, const char *name) {
    put_number(b, strlen(name) + 1, 2);
    put(b, name, strlen(name) + 1);
}

static const size_t sizes[] = {4, 1, 2, 4, 2, 2};

/* Name, shape and type; the values come next. */
static void put_head(ct2_writer *w, const char *name, uint32_t rank, const uint64_t *shape, tfm_ct2_type type) {
    uint64_t count = 1;
    put_name(&w->variables, name);
    put_byte(&w->variables, (unsigned char)rank);
    for (uint32_t i = 0; i < rank; i++) {
        put_number(&w->variables, shape[i], 4);
        count *= shape[i];
    }
    put_byte(&w->variables, (unsigned char)(w->version >= 4 ? type : sizes[type]));
    put_number(&w->variables, w->version >= 4 ? count * sizes[type] : count, 4);
    w->n_variables++;
}

static void put_value(buffer *b, tfm_ct2_type type, float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    switch (type) {
    case TFM_CT2_F32: put_number(b, bits, 4); break;
    case TFM_CT2_I8: put_number(b, (uint8_t)(int8_t)lrintf(value), 1); break;
    case TFM_CT2_I16: put_number(b, (uint16_t)(int16_t)lrintf(value), 2); break;
    case TFM_CT2_I32: put_number(b, (uint32_t)(int32_t)lrintf(value), 4); break;
    case TFM_CT2_F16: put_number(b, tfm_f32_to_f16(value), 2); break;
    default: put_number(b, tfm_f32_to_bf16(value), 2); break;
    }
}

void ct2_number(ct2_writer *w, const char *name, tfm_ct2_type type, double value) {
    if (w->version < 3 && strstr(name, "num_heads")) return; /* implied by the name of the kind */
    put_head(w, name, 0, NULL, type);
    put_value(&w->variables, type, (float)value);
}

void ct2_text(ct2_writer *w, const char *name, const char *text) {
    const uint64_t n = strlen(text);
    put_head(w, name, 1, &n, TFM_CT2_I8);
    put(&w->variables, text, n);
}

static float largest(const float *values, uint64_t n) {
    float most = 0;
    for (uint64_t i = 0; i < n; i++) most = fmaxf(most, fabsf(values[i]));
    return most;
}

static void put_quantised(ct2_writer *w, const ct2_array *a) {
    const uint64_t rows = a->shape[0], columns = a->shape[1];
    const bool by_row = w->type == TFM_CT2_I8;
    float *scales = calloc(rows + 1, sizeof *scales);
    cr_assert(scales);
    put_head(w, a->name, a->rank, a->shape, w->type);
    for (uint64_t r = 0; r < rows; r++) {
        const float most = by_row ? largest(a->values + r * columns, columns) : largest(a->values, rows * columns);
        scales[r] = (by_row ? 127.0f : 1024.0f) / (most > 0 ? most : 127.0f);
        for (uint64_t k = 0; k < columns; k++)
            put_value(&w->variables, w->type, a->values[r * columns + k] * scales[r]);
    }
    char name[140];
    snprintf(name, sizeof name, "%s_scale", a->name);
    put_head(w, name, by_row, &rows, TFM_CT2_F32);
    for (uint64_t r = 0; r < (by_row ? rows : 1); r++) put_value(&w->variables, TFM_CT2_F32, scales[r]);
    free(scales);
}

void ct2_values(ct2_writer *w, const char *name, uint32_t rank, uint64_t rows, uint64_t columns, float *values) {
    const uint64_t count = rows * (rank > 1 ? columns : 1);
    cr_assert(w->n_arrays < sizeof w->arrays / sizeof *w->arrays);
    for (size_t i = 0; i < w->n_arrays && w->version >= 3; i++) {
        const ct2_array *a = &w->arrays[i];
        if (a->rank != rank || a->shape[0] != rows || a->shape[1] != columns) continue;
        if (memcmp(a->values, values, count * sizeof *values) != 0) continue;
        ct2_alias(w, name, a->name);
        free(values);
        return;
    }
    ct2_array *a = &w->arrays[w->n_arrays++];
    snprintf(a->name, sizeof a->name, "%s", name);
    a->rank = rank;
    a->shape[0] = rows;
    a->shape[1] = columns;
    a->values = values;
    const size_t n = strlen(name);
    const bool weight = n > 7 && strcmp(name + n - 7, "/weight") == 0;
    if (weight && (w->type == TFM_CT2_I8 || w->type == TFM_CT2_I16)) {
        put_quantised(w, a);
        return;
    }
    const tfm_ct2_type type = w->type == TFM_CT2_I8 || w->type == TFM_CT2_I16 ? TFM_CT2_F32 : w->type;
    put_head(w, name, rank, a->shape, type);
    for (uint64_t i = 0; i < count; i++) put_value(&w->variables, type, values[i]);
}

void ct2_alias(ct2_writer *w, const char *name, const char *target) {
    put_name(&w->aliases, name);
    put_name(&w->aliases, target);
    w->n_aliases++;
}

buffer ct2_file(const ct2_writer *w) {
    buffer b = {0};
    put_number(&b, w->version, 4);
    put_name(&b, w->spec);
    put_number(&b, w->revision, 4);
    put_number(&b, w->n_variables, 4);
    put(&b, w->variables.data, w->variables.n);
    if (w->version < 3) return b;
    put_number(&b, w->n_aliases, 4);
    if (w->aliases.n) put(&b, w->aliases.data, w->aliases.n);
    return b;
}

void ct2_free(ct2_writer **w) {
    for (size_t i = 0; i < (*w)->n_arrays; i++) free((*w)->arrays[i].values);
    buffer_free(&(*w)->variables);
    buffer_free(&(*w)->aliases);
    free(*w);
    *w = NULL;
}

void ct2_finish(ct2_writer **w, const char *folder) {
    buffer b = ct2_file(*w);
    write_file(in(folder, "model.bin"), b.data, b.n);
    buffer_free(&b);
    ct2_free(w);
}
