/* inspect.c - a model file, or what a checkpoint would become, for people: see inspect.h. */
#include "inspect.h"

#include <inttypes.h>
#include <string.h>

#include "format/disk.h"
#include "inspect_lines.h"
#include "inspect_tensors.h"
#include "tools/common/bytes.h"
#include "tools/common/shown.h"

enum { VALUE_COLUMN = 31, STACK_COLUMNS = 17 };

#define SHOWN_MAX ((size_t)16) /* elements of an array that are shown */

/* ---- values ---- */

/* An array: its elements, if they are few, or how many there are. */
static bool append_array(tfm_text *text, const tfm_value *value) {
    const char *data = value->data;
    if (value->type == TFM_VALUE_U8S || value->n > SHOWN_MAX || value->n == 0)
        return tfm_text_print(text, "(%zu %s)", value->n, tfm_value_type_name(value->type));
    for (size_t i = 0; i < value->n; i++) {
        uint32_t u;
        float f;
        bool ok = false;
        if (value->type == TFM_VALUE_STRINGS) {
            ok = tfm_text_print(text, "%s%s", i ? ", " : "", data);
            data += strlen(data) + 1;
        } else if (value->type == TFM_VALUE_U32S) {
            memcpy(&u, data + 4 * i, 4);
            ok = tfm_text_print(text, "%s%" PRIu32, i ? " " : "", u);
        } else {
            memcpy(&f, data + 4 * i, 4);
            ok = tfm_text_print(text, "%s%.6g", i ? " " : "", (double)f);
        }
        if (!ok) return false;
    }
    return true;
}

static bool append_value(tfm_text *text, const tfm_value *value) {
    switch (value->type) {
    case TFM_VALUE_U64: return tfm_text_print(text, "%" PRIu64, value->u64);
    case TFM_VALUE_F64: return tfm_text_print(text, "%.9g", value->f64);
    case TFM_VALUE_STRING: return tfm_text_append(text, value->data, value->n);
    default: return append_array(text, value);
    }
}

static void print_value(FILE *out, const char *key, const tfm_value *value) {
    tfm_text text = {0};
    fprintf(out, "  %-*s ", VALUE_COLUMN - 3, key);
    if (append_value(&text, value) && tfm_text_append(&text, "", 1))
        tfm_print_wrapped(out, VALUE_COLUMN, text.data);
    else
        fputs("(out of memory)\n", out);
    tfm_text_free(&text);
}

/* ---- sections ---- */

/* The head of a section of which all is shown, or of which that is shown that people ask for. */
static void print_head(FILE *out, const tfm_model_view *view, const tfm_view_section *part, bool verbose) {
    char size[32];
    if (verbose && view->is_outline)
        fprintf(out, "\n%s (%s)\n", part->section.name, tfm_size_text(part->section.length, size, sizeof size));
    else if (verbose)
        fprintf(out, "\n%s (%s, hash %016" PRIx64 ")\n", part->section.name,
                tfm_size_text(part->section.length, size, sizeof size), part->section.hash);
    else
        fprintf(out, "\n%s\n", part->section.name);
}

static void print_values(FILE *out, const tfm_table *table) {
    for (size_t i = 0; i < tfm_table_count(table); i++) {
        const tfm_value *value = tfm_table_at(table, i);
        print_value(out, value->key, value);
    }
}

/* "n_layers" of "encoder.n_layers", or NULL. */
static const char *of_stack(const char *key, const char *stack) {
    const size_t n = strlen(stack);
    return strncmp(key, stack, n) == 0 && key[n] == '.' ? key + n + 1 : NULL;
}

/* The cell of a table: a value, padded unless it is the last of its line. */
static void print_cell(FILE *out, const tfm_table *table, const char *stack, const char *key, bool last) {
    char name[128];
    tfm_text text = {0}, shown = {0};
    snprintf(name, sizeof name, "%s.%s", stack, key);
    const tfm_value *value = tfm_table_find(table, name);
    bool ok = (!value || append_value(&text, value)) && tfm_text_append_shown(&shown, text.data, text.size, "");
    fprintf(out, " %-*.*s", last ? 0 : STACK_COLUMNS, ok ? (int)shown.size : 0, ok && shown.data ? shown.data : "");
    tfm_text_free(&text);
    tfm_text_free(&shown);
}

/* Options of the stacks side by side, in the order of the alphabet, after what is of the whole model. */
static void print_architecture(FILE *out, const tfm_table *table) {
    static const char *const stacks[] = {"encoder", "decoder"};
    bool has[2] = {false, false};
    for (size_t i = 0; i < tfm_table_count(table); i++) {
        const tfm_value *value = tfm_table_at(table, i);
        bool in_stack = false;
        for (size_t side = 0; side < 2; side++)
            if (of_stack(value->key, stacks[side])) in_stack = has[side] = true;
        if (!in_stack) print_value(out, value->key, value);
    }
    fprintf(out, "  %-*s", VALUE_COLUMN - 3, "");
    for (size_t side = 0; side < 2; side++)
        if (has[side]) fprintf(out, " %-*s", has[1] && side == 0 ? STACK_COLUMNS : 0, stacks[side]);
    fputc('\n', out);
    for (size_t side = 0; side < 2; side++) {
        for (size_t i = 0; i < tfm_table_count(table); i++) {
            const tfm_value *value = tfm_table_at(table, i);
            const char *key = of_stack(value->key, stacks[side]);
            char other[128];
            snprintf(other, sizeof other, "encoder.%s", key ? key : "");
            if (!key || (side == 1 && tfm_table_find(table, other))) continue;
            if (!(has[0] && has[1])) {
                print_value(out, key, value);
                continue;
            }
            fprintf(out, "  %-*s", VALUE_COLUMN - 3, key);
            for (size_t k = 0; k < 2; k++) print_cell(out, table, stacks[k], key, k == 1);
            fputc('\n', out);
        }
    }
}

/* What a line of the head says already, or what only programs read. Of a checkpoint, metadata say what was asked. */
static bool is_summed_up(const tfm_model_view *view, const char *section) {
    static const char *const names[] = {"tokenizer", "tokenizer.target", "origin", "shortlist", "chat", "languages"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(section, names[i]) == 0) return true;
    return view->is_outline && strcmp(section, "metadata") == 0;
}

/* In the order in which people ask; sections that others have added ("x-...") come last. */
static void print_sections(FILE *out, const tfm_model_view *view, bool verbose) {
    static const char *const order[] = {"architecture", "generation", "languages",        "chat",
                                        "shortlist",    "tokenizer",  "tokenizer.target", "metadata"};
    const size_t n_order = sizeof order / sizeof *order;
    for (size_t at = 0; at <= n_order; at++) {
        for (size_t i = 0; i < view->n_sections; i++) {
            const tfm_view_section *part = &view->sections[i];
            size_t place = 0;
            while (place < n_order && strcmp(order[place], part->section.name) != 0) place++;
            if (place != at || (!verbose && is_summed_up(view, part->section.name))) continue;
            print_head(out, view, part, verbose);
            if (strcmp(part->section.name, "origin") == 0)
                fprintf(out, "  checkpoint names of %zu tensors (shown by --json)\n", tfm_table_count(part->table));
            else if (at == 0 && !verbose)
                print_architecture(out, part->table);
            else
                print_values(out, part->table);
        }
    }
}

/* ---- the head ---- */

static const char *task_of(const tfm_model_view *view, const tfm_pack_facts *facts) {
    const tfm_table *options = tfm_view_table(view, "architecture");
    const char *head = tfm_table_string(options, "head", "none");
    if (strcmp(facts->kind, "encoder-decoder") == 0)
        return tfm_view_table(view, "languages") ? "translates between languages" : "writes a text for a text";
    if (strcmp(facts->kind, "decoder") == 0)
        return facts->has_chat_template ? "goes on with a text, or answers in a conversation" : "goes on with a text";
    if (strcmp(head, "masked_lm") == 0) return "fills in masked words; vectors of texts";
    if (strcmp(head, "token") == 0) return "labels the tokens of a text; vectors of texts";
    if (strcmp(head, "sequence") == 0) return "labels a text; vectors of texts";
    return "vectors of texts";
}

static void print_weights(FILE *out, const json_t *source) {
    tfm_text text = {0};
    const char *type;
    const json_t *count;
    bool ok = true;
    json_object_foreach((json_t *)(uintptr_t)json_object_get(source, "weights"), type, count) {
        char number[40];
        ok = ok && tfm_text_print(&text, "%s%s %s", text.size > 0 ? ", " : "",
                                  tfm_grouped((uint64_t)json_integer_value(count), number, sizeof number), type);
    }
    if (ok && text.size > 0)
        tfm_print_fact(out, "weights", "%s in %" JSON_INTEGER_FORMAT " tensors", text.data,
                       json_integer_value(json_object_get(source, "tensors")));
    tfm_text_free(&text);
}

/* What the model file would take in each type. */
static void print_sizes(FILE *out, const tfm_model_view *view) {
    static const tfm_dtype types[] = {TFM_F32, TFM_BF16, TFM_I8, TFM_I4};
    char text[200] = "";
    for (size_t i = 0, used = 0; i < sizeof types / sizeof *types; i++) {
        char size[32];
        const tfm_dtype embed = types[i] == TFM_I4 ? TFM_I8 : types[i];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %s", i ? ", " : "", tfm_dtype_name(types[i]),
                                 tfm_size_text(tfm_view_bytes_as(view, types[i], embed), size, sizeof size));
    }
    tfm_print_fact(out, "packed", "%s", text);
}

/* The kind of a tokenizer and how many tokens it has. */
static void print_tokenizer(FILE *out, const tfm_model_view *view, const tfm_inspection *inspection) {
    static const char *const sections[] = {"tokenizer", "tokenizer.target"};
    const char *class = json_string_value(json_object_get(inspection->source, "tokenizer_class"));
    if (!tfm_view_table(view, "tokenizer")) {
        tfm_print_fact(out, "tokenizer", "none: takes and gives ids of tokens");
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        const tfm_table *table = tfm_view_table(view, sections[i]);
        const tfm_value *tokens = tfm_table_find(table, "vocabulary.kinds");
        char number[40];
        if (!table) continue;
        tfm_print_fact(out, i == 0 ? "tokenizer" : "  of outputs", "%s, %s tokens%s%s%s",
                       tfm_table_string(table, "type", "of an unknown type"),
                       tfm_grouped(tokens ? tokens->n : 0, number, sizeof number), i == 0 && class ? " (" : "",
                       i == 0 && class ? class : "", i == 0 && class ? ")" : "");
    }
}

static void print_extras(FILE *out, const tfm_model_view *view, const tfm_pack_facts *facts) {
    const tfm_value *codes = tfm_table_find(tfm_view_table(view, "languages"), "codes");
    const tfm_value *chat = tfm_table_find(tfm_view_table(view, "chat"), "template");
    if (codes) tfm_print_fact(out, "languages", "%zu", codes->n);
    if (chat)
        tfm_print_fact(out, "chat template", "yes, %zu bytes", chat->n);
    else if (strcmp(facts->kind, "decoder") == 0)
        tfm_print_fact(out, "chat template", "no");
    if (facts->has_shortlist) tfm_print_fact(out, "shortlist", "yes");
}

static void print_facts(FILE *out, const tfm_model_view *view, const tfm_inspection *inspection) {
    tfm_pack_facts facts;
    char number[40];
    const char *name = tfm_table_string(tfm_view_table(view, "metadata"), "name", NULL);
    const char *license = tfm_table_string(tfm_view_table(view, "metadata"), "license", NULL);
    tfm_view_get_facts(view, &facts);
    if (name) tfm_print_fact(out, "name", "%s", name);
    if (license) tfm_print_fact(out, "license", "%s", license);
    if (strcmp(facts.kind, "tokenizer") == 0) {
        tfm_print_fact(out, "kind", "a tokenizer without a model");
    } else {
        tfm_print_fact(out, "family", "%s (%s)", facts.family, facts.kind);
        tfm_print_fact(out, "task", "%s", task_of(view, &facts));
        tfm_print_fact(out, "parameters", "%s", tfm_grouped(facts.n_parameters, number, sizeof number));
        if (inspection->source)
            print_weights(out, inspection->source);
        else
            tfm_print_fact(out, "types", "matrices in %s, embeddings in %s", facts.dtype, facts.dtype_embed);
        if (view->is_outline) print_sizes(out, view);
    }
    print_tokenizer(out, view, inspection);
    print_extras(out, view, &facts);
}

static void print_source(FILE *out, const char *path, const json_t *source) {
    char size[32];
    const json_int_t bytes = json_integer_value(json_object_get(source, "bytes"));
    if (bytes > 0)
        tfm_say(out, "%s: checkpoint (%s), %s", path, json_string_value(json_object_get(source, "format")),
                tfm_size_text((uint64_t)bytes, size, sizeof size));
    else
        tfm_say(out, "%s: checkpoint (%s)", path, json_string_value(json_object_get(source, "format")));
}

void tfm_inspect_checkpoint(const char *path, const json_t *source, FILE *out) {
    static const char *const facts[][2] = {
        {"model_type", "model type"}, {"architecture", "class"}, {"tokenizer_class", "tokenizer"}};
    print_source(out, path, source);
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        const char *value = json_string_value(json_object_get(source, facts[i][0]));
        if (value) tfm_print_fact(out, facts[i][1], "%s", value);
    }
    print_weights(out, source);
}

/* ---- the whole ---- */

static void print_notes(FILE *out, const json_t *notes) {
    size_t i;
    const json_t *note;
    if (json_array_size(notes) == 0) return;
    fprintf(out, "\nnotes\n");
    json_array_foreach(notes, i, note) {
        fprintf(out, "  - ");
        tfm_print_wrapped(out, 4, json_string_value(note));
    }
}

tfm_status tfm_inspect_text(const tfm_model_view *view, const tfm_inspection *inspection, FILE *out, tfm_error *error) {
    char size[32], number[40];
    if (inspection->source)
        print_source(out, view->path, inspection->source);
    else if (view->is_outline)
        tfm_say(out, "%s: tokenizer", view->path);
    else
        tfm_say(out, "%s: model file, format %u, %s (%s bytes)", view->path, TFM_DISK_VERSION,
                tfm_size_text(view->length, size, sizeof size), tfm_grouped(view->length, number, sizeof number));
    print_facts(out, view, inspection);
    print_notes(out, inspection->notes);
    print_sections(out, view, inspection->verbose);
    if (view->n_tensors == 0) return TFM_OK;
    if (!inspection->verbose) return tfm_print_tensor_groups(view, out, error);
    tfm_print_tensors(view, out);
    return TFM_OK;
}
