/* json_file.c - see json_file.h. */
#include "json_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The largest tokenizer.json known has 35 MB. */
#define MAX_MIB 256

static tfm_status parse(FILE *file, const char *path, unsigned rules, json_t **json, tfm_error *error) {
    json_error_t problem;
    struct stat st;
    const size_t flags = (rules & TFM_JSON_UNIQUE_KEYS ? JSON_REJECT_DUPLICATES : 0) |
                         (rules & TFM_JSON_BIG_NUMBERS ? JSON_DECODE_INT_AS_REAL : 0) |
                         (rules & TFM_JSON_NUL ? JSON_ALLOW_NUL : 0);
    if (fstat(fileno(file), &st) != 0) return tfm_fail(error, TFM_ERROR_IO, "%s: %s", path, strerror(errno));
    if (st.st_size > (off_t)MAX_MIB << 20)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: too large (over %d MiB)", path, MAX_MIB);
    *json = json_loadf(file, flags, &problem);
    if (!*json && json_error_code(&problem) == json_error_out_of_memory) return tfm_no_memory(error, "%s", path);
    if (ferror(file)) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot read: %s", path, strerror(errno));
    if (!*json) return tfm_fail(error, TFM_ERROR_FORMAT, "%s: line %d: %s", path, problem.line, problem.text);
    if (rules & TFM_JSON_OBJECT && !json_is_object(*json))
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: not a JSON object", path);
    return TFM_OK;
}

tfm_status tfm_json_load(const char *path, unsigned rules, json_t **json, tfm_error *error) {
    *json = NULL;
    FILE *file = fopen(path, "re");
    if (!file && rules & TFM_JSON_OPTIONAL && (errno == ENOENT || errno == ENOTDIR)) return TFM_OK;
    if (!file) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
    tfm_status status = parse(file, path, rules, json, error);
    fclose(file);
    if (status != TFM_OK) {
        json_decref(*json);
        *json = NULL;
    }
    return status;
}
