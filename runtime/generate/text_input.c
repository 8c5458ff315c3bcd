/* text_input.c - see text_input.h. */
#include "text_input.h"

#include "runtime/model/model.h"
#include "runtime/params.h"

/* A conversation's special tokens are in the text that its template makes. */
static tfm_status tokenize_conversation(const tfm_model *model, const tfm_text_input *input, tfm_ids *ids,
                                        tfm_error *error) {
    tfm_text text = {0};
    size_t before = ids->size;
    tfm_status status = tfm_chat_render(model, input->messages, input->n_messages, input->chat_params, &text, error);
    if (status == TFM_OK)
        status = tfm_tokenize(model, TFM_SOURCE, text.data ? text.data : "", text.size, false, ids, error);
    tfm_text_free(&text);
    if (status == TFM_OK && ids->size == before)
        status = tfm_fail(error, TFM_ERROR_ARGUMENT, "the chat template makes nothing of the conversation");
    return status;
}

/* A text with nothing in it still needs a token to go on with. */
static tfm_status start_somewhere(const tfm_model *model, int32_t bos, tfm_ids *ids, tfm_error *error) {
    if (model->arch.has_encoder) return TFM_OK;
    if (bos < 0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "an empty prompt needs a start token, and the model names none");
    return tfm_ids_append(ids, &bos, 1) ? TFM_OK : tfm_no_memory(error, "token ids");
}

static tfm_status tokenize(const tfm_model *model, const tfm_text_input *input, const tfm_generate_params *params,
                           tfm_ids *ids, tfm_ids *prefix, tfm_error *error) {
    size_t before = ids->size;
    tfm_status status = tfm_params_check_reserved(input->reserved, "tfm_text_input", error);
    if (status != TFM_OK) return status;
    if (!input->text == !input->messages)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "an input is either a text or messages: one of them must be NULL");
    if (!input->prefix && input->n_prefix > 0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "there is a prefix of %zu bytes at NULL", input->n_prefix);
    if (input->messages)
        status = tokenize_conversation(model, input, ids, error);
    else if (input->no_special)
        status = tfm_tokenize(model, TFM_SOURCE, input->text, input->n, false, ids, error);
    else
        status = tfm_tokenize_input(model, params, input->text, input->n, ids, error);
    if (status == TFM_OK && ids->size == before) status = start_somewhere(model, params->bos_token_id, ids, error);
    if (status == TFM_OK && input->prefix)
        status = tfm_tokenize(model, TFM_TARGET, input->prefix, input->n_prefix, false, prefix, error);
    return status;
}

tfm_status tfm_text_input_tokenize(const tfm_model *model, const tfm_text_input *input,
                                   const tfm_generate_params *params, tfm_ids *ids, tfm_ids *prefix, tfm_error *error) {
    size_t n_ids = ids->size, n_prefix = prefix->size;
    tfm_status status = tokenize(model, input, params, ids, prefix, error);
    if (status == TFM_OK) return TFM_OK;
    ids->size = n_ids;
    prefix->size = n_prefix;
    return status;
}
