/* plan.c - collects what an importer wants written and holds it against the checkpoint. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffers.h"
#include "format/grow.h"
#include "plan_internal.h"

tfm_plan *tfm_plan_new(tfm_checkpoint *checkpoint) {
    tfm_plan *plan = calloc(1, sizeof *plan);
    if (!plan) return NULL;
    plan->checkpoint = checkpoint;
    plan->used = calloc(tfm_checkpoint_count(checkpoint) + 1, sizeof *plan->used);
    if (!plan->used) tfm_plan_free(&plan);
    return plan;
}

void tfm_plan_free(tfm_plan **handle) {
    tfm_plan *plan = *handle;
    if (!plan) return;
    free(plan->outputs);
    free(plan->used);
    free(plan);
    *handle = NULL;
}

/* ---- adding ---- */

static tfm_plan_output *add_output(tfm_plan *plan, const char *name, tfm_plan_kind kind, uint64_t k) {
    if (!tfm_grow(&plan->outputs, &plan->capacity, plan->n_outputs, 1, sizeof *plan->outputs)) {
        plan->status = TFM_ERROR_MEMORY;
        return NULL;
    }
    tfm_plan_output *output = &plan->outputs[plan->n_outputs++];
    memset(output, 0, sizeof *output);
    output->kind = kind;
    output->k = k;
    if ((size_t)snprintf(output->name, sizeof output->name, "%s", name) >= sizeof output->name)
        plan->status = TFM_ERROR_ARGUMENT;
    return output;
}

static void add_part(tfm_plan *plan, tfm_plan_output *output, const char *name, uint64_t rows, bool alias) {
    if (output->n_parts == TFM_PLAN_PARTS + TFM_PLAN_ALIASES) {
        plan->status = TFM_ERROR_ARGUMENT;
        return;
    }
    tfm_plan_part *part = &output->parts[output->n_parts++];
    if ((size_t)snprintf(part->name, sizeof part->name, "%s", name) >= sizeof part->name)
        plan->status = TFM_ERROR_ARGUMENT;
    part->rows = rows;
    part->alias = alias;
    part->tensor = tfm_checkpoint_find(plan->checkpoint, name);
    if (!alias && __builtin_add_overflow(output->n, rows, &output->n)) plan->status = TFM_ERROR_ARGUMENT;
}

static void add(tfm_plan *plan, const char *name, tfm_plan_kind kind, size_t n_parts, const char *const *parts,
                const uint64_t *rows, uint64_t k) {
    tfm_plan_output *output = add_output(plan, name, kind, k);
    for (size_t i = 0; output && i < n_parts; i++) add_part(plan, output, parts[i], rows[i], false);
}

void tfm_plan_matrix(tfm_plan *plan, const char *name, size_t n_parts, const char *const *parts, const uint64_t *rows,
                     uint64_t k) {
    add(plan, name, TFM_PLAN_MATRIX, n_parts, parts, rows, k);
}

void tfm_plan_embedding(tfm_plan *plan, const char *name, const char *part, uint64_t rows, uint64_t k) {
    size_t before = plan->n_outputs;
    add(plan, name, TFM_PLAN_MATRIX, 1, &part, &rows, k);
    if (plan->n_outputs > before) plan->outputs[before].embedding = true;
}

void tfm_plan_vector(tfm_plan *plan, const char *name, size_t n_parts, const char *const *parts, const uint64_t *rows) {
    add(plan, name, TFM_PLAN_VECTOR, n_parts, parts, rows, 1);
}

static void add_slices(tfm_plan *plan, const char *name, tfm_plan_kind kind, size_t n_parts,
                       const tfm_plan_slice *parts, uint64_t k) {
    tfm_plan_output *output = add_output(plan, name, kind, k);
    for (size_t i = 0; output && i < n_parts; i++) {
        const tfm_plan_slice *slice = &parts[i];
        add_part(plan, output, slice->name, slice->rows, false);
        tfm_plan_part *part = &output->parts[output->n_parts - 1];
        part->sliced = slice->rows != slice->total || slice->block || slice->transposed || slice->plus != 0.0f;
        part->slice = *slice;
        part->slice.name = NULL;
        if (slice->block == 0) part->slice.block = part->slice.stride = slice->rows;
    }
}

void tfm_plan_matrix_slices(tfm_plan *plan, const char *name, size_t n_parts, const tfm_plan_slice *parts, uint64_t k) {
    add_slices(plan, name, TFM_PLAN_MATRIX, n_parts, parts, k);
}

void tfm_plan_vector_slices(tfm_plan *plan, const char *name, size_t n_parts, const tfm_plan_slice *parts) {
    add_slices(plan, name, TFM_PLAN_VECTOR, n_parts, parts, 1);
}

void tfm_plan_rows(tfm_plan *plan, const char *name, const char *part, uint64_t n, uint64_t d) {
    add(plan, name, TFM_PLAN_ROWS, 1, &part, &n, d);
}

void tfm_plan_stacked(tfm_plan *plan, const char *name, const char *prefix, const char *suffix, uint64_t n,
                      uint64_t d) {
    tfm_plan_output *output = add_output(plan, name, TFM_PLAN_ROWS, d);
    if (!output) return;
    output->n = n;
    output->stacked = true;
    if ((size_t)snprintf(output->prefix, sizeof output->prefix, "%s", prefix) >= sizeof output->prefix ||
        (size_t)snprintf(output->suffix, sizeof output->suffix, "%s", suffix) >= sizeof output->suffix)
        plan->status = TFM_ERROR_ARGUMENT;
}

tfm_plan_part tfm_plan_row(const tfm_plan *plan, const tfm_plan_output *output, uint64_t i) {
    tfm_plan_part part = {.rows = output->k};
    char name[sizeof output->prefix + sizeof output->suffix + 24];
    snprintf(name, sizeof name, "%s%llu%s", output->prefix, (unsigned long long)i, output->suffix);
    snprintf(part.name, sizeof part.name, "%.127s", name);
    part.tensor = tfm_checkpoint_find(plan->checkpoint, name);
    return part;
}

void tfm_plan_computed(tfm_plan *plan, const char *name, uint64_t n, uint64_t d, tfm_row_fill *fill) {
    tfm_plan_output *output = add_output(plan, name, TFM_PLAN_ROWS, d);
    if (!output) return;
    output->n = n;
    output->fill = fill;
}

void tfm_plan_set_origin(tfm_plan *plan, const tfm_table *origin) {
    plan->has_origin = true;
    plan->origin = origin;
}

void tfm_plan_alias(tfm_plan *plan, const char *name) {
    if (plan->n_outputs == 0) return;
    tfm_plan_output *output = &plan->outputs[plan->n_outputs - 1];
    add_part(plan, output, name, output->n, true);
}

void tfm_plan_ignore(tfm_plan *plan, const char *name) {
    const tfm_checkpoint_tensor *tensor = tfm_checkpoint_find(plan->checkpoint, name);
    if (tensor) plan->used[tensor->index] = true;
}

/* ---- checking ---- */

#define NAMED_MAX 10

/* A list for one kind of problem: how many, and the names of the first ones. */
typedef struct problems {
    const char *what;
    size_t n;
    char text[420];
} problems;

__attribute__((format(printf, 2, 3))) static void add_problem(problems *list, const char *format, ...) {
    size_t used = strlen(list->text);
    if (list->n++ >= NAMED_MAX) return;
    char entry[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(entry, sizeof entry, format, arguments);
    va_end(arguments);
    if (used + strlen(entry) + 3 < sizeof list->text)
        snprintf(list->text + used, sizeof list->text - used, "%s%s", used ? ", " : "", entry);
    else if (used + 6 < sizeof list->text && !strstr(list->text, ", ..."))
        snprintf(list->text + used, sizeof list->text - used, ", ...");
}

static void shape_text(const tfm_checkpoint_tensor *tensor, char *text, size_t size) {
    size_t used = (size_t)snprintf(text, size, "[");
    for (uint32_t i = 0; i < tensor->rank && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%llu", i ? ", " : "", (unsigned long long)tensor->shape[i]);
    if (used < size) snprintf(text + used, size - used, "]");
}

/* What a part's tensor must have. */
static uint64_t part_rows(const tfm_plan_part *part) { return part->sliced ? part->slice.total : part->rows; }

static bool right_shape(const tfm_plan_output *output, const tfm_plan_part *part) {
    const tfm_checkpoint_tensor *t = part->tensor;
    const uint64_t rows = part_rows(part);
    if (part->sliced && output->kind == TFM_PLAN_VECTOR) return t->rank == 1 && t->shape[0] == rows;
    if (part->sliced && part->slice.transposed) return t->rank == 2 && t->shape[0] == output->k && t->shape[1] == rows;
    if (part->sliced) return t->rank == 2 && t->shape[0] == rows && t->shape[1] == output->k;
    if (output->kind == TFM_PLAN_VECTOR)
        return (t->rank == 1 && t->shape[0] == part->rows) ||
               (t->rank == 2 && t->shape[0] == 1 && t->shape[1] == part->rows);
    return t->rank == 2 && t->shape[0] == part->rows && t->shape[1] == output->k;
}

static void check_part(const tfm_plan_output *output, const tfm_plan_part *part, problems *missing, problems *misshapen,
                       problems *mistyped) {
    char shape[80];
    if (!part->tensor) {
        add_problem(missing, "%s", part->name);
    } else if (!right_shape(output, part)) {
        shape_text(part->tensor, shape, sizeof shape);
        if (output->kind == TFM_PLAN_VECTOR)
            add_problem(misshapen, "%s %s instead of [%llu]", part->name, shape, (unsigned long long)part_rows(part));
        else if (part->sliced && part->slice.transposed)
            add_problem(misshapen, "%s %s instead of [%llu, %llu]", part->name, shape, (unsigned long long)output->k,
                        (unsigned long long)part_rows(part));
        else
            add_problem(misshapen, "%s %s instead of [%llu, %llu]", part->name, shape,
                        (unsigned long long)part_rows(part), (unsigned long long)output->k);
    } else if (part->tensor->dtype == TFM_DTYPE_COUNT) {
        add_problem(mistyped, "%s (%s)", part->name, part->tensor->dtype_name);
    }
}

static void append(char *text, size_t size, const problems *list) {
    size_t used = strlen(text);
    if (list->n == 0) return;
    snprintf(text + used, size - used, "%s%zu %s: %s", used ? "; " : "", list->n, list->what, list->text);
}

tfm_status tfm_plan_check(tfm_plan *plan, tfm_error *error) {
    const char *path = tfm_checkpoint_path(plan->checkpoint);
    const char *model_type = json_string_value(json_object_get(tfm_checkpoint_config(plan->checkpoint), "model_type"));
    problems missing = {"missing", 0, ""}, misshapen = {"of another shape than config.json says", 0, ""};
    problems mistyped = {"of a type that is not F32, F16 or BF16", 0, ""}, extra = {"not expected", 0, ""};
    if (plan->status == TFM_ERROR_MEMORY) return tfm_no_memory(error, "%s", path);
    if (plan->status != TFM_OK) return tfm_fail(error, plan->status, "%s: a tensor name is too long", path);
    for (size_t i = 0; i < plan->n_outputs; i++) {
        const tfm_plan_output vector = {.kind = TFM_PLAN_VECTOR, .n = plan->outputs[i].k, .k = 1};
        for (uint64_t k = 0; plan->outputs[i].stacked && k < plan->outputs[i].n; k++) {
            const tfm_plan_part row = tfm_plan_row(plan, &plan->outputs[i], k);
            check_part(&vector, &row, &missing, &misshapen, &mistyped);
            if (row.tensor) plan->used[row.tensor->index] = true;
        }
        for (size_t k = 0; k < plan->outputs[i].n_parts; k++) {
            check_part(&plan->outputs[i], &plan->outputs[i].parts[k], &missing, &misshapen, &mistyped);
            const tfm_checkpoint_tensor *tensor = plan->outputs[i].parts[k].tensor;
            if (tensor) plan->used[tensor->index] = true;
        }
    }
    for (size_t i = 0; i < tfm_checkpoint_count(plan->checkpoint); i++)
        if (!plan->used[i] && !tfm_is_buffer(model_type, tfm_checkpoint_at(plan->checkpoint, i)))
            add_problem(&extra, "%s", tfm_checkpoint_at(plan->checkpoint, i)->name);
    if (missing.n + misshapen.n + mistyped.n + extra.n == 0) return TFM_OK;
    char text[sizeof(((tfm_error *)0)->message)] = "";
    append(text, sizeof text, &missing);
    append(text, sizeof text, &misshapen);
    append(text, sizeof text, &mistyped);
    append(text, sizeof text, &extra);
    return tfm_fail(error, mistyped.n ? TFM_ERROR_UNSUPPORTED : TFM_ERROR_FORMAT,
                    "%s: tensors do not fit the model: %s", path, text);
}
