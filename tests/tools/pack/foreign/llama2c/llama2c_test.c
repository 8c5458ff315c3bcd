/* llama2c_test.c - checkpoints and tokenizers of llama2.c: in every version, and broken ones. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/grow.h"
#include "runtime/tfm.h"
#include "tests/support/program.h"
#include "tests/tools/pack/checkpoints.h"
#include "tests/tools/pack/packed.h"
#include "tools/pack/checkpoint/checkpoint.h"

TestSuite(llama2c, .timeout = 120);

/* ---- small ones ---- */

enum { DIM = 16, HIDDEN = 24, LAYERS = 2, HEADS = 4, KV_HEADS = 2, VOCABULARY = 12, POSITIONS = 32, GROUP = 8 };

typedef struct written {
    buffer b;
    unsigned version;
    uint64_t seed;
    float *values; /* all values of matrices and norms in the order of the file */
    size_t n, capacity;
} written;

static void put_values(written *c, size_t n, bool matrix) {
    const bool quantised = c->version == 2 && matrix;
    cr_assert(tfm_grow(&c->values, &c->capacity, c->n, n, sizeof *c->values));
    float *values = c->values + c->n;
    c->n += n;
    for (size_t i = 0; i < n; i++) {
        int8_t q = (int8_t)(random_u32(&c->seed) % 255) - 127;
        values[i] = (float)q / 64;
        if (quantised)
            put_byte(&c->b, (unsigned char)q);
        else
            put(&c->b, &values[i], sizeof values[i]);
    }
    for (size_t i = 0; quantised && i < n; i += GROUP) {
        float scale = 0x1p-7f * (float)(1 + i / GROUP % 5);
        put(&c->b, &scale, sizeof scale);
        for (size_t k = i; k < i + GROUP; k++) values[k] = values[k] * 64 * scale;
    }
}

static void put_sizes(buffer *b, bool negative) {
    const int sizes[] = {DIM, HIDDEN, LAYERS, HEADS, KV_HEADS, negative ? -VOCABULARY : VOCABULARY, POSITIONS};
    for (size_t i = 0; i < 7; i++) put_number(b, (uint64_t)(int64_t)sizes[i], 4);
}

static written make(unsigned version, bool tied) {
    written c = {.version = version, .seed = 88172645463325252u + version};
    const size_t kv = DIM / HEADS * KV_HEADS;
    const size_t matrices[] = {DIM * DIM, kv * DIM, kv * DIM, DIM * DIM, HIDDEN * DIM, DIM * HIDDEN, HIDDEN * DIM};
    if (version) {
        put_number(&c.b, 0x616b3432, 4);
        put_number(&c.b, version, 4);
        put_sizes(&c.b, false);
        put_byte(&c.b, tied);
        if (version == 2) put_number(&c.b, GROUP, 4);
        while (c.b.n < 256) put_byte(&c.b, 0);
        put_values(&c, (2 * LAYERS + 1) * DIM, false);
        put_values(&c, VOCABULARY * DIM, true);
        for (int kind = 0; kind < 7; kind++)
            for (int layer = 0; layer < LAYERS; layer++) put_values(&c, matrices[kind], true);
    } else {
        put_sizes(&c.b, !tied);
        put_values(&c, VOCABULARY * DIM, true);
        put_values(&c, LAYERS * DIM, false);
        for (int kind = 0; kind < 4; kind++) put_values(&c, LAYERS * matrices[kind], true);
        put_values(&c, LAYERS * DIM, false);
        for (int kind = 4; kind < 7; kind++) put_values(&c, LAYERS * matrices[kind], true);
        put_values(&c, DIM, false);
        put_values(&c, POSITIONS * (DIM / HEADS), false); /* sines */
        c.n -= POSITIONS * (DIM / HEADS);
    }
    if (!tied) put_values(&c, VOCABULARY * DIM, true);
    return c;
}

static void written_free(written *c) {
    buffer_free(&c->b);
    free(c->values);
}

/* Rows of a tensor of the packed model equal those of the file from `first` on; neighbours: exchanged within heads. */
static void check_rows(const tfm_file *file, const char *name, uint64_t row0, size_t rows, const float *values,
                       bool neighbours) {
    const tfm_tensor *t = tfm_file_tensor(file, name);
    cr_assert(t, "%s", name);
    const size_t width = t->rank == 2 ? t->shape[1] : 1, size = DIM / HEADS;
    for (size_t r = 0; r < rows; r++) {
        size_t from = neighbours ? r / size * size + 2 * (r % size % (size / 2)) + r % size / (size / 2) : r;
        for (size_t k = 0; k < width; k++)
            cr_assert(packed_at(t, row0 + r, k) == values[from * width + k], "%s %zu %zu", name, r, k);
    }
}

static void check_version(unsigned version, bool tied) {
    written c = make(version, tied);
    char *folder = scratch_make();
    write_file(in(folder, "x.bin"), c.b.data, c.b.n);
    tfm_file *file = packed_file(in(folder, "x.bin"), in(folder, "m.bin"));
    cr_assert_eq(packed_number(file, "decoder.n_kv_heads"), KV_HEADS);
    cr_assert_eq(packed_number(file, "decoder.max_positions"), POSITIONS);
    cr_assert_float_eq(packed_real(file, "decoder.norm_eps"), 1e-5, 0);
    cr_assert_eq(tfm_file_tensor(file, "output.weight") != NULL, !tied);
    const size_t kv = DIM / HEADS * KV_HEADS, vocabulary = VOCABULARY * DIM;
    const float *embed = c.values + (version ? (2 * LAYERS + 1) * DIM : 0);
    const float *q = embed + vocabulary + (version ? 0 : LAYERS * DIM), *k = q + LAYERS * DIM * DIM;
    const float *v = k + LAYERS * kv * DIM, *o = v + LAYERS * kv * DIM;
    const float *gate = o + LAYERS * DIM * DIM + (version ? 0 : LAYERS * DIM), *down = gate + LAYERS * HIDDEN * DIM;
    const float *norm = version ? c.values : embed + vocabulary;
    check_rows(file, "embed", 0, VOCABULARY, embed, false);
    check_rows(file, "decoder.1.attention.qkv.weight", 0, DIM, q + DIM * DIM, true);
    check_rows(file, "decoder.1.attention.qkv.weight", DIM, kv, k + kv * DIM, true);
    check_rows(file, "decoder.1.attention.qkv.weight", DIM + kv, kv, v + kv * DIM, false);
    check_rows(file, "decoder.0.attention.out.weight", 0, DIM, o, false);
    check_rows(file, "decoder.1.ffn.gate.weight", 0, HIDDEN, gate + HIDDEN * DIM, false);
    check_rows(file, "decoder.1.ffn.down.weight", 0, DIM, down + HIDDEN * DIM, false);
    check_rows(file, "decoder.0.ffn.up.weight", 0, HIDDEN, down + LAYERS * HIDDEN * DIM, false);
    check_rows(file, "decoder.1.attention.norm.weight", 0, DIM, norm + DIM, false);
    if (!tied) check_rows(file, "output.weight", 0, VOCABULARY, c.values + c.n - vocabulary, false);
    tfm_file_close(&file);
    scratch_remove(&folder);
    written_free(&c);
}

Test(llama2c, version_0) { check_version(0, true); }
Test(llama2c, version_1) { check_version(1, true); }
Test(llama2c, version_1_untied) { check_version(1, false); }
Test(llama2c, version_2_int8) { check_version(2, true); }
Test(llama2c, version_2_untied) { check_version(2, false); }

static void refuse(const written *c, size_t n, tfm_status status, const char *text) {
    char *folder = scratch_make();
    tfm_checkpoint *checkpoint;
    write_file(in(folder, "x.bin"), c->b.data, n);
    REQUIRE_ERROR(status, tfm_checkpoint_open(&checkpoint, in(folder, "x.bin"), error), text);
    cr_assert(!checkpoint);
    scratch_remove(&folder);
}

Test(llama2c, refusals) {
    for (unsigned version = 0; version < 3; version++) {
        written c = make(version, true);
        for (size_t n = version ? 8 : 28; n < c.b.n; n += n < 300 ? 1 : 97)
            refuse(&c, n, TFM_ERROR_FORMAT, "damaged or not complete");
        put_byte(&c.b, 0);
        refuse(&c, c.b.n, TFM_ERROR_FORMAT, "has not the length");
        written_free(&c);
    }
    written c = make(1, true);
    c.b.data[4] = 3;
    refuse(&c, c.b.n, TFM_ERROR_UNSUPPORTED, "version 3; versions 0, 1 and 2 are supported");
    c.b.data[4] = 1;
    c.b.data[8 + 12] = 3; /* heads */
    refuse(&c, c.b.n, TFM_ERROR_FORMAT, "sizes that make no model");
    written_free(&c);
    c = make(2, true);
    c.b.data[8 + 29] = 7; /* the group */
    refuse(&c, c.b.n, TFM_ERROR_FORMAT, "groups of 7 values do not divide");
    written_free(&c);
    c = make(0, true);
    memset(c.b.data + 8, 0xff, 4); /* layers: not a checkpoint of any kind then */
    refuse(&c, c.b.n, TFM_ERROR_UNSUPPORTED, "not a checkpoint folder");
    written_free(&c);
}

/* ---- tokenizers beside checkpoints ---- */

static buffer tokens(size_t n) {
    static const char *const words[] = {"<unk>", "\n<s>\n", "\n</s>\n", " ", "a", "b",
                                        " a",    "ab",      " ab",      "x", "y", "z"};
    buffer b = {0};
    put_number(&b, 6, 4);
    for (size_t i = 0; i < n; i++) {
        float score = -(float)i;
        put(&b, &score, sizeof score);
        put_number(&b, strlen(words[i]), 4);
        put_text(&b, words[i]);
    }
    return b;
}

static tfm_status pack_with(const char *folder, const char *name, const char *option, size_t n, bool *there,
                            tfm_error *error) {
    written c = make(1, true);
    buffer b = tokens(n);
    tfm_file *file;
    write_file(in(folder, "x.bin"), c.b.data, c.b.n);
    write_file(in(folder, name), b.data, b.n);
    tfm_pack_request request = {.source = in(folder, "x.bin"), .out = in(folder, "m.bin"), .tokenizer = option};
    tfm_status status = tfm_pack(&request, error);
    if (status == TFM_OK) status = tfm_file_open(&file, in(folder, "m.bin"), error);
    if (status == TFM_OK) {
        *there = tfm_file_table(file, "tokenizer") != NULL;
        tfm_file_close(&file);
    }
    unlink(in(folder, name));
    written_free(&c);
    buffer_free(&b);
    return status;
}

/* A prompt is tokenized as llama2.c does it: <s>, a space, byte pairs. */
Test(llama2c, prompt) {
    char *folder = scratch_make();
    const char *text = "ab b";
    const int32_t expected[] = {1, 8, 3, 5};
    bool there = false;
    tfm_model *packed;
    tfm_ids ids = {0};
    tfm_text back = {0};
    REQUIRE_OK(pack_with(folder, "tok12.bin", NULL, 12, &there, error));
    REQUIRE_OK(tfm_model_open(&packed, in(folder, "m.bin"), NULL, error));
    REQUIRE_OK(tfm_tokenize(packed, TFM_SOURCE, text, 4, true, &ids, error));
    cr_assert(ids.size == 4 && memcmp(ids.data, expected, sizeof expected) == 0);
    REQUIRE_OK(tfm_detokenize(packed, TFM_TARGET, ids.data, ids.size, true, &back, error));
    cr_assert(back.size == 4 && memcmp(back.data, text, back.size) == 0, "%.*s", (int)back.size, back.data);
    tfm_ids_free(&ids);
    tfm_text_free(&back);
    tfm_model_close(&packed);
    scratch_remove(&folder);
}

Test(llama2c, where_tokenizers_are_found) {
    char *folder = scratch_make();
    bool there = false;
    REQUIRE_OK(pack_with(folder, "tok12.bin", NULL, 12, &there, error));
    cr_assert(there);
    REQUIRE_OK(pack_with(folder, "tokenizer.bin", NULL, 12, &there, error));
    cr_assert(there);
    REQUIRE_OK(pack_with(folder, "tok_mine.bin", NULL, 12, &there, error));
    cr_assert(there);
    REQUIRE_OK(pack_with(folder, "mine.bin", NULL, 12, &there, error));
    cr_assert(!there);
    REQUIRE_OK(pack_with(folder, "mine.bin", in(folder, "mine.bin"), 12, &there, error));
    cr_assert(there);
    REQUIRE_ERROR(TFM_ERROR_FORMAT, pack_with(folder, "tokenizer.bin", NULL, 11, &there, error),
                  "no tokenizer file of llama2.c with 12 tokens");
    REQUIRE_ERROR(TFM_ERROR_IO, pack_with(folder, "mine.bin", in(folder, "nothing.bin"), 12, &there, error),
                  "nothing.bin");
    scratch_remove(&folder);
}
