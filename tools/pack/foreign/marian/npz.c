/*
 * npz.c - Marian's own models (.npz) as a form of checkpoint: shown as MarianMTModel, or as Pegasus with norms before
 * sublayers. Weights are (inputs, outputs) there; outputs start from a zero embedding, for which a token is added.
 */
#include "npz.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "npz_file.h"
#include "tools/pack/checkpoint/array_views.h"
#include "tools/pack/families/family.h"
#include "tools/pack/tokenizer/spm/spm_pair.h"

/* Sines end nowhere; sessions need a limit. */
#define POSITIONS 512
#define YAML_MAX ((off_t)64 << 20)

typedef struct model {
    tfm_checkpoint *checkpoint;
    tfm_npz_file file;
    json_t *options, *vocabulary; /* vocabulary: {token: id} of a .yml, or NULL */
    char folder[PATH_MAX];
    tfm_array_views views;
    uint64_t d, target_size;
    bool pre_norm;
    tfm_status status; /* the first failure stays */
    tfm_error *error;
} model;

__attribute__((format(printf, 3, 4))) static void fail(model *m, tfm_status status, const char *format, ...) {
    char text[300];
    if (m->status != TFM_OK) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    m->status = tfm_fail(m->error, status, "%s: %s", m->file.path, text);
}

/* ---- options ---- */

static const char *option(const model *m, const char *key, const char *fallback) {
    const char *value = json_string_value(json_object_get(m->options, key));
    return value ? value : fallback;
}

/* One of the words, separated by '|'. */
static void require(model *m, const char *key, const char *fallback, const char *words) {
    const char *value = option(m, key, fallback);
    const size_t n = strlen(value);
    for (const char *w = words;; w = strchr(w, '|') + 1) {
        if (strcspn(w, "|") == n && strncmp(w, value, n) == 0) return;
        if (!strchr(w, '|')) break;
    }
    fail(m, TFM_ERROR_UNSUPPORTED, "option %s: '%.60s' is not supported", key, value);
}

static uint64_t whole(model *m, const char *key, uint64_t max) {
    const char *value = option(m, key, "");
    char *end;
    const unsigned long long number = strtoull(value, &end, 10);
    if (value[0] >= '0' && value[0] <= '9' && !*end && number >= 1 && number <= max) return number;
    fail(m, TFM_ERROR_FORMAT, "option %s: '%.60s' is not a number that makes sense", key, value);
    return 1;
}

static const char *activation(model *m) {
    const char *name = option(m, "transformer-ffn-activation", "relu");
    if (!strcmp(name, "swish") || !strcmp(name, "relu")) return name;
    fail(m, TFM_ERROR_UNSUPPORTED, "option transformer-ffn-activation: '%.60s' is not supported", name);
    return "relu";
}

static void check_options(model *m) {
    m->pre_norm = strcmp(option(m, "transformer-preprocess", ""), "") != 0;
    require(m, "type", "", "transformer");
    require(m, "transformer-decoder-autoreg", "self-attention", "self-attention");
    require(m, "transformer-no-projection", "false", "false");
    require(m, "transformer-tied-layers", "", "");
    require(m, "transformer-ffn-depth", "2", "2");
    require(m, "transformer-decoder-ffn-depth", "0", "0|2");
    require(m, "transformer-postprocess-emb", "d", "|d");
    require(m, "transformer-preprocess", "", "|n");
    require(m, "transformer-postprocess", m->pre_norm ? "da" : "dan", m->pre_norm ? "da" : "dan");
    require(m, "transformer-postprocess-top", m->pre_norm ? "n" : "", m->pre_norm ? "n" : "");
    require(m, "lemma-dim-emb", "0", "0");
    require(m, "ulr", "false", "false");
}

/* ---- tensors ---- */

static bool has(const model *m, const char *name) { return tfm_npz_file_find(&m->file, name) != TFM_NPZ_NONE; }

static tfm_npz_array *find(model *m, const char *name) {
    const uint32_t i = m->status != TFM_OK ? TFM_NPZ_NONE : tfm_npz_file_find(&m->file, name);
    if (i == TFM_NPZ_NONE) fail(m, TFM_ERROR_FORMAT, "array '%s' is missing", name);
    return m->status != TFM_OK ? NULL : &m->file.arrays[i];
}

/* Arrays are numbered twice: 2 i is array i as it is, 2 i + 1 is array i as a vector, whatever rank it has. */
static void show(model *m, const char *to, const char *from, bool is_vector, tfm_array_view view) {
    tfm_npz_array *a = find(m, from);
    if (!a) return;
    const bool fits = is_vector ? a->rank == 1 || (a->rank == 2 && a->shape[0] == 1) : a->rank == 2;
    if (a->type == 'b' || !fits || a->count == 0) {
        fail(m, TFM_ERROR_FORMAT, "array '%s' has the wrong type or shape", from);
        return;
    }
    a->used = true;
    view.array = 2 * (uint32_t)(a - m->file.arrays) + is_vector;
    view.is_vector = is_vector;
    view.dtype_name = a->type == 'f' ? "F32" : "F16";
    view.rows = is_vector ? a->count : view.transposed ? a->shape[1] : a->shape[0];
    view.width = is_vector ? 1 : view.transposed ? a->shape[0] : a->shape[1];
    m->status = tfm_array_views_add(&m->views, to, &view, m->error);
}

static void show_linear(model *m, const char *to, const char *scope, const char *which) {
    show(m, tfm_name_format("%s.weight", to).text, tfm_name_format("%s_W%s", scope, which).text, false,
         (tfm_array_view){.transposed = true});
    show(m, tfm_name_format("%s.bias", to).text, tfm_name_format("%s_b%s", scope, which).text, true,
         (tfm_array_view){0});
}

static void show_norm(model *m, const char *to, const char *scope) {
    const char *suffix = has(m, tfm_name_format("%s_ln_scale_pre", scope).text) ? "_pre" : "";
    show(m, tfm_name_format("%s.weight", to).text, tfm_name_format("%s_ln_scale%s", scope, suffix).text, true,
         (tfm_array_view){0});
    show(m, tfm_name_format("%s.bias", to).text, tfm_name_format("%s_ln_bias%s", scope, suffix).text, true,
         (tfm_array_view){0});
}

static void show_attention(model *m, const char *to, const char *scope) {
    static const char *const parts[][2] = {{"q_proj", "q"}, {"k_proj", "k"}, {"v_proj", "v"}, {"out_proj", "o"}};
    for (size_t i = 0; i < 4; i++) show_linear(m, tfm_name_format("%s.%s", to, parts[i][0]).text, scope, parts[i][1]);
    show_norm(m, tfm_name_format("%s_layer_norm", to).text, tfm_name_format("%s_Wo", scope).text);
}

static void show_stack(model *m, const char *s, uint64_t n_layers, bool cross) {
    for (uint64_t i = 0; i < n_layers && m->status == TFM_OK; i++) {
        const tfm_name to = tfm_name_format("model.%s.layers.%llu", s, (unsigned long long)i);
        const tfm_name from = tfm_name_format("%s_l%llu", s, (unsigned long long)(i + 1));
        show_attention(m, tfm_name_format("%s.self_attn", to.text).text, tfm_name_format("%s_self", from.text).text);
        if (cross)
            show_attention(m, tfm_name_format("%s.encoder_attn", to.text).text,
                           tfm_name_format("%s_context", from.text).text);
        const tfm_name ffn = tfm_name_format("%s_ffn", from.text);
        show_linear(m, tfm_name_format("%s.fc1", to.text).text, ffn.text, "1");
        show_linear(m, tfm_name_format("%s.fc2", to.text).text, ffn.text, "2");
        show_norm(m, tfm_name_format("%s.final_layer_norm", to.text).text, tfm_name_format("%s_ffn", ffn.text).text);
    }
    if (m->pre_norm) show_norm(m, tfm_name_format("model.%s.layer_norm", s).text, tfm_name_format("%s_top", s).text);
    if (has(m, "Wpos"))
        show(m, tfm_name_format("model.%s.embed_positions.weight", s).text, "Wpos", false, (tfm_array_view){0});
}

static void show_embeddings(model *m, bool shared, bool tied) {
    const tfm_array_view padded = {.after = 1}, turned = {.after = 1, .transposed = true};
    if (shared) {
        show(m, "model.shared.weight", "Wemb", false, padded);
    } else {
        show(m, "model.encoder.embed_tokens.weight", "encoder_Wemb", false, (tfm_array_view){0});
        show(m, "model.decoder.embed_tokens.weight", "decoder_Wemb", false, padded);
    }
    if (!tied) {
        const bool rows = has(m, "decoder_ff_logit_out_Wt");
        show(m, "lm_head.weight", rows ? "decoder_ff_logit_out_Wt" : "decoder_ff_logit_out_W", false,
             rows ? padded : turned);
    }
    if (has(m, "decoder_ff_logit_out_b")) show(m, "final_logits_bias", "decoder_ff_logit_out_b", true, padded);
}

/* ---- configuration ---- */

static uint64_t dimension(model *m, const char *name, uint32_t which) {
    const tfm_npz_array *a = find(m, name);
    if (a && a->rank != 2) fail(m, TFM_ERROR_FORMAT, "array '%s' has the wrong type or shape", name);
    return m->status != TFM_OK ? 1 : a->shape[which];
}

static void write_config(model *m, bool shared, bool tied, uint64_t layers[2]) {
    const char *source_embedding = shared ? "Wemb" : "encoder_Wemb";
    const uint64_t heads = whole(m, "transformer-heads", 4096),
                   positions = has(m, "Wpos") ? dimension(m, "Wpos", 0) : POSITIONS;
    const char *const act = activation(m);
    const uint64_t ffn[2] = {dimension(m, "encoder_l1_ffn_W1", 1), dimension(m, "decoder_l1_ffn_W1", 1)};
    const uint64_t source_size = dimension(m, source_embedding, 0) + shared, pad = m->target_size;
    const json_t *end = json_object_get(m->vocabulary, "</s>");
    const json_int_t eos = end ? json_integer_value(end) : 0;
    if (m->status != TFM_OK) return;
    m->checkpoint->config = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:b, s:I, s:I, s:I, s:b, s:b, s:I}", "model_type",
        m->pre_norm ? "pegasus" : "marian", "d_model", (json_int_t)m->d, "encoder_layers", (json_int_t)layers[0],
        "decoder_layers", (json_int_t)layers[1], "encoder_attention_heads", (json_int_t)heads,
        "decoder_attention_heads", (json_int_t)heads, "encoder_ffn_dim", (json_int_t)ffn[0], "decoder_ffn_dim",
        (json_int_t)ffn[1], "activation_function", act, "scale_embedding", 1, "max_position_embeddings",
        (json_int_t)positions, "vocab_size", (json_int_t)source_size, "decoder_vocab_size", (json_int_t)(pad + 1),
        "share_encoder_decoder_embeddings", shared, "tie_word_embeddings", tied, "pad_token_id", (json_int_t)pad);
    m->checkpoint->generation_config = json_pack(
        "{s:I, s:I, s:I, s:I, s:b, s:[[I]]}", "max_length", (json_int_t)(positions < POSITIONS ? positions : POSITIONS),
        "eos_token_id", eos, "pad_token_id", (json_int_t)pad, "decoder_start_token_id", (json_int_t)pad,
        "renormalize_logits", 1, "bad_words_ids", (json_int_t)pad);
    if (!m->checkpoint->config || !m->checkpoint->generation_config) fail(m, TFM_ERROR_MEMORY, "no memory");
}

static void read_model(model *m) {
    const char *text;
    size_t n;
    tfm_npz_array *yaml = find(m, "special:model.yml");
    if (!yaml) return;
    yaml->used = true;
    m->status = tfm_npz_file_bytes(&m->file, (uint32_t)(yaml - m->file.arrays), &text, &n, m->error);
    if (m->status != TFM_OK) return;
    n = strnlen(text, n);
    m->options = tfm_npz_yaml(text, n, m->file.path, m->error);
    if (!m->options) {
        m->status = TFM_ERROR_FORMAT;
        return;
    }
    check_options(m);
    const bool shared = has(m, "Wemb");
    const char *target = shared ? "Wemb" : "decoder_Wemb";
    const bool tied = !has(m, "decoder_ff_logit_out_W") && !has(m, "decoder_ff_logit_out_Wt");
    m->d = dimension(m, target, 1);
    m->target_size = dimension(m, target, 0);
    uint64_t layers[2] = {whole(m, "enc-depth", 1024), whole(m, "dec-depth", 1024)};
    write_config(m, shared, tied, layers);
    show_embeddings(m, shared, tied);
    show_stack(m, "encoder", layers[0], false);
    show_stack(m, "decoder", layers[1], true);
    for (uint32_t i = 0; i < m->file.n; i++)
        if (!m->file.arrays[i].used)
            fail(m, TFM_ERROR_UNSUPPORTED, "array '%s' is not one a model of this kind is known to have",
                 m->file.arrays[i].name);
}

/* ---- tokenizer ---- */

typedef struct path_text {
    char text[PATH_MAX + 300];
} path_text;

static path_text beside(const model *m, const char *name) {
    path_text path;
    snprintf(path.text, sizeof path.text, "%s/%.256s", m->folder, name);
    return path;
}

static bool is_file(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* vocab.yml, or the only *vocab.yml of the folder. */
static bool find_vocabulary(const model *m, path_text *path) {
    *path = beside(m, "vocab.yml");
    if (is_file(path->text)) return true;
    DIR *dir = opendir(m->folder);
    size_t found = 0;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        const size_t n = strlen(e->d_name), tail = strlen("vocab.yml");
        if (n <= tail || strcmp(e->d_name + n - tail, "vocab.yml") != 0) continue;
        *path = beside(m, e->d_name);
        found++;
    }
    if (dir) closedir(dir);
    return found == 1;
}

/* Ids as numbers; the padding after all others. */
static tfm_status read_vocabulary(model *m, tfm_error *error) {
    path_text path;
    struct stat st;
    if (!find_vocabulary(m, &path)) return TFM_OK;
    FILE *f = fopen(path.text, "rb");
    char *text = f && fstat(fileno(f), &st) == 0 && st.st_size <= YAML_MAX ? malloc((size_t)st.st_size + 1) : NULL;
    const size_t n = text ? fread(text, 1, (size_t)st.st_size, f) : 0;
    if (f) fclose(f);
    json_t *strings = text ? tfm_npz_yaml(text, n, path.text, error) : NULL, *value;
    if (!text) tfm_fail(error, TFM_ERROR_IO, "%s: cannot be read", path.text);
    free(text);
    if (!strings) return TFM_ERROR_FORMAT;
    const char *token;
    m->vocabulary = json_object();
    tfm_status status = m->vocabulary ? TFM_OK : tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", path.text);
    json_object_foreach(strings, token, value) {
        char *end;
        const char *digits = json_string_value(value);
        const unsigned long id = strtoul(digits, &end, 10);
        if (status == TFM_OK && (digits[0] < '0' || digits[0] > '9' || *end || id > 1 << 24))
            status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: '%.60s' has no id", path.text, token);
        if (status == TFM_OK && json_object_set_new(m->vocabulary, token, json_integer((json_int_t)id)) != 0)
            status = tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", path.text);
    }
    json_decref(strings);
    return status;
}

static tfm_status make_side(const model *m, const char *name, tfm_table_builder **table, tfm_error *error) {
    /* Without a vocabulary the file is one of Marian's own, whose ids are the numbers of its pieces. */
    json_t *numbers = m->vocabulary ? json_copy(m->vocabulary) : NULL;
    if (m->vocabulary && !numbers) return tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", m->folder);
    return tfm_token_side(beside(m, name).text, numbers, (int64_t)m->target_size, NULL, table, error);
}

static tfm_status write_tokenizers(void *state, tfm_writer *writer, tfm_error *error) {
    const model *m = state;
    const char *name = m->vocabulary ? "source.spm" : "vocab.spm";
    tfm_table_builder *source = NULL, *target = NULL;
    if (!is_file(beside(m, name).text)) return TFM_OK;
    tfm_status status = make_side(m, name, &source, error);
    if (status == TFM_OK && m->vocabulary && is_file(beside(m, "target.spm").text))
        status = make_side(m, "target.spm", &target, error);
    if (status == TFM_OK) status = tfm_token_sides_write(writer, source, target, error);
    tfm_table_builder_free(&source);
    tfm_table_builder_free(&target);
    return status;
}

/* ---- form ---- */

static bool is_npz(const char *path, bool is_folder) {
    const size_t n = strlen(path);
    return !is_folder && n > 4 && strcmp(path + n - 4, ".npz") == 0 && tfm_npz_file_is(path);
}

static tfm_array_shape array_shape(void *state, uint32_t array) {
    const tfm_npz_array *a = &((const model *)state)->file.arrays[array / 2];
    return array % 2 ? (tfm_array_shape){a->count, 1} : (tfm_array_shape){a->shape[0], a->shape[1]};
}

static tfm_status read_array(void *state, uint32_t array, uint64_t row0, uint64_t n_rows, float *rows,
                             tfm_error *error) {
    model *m = state;
    const uint64_t k = array_shape(state, array).k;
    return tfm_npz_file_read(&m->file, array / 2, row0 * k, n_rows * k, rows, error);
}

static tfm_status read_values(void *state, uint64_t key, uint64_t row0, uint64_t n_rows, float *rows,
                              tfm_error *error) {
    return tfm_array_views_read(&((model *)state)->views, key, row0, n_rows, rows, error);
}

static void close_model(void *state) {
    model *m = state;
    tfm_npz_file_close(&m->file);
    tfm_array_views_free(&m->views);
    json_decref(m->options);
    json_decref(m->vocabulary);
    free(m);
}

static tfm_status open_npz(tfm_checkpoint *checkpoint, const char *path, tfm_error *error) {
    model *m = calloc(1, sizeof *m);
    if (!m) return tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", path);
    checkpoint->provider = (tfm_provider){m, read_values, write_tokenizers, close_model};
    m->checkpoint = checkpoint;
    m->error = error;
    m->views = (tfm_array_views){.checkpoint = checkpoint, .state = m, .shape = array_shape, .read = read_array};
    const char *slash = strrchr(path, '/');
    if (strlen(path) >= PATH_MAX) return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: the path is too long", path);
    snprintf(m->folder, sizeof m->folder, "%.*s", slash ? (int)(slash - path) + (slash == path) : 1,
             slash ? path : ".");
    tfm_status status = tfm_npz_file_open(&m->file, path, error);
    if (status == TFM_OK) status = read_vocabulary(m, error);
    if (status != TFM_OK) return status;
    read_model(m);
    m->error = NULL;
    return m->status;
}

const tfm_checkpoint_format tfm_npz_format = {
    .name = "marian npz",
    .what = "model of the Marian toolkit (model.npz)",
    .is = is_npz,
    .open = open_npz,
};
