/* embed_text.c - tfm_embed_text: embeddings of texts. */
#include <stdlib.h>
#include <string.h>

#include "params.h"
#include "runtime/exec/session.h"
#include "runtime/model/model.h"

typedef struct embedder {
    const tfm_session *session;
    const char *const *texts;
    const size_t *sizes;
    size_t n;
    const char *prompt; /* before each text; NULL: none */
    tfm_text prompted;  /* a text with it */
    tfm_error *errors;  /* (n) of texts; NULL: the first is the call's */
    tfm_error *error;
    tfm_ids ids;           /* of all texts, one after the other */
    tfm_example *examples; /* (n_examples) of those that can be run */
    size_t *begins;        /* (n_examples) in ids */
    size_t n_examples;
} embedder;

static tfm_status tokenize(embedder *e, size_t i, tfm_error *error) {
    size_t begin = e->ids.size, most = e->session->params.max_source;
    if (!e->texts[i]) return tfm_fail(error, TFM_ERROR_ARGUMENT, "there is no text: it is NULL");
    const char *text = e->texts[i];
    size_t n_bytes = e->sizes ? e->sizes[i] : strlen(text);
    if (e->prompt) {
        e->prompted.size = 0;
        if (!tfm_text_append(&e->prompted, e->prompt, strlen(e->prompt)) ||
            !tfm_text_append(&e->prompted, text, n_bytes))
            return tfm_no_memory(error, "a text of %zu bytes", n_bytes);
        text = e->prompted.data;
        n_bytes = e->prompted.size;
    }
    tfm_status status = tfm_tokenize(e->session->model, TFM_SOURCE, text, n_bytes, true, &e->ids, error);
    size_t n = e->ids.size - begin;
    if (status == TFM_OK && (n == 0 || n > most))
        status = tfm_fail(error, TFM_ERROR_LIMIT, "the text has %zu tokens; allowed are 1 to %zu", n, most);
    return status;
}

/* Makes examples of the texts. One that cannot be run gets its error; without `errors` it is the call's. */
static tfm_status prepare(embedder *e, float *embeddings) {
    size_t d_model = e->session->model->arch.d_model;
    for (size_t i = 0; i < e->n; i++) {
        tfm_error own = {0};
        size_t begin = e->ids.size;
        tfm_status status = tokenize(e, i, &own);
        if (e->errors) e->errors[i] = own;
        if (status == TFM_OK) {
            e->begins[e->n_examples] = begin;
            e->examples[e->n_examples++] =
                (tfm_example){.n = e->ids.size - begin, .embedding = embeddings + i * d_model};
        } else if (!e->errors || status == TFM_ERROR_MEMORY) {
            return tfm_fail(e->error, status, "text %zu: %s", i, own.message);
        } else {
            e->ids.size = begin;
        }
    }
    for (size_t i = 0; i < e->n_examples; i++) e->examples[i].ids = e->ids.data + e->begins[i];
    return TFM_OK;
}

tfm_status tfm_embed_text(tfm_session *session, const char *const *texts, const size_t *sizes, size_t n,
                          const tfm_embed_params *params, float *embeddings, tfm_error *errors, tfm_error *error) {
    const tfm_tokenizer *tokenizer;
    tfm_status status = tfm_model_need_tokenizer(session->model, TFM_SOURCE, &tokenizer, error);
    if (status != TFM_OK) return status;
    if (n > 0 && (!texts || !embeddings))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s is NULL", texts ? "embeddings" : "texts");
    tfm_embed_params own = tfm_embed_params_default(session->model);
    if (params) status = tfm_params_take(&own, sizeof own, params, "tfm_embed_params", error);
    if (status != TFM_OK) return status;
    embedder e = {.session = session,
                  .texts = texts,
                  .sizes = sizes,
                  .n = n,
                  .prompt = own.prompt,
                  .errors = errors,
                  .error = error};
    e.examples = calloc(n ? n : 1, sizeof *e.examples);
    e.begins = calloc(n ? n : 1, sizeof *e.begins);
    status = e.examples && e.begins ? prepare(&e, embeddings) : tfm_no_memory(error, "%zu texts", n);
    if (status == TFM_OK) status = tfm_analyze(session, e.examples, e.n_examples, params, NULL, error);
    free(e.examples);
    free(e.begins);
    tfm_ids_free(&e.ids);
    tfm_text_free(&e.prompted);
    return status;
}
