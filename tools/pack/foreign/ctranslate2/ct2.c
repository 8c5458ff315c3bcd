/* ct2.c - CTranslate2 model folders as a form of checkpoint: model.bin, config.json, vocabularies. */
#include "ct2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ct2_model.h"

/* What a Hugging Face folder has; it goes first. */
static const char *const other_weights[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                            "pytorch_model.bin.index.json"};

static bool is_ct2(const char *path, bool is_folder) {
    if (!is_folder) return tfm_ct2_file_is(path);
    for (size_t i = 0; i < sizeof other_weights / sizeof *other_weights; i++)
        if (access(tfm_ct2_in_folder(path, other_weights[i]).text, F_OK) == 0) return false;
    return tfm_ct2_file_is(tfm_ct2_in_folder(path, "model.bin").text);
}

static tfm_status read_values(void *state, uint64_t key, uint64_t row0, uint64_t n_rows, float *rows,
                              tfm_error *error) {
    return tfm_array_views_read(&((tfm_ct2_model *)state)->views, key, row0, n_rows, rows, error);
}

static tfm_status write_tokenizers(void *state, tfm_writer *writer, tfm_error *error) {
    return tfm_ct2_write_tokenizers(state, writer, error);
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
    free(m->folder);
    free(m);
}

static tfm_status start(tfm_checkpoint *checkpoint, const char *path, tfm_ct2_model **model, tfm_error *error) {
    struct stat st;
    const bool is_folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    const char *slash = strrchr(path, '/');
    tfm_ct2_model *m = calloc(1, sizeof *m);
    if (!m) return tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", path);
    checkpoint->provider = (tfm_provider){m, read_values, write_tokenizers, close_model};
    *model = m;
    m->checkpoint = checkpoint;
    m->error = error;
    m->file.fd = -1;
    m->views = (tfm_array_views){.checkpoint = checkpoint, .state = m, .shape = array_shape, .read = read_array};
    m->folder = is_folder ? strdup(path)
                : !slash  ? strdup(".")
                          : strndup(path, slash == path ? 1 : (size_t)(slash - path));
    m->config = checkpoint->config = json_object();
    m->generation = checkpoint->generation_config = json_object();
    if (!m->folder || !m->config || !m->generation) return tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", path);
    if (strlen(m->folder) > PATH_MAX) return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: the path is too long", path);
    return tfm_ct2_file_open(&m->file, is_folder ? tfm_ct2_in_folder(path, "model.bin").text : path, error);
}

/* Their config.json is not there before version 6. */
static tfm_status read_settings(tfm_ct2_model *m, tfm_error *error) {
    const tfm_ct2_path path = tfm_ct2_in_folder(m->folder, "config.json");
    json_error_t problem;
    struct stat st;
    if (stat(path.text, &st) != 0 && errno == ENOENT) {
        m->settings = json_object();
        return m->settings ? TFM_OK : tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", m->folder);
    }
    m->settings = json_load_file(path.text, JSON_REJECT_DUPLICATES, &problem);
    if (!m->settings)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: line %d: %s", path.text, problem.line, problem.text);
    if (!json_is_object(m->settings)) return tfm_fail(error, TFM_ERROR_FORMAT, "%s: not a JSON object", path.text);
    if (json_integer_value(json_object_get(m->settings, "quantization_type")) != 0)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: quantization_type: AWQ weights are not supported",
                        path.text);
    return TFM_OK;
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
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED,
                     "models of kind '%s' are not supported; TransformerSpec, TransformerDecoderSpec and "
                     "TransformerEncoderSpec are",
                     spec);
    if (m->status == TFM_OK) tfm_ct2_finish(m);
}

static tfm_status open_ct2(tfm_checkpoint *checkpoint, const char *path, tfm_error *error) {
    tfm_ct2_model *m = NULL;
    tfm_status status = start(checkpoint, path, &m, error);
    if (status == TFM_OK) status = read_settings(m, error);
    if (status == TFM_OK) status = tfm_ct2_read_vocabularies(m, error);
    if (status != TFM_OK) return status;
    read_kind(m);
    m->error = NULL; /* it was of this call */
    return m->status;
}

const tfm_checkpoint_format tfm_ct2_format = {
    .name = "ctranslate2",
    .what = "CTranslate2 model folder (model.bin of versions 3 to 6)",
    .is = is_ct2,
    .open = open_ct2,
};
