/* ct2.c - CTranslate2 model folders as a checkpoint format: model.bin, config.json, vocabularies. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ct2_model.h"
#include "tools/pack/checkpoint/hf_folder.h"
#include "tools/pack/common/json_file.h"
#include "tools/pack/config/keys.h"
#include "tools/pack/foreign/foreign_formats.h"

/* A folder that has the weights of a Hugging Face folder too is one. */
static bool is_ct2(const char *path, bool is_folder) {
    if (!is_folder) return tfm_ct2_file_is(path);
    return !tfm_hf_folder_has_weights(path) && tfm_ct2_file_is(tfm_path_in(path, "model.bin").text);
}

static tfm_status read_values(void *state, uint64_t key, uint64_t row0, uint64_t n_rows, float *rows,
                              tfm_error *error) {
    return tfm_array_views_read(&((tfm_ct2_model *)state)->views, key, row0, n_rows, rows, error);
}

static tfm_status write_tokenizers(void *state, tfm_writer *writer, const tfm_pack_options *options, tfm_error *error) {
    return tfm_ct2_write_tokenizers(state, writer, options, error);
}

static tfm_array_shape array_shape(void *state, uint32_t array) {
    const tfm_ct2_variable *v = &((tfm_ct2_model *)state)->file.variables[array];
    return (tfm_array_shape){v->shape[0], v->shape[1]};
}

static tfm_status read_array(void *state, uint32_t array, uint64_t row0, uint64_t n_rows, float *rows,
                             tfm_error *error) {
    return tfm_ct2_file_read(&((tfm_ct2_model *)state)->file, array, row0, n_rows, rows, error);
}

static void close_model(void *state) {
    tfm_ct2_model *m = state;
    tfm_ct2_file_close(&m->file);
    tfm_array_views_free(&m->views);
    json_decref(m->settings);
    json_decref(m->source_tokens);
    json_decref(m->target_tokens);
    free(m);
}

static tfm_status start(tfm_checkpoint *checkpoint, const char *path, tfm_ct2_model **model, tfm_error *error) {
    struct stat st;
    const bool is_folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    tfm_ct2_model *m = calloc(1, sizeof *m);
    if (!m) return tfm_no_memory(error, "%s", path);
    checkpoint->reader = (tfm_checkpoint_reader){m, read_values, write_tokenizers, close_model};
    *model = m;
    m->foreign = (tfm_foreign_model){.checkpoint = checkpoint, .path = path, .error = error};
    m->file.fd = -1;
    m->views = (tfm_array_views){.checkpoint = checkpoint, .state = m, .shape = array_shape, .read = read_array};
    m->folder = is_folder ? tfm_path_of(path) : tfm_path_folder(path);
    m->config = checkpoint->config = json_object();
    m->generation = checkpoint->generation_config = json_object();
    if (!m->config || !m->generation) return tfm_no_memory(error, "%s", path);
    tfm_status status = tfm_ct2_file_open(&m->file, is_folder ? tfm_path_in(path, "model.bin").text : path, error);
    if (status == TFM_OK) m->foreign.path = m->file.path;
    return status;
}

/* Their config.json is not there before version 6. */
static tfm_status read_settings(tfm_ct2_model *m, tfm_error *error) {
    const tfm_path path = tfm_path_in(m->folder.text, "config.json");
    const unsigned rules = TFM_JSON_OPTIONAL | TFM_JSON_OBJECT;
    tfm_status status = tfm_json_load(path.text, rules, &m->settings, error);
    if (status == TFM_OK && !m->settings && !(m->settings = json_object()))
        return tfm_no_memory(error, "%s", path.text);
    if (status == TFM_OK && json_integer_value(json_object_get(m->settings, "quantization_type")) != 0)
        status =
            tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: quantization_type: AWQ weights are not supported", path.text);
    return status;
}

/* Special tokens, which the model file has before version 6: variables of texts and flags, each with its default. What
 * a config.json beside such a file says stands where the file says nothing. */
static void read_old_settings(tfm_ct2_model *m) {
    static const char *const tokens[][2] = {{"unk_token", "<unk>"}, {"bos_token", "<s>"}, {"eos_token", "</s>"}};
    static const char *const flags[][2] = {{"add_source_bos", "with_source_bos"},
                                           {"add_source_eos", "with_source_eos"}};
    char text[TFM_CT2_NAME_MAX];
    for (size_t i = 0; i < 3; i++) {
        const char *beside = json_string_value(json_object_get(m->settings, tokens[i][0]));
        const char *token = tfm_ct2_text(m, beside ? beside : tokens[i][1], tokens[i][0], text, sizeof text);
        if (token != beside) tfm_foreign_set_string(&m->foreign, m->settings, tokens[i][0], token);
    }
    for (size_t i = 0; i < 2; i++) {
        const bool beside = json_is_true(json_object_get(m->settings, flags[i][0]));
        tfm_foreign_set_bool(&m->foreign, m->settings, flags[i][0], tfm_ct2_flag(m, beside, flags[i][1]));
    }
    const bool by_user = tfm_ct2_flag(m, false, "user_decoder_start_tokens");
    const bool is_bos = tfm_ct2_flag(m, true, "with_target_bos");
    const json_t *start = json_object_get(m->settings, is_bos ? "bos_token" : "eos_token");
    if (!json_object_get(m->settings, "decoder_start_token"))
        tfm_foreign_set(&m->foreign, m->settings, "decoder_start_token",
                        by_user ? json_null() : json_string(json_string_value(start)));
}

static bool is_seq2seq(const char *spec) {
    return !strcmp(spec, "TransformerSpec") || !strcmp(spec, "TransformerBase") || !strcmp(spec, "TransformerBig");
}

static void read_kind(tfm_ct2_model *m) {
    const char *spec = m->file.spec;
    if (m->file.version < 6) read_old_settings(m);
    if (is_seq2seq(spec) && tfm_ct2_has(m, "encoder/layer_0/self_attention/relative_attention_bias"))
        tfm_ct2_read_t5(m);
    else if (is_seq2seq(spec))
        tfm_ct2_read_seq2seq(m);
    else if (!strcmp(spec, "TransformerDecoderSpec"))
        tfm_ct2_read_decoder(m);
    else if (!strcmp(spec, "TransformerEncoderSpec"))
        tfm_ct2_read_encoder(m);
    else
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                         "models of kind '%s' are not supported; TransformerSpec, TransformerDecoderSpec and "
                         "TransformerEncoderSpec are",
                         spec);
    tfm_ct2_finish(m);
}

/* Who adds a token where the tokenizer beside the model is one of a Hugging Face folder: it has rules of its own. */
static void note_frame(tfm_ct2_model *m) {
    if (!tfm_path_has(m->folder.text, "tokenizer.json") && !tfm_path_has(m->folder.text, "vocab.json")) return;
    if (json_is_true(json_object_get(m->settings, "add_source_bos")) ||
        json_is_true(json_object_get(m->settings, "add_source_eos")))
        tfm_foreign_note(&m->foreign,
                         "add_source_bos and add_source_eos are not obeyed: what stands around an input is "
                         "as the tokenizer beside the model says");
}

/* What is done about each key of their config.json (python/ctranslate2/specs/model_spec.py and transformer_spec.py). */
static const tfm_key config_keys[] = {
    {"unk_token", TFM_KEY_HARMLESS, NULL, NULL}, /* the first seven and the last of these are obeyed here */
    {"bos_token", TFM_KEY_HARMLESS, NULL, NULL},
    {"eos_token", TFM_KEY_HARMLESS, NULL, NULL},
    {"decoder_start_token", TFM_KEY_HARMLESS, NULL, NULL},
    {"add_source_bos", TFM_KEY_HARMLESS, NULL, NULL},
    {"add_source_eos", TFM_KEY_HARMLESS, NULL, NULL},
    {"layer_norm_epsilon", TFM_KEY_HARMLESS, NULL, NULL},
    {"multi_query_attention", TFM_KEY_HARMLESS, NULL, NULL}, /* the shapes of weights say it too */
    {"quantization_bits", TFM_KEY_HARMLESS, NULL, NULL},     /* of AWQ, as the next */
    {"quantization_group_size", TFM_KEY_HARMLESS, NULL, NULL},
    {"alignment_heads", TFM_KEY_HARMLESS, NULL, NULL},
    {"suppress_ids", TFM_KEY_LEFT_OUT, NULL, NULL},
    {"suppress_ids_begin", TFM_KEY_LEFT_OUT, NULL, NULL},
    {"quantization_type", TFM_KEY_HARMLESS, NULL, NULL},
};

static void check_keys(tfm_ct2_model *m) {
    const tfm_key_table table = {config_keys, sizeof config_keys / sizeof *config_keys, NULL};
    tfm_foreign_check_keys(&m->foreign, &table, m->folder.text, "config.json", m->settings, NULL);
}

static tfm_status open_ct2(tfm_checkpoint *checkpoint, const char *path, tfm_error *error) {
    tfm_ct2_model *m = NULL;
    tfm_status status = start(checkpoint, path, &m, error);
    if (status == TFM_OK) status = read_settings(m, error);
    if (status == TFM_OK) status = tfm_ct2_read_vocabularies(m, error);
    if (status != TFM_OK) return status;
    read_kind(m);
    note_frame(m);
    check_keys(m);
    m->foreign.error = NULL; /* it was of this call */
    return m->foreign.status;
}

const tfm_checkpoint_format tfm_ct2_format = {
    .name = "ctranslate2",
    .what = "CTranslate2 model folder (model.bin of versions 2 to 6)",
    .matches = is_ct2,
    .open = open_ct2,
};
