/* checkpoint_test.c - every container gives the same tensors; indices, strides and damage are handled. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/tools/pack/checkpoints.h"
#include "tools/pack/checkpoint/checkpoint.h"

TestSuite(checkpoint, .timeout = 120);

static model *tied_model(tfm_st_dtype dtype) {
    marian small = marian_default();
    small.dtype = dtype;
    model *m = model_marian(&small);
    model_tie(m, "model.encoder.embed_tokens.weight", "model.shared.weight");
    model_tie(m, "lm_head.weight", "model.shared.weight");
    return m;
}

static float rounded(float x, tfm_st_dtype dtype) {
    if (dtype == TFM_ST_F16) return tfm_f16_to_f32(tfm_f32_to_f16(x));
    if (dtype == TFM_ST_BF16) return tfm_bf16_to_f32(tfm_f32_to_bf16(x));
    return x;
}

/* All values of all tensors, read whole and row by row. */
static void check_values(const char *folder, model *m, const char *format, bool ties) {
    tfm_checkpoint *checkpoint;
    REQUIRE_OK(tfm_checkpoint_open(&checkpoint, folder, error));
    cr_assert_str_eq(tfm_checkpoint_container(checkpoint), format);
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++) {
        const tensor *t = &m->list[i];
        if (t->storage != i && !ties) continue;
        n++;
        const tfm_checkpoint_tensor *found = tfm_checkpoint_find(checkpoint, t->name);
        cr_assert(found, "%s", t->name);
        cr_assert(found->rank == t->rank && memcmp(found->shape, t->shape, sizeof t->shape) == 0);
        cr_assert_eq(tfm_checkpoint_at(checkpoint, found->index), found);
        cr_assert_eq(found->storage == tfm_checkpoint_find(checkpoint, "model.shared.weight")->storage,
                     strstr(t->name, "shared") || t->storage != i);
        float *values = malloc((t->count + 1) * sizeof *values);
        cr_assert(values);
        REQUIRE_OK(tfm_checkpoint_read(checkpoint, found, 0, t->shape[0], values, error));
        for (uint64_t k = 0; k < t->count; k++)
            cr_assert(values[k] == rounded(t->values[k], t->dtype), "%s [%llu]", t->name, (unsigned long long)k);
        for (uint64_t row = 0; row < t->shape[0]; row++) {
            uint64_t width = t->count / t->shape[0];
            REQUIRE_OK(tfm_checkpoint_read(checkpoint, found, row, 1, values, error));
            for (uint64_t k = 0; k < width; k++) cr_assert(values[k] == rounded(t->values[row * width + k], t->dtype));
        }
        REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_checkpoint_read(checkpoint, found, 1, t->shape[0], values, error),
                      t->name);
        free(values);
    }
    cr_assert_eq(tfm_checkpoint_count(checkpoint), n);
    tfm_checkpoint_close(&checkpoint);
}

Test(checkpoint, containers_agree) {
    static const tfm_st_dtype dtypes[] = {TFM_ST_F32, TFM_ST_F16, TFM_ST_BF16};
    for (size_t i = 0; i < 3; i++) {
        marian small = marian_default();
        char *folder = scratch_make();
        model *m = tied_model(dtypes[i]);
        write_config(folder, &small, NULL);
        write_torch_legacy(in(folder, "pytorch_model.bin"), m);
        check_values(folder, m, "pytorch (legacy)", true);
        write_torch_zip(in(folder, "pytorch_model.bin"), m, false);
        check_values(folder, m, "pytorch (zip)", true);
        write_torch_zip(in(folder, "pytorch_model.bin"), m, true);
        check_values(folder, m, "pytorch (zip)", true);
        write_sharded(folder, m);
        check_values(folder, m, "safetensors (sharded)", false);
        write_safetensors(in(folder, "model.safetensors"), m);
        check_values(folder, m, "safetensors", false);
        model_free(&m);
        scratch_remove(&folder);
    }
}

/* Shards of pytorch_model.bin, one in each form. */
Test(checkpoint, torch_shards) {
    static const char *const names[] = {"pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"};
    marian small = marian_default();
    char *folder = scratch_make();
    model *m = model_marian(&small), *part = calloc(1, sizeof *part);
    cr_assert(part);
    write_config(folder, &small, NULL);
    json_t *map = json_object();
    for (size_t half = 0; half < 2; half++) {
        part->n = 0;
        for (size_t i = half * 20; i < (half ? m->n : 20); i++) {
            part->list[part->n] = m->list[i];
            part->list[part->n].storage = part->n;
            part->n++;
            json_object_set_new(map, m->list[i].name, json_string(names[half]));
        }
        half ? write_torch_legacy(in(folder, names[half]), part) : write_torch_zip(in(folder, names[half]), part, true);
    }
    json_t *index = json_pack("{s:o}", "weight_map", map);
    cr_assert(json_dump_file(index, in(folder, "pytorch_model.bin.index.json"), 0) == 0);
    check_values(folder, m, "pytorch (sharded)", true);
    json_object_set_new(map, m->list[0].name, json_string(names[1]));
    cr_assert(json_dump_file(index, in(folder, "pytorch_model.bin.index.json"), 0) == 0);
    tfm_checkpoint *checkpoint;
    REQUIRE_ERROR(TFM_ERROR_FORMAT, tfm_checkpoint_open(&checkpoint, folder, error), "where the index has it");
    json_decref(index);
    free(part); /* its tensors are those of m */
    model_free(&m);
    scratch_remove(&folder);
}

Test(checkpoint, the_preferred_container_is_said) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    tfm_checkpoint *checkpoint;
    REQUIRE_OK(tfm_checkpoint_open(&checkpoint, folder, error));
    cr_assert_null(tfm_checkpoint_note(checkpoint));
    cr_assert_null(tfm_checkpoint_generation_config(checkpoint));
    tfm_checkpoint_close(&checkpoint);
    model *m = tied_model(TFM_ST_F32);
    write_torch_zip(in(folder, "pytorch_model.bin"), m, false);
    model_free(&m);
    REQUIRE_OK(tfm_checkpoint_open(&checkpoint, folder, error));
    cr_assert_str_eq(tfm_checkpoint_note(checkpoint), "model.safetensors is used, pytorch_model.bin is not read");
    tfm_checkpoint_close(&checkpoint);
    REQUIRE_OK(tfm_checkpoint_open(&checkpoint, in(folder, "pytorch_model.bin"), error)); /* asked for by name */
    cr_assert_str_eq(tfm_checkpoint_container(checkpoint), "pytorch (zip)");
    cr_assert_str_eq(tfm_checkpoint_path(checkpoint), folder);
    tfm_checkpoint_close(&checkpoint);
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tfm_checkpoint_open(&checkpoint, in(folder, "config.json"), error), "folder");
    REQUIRE_ERROR(TFM_ERROR_IO, tfm_checkpoint_open(&checkpoint, in(folder, "none"), error), "none");
    unlink(in(folder, "model.safetensors"));
    unlink(in(folder, "pytorch_model.bin"));
    REQUIRE_ERROR(TFM_ERROR_IO, tfm_checkpoint_open(&checkpoint, folder, error), "has none of model.safetensors");
    write_text_in(folder, "pytorch_model.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, tfm_checkpoint_open(&checkpoint, folder, error), "Git LFS");
    unlink(in(folder, "config.json"));
    REQUIRE_ERROR(TFM_ERROR_IO, tfm_checkpoint_open(&checkpoint, folder, error), "config.json");
    write_file(in(folder, "config.json"), "{\n,}", 4);
    REQUIRE_ERROR(TFM_ERROR_FORMAT, tfm_checkpoint_open(&checkpoint, folder, error), "config.json: line 2");
    scratch_remove(&folder);
}

static void check_index(const char *folder, const char *index, tfm_status expected, const char *text) {
    tfm_checkpoint *checkpoint;
    write_file(in(folder, "model.safetensors.index.json"), index, strlen(index));
    REQUIRE_ERROR(expected, tfm_checkpoint_open(&checkpoint, folder, error), text);
    cr_assert_null(checkpoint);
}

Test(checkpoint, indices_cannot_lie) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    cr_assert(rename(in(folder, "model.safetensors"), in(folder, "x.safetensors")) == 0);
    check_index(folder, "{}", TFM_ERROR_FORMAT, "weight_map");
    check_index(folder, "{\"weight_map\":{\"a\":1}}", TFM_ERROR_FORMAT, "'a'");
    check_index(folder, "{\"weight_map\":{\"a\":\"../x.safetensors\"}}", TFM_ERROR_FORMAT, "same folder");
    check_index(folder, "{\"weight_map\":{\"a\":\"/etc/x.safetensors\"}}", TFM_ERROR_FORMAT, "same folder");
    check_index(folder, "{\"weight_map\":{\"a\":\"..\"}}", TFM_ERROR_FORMAT, "same folder");
    check_index(folder, "{\"weight_map\":{\"a\":\"config.json\"}}", TFM_ERROR_FORMAT, "same folder");
    check_index(folder, "{\"weight_map\":{\"a\":\"y.safetensors\"}}", TFM_ERROR_IO, "y.safetensors");
    check_index(folder, "{\"weight_map\":{\"a\":\"x.safetensors\"}}", TFM_ERROR_FORMAT, "'a' is not in x.safetensors");
    check_index(folder, "{\"weight_map\":{\"final_logits_bias\":\"x.safetensors\"}}", TFM_ERROR_FORMAT, "is not in");
    scratch_remove(&folder);
}

/* ---- strides ---- */

static void put_key(buffer *b, const char *text) {
    put_byte(b, 'X');
    put_number(b, strlen(text), 4);
    put_text(b, text);
}

static void put_tuple(buffer *b, const unsigned *values, size_t n) {
    put_byte(b, '(');
    for (size_t i = 0; i < n; i++) {
        put_byte(b, 'K');
        put_number(b, values[i], 1);
    }
    put_byte(b, 't');
}

/* Legacy file: storage "0" of 0, 1, ... 23, and tensors that look at it in different ways. */
static void put_view(buffer *b, const char *name, const char *view, unsigned offset, const unsigned *shape,
                     const unsigned *stride, size_t rank) {
    put_key(b, name);
    put_text(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_key(b, "storage");
    put_text(b, "ctorch\nFloatStorage\n");
    put_key(b, "0");
    put_key(b, "cpu");
    put_text(b, "K\x18");
    put_text(b, view);
    put_text(b, "tQK");
    put_number(b, offset, 1);
    put_tuple(b, shape, rank);
    put_tuple(b, stride, rank);
    put_text(b, "\x89}tR");
}

static void write_views(const char *path) {
    buffer b = legacy_prologue();
    put_text(&b, "\x80\x02}(");
    put_view(&b, "whole", "N", 0, (unsigned[]){4, 6}, (unsigned[]){6, 1}, 2);
    put_view(&b, "transposed", "N", 0, (unsigned[]){6, 4}, (unsigned[]){1, 6}, 2);
    put_view(&b, "column", "N", 2, (unsigned[]){4}, (unsigned[]){6}, 1);
    put_view(&b, "same", "N", 3, (unsigned[]){2, 3}, (unsigned[]){0, 0}, 2);
    put_view(&b, "cube", "N", 1, (unsigned[]){2, 2, 3}, (unsigned[]){12, 1, 2}, 3);
    put_view(&b, "number", "N", 7, NULL, NULL, 0);
    put_view(&b, "window", "(NK\x0cK\x06t", 3, (unsigned[]){3}, (unsigned[]){1}, 1); /* elements 12 to 17 */
    put_text(&b, "u.");
    put_text(&b, "\x80\x02](");
    put_key(&b, "0");
    put_text(&b, "e.");
    put_number(&b, 24, 8);
    for (int i = 0; i < 24; i++) {
        float x = (float)i;
        put(&b, &x, 4);
    }
    write_file(path, b.data, b.n);
    buffer_free(&b);
}

static void check_tensor(tfm_checkpoint *checkpoint, const char *name, uint64_t rows, const float *expected, size_t n) {
    float values[64];
    const tfm_checkpoint_tensor *t = tfm_checkpoint_find(checkpoint, name);
    cr_assert(t, "%s", name);
    REQUIRE_OK(tfm_checkpoint_read(checkpoint, t, 0, rows, values, error));
    for (size_t i = 0; i < n; i++)
        cr_assert(values[i] == expected[i], "%s [%zu]: %g, not %g", name, i, (double)values[i], (double)expected[i]);
}

Test(checkpoint, strides_are_resolved) {
    marian small = marian_default();
    char *folder = scratch_make();
    write_config(folder, &small, NULL);
    write_views(in(folder, "pytorch_model.bin"));
    tfm_checkpoint *checkpoint;
    REQUIRE_OK(tfm_checkpoint_open(&checkpoint, folder, error));
    check_tensor(checkpoint, "whole", 4, (float[]){0, 1, 2, 3, 4, 5, 6, 7}, 8);
    check_tensor(checkpoint, "transposed", 6, (float[]){0, 6, 12, 18, 1, 7, 13, 19, 2, 8, 14, 20}, 12);
    check_tensor(checkpoint, "column", 4, (float[]){2, 8, 14, 20}, 4);
    check_tensor(checkpoint, "same", 2, (float[]){3, 3, 3, 3, 3, 3}, 6);
    check_tensor(checkpoint, "cube", 2, (float[]){1, 3, 5, 2, 4, 6, 13, 15, 17, 14, 16, 18}, 12);
    check_tensor(checkpoint, "number", 1, (float[]){7}, 1);
    check_tensor(checkpoint, "window", 3, (float[]){15, 16, 17}, 3);
    bool equal = true;
    REQUIRE_OK(tfm_checkpoint_equal(checkpoint, tfm_checkpoint_find(checkpoint, "whole"),
                                    tfm_checkpoint_find(checkpoint, "cube"), &equal, error));
    cr_assert(!equal);
    tfm_checkpoint_close(&checkpoint);
    scratch_remove(&folder);
}

/* ---- damage ---- */

/* Opens, and if that works reads everything: no outcome but a result or an error with a message. */
static bool try_all(const char *folder) {
    tfm_checkpoint *checkpoint;
    tfm_error problem = {0};
    if (tfm_checkpoint_open(&checkpoint, folder, &problem) != TFM_OK) {
        cr_assert(problem.message[0]);
        return false;
    }
    bool good = true;
    for (size_t i = 0; i < tfm_checkpoint_count(checkpoint); i++) {
        const tfm_checkpoint_tensor *t = tfm_checkpoint_at(checkpoint, i);
        uint64_t count = t->shape[0] * t->shape[1] * t->shape[2] * t->shape[3];
        if (count > 100000) continue; /* a stride of 0 may stand for any number of elements */
        float *values = malloc((count + 1) * sizeof *values);
        cr_assert(values);
        if (t->shape[0]) good = tfm_checkpoint_read(checkpoint, t, 0, t->shape[0], values, &problem) == TFM_OK && good;
        free(values);
    }
    tfm_checkpoint_close(&checkpoint);
    return good;
}

static void damage(void (*write)(const char *, model *), uint64_t seed, int rounds) {
    cr_log_info("seed %llu", (unsigned long long)seed);
    marian small = marian_default();
    small.encoder_layers = 0;
    char *folder = scratch_make(), *data;
    const char *path = strdup(in(folder, "pytorch_model.bin"));
    size_t n;
    model *m = model_marian(&small);
    model_cut(m, 8);
    write_config(folder, &small, NULL);
    write(path, m);
    model_free(&m);
    cr_assert(try_all(folder));
    data = read_file(path, &n);
    for (size_t i = 0; i < n; i += 1 + n / 400) {
        write_file(path, data, i);
        cr_assert(!try_all(folder), "%zu of %zu bytes were accepted", i, n);
    }
    for (int round = 0; round < rounds; round++) {
        char *copy = malloc(n);
        cr_assert(copy);
        memcpy(copy, data, n);
        for (uint32_t k = 1 + random_u32(&seed) % 3; k > 0; k--) copy[random_u32(&seed) % n] = (char)random_u32(&seed);
        write_file(path, copy, n);
        try_all(folder);
        free(copy);
    }
    free(data);
    free((char *)path);
    scratch_remove(&folder);
}

static void write_stored(const char *path, model *m) { write_torch_zip(path, m, false); }
static void write_deflated(const char *path, model *m) { write_torch_zip(path, m, true); }

Test(checkpoint, damaged_legacy_files) { damage(write_torch_legacy, 11, 600); }
Test(checkpoint, damaged_zip_files) { damage(write_stored, 12, 400); }
Test(checkpoint, damaged_deflated_files) { damage(write_deflated, 13, 400); }

/* A flipped bit in a storage of a zip file is found by its CRC. */
Test(checkpoint, zip_storages_are_verified) {
    marian small = marian_default();
    char *folder = scratch_make();
    model *m = tied_model(TFM_ST_F32);
    write_config(folder, &small, NULL);
    write_torch_zip(in(folder, "pytorch_model.bin"), m, false);
    size_t n, at = 0;
    char *data = read_file(in(folder, "pytorch_model.bin"), &n);
    const float *values = model_find(m, "model.shared.weight")->values;
    while (at + 16 < n && memcmp(data + at, values, 16) != 0) at++;
    cr_assert(at + 16 < n);
    data[at] ^= 1;
    write_file(in(folder, "pytorch_model.bin"), data, n);
    free(data);
    tfm_checkpoint *checkpoint;
    float row[12];
    REQUIRE_OK(tfm_checkpoint_open(&checkpoint, folder, error));
    REQUIRE_ERROR(
        TFM_ERROR_FORMAT,
        tfm_checkpoint_read(checkpoint, tfm_checkpoint_find(checkpoint, "model.shared.weight"), 0, 1, row, error),
        "is damaged");
    tfm_checkpoint_close(&checkpoint);
    model_free(&m);
    scratch_remove(&folder);
}

Test(checkpoint, other_contents_are_refused) {
    static const struct {
        const char *pickle, *text;
    } cases[] = {{"K\x01.", "not a state dict"},
                 {"}(K\x01K\x02u.", "a key is not a name"},
                 {"}(X\x05\0\0\0epochK\x02u.", "entry 'epoch' is not a tensor"},
                 {"}(X\x01\0\0\0\nK\x02u.", "unusable name"}};
    static const size_t lengths[] = {3, 8, 16, 12};
    marian small = marian_default();
    char *folder = scratch_make();
    write_config(folder, &small, NULL);
    for (size_t i = 0; i < 4; i++) {
        buffer b = legacy_prologue();
        put_text(&b, "\x80\x02");
        put(&b, cases[i].pickle, lengths[i]);
        put_text(&b, "\x80\x02].");
        write_file(in(folder, "pytorch_model.bin"), b.data, b.n);
        buffer_free(&b);
        tfm_checkpoint *checkpoint;
        tfm_error problem = {0};
        cr_assert(tfm_checkpoint_open(&checkpoint, folder, &problem) != TFM_OK);
        cr_assert(strstr(problem.message, cases[i].text), "lacks '%s': %s", cases[i].text, problem.message);
    }
    scratch_remove(&folder);
}
