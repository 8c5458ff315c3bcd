/* inspect_json.c - everything about a model file, or about what a checkpoint would become, as one JSON object. */
#include "inspect.h"

#include <inttypes.h>
#include <string.h>

#include "format/disk.h"

#define LISTED_MAX ((size_t)256) /* elements of an array */

const char *tfm_layout_name(tfm_layout layout) { return layout == TFM_LAYOUT_PANELS ? "panels" : "rows"; }

const char *tfm_value_type_name(tfm_value_type type) {
    static const char *const names[] = {
        [TFM_VALUE_U64] = "u64",  [TFM_VALUE_F64] = "f64",  [TFM_VALUE_STRING] = "string",  [TFM_VALUE_U8S] = "u8",
        [TFM_VALUE_U32S] = "u32", [TFM_VALUE_F32S] = "f32", [TFM_VALUE_STRINGS] = "strings"};
    return type < sizeof names / sizeof *names && names[type] ? names[type] : "unknown";
}

/* ---- values ---- */

static json_t *array_json(const tfm_value *value) {
    if (value->type == TFM_VALUE_U8S || value->n > LISTED_MAX)
        return json_pack("{s:s, s:I}", "type", tfm_value_type_name(value->type), "elements", (json_int_t)value->n);
    json_t *array = json_array();
    const char *text = value->data;
    for (size_t i = 0; i < value->n; i++) {
        uint32_t u;
        float f;
        json_t *item = NULL;
        if (value->type == TFM_VALUE_STRINGS) {
            item = json_string(text);
            text += strlen(text) + 1;
        } else if (value->type == TFM_VALUE_U32S) {
            memcpy(&u, text + 4 * i, 4);
            item = json_integer(u);
        } else {
            memcpy(&f, text + 4 * i, 4);
            item = json_real((double)f);
        }
        json_array_append_new(array, item ? item : json_null());
    }
    return array;
}

static json_t *value_json(const tfm_value *value) {
    json_t *result = NULL;
    switch (value->type) {
    case TFM_VALUE_U64: result = json_integer((json_int_t)value->u64); break;
    case TFM_VALUE_F64: result = json_real(value->f64); break;
    case TFM_VALUE_STRING: result = json_string(value->data); break;
    default: result = array_json(value);
    }
    return result ? result : json_null();
}

static json_t *table_json(const tfm_table *table) {
    json_t *object = json_object();
    for (size_t i = 0; i < tfm_table_count(table); i++) {
        const tfm_value *value = tfm_table_at(table, i);
        json_object_set_new(object, value->key, value_json(value));
    }
    return object;
}

static json_t *hash_json(uint64_t hash) { return json_sprintf("%016" PRIx64, hash); }

/* What only a file that is there has: places and hashes. */
static void set_place(json_t *object, uint64_t offset, uint64_t hash) {
    json_object_set_new(object, "offset", json_integer((json_int_t)offset));
    json_object_set_new(object, "hash", hash_json(hash));
}

static json_t *tensor_json(const tfm_model_view *view, const tfm_tensor *tensor) {
    json_t *shape = json_array();
    for (uint32_t i = 0; i < tensor->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i]));
    json_t *object =
        json_pack("{s:s, s:s, s:o, s:s, s:I}", "name", tensor->name, "dtype", tfm_dtype_name(tensor->dtype), "shape",
                  shape, "layout", tfm_layout_name(tensor->layout), "bytes", (json_int_t)tensor->length);
    if (!view->is_outline) set_place(object, tensor->offset, tensor->hash);
    return object;
}

static json_t *sections_json(const tfm_model_view *view) {
    json_t *sections = json_object();
    for (size_t i = 0; i < view->n_sections; i++) {
        const tfm_section *section = &view->sections[i].section;
        json_t *entry = json_pack("{s:I, s:o}", "bytes", (json_int_t)section->length, "values",
                                  table_json(view->sections[i].table));
        if (!view->is_outline) set_place(entry, section->offset, section->hash);
        json_object_set_new(sections, section->name, entry);
    }
    return sections;
}

tfm_status tfm_inspect_json(const tfm_model_view *view, const tfm_inspection *inspection, FILE *out, tfm_error *error) {
    tfm_pack_facts facts;
    json_t *tensors = json_array();
    tfm_view_get_facts(view, &facts);
    for (size_t i = 0; i < view->n_tensors; i++) json_array_append_new(tensors, tensor_json(view, &view->tensors[i]));
    json_t *whole = json_pack(
        "{s:s, s:i, s:I, s:s, s:s, s:s, s:s, s:I, s:b, s:o, s:o, s:O*, s:O*}", view->is_outline ? "checkpoint" : "file",
        view->path, "format_version", (int)TFM_DISK_VERSION, "bytes", (json_int_t)facts.file_bytes, "kind", facts.kind,
        "family", facts.family, "dtype", facts.dtype, "dtype_embed", facts.dtype_embed, "parameters",
        (json_int_t)facts.n_parameters, "tokenizer", facts.has_tokenizer, "sections", sections_json(view), "tensors",
        tensors, "source", inspection->source, "notes", view->is_outline ? inspection->notes : NULL);
    if (!whole) return tfm_fail(error, TFM_ERROR_MEMORY, "%s: memory is out, or a text is not UTF-8", view->path);
    json_dumpf(whole, out, JSON_INDENT(1));
    fputc('\n', out);
    json_decref(whole);
    return TFM_OK;
}
