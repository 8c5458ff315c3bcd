/* piece_json.c - see piece_json.h. The orders of ids are those of the converters of transformers 4.46. */
#include "piece_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "piece_list.h"
#include "runtime/tokenizer/spm/spm_normalizer.h"
#include "tools/pack/tokenizer/settings/added_tokens.h"
#include "tools/pack/tokenizer/settings/tokenizer_flags.h"

#define MAX_EXTRA_IDS 100000
#define PEGASUS_OFFSET 103

typedef struct converter {
    const tfm_tokenizer_files *files;
    const tfm_spm_model *model;
    const char *what;
    tfm_error *error;
    tfm_spm_piece *pieces; /* in the order of ids */
    size_t n;
    uint32_t unknown; /* id */
    char *texts;      /* of pieces that the file does not have */
    size_t n_texts;
} converter;

static tfm_status no_memory(const converter *c) { return tfm_no_memory(c->error, "%s: the tokenizer", c->what); }

/* ---- the order of ids ---- */

static void add(converter *c, const char *text, size_t n, uint32_t kind, float score) {
    c->pieces[c->n++] = (tfm_spm_piece){text, (uint32_t)n, kind, score};
}

static void add_control(converter *c, const char *text) { add(c, text, strlen(text), TFM_PIECE_CONTROL, 0); }

static void add_rest(converter *c, size_t first) {
    for (size_t i = first; i < c->model->n; i++) c->pieces[c->n++] = c->model->pieces[i];
}

static void add_codes(converter *c) {
    for (const char *at = c->files->class->codes; at && *at; at += strspn(at, " ")) {
        const size_t n = strcspn(at, " ");
        add(c, at, n, TFM_PIECE_CONTROL, 0);
        at += n;
    }
}

/* A spelling that is made here: PREFIX and a number. */
static void add_numbered(converter *c, const char *prefix, size_t number, float score) {
    char *text = c->texts + c->n_texts;
    const int n = sprintf(text, "%s%zu>", prefix, number);
    c->n_texts += (size_t)n + 1;
    add(c, text, (size_t)n, TFM_PIECE_CONTROL, score);
}

static void order_fairseq(converter *c) {
    static const char *const first[] = {"<s>", "<pad>", "</s>", "<unk>"};
    for (size_t i = 0; i < 4; i++) add_control(c, first[i]);
    add_rest(c, 3);
    add_codes(c);
    add_control(c, "<mask>");
    c->unknown = 3;
}

static void order_camembert(converter *c) {
    static const char *const first[] = {"<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>"};
    for (size_t i = 0; i < 4; i++) add_control(c, first[i]);
    add(c, "<unk>NOTUSED", 12, TFM_PIECE_CONTROL, -100);
    add_rest(c, 1);
    add_control(c, "<mask>");
    c->unknown = 3;
}

static void order_pegasus(converter *c) {
    static const char *const first[] = {"<pad>", "</s>", "<mask_1>", "<mask_2>"};
    for (size_t i = 0; i < 4; i++) add_control(c, first[i]);
    for (size_t i = 2; i < PEGASUS_OFFSET; i++) add_numbered(c, "<unk_", i, -100);
    add_rest(c, 2);
    c->unknown = (uint32_t)c->model->unknown + PEGASUS_OFFSET;
}

/* As in the file, then T5's <extra_id_0>, ..., backwards. */
static void order_file(converter *c, size_t n_extra) {
    add_rest(c, 0);
    for (size_t i = n_extra; i-- > 0;) add_numbered(c, "<extra_id_", i, 0);
    c->unknown = (uint32_t)c->model->unknown;
}

static size_t count_extra_ids(const converter *c) {
    const json_int_t n = json_integer_value(json_object_get(c->files->settings, "extra_ids"));
    return n > 0 && n <= MAX_EXTRA_IDS ? (size_t)n : 0;
}

static tfm_status order_pieces(converter *c) {
    const size_t n_extra = count_extra_ids(c), n_codes = c->files->class->codes ? strlen(c->files->class->codes) : 0;
    c->pieces = calloc(c->model->n + n_extra + n_codes + PEGASUS_OFFSET + 8, sizeof *c->pieces);
    c->texts = malloc((n_extra + PEGASUS_OFFSET) * 24 + 1);
    if (!c->pieces || !c->texts) return no_memory(c);
    if (c->model->n < 4) return tfm_fail(c->error, TFM_ERROR_FORMAT, "%s: has too few pieces", c->what);
    switch (c->files->class->order) {
    case TFM_ORDER_FAIRSEQ: order_fairseq(c); break;
    case TFM_ORDER_CAMEMBERT: order_camembert(c); break;
    case TFM_ORDER_PEGASUS: order_pegasus(c); break;
    case TFM_ORDER_FILE: order_file(c, n_extra); break;
    }
    return TFM_OK;
}

/* ---- steps ---- */

static bool is_legacy(const converter *c) { return tfm_tokenizer_flag(c->files, "legacy", true, NULL); }

static bool adds_space(const converter *c) {
    const bool own = c->model->normalizer.add_dummy_prefix;
    return tfm_tokenizer_flag(c->files, "add_prefix_space", own, NULL);
}

static json_t *make_metaspace(const converter *c, bool split) {
    const char *scheme = !adds_space(c) ? "never" : is_legacy(c) ? "always" : "first";
    return json_pack("{s:s, s:s, s:s, s:b}", "type", "Metaspace", "replacement", TFM_SPM_SPACE, "prepend_scheme",
                     scheme, "split", split);
}

/* The file's rules, no white space at the end, spaces in a row as one. */
static json_t *make_normalizer(const converter *c) {
    const tfm_spm_rules *rules = &c->model->normalizer;
    json_t *steps = json_pack("[{s:s, s:b, s:b}, {s:s, s:{s:s}, s:s}]", "type", "Strip", "strip_left", 0, "strip_right",
                              1, "type", "Replace", "pattern", "Regex", " {2,}", "content", TFM_SPM_SPACE);
    bool ok = steps != NULL;
    if (!rules->remove_extra_whitespaces) json_array_clear(steps);
    if (rules->n_charsmap > 0) {
        char *map = tfm_base64_encode(rules->charsmap, rules->n_charsmap);
        json_t *step = map ? json_pack("{s:s, s:s}", "type", "Precompiled", "precompiled_charsmap", map) : NULL;
        ok = ok && json_array_insert_new(steps, 0, step) == 0;
        free(map);
    }
    return ok ? json_pack("{s:s, s:o}", "type", "Sequence", "normalizers", steps) : (json_decref(steps), NULL);
}

/* Steps of the classes whose words are found at Metaspace. */
static bool put_steps(const converter *c, json_t *root) {
    json_t *pre = make_metaspace(c, true);
    if (pre && c->files->class->order == TFM_ORDER_PEGASUS)
        pre = json_pack("{s:s, s:[{s:s}, o]}", "type", "Sequence", "pretokenizers", "type", "WhitespaceSplit", pre);
    bool ok = json_object_set_new(root, "pre_tokenizer", pre) == 0;
    ok &= json_object_set_new(root, "decoder", make_metaspace(c, true)) == 0;
    ok &= json_object_set_new(root, "normalizer", make_normalizer(c)) == 0;
    return ok;
}

/* Llama and Gemma: newer behaviour puts the space before the first stretch of a text alone. */
static bool put_llama_steps(const converter *c, json_t *root) {
    if (!adds_space(c) || is_legacy(c)) return true; /* as piece_list makes it */
    bool ok = json_object_set_new(root, "normalizer", json_null()) == 0;
    ok &= json_object_set_new(root, "pre_tokenizer", make_metaspace(c, false)) == 0;
    return ok;
}

/* ---- models ---- */

static json_t *make_scores(const converter *c) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < c->n; i++) {
        const tfm_spm_piece *p = &c->pieces[i];
        if (json_array_append_new(list, json_pack("[s%, f]", p->text, (size_t)p->n, (double)p->score)) == 0) continue;
        json_decref(list);
        list = NULL;
    }
    return list;
}

static tfm_status make_unigram(const converter *c, const tfm_piece_list *list, json_t **root) {
    json_t *ids = NULL, *added = NULL, *scores = NULL;
    tfm_status status = tfm_piece_list_vocabulary(list, &ids, c->error);
    if (status == TFM_OK) status = tfm_piece_list_added(list, ids, &added, c->error);
    if (status == TFM_OK && !(scores = make_scores(c))) status = no_memory(c);
    if (status == TFM_OK)
        *root = json_pack("{s:O, s:{s:s, s:i, s:b, s:O}}", "added_tokens", added, "model", "type", "Unigram", "unk_id",
                          (int)c->unknown, "byte_fallback", c->model->byte_fallback, "vocab", scores);
    if (status == TFM_OK && (!*root || !put_steps(c, *root))) status = no_memory(c);
    json_decref(ids);
    json_decref(added);
    json_decref(scores);
    return status;
}

static tfm_status make_byte_pairs(const converter *c, const tfm_piece_list *list, json_t **root) {
    tfm_status status = tfm_piece_list_byte_pairs(list, root, c->error);
    if (status != TFM_OK) return status;
    const bool llama = c->files->class->rebuilds;
    return (llama ? put_llama_steps(c, *root) : put_steps(c, *root)) ? TFM_OK : no_memory(c);
}

/* ---- what stands around a text ---- */

static json_int_t find(const converter *c, const json_t *root, const char *text) {
    const json_t *list = json_object_get(root, "added_tokens");
    for (size_t i = 0; i < c->n; i++)
        if (strlen(text) == c->pieces[i].n && memcmp(c->pieces[i].text, text, c->pieces[i].n) == 0)
            return (json_int_t)i;
    return tfm_added_tokens_find(NULL, list, text);
}

static tfm_status need(const converter *c, const json_t *root, const char *role, const char *fallback,
                       const char **text, json_int_t *id) {
    *text = tfm_special_token_text(c->files, role, fallback);
    *id = *text ? find(c, root, *text) : -1;
    if (*id >= 0) return TFM_OK;
    return tfm_fail(c->error, TFM_ERROR_FORMAT, "%s: %s, which %s puts around a text, is not in the vocabulary",
                    c->what, role, c->files->class->name);
}

/* RoBERTa's: <s> text </s>, and two texts with </s> </s> between. */
static tfm_status put_cls_sep(const converter *c, json_t *root) {
    const char *cls, *sep;
    json_int_t cls_id, sep_id = 0;
    tfm_status status = need(c, root, "cls_token", "<s>", &cls, &cls_id);
    if (status == TFM_OK) status = need(c, root, "sep_token", "</s>", &sep, &sep_id);
    if (status != TFM_OK) return status;
    json_t *post =
        json_pack("{s:s, s:[s, I], s:[s, I]}", "type", "RobertaProcessing", "cls", cls, cls_id, "sep", sep, sep_id);
    return json_object_set_new(root, "post_processor", post) == 0 ? TFM_OK : no_memory(c);
}

static tfm_status put_frame(const converter *c, json_t *root) {
    const tfm_tokenizer_class *class = c->files->class;
    tfm_frame frame = {0};
    tfm_status status = TFM_OK;
    if (class->cls_sep) return put_cls_sep(c, root);
    if (tfm_tokenizer_flag(c->files, "add_bos_token", class->adds_bos, NULL))
        status = need(c, root, "bos_token", class->bos, &frame.before, &frame.before_id);
    if (status == TFM_OK && tfm_tokenizer_flag(c->files, "add_eos_token", class->adds_eos, NULL))
        status = need(c, root, "eos_token", class->eos, &frame.after[0], &frame.after_ids[0]);
    if (status != TFM_OK) return status;
    return json_object_set_new(root, "post_processor", tfm_frame_template(&frame, true)) == 0 ? TFM_OK : no_memory(c);
}

/*
 * The step that puts U+2581 before a text would do so to added tokens too, which then are found behind a space alone:
 * like LlamaTokenizer, look for them in the text as it is.
 */
static tfm_status find_before_steps(const converter *c, json_t *root) {
    size_t i;
    json_t *token;
    if (!c->model->byte_pairs || !c->files->class->rebuilds || !adds_space(c) || !is_legacy(c)) return TFM_OK;
    json_array_foreach(json_object_get(root, "added_tokens"), i, token) {
        const char *text = json_string_value(json_object_get(token, "content"));
        if (text && strncmp(text, TFM_SPM_SPACE, 3) != 0 && json_object_set_new(token, "normalized", json_false()) != 0)
            return no_memory(c);
    }
    return TFM_OK;
}

tfm_status tfm_piece_json(const tfm_tokenizer_files *files, const tfm_spm_model *model, const char *what, json_t **root,
                          tfm_error *error) {
    converter c = {.files = files, .model = model, .what = what, .error = error};
    *root = NULL;
    tfm_status status = order_pieces(&c);
    const tfm_piece_list list = {.what = what,
                                 .pieces = c.pieces,
                                 .n = c.n,
                                 .unknown = c.unknown,
                                 .bos = -1,
                                 .eos = -1,
                                 .space_prefix = status == TFM_OK && adds_space(&c)};
    if (status == TFM_OK) status = model->byte_pairs ? make_byte_pairs(&c, &list, root) : make_unigram(&c, &list, root);
    json_t *ids = NULL;
    if (status == TFM_OK) status = tfm_piece_list_vocabulary(&list, &ids, error);
    if (status == TFM_OK) status = tfm_added_tokens_take(files, ids, json_object_get(*root, "added_tokens"));
    if (status == TFM_OK) status = find_before_steps(&c, *root);
    if (status == TFM_OK) status = put_frame(&c, *root);
    json_decref(ids);
    free(c.pieces);
    free(c.texts);
    if (status != TFM_OK) {
        json_decref(*root);
        *root = NULL;
    }
    return status;
}
