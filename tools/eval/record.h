/*
 * record.h - lines of JSON: one object a line, lists of token ids in it.
 *
 * Keys nobody asks for are ignored, so that files made for other programs, too, can be read; every key that is asked
 * for must be there, so that a misspelled one is noticed.
 */
#ifndef TFM_TOOLS_EVAL_RECORD_H
#define TFM_TOOLS_EVAL_RECORD_H

#include <jansson.h>

#include "text_file.h"

/* The object on a line just read from file. Errors, which name file and line: TFM_ERROR_FORMAT. */
tfm_status tfm_record_parse(const tfm_text_file *file, tfm_slice line, json_t **object, tfm_error *error);

/*
 * Appends the list of ids that object has under key, each from 0 to vocab_size - 1. max: the longest list allowed; at
 * least one id must be there unless empty is allowed. Errors: TFM_ERROR_FORMAT, _ARGUMENT, _LIMIT, _MEMORY.
 */
tfm_status tfm_record_ids(const tfm_text_file *file, const json_t *object, const char *key, uint32_t vocab_size,
                          size_t max, bool empty, tfm_ids *ids, tfm_error *error);

/* Fails with "FILE:LINE: message". */
tfm_status tfm_record_fail(const tfm_text_file *file, tfm_error *error, tfm_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Fails with TFM_ERROR_MEMORY and "FILE:LINE: out of memory". */
tfm_status tfm_record_no_memory(const tfm_text_file *file, tfm_error *error);

#endif
