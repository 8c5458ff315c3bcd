/* model_open_test.c - opening models: what is refused and how it is said, damage, files that shrink. */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/model/model.h"
#include "tests/support/tiny_session.h"

/* ---- the options of section architecture ---- */

/* The table of a builder; *data is freed after it. */
static tfm_table *table_of(tfm_table_builder *builder, void **data) {
    tfm_table *table;
    size_t n;
    REQUIRE_OK(tfm_table_build(builder, data, &n, error));
    REQUIRE_OK(tfm_table_open(&table, *data, n, "test", error));
    tfm_table_builder_free(&builder);
    return table;
}

static void copy_value(tfm_table_builder *to, const tfm_value *value) {
    if (value->type == TFM_VALUE_U64) tfm_table_set_u64(to, value->key, value->u64);
    if (value->type == TFM_VALUE_F64) tfm_table_set_f64(to, value->key, value->f64);
    if (value->type == TFM_VALUE_STRING) tfm_table_set_string(to, value->key, value->data);
}

Test(options, all_is_read) {
    tiny_config c = tiny_config_default();
    c.encoder.n_heads = 6;
    c.decoder.activation = "gelu_tanh";
    c.decoder.rms = true;
    c.decoder.position_offset = 2;
    void *data;
    tfm_table *table = table_of(tiny_architecture(&c), &data);
    tfm_architecture o;
    REQUIRE_OK(tfm_architecture_read(&o, table, "f.bin", error));
    cr_assert(o.kind == TFM_KIND_ENCODER_DECODER && o.has_encoder && o.has_decoder && o.d_model == 15);
    cr_assert_str_eq(o.family, "tiny");
    cr_assert(o.encoder.vocab_size == 37 && o.encoder.n_layers == 2 && o.encoder.n_heads == 6 &&
              o.encoder.n_kv_heads == 3 && o.encoder.head_dim == 5 && o.encoder.d_ff == 29);
    cr_assert(o.encoder.activation == TFM_ACT_RELU && o.decoder.activation == TFM_ACT_GELU_TANH);
    cr_assert(o.encoder.norm == TFM_NORM_LAYER && o.decoder.norm == TFM_NORM_RMS);
    cr_assert(o.decoder.position == TFM_POSITION_TABLE && o.decoder.position_offset == 2);
    cr_assert(o.encoder.max_positions == 320 && o.encoder.biases == 7 && o.encoder.embed_scale == 1.5f);
    tfm_table_close(&table);
    free(data);
}

/* Each key in turn is left out. */
Test(options, missing_keys_are_named) {
    tiny_config c = tiny_config_default();
    void *data, *reduced_data;
    tfm_table *table = table_of(tiny_architecture(&c), &data);
    size_t n_refused = 0;
    for (size_t skip = 0; skip < tfm_table_count(table); skip++) {
        tfm_table_builder *builder = tfm_table_builder_new();
        for (size_t i = 0; i < tfm_table_count(table); i++)
            if (i != skip) copy_value(builder, tfm_table_at(table, i));
        tfm_table *reduced = table_of(builder, &reduced_data);
        const char *key = tfm_table_at(table, skip)->key;
        tfm_architecture o;
        if (strstr(key, "position_offset") || !strcmp(key, "family")) {
            REQUIRE_OK(tfm_architecture_read(&o, reduced, "f.bin", error));
        } else {
            REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tfm_architecture_read(&o, reduced, "f.bin", error), "f.bin", key,
                          "missing");
            n_refused++;
        }
        tfm_table_close(&reduced);
        free(reduced_data);
    }
    cr_assert(n_refused == 2 + 2 * 18, "%zu keys", n_refused);
    tfm_table_close(&table);
    free(data);
}

static void refuse(tfm_table_builder *builder, const char *key) {
    void *data;
    tfm_table *table = table_of(builder, &data);
    tfm_architecture o;
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tfm_architecture_read(&o, table, "f.bin", error), "f.bin", key);
    tfm_table_close(&table);
    free(data);
}

Test(options, values_out_of_range_are_named) {
    static const struct {
        const char *key;
        uint64_t value;
    } counts[] = {{"d_model", 0},
                  {"d_model", UINT64_MAX},
                  {"encoder.vocab_size", 0},
                  {"encoder.vocab_size", 1 << 25},
                  {"encoder.n_layers", 1025},
                  {"decoder.n_heads", 0},
                  {"decoder.n_heads", 1ull << 32},
                  {"decoder.head_dim", 0},
                  {"decoder.head_dim", 4097},
                  {"decoder.d_ff", 0},
                  {"encoder.gated", 2},
                  {"encoder.position_offset", 1 << 21},
                  {"encoder.max_positions", 0},
                  {"encoder.max_positions", (1 << 22) + 1},
                  {"encoder.embed_norm", 7},
                  {"encoder.norm_bias", 2},
                  {"decoder.rope_dim", 1},
                  {"decoder.rope_dim", 4098},
                  {"encoder.relative_buckets", 1},
                  {"encoder.relative_max_distance", 0},
                  {"encoder.token_types", 1 << 17},
                  {"head.classes", 0},
                  {"pooler", 2}};
    static const struct {
        const char *key;
        double value;
    } reals[] = {{"encoder.norm_eps", -1e-5},
                 {"encoder.norm_eps", 1.5},
                 {"decoder.attention_scale", -1},
                 {"decoder.attention_scale", (double)INFINITY},
                 {"decoder.embed_scale", 1e7},
                 {"decoder.residual_scale", 1e7},
                 {"decoder.attention_soft_cap", -1},
                 {"decoder.rope_factor", -1},
                 {"output.scale", 0},
                 {"output.soft_cap", -2}};
    static const char *const words[][2] = {{"kind", "decoder-encoder"},
                                           {"encoder.activation", "relu6"},
                                           {"encoder.activation", ""},
                                           {"encoder.norm", "batch"},
                                           {"encoder.norm_placement", "post "},
                                           {"decoder.position", "roped"},
                                           {"decoder.biases", "some"},
                                           {"decoder.sublayers", "aside"},
                                           {"decoder.qk_norm", "all"},
                                           {"decoder.rope_layout", "whole"},
                                           {"head", "lm"},
                                           {"pooling", "last"}};
    tiny_config c = tiny_config_default();
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        tfm_table_builder *builder = tiny_architecture(&c);
        tfm_table_set_u64(builder, counts[i].key, counts[i].value);
        refuse(builder, counts[i].key);
        builder = tiny_architecture(&c);
        tfm_table_set_string(builder, counts[i].key, "5"); /* the wrong type */
        refuse(builder, counts[i].key);
    }
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        tfm_table_builder *builder = tiny_architecture(&c);
        tfm_table_set_f64(builder, reals[i].key, reals[i].value);
        refuse(builder, reals[i].key);
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        tfm_table_builder *builder = tiny_architecture(&c);
        tfm_table_set_string(builder, words[i][0], words[i][1]);
        refuse(builder, words[i][0]);
    }
    tfm_table_builder *builder = tiny_architecture(&c);
    tfm_table_set_u64(builder, "decoder.n_kv_heads", 2); /* does not divide 3 */
    refuse(builder, "decoder");
}

/* What one option asks of others. */
Test(options, contradictions_are_named) {
    static const char *const words[][2] = {{"decoder.position", "rope"},
                                           {"decoder.position", "alibi"},
                                           {"decoder.position", "relative"},
                                           {"decoder.sublayers", "parallel"},
                                           {"head", "masked_lm"}};
    static const struct {
        const char *key, *named;
        tfm_value_type type;
        uint32_t n;
    } arrays[] = {{"decoder.windows", "decoder.windows", TFM_VALUE_U32S, 3},
                  {"decoder.windows", "decoder.windows", TFM_VALUE_F32S, 2},
                  {"encoder.windows", "encoder", TFM_VALUE_U32S, 2},
                  {"decoder.alibi_slopes", "decoder.alibi_slopes", TFM_VALUE_F32S, 4},
                  {"decoder.rope_frequencies", "decoder.rope_frequencies", TFM_VALUE_F32S, 6}};
    static const float numbers[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    tiny_config c = tiny_config_default();
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        tfm_table_builder *builder = tiny_architecture(&c);
        tfm_table_set_string(builder, words[i][0], words[i][1]);
        refuse(builder, i < 4 ? "decoder" : "head");
    }
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        tfm_table_builder *builder = tiny_architecture(&c);
        tfm_table_set_array(builder, arrays[i].key, arrays[i].type, numbers, arrays[i].n);
        refuse(builder, arrays[i].named);
    }
    c.decoder.position_word = "rope";
    c.decoder.rope_dim = 4;
    tfm_table_builder *builder = tiny_architecture(&c);
    const float bad[4] = {1, INFINITY, 0, 0};
    tfm_table_set_array(builder, "decoder.rope_frequencies", TFM_VALUE_F32S, bad, 4);
    refuse(builder, "decoder");
    c.decoder.rope_dim = 6; /* a head has 5 features */
    refuse(tiny_architecture(&c), "decoder");
    c.decoder.rope_dim = 3;
    refuse(tiny_architecture(&c), "decoder");
    c = tiny_config_default();
    builder = tiny_architecture(&c);
    tfm_table_set_u64(builder, "decoder.token_types", 2);
    refuse(builder, "decoder");
    builder = tiny_architecture(&c);
    tfm_table_set_string(builder, "decoder.norm_placement", "both");
    tfm_table_set_f64(builder, "decoder.residual_scale", 0.5);
    refuse(builder, "decoder");
}

Test(options, unknown_keys_are_named) {
    static const char *const keys[] = {"encoder.window", "decoder.attention_scale2", "rope", "d_model.x",
                                       "encoders.d_ff"};
    tiny_config c = tiny_config_default();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        tfm_table_builder *builder = tiny_architecture(&c);
        tfm_table_set_u64(builder, keys[i], 1);
        refuse(builder, keys[i]);
    }
    c.kind = "decoder";
    tfm_table_builder *builder = tiny_architecture(&c);
    tfm_table_set_u64(builder, "encoder.d_ff", 1); /* a stack that the kind does not have */
    refuse(builder, "encoder.d_ff");
}

/* ---- files that are no models ---- */

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "we");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

Test(open, files_that_cannot_be_opened_are_named) {
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

/* A model file without architecture, with a tensor more, one less, one of another shape. */
static void write_changed(const char *path, const tiny_model *tiny, const char *leave_out, const char *add) {
    tfm_writer *writer;
    REQUIRE_OK(tfm_writer_create(&writer, path, error));
    tfm_table_builder *table = tiny_architecture(&tiny->config);
    if (!leave_out || strcmp(leave_out, "architecture"))
        REQUIRE_OK(tfm_writer_section(writer, "architecture", table, error));
    tfm_table_builder_free(&table);
    for (size_t i = 0; i < tiny->n; i++) {
        const tiny_tensor *t = &tiny->tensors[i];
        bool position = strstr(t->name, "position");
        if (leave_out && !strcmp(leave_out, t->name)) continue;
        if (t->columns)
            REQUIRE_OK(tfm_writer_matrix(writer, t->name, TFM_F32, position ? TFM_LAYOUT_ROWS : TFM_LAYOUT_PANELS,
                                         t->values, t->rows, t->columns, error));
        else
            REQUIRE_OK(tfm_writer_vector(writer, t->name, t->values, t->rows, error));
    }
    static const float values[14];
    if (add) REQUIRE_OK(tfm_writer_vector(writer, add, values, 14, error));
    REQUIRE_OK(tfm_writer_commit(&writer, error));
}

Test(open, tensors_must_be_what_the_options_ask_for) {
    tiny_config c = tiny_config_default();
    tiny_model *tiny = tiny_model_make(&c);
    char path[256];
    fixture_path(path);
    tfm_model *model;
    write_changed(path, tiny, NULL, NULL);
    REQUIRE_OK(tfm_model_open(&model, path, NULL, error));
    tfm_model_close(&model);
    cr_assert_null(model);
    write_changed(path, tiny, "architecture", NULL);
    REQUIRE_ERROR(TFM_ERROR_FORMAT, tfm_model_open(&model, path, NULL, error), path, "architecture");
    for (size_t i = 0; i < tiny->n; i++) {
        const char *name = tiny->tensors[i].name;
        if (!strcmp(name, "output.bias")) continue; /* optional */
        write_changed(path, tiny, name, NULL);
        REQUIRE_ERROR(TFM_ERROR_FORMAT, tfm_model_open(&model, path, NULL, error), path, name, "missing");
        if (tiny->tensors[i].columns) continue;
        write_changed(path, tiny, name, name); /* 14 values instead of 15 */
        REQUIRE_ERROR(TFM_ERROR_FORMAT, tfm_model_open(&model, path, NULL, error), path, name, "14");
    }
    write_changed(path, tiny, NULL, "decoder.2.ffn.up.bias");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, tfm_model_open(&model, path, NULL, error), path, "decoder.2.ffn.up.bias");
    unlink(path);
    tiny_model_free(&tiny);
}

/* ---- instruction sets ---- */

Test(open, instruction_sets) {
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

Test(open, damage_is_found_at_once_or_before_use) {
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

Test(open, verification_reports_and_can_be_cancelled) {
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

/* ---- files that shrink ---- */

Test(open, shrinking_file_is_an_error_not_a_crash) {
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
Test(open, other_bus_errors_go_to_the_previous_handler) {
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

/* ---- facts ---- */

Test(open, info) {
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
    tfm_ids ids = {0};
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_tokenize(f.model, TFM_SOURCE, "x", 1, true, &ids, error), f.path, "tokenizer");
    cr_assert_null(tfm_token_piece(f.model, TFM_SOURCE, 0, &(size_t){0}));
    tfm_generate_params p = tfm_generate_params_default(f.model);
    cr_assert(p.max_length == 24 && p.num_beams == 1 && p.decoder_start_token_id == TINY_START);
    cr_assert(p.n_eos_token_ids == 1 && p.eos_token_ids[0] == TINY_END && p.length_penalty == 1);
    cr_assert(p.forced_bos_token_id == -1 && p.pad_token_id == -1 && p.repetition_penalty == 1);
    fixture_close(&f);
}

static void add_sampling(tfm_table_builder *table) {
    tfm_table_set_u64(table, "do_sample", 1);
    tfm_table_set_u64(table, "top_k", 40);
    tfm_table_set_f64(table, "temperature", 0.6);
    tfm_table_set_f64(table, "top_p", 0.9);
    tfm_table_set_f64(table, "min_p", 0.01);
    tfm_table_set_f64(table, "typical_p", 0.7);
}
static void add_sampling_word(tfm_table_builder *table) { tfm_table_set_u64(table, "do_sample", 2); }
static void add_hot(tfm_table_builder *table) { tfm_table_set_u64(table, "temperature", 1); }
static void add_many(tfm_table_builder *table) { tfm_table_set_u64(table, "top_k", 1ull << 32); }

Test(open, sampling_defaults) {
    fixture f;
    tiny_config c = tiny_config_default();
    fixture_open(&f, &c, NULL);
    tfm_generate_params p = tfm_generate_params_default(f.model);
    cr_assert(!p.do_sample && p.top_k == 0 && p.temperature == 1 && p.top_p == 1 && p.min_p == 0 && p.typical_p == 1);
    cr_assert(p.presence_penalty == 0 && p.frequency_penalty == 0 && p.n_logit_bias == 0 && p.n_top_log_probs == 0);
    fixture_close(&f);
    c.generation = add_sampling;
    fixture_open(&f, &c, NULL);
    p = tfm_generate_params_default(f.model);
    cr_assert(p.do_sample && p.top_k == 40 && p.temperature == 0.6);
    cr_assert(p.top_p == 0.9 && p.min_p == 0.01 && p.typical_p == 0.7);
    fixture_close(&f);
    static const struct {
        void (*add)(tfm_table_builder *table);
        const char *key;
    } wrong[] = {{add_sampling_word, "do_sample"}, {add_hot, "temperature"}, {add_many, "top_k"}};
    for (size_t i = 0; i < 3; i++) {
        c.generation = wrong[i].add;
        tiny_model *tiny = tiny_model_make(&c);
        char path[256];
        tfm_model *model;
        fixture_path(path);
        tiny_model_write(tiny, path);
        REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tfm_model_open(&model, path, NULL, error), wrong[i].key);
        unlink(path);
        tiny_model_free(&tiny);
    }
}

Test(open, version) {
    char expected[32];
    snprintf(expected, sizeof expected, "%d.%d.%d", TFM_VERSION_MAJOR, TFM_VERSION_MINOR, TFM_VERSION_PATCH);
    cr_assert_str_eq(tfm_version(), expected);
}
