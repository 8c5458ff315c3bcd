/* llama2c.c - checkpoints of llama2.c, versions 0 (without a mark), 1 and 2 (int8), as Llama folders. */
#include "llama2c.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/regular_file.h"
#include "tools/pack/common/name_format.h"
#include "tools/pack/common/path.h"
#include "tools/pack/foreign/foreign_formats.h"

#define MARK 0x616b3432u /* "ak42" */
#define N_SIZES 7
#define HEADER_BYTES 256 /* of versions 1 and 2 */
#define MAX_LAYERS 1024

enum { DIM, HIDDEN, LAYERS, HEADS, KV_HEADS, VOCABULARY, POSITIONS };

/* A tensor: version 2 has bytes of all elements, then a scale for each group of them. */
typedef struct part {
    const uint8_t *data;
    uint64_t width, count;
    uint32_t heads; /* not 0: rows of the halves of a head are interleaved */
    bool quantised;
} part;

typedef struct llama2c {
    char *path;
    const uint8_t *bytes;
    size_t size, at;
    uint32_t version;
    uint64_t sizes[N_SIZES], group;
    bool tied;
    part *parts;
    size_t n_parts;
} llama2c;

static uint32_t u32_at(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* ---- header ---- */

/* Sizes of a header; false if no model could have them. *tied: in version 0 the sign of the vocabulary's size. */
static bool read_sizes(const uint8_t *p, bool legacy, uint64_t *sizes, bool *tied) {
    static const uint32_t most[N_SIZES] = {1 << 18, 1 << 20, MAX_LAYERS, 4096, 4096, 1 << 24, 1 << 22};
    for (int i = 0; i < N_SIZES; i++) {
        uint32_t number = u32_at(p + 4 * i);
        if (legacy && i == VOCABULARY) {
            *tied = number >> 31 == 0;
            if (!*tied) number = -number;
        }
        if (number == 0 || number > most[i]) return false;
        sizes[i] = number;
    }
    return sizes[DIM] % sizes[HEADS] == 0 && sizes[HEADS] % sizes[KV_HEADS] == 0 && sizes[DIM] / sizes[HEADS] % 2 == 0;
}

/* A file without a mark is one by its name and seven numbers that make a model. */
static bool is_llama2c(const char *path, bool is_folder) {
    uint8_t start[4 * N_SIZES];
    uint64_t sizes[N_SIZES];
    bool tied;
    if (is_folder) return false;
    int fd;
    if (tfm_open_regular(path, "a checkpoint of llama2.c", &fd, NULL, NULL) != TFM_OK) return false;
    ssize_t got = read(fd, start, sizeof start);
    close(fd);
    if (got >= 8 && u32_at(start) == MARK) return true;
    return got == sizeof start && tfm_path_ends_with(path, ".bin") && read_sizes(start, true, sizes, &tied);
}

static tfm_status damaged(const llama2c *m, tfm_error *error) {
    return tfm_fail(error, TFM_ERROR_FORMAT,
                    "%s: has not the length that its header's sizes make (a llama2.c checkpoint of version %u): it is "
                    "damaged or not complete",
                    m->path, m->version);
}

static tfm_status read_header(llama2c *m, tfm_error *error) {
    m->version = 0;
    m->at = 4 * N_SIZES;
    if (m->size < m->at) return damaged(m, error);
    bool good = true;
    if (u32_at(m->bytes) != MARK) {
        good = read_sizes(m->bytes, true, m->sizes, &m->tied);
    } else {
        m->version = u32_at(m->bytes + 4);
        if (m->version != 1 && m->version != 2)
            return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                            "%s: is a llama2.c checkpoint of version %u; versions 0, 1 and 2 are supported", m->path,
                            m->version);
        if (m->size < HEADER_BYTES) return damaged(m, error);
        const uint8_t *after = m->bytes + 8 + 4 * N_SIZES;
        good = read_sizes(m->bytes + 8, false, m->sizes, &m->tied) && after[0] <= 1;
        m->tied = after[0] == 1;
        m->group = m->version == 2 ? u32_at(after + 1) : 0;
        if (m->version == 2) good = good && m->group > 0 && m->group <= m->sizes[DIM];
        m->at = HEADER_BYTES;
    }
    if (!good) return tfm_fail(error, TFM_ERROR_FORMAT, "%s: its header has sizes that make no model", m->path);
    return TFM_OK;
}

/* ---- tensors ---- */

/* The next tensor of the file under a name of the folder; rows 0: a vector of `width` elements; heads: see part. */
static tfm_status take(llama2c *m, tfm_checkpoint *checkpoint, const char *name, uint64_t rows, uint64_t width,
                       uint64_t heads, tfm_error *error) {
    /* Norms stay floats in version 2. */
    const bool quantised = m->version == 2 && rows > 0;
    const uint64_t count = (rows ? rows : 1) * width; /* below 2^44 by the limits of the header */
    const uint64_t bytes = quantised ? count + count / m->group * 4 : 4 * count;
    if (quantised && count % m->group)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: its groups of %" PRIu64 " values do not divide %s", m->path,
                        m->group, name);
    if (bytes > m->size - m->at) return damaged(m, error);
    part *p = &m->parts[m->n_parts];
    *p = (part){m->bytes + m->at, rows ? width : 1, count, (uint32_t)heads, quantised};
    m->at += (size_t)bytes;
    const uint64_t shape[TFM_RANK_MAX] = {rows ? rows : width, rows ? width : 1, 1, 1};
    return tfm_checkpoint_add_decoded(checkpoint, name, quantised ? "Q8" : "F32", rows ? 2 : 1, shape, m->n_parts++,
                                      error);
}

/* One kind of tensor of all layers. */
static tfm_status take_layers(llama2c *m, tfm_checkpoint *checkpoint, const char *name, uint64_t rows, uint64_t width,
                              uint64_t heads, tfm_error *error) {
    tfm_status status = TFM_OK;
    for (uint64_t i = 0; status == TFM_OK && i < m->sizes[LAYERS]; i++) {
        const tfm_name full = tfm_name_format("model.layers.%" PRIu64 ".%s.weight", i, name);
        status = take(m, checkpoint, full.text, rows, width, heads, error);
    }
    return status;
}

static tfm_status take_norms(llama2c *m, tfm_checkpoint *checkpoint, tfm_error *error) {
    const uint64_t d = m->sizes[DIM];
    tfm_status status = take_layers(m, checkpoint, "input_layernorm", 0, d, 0, error);
    if (status == TFM_OK) status = take_layers(m, checkpoint, "post_attention_layernorm", 0, d, 0, error);
    return status == TFM_OK ? take(m, checkpoint, "model.norm.weight", 0, d, 0, error) : status;
}

static tfm_status take_attention(llama2c *m, tfm_checkpoint *checkpoint, tfm_error *error) {
    const uint64_t d = m->sizes[DIM], heads = m->sizes[HEADS], kv_heads = m->sizes[KV_HEADS];
    const uint64_t kv = d / heads * kv_heads;
    tfm_status status = take_layers(m, checkpoint, "self_attn.q_proj", d, d, heads, error);
    if (status == TFM_OK) status = take_layers(m, checkpoint, "self_attn.k_proj", kv, d, kv_heads, error);
    if (status == TFM_OK) status = take_layers(m, checkpoint, "self_attn.v_proj", kv, d, 0, error);
    return status == TFM_OK ? take_layers(m, checkpoint, "self_attn.o_proj", d, d, 0, error) : status;
}

static tfm_status take_feed_forward(llama2c *m, tfm_checkpoint *checkpoint, tfm_error *error) {
    const uint64_t d = m->sizes[DIM], hidden = m->sizes[HIDDEN];
    tfm_status status = take_layers(m, checkpoint, "mlp.gate_proj", hidden, d, 0, error);
    if (status == TFM_OK) status = take_layers(m, checkpoint, "mlp.down_proj", d, hidden, 0, error);
    return status == TFM_OK ? take_layers(m, checkpoint, "mlp.up_proj", hidden, d, 0, error) : status;
}

/* In the order of version 0, where tables of sines that nobody needs stand before the projection. */
static tfm_status take_legacy(llama2c *m, tfm_checkpoint *checkpoint, tfm_error *error) {
    const uint64_t d = m->sizes[DIM];
    tfm_status status = take(m, checkpoint, "model.embed_tokens.weight", m->sizes[VOCABULARY], d, 0, error);
    if (status == TFM_OK) status = take_layers(m, checkpoint, "input_layernorm", 0, d, 0, error);
    if (status == TFM_OK) status = take_attention(m, checkpoint, error);
    if (status == TFM_OK) status = take_layers(m, checkpoint, "post_attention_layernorm", 0, d, 0, error);
    if (status == TFM_OK) status = take_feed_forward(m, checkpoint, error);
    if (status == TFM_OK) status = take(m, checkpoint, "model.norm.weight", 0, d, 0, error);
    const uint64_t tables = 4 * m->sizes[POSITIONS] * (d / m->sizes[HEADS]);
    if (status == TFM_OK && tables > m->size - m->at) return damaged(m, error);
    m->at += status != TFM_OK ? 0 : (size_t)tables;
    return status;
}

static tfm_status take_marked(llama2c *m, tfm_checkpoint *checkpoint, tfm_error *error) {
    tfm_status status = take_norms(m, checkpoint, error);
    if (status == TFM_OK)
        status = take(m, checkpoint, "model.embed_tokens.weight", m->sizes[VOCABULARY], m->sizes[DIM], 0, error);
    if (status == TFM_OK) status = take_attention(m, checkpoint, error);
    return status == TFM_OK ? take_feed_forward(m, checkpoint, error) : status;
}

static tfm_status take_all(llama2c *m, tfm_checkpoint *checkpoint, tfm_error *error) {
    if (9 * m->sizes[LAYERS] > m->size)
        return damaged(m, error); /* a byte for each part, before there is room for any */
    m->parts = calloc((size_t)(9 * m->sizes[LAYERS] + 3), sizeof *m->parts);
    if (!m->parts) return tfm_no_memory(error, "%s", m->path);
    tfm_status status = m->version ? take_marked(m, checkpoint, error) : take_legacy(m, checkpoint, error);
    if (status == TFM_OK && !m->tied)
        status = take(m, checkpoint, "lm_head.weight", m->sizes[VOCABULARY], m->sizes[DIM], 0, error);
    return status != TFM_OK || m->at == m->size ? status : damaged(m, error);
}

static void read_run(const llama2c *m, const part *p, uint64_t first, uint64_t n, float *values) {
    if (!p->quantised) {
        memcpy(values, p->data + 4 * first, (size_t)n * sizeof *values);
        return;
    }
    for (uint64_t i = 0; i < n; i++) {
        float scale;
        memcpy(&scale, p->data + p->count + (first + i) / m->group * 4, sizeof scale);
        values[i] = scale * (float)(int8_t)p->data[first + i];
    }
}

/* llama2.c rotates neighbours, the folder's class features half a head apart. */
static tfm_status read_rows(void *state, uint64_t key, uint64_t row0, uint64_t n_rows, float *rows, tfm_error *error) {
    const llama2c *m = state;
    const part *p = &m->parts[key];
    (void)error;
    if (!p->heads) read_run(m, p, row0 * p->width, n_rows * p->width, rows);
    const uint64_t size = m->sizes[DIM] / m->sizes[HEADS];
    for (uint64_t i = 0; p->heads && i < n_rows; i++) {
        const uint64_t row = row0 + i, inside = row % size;
        const uint64_t from = row - inside + 2 * (inside % (size / 2)) + inside / (size / 2);
        read_run(m, p, from * p->width, p->width, rows + i * p->width);
    }
    return TFM_OK;
}

/* ---- the tokenizer beside it ---- */

/* tok512.bin for 512 tokens, tokenizer.bin, or the only tok*.bin beside the checkpoint. */
static bool find_tokenizer(const llama2c *m, tfm_path *path) {
    const tfm_path folder = tfm_path_folder(m->path);
    *path = tfm_path_in(folder.text, tfm_name_format("tok%" PRIu64 ".bin", m->sizes[VOCABULARY]).text);
    if (tfm_path_is_file(path->text)) return true;
    *path = tfm_path_in(folder.text, "tokenizer.bin");
    return tfm_path_is_file(path->text) || tfm_path_search(folder.text, "tok", ".bin", path) == 1;
}

static tfm_status write_tokenizers(void *state, tfm_writer *writer, const tfm_pack_options *options, tfm_error *error) {
    (void)options;
    const llama2c *m = state;
    tfm_path path;
    return find_tokenizer(m, &path) ? tfm_llama2c_write_tokenizer(path.text, m->sizes[VOCABULARY], writer, error)
                                    : TFM_OK;
}

/* ---- opening ---- */

static void close_model(void *state) {
    llama2c *m = state;
    if (m->bytes) munmap((void *)(uintptr_t)m->bytes, m->size);
    free(m->parts);
    free(m->path);
    free(m);
}

static tfm_status map_file(llama2c *m, tfm_error *error) {
    int fd;
    uint64_t size;
    tfm_status status = tfm_open_regular(m->path, "a checkpoint of llama2.c", &fd, &size, error);
    if (status != TFM_OK) return status;
    void *bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0); /* EINVAL where it is empty */
    int why = errno;
    close(fd);
    if (bytes == MAP_FAILED) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot be mapped: %s", m->path, strerror(why));
    m->bytes = bytes;
    m->size = (size_t)size;
    return TFM_OK;
}

static tfm_status configure(const llama2c *m, tfm_checkpoint *checkpoint, tfm_error *error) {
    const uint64_t *sizes = m->sizes;
    checkpoint->config = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:b}", "model_type", "llama", "hidden_size",
        (json_int_t)sizes[DIM], "intermediate_size", (json_int_t)sizes[HIDDEN], "num_hidden_layers",
        (json_int_t)sizes[LAYERS], "num_attention_heads", (json_int_t)sizes[HEADS], "num_key_value_heads",
        (json_int_t)sizes[KV_HEADS], "vocab_size", (json_int_t)sizes[VOCABULARY], "max_position_embeddings",
        (json_int_t)sizes[POSITIONS], "rms_norm_eps", 1e-5, "rope_theta", 10000.0, "tie_word_embeddings", m->tied);
    /* Token 1 begins a text, and llama2.c ends at it; token 2 ends an answer. */
    const uint64_t longest = sizes[POSITIONS] < 256 ? sizes[POSITIONS] : 256; /* llama2.c's own default */
    checkpoint->generation_config =
        json_pack("{s:i, s:[i, i], s:I}", "bos_token_id", 1, "eos_token_id", 1, 2, "max_length", (json_int_t)longest);
    if (!checkpoint->config || !checkpoint->generation_config) return tfm_no_memory(error, "%s", m->path);
    return TFM_OK;
}

static tfm_status open_llama2c(tfm_checkpoint *checkpoint, const char *path, tfm_error *error) {
    llama2c *m = calloc(1, sizeof *m);
    if (!m || !(m->path = strdup(path))) {
        free(m);
        return tfm_no_memory(error, "%s", path);
    }
    checkpoint->reader = (tfm_checkpoint_reader){m, read_rows, write_tokenizers, close_model};
    tfm_status status = map_file(m, error);
    if (status == TFM_OK) status = read_header(m, error);
    if (status == TFM_OK) status = configure(m, checkpoint, error);
    if (status == TFM_OK) status = take_all(m, checkpoint, error);
    return status;
}

const tfm_checkpoint_format tfm_llama2c_format = {
    .name = "llama2.c",
    .what = "llama2.c checkpoints (.bin), versions 0, 1 and 2, with tok*.bin or tokenizer.bin beside them",
    .matches = is_llama2c,
    .open = open_llama2c,
};
