/*
 * npz.c - Marian's own models (.npz) as a checkpoint format: shown as MarianMTModel, or as Pegasus with norms before
 * sublayers. Weights are (inputs, outputs) there; outputs start from a zero embedding, for which a token is added.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "marian_keys.h"
#include "npz_file.h"
#include "tools/pack/common/name_format.h"
#include "tools/pack/common/path.h"
#include "tools/pack/common/source_file.h"
#include "tools/pack/foreign/array_views.h"
#include "tools/pack/foreign/foreign_formats.h"
#include "tools/pack/foreign/foreign_model.h"
#include "tools/pack/tokenizer/spm/spm_pair.h"

/* Sines end nowhere; sessions need a limit. */
#define POSITIONS 512
#define YAML_MAX ((size_t)64 << 20)

typedef struct model {
    tfm_foreign_model foreign;
    tfm_npz_file file;
    tfm_path folder;
    json_t *options, *asked; /* options as text, and those that were asked for */
    json_t *decoding;        /* options of decoder.yml as JSON, or NULL */
    json_t *vocabulary;      /* vocabulary: {token: id} of a .yml, or NULL */
    tfm_array_views views;
    uint64_t d, target_size;
    bool pre_norm, shared, tied; /* shared: one embedding for source and target */
} model;

/* ---- options ---- */

static const char *option(model *m, const char *key, const char *fallback) {
    if (m->asked) json_object_set_new(m->asked, key, json_true());
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
    tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED, "option %s: '%.60s' is not supported", key, value);
}

static uint64_t whole(model *m, const char *key, uint64_t max) {
    const char *value = option(m, key, "");
    char *end;
    const unsigned long long number = strtoull(value, &end, 10);
    if (value[0] >= '0' && value[0] <= '9' && !*end && number >= 1 && number <= max) return number;
    tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT, "option %s: '%.60s' is not a number that makes sense", key, value);
    return 1;
}

static const char *activation(model *m) {
    const char *name = option(m, "transformer-ffn-activation", "relu");
    if (!strcmp(name, "swish") || !strcmp(name, "relu")) return name;
    tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED, "option transformer-ffn-activation: '%.60s' is not supported",
                     name);
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
    const uint32_t i = m->foreign.status != TFM_OK ? TFM_NPZ_NONE : tfm_npz_file_find(&m->file, name);
    if (i == TFM_NPZ_NONE) tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT, "array '%s' is missing", name);
    return m->foreign.status != TFM_OK ? NULL : &m->file.arrays[i];
}

/* Arrays are numbered twice: 2 i is array i as it is, 2 i + 1 is array i as a vector, whatever rank it has. */
static void show(model *m, const char *to, const char *from, bool is_vector, tfm_array_view view) {
    tfm_npz_array *a = find(m, from);
    if (!a) return;
    const bool fits = is_vector ? a->rank == 1 || (a->rank == 2 && a->shape[0] == 1) : a->rank == 2;
    if (a->type == 'b' || !fits || a->count == 0) {
        tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT, "array '%s' has the wrong type or shape", from);
        return;
    }
    a->used = true;
    view.array = 2 * (uint32_t)(a - m->file.arrays) + is_vector;
    view.is_vector = is_vector;
    view.dtype_name = a->type == 'f' ? "F32" : "F16";
    view.rows = is_vector ? a->count : view.transposed ? a->shape[1] : a->shape[0];
    view.width = is_vector ? 1 : view.transposed ? a->shape[0] : a->shape[1];
    m->foreign.status = tfm_array_views_add(&m->views, to, &view, m->foreign.error);
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

static void show_stack(model *m, const char *stack, uint64_t n_layers, bool cross) {
    for (uint64_t i = 0; i < n_layers && m->foreign.status == TFM_OK; i++) {
        const tfm_name to = tfm_name_format("model.%s.layers.%llu", stack, (unsigned long long)i);
        const tfm_name from = tfm_name_format("%s_l%llu", stack, (unsigned long long)i + 1);
        show_attention(m, tfm_name_format("%s.self_attn", to.text).text, tfm_name_format("%s_self", from.text).text);
        if (cross)
            show_attention(m, tfm_name_format("%s.encoder_attn", to.text).text,
                           tfm_name_format("%s_context", from.text).text);
        const tfm_name ffn = tfm_name_format("%s_ffn", from.text);
        show_linear(m, tfm_name_format("%s.fc1", to.text).text, ffn.text, "1");
        show_linear(m, tfm_name_format("%s.fc2", to.text).text, ffn.text, "2");
        show_norm(m, tfm_name_format("%s.final_layer_norm", to.text).text, tfm_name_format("%s_ffn", ffn.text).text);
    }
    if (m->pre_norm)
        show_norm(m, tfm_name_format("model.%s.layer_norm", stack).text, tfm_name_format("%s_top", stack).text);
    if (has(m, "Wpos"))
        show(m, tfm_name_format("model.%s.embed_positions.weight", stack).text, "Wpos", false, (tfm_array_view){0});
}

static void show_embeddings(model *m) {
    const tfm_array_view padded = {.after = 1}, transposed = {.after = 1, .transposed = true};
    if (m->shared) {
        show(m, "model.shared.weight", "Wemb", false, padded);
    } else {
        show(m, "model.encoder.embed_tokens.weight", "encoder_Wemb", false, (tfm_array_view){0});
        show(m, "model.decoder.embed_tokens.weight", "decoder_Wemb", false, padded);
    }
    if (!m->tied) {
        const bool rows = has(m, "decoder_ff_logit_out_Wt");
        show(m, "lm_head.weight", rows ? "decoder_ff_logit_out_Wt" : "decoder_ff_logit_out_W", false,
             rows ? padded : transposed);
    }
    if (has(m, "decoder_ff_logit_out_b")) show(m, "final_logits_bias", "decoder_ff_logit_out_b", true, padded);
}

/* ---- configuration ---- */

static uint64_t dimension(model *m, const char *name, uint32_t which) {
    const tfm_npz_array *a = find(m, name);
    if (a && a->rank != 2)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT, "array '%s' has the wrong type or shape", name);
    return !a || m->foreign.status != TFM_OK ? 1 : a->shape[which];
}

static uint64_t positions(model *m) { return has(m, "Wpos") ? dimension(m, "Wpos", 0) : POSITIONS; }

static void write_config(model *m, const uint64_t layers[2]) {
    tfm_foreign_model *foreign = &m->foreign;
    json_t *config = foreign->checkpoint->config;
    const uint64_t heads = whole(m, "transformer-heads", 4096), pad = m->target_size;
    tfm_foreign_set_string(foreign, config, "model_type", m->pre_norm ? "pegasus" : "marian");
    tfm_foreign_set_u64(foreign, config, "d_model", m->d);
    tfm_foreign_set_u64(foreign, config, "encoder_layers", layers[0]);
    tfm_foreign_set_u64(foreign, config, "decoder_layers", layers[1]);
    tfm_foreign_set_u64(foreign, config, "encoder_attention_heads", heads);
    tfm_foreign_set_u64(foreign, config, "decoder_attention_heads", heads);
    tfm_foreign_set_u64(foreign, config, "encoder_ffn_dim", dimension(m, "encoder_l1_ffn_W1", 1));
    tfm_foreign_set_u64(foreign, config, "decoder_ffn_dim", dimension(m, "decoder_l1_ffn_W1", 1));
    tfm_foreign_set_string(foreign, config, "activation_function", activation(m));
    tfm_foreign_set_bool(foreign, config, "scale_embedding", true);
    tfm_foreign_set_u64(foreign, config, "max_position_embeddings", positions(m));
    tfm_foreign_set_u64(foreign, config, "vocab_size", m->shared ? pad + 1 : dimension(m, "encoder_Wemb", 0));
    tfm_foreign_set_u64(foreign, config, "decoder_vocab_size", pad + 1);
    tfm_foreign_set_bool(foreign, config, "share_encoder_decoder_embeddings", m->shared);
    tfm_foreign_set_bool(foreign, config, "tie_word_embeddings", m->tied);
    tfm_foreign_set_u64(foreign, config, "pad_token_id", pad);
    foreign->checkpoint->hints.two_vocabularies = true;
}

/* What decoder.yml beside the model, as OPUS-MT publishes it, says of the search. */
static void write_search(model *m, json_t *generation) {
    static const char file[] = "decoder.yml";
    json_t *asked = m->decoding ? json_pack("{s:b, s:b, s:b}", "beam-size", 1, "normalize", 1, "models", 1) : NULL;
    if (!m->decoding) return;
    const json_t *beams = json_object_get(m->decoding, "beam-size"), *norm = json_object_get(m->decoding, "normalize");
    const double n_beams = beams ? json_number_value(beams) : 12,
                 power = json_number_value(norm); /* Marian's defaults */
    if (!(n_beams >= 1 && n_beams <= 1000 && n_beams == (double)(int)n_beams) || !(power >= 0 && power <= 100)) {
        tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT, "%s beside it: beam-size and normalize make no sense", file);
    } else {
        tfm_foreign_set_u64(&m->foreign, generation, "num_beams", (uint64_t)n_beams);
        tfm_foreign_set_real(&m->foreign, generation, "length_penalty", json_is_true(norm) ? 1 : power);
    }
    const char *models = json_string_value(json_object_get(m->decoding, "models"));
    if (models && strchr(models, ' '))
        tfm_foreign_note(&m->foreign, "%s is of several models together; this one is packed alone", file);
    tfm_foreign_check_keys(&m->foreign, &tfm_marian_decoder_keys, m->folder.text, file, m->decoding, asked);
    json_decref(asked);
}

static void write_generation(model *m) {
    tfm_foreign_model *foreign = &m->foreign;
    json_t *generation = foreign->checkpoint->generation_config;
    const uint64_t pad = m->target_size, limit = positions(m);
    const json_t *end = json_object_get(m->vocabulary, "</s>");
    tfm_foreign_set_u64(foreign, generation, "max_length", limit < POSITIONS ? limit : POSITIONS);
    tfm_foreign_set_u64(foreign, generation, "eos_token_id", (uint64_t)json_integer_value(end));
    tfm_foreign_set_u64(foreign, generation, "pad_token_id", pad);
    tfm_foreign_set_u64(foreign, generation, "decoder_start_token_id", pad);
    tfm_foreign_set_bool(foreign, generation, "renormalize_logits", true);
    tfm_foreign_set(foreign, generation, "bad_words_ids", json_pack("[[I]]", (json_int_t)pad));
    write_search(m, generation);
}

/* The file's own name. */
static const char *name_of(const model *m) {
    const char *slash = strrchr(m->file.path, '/');
    return slash ? slash + 1 : m->file.path;
}

static void check_keys(model *m) {
    json_t *typed = tfm_marian_typed(m->options);
    if (!typed) tfm_foreign_fail(&m->foreign, TFM_ERROR_MEMORY, "out of memory");
    tfm_foreign_check_keys(&m->foreign, &tfm_marian_model_keys, m->folder.text, name_of(m), typed, m->asked);
    json_decref(typed);
}

static void read_options(model *m) {
    const char *text;
    size_t n;
    tfm_npz_array *yaml = find(m, "special:model.yml");
    if (!yaml) return;
    yaml->used = true;
    tfm_status status = tfm_npz_file_bytes(&m->file, (uint32_t)(yaml - m->file.arrays), &text, &n, m->foreign.error);
    if (status == TFM_OK) status = tfm_npz_yaml(text, strnlen(text, n), m->file.path, &m->options, m->foreign.error);
    m->foreign.status = status;
    if (status == TFM_OK) check_options(m);
}

static void read_model(model *m) {
    read_options(m);
    m->shared = has(m, "Wemb");
    m->tied = !has(m, "decoder_ff_logit_out_W") && !has(m, "decoder_ff_logit_out_Wt");
    const char *target = m->shared ? "Wemb" : "decoder_Wemb";
    m->d = dimension(m, target, 1);
    m->target_size = dimension(m, target, 0);
    const uint64_t layers[2] = {whole(m, "enc-depth", 1024), whole(m, "dec-depth", 1024)};
    write_config(m, layers);
    write_generation(m);
    check_keys(m);
    show_embeddings(m);
    show_stack(m, "encoder", layers[0], false);
    show_stack(m, "decoder", layers[1], true);
    for (uint32_t i = 0; i < m->file.n; i++)
        if (!m->file.arrays[i].used)
            tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                             "array '%s' is not one a model of this kind is known to have", m->file.arrays[i].name);
}

/* ---- tokenizer ---- */

/* vocab.yml, or the only *vocab.yml of the folder. */
static bool find_vocabulary(const model *m, tfm_path *path) {
    *path = tfm_path_in(m->folder.text, "vocab.yml");
    return tfm_path_is_file(path->text) || tfm_path_search(m->folder.text, "", "vocab.yml", path) == 1;
}

/* Numbers ids that were read as text. */
static tfm_status take_ids(json_t *strings, const char *path, json_t *ids, tfm_error *error) {
    const char *token;
    json_t *value;
    json_object_foreach(strings, token, value) {
        char *end;
        const char *digits = json_string_value(value);
        const unsigned long id = strtoul(digits, &end, 10);
        if (digits[0] < '0' || digits[0] > '9' || *end || id > 1 << 24)
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: '%.60s' has no id", path, token);
        if (json_object_set_new(ids, token, json_integer((json_int_t)id)) != 0) return tfm_no_memory(error, "%s", path);
    }
    return TFM_OK;
}

static tfm_status read_vocabulary(model *m, tfm_error *error) {
    tfm_path path;
    tfm_text text = {0};
    json_t *strings = NULL;
    if (!find_vocabulary(m, &path)) return TFM_OK;
    m->vocabulary = json_object();
    tfm_status status =
        m->vocabulary ? tfm_read_source(path.text, YAML_MAX, &text, error) : tfm_no_memory(error, "%s", path.text);
    if (status == TFM_OK) status = tfm_npz_yaml(text.data, text.size, path.text, &strings, error);
    if (status == TFM_OK) status = take_ids(strings, path.text, m->vocabulary, error);
    json_decref(strings);
    tfm_text_free(&text);
    return status;
}

static tfm_status read_decoding(model *m, tfm_error *error) {
    const tfm_path path = tfm_path_in(m->folder.text, "decoder.yml");
    tfm_text text = {0};
    json_t *strings = NULL;
    if (!tfm_path_is_file(path.text)) return TFM_OK;
    tfm_status status = tfm_read_source(path.text, YAML_MAX, &text, error);
    if (status == TFM_OK) status = tfm_npz_yaml(text.data, text.size, path.text, &strings, error);
    if (status == TFM_OK && !(m->decoding = tfm_marian_typed(strings))) status = tfm_no_memory(error, "%s", path.text);
    json_decref(strings);
    tfm_text_free(&text);
    return status;
}

static tfm_status make_side(const model *m, const char *name, tfm_table_builder **table, tfm_error *error) {
    /* Without a vocabulary the file is one of Marian's own, whose ids are the numbers of its pieces. */
    json_t *numbers = m->vocabulary ? json_copy(m->vocabulary) : NULL;
    if (m->vocabulary && !numbers) return tfm_no_memory(error, "%s", m->folder.text);
    const tfm_path path = tfm_path_in(m->folder.text, name);
    return tfm_spm_pair_numbered_side(path.text, numbers, (int64_t)m->target_size, NULL, table, error);
}

static tfm_status write_tokenizers(void *state, tfm_writer *writer, const tfm_pack_options *options, tfm_error *error) {
    (void)options;
    const model *m = state;
    const char *name = m->vocabulary ? "source.spm" : "vocab.spm";
    tfm_table_builder *source = NULL, *target = NULL;
    if (!tfm_path_has(m->folder.text, name)) return TFM_OK;
    tfm_status status = make_side(m, name, &source, error);
    if (status == TFM_OK && m->vocabulary && tfm_path_has(m->folder.text, "target.spm"))
        status = make_side(m, "target.spm", &target, error);
    if (status == TFM_OK) status = tfm_spm_pair_write(writer, source, target, error);
    tfm_table_builder_free(&source);
    tfm_table_builder_free(&target);
    return status;
}

/* ---- format ---- */

static bool is_npz(const char *path, bool is_folder) {
    return !is_folder && tfm_path_ends_with(path, ".npz") && tfm_npz_file_is(path);
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
    json_decref(m->asked);
    json_decref(m->decoding);
    json_decref(m->vocabulary);
    free(m);
}

static tfm_status open_npz(tfm_checkpoint *checkpoint, const char *path, tfm_error *error) {
    model *m = calloc(1, sizeof *m);
    if (!m) return tfm_no_memory(error, "%s", path);
    checkpoint->reader = (tfm_checkpoint_reader){m, read_values, write_tokenizers, close_model};
    m->foreign = (tfm_foreign_model){.checkpoint = checkpoint, .path = checkpoint->path, .error = error};
    m->views = (tfm_array_views){.checkpoint = checkpoint, .state = m, .shape = array_shape, .read = read_array};
    m->folder = tfm_path_folder(path);
    checkpoint->config = json_object();
    checkpoint->generation_config = json_object();
    m->asked = json_object();
    if (!checkpoint->config || !checkpoint->generation_config || !m->asked) return tfm_no_memory(error, "%s", path);
    tfm_status status = tfm_npz_file_open(&m->file, path, error);
    if (status == TFM_OK) status = read_vocabulary(m, error);
    if (status == TFM_OK) status = read_decoding(m, error);
    if (status != TFM_OK) return status;
    read_model(m);
    m->foreign.error = NULL; /* it was of this call */
    return m->foreign.status;
}

const tfm_checkpoint_format tfm_npz_format = {
    .name = "marian npz",
    .what = "model of the Marian toolkit (model.npz)",
    .matches = is_npz,
    .open = open_npz,
};
