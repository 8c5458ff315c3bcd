/* model_view.c - see model_view.h. */
#include "model_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pack_internal.h"

static tfm_status allocate(tfm_model_view *view, tfm_error *error) {
    view->sections = calloc(view->n_sections + 1, sizeof *view->sections);
    view->tensors = calloc(view->n_tensors + 1, sizeof *view->tensors);
    if (view->sections && view->tensors) return TFM_OK;
    tfm_view_close(view);
    return tfm_no_memory(error, "%s", view->path);
}

tfm_status tfm_view_of_file(tfm_model_view *view, const tfm_file *file, tfm_error *error) {
    *view = (tfm_model_view){.path = tfm_file_path(file),
                             .length = tfm_file_length(file),
                             .n_sections = tfm_file_section_count(file),
                             .n_tensors = tfm_file_tensor_count(file)};
    tfm_status status = allocate(view, error);
    if (status != TFM_OK) return status;
    for (size_t i = 0; i < view->n_sections; i++) {
        view->sections[i].section = *tfm_file_section_at(file, i);
        view->sections[i].table = tfm_file_table(file, view->sections[i].section.name);
    }
    for (size_t i = 0; i < view->n_tensors; i++) view->tensors[i] = *tfm_file_tensor_at(file, i);
    return TFM_OK;
}

tfm_status tfm_view_of_outline(tfm_model_view *view, tfm_writer *writer, const char *path, tfm_error *error) {
    *view = (tfm_model_view){.path = path, .is_outline = true, .owns_tables = true};
    tfm_status status = tfm_writer_end_outline(writer, &view->length, error);
    if (status != TFM_OK) return status;
    view->n_sections = tfm_writer_section_count(writer);
    view->n_tensors = tfm_writer_tensor_count(writer);
    status = allocate(view, error);
    for (size_t i = 0; status == TFM_OK && i < view->n_sections; i++) {
        tfm_table *table;
        view->sections[i].section = tfm_writer_section_at(writer, i);
        const tfm_section *section = &view->sections[i].section;
        status = tfm_table_open(&table, section->data, (size_t)section->length, section->name, error);
        view->sections[i].table = table;
    }
    for (size_t i = 0; status == TFM_OK && i < view->n_tensors; i++) view->tensors[i] = tfm_writer_tensor_at(writer, i);
    if (status != TFM_OK) tfm_view_close(view);
    return status;
}

void tfm_view_close(tfm_model_view *view) {
    for (size_t i = 0; view->sections && view->owns_tables && i < view->n_sections; i++) {
        tfm_table *table = (tfm_table *)(uintptr_t)view->sections[i].table;
        tfm_table_close(&table);
    }
    free(view->sections);
    free(view->tensors);
    *view = (tfm_model_view){.path = view->path};
}

const tfm_table *tfm_view_table(const tfm_model_view *view, const char *name) {
    for (size_t i = 0; i < view->n_sections; i++)
        if (strcmp(view->sections[i].section.name, name) == 0) return view->sections[i].table;
    return NULL;
}

static uint64_t elements(const tfm_tensor *tensor) {
    uint64_t count = 1;
    for (uint32_t k = 0; k < tensor->rank; k++) count *= tensor->shape[k];
    return count;
}

/* ---- facts ---- */

static void add_options(tfm_pack_facts *facts, const tfm_table *options) {
    memset(facts, 0, sizeof *facts);
    snprintf(facts->family, sizeof facts->family, "%s", tfm_table_string(options, "family", ""));
    snprintf(facts->kind, sizeof facts->kind, "%s", tfm_table_string(options, "kind", ""));
}

static void add_tensor(tfm_pack_facts *facts, const tfm_table *origin, const tfm_tensor *tensor) {
    facts->n_tensors++;
    if (tfm_table_find(origin, tensor->name)) facts->n_parameters += elements(tensor);
    char *dtype = tfm_pack_is_embedding(tensor->name) ? facts->dtype_embed : facts->dtype;
    if (tensor->layout == TFM_LAYOUT_PANELS && !dtype[0])
        snprintf(dtype, sizeof facts->dtype, "%s", tfm_dtype_name(tensor->dtype));
}

/* Where there are only matrices of one of both kinds, their type is that of the others too. */
static void end_types(tfm_pack_facts *facts) {
    if (!facts->dtype[0]) memcpy(facts->dtype, facts->dtype_embed, sizeof facts->dtype);
    if (!facts->dtype_embed[0]) memcpy(facts->dtype_embed, facts->dtype, sizeof facts->dtype);
}

void tfm_view_get_facts(const tfm_model_view *view, tfm_pack_facts *facts) {
    add_options(facts, tfm_view_table(view, "architecture"));
    facts->file_bytes = view->length;
    facts->has_chat_template = tfm_view_table(view, "chat") != NULL;
    facts->has_shortlist = tfm_view_table(view, "shortlist") != NULL;
    facts->has_tokenizer = tfm_view_table(view, "tokenizer") != NULL;
    const tfm_table *origin = tfm_view_table(view, "origin");
    for (size_t i = 0; i < view->n_tensors; i++) add_tensor(facts, origin, &view->tensors[i]);
    end_types(facts);
}

void tfm_pack_get_facts(const tfm_file *file, tfm_pack_facts *facts) {
    add_options(facts, tfm_file_table(file, "architecture"));
    facts->file_bytes = tfm_file_length(file);
    facts->has_chat_template = tfm_file_table(file, "chat") != NULL;
    facts->has_shortlist = tfm_file_table(file, "shortlist") != NULL;
    facts->has_tokenizer = tfm_file_table(file, "tokenizer") != NULL;
    const tfm_table *origin = tfm_file_table(file, "origin");
    for (size_t i = 0; i < tfm_file_tensor_count(file); i++) add_tensor(facts, origin, tfm_file_tensor_at(file, i));
    end_types(facts);
}

uint64_t tfm_view_bytes_as(const tfm_model_view *view, tfm_dtype dtype, tfm_dtype dtype_embed) {
    uint64_t bytes = view->length, length;
    for (size_t i = 0; i < view->n_tensors; i++) {
        const tfm_tensor *t = &view->tensors[i];
        const tfm_dtype other = tfm_pack_is_embedding(t->name) ? dtype_embed : dtype;
        if (t->layout == TFM_LAYOUT_PANELS && tfm_tensor_bytes(other, t->layout, t->rank, t->shape, &length))
            bytes = bytes - t->length + length;
    }
    return bytes;
}
