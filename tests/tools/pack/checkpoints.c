/* checkpoints.c - models of random weights and folders that hold them. */
#include "checkpoints.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- folders and files ---------------------------------------------------------------------------------------- */

char *scratch_make(void) {
    const char *base = getenv("TMPDIR");
    char *path;
    cr_assert(asprintf(&path, "%s/tfm-pack-XXXXXX", base && *base ? base : "/tmp") > 0);
    cr_assert(mkdtemp(path), "cannot make %s", path);
    return path;
}

const char *in(const char *folder, const char *name) {
    static char paths[64][600];
    static unsigned next;
    char *path = paths[next++ % 64];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

size_t count_files(const char *folder) {
    size_t n = 0;
    DIR *d = opendir(folder);
    cr_assert(d);
    for (struct dirent *e; (e = readdir(d));) n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

void scratch_remove(char **folder) {
    DIR *d = opendir(*folder);
    for (struct dirent *e; d && (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) unlink(in(*folder, e->d_name));
    if (d) closedir(d);
    rmdir(*folder);
    free(*folder);
    *folder = NULL;
}

void write_file(const char *path, const void *data, size_t n) {
    unlink(path); /* some file systems flush a file that is cut to nothing and written again */
    FILE *f = fopen(path, "wb");
    cr_assert(f, "cannot write %s", path);
    cr_assert(n == 0 || fwrite(data, 1, n, f) == n);
    cr_assert(fclose(f) == 0);
}

char *read_file(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    cr_assert(f, "cannot read %s", path);
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    char *data = malloc(*n + 1);
    cr_assert(data && fread(data, 1, *n, f) == *n);
    data[*n] = '\0';
    fclose(f);
    return data;
}

uint32_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32);
}

void put(buffer *b, const void *data, size_t n) {
    if (b->n + n > b->capacity) {
        b->capacity = 2 * (b->n + n) + 256;
        b->data = realloc(b->data, b->capacity);
        cr_assert(b->data);
    }
    if (n > 0) memcpy(b->data + b->n, data, n);
    b->n += n;
}

void put_text(buffer *b, const char *text) { put(b, text, strlen(text)); }
void put_byte(buffer *b, unsigned char byte) { put(b, &byte, 1); }

void put_number(buffer *b, uint64_t number, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) put_byte(b, (unsigned char)(number >> 8 * i));
}

void buffer_free(buffer *b) {
    free(b->data);
    *b = (buffer){0};
}

/* ---- models --------------------------------------------------------------------------------------------------- */

tensor *model_add(model *m, const char *name, uint64_t rows, uint64_t columns, tfm_st_dtype dtype) {
    cr_assert(m->n < sizeof m->list / sizeof *m->list);
    tensor *t = &m->list[m->n];
    *t = (tensor){.dtype = dtype, .rank = columns ? 2 : 1, .shape = {rows, columns ? columns : 1, 1, 1}};
    snprintf(t->name, sizeof t->name, "%s", name);
    t->count = rows * t->shape[1];
    t->storage = m->n++;
    t->values = malloc((t->count + 1) * sizeof *t->values);
    cr_assert(t->values);
    for (uint64_t i = 0; i < t->count; i++) t->values[i] = (float)(int32_t)random_next(&m->seed) * 0x1p-31f;
    return t;
}

tensor *model_find(model *m, const char *name) {
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->list[i].name, name) == 0) return &m->list[i];
    cr_assert_fail("no tensor %s", name);
    return NULL;
}

void model_tie(model *m, const char *name, const char *to) {
    cr_assert(m->n < sizeof m->list / sizeof *m->list);
    tensor *t = &m->list[m->n++];
    *t = *model_find(m, to);
    snprintf(t->name, sizeof t->name, "%s", name);
}

/* Only for tensors that nothing is tied to. */
void model_drop(model *m, const char *name) {
    tensor *t = model_find(m, name);
    size_t i = (size_t)(t - m->list);
    if (t->storage == i) free(t->values);
    memmove(t, t + 1, (m->n - i - 1) * sizeof *t);
    m->n--;
    for (size_t k = 0; k < m->n; k++) m->list[k].storage -= m->list[k].storage > i;
}

void model_cut(model *m, size_t n) {
    while (m->n > n) model_drop(m, m->list[m->n - 1].name);
}

void model_free(model **handle) {
    model *m = *handle;
    for (size_t i = 0; i < m->n; i++)
        if (m->list[i].storage == i) free(m->list[i].values);
    free(m);
    *handle = NULL;
}

marian marian_default(void) {
    return (marian){.d = 12,
                    .vocab = 37,
                    .decoder_vocab = 37,
                    .positions = 20,
                    .encoder_layers = 2,
                    .decoder_layers = 1,
                    .encoder_heads = 3,
                    .decoder_heads = 2,
                    .encoder_ffn = 20,
                    .decoder_ffn = 17,
                    .shared = true,
                    .tied = true,
                    .bare = false,
                    .activation = "swish",
                    .dtype = TFM_ST_F32};
}

static void add_linear(model *m, const char *name, uint64_t n, uint64_t k, tfm_st_dtype dtype) {
    char text[200];
    snprintf(text, sizeof text, "%s.weight", name);
    model_add(m, text, n, k, dtype);
    snprintf(text, sizeof text, "%s.bias", name);
    model_add(m, text, n, 0, dtype);
}

static void add_layers(model *m, const marian *from, const char *stack, uint64_t n, uint64_t ffn, bool cross) {
    static const char *const attention[] = {"self_attn", "encoder_attn"}, *const parts[] = {"k", "v", "q", "out"};
    char text[160];
    for (uint64_t i = 0; i < n; i++) {
        const char *prefix = from->bare ? "" : "model.";
        for (int a = 0; a < (cross ? 2 : 1); a++) {
            for (int p = 0; p < 4; p++) {
                snprintf(text, sizeof text, "%s%s.layers.%d.%s.%s_proj", prefix, stack, (int)i, attention[a], parts[p]);
                add_linear(m, text, from->d, from->d, from->dtype);
            }
            snprintf(text, sizeof text, "%s%s.layers.%d.%s_layer_norm", prefix, stack, (int)i, attention[a]);
            add_linear(m, text, from->d, 0, from->dtype);
        }
        snprintf(text, sizeof text, "%s%s.layers.%d.fc1", prefix, stack, (int)i);
        add_linear(m, text, ffn, from->d, from->dtype);
        snprintf(text, sizeof text, "%s%s.layers.%d.fc2", prefix, stack, (int)i);
        add_linear(m, text, from->d, ffn, from->dtype);
        snprintf(text, sizeof text, "%s%s.layers.%d.final_layer_norm", prefix, stack, (int)i);
        add_linear(m, text, from->d, 0, from->dtype);
    }
}

model *model_marian(const marian *from) {
    model *m = calloc(1, sizeof *m);
    cr_assert(m);
    m->seed = 0x9e3779b97f4a7c15u;
    const char *prefix = from->bare ? "" : "model.";
    char text[100];
    if (!from->bare) {
        tensor *bias = model_add(m, "final_logits_bias", 1, from->decoder_vocab, from->dtype);
        cr_assert_eq(bias->rank, 2);
    }
    if (from->shared) {
        snprintf(text, sizeof text, "%sshared.weight", prefix);
        model_add(m, text, from->vocab, from->d, from->dtype);
    } else {
        snprintf(text, sizeof text, "%sencoder.embed_tokens.weight", prefix);
        model_add(m, text, from->vocab, from->d, from->dtype);
        snprintf(text, sizeof text, "%sdecoder.embed_tokens.weight", prefix);
        model_add(m, text, from->decoder_vocab, from->d, from->dtype);
    }
    if (!from->tied) model_add(m, "lm_head.weight", from->decoder_vocab, from->d, from->dtype);
    add_layers(m, from, "encoder", from->encoder_layers, from->encoder_ffn, false);
    add_layers(m, from, "decoder", from->decoder_layers, from->decoder_ffn, true);
    return m;
}

void write_config(const char *folder, const marian *m, const char *extra) {
    char *text;
    int n = asprintf(&text,
                     "{\"model_type\": \"marian\", \"d_model\": %d, \"vocab_size\": %d, \"decoder_vocab_size\": %d,"
                     " \"max_position_embeddings\": %d, \"encoder_layers\": %d, \"decoder_layers\": %d,"
                     " \"encoder_attention_heads\": %d, \"decoder_attention_heads\": %d, \"encoder_ffn_dim\": %d,"
                     " \"decoder_ffn_dim\": %d, \"share_encoder_decoder_embeddings\": %s,"
                     " \"tie_word_embeddings\": %s, \"activation_function\": \"%s\", \"scale_embedding\": true,"
                     " \"decoder_start_token_id\": 3, \"pad_token_id\": 3, \"eos_token_id\": 0%s}",
                     (int)m->d, (int)m->vocab, (int)m->decoder_vocab, (int)m->positions, (int)m->encoder_layers,
                     (int)m->decoder_layers, (int)m->encoder_heads, (int)m->decoder_heads, (int)m->encoder_ffn,
                     (int)m->decoder_ffn, m->shared ? "true" : "false", m->tied ? "true" : "false", m->activation,
                     extra ? extra : "");
    cr_assert(n > 0);
    write_file(in(folder, "config.json"), text, (size_t)n);
    free(text);
}

char *marian_folder(const marian *m) {
    char *folder = scratch_make();
    model *weights = model_marian(m);
    write_config(folder, m, NULL);
    write_safetensors(in(folder, "model.safetensors"), weights);
    model_free(&weights);
    return folder;
}
