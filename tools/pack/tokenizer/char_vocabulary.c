/* char_vocabulary.c - vocabularies of single characters; see char_vocabulary.h. */
#include "char_vocabulary.h"

#include <string.h>

#include "format/tfm_error.h"
#include "format/utf8.h"
#include "tools/pack/common/json_file.h"
#include "tools/pack/common/path.h"

enum { PAD, BOS, EOS, UNKNOWN, N_SPECIAL };
static const char *const names[N_SPECIAL] = {"<pad>", "<s>", "</s>", "<unk>"};

/* The place of the first filler that has no role yet, or -1. */
static json_int_t find_unknown(const char *characters, const json_int_t *ids) {
    json_int_t place = 0;
    for (const char *c = characters; *c; c += tfm_utf8_announced_length(*c), place++)
        if (*c == '_' && place != ids[PAD] && place != ids[BOS] && place != ids[EOS]) return place;
    return -1;
}

static int role_of(json_int_t place, const json_int_t *ids) {
    for (int i = 0; i < N_SPECIAL; i++)
        if (ids[i] == place) return i;
    return -1;
}

/* Spelling -> id. A filler that has no role is no token. */
static json_t *make_vocabulary(const char *characters, const json_int_t *ids) {
    json_t *vocabulary = json_object();
    json_int_t place = 0;
    for (const char *c = characters; vocabulary && *c; c += tfm_utf8_announced_length(*c), place++) {
        int role = role_of(place, ids);
        if (role < 0 && *c == '_') continue;
        char text[8] = "";
        memcpy(text, c, tfm_utf8_announced_length(*c));
        if (json_object_set_new(vocabulary, role < 0 ? text : names[role], json_integer(place))) break;
    }
    return vocabulary;
}

static json_t *make_added(const json_int_t *ids) {
    json_t *list = json_array();
    for (int i = 0; i < N_SPECIAL; i++)
        json_array_append_new(list,
                              json_pack("{s:I, s:s, s:b, s:b, s:b, s:b, s:b}", "id", ids[i], "content", names[i],
                                        "single_word", 0, "lstrip", 0, "rstrip", 0, "normalized", 0, "special", 1));
    return list;
}

/* bos, the text, eos. */
static json_t *make_template(const json_int_t *ids) {
    return json_pack("{s:s, s:[{s:{s:s, s:i}}, {s:{s:s, s:i}}, {s:{s:s, s:i}}], s:[],"
                     " s:{s:{s:s, s:[I], s:[s]}, s:{s:s, s:[I], s:[s]}}}",
                     "type", "TemplateProcessing", "single", "SpecialToken", "id", names[BOS], "type_id", 0, "Sequence",
                     "id", "A", "type_id", 0, "SpecialToken", "id", names[EOS], "type_id", 0, "pair", "special_tokens",
                     names[BOS], "id", names[BOS], "ids", ids[BOS], "tokens", names[BOS], names[EOS], "id", names[EOS],
                     "ids", ids[EOS], "tokens", names[EOS]);
}

/* Byte-pair encoding without merges: every character is a token. */
static json_t *make_root(const char *characters, const json_int_t *ids) {
    return json_pack("{s:o, s:o, s:n, s:n, s:{s:s}, s:{s:s, s:s, s:b, s:b, s:o, s:[]}}", "added_tokens",
                     make_added(ids), "post_processor", make_template(ids), "normalizer", "pre_tokenizer", "decoder",
                     "type", "Fuse", "model", "type", "BPE", "unk_token", names[UNKNOWN], "fuse_unk", 0,
                     "byte_fallback", 0, "vocab", make_vocabulary(characters, ids), "merges");
}

static tfm_status read_ids(const json_t *config, const char *path, const char *characters, json_int_t *ids,
                           tfm_error *error) {
    static const char *const keys[] = {"pad_token_id", "bos_token_id", "eos_token_id"};
    json_int_t n = 0;
    for (const char *c = characters; *c; c += tfm_utf8_announced_length(*c)) n++;
    for (int i = PAD; i <= EOS; i++) {
        const json_t *value = json_object_get(config, keys[i]);
        ids[i] = json_integer_value(value);
        if (!json_is_integer(value) || ids[i] < 0 || ids[i] >= n)
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: %s is no place in grapheme_chars and phoneme_chars", path,
                            keys[i]);
    }
    ids[UNKNOWN] = find_unknown(characters, ids);
    if (ids[UNKNOWN] < 0 || ids[PAD] == ids[BOS] || ids[PAD] == ids[EOS] || ids[BOS] == ids[EOS])
        return tfm_fail(error, TFM_ERROR_FORMAT,
                        "%s: grapheme_chars and phoneme_chars need four places: padding, begin, end, unknown", path);
    return TFM_OK;
}

tfm_status tfm_char_vocabulary_read(const char *folder, json_t **source, json_t **target, tfm_error *error) {
    const tfm_path path = tfm_path_in(folder, "config.json");
    json_t *config;
    json_int_t ids[2][N_SPECIAL];
    tfm_status status = TFM_OK;
    *source = *target = NULL;
    tfm_json_load(path.text, 0, &config, NULL); /* what is wrong with it is told where the model is packed */
    const char *in = json_string_value(json_object_get(config, "grapheme_chars"));
    const char *out = json_string_value(json_object_get(config, "phoneme_chars"));
    if (in && out) {
        status = read_ids(config, path.text, in, ids[0], error);
        if (status == TFM_OK) status = read_ids(config, path.text, out, ids[1], error);
        if (status == TFM_OK) *source = make_root(in, ids[0]);
        if (status == TFM_OK) *target = make_root(out, ids[1]);
        if (status == TFM_OK && (!*source || !*target)) status = tfm_no_memory(error, "%s", path.text);
    }
    json_decref(config);
    return status;
}
