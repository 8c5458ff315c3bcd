/* model_text.c - text to ids and back by a model's tokenizers, conversations to text by its chat template. */
#include "model.h"

const tfm_tokenizer *tfm_model_tokenizer(const tfm_model *model, tfm_side side) {
    return side == TFM_TARGET && model->target_tokenizer ? model->target_tokenizer : model->tokenizer;
}

static bool is_side(tfm_side side) { return side == TFM_SOURCE || side == TFM_TARGET; }

tfm_status tfm_model_need_tokenizer(const tfm_model *model, tfm_side side, const tfm_tokenizer **out,
                                    tfm_error *error) {
    *out = NULL;
    if (!is_side(side)) return tfm_fail(error, TFM_ERROR_ARGUMENT, "side is %d, which is none of tfm_side", (int)side);
    *out = tfm_model_tokenizer(model, side);
    if (*out) return TFM_OK;
    return tfm_fail(error, TFM_ERROR_STATE,
                    "%s has no tokenizer: give token ids instead of text, or pack it from a "
                    "folder with tokenizer files",
                    tfm_file_path(model->file));
}

tfm_status tfm_tokenize(const tfm_model *model, tfm_side side, const char *text, size_t n, bool special, tfm_ids *ids,
                        tfm_error *error) {
    const tfm_tokenizer *tokenizer;
    tfm_status status = tfm_model_need_tokenizer(model, side, &tokenizer, error);
    return status != TFM_OK ? status : tfm_tokenizer_encode(tokenizer, text, n, special, ids, error);
}

tfm_status tfm_tokenize_pair(const tfm_model *model, const char *a, size_t n_a, const char *b, size_t n_b, bool special,
                             tfm_ids *ids, tfm_ids *types, tfm_error *error) {
    const tfm_tokenizer *tokenizer;
    tfm_status status = tfm_model_need_tokenizer(model, TFM_SOURCE, &tokenizer, error);
    return status != TFM_OK ? status : tfm_tokenizer_encode_pair(tokenizer, a, n_a, b, n_b, special, ids, types, error);
}

tfm_status tfm_detokenize(const tfm_model *model, tfm_side side, const int32_t *ids, size_t n, bool skip_special,
                          tfm_text *text, tfm_error *error) {
    const tfm_tokenizer *tokenizer;
    tfm_status status = tfm_model_need_tokenizer(model, side, &tokenizer, error);
    return status != TFM_OK ? status : tfm_tokenizer_decode(tokenizer, ids, n, skip_special, text, error);
}

const char *tfm_token_piece(const tfm_model *model, tfm_side side, int32_t id, size_t *n) {
    const tfm_tokenizer *tokenizer = is_side(side) ? tfm_model_tokenizer(model, side) : NULL;
    return tokenizer ? tfm_tokenizer_piece(tokenizer, id, n) : NULL;
}

int32_t tfm_token_id(const tfm_model *model, tfm_side side, const char *piece, size_t n) {
    const tfm_tokenizer *tokenizer = is_side(side) ? tfm_model_tokenizer(model, side) : NULL;
    return tokenizer && (piece || n == 0) ? tfm_tokenizer_id(tokenizer, piece, n) : -1;
}

tfm_status tfm_special_counts(const tfm_model *model, tfm_side side, size_t *before, size_t *after, tfm_error *error) {
    const tfm_tokenizer *tokenizer;
    tfm_special_split split = {0};
    tfm_status status = tfm_model_need_tokenizer(model, side, &tokenizer, error);
    if (status == TFM_OK) tfm_tokenizer_special_counts(tokenizer, false, &split);
    *before = split.before;
    *after = split.after;
    return status;
}

tfm_status tfm_chat_render(const tfm_model *model, const tfm_message *messages, size_t n, const tfm_chat_params *params,
                           tfm_text *text, tfm_error *error) {
    if (!model->chat)
        return tfm_fail(error, TFM_ERROR_STATE,
                        "%s has no chat template: pack it from a checkpoint that has one, or with --chat-template",
                        tfm_file_path(model->file));
    return tfm_chat_apply_template(model->chat, model->chat_tokens, model->n_chat_tokens, messages, n, params, text,
                                   error);
}
