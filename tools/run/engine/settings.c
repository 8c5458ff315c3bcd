/* settings.c - what the options of tfmrun were set to, and the settings in force. */
#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/tfm.h"
#include "settings_lists.h"
#include "settings_tokens.h"

#define FIELD(member) offsetof(tfm_settings, member)
#define DECODING(member) offsetof(tfm_settings, decoding.values.member)

bool tfm_settings_init(tfm_settings *settings) {
    *settings = (tfm_settings){.batch_tokens = 4096};
    settings->given = calloc(tfm_options_count(&tfm_settings_table), sizeof *settings->given);
    return settings->given;
}

void tfm_settings_free(tfm_settings *settings) {
    tfm_decoding *decoding = &settings->decoding;
    const tfm_option *option;
    for (size_t i = 0; settings->given && (option = tfm_options_at(&tfm_settings_table, i)); i++)
        tfm_clear_list(decoding, option);
    tfm_ids_free(&decoding->eos_token_ids);
    tfm_ids_free(&decoding->suppress_tokens);
    tfm_ids_free(&decoding->prefix_ids);
    tfm_ids_free(&decoding->bad_words);
    free(decoding->heads);
    free(decoding->bad_word_list);
    free(decoding->prefix);
    for (size_t i = 0; i < 2; i++) free(decoding->languages[i]);
    tfm_token_names_free(&settings->names);
    free(settings->given);
    *settings = (tfm_settings){0};
}

bool tfm_settings_copy(const tfm_settings *from, tfm_settings *to) {
    size_t n = tfm_options_count(&tfm_settings_table);
    *to = *from;
    to->decoding = (tfm_decoding){0};
    to->names = (tfm_token_names){0};
    to->given = calloc(n, sizeof *to->given);
    if (!to->given) return false;
    memcpy(to->given, from->given, n * sizeof *to->given);
    return tfm_copy_lists(&from->decoding, &to->decoding) && tfm_token_names_copy(&from->names, &to->names);
}

void tfm_settings_unset(tfm_settings *settings, const tfm_option *option) {
    *tfm_settings_mark(settings, option) = false;
    tfm_clear_list(&settings->decoding, option);
}

bool *tfm_settings_mark(const tfm_settings *settings, const tfm_option *option) {
    return &settings->given[tfm_options_index(&tfm_settings_table, option)];
}

bool tfm_settings_given(const tfm_settings *settings, const char *name) {
    return *tfm_settings_mark(settings, tfm_options_find(&tfm_settings_table, name, strlen(name)));
}

/* ---- the settings in force ---- */

/* Size of a scalar that lies in tfm_generate_params too; 0 for the others. */
static size_t scalar_size(const tfm_option *option) {
    switch (option->kind) {
    case TFM_OPTION_U32: return sizeof(uint32_t);
    case TFM_OPTION_ID: return sizeof(int32_t);
    case TFM_OPTION_DOUBLE: return sizeof(double);
    case TFM_OPTION_BOOL: return sizeof(bool);
    case TFM_OPTION_CHOICE: return sizeof(int);
    default: return 0;
    }
}

static const void *scalar(const tfm_generate_params *params, const tfm_option *option) {
    return (const char *)params + (option->offset - FIELD(decoding.values));
}

static tfm_status check_id(const char *name, int32_t id, const tfm_model_info *info, tfm_error *error) {
    if (id < (int64_t)info->target_vocab_size) return TFM_OK;
    return tfm_fail(error, TFM_ERROR_ARGUMENT, "--%s: the model has no token %d; its ids are 0 to %u", name, id,
                    info->target_vocab_size - 1);
}

static tfm_status check_ids(const char *name, const int32_t *ids, size_t n, const tfm_model_info *info,
                            tfm_error *error) {
    tfm_status status = TFM_OK;
    for (size_t i = 0; i < n && status == TFM_OK; i++) status = check_id(name, ids[i], info, error);
    return status;
}

static tfm_status check_given_ids(const tfm_settings *settings, const tfm_generate_params *params,
                                  const tfm_model_info *info, tfm_error *error) {
    tfm_status status = TFM_OK;
    const tfm_option *option;
    for (size_t i = 0; status == TFM_OK && (option = tfm_options_at(&tfm_settings_table, i)); i++)
        if (tfm_settings_is_decoding(option) && option->kind == TFM_OPTION_ID && settings->given[i])
            status = check_id(option->name, *(const int32_t *)scalar(params, option), info, error);
    const tfm_decoding *decoding = &settings->decoding;
    if (status == TFM_OK && tfm_settings_given(settings, "eos-token-id"))
        status = check_ids("eos-token-id", params->eos_token_ids, params->n_eos_token_ids, info, error);
    if (status == TFM_OK && tfm_settings_given(settings, "suppress-tokens"))
        status = check_ids("suppress-tokens", params->suppress_tokens, params->n_suppress_tokens, info, error);
    if (status == TFM_OK && tfm_settings_given(settings, "prefix-ids"))
        status = check_ids("prefix-ids", decoding->prefix_ids.data, decoding->prefix_ids.size, info, error);
    for (size_t i = 0; i < decoding->n_logit_bias && status == TFM_OK; i++)
        status = check_id("logit-bias", decoding->logit_bias[i].id, info, error);
    for (size_t i = 0; tfm_settings_given(settings, "bad-words-ids") && i < params->n_bad_words && status == TFM_OK;
         i++)
        status = check_ids("bad-words-ids", params->bad_words[i].ids, params->bad_words[i].n, info, error);
    return status;
}

/* What --do-sample means when it was not given. Beams that were asked for are not sampled. */
static bool implied_sampling(const tfm_settings *settings, const tfm_generate_params *params,
                             const tfm_model_info *info) {
    static const char *const names[] = {"temperature", "top-k", "top-p", "min-p", "typical-p"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (tfm_settings_given(settings, names[i])) return true;
    if (tfm_settings_given(settings, "num-beams") && params->num_beams > 1) return false;
    bool several = params->num_return_sequences > 1 && params->num_beams == 1 && !params->return_alternatives;
    return params->do_sample || (several && info->kind == TFM_KIND_DECODER);
}

static tfm_status settle_sampling(const tfm_settings *settings, tfm_generate_params *params, const tfm_model_info *info,
                                  tfm_error *error) {
    bool given = tfm_settings_given(settings, "do-sample");
    if (!given) params->do_sample = implied_sampling(settings, params, info);
    if (params->temperature == 0) {
        if (given && params->do_sample)
            return tfm_fail(error, TFM_ERROR_ARGUMENT,
                            "--temperature 0 takes the most probable tokens, and "
                            "--do-sample draws them: give one");
        params->do_sample = false;
        params->temperature = 1;
    }
    /* Alternatives have no beams either; beams that were asked for are the library's to refuse. */
    if (params->return_alternatives && !tfm_settings_given(settings, "num-beams")) params->num_beams = 1;
    if (!params->do_sample || params->num_beams == 1) return TFM_OK;
    if (tfm_settings_given(settings, "num-beams"))
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "beams are not drawn: --num-beams %u does not go with sampling; leave one out, or give "
                        "--do-sample false",
                        params->num_beams);
    params->num_beams = 1;
    return TFM_OK;
}

/* Maximum lengths against what the model has positions for. */
static tfm_status settle_length(const tfm_settings *settings, tfm_generate_params *params, const tfm_model_info *info,
                                tfm_error *error) {
    uint32_t limit = info->max_target + (info->max_target < UINT32_MAX); /* the last token takes no position */
    bool decoder = info->kind == TFM_KIND_DECODER, new_tokens = params->max_new_tokens > 0;
    if (decoder && new_tokens) return TFM_OK; /* each output ends where its context is full */
    bool given = tfm_settings_given(settings, new_tokens ? "max-new-tokens" : "max-length");
    if (limit < 2 || (new_tokens ? params->max_new_tokens < limit : params->max_length <= limit)) return TFM_OK;
    if (given && new_tokens)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--max-new-tokens %u is more than the model can: %u",
                        params->max_new_tokens, limit - 1);
    if (given)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--max-length %u is more than the model can: %u", params->max_length,
                        limit);
    /* A checkpoint whose own default is beyond its positions: as far as they go. */
    params->max_new_tokens = 0;
    params->max_length = limit;
    return TFM_OK;
}

/* Of two lengths that were both given, the shortest must not be over the longest. (A model file's own give way.) */
static tfm_status check_lengths(const tfm_settings *settings, const tfm_generate_params *params, tfm_error *error) {
    bool new_min = tfm_settings_given(settings, "min-new-tokens"), min = tfm_settings_given(settings, "min-length");
    if (tfm_settings_given(settings, "max-new-tokens")) {
        if (new_min && params->min_new_tokens > params->max_new_tokens)
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "--min-new-tokens %u is more than --max-new-tokens %u",
                            params->min_new_tokens, params->max_new_tokens);
        return TFM_OK;
    }
    if (!tfm_settings_given(settings, "max-length")) return TFM_OK;
    if (min && params->min_length > params->max_length)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--min-length %u is more than --max-length %u", params->min_length,
                        params->max_length);
    if (new_min && params->min_new_tokens >= params->max_length)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "--min-new-tokens %u does not fit in --max-length %u, which counts the start token or the "
                        "prompt too",
                        params->min_new_tokens, params->max_length);
    return TFM_OK;
}

/* A model file's own counts within what the options may be: a session is made for them. */
static tfm_status check_own_counts(const tfm_generate_params *params, tfm_error *error) {
    static const char *const names[] = {"num-beams", "num-return-sequences"};
    for (size_t i = 0; i < 2; i++) {
        const tfm_option *option = tfm_options_find(&tfm_settings_table, names[i], strlen(names[i]));
        uint32_t count = *(const uint32_t *)scalar(params, option);
        if (count >= option->min && count <= option->max) continue;
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "the model file's own %s is %u, and %.0f to %.0f are possible: give --%s", names[i], count,
                        option->min, option->max, names[i]);
    }
    return TFM_OK;
}

/* What would fail for every input alike is said once, before any is read. */
static tfm_status check_together(const tfm_settings *settings, const tfm_generate_params *params,
                                 const tfm_model_info *info, tfm_error *error) {
    tfm_status status = check_own_counts(params, error);
    if (status != TFM_OK) return status;
    if (!params->do_sample && !params->return_alternatives && params->num_return_sequences > params->num_beams)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "--num-return-sequences %u is more than --num-beams %u: beam search gives at most one output a "
                        "beam; --do-sample draws as many as you like",
                        params->num_return_sequences, params->num_beams);
    if (settings->decoding.n_stops && params->num_beams > 1)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--stop is not for beams: give --num-beams 1 (this is %u)",
                        params->num_beams);
    if (settings->decoding.n_stops && !info->has_tokenizer)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--stop is a text, and the model has no tokenizer");
    if (params->replace_unknowns && (info->kind != TFM_KIND_ENCODER_DECODER || !info->has_tokenizer || settings->ids))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--replace-unknowns is for texts that an encoder reads: %s",
                        settings->ids ? "with --ids there are none" : "this model has no encoder, or no tokenizer");
    if (params->replace_unknowns && settings->decoding.n_stops)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--replace-unknowns makes outputs at their end: no --stop with it");
    if (info->kind == TFM_KIND_ENCODER_DECODER && params->decoder_start_token_id < 0 && !params->target_language)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "the model names no start token: give --decoder-start-token-id");
    return TFM_OK;
}

/* Codes that the model does not have are said before any input is read. */
static tfm_status check_languages(const tfm_settings *settings, const tfm_model *model,
                                  const tfm_generate_params *params, tfm_error *error) {
    const char *const names[] = {"source-lang", "target-lang"};
    const char *const codes[] = {params->source_language, params->target_language};
    for (size_t i = 0; i < 2; i++) {
        int32_t id;
        tfm_error own;
        if (!tfm_settings_given(settings, names[i]) || !codes[i]) continue;
        if (i == 0 && settings->ids)
            return tfm_fail(error, TFM_ERROR_ARGUMENT,
                            "--source-lang is for texts: with --ids the ids say their language themselves");
        if (tfm_language_token(model, codes[i], &id, &own) != TFM_OK)
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "--%s: %s", names[i], own.message);
    }
    return TFM_OK;
}

/* Heads that the model does not have are refused here too, for /attention may come much later. */
static tfm_status check_heads(const tfm_generate_params *params, const tfm_model_info *info, tfm_error *error) {
    const int64_t n_layers = info->decoder_layers, n_heads = info->decoder_heads;
    if (params->n_attention_heads && info->kind != TFM_KIND_ENCODER_DECODER)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "--alignment-from is of attention to an encoder's input, and this model has no encoder");
    for (size_t i = 0; i < params->n_attention_heads; i++) {
        const tfm_attention_head *chosen = &params->attention_heads[i];
        if (chosen->layer < -n_layers || chosen->layer >= n_layers)
            return tfm_fail(error, TFM_ERROR_ARGUMENT,
                            "--alignment-from: the model has no layer %d; its decoder's are 0 to %lld, -1 is the last",
                            chosen->layer, (long long)n_layers - 1);
        if (chosen->head >= n_heads)
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "--alignment-from: there is no head %d; a layer's are 0 to %lld",
                            chosen->head, (long long)n_heads - 1);
    }
    return TFM_OK;
}

tfm_status tfm_settings_params(const tfm_settings *settings, const tfm_model *model, tfm_generate_params *params,
                               tfm_error *error) {
    const tfm_decoding *decoding = &settings->decoding;
    *params = tfm_generate_params_default(model);
    const tfm_option *option;
    for (size_t i = 0; (option = tfm_options_at(&tfm_settings_table, i)); i++) {
        size_t size = scalar_size(option);
        if (!settings->given[i] || size == 0 || !tfm_settings_is_decoding(option)) continue;
        size_t offset = option->offset - FIELD(decoding.values);
        memcpy((char *)params + offset, (const char *)&decoding->values + offset, size);
    }
    if (tfm_settings_given(settings, "eos-token-id")) {
        params->eos_token_ids = decoding->eos_token_ids.data;
        params->n_eos_token_ids = decoding->eos_token_ids.size;
    }
    if (tfm_settings_given(settings, "suppress-tokens")) {
        params->suppress_tokens = decoding->suppress_tokens.data;
        params->n_suppress_tokens = decoding->suppress_tokens.size;
    }
    if (tfm_settings_given(settings, "bad-words-ids")) {
        params->bad_words = decoding->bad_word_list;
        params->n_bad_words = decoding->n_bad_words;
    }
    /* Who types a maximum means it, whichever of the two the model file has. */
    if (tfm_settings_given(settings, "max-length") && !tfm_settings_given(settings, "max-new-tokens"))
        params->max_new_tokens = 0;
    if (tfm_settings_given(settings, "source-lang")) params->source_language = decoding->languages[0];
    if (tfm_settings_given(settings, "target-lang")) params->target_language = decoding->languages[1];
    if (tfm_settings_given(settings, "seed")) params->seed = decoding->values.seed;
    params->logit_bias = decoding->logit_bias;
    params->n_logit_bias = decoding->n_logit_bias;
    params->n_top_log_probs = settings->top_log_probs;
    params->keep_log_probs = settings->log_probs;
    if (tfm_settings_given(settings, "alignment-from")) {
        params->attention_heads = decoding->heads;
        params->n_attention_heads = decoding->n_heads;
    }
    params->keep_attention = settings->attention || settings->alignment || settings->attention_weights;
    tfm_model_info info = tfm_model_get_info(model);
    tfm_status status = check_languages(settings, model, params, error);
    if (status == TFM_OK) status = check_heads(params, &info, error);
    if (status == TFM_OK) status = settle_sampling(settings, params, &info, error);
    if (status == TFM_OK) status = check_together(settings, params, &info, error);
    if (status == TFM_OK) status = check_lengths(settings, params, error);
    if (status == TFM_OK) status = settle_length(settings, params, &info, error);
    return status == TFM_OK ? check_given_ids(settings, params, &info, error) : status;
}

static bool print_ids(tfm_text *out, const int32_t *ids, size_t n, const char *separator) {
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) ok = tfm_text_print(out, "%s%d", i ? separator : "", ids[i]);
    return ok;
}

static bool print_list(const tfm_settings *settings, const tfm_option *option, const tfm_generate_params *params,
                       tfm_text *out) {
    const tfm_decoding *decoding = &settings->decoding;
    bool given = *tfm_settings_mark(settings, option);
    if (option->parse == tfm_parse_stop) return tfm_print_stops(decoding, out);
    if (option->parse == tfm_parse_heads) return tfm_print_heads(params, out);
    if (option->parse == tfm_parse_logit_bias) return tfm_print_logit_bias(params, out);
    if (option->parse == tfm_parse_seed) return tfm_text_print(out, "%llu", (unsigned long long)params->seed);
    if (option->parse == tfm_parse_language) {
        const bool is_source = option->offset == DECODING(source_language);
        const char *code = is_source ? params->source_language : params->target_language;
        return tfm_text_print(out, "%s", code ? code : "none");
    }
    if (option->parse == tfm_parse_prefix) {
        const char *prefix = given && decoding->prefix ? decoding->prefix : "";
        return tfm_text_print(out, "%s", *prefix ? prefix : "none");
    }
    if (option->parse == tfm_parse_bad_words) {
        bool ok = tfm_text_print(out, "[");
        for (size_t i = 0; i < params->n_bad_words && ok; i++)
            ok = tfm_text_print(out, "%s[", i ? ", " : "") &&
                 print_ids(out, params->bad_words[i].ids, params->bad_words[i].n, ", ") && tfm_text_print(out, "]");
        return ok && tfm_text_print(out, "]");
    }
    tfm_tokens list = {0};
    if (option->offset == FIELD(decoding.eos_token_ids))
        list = (tfm_tokens){params->eos_token_ids, params->n_eos_token_ids};
    else if (option->offset == FIELD(decoding.suppress_tokens))
        list = (tfm_tokens){params->suppress_tokens, params->n_suppress_tokens};
    else if (given)
        list = (tfm_tokens){decoding->prefix_ids.data, decoding->prefix_ids.size};
    if (list.n == 0) return tfm_text_print(out, "none");
    return print_ids(out, list.ids, list.n, " ");
}

bool tfm_settings_print(const tfm_settings *settings, const tfm_option *option, const tfm_generate_params *params,
                        tfm_text *out) {
    if (scalar_size(option) == 0) return print_list(settings, option, params, out);
    const void *value = scalar(params, option);
    switch (option->kind) {
    case TFM_OPTION_U32:
        /* 0 stands for "max-length holds", and cannot be typed. */
        if (option->offset == DECODING(max_new_tokens) && *(const uint32_t *)value == 0)
            return tfm_text_print(out, "none");
        return tfm_text_print(out, "%u", *(const uint32_t *)value);
    case TFM_OPTION_ID:
        if (*(const int32_t *)value < 0) return tfm_text_print(out, "none");
        return tfm_text_print(out, "%d", *(const int32_t *)value);
    case TFM_OPTION_DOUBLE: return tfm_text_print(out, "%.9g", *(const double *)value);
    case TFM_OPTION_BOOL: return tfm_text_print(out, "%s", *(const bool *)value ? "true" : "false");
    default: return tfm_text_print(out, "%s", option->choices[*(const int *)value]);
    }
}
