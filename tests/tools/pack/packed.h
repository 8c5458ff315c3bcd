/*
 * packed.h - a checkpoint packed by its importer, looked at tensor by tensor.
 */
#ifndef TFM_TESTS_TOOLS_PACK_PACKED_H
#define TFM_TESTS_TOOLS_PACK_PACKED_H

#include "checkpoints.h"
#include "tools/pack/pack.h"

/* Packs a folder or file to out in f32, opens it, and keeps what is told in packed_notes. */
tfm_file *packed_file(const char *from, const char *out);

/* What the importer told a person while the last checkpoint was packed. */
extern char packed_notes[1000];

/* Packs folder to folder/m.bin, and keeps what is told in packed_notes. */
tfm_status packed_try(const char *folder, tfm_dtype dtype, tfm_error *error);
/* The same in f32, and opens it. */
tfm_file *packed_open(const char *folder);

/* Writes a model and its config.json (text of JSON) to a fresh folder. */
char *packed_folder(const char *config, model *m);
/* Changes members of the folder's config.json. */
void packed_configure(const char *folder, const char *changes);

/* Element (row, column) of a tensor of the model file. */
float packed_at(const tfm_tensor *t, uint64_t row, uint64_t column);
/* Rows [first, ...) of the tensor, a matrix in panels or a vector, are those of the checkpoint's tensor. */
void packed_check(const tfm_file *file, const char *name, uint64_t first, const tensor *from);
/* The same for a table of f32 rows. */
void packed_check_table(const tfm_file *file, const char *name, const tensor *from);
/* Weight and bias of a linear layer or a norm. */
void packed_check_linear(const tfm_file *file, const char *name, uint64_t first, model *m, const char *from);

/* Options of section architecture. */
const char *packed_word(const tfm_file *file, const char *key);
uint64_t packed_number(const tfm_file *file, const char *key);
double packed_real(const tfm_file *file, const char *key);

/* ---- two files with the same in them ---- */

bool packed_same_value(const tfm_value *a, const tfm_value *b);
/* The same values in the section, but for that of the key `but` (or NULL). */
void packed_compare_section(const tfm_file *a, const tfm_file *b, const char *section, const char *but);
/* The same tensors, bit for bit, wherever they lie. */
void packed_compare_tensors(const tfm_file *a, const tfm_file *b);

/* The checkpoint does not fit once `change` was applied: this status, this text, and no file is left. */
void packed_misfit(const char *config, model *m, void (*change)(model *m), tfm_status expected, const char *text);

#endif
