/* inspect.c - everything about a model file, for people or as JSON. */
#include "pack.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "format/disk.h"
#include "tools/common/shown.h"

#define SHOWN_MAX ((size_t)16)   /* elements of an array that people see */
#define LISTED_MAX ((size_t)256) /* elements of an array in JSON */

static const char *layout_name(tfm_layout layout) { return layout == TFM_LAYOUT_PANELS ? "panels" : "rows"; }

static const char *type_name(tfm_value_type type) {
    static const char *const names[] = {
        [TFM_VALUE_U64] = "u64",  [TFM_VALUE_F64] = "f64",  [TFM_VALUE_STRING] = "string",  [TFM_VALUE_U8S] = "u8",
        [TFM_VALUE_U32S] = "u32", [TFM_VALUE_F32S] = "f32", [TFM_VALUE_STRINGS] = "strings"};
    return type < sizeof names / sizeof *names && names[type] ? names[type] : "unknown";
}

/* ---- JSON ---- */

static json_t *array_json(const tfm_value *value) {
    if (value->type == TFM_VALUE_U8S || value->n > LISTED_MAX)
        return json_pack("{s:s, s:I}", "type", type_name(value->type), "elements", (json_int_t)value->n);
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

static json_t *tensor_json(const tfm_tensor *tensor) {
    json_t *shape = json_array();
    for (uint32_t i = 0; i < tensor->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i]));
    return json_pack("{s:s, s:s, s:o, s:s, s:I, s:I, s:o}", "name", tensor->name, "dtype",
                     tfm_dtype_name(tensor->dtype), "shape", shape, "layout", layout_name(tensor->layout), "offset",
                     (json_int_t)tensor->offset, "bytes", (json_int_t)tensor->length, "hash", hash_json(tensor->hash));
}

static tfm_status inspect_json(const tfm_file *file, const tfm_pack_facts *facts, FILE *out, tfm_error *error) {
    json_t *sections = json_object(), *tensors = json_array();
    for (size_t i = 0; i < tfm_file_section_count(file); i++) {
        const tfm_section *section = tfm_file_section_at(file, i);
        json_object_set_new(sections, section->name,
                            json_pack("{s:I, s:I, s:o, s:o}", "offset", (json_int_t)section->offset, "bytes",
                                      (json_int_t)section->length, "hash", hash_json(section->hash), "values",
                                      table_json(tfm_file_table(file, section->name))));
    }
    for (size_t i = 0; i < tfm_file_tensor_count(file); i++)
        json_array_append_new(tensors, tensor_json(tfm_file_tensor_at(file, i)));
    json_t *whole = json_pack("{s:s, s:i, s:I, s:s, s:s, s:s, s:s, s:I, s:b, s:o, s:o}", "file", tfm_file_path(file),
                              "format_version", (int)TFM_DISK_VERSION, "bytes", (json_int_t)facts->file_bytes, "kind",
                              facts->kind, "family", facts->family, "dtype", facts->dtype, "dtype_embed",
                              facts->dtype_embed, "parameters", (json_int_t)facts->n_parameters, "tokenizer",
                              facts->has_tokenizer, "sections", sections, "tensors", tensors);
    if (!whole)
        return tfm_fail(error, TFM_ERROR_MEMORY, "%s: memory is out, or a text is not UTF-8", tfm_file_path(file));
    json_dumpf(whole, out, JSON_INDENT(1));
    fputc('\n', out);
    json_decref(whole);
    return TFM_OK;
}

/* ---- text ---- */

/* Bytes in the unit people read. */
static const char *size_text(uint64_t bytes, char *text, size_t size) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit < 4; unit++) value /= 1024;
    snprintf(text, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

/* Strings may hold anything; lines of one stand one below the other. */
static void print_string(FILE *out, const char *text) {
    size_t n = strcspn(text, "\n");
    tfm_say(out, "%.*s", (int)n, text);
    while (text[n] != '\0') {
        text += n + 1;
        n = strcspn(text, "\n");
        fprintf(out, "  %-28s ", "");
        tfm_say(out, "%.*s", (int)n, text);
    }
}

/* Ends the line. Keys, as names of sections and tensors, are of harmless characters. */
static void print_value(FILE *out, const tfm_value *value) {
    if (value->type == TFM_VALUE_STRING) {
        print_string(out, value->data);
        return;
    }
    if (value->type == TFM_VALUE_U64) {
        fprintf(out, "%" PRIu64, value->u64);
    } else if (value->type == TFM_VALUE_F64) {
        fprintf(out, "%.9g", value->f64);
    } else if (value->type == TFM_VALUE_U32S && value->n <= SHOWN_MAX) {
        for (size_t i = 0; i < value->n; i++) {
            uint32_t u;
            memcpy(&u, (const char *)value->data + 4 * i, 4);
            fprintf(out, "%s%" PRIu32, i ? " " : "", u);
        }
    } else {
        fprintf(out, "(%zu %s)", value->n, value->type == TFM_VALUE_STRINGS ? "strings" : type_name(value->type));
    }
    fputc('\n', out);
}

static void print_section(FILE *out, const tfm_file *file, const tfm_section *section) {
    char size[32];
    const tfm_table *table = tfm_file_table(file, section->name);
    fprintf(out, "\n%s (%s, hash %016" PRIx64 ")\n", section->name, size_text(section->length, size, sizeof size),
            section->hash);
    if (strcmp(section->name, "origin") == 0) {
        fprintf(out, "  checkpoint names of %zu tensors (shown by --json)\n", tfm_table_count(table));
        return;
    }
    for (size_t i = 0; i < tfm_table_count(table); i++) {
        const tfm_value *value = tfm_table_at(table, i);
        fprintf(out, "  %-28s ", value->key);
        if (strcmp(section->name, "chat") == 0 && strcmp(value->key, "template") == 0)
            fprintf(out, "(%zu bytes, shown by --json)\n", value->n);
        else
            print_value(out, value);
    }
}

static void print_tensors(FILE *out, const tfm_file *file) {
    char size[32];
    fprintf(out, "\ntensors\n  %-32s %-5s %-16s %-7s %10s  %s\n", "name", "dtype", "shape", "layout", "size", "hash");
    for (size_t i = 0; i < tfm_file_tensor_count(file); i++) {
        const tfm_tensor *t = tfm_file_tensor_at(file, i);
        char shape[96] = "";
        for (uint32_t k = 0, used = 0; k < t->rank && used < sizeof shape; k++)
            used += (uint32_t)snprintf(shape + used, sizeof shape - used, "%s%" PRIu64, k ? " x " : "", t->shape[k]);
        fprintf(out, "  %-32s %-5s %-16s %-7s %10s  %016" PRIx64 "\n", t->name, tfm_dtype_name(t->dtype), shape,
                layout_name(t->layout), size_text(t->length, size, sizeof size), t->hash);
    }
}

tfm_status tfm_inspect(const tfm_file *file, bool as_json, FILE *out, tfm_error *error) {
    tfm_pack_facts facts;
    char size[32];
    tfm_pack_get_facts(file, &facts);
    if (as_json) return inspect_json(file, &facts, out, error);
    tfm_say(out, "%s: model file, format %u, %s (%" PRIu64 " bytes)", tfm_file_path(file), TFM_DISK_VERSION,
            size_text(facts.file_bytes, size, sizeof size), facts.file_bytes);
    if (strcmp(facts.kind, "tokenizer") == 0)
        fprintf(out, "a tokenizer without a model\n");
    else
        tfm_say(out, "%s, %s, %" PRIu64 " parameters, matrices in %s, embeddings in %s, %s tokenizer", facts.family,
                facts.kind, facts.n_parameters, facts.dtype, facts.dtype_embed,
                facts.has_tokenizer ? "with" : "without");
    for (size_t i = 0; i < tfm_file_section_count(file); i++) print_section(out, file, tfm_file_section_at(file, i));
    if (facts.n_tensors > 0) print_tensors(out, file);
    return TFM_OK;
}
