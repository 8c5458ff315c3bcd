/* analysis_input.c - what an encoder-only model is asked, and inputs for it: texts, pairs of texts, ids, masks. */
#include <string.h>

#include "analysis_internal.h"
#include "runtime/tfm.h"
#include "tools/common/bytes.h"

/* ---- what is asked ---- */

/* The mask token of a vocabulary is one that its tokenizer finds whole in a text. */
static tfm_status find_mask(tfm_analysis *a, tfm_error *error) {
    static const char *const spellings[] = {"[MASK]", "<mask>"};
    tfm_status status = TFM_OK;
    if (tfm_settings_given(a->settings, "mask-id")) {
        a->mask_id = a->settings->analysis.mask_id;
        if (a->mask_id >= (int64_t)a->engine->info.source_vocab_size)
            status = tfm_fail(error, TFM_ERROR_ARGUMENT, "--mask-id: the model has no token %d; its ids are 0 to %u",
                              a->mask_id, a->engine->info.source_vocab_size - 1);
        return status;
    }
    tfm_ids ids = {0};
    for (size_t i = 0; status == TFM_OK && a->mask_id < 0 && a->engine->info.has_tokenizer && i < 2; i++) {
        size_t n = strlen(spellings[i]), length = 0;
        ids.size = 0;
        status = tfm_tokenize(a->engine->model, TFM_SOURCE, spellings[i], n, false, &ids, error);
        if (status != TFM_OK || ids.size != 1) continue;
        const char *piece = tfm_token_piece(a->engine->model, TFM_SOURCE, ids.data[0], &length);
        if (!piece || length != n || memcmp(piece, spellings[i], n) != 0) continue;
        a->mask_id = ids.data[0];
        a->mask_text = spellings[i];
    }
    tfm_ids_free(&ids);
    if (status == TFM_OK && a->mask_id < 0)
        status = tfm_fail(error, TFM_ERROR_ARGUMENT, "--fill-mask: the mask token is not known; give --mask-id ID");
    return status;
}

/* The prompt asked for by name; an unknown name is answered with those that there are. */
static tfm_status find_prompt(tfm_analysis *a, tfm_error *error) {
    const char *wanted = a->settings->analysis.prompt, *name, *text;
    tfm_text names = {0};
    bool ok = true;
    if (!wanted) return TFM_OK;
    a->embed.prompt = wanted[0] ? tfm_model_prompt(a->engine->model, wanted) : NULL;
    if (!wanted[0] || a->embed.prompt) return TFM_OK;
    for (size_t i = 0; ok && tfm_model_prompt_at(a->engine->model, i, &name, &text); i++)
        ok = tfm_text_print(&names, "%s%s", i > 0 ? ", " : "", name);
    tfm_status status = !ok ? tfm_no_memory(error, "--prompt")
                        : names.size
                            ? tfm_fail(error, TFM_ERROR_ARGUMENT,
                                       "--prompt: the model has no prompt '%.60s'; it has: %s", wanted, names.data)
                            : tfm_fail(error, TFM_ERROR_ARGUMENT, "--prompt: the model was packed without prompts");
    tfm_text_free(&names);
    return status;
}

tfm_status tfm_analysis_open(tfm_analysis *a, tfm_engine *engine, const tfm_settings *settings, tfm_error *error) {
    *a = (tfm_analysis){.engine = engine, .settings = settings, .mask_id = -1};
    a->action = tfm_analysis_action(engine, settings);
    a->embed = tfm_embed_params_default(engine->model);
    if (tfm_settings_given(settings, "pooling")) a->embed.pooling = (tfm_pooling)settings->analysis.pooling;
    if (tfm_settings_given(settings, "normalize")) a->embed.normalize = settings->analysis.normalize;
    a->top = a->action == TFM_FILL_MASK || engine->interactive ? 5 : 1;
    a->all_classes = settings->json && !tfm_settings_given(settings, "top");
    if (tfm_settings_given(settings, "top")) a->top = settings->analysis.top;
    tfm_status status = find_prompt(a, error);
    if (status == TFM_OK && engine->info.has_tokenizer)
        status = tfm_tokenize(engine->model, TFM_SOURCE, "", 0, true, &a->around, error);
    if (status == TFM_OK && a->action == TFM_FILL_MASK) status = find_mask(a, error);
    return status;
}

void tfm_analysis_close(tfm_analysis *a) { tfm_ids_free(&a->around); }

/* ---- inputs ---- */

/* Two texts, a tab between them; ids: the second one's get type 1. */
static tfm_status read_pair(const tfm_analysis *a, const char *text, size_t n, size_t tab, tfm_analysis_input *input,
                            tfm_error *error) {
    const tfm_model_info *info = &a->engine->info;
    const char *second = text + tab + 1;
    size_t n_second = n - tab - 1;
    if (memchr(second, '\t', n_second))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "a pair is two texts with one tab between them; here are more tabs");
    tfm_status status;
    if (a->settings->ids) {
        const int32_t types[] = {0, 1};
        status = tfm_engine_tokens(a->engine, text, tab, &input->ids, error);
        size_t n_first = input->ids.size;
        if (status == TFM_OK) status = tfm_engine_tokens(a->engine, second, n_second, &input->ids, error);
        for (size_t i = 0; status == TFM_OK && i < input->ids.size; i++)
            if (!tfm_ids_append(&input->types, &types[i >= n_first], 1)) status = tfm_no_memory(error, "input");
    } else {
        status =
            tfm_tokenize_pair(a->engine->model, text, tab, second, n_second, true, &input->ids, &input->types, error);
    }
    if (info->n_token_types < 2) input->types.size = 0; /* the model makes no difference */
    if (status == TFM_OK && input->ids.size > a->engine->max_source)
        status = tfm_fail(error, TFM_ERROR_LIMIT, "the pair has %zu tokens, %u at most are allowed", input->ids.size,
                          a->engine->max_source);
    return status;
}

static tfm_status find_masks(const tfm_analysis *a, tfm_analysis_input *input, tfm_error *error) {
    for (size_t i = 0; i < input->ids.size; i++) {
        int32_t position = (int32_t)i;
        if (input->ids.data[i] == a->mask_id && !tfm_ids_append(&input->masks, &position, 1))
            return tfm_no_memory(error, "input");
    }
    if (input->masks.size) return TFM_OK;
    if (a->settings->ids || !a->mask_text)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "there is no mask token in the input; its id is %d", a->mask_id);
    return tfm_fail(error, TFM_ERROR_ARGUMENT, "there is no mask token in the text; write %s where a word is missing",
                    a->mask_text);
}

/* The ids of a text alone, behind the prompt where there is one. */
static tfm_status read_text(const tfm_analysis *a, const char *text, size_t n, tfm_ids *ids, tfm_error *error) {
    const char *prompt = a->settings->ids ? NULL : a->embed.prompt;
    tfm_text whole = {0};
    tfm_status status = TFM_OK;
    if (!prompt || (a->action != TFM_EMBED && a->action != TFM_SIMILARITY))
        return tfm_engine_input(a->engine, a->settings, text, n, ids, error);
    if (!tfm_text_append(&whole, prompt, strlen(prompt)) || !tfm_text_append(&whole, text, n))
        status = tfm_no_memory(error, "a text of %zu bytes", n);
    if (status == TFM_OK) status = tfm_engine_input(a->engine, a->settings, whole.data, whole.size, ids, error);
    tfm_text_free(&whole);
    return status;
}

tfm_status tfm_analysis_read(const tfm_analysis *a, const char *text, size_t n, tfm_analysis_input *input,
                             tfm_error *error) {
    input->ids.size = input->types.size = input->masks.size = 0;
    bool pairs = a->action == TFM_CLASSIFY || (a->settings->ids && a->action != TFM_SIMILARITY);
    const char *tab = pairs ? memchr(text, '\t', n) : NULL;
    tfm_status status = TFM_OK;
    if (tab)
        status = read_pair(a, text, n, (size_t)(tab - text), input, error);
    else
        status = read_text(a, text, n, &input->ids, error);
    /* A text of nothing has its vector and its class too. */
    if (status == TFM_OK && !tab && !input->ids.size && !a->settings->ids)
        status = tfm_tokenize(a->engine->model, TFM_SOURCE, text, n, true, &input->ids, error);
    if (status == TFM_OK && !input->ids.size)
        status = tfm_fail(error, TFM_ERROR_ARGUMENT, "there are no tokens in the input");
    if (status == TFM_OK && a->action == TFM_FILL_MASK) status = find_masks(a, input, error);
    return status;
}

void tfm_analysis_input_free(tfm_analysis_input *input) {
    tfm_ids_free(&input->ids);
    tfm_ids_free(&input->types);
    tfm_ids_free(&input->masks);
}

size_t tfm_analysis_result_size(const tfm_analysis *a, const tfm_analysis_input *input) {
    const tfm_model_info *info = &a->engine->info;
    if (a->action == TFM_EMBED || a->action == TFM_SIMILARITY) return info->d_model;
    if (a->action == TFM_FILL_MASK) return input->masks.size * info->n_outputs;
    return info->head == TFM_HEAD_SEQUENCE ? info->n_outputs : input->ids.size * info->n_outputs;
}

tfm_example tfm_analysis_example(const tfm_analysis *a, const tfm_analysis_input *input, float *result) {
    tfm_example e = {.ids = input->ids.data, .n = input->ids.size};
    if (input->types.size) e.token_types = input->types.data;
    if (a->action == TFM_EMBED || a->action == TFM_SIMILARITY)
        e.embedding = result;
    else
        e.scores = result;
    if (a->action == TFM_FILL_MASK) {
        e.score_tokens = (const uint32_t *)input->masks.data;
        e.n_score_tokens = input->masks.size;
    }
    return e;
}
