/*
 * model_view.h - sections and tensors of a model file, or of the one that a checkpoint would become.
 */
#ifndef TFM_TOOLS_PACK_MODEL_VIEW_H
#define TFM_TOOLS_PACK_MODEL_VIEW_H

#include "pack.h"

typedef struct tfm_view_section {
    tfm_section section;
    const tfm_table *table;
} tfm_view_section;

typedef struct tfm_model_view {
    const char *path; /* of the model file or of the checkpoint */
    uint64_t length;  /* bytes of the model file */
    bool is_outline;  /* there is no such file: tensors have no hash and no data */
    bool owns_tables; /* sections[].table */
    tfm_view_section *sections;
    size_t n_sections;
    tfm_tensor *tensors;
    size_t n_tensors;
} tfm_model_view;

/* Both stay valid while the file, or the writer, is there. Errors: TFM_ERROR_MEMORY, and those of tfm_writer. */
tfm_status tfm_view_of_file(tfm_model_view *view, const tfm_file *file, tfm_error *error);
/* Of an outline; path: of the checkpoint. Nothing can be added to the writer afterwards. */
tfm_status tfm_view_of_outline(tfm_model_view *view, tfm_writer *writer, const char *path, tfm_error *error);
void tfm_view_close(tfm_model_view *view);

/* NULL if there is none of that name. */
const tfm_table *tfm_view_table(const tfm_model_view *view, const char *name);
void tfm_view_get_facts(const tfm_model_view *view, tfm_pack_facts *facts);
/* Bytes of the model file if its matrices were of these types; only the padding between tensors is a guess. */
uint64_t tfm_view_bytes_as(const tfm_model_view *view, tfm_dtype dtype, tfm_dtype dtype_embed);

#endif
