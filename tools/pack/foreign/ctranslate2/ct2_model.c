/* ct2_model.c - variables of a CTranslate2 model by name, and the tensors they become; see ct2_model.h. */
#include "ct2_model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- variables ---- */

static tfm_ct2_variable *find(tfm_ct2_model *m, const char *name) {
    const uint32_t i = m->foreign.status != TFM_OK ? TFM_CT2_NONE : tfm_ct2_file_find(&m->file, name);
    return i == TFM_CT2_NONE ? NULL : &m->file.variables[i];
}

static uint32_t index_of(const tfm_ct2_model *m, const tfm_ct2_variable *v) {
    return (uint32_t)(v - m->file.variables);
}

bool tfm_ct2_has(tfm_ct2_model *m, const char *format, ...) {
    char name[TFM_CT2_NAME_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    return find(m, name) != NULL;
}

double tfm_ct2_real(tfm_ct2_model *m, double fallback, const char *name) {
    tfm_ct2_variable *v = find(m, name);
    double number = fallback;
    if (!v) return fallback;
    v->used = true;
    m->foreign.status = tfm_ct2_file_number(&m->file, index_of(m, v), &number, m->foreign.error);
    if (m->foreign.status == TFM_OK && !isfinite(number))
        tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT, "variable '%s' is not finite", name);
    return m->foreign.status != TFM_OK ? fallback : number;
}

int64_t tfm_ct2_integer(tfm_ct2_model *m, int64_t fallback, const char *name) {
    const double number = tfm_ct2_real(m, (double)fallback, name);
    if (fabs(number) <= 1 << 24 && number == floor(number)) return (int64_t)number;
    tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT, "variable '%s' is not a whole number in the range that makes sense",
                     name);
    return fallback;
}

bool tfm_ct2_flag(tfm_ct2_model *m, bool fallback, const char *name) {
    const int64_t number = tfm_ct2_integer(m, fallback, name);
    if (number != 0 && number != 1)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT, "variable '%s' is neither 0 nor 1", name);
    return number != 0;
}

const char *tfm_ct2_text(tfm_ct2_model *m, const char *fallback, const char *name, char *text, size_t size) {
    tfm_ct2_variable *v = find(m, name);
    if (!v) return fallback;
    v->used = true;
    m->foreign.status = tfm_ct2_file_text(&m->file, index_of(m, v), text, size, m->foreign.error);
    return m->foreign.status != TFM_OK ? fallback : text;
}

bool tfm_ct2_is_flag(tfm_ct2_model *m, const char *name) {
    const tfm_ct2_variable *v = find(m, name);
    return v && v->type == TFM_CT2_I8;
}

uint64_t tfm_ct2_dimension(tfm_ct2_model *m, const char *name, int dimension) {
    const tfm_ct2_variable *v = find(m, name);
    if (!v) tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT, "variable '%s' is missing", name);
    if (v && v->count == 0) tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT, "variable '%s' is empty", name);
    return !v || m->foreign.status != TFM_OK ? 1 : v->shape[dimension];
}

void tfm_ct2_expect(tfm_ct2_model *m, const char *name, double a, double b) {
    const double number = tfm_ct2_real(m, a, name);
    if (fabs(number - a) > 1e-6 * fabs(a) && fabs(number - b) > 1e-6 * fabs(b))
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                         "variable '%s' has the value %g, which is not supported here", name, number);
}

bool tfm_ct2_same(tfm_ct2_model *m, const char *a, const char *b) {
    const tfm_ct2_variable *x = find(m, a), *y = find(m, b);
    return x && x == y;
}

void tfm_ct2_ignore(tfm_ct2_model *m, const char *name) {
    tfm_ct2_variable *v = find(m, name);
    if (v) v->used = true;
}

/* "X_scale" of an array X that is used: files may list it or not. */
static bool is_known_scale(tfm_ct2_model *m, const tfm_ct2_alias *alias) {
    tfm_name name = tfm_name_format("%s", alias->name);
    if (!tfm_path_ends_with(name.text, "_scale")) return false;
    name.text[strlen(name.text) - strlen("_scale")] = '\0';
    const tfm_ct2_variable *array = find(m, name.text);
    return array && array->used && array->scale == alias->variable;
}

void tfm_ct2_finish(tfm_ct2_model *m) {
    const tfm_ct2_file *file = &m->file;
    const char *unknown = NULL;
    for (uint32_t i = 0; i < file->n_variables && !unknown; i++)
        if (!file->variables[i].used) unknown = file->variables[i].name;
    for (uint32_t i = 0; i < file->n_aliases && !unknown; i++)
        if (!file->aliases[i].used && !is_known_scale(m, &file->aliases[i])) unknown = file->aliases[i].name;
    if (unknown)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                         "variable '%s' is not one a model of this kind is known to have", unknown);
}

/* ---- parts ---- */

tfm_ct2_part tfm_ct2_whole(tfm_ct2_model *m) { return (tfm_ct2_part){.model = m}; }

tfm_ct2_part tfm_ct2_layer(tfm_ct2_model *m, const char *to, const char *stack, uint64_t i) {
    return (tfm_ct2_part){.model = m,
                          .to = tfm_name_format("%s.%llu", to, (unsigned long long)i),
                          .from = tfm_name_format("%s/layer_%llu", stack, (unsigned long long)i)};
}

static tfm_name name_here(const tfm_ct2_part *part, const char *name, const char *end) {
    return tfm_name_format("%s%s%s%s", part->to.text, part->to.text[0] ? "." : "", name, end);
}

tfm_name tfm_ct2_name_there(const tfm_ct2_part *part, const char *name) {
    return tfm_name_format("%s%s%s", part->from.text, part->from.text[0] ? "/" : "", name);
}

static tfm_name name_of(const char *layer, const char *array) { return tfm_name_format("%s/%s", layer, array); }

/* ---- tensors ---- */

static const char *const type_names[] = {"F32", "I8", "I16", "I32", "F16", "BF16"};

/* Adds the view of the variable `from` as the tensor `to`, both whole names. */
static void show(tfm_ct2_model *m, const char *to, const char *from, tfm_array_view view) {
    tfm_ct2_variable *v = find(m, from);
    if (!v) tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT, "variable '%s' is missing", from);
    if (!v || m->foreign.status != TFM_OK) return;
    if (v->type == TFM_CT2_I32 || v->rank < 1 || v->rank > 2) {
        tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT, "variable '%s' is not an array of weights", from);
        return;
    }
    v->used = true;
    view.array = index_of(m, v);
    view.dtype_name = type_names[v->type];
    view.is_vector = v->rank == 1;
    view.width = view.transposed ? v->shape[0] : v->shape[1];
    if (!view.rows) view.rows = view.transposed ? v->shape[1] : v->shape[0];
    m->foreign.status = tfm_ct2_file_scale(&m->file, view.array, from, m->foreign.error);
    if (m->foreign.status == TFM_OK) m->foreign.status = tfm_array_views_add(&m->views, to, &view, m->foreign.error);
}

/* Rows that are computed, or zeros, as the tensor `to`; width 0: a vector. */
static void show_filled(tfm_ct2_model *m, const char *to, uint64_t rows, uint64_t width, tfm_row_fill *fill,
                        uint64_t first) {
    const tfm_array_view view = {.dtype_name = "F32",
                                 .array = TFM_VIEW_NO_ARRAY,
                                 .is_vector = width == 0,
                                 .width = width ? width : 1,
                                 .first = first,
                                 .rows = rows,
                                 .fill = fill};
    if (m->foreign.status == TFM_OK) m->foreign.status = tfm_array_views_add(&m->views, to, &view, m->foreign.error);
}

void tfm_ct2_show(const tfm_ct2_part *part, const char *to, const char *from, tfm_array_view view) {
    show(part->model, name_here(part, to, "").text, tfm_ct2_name_there(part, from).text, view);
}

void tfm_ct2_show_filled(const tfm_ct2_part *part, const char *to, uint64_t rows, uint64_t width, tfm_row_fill *fill,
                         uint64_t first) {
    show_filled(part->model, name_here(part, to, "").text, rows, width, fill, first);
}

/* What `view` says of the weight and of the bias; a bias that is not there is zeros. */
static void show_linear(const tfm_ct2_part *part, const char *to, const char *from, bool has_bias,
                        tfm_array_view view) {
    tfm_ct2_model *m = part->model;
    const tfm_name there = tfm_ct2_name_there(part, from);
    const tfm_name weight = name_of(there.text, "weight"), bias = name_of(there.text, "bias");
    show(m, name_here(part, to, ".weight").text, weight.text, view);
    view.transposed = false;
    if (has_bias && tfm_ct2_has(m, "%s", bias.text)) {
        show(m, name_here(part, to, ".bias").text, bias.text, view);
    } else if (has_bias) {
        const uint64_t rows = view.rows ? view.rows : tfm_ct2_dimension(m, weight.text, 0);
        show_filled(m, name_here(part, to, ".bias").text, rows, 0, NULL, 0);
    } else if (tfm_ct2_has(m, "%s", bias.text)) {
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED, "variable '%s' is not supported in a model like this",
                         bias.text);
    }
}

void tfm_ct2_linear(const tfm_ct2_part *part, const char *to, const char *from, bool has_bias) {
    show_linear(part, to, from, has_bias, (tfm_array_view){0});
}

void tfm_ct2_linear_rows(const tfm_ct2_part *part, const char *to, const char *from, uint64_t first, uint64_t rows,
                         bool has_bias) {
    show_linear(part, to, from, has_bias, (tfm_array_view){.first = first, .rows = rows});
}

void tfm_ct2_linear_transposed(const tfm_ct2_part *part, const char *to, const char *from) {
    show_linear(part, to, from, true, (tfm_array_view){.transposed = true});
}

void tfm_ct2_norm(const tfm_ct2_part *part, const char *to, const char *from, bool has_bias) {
    tfm_ct2_model *m = part->model;
    const tfm_name there = tfm_ct2_name_there(part, from);
    show(m, name_here(part, to, ".weight").text, name_of(there.text, "gamma").text, (tfm_array_view){0});
    if (has_bias)
        show(m, name_here(part, to, ".bias").text, name_of(there.text, "beta").text, (tfm_array_view){0});
    else
        tfm_ct2_expect(m, name_of(there.text, "layer_norm_use_residual").text, 0, 0);
}

void tfm_ct2_show_attention(const tfm_ct2_part *part, const tfm_ct2_attention *to, const char *from, bool is_cross,
                            uint64_t inner, bool has_bias) {
    tfm_ct2_model *m = part->model;
    const tfm_name first = name_of(from, "linear_0"), second = name_of(from, "linear_1"),
                   third = name_of(from, "linear_2");
    const tfm_name *joined = is_cross ? &second : &first; /* where keys and values are, behind queries or alone */
    const uint64_t before = is_cross ? 0 : inner;
    tfm_ct2_linear_rows(part, to->query, first.text, 0, inner, has_bias);
    tfm_ct2_linear_rows(part, to->key, joined->text, before, inner, has_bias);
    tfm_ct2_linear_rows(part, to->value, joined->text, before + inner, inner, has_bias);
    tfm_ct2_linear(part, to->out, is_cross ? third.text : second.text, has_bias);
    /* Rows of a joined layer that nobody takes would be lost in silence. */
    const tfm_name queries = tfm_ct2_name_there(part, name_of(first.text, "weight").text);
    const tfm_name keys = tfm_ct2_name_there(part, name_of(joined->text, "weight").text);
    if (tfm_ct2_dimension(m, queries.text, 0) != (is_cross ? inner : 3 * inner) ||
        tfm_ct2_dimension(m, keys.text, 0) != before + 2 * inner)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED, "'%s': keys and values have heads of their own",
                         tfm_ct2_name_there(part, from).text);
}
