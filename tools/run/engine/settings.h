/*
 * settings.h - what the options of tfmrun set, and the one table that parsing, --help, /set and /show use.
 */
#ifndef TFM_TOOLS_RUN_ENGINE_SETTINGS_H
#define TFM_TOOLS_RUN_ENGINE_SETTINGS_H

#include "analysis_options.h"
#include "tools/common/bytes.h"
#include "tools/common/open_model.h"
#include "tools/common/options.h"
#include "tools/common/token_names.h"

/* Decoding options as given; what was not given stays with the model's defaults. */
typedef struct tfm_decoding {
    tfm_generate_params values; /* scalars; see tfm_settings_params */
    tfm_ids eos_token_ids, suppress_tokens, prefix_ids;
    tfm_ids bad_words;         /* each as its length followed by its ids */
    tfm_tokens *bad_word_list; /* views into bad_words */
    size_t n_bad_words;
    char *prefix;       /* text */
    char *languages[2]; /* codes of the source and the target; NULL: as the model says */
    char **stops;       /* (n_stops) texts that end an output before them; none is empty */
    size_t n_stops, stop_capacity;
    tfm_logit_bias *logit_bias;
    size_t n_logit_bias, logit_bias_capacity;
    tfm_attention_head *heads; /* whose attention is told of; none: all */
    size_t n_heads, heads_capacity;
} tfm_decoding;

typedef struct tfm_settings {
    tfm_decoding decoding;
    tfm_token_names names; /* of tokens, until tfm_settings_resolve */
    bool *given;           /* by tfm_options_index of the table */
    tfm_model_choice model;
    const char *attention, *prompt_file, *prefix_file, *system, *system_file;
    uint32_t batch_tokens, max_source_length, top_log_probs;
    tfm_analysis_settings analysis;
    int kv_dtype; /* tfm_kv_type */
    int shell;    /* tfm_shell: print its completions */
    bool ids, json, log_probs, no_timing, truncate, help, version, languages;
    bool chat, completion, echo;
    bool json_in, scores, alignment, attention_weights, progress, quiet;
} tfm_settings;

extern const tfm_option_table tfm_settings_table;
/* What other programs call these options (foreign_options.c). */
extern const tfm_foreign_options tfm_settings_foreign;

/* All defaults, nothing given. false when memory is out. */
bool tfm_settings_init(tfm_settings *settings);
void tfm_settings_free(tfm_settings *settings);
/* Everything, lists too; tfm_settings_free also after a failure. False when memory is out. */
bool tfm_settings_copy(const tfm_settings *from, tfm_settings *to);

/* Is it one of the options that say how to decode, which can be changed while the program runs? */
bool tfm_settings_is_decoding(const tfm_option *option);

/* The help of those, wrapped to width columns. The caller frees it; NULL when memory is out. */
char *tfm_settings_decoding_help(unsigned width);

/* Where it is noted whether an option of the table was given. */
bool *tfm_settings_mark(const tfm_settings *settings, const tfm_option *option);
/* Was the option of this name given? */
bool tfm_settings_given(const tfm_settings *settings, const char *name);

/* Makes an option fall back to the model's default. */
void tfm_settings_unset(tfm_settings *settings, const tfm_option *option);

/*
 * Puts the model's tokens in the place of their names in what was given, so that there are ids only. Needed before
 * tfm_settings_params. Error: TFM_ERROR_ARGUMENT (no such token, no tokenizer).
 */
tfm_status tfm_settings_resolve(tfm_settings *settings, const tfm_model *model, tfm_error *error);

/*
 * The model's defaults with what was given laid over them; lists point into model and settings. Options that make sense
 * only when tokens are drawn imply do_sample. Checks what can only be checked together (num-return-sequences and
 * num-beams, ids and the vocabulary). Error: TFM_ERROR_ARGUMENT.
 */
tfm_status tfm_settings_params(const tfm_settings *settings, const tfm_model *model, tfm_generate_params *params,
                               tfm_error *error);

/* Appends a decoding option's value in params as one would type it. */
bool tfm_settings_print(const tfm_settings *settings, const tfm_option *option, const tfm_generate_params *params,
                        tfm_text *out);

#endif
