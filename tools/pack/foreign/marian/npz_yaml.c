/* npz_yaml.c - flat YAML mappings: the options of a Marian model, and its vocabularies. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "npz_file.h"
#include "runtime/tfm.h"

typedef struct reader {
    json_t *object;
    char *key;     /* waiting for its value */
    tfm_text list; /* items of a list while it is open, spaces between them */
    int depth;
    bool ended;
} reader;

static bool set(reader *r, const char *value, size_t n) {
    const bool ok = json_object_set_new(r->object, r->key, json_stringn(value, n)) == 0;
    free(r->key);
    r->key = NULL;
    return ok;
}

static bool append(reader *r, const char *value, size_t n) {
    if (r->list.size + n >= 1 << 16) return false;
    return (r->list.size == 0 || tfm_text_append(&r->list, " ", 1)) && tfm_text_append(&r->list, value, n);
}

/* One event; false: nothing a flat mapping has. */
static bool take(reader *r, const yaml_event_t *e) {
    const char *text = (const char *)e->data.scalar.value;
    const size_t n = e->data.scalar.length;
    switch (e->type) {
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT: return true;
    case YAML_DOCUMENT_START_EVENT: return !r->ended;
    case YAML_MAPPING_START_EVENT: return r->depth++ == 0 && !r->ended;
    case YAML_MAPPING_END_EVENT: r->depth--, r->ended = true; return !r->key;
    case YAML_SEQUENCE_START_EVENT:
        if (r->depth != 1 || !r->key) return false;
        r->depth++;
        r->list.size = 0;
        return true;
    case YAML_SEQUENCE_END_EVENT: r->depth--; return set(r, r->list.data ? r->list.data : "", r->list.size);
    case YAML_SCALAR_EVENT:
        if (memchr(text, 0, n)) return false;
        if (r->depth == 2) return append(r, text, n);
        if (r->depth != 1) return false;
        if (r->key) return set(r, text, n);
        r->key = strndup(text, n);
        return r->key && !json_object_get(r->object, r->key);
    default: return false;
    }
}

tfm_status tfm_npz_yaml(const char *text, size_t n, const char *what, json_t **object, tfm_error *error) {
    yaml_parser_t parser;
    yaml_event_t event;
    reader r = {.object = json_object()};
    *object = NULL;
    if (!r.object || !yaml_parser_initialize(&parser)) {
        json_decref(r.object);
        return tfm_no_memory(error, "%s", what);
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)(n > 0 ? text : ""), n);
    bool good = true;
    size_t line = 0;
    for (bool end = false; good && !end;) {
        good = yaml_parser_parse(&parser, &event) != 0;
        line = good ? event.start_mark.line : parser.problem_mark.line;
        if (!good) break;
        end = event.type == YAML_STREAM_END_EVENT;
        good = take(&r, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    free(r.key);
    tfm_text_free(&r.list);
    if (good && r.ended) {
        *object = r.object;
        return TFM_OK;
    }
    json_decref(r.object);
    return tfm_fail(error, TFM_ERROR_FORMAT, "%s: line %zu: not a YAML mapping of names to values", what, line + 1);
}
