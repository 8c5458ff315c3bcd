/* settings.c - the options of tfmrun: their table, and the parsing of lists of token ids. */
#include "settings.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../../format/model_file.h"

#define FIELD(member) offsetof(tfm_settings, member)
#define DECODING(member) offsetof(tfm_settings, decoding.values.member)

static tfm_status no_memory(const char *what, tfm_error *error) {
    return tfm_fail(error, TFM_ERROR_MEMORY, "%s: out of memory", what);
}

/* ---- parsers of lists --------------------------------------------------------------------------------------- */

/* "0", "0 2", "0,2" or "[0, 2]"; "none" or "[]" for an empty list. */
static tfm_status parse_id_list(void *settings, const tfm_option *option, const char *what, const char *value,
                                tfm_error *error) {
    tfm_ids *list = (tfm_ids *)((char *)settings + option->offset);
    tfm_ids ids = {0};
    size_t n = strlen(value);
    if (n >= 2 && value[0] == '[' && value[n - 1] == ']') {
        value++;
        n -= 2;
    }
    tfm_status status = TFM_OK;
    if (!(n == 4 && memcmp(value, "none", 4) == 0)) status = tfm_parse_ids(what, value, n, INT32_MAX, &ids, error);
    if (status != TFM_OK) {
        tfm_ids_free(&ids);
        return status;
    }
    tfm_ids_free(list);
    *list = ids;
    return TFM_OK;
}

static tfm_status read_bad_word(const json_t *word, const char *what, tfm_ids *flat, tfm_error *error) {
    int32_t n = (int32_t)json_array_size(word);
    if (!json_is_array(word) || n == 0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: each word is a list of token ids, as in [[1, 2], [3]]", what);
    if (!tfm_push_ids(flat, &n, 1)) return no_memory(what, error);
    for (size_t i = 0; i < (size_t)n; i++) {
        const json_t *id = json_array_get(word, i);
        json_int_t number = json_is_integer(id) ? json_integer_value(id) : -1;
        if (number < 0 || number > INT32_MAX)
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: each word is a list of token ids, as in [[1, 2], [3]]",
                            what);
        int32_t value = (int32_t)number;
        if (!tfm_push_ids(flat, &value, 1)) return no_memory(what, error);
    }
    return TFM_OK;
}

/* Makes the views of the words; flat is final here. */
static tfm_tokens *word_views(const tfm_ids *flat, size_t n_words) {
    tfm_tokens *views = calloc(n_words ? n_words : 1, sizeof *views);
    for (size_t i = 0, at = 0; views && i < n_words; i++) {
        views[i] = (tfm_tokens){.ids = flat->data + at + 1, .n = (size_t)flat->data[at]};
        at += 1 + views[i].n;
    }
    return views;
}

static tfm_status parse_bad_words(void *user, const tfm_option *option, const char *what, const char *value,
                                  tfm_error *error) {
    (void)option;
    tfm_decoding *decoding = &((tfm_settings *)user)->decoding;
    if (strcmp(value, "none") == 0) value = "[]";
    json_error_t where;
    json_t *words = json_loads(value, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_array(words)) {
        json_decref(words);
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: '%.80s' is not a JSON list of lists, as in [[1, 2], [3]]", what,
                        value);
    }
    tfm_ids flat = {0};
    tfm_status status = TFM_OK;
    size_t n_words = json_array_size(words);
    for (size_t i = 0; i < n_words && status == TFM_OK; i++)
        status = read_bad_word(json_array_get(words, i), what, &flat, error);
    json_decref(words);
    tfm_tokens *views = status == TFM_OK ? word_views(&flat, n_words) : NULL;
    if (status == TFM_OK && !views) status = no_memory(what, error);
    if (status != TFM_OK) {
        tfm_ids_free(&flat);
        return status;
    }
    tfm_ids_free(&decoding->bad_words);
    free(decoding->bad_word_list);
    decoding->bad_words = flat;
    decoding->bad_word_list = views;
    decoding->n_bad_words = n_words;
    return TFM_OK;
}

static tfm_status parse_prefix(void *user, const tfm_option *option, const char *what, const char *value,
                               tfm_error *error) {
    (void)option;
    tfm_decoding *decoding = &((tfm_settings *)user)->decoding;
    char *copy = strdup(value);
    if (!copy) return no_memory(what, error);
    free(decoding->prefix);
    decoding->prefix = copy;
    return TFM_OK;
}

static tfm_status parse_do_sample(void *user, const tfm_option *option, const char *what, const char *value,
                                  tfm_error *error) {
    bool sample = false;
    tfm_status status = tfm_parse_bool(what, value, &sample, error);
    if (status != TFM_OK) return status;
    if (sample)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "%s: this version does not sample; it decodes greedily (--num-beams 1) or with beams", what);
    *(bool *)((char *)user + option->offset) = false;
    return TFM_OK;
}

/* ---- the table ---------------------------------------------------------------------------------------------- */

static const char *const early_stopping_choices[] = {"false", "true", "never", NULL};
static const char *const verify_choices[] = {"all", "header", NULL};
static const char *const kv_dtype_choices[] = {"f32", "f16", "int8", NULL};

enum { FIRST_DECODING = 1 }; /* index of the first decoding option; they end with the next group */

static const tfm_option options[] = {
    {TFM_OPTION_GROUP, 0, "Decoding", NULL,
     "Names and meanings are those of generate() in Hugging Face transformers. What is not given comes from the "
     "model file; the prompt's /show tells.",
     0, 0, 0, NULL, NULL},
    {TFM_OPTION_U32, 0, "num-beams", "N", "Width of beam search; 1 is greedy search.", DECODING(num_beams), 1, 1024,
     NULL, NULL},
    {TFM_OPTION_U32, 0, "num-return-sequences", "N", "How many outputs of each input, best first; at most num-beams.",
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
    {TFM_OPTION_U32, 0, "max-length", "N", "Longest output in tokens, the start token included.", DECODING(max_length),
     1, UINT32_MAX, NULL, NULL},
    {TFM_OPTION_U32, 0, "max-new-tokens", "N",
     "Longest output in tokens without the start token; wins over max-length.", DECODING(max_new_tokens), 1,
     UINT32_MAX - 1, NULL, NULL},
    {TFM_OPTION_U32, 0, "min-length", "N", "Shortest output in tokens, the start token included.", DECODING(min_length),
     0, UINT32_MAX, NULL, NULL},
    {TFM_OPTION_U32, 0, "min-new-tokens", "N", "Shortest output in tokens without the start token.",
     DECODING(min_new_tokens), 0, UINT32_MAX - 1, NULL, NULL},
    {TFM_OPTION_BOOL, 0, "renormalize-logits", NULL,
     "Normalise the probabilities again after the rules above changed them.", DECODING(renormalize_logits), 0, 0, NULL,
     NULL},
    {TFM_OPTION_BOOL, 0, "shortlist", NULL,
     "Choose only among the tokens that the model's shortlist (tfmpack --shortlist) gives for the input: faster.",
     DECODING(shortlist), 0, 0, NULL, NULL},
    {TFM_OPTION_CUSTOM, 0, "prefix", "TEXT", "Text every output starts with.", FIELD(decoding.prefix), 0, 0, NULL,
     parse_prefix},
    {TFM_OPTION_CUSTOM, 0, "prefix-ids", "IDS", "Token ids every output starts with; wins over prefix.",
     FIELD(decoding.prefix_ids), 0, 0, NULL, parse_id_list},
    {TFM_OPTION_ID, 0, "decoder-start-token-id", "ID", "The token before the first one.",
     DECODING(decoder_start_token_id), 0, 0, NULL, NULL},
    {TFM_OPTION_ID, 0, "forced-bos-token-id", "ID", "The first token of every output, or none.",
     DECODING(forced_bos_token_id), 0, 0, NULL, NULL},
    {TFM_OPTION_ID, 0, "forced-eos-token-id", "ID", "The last token of an output that reaches max-length, or none.",
     DECODING(forced_eos_token_id), 0, 0, NULL, NULL},
    {TFM_OPTION_CUSTOM, 0, "eos-token-id", "IDS", "Tokens that end an output, or none.", FIELD(decoding.eos_token_ids),
     0, 0, NULL, parse_id_list},
    {TFM_OPTION_ID, 0, "pad-token-id", "ID", "The padding token, or none.", DECODING(pad_token_id), 0, 0, NULL, NULL},
    {TFM_OPTION_CUSTOM, 0, "bad-words-ids", "JSON", "Token sequences that must not occur: [[1, 2], [3]], or none.",
     FIELD(decoding.bad_words), 0, 0, NULL, parse_bad_words},
    {TFM_OPTION_CUSTOM, 0, "suppress-tokens", "IDS", "Tokens that must not occur, or none.",
     FIELD(decoding.suppress_tokens), 0, 0, NULL, parse_id_list},
    {TFM_OPTION_CUSTOM, 0, "do-sample", "false", "Only false: this version does not sample.", FIELD(decoding.do_sample),
     0, 0, NULL, parse_do_sample},

    {TFM_OPTION_GROUP, 0, "Input and output", NULL, NULL, 0, 0, 0, NULL, NULL},
    {TFM_OPTION_FLAG, 0, "ids", NULL, "Inputs and outputs are token ids separated by spaces.", FIELD(ids), 0, 0, NULL,
     NULL},
    {TFM_OPTION_FLAG, 'j', "json", NULL, "One JSON object a line: text, ids, score, timing.", FIELD(json), 0, 0, NULL,
     NULL},
    {TFM_OPTION_FLAG, 0, "log-probs", NULL, "With --json: the log-probability of each token.", FIELD(log_probs), 0, 0,
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
    while (options[end].kind != TFM_OPTION_GROUP) end++;
    return option >= options + FIRST_DECODING && option < options + end;
}

void tfm_settings_unset(tfm_settings *settings, const tfm_option *option) { settings->given[option - options] = false; }

/* ---- the settings in force ------------------------------------------------------------------------------------ */

static bool is_given(const tfm_settings *settings, const char *name) {
    return settings->given[tfm_options_find(&tfm_settings_table, name, strlen(name)) - options];
}

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
    for (size_t i = FIRST_DECODING; tfm_settings_is_decoding(&options[i]) && status == TFM_OK; i++)
        if (options[i].kind == TFM_OPTION_ID && settings->given[i])
            status = check_id(options[i].name, *(const int32_t *)scalar(params, &options[i]), info, error);
    const tfm_decoding *decoding = &settings->decoding;
    if (status == TFM_OK && is_given(settings, "eos-token-id"))
        status = check_ids("eos-token-id", params->eos_token_ids, params->n_eos_token_ids, info, error);
    if (status == TFM_OK && is_given(settings, "suppress-tokens"))
        status = check_ids("suppress-tokens", params->suppress_tokens, params->n_suppress_tokens, info, error);
    if (status == TFM_OK && is_given(settings, "prefix-ids"))
        status = check_ids("prefix-ids", decoding->prefix_ids.data, decoding->prefix_ids.size, info, error);
    for (size_t i = 0; is_given(settings, "bad-words-ids") && i < params->n_bad_words && status == TFM_OK; i++)
        status = check_ids("bad-words-ids", params->bad_words[i].ids, params->bad_words[i].n, info, error);
    return status;
}

/* What would fail for every input alike is said once, before any is read. */
static tfm_status check_together(const tfm_settings *settings, tfm_generate_params *params, const tfm_model_info *info,
                                 tfm_error *error) {
    if (params->num_return_sequences > params->num_beams)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "--num-return-sequences %u is more than --num-beams %u: beam search gives at most one output a "
                        "beam",
                        params->num_return_sequences, params->num_beams);
    if (params->decoder_start_token_id < 0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "the model names no start token: give --decoder-start-token-id");
    uint32_t limit = info->max_target + (info->max_target < UINT32_MAX); /* the last token takes no position */
    bool new_tokens = params->max_new_tokens > 0,
         given = is_given(settings, new_tokens ? "max-new-tokens" : "max-length");
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

tfm_status tfm_settings_params(const tfm_settings *settings, const tfm_model *model, tfm_generate_params *params,
                               tfm_error *error) {
    const tfm_decoding *decoding = &settings->decoding;
    *params = tfm_generate_params_default(model);
    for (size_t i = FIRST_DECODING; tfm_settings_is_decoding(&options[i]); i++) {
        size_t size = scalar_size(&options[i]);
        if (!settings->given[i] || size == 0) continue;
        size_t offset = options[i].offset - FIELD(decoding.values);
        memcpy((char *)params + offset, (const char *)&decoding->values + offset, size);
    }
    if (is_given(settings, "eos-token-id")) {
        params->eos_token_ids = decoding->eos_token_ids.data;
        params->n_eos_token_ids = decoding->eos_token_ids.size;
    }
    if (is_given(settings, "suppress-tokens")) {
        params->suppress_tokens = decoding->suppress_tokens.data;
        params->n_suppress_tokens = decoding->suppress_tokens.size;
    }
    if (is_given(settings, "bad-words-ids")) {
        params->bad_words = decoding->bad_word_list;
        params->n_bad_words = decoding->n_bad_words;
    }
    /* Who types a maximum means it, whichever of the two the model file has. */
    if (is_given(settings, "max-length") && !is_given(settings, "max-new-tokens")) params->max_new_tokens = 0;
    params->keep_log_probs = settings->log_probs;
    params->keep_attention = settings->attention;
    tfm_model_info info = tfm_model_get_info(model);
    tfm_status status = check_together(settings, params, &info, error);
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
    if (strcmp(option->name, "do-sample") == 0) return tfm_bytes_print(out, "false");
    if (option->parse == parse_prefix) {
        const char *prefix = given && decoding->prefix ? decoding->prefix : "";
        return tfm_bytes_print(out, "%s", *prefix ? prefix : "none");
    }
    if (option->parse == parse_bad_words) {
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
