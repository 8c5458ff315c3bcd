/* gguf_writer.c - see gguf_writer.h. */
#include "gguf_writer.h"

#include <string.h>

gguf_writer gguf_begin(void) { return (gguf_writer){.alignment = 32}; }

static void put_string(buffer *b, const char *text) {
    put_number(b, strlen(text), 8);
    put_text(b, text);
}

static void put_key(gguf_writer *w, const char *key, uint32_t type) {
    put_string(&w->values, key);
    put_number(&w->values, type, 4);
    w->n_values++;
}

static void put_array(gguf_writer *w, const char *key, uint32_t type, size_t n) {
    put_key(w, key, 9);
    put_number(&w->values, type, 4);
    put_number(&w->values, n, 8);
}

void gguf_u32(gguf_writer *w, const char *key, uint64_t number) {
    put_key(w, key, 4);
    put_number(&w->values, number, 4);
}

void gguf_f32(gguf_writer *w, const char *key, double number) {
    const float single = (float)number;
    put_key(w, key, 6);
    put(&w->values, &single, sizeof single);
}

void gguf_bool(gguf_writer *w, const char *key, bool value) {
    put_key(w, key, 7);
    put_byte(&w->values, value);
}

void gguf_string(gguf_writer *w, const char *key, const char *text) {
    put_key(w, key, 8);
    put_string(&w->values, text);
}

void gguf_strings(gguf_writer *w, const char *key, const char *const *texts, size_t n) {
    put_array(w, key, 8, n);
    for (size_t i = 0; i < n; i++) put_string(&w->values, texts[i]);
}

void gguf_f32s(gguf_writer *w, const char *key, const float *numbers, size_t n) {
    put_array(w, key, 6, n);
    put(&w->values, numbers, n * sizeof *numbers);
}

void gguf_i32s(gguf_writer *w, const char *key, const int32_t *numbers, size_t n) {
    put_array(w, key, 5, n);
    put(&w->values, numbers, n * sizeof *numbers);
}

void gguf_tensor(gguf_writer *w, const char *name, uint32_t type, uint32_t rank, const uint64_t *shape,
                 const void *data, size_t n) {
    while (w->data.n % w->alignment) put_byte(&w->data, 0);
    put_string(&w->infos, name);
    put_number(&w->infos, rank, 4);
    for (uint32_t i = rank; i-- > 0;) put_number(&w->infos, shape[i], 8);
    put_number(&w->infos, type, 4);
    put_number(&w->infos, w->data.n, 8);
    put(&w->data, data, n);
    w->n_tensors++;
}

buffer gguf_end(gguf_writer *w) {
    buffer b = {0};
    put_text(&b, "GGUF");
    put_number(&b, 3, 4);
    put_number(&b, w->n_tensors, 8);
    put_number(&b, w->n_values, 8);
    if (w->values.n) put(&b, w->values.data, w->values.n);
    if (w->infos.n) put(&b, w->infos.data, w->infos.n);
    while (b.n % w->alignment) put_byte(&b, 0);
    if (w->data.n) put(&b, w->data.data, w->data.n);
    buffer_free(&w->values);
    buffer_free(&w->infos);
    buffer_free(&w->data);
    return b;
}

void gguf_save(gguf_writer *w, const char *path) {
    buffer b = gguf_end(w);
    write_file(path, b.data, b.n);
    buffer_free(&b);
}
