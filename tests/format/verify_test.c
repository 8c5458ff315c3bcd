/* verify_test.c - hashes of large tensors, verification in parallel, progress, cancellation; the hash functions. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/hash.h"
#include "model_files.h"
#include "tests/support/require.h"
#include "tests/support/write_tensors.h"

static const tfm_parallel threads = {.run = run_on_threads};

static tfm_status verify_image(const image *im, const tfm_parallel *parallel, tfm_error *error) {
    tfm_file *file;
    tfm_status status = tfm_file_open_fd(&file, image_fd(im), "image.bin", NULL, error);
    if (status == TFM_OK) status = tfm_file_verify(file, parallel, NULL, NULL, error);
    tfm_file_close(&file);
    return status;
}

/* Published values of XXH3-64 without seed, so that the file means the same with any xxHash. */
Test(hash, is_xxh3) {
    tfm_hash_function *hash;
    size_t n = 0;
    for (; (hash = tfm_hash_list(n)); n++) {
        cr_assert_eq(hash("", 0), 0x2D06800538D394C2u);
        cr_assert_eq(hash("a", 1), 0xE6C632B61E964E1Fu);
        cr_assert_eq(hash("abc", 3), 0x78AF5F94892F3950u);
    }
    cr_assert_geq(n, 1);
    cr_assert_eq(tfm_hash_select(), tfm_hash_list(n - 1));
}

Test(hash, the_same_on_every_instruction_set) {
    unsigned char *bytes = malloc(70000);
    random_state random = {.s = 42};
    for (size_t i = 0; i < 70000; i++) bytes[i] = (unsigned char)random_next(&random);
    tfm_hash_function *hash;
    for (size_t i = 1; (hash = tfm_hash_list(i)); i++)
        for (size_t n = 0; n < 70000 - 64; n += n < 600 ? 1 : 997)
            cr_assert_eq(hash(bytes + n % 64, n), tfm_hash_baseline(bytes + n % 64, n), "function %zu, %zu bytes", i,
                         n);
    free(bytes);
}

/* The hash of an extent, computed as docs/format.md words it. */
Test(hash, extents_are_hashed_by_chunks) {
    static const size_t sizes[] = {0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20, (5 << 20) + 77};
    unsigned char *bytes = malloc(6 << 20);
    random_state random = {.s = 43};
    for (size_t i = 0; i < 6 << 20; i++) bytes[i] = (unsigned char)random_next(&random);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t chunk_hashes[8];
        size_t n_chunks = 0;
        for (size_t at = 0; at < sizes[i]; at += 1 << 20)
            chunk_hashes[n_chunks++] = tfm_hash_baseline(bytes + at, sizes[i] - at < 1 << 20 ? sizes[i] - at : 1 << 20);
        uint64_t expected = tfm_hash_baseline(chunk_hashes, n_chunks * 8);
        cr_assert_eq(tfm_hash_extent(tfm_hash_select(), bytes, sizes[i]), expected, "%zu bytes", sizes[i]);
    }
    free(bytes);
}

Test(hash, zero_is_told_from_anything_else) {
    unsigned char bytes[200] = {0};
    cr_assert(tfm_all_zero(bytes, 0) && tfm_all_zero(bytes, 1) && tfm_all_zero(bytes, 200));
    for (size_t i = 0; i < 200; i++) {
        bytes[i] = 1;
        for (size_t n = 0; n <= 200; n++) MUST(tfm_all_zero(bytes, n) == (n <= i), "byte %zu of %zu", i, n);
        bytes[i] = 0;
    }
}

Test(verify, serial_and_parallel_agree) {
    image im = large_image();
    REQUIRE_OK(verify_image(&im, NULL, error));
    REQUIRE_OK(verify_image(&im, &threads, error));
    random_state random = {.s = 7};
    size_t directory = image_header(&im)->directory_offset;
    for (int round = 0; round < 40; round++) {
        /* Two places, so that which of them is named depends on order, which must be that of the file. */
        size_t at[2] = {128 + random_next(&random) % (directory - 128), 128 + random_next(&random) % (directory - 128)};
        for (int i = 0; i < 2; i++) im.data[at[i]] ^= 0x10;
        tfm_error serial = {0}, parallel = {0};
        cr_assert_eq(verify_image(&im, NULL, &serial), at[0] == at[1] ? TFM_OK : TFM_ERROR_CORRUPT, "round %d", round);
        cr_assert_eq(verify_image(&im, &threads, &parallel), serial.status);
        cr_assert_str_eq(serial.message, parallel.message);
        for (int i = 0; i < 2; i++) im.data[at[i]] ^= 0x10;
    }
    image_free(&im);
}

Test(verify, every_chunk_of_a_large_tensor_counts) {
    image im = large_image();
    uint64_t offset = image_record(&im, image_find(&im, "large"))->offset;
    uint64_t length = image_record(&im, image_find(&im, "large"))->length;
    for (uint64_t at = 0; at < length; at += at + 1 == length ? 1 : (length - 1) / 5) {
        im.data[offset + at] ^= 1;
        tfm_error error = {0};
        cr_assert_eq(verify_image(&im, NULL, &error), TFM_ERROR_CORRUPT);
        cr_assert(strstr(error.message, "'large'"), "%s", error.message);
        im.data[offset + at] ^= 1;
    }
    image_free(&im);
}

/* ---- one tensor at a time ---- */

static atomic_int n_tasks;

static void count_tasks(void *pool, size_t n, void (*task)(void *arg, size_t i), void *arg) {
    atomic_fetch_add(&n_tasks, (int)n);
    run_on_threads(pool, n, task, arg);
}

Test(verify, a_tensor_is_hashed_once) {
    image im = large_image();
    tfm_file *file;
    REQUIRE_OK(tfm_file_open_fd(&file, image_fd(&im), "image.bin", NULL, error));
    const tfm_tensor *large = tfm_file_tensor(file, "large");
    const tfm_parallel counting = {.run = count_tasks};
    REQUIRE_OK(tfm_file_verify_tensor(file, large, &counting, error));
    cr_assert_eq(n_tasks, 4); /* 3 MiB and 28 bytes */
    REQUIRE_OK(tfm_file_verify_tensor(file, large, &counting, error));
    cr_assert_eq(n_tasks, 4);
    tfm_file_close(&file);

    /* A verification of the whole file counts for its tensors. */
    REQUIRE_OK(tfm_file_open_fd(&file, image_fd(&im), "image.bin", NULL, error));
    REQUIRE_OK(tfm_file_verify(file, NULL, NULL, NULL, error));
    REQUIRE_OK(tfm_file_verify_tensor(file, tfm_file_tensor(file, "large"), &counting, error));
    cr_assert_eq(n_tasks, 4);
    tfm_file_close(&file);
    image_free(&im);
}

Test(verify, a_damaged_tensor_stays_damaged) {
    image im = large_image();
    im.data[image_record(&im, image_find(&im, "large"))->offset + 2000000] ^= 1;
    tfm_file *file;
    REQUIRE_OK(tfm_file_open_fd(&file, image_fd(&im), "image.bin", NULL, error));
    for (int i = 0; i < 2; i++) {
        tfm_error error = {0};
        cr_assert_eq(tfm_file_verify_tensor(file, tfm_file_tensor(file, "large"), &threads, &error), TFM_ERROR_CORRUPT);
        cr_assert(strstr(error.message, "image.bin: tensor 'large' is damaged"), "%s", error.message);
    }
    REQUIRE_OK(tfm_file_verify_tensor(file, tfm_file_tensor(file, "embed"), &threads, error));
    tfm_file_close(&file);
    image_free(&im);
}

static void *verify_all_tensors(void *arg) {
    tfm_file *file = arg;
    for (size_t i = 0; i < tfm_file_tensor_count(file); i++)
        if (tfm_file_verify_tensor(file, tfm_file_tensor_at(file, i), NULL, NULL) != TFM_OK) return file;
    return NULL;
}

Test(verify, several_threads_ask_for_the_same_tensors) {
    image im = large_image();
    tfm_file *file;
    REQUIRE_OK(tfm_file_open_fd(&file, image_fd(&im), "image.bin", NULL, error));
    pthread_t workers[4];
    for (int i = 0; i < 4; i++) cr_assert_eq(pthread_create(&workers[i], NULL, verify_all_tensors, file), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(workers[i], &failed);
        cr_assert_null(failed);
    }
    tfm_file_close(&file);
    image_free(&im);
}

/* ---- progress ---- */

typedef struct progress_log {
    uint64_t last, total;
    size_t n, stop_at;
} progress_log;

static int log_progress(void *user, uint64_t done, uint64_t total) {
    progress_log *log = user;
    cr_assert(log->n == 0 || (done > log->last && total == log->total));
    cr_assert_leq(done, total);
    log->last = done;
    log->total = total;
    return ++log->n == log->stop_at ? 1 : 0;
}

/* 200 MiB of zeros, sparse in the file: several windows. */
static char *make_long_file(const char *folder) {
    char *path = scratch_path(folder, "long.bin");
    tfm_writer *writer;
    REQUIRE_OK(tfm_writer_create(&writer, path, error));
    unsigned char *zeros = calloc(1, 1 << 20);
    for (int t = 0; t < 4; t++) {
        char name[10];
        snprintf(name, sizeof name, "t%d", t);
        REQUIRE_OK(
            tfm_writer_tensor(writer, name, TFM_F32, TFM_LAYOUT_ROWS, 2, (const uint64_t[]){50, 1 << 18}, error));
        for (int i = 0; i < 50; i++) REQUIRE_OK(tfm_writer_write(writer, zeros, 1 << 20, error));
    }
    REQUIRE_OK(tfm_writer_commit(&writer, error));
    free(zeros);
    return path;
}

Test(verify, progress_and_cancellation, .timeout = 120) {
    char *folder = scratch_make(), *path = make_long_file(folder);
    tfm_file *file;
    REQUIRE_OK(tfm_file_open(&file, path, error));
    progress_log log = {0};
    REQUIRE_OK(tfm_file_verify(file, &threads, log_progress, &log, error));
    cr_assert(log.n >= 3 && log.n <= 110, "%zu calls", log.n);
    cr_assert_eq(log.last, log.total);
    cr_assert_geq(log.total, 200 << 20);

    progress_log stopped = {.stop_at = 2};
    tfm_error error = {0};
    cr_assert_eq(tfm_file_verify(file, NULL, log_progress, &stopped, &error), TFM_ERROR_CANCELLED);
    cr_assert_eq(stopped.n, 2);
    cr_assert_lt(stopped.last, stopped.total);
    tfm_file_close(&file);
    free(path);
    scratch_remove(&folder);
}

/* More pieces than a window holds. */
Test(verify, thousands_of_small_tensors) {
    char *folder = scratch_make(), *path = scratch_path(folder, "many.bin");
    tfm_writer *writer;
    REQUIRE_OK(tfm_writer_create(&writer, path, error));
    for (unsigned i = 0; i < 3000; i++) {
        char name[20];
        float values[20];
        snprintf(name, sizeof name, "t%u", i * 7 % 3000);
        for (unsigned k = 0; k < 20; k++) values[k] = (float)(i + k);
        REQUIRE_OK(write_vector(writer, name, values, 1 + i % 20, error));
    }
    REQUIRE_OK(tfm_writer_commit(&writer, error));
    image im = image_read(path);
    progress_log log = {0};
    tfm_file *file;
    REQUIRE_OK(tfm_file_open(&file, path, error));
    REQUIRE_OK(tfm_file_verify(file, &threads, log_progress, &log, error));
    cr_assert_eq(log.last, log.total);
    for (unsigned i = 0; i < 3000; i++) {
        char name[20];
        snprintf(name, sizeof name, "t%u", i * 7 % 3000);
        const tfm_tensor *tensor = tfm_file_tensor(file, name);
        MUST(tensor && *(const float *)tensor->data == (float)i && tensor->shape[0] == 1 + i % 20, "%s", name);
    }
    tfm_file_close(&file);
    for (unsigned i = 0; i < 3000; i += 331) {
        uint64_t offset = image_record(&im, i)->offset;
        im.data[offset] ^= 1;
        tfm_error serial = {0}, parallel = {0};
        cr_assert_eq(verify_image(&im, NULL, &serial), TFM_ERROR_CORRUPT);
        cr_assert_eq(verify_image(&im, &threads, &parallel), TFM_ERROR_CORRUPT);
        cr_assert_str_eq(serial.message, parallel.message);
        cr_assert(strstr(serial.message, image_record(&im, i)->name));
        im.data[offset] ^= 1;
    }
    image_free(&im);
    free(path);
    scratch_remove(&folder);
}
