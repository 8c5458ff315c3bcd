/*
 * tfm_of_another_version.h - what a program needs of tfm.h, as it would stand in a header of another version: with
 * ABI_OLDER structs end before members of today, with ABI_NEWER they go on.
 *
 * It is written by hand, in the order of tfm.h, and never follows a change there: that is what it is for.
 */
#ifndef TFM_TESTS_RUNTIME_ABI_TFM_OF_ANOTHER_VERSION_H
#define TFM_TESTS_RUNTIME_ABI_TFM_OF_ANOTHER_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef ABI_NEWER
#define NEWER(members) members
#else
#define NEWER(members)
#endif
#ifdef ABI_OLDER
#define SINCE_TODAY(members)
#else
#define SINCE_TODAY(members) members
#endif

typedef int tfm_status;

typedef struct tfm_error {
    tfm_status status;
    char message[500];
} tfm_error;

typedef struct tfm_pool tfm_pool;
typedef struct tfm_model tfm_model;
typedef struct tfm_session tfm_session;

typedef struct tfm_model_params {
    size_t size;
    int verify;
    const char *isa;
    SINCE_TODAY(tfm_pool *pool; int (*progress)(void *, uint64_t, uint64_t); void *progress_user;
                bool no_sigbus_handler;)
    NEWER(const char *device; double trust;)
} tfm_model_params;

typedef struct tfm_model_info {
    int kind;
    const char *isa;
    const char *family;
    NEWER(char room[512]; uint64_t n_experts;)
} tfm_model_info;

typedef struct tfm_session_params {
    size_t size;
    tfm_pool *pool;
    uint32_t max_sources;
    uint32_t max_sequences;
    SINCE_TODAY(uint32_t max_batch_tokens; uint32_t max_source; uint32_t max_target; int kv_type;)
    NEWER(uint64_t draft_tokens; tfm_model * draft;)
} tfm_session_params;

typedef struct tfm_generate_params {
    size_t size;
    uint32_t num_beams;
    uint32_t num_return_sequences;
    uint32_t max_length;
    uint32_t max_new_tokens;
    NEWER(char room[1024]; const char *grammar;)
} tfm_generate_params;

typedef struct tfm_hypothesis {
    const int32_t *ids;
    size_t n;
    bool ended;
} tfm_hypothesis;

typedef struct tfm_result {
    tfm_status status;
    const char *message;
    const tfm_hypothesis *const *hypotheses;
    size_t n;
} tfm_result;

/* Elements of arrays have one size in all versions. */
typedef struct tfm_input {
    const int32_t *ids;
    size_t n;
    const int32_t *prefix;
    size_t n_prefix;
    int32_t *sequence;
    const tfm_generate_params *params;
    const void *reserved[2];
} tfm_input;

typedef struct tfm_generate_callbacks {
    size_t size;
    int (*on_token)(void *user, size_t index, uint32_t output, int32_t id);
    int (*on_result)(void *user, size_t index, const tfm_result *result);
    SINCE_TODAY(int (*on_logits)(void *user, size_t index, uint32_t output, const int32_t *ids, size_t n, float *logits,
                                 size_t vocab_size);
                void *user;)
    NEWER(int (*on_step)(void *user, size_t n_running); void *more;)
} tfm_generate_callbacks;

const char *tfm_version(void);
void tfm_model_params_init(tfm_model_params *params, size_t size);
tfm_status tfm_model_open(tfm_model **model, const char *path, const tfm_model_params *params, tfm_error *error);
void tfm_model_close(tfm_model **model);
void tfm_model_info_read(const tfm_model *model, tfm_model_info *info, size_t size);
void tfm_session_params_init(tfm_session_params *params, size_t size);
tfm_status tfm_session_create(tfm_session **session, tfm_model *model, const tfm_session_params *params,
                              tfm_error *error);
void tfm_session_free(tfm_session **session);
void tfm_generate_params_init(tfm_generate_params *params, size_t size, const tfm_model *model);
void tfm_generate_callbacks_init(tfm_generate_callbacks *callbacks, size_t size);
tfm_status tfm_generate(tfm_session *session, const tfm_input *inputs, size_t n, const tfm_generate_params *params,
                        const tfm_generate_callbacks *callbacks, tfm_error *error);

#endif
