/* json_decoder.c - decoders and post-processors of tokenizer.json. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"
#include "runtime/tokenizer/pipeline/pipeline.h"
#include "tokenizer_json.h"

#define MAX_STEPS 100
#define MAX_PARTS 64

/* ---- decoders ---- */

typedef struct decoders {
    tfm_json_reader *r;
    size_t n;
    char key[64];
} decoders;

static const char *key_of(decoders *d, const char *field) {
    snprintf(d->key, sizeof d->key, "decoder.%zu.%s", d->n, field);
    return d->key;
}

static void put_string(decoders *d, const char *field, const char *value) {
    tfm_table_set_string(d->r->table, key_of(d, field), value);
}

static void put_number(decoders *d, const char *field, uint64_t value) {
    tfm_table_set_u64(d->r->table, key_of(d, field), value);
}

/* A step with one text. */
static tfm_status put_step(decoders *d, const char *op, const json_t *from) {
    if (!json_is_string(from)) return tfm_json_broken(d->r, "a decoder lacks a text");
    put_string(d, "op", op);
    put_string(d, "from", json_string_value(from));
    return TFM_OK;
}

/* From now on ids stand for bytes. */
static tfm_status byte_level(decoders *d) {
    if (d->n != 0) return tfm_json_unsupported(d->r, "the decoder ByteLevel behind others");
    put_string(d, "op", "bytes");
    d->n++;
    for (size_t id = 0; id < d->r->size; id++) {
        tfm_json_piece *p = &d->r->pieces[id];
        const char *text = p->surface ? p->surface : p->text;
        size_t n = p->surface ? p->n_surface : p->n;
        char *bytes = malloc(n + 1);
        if (!bytes) return tfm_json_no_memory(d->r);
        size_t n_bytes = tfm_json_bytes(text, n, bytes);
        if (n_bytes == SIZE_MAX || n == 0) {
            free(bytes);
            continue;
        }
        free(p->surface);
        p->surface = bytes;
        p->n_surface = (uint32_t)n_bytes;
    }
    return TFM_OK;
}

static tfm_status wordpiece(decoders *d, const json_t *json) {
    tfm_status status = put_step(d, "wordpiece", json_object_get(json, "prefix"));
    put_number(d, "flag", json_is_true(json_object_get(json, "cleanup")));
    d->n++;
    return status;
}

static tfm_status metaspace(decoders *d, const json_t *json) {
    const char *scheme = json_string_value(json_object_get(json, "prepend_scheme"));
    bool never = (scheme && strcmp(scheme, "never") == 0) || json_is_false(json_object_get(json, "add_prefix_space"));
    tfm_status status = put_step(d, "metaspace", json_object_get(json, "replacement"));
    put_number(d, "flag", !never);
    d->n++;
    return status;
}

static tfm_status replace(decoders *d, const json_t *json) {
    const json_t *from = json_object_get(json_object_get(json, "pattern"), "String"),
                 *to = json_object_get(json, "content");
    if (!from) return tfm_json_unsupported(d->r, "the decoder Replace with a Regex");
    if (!json_is_string(to)) return tfm_json_broken(d->r, "a decoder lacks a text");
    tfm_status status = put_step(d, "replace", from);
    put_string(d, "to", json_string_value(to));
    d->n++;
    return status;
}

static tfm_status strip(decoders *d, const json_t *json) {
    const json_t *start = json_object_get(json, "start"), *stop = json_object_get(json, "stop"),
                 *content = json_object_get(json, "content");
    size_t n = json_string_length(content);
    if (!json_is_integer(start) || !json_is_integer(stop) || json_integer_value(start) < 0 ||
        json_integer_value(stop) < 0)
        return tfm_json_broken(d->r, "the decoder Strip lacks a number");
    if (n == 0 || tfm_utf8_char_length(json_string_value(content), n) != n)
        return tfm_json_broken(d->r, "the decoder Strip has no character to take away");
    tfm_status status = put_step(d, "strip", content);
    put_number(d, "start", (uint64_t)json_integer_value(start));
    put_number(d, "stop", (uint64_t)json_integer_value(stop));
    d->n++;
    return status;
}

static tfm_status plain(decoders *d, const char *op) {
    put_string(d, "op", op);
    d->n++;
    return TFM_OK;
}

static tfm_status add_decoder(decoders *d, const json_t *json, unsigned depth) {
    const char *type = json_string_value(json_object_get(json, "type"));
    if (!type) return tfm_json_broken(d->r, "a decoder has no type");
    if (depth > 8 || d->n > MAX_STEPS) return tfm_json_unsupported(d->r, "so many decoders");
    if (strcmp(type, "Sequence") == 0) {
        size_t i;
        json_t *part;
        json_array_foreach(json_object_get(json, "decoders"), i, part) {
            tfm_status status = add_decoder(d, part, depth + 1);
            if (status != TFM_OK) return status;
        }
        return TFM_OK;
    }
    if (strcmp(type, "ByteLevel") == 0) return byte_level(d);
    if (strcmp(type, "WordPiece") == 0) return wordpiece(d, json);
    if (strcmp(type, "Metaspace") == 0) return metaspace(d, json);
    if (strcmp(type, "Replace") == 0) return replace(d, json);
    if (strcmp(type, "Strip") == 0) return strip(d, json);
    if (strcmp(type, "ByteFallback") == 0) return plain(d, "byte-fallback");
    if (strcmp(type, "Fuse") == 0) return plain(d, "fuse");
    if (strcmp(type, "BPEDecoder") == 0) {
        tfm_status status = put_step(d, "bpe", json_object_get(json, "suffix"));
        d->n++;
        return status;
    }
    return tfm_fail(d->r->error, TFM_ERROR_UNSUPPORTED, "%s: the decoder %.80s is not among those tfmpack knows",
                    d->r->what, type);
}

tfm_status tfm_json_decoder(tfm_json_reader *r) {
    decoders d = {.r = r};
    const json_t *json = json_object_get(r->root, "decoder");
    tfm_status status = TFM_OK;
    if (!json || json_is_null(json)) {
        put_string(&d, "op", "join");
        put_string(&d, "from", " ");
        d.n++;
    } else {
        status = add_decoder(&d, json, 0);
    }
    tfm_table_set_u64(r->table, "decoder.count", d.n);
    return status;
}

/* ---- what stands around inputs ---- */

typedef struct template {
    tfm_json_reader *r;
    uint32_t parts[2 * MAX_PARTS];
    size_t n;
}
template;

static tfm_status add_part(template *t, uint32_t what, uint32_t type) {
    if (t->n == MAX_PARTS) return tfm_json_unsupported(t->r, "a template of over 64 parts");
    t->parts[2 * t->n] = what;
    t->parts[2 * t->n++ + 1] = type;
    return TFM_OK;
}

static tfm_status add_special(template *t, int64_t id, uint32_t type) {
    if (id < 0 || (size_t)id >= t->r->size)
        return tfm_json_broken(t->r, "a post-processor has an id outside the vocabulary");
    return add_part(t, (uint32_t)id + 2, type);
}

/* A TemplateProcessing's list: {"Sequence": {"id": "A", "type_id": 0}} or {"SpecialToken": ...}. */
static tfm_status read_template(template *t, const json_t *list, const json_t *specials) {
    size_t i, k;
    json_t *part, *id;
    tfm_status status = TFM_OK;
    if (!json_is_array(list)) return tfm_json_unsupported(t->r, "a template that is not a list");
    json_array_foreach(list, i, part) {
        const json_t *sequence = json_object_get(part, "Sequence"), *special = json_object_get(part, "SpecialToken");
        const json_t *either = sequence ? sequence : special;
        const char *name = json_string_value(json_object_get(either, "id"));
        json_int_t type = json_integer_value(json_object_get(either, "type_id"));
        if (!name || type < 0 || type > INT32_MAX) return tfm_json_broken(t->r, "a template has a part of no kind");
        if (sequence) {
            bool b = strcmp(name, "B") == 0;
            if (!b && strcmp(name, "A") != 0)
                return tfm_json_broken(t->r, "a template has a sequence other than A and B");
            status = add_part(t, b, (uint32_t)type);
        } else {
            const json_t *ids = json_object_get(json_object_get(specials, name), "ids");
            if (!json_is_array(ids)) return tfm_json_broken(t->r, "a template has a special token without ids");
            json_array_foreach(ids, k, id) {
                if (status == TFM_OK)
                    status = add_special(t, json_is_integer(id) ? json_integer_value(id) : -1, (uint32_t)type);
            }
        }
        if (status != TFM_OK) return status;
    }
    return TFM_OK;
}

/* ["[SEP]", 102] */
static int64_t id_of(const json_t *json, const char *field) {
    const json_t *id = json_array_get(json_object_get(json, field), 1);
    return json_is_integer(id) ? json_integer_value(id) : -1;
}

/* BERT: [CLS] A [SEP] B [SEP]; RoBERTa: <s> A </s></s> B </s>, all of type 0. */
static tfm_status bert_like(template *single, template *pair, const json_t *json, bool roberta) {
    int64_t cls = id_of(json, "cls"), sep = id_of(json, "sep");
    uint32_t second = roberta ? 0 : 1;
    tfm_status status = add_special(single, cls, 0);
    if (status == TFM_OK) status = add_part(single, 0, 0);
    if (status == TFM_OK) status = add_special(single, sep, 0);
    if (status == TFM_OK) status = add_special(pair, cls, 0);
    if (status == TFM_OK) status = add_part(pair, 0, 0);
    if (status == TFM_OK) status = add_special(pair, sep, 0);
    if (status == TFM_OK && roberta) status = add_special(pair, sep, 0);
    if (status == TFM_OK) status = add_part(pair, 1, second);
    return status == TFM_OK ? add_special(pair, sep, second) : status;
}

static tfm_status add_processor(template *single, template *pair, const json_t *json, unsigned depth) {
    tfm_json_reader *r = single->r;
    const char *type = json_string_value(json_object_get(json, "type"));
    if (!type) return tfm_json_broken(r, "a post-processor has no type");
    if (strcmp(type, "ByteLevel") == 0) return TFM_OK; /* concerns offsets alone */
    if (strcmp(type, "Sequence") == 0 && depth < 8) {
        size_t i;
        json_t *part;
        json_array_foreach(json_object_get(json, "processors"), i, part) {
            tfm_status status = add_processor(single, pair, part, depth + 1);
            if (status != TFM_OK) return status;
        }
        return TFM_OK;
    }
    if (single->n > 0 || pair->n > 0) return tfm_json_unsupported(r, "more than one post-processor that adds tokens");
    if (strcmp(type, "BertProcessing") == 0) return bert_like(single, pair, json, false);
    if (strcmp(type, "RobertaProcessing") == 0) return bert_like(single, pair, json, true);
    if (strcmp(type, "TemplateProcessing") != 0) {
        return tfm_fail(r->error, TFM_ERROR_UNSUPPORTED,
                        "%s: the post-processor %.80s is not among those tfmpack knows", r->what, type);
    }
    const json_t *specials = json_object_get(json, "special_tokens");
    tfm_status status = read_template(single, json_object_get(json, "single"), specials);
    if (status == TFM_OK) status = read_template(pair, json_object_get(json, "pair"), specials);
    for (size_t i = 0; i < single->n && status == TFM_OK; i++) {
        if (single->parts[2 * i] == 1) return tfm_json_broken(r, "the template for one sequence has a second");
    }
    return status;
}

tfm_status tfm_json_templates(tfm_json_reader *r) {
    template single = {.r = r}, pair = {.r = r};
    const json_t *json = json_object_get(r->root, "post_processor");
    tfm_status status = !json || json_is_null(json) ? TFM_OK : add_processor(&single, &pair, json, 0);
    if (status == TFM_OK && single.n == 0 && pair.n == 0) {
        status = add_part(&single, 0, 0);
        if (status == TFM_OK) status = add_part(&pair, 0, 0);
        if (status == TFM_OK) status = add_part(&pair, 1, 1);
    }
    tfm_table_set_array(r->table, "template.single", TFM_VALUE_U32S, single.parts, 2 * single.n);
    tfm_table_set_array(r->table, "template.pair", TFM_VALUE_U32S, pair.parts, 2 * pair.n);
    return status;
}
