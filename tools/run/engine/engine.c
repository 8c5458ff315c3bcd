/* engine.c - opens a model as the settings say, sizes its session, turns inputs into token ids. */
#include "engine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "analysis_check.h"
#include "runtime/tfm.h"

enum { SYSTEM_BYTES = 16 << 20, NEW_TOKENS = 256, STANDARD_LENGTH = 20 };

const char *tfm_engine_kind_name(tfm_kind kind) {
    switch (kind) {
    case TFM_KIND_ENCODER_DECODER: return "encoder-decoder";
    case TFM_KIND_ENCODER: return "encoder";
    case TFM_KIND_DECODER: return "decoder";
    case TFM_KIND_TOKENIZER: return "tokenizer";
    }
    return "unknown";
}

bool tfm_engine_continues(const tfm_engine *engine) { return engine->info.kind == TFM_KIND_DECODER; }

static tfm_status check_kind(const tfm_engine *engine, const char *path, bool ids, tfm_error *error) {
    if (engine->info.kind == TFM_KIND_TOKENIZER)
        return tfm_fail(error, TFM_ERROR_STATE, "%s: holds a tokenizer only; there is nothing to run", path);
    if (!engine->info.has_tokenizer && !ids)
        return tfm_fail(error, TFM_ERROR_STATE, "%s: has no tokenizer; with --ids it takes and gives token ids", path);
    return TFM_OK;
}

/* ---- conversations ---- */

static tfm_status refuse_for_encoders(const tfm_settings *settings, tfm_error *error) {
    static const char *const names[] = {"chat", "completion", "system", "system-file", "echo"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (tfm_settings_given(settings, names[i]))
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "--%s is for decoder-only models; this one has an encoder",
                            names[i]);
    return TFM_OK;
}

static tfm_status read_system(tfm_engine *engine, const tfm_settings *settings, tfm_error *error) {
    if (settings->system_file) {
        tfm_status status = tfm_read_file(settings->system_file, SYSTEM_BYTES, &engine->system, error);
        if (status == TFM_OK && engine->system.size && engine->system.data[engine->system.size - 1] == '\n')
            engine->system.size--;
        return status;
    }
    if (!settings->system || tfm_text_append(&engine->system, settings->system, strlen(settings->system)))
        return TFM_OK;
    return tfm_no_memory(error, "--system");
}

static tfm_status choose_chat(tfm_engine *engine, const tfm_settings *settings, tfm_error *error) {
    bool asked = settings->chat || settings->system || settings->system_file;
    bool template = engine->info.has_chat_template;
    if (!tfm_engine_continues(engine)) return refuse_for_encoders(settings, error);
    if (asked && (settings->completion || settings->ids || settings->echo))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--%s is not for conversations: leave it out, or %s",
                        settings->completion ? "completion"
                        : settings->ids      ? "ids"
                                             : "echo",
                        settings->chat ? "--chat" : "the system message");
    if (asked && !template)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "the model has no chat template, which conversations need; tfmpack --chat-template FILE packs "
                        "one");
    engine->chat = asked || (engine->interactive && template && !settings->completion);
    return read_system(engine, settings, error);
}

tfm_status tfm_engine_render(const tfm_engine *engine, const tfm_message *messages, size_t n, tfm_ids *ids,
                             tfm_error *error) {
    tfm_text text = {0};
    ids->size = 0;
    tfm_status status = tfm_chat_render(engine->model, messages, n, NULL, &text, error);
    /* The template has the special tokens in it. */
    if (status == TFM_OK)
        status = tfm_tokenize(engine->model, TFM_SOURCE, text.data ? text.data : "", text.size, false, ids, error);
    tfm_text_free(&text);
    if (status == TFM_OK && ids->size == 0)
        status = tfm_fail(error, TFM_ERROR_ARGUMENT, "the chat template makes nothing of the conversation");
    return status;
}

/* A message that is a conversation of its own. */
static tfm_status render_message(const tfm_engine *engine, const char *text, size_t n, tfm_ids *ids, tfm_error *error) {
    const tfm_message messages[] = {{.role = "system", .content = engine->system.data, .n = engine->system.size},
                                    {.role = "user", .content = text, .n = n}};
    bool system = engine->system.size > 0;
    return tfm_engine_render(engine, messages + !system, 1 + (size_t)system, ids, error);
}

/* ---- opening ---- */

/* Short enough to be typed. */
static uint64_t random_seed(void) {
    uint32_t seed;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) seed = (uint32_t)(1e6 * tfm_seconds());
    return seed;
}

tfm_status tfm_engine_open(tfm_engine *engine, const char *path, const tfm_settings *settings, tfm_error *error) {
    *engine = (tfm_engine){.seed = random_seed()};
    tfm_status status = tfm_open_model(path, &settings->model, &engine->pool, &engine->model, error);
    if (status != TFM_OK) return status;
    engine->info = tfm_model_get_info(engine->model);
    engine->max_source = tfm_engine_continues(engine) ? engine->info.max_target : engine->info.max_source;
    if (settings->max_source_length && settings->max_source_length < engine->max_source)
        engine->max_source = settings->max_source_length;
    return check_kind(engine, path, settings->ids, error);
}

void tfm_engine_close(tfm_engine *engine) {
    tfm_ids_free(&engine->prefix);
    tfm_text_free(&engine->system);
    tfm_session_free(&engine->session);
    tfm_model_close(&engine->model);
    tfm_pool_free(&engine->pool);
}

/* ---- session ---- */

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }
static uint32_t most(uint32_t a, uint32_t b) { return a > b ? a : b; }

/* What a session must hold for these settings. */
static tfm_session_params session_sizes(const tfm_engine *engine, const tfm_settings *settings) {
    const tfm_generate_params *params = &engine->params;
    bool continues = tfm_engine_continues(engine);
    uint32_t width = tfm_generate_width(params);
    tfm_session_params sizes = tfm_session_params_default();
    sizes.pool = engine->pool;
    if (!continues) sizes.max_source = engine->max_source;
    sizes.kv_type = (tfm_kv_type)settings->kv_dtype;
    /* One input, and one step of all outputs of one, must fit however small a batch was asked for. */
    sizes.max_batch_tokens = most(settings->batch_tokens, most(continues ? 1 : engine->max_source, width));
    uint32_t sequences = engine->interactive ? 1 : least(sizes.max_sequences, settings->batch_tokens);
    sizes.max_sequences = most(sequences, width);
    sizes.max_sources = most(1, sizes.max_sequences / width);
    uint64_t target =
        params->max_new_tokens ? 1 + (uint64_t)engine->prefix.size + params->max_new_tokens : params->max_length;
    if (continues && params->max_new_tokens) target = UINT64_MAX; /* prompts may have any length */
    bool varies = settings->json_in || settings->prefix_file;     /* lines may ask for more */
    if (target < engine->info.max_target && !engine->interactive && !varies)
        sizes.max_target = most(2, (uint32_t)target);
    return sizes;
}

static tfm_status make_session(tfm_engine *engine, const tfm_settings *settings, tfm_error *error) {
    tfm_session_params sizes = session_sizes(engine, settings);
    const tfm_session_params *have = &engine->sizes;
    if (engine->session && have->max_sequences >= sizes.max_sequences &&
        have->max_batch_tokens >= sizes.max_batch_tokens)
        return TFM_OK; /* only the prompt comes here, whose session has all the positions of the model */
    tfm_session_free(&engine->session);
    engine->n_sessions++;
    /* Long contexts of many sequences may be more than there are addresses: fewer at a time then. */
    uint32_t width = tfm_generate_width(&engine->params);
    for (;;) {
        tfm_status status = tfm_session_create(&engine->session, engine->model, &sizes, error);
        engine->sizes = sizes;
        if (status != TFM_ERROR_MEMORY || sizes.max_sequences / 2 < width) return status;
        sizes.max_sequences /= 2;
        sizes.max_sources = most(1, sizes.max_sequences / width);
    }
}

static tfm_status set_prefix(tfm_engine *engine, const tfm_settings *settings, tfm_error *error) {
    const tfm_decoding *decoding = &settings->decoding;
    const tfm_option *ids = tfm_options_find(&tfm_settings_table, "prefix-ids", 10);
    const tfm_option *text = tfm_options_find(&tfm_settings_table, "prefix", 6);
    engine->prefix.size = 0;
    if (*tfm_settings_mark(settings, ids) && decoding->prefix_ids.size) {
        if (tfm_ids_append(&engine->prefix, decoding->prefix_ids.data, decoding->prefix_ids.size)) return TFM_OK;
        return tfm_no_memory(error, "--prefix-ids");
    }
    if (!*tfm_settings_mark(settings, text) || !decoding->prefix) return TFM_OK;
    return tfm_tokenize(engine->model, TFM_TARGET, decoding->prefix, strlen(decoding->prefix), false, &engine->prefix,
                        error);
}

/*
 * The prefix counts in max-length, as the start token does, and not in max-new-tokens. A token must be left of the one,
 * and all new tokens must have positions.
 */
static tfm_status check_prefix(tfm_engine *engine, const tfm_settings *settings, tfm_error *error) {
    tfm_generate_params *params = &engine->params;
    uint64_t limit = (uint64_t)engine->info.max_target + 1; /* the last token takes no position */
    uint64_t whole = 1 + (uint64_t)engine->prefix.size + params->max_new_tokens;
    if (params->max_new_tokens && whole > limit) {
        if (tfm_settings_given(settings, "max-new-tokens"))
            return tfm_fail(error, TFM_ERROR_ARGUMENT,
                            "the prefix has %zu tokens and --max-new-tokens is %u: with the start token that is %llu, "
                            "and the model can %llu",
                            engine->prefix.size, params->max_new_tokens, (unsigned long long)whole,
                            (unsigned long long)limit);
        params->max_new_tokens = 0; /* the model file's own: as far as the positions go */
        params->max_length = (uint32_t)(limit < UINT32_MAX ? limit : UINT32_MAX);
    }
    uint64_t room = params->max_length;
    if (params->max_new_tokens || engine->prefix.size + 1 < room) return TFM_OK;
    if (engine->prefix.size == 0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--max-length %u leaves no token after the start token",
                        params->max_length);
    return tfm_fail(error, TFM_ERROR_ARGUMENT,
                    "the prefix has %zu tokens, and the longest output %llu with the start token: no room is left",
                    engine->prefix.size, (unsigned long long)room);
}

/* How long a continuation is where neither the user nor the model file says. */
static void settle_length(tfm_engine *engine, const tfm_settings *settings) {
    tfm_generate_params *params = &engine->params;
    bool given = tfm_settings_given(settings, "max-length") || tfm_settings_given(settings, "max-new-tokens");
    if (given || params->max_new_tokens || params->max_length != STANDARD_LENGTH) return;
    if (engine->chat && engine->interactive)
        params->max_length = engine->info.max_target + (engine->info.max_target < UINT32_MAX);
    else
        params->max_new_tokens = NEW_TOKENS;
}

/* What does not go with a model without an encoder, or with its conversations. */
static tfm_status check_continuing(const tfm_engine *engine, tfm_error *error) {
    if (engine->params.keep_attention)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "--attention, --attention-weights and --alignment tell what an output saw of an encoder's "
                        "input, and this model has no encoder");
    if (engine->params.shortlist)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--shortlist is for models with an encoder");
    if (engine->chat && engine->interactive && engine->params.num_return_sequences > 1)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "a conversation goes on with one answer: --num-return-sequences is %u (--completion gives "
                        "several)",
                        engine->params.num_return_sequences);
    return TFM_OK;
}

/* A session of an encoder-only model: its size does not depend on what is asked. */
static tfm_status make_encoder_session(tfm_engine *engine, const tfm_settings *settings, tfm_error *error) {
    if (engine->session) return TFM_OK;
    tfm_session_params sizes = tfm_session_params_default();
    sizes.pool = engine->pool;
    sizes.max_source = engine->max_source;
    sizes.max_batch_tokens = settings->batch_tokens > engine->max_source ? settings->batch_tokens : engine->max_source;
    sizes.max_sources = engine->interactive ? 2 : settings->batch_tokens < 1024 ? settings->batch_tokens : 1024;
    sizes.max_sequences = 1;
    engine->sizes = sizes;
    return tfm_session_create(&engine->session, engine->model, &sizes, error);
}

/* Parameters and prefix as the settings say. */
static tfm_status settle(tfm_engine *engine, const tfm_settings *settings, tfm_error *error) {
    tfm_status status = tfm_settings_params(settings, engine->model, &engine->params, error);
    if (status != TFM_OK) return status;
    if (!tfm_settings_given(settings, "seed")) engine->params.seed = engine->seed;
    status = set_prefix(engine, settings, error);
    if (tfm_engine_continues(engine)) {
        settle_length(engine, settings);
        if (status == TFM_OK) status = check_continuing(engine, error);
    } else if (status == TFM_OK) {
        status = check_prefix(engine, settings, error);
    }
    return status;
}

tfm_status tfm_engine_configure(tfm_engine *engine, tfm_settings *settings, tfm_error *error) {
    tfm_status status = tfm_analysis_check(engine, settings, error);
    if (status == TFM_OK) status = tfm_settings_resolve(settings, engine->model, error);
    if (status != TFM_OK) return status;
    if (engine->info.kind == TFM_KIND_ENCODER) return make_encoder_session(engine, settings, error);
    status = engine->session ? TFM_OK : choose_chat(engine, settings, error);
    if (status == TFM_OK) status = settle(engine, settings, error);
    if (status == TFM_OK) status = make_session(engine, settings, error);
    return status;
}

tfm_status tfm_engine_vary(const tfm_engine *engine, tfm_settings *settings, tfm_engine *varied, tfm_error *error) {
    *varied = *engine;
    varied->prefix = (tfm_ids){0};
    tfm_status status = tfm_settings_resolve(settings, engine->model, error);
    if (status == TFM_OK) status = settle(varied, settings, error);
    if (status != TFM_OK) return status;
    uint32_t width = tfm_generate_width(&varied->params);
    if (width > engine->sizes.max_sequences)
        status =
            tfm_fail(error, TFM_ERROR_ARGUMENT, "%u beams or outputs at once are more than the %u there is room for",
                     width, engine->sizes.max_sequences);
    return status;
}

void tfm_engine_end_variation(tfm_engine *varied) { tfm_ids_free(&varied->prefix); }

tfm_generate_params tfm_engine_params(const tfm_engine *engine, size_t n, bool *limited) {
    tfm_generate_params params = engine->params;
    uint64_t limit = (uint64_t)engine->info.max_target + 1; /* the last token takes no position */
    uint64_t length = (uint64_t)n + engine->prefix.size + params.max_new_tokens;
    bool cut = tfm_engine_continues(engine) && params.max_new_tokens && length > limit;
    if (cut) {
        params.max_new_tokens = 0;
        params.max_length = (uint32_t)(limit < UINT32_MAX ? limit : UINT32_MAX);
    }
    if (limited) *limited = cut;
    return params;
}

/* ---- inputs ---- */

/* Cuts to max tokens; keeps the n_first and n_last ones, which the model wants around every input. */
static void cut(tfm_ids *ids, size_t n_first, size_t n_last, size_t max, bool keep_end) {
    if (n_last > max) n_last = max;
    if (n_first > max - n_last) n_first = max - n_last;
    /* A translation begins at the beginning; a continuation begins at the end. */
    size_t from = keep_end ? n_first : max - n_last, n_tail = max - from;
    memmove(ids->data + from, ids->data + ids->size - n_tail, n_tail * sizeof *ids->data);
    ids->size = max;
}

/*
 * How long a prompt may be so that what was asked for has room behind it: all of --max-new-tokens; a default, ours or
 * the model file's, not more than a quarter of the context. 0: there is no room for any prompt.
 */
static size_t longest_prompt(const tfm_engine *engine, const tfm_settings *settings) {
    const tfm_generate_params *params = &engine->params;
    uint64_t context = engine->info.max_target, room = params->max_new_tokens;
    if (!room && params->max_length < context) context = params->max_length;
    if (!room) room = NEW_TOKENS;
    if (!tfm_settings_given(settings, "max-new-tokens") && room > context / 4) room = context / 4;
    if (room < params->min_new_tokens) room = params->min_new_tokens;
    room += engine->prefix.size + (room == 0);
    uint64_t longest = room < context ? context - room : 0;
    return longest < engine->max_source ? (size_t)longest : engine->max_source;
}

static tfm_status limit_length(const tfm_engine *engine, const tfm_settings *settings, tfm_ids *ids, tfm_error *error) {
    bool fits = ids->size <= engine->max_source, cuts = settings->truncate && !engine->chat;
    size_t longest = engine->max_source;
    if (cuts && tfm_engine_continues(engine)) longest = longest_prompt(engine, settings);
    if (ids->size <= longest || (fits && longest == 0)) return TFM_OK;
    if (longest == 0)
        return tfm_fail(error, TFM_ERROR_LIMIT,
                        "the input has %zu tokens, and the context of %u has no room for any of them beside the output "
                        "that is asked for (--max-new-tokens)",
                        ids->size, engine->info.max_target);
    if (!cuts)
        return tfm_fail(error, TFM_ERROR_LIMIT, "the input has %zu tokens, %u at most are allowed%s", ids->size,
                        engine->max_source, engine->chat ? "" : "; --truncate cuts it");
    size_t n_first = 0, n_last = 0;
    tfm_status status = TFM_OK;
    if (settings->ids)
        n_last = tfm_is_end_token(&engine->params, ids->data[ids->size - 1]);
    else
        status = tfm_special_counts(engine->model, TFM_SOURCE, &n_first, &n_last, error);
    if (status == TFM_OK) cut(ids, n_first, n_last, longest, tfm_engine_continues(engine));
    return status;
}

static bool is_blank(const char *text, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (text[i] != ' ' && (text[i] < '\t' || text[i] > '\r')) return false;
    return true;
}

/* A text with nothing before it still needs a token to go on with. */
static tfm_status start_somewhere(const tfm_engine *engine, tfm_ids *ids, tfm_error *error) {
    if (ids->size || !tfm_engine_continues(engine)) return TFM_OK;
    int32_t bos = engine->params.bos_token_id;
    if (bos < 0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "an empty prompt needs a start token, and the model names none");
    return tfm_ids_append(ids, &bos, 1) ? TFM_OK : tfm_no_memory(error, "prompt");
}

tfm_status tfm_engine_input(const tfm_engine *engine, const tfm_settings *settings, const char *text, size_t n,
                            tfm_ids *ids, tfm_error *error) {
    ids->size = 0;
    if (is_blank(text, n)) return TFM_OK;
    return tfm_engine_prompt(engine, settings, text, n, ids, error);
}

tfm_status tfm_engine_messages(const tfm_engine *engine, const tfm_settings *settings, const tfm_message *messages,
                               size_t n, tfm_ids *ids, tfm_error *error) {
    if (!engine->info.has_chat_template)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "messages need a chat template, and the model has none");
    tfm_status status = tfm_engine_render(engine, messages, n, ids, error);
    return status == TFM_OK ? limit_length(engine, settings, ids, error) : status;
}

tfm_status tfm_engine_tokens(const tfm_engine *engine, const char *text, size_t n, tfm_ids *ids, tfm_error *error) {
    static const char what[] = "the input";
    tfm_token_names names = {0};
    size_t before = ids->size;
    tfm_status status =
        tfm_tokens_parse(what, text, n, (int64_t)engine->info.source_vocab_size - 1, &names, ids, error);
    if (status == TFM_OK)
        status =
            tfm_tokens_resolve(what, &names, engine->model, TFM_SOURCE, ids->data + before, ids->size - before, error);
    tfm_token_names_free(&names);
    return status;
}

tfm_status tfm_engine_prompt(const tfm_engine *engine, const tfm_settings *settings, const char *text, size_t n,
                             tfm_ids *ids, tfm_error *error) {
    ids->size = 0;
    tfm_status status;
    if (settings->ids)
        status = tfm_engine_tokens(engine, text, n, ids, error);
    else if (engine->chat)
        status = render_message(engine, text, n, ids, error);
    else
        status = tfm_tokenize_input(engine->model, engine->params.size ? &engine->params : NULL, text, n, ids, error);
    if (status == TFM_OK) status = start_somewhere(engine, ids, error);
    if (status == TFM_OK) status = limit_length(engine, settings, ids, error);
    return status;
}
