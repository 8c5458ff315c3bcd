/* containers.c - writes models as safetensors and as the files torch.save makes, byte by byte. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "checkpoints.h"
#include "format/model_file.h"

/* Bytes of a tensor's values in its type. */
static buffer tensor_bytes(const tensor *t) {
    buffer b = {0};
    for (uint64_t i = 0; i < t->count; i++) {
        uint32_t bits;
        double wide = (double)t->values[i];
        memcpy(&bits, &t->values[i], 4);
        switch (t->dtype) {
        case TFM_ST_F32: put_number(&b, bits, 4); break;
        case TFM_ST_F16: put_number(&b, tfm_f32_to_f16(t->values[i]), 2); break;
        case TFM_ST_BF16: put_number(&b, tfm_f32_to_bf16(t->values[i]), 2); break;
        case TFM_ST_F64: put(&b, &wide, 8); break;
        default: put_number(&b, (uint64_t)(int64_t)t->values[i], tfm_st_dtype_size(t->dtype));
        }
    }
    return b;
}

/* ---- safetensors ---- */

static void write_part(const char *path, model *m, size_t first, size_t last) {
    tfm_safetensors_writer *writer = NULL;
    REQUIRE_OK(tfm_safetensors_writer_create(&writer, path, error));
    for (size_t i = first; i < last; i++)
        if (m->list[i].storage == i)
            REQUIRE_OK(tfm_safetensors_writer_declare(writer, m->list[i].name, m->list[i].dtype, m->list[i].rank,
                                                      m->list[i].shape, error));
    for (size_t i = first; i < last; i++) {
        if (m->list[i].storage != i) continue;
        buffer b = tensor_bytes(&m->list[i]);
        REQUIRE_OK(tfm_safetensors_writer_write(writer, b.data, b.n, error));
        buffer_free(&b);
    }
    REQUIRE_OK(tfm_safetensors_writer_commit(&writer, error));
}

void write_safetensors(const char *path, model *m) { write_part(path, m, 0, m->n); }

void write_sharded(const char *folder, model *m) {
    static const char *const names[] = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"};
    json_t *map = json_object();
    size_t half = m->n / 2;
    for (size_t i = 0; i < m->n; i++)
        if (m->list[i].storage == i) json_object_set_new(map, m->list[i].name, json_string(names[i >= half]));
    write_part(in(folder, names[0]), m, 0, half);
    write_part(in(folder, names[1]), m, half, m->n);
    json_t *index = json_pack("{s:{s:i}, s:o}", "metadata", "total_size", 1, "weight_map", map);
    cr_assert(json_dump_file(index, in(folder, "model.safetensors.index.json"), 0) == 0);
    json_decref(index);
}

/* ---- pickles ---- */

static void pickle_text(buffer *b, const char *text) {
    put_byte(b, 'X');
    put_number(b, strlen(text), 4);
    put_text(b, text);
}

static void pickle_int(buffer *b, uint64_t number) {
    if (number < 256) {
        put_byte(b, 'K');
        put_number(b, number, 1);
    } else {
        put_byte(b, 'J');
        put_number(b, number, 4);
    }
}

static const char *storage_type(tfm_st_dtype dtype) {
    switch (dtype) {
    case TFM_ST_F32: return "ctorch\nFloatStorage\n";
    case TFM_ST_F16: return "ctorch\nHalfStorage\n";
    case TFM_ST_BF16: return "ctorch\nBFloat16Storage\n";
    case TFM_ST_F64: return "ctorch\nDoubleStorage\n";
    default: return "ctorch\nLongStorage\n";
    }
}

/* _rebuild_tensor_v2(storage, 0, shape, stride, False, OrderedDict()) */
static void pickle_tensor(buffer *b, const tensor *t, bool legacy) {
    char key[24];
    uint64_t stride = t->count;
    snprintf(key, sizeof key, "%zu", t->storage);
    put_text(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    pickle_text(b, "storage");
    put_text(b, storage_type(t->dtype));
    pickle_text(b, key);
    pickle_text(b, "cpu");
    pickle_int(b, t->count);
    put_text(b, legacy ? "NtQ" : "tQ");
    pickle_int(b, 0);
    put_byte(b, '(');
    for (uint32_t i = 0; i < t->rank; i++) pickle_int(b, t->shape[i]);
    put_text(b, "t(");
    for (uint32_t i = 0; i < t->rank; i++) {
        stride /= t->shape[i];
        pickle_int(b, stride);
    }
    put_text(b, "t\x89"
                "ccollections\nOrderedDict\n)RtR");
}

buffer state_pickle(model *m, bool legacy) {
    buffer b = {0};
    put_text(&b, "\x80\x02"
                 "ccollections\nOrderedDict\n)Rq");
    put_byte(&b, 0);
    put_byte(&b, '(');
    for (size_t i = 0; i < m->n; i++) {
        pickle_text(&b, m->list[i].name);
        pickle_tensor(&b, &m->list[i], legacy);
    }
    put_text(&b, "u}");
    pickle_text(&b, "_metadata"); /* state of the OrderedDict: {'_metadata': OrderedDict({'': {'version': 1}})} */
    put_text(&b, "ccollections\nOrderedDict\n)R");
    pickle_text(&b, "");
    put_byte(&b, '}');
    pickle_text(&b, "version");
    put_text(&b, "K\x01sssb.");
    return b;
}

/* ---- torch.save ---- */

void put_zip_entry(zip_t *zip, const char *name, const void *data, size_t n, bool deflate) {
    void *copy = malloc(n + 1);
    cr_assert(copy);
    if (n > 0) memcpy(copy, data, n);
    zip_source_t *source = zip_source_buffer(zip, copy, n, 1);
    zip_int64_t index = source ? zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8) : -1;
    cr_assert(index >= 0, "%s: %s", name, zip_strerror(zip));
    cr_assert(zip_set_file_compression(zip, (zip_uint64_t)index, deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0) == 0);
}

void write_torch_zip(const char *path, model *m, bool deflate) {
    int code;
    char name[64];
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    cr_assert(zip);
    buffer pickle = state_pickle(m, false);
    put_zip_entry(zip, "archive/data.pkl", pickle.data, pickle.n, deflate);
    buffer_free(&pickle);
    put_zip_entry(zip, "archive/byteorder", "little", 6, false);
    for (size_t i = 0; i < m->n; i++) {
        if (m->list[i].storage != i) continue;
        buffer b = tensor_bytes(&m->list[i]);
        snprintf(name, sizeof name, "archive/data/%zu", i);
        put_zip_entry(zip, name, b.data, b.n, deflate);
        buffer_free(&b);
    }
    put_zip_entry(zip, "archive/version", "3\n", 2, false);
    cr_assert(zip_close(zip) == 0, "%s", zip_strerror(zip));
}

buffer legacy_prologue(void) {
    buffer b = {0};
    put(&b, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
    put(&b, "\x80\x02M\xe9\x03.", 6);
    put(&b, "\x80\x02}q\x00(", 6);
    pickle_text(&b, "protocol_version");
    put(&b, "M\xe9\x03", 3);
    pickle_text(&b, "little_endian");
    put_byte(&b, 0x88);
    pickle_text(&b, "type_sizes");
    put_text(&b, "}(");
    pickle_text(&b, "short");
    put_text(&b, "K\x02");
    pickle_text(&b, "int");
    put_text(&b, "K\x04");
    pickle_text(&b, "long");
    put_text(&b, "K\x04uu.");
    return b;
}

void write_torch_legacy(const char *path, model *m) {
    char key[24];
    buffer b = legacy_prologue(), pickle = state_pickle(m, true);
    put(&b, pickle.data, pickle.n);
    buffer_free(&pickle);
    put_text(&b, "\x80\x02](");
    for (size_t i = m->n; i-- > 0;) { /* any order will do; readers go by the list */
        if (m->list[i].storage != i) continue;
        snprintf(key, sizeof key, "%zu", i);
        pickle_text(&b, key);
    }
    put_text(&b, "e.");
    for (size_t i = m->n; i-- > 0;) {
        if (m->list[i].storage != i) continue;
        buffer bytes = tensor_bytes(&m->list[i]);
        put_number(&b, m->list[i].count, 8);
        put(&b, bytes.data, bytes.n);
        buffer_free(&bytes);
    }
    write_file(path, b.data, b.n);
    buffer_free(&b);
}
