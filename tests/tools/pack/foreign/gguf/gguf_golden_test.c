/*
 * gguf_golden_test.c - golden folders as llama.cpp's converters would write them: packing the GGUF file gives the very
 * options and tensors that packing the folder gives.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf_writer.h"
#include "tests/support/data.h"
#include "tests/tools/pack/packed.h"
#include "tools/pack/checkpoint/checkpoint.h"
#include "tools/pack/common/name_format.h"
#include "tools/pack/pack.h"

TestSuite(gguf_golden, .timeout = 120);

/* ---- what the converters do ---- */

typedef enum kind_of_change { KEEP, NEIGHBOURS_Q, NEIGHBOURS_K, APART, TRANSPOSE, ADD_ONE } kind_of_change;

typedef struct renaming {
    const char *theirs, *ours; /* Hugging Face, GGUF; in layers what comes after "layers.N." */
    kind_of_change change;
} renaming;

typedef struct family {
    const char *architecture, *layers; /* "model.layers." */
    renaming names[30];
} family;

#define LLAMA_PARTS                                                                                                    \
    {"model.embed_tokens", "token_embd", KEEP}, {"model.norm", "output_norm", KEEP}, {"lm_head", "output", KEEP},      \
        {"input_layernorm", "attn_norm", KEEP}, {"self_attn.v_proj", "attn_v", KEEP},                                  \
        {"self_attn.o_proj", "attn_output", KEEP}, {"post_attention_layernorm", "ffn_norm", KEEP},                     \
        {"self_attn.q_norm", "attn_q_norm", KEEP}, {"self_attn.k_norm", "attn_k_norm", KEEP},                          \
        {"mlp.gate_proj", "ffn_gate", KEEP}, {"mlp.up_proj", "ffn_up", KEEP}, {                                        \
        "mlp.down_proj", "ffn_down", KEEP                                                                              \
    }
#define INTERLEAVED                                                                                                    \
    {"self_attn.q_proj", "attn_q", NEIGHBOURS_Q}, { "self_attn.k_proj", "attn_k", NEIGHBOURS_K }
#define PLAIN                                                                                                          \
    {"self_attn.q_proj", "attn_q", KEEP}, { "self_attn.k_proj", "attn_k", KEEP }
#define GEMMA_PARTS                                                                                                    \
    {"model.embed_tokens", "token_embd", KEEP}, {"model.norm", "output_norm", ADD_ONE},                                \
        {"input_layernorm", "attn_norm", ADD_ONE}, {"self_attn.v_proj", "attn_v", KEEP},                               \
        {"self_attn.o_proj", "attn_output", KEEP}, {"mlp.gate_proj", "ffn_gate", KEEP},                                \
        {"mlp.up_proj", "ffn_up", KEEP}, {"mlp.down_proj", "ffn_down", KEEP}, PLAIN

static const family llama = {"llama", "model.layers.", {LLAMA_PARTS, INTERLEAVED}};
static const family granite = {"granite", "model.layers.", {LLAMA_PARTS, INTERLEAVED}};
static const family qwen3 = {"qwen3", "model.layers.", {LLAMA_PARTS, PLAIN}};
static const family qwen2 = {"qwen2", "model.layers.", {LLAMA_PARTS, PLAIN}};
static const family command_r = {"command-r", "model.layers.", {LLAMA_PARTS, PLAIN}};
static const family stablelm = {"stablelm", "model.layers.", {LLAMA_PARTS, PLAIN}};
static const family gemma = {
    "gemma", "model.layers.", {GEMMA_PARTS, {"post_attention_layernorm", "ffn_norm", ADD_ONE}}};
static const family gemma2 = {"gemma2",
                              "model.layers.",
                              {GEMMA_PARTS,
                               {"post_attention_layernorm", "post_attention_norm", ADD_ONE},
                               {"pre_feedforward_layernorm", "ffn_norm", ADD_ONE},
                               {"post_feedforward_layernorm", "post_ffw_norm", ADD_ONE}}};
static const family phi2 = {"phi2",
                            "model.layers.",
                            {{"model.embed_tokens", "token_embd", KEEP},
                             {"model.final_layernorm", "output_norm", KEEP},
                             {"lm_head", "output", KEEP},
                             {"input_layernorm", "attn_norm", KEEP},
                             PLAIN,
                             {"self_attn.v_proj", "attn_v", KEEP},
                             {"self_attn.dense", "attn_output", KEEP},
                             {"mlp.fc1", "ffn_up", KEEP},
                             {"mlp.fc2", "ffn_down", KEEP}}};
static const family phi3 = {
    "phi3",
    "model.layers.",
    {LLAMA_PARTS, {"self_attn.qkv_proj", "attn_qkv", KEEP}, {"mlp.gate_up_proj", "ffn_up", KEEP}}};
static const family gpt2 = {"gpt2",
                            "h.",
                            {{"wte", "token_embd", KEEP},
                             {"wpe", "position_embd", KEEP},
                             {"ln_f", "output_norm", KEEP},
                             {"ln_1", "attn_norm", KEEP},
                             {"ln_2", "ffn_norm", KEEP},
                             {"attn.c_attn", "attn_qkv", TRANSPOSE},
                             {"attn.c_proj", "attn_output", TRANSPOSE},
                             {"mlp.c_fc", "ffn_up", TRANSPOSE},
                             {"mlp.c_proj", "ffn_down", TRANSPOSE}}};
static const family gptneox = {"gptneox",
                               "gpt_neox.layers.",
                               {{"gpt_neox.embed_in", "token_embd", KEEP},
                                {"gpt_neox.final_layer_norm", "output_norm", KEEP},
                                {"embed_out", "output", KEEP},
                                {"input_layernorm", "attn_norm", KEEP},
                                {"post_attention_layernorm", "ffn_norm", KEEP},
                                {"attention.query_key_value", "attn_qkv", APART},
                                {"attention.dense", "attn_output", KEEP},
                                {"mlp.dense_h_to_4h", "ffn_up", KEEP},
                                {"mlp.dense_4h_to_h", "ffn_down", KEEP}}};
static const family bloom = {"bloom",
                             "h.",
                             {{"word_embeddings", "token_embd", KEEP},
                              {"word_embeddings_layernorm", "token_embd_norm", KEEP},
                              {"ln_f", "output_norm", KEEP},
                              {"input_layernorm", "attn_norm", KEEP},
                              {"post_attention_layernorm", "ffn_norm", KEEP},
                              {"self_attention.query_key_value", "attn_qkv", APART},
                              {"self_attention.dense", "attn_output", KEEP},
                              {"mlp.dense_h_to_4h", "ffn_up", KEEP},
                              {"mlp.dense_4h_to_h", "ffn_down", KEEP}}};
static const family bert = {"bert",
                            "encoder.layer.",
                            {{"embeddings.word_embeddings", "token_embd", KEEP},
                             {"embeddings.token_type_embeddings", "token_types", KEEP},
                             {"embeddings.position_embeddings", "position_embd", KEEP},
                             {"embeddings.LayerNorm", "token_embd_norm", KEEP},
                             {"attention.self.query", "attn_q", KEEP},
                             {"attention.self.key", "attn_k", KEEP},
                             {"attention.self.value", "attn_v", KEEP},
                             {"attention.output.dense", "attn_output", KEEP},
                             {"attention.output.LayerNorm", "attn_output_norm", KEEP},
                             {"intermediate.dense", "ffn_up", KEEP},
                             {"output.dense", "ffn_down", KEEP},
                             {"output.LayerNorm", "layer_output_norm", KEEP}}};

/* ---- one checkpoint ---- */

typedef struct conversion {
    const family *f;
    uint32_t type;         /* of matrices */
    bool again;            /* the embedding is written a second time as the projection */
    bool joined;           /* queries, keys and values are written as one, as older files have them */
    buffer parts[4][2][3]; /* of joined tensors: layers, weight or bias, query, key, value */
    buffer stack;          /* of stacked norms: those of the heads so far */
    json_t *config;        /* of the folder */
    uint64_t n_heads, n_kv_heads, head_dim, d_model;
    gguf_writer w;
    model *m; /* the folder's tensors with the values that survive the type */
} conversion;

static uint64_t number_of(const conversion *c, const char *const *keys, uint64_t fallback) {
    for (; *keys; keys++) {
        const json_t *value = json_object_get(c->config, *keys);
        if (json_is_integer(value)) return (uint64_t)json_integer_value(value);
    }
    return fallback;
}
#define NUMBER(fallback, ...) number_of(c, (const char *const[]){__VA_ARGS__, NULL}, fallback)

/* Which element of the folder's tensor element i of the file's is. */
static uint64_t from_of(const conversion *c, kind_of_change change, const tfm_checkpoint_tensor *t, uint64_t i) {
    const uint64_t width = t->rank == 2 ? t->shape[1] : 1, rows = t->shape[0];
    if (change == TRANSPOSE && t->rank == 2) return i % rows * width + i / rows;
    uint64_t row = i / width, column = i % width, size = c->head_dim;
    if (change == NEIGHBOURS_Q || change == NEIGHBOURS_K) {
        /* (heads, 2, size / 2) became (heads, size / 2, 2) */
        uint64_t head = row / size, pair = row % size / 2, side = row % 2;
        row = head * size + side * (size / 2) + pair;
    } else if (change == APART) {
        /* (heads, 3, size) became (3, heads, size) */
        uint64_t kind = row / (c->n_heads * size), head = row / size % c->n_heads;
        row = (head * 3 + kind) * size + row % size;
    }
    return row * width + column;
}

/* Bytes of the type, and what they mean. */
static void encode(uint32_t type, float *values, uint64_t n, buffer *bytes) {
    for (uint64_t i = 0; type != GGUF_Q8_0 && i < n; i++) {
        uint16_t half = type == GGUF_F16 ? tfm_f32_to_f16(values[i]) : tfm_f32_to_bf16(values[i]);
        if (type == GGUF_F32) {
            put(bytes, &values[i], sizeof values[i]);
        } else {
            put_number(bytes, half, 2);
            values[i] = type == GGUF_F16 ? tfm_f16_to_f32(half) : tfm_bf16_to_f32(half);
        }
    }
    for (uint64_t i = 0; type == GGUF_Q8_0 && i < n; i += 32) {
        float largest = 0;
        for (uint64_t k = i; k < i + 32; k++) largest = fmaxf(largest, fabsf(values[k]));
        uint16_t half = tfm_f32_to_f16(largest / 127);
        float scale = tfm_f16_to_f32(half);
        put_number(bytes, half, 2);
        for (uint64_t k = i; k < i + 32; k++) {
            long q = scale > 0 ? lroundf(values[k] / scale) : 0;
            q = q > 127 ? 127 : q < -127 ? -127 : q;
            put_byte(bytes, (unsigned char)q);
            values[k] = scale * (float)q;
        }
    }
}

/* Finds the tensor's place in the file; false: the converters leave it out. */
static bool rename_tensor(const conversion *c, const char *name, char *ours, size_t size, kind_of_change *change) {
    const char *bare = !strncmp(name, "transformer.", 12) ? name + 12 : !strncmp(name, "bert.", 5) ? name + 5 : name;
    const size_t n = strlen(c->f->layers);
    unsigned layer = 0;
    int used = 0;
    bool inside = !strncmp(bare, c->f->layers, n) && sscanf(bare + n, "%u.%n", &layer, &used) == 1;
    const char *stem = inside ? bare + n + used : bare, *kind = strrchr(stem, '.');
    for (const renaming *r = c->f->names; kind && r->theirs; r++) {
        if (strlen(r->theirs) != (size_t)(kind - stem) || strncmp(stem, r->theirs, (size_t)(kind - stem)) != 0)
            continue;
        if (inside)
            snprintf(ours, size, "blk.%u.%s%s", layer, r->ours, kind);
        else
            snprintf(ours, size, "%s%s", r->ours, kind);
        *change = r->change;
        return true;
    }
    return false;
}

/* "...layers.1.self_attn.q_layernorm.norms.3.weight": norms of a layer's heads are written as one tensor. */
static bool put_stacked(conversion *c, const char *name, const float *values, uint64_t n) {
    unsigned layer, head;
    char kind, full[100];
    if (sscanf(name, "model.layers.%u.self_attn.%c_layernorm.norms.%u.", &layer, &kind, &head) != 3) return false;
    put(&c->stack, values, n * sizeof *values);
    const uint64_t heads = kind == 'q' ? c->n_heads : c->n_kv_heads, shape[] = {heads, n};
    if (head + 1 < heads) return true;
    snprintf(full, sizeof full, "blk.%u.attn_%c_norm.weight", layer, kind);
    gguf_tensor(&c->w, full, GGUF_F32, 2, shape, c->stack.data, c->stack.n);
    buffer_free(&c->stack);
    return true;
}

static bool put_joined(conversion *c, const char *name, const uint64_t *shape, const float *values, uint64_t n) {
    static const char letters[] = "qkv";
    unsigned layer;
    char letter, kind[20], full[100];
    if (!c->joined || sscanf(name, "blk.%u.attn_%c.%19s", &layer, &letter, kind) != 3 || !strchr(letters, letter))
        return false;
    const bool bias = kind[0] == 'b';
    buffer *parts = c->parts[layer][bias], all = {0};
    put(&parts[strchr(letters, letter) - letters], values, n * sizeof *values);
    if (!parts[0].n || !parts[1].n || !parts[2].n) return true;
    for (int i = 0; i < 3; i++) put(&all, parts[i].data, parts[i].n);
    const uint64_t width = bias ? 1 : shape[1], joined[] = {all.n / sizeof(float) / width, width};
    snprintf(full, sizeof full, "blk.%u.attn_qkv.%s", layer, kind);
    gguf_tensor(&c->w, full, GGUF_F32, bias ? 1 : 2, joined, all.data, all.n);
    buffer_free(&all);
    for (int i = 0; i < 3; i++) buffer_free(&parts[i]);
    return true;
}

static void convert(conversion *c, tfm_checkpoint *checkpoint, const tfm_checkpoint_tensor *t) {
    char name[200] = "";
    kind_of_change change = KEEP;
    if (!strstr(t->name, "layernorm.norms.") && !rename_tensor(c, t->name, name, sizeof name, &change)) return;
    const bool matrix =
        t->rank == 2 && !strstr(name, "_norm.") && !strstr(name, "position_embd") && !strstr(name, "types");
    tensor *kept = model_add(c->m, t->name, t->shape[0], t->rank == 2 ? t->shape[1] : 0, TFM_ST_F32);
    REQUIRE_OK(tfm_checkpoint_read(checkpoint, t, 0, t->shape[0], kept->values, error));
    float *values = malloc(kept->count * sizeof *values);
    cr_assert(values);
    for (uint64_t i = 0; i < kept->count; i++)
        values[i] = kept->values[from_of(c, change, t, i)] + (change == ADD_ONE ? 1.0f : 0.0f);
    if (put_stacked(c, t->name, values, kept->count) || put_joined(c, name, kept->shape, values, kept->count)) {
        free(values);
        return;
    }
    buffer bytes = {0};
    encode(matrix ? c->type : GGUF_F32, values, kept->count, &bytes);
    for (uint64_t i = 0; matrix && i < kept->count; i++) kept->values[from_of(c, change, t, i)] = values[i];
    uint64_t shape[] = {t->shape[0], t->shape[1]};
    if (change == TRANSPOSE && t->rank == 2) shape[0] = t->shape[1], shape[1] = t->shape[0];
    gguf_tensor(&c->w, name, matrix ? c->type : GGUF_F32, t->rank, shape, bytes.data, bytes.n);
    if (c->again && !strcmp(name, "token_embd.weight"))
        gguf_tensor(&c->w, "output.weight", c->type, t->rank, shape, bytes.data, bytes.n);
    buffer_free(&bytes);
    free(values);
}

static const char *key_of(const conversion *c, const char *name) {
    static char key[4][100];
    static unsigned next;
    char *text = key[next++ % 4];
    snprintf(text, sizeof key[0], "%s.%s", c->f->architecture, name);
    return text;
}

static void put_real(conversion *c, const char *theirs, const char *ours) {
    const json_t *value = json_object_get(c->config, theirs);
    if (json_is_number(value)) gguf_f32(&c->w, key_of(c, ours), json_number_value(value));
}

static void put_rope(conversion *c) {
    const json_t *scaling = json_object_get(c->config, "rope_scaling");
    const json_t *part = json_object_get(c->config, "partial_rotary_factor");
    const char *type = json_string_value(json_object_get(scaling, "rope_type"));
    uint64_t dimensions =
        json_is_number(part) ? (uint64_t)((double)c->head_dim * json_number_value(part)) : c->head_dim;
    gguf_u32(&c->w, key_of(c, "rope.dimension_count"), dimensions);
    put_real(c, json_object_get(c->config, "rotary_emb_base") ? "rotary_emb_base" : "rope_theta", "rope.freq_base");
    if (!type) return;
    if (!strcmp(type, "longrope")) {
        float factors[64];
        const json_t *list = json_object_get(scaling, "short_factor");
        for (size_t i = 0; i < json_array_size(list); i++)
            factors[i] = (float)json_number_value(json_array_get(list, i));
        gguf_tensor(&c->w, "rope_factors_short.weight", GGUF_F32, 1, (const uint64_t[]){json_array_size(list)}, factors,
                    json_array_size(list) * sizeof *factors);
        gguf_tensor(&c->w, "rope_factors_long.weight", GGUF_F32, 1, (const uint64_t[]){json_array_size(list)}, factors,
                    json_array_size(list) * sizeof *factors);
        gguf_u32(&c->w, key_of(c, "rope.scaling.original_context_length"),
                 NUMBER(0, "original_max_position_embeddings"));
        gguf_f32(&c->w, key_of(c, "rope.scaling.attn_factor"),
                 json_number_value(json_object_get(scaling, "attention_factor")));
        return;
    }
    const double factor = json_number_value(json_object_get(scaling, "factor"));
    if (strcmp(type, "llama3") != 0) {
        gguf_string(&c->w, key_of(c, "rope.scaling.type"), type);
        gguf_f32(&c->w, key_of(c, "rope.scaling.factor"), factor);
        return;
    }
    const double low = json_number_value(json_object_get(scaling, "low_freq_factor")),
                 high = json_number_value(json_object_get(scaling, "high_freq_factor")),
                 old = json_number_value(json_object_get(scaling, "original_max_position_embeddings")),
                 base = json_number_value(json_object_get(c->config, "rope_theta"));
    float factors[64];
    for (uint64_t i = 0; i < dimensions / 2; i++) {
        const double length = 2 * M_PI * pow(base, 2 * (double)i / (double)dimensions);
        const double smooth = (old / length - low) / (high - low);
        factors[i] = length < old / high  ? 1.0f
                     : length > old / low ? (float)factor
                                          : (float)(1 / ((1 - smooth) / factor + smooth));
    }
    const uint64_t shape[] = {dimensions / 2};
    gguf_tensor(&c->w, "rope_freqs.weight", GGUF_F32, 1, shape, factors, dimensions / 2 * sizeof *factors);
}

static void put_config(conversion *c) {
    c->d_model = NUMBER(0, "hidden_size", "n_embd");
    c->n_heads = NUMBER(0, "num_attention_heads", "n_head");
    c->n_kv_heads = NUMBER(c->n_heads, "num_key_value_heads");
    c->head_dim = NUMBER(c->d_model / c->n_heads, "head_dim");
    gguf_string(&c->w, "general.architecture", c->f->architecture);
    gguf_u32(&c->w, key_of(c, "context_length"), NUMBER(2048, "max_position_embeddings", "n_positions", "seq_length"));
    gguf_u32(&c->w, key_of(c, "embedding_length"), c->d_model);
    gguf_u32(&c->w, key_of(c, "block_count"), NUMBER(0, "num_hidden_layers", "n_layer"));
    gguf_u32(&c->w, key_of(c, "feed_forward_length"), NUMBER(4 * c->d_model, "intermediate_size", "n_inner"));
    gguf_u32(&c->w, key_of(c, "attention.head_count"), c->n_heads);
    if (c->n_kv_heads != c->n_heads) gguf_u32(&c->w, key_of(c, "attention.head_count_kv"), c->n_kv_heads);
    if (json_object_get(c->config, "head_dim")) gguf_u32(&c->w, key_of(c, "attention.key_length"), c->head_dim);
    put_real(c, "rms_norm_eps", "attention.layer_norm_rms_epsilon");
    put_real(c, "layer_norm_eps", "attention.layer_norm_epsilon");
    put_real(c, "layer_norm_epsilon", "attention.layer_norm_epsilon");
    put_real(c, "attn_logit_softcapping", "attn_logit_softcapping");
    put_real(c, "final_logit_softcapping", "final_logit_softcapping");
    put_real(c, "embedding_multiplier", "embedding_scale");
    put_real(c, "residual_multiplier", "residual_scale");
    put_real(c, "attention_multiplier", "attention.scale");
    put_real(c, "logits_scaling", "logit_scale");
    put_real(c, "logit_scale", "logit_scale");
    if (NUMBER(0, "sliding_window"))
        gguf_u32(&c->w, key_of(c, "attention.sliding_window"), NUMBER(0, "sliding_window"));
    const json_t *parallel = json_object_get(c->config, "use_parallel_residual");
    if (parallel) gguf_bool(&c->w, key_of(c, "use_parallel_residual"), json_is_true(parallel));
    if (json_object_get(c->config, "rope_theta")) put_rope(c);
}

/* Frequencies; the second half, which adds what floats lack, need not be the same. */
static void compare_frequencies(const tfm_file *a, const tfm_file *b, const char *key) {
    const tfm_value *v = tfm_table_find(tfm_file_table(a, "architecture"), key);
    const tfm_value *w = tfm_table_find(tfm_file_table(b, "architecture"), key);
    cr_assert(v && w && v->type == w->type && v->n == w->n, "%s", key);
    for (uint64_t k = 0; k < v->n / 2; k++)
        cr_assert_float_eq(((const float *)v->data)[k], ((const float *)w->data)[k], 1e-6, "%s", key);
}

/* Both files have the same tensors, bit for bit, and the same options; frequencies: a key, or NULL. */
static void compare(const char *a, const char *b, const char *frequencies) {
    tfm_file *x, *y;
    REQUIRE_OK(tfm_file_open(&x, a, error));
    REQUIRE_OK(tfm_file_open(&y, b, error));
    packed_compare_tensors(x, y);
    packed_compare_section(x, y, "architecture", frequencies);
    if (frequencies) compare_frequencies(x, y, frequencies);
    tfm_file_close(&x);
    tfm_file_close(&y);
}

static void check_folder(const char *original, const char *name, conversion c, const char *change_config) {
    char *folder = scratch_make();
    tfm_checkpoint *checkpoint;
    c.w = gguf_begin();
    c.m = model_new(1);
    REQUIRE_OK(tfm_checkpoint_open(&checkpoint, original, error));
    c.config = json_deep_copy(tfm_checkpoint_config(checkpoint));
    json_t *changes = json_loads(change_config ? change_config : "{}", 0, NULL);
    json_object_update(c.config, changes);
    put_config(&c);
    for (size_t i = 0; i < tfm_checkpoint_count(checkpoint); i++)
        convert(&c, checkpoint, tfm_checkpoint_at(checkpoint, i));
    cr_assert(c.m->n > 10, "%zu tensors", c.m->n);
    gguf_save(&c.w, in(folder, "model.gguf"));
    char *config = json_dumps(c.config, 0);
    write_text_in(folder, "config.json", config);
    write_safetensors(in(folder, "model.safetensors"), c.m);
    tfm_pack_request direct = {.source = folder, .out = in(folder, "a.bin")};
    tfm_pack_request gguf = {.source = in(folder, "model.gguf"), .out = in(folder, "b.bin")};
    REQUIRE_OK(tfm_pack(&direct, error));
    REQUIRE_OK(tfm_pack(&gguf, error));
    compare(in(folder, "a.bin"), in(folder, "b.bin"), strcmp(name, "llama3") == 0 ? "decoder.rope_frequencies" : NULL);
    tfm_checkpoint_close(&checkpoint);
    json_decref(c.config);
    json_decref(changes);
    model_free(&c.m);
    free(config);
    scratch_remove(&folder);
}

static void check(const char *name, const family *f, uint32_t type, bool again, const char *change_config) {
    check_folder(golden_path(name), name, (conversion){.f = f, .type = type, .again = again}, change_config);
}

/*
 * A relative of a golden folder: its tensors, and norms of queries and keys of 16 features in each of two layers: one
 * for each head, or one for all if heads is 0.
 */
static char *derive(const char *name, uint32_t heads, uint32_t kv_heads) {
    const char *original = golden_path(name);
    char *folder = scratch_make(), text[200];
    tfm_checkpoint *checkpoint;
    model *m = model_new(4711);
    REQUIRE_OK(tfm_checkpoint_open(&checkpoint, original, error));
    for (size_t i = 0; i < tfm_checkpoint_count(checkpoint); i++) {
        const tfm_checkpoint_tensor *t = tfm_checkpoint_at(checkpoint, i);
        tensor *copy = model_add(m, t->name, t->shape[0], t->rank == 2 ? t->shape[1] : 0, TFM_ST_F32);
        REQUIRE_OK(tfm_checkpoint_read(checkpoint, t, 0, t->shape[0], copy->values, error));
    }
    for (unsigned layer = 0; layer < 2; layer++)
        for (int k = 0; k < 2; k++)
            for (uint32_t head = 0; head < (heads == 0 ? 1 : k ? kv_heads : heads); head++) {
                if (heads)
                    snprintf(text, sizeof text, "model.layers.%u.self_attn.%c_layernorm.norms.%u.weight", layer,
                             k ? 'k' : 'q', head);
                else
                    snprintf(text, sizeof text, "model.layers.%u.self_attn.%c_norm.weight", layer, k ? 'k' : 'q');
                model_add(m, text, 16, 0, TFM_ST_F32);
            }
    char *config = json_dumps(tfm_checkpoint_config(checkpoint), 0);
    write_text_in(folder, "config.json", config);
    write_safetensors(in(folder, "model.safetensors"), m);
    tfm_checkpoint_close(&checkpoint);
    model_free(&m);
    free(config);
    return folder;
}

Test(gguf_golden, llama_f32) { check("llama", &llama, GGUF_F32, false, NULL); }
Test(gguf_golden, llama_f16) { check("llama", &llama, GGUF_F16, false, NULL); }
Test(gguf_golden, llama_bf16) { check("llama-bf16", &llama, GGUF_BF16, false, NULL); }
Test(gguf_golden, llama_q8_0) { check("llama", &llama, GGUF_Q8_0, false, NULL); }
Test(gguf_golden, llama_linear_f32) { check("llama-linear", &llama, GGUF_F32, false, NULL); }
Test(gguf_golden, llama_yarn_f32) { check("llama-yarn", &llama, GGUF_F32, false, NULL); }
Test(gguf_golden, llama3_f32) { check("llama3", &llama, GGUF_F32, false, NULL); }
Test(gguf_golden, mistral_f32) { check("mistral", &llama, GGUF_F32, false, NULL); }
Test(gguf_golden, qwen2_f32) { check("qwen2", &qwen2, GGUF_F32, false, NULL); }
Test(gguf_golden, qwen2_q8_0) { check("qwen2", &qwen2, GGUF_Q8_0, false, NULL); }
Test(gguf_golden, qwen2_sharded_f16) { check("qwen2-sharded", &qwen2, GGUF_F16, false, NULL); }
Test(gguf_golden, gemma_f32) { check("gemma", &gemma, GGUF_F32, false, NULL); }
Test(gguf_golden, gemma2_f32) { check("gemma2", &gemma2, GGUF_F32, false, "{\"query_pre_attn_scalar\": 20}"); }
Test(gguf_golden, phi2_f32) { check("phi", &phi2, GGUF_F32, false, NULL); }
Test(gguf_golden, phi3_f32) { check("phi3", &phi3, GGUF_F32, false, NULL); }
Test(gguf_golden, phi3_q8_0) { check("phi3", &phi3, GGUF_Q8_0, false, NULL); }
Test(gguf_golden, gpt2_f32) { check("gpt2", &gpt2, GGUF_F32, false, NULL); }
Test(gguf_golden, gpt2_embedding_twice) { check("gpt2", &gpt2, GGUF_F32, true, NULL); }
Test(gguf_golden, gpt2_q8_0) { check("gpt2", &gpt2, GGUF_Q8_0, false, NULL); }
Test(gguf_golden, gpt2_f16) { check("gpt2-fp16", &gpt2, GGUF_F16, false, NULL); }
Test(gguf_golden, gptneox_f32) { check("gptneox", &gptneox, GGUF_F32, false, NULL); }
Test(gguf_golden, gptneox_q8_0) { check("gptneox", &gptneox, GGUF_Q8_0, false, NULL); }
Test(gguf_golden, bloom_f32) { check("bloom", &bloom, GGUF_F32, false, NULL); }
Test(gguf_golden, stablelm_f32) { check("stablelm", &stablelm, GGUF_F32, false, NULL); }
Test(gguf_golden, command_r_f32) { check("cohere", &command_r, GGUF_F32, false, NULL); }
Test(gguf_golden, granite_f32) { check("granite", &granite, GGUF_F32, false, NULL); }
Test(gguf_golden, bert_f32) { check("bert", &bert, GGUF_F32, false, NULL); }
Test(gguf_golden, bert_f16) { check("bert", &bert, GGUF_F16, false, NULL); }

Test(gguf_golden, qwen3_f32) {
    char *folder = derive("llama", 0, 0);
    check_folder(folder, "qwen3", (conversion){.f = &qwen3}, "{\"model_type\": \"qwen3\"}");
    scratch_remove(&folder);
}

Test(gguf_golden, stablelm_norms_of_heads) {
    char *folder = derive("stablelm", 4, 2);
    check_folder(folder, "stablelm", (conversion){.f = &stablelm}, "{\"qk_layernorm\": true}");
    scratch_remove(&folder);
}

Test(gguf_golden, phi2_joined) {
    check_folder(golden_path("phi"), "phi", (conversion){.f = &phi2, .joined = true}, NULL);
}

Test(gguf_golden, phi3_longrope) {
    check("phi3", &phi3, GGUF_F32, false,
          "{\"original_max_position_embeddings\": 64, \"rope_scaling\": {\"rope_type\": \"longrope\", "
          "\"attention_factor\": "
          "1.25, \"short_factor\": [1, 1.125, 1.25, 1.5, 2, 3, 4, 8], \"long_factor\": [1, 2, 3, 4, 5, 6, 7, 8]}}");
}
