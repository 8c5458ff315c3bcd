/* safetensors_test.c - the container: what is written is read back, and every wrong header is refused. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/tensor_values.h"
#include "tests/tools/pack/checkpoints.h"

TestSuite(safetensors, .timeout = 60);

Test(safetensors, round_trip) {
    char *folder = scratch_make();
    const char *path = in(folder, "a.safetensors");
    const uint64_t shape[] = {2, 3}, n[] = {4}, none[] = {0, 5};
    const float f[] = {1, -2, 3.5f, 0x1p-140f, 65504, -0.0f};
    const int64_t ids[] = {1, -2, INT64_MAX, INT64_MIN};
    tfm_safetensors_writer *writer;
    REQUIRE_OK(tfm_safetensors_writer_create(&writer, path, error));
    REQUIRE_OK(tfm_safetensors_writer_metadata(writer, "format", "pt", error));
    REQUIRE_OK(tfm_safetensors_writer_declare(writer, "b \"quoted\" \xc3\xa9", TFM_ST_F32, 2, shape, error));
    REQUIRE_OK(tfm_safetensors_writer_declare(writer, "a", TFM_ST_I64, 1, n, error));
    REQUIRE_OK(tfm_safetensors_writer_declare(writer, "empty", TFM_ST_F16, 2, none, error));
    REQUIRE_OK(tfm_safetensors_writer_declare(writer, "scalar", TFM_ST_BF16, 0, NULL, error));
    for (size_t i = 0; i < sizeof f; i++) /* pieces of any size */
        REQUIRE_OK(tfm_safetensors_writer_write(writer, (const char *)f + i, 1, error));
    cr_assert_eq(count_files(folder), 0, "nothing may appear before the commit");
    REQUIRE_OK(tfm_safetensors_writer_write(writer, ids, sizeof ids, error));
    REQUIRE_OK(tfm_safetensors_writer_write(writer, "\x80\x3f", 2, error));
    REQUIRE_OK(tfm_safetensors_writer_commit(&writer, error));
    cr_assert_null(writer);
    cr_assert_eq(count_files(folder), 1);

    tfm_safetensors *file;
    float *values;
    const tfm_st_tensor *found;
    REQUIRE_OK(tfm_safetensors_open(&file, path, error));
    cr_assert_eq(tfm_safetensors_count(file), 4);
    REQUIRE_OK(load_tensor_f32(file, "b \"quoted\" \xc3\xa9", &values, &found, error));
    cr_assert(found->rank == 2 && found->shape[0] == 2 && found->shape[1] == 3);
    cr_assert_eq(memcmp(values, f, sizeof f), 0);
    cr_assert_eq((found->offset - 8) % 8, 0, "data starts aligned");
    free(values);
    int64_t numbers[4];
    REQUIRE_OK(tfm_safetensors_read(file, tfm_safetensors_find(file, "a"), 0, numbers, sizeof numbers, error));
    cr_assert_eq(memcmp(numbers, ids, sizeof ids), 0);
    REQUIRE_OK(load_tensor_f32(file, "scalar", &values, &found, error));
    cr_assert(found->rank == 0 && found->count == 1 && values[0] == 1.0f);
    free(values);
    cr_assert_eq(tfm_safetensors_find(file, "empty")->count, 0);
    cr_assert_null(tfm_safetensors_find(file, "nothing"));
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, load_tensor_f32(file, "a", &values, NULL, error), "'a' is I64");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, load_tensor_f32(file, "x", &values, NULL, error), "no tensor 'x'");
    tfm_safetensors_close(&file);
    scratch_remove(&folder);
}

Test(safetensors, types_of_every_width) {
    char *folder = scratch_make();
    const char *path = in(folder, "a.safetensors");
    const uint64_t n[] = {3};
    const uint16_t halves[] = {0x3c00, 0xc000, 0x0001};
    const int32_t words[] = {-1, 7, INT32_MIN};
    tfm_safetensors_writer *writer;
    REQUIRE_OK(tfm_safetensors_writer_create(&writer, path, error));
    REQUIRE_OK(tfm_safetensors_writer_declare(writer, "h", TFM_ST_F16, 1, n, error));
    REQUIRE_OK(tfm_safetensors_writer_declare(writer, "w", TFM_ST_I32, 1, n, error));
    REQUIRE_OK(tfm_safetensors_writer_declare(writer, "u", TFM_ST_U8, 1, n, error));
    REQUIRE_OK(tfm_safetensors_writer_write(writer, halves, sizeof halves, error));
    REQUIRE_OK(tfm_safetensors_writer_write(writer, words, sizeof words, error));
    REQUIRE_OK(tfm_safetensors_writer_write(writer, "\x01\xff\x02", 3, error));
    REQUIRE_OK(tfm_safetensors_writer_commit(&writer, error));
    tfm_safetensors *file;
    float *values;
    REQUIRE_OK(tfm_safetensors_open(&file, path, error));
    REQUIRE_OK(load_tensor_f32(file, "h", &values, NULL, error));
    cr_assert(values[0] == 1 && values[1] == -2 && values[2] == 0x1p-24f);
    free(values);
    int32_t word;
    REQUIRE_OK(tfm_safetensors_read(file, tfm_safetensors_find(file, "w"), 8, &word, sizeof word, error));
    cr_assert_eq(word, INT32_MIN, "a part of a tensor");
    unsigned char bytes[3];
    REQUIRE_OK(tfm_safetensors_read(file, tfm_safetensors_find(file, "u"), 0, bytes, sizeof bytes, error));
    cr_assert_eq(memcmp(bytes, "\x01\xff\x02", 3), 0);
    tfm_safetensors_close(&file);
    scratch_remove(&folder);
}

Test(safetensors, writer_refuses) {
    char *folder = scratch_make();
    const uint64_t n[] = {4}, huge[] = {(uint64_t)1 << 62, 8};
    tfm_safetensors_writer *writer;
    REQUIRE_OK(tfm_safetensors_writer_create(&writer, in(folder, "a"), error));
    REQUIRE_OK(tfm_safetensors_writer_declare(writer, "a", TFM_ST_F32, 1, n, error));
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_safetensors_writer_declare(writer, "a", TFM_ST_F32, 1, n, error), "'a'");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_safetensors_writer_declare(writer, "h", TFM_ST_F32, 2, huge, error), "large");
    REQUIRE_OK(tfm_safetensors_writer_write(writer, "12345678", 8, error));
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_safetensors_writer_declare(writer, "b", TFM_ST_F32, 1, n, error), "'b'");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_safetensors_writer_write(writer, "12345678X", 9, error), "more data");
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_safetensors_writer_commit(&writer, error), "8 of 16");
    cr_assert_null(writer);
    REQUIRE_OK(tfm_safetensors_writer_create(&writer, in(folder, "a"), error));
    tfm_safetensors_writer_abort(&writer);
    tfm_safetensors_writer_abort(&writer);
    cr_assert_eq(count_files(folder), 0);
    REQUIRE_ERROR(TFM_ERROR_IO, tfm_safetensors_writer_create(&writer, in(folder, "none/a"), error), "none/a");
    scratch_remove(&folder);
}

static void check_refused(const char *header, uint64_t length, size_t data, const char *expected) {
    char *folder = scratch_make();
    buffer b = {0};
    put_number(&b, length ? length : strlen(header), 8);
    put_text(&b, header);
    for (size_t i = 0; i < data; i++) put_byte(&b, (unsigned char)i);
    write_file(in(folder, "a.safetensors"), b.data, b.n);
    buffer_free(&b);
    tfm_safetensors *file = NULL;
    tfm_error problem = {0};
    tfm_status status = tfm_safetensors_open(&file, in(folder, "a.safetensors"), &problem);
    cr_assert(status != TFM_OK && !file, "accepted: %s", header);
    cr_assert(strstr(problem.message, expected), "%s: message lacks '%s': %s", header, expected, problem.message);
    scratch_remove(&folder);
}

#define A(begin, end, shape) "{\"a\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}}"

Test(safetensors, hostile_headers) {
    check_refused("", 0, 0, "header");
    check_refused("[]", 0, 0, "not JSON");
    check_refused("{", 0, 0, "not valid");
    check_refused("{} x", 0, 0, "not valid");
    check_refused("{}", 3, 0, "truncated");
    check_refused("{}", UINT64_MAX, 0, "truncated");
    check_refused("{}", 100000001, 0, "truncated");
    check_refused("{}", 0, 1, "belong to no tensor");
    check_refused("{\"a\":1}", 0, 0, "'a'");
    check_refused("{\"a\":{}}", 0, 0, "'a'");
    check_refused(A(0, 4, "[1]"), 0, 3, "outside");
    check_refused(A(0, 4, "[1]"), 0, 8, "belong to no tensor");
    check_refused(A(4, 8, "[1]"), 0, 8, "hole");
    check_refused(A(4, 0, "[0]"), 0, 4, "outside");
    check_refused(A(-4, 0, "[1]"), 0, 4, "outside");
    check_refused(A(0, 4, "[2]"), 0, 4, "need 8");
    check_refused(A(0, 4, "[-1]"), 0, 4, "shape");
    check_refused(A(0, 4, "[1.0]"), 0, 4, "shape");
    check_refused(A(0, 4, "[\"1\"]"), 0, 4, "shape");
    check_refused(A(0, 0, "[4294967296, 4294967296]"), 0, 0, "shape");
    check_refused(A(0, 0, "[4611686018427387904]"), 0, 0, "outside");
    check_refused(A(0, 4, "[1,1,1,1,1,1,1,1,1]"), 0, 4, "9 dimensions");
    check_refused("{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4, "'F31'");
    check_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
                  "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}",
                  0, 8, "uplicate");
    check_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
                  "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}",
                  0, 6, "'b': its data overlaps");
}

Test(safetensors, every_truncation_is_refused) {
    char *folder = scratch_make();
    marian small = marian_default();
    small.encoder_layers = 0;
    model *m = model_marian(&small);
    model_cut(m, 12);
    write_safetensors(in(folder, "a.safetensors"), m);
    model_free(&m);
    size_t n;
    char *data = read_file(in(folder, "a.safetensors"), &n);
    for (size_t i = 0; i < n; i++) {
        tfm_safetensors *file = NULL;
        tfm_error problem;
        write_file(in(folder, "b.safetensors"), data, i);
        cr_assert(tfm_safetensors_open(&file, in(folder, "b.safetensors"), &problem) != TFM_OK, "%zu of %zu bytes", i,
                  n);
    }
    free(data);
    scratch_remove(&folder);
}
