/* model_info.c - what a program may ask of a model: facts, metadata, and the settings packed with it. */
#include <string.h>

#include "model.h"
#include "runtime/params.h"
#include "simd/isa.h"

void tfm_model_info_read(const tfm_model *model, tfm_model_info *info, size_t size) {
    const tfm_architecture *arch = &model->arch;
    const tfm_stack_options *source = arch->has_encoder ? &arch->encoder : &arch->decoder;
    const tfm_stack_options *target = arch->has_decoder ? &arch->decoder : &arch->encoder;
    const tfm_model_info own = {
        .kind = arch->kind,
        .isa = tfm_isa_name(model->kernels->isa),
        .family = arch->family,
        .file_bytes = tfm_file_length(model->file),
        .n_parameters = tfm_weights_count(model->file),
        .d_model = arch->d_model,
        .encoder_layers = arch->has_encoder ? arch->encoder.n_layers : 0,
        .decoder_layers = arch->has_decoder ? arch->decoder.n_layers : 0,
        .source_vocab_size = source->vocab_size,
        .target_vocab_size = target->vocab_size,
        .max_source = source->max_positions,
        .max_target = arch->has_decoder ? arch->decoder.max_positions : 0,
        .has_tokenizer = model->tokenizer != NULL,
        .has_shortlist = model->shortlist.offsets != NULL,
        .has_chat_template = model->chat != NULL,
        .n_token_types = arch->has_encoder ? arch->encoder.token_types : 0,
        .head = (tfm_head)arch->head.kind,
        .n_outputs = arch->head.kind == TFM_HEAD_NONE ? 0 : (uint32_t)model->output.w.n,
        .score_function = (tfm_score_function)arch->head.function,
        .has_pooler = arch->head.pooler != 0,
        .hash = tfm_file_hash(model->file),
        .dtype = tfm_weights_dtype(model->file),
        .decoder_heads = arch->has_decoder ? arch->decoder.n_heads : 0,
    };
    memcpy(info, &own, size < sizeof own ? size : sizeof own);
    if (size > sizeof own) memset((char *)info + sizeof own, 0, size - sizeof own);
}

const char *tfm_model_label(const tfm_model *model, uint32_t i) {
    const tfm_value *labels = model->arch.head.labels;
    if (!labels || i >= labels->n) return NULL;
    const char *label = labels->data;
    while (i-- > 0) label += strlen(label) + 1;
    return label;
}

const char *tfm_model_prompt(const tfm_model *model, const char *name) {
    if (!name) name = model->arch.head.default_prompt;
    return name ? tfm_architecture_prompt(&model->arch, name) : NULL;
}

bool tfm_model_prompt_at(const tfm_model *model, size_t i, const char **name, const char **text) {
    const tfm_head_options *head = &model->arch.head;
    *name = *text = NULL;
    if (!head->prompt_names || i >= head->prompt_names->n) return false;
    *name = head->prompt_names->data;
    *text = head->prompt_texts->data;
    while (i-- > 0) {
        *name += strlen(*name) + 1;
        *text += strlen(*text) + 1;
    }
    return true;
}

const char *tfm_model_metadata(const tfm_model *model, const char *key) {
    return tfm_table_string(tfm_file_table(model->file, "metadata"), key, NULL);
}

bool tfm_model_metadata_at(const tfm_model *model, size_t i, const char **key, const char **value) {
    const tfm_table *table = tfm_file_table(model->file, "metadata");
    for (size_t at = 0; table && at < tfm_table_count(table); at++) {
        const tfm_value *entry = tfm_table_at(table, at);
        if (entry->type != TFM_VALUE_STRING || i-- > 0) continue;
        *key = entry->key;
        *value = entry->data;
        return true;
    }
    *key = *value = NULL;
    return false;
}

void tfm_embed_params_init(tfm_embed_params *params, size_t size, const tfm_model *model) {
    const tfm_head_options *head = &model->arch.head;
    const tfm_embed_params own = {.size = sizeof own,
                                  .pooling = (tfm_pooling)head->pooling,
                                  .normalize = head->normalize != 0,
                                  .prompt = tfm_model_prompt(model, NULL)};
    tfm_params_give(params, size, &own, sizeof own);
}

void tfm_generate_params_init(tfm_generate_params *params, size_t size, const tfm_model *model) {
    tfm_params_give(params, size, &model->defaults, sizeof model->defaults);
}
