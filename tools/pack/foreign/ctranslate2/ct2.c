/* ct2.c - CTranslate2 model folders as a checkpoint format: model.bin, config.json, vocabularies. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ct2_model.h"
#include "tools/pack/checkpoint/hf_folder.h"
#include "tools/pack/common/json_file.h"
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
    if (status == TFM_OK && json_integer_value(json_object_get(m->settings, "quantization_type")) != 0)
        status =
            tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: quantization_type: AWQ weights are not supported", path.text);
    return status;
}

static void read_kind(tfm_ct2_model *m) {
    const char *spec = m->file.spec;
    if (!strcmp(spec, "TransformerSpec") && tfm_ct2_has(m, "encoder/layer_0/self_attention/relative_attention_bias"))
        tfm_ct2_read_t5(m);
    else if (!strcmp(spec, "TransformerSpec"))
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

static tfm_status open_ct2(tfm_checkpoint *checkpoint, const char *path, tfm_error *error) {
    tfm_ct2_model *m = NULL;
    tfm_status status = start(checkpoint, path, &m, error);
    if (status == TFM_OK) status = read_settings(m, error);
    if (status == TFM_OK) status = tfm_ct2_read_vocabularies(m, error);
    if (status != TFM_OK) return status;
    read_kind(m);
    m->foreign.error = NULL; /* it was of this call */
    return m->foreign.status;
}

const tfm_checkpoint_format tfm_ct2_format = {
    .name = "ctranslate2",
    .what = "CTranslate2 model folder (model.bin of versions 3 to 6)",
    .matches = is_ct2,
    .open = open_ct2,
};
