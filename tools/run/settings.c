/* settings.c - the options of tfmrun: their table, and the settings in force. */
#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "format/model_file.h"
#include "settings_lists.h"

#define FIELD(member) offsetof(tfm_settings, member)
#define ANALYSIS(member) FIELD(analysis.member)
#define DECODING(member) offsetof(tfm_settings, decoding.values.member)

/* ---- the table ---------------------------------------------------------------------------------------------- */

static const char *const early_stopping_choices[] = {"false", "true", "never", NULL};
static const char *const verify_choices[] = {"all", "header", NULL};
static const char *const kv_dtype_choices[] = {"f32", "f16", "int8", NULL};

/* Index of the first decoding option, and the groups of them, which come first in the table. */
enum { FIRST_DECODING = 1, DECODING_GROUPS = 2 };

static const tfm_option options[] = {
    {TFM_OPTION_GROUP, 0, "Decoding", NULL,
     "Names and meanings are those of generate() in Hugging Face transformers. What is not given comes from the "
     "model file; the prompt's /show tells.",
     0, 0, 0, NULL, NULL},
    {TFM_OPTION_U32, 0, "num-beams", "N", "Width of beam search; 1 is greedy search.", DECODING(num_beams), 1, 1024,
     NULL, NULL},
    {TFM_OPTION_U32, 'n', "num-return-sequences", "N",
     "How many outputs of each input: best first and at most num-beams, or so many drawn.",
     DECODING(num_return_sequences), 1, 1024, NULL, NULL},
    {TFM_OPTION_DOUBLE, 0, "length-penalty", "X",
     "Scores of beam search are divided by (tokens)^X: above 0 favours long outputs.", DECODING(length_penalty), -100,
     100, NULL, NULL},
    {TFM_OPTION_CHOICE, 0, "early-stopping", NULL,
     "Beam search ends once it has num-beams results (true), when better ones are unlikely (false) or impossible "
     "(never).",
     DECODING(early_stopping), 0, 0, early_stopping_choices, NULL},
    {TFM_OPTION_U32, 0, "no-repeat-ngram-size", "N", "No sequence of N tokens occurs twice in an output; 0: no limit.",
     DECODING(no_repeat_ngram_size), 0, UINT32_MAX, NULL, NULL},
    {TFM_OPTION_DOUBLE, 0, "repetition-penalty", "X", "Makes tokens that occurred less likely; 1: off.",
     DECODING(repetition_penalty), 1e-3, 1e3, NULL, NULL},
    {TFM_OPTION_DOUBLE, 0, "presence-penalty", "X", "Subtracted from the logit of each token that the output has.",
     DECODING(presence_penalty), -100, 100, NULL, NULL},
    {TFM_OPTION_DOUBLE, 0, "frequency-penalty", "X", "The same for each time that the output has the token.",
     DECODING(frequency_penalty), -100, 100, NULL, NULL},
    {TFM_OPTION_CUSTOM, 0, "logit-bias", "ID=X",
     "Added to the logit of token ID; -inf: never. May be repeated, or a list: 5=1.5,7=-inf.",
     FIELD(decoding.logit_bias), 0, 0, NULL, tfm_parse_logit_bias},
    {TFM_OPTION_U32, 0, "max-length", "N",
     "Longest output in tokens, with the start token, or with the prompt where there is no encoder.",
     DECODING(max_length), 1, UINT32_MAX, NULL, NULL},
    {TFM_OPTION_U32, 0, "max-new-tokens", "N",
     "Longest output in new tokens; wins over max-length. Without an encoder, where the model says nothing: 256, and "
     "in a conversation what the context has room for.",
     DECODING(max_new_tokens), 1, UINT32_MAX - 1, NULL, NULL},
    {TFM_OPTION_U32, 0, "min-length", "N", "Shortest output in tokens, counted as for max-length.",
     DECODING(min_length), 0, UINT32_MAX, NULL, NULL},
    {TFM_OPTION_U32, 0, "min-new-tokens", "N", "Shortest output in new tokens.", DECODING(min_new_tokens), 0,
     UINT32_MAX - 1, NULL, NULL},
    {TFM_OPTION_CUSTOM, 0, "stop", "TEXT",
     "The output ends before this text; \\n stands for a newline. May be repeated. Not with beams.",
     FIELD(decoding.stops), 0, 0, NULL, tfm_parse_stop},
    {TFM_OPTION_BOOL, 0, "renormalize-logits", NULL,
     "Normalise the probabilities again after the rules above changed them.", DECODING(renormalize_logits), 0, 0, NULL,
     NULL},
    {TFM_OPTION_BOOL, 0, "shortlist", NULL,
     "Choose only among the tokens that the model's shortlist (tfmpack --shortlist) gives for the input: faster.",
     DECODING(shortlist), 0, 0, NULL, NULL},
    {TFM_OPTION_CUSTOM, 0, "prefix", "TEXT", "Text every output starts with.", FIELD(decoding.prefix), 0, 0, NULL,
     tfm_parse_prefix},
    {TFM_OPTION_CUSTOM, 0, "prefix-ids", "IDS", "Token ids every output starts with; wins over prefix.",
     FIELD(decoding.prefix_ids), 0, 0, NULL, tfm_parse_id_list},
    {TFM_OPTION_ID, 0, "decoder-start-token-id", "ID", "The token before the first one.",
     DECODING(decoder_start_token_id), 0, 0, NULL, NULL},
    {TFM_OPTION_ID, 0, "forced-bos-token-id", "ID", "The first token of every output, or none.",
     DECODING(forced_bos_token_id), 0, 0, NULL, NULL},
    {TFM_OPTION_ID, 0, "forced-eos-token-id", "ID", "The last token of an output that reaches max-length, or none.",
     DECODING(forced_eos_token_id), 0, 0, NULL, NULL},
    {TFM_OPTION_CUSTOM, 0, "eos-token-id", "IDS", "Tokens that end an output, or none.", FIELD(decoding.eos_token_ids),
     0, 0, NULL, tfm_parse_id_list},
    {TFM_OPTION_ID, 0, "pad-token-id", "ID", "The padding token, or none.", DECODING(pad_token_id), 0, 0, NULL, NULL},
    {TFM_OPTION_CUSTOM, 0, "bad-words-ids", "JSON", "Token sequences that must not occur: [[1, 2], [3]], or none.",
     FIELD(decoding.bad_words), 0, 0, NULL, tfm_parse_bad_words},
    {TFM_OPTION_CUSTOM, 0, "suppress-tokens", "IDS", "Tokens that must not occur, or none.",
     FIELD(decoding.suppress_tokens), 0, 0, NULL, tfm_parse_id_list},

    {TFM_OPTION_GROUP, 0, "Sampling", NULL,
     "Tokens are drawn by their probabilities if do-sample is true. The options below imply it, but for the seed.", 0,
     0, 0, NULL, NULL},
    {TFM_OPTION_BOOL, 0, "do-sample", NULL, "Draw tokens instead of taking the most probable ones.",
     DECODING(do_sample), 0, 0, NULL, NULL},
    {TFM_OPTION_DOUBLE, 0, "temperature", "X", "Below 1: safer, above 1: wilder; 0: the most probable tokens.",
     DECODING(temperature), 0, 1000, NULL, NULL},
    {TFM_OPTION_U32, 0, "top-k", "N", "Draw among the N most probable tokens only; 0: among all.", DECODING(top_k), 0,
     UINT32_MAX, NULL, NULL},
    {TFM_OPTION_DOUBLE, 0, "top-p", "P", "Draw among the most probable tokens that together reach P.", DECODING(top_p),
     1e-6, 1, NULL, NULL},
    {TFM_OPTION_DOUBLE, 0, "min-p", "P", "Draw among tokens with at least P times the highest probability.",
     DECODING(min_p), 0, 1, NULL, NULL},
    {TFM_OPTION_DOUBLE, 0, "typical-p", "P", "Draw among the tokens of typical information that together reach P.",
     DECODING(typical_p), 1e-6, 1, NULL, NULL},
    {TFM_OPTION_CUSTOM, 0, "seed", "N",
     "The same seed and request give the same text, everywhere. Default: another one each time; --json tells which.",
     DECODING(seed), 0, 0, NULL, tfm_parse_seed},

    {TFM_OPTION_GROUP, 0, "Prompts and conversations (models without an encoder)", NULL, NULL, 0, 0, 0, NULL, NULL},
    {TFM_OPTION_FLAG, 0, "chat", NULL,
     "Each input is a user's message, put into the model's chat template. The default at the prompt, where the model "
     "has a template.",
     FIELD(chat), 0, 0, NULL, NULL},
    {TFM_OPTION_FLAG, 0, "completion", NULL, "Each input is a text to go on with, at the prompt too.",
     FIELD(completion), 0, 0, NULL, NULL},
    {TFM_OPTION_STRING, 0, "system", "TEXT", "The conversation's system message; implies --chat.", FIELD(system), 0, 0,
     NULL, NULL},
    {TFM_OPTION_STRING, 0, "system-file", "FILE", "The same from a file.", FIELD(system_file), 0, 0, NULL, NULL},
    {TFM_OPTION_FLAG, 0, "echo", NULL, "The prompt before what it is continued with.", FIELD(echo), 0, 0, NULL, NULL},

    {TFM_OPTION_GROUP, 0, "Input and output", NULL, NULL, 0, 0, 0, NULL, NULL},
    {TFM_OPTION_STRING, 0, "prompt-file", "FILE", "One input: all of FILE but a newline at its end; - is stdin.",
     FIELD(prompt_file), 0, 0, NULL, NULL},
    {TFM_OPTION_FLAG, 0, "ids", NULL, "Inputs and outputs are token ids separated by spaces.", FIELD(ids), 0, 0, NULL,
     NULL},
    {TFM_OPTION_FLAG, 'j', "json", NULL, "One JSON object a line: text, ids, score, timing.", FIELD(json), 0, 0, NULL,
     NULL},
    {TFM_OPTION_FLAG, 0, "log-probs", NULL, "With --json: the log-probability of each token.", FIELD(log_probs), 0, 0,
     NULL, NULL},
    {TFM_OPTION_U32, 0, "top-log-probs", "N",
     "With --json: at each place the N most probable tokens and their log-probabilities.", FIELD(top_log_probs), 1, 64,
     NULL, NULL},
    {TFM_OPTION_FLAG, 0, "no-timing", NULL, "No timing, in --json and at the prompt: the same input, the same output.",
     FIELD(no_timing), 0, 0, NULL, NULL},
    {TFM_OPTION_STRING, 0, "attention", "FILE",
     "Draw which input tokens each output token looked at: FILE.svg for one input, FILE.html for any number.",
     FIELD(attention), 0, 0, NULL, NULL},
    {TFM_OPTION_U32, 0, "max-source-length", "N", "Longest input in tokens, if less than what the model takes.",
     FIELD(max_source_length), 1, UINT32_MAX, NULL, NULL},
    {TFM_OPTION_FLAG, 0, "truncate", NULL, "Cut inputs that are too long, instead of reporting an error.",
     FIELD(truncate), 0, 0, NULL, NULL},

    TFM_ANALYSIS_OPTIONS(ANALYSIS),

    {TFM_OPTION_GROUP, 0, "Running", NULL, NULL, 0, 0, 0, NULL, NULL},
    {TFM_OPTION_U32, 't', "threads", "N",
     "Threads; 0 (the default): as many as this process may use. Changes no result.", FIELD(threads), 0, 1024, NULL,
     NULL},
    {TFM_OPTION_STRING, 0, "isa", "NAME",
     "Instruction set of the kernels (see --version); default: TFM_ISA, else the best. Changes no result.", FIELD(isa),
     0, 0, NULL, NULL},
    {TFM_OPTION_U32, 0, "batch-tokens", "N",
     "Most tokens in one pass through the model (default 4096). Less memory, or more speed; changes no result.",
     FIELD(batch_tokens), 1, 1 << 20, NULL, NULL},
    {TFM_OPTION_CHOICE, 0, "kv-dtype", "TYPE",
     "Type of the keys and values of earlier tokens: f32 (default), f16 or int8. Less memory for long texts, a little "
     "less exact.",
     FIELD(kv_dtype), 0, 0, kv_dtype_choices, NULL},
    {TFM_OPTION_CHOICE, 0, "verify", NULL,
     "Check every byte of the model file first (all, the default), or each tensor when it is first used (header).",
     FIELD(verify), 0, 0, verify_choices, NULL},
    {TFM_OPTION_FLAG, 'h', "help", NULL, "Print this help.", FIELD(help), 0, 0, NULL, NULL},
    {TFM_OPTION_FLAG, 'V', "version", NULL, "Print version, instruction sets and threads.", FIELD(version), 0, 0, NULL,
     NULL},
};

const tfm_option_table tfm_settings_table = {options, sizeof options / sizeof *options};

bool tfm_settings_init(tfm_settings *settings) {
    *settings = (tfm_settings){.batch_tokens = 4096};
    settings->given = calloc(tfm_settings_table.n, sizeof *settings->given);
    return settings->given;
}

void tfm_settings_free(tfm_settings *settings) {
    tfm_decoding *decoding = &settings->decoding;
    for (size_t i = 0; settings->given && i < tfm_settings_table.n; i++) tfm_clear_list(decoding, &options[i]);
    tfm_ids_free(&decoding->eos_token_ids);
    tfm_ids_free(&decoding->suppress_tokens);
    tfm_ids_free(&decoding->prefix_ids);
    tfm_ids_free(&decoding->bad_words);
    free(decoding->bad_word_list);
    free(decoding->prefix);
    free(settings->given);
    *settings = (tfm_settings){0};
}

bool tfm_settings_is_decoding(const tfm_option *option) {
    size_t end = FIRST_DECODING;
    for (size_t groups = 1;; end++) {
        groups += options[end].kind == TFM_OPTION_GROUP;
        if (groups > DECODING_GROUPS) break;
    }
    return option >= options + FIRST_DECODING && option < options + end && option->kind != TFM_OPTION_GROUP;
}

void tfm_settings_unset(tfm_settings *settings, const tfm_option *option) {
    settings->given[option - options] = false;
    tfm_clear_list(&settings->decoding, option);
}

bool tfm_settings_given(const tfm_settings *settings, const char *name) {
    return settings->given[tfm_options_find(&tfm_settings_table, name, strlen(name)) - options];
}

/* ---- the settings in force ------------------------------------------------------------------------------------ */

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
    for (size_t i = FIRST_DECODING; i < tfm_settings_table.n && status == TFM_OK; i++)
        if (tfm_settings_is_decoding(&options[i]) && options[i].kind == TFM_OPTION_ID && settings->given[i])
            status = check_id(options[i].name, *(const int32_t *)scalar(params, &options[i]), info, error);
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
    bool several = params->num_return_sequences > 1 && params->num_beams == 1;
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

/* What would fail for every input alike is said once, before any is read. */
static tfm_status check_together(const tfm_settings *settings, const tfm_generate_params *params,
                                 const tfm_model_info *info, tfm_error *error) {
    if (!params->do_sample && params->num_return_sequences > params->num_beams)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "--num-return-sequences %u is more than --num-beams %u: beam search gives at most one output a "
                        "beam; --do-sample draws as many as you like",
                        params->num_return_sequences, params->num_beams);
    if (settings->decoding.n_stops && params->num_beams > 1)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--stop is not for beams: give --num-beams 1 (this is %u)",
                        params->num_beams);
    if (settings->decoding.n_stops && !info->has_tokenizer)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--stop is a text, and the model has no tokenizer");
    if (info->kind == TFM_KIND_ENCODER_DECODER && params->decoder_start_token_id < 0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "the model names no start token: give --decoder-start-token-id");
    return TFM_OK;
}

tfm_status tfm_settings_params(const tfm_settings *settings, const tfm_model *model, tfm_generate_params *params,
                               tfm_error *error) {
    const tfm_decoding *decoding = &settings->decoding;
    *params = tfm_generate_params_default(model);
    for (size_t i = FIRST_DECODING; i < tfm_settings_table.n; i++) {
        size_t size = scalar_size(&options[i]);
        if (!settings->given[i] || size == 0 || !tfm_settings_is_decoding(&options[i])) continue;
        size_t offset = options[i].offset - FIELD(decoding.values);
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
    if (tfm_settings_given(settings, "seed")) params->seed = decoding->values.seed;
    params->logit_bias = decoding->logit_bias;
    params->n_logit_bias = decoding->n_logit_bias;
    params->n_top_log_probs = settings->top_log_probs;
    params->keep_log_probs = settings->log_probs;
    params->keep_attention = settings->attention;
    tfm_model_info info = tfm_model_get_info(model);
    tfm_status status = settle_sampling(settings, params, &info, error);
    if (status == TFM_OK) status = check_together(settings, params, &info, error);
    if (status == TFM_OK) status = settle_length(settings, params, &info, error);
    return status == TFM_OK ? check_given_ids(settings, params, &info, error) : status;
}

static bool print_ids(tfm_bytes *out, const int32_t *ids, size_t n, const char *separator) {
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) ok = tfm_bytes_print(out, "%s%d", i ? separator : "", ids[i]);
    return ok;
}

static bool print_list(const tfm_settings *settings, const tfm_option *option, const tfm_generate_params *params,
                       tfm_bytes *out) {
    const tfm_decoding *decoding = &settings->decoding;
    bool given = settings->given[option - options];
    if (option->parse == tfm_parse_stop) return tfm_print_stops(decoding, out);
    if (option->parse == tfm_parse_logit_bias) return tfm_print_logit_bias(params, out);
    if (option->parse == tfm_parse_seed) return tfm_bytes_print(out, "%llu", (unsigned long long)params->seed);
    if (option->parse == tfm_parse_prefix) {
        const char *prefix = given && decoding->prefix ? decoding->prefix : "";
        return tfm_bytes_print(out, "%s", *prefix ? prefix : "none");
    }
    if (option->parse == tfm_parse_bad_words) {
        bool ok = tfm_bytes_print(out, "[");
        for (size_t i = 0; i < params->n_bad_words && ok; i++)
            ok = tfm_bytes_print(out, "%s[", i ? ", " : "") &&
                 print_ids(out, params->bad_words[i].ids, params->bad_words[i].n, ", ") && tfm_bytes_print(out, "]");
        return ok && tfm_bytes_print(out, "]");
    }
    tfm_tokens list = {0};
    if (option->offset == FIELD(decoding.eos_token_ids))
        list = (tfm_tokens){params->eos_token_ids, params->n_eos_token_ids};
    else if (option->offset == FIELD(decoding.suppress_tokens))
        list = (tfm_tokens){params->suppress_tokens, params->n_suppress_tokens};
    else if (given)
        list = (tfm_tokens){decoding->prefix_ids.data, decoding->prefix_ids.size};
    if (list.n == 0) return tfm_bytes_print(out, "none");
    return print_ids(out, list.ids, list.n, " ");
}

bool tfm_settings_print(const tfm_settings *settings, const tfm_option *option, const tfm_generate_params *params,
                        tfm_bytes *out) {
    if (scalar_size(option) == 0) return print_list(settings, option, params, out);
    const void *value = scalar(params, option);
    switch (option->kind) {
    case TFM_OPTION_U32:
        /* 0 stands for "max-length holds", and cannot be typed. */
        if (option->offset == DECODING(max_new_tokens) && *(const uint32_t *)value == 0)
            return tfm_bytes_print(out, "none");
        return tfm_bytes_print(out, "%u", *(const uint32_t *)value);
    case TFM_OPTION_ID:
        if (*(const int32_t *)value < 0) return tfm_bytes_print(out, "none");
        return tfm_bytes_print(out, "%d", *(const int32_t *)value);
    case TFM_OPTION_DOUBLE: return tfm_bytes_print(out, "%.9g", *(const double *)value);
    case TFM_OPTION_BOOL: return tfm_bytes_print(out, "%s", *(const bool *)value ? "true" : "false");
    default: return tfm_bytes_print(out, "%s", option->choices[*(const int *)value]);
    }
}
