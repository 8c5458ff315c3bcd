/* analysis_check.c - see analysis_check.h. */
#include "analysis_check.h"

#include "runtime/tfm.h"

static const char *const action_names[] = {"embed", "similarity", "fill-mask", "classify"};

tfm_action tfm_analysis_action(const tfm_engine *engine, const tfm_settings *settings) {
    const tfm_analysis_settings *asked = &settings->analysis;
    if (asked->embed) return TFM_EMBED;
    if (asked->similarity) return TFM_SIMILARITY;
    if (asked->fill_mask) return TFM_FILL_MASK;
    if (asked->classify) return TFM_CLASSIFY;
    if (engine->info.head == TFM_HEAD_MASKED_LM) return TFM_FILL_MASK;
    return engine->info.head == TFM_HEAD_NONE ? TFM_EMBED : TFM_CLASSIFY;
}

static tfm_status check_head(const tfm_engine *engine, tfm_action action, tfm_error *error) {
    tfm_head head = engine->info.head;
    if (action == TFM_FILL_MASK && head != TFM_HEAD_MASKED_LM)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "--fill-mask: this model cannot fill masks; it was packed without a head for masked words");
    if (action == TFM_CLASSIFY && head != TFM_HEAD_TOKEN && head != TFM_HEAD_SEQUENCE)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "--classify: this model has no classes; it was packed without a head for them");
    return TFM_OK;
}

/* Options that mean something with some actions only. */
static tfm_status check_action(const tfm_engine *engine, const tfm_settings *settings, tfm_action action,
                               tfm_error *error) {
    static const struct {
        const char *name, *needs;
        unsigned actions;
    } rules[] = {{"format", "embed", 1u << TFM_EMBED},
                 {"pooling", "embed or --similarity", 1u << TFM_EMBED | 1u << TFM_SIMILARITY},
                 {"normalize", "embed", 1u << TFM_EMBED},
                 {"prompt", "embed or --similarity", 1u << TFM_EMBED | 1u << TFM_SIMILARITY},
                 {"top", "fill-mask or --classify", 1u << TFM_FILL_MASK | 1u << TFM_CLASSIFY},
                 {"mask-id", "fill-mask", 1u << TFM_FILL_MASK}};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (tfm_settings_given(settings, rules[i].name) && !(rules[i].actions >> action & 1))
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "--%s goes with --%s, not with --%s", rules[i].name,
                            rules[i].needs, action_names[action]);
    if (engine->interactive && settings->analysis.format != TFM_VECTORS_JSON)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--format %s is not for terminals: send it to a file or a program",
                        tfm_vector_format_name(settings->analysis.format));
    if (settings->json && settings->analysis.format != TFM_VECTORS_JSON)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--json and --format %s contradict each other",
                        tfm_vector_format_name(settings->analysis.format));
    return TFM_OK;
}

/* The first option given that is for models of another kind, or NULL. */
static const char *misplaced(const tfm_settings *settings, bool encoder) {
    static const char *const ours[] = {"embed",  "similarity", "fill-mask", "classify", "top",
                                       "format", "pooling",    "normalize", "mask-id",  "prompt"};
    for (size_t i = 0; !encoder && i < sizeof ours / sizeof *ours; i++)
        if (tfm_settings_given(settings, ours[i])) return ours[i];
    if (encoder && settings->attention) return "attention";
    if (encoder && settings->log_probs) return "log-probs";
    if (encoder && settings->json_in) return "json-in";
    if (encoder && settings->prefix_file) return "prefix-file";
    if (encoder && settings->scores) return "scores";
    if (encoder && settings->alignment) return "alignment";
    if (encoder && settings->attention_weights) return "attention-weights";
    const tfm_option *option;
    for (size_t i = 0; encoder && (option = tfm_options_at(&tfm_settings_table, i)); i++)
        if (settings->given[i] && tfm_settings_is_decoding(option)) return option->name;
    return NULL;
}

tfm_status tfm_analysis_check(const tfm_engine *engine, const tfm_settings *settings, tfm_error *error) {
    const tfm_analysis_settings *asked = &settings->analysis;
    const bool encoder = engine->info.kind == TFM_KIND_ENCODER,
               wanted[] = {asked->embed, asked->similarity, asked->fill_mask, asked->classify};
    const char *name = misplaced(settings, encoder);
    if (name && encoder)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--%s is for models that generate text; this one is encoder-only",
                        name);
    if (name)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--%s is for encoder-only models; this one is of kind '%s'", name,
                        tfm_engine_kind_name(engine->info.kind));
    if (!encoder) return TFM_OK;
    tfm_action action = tfm_analysis_action(engine, settings);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (wanted[i] && i != action)
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "--%s and --%s: one at a time", action_names[action],
                            action_names[i]);
    tfm_status status = check_head(engine, action, error);
    return status != TFM_OK ? status : check_action(engine, settings, action, error);
}
