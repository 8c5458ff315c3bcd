/* sentence_transformers.c - modules.json and what belongs to it; see sentence_transformers.h. */
#include "sentence_transformers.h"

#include <stdlib.h>
#include <string.h>

#include "tools/pack/common/json_file.h"
#include "tools/pack/common/name_format.h"
#include "tools/pack/common/path.h"
#include "tools/pack/common/word_list.h"
#include "tools/pack/config/keys.h"

/* What is read, and what it goes into. */
typedef struct sentences {
    const tfm_checkpoint *checkpoint;
    tfm_table_builder *table;
    const tfm_pack_options *options;
    tfm_error *error;
    bool without_prompt; /* the tokens of a prompt are not to be pooled */
} sentences;

/* A JSON object to be read key by key; tfm_config.object is NULL if there is no such file. */
static tfm_status open_config(const sentences *from, const char *folder, const char *name, tfm_config *config) {
    json_t *object;
    *config = (tfm_config){.folder = folder, .file = name, .error = from->error};
    tfm_status status =
        tfm_json_load(tfm_path_in(folder, name).text, TFM_JSON_OPTIONAL | TFM_JSON_OBJECT, &object, from->error);
    config->object = object;
    if (status == TFM_OK && object && !(config->asked = json_object())) status = tfm_no_memory(from->error, "%s", name);
    return status;
}

/* Looks at what nobody asked for if status is TFM_OK, and gives the file back. */
static tfm_status close_config(const sentences *from, tfm_config *config, const tfm_key_table *table,
                               tfm_status status) {
    if (status == TFM_OK && config->object) status = tfm_keys_check(table, config, false, from->options);
    json_decref((json_t *)(uintptr_t)config->object);
    json_decref(config->asked);
    return status;
}

/* ---- pooling ---- */

static const struct {
    const char *flag, *word; /* "pooling_mode_cls_token": true, or "pooling_mode": "cls" */
    const char *ours;        /* NULL: not supported */
} modes[] = {
    {"pooling_mode_cls_token", "cls", "cls"},
    {"pooling_mode_mean_tokens", "mean", "mean"},
    {"pooling_mode_max_tokens", "max", "max"},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", NULL},
    {"pooling_mode_weightedmean_tokens", "weightedmean", NULL},
    {"pooling_mode_lasttoken", "lasttoken", NULL},
};
#define N_MODES (sizeof modes / sizeof *modes)

static tfm_status set_pooling(sentences *from, tfm_config *config) {
    const char *word = tfm_config_string(config, "pooling_mode", NULL), *chosen = NULL;
    size_t n = 0;
    for (size_t i = 0; i < N_MODES; i++) {
        const bool flag = tfm_config_bool(config, modes[i].flag, false);
        if (word ? strcmp(word, modes[i].word) != 0 : !flag) continue;
        if (!modes[i].ours) tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, modes[i].flag, "is not supported");
        chosen = modes[i].ours;
        n++;
    }
    from->without_prompt = !tfm_config_bool(config, "include_prompt", true);
    if (n != 1)
        tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, "pooling_mode",
                        n ? "names several ways of pooling at once, which is not supported"
                          : "names no known way of pooling");
    if (config->status == TFM_OK) tfm_table_set_string(from->table, "pooling", chosen);
    return config->status;
}

static tfm_status read_pooling(sentences *from, const char *module) {
    const char *home = tfm_checkpoint_home(from->checkpoint);
    const tfm_path folder = tfm_path_in(home, module);
    tfm_config config;
    tfm_status status = open_config(from, folder.text, "config.json", &config);
    if (status == TFM_OK && !config.object)
        status = tfm_fail(from->error, TFM_ERROR_FORMAT, "%s/config.json: is missing", folder.text);
    if (status == TFM_OK) status = set_pooling(from, &config);
    return close_config(from, &config, &tfm_pooling_keys, status);
}

/* ---- modules ---- */

/* "sentence_transformers.models.Pooling" is "Pooling". */
static const char *last_name(const char *type) {
    const char *dot = type ? strrchr(type, '.') : NULL;
    return dot ? dot + 1 : type;
}

static tfm_status set_module(sentences *from, const char *class, const char *path, size_t index) {
    /* Before its version 0.3 the first module had a class for each family. */
    static const char *const transformers = "Transformer BERT RoBERTa XLMRoBERTa CamemBERT DistilBERT T5";
    const char *home = tfm_checkpoint_home(from->checkpoint);
    if (!class || !path)
        return tfm_fail(from->error, TFM_ERROR_FORMAT, "%s/modules.json: module %zu has no type or no path", home,
                        index);
    if (index == 0 && tfm_word_list_has(transformers, class)) return TFM_OK;
    if (strcmp(class, "Pooling") == 0 && index == 1) {
        if (!tfm_path_is_inside(path))
            return tfm_fail(from->error, TFM_ERROR_FORMAT, "%s/modules.json: path %.200s leaves the folder", home,
                            path);
        return read_pooling(from, path);
    }
    if (strcmp(class, "Normalize") == 0 && index == 2) {
        tfm_table_set_u64(from->table, "pooling.normalize", 1);
        return TFM_OK;
    }
    return tfm_fail(from->error, TFM_ERROR_UNSUPPORTED,
                    "%s/modules.json: module %zu, %.100s, is not supported there; Transformer, Pooling, Normalize are, "
                    "in this order",
                    home, index, class);
}

static tfm_status read_module(sentences *from, const json_t *module, size_t index) {
    tfm_config config = {.folder = tfm_checkpoint_home(from->checkpoint),
                         .file = "modules.json",
                         .object = json_incref((json_t *)(uintptr_t)module),
                         .asked = json_object(),
                         .error = from->error};
    const char *type = tfm_config_string(&config, "type", NULL), *path = tfm_config_string(&config, "path", NULL);
    tfm_status status = config.asked ? config.status : tfm_no_memory(from->error, "modules.json");
    if (status == TFM_OK) status = set_module(from, last_name(type), path, index);
    return close_config(from, &config, &tfm_module_keys, status);
}

static tfm_status read_modules(sentences *from, bool *there) {
    json_t *modules;
    const tfm_path path = tfm_path_in(tfm_checkpoint_home(from->checkpoint), "modules.json");
    tfm_status status = tfm_json_load(path.text, TFM_JSON_OPTIONAL, &modules, from->error);
    *there = modules != NULL;
    if (status == TFM_OK && modules && !json_is_array(modules))
        status = tfm_fail(from->error, TFM_ERROR_FORMAT, "%s: is no list of modules", path.text);
    for (size_t i = 0; status == TFM_OK && i < json_array_size(modules); i++)
        status = read_module(from, json_array_get(modules, i), i);
    json_decref(modules);
    return status;
}

/* ---- prompts ---- */

static tfm_status set_default_prompt(const sentences *from, tfm_config *config, const json_t *prompts) {
    const char *name = tfm_config_string(config, "default_prompt_name", NULL);
    const char *text = name ? json_string_value(json_object_get(prompts, name)) : NULL;
    if (!name) return config->status;
    if (!text)
        tfm_config_fail(config, TFM_ERROR_FORMAT, "default_prompt_name",
                        tfm_name_format("is '%.60s', which is none of the prompts", name).text);
    else if (from->without_prompt && text[0])
        tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, "default_prompt_name",
                        "together with include_prompt false of the pooling is not supported");
    if (config->status != TFM_OK) return config->status;
    tfm_table_set_string(from->table, "prompts.default", name);
    if (text[0])
        tfm_pack_note(from->options, "the prompt '%.60s' is put before each text, as in sentence-transformers: %.200s",
                      name, text);
    return TFM_OK;
}

static tfm_status set_prompts(const sentences *from, tfm_config *config) {
    const json_t *prompts = tfm_config_get(config, "prompts");
    const size_t n = json_object_size(prompts);
    const char **names = calloc(n + 1, sizeof *names), **texts = calloc(n + 1, sizeof *texts), *name;
    size_t i = 0;
    json_t *text;
    json_object_foreach((json_t *)(uintptr_t)prompts, name, text) {
        if (!json_is_string(text)) tfm_config_fail(config, TFM_ERROR_FORMAT, "prompts", "has one that is no string");
        if (names) names[i] = name;
        if (texts) texts[i++] = json_string_value(text);
    }
    tfm_status status = names && texts ? config->status : tfm_no_memory(from->error, "%s", config->file);
    if (status == TFM_OK && n > 0) {
        tfm_table_set_strings(from->table, "prompts.names", names, n);
        tfm_table_set_strings(from->table, "prompts.texts", texts, n);
    }
    free(names);
    free(texts);
    return status == TFM_OK ? set_default_prompt(from, config, prompts) : status;
}

static tfm_status read_prompts(const sentences *from) {
    tfm_config config;
    tfm_status status =
        open_config(from, tfm_checkpoint_home(from->checkpoint), "config_sentence_transformers.json", &config);
    if (status == TFM_OK && config.object) status = set_prompts(from, &config);
    return close_config(from, &config, &tfm_sentence_transformers_keys, status);
}

/* ---- what it does to texts ---- */

static tfm_status tell(const sentences *from, tfm_config *config, uint64_t max_positions) {
    const uint64_t longest = tfm_config_u64(config, "max_seq_length", 0, UINT32_MAX, 0);
    if (longest > 0 && longest < max_positions)
        tfm_pack_note(
            from->options,
            "sentence-transformers cuts texts to %llu tokens; tfmrun --truncate --max-source-length %llu does "
            "so too",
            (unsigned long long)longest, (unsigned long long)longest);
    if (tfm_config_bool(config, "do_lower_case", false))
        tfm_pack_note(from->options,
                      "sentence-transformers makes lower case of texts before the tokenizer sees them; do "
                      "that if the tokenizer does not");
    return config->status;
}

/* The Transformer module's own file; older versions named it by the family. */
static tfm_status tell_of_texts(const sentences *from, uint64_t max_positions) {
    static const char *const names[] = {"bert", "roberta", "distilbert", "camembert", "xlm-roberta", "albert"};
    tfm_status status = TFM_OK;
    for (size_t i = 0; status == TFM_OK && i < sizeof names / sizeof *names; i++) {
        const tfm_name name = tfm_name_format("sentence_%s_config.json", names[i]);
        tfm_config config;
        status = open_config(from, tfm_checkpoint_path(from->checkpoint), name.text, &config);
        if (status == TFM_OK && config.object) status = tell(from, &config, max_positions);
        status = close_config(from, &config, &tfm_sentence_bert_keys, status);
    }
    return status;
}

tfm_status tfm_sentence_transformers_set(const tfm_checkpoint *checkpoint, uint64_t max_positions,
                                         tfm_table_builder *table, const tfm_pack_options *options, tfm_error *error) {
    sentences from = {.checkpoint = checkpoint, .table = table, .options = options, .error = error};
    const char *pooling = tfm_checkpoint_get_hints(checkpoint)->pooling;
    bool there;
    if (pooling) {
        tfm_table_set_string(table, "pooling", pooling);
        return TFM_OK;
    }
    tfm_status status = read_modules(&from, &there);
    if (status == TFM_OK && there) status = read_prompts(&from);
    return status == TFM_OK ? tell_of_texts(&from, max_positions) : status;
}
