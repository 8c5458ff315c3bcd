/*
 * engine.h - a model made ready to run as the settings say: opened, with threads and a session, inputs to token ids.
 */
#ifndef TFM_TOOLS_RUN_ENGINE_ENGINE_H
#define TFM_TOOLS_RUN_ENGINE_ENGINE_H

#include "settings.h"

typedef struct tfm_engine {
    tfm_pool *pool;
    tfm_model *model;
    tfm_model_info info;
    tfm_session *session;
    tfm_session_params sizes;   /* of session */
    tfm_generate_params params; /* in force; see tfm_engine_configure */
    tfm_ids prefix;             /* every output starts with it */
    uint32_t max_source;        /* longest input in tokens; without an encoder, longest prompt */
    bool interactive;           /* one input at a time */
    /* Of models without an encoder: */
    bool chat;           /* inputs are messages for the chat template */
    tfm_text system;     /* the system message; empty: none */
    uint64_t seed;       /* where none is given */
    uint64_t n_answers;  /* at the prompt: each is drawn with the next seed */
    uint64_t n_sessions; /* how many were made: what an earlier one held is lost */
} tfm_engine;

/* Opens the model file; a large one shows its progress on a terminal. tfm_engine_close also after a failure. */
tfm_status tfm_engine_open(tfm_engine *engine, const char *path, const tfm_settings *settings, tfm_error *error);
void tfm_engine_close(tfm_engine *engine);

/*
 * Puts the decoding settings into force; makes the session, or a new one where they need a larger one. The first call
 * decides whether inputs are messages of conversations. Names of tokens in the settings become ids. Errors:
 * TFM_ERROR_ARGUMENT where options do not fit the model.
 */
tfm_status tfm_engine_configure(tfm_engine *engine, tfm_settings *settings, tfm_error *error);

/*
 * The engine under other settings, for single inputs: it shares everything with engine, which must stay, but parameters
 * and prefix; those of settings are pointed to. tfm_engine_end_variation also after a failure. Errors as above, and
 * TFM_ERROR_ARGUMENT where the session is too small.
 */
tfm_status tfm_engine_vary(const tfm_engine *engine, tfm_settings *settings, tfm_engine *varied, tfm_error *error);
void tfm_engine_end_variation(tfm_engine *varied);

/* Is it a decoder-only model: does it go on with its inputs? */
bool tfm_engine_continues(const tfm_engine *engine);

/*
 * The parameters for an input of n tokens: those in force, but no output goes beyond the context. limited, if not
 * NULL, tells whether that made a difference.
 */
tfm_generate_params tfm_engine_params(const tfm_engine *engine, size_t n, bool *limited);

/* Replaces *ids by the tokens of a conversation, as the chat template has it. Errors: those of tfm_chat_render. */
tfm_status tfm_engine_render(const tfm_engine *engine, const tfm_message *messages, size_t n, tfm_ids *ids,
                             tfm_error *error);

/*
 * Replaces *ids by those of an input: a text, a message if engine->chat, or tokens if settings->ids.
 * No ids come from
 * an input with nothing in it. Errors: TFM_ERROR_LIMIT (too long), TFM_ERROR_ARGUMENT (not ids of this model),
 * TFM_ERROR_MEMORY.
 */
tfm_status tfm_engine_input(const tfm_engine *engine, const tfm_settings *settings, const char *text, size_t n,
                            tfm_ids *ids, tfm_error *error);

/* Appends the tokens that a text of ids and names is. Errors: as above. */
tfm_status tfm_engine_tokens(const tfm_engine *engine, const char *text, size_t n, tfm_ids *ids, tfm_error *error);

/* The same, but a text with nothing in it is a prompt like others: for a model that goes on with its inputs. */
tfm_status tfm_engine_prompt(const tfm_engine *engine, const tfm_settings *settings, const char *text, size_t n,
                             tfm_ids *ids, tfm_error *error);

/* The same for a conversation that is given whole. Errors: also those of tfm_chat_render. */
tfm_status tfm_engine_messages(const tfm_engine *engine, const tfm_settings *settings, const tfm_message *messages,
                               size_t n, tfm_ids *ids, tfm_error *error);

/* Words for the kind of a model. */
const char *tfm_engine_kind_name(tfm_kind kind);

#endif
