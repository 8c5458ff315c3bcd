/* tokenizer_flags.c - see tokenizer_flags.h. */
#include "tokenizer_flags.h"

#include <string.h>

#include "added_tokens.h"
#include "runtime/tokenizer/spm/spm_normalizer.h"

static tfm_status no_memory(const tfm_tokenizer_files *f) {
    return tfm_no_memory(f->error, "%s: the tokenizer", f->folder);
}

static bool is_type(const json_t *part, const char *type) {
    const char *said = json_string_value(json_object_get(part, "type"));
    return said && strcmp(said, type) == 0;
}

/* ---- templates ---- */

static bool add_special(json_t *steps, json_t *specials, const char *text, json_int_t id, int type) {
    if (!text) return true;
    bool ok =
        json_array_append_new(steps, json_pack("{s:{s:s, s:i}}", "SpecialToken", "id", text, "type_id", type)) == 0;
    ok &= json_object_set_new(specials, text,
                              json_pack("{s:s, s:[I], s:[s]}", "id", text, "ids", id, "tokens", text)) == 0;
    return ok;
}

static bool add_text(json_t *steps, const char *which, int type) {
    return json_array_append_new(steps, json_pack("{s:{s:s, s:i}}", "Sequence", "id", which, "type_id", type)) == 0;
}

static bool add_after(const tfm_frame *f, json_t *steps, json_t *specials, int type) {
    return add_special(steps, specials, f->after[0], f->after_ids[0], type) &&
           add_special(steps, specials, f->after[1], f->after_ids[1], type);
}

json_t *tfm_frame_template(const tfm_frame *f, bool twice) {
    json_t *single = json_array(), *pair = json_array(), *specials = json_object();
    bool ok = single && pair && specials;
    ok = ok && add_special(single, specials, f->before, f->before_id, 0) && add_text(single, "A", 0) &&
         add_after(f, single, specials, 0);
    ok = ok && add_special(pair, specials, f->before, f->before_id, 0) && add_text(pair, "A", 0);
    if (twice)
        ok = ok && add_after(f, pair, specials, 0) && add_special(pair, specials, f->before, f->before_id, 1) &&
             add_text(pair, "B", 1) && add_after(f, pair, specials, 1);
    else
        ok = ok && add_text(pair, "B", 0) && add_after(f, pair, specials, 0);
    json_t *post = ok ? json_pack("{s:s, s:O, s:O, s:O}", "type", "TemplateProcessing", "single", single, "pair", pair,
                                  "special_tokens", specials)
                      : NULL;
    json_decref(single);
    json_decref(pair);
    json_decref(specials);
    return post;
}

/* The template of a post_processor, which may be one of a sequence. */
static const json_t *find_template(const json_t *post) {
    size_t i;
    json_t *part;
    if (is_type(post, "TemplateProcessing")) return post;
    json_array_foreach(json_object_get(post, "processors"), i, part) {
        if (is_type(part, "TemplateProcessing")) return part;
    }
    return NULL;
}

/* The token at the beginning or at the end of a template for one text, or NULL. */
static const char *token_at(const json_t *single, bool end) {
    size_t n = json_array_size(single);
    const json_t *step = n > 0 ? json_array_get(single, end ? n - 1 : 0) : NULL;
    return json_string_value(json_object_get(json_object_get(step, "SpecialToken"), "id"));
}

/* ---- add_bos_token, add_eos_token ---- */

typedef struct change {
    const tfm_tokenizer_files *files;
    json_t *root;
    const json_t *ids; /* of the model */
} change;

static json_int_t id_of(const change *c, const char *text) {
    return tfm_added_tokens_find(c->ids, json_object_get(c->root, "added_tokens"), text);
}

/* Puts the token of a role into the frame if the flag says so. */
static tfm_status take_end(const change *c, const char *flag, const char *role, const char *fallback, bool now,
                           const char **text, json_int_t *id) {
    const tfm_tokenizer_files *f = c->files;
    *text = NULL;
    if (!tfm_tokenizer_flag(f, flag, now, NULL)) return TFM_OK;
    *text = tfm_special_token_text(f, role, fallback);
    *id = *text ? id_of(c, *text) : -1;
    if (*id >= 0) return TFM_OK;
    return tfm_fail(f->error, TFM_ERROR_FORMAT,
                    "%s/tokenizer_config.json: %s is true, but there is no %s in the vocabulary%s%.60s", f->folder,
                    flag, role, *text ? ": " : "", *text ? *text : "");
}

static tfm_status rebuild(const change *c, const char *first, const char *last) {
    const tfm_tokenizer_class *class = c->files->class;
    tfm_frame frame = {0};
    tfm_status status =
        take_end(c, "add_bos_token", "bos_token", class->bos, first != NULL, &frame.before, &frame.before_id);
    if (status == TFM_OK)
        status =
            take_end(c, "add_eos_token", "eos_token", class->eos, last != NULL, &frame.after[0], &frame.after_ids[0]);
    if (status != TFM_OK) return status;
    json_t *post = tfm_frame_template(&frame, true);
    return json_object_set_new(c->root, "post_processor", post) == 0 ? TFM_OK : no_memory(c->files);
}

/* Only some classes look at the flags beside a tokenizer.json; of the others the template holds, and that is said. */
static tfm_status take_ends(const change *c) {
    const tfm_tokenizer_files *f = c->files;
    bool says_bos, says_eos;
    bool bos = tfm_tokenizer_flag(f, "add_bos_token", false, &says_bos);
    bool eos = tfm_tokenizer_flag(f, "add_eos_token", false, &says_eos);
    if (!says_bos && !says_eos) return TFM_OK;
    const json_t *single = json_object_get(find_template(json_object_get(c->root, "post_processor")), "single");
    const char *first = token_at(single, false), *last = token_at(single, true);
    if (f->class && f->class->rebuilds) return rebuild(c, first, last);
    if ((bos && !first) || (eos && !last))
        tfm_pack_note(
            f->options,
            "%s/tokenizer_config.json: %s is true, but the template of tokenizer.json does not put that token "
            "around a text, and it counts (transformers 5 would go by the flag)",
            f->folder, bos && !first ? "add_bos_token" : "add_eos_token");
    return TFM_OK;
}

/* ---- add_prefix_space ---- */

/* Takes the Prepend of U+2581 out of a normalizer. */
static void drop_prepend(json_t *root) {
    json_t *normalizer = json_object_get(root, "normalizer"), *list = json_object_get(normalizer, "normalizers");
    const char *text = json_string_value(json_object_get(normalizer, "prepend"));
    if (is_type(normalizer, "Prepend") && text && strcmp(text, TFM_SPM_SPACE) == 0)
        json_object_set_new(root, "normalizer", json_null());
    for (size_t i = 0; i < json_array_size(list); i++) {
        text = json_string_value(json_object_get(json_array_get(list, i), "prepend"));
        if (is_type(json_array_get(list, i), "Prepend") && text && strcmp(text, TFM_SPM_SPACE) == 0)
            json_array_remove(list, i--);
    }
}

/* The space at the beginning is not taken away from a text that was not given one. */
static void drop_strip(json_t *root) {
    json_t *list = json_object_get(json_object_get(root, "decoder"), "decoders");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (is_type(json_array_get(list, i), "Strip") &&
            json_integer_value(json_object_get(json_array_get(list, i), "start")) == 1)
            json_array_remove(list, i--);
}

static bool has_prepend(const json_t *root) {
    const json_t *normalizer = json_object_get(root, "normalizer");
    json_t *part;
    size_t i;
    if (is_type(normalizer, "Prepend")) return true;
    json_array_foreach(json_object_get(normalizer, "normalizers"), i, part) {
        if (is_type(part, "Prepend")) return true;
    }
    return false;
}

/* Classes made of SentencePiece files: a U+2581 before the text, or none. */
static tfm_status set_piece_prefix(const change *c, bool wanted) {
    json_t *pre = json_object_get(c->root, "pre_tokenizer");
    const char *now = json_string_value(json_object_get(pre, "prepend_scheme"));
    const bool is_on = is_type(pre, "Metaspace") ? !now || strcmp(now, "never") != 0 : has_prepend(c->root);
    if (is_on == wanted) return TFM_OK;
    if (wanted && !is_type(pre, "Metaspace")) {
        tfm_pack_note(c->files->options,
                      "%s/tokenizer_config.json: add_prefix_space is true, but tokenizer.json has no step that puts a "
                      "space before a text, and it counts",
                      c->files->folder);
        return TFM_OK;
    }
    drop_prepend(c->root);
    if (!wanted) drop_strip(c->root);
    if (!is_type(pre, "Metaspace")) return TFM_OK;
    return json_object_set_new(pre, "prepend_scheme", json_string(wanted ? "first" : "never")) == 0
               ? TFM_OK
               : no_memory(c->files);
}

static tfm_status take_prefix_space(const change *c) {
    bool said, wanted = tfm_tokenizer_flag(c->files, "add_prefix_space", false, &said);
    json_t *pre = json_object_get(c->root, "pre_tokenizer");
    if (!said) return TFM_OK;
    if (json_is_boolean(json_object_get(pre, "add_prefix_space")))
        return json_object_set_new(pre, "add_prefix_space", json_boolean(wanted)) == 0 ? TFM_OK : no_memory(c->files);
    const bool pieces = c->files->class && c->files->class->source == TFM_SOURCE_PIECES;
    return pieces ? set_piece_prefix(c, wanted) : TFM_OK;
}

/* ---- do_lower_case and its like ---- */

static tfm_status take_case(const change *c) {
    static const char *const names[][2] = {{"do_lower_case", "lowercase"},
                                           {"tokenize_chinese_chars", "handle_chinese_chars"}};
    json_t *normalizer = json_object_get(c->root, "normalizer");
    const json_t *strip = json_object_get(c->files->settings, "strip_accents");
    if (!c->files->class || !c->files->class->lower_case || !is_type(normalizer, "BertNormalizer")) return TFM_OK;
    bool ok = true;
    for (size_t i = 0; i < 2; i++) {
        bool said, wanted = tfm_tokenizer_flag(c->files, names[i][0], false, &said);
        if (said) ok &= json_object_set_new(normalizer, names[i][1], json_boolean(wanted)) == 0;
    }
    if (strip) ok &= json_object_set(normalizer, "strip_accents", (json_t *)(uintptr_t)strip) == 0;
    return ok ? TFM_OK : no_memory(c->files);
}

/* ---- all of it ---- */

/* Flags with which transformers gives other ids, and that are not here. */
static tfm_status check_flags(const tfm_tokenizer_files *f) {
    const char *const names[] = {"split_special_tokens"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (tfm_tokenizer_flag(f, names[i], false, NULL))
            return tfm_fail(f->error, TFM_ERROR_UNSUPPORTED,
                            "%s/tokenizer_config.json: %s is true, which is not supported; with false, special tokens "
                            "spelled in a text are tokens",
                            f->folder, names[i]);
    if (json_is_true(json_object_get(json_object_get(f->settings, "sp_model_kwargs"), "enable_sampling")))
        return tfm_fail(f->error, TFM_ERROR_UNSUPPORTED,
                        "%s/tokenizer_config.json: sp_model_kwargs asks for sampling of segmentations, which is not "
                        "supported",
                        f->folder);
    return TFM_OK;
}

static tfm_status take_added(const change *c) {
    json_t *list = json_object_get(c->root, "added_tokens");
    if (!json_is_array(list)) {
        list = json_array();
        if (json_object_set_new(c->root, "added_tokens", list) != 0) return no_memory(c->files);
    }
    return tfm_added_tokens_take(c->files, c->ids, list);
}

tfm_status tfm_tokenizer_flags_take(const tfm_tokenizer_files *files, json_t *root) {
    change c = {.files = files, .root = root};
    const json_t *vocabulary = json_object_get(json_object_get(root, "model"), "vocab");
    tfm_status status = check_flags(files);
    if (status != TFM_OK || !vocabulary) return status; /* what is wrong with it is told where it is read */
    json_t *ids = tfm_vocabulary_ids(vocabulary);
    c.ids = ids;
    if (!ids) return no_memory(files);
    status = take_added(&c);
    if (status == TFM_OK) status = take_ends(&c);
    if (status == TFM_OK) status = take_prefix_space(&c);
    if (status == TFM_OK) status = take_case(&c);
    json_decref(ids);
    return status;
}
