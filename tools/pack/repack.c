/*
 * repack.c - a model file becomes one with matrices of other types: its tensors are shown as a checkpoint, a plan
 * writes them anew, and its sections are copied.
 */
#include <stdlib.h>
#include <string.h>

#include "pack_internal.h"
#include "tools/pack/checkpoint/checkpoint_format.h"
#include "tools/pack/plan/plan.h"

/* ---- tensors ---- */

/* Rows of a tensor in f32; a panel is unpacked whole, and again for the next rows of it. */
static tfm_status read_rows(void *state, uint64_t key, uint64_t row0, uint64_t n_rows, float *rows, tfm_error *error) {
    const tfm_tensor *t = tfm_file_tensor_at(state, key);
    const size_t k = t->rank == 2 ? (size_t)t->shape[1] : 1;
    if (t->layout == TFM_LAYOUT_ROWS) {
        memcpy(rows, (const float *)t->data + row0 * k, (size_t)n_rows * k * sizeof *rows);
        return TFM_OK;
    }
    float *unpacked = malloc(TFM_PANEL * k * sizeof *unpacked);
    if (!unpacked) return tfm_no_memory(error, "a part of tensor '%s'", t->name);
    for (uint64_t done = 0, n; done < n_rows; done += n) {
        const uint64_t at = row0 + done, lane = at % TFM_PANEL, panel = at / TFM_PANEL;
        n = TFM_PANEL - lane < n_rows - done ? TFM_PANEL - lane : n_rows - done;
        tfm_panel_unpack((const char *)t->data + panel * tfm_panel_bytes(t->dtype, k), t->dtype, (size_t)(lane + n), k,
                         unpacked, k);
        memcpy(rows + done * k, unpacked + lane * k, (size_t)n * k * sizeof *rows);
    }
    free(unpacked);
    return TFM_OK;
}

static tfm_status show_tensors(tfm_checkpoint *checkpoint, tfm_file *file, tfm_error *error) {
    tfm_status status = TFM_OK;
    checkpoint->reader = (tfm_checkpoint_reader){.state = file, .read = read_rows};
    for (size_t i = 0; status == TFM_OK && i < tfm_file_tensor_count(file); i++) {
        const tfm_tensor *t = tfm_file_tensor_at(file, i);
        if (t->rank > 2 || (t->layout == TFM_LAYOUT_ROWS && t->dtype != TFM_F32))
            return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: tensor '%s' cannot be packed again", checkpoint->path,
                            t->name);
        status = tfm_file_verify_tensor(file, t, NULL, error);
        if (status == TFM_OK)
            status =
                tfm_checkpoint_add_decoded(checkpoint, t->name, tfm_dtype_name(t->dtype), t->rank, t->shape, i, error);
    }
    return status == TFM_OK ? tfm_checkpoint_index(checkpoint, error) : status;
}

static void plan_tensor(tfm_plan *plan, const tfm_tensor *t) {
    const char *name = t->name;
    if (t->layout == TFM_LAYOUT_ROWS && t->rank == 2)
        tfm_plan_rows(plan, name, name, t->shape[0], t->shape[1]);
    else if (t->layout == TFM_LAYOUT_ROWS)
        tfm_plan_vector(plan, name, 1, &name, t->shape);
    else if (tfm_pack_is_embedding(name))
        tfm_plan_embedding(plan, name, name, t->shape[0], t->shape[1]);
    else
        tfm_plan_matrix(plan, name, 1, &name, t->shape, t->shape[1]);
}

/* ---- sections ---- */

/* All but metadata, which the caller writes, and origin, which the plan is given. */
static tfm_status copy_sections(const tfm_file *file, tfm_writer *writer, tfm_error *error) {
    tfm_status status = TFM_OK;
    for (size_t i = 0; status == TFM_OK && i < tfm_file_section_count(file); i++) {
        const char *name = tfm_file_section_at(file, i)->name;
        if (!strcmp(name, "metadata") || !strcmp(name, "origin")) continue;
        tfm_table_builder *table = tfm_table_builder_new();
        if (table) tfm_table_set_all(table, tfm_file_table(file, name));
        status = table ? tfm_writer_section(writer, name, table, error) : tfm_no_memory(error, "section %s", name);
        tfm_table_builder_free(&table);
    }
    return status;
}

/* ---- the whole ---- */

/* Rounding what is rounded already costs more than rounding the checkpoint. */
static void note_rounding(const tfm_pack_request *request, const tfm_pack_facts *facts) {
    const tfm_pack_options *options = &request->options;
    const bool again = strcmp(facts->dtype, "f32") != 0 && strcmp(facts->dtype, tfm_dtype_name(options->dtype)) != 0;
    if (again)
        tfm_pack_note(options,
                      "the matrices are %s already: rounded to %s a second time, or stored wider than they are",
                      facts->dtype, tfm_dtype_name(options->dtype));
}

tfm_status tfm_repack(const tfm_pack_request *request, tfm_file *file, tfm_writer *writer, tfm_error *error) {
    tfm_pack_facts facts;
    tfm_checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    tfm_status status =
        checkpoint && (checkpoint->path = strdup(request->source)) ? TFM_OK : tfm_no_memory(error, "a model");
    tfm_pack_get_facts(file, &facts);
    tfm_plan *plan = NULL;
    if (status == TFM_OK &&
        (request->tokenizer || request->tokenizer_only || request->chat_template || request->shortlist.path))
        status =
            tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                     "%s: is packed already; only its types and metadata can be changed: for another tokenizer, chat "
                     "template or shortlist pack its checkpoint",
                     request->source);
    if (status == TFM_OK && tfm_file_tensor_count(file) == 0)
        status =
            tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: is a tokenizer alone, which has no types", request->source);
    if (status == TFM_OK) status = show_tensors(checkpoint, file, error);
    if (status == TFM_OK && !(plan = tfm_plan_new(checkpoint))) status = tfm_no_memory(error, "%s", request->source);
    if (status == TFM_OK) {
        note_rounding(request, &facts);
        tfm_plan_set_origin(plan, tfm_file_table(file, "origin"));
        for (size_t i = 0; i < tfm_file_tensor_count(file); i++) plan_tensor(plan, tfm_file_tensor_at(file, i));
        status = copy_sections(file, writer, error);
    }
    if (status == TFM_OK) status = tfm_plan_run(plan, writer, &request->options, error);
    tfm_plan_free(&plan);
    tfm_checkpoint_close(&checkpoint);
    return status;
}
