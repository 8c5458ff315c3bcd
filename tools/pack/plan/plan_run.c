/* plan_run.c - streams the tensors of a plan into the model file: memory for one panel, however large they are. */
#include "plan_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sums for the error of the tensor being written. */
typedef struct rounding {
    tfm_rounding result;
    double squares, error_squares;
    float *back; /* a panel as it will be read; NULL: nothing is measured */
} rounding;

typedef struct run {
    tfm_plan *plan;
    tfm_writer *writer;
    const tfm_pack_options *options;
    tfm_error *error;
    float *rows;       /* what is read at a time */
    void *panel;       /* what is written at a time */
    float *transposed; /* the tensor of a part that is transposed, (total, k) */
    const tfm_plan_part *transposed_part;
    rounding measured;
    uint64_t done, total;
    size_t n_bad; /* tensors with values that are not finite */
    char bad[400];
} run;

/* Names a tensor whose values are not finite; the rest is then read only to find others like it. */
static void note_bad(run *r, const char *name) {
    size_t used = strlen(r->bad);
    if (r->n_bad++ < 10 && used + strlen(name) + 3 < sizeof r->bad)
        snprintf(r->bad + used, sizeof r->bad - used, "%s%s", used ? ", " : "", name);
}

/* What a row of a part's tensor is read with. */
typedef struct part_rows {
    tfm_checkpoint *checkpoint;
    const tfm_checkpoint_tensor *tensor;
} part_rows;

static tfm_status read_part_row(void *state, uint64_t row, float *values, tfm_error *error) {
    const part_rows *rows = state;
    return tfm_checkpoint_read(rows->checkpoint, rows->tensor, row, 1, values, error);
}

/* Reads a whole tensor (k, total) and keeps it as (total, k) until the output is done. */
static tfm_status transpose(run *r, const tfm_plan_part *part, uint64_t k) {
    if (r->transposed_part == part) return TFM_OK;
    part_rows rows = {r->plan->checkpoint, part->tensor};
    free(r->transposed);
    tfm_status status =
        tfm_read_transposed(k, part->slice.total, read_part_row, &rows, part->name, &r->transposed, r->error);
    r->transposed_part = status == TFM_OK ? part : NULL;
    return status;
}

/* Rows [row, row + n) of a sliced part. */
static tfm_status read_slice(run *r, const tfm_plan_part *part, uint64_t row, uint64_t n, uint64_t k, float *rows) {
    const tfm_plan_slice *slice = &part->slice;
    tfm_status status = TFM_OK;
    if (slice->transposed) status = transpose(r, part, k);
    for (uint64_t done = 0, count; status == TFM_OK && done < n; done += count) {
        uint64_t at = row + done, inside = at % slice->block;
        uint64_t from = slice->first + at / slice->block * slice->stride + inside;
        count = slice->block - inside < n - done ? slice->block - inside : n - done;
        if (slice->transposed)
            memcpy(rows + done * k, r->transposed + from * k, (size_t)(count * k) * sizeof *rows);
        else
            status = tfm_checkpoint_read(r->plan->checkpoint, part->tensor, from, count, rows + done * k, r->error);
    }
    for (uint64_t i = 0; status == TFM_OK && i < n * k; i++) rows[i] += slice->plus;
    for (uint64_t i = 0; status == TFM_OK && slice->over != 0 && i < n * k; i++) rows[i] /= slice->over;
    return status;
}

/* Rows [first, first + n) of a table whose rows are vectors of their own. */
static tfm_status read_stacked(run *r, const tfm_plan_output *output, uint64_t first, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        const tfm_plan_part part = tfm_plan_row(r->plan, output, first + i);
        uint64_t rows = part.tensor->rank == 2 ? 1 : output->k;
        tfm_status status =
            tfm_checkpoint_read(r->plan->checkpoint, part.tensor, 0, rows, r->rows + i * output->k, r->error);
        if (status == TFM_ERROR_CORRUPT) note_bad(r, part.name);
        if (status != TFM_OK) return status;
    }
    return TFM_OK;
}

/* Rows [first, first + n) of an output, from its parts one after the other, or computed. */
static tfm_status read_rows(run *r, tfm_plan_output *output, uint64_t first, uint64_t n) {
    uint64_t begin = 0;
    float *rows = r->rows;
    if (output->fill) {
        output->fill(rows, first, n, output->k);
        return TFM_OK;
    }
    if (output->stacked) return read_stacked(r, output, first, n);
    for (size_t i = 0; i < output->n_parts && n > 0; begin += output->parts[i].rows, i++) {
        const tfm_plan_part *part = &output->parts[i];
        if (part->alias || first >= begin + part->rows) continue;
        uint64_t count = begin + part->rows - first;
        if (count > n) count = n;
        uint64_t row = first - begin, read_count = count;
        if (part->tensor->rank == 2 && output->kind == TFM_PLAN_VECTOR)
            row = 0, read_count = 1; /* (1, n), all at once */
        tfm_status status =
            part->sliced ? read_slice(r, part, row, count, output->k, rows)
                         : tfm_checkpoint_read(r->plan->checkpoint, part->tensor, row, read_count, rows, r->error);
        if (status != TFM_OK) {
            if (status == TFM_ERROR_CORRUPT) note_bad(r, part->name);
            return status;
        }
        rows += count * output->k;
        first += count;
        n -= count;
    }
    if (n == 0) return TFM_OK;
    return tfm_fail(r->error, TFM_ERROR_ARGUMENT, "tensor '%s': its parts have %llu rows too few", output->name,
                    (unsigned long long)n);
}

static tfm_dtype output_dtype(const tfm_plan_output *output, const tfm_pack_options *options) {
    if (output->kind != TFM_PLAN_MATRIX) return TFM_F32;
    return output->embedding ? tfm_pack_embed_dtype(options) : options->dtype;
}

/* A finite weight may lie outside what a narrower type can hold. */
static tfm_status check_range(run *r, const tfm_plan_output *output, size_t n, tfm_dtype dtype) {
    float bound = tfm_dtype_bound(dtype);
    for (size_t i = 0; i < n; i++)
        if (r->rows[i] >= bound || r->rows[i] <= -bound)
            return tfm_fail(r->error, TFM_ERROR_UNSUPPORTED,
                            "%s: tensor '%s' has the value %g, which %s cannot hold; pack with --dtype%s f32%s",
                            tfm_checkpoint_path(r->plan->checkpoint), output->parts[0].name, (double)r->rows[i],
                            tfm_dtype_name(dtype), output->embedding ? "-embed" : "",
                            dtype == TFM_BF16 ? "" : " or bf16");
    return TFM_OK;
}

/* Adds what packing n rows cost: `back` receives the panel as the kernels will see it. */
static void measure(rounding *m, const float *rows, size_t first, size_t n, size_t k, const void *panel) {
    if (!m->back) return;
    tfm_panel_unpack(panel, m->result.dtype, n, k, m->back, k);
    for (size_t r = 0; r < n; r++) {
        double squares = 0, error_squares = 0;
        for (size_t c = 0; c < k; c++) {
            double x = (double)rows[r * k + c], error = x - (double)m->back[r * k + c];
            squares += x * x;
            error_squares += error * error;
            if (fabs(error) > m->result.max_error) m->result.max_error = fabs(error);
        }
        double relative = squares > 0 ? sqrt(error_squares / squares) : 0;
        if (relative > m->result.worst_row_error) {
            m->result.worst_row_error = relative;
            m->result.worst_row = first + r;
        }
        m->squares += squares;
        m->error_squares += error_squares;
    }
}

static tfm_status report(run *r, uint64_t bytes) {
    r->done += bytes;
    if (r->options->progress && r->options->progress(r->options->progress_user, r->done, r->total))
        return tfm_fail(r->error, TFM_ERROR_CANCELLED, "interrupted");
    return TFM_OK;
}

/* Rows per step: a panel of a matrix, or what fits a fixed buffer. A vector comes at once. */
static uint64_t step_rows(const tfm_plan_output *output) {
    if (output->kind == TFM_PLAN_MATRIX) return TFM_PANEL;
    if (output->kind == TFM_PLAN_VECTOR) return output->n;
    return output->k >= 16384 ? 1 : 16384 / output->k;
}

static tfm_status write_step(run *r, const tfm_plan_output *output, uint64_t first, uint64_t n) {
    tfm_dtype dtype = output_dtype(output, r->options);
    size_t k = (size_t)output->k, bytes = (size_t)n * k * sizeof(float);
    tfm_status status = check_range(r, output, (size_t)n * k, dtype);
    if (status != TFM_OK) return status;
    if (output->kind == TFM_PLAN_MATRIX) {
        tfm_panel_pack(r->rows, k, (size_t)n, k, dtype, r->panel);
        measure(&r->measured, r->rows, first, (size_t)n, k, r->panel);
        bytes = tfm_panel_bytes(dtype, k);
    }
    status = tfm_writer_write(r->writer, output->kind == TFM_PLAN_MATRIX ? r->panel : r->rows, bytes, r->error);
    return status == TFM_OK ? report(r, bytes) : status;
}

/* Memory for a step: rows as they are read, and for a matrix its panel and, if asked for, the panel unpacked. */
static tfm_status begin_output(run *r, const tfm_plan_output *output) {
    bool matrix = output->kind == TFM_PLAN_MATRIX;
    tfm_dtype dtype = output_dtype(output, r->options);
    size_t width, panel = matrix ? tfm_panel_bytes(dtype, (size_t)output->k) : 0;
    if (matrix && panel == 0)
        return tfm_fail(r->error, TFM_ERROR_UNSUPPORTED, "%s: tensor '%s' has %llu columns, too many for %s",
                        tfm_checkpoint_path(r->plan->checkpoint), output->name, (unsigned long long)output->k,
                        tfm_dtype_name(dtype));
    r->measured = (rounding){.result = {.name = output->name, .dtype = dtype, .n = output->n, .k = output->k}};
    bool sized = !__builtin_mul_overflow(step_rows(output), output->k * sizeof(float), &width);
    bool back = matrix && r->options->rounded;
    if (sized && (r->rows = malloc(width)) && (!matrix || (r->panel = malloc(panel))) &&
        (!back || (r->measured.back = malloc(width))))
        return TFM_OK;
    return tfm_no_memory(r->error, "a part of tensor '%s'", output->name);
}

static void end_output(run *r, bool complete) {
    rounding *m = &r->measured;
    if (m->squares > 0) m->result.relative_error = sqrt(m->error_squares / m->squares);
    if (complete && m->back) r->options->rounded(r->options->rounded_user, &m->result);
    free(m->back);
    free(r->transposed);
    r->transposed = NULL;
    r->transposed_part = NULL;
    free(r->rows);
    free(r->panel);
    m->back = NULL;
    r->rows = r->panel = NULL;
}

/* Tells the writer of the tensor: its name, type, layout and shape. */
static tfm_status declare_output(run *r, const tfm_plan_output *output) {
    bool matrix = output->kind == TFM_PLAN_MATRIX, vector = output->kind == TFM_PLAN_VECTOR;
    const uint64_t shape[TFM_RANK_MAX] = {output->n, vector ? 1 : output->k, 1, 1};
    return tfm_writer_tensor(r->writer, output->name, output_dtype(output, r->options),
                             matrix ? TFM_LAYOUT_PANELS : TFM_LAYOUT_ROWS, vector ? 1 : 2, shape, r->error);
}

static tfm_status write_output(run *r, tfm_plan_output *output) {
    uint64_t step = step_rows(output);
    if (tfm_writer_is_outline(r->writer)) return declare_output(r, output);
    tfm_status status = begin_output(r, output);
    if (status == TFM_OK && r->n_bad == 0) status = declare_output(r, output);
    for (uint64_t first = 0; status == TFM_OK && first < output->n; first += step) {
        uint64_t n = output->n - first < step ? output->n - first : step;
        status = read_rows(r, output, first, n);
        if (status == TFM_OK && r->n_bad == 0) status = write_step(r, output, first, n);
    }
    end_output(r, status == TFM_OK && r->n_bad == 0);
    return status == TFM_ERROR_CORRUPT ? TFM_OK : status;
}

/* ---- origin ---- */

/* How --export finds the way back: see docs/model-contents.md. */
static void describe_part(const tfm_plan_output *output, const tfm_plan_part *part, size_t n_joined, char *text,
                          size_t size) {
    if (part->sliced)
        snprintf(text, size, "~%s", part->name);
    else if (n_joined > 1 && !part->alias)
        snprintf(text, size, "%s=%llu", part->name, (unsigned long long)part->rows);
    else if (output->kind == TFM_PLAN_VECTOR && part->tensor->rank == 2)
        snprintf(text, size, "%s=1x%llu", part->name, (unsigned long long)part->rows);
    else
        snprintf(text, size, "%s", part->name);
}

static tfm_status write_origin(run *r) {
    if (r->plan->has_origin && !r->plan->origin) return TFM_OK;
    tfm_table_builder *table = tfm_table_builder_new();
    if (!table) return tfm_no_memory(r->error, "section origin");
    tfm_table_set_all(table, r->plan->origin);
    for (size_t i = 0; !r->plan->has_origin && i < r->plan->n_outputs; i++) {
        const tfm_plan_output *output = &r->plan->outputs[i];
        char texts[TFM_PLAN_PARTS + TFM_PLAN_ALIASES][176];
        const char *list[TFM_PLAN_PARTS + TFM_PLAN_ALIASES];
        size_t n_joined = 0;
        for (size_t k = 0; k < output->n_parts; k++) n_joined += !output->parts[k].alias;
        for (size_t k = 0; k < output->n_parts; k++) {
            describe_part(output, &output->parts[k], n_joined, texts[k], sizeof texts[k]);
            list[k] = texts[k];
        }
        if (output->stacked) {
            snprintf(texts[0], sizeof texts[0], "~%s*%s", output->prefix, output->suffix);
            list[0] = texts[0];
            tfm_table_set_strings(table, output->name, list, 1);
        }
        if (output->n_parts > 0) tfm_table_set_strings(table, output->name, list, output->n_parts);
    }
    tfm_status status = tfm_writer_section(r->writer, "origin", table, r->error);
    tfm_table_builder_free(&table);
    return status;
}

static uint64_t total_bytes(const tfm_plan *plan, const tfm_pack_options *options) {
    uint64_t total = 0, bytes;
    for (size_t i = 0; i < plan->n_outputs; i++) {
        const tfm_plan_output *output = &plan->outputs[i];
        tfm_layout layout = output->kind == TFM_PLAN_MATRIX ? TFM_LAYOUT_PANELS : TFM_LAYOUT_ROWS;
        const uint64_t shape[] = {output->n, output->k};
        if (tfm_tensor_bytes(output_dtype(output, options), layout, 2, shape, &bytes)) total += bytes;
    }
    return total;
}

tfm_status tfm_plan_run(tfm_plan *plan, tfm_writer *writer, const tfm_pack_options *options, tfm_error *error) {
    tfm_status status = tfm_plan_check(plan, error);
    if (status != TFM_OK) return status;
    run r = {.plan = plan, .writer = writer, .options = options, .error = error};
    r.total = total_bytes(plan, options);
    for (size_t i = 0; status == TFM_OK && i < plan->n_outputs; i++) status = write_output(&r, &plan->outputs[i]);
    if (status == TFM_OK && r.n_bad > 0)
        status =
            tfm_fail(error, TFM_ERROR_FORMAT, "%s: %zu tensors have values that are not finite (NaN or infinity): %s",
                     tfm_checkpoint_path(plan->checkpoint), r.n_bad, r.bad);
    return status == TFM_OK ? write_origin(&r) : status;
}
