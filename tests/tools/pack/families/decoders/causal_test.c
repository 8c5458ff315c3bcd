/* causal_test.c - decoder-only families that no golden checkpoint has, held to their formulas in double precision. */
#include <math.h>
#include <string.h>

#include "tests/support/data.h"
#include "tests/tools/pack/families/encoder_reference.h"
#include "tests/tools/pack/packed.h"
#include "tools/pack/common/name_format.h"

TestSuite(causal, .timeout = 120);

enum { D = 12, V = 41, F = 20, HEADS = 4, KV_HEADS = 2, WIDTH = 6, POSITIONS = 40, LAYERS = 3, WINDOW = 5, N = 17 };

/* What differs between the families. */
typedef struct family {
    const char *config, *embedding, *position, *final, *head; /* position NULL: rotations */
    const char *layer, *q, *k, *v, *out, *norm, *q_norm, *k_norm, *gate, *up, *down, *ffn_norm;
    bool rms, biases; /* biases: of out, up and down */
    size_t n_kv_heads, head_width;
    double scale, theta;
    size_t windows[LAYERS]; /* 0: none */
} family;

static const family gpt_neo = {
    .config = "{\"model_type\": \"gpt_neo\", \"hidden_size\": 12, \"vocab_size\": 41, \"intermediate_size\": 20,"
              " \"num_heads\": 4, \"num_layers\": 3, \"max_position_embeddings\": 40, \"window_size\": 5,"
              " \"attention_types\": [[[\"global\", \"local\"], 1], [[\"local\"], 1]]}",
    .embedding = "transformer.wte",
    .position = "transformer.wpe",
    .final = "transformer.ln_f",
    .head = "transformer.wte",
    .layer = "transformer.h",
    .q = "attn.attention.q_proj",
    .k = "attn.attention.k_proj",
    .v = "attn.attention.v_proj",
    .out = "attn.attention.out_proj",
    .norm = "ln_1",
    .up = "mlp.c_fc",
    .down = "mlp.c_proj",
    .ffn_norm = "ln_2",
    .biases = true,
    .n_kv_heads = HEADS,
    .head_width = D / HEADS,
    .scale = 1,
    .windows = {0, WINDOW, WINDOW},
};

static const family qwen3 = {
    .config = "{\"model_type\": \"qwen3\", \"hidden_size\": 12, \"vocab_size\": 41, \"intermediate_size\": 20,"
              " \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"head_dim\": 6, \"num_hidden_layers\": 3,"
              " \"max_position_embeddings\": 40, \"rms_norm_eps\": 1e-5, \"rope_theta\": 500,"
              " \"tie_word_embeddings\": false}",
    .embedding = "model.embed_tokens",
    .final = "model.norm",
    .head = "lm_head",
    .layer = "model.layers",
    .q = "self_attn.q_proj",
    .k = "self_attn.k_proj",
    .v = "self_attn.v_proj",
    .out = "self_attn.o_proj",
    .norm = "input_layernorm",
    .q_norm = "self_attn.q_norm",
    .k_norm = "self_attn.k_norm",
    .gate = "mlp.gate_proj",
    .up = "mlp.up_proj",
    .down = "mlp.down_proj",
    .ffn_norm = "post_attention_layernorm",
    .rms = true,
    .n_kv_heads = KV_HEADS,
    .head_width = WIDTH,
    .scale = 0.40824829046386302, /* 1 / sqrt(6) */
    .theta = 500,
};

/* ---- a checkpoint ---- */

static void add_part(model *m, const char *layer, const char *part, uint64_t rows, uint64_t columns, bool bias) {
    model_add_linear(m, tfm_name_format("%s.%s", layer, part).text, rows, columns, bias, TFM_ST_F32);
}

static model *make(const family *f) {
    model *m = model_new(0x1d872b41);
    model_add_linear(m, f->embedding, V, D, false, TFM_ST_F32);
    if (f->position) model_add_linear(m, f->position, POSITIONS, D, false, TFM_ST_F32);
    if (strcmp(f->head, f->embedding) != 0) model_add_linear(m, f->head, V, D, false, TFM_ST_F32);
    model_add_linear(m, f->final, D, 0, !f->rms, TFM_ST_F32);
    for (int i = 0; i < LAYERS; i++) {
        const tfm_name at = tfm_name_format("%s.%d", f->layer, i);
        const char *const layer = at.text;
        add_part(m, layer, f->norm, D, 0, !f->rms);
        add_part(m, layer, f->ffn_norm, D, 0, !f->rms);
        add_part(m, layer, f->q, HEADS * f->head_width, D, false);
        add_part(m, layer, f->k, f->n_kv_heads * f->head_width, D, false);
        add_part(m, layer, f->v, f->n_kv_heads * f->head_width, D, false);
        add_part(m, layer, f->out, D, HEADS * f->head_width, f->biases);
        if (f->q_norm) add_part(m, layer, f->q_norm, f->head_width, 0, false);
        if (f->k_norm) add_part(m, layer, f->k_norm, f->head_width, 0, false);
        if (f->gate) add_part(m, layer, f->gate, F, D, f->biases);
        add_part(m, layer, f->up, F, D, f->biases);
        add_part(m, layer, f->down, D, F, f->biases);
    }
    return m;
}

/* ---- the formulas ---- */

typedef struct computation {
    const family *f;
    model *m;
    size_t layer;
} computation;

static const float *values(const computation *c, const char *part, const char *kind) {
    return model_find(c->m, tfm_name_format("%s.%zu.%s.%s", c->f->layer, c->layer, part, kind).text)->values;
}

static void linear(const computation *c, const char *part, size_t n_out, size_t n_in, bool bias, const double *x,
                   double *y) {
    const float *w = values(c, part, "weight"), *b = bias ? values(c, part, "bias") : NULL;
    for (size_t i = 0; i < n_out; i++) {
        y[i] = b ? (double)b[i] : 0;
        for (size_t j = 0; j < n_in; j++) y[i] += (double)w[i * n_in + j] * x[j];
    }
}

static void rms(const float *w, size_t n, double *x) {
    double square = 0;
    for (size_t i = 0; i < n; i++) square += x[i] * x[i] / (double)n;
    for (size_t i = 0; i < n; i++) x[i] = x[i] / sqrt(square + 1e-5) * (double)w[i];
}

static void norm(const computation *c, const char *name, const double *x, double *y) {
    memcpy(y, x, D * sizeof *y);
    if (c->f->rms)
        rms(model_find(c->m, tfm_name_format("%s.weight", name).text)->values, D, y);
    else
        checkpoint_norm(c->m, name, 1e-5, y);
}

static void layer_norm(const computation *c, const char *part, const double *x, double *y) {
    norm(c, tfm_name_format("%s.%zu.%s", c->f->layer, c->layer, part).text, x, y);
}

/* Heads of queries or keys: their norm, then the rotation of features i and i + width / 2. */
static void rotate(const computation *c, const char *norm_name, size_t n_heads, size_t position, double *x) {
    size_t width = c->f->head_width, half = width / 2;
    for (size_t h = 0; h < n_heads; h++, x += width) {
        if (norm_name) rms(values(c, norm_name, "weight"), width, x);
        for (size_t i = 0; c->f->theta > 0 && i < half; i++) {
            double t = (double)position * pow(c->f->theta, -2.0 * (double)i / (double)width), a = x[i], b = x[i + half];
            x[i] = a * cos(t) - b * sin(t);
            x[i + half] = b * cos(t) + a * sin(t);
        }
    }
}

enum { WIDEST = HEADS * WIDTH };

static void attend(const computation *c, double (*q)[WIDEST], double (*k)[WIDEST], double (*v)[WIDEST], size_t t,
                   double *context) {
    size_t width = c->f->head_width, window = c->f->windows[c->layer];
    size_t first = window && t + 1 > window ? t + 1 - window : 0;
    for (size_t h = 0; h < HEADS; h++) {
        size_t at = h * width, kv = h / (HEADS / c->f->n_kv_heads) * width;
        double weights[N], sum = 0;
        for (size_t j = first; j <= t; j++) {
            double score = 0;
            for (size_t i = 0; i < width; i++) score += q[t][at + i] * k[j][kv + i];
            sum += weights[j] = exp(score * c->f->scale);
        }
        for (size_t i = 0; i < width; i++) {
            context[at + i] = 0;
            for (size_t j = first; j <= t; j++) context[at + i] += weights[j] / sum * v[j][kv + i];
        }
    }
}

static double activation(const family *f, double x) {
    if (f->gate) return x / (1 + exp(-x));                                    /* SiLU */
    return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); /* GELU, the tanh form */
}

static void layer(const computation *c, double (*x)[D]) {
    const family *f = c->f;
    static double q[N][WIDEST], k[N][WIDEST], v[N][WIDEST];
    double h[D], y[D], context[WIDEST], wide[F], gate[F];
    for (size_t t = 0; t < N; t++) {
        layer_norm(c, f->norm, x[t], h);
        linear(c, f->q, HEADS * f->head_width, D, false, h, q[t]);
        linear(c, f->k, f->n_kv_heads * f->head_width, D, false, h, k[t]);
        linear(c, f->v, f->n_kv_heads * f->head_width, D, false, h, v[t]);
        rotate(c, f->q_norm, HEADS, t, q[t]);
        rotate(c, f->k_norm, f->n_kv_heads, t, k[t]);
    }
    for (size_t t = 0; t < N; t++) {
        attend(c, q, k, v, t, context);
        linear(c, f->out, D, HEADS * f->head_width, f->biases, context, y);
        for (size_t i = 0; i < D; i++) x[t][i] += y[i];
        layer_norm(c, f->ffn_norm, x[t], h);
        linear(c, f->up, F, D, f->biases, h, wide);
        if (f->gate) linear(c, f->gate, F, D, f->biases, h, gate);
        for (size_t i = 0; i < F; i++) wide[i] = f->gate ? activation(f, gate[i]) * wide[i] : activation(f, wide[i]);
        linear(c, f->down, D, F, f->biases, wide, y);
        for (size_t i = 0; i < D; i++) x[t][i] += y[i];
    }
}

static const float *table(model *m, const char *name) {
    return model_find(m, tfm_name_format("%s.weight", name).text)->values;
}

static void compute(const family *f, model *m, const int32_t *ids, double (*logits)[V]) {
    static double x[N][D];
    computation c = {.f = f, .m = m};
    const float *embedding = table(m, f->embedding), *position = f->position ? table(m, f->position) : NULL;
    const float *head = table(m, f->head);
    for (size_t t = 0; t < N; t++)
        for (size_t i = 0; i < D; i++)
            x[t][i] = (double)embedding[(size_t)ids[t] * D + i] + (position ? (double)position[t * D + i] : 0);
    for (c.layer = 0; c.layer < LAYERS; c.layer++) layer(&c, x);
    for (size_t t = 0; t < N; t++) {
        double h[D];
        norm(&c, f->final, x[t], h);
        for (size_t i = 0; i < V; i++) {
            logits[t][i] = 0;
            for (size_t j = 0; j < D; j++) logits[t][i] += (double)head[i * D + j] * h[j];
        }
    }
}

/* ---- comparing ---- */

/* gcc 12 for aarch64 breaks down over fmax in such a loop. */
static double largest_difference(float (*got)[V], double (*expected)[V]) {
    double largest = 0;
    for (size_t t = 0; t < N; t++)
        for (size_t i = 0; i < V; i++) {
            double difference = fabs((double)got[t][i] - expected[t][i]);
            if (!(difference <= largest)) largest = difference;
        }
    return largest;
}

static void check(const family *f, model *m) {
    static double expected[N][V];
    static float got[N][V];
    int32_t ids[N], sequence;
    uint64_t state = 99;
    for (size_t i = 0; i < N; i++) ids[i] = (int32_t)(random_u32(&state) % V);
    compute(f, m, ids, expected);
    char *folder = packed_folder(f->config, m);
    tfm_model *run;
    tfm_session *session;
    REQUIRE_OK(packed_try(folder, TFM_F32, error));
    REQUIRE_OK(tfm_model_open(&run, in(folder, "m.bin"), NULL, error));
    REQUIRE_OK(tfm_session_create(&session, run, NULL, error));
    REQUIRE_OK(tfm_sequence_new(session, -1, &sequence, error));
    tfm_span span = {.sequence = sequence, .ids = ids, .n = N, .logits = got[0], .all_logits = true};
    REQUIRE_OK(tfm_decode(session, &span, 1, error));
    double largest = largest_difference(got, expected);
    cr_assert(largest < 2e-5, "largest difference %g", largest);

    tfm_session_free(&session);
    tfm_model_close(&run);
    scratch_remove(&folder);
}

/* Local and global layers alternate; buffers of masks that old checkpoints have are passed over. */
Test(causal, gpt_neo) {
    model *m = make(&gpt_neo);
    model_add(m, "transformer.h.0.attn.attention.masked_bias", 1, 0, TFM_ST_F32);
    check(&gpt_neo, m);
    model_free(&m);
}

/* Heads wider than the model's width over their number, a norm of each head's queries and keys before the rotation. */
Test(causal, qwen3) {
    model *m = make(&qwen3);
    check(&qwen3, m);
    model_free(&m);
}

/* A class of its own computes what only its own code knows. */
Test(causal, classes) {
    static const struct {
        const char *class, *told;
    } cases[] = {
        {"LlamaForCausalLM", ""},
        {"LlamaModel", ""},
        {"LlamaBiModel", "config.json: class 'LlamaBiModel' is not known, and is packed as an ordinary model of type "
                         "'llama'"},
        {"XForCausalLM", "config.json: class 'XForCausalLM' is not known, and is packed as an ordinary model of type "
                         "'llama'"},
    };
    char *folder = scratch_make();
    static const char *const files[] = {"config.json", "model.safetensors"};
    for (size_t i = 0; i < 2; i++) copy_file(golden_path("llama"), folder, files[i]);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        packed_configure(folder, tfm_name_format("{\"architectures\": [\"%s\"]}", cases[i].class).text);
        REQUIRE_OK(packed_try(folder, TFM_F32, error));
        cr_expect_str_eq(packed_notes, cases[i].told, "%s", packed_notes);
    }
    scratch_remove(&folder);
}

/* GPT-2 may divide the scores of layer i by i + 1: then its queries are, and nothing else. */
Test(causal, gpt2_scores_by_layer) {
    char *folder = scratch_make();
    static const char *const files[] = {"config.json", "model.safetensors"};
    for (size_t i = 0; i < 2; i++) copy_file(golden_path("gpt2"), folder, files[i]);
    tfm_file *plain = packed_open(folder);
    packed_configure(folder, "{\"scale_attn_by_inverse_layer_idx\": true}");
    tfm_file *scaled = packed_open(folder);
    size_t n_other = 0;
    cr_assert_eq(tfm_file_tensor_count(plain), tfm_file_tensor_count(scaled));
    for (size_t i = 0; i < tfm_file_tensor_count(plain); i++) {
        const tfm_tensor *a = tfm_file_tensor_at(plain, i), *b = tfm_file_tensor_at(scaled, i);
        cr_assert_str_eq(a->name, b->name);
        const bool is_qkv = strstr(a->name, "decoder.1.attention.qkv.") != NULL;
        n_other += !is_qkv && a->hash != b->hash;
        for (uint64_t row = 0; is_qkv && row < 192; row++) {
            const float right = packed_at(a, row, 0) / (row < 64 ? 2.0f : 1.0f), got = packed_at(b, row, 0);
            cr_assert(got == right, "%s: row %d: %g, not %g", a->name, (int)row, (double)got, (double)right);
        }
    }
    cr_expect_eq(n_other, 0);
    tfm_file_close(&plain);
    tfm_file_close(&scaled);
    scratch_remove(&folder);
}
