/*
 * ct2_file.h - the variables of CTranslate2's model.bin, versions 2 to 6: names, shapes, values as floats.
 */
#ifndef TFM_TOOLS_PACK_FOREIGN_CTRANSLATE2_CT2_FILE_H
#define TFM_TOOLS_PACK_FOREIGN_CTRANSLATE2_CT2_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/model_file.h"

#define TFM_CT2_NAME_MAX 256 /* bytes of a name with its NUL */
#define TFM_CT2_NONE UINT32_MAX

typedef enum tfm_ct2_type {
    TFM_CT2_F32,
    TFM_CT2_I8,
    TFM_CT2_I16,
    TFM_CT2_I32,
    TFM_CT2_F16,
    TFM_CT2_BF16,
    TFM_CT2_TYPES
} tfm_ct2_type;

typedef struct tfm_ct2_variable {
    char *name;
    tfm_ct2_type type;
    uint32_t rank;
    uint64_t shape[TFM_RANK_MAX], count;
    uint64_t offset; /* of its values in the file */
    uint32_t scale;  /* of integers: the variable with their scale, set by tfm_ct2_file_scale; TFM_CT2_NONE: 1000 */
    bool used;       /* for who looks for what nobody asked for */
} tfm_ct2_variable;

typedef struct tfm_ct2_alias {
    char *name;
    uint32_t variable;
    bool used;
} tfm_ct2_alias;

typedef struct tfm_ct2_file {
    char *path;
    int fd;
    uint64_t size;
    uint32_t version, revision;
    char spec[TFM_CT2_NAME_MAX];
    tfm_ct2_variable *variables; /* sorted by name */
    tfm_ct2_alias *aliases;      /* sorted by name */
    uint32_t n_variables, n_aliases;
    /* The scales that were read last. */
    float *scales;
    uint32_t scales_of; /* TFM_CT2_NONE: none */
} tfm_ct2_file;

/* Whether the file begins as one of this format does. */
bool tfm_ct2_file_is(const char *path);
/*
 * Reads names and shapes; every length, count and product is checked against the file. *file is valid, perhaps empty,
 * in any case; free it with tfm_ct2_file_close. Errors: TFM_ERROR_IO, _FORMAT, _UNSUPPORTED, _MEMORY; they name the
 * file.
 */
tfm_status tfm_ct2_file_open(tfm_ct2_file *file, const char *path, tfm_error *error);
void tfm_ct2_file_close(tfm_ct2_file *file);

/* The variable of this name, or what the alias of this name stands for (then marked used), or TFM_CT2_NONE. */
uint32_t tfm_ct2_file_find(tfm_ct2_file *file, const char *name);
/* Finds the scale of an integer array called `name` (perhaps by an alias) and checks its shape. */
tfm_status tfm_ct2_file_scale(tfm_ct2_file *file, uint32_t variable, const char *name, tfm_error *error);

/* Rows as floats: (n, the product of the other dimensions); integers are divided by their scale. */
tfm_status tfm_ct2_file_read(tfm_ct2_file *file, uint32_t variable, uint64_t row0, uint64_t n_rows, float *rows,
                             tfm_error *error);
/* The single number of a variable without dimensions. */
tfm_status tfm_ct2_file_number(tfm_ct2_file *file, uint32_t variable, double *number, tfm_error *error);
/* The text of a variable that is one: bytes of UTF-8, fewer than size. */
tfm_status tfm_ct2_file_text(tfm_ct2_file *file, uint32_t variable, char *text, size_t size, tfm_error *error);

#endif
