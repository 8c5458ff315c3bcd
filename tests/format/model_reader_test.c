/* model_reader_test.c - opening model files: what is found in good ones, and every rule a bad one with right hashes may
 * break. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model_files.h"
#include "simd/panels.h"
#include "tests/support/require.h"

Test(reader, finds_what_was_written) {
    image im = sample_image();
    tfm_file *file;
    REQUIRE_OK(tfm_file_open_fd(&file, image_fd(&im), "some/path.bin", NULL, error));
    cr_assert_str_eq(tfm_file_path(file), "some/path.bin");
    cr_assert_eq(tfm_file_length(file), im.n);
    cr_assert_eq(tfm_file_tensor_count(file), 9);
    cr_assert_eq(tfm_file_section_count(file), 3);
    for (size_t i = 0; i < 9; i++) {
        const tfm_tensor *tensor = tfm_file_tensor_at(file, i);
        cr_assert_eq(tfm_file_tensor(file, tensor->name), tensor);
        cr_assert_eq(tensor->offset % (tensor->length >= 4096 ? 4096 : 64), 0);
        cr_assert_eq(tensor->data, file->base + tensor->offset);
        REQUIRE_OK(tfm_file_verify_tensor(file, tensor, NULL, error));
        REQUIRE_OK(tfm_file_verify_tensor(file, tensor, NULL, error));
    }
    cr_assert_null(tfm_file_tensor_at(file, 9));
    cr_assert_null(tfm_file_tensor(file, "embe"));
    cr_assert_null(tfm_file_tensor(file, "zzz"));
    cr_assert_null(tfm_file_section_at(file, 3));
    cr_assert_str_eq(tfm_file_section_at(file, 1)->name, "metadata");
    cr_assert_null(tfm_file_table(file, "x-note")); /* an extension is not looked into */
    cr_assert_null(tfm_file_table(file, "generation"));
    const tfm_table *table = tfm_file_table(file, "architecture");
    cr_assert_eq(tfm_table_count(table), 9);
    const tfm_value *ids = tfm_table_find(table, "ids");
    cr_assert(ids && ids->n == 5 && ((const uint32_t *)ids->data)[4] == 5 && (uintptr_t)ids->data % 64 == 0);
    REQUIRE_OK(tfm_file_verify(file, NULL, NULL, NULL, error));
    REQUIRE_OK(tfm_file_check_size(file, error));
    tfm_file_close(&file);
    cr_assert_null(file);
    tfm_file_close(&file);
    image_free(&im);
}

Test(reader, tensors_hold_the_values) {
    image im = sample_image();
    tfm_file *file;
    REQUIRE_OK(tfm_file_open_fd(&file, image_fd(&im), "image", NULL, error));
    const tfm_tensor *embed = tfm_file_tensor(file, "embed"), *brain = tfm_file_tensor(file, "brain");
    cr_assert(embed->dtype == TFM_F32 && embed->layout == TFM_LAYOUT_PANELS && embed->rank == 2);
    cr_assert(embed->shape[0] == 17 && embed->shape[1] == 33 && embed->shape[2] == 1 && embed->shape[3] == 1);
    cr_assert_eq(embed->length, 32 * 33 * 4);
    const float *panels = embed->data;
    for (size_t r = 0; r < 32; r++)
        for (size_t c = 0; c < 33; c++) {
            float expected = r < 17 ? (float)(((r * 33 + c) * 7919) % 4096) / 64.0f - 32.0f : 0.0f;
            MUST(panels[((r / 16) * 33 + c) * 16 + r % 16] == expected, "(%zu, %zu)", r, c);
        }
    const uint16_t *rows = brain->data;
    for (size_t i = 0; i < 33; i++) cr_assert_eq(rows[i], tfm_f32_to_bf16((float)((i * 7919) % 4096) / 64.0f - 32.0f));
    const tfm_tensor *four = tfm_file_tensor(file, "four");
    cr_assert(four->rank == 4 && four->shape[2] == 3 && four->length == 24);
    tfm_file_close(&file);
    image_free(&im);
}

/* ---- files that are no model files ---- */

static void expect_path_error(const char *path, tfm_status status, const char *part) {
    tfm_error error = {0};
    tfm_file *file = (tfm_file *)(void *)&error;
    cr_assert_eq(tfm_file_open(&file, path, &error), status, "%s: %s", path, error.message);
    cr_assert_null(file);
    cr_assert(strstr(error.message, part), "'%s' should contain '%s'", error.message, part);
    cr_assert_eq(tfm_file_open(&file, path, NULL), status); /* nobody has to want the message */
}

Test(reader, things_that_are_not_files, .timeout = 60) {
    char *folder = scratch_make(), *fifo = scratch_path(folder, "fifo"), *none = scratch_path(folder, "none");
    char *empty = scratch_path(folder, "empty");
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    image_write(&(image){.data = (unsigned char *)empty, .n = 0}, empty);
    expect_path_error(folder, TFM_ERROR_IO, "is a folder, not a model file; tfmpack makes one");
    expect_path_error(fifo, TFM_ERROR_IO, "not a regular file");
    expect_path_error("/dev/null", TFM_ERROR_IO, "not a regular file");
    expect_path_error(none, TFM_ERROR_IO, "No such file");
    expect_path_error("", TFM_ERROR_IO, "cannot be opened");
    expect_path_error(empty, TFM_ERROR_FORMAT, "0 bytes");
    free(fifo);
    free(none);
    free(empty);
    scratch_remove(&folder);
}

Test(reader, messages_are_clean_text) {
    tfm_error error = {0};
    tfm_file *file;
    cr_assert_eq(tfm_file_open(&file, "/nowhere/\n\x1b[31m\xFF\xC3", &error), TFM_ERROR_IO);
    cr_assert(strstr(error.message, "/nowhere/??[31m??: cannot"), "%s", error.message);
    char path[1500];
    memset(path, 0, sizeof path);
    for (size_t i = 0; i + 3 < sizeof path; i += 2) memcpy(path + i, "\xC3\xA4", 2);
    cr_assert_eq(tfm_file_open(&file, path, &error), TFM_ERROR_IO); /* too long: cut, never in the middle of a letter */
    cr_assert_eq(strlen(error.message), sizeof error.message - 1);
    cr_assert_str_eq(error.message + sizeof error.message - 4, "\xC3\xA4?");
}

/* ---- one rule at a time, with right hashes ---- */

typedef struct tampering {
    const char *name;
    void (*apply)(image *im);
    tfm_status status;
    const char *part; /* of the message */
} tampering;

static void expect_refused(image (*make)(void), const tampering *cases, size_t n, bool reseal) {
    for (size_t i = 0; i < n; i++) {
        image im = make();
        cases[i].apply(&im);
        if (reseal) image_reseal(&im);
        tfm_error error = {0};
        tfm_status status = image_check(&im, true, &error);
        cr_assert_eq(status, cases[i].status, "%s: status %d: %s", cases[i].name, (int)status, error.message);
        cr_assert(strstr(error.message, cases[i].part), "%s: '%s'", cases[i].name, error.message);
        image_free(&im);
    }
}
#define N(array) (sizeof array / sizeof *(array))
#define CASE(function, status, part)                                                                                   \
    { #function, function, status, part }

static void magic_first(image *im) { im->data[0] = 'G'; }
static void magic_line_end(image *im) { im->data[4] = '\n'; }
static void other_order(image *im) { image_header(im)->byte_order = 0x04030201; }
static void no_order(image *im) { image_header(im)->byte_order = 0; }
static void version_newer(image *im) { image_header(im)->version = 2; }
static void version_far(image *im) { image_header(im)->version = UINT32_MAX; }
static void version_zero(image *im) { image_header(im)->version = 0; }
static void header_reserved_first(image *im) { image_header(im)->reserved[0] = 1; }
static void header_reserved_last(image *im) { image_header(im)->reserved[63] = 1; }
static void longer_than_said(image *im) { image_header(im)->file_length -= 64; }
static void shorter_than_said(image *im) { image_header(im)->file_length += 64; }
static void said_huge(image *im) { image_header(im)->file_length = UINT64_MAX; }
static void many_sections(image *im) { image_header(im)->n_sections = 1025; }
static void many_tensors(image *im) { image_header(im)->n_tensors = UINT32_MAX; }
static void counts_do_not_fit(image *im) { image_header(im)->n_tensors++; }
static void counts_wrong_kinds(image *im) { image_header(im)->n_tensors++, image_header(im)->n_sections--; }
static void counts_wrong_kinds_too(image *im) { image_header(im)->n_tensors--, image_header(im)->n_sections++; }
static void directory_low(image *im) { image_header(im)->directory_offset = 64; }
static void directory_odd(image *im) { image_header(im)->directory_offset++; }
static void directory_huge(image *im) { image_header(im)->directory_offset = UINT64_MAX - 63; }
static void directory_wraps(image *im) {
    image_header(im)->directory_offset = UINT64_MAX - 191;
    image_header(im)->directory_length += 192;
}
static void directory_long(image *im) { image_header(im)->directory_length = UINT64_MAX; }
static void directory_empty(image *im) { image_header(im)->directory_length = 0; }
static void directory_moved(image *im) {
    image_header(im)->directory_offset += 192;
    image_header(im)->directory_length -= 192;
    image_header(im)->n_tensors--;
}

Test(reader, headers) {
    static const tampering cases[] = {
        CASE(magic_first, TFM_ERROR_FORMAT, "not a model file"),
        CASE(magic_line_end, TFM_ERROR_FORMAT, "not a model file"),
        CASE(other_order, TFM_ERROR_UNSUPPORTED, "big-endian"),
        CASE(no_order, TFM_ERROR_CORRUPT, "header is damaged"),
        CASE(version_newer, TFM_ERROR_UNSUPPORTED, "made by a newer tfm"),
        CASE(version_far, TFM_ERROR_UNSUPPORTED, "made by a newer tfm"),
        CASE(version_zero, TFM_ERROR_FORMAT, "version"),
        CASE(header_reserved_first, TFM_ERROR_FORMAT, "reserved"),
        CASE(header_reserved_last, TFM_ERROR_FORMAT, "reserved"),
        CASE(longer_than_said, TFM_ERROR_CORRUPT, "64 foreign bytes"),
        CASE(shorter_than_said, TFM_ERROR_CORRUPT, "cut short"),
        CASE(said_huge, TFM_ERROR_CORRUPT, "cut short"),
        CASE(many_sections, TFM_ERROR_FORMAT, "more than a model file may have"),
        CASE(many_tensors, TFM_ERROR_FORMAT, "more than a model file may have"),
        CASE(counts_do_not_fit, TFM_ERROR_FORMAT, "directory does not lie"),
        CASE(counts_wrong_kinds, TFM_ERROR_FORMAT, "counts"),
        CASE(counts_wrong_kinds_too, TFM_ERROR_FORMAT, "counts"),
        CASE(directory_low, TFM_ERROR_FORMAT, "directory does not lie"),
        CASE(directory_odd, TFM_ERROR_FORMAT, "directory does not lie"),
        CASE(directory_huge, TFM_ERROR_FORMAT, "directory does not lie"),
        CASE(directory_wraps, TFM_ERROR_FORMAT, "directory does not lie"),
        CASE(directory_long, TFM_ERROR_FORMAT, "directory does not lie"),
        CASE(directory_empty, TFM_ERROR_FORMAT, "directory does not lie"),
        CASE(directory_moved, TFM_ERROR_FORMAT, "does not follow the last extent"),
    };
    expect_refused(sample_image, cases, N(cases), true);
}

static tfm_disk_record *embed_of(image *im) { return image_record(im, image_find(im, "embed")); }
static tfm_disk_record *bias_of(image *im) { return image_record(im, image_find(im, "decoder.0.ffn.up.bias")); }
static tfm_disk_record *section_of(image *im) { return image_record(im, image_find(im, "metadata")); }
static void rename_to(tfm_disk_record *record, const char *name) {
    memset(record->name, 0, sizeof record->name);
    memcpy(record->name, name, strlen(name));
}

static void name_empty(image *im) { embed_of(im)->name[0] = '\0'; }
static void name_full(image *im) { memset(embed_of(im)->name, 'n', 64); }
static void name_tail(image *im) { embed_of(im)->name[63] = 'x'; }
static void name_tail_near(image *im) { embed_of(im)->name[6] = 'x'; }
static void name_space(image *im) { embed_of(im)->name[1] = ' '; }
static void name_line(image *im) { embed_of(im)->name[1] = '\n'; }
static void name_high(image *im) { embed_of(im)->name[1] = '\xC3'; }
static void name_twice(image *im) { rename_to(embed_of(im), "four"); }
static void section_twice(image *im) { rename_to(section_of(im), "architecture"); }
static void section_unknown(image *im) { rename_to(section_of(im), "quantisation"); }
static void section_almost_extension(image *im) { rename_to(section_of(im), "x.note"); }
static void section_dtype(image *im) { section_of(im)->dtype = 1; }
static void section_layout(image *im) { section_of(im)->layout = 1; }
static void section_rank(image *im) { section_of(im)->rank = 1; }
static void section_shape(image *im) { section_of(im)->shape[3] = 1; }
static void section_empty(image *im) { section_of(im)->length = 0; }
static void section_long(image *im) { section_of(im)->length = ((uint64_t)1 << 30) + 1; }
static void section_longer(image *im) { section_of(im)->length++; }
static void kind_zero(image *im) { embed_of(im)->kind = 0; }
static void kind_three(image *im) { embed_of(im)->kind = 3; }
static void kind_swapped(image *im) { section_of(im)->kind = 2; }
static void aux_set(image *im) { embed_of(im)->aux = 32; }
static void record_reserved(image *im) { embed_of(im)->reserved[47] = 1; }
static void dtype_unknown(image *im) { embed_of(im)->dtype = 5; }
static void dtype_far(image *im) { embed_of(im)->dtype = UINT32_MAX; }
static void layout_unknown(image *im) { embed_of(im)->layout = 2; }
static void dtype_other(image *im) { embed_of(im)->dtype = TFM_F16; }
static void panels_of_rank_1(image *im) { bias_of(im)->layout = TFM_LAYOUT_PANELS; }
static void rank_zero(image *im) { bias_of(im)->rank = 0; }
static void rank_five(image *im) { bias_of(im)->rank = 5; }
static void rank_short(image *im) { embed_of(im)->rank = 1, embed_of(im)->layout = 0; }
static void shape_zero(image *im) { bias_of(im)->shape[0] = 0; }
static void shape_unused_zero(image *im) { bias_of(im)->shape[3] = 0; }
static void shape_unused(image *im) { bias_of(im)->shape[1] = 2; }
static void shape_wraps(image *im) { /* 2^62 + 3 elements of 4 bytes are 12 bytes modulo 2^64 */
    bias_of(im)->shape[0] = ((uint64_t)1 << 62) + 3;
}
static void shape_wraps_in_two(image *im) {
    embed_of(im)->shape[0] = (uint64_t)1 << 33;
    embed_of(im)->shape[1] = (uint64_t)1 << 31;
    embed_of(im)->length = 0;
}
static void shape_wraps_in_panels(image *im) { embed_of(im)->shape[0] = UINT64_MAX; }
static void shape_longer(image *im) { bias_of(im)->shape[0] = 4; }
static void length_longer(image *im) { bias_of(im)->length++; }
static void length_far(image *im) { /* a shape that fits the length, but not the file */
    bias_of(im)->shape[0] = (uint64_t)1 << 60;
    bias_of(im)->length = (uint64_t)1 << 62;
}
static tfm_disk_record *bytes_of(image *im) { return image_record(im, image_find(im, "bytes")); }
static tfm_disk_record *nibbles_of(image *im) { return image_record(im, image_find(im, "nibbles")); }
static void int8_in_rows(image *im) { bytes_of(im)->layout = TFM_LAYOUT_ROWS, bytes_of(im)->length = 17 * 33; }
static void int4_in_rows(image *im) { nibbles_of(im)->layout = TFM_LAYOUT_ROWS; }
static void int8_vector(image *im) { bytes_of(im)->rank = 1, bytes_of(im)->shape[1] = 1; }
static void int8_of_rank_3(image *im) { bytes_of(im)->rank = 3; }
static void int8_longer(image *im) { bytes_of(im)->length += 64; }
static void int8_as_int4(image *im) { bytes_of(im)->dtype = TFM_I4; }
static void int4_as_int8(image *im) { nibbles_of(im)->dtype = TFM_I8; }
static void int8_columns_beyond_limit(image *im) { /* its length is what the shape would need */
    bytes_of(im)->shape[0] = 16;
    bytes_of(im)->shape[1] = (1 << 17) + 1;
    bytes_of(im)->length = ((1 << 17) + 4) * 16 + 64;
}
static void int8_columns_far(image *im) { bytes_of(im)->shape[1] = UINT64_MAX; }
static void int8_rows_wrap(image *im) { /* 2^59 panels of 640 bytes are 0 modulo 2^64 */
    bytes_of(im)->shape[0] = UINT64_MAX;
    bytes_of(im)->length = 0;
}
static void int4_columns_wrap(image *im) { /* 2^58 blocks of 576 bytes are 0 modulo 2^64 */
    nibbles_of(im)->shape[1] = UINT64_MAX;
    nibbles_of(im)->length = 0;
}
static void int4_product_wraps(image *im) { /* 2^31 panels of 2^27 blocks of 576 bytes */
    nibbles_of(im)->shape[0] = (uint64_t)1 << 35;
    nibbles_of(im)->shape[1] = (uint64_t)1 << 33;
    nibbles_of(im)->length = 0;
}
static void int4_no_columns(image *im) { nibbles_of(im)->shape[1] = 0; }
static void offset_zero(image *im) { bias_of(im)->offset = 0; }
static void offset_odd(image *im) { embed_of(im)->offset += 4; }
static void offset_hole(image *im) { embed_of(im)->offset += 4096; }
static void offset_overlap(image *im) { embed_of(im)->offset -= 4096; }
static void offset_not_on_page(image *im) { embed_of(im)->offset = 192; }
static void offset_huge(image *im) { embed_of(im)->offset = UINT64_MAX - 4095; }
static void offset_wraps(image *im) { section_of(im)->offset = 0 - section_of(im)->length; }
static void records_swapped(image *im) {
    tfm_disk_record first = *image_record(im, 0);
    *image_record(im, 0) = *image_record(im, 1);
    *image_record(im, 1) = first;
}
static void record_repeated(image *im) {
    *image_record(im, 1) = *image_record(im, 0);
    rename_to(image_record(im, 1), "again");
}
/* 64 zero bytes before the directory that belong to nothing; everything else is right. */
static void gap_before_directory(image *im) {
    tfm_disk_header *header = image_header(im);
    unsigned char *longer = calloc(1, im->n + 64);
    memcpy(longer, im->data, header->directory_offset);
    memcpy(longer + header->directory_offset + 64, im->data + header->directory_offset, header->directory_length);
    free(im->data);
    *im = (image){.data = longer, .n = im->n + 64};
    image_header(im)->directory_offset += 64;
    image_header(im)->file_length += 64;
}
static void padding_after_header(image *im) { im->data[128 + 12] = 1; } /* the first tensor has 12 bytes */
static void padding_before_page(image *im) { im->data[4095] = 0x80; }
static void padding_before_directory(image *im) { im->data[image_header(im)->directory_offset - 1] = 1; }

Test(reader, directories) {
    static const tampering cases[] = {
        CASE(name_empty, TFM_ERROR_FORMAT, "no valid name"),
        CASE(name_full, TFM_ERROR_FORMAT, "no valid name"),
        CASE(name_tail, TFM_ERROR_FORMAT, "no valid name"),
        CASE(name_tail_near, TFM_ERROR_FORMAT, "no valid name"),
        CASE(name_space, TFM_ERROR_FORMAT, "no valid name"),
        CASE(name_line, TFM_ERROR_FORMAT, "no valid name"),
        CASE(name_high, TFM_ERROR_FORMAT, "no valid name"),
        CASE(name_twice, TFM_ERROR_FORMAT, "two tensors 'four'"),
        CASE(section_twice, TFM_ERROR_FORMAT, "two sections 'architecture'"),
        CASE(section_unknown, TFM_ERROR_UNSUPPORTED, "'quantisation'"),
        CASE(section_almost_extension, TFM_ERROR_UNSUPPORTED, "'x.note'"),
        CASE(section_dtype, TFM_ERROR_FORMAT, "like a tensor"),
        CASE(section_layout, TFM_ERROR_FORMAT, "like a tensor"),
        CASE(section_rank, TFM_ERROR_FORMAT, "like a tensor"),
        CASE(section_shape, TFM_ERROR_FORMAT, "like a tensor"),
        CASE(section_empty, TFM_ERROR_FORMAT, "impossible length"),
        CASE(section_long, TFM_ERROR_FORMAT, "impossible length"),
        CASE(section_longer, TFM_ERROR_FORMAT, "'metadata'"),
        CASE(kind_zero, TFM_ERROR_UNSUPPORTED, "kind (0)"),
        CASE(kind_three, TFM_ERROR_UNSUPPORTED, "kind (3)"),
        CASE(kind_swapped, TFM_ERROR_FORMAT, "'metadata' has an impossible shape"),
        CASE(aux_set, TFM_ERROR_FORMAT, "reserved"),
        CASE(record_reserved, TFM_ERROR_FORMAT, "reserved"),
        CASE(dtype_unknown, TFM_ERROR_UNSUPPORTED, "'embed' has an element type (5)"),
        CASE(dtype_far, TFM_ERROR_UNSUPPORTED, "'embed'"),
        CASE(layout_unknown, TFM_ERROR_UNSUPPORTED, "layout (2)"),
        CASE(dtype_other, TFM_ERROR_FORMAT, "4224 bytes where its shape needs 2112"),
        CASE(panels_of_rank_1, TFM_ERROR_FORMAT, "impossible shape"),
        CASE(rank_zero, TFM_ERROR_FORMAT, "impossible shape"),
        CASE(rank_five, TFM_ERROR_FORMAT, "impossible shape"),
        CASE(rank_short, TFM_ERROR_FORMAT, "more dimensions"),
        CASE(shape_zero, TFM_ERROR_FORMAT, "impossible shape"),
        CASE(shape_unused_zero, TFM_ERROR_FORMAT, "more dimensions"),
        CASE(shape_unused, TFM_ERROR_FORMAT, "more dimensions"),
        CASE(shape_wraps, TFM_ERROR_FORMAT, "impossible shape"),
        CASE(shape_wraps_in_two, TFM_ERROR_FORMAT, "impossible shape"),
        CASE(shape_wraps_in_panels, TFM_ERROR_FORMAT, "impossible shape"),
        CASE(shape_longer, TFM_ERROR_FORMAT, "12 bytes where its shape needs 16"),
        CASE(length_longer, TFM_ERROR_FORMAT, "13 bytes where its shape needs 12"),
        CASE(length_far, TFM_ERROR_FORMAT, "does not lie"),
        CASE(int8_in_rows, TFM_ERROR_FORMAT, "'bytes' has an impossible shape or layout for type int8"),
        CASE(int4_in_rows, TFM_ERROR_FORMAT, "'nibbles' has an impossible shape or layout for type int4"),
        CASE(int8_vector, TFM_ERROR_FORMAT, "impossible shape"),
        CASE(int8_of_rank_3, TFM_ERROR_FORMAT, "impossible shape"),
        CASE(int8_longer, TFM_ERROR_FORMAT, "1344 bytes where its shape needs 1280"),
        CASE(int8_as_int4, TFM_ERROR_FORMAT, "1280 bytes where its shape needs 1152"),
        CASE(int4_as_int8, TFM_ERROR_FORMAT, "1152 bytes where its shape needs 1216"),
        CASE(int8_columns_beyond_limit, TFM_ERROR_FORMAT, "impossible shape"),
        CASE(int8_columns_far, TFM_ERROR_FORMAT, "impossible shape"),
        CASE(int8_rows_wrap, TFM_ERROR_FORMAT, "impossible shape"),
        CASE(int4_columns_wrap, TFM_ERROR_FORMAT, "impossible shape"),
        CASE(int4_product_wraps, TFM_ERROR_FORMAT, "impossible shape"),
        CASE(int4_no_columns, TFM_ERROR_FORMAT, "impossible shape"),
        CASE(offset_zero, TFM_ERROR_FORMAT, "does not lie"),
        CASE(offset_odd, TFM_ERROR_FORMAT, "does not lie"),
        CASE(offset_hole, TFM_ERROR_FORMAT, "does not lie"),
        CASE(offset_overlap, TFM_ERROR_FORMAT, "does not lie"),
        CASE(offset_not_on_page, TFM_ERROR_FORMAT, "does not lie"),
        CASE(offset_huge, TFM_ERROR_FORMAT, "does not lie"),
        CASE(offset_wraps, TFM_ERROR_FORMAT, "does not lie"),
        CASE(records_swapped, TFM_ERROR_FORMAT, "does not lie"),
        CASE(record_repeated, TFM_ERROR_FORMAT, "does not lie"),
        CASE(gap_before_directory, TFM_ERROR_FORMAT, "does not follow the last extent"),
        CASE(padding_after_header, TFM_ERROR_CORRUPT, "padding at byte 140"),
        CASE(padding_before_page, TFM_ERROR_CORRUPT, "padding at byte"),
        CASE(padding_before_directory, TFM_ERROR_CORRUPT, "padding at byte"),
    };
    expect_refused(sample_image, cases, N(cases), true);
}

static void damage_header(image *im) { im->data[60] ^= 4; }
static void damage_directory(image *im) { image_record(im, 2)->hash ^= 1; }
static void damage_section(image *im) { im->data[section_of(im)->offset + 3] ^= 1; }
static void damage_extension(image *im) { im->data[image_record(im, image_find(im, "x-note"))->offset + 40] ^= 1; }
static void damage_tensor(image *im) { im->data[embed_of(im)->offset + 4000] ^= 1; }

Test(reader, damage_is_named) {
    static const tampering cases[] = {
        CASE(damage_header, TFM_ERROR_CORRUPT, "the header is damaged"),
        CASE(damage_directory, TFM_ERROR_CORRUPT, "the directory is damaged"),
        CASE(damage_section, TFM_ERROR_CORRUPT, "section 'metadata' is damaged"),
        CASE(damage_extension, TFM_ERROR_CORRUPT, "section 'x-note' is damaged"),
        CASE(damage_tensor, TFM_ERROR_CORRUPT, "tensor 'embed' is damaged"),
    };
    expect_refused(sample_image, cases, N(cases), false);
}

/* A section whose bytes are wrong but whose hash is right is found by the table's own rules. */
static void table_damaged(image *im) { im->data[section_of(im)->offset + 4] = 1; }

Test(reader, sections_are_tables) {
    static const tampering cases[] = {CASE(table_damaged, TFM_ERROR_FORMAT, "section 'metadata': the head")};
    expect_refused(sample_image, cases, N(cases), true);
    /* Whereas nobody looks into an extension. */
    image im = sample_image();
    im.data[image_record(&im, image_find(&im, "x-note"))->offset + 4] = 1;
    image_reseal(&im);
    REQUIRE_OK(image_check(&im, true, error));
    image_free(&im);
}

/* A file of nothing but a header keeps every rule. */
Test(reader, nothing_inside) {
    image im = sample_image();
    tfm_disk_header *header = image_header(&im);
    im.n = header->file_length = header->directory_offset = 128;
    header->directory_length = header->n_sections = header->n_tensors = 0;
    image_reseal(&im);
    REQUIRE_OK(image_check(&im, true, error));
    image_free(&im);
}
