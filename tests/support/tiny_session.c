/* tiny_session.c - see tiny_session.h. */
#include "tiny_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "require.h"

void fixture_path(char path[256]) {
    const char *scratch = getenv("TMPDIR");
    snprintf(path, 256, "%.200s/tfm-test-XXXXXX.bin", scratch ? scratch : "/tmp");
    int fd = mkstemps(path, 4);
    cr_assert(fd >= 0, "cannot make %s", path);
    close(fd);
}

void fixture_open(fixture *f, const tiny_config *config, const tfm_session_params *params) {
    tiny_config standard = tiny_config_default();
    if (!config) config = &standard;
    *f = (fixture){.tiny = tiny_model_make(config), .d = config->d_model};
    fixture_path(f->path);
    tiny_model_write(f->tiny, f->path);
    REQUIRE_OK(tfm_pool_create(&f->pool, 3, error));
    REQUIRE_OK(tfm_model_open(&f->model, f->path, NULL, error));
    f->vocab = tfm_model_get_info(f->model).target_vocab_size;
    tfm_session_params own = params ? *params : tfm_session_params_default();
    if (!params) own.pool = f->pool;
    REQUIRE_OK(tfm_session_create(&f->session, f->model, &own, error));
}

void fixture_close(fixture *f) {
    tfm_session_free(&f->session);
    tfm_model_close(&f->model);
    tfm_pool_free(&f->pool);
    tiny_model_free(&f->tiny);
    unlink(f->path);
}

void fixture_ids(int32_t *ids, size_t n, size_t vocab, uint64_t seed) {
    uint64_t random = seed * 2654435761u + 12345;
    for (size_t i = 0; i < n; i++) ids[i] = (int32_t)(tiny_random(&random) % vocab);
}

int32_t fixture_source(fixture *f, const int32_t *ids, size_t n) {
    if (!strcmp(f->tiny->config.kind, "decoder")) return -1;
    tfm_tokens input = {ids, n};
    int32_t source;
    REQUIRE_OK(tfm_encode(f->session, &input, 1, &source, NULL, error));
    return source;
}

int32_t fixture_sequence(fixture *f, int32_t source) {
    int32_t sequence;
    REQUIRE_OK(tfm_sequence_new(f->session, source, &sequence, error));
    return sequence;
}

void fixture_feed(fixture *f, int32_t sequence, const int32_t *ids, size_t n, float *logits) {
    tfm_span span = {.sequence = sequence, .ids = ids, .n = n, .logits = logits, .all_logits = true};
    REQUIRE_OK(tfm_decode(f->session, &span, 1, error));
}
