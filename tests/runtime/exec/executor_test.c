/* executor_test.c - the executor against the plain double-precision reference, over its options and over batches. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor_reference.h"
#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

static void *allocate(size_t n, size_t size) {
    void *memory = calloc(n ? n : 1, size);
    cr_assert(memory);
    return memory;
}

/* The largest difference; tolerance from the largest value. */
static void compare(const tiny_model *model, const char *what, const float *got, const double *expected, size_t count,
                    size_t n_positions) {
    double largest = 0, worst = 0;
    size_t where = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)got[i] - expected[i]);
        largest = fmax(largest, fabs(expected[i]));
        if (difference <= worst) continue;
        worst = difference;
        where = i;
    }
    double tolerance = reference_tolerance(model, n_positions, largest);
    cr_assert(worst <= tolerance, "%s: element %zu is %.9g, expected %.9g (tolerance %.3g, seed %llu)", what, where,
              (double)got[where], expected[where], tolerance, (unsigned long long)model->config.seed);
    cr_assert(largest > 0.01, "%s: nothing to compare", what);
}

/* One input of n_source tokens, one output of n_target tokens, through everything the kind has. */
static void check_sizes(fixture *f, size_t n_source, size_t n_target) {
    const tiny_config *c = &f->tiny->config;
    bool encodes = strstr(c->kind, "encoder"), decodes = strstr(c->kind, "decoder");
    int32_t *source_ids = allocate(n_source, sizeof *source_ids), *target_ids = allocate(n_target, sizeof *target_ids);
    double *expected = allocate(n_source * f->d, sizeof *expected);
    int32_t source = -1;
    if (encodes) {
        fixture_ids(source_ids, n_source, c->encoder.vocab_size, n_source);
        float *states = allocate(n_source * f->d, sizeof *states);
        tfm_tokens input = {source_ids, n_source};
        REQUIRE_OK(tfm_encode(f->session, &input, 1, &source, &states, error));
        reference_encode(f->tiny, source_ids, NULL, n_source, expected);
        compare(f->tiny, "encoder states", states, expected, n_source * f->d, n_source);
        free(states);
    }
    if (decodes) {
        fixture_ids(target_ids, n_target, f->vocab, n_target + 1000);
        float *states = allocate(n_target * f->d, sizeof *states),
              *logits = allocate(n_target * f->vocab, sizeof *logits);
        double *expected_states = allocate(n_target * f->d, sizeof *expected_states);
        double *expected_logits = allocate(n_target * f->vocab, sizeof *expected_logits);
        int32_t sequence = fixture_sequence(f, source);
        tfm_span span = {.sequence = sequence,
                         .ids = target_ids,
                         .n = n_target,
                         .logits = logits,
                         .states = states,
                         .all_logits = true};
        REQUIRE_OK(tfm_decode(f->session, &span, 1, error));
        reference_decode(f->tiny, target_ids, n_target, encodes ? expected : NULL, n_source, expected_states,
                         expected_logits);
        compare(f->tiny, "decoder states", states, expected_states, n_target * f->d, n_target + n_source);
        compare(f->tiny, "logits", logits, expected_logits, n_target * f->vocab, n_target + n_source);
        tfm_sequence_free(f->session, sequence);
        free(states);
        free(logits);
        free(expected_states);
        free(expected_logits);
    }
    tfm_source_free(f->session, source);
    free(expected);
    free(source_ids);
    free(target_ids);
}

static void check_config(const tiny_config *config) {
    fixture f;
    fixture_open(&f, config, NULL);
    check_sizes(&f, 1, 1);
    check_sizes(&f, 7, 17);
    check_sizes(&f, 33, 5);
    fixture_close(&f);
}

Test(forward, standard) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    for (size_t n = 1; n < 20; n++) check_sizes(&f, n, 20 - n);
    check_sizes(&f, 300, 300); /* over more than one attention block and more than one query tile */
    check_sizes(&f, 320, 2);
    check_sizes(&f, 2, 320);
    fixture_close(&f);
}

Test(forward, every_activation) {
    static const char *const names[] = {"relu", "gelu", "gelu_tanh", "silu"};
    for (size_t i = 0; i < 8; i++) {
        tiny_config c = tiny_config_default();
        c.encoder.activation = c.decoder.activation = names[i % 4];
        c.encoder.gated = c.decoder.gated = i >= 4;
        check_config(&c);
    }
}

Test(forward, norms) {
    for (unsigned bits = 0; bits < 16; bits++) {
        tiny_config c = tiny_config_default();
        c.encoder.pre_norm = c.decoder.pre_norm = bits & 1;
        c.encoder.rms = c.decoder.rms = bits & 2;
        c.encoder.final_norm = c.decoder.final_norm = bits & 4;
        c.encoder.embed_norm = c.decoder.embed_norm = bits & 8;
        check_config(&c);
    }
}

Test(forward, embeddings_and_projection) {
    for (unsigned bits = 0; bits < 32; bits++) {
        tiny_config c = tiny_config_default();
        c.encoder.own_embed = bits & 1;
        c.decoder.own_embed = bits & 2;
        c.output_weight = bits & 4;
        c.output_bias = bits & 8;
        c.embed_rows = bits & 16;
        if (c.encoder.own_embed) c.encoder.vocab_size = 53;
        check_config(&c);
    }
}

Test(forward, positions) {
    tiny_config c = tiny_config_default();
    c.encoder.position_offset = c.decoder.position_offset = 2;
    check_config(&c);
    c.decoder.own_position = true;
    c.decoder.position_offset = 0;
    c.decoder.max_positions = 40;
    check_config(&c);
    c.encoder.position_table = false;
    c.encoder.position_offset = 0;
    check_config(&c);
    c.decoder.position_table = false;
    check_config(&c);
}

Test(forward, heads) {
    static const uint32_t shapes[][3] = {{1, 1, 1},  {4, 2, 5},  {6, 1, 3}, {5, 5, 16},
                                         {3, 3, 17}, {2, 1, 40}, {8, 4, 8}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        tiny_config c = tiny_config_default();
        c.encoder.n_heads = c.decoder.n_heads = shapes[i][0];
        c.encoder.n_kv_heads = c.decoder.n_kv_heads = shapes[i][1];
        c.encoder.head_dim = c.decoder.head_dim = shapes[i][2];
        check_config(&c);
        c.decoder.n_heads = c.decoder.n_kv_heads = 3; /* other heads in the decoder */
        c.decoder.head_dim = 7;
        check_config(&c);
    }
}

Test(forward, no_biases) {
    tiny_config c = tiny_config_default();
    c.encoder.biases = c.decoder.biases = false;
    check_config(&c);
}

Test(forward, no_layers) {
    tiny_config c = tiny_config_default();
    c.encoder.n_layers = 0;
    check_config(&c);
    c.decoder.n_layers = 0;
    c.encoder.n_layers = 1;
    check_config(&c);
}

Test(forward, half_precision_weights) {
    for (int dtype = TFM_F16; dtype <= TFM_BF16; dtype++) {
        tiny_config c = tiny_config_default();
        c.dtype = (tfm_dtype)dtype;
        check_config(&c);
        c.embed_rows = c.output_weight = true;
        check_config(&c);
    }
}

Test(forward, decoder_only) {
    tiny_config c = tiny_config_default();
    c.kind = "decoder";
    check_config(&c);
    c.decoder.gated = c.decoder.rms = c.decoder.pre_norm = c.decoder.final_norm = true;
    c.decoder.activation = "silu";
    c.decoder.n_heads = 6;
    c.decoder.n_kv_heads = 2;
    c.output_weight = true;
    check_config(&c);
}

Test(forward, encoder_only) {
    tiny_config c = tiny_config_default();
    c.kind = "encoder";
    check_config(&c);
    c.encoder.embed_norm = true;
    c.encoder.activation = "gelu";
    c.encoder.position_offset = 2;
    check_config(&c);
}

/* ---- options of other families ---- */

Test(forward, rotations) {
    for (unsigned bits = 0; bits < 4; bits++) {
        for (uint32_t dim = 2; dim <= 10; dim += 4) {
            tiny_config c = tiny_config_decoder();
            c.decoder.position_word = "rope";
            c.decoder.rope_dim = dim;
            c.decoder.rope_interleaved = bits & 1;
            c.decoder.rope_factor = bits & 2 ? 1.3 : 0;
            check_config(&c);
        }
    }
    tiny_config c = tiny_config_decoder(); /* more than a vector of pairs */
    c.decoder.head_dim = 53;
    c.decoder.position_word = "rope";
    for (uint32_t dim = 32; dim <= 52; dim += 10) {
        c.decoder.rope_dim = dim;
        c.decoder.rope_interleaved = dim == 42;
        check_config(&c);
    }
    c = tiny_config_default(); /* encoders too */
    c.kind = "encoder";
    c.encoder.position_table = false;
    c.encoder.position_word = "rope";
    c.encoder.rope_dim = 4;
    check_config(&c);
}

Test(forward, biases_by_distance) {
    static const char *const kinds[] = {"encoder-decoder", "encoder", "decoder"};
    for (size_t i = 0; i < 6; i++) {
        tiny_config c = tiny_config_default();
        c.kind = kinds[i % 3];
        c.encoder.position_table = c.decoder.position_table = false;
        c.encoder.position_word = c.decoder.position_word = i < 3 ? "alibi" : "relative";
        c.encoder.relative_buckets = 8;
        c.decoder.relative_buckets = 7;
        c.encoder.relative_max_distance = c.decoder.relative_max_distance = 19;
        check_config(&c);
    }
    fixture f; /* over several tiles of queries */
    tiny_config c = tiny_config_default();
    c.encoder.position_word = c.decoder.position_word = "relative";
    c.encoder.position_table = c.decoder.position_table = false;
    c.encoder.relative_buckets = c.decoder.relative_buckets = 32;
    c.encoder.relative_max_distance = c.decoder.relative_max_distance = 100;
    fixture_open(&f, &c, NULL);
    check_sizes(&f, 150, 300);
    fixture_close(&f);
}

Test(forward, windows_and_caps) {
    for (uint32_t window = 1; window <= 20; window += 6) {
        tiny_config c = tiny_config_decoder();
        c.decoder.window = window;
        c.decoder.n_layers = 3;
        c.decoder.soft_cap = window == 7 ? 0.8 : 0;
        c.output_scale = 0.7;
        c.output_soft_cap = window == 13 ? 1.5 : 0;
        check_config(&c);
    }
    fixture f;
    tiny_config c = tiny_config_decoder();
    c.decoder.window = 40;
    fixture_open(&f, &c, NULL);
    check_sizes(&f, 1, 300);
    fixture_close(&f);
}

Test(forward, norms_of_queries_and_keys) {
    for (unsigned bits = 0; bits < 16; bits++) {
        tiny_config c = tiny_config_decoder();
        c.decoder.qk_norm = 1 + (bits & 1);
        c.decoder.rms = bits & 2;
        c.decoder.qk_norm_bias = bits & 4;
        if (bits & 8) c.decoder.position_word = "rope";
        c.decoder.rope_dim = bits & 8 ? 6 : 0;
        check_config(&c);
    }
}

Test(forward, parallel_sublayers_and_norms_on_both_sides) {
    for (unsigned bits = 0; bits < 12; bits++) {
        tiny_config c = tiny_config_decoder();
        c.decoder.sublayers = bits % 3;
        c.decoder.both_norms = bits % 3 == 0;
        c.decoder.pre_norm = !c.decoder.both_norms;
        c.decoder.no_norm_bias = bits & 4;
        c.decoder.gated = bits & 8;
        if (!c.decoder.both_norms) c.decoder.residual_scale = 0.4;
        check_config(&c);
    }
    tiny_config c = tiny_config_default();
    c.encoder.both_norms = c.decoder.both_norms = true;
    check_config(&c);
    c = tiny_config_default();
    c.encoder.residual_scale = c.decoder.residual_scale = 1.7;
    check_config(&c);
}

Test(forward, some_biases) {
    static const char *const words[] = {"all", "none", "qkv", "attention", "ffn", "out_ffn"};
    for (size_t i = 0; i < 6; i++) {
        tiny_config c = tiny_config_default();
        c.encoder.biases_word = c.decoder.biases_word = words[i];
        c.decoder.gated = i % 2;
        check_config(&c);
    }
}

/* Sizes and options at random, the seed in the message. */
Test(forward, random_options) {
    static const char *const kinds[] = {"encoder-decoder", "encoder-decoder", "encoder", "decoder"};
    static const char *const activations[] = {"relu", "gelu", "gelu_tanh", "silu"};
    for (uint64_t seed = 1; seed <= 40; seed++) {
        uint64_t r = seed * 7919;
        tiny_config c = tiny_config_default();
        c.seed = seed;
        c.kind = kinds[tiny_random(&r) % 4];
        c.d_model = 1 + (uint32_t)(tiny_random(&r) % 70);
        c.output_weight = tiny_random(&r) & 1;
        c.output_bias = tiny_random(&r) & 1;
        c.encoder.vocab_size = c.decoder.vocab_size = 2 + (uint32_t)(tiny_random(&r) % 90);
        tiny_stack *const stacks[2] = {&c.encoder, &c.decoder};
        for (int i = 0; i < 2; i++) {
            tiny_stack *s = stacks[i];
            s->n_kv_heads = 1 + (uint32_t)(tiny_random(&r) % 3);
            s->n_heads = s->n_kv_heads * (1 + (uint32_t)(tiny_random(&r) % 3));
            s->head_dim = 1 + (uint32_t)(tiny_random(&r) % 35);
            s->attention_scale = 1 / sqrt((double)s->head_dim);
            s->d_ff = 1 + (uint32_t)(tiny_random(&r) % 100);
            s->n_layers = 1 + (uint32_t)(tiny_random(&r) % 2);
            s->activation = activations[tiny_random(&r) % 4];
            s->gated = tiny_random(&r) & 1;
            s->pre_norm = tiny_random(&r) & 1;
            s->final_norm = s->pre_norm;
            s->biases = tiny_random(&r) & 1;
        }
        check_config(&c);
    }
}
