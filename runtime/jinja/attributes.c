/* attributes.c - attributes and items of values. */
#include "characters.h"
#include "format/utf8.h"
#include "interpreter.h"

jinja_value tfm_jinja_no_such(jinja_context *c, const jinja_string *name) {
    jinja_buffer text = {0};
    tfm_jinja_buffer_append(&c->state, &text, "'", 1);
    tfm_jinja_buffer_append(&c->state, &text, name->data, name->n);
    tfm_jinja_buffer_append(&c->state, &text, "'", 1);
    return tfm_jinja_new_undefined(&c->state, text.n > 0 ? text.data : "", text.n);
}

static bool method(jinja_context *c, jinja_value object, const jinja_string *name, jinja_value *value) {
    const jinja_builtin *function;
    if (!tfm_jinja_find_method(object, name, &function)) return false;
    jinja_method *bound = tfm_jinja_alloc(&c->state, 1, sizeof *bound);
    *value = JINJA_UNDEFINED_VALUE;
    if (!bound) return true;
    *bound = (jinja_method){.self = object, .name = name, .function = function};
    *value = (jinja_value){.type = JINJA_METHOD, .method = bound};
    return true;
}

/* What Python's getattr finds. */
static bool own_attribute(jinja_context *c, jinja_value object, const jinja_string *name, jinja_value *value) {
    if (name->n >= 2 && name->data[0] == '_' && name->data[1] == '_') {
        tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "the attribute '%.*s' is not known",
                       (int)(name->n < 60 ? name->n : 60), name->data);
        return false;
    }
    if (object.type == JINJA_LOOP && tfm_jinja_loop_attribute(c, object.loop, name, value)) return true;
    if (object.type == JINJA_NAMESPACE) {
        const jinja_value *found = tfm_jinja_dict_get_name(&c->state, object.dict, name->data, name->n);
        if (found) *value = *found;
        return found != NULL;
    }
    if (object.type == JINJA_MACRO && tfm_jinja_string_is(name, "name")) {
        *value = object.macro->node->value;
        return true;
    }
    return method(c, object, name, value);
}

jinja_value tfm_jinja_get_attribute(jinja_context *c, jinja_value object, const jinja_string *name) {
    jinja_value value;
    if (!tfm_jinja_charge(&c->state, 1) || tfm_jinja_fail_if_undefined(&c->state, object)) return JINJA_UNDEFINED_VALUE;
    if (own_attribute(c, object, name, &value)) return value;
    if (object.type == JINJA_DICT) {
        const jinja_value *found = tfm_jinja_dict_get_name(&c->state, object.dict, name->data, name->n);
        if (found) return *found;
    }
    return tfm_jinja_no_such(c, name);
}

static bool element(jinja_context *c, jinja_value object, int64_t index, jinja_value *value) {
    bool text = object.type == JINJA_STRING;
    if (!text && object.list->kind > JINJA_KIND_RANGE) return false;
    int64_t n = (int64_t)(text ? object.string->n_chars : object.list->n);
    if (index < 0) index += n;
    if (index < 0 || index >= n) return false;
    if (!text) {
        *value = object.list->items[index];
        return true;
    }
    const jinja_string *string = object.string;
    tfm_jinja_charge_bytes(&c->state, string->n == string->n_chars ? 1 : string->n);
    size_t at = tfm_jinja_char_offset(string, (size_t)index);
    *value = tfm_jinja_new_string(&c->state, string->data + at, tfm_utf8_step(string->data + at, string->n - at));
    return true;
}

jinja_value tfm_jinja_get_item(jinja_context *c, jinja_value object, jinja_value index) {
    jinja_value value;
    if (!tfm_jinja_charge(&c->state, 1) || tfm_jinja_fail_if_undefined(&c->state, object)) return JINJA_UNDEFINED_VALUE;
    if (object.type == JINJA_DICT) {
        const jinja_value *found = tfm_jinja_dict_get(&c->state, object.dict, index);
        if (found) return *found;
    }
    if ((object.type == JINJA_STRING || object.type == JINJA_LIST) && jinja_is_whole(index) &&
        element(c, object, tfm_jinja_to_int(index), &value))
        return value;
    if (index.type != JINJA_STRING) return tfm_jinja_new_undefined(&c->state, "an item", 7);
    return own_attribute(c, object, index.string, &value) ? value : tfm_jinja_no_such(c, index.string);
}
