/* tokenizers.h - tokenizers for tests: packed into a model.bin, opened again, and compared with what libraries give. */
#ifndef TFM_TESTS_RUNTIME_TOKENIZER_TOKENIZERS_H
#define TFM_TESTS_RUNTIME_TOKENIZER_TOKENIZERS_H

#include <jansson.h>

#include "format/model_file.h"
#include "runtime/tokenizer/text_stream.h"

#define TFM_SPACE "\xE2\x96\x81" /* U+2581, which stands for a space in pieces */

/* A tokenizer that went through a file. target is NULL where both sides have the same. */
typedef struct packed {
    tfm_file *file;
    tfm_tokenizer *source, *target;
} packed;

/* A folder for this process's files, removed by remove_scratch. */
const char *scratch(void);
void remove_scratch(void);
/* scratch()/name; valid until the next call. */
const char *scratch_file(const char *name);
void write_scratch(const char *name, const void *data, size_t n);

/* Packs what is at path; the status of the first step that fails. */
tfm_status pack(const char *path, packed *result, tfm_error *error);
/* Same; failure fails the test. */
packed must_pack(const char *path);
/* Packs n bytes as a .spm file. */
tfm_status pack_bytes(const void *data, size_t n, packed *result, tfm_error *error);
void packed_close(packed *p);

/* A path below TFM_SHARED; skips the test where the folder is missing. Valid until the next call. */
const char *shared_or_skip(const char *relative);
json_t *read_json(const char *path);
/* The bytes of a file, NUL-terminated, in memory the caller frees. */
char *read_bytes(const char *path, size_t *n);

/* Fail the test with both sides printed if ids or text are not as expected. */
void expect_ids(const tfm_tokenizer *tokenizer, const char *text, size_t n, bool special, const json_t *ids,
                const char *what, size_t i);
void expect_text(const tfm_tokenizer *tokenizer, const json_t *ids, bool skip_special, const char *text, size_t n,
                 const char *what, size_t i);
/* Fails the test if ids that are given one by one, or some at once, do not make the text of all. */
void expect_stream(const tfm_tokenizer *tokenizer, const json_t *ids, const char *what, size_t i);

#endif
