/* model_test.c - opening models: what is refused and how it is said, instruction sets, damage, facts. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/model/model.h"
#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

/* ---- files that are no models ---- */

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "we");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

Test(model, files_that_cannot_be_opened_are_named) {
    tfm_model *model = (tfm_model *)&model;
    REQUIRE_ERROR(TFM_ERROR_IO, tfm_model_open(&model, "/nonexistent/model.bin", NULL, error),
                  "/nonexistent/model.bin");
    cr_assert_null(model);
    REQUIRE_ERROR(TFM_ERROR_IO, tfm_model_open(&model, "/tmp", NULL, error), "/tmp");
    char path[256];
    fixture_path(path);
    REQUIRE_ERROR(TFM_ERROR_FORMAT, tfm_model_open(&model, path, NULL, error), path); /* empty */
    write_text(
        path,
        "{\"model_type\": \"marian\"}, which is not what a model file begins with, but long enough to have a header "
        "of 128 bytes and more in it.");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, tfm_model_open(&model, path, NULL, error), path);
    cr_assert_null(model);
    unlink(path);
    tfm_error none;
    cr_assert(tfm_model_open(&model, path, NULL, NULL) == TFM_ERROR_IO); /* no place for a message */
    (void)none;
}

/* ---- instruction sets ---- */

Test(model, instruction_sets) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_model *model;
    tfm_model_params params = tfm_model_params_default();
    bool usable, have[5] = {false};
    static const char *const names[] = {"scalar", "neon", "avx2", "avx512"};
    size_t n_usable = 0;
    const char *name;
    for (size_t i = 0; (name = tfm_isa_list(i, &usable)); i++) {
        for (size_t k = 0; k < 4; k++) have[k] |= !strcmp(names[k], name);
        params.isa = name;
        if (!usable) {
            REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tfm_model_open(&model, f.path, &params, error), "processor", name);
            continue;
        }
        if (n_usable++ == 0) cr_assert_str_eq(tfm_model_get_info(f.model).isa, name); /* the best comes first */
        REQUIRE_OK(tfm_model_open(&model, f.path, &params, error));
        cr_assert_str_eq(tfm_model_get_info(model).isa, name);
        tfm_model_close(&model);
    }
    cr_assert(n_usable >= 1 && have[0], "scalar is always there");
    for (size_t k = 0; k < 4; k++) {
        params.isa = names[k];
        if (!have[k])
            REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tfm_model_open(&model, f.path, &params, error), "build", names[k]);
    }
    params.isa = "sse9";
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_model_open(&model, f.path, &params, error), "sse9", "scalar");
    params.isa = NULL;
    setenv("TFM_ISA", "sse9", 1);
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_model_open(&model, f.path, &params, error), "TFM_ISA", "sse9");
    setenv("TFM_ISA", "scalar", 1);
    REQUIRE_OK(tfm_model_open(&model, f.path, &params, error));
    cr_assert_str_eq(tfm_model_get_info(model).isa, "scalar");
    unsetenv("TFM_ISA");
    tfm_model_close(&model);
    fixture_close(&f);
}

/* ---- damage ---- */

static void flip_tensor(fixture *f, const char *name) {
    const tfm_tensor *tensor = tfm_file_tensor(f->model->file, name);
    cr_assert(tensor, "%s", name);
    off_t at = (off_t)(tensor->offset + tensor->length / 2);
    int fd = open(f->path, O_RDWR | O_CLOEXEC);
    unsigned char byte;
    cr_assert(pread(fd, &byte, 1, at) == 1);
    byte ^= 0x10;
    cr_assert(pwrite(fd, &byte, 1, at) == 1);
    close(fd);
}

Test(model, damage_is_found_at_once_or_before_use) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    flip_tensor(&f, "decoder.1.ffn.up.weight");
    tfm_model *model;
    REQUIRE_ERROR(TFM_ERROR_CORRUPT, tfm_model_open(&model, f.path, NULL, error), f.path, "decoder.1.ffn.up.weight");
    flip_tensor(&f, "decoder.1.ffn.up.weight"); /* well again */
    REQUIRE_OK(tfm_model_open(&model, f.path, NULL, error));
    tfm_model_close(&model);
    flip_tensor(&f, "output.bias");
    REQUIRE_ERROR(TFM_ERROR_CORRUPT, tfm_model_open(&model, f.path, NULL, error), f.path, "output.bias");

    tfm_model_params lazy = {.size = sizeof lazy, .verify = TFM_VERIFY_LAZY};
    REQUIRE_OK(tfm_model_open(&model, f.path, &lazy, error));
    tfm_session *session;
    REQUIRE_OK(tfm_session_create(&session, model, NULL, error));
    int32_t ids[] = {3, 4, 5}, source, sequence;
    tfm_tokens input = {ids, 3};
    float states[3 * 15], logits[37];
    REQUIRE_OK(tfm_encode(session, &input, 1, &source, NULL, error));
    REQUIRE_OK(tfm_sequence_new(session, source, &sequence, error));
    tfm_span span = {.sequence = sequence, .ids = ids, .n = 1, .states = states};
    REQUIRE_OK(tfm_decode(session, &span, 1, error)); /* the damaged tensor is not used */
    span.logits = logits;
    for (int i = 0; i < 2; i++)
        REQUIRE_ERROR(TFM_ERROR_CORRUPT, tfm_decode(session, &span, 1, error), f.path, "output.bias");
    cr_assert(tfm_sequence_length(session, sequence) == 1);
    tfm_session_free(&session);
    tfm_model_close(&model);
    fixture_close(&f);
}

static int count_calls(void *user, uint64_t done, uint64_t total) {
    cr_assert(done <= total);
    return --*(int *)user < 0;
}

Test(model, verification_reports_and_can_be_cancelled) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_model *model;
    int calls_left = 1 << 20;
    tfm_model_params params = {
        .size = sizeof params, .progress = count_calls, .progress_user = &calls_left, .pool = f.pool};
    REQUIRE_OK(tfm_model_open(&model, f.path, &params, error));
    cr_assert(calls_left < 1 << 20);
    tfm_model_close(&model);
    calls_left = 0;
    REQUIRE_ERROR(TFM_ERROR_CANCELLED, tfm_model_open(&model, f.path, &params, error), "cancel");
    fixture_close(&f);
}

/* ---- facts ---- */

Test(model, info) {
    fixture f;
    tiny_config c = tiny_config_default();
    c.decoder.own_embed = c.decoder.own_position = true;
    c.decoder.vocab_size = 41;
    c.decoder.max_positions = 50;
    c.encoder.n_layers = 1;
    fixture_open(&f, &c, NULL);
    tfm_model_info info = tfm_model_get_info(f.model);
    struct stat file;
    cr_assert(stat(f.path, &file) == 0);
    cr_assert(info.kind == TFM_KIND_ENCODER_DECODER && info.d_model == 15 && info.file_bytes == (uint64_t)file.st_size);
    cr_assert_str_eq(info.family, "tiny");
    cr_assert(info.encoder_layers == 1 && info.decoder_layers == 2 && !info.has_tokenizer);
    cr_assert(info.source_vocab_size == 37 && info.target_vocab_size == 41);
    cr_assert(info.max_source == 320 && info.max_target == 50);
    uint64_t n_parameters = 0;
    for (size_t i = 0; i < f.tiny->n; i++)
        n_parameters += f.tiny->tensors[i].rows * (f.tiny->tensors[i].columns ? f.tiny->tensors[i].columns : 1);
    cr_assert(info.n_parameters == n_parameters);
    cr_assert_str_eq(info.dtype, "f32");
    tfm_ids ids = {0};
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_tokenize(f.model, TFM_SOURCE, "x", 1, true, &ids, error), f.path, "tokenizer");
    cr_assert_null(tfm_token_piece(f.model, TFM_SOURCE, 0, &(size_t){0}));
    tfm_generate_params p = tfm_generate_params_default(f.model);
    cr_assert(p.max_length == 24 && p.num_beams == 1 && p.decoder_start_token_id == TINY_START);
    cr_assert(p.n_eos_token_ids == 1 && p.eos_token_ids[0] == TINY_END && p.length_penalty == 1);
    cr_assert(p.forced_bos_token_id == -1 && p.pad_token_id == -1 && p.repetition_penalty == 1);
    fixture_close(&f);
}

static void describe(tfm_table_builder *table) {
    tfm_table_set_string(table, "license", "CC-BY-4.0");
    tfm_table_set_string(table, "source", "a folder");
    tfm_table_set_u64(table, "number", 3); /* no text: not shown */
    tfm_table_set_string(table, "command", "");
}

Test(model, metadata) {
    fixture f;
    tiny_config c = tiny_config_default();
    const char *key = "", *value = "";
    fixture_open(&f, &c, NULL);
    cr_assert_null(tfm_model_metadata(f.model, "license"));
    cr_assert(!tfm_model_metadata_at(f.model, 0, &key, &value) && !key && !value);
    fixture_close(&f);
    c.metadata = describe;
    fixture_open(&f, &c, NULL);
    cr_assert_str_eq(tfm_model_metadata(f.model, "license"), "CC-BY-4.0");
    cr_assert_str_eq(tfm_model_metadata(f.model, "command"), "");
    cr_assert_null(tfm_model_metadata(f.model, "number"));
    cr_assert_null(tfm_model_metadata(f.model, "language"));
    static const char *const expected[][2] = {{"command", ""}, {"license", "CC-BY-4.0"}, {"source", "a folder"}};
    for (size_t i = 0; i < 3; i++) {
        cr_assert(tfm_model_metadata_at(f.model, i, &key, &value));
        cr_assert_str_eq(key, expected[i][0]);
        cr_assert_str_eq(value, expected[i][1]);
    }
    cr_assert(!tfm_model_metadata_at(f.model, 3, &key, &value) && !key && !value);
    fixture_close(&f);
}

/* The same file has the same hash; a file that differs in one weight, or in a word about it, has another. */
Test(model, hash) {
    tiny_config c = tiny_config_default();
    uint64_t hashes[4];
    for (size_t i = 0; i < 4; i++) {
        char path[256];
        tfm_model *model;
        if (i == 2) c.metadata = describe;
        fixture_path(path);
        tiny_model *tiny = tiny_model_make(&c);
        if (i == 3) tiny->tensors[tiny->n - 1].values[0] += 1;
        tiny_model_write(tiny, path);
        REQUIRE_OK(tfm_model_open(&model, path, NULL, error));
        hashes[i] = tfm_model_get_info(model).hash;
        uint64_t stored; /* the last 8 bytes of the header */
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        cr_assert(fd >= 0 && pread(fd, &stored, 8, 120) == 8 && stored == hashes[i]);
        close(fd);
        tfm_model_close(&model);
        tiny_model_free(&tiny);
        unlink(path);
    }
    cr_assert(hashes[0] == hashes[1] && hashes[0] != hashes[2] && hashes[2] != hashes[3]);
}
