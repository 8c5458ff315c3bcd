/* npz_yaml.c - flat YAML mappings: the options of a Marian model, and its vocabularies. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "npz_file.h"

typedef struct state {
    json_t *object;
    char *key;    /* waiting for its value */
    json_t *list; /* string of a list's items while it is open */
    int depth;
    bool ended;
} state;

static bool set(state *s, const char *value, size_t n) {
    const bool ok = json_object_set_new(s->object, s->key, json_stringn(value, n)) == 0;
    free(s->key);
    s->key = NULL;
    return ok;
}

static bool append(state *s, const char *value, size_t n) {
    const char *old = json_string_value(s->list);
    const size_t length = strlen(old);
    char *text = length + n < 1 << 16 ? malloc(length + n + 2) : NULL;
    if (!text) return false;
    memcpy(text, old, length);
    if (length) text[length] = ' ';
    memcpy(text + length + (length > 0), value, n);
    const bool ok = json_string_setn(s->list, text, length + (length > 0) + n) == 0;
    free(text);
    return ok;
}

/* One event; false: nothing a flat mapping has. */
static bool take(state *s, const yaml_event_t *e) {
    const char *text = (const char *)e->data.scalar.value;
    const size_t n = e->data.scalar.length;
    switch (e->type) {
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT: return true;
    case YAML_DOCUMENT_START_EVENT: return !s->ended;
    case YAML_MAPPING_START_EVENT: return s->depth++ == 0 && !s->ended;
    case YAML_MAPPING_END_EVENT: s->depth--, s->ended = true; return !s->key;
    case YAML_SEQUENCE_START_EVENT:
        if (s->depth != 1 || !s->key) return false;
        s->depth++;
        s->list = json_string("");
        return s->list != NULL;
    case YAML_SEQUENCE_END_EVENT: {
        const char *items = json_string_value(s->list);
        const bool ok = set(s, items, strlen(items));
        json_decref(s->list);
        s->list = NULL;
        s->depth--;
        return ok;
    }
    case YAML_SCALAR_EVENT:
        if (memchr(text, 0, n)) return false;
        if (s->depth == 2) return append(s, text, n);
        if (s->depth != 1) return false;
        if (s->key) return set(s, text, n);
        s->key = strndup(text, n);
        return s->key && !json_object_get(s->object, s->key);
    default: return false;
    }
}

json_t *tfm_npz_yaml(const char *text, size_t n, const char *what, tfm_error *error) {
    yaml_parser_t parser;
    yaml_event_t event;
    state s = {.object = json_object()};
    if (!s.object || !yaml_parser_initialize(&parser)) {
        json_decref(s.object);
        tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", what);
        return NULL;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    bool good = true;
    size_t line = 0;
    for (bool end = false; good && !end;) {
        good = yaml_parser_parse(&parser, &event) != 0;
        line = good ? event.start_mark.line : parser.problem_mark.line;
        if (!good) break;
        end = event.type == YAML_STREAM_END_EVENT;
        good = take(&s, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    free(s.key);
    json_decref(s.list);
    if (good && s.ended) return s.object;
    json_decref(s.object);
    tfm_fail(error, TFM_ERROR_FORMAT, "%s: line %zu: not a YAML mapping of names to values", what, line + 1);
    return NULL;
}
