/* languages.c - section languages: the codes of a translation model's languages, and where they stand. */
#include "languages.h"

#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "runtime/params.h"

/* ---- the section ---- */

/* Which of the words a string of the table is, or -1. */
static int word_of(const tfm_table *table, const char *key, const char *const *words) {
    const char *text = tfm_table_string(table, key, "");
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], text) == 0) return i;
    return -1;
}

static bool read_places(tfm_languages *languages, const tfm_table *table) {
    static const char *const sources[] = {"none", "first", "last", NULL};
    static const char *const targets[] = {"forced", "start", "source", NULL};
    const int source = word_of(table, "source", sources), target = word_of(table, "target", targets);
    languages->source = (tfm_language_source)source;
    languages->target = (tfm_language_target)target;
    return source >= 0 && target >= 0;
}

/* The language whose token is the default, if there is one. */
static bool read_default(const tfm_languages *languages, const tfm_table *table, const char *key, int32_t *which) {
    const tfm_value *value = tfm_table_find(table, key);
    *which = -1;
    if (!value) return true;
    for (size_t i = 0; value->type == TFM_VALUE_U64 && i < languages->n; i++)
        if (languages->ids[i] == value->u64) *which = (int32_t)i;
    return *which >= 0;
}

static bool read_codes(tfm_languages *languages, const tfm_table *table, uint32_t vocab_size) {
    const tfm_value *codes = tfm_table_find(table, "codes"), *ids = tfm_table_find(table, "ids");
    if (!codes || !ids || codes->type != TFM_VALUE_STRINGS || ids->type != TFM_VALUE_U32S || codes->n != ids->n ||
        codes->n == 0 || codes->n > vocab_size)
        return false;
    languages->ids = ids->data;
    const char *at = codes->data;
    for (size_t i = 0; i < codes->n; i++, at += strlen(at) + 1) {
        languages->codes[languages->n++] = at;
        if (languages->ids[i] >= vocab_size) return false;
    }
    return true;
}

static bool read_all(tfm_languages *languages, const tfm_table *table, uint32_t vocab_size) {
    const size_t n =
        4 + (tfm_table_find(table, "source.default") != NULL) + (tfm_table_find(table, "target.default") != NULL);
    return tfm_table_count(table) == n && read_codes(languages, table, vocab_size) && read_places(languages, table) &&
           read_default(languages, table, "source.default", &languages->source_default) &&
           read_default(languages, table, "target.default", &languages->target_default) &&
           (languages->source == TFM_LANGUAGE_SOURCE_NONE) == (languages->source_default < 0);
}

tfm_status tfm_languages_read(tfm_languages *languages, const tfm_table *table, const tfm_architecture *arch,
                              const char *path, tfm_error *error) {
    *languages = (tfm_languages){.source_default = -1, .target_default = -1};
    if (!table) return TFM_OK;
    const tfm_value *codes = tfm_table_find(table, "codes");
    uint32_t vocab_size = arch->has_encoder ? arch->encoder.vocab_size : arch->decoder.vocab_size;
    if (arch->has_decoder && arch->decoder.vocab_size < vocab_size) vocab_size = arch->decoder.vocab_size;
    if (arch->kind == TFM_KIND_TOKENIZER) vocab_size = INT32_MAX;
    languages->codes = calloc(codes ? codes->n + 1 : 1, sizeof *languages->codes);
    if (!languages->codes) return tfm_no_memory(error, "%s: section languages", path);
    if (read_all(languages, table, vocab_size)) return TFM_OK;
    return tfm_fail(error, TFM_ERROR_FORMAT, "%s: section languages does not fit the model; pack it again", path);
}

void tfm_languages_free(tfm_languages *languages) {
    free(languages->codes);
    *languages = (tfm_languages){0};
}

/* ---- asking ---- */

const char *tfm_language(const tfm_model *model, size_t i) {
    return i < model->languages.n ? model->languages.codes[i] : NULL;
}

/* Levenshtein's distance of two short words. */
static size_t distance(const char *a, const char *b) {
    size_t row[64], n = strlen(b);
    if (n >= sizeof row / sizeof *row) return SIZE_MAX;
    for (size_t k = 0; k <= n; k++) row[k] = k;
    for (; *a; a++) {
        size_t corner = row[0]++;
        for (size_t k = 1; k <= n; k++) {
            size_t change = corner + (*a != b[k - 1]), other = 1 + (row[k] < row[k - 1] ? row[k] : row[k - 1]);
            corner = row[k];
            row[k] = change < other ? change : other;
        }
    }
    return row[n];
}

/* Codes that begin like the one asked for come first: "de" means de_DE or deu_Latn. */
static size_t difference(const char *asked, const char *code) {
    const size_t n = strlen(asked);
    if (n >= 2 && strncmp(asked, code, n) == 0) return 0;
    return strncmp(asked, code, 2) == 0 ? 1 + distance(asked, code) : 4 + distance(asked, code);
}

static tfm_status unknown(const tfm_languages *languages, const char *code, tfm_error *error) {
    enum { SHOWN = 3 };
    const char *best[SHOWN] = {NULL};
    size_t score[SHOWN] = {SIZE_MAX, SIZE_MAX, SIZE_MAX};
    for (size_t i = 0; i < languages->n; i++) {
        size_t d = difference(code, languages->codes[i]), k = SHOWN;
        while (k > 0 && d < score[k - 1]) k--;
        if (k == SHOWN) continue;
        memmove(score + k + 1, score + k, (SHOWN - 1 - k) * sizeof *score);
        memmove(best + k + 1, best + k, (SHOWN - 1 - k) * sizeof *best);
        score[k] = d;
        best[k] = languages->codes[i];
    }
    return tfm_fail(error, TFM_ERROR_ARGUMENT,
                    "the model has no language '%.40s'; the nearest of its %zu are %s%s%s%s%s", code, languages->n,
                    best[0], best[1] ? ", " : "", best[1] ? best[1] : "", best[2] ? ", " : "", best[2] ? best[2] : "");
}

/* The place of a code, or of a token that spells one (__de__, >>fra<<). */
static int32_t find(const tfm_languages *languages, const char *code) {
    size_t n = strlen(code);
    if (n > 4 && ((!memcmp(code, "__", 2) && !memcmp(code + n - 2, "__", 2)) ||
                  (!memcmp(code, ">>", 2) && !memcmp(code + n - 2, "<<", 2)))) {
        code += 2;
        n -= 4;
    }
    for (size_t i = 0; i < languages->n; i++)
        if (strlen(languages->codes[i]) == n && memcmp(languages->codes[i], code, n) == 0) return (int32_t)i;
    return -1;
}

static tfm_status choose(const tfm_model *model, const char *code, int32_t fallback, int32_t *which, tfm_error *error) {
    const tfm_languages *languages = &model->languages;
    *which = fallback;
    if (!code) return TFM_OK;
    if (languages->n == 0)
        return tfm_fail(error, TFM_ERROR_STATE, "%s has no languages to choose from: '%.40s' cannot be one",
                        tfm_file_path(model->file), code);
    *which = find(languages, code);
    return *which >= 0 ? TFM_OK : unknown(languages, code, error);
}

tfm_status tfm_language_token(const tfm_model *model, const char *code, int32_t *id, tfm_error *error) {
    int32_t which;
    *id = -1;
    tfm_status status = choose(model, code ? code : "", -1, &which, error);
    if (status == TFM_OK) *id = (int32_t)model->languages.ids[which];
    return status;
}

/* ---- inputs and outputs ---- */

static tfm_status refuse_source(const tfm_model *model, const char *code, tfm_error *error) {
    return tfm_fail(error, TFM_ERROR_STATE,
                    "%s: its inputs do not say their language, so '%.40s' has no place; only the target has one",
                    tfm_file_path(model->file), code);
}

/* Replaces the default language's code among the ids around a text, at their beginning or end. */
static void replace_code(const tfm_languages *languages, int32_t which, int32_t *ids, size_t n) {
    const int32_t old = (int32_t)languages->ids[languages->source_default];
    const size_t at = languages->source == TFM_LANGUAGE_SOURCE_FIRST ? 0 : n - 1;
    if (n > 0 && ids[at] == old) ids[at] = (int32_t)languages->ids[which];
}

tfm_status tfm_tokenize_input(const tfm_model *model, const tfm_generate_params *params, const char *text, size_t n,
                              tfm_ids *ids, tfm_error *error) {
    tfm_generate_params own = model->defaults;
    const tfm_languages *languages = &model->languages;
    const size_t first = ids->size;
    int32_t source, target;
    tfm_status status = tfm_params_take(&own, sizeof own, params, "tfm_generate_params", error);
    if (status == TFM_OK) status = choose(model, own.source_language, languages->source_default, &source, error);
    if (status == TFM_OK) status = choose(model, own.target_language, languages->target_default, &target, error);
    if (status != TFM_OK) return status;
    if (own.source_language && languages->source == TFM_LANGUAGE_SOURCE_NONE)
        return refuse_source(model, own.source_language, error);
    if (languages->n > 0 && languages->target == TFM_LANGUAGE_TARGET_SOURCE && target >= 0) {
        const int32_t id = (int32_t)languages->ids[target];
        if (!tfm_ids_append(ids, &id, 1)) return tfm_no_memory(error, "token ids");
    }
    status = tfm_tokenize(model, TFM_SOURCE, text, n, true, ids, error);
    if (status == TFM_OK && source >= 0) replace_code(languages, source, ids->data + first, ids->size - first);
    if (status != TFM_OK) ids->size = first;
    return status;
}

/* The language of a token, or -1. */
static int32_t language_of(const tfm_languages *languages, int32_t id) {
    for (size_t i = 0; i < languages->n; i++)
        if (id >= 0 && languages->ids[i] == (uint32_t)id) return (int32_t)i;
    return -1;
}

/* The language of outputs: the one asked for, else that of the token by which params begin them; -1: none. */
static tfm_status choose_target(const tfm_model *model, const tfm_generate_params *params, int32_t *which,
                                tfm_error *error) {
    const tfm_languages *languages = &model->languages;
    tfm_status status = choose(model, params->target_language, -1, which, error);
    if (status != TFM_OK || *which >= 0) return status;
    if (languages->target == TFM_LANGUAGE_TARGET_FORCED) *which = language_of(languages, params->forced_bos_token_id);
    if (languages->target == TFM_LANGUAGE_TARGET_START) *which = language_of(languages, params->decoder_start_token_id);
    return TFM_OK;
}

tfm_status tfm_tokenize_output(const tfm_model *model, const tfm_generate_params *params, const char *text, size_t n,
                               tfm_ids *ids, tfm_error *error) {
    tfm_generate_params own = model->defaults;
    const tfm_languages *languages = &model->languages;
    const size_t first = ids->size;
    int32_t which;
    tfm_status status = tfm_params_take(&own, sizeof own, params, "tfm_generate_params", error);
    if (status == TFM_OK) status = choose_target(model, &own, &which, error);
    if (status != TFM_OK) return status;
    const bool framed = languages->n > 0 && languages->source != TFM_LANGUAGE_SOURCE_NONE;
    if (framed && which < 0)
        return tfm_fail(error, TFM_ERROR_STATE,
                        "%s: which of the %zu languages the outputs have is not said: choose the target language",
                        tfm_file_path(model->file), languages->n);
    status = tfm_tokenize(model, TFM_TARGET, text, n, true, ids, error);
    if (status == TFM_OK && framed) replace_code(languages, which, ids->data + first, ids->size - first);
    if (status != TFM_OK) ids->size = first;
    return status;
}

tfm_status tfm_languages_apply(const tfm_model *model, tfm_generate_params *params, tfm_error *error) {
    const tfm_languages *languages = &model->languages;
    int32_t which;
    tfm_status status = choose(model, params->target_language, -1, &which, error);
    if (status != TFM_OK || which < 0) return status;
    const int32_t id = (int32_t)languages->ids[which];
    if (languages->target == TFM_LANGUAGE_TARGET_FORCED) params->forced_bos_token_id = id;
    if (languages->target == TFM_LANGUAGE_TARGET_START) params->decoder_start_token_id = id;
    return TFM_OK;
}
