/* sigbus_test.c - model files that shrink while they are mapped, and SIGBUS that is not ours. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

Test(sigbus, a_shrinking_file_is_an_error_not_a_crash) {
    for (int verify = TFM_VERIFY_ALL; verify <= TFM_VERIFY_LAZY; verify++) {
        fixture f;
        tiny_config c = tiny_config_default();
        c.encoder.d_ff = c.decoder.d_ff = 600;
        fixture_open(&f, &c, NULL);
        tfm_model_params params = {.size = sizeof params, .verify = (tfm_verify)verify};
        tfm_model *model;
        tfm_session *session;
        REQUIRE_OK(tfm_model_open(&model, f.path, &params, error));
        tfm_session_params with_pool = tfm_session_params_default();
        with_pool.pool = f.pool;
        REQUIRE_OK(tfm_session_create(&session, model, &with_pool, error));
        int32_t ids[300], source;
        fixture_ids(ids, 300, 37, 9);
        tfm_tokens input = {ids, 300};
        cr_assert(truncate(f.path, 4096) == 0);
        for (int i = 0; i < 2; i++) {
            REQUIRE_ERROR(TFM_ERROR_CHANGED, tfm_encode(session, &input, 1, &source, NULL, error), f.path);
            REQUIRE_ERROR(TFM_ERROR_CHANGED, tfm_encode(f.session, &input, 1, &source, NULL, error), f.path);
        }
        tfm_session_free(&session);
        tfm_model_close(&model);
        fixture_close(&f);
    }
}

static sigjmp_buf back;
static volatile sig_atomic_t n_previous;

static void previous_handler(int signal) {
    (void)signal;
    n_previous++;
    siglongjmp(back, 1);
}

/* A SIGBUS in somebody else's mapping goes to the handler that was there before the library's. */
Test(sigbus, other_bus_errors_go_to_the_previous_handler) {
    struct sigaction action = {.sa_handler = previous_handler};
    sigaction(SIGBUS, &action, NULL);
    fixture f;
    fixture_open(&f, NULL, NULL);
    char path[256];
    fixture_path(path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert(ftruncate(fd, 1 << 16) == 0);
    volatile char *bytes = mmap(NULL, 1 << 16, PROT_READ, MAP_SHARED, fd, 0);
    cr_assert(bytes != MAP_FAILED);
    cr_assert(bytes[40000] == 0 && ftruncate(fd, 0) == 0);
    if (sigsetjmp(back, 1) == 0) {
        char byte = bytes[40000];
        cr_assert_fail("read %d from beyond the file's end", byte);
    }
    cr_assert(n_previous == 1);
    munmap((void *)bytes, 1 << 16);
    close(fd);
    unlink(path);
    fixture_close(&f);
}
