/* keys.c - looks for keys that nobody asked for; see keys.h. */
#include "keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"
#include "tools/pack/common/name_format.h"
#include "tools/pack/common/word_list.h"

#define SHOWN_MAX 12  /* keys that one note names */
#define KEPT_MAX 1000 /* keys that the metadata of a model file keep */

/* Keys of one file that one note is about. */
typedef struct found {
    char text[900];
    size_t used, n;
} found;

typedef struct check {
    const tfm_key_table *table;
    const tfm_pack_options *options;
    bool listed_only;
    found left_out, unknown;
} check;

/* ---- values ---- */

void tfm_key_value_text(const json_t *value, char *text, size_t size) {
    char *dump = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(10)) : NULL;
    const size_t n = dump ? strlen(dump) : 0;
    snprintf(text, size, "%s", dump ? dump : "");
    /* jansson escapes control characters; what is cut off ends where a character does */
    if (n >= size && size > 4) snprintf(text + tfm_utf8_valid_prefix(text, size - 4), 4, "...");
    free(dump);
}

/* "1" for 1 and 1.0, a string without its quotation marks. */
static void plain_text(const json_t *value, char *text, size_t size) {
    if (json_is_number(value))
        snprintf(text, size, "%.10g", json_number_value(value));
    else if (json_is_string(value))
        snprintf(text, size, "%s", json_string_value(value));
    else
        tfm_key_value_text(value, text, size);
}

static bool is_empty(const json_t *value) {
    if (json_is_string(value)) return json_string_length(value) == 0;
    if (json_is_number(value)) return json_number_value(value) == 0;
    return json_is_null(value) || json_is_false(value) || (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

static bool says_something(const json_t *value, const char *neutral) {
    char text[100];
    if (is_empty(value)) return false;
    plain_text(value, text, sizeof text);
    return !neutral || !tfm_word_list_has(neutral, text);
}

/* ---- tables ---- */

/* The row of a key, or the one of the object it is in; NULL: not listed. */
static const tfm_key *find_key(const tfm_key_table *table, const char *name) {
    const char *dot = strrchr(name, '.');
    const tfm_key *whole = NULL;
    for (size_t i = 0; i < table->n; i++) {
        const tfm_key *key = &table->keys[i];
        const size_t n = strlen(key->name);
        if (strcmp(key->name, name) == 0) return key;
        if (dot && n > 1 && key->name[n - 1] == '*' && strncmp(key->name, name, n - 1) == 0) whole = key;
    }
    return whole;
}

static bool has_parts(const tfm_key_table *table, const char *name) {
    const size_t n = strlen(name);
    for (size_t i = 0; i < table->n; i++)
        if (strncmp(table->keys[i].name, name, n) == 0 && table->keys[i].name[n] == '.') return true;
    return false;
}

static tfm_status check_asked(const tfm_key_table *table, const tfm_config *config) {
    const char *name;
    json_t *value;
    json_object_foreach(config->asked, name, value) {
        if (!find_key(table, name) && !(table->elsewhere && find_key(table->elsewhere, name)))
            return tfm_fail(config->error, TFM_ERROR_ARGUMENT, "%s/%s: key '%s' is read, and in no table of keys",
                            config->folder, config->file, name);
    }
    return TFM_OK;
}

/* ---- a file ---- */

static void add(const check *c, found *list, const tfm_config *config, const char *name, const json_t *value) {
    char text[64];
    tfm_key_value_text(value, text, sizeof text);
    if (list->n++ < SHOWN_MAX && list->used < sizeof list->text)
        list->used += (size_t)snprintf(list->text + list->used, sizeof list->text - list->used, "%s%.80s = %s",
                                       list->used ? ", " : "", name, text);
    const size_t kept = json_array_size(c->options->ignored);
    if (kept == KEPT_MAX) json_array_append_new(c->options->ignored, json_string("and more"));
    if (c->options->ignored && kept < KEPT_MAX)
        json_array_append_new(c->options->ignored, json_sprintf("%s: %.200s = %s", config->file, name, text));
}

static tfm_status look_at(check *c, tfm_config *config);

static tfm_status look_at_key(check *c, tfm_config *config, const char *key, const json_t *value) {
    const tfm_name name = tfm_config_key_name(config, key);
    const bool asked = json_object_get(config->asked, name.text) != NULL;
    const tfm_key *row = find_key(c->table, name.text);
    if (asked && json_is_object(value) && has_parts(c->table, name.text)) {
        tfm_config inner = *config;
        inner.within = name.text;
        inner.object = value;
        return look_at(c, &inner);
    }
    if (asked || (!row && c->listed_only)) return TFM_OK;
    if (!row && c->table->elsewhere && find_key(c->table->elsewhere, name.text)) return TFM_OK;
    if (row && (row->use == TFM_KEY_HARMLESS ||
                (row->unused && config->scope && tfm_word_list_has(row->unused, config->scope))))
        return TFM_OK;
    if (!says_something(value, row ? row->neutral : NULL)) return TFM_OK;
    if (row && row->use == TFM_KEY_REFUSED) {
        char text[100];
        tfm_key_value_text(value, text, sizeof text);
        return tfm_fail(config->error, TFM_ERROR_UNSUPPORTED, "%s/%s: %s is not supported (%s)", config->folder,
                        config->file, name.text, text);
    }
    add(c, row && row->use == TFM_KEY_LEFT_OUT ? &c->left_out : &c->unknown, config, name.text, value);
    return TFM_OK;
}

static tfm_status look_at(check *c, tfm_config *config) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)config->object, key, value) {
        tfm_status status = look_at_key(c, config, key, value);
        if (status != TFM_OK) return status;
    }
    return TFM_OK;
}

static void tell(const tfm_pack_options *options, const char *file, const char *what, const found *list) {
    char more[40] = "";
    if (list->n > SHOWN_MAX) snprintf(more, sizeof more, ", and %zu more", list->n - SHOWN_MAX);
    if (list->n > 0) tfm_pack_note(options, "%s: %s: %s%s", file, what, list->text, more);
}

tfm_status tfm_keys_check(const tfm_key_table *table, const tfm_config *config, bool listed_only,
                          const tfm_pack_options *options) {
    check c = {.table = table, .options = options, .listed_only = listed_only};
    tfm_config copy = *config;
    tfm_status status = config->status;
    if (status == TFM_OK) status = check_asked(table, config);
    if (status == TFM_OK) status = look_at(&c, &copy);
    if (status != TFM_OK) return status;
    tell(options, config->file, "settings that are not supported are left out", &c.left_out);
    tell(options, config->file, "not known to this kind of model, and left out", &c.unknown);
    return TFM_OK;
}
