/* damage_test.c - every possible change of one byte, every truncation, bytes added, a file that shrinks in use. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model_files.h"
#include "tests/support/require.h"
#include "tests/support/thorough.h"

static tfm_status check_fd(int fd, tfm_error *error) {
    tfm_file *file;
    tfm_status status = tfm_file_open_fd(&file, dup(fd), "image.bin", NULL, error);
    if (status == TFM_OK) status = tfm_file_verify(file, NULL, NULL, NULL, error);
    tfm_file_close(&file);
    return status;
}

/* A single bit, or all bits, of every byte of the sample file; each of the nine changes to each byte if thorough. */
Test(damage, every_byte, .timeout = 600) {
    const size_t stride = test_stride(9);
    image im = sample_image();
    int fd = image_fd(&im);
    REQUIRE_OK(check_fd(fd, error));
    size_t n_checked = 0;
    for (size_t at = 0; at < im.n; at++)
        for (size_t flip = at % stride; flip < 9; flip += stride, n_checked++) {
            unsigned char changed = (unsigned char)(im.data[at] ^ (flip < 8 ? 1u << flip : 0xFFu));
            MUST(pwrite(fd, &changed, 1, (off_t)at) == 1, "pwrite");
            tfm_error error = {0};
            MUST(check_fd(fd, &error) != TFM_OK, "byte %zu, flip %zu: not noticed", at, flip);
            MUST(error.message[0] != '\0', "byte %zu, flip %zu: no message", at, flip);
            MUST(pwrite(fd, &im.data[at], 1, (off_t)at) == 1, "pwrite");
        }
    REQUIRE_OK(check_fd(fd, error));
    cr_assert_eq(n_checked, im.n * 9 / stride);
    close(fd);
    image_free(&im);
}

/* Every value of every byte of the smallest file; a seventh of them, others for each byte, if not thorough. */
Test(damage, every_value, .timeout = 600) {
    const size_t stride = test_stride(7);
    image im = example_image();
    int fd = image_fd(&im);
    for (size_t at = 0; at < im.n; at++) {
        for (size_t value = at % stride; value < 256; value += stride) {
            unsigned char changed = (unsigned char)value;
            if (changed == im.data[at]) continue;
            MUST(pwrite(fd, &changed, 1, (off_t)at) == 1, "pwrite");
            MUST(check_fd(fd, NULL) != TFM_OK, "byte %zu, value %zu: not noticed", at, value);
        }
        MUST(pwrite(fd, &im.data[at], 1, (off_t)at) == 1, "pwrite");
    }
    REQUIRE_OK(check_fd(fd, error));
    close(fd);
    image_free(&im);
}

Test(damage, every_truncation, .timeout = 600) {
    image im = sample_image();
    int fd = image_fd(&im);
    for (size_t n = im.n; n-- > 0;) {
        MUST(ftruncate(fd, (off_t)n) == 0, "ftruncate");
        tfm_error error = {0};
        tfm_status status = check_fd(fd, &error);
        MUST(status == (n < 128 ? TFM_ERROR_FORMAT : TFM_ERROR_CORRUPT), "%zu bytes: %s", n, error.message);
    }
    close(fd);
    image_free(&im);
}

/* Cut, and then a header that says so with a right hash: the directory gives it away at every length. */
Test(damage, every_truncation_with_right_hash, .timeout = 600) {
    image im = sample_image();
    for (size_t n = 128; n < im.n; n++) {
        image cut = image_copy(&im);
        cut.n = n;
        image_header(&cut)->file_length = n;
        image_reseal(&cut);
        MUST(image_check(&cut, true, NULL) == TFM_ERROR_FORMAT, "%zu bytes: not refused", n);
        image_free(&cut);
    }
    image_free(&im);
}

Test(damage, bytes_added) {
    image im = sample_image();
    int fd = image_fd(&im);
    for (size_t n = im.n + 1; n <= im.n + 300; n++) {
        cr_assert_eq(ftruncate(fd, (off_t)n), 0); /* zeros */
        tfm_error error = {0};
        cr_assert_eq(check_fd(fd, &error), TFM_ERROR_CORRUPT);
        cr_assert(strstr(error.message, "foreign bytes"), "%s", error.message);
    }
    close(fd);
    image_free(&im);
}

/* ---- changes of a file with right hashes: the structure must hold by itself ---- */

Test(damage, random_changes_with_right_hashes, .timeout = 600) {
    image im = sample_image();
    random_state random = {.s = 0xBADF00D};
    size_t directory = image_header(&im)->directory_offset, n_accepted = 0;
    for (int round = 0; round < 30000; round++) {
        image copy = image_copy(&im);
        for (uint64_t i = 0, n = 1 + random_next(&random) % 3; i < n; i++) {
            uint64_t where = random_next(&random),
                     at = where % 3 == 0 ? where % 120 : directory + where % (im.n - directory);
            copy.data[at] ^= (unsigned char)(1u << (random_next(&random) % 8));
        }
        image_reseal(&copy);
        tfm_error error = {0};
        tfm_status status = image_check(&copy, true, &error);
        n_accepted += status == TFM_OK;
        MUST(status == TFM_OK || error.message[0] != '\0', "no message");
        image_free(&copy);
    }
    cr_assert_gt(n_accepted, 0); /* changed letters of names, and hashes, which are then set right */
    image_free(&im);
}

/* ---- a file that shrinks while it is mapped ---- */

static struct {
    char *base;
    uint64_t length;
    int fd;
    off_t cut_to; /* when the mapping is announced; -1: not then */
    int n_announced;
} guarded;

/* What the runtime does: zeros take the place of the page that is gone. */
static void on_sigbus(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    char *address = info->si_addr, *page = guarded.base + (address - guarded.base) / 4096 * 4096;
    if (address < guarded.base || address >= guarded.base + guarded.length ||
        mmap(page, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
        _exit(77);
}

static void announce(void *user, const void *base, uint64_t length) {
    cr_assert_eq(user, &guarded);
    guarded.base = (char *)(uintptr_t)base;
    guarded.length = length;
    guarded.n_announced++;
    if (guarded.cut_to >= 0) cr_assert_eq(ftruncate(guarded.fd, guarded.cut_to), 0);
}

static void withdraw(void *user, const void *base, uint64_t length) {
    cr_assert(user == &guarded && base == guarded.base && length == guarded.length);
    guarded.n_announced--;
}

static const tfm_map_guard guard = {.mapped = announce, .unmapping = withdraw, .user = &guarded};

static void handle_sigbus(void) {
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    cr_assert_eq(sigaction(SIGBUS, &action, NULL), 0);
}

Test(damage, shrinks_while_it_is_opened) {
    image im = sample_image();
    handle_sigbus();
    for (off_t n = 0; n < (off_t)im.n; n += 512) {
        guarded.fd = image_fd(&im);
        guarded.cut_to = n;
        tfm_file *file;
        tfm_error error = {0};
        tfm_status status = tfm_file_open_fd(&file, dup(guarded.fd), "image.bin", &guard, &error);
        cr_assert_eq(status, TFM_ERROR_CHANGED, "cut to %ld: %s", (long)n, error.message);
        cr_assert_null(file);
        cr_assert_eq(guarded.n_announced, 0); /* announced once, withdrawn once */
        close(guarded.fd);
    }
    image_free(&im);
}

Test(damage, shrinks_while_it_is_verified) {
    image im = sample_image();
    handle_sigbus();
    for (off_t n = 0; n < (off_t)im.n; n += 512) {
        guarded.fd = image_fd(&im);
        guarded.cut_to = -1;
        tfm_file *file;
        REQUIRE_OK(tfm_file_open_fd(&file, dup(guarded.fd), "image.bin", &guard, error));
        REQUIRE_OK(tfm_file_check_size(file, error));
        cr_assert_eq(ftruncate(guarded.fd, n), 0);
        tfm_error error = {0};
        cr_assert_eq(tfm_file_check_size(file, NULL), TFM_ERROR_CHANGED);
        cr_assert_eq(tfm_file_verify(file, NULL, NULL, NULL, &error), TFM_ERROR_CHANGED, "cut to %ld: %s", (long)n,
                     error.message);
        const tfm_tensor *page = tfm_file_tensor(file, "page");
        tfm_status status = tfm_file_verify_tensor(file, page, NULL, &error);
        bool gone = page->offset + page->length > (uint64_t)n;
        cr_assert_eq(status, gone ? TFM_ERROR_CHANGED : TFM_OK, "cut to %ld", (long)n);
        tfm_file_close(&file);
        cr_assert_eq(guarded.n_announced, 0);
        close(guarded.fd);
    }
    image_free(&im);
}
