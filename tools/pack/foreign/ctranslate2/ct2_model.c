/* ct2_model.c - variables of a CTranslate2 model by name, and what they become; see ct2_model.h. */
#include "ct2_model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tfm_ct2_fail(tfm_ct2_model *m, tfm_status status, const char *format, ...) {
    char text[400];
    if (m->status != TFM_OK) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    m->status = tfm_fail(m->error, status, "%s: %s", m->file.path, text);
}

void tfm_ct2_note(tfm_ct2_model *m, const char *format, ...) {
    va_list arguments;
    if (m->status != TFM_OK) return;
    char *line, *all;
    va_start(arguments, format);
    const int n = vasprintf(&line, format, arguments);
    va_end(arguments);
    if (n < 0) return;
    const char *before = m->checkpoint->note;
    if (asprintf(&all, "%s%s%s", before ? before : "", before ? "; " : "", line) >= 0) {
        free(m->checkpoint->note);
        m->checkpoint->note = all;
    }
    free(line);
}

/* ---- variables ---- */

static tfm_ct2_variable *find(tfm_ct2_model *m, const char *name) {
    const uint32_t i = m->status != TFM_OK ? TFM_CT2_NONE : tfm_ct2_file_find(&m->file, name);
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
    m->status = tfm_ct2_file_number(&m->file, index_of(m, v), &number, m->error);
    if (m->status == TFM_OK && !isfinite(number))
        tfm_ct2_fail(m, TFM_ERROR_FORMAT, "variable '%s' is not finite", name);
    return m->status != TFM_OK ? fallback : number;
}

int64_t tfm_ct2_integer(tfm_ct2_model *m, int64_t fallback, const char *name) {
    const double number = tfm_ct2_real(m, (double)fallback, name);
    if (fabs(number) <= 1 << 24 && number == floor(number)) return (int64_t)number;
    tfm_ct2_fail(m, TFM_ERROR_FORMAT, "variable '%s' is not a whole number in the range that makes sense", name);
    return fallback;
}

bool tfm_ct2_flag(tfm_ct2_model *m, bool fallback, const char *name) {
    const int64_t number = tfm_ct2_integer(m, fallback, name);
    if (number != 0 && number != 1) tfm_ct2_fail(m, TFM_ERROR_FORMAT, "variable '%s' is neither 0 nor 1", name);
    return number != 0;
}

uint64_t tfm_ct2_dimension(tfm_ct2_model *m, const char *name, int dimension) {
    const tfm_ct2_variable *v = find(m, name);
    if (!v) tfm_ct2_fail(m, TFM_ERROR_FORMAT, "variable '%s' is missing", name);
    if (v && v->count == 0) tfm_ct2_fail(m, TFM_ERROR_FORMAT, "variable '%s' is empty", name);
    return m->status != TFM_OK ? 1 : v->shape[dimension];
}

void tfm_ct2_expect(tfm_ct2_model *m, const char *name, double a, double b) {
    const double number = tfm_ct2_real(m, a, name);
    if (m->status == TFM_OK && fabs(number - a) > 1e-6 * fabs(a) && fabs(number - b) > 1e-6 * fabs(b))
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "variable '%s' has the value %g, which is not supported here", name,
                     number);
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
    const size_t n = strlen(name.text), tail = strlen("_scale");
    if (n <= tail || strcmp(name.text + n - tail, "_scale") != 0) return false;
    name.text[n - tail] = '\0';
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
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "variable '%s' is not one a model of this kind is known to have",
                     unknown);
}

/* ---- tensors ---- */

static const char *const type_names[] = {"F32", "I8", "I16", "I32", "F16", "BF16"};

void tfm_ct2_show(tfm_ct2_model *m, const char *name, const char *from, tfm_array_view view) {
    tfm_ct2_variable *v = find(m, from);
    if (!v) tfm_ct2_fail(m, TFM_ERROR_FORMAT, "variable '%s' is missing", from);
    if (m->status != TFM_OK) return;
    if (v->type == TFM_CT2_I32 || v->rank < 1 || v->rank > 2) {
        tfm_ct2_fail(m, TFM_ERROR_FORMAT, "variable '%s' is not an array of weights", from);
        return;
    }
    v->used = true;
    m->status = tfm_ct2_file_scale(&m->file, index_of(m, v), from, m->error);
    view.array = index_of(m, v);
    view.dtype_name = type_names[v->type];
    view.is_vector = v->rank == 1;
    view.width = view.transposed ? v->shape[0] : v->shape[1];
    if (!view.rows) view.rows = view.transposed ? v->shape[1] : v->shape[0];
    if (m->status == TFM_OK) m->status = tfm_array_views_add(&m->views, name, &view, m->error);
}

void tfm_ct2_show_filled(tfm_ct2_model *m, const char *name, uint64_t rows, uint64_t width, tfm_view_fill fill,
                         uint64_t first) {
    const tfm_array_view view = {.dtype_name = "F32",
                                 .array = TFM_VIEW_NO_ARRAY,
                                 .is_vector = width == 0,
                                 .width = width ? width : 1,
                                 .first = first,
                                 .rows = rows,
                                 .fill = fill};
    if (m->status == TFM_OK) m->status = tfm_array_views_add(&m->views, name, &view, m->error);
}

static tfm_name joined(const char *a, const char *b) { return tfm_name_format("%s%s", a, b); }

static void show_weight(tfm_ct2_model *m, const char *to, const char *from, uint64_t first, uint64_t rows) {
    tfm_ct2_show(m, joined(to, ".weight").text, joined(from, "/weight").text,
                 (tfm_array_view){.first = first, .rows = rows});
}

void tfm_ct2_linear(tfm_ct2_model *m, const char *to, const char *from, uint64_t first, uint64_t rows) {
    const tfm_name bias = joined(from, "/bias"), weight = joined(from, "/weight");
    show_weight(m, to, from, first, rows);
    if (tfm_ct2_has(m, "%s", bias.text))
        tfm_ct2_show(m, joined(to, ".bias").text, bias.text, (tfm_array_view){.first = first, .rows = rows});
    else
        tfm_ct2_show_filled(m, joined(to, ".bias").text, rows ? rows : tfm_ct2_dimension(m, weight.text, 0), 0, NULL,
                            0);
}

void tfm_ct2_linear_plain(tfm_ct2_model *m, const char *to, const char *from, uint64_t first, uint64_t rows) {
    if (tfm_ct2_has(m, "%s/bias", from))
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "variable '%s/bias' is not supported in a model like this", from);
    show_weight(m, to, from, first, rows);
}

void tfm_ct2_norm(tfm_ct2_model *m, const char *to, const char *from, bool has_bias) {
    tfm_ct2_show(m, joined(to, ".weight").text, joined(from, "/gamma").text, (tfm_array_view){0});
    if (has_bias) tfm_ct2_show(m, joined(to, ".bias").text, joined(from, "/beta").text, (tfm_array_view){0});
    if (!has_bias) tfm_ct2_expect(m, joined(from, "/layer_norm_use_residual").text, 0, 0);
}

/* ---- configuration ---- */

static void set(tfm_ct2_model *m, json_t *object, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value) != 0) tfm_ct2_fail(m, TFM_ERROR_MEMORY, "no memory");
}

void tfm_ct2_set_integer(tfm_ct2_model *m, json_t *object, const char *key, uint64_t value) {
    set(m, object, key, json_integer((json_int_t)value));
}

void tfm_ct2_set_real(tfm_ct2_model *m, json_t *object, const char *key, double value) {
    set(m, object, key, json_real(value));
}

void tfm_ct2_set_bool(tfm_ct2_model *m, json_t *object, const char *key, bool value) {
    set(m, object, key, json_boolean(value));
}

void tfm_ct2_set_string(tfm_ct2_model *m, json_t *object, const char *key, const char *value) {
    set(m, object, key, json_string(value));
}

int64_t tfm_ct2_token(tfm_ct2_model *m, const json_t *tokens, const char *key) {
    const char *token = json_string_value(json_object_get(m->settings, key));
    for (size_t i = 0; token && i < json_array_size(tokens); i++)
        if (strcmp(token, json_string_value(json_array_get(tokens, i))) == 0) return (int64_t)i;
    return -1;
}

double tfm_ct2_epsilon(tfm_ct2_model *m, bool rms) {
    const json_t *value = json_object_get(m->settings, "layer_norm_epsilon");
    if (!value || json_is_null(value)) return rms ? 1e-6 : 1e-5;
    const double epsilon = json_number_value(value);
    if (!json_is_number(value) || !(epsilon >= 0 && epsilon <= 1))
        tfm_ct2_fail(m, TFM_ERROR_FORMAT, "config.json beside it: layer_norm_epsilon is not a number between 0 and 1");
    return epsilon;
}

const char *tfm_ct2_activation(tfm_ct2_model *m, const char *name) {
    /* Numbers of their enumeration; 4 is x sigmoid(1.702 x), 5 tanh, 6 sigmoid. */
    static const char *const names[] = {"relu", "gelu_new", "silu", "gelu"};
    const int64_t number = tfm_ct2_integer(m, 0, name);
    if (number >= 0 && number < 4) return names[number];
    tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "variable '%s': activation %d%s is not supported", name, (int)number,
                 number == 4 ? " (GELU by sigmoid)" : "");
    return names[0];
}

uint64_t tfm_ct2_count(tfm_ct2_model *m, const char *prefix, const char *member) {
    uint64_t n = 0;
    while (m->status == TFM_OK && n < 1024 && tfm_ct2_has(m, "%s%llu/%s", prefix, (unsigned long long)n, member)) n++;
    return n;
}
