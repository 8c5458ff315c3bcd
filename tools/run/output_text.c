/* output_text.c - see output_text.h. */
#include "output_text.h"

#include <stdlib.h>

#include "runtime/tfm.h"

static bool replaces(const tfm_output_text *o) { return o->engine->params.replace_unknowns && o->input.text; }

/* What goes on with a text is read as its continuation; an answer stands for itself. */
static tfm_status start(tfm_output_text *o, const tfm_engine *engine, const tfm_settings *settings,
                        const tfm_output_input *input, tfm_error *error) {
    const tfm_decoding *decoding = &settings->decoding;
    o->engine = engine;
    o->input = *input;
    tfm_status status = tfm_detokenizer_create(&o->detokenizer, engine->model, TFM_TARGET, true, error);
    if (status == TFM_OK)
        status = tfm_detokenizer_set_stop_strings(o->detokenizer, (const char *const *)decoding->stops,
                                                  decoding->n_stops, error);
    if (status == TFM_OK && tfm_engine_continues(engine) && !engine->chat)
        status = tfm_detokenizer_continue(o->detokenizer, input->ids->data, input->ids->size, error);
    /* A prefix that outputs are only drawn to comes, or does not, like the rest. */
    if (status != TFM_OK || engine->params.prefix_bias_beta > 0 || replaces(o)) return status;
    return tfm_output_text_push(o, engine->prefix.data, engine->prefix.size, error);
}

tfm_status tfm_output_texts_start(tfm_output_text **texts, const tfm_engine *engine, const tfm_settings *settings,
                                  const tfm_output_input *input, tfm_error *error) {
    size_t n = engine->params.num_return_sequences;
    *texts = calloc(n, sizeof **texts);
    if (!*texts) return tfm_no_memory(error, "%zu outputs", n);
    tfm_status status = TFM_OK;
    for (size_t i = 0; i < n && status == TFM_OK; i++) status = start(&(*texts)[i], engine, settings, input, error);
    return status;
}

void tfm_output_texts_free(tfm_output_text **texts, const tfm_engine *engine) {
    for (size_t i = 0; *texts && i < engine->params.num_return_sequences; i++) {
        tfm_detokenizer_free(&(*texts)[i].detokenizer);
        tfm_text_free(&(*texts)[i].text);
    }
    free(*texts);
    *texts = NULL;
}

tfm_status tfm_output_text_push(tfm_output_text *o, const int32_t *ids, size_t n, tfm_error *error) {
    tfm_status status = tfm_detokenizer_push(o->detokenizer, ids, n, &o->text, error);
    if (status != TFM_OK) return status;
    o->n_ids += n;
    o->stopped = tfm_detokenizer_stop_string(o->detokenizer);
    return TFM_OK;
}

tfm_status tfm_output_text_finish(tfm_output_text *o, const tfm_hypothesis *hypothesis, tfm_error *error) {
    tfm_status status = TFM_OK;
    if (hypothesis && replaces(o))
        return tfm_replace_unknowns(o->engine->model, o->input.text, o->input.n, o->input.ids->data, o->input.ids->size,
                                    hypothesis, &o->text, error);
    if (hypothesis && hypothesis->n > o->n_ids)
        status = tfm_output_text_push(o, hypothesis->ids + o->n_ids, hypothesis->n - o->n_ids, error);
    if (status == TFM_OK) status = tfm_detokenizer_finish(o->detokenizer, &o->text, error);
    if (status == TFM_OK) o->stopped |= tfm_detokenizer_stop_string(o->detokenizer) != NULL;
    return status;
}
