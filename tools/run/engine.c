/* engine.c - opens a model as the settings say, sizes its session, turns inputs into token ids. */
#include "engine.h"

#include <stdlib.h>
#include <string.h>

#include "../../format/model_file.h"
#include "analysis.h"

const char *tfm_engine_kind_name(tfm_kind kind) {
    switch (kind) {
    case TFM_KIND_ENCODER_DECODER: return "encoder-decoder";
    case TFM_KIND_ENCODER: return "encoder";
    case TFM_KIND_DECODER: return "decoder";
    case TFM_KIND_TOKENIZER: return "tokenizer";
    }
    return "unknown";
}

static tfm_status check_kind(const tfm_engine *engine, const char *path, bool ids, tfm_error *error) {
    if (engine->info.kind != TFM_KIND_ENCODER_DECODER && engine->info.kind != TFM_KIND_ENCODER)
        return tfm_fail(error, TFM_ERROR_STATE, "%s: holds a model of kind '%s'; tfmrun runs encoder-decoder models",
                        path, tfm_engine_kind_name(engine->info.kind));
    if (!engine->info.has_tokenizer && !ids)
        return tfm_fail(error, TFM_ERROR_STATE, "%s: has no tokenizer; with --ids it takes and gives token ids", path);
    return TFM_OK;
}

tfm_status tfm_engine_open(tfm_engine *engine, const char *path, const tfm_settings *settings, tfm_error *error) {
    *engine = (tfm_engine){0};
    tfm_status status = tfm_pool_create(&engine->pool, settings->threads, error);
    if (status != TFM_OK) return status;
    tfm_progress_bar bar = {.what = "verifying", .min_bytes = 256u << 20};
    tfm_model_params params = tfm_model_params_default();
    params.verify = settings->verify == TFM_CHOOSE_HEADER ? TFM_VERIFY_LAZY : TFM_VERIFY_ALL;
    params.isa = settings->isa;
    params.pool = engine->pool;
    params.progress = tfm_progress_show;
    params.progress_user = &bar;
    status = tfm_model_open(&engine->model, path, &params, error);
    tfm_progress_end(&bar);
    if (status != TFM_OK) return status;
    engine->info = tfm_model_get_info(engine->model);
    engine->max_source = engine->info.max_source;
    if (settings->max_source_length && settings->max_source_length < engine->max_source)
        engine->max_source = settings->max_source_length;
    return check_kind(engine, path, settings->ids, error);
}

void tfm_engine_close(tfm_engine *engine) {
    tfm_ids_free(&engine->prefix);
    tfm_session_free(&engine->session);
    tfm_model_close(&engine->model);
    tfm_pool_free(&engine->pool);
}

/* ---- session ------------------------------------------------------------------------------------------------ */

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }
static uint32_t most(uint32_t a, uint32_t b) { return a > b ? a : b; }

/* What a session must hold for these settings. */
static tfm_session_params session_sizes(const tfm_engine *engine, const tfm_settings *settings) {
    const tfm_generate_params *params = &engine->params;
    tfm_session_params sizes = tfm_session_params_default();
    sizes.pool = engine->pool;
    sizes.max_source = engine->max_source;
    sizes.kv_type = (tfm_kv_type)settings->kv_dtype;
    /* One input, and one step of all beams of one, must fit however small a batch was asked for. */
    sizes.max_batch_tokens = most(settings->batch_tokens, most(engine->max_source, params->num_beams));
    uint32_t sequences = engine->interactive ? 1 : least(sizes.max_sequences, settings->batch_tokens);
    sizes.max_sequences = most(sequences, params->num_beams);
    sizes.max_sources = most(1, sizes.max_sequences / params->num_beams);
    uint64_t target = params->max_new_tokens ? (uint64_t)params->max_new_tokens + 1 : params->max_length;
    if (target < engine->info.max_target && !engine->interactive) sizes.max_target = most(2, (uint32_t)target);
    return sizes;
}

static tfm_status make_session(tfm_engine *engine, const tfm_settings *settings, tfm_error *error) {
    tfm_session_params sizes = session_sizes(engine, settings);
    const tfm_session_params *have = &engine->sizes;
    if (engine->session && have->max_sequences >= sizes.max_sequences &&
        have->max_batch_tokens >= sizes.max_batch_tokens)
        return TFM_OK;
    tfm_session_free(&engine->session);
    engine->sizes = sizes;
    return tfm_session_create(&engine->session, engine->model, &sizes, error);
}

static tfm_status set_prefix(tfm_engine *engine, const tfm_settings *settings, tfm_error *error) {
    const tfm_decoding *decoding = &settings->decoding;
    const tfm_option *ids = tfm_options_find(&tfm_settings_table, "prefix-ids", 10);
    const tfm_option *text = tfm_options_find(&tfm_settings_table, "prefix", 6);
    engine->prefix.size = 0;
    if (settings->given[ids - tfm_settings_table.options] && decoding->prefix_ids.size) {
        if (tfm_push_ids(&engine->prefix, decoding->prefix_ids.data, decoding->prefix_ids.size)) return TFM_OK;
        return tfm_fail(error, TFM_ERROR_MEMORY, "--prefix-ids: out of memory");
    }
    if (!settings->given[text - tfm_settings_table.options] || !decoding->prefix) return TFM_OK;
    return tfm_tokenize(engine->model, TFM_TARGET, decoding->prefix, strlen(decoding->prefix), false, &engine->prefix,
                        error);
}

/* The start token and the prefix must leave room for a token. */
static tfm_status check_prefix(const tfm_engine *engine, tfm_error *error) {
    const tfm_generate_params *params = &engine->params;
    uint64_t room = params->max_new_tokens ? (uint64_t)params->max_new_tokens + 1 : params->max_length;
    if (engine->prefix.size + 1 < room) return TFM_OK;
    if (engine->prefix.size == 0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--max-length %u leaves no token after the start token",
                        params->max_length);
    return tfm_fail(error, TFM_ERROR_ARGUMENT,
                    "the prefix has %zu tokens, and the longest output %llu with the start token: no room is left",
                    engine->prefix.size, (unsigned long long)room);
}

tfm_status tfm_engine_configure(tfm_engine *engine, const tfm_settings *settings, tfm_error *error) {
    if (engine->info.kind == TFM_KIND_ENCODER) return tfm_analysis_configure(engine, settings, error);
    tfm_status status = tfm_analysis_check(engine, settings, error);
    if (status == TFM_OK) status = tfm_settings_params(settings, engine->model, &engine->params, error);
    if (status == TFM_OK) status = set_prefix(engine, settings, error);
    if (status == TFM_OK) status = check_prefix(engine, error);
    if (status == TFM_OK) status = make_session(engine, settings, error);
    return status;
}

/* ---- inputs ------------------------------------------------------------------------------------------------- */

static bool is_end_token(const tfm_engine *engine, int32_t id) {
    for (size_t i = 0; i < engine->params.n_eos_token_ids; i++)
        if (engine->params.eos_token_ids[i] == id) return true;
    return false;
}

/* Cuts to max_source tokens; keeps the n_last ones, which the model wants behind every input. */
static void cut(tfm_ids *ids, size_t n_last, size_t max_source) {
    if (n_last > max_source) n_last = max_source;
    memmove(ids->data + max_source - n_last, ids->data + ids->size - n_last, n_last * sizeof *ids->data);
    ids->size = max_source;
}

/* How many tokens at the end of ids the tokenizer added to the text's own. */
static tfm_status count_added(const tfm_engine *engine, const char *text, size_t n, const tfm_ids *ids, size_t *n_last,
                              tfm_error *error) {
    tfm_ids plain = {0};
    tfm_status status = tfm_tokenize(engine->model, TFM_SOURCE, text, n, false, &plain, error);
    *n_last = 0;
    if (status == TFM_OK && plain.size <= ids->size) {
        size_t added = ids->size - plain.size, before = 0;
        size_t bytes = plain.size * sizeof *plain.data;
        while (before < added && bytes && memcmp(ids->data + before, plain.data, bytes) != 0) before++;
        *n_last = added - before;
    }
    tfm_ids_free(&plain);
    return status;
}

static tfm_status limit_length(const tfm_engine *engine, const tfm_settings *settings, const char *text, size_t n,
                               tfm_ids *ids, tfm_error *error) {
    if (ids->size <= engine->max_source) return TFM_OK;
    if (!settings->truncate)
        return tfm_fail(error, TFM_ERROR_LIMIT, "the input has %zu tokens, %u at most are allowed; --truncate cuts it",
                        ids->size, engine->max_source);
    size_t n_last = 0;
    tfm_status status = TFM_OK;
    if (settings->ids)
        n_last = is_end_token(engine, ids->data[ids->size - 1]);
    else
        status = count_added(engine, text, n, ids, &n_last, error);
    if (status == TFM_OK) cut(ids, n_last, engine->max_source);
    return status;
}

static bool is_blank(const char *text, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (text[i] != ' ' && (text[i] < '\t' || text[i] > '\r')) return false;
    return true;
}

tfm_status tfm_engine_input(const tfm_engine *engine, const tfm_settings *settings, const char *text, size_t n,
                            tfm_ids *ids, tfm_error *error) {
    ids->size = 0;
    if (is_blank(text, n)) return TFM_OK;
    tfm_status status;
    if (settings->ids)
        status = tfm_parse_ids("the input", text, n, (int64_t)engine->info.source_vocab_size - 1, ids, error);
    else
        status = tfm_tokenize(engine->model, TFM_SOURCE, text, n, true, ids, error);
    if (status == TFM_OK) status = limit_length(engine, settings, text, n, ids, error);
    return status;
}
