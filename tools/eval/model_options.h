/*
 * model_options.h - the options of commands that run a model, and opening it by them.
 */
#ifndef TFM_TOOLS_EVAL_MODEL_OPTIONS_H
#define TFM_TOOLS_EVAL_MODEL_OPTIONS_H

#include "command.h"

#include "runtime/tfm.h"

typedef struct tfm_model_settings {
    uint32_t threads; /* 0: all cores */
    const char *isa;  /* NULL: the best */
    int verify;       /* tfm_verify */
    uint32_t batch_tokens;
} tfm_model_settings;

enum { TFM_BATCH_TOKENS_DEFAULT = 4096, TFM_BATCH_TOKENS_MAX = 1 << 20 };

extern const char *const tfm_verify_names[];

/* Options for a structure settings whose member m is a tfm_model_settings. */
#define TFM_OPTIONS_MODEL(settings, m)                                                                                 \
    {.kind = TFM_OPTION_STRING,                                                                                        \
     .name = "isa",                                                                                                    \
     .argument = "NAME",                                                                                               \
     .offset = offsetof(settings, m.isa),                                                                              \
     .help = "Instruction set: avx512, avx2, neon or scalar (default: the best this processor has). It does not "      \
             "change results."},                                                                                       \
    {                                                                                                                  \
        .kind = TFM_OPTION_CHOICE, .name = "verify", .choices = tfm_verify_names,                                      \
        .offset = offsetof(settings, m.verify),                                                                        \
        .help =                                                                                                        \
            "What is checked before the model is used: all of the file, or its header, and each tensor when it is "    \
            "needed (default: all)."                                                                                   \
    }
#define TFM_OPTIONS_RUN(settings, m)                                                                                   \
    {.kind = TFM_OPTION_U32,                                                                                           \
     .letter = 't',                                                                                                    \
     .name = "threads",                                                                                                \
     .argument = "N",                                                                                                  \
     .min = 0,                                                                                                         \
     .max = 1024,                                                                                                      \
     .offset = offsetof(settings, m.threads),                                                                          \
     .help = "Threads (default: 0, all cores this process may use). It does not change results."},                     \
    {                                                                                                                  \
        .kind = TFM_OPTION_U32, .name = "batch-tokens", .argument = "N", .min = 1, .max = TFM_BATCH_TOKENS_MAX,        \
        .offset = offsetof(settings, m.batch_tokens),                                                                  \
        .help = "Tokens that are computed at the same time (default: 4096). It does not change results."               \
    }

typedef struct tfm_opened {
    tfm_pool *pool;
    tfm_model *model;
    tfm_model_info info;
} tfm_opened;

/* Opens the model with its pool. *opened may be given to tfm_opened_close either way. Errors: those of tfm.h. */
tfm_status tfm_opened_open(tfm_opened *opened, const char *path, const tfm_model_settings *settings, tfm_error *error);
void tfm_opened_close(tfm_opened *opened);

#endif
