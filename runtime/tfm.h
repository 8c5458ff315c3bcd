/*
 * tfm.h - Transformer models on CPUs: the public interface of libtfm.
 *
 * A model file (made by tfmpack) is opened once and never changes; any number of threads may use a tfm_model at
 * the same time. A tfm_session holds the state of running it (activations, key/value cache) and belongs to one
 * thread at a time. A tfm_pool holds worker threads and may be shared by sessions.
 *
 * The promise: the same model file and the same request give the same bits, whatever the instruction set, the
 * number of threads and the other requests in the batch.
 *
 * Letters used for shapes: n_source tokens of an input, n_target tokens of an output, d_model the width of the
 * hidden states, vocab_size the number of tokens a model can choose from. Matrices are row-major.
 *
 * Every function that can fail returns a tfm_status and, where the caller gives a tfm_error, a sentence that says
 * what is wrong and what to do; those that only memory can fail return a bool. No function exits, aborts or prints.
 * Functions whose first argument is a pointer to a handle's pointer set it to NULL on failure; the _close and _free
 * functions accept NULL.
 *
 * Structs may grow at their end from version to version, and programs need not be compiled again:
 * - A struct of settings or callbacks begins with its size as the program knows it. Start from X_default() (or, where a
 *   language has no inline functions of C, from X_init() with the size), which fills it in, and change what you want.
 *   Members that a program does not know have the meaning "as before". One that it knows and an older library does not
 *   is refused with TFM_ERROR_UNSUPPORTED unless it is zero.
 * - What is handed to callbacks comes by pointer, lists as arrays of pointers.
 * - Elements of input arrays keep their size; some have reserved members, which must be NULL.
 */
#ifndef TFM_H
#define TFM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tfm_error.h" /* tfm_status, tfm_error, tfm_fail, tfm_progress */
#include "tfm_grow.h"  /* tfm_grow */

#ifdef __cplusplus
extern "C" {
#endif

#define TFM_VERSION_MAJOR 0
#define TFM_VERSION_MINOR 1
#define TFM_VERSION_PATCH 0

/* The version of the library that runs: "MAJOR.MINOR.PATCH". */
TFM_API const char *tfm_version(void);

/* ---- processors and threads ---- */

/*
 * Name of the i-th instruction set this build has kernels for ("avx512-vnni", "avx2", "scalar", ...), best first, or
 * NULL past the last. *usable tells whether this processor can run it; usable may be NULL.
 */
TFM_API const char *tfm_isa_list(size_t i, bool *usable);

/*
 * The name of the instruction set that tfm_model_open uses where tfm_model_params.isa is `name`: that one; with NULL
 * the one that TFM_ISA of the environment names; with "auto", and without either, the best of this processor. *chosen
 * lives as long as the program. Errors: TFM_ERROR_ARGUMENT (no such name), TFM_ERROR_UNSUPPORTED (this build or this
 * processor lacks it).
 */
TFM_API tfm_status tfm_isa_choose(const char *name, const char **chosen, tfm_error *error);

typedef struct tfm_pool tfm_pool;

/* Cores this process may use: its CPU affinity, lowered by the cgroup's CPU quota; at least 1. */
TFM_API unsigned tfm_cpu_count(void);

/*
 * Starts n_threads - 1 workers (the calling thread is the first); 0 means tfm_cpu_count(). The number of threads
 * changes the speed, never a result. Workers spin shortly for work, then sleep. Several sessions may share a pool:
 * while one uses the workers, another runs its work on its own thread.
 * A process that is forked has the pool without its workers: there all work runs on the calling thread, with the same
 * results, and the pool must be given back as in its parent. A pool that the child itself makes has workers again.
 * Errors: TFM_ERROR_ARGUMENT (more than 1024), TFM_ERROR_MEMORY.
 */
TFM_API tfm_status tfm_pool_create(tfm_pool **pool, unsigned n_threads, tfm_error *error);
TFM_API unsigned tfm_pool_threads(const tfm_pool *pool);
/* Ends the workers. No session may use the pool any more. Sets *pool to NULL. */
TFM_API void tfm_pool_free(tfm_pool **pool);

/* ---- models ---- */

typedef struct tfm_model tfm_model;

typedef enum tfm_verify {
    TFM_VERIFY_ALL = 0, /* every byte of the file is hashed before tfm_model_open returns */
    TFM_VERIFY_LAZY = 1 /* header, directory and sections at once; each tensor when it is first used */
} tfm_verify;

typedef struct tfm_model_params {
    size_t size;
    tfm_verify verify;
    const char *isa;       /* NULL: TFM_ISA from the environment, else the best this processor has */
    tfm_pool *pool;        /* verification runs on it; NULL: on the calling thread */
    tfm_progress progress; /* verification reports to it; may be NULL */
    void *progress_user;
    bool no_sigbus_handler; /* see tfm_model_open */
} tfm_model_params;

/* All bits verified, best instruction set, no pool, no progress. */
TFM_API void tfm_model_params_init(tfm_model_params *params, size_t size);
static inline tfm_model_params tfm_model_params_default(void) {
    tfm_model_params params;
    tfm_model_params_init(&params, sizeof params);
    return params;
}

/*
 * Maps the model file at path, checks its structure and its hashes. Weights are used where they lie in the
 * mapping; nothing is copied. params may be NULL for the defaults.
 *
 * If another program truncates the file while it is mapped, reading the missing pages raises SIGBUS. The first
 * model opened installs a handler that maps zeros there and marks the model, so that the running call returns
 * TFM_ERROR_CHANGED; every SIGBUS outside model files goes to the handler that was there before. With
 * no_sigbus_handler set nothing is installed, and the application handles the signal.
 *
 * Errors: TFM_ERROR_IO, _FORMAT, _CORRUPT, _UNSUPPORTED, _MEMORY, _CANCELLED; the message names file and tensor.
 */
TFM_API tfm_status tfm_model_open(tfm_model **model, const char *path, const tfm_model_params *params,
                                  tfm_error *error);

/* Unmaps the file. No session may use the model any more. Sets *model to NULL. */
TFM_API void tfm_model_close(tfm_model **model);

typedef enum tfm_kind {
    TFM_KIND_ENCODER_DECODER = 0,
    TFM_KIND_ENCODER = 1,
    TFM_KIND_DECODER = 2,
    TFM_KIND_TOKENIZER = 3 /* a tokenizer without weights */
} tfm_kind;

/* How a sentence's embedding is made of the last hidden states. */
typedef enum tfm_pooling { TFM_POOLING_MEAN = 0, TFM_POOLING_CLS = 1, TFM_POOLING_MAX = 2 } tfm_pooling;

typedef enum tfm_head {
    TFM_HEAD_NONE = 0,
    TFM_HEAD_MASKED_LM = 1, /* logits of the vocabulary for every token */
    TFM_HEAD_TOKEN = 2,     /* scores of classes for every token */
    TFM_HEAD_SEQUENCE = 3   /* scores of classes for the input */
} tfm_head;

/* How scores of classes become probabilities. */
typedef enum tfm_score_function {
    TFM_SCORES_SOFTMAX = 0, /* one of the classes holds */
    TFM_SCORES_SIGMOID = 1, /* each class holds or not */
    TFM_SCORES_RAW = 2      /* they are no probabilities: numbers of a regression, places of answers */
} tfm_score_function;

typedef struct tfm_model_info {
    tfm_kind kind;
    const char *isa;    /* name of the kernels in use */
    const char *family; /* "marian", as the importer named it; "" if unknown */
    uint64_t file_bytes;
    uint64_t n_parameters;
    uint32_t d_model;
    uint32_t encoder_layers, decoder_layers;
    uint32_t source_vocab_size; /* ids an input may hold: 0 .. source_vocab_size - 1 */
    uint32_t target_vocab_size; /* width of a row of logits */
    uint32_t max_source;        /* longest input in tokens */
    uint32_t max_target;        /* longest output in tokens, the start token included */
    bool has_tokenizer;
    bool has_shortlist;     /* see tfm_generate_params.shortlist */
    bool has_chat_template; /* see tfm_chat_render */
    uint32_t n_token_types; /* of encoders with token types (BERT), else 0 */
    tfm_head head;          /* what an encoder-only model has after its last layer */
    uint32_t n_outputs;     /* width of a row of that head's scores, 0 without one */
    tfm_score_function score_function;
    bool has_pooler;
    uint64_t hash;          /* of the whole file: two files with the same hash are the same */
    const char *dtype;      /* the type that most weights have ("f32", "int8"); "" of a tokenizer alone */
    uint32_t decoder_heads; /* of attention, in each layer of the decoder */
} tfm_model_info;

/* Facts of a model, at most `size` bytes of them, to *info; the strings live as long as the model. */
TFM_API void tfm_model_info_read(const tfm_model *model, tfm_model_info *info, size_t size);
static inline tfm_model_info tfm_model_get_info(const tfm_model *model) {
    tfm_model_info info;
    tfm_model_info_read(model, &info, sizeof info);
    return info;
}

/*
 * What was packed with the model for people: source, source_format, license, created_by, command, ... The value of a
 * key, or NULL; and the i-th key and value, in the order of keys, false past the last. All live as long as the model.
 */
TFM_API const char *tfm_model_metadata(const tfm_model *model, const char *key);
TFM_API bool tfm_model_metadata_at(const tfm_model *model, size_t i, const char **key, const char **value);

/* The name of class i of a classifier, or NULL; lives as long as the model. */
TFM_API const char *tfm_model_label(const tfm_model *model, uint32_t i);

/*
 * A text that the model was trained to see before an input ("query: "), by its name ("query"; NULL: the one that is
 * used if nothing is asked for), or NULL if there is none; and the i-th one, false past the last. All live as long as
 * the model. tfm_embed_params has the one that tfm_embed_text uses.
 */
TFM_API const char *tfm_model_prompt(const tfm_model *model, const char *name);
TFM_API bool tfm_model_prompt_at(const tfm_model *model, size_t i, const char **name, const char **text);

/* ---- text and tokens ---- */

typedef enum tfm_side { TFM_SOURCE = 0, TFM_TARGET = 1 } tfm_side;

/* Lists that grow, as others do with tfm_grow; start with all zero, give back with tfm_ids_free / tfm_text_free. */
typedef struct tfm_ids {
    int32_t *data;
    size_t size, capacity;
} tfm_ids;
typedef struct tfm_text {
    char *data; /* NUL-terminated (a NUL of the text itself counts in size) */
    size_t size, capacity;
} tfm_text;
TFM_API void tfm_ids_free(tfm_ids *ids);
TFM_API void tfm_text_free(tfm_text *text);

/*
 * Append n elements; data may be NULL where n is 0. False when memory is out, the only way they can fail; the list is
 * then as it was.
 */
TFM_API bool tfm_ids_append(tfm_ids *ids, const int32_t *data, size_t n);
TFM_API bool tfm_text_append(tfm_text *text, const char *data, size_t n);
/* The same for bytes that may be no UTF-8: each that begins no character becomes U+FFFD. */
TFM_API bool tfm_text_append_valid(tfm_text *text, const char *data, size_t n);
/* Makes room for n bytes and a NUL behind the text; what is written there is the caller's, as are size and NUL. */
TFM_API bool tfm_text_reserve(tfm_text *text, size_t n);

/*
 * Appends the ids of a text of n bytes to *ids. side: whose vocabulary (the same for models with one vocabulary).
 * special: also what the model wants around an input (end token, language codes). Invalid UTF-8 is treated as the
 * tokenizer's own library treats it; docs/tokenizers.md says how.
 * Errors: TFM_ERROR_STATE (no tokenizer in the file), TFM_ERROR_MEMORY, TFM_ERROR_LIMIT (over 1 GiB).
 */
TFM_API tfm_status tfm_tokenize(const tfm_model *model, tfm_side side, const char *text, size_t n, bool special,
                                tfm_ids *ids, tfm_error *error);

/*
 * The same for two texts as one input, for models of pairs of texts. types (may be NULL) gets for each id the type that
 * the tokenizer gives it, for tfm_example.token_types.
 * Errors: also TFM_ERROR_UNSUPPORTED (the tokenizer has no form for pairs).
 */
TFM_API tfm_status tfm_tokenize_pair(const tfm_model *model, const char *a, size_t n_a, const char *b, size_t n_b,
                                     bool special, tfm_ids *ids, tfm_ids *types, tfm_error *error);

/*
 * The i-th language of a translation model of many ("deu_Latn", "de_DE", "de"), in the order of codes; NULL past the
 * last, and for every other model. Lives as long as the model.
 */
TFM_API const char *tfm_language(const tfm_model *model, size_t i);
/*
 * The token of a language, by its code. Errors: TFM_ERROR_ARGUMENT (there is none of this code; the message names the
 * nearest), TFM_ERROR_STATE (the model has no languages).
 */
TFM_API tfm_status tfm_language_token(const tfm_model *model, const char *code, int32_t *id, tfm_error *error);

/*
 * Appends the text of n ids to *text. skip_special leaves control tokens (end, padding) out.
 * Errors: TFM_ERROR_ARGUMENT (an id outside the vocabulary), TFM_ERROR_STATE, TFM_ERROR_MEMORY.
 */
TFM_API tfm_status tfm_detokenize(const tfm_model *model, tfm_side side, const int32_t *ids, size_t n,
                                  bool skip_special, tfm_text *text, tfm_error *error);

/*
 * The text of ids that come one by one. All that it gives out, put together, is what tfm_detokenize makes of all ids at
 * once, for every tokenizer: what a later id can still change (bytes of a character that is not complete, white space
 * that may be taken away) is held back. One thread at a time may use it; the model must outlive it.
 */
typedef struct tfm_detokenizer tfm_detokenizer;

/* skip_special: as for tfm_detokenize. Errors: TFM_ERROR_STATE (no tokenizer in the file), TFM_ERROR_MEMORY. */
TFM_API tfm_status tfm_detokenizer_create(tfm_detokenizer **detokenizer, const tfm_model *model, tfm_side side,
                                          bool skip_special, tfm_error *error);
TFM_API void tfm_detokenizer_free(tfm_detokenizer **detokenizer);
/*
 * Appends to *text what n more ids make certain, perhaps nothing.
 * Errors: TFM_ERROR_ARGUMENT (an id outside the vocabulary; none of the ids has an effect then), TFM_ERROR_MEMORY (the
 * text is lost: all calls give TFM_ERROR_STATE until tfm_detokenizer_continue).
 */
TFM_API tfm_status tfm_detokenizer_push(tfm_detokenizer *detokenizer, const int32_t *ids, size_t n, tfm_text *text,
                                        tfm_error *error);
/* No more ids come: appends what was held back, as it is. The next id begins a new text. Errors: as above. */
TFM_API tfm_status tfm_detokenizer_finish(tfm_detokenizer *detokenizer, tfm_text *text, tfm_error *error);
/*
 * Begins anew behind n ids (0: none) whose text is known, to which the next ids are a continuation: it is not given
 * out, but decides how the text of those begins (with a space, say). Errors: as above.
 */
TFM_API tfm_status tfm_detokenizer_continue(tfm_detokenizer *detokenizer, const int32_t *ids, size_t n,
                                            tfm_error *error);

/*
 * From now on a text ends before the first of n strings that stands in what ids give: what may turn out to be the
 * beginning of one is held back, and ids behind it are passed over. n 0: no strings. The list and its strings stay the
 * caller's, and must live as long as they are in use.
 * Error: TFM_ERROR_ARGUMENT (an empty string).
 */
TFM_API tfm_status tfm_detokenizer_set_stop_strings(tfm_detokenizer *detokenizer, const char *const *strings, size_t n,
                                                    tfm_error *error);
/* The string of that list before which the text ended, also right after tfm_detokenizer_finish; NULL: none so far. */
TFM_API const char *tfm_detokenizer_stop_string(const tfm_detokenizer *detokenizer);

/* The piece of an id as the vocabulary spells it, or NULL; lives as long as the model. *n is its length in bytes. */
TFM_API const char *tfm_token_piece(const tfm_model *model, tfm_side side, int32_t id, size_t *n);
/* The reverse: the (lowest) id of a piece of n bytes, special tokens included; -1 if the vocabulary does not have it.
 */
TFM_API int32_t tfm_token_id(const tfm_model *model, tfm_side side, const char *piece, size_t n);

/*
 * How many ids tfm_tokenize with special adds before and after those of a text, so that a program can keep a text
 * within a limit. Error: TFM_ERROR_STATE (no tokenizer in the file).
 */
TFM_API tfm_status tfm_special_counts(const tfm_model *model, tfm_side side, size_t *before, size_t *after,
                                      tfm_error *error);

/* ---- conversations ---- */

typedef struct tfm_message {
    const char *role;    /* "system", "user", "assistant", "tool" */
    const char *content; /* UTF-8 */
    size_t n;            /* bytes of content */
    const void *reserved[2];
} tfm_message;

/* A variable of a chat template beyond the usual ones. */
typedef struct tfm_chat_variable {
    const char *name;
    const char *value; /* "true", "false", "none", a number, or else a string */
} tfm_chat_variable;

typedef struct tfm_chat_params {
    size_t size;
    bool add_generation_prompt;  /* end where the assistant's answer begins (default true) */
    bool continue_final_message; /* the last message is to be gone on with: no end mark after it (default false) */
    const tfm_chat_variable *variables;
    size_t n_variables;
} tfm_chat_params;

TFM_API void tfm_chat_params_init(tfm_chat_params *params, size_t size);
static inline tfm_chat_params tfm_chat_params_default(void) {
    tfm_chat_params params;
    tfm_chat_params_init(&params, sizeof params);
    return params;
}

/*
 * Appends the text of a conversation as the model's chat template has it (apply_chat_template of transformers without
 * tokenizing), to be tokenized with special false. Its variables are messages, add_generation_prompt, bos_token,
 * eos_token, pad_token, unk_token, and those of params. params may be NULL for the defaults.
 * Errors: TFM_ERROR_STATE (no template in the file), TFM_ERROR_UNSUPPORTED (the template uses something that is not
 * known), TFM_ERROR_ARGUMENT (the template refuses the conversation, with its own words), TFM_ERROR_LIMIT (it takes too
 * long or makes too much), TFM_ERROR_MEMORY.
 */
TFM_API tfm_status tfm_chat_render(const tfm_model *model, const tfm_message *messages, size_t n,
                                   const tfm_chat_params *params, tfm_text *text, tfm_error *error);

/* ---- sessions ---- */

typedef struct tfm_session tfm_session;

/*
 * How the keys and values of decoding are kept. f16 halves and int8 quarters memory and its traffic over long texts, at
 * a small cost in accuracy (int8: one scale for each position and head). Part of the request, not of the machine: the
 * same type gives the same bits everywhere.
 */
typedef enum tfm_kv_type { TFM_KV_F32 = 0, TFM_KV_F16 = 1, TFM_KV_INT8 = 2 } tfm_kv_type;

typedef struct tfm_session_params {
    size_t size;
    tfm_pool *pool;            /* NULL: the session runs on the calling thread alone */
    uint32_t max_sources;      /* inputs that are encoded at the same time (default 32) */
    uint32_t max_sequences;    /* outputs that are decoded at the same time, beams counted each (default 128) */
    uint32_t max_batch_tokens; /* tokens in one pass through the encoder or decoder (default 4096) */
    uint32_t max_source;       /* longest input in tokens; 0: what the model allows */
    uint32_t max_target;       /* longest output in tokens, the start token included; 0: what the model allows */
    tfm_kv_type kv_type;       /* default TFM_KV_F32 */
} tfm_session_params;

TFM_API void tfm_session_params_init(tfm_session_params *params, size_t size);
static inline tfm_session_params tfm_session_params_default(void) {
    tfm_session_params params;
    tfm_session_params_init(&params, sizeof params);
    return params;
}

/*
 * Makes a session: all memory for activations and caches is reserved here (address space; the system gives
 * pages as they are touched), so that no later step allocates. params may be NULL.
 * Errors: TFM_ERROR_MEMORY, TFM_ERROR_ARGUMENT, TFM_ERROR_STATE (a model without weights).
 */
TFM_API tfm_status tfm_session_create(tfm_session **session, tfm_model *model, const tfm_session_params *params,
                                      tfm_error *error);
TFM_API void tfm_session_free(tfm_session **session);

/*
 * Asks the call that runs on this session, in whatever thread, to return TFM_ERROR_CANCELLED soon; if none runs, or it
 * is past stopping, the next one that would run anything does so. That answers the request. May be called from any
 * thread and from a signal handler.
 */
TFM_API void tfm_session_cancel(tfm_session *session);
/* Withdraws a request that was not answered. */
TFM_API void tfm_session_clear_cancel(tfm_session *session);

/* ---- step by step: encode, decode ---- */

typedef struct tfm_tokens {
    const int32_t *ids;
    size_t n;
} tfm_tokens;

/*
 * Encodes n_sources inputs as one ragged batch (no padding) and gives each a source number, 0 .. max_sources - 1,
 * in sources[]. For an encoder-decoder the keys and values of cross-attention are computed here, once.
 * states: NULL, or for each input a buffer (n, d_model) that receives the last hidden states.
 * Errors: TFM_ERROR_LIMIT (an input of 0 tokens or too long, or no source number free), TFM_ERROR_ARGUMENT (an id
 * outside the vocabulary), TFM_ERROR_CANCELLED, TFM_ERROR_CHANGED, TFM_ERROR_STATE (no encoder).
 */
TFM_API tfm_status tfm_encode(tfm_session *session, const tfm_tokens *inputs, size_t n_sources, int32_t *sources,
                              float *const *states, tfm_error *error);
/*
 * One input of an encoder-only model, and where its results go; NULL: not wanted.
 * token_types: (n) the type of each token (BERT: 0 for the first text, 1 for the second); NULL: all 0.
 * states: (n, d_model) last hidden states. pooled: (d_model) output of the pooler, where the model has one.
 * embedding: (d_model) of the sentence. scores: of the head, (n, n_outputs); (n_outputs) for TFM_HEAD_SEQUENCE.
 * score_tokens: positions of the tokens whose scores are wanted, n_score_tokens of them, at most n, in any order;
 * scores then has that many rows, and nothing else is computed. NULL: all tokens. Not for TFM_HEAD_SEQUENCE.
 */
typedef struct tfm_example {
    const int32_t *ids;
    size_t n;
    const int32_t *token_types;
    float *states, *pooled, *embedding, *scores;
    const uint32_t *score_tokens;
    size_t n_score_tokens;
    const void *reserved[2];
} tfm_example;

typedef struct tfm_embed_params {
    size_t size;
    tfm_pooling pooling;
    bool normalize;     /* divide embeddings by their length (L2 norm) */
    const char *prompt; /* put before each text by tfm_embed_text; NULL: none */
} tfm_embed_params;

/* As packed with the model; where its checkpoint says nothing, the mean, not normalised, without a prompt. */
TFM_API void tfm_embed_params_init(tfm_embed_params *params, size_t size, const tfm_model *model);
static inline tfm_embed_params tfm_embed_params_default(const tfm_model *model) {
    tfm_embed_params params;
    tfm_embed_params_init(&params, sizeof params, model);
    return params;
}

/*
 * Runs an encoder-only model over n inputs. They are processed in turns if they are more than the session takes at
 * once; the results are the same bits however they are grouped. params may be NULL for the model's defaults.
 * errors: NULL, and one input that cannot be run refuses them all; or (n), which gets the error of each input, and the
 * others run.
 * Errors: as tfm_encode; TFM_ERROR_STATE for pooled or scores of a model that has no pooler or head, or a model that
 * is no encoder.
 */
TFM_API tfm_status tfm_analyze(tfm_session *session, const tfm_example *examples, size_t n,
                               const tfm_embed_params *params, tfm_error *errors, tfm_error *error);

/*
 * Embeddings (n, d_model) of n texts: tfm_tokenize with special tokens of params->prompt and the text, then
 * tfm_analyze. sizes: (n) bytes of each text; NULL: they end with a NUL. params may be NULL for the model's defaults.
 * errors: (n) of each text; those that cannot be run (TFM_ERROR_LIMIT: too long) keep their rows as they are, and the
 * others run. NULL: one of them refuses all. Errors: those of tfm_tokenize and tfm_analyze.
 */
TFM_API tfm_status tfm_embed_text(tfm_session *session, const char *const *texts, const size_t *sizes, size_t n,
                                  const tfm_embed_params *params, float *embeddings, tfm_error *errors,
                                  tfm_error *error);

/* Gives a source number back. Sequences that use it must have been freed. */
TFM_API void tfm_source_free(tfm_session *session, int32_t source);

/*
 * Starts an empty output sequence over a source (-1 for a decoder-only model) and gives its number.
 * Error: TFM_ERROR_LIMIT when max_sequences are in use.
 */
TFM_API tfm_status tfm_sequence_new(tfm_session *session, int32_t source, int32_t *sequence, tfm_error *error);
/* A second sequence with the same tokens so far; the cache is shared and copied only where they part. */
TFM_API tfm_status tfm_sequence_fork(tfm_session *session, int32_t sequence, int32_t *copy, tfm_error *error);
TFM_API void tfm_sequence_free(tfm_session *session, int32_t sequence);
TFM_API size_t tfm_sequence_length(const tfm_session *session, int32_t sequence);
/* Forgets all tokens from position n on. */
TFM_API void tfm_sequence_truncate(tfm_session *session, int32_t sequence, size_t n);

/* Tokens to append to one sequence. */
typedef struct tfm_span {
    int32_t sequence;
    const int32_t *ids;
    size_t n;      /* at least 1 */
    float *logits; /* NULL, or (n, vocab_size) if all_logits, else (vocab_size) for the last token */
    float *states; /* NULL, or (n, d_model): hidden states before the vocabulary projection */
    bool all_logits;
    const void *reserved[2];
} tfm_span;

/*
 * Runs the decoder over the tokens of all spans as one ragged batch; each sequence may occur once. The results are
 * the same bits however the tokens of a sequence are cut into spans and calls.
 * Errors: TFM_ERROR_LIMIT (too long, or more than max_batch_tokens in all), TFM_ERROR_ARGUMENT, TFM_ERROR_CANCELLED,
 * TFM_ERROR_CHANGED. After an error the sequences have the tokens they had before the call.
 */
TFM_API tfm_status tfm_decode(tfm_session *session, const tfm_span *spans, size_t n_spans, tfm_error *error);

/* Which attention: an encoder's, a decoder's over its own tokens, a decoder's over the source. Bits of a set. */
typedef enum tfm_attention_kind {
    TFM_ATTENTION_ENCODER = 1,
    TFM_ATTENTION_SELF = 2,
    TFM_ATTENTION_CROSS = 4
} tfm_attention_kind;

/* The attention of one layer over one sequence; all of it lives until the callback returns. */
typedef struct tfm_attention_event {
    tfm_attention_kind kind;
    uint32_t layer, n_heads;
    int32_t sequence;        /* of a decoder; of an encoder: the source, or in tfm_analyze the number of the input */
    size_t first, n_queries; /* the queries stand at positions first, first + 1, ... of their sequence */
    size_t n_keys;           /* the keys are positions 0 .. n_keys - 1 */
    const float *weights; /* (n_heads, n_queries, n_keys), each row with sum 1; 0 for keys that a query does not see */
} tfm_attention_event;

typedef struct tfm_attention_tap {
    size_t size;
    unsigned kinds; /* a set of tfm_attention_kind */
    int32_t layer;  /* -1: all */
    int (*on_attention)(void *user, const tfm_attention_event *event);
    void *user;
} tfm_attention_tap;

/* All kinds, all layers, nobody to hear of them. */
TFM_API void tfm_attention_tap_init(tfm_attention_tap *tap, size_t size);
static inline tfm_attention_tap tfm_attention_tap_default(void) {
    tfm_attention_tap tap;
    tfm_attention_tap_init(&tap, sizeof tap);
    return tap;
}

/*
 * Sets (NULL: ends) the session's tap: from now on every call that runs layers hands out their attention weights, as
 * they come of scores with caps, biases, windows and the causal mask. on_attention is called on the thread of the call,
 * after a layer's attention, in the order of layers and then of sequences; a nonzero return stops the call with
 * TFM_ERROR_CANCELLED. It must not use the session. The weights change no other result; they cost time and memory for
 * their size, and nothing while there is no tap.
 * Errors: TFM_ERROR_ARGUMENT; TFM_ERROR_STATE (the model has none of the kinds).
 */
TFM_API tfm_status tfm_session_tap_attention(tfm_session *session, const tfm_attention_tap *tap, tfm_error *error);

/*
 * log P(target | input) token by token. targets[i] are the tokens after the decoder's start token; log_probs[i]
 * receives targets[i].n values, the log-probability of each token given those before it, from the plain softmax of
 * the logits. Inputs and targets beyond what the session holds at once are processed in turns.
 * For a decoder-only model inputs[i] is the prompt. errors: as in tfm_analyze.
 * Errors: as tfm_encode and tfm_decode.
 */
TFM_API tfm_status tfm_score(tfm_session *session, const tfm_tokens *inputs, const tfm_tokens *targets, size_t n,
                             float *const *log_probs, tfm_error *errors, tfm_error *error);

/* ---- generation ---- */

typedef enum tfm_early_stopping { TFM_EARLY_FALSE = 0, TFM_EARLY_TRUE = 1, TFM_EARLY_NEVER = 2 } tfm_early_stopping;

/* A number added to the logit of a token, before all other processing. */
typedef struct tfm_logit_bias {
    int32_t id;
    float bias; /* -INFINITY: never this token */
} tfm_logit_bias;

/* A head of the decoder's cross-attention. */
typedef struct tfm_attention_head {
    int32_t layer; /* from 0; or from the end: -1 is the last one */
    int32_t head;  /* from 0; -1: all of the layer */
} tfm_attention_head;

/*
 * What generate() of Hugging Face transformers takes, under the same names and with the same meaning. Lengths count
 * the decoder's start token, as there; a minimum above the longest output is refused, unless it is the model file's
 * own: then the output ends at its longest, as there. Token ids are -1 where there is none. End, suppressed and bad
 * tokens that the vocabulary does not have never come and are passed over; ids that would be put into the output are
 * refused.
 */
typedef struct tfm_generate_params {
    size_t size;
    uint32_t num_beams;            /* 1: greedy */
    uint32_t num_return_sequences; /* at most num_beams; of sampling: how many outputs are drawn; or alternatives */
    uint32_t max_length;
    uint32_t max_new_tokens; /* 0: max_length holds; else it wins over max_length */
    uint32_t min_length;
    uint32_t min_new_tokens;
    double length_penalty; /* scores are divided by (tokens)^length_penalty */
    tfm_early_stopping early_stopping;
    double repetition_penalty;     /* 1: none */
    uint32_t no_repeat_ngram_size; /* 0: none */
    bool renormalize_logits;
    int32_t decoder_start_token_id; /* -1: bos_token_id, as in transformers */
    int32_t bos_token_id;
    int32_t forced_bos_token_id;
    int32_t forced_eos_token_id;
    int32_t pad_token_id;
    const int32_t *eos_token_ids;
    size_t n_eos_token_ids;
    const tfm_tokens *bad_words; /* token sequences that must not appear */
    size_t n_bad_words;
    const int32_t *suppress_tokens; /* tokens that must not appear */
    size_t n_suppress_tokens;
    /* Sampling: what follows the penalties acts in this order, on the probabilities of the next token. */
    bool do_sample;           /* draw tokens instead of taking the most probable; needs num_beams 1 */
    double temperature;       /* logits are divided by it; above 0, 1: as they are */
    uint32_t top_k;           /* only the k most probable tokens; 0: all (transformers' default is 50) */
    double top_p;             /* only the most probable tokens that together reach top_p (nucleus); 1: all */
    double min_p;             /* only tokens with at least min_p times the highest probability; 0: all */
    double typical_p;         /* only the tokens closest to the expected information that together reach it; 1: all */
    uint64_t seed;            /* the same request and seed draw the same tokens, everywhere and in any batch */
    double presence_penalty;  /* subtracted from the logit of a token that the output has */
    double frequency_penalty; /* ... times how often it has it */
    const tfm_logit_bias *logit_bias;
    size_t n_logit_bias;
    uint32_t n_top_log_probs; /* fill tfm_hypothesis.top_ids and .top_log_probs with so many tokens, at most 64 */
    bool shortlist; /* choose only among the tokens that the model's shortlist allows for the input (and the end
                       and forced tokens): faster, and nearly the same results. See tfmpack --shortlist. */
    /* tfm_generate_text ends an output before the first of them that stands in it; tfm_generate, which has no texts,
       refuses them. */
    const char *const *stop_strings;
    size_t n_stop_strings;
    bool keep_attention; /* fill tfm_hypothesis.attention */
    bool keep_log_probs; /* fill tfm_hypothesis.log_probs */

    /* What CTranslate2 takes, under its names; transformers has nothing like it. */
    /*
     * Above 0 and below 1, with a prefix: no output must begin with the prefix, but it is drawn to it. While an output
     * is its beginning, the probabilities p of the next token become (1 - beta) p, and beta more for the token of the
     * prefix (after all processing). The tokens are scored and counted like any other. Not with do_sample.
     */
    double prefix_bias_beta;
    /* Beam search keeps round(num_beams x patience) hypotheses, at least one, before it may end; 1: num_beams. */
    double patience;
    double min_alternative_expansion_prob; /* return_alternatives: less probable tokens are left out, but the best */
    /*
     * The outputs are alternatives for the token after the prefix: it is each of the num_return_sequences most probable
     * tokens that end nothing, and each goes on by itself, greedily or drawn. Best first; needs num_beams 1.
     */
    bool return_alternatives;
    /*
     * Of a model of many languages (tfm_language): that of texts, and that of outputs, as codes; NULL: as the model
     * file says. The source's counts where a text becomes ids (tfm_generate_text, tfm_tokenize_input), the target's in
     * place of forced_bos_token_id or decoder_start_token_id, wherever the model looks for it.
     */
    const char *source_language, *target_language;
    /* Of which heads tfm_hypothesis.attention is the mean; 0: of all heads of all layers. Each counts once. */
    const tfm_attention_head *attention_heads;
    size_t n_attention_heads;
    /*
     * As of CTranslate2: tfm_generate_text makes texts with tfm_replace_unknowns. The attention is kept then; outputs
     * come whole, and there can be no stop_strings. For encoder-decoders and texts that are no conversations.
     */
    bool replace_unknowns;
} tfm_generate_params;

/* Sequences of a session that an input with these parameters takes: its beams, or the outputs that are drawn. */
TFM_API uint32_t tfm_generate_width(const tfm_generate_params *params);
/* Whether id is one of the end tokens. */
TFM_API bool tfm_is_end_token(const tfm_generate_params *params, int32_t id);

/*
 * The defaults packed with the model (its generation_config.json), where it says nothing those of transformers
 * (max_length 20, greedy). The lists point into the model and live as long as it.
 */
TFM_API void tfm_generate_params_init(tfm_generate_params *params, size_t size, const tfm_model *model);
static inline tfm_generate_params tfm_generate_params_default(const tfm_model *model) {
    tfm_generate_params params;
    tfm_generate_params_init(&params, sizeof params, model);
    return params;
}

/*
 * tfm_tokenize of an input, with what the model wants around it, in the languages of params (NULL: the model's
 * defaults). Errors: those of tfm_tokenize and tfm_language_token.
 */
TFM_API tfm_status tfm_tokenize_input(const tfm_model *model, const tfm_generate_params *params, const char *text,
                                      size_t n, tfm_ids *ids, tfm_error *error);
/*
 * The same for a given output, to score it: what the model wants around it, in the target language of params (the
 * labels that the tokenizers of transformers make of text_target).
 * Errors: those of tfm_tokenize and tfm_language_token; TFM_ERROR_STATE (neither params nor the model name a language).
 */
TFM_API tfm_status tfm_tokenize_output(const tfm_model *model, const tfm_generate_params *params, const char *text,
                                       size_t n, tfm_ids *ids, tfm_error *error);

/*
 * tfm_score where params say which token stands before the targets of an encoder-decoder: their decoder_start_token_id,
 * or the code of target_language where the model begins outputs with it. Nothing else of params counts. NULL: the
 * model's defaults, which is tfm_score.
 * Errors: also those of tfm_language_token; TFM_ERROR_ARGUMENT (the start token is outside the vocabulary).
 */
TFM_API tfm_status tfm_score_with(tfm_session *session, const tfm_generate_params *params, const tfm_tokens *inputs,
                                  const tfm_tokens *targets, size_t n, float *const *log_probs, tfm_error *errors,
                                  tfm_error *error);

typedef struct tfm_hypothesis {
    const int32_t *ids;  /* new tokens, up to and including the end token; a prefix comes first in them */
    size_t n;            /* the prefix counted; sums and scores below count the tokens after it only */
    bool ended;          /* with an end token, or where on_token said so; false: the length limit came first */
    double sum_log_prob; /* sum of the processed log-probabilities of ids */
    double score;        /* sum_log_prob / tokens^length_penalty (sequences_scores of transformers for beams) */
    const float
        *log_probs; /* (n) log-probability of each token after processing (0 for the prefix), NULL if not kept */
    const float *attention; /* (n, n_source) cross-attention, mean over heads (attention_heads), or NULL if not kept */
    const int32_t *top_ids; /* (n, n_top_log_probs) the most probable tokens at each place, best first; -1 where
                          there are none (the prefix, a small vocabulary); NULL if not kept */
    const float *top_log_probs; /* (n, n_top_log_probs) their log-probabilities; -INFINITY where there are none */
} tfm_hypothesis;

/*
 * Appends the text of an encoder-decoder's output to *text, each token that is unknown to the target vocabulary
 * replaced by the source token at which it looked most (the highest attention among the text's own tokens), as Jean et
 * al. 2015, "On Using Very Large Target Vocabulary for Neural Machine Translation", and CTranslate2's replace_unknowns
 * have it. A source token that is unknown itself gives what stands in the text, as the tokenizer normalises it; a token
 * of a prefix has no attention and gives nothing.
 *
 * source: the n_text bytes that became source_ids (n_source_ids), as the output's input had them: with what stood
 * around the text, perhaps cut at the end. hypothesis: with its attention (keep_attention).
 *
 * Errors: those of tfm_tokenize and tfm_detokenize; TFM_ERROR_ARGUMENT (no attention).
 */
TFM_API tfm_status tfm_replace_unknowns(const tfm_model *model, const char *source, size_t n_text,
                                        const int32_t *source_ids, size_t n_source_ids,
                                        const tfm_hypothesis *hypothesis, tfm_text *text, tfm_error *error);

typedef struct tfm_input {
    const int32_t *ids;
    size_t n;
    const int32_t *prefix; /* tokens the output must start with, after the start token (a decoder_input_ids prompt of
                              transformers: not scored, counted in the lengths), or with prefix_bias_beta is drawn to;
                              may be NULL */
    size_t n_prefix;
    /*
     * For a conversation with a decoder-only model (num_beams and num_return_sequences 1), else NULL: the sequence to
     * go on with, or -1 to start one. The sequence's tokens must be the first ones of ids and fewer than n; they are
     * not run again. It is kept: afterwards it holds the prompt and the new tokens but the last, and the caller
     * truncates or frees it. After an error it holds the tokens it had before, or some more of the prompt. No two
     * inputs of a call have the same.
     */
    int32_t *sequence;
    const tfm_generate_params *params; /* NULL: those of the call */
    const void *reserved[2];
} tfm_input;

/*
 * What came of an input: its hypotheses, best first (samples in the order of their number), num_return_sequences of
 * them; or why it could not be run: TFM_ERROR_LIMIT (too long, or more beams than the session holds), _ARGUMENT (an id
 * outside the vocabulary, bad parameters), _STATE (what is asked does not fit the model; or its scores are no numbers).
 */
typedef struct tfm_result {
    tfm_status status;
    const char *message; /* "" if status is TFM_OK */
    const tfm_hypothesis *const *hypotheses;
    size_t n; /* 0 if status is not TFM_OK */
} tfm_result;

enum { TFM_GO_ON = 0, TFM_END_OUTPUT = 1, TFM_CANCEL = 2 };

/*
 * on_token: without beams: a new token of an input was chosen (index as in inputs[]; output: 0, or which one of
 * num_return_sequences). Returns TFM_GO_ON, TFM_END_OUTPUT (this output ends with this token, as with an end token), or
 * anything else to stop generation with TFM_ERROR_CANCELLED.
 * on_result: what came of an input; it lives until the callback returns. Inputs finish in any order; each exactly once,
 * unless the call ends with an error. A nonzero return stops generation with TFM_ERROR_CANCELLED.
 * on_logits: the logits (vocab_size) of an output's next token (of a beam's, by its number), before all processing;
 * ids: the n tokens it has so far. May change them: -INFINITY bans a token. Outputs that are drawn share their first
 * logits: there it is called for output 0 alone. Where a shortlist is used, tokens that are not on it have -INFINITY
 * already. Returns TFM_GO_ON, or anything else to stop generation with TFM_ERROR_CANCELLED.
 */
typedef struct tfm_generate_callbacks {
    size_t size;
    int (*on_token)(void *user, size_t index, uint32_t output, int32_t id);
    int (*on_result)(void *user, size_t index, const tfm_result *result);
    int (*on_logits)(void *user, size_t index, uint32_t output, const int32_t *ids, size_t n, float *logits,
                     size_t vocab_size);
    void *user;
} tfm_generate_callbacks;

/* No callbacks. */
TFM_API void tfm_generate_callbacks_init(tfm_generate_callbacks *callbacks, size_t size);
static inline tfm_generate_callbacks tfm_generate_callbacks_default(void) {
    tfm_generate_callbacks callbacks;
    tfm_generate_callbacks_init(&callbacks, sizeof callbacks);
    return callbacks;
}

/*
 * Generates an output for each of n inputs. Inputs enter the running batch as others leave it, so any n is fine. They
 * may have different parameters; the results are those of each alone. An input that cannot be run is reported to
 * on_result and does not keep the others from running; without an on_result the first such error is the call's, once
 * the others have run.
 *
 * Greedy search takes the most probable token of every step. Beam search is that of Hugging Face transformers 4.46
 * (BeamSearchScorer): 2 x num_beams candidates a step, an end token counts among the first num_beams only, a sentence
 * is done once num_beams hypotheses are kept and, by early_stopping, no better one is to be expected. Order of
 * processing: biases, repetition penalty, presence and frequency penalties (of the tokens generated, neither prompt nor
 * prefix), n-gram blocking, bad words, minimum length, forced tokens, suppressed tokens, renormalisation; on
 * log-probabilities for beams, on logits else. Ties go to the lower token id (and to the better beam).
 *
 * Sampling draws num_return_sequences outputs for each input. What the filters leave is that of transformers, but of
 * tokens equal at a filter's border those with the lower ids stay. The token at a place is drawn by a random number
 * that depends on the seed, the output's number and the place in the output alone: inputs of a call that are
 * the same get the same outputs. Log-probabilities are those after processing and before temperature and filters.
 *
 * params: of inputs without their own; NULL for the model's defaults. With num_beams > 1 a session decodes
 * max_sequences / num_beams inputs at the same time. callbacks may be NULL.
 * Errors: TFM_ERROR_ARGUMENT and _STATE (params that do not fit, if an input uses them: nothing has run),
 * TFM_ERROR_CANCELLED, _CHANGED, _MEMORY.
 */
TFM_API tfm_status tfm_generate(tfm_session *session, const tfm_input *inputs, size_t n,
                                const tfm_generate_params *params, const tfm_generate_callbacks *callbacks,
                                tfm_error *error);

/* ---- text in, text out ---- */

/* One input: either a text or a conversation; the other one is NULL. */
typedef struct tfm_text_input {
    const char *text; /* UTF-8, n bytes; may be empty */
    size_t n;
    bool no_special;             /* the text has its special tokens already (tfm_tokenize) */
    const tfm_message *messages; /* rendered by the model's chat template (tfm_chat_render) */
    size_t n_messages;
    const tfm_chat_params *chat_params; /* NULL: the defaults */
    const char *prefix;                 /* text the output must begin with, n_prefix bytes; NULL: none */
    size_t n_prefix;
    const tfm_generate_params *params; /* NULL: those of the call */
    const void *reserved[2];
} tfm_text_input;

typedef struct tfm_text_output {
    const char *text;                 /* without special tokens, cut before a stop string; NUL-terminated */
    size_t n;                         /* bytes */
    const char *stop_string;          /* the one of params.stop_strings that came; NULL: none */
    const tfm_hypothesis *hypothesis; /* all its tokens, those of a stop string included */
} tfm_text_output;

/* What came of an input; see tfm_result. Errors of tfm_tokenize and tfm_chat_render are an input's own, too. */
typedef struct tfm_text_result {
    tfm_status status;
    const char *message; /* "" if status is TFM_OK */
    const tfm_text_output *const *outputs;
    size_t n;              /* 0 if status is not TFM_OK */
    size_t n_input_tokens; /* what the text or the conversation was made into */
} tfm_text_result;

/*
 * on_text: without beams: new text of an output (0, or which one of num_return_sequences), n bytes of whole characters,
 * as soon as it is certain. All of it, put together, is the text of the result. Returns TFM_GO_ON, TFM_END_OUTPUT (this
 * output ends; if some of its text was held back, that comes in one more call), or anything else to stop generation
 * with TFM_ERROR_CANCELLED. on_result: what came of an input; it lives until the callback returns. Inputs finish in any
 * order; each exactly once, unless the call ends with an error. A nonzero return stops generation with
 * TFM_ERROR_CANCELLED.
 */
typedef struct tfm_text_callbacks {
    size_t size;
    int (*on_text)(void *user, size_t index, uint32_t output, const char *text, size_t n);
    int (*on_result)(void *user, size_t index, const tfm_text_result *result);
    void *user;
} tfm_text_callbacks;

/* No callbacks. */
TFM_API void tfm_text_callbacks_init(tfm_text_callbacks *callbacks, size_t size);
static inline tfm_text_callbacks tfm_text_callbacks_default(void) {
    tfm_text_callbacks callbacks;
    tfm_text_callbacks_init(&callbacks, sizeof callbacks);
    return callbacks;
}

/*
 * tfm_generate for texts. What a decoder-only model makes of a text is its continuation, and read as such (it may begin
 * with a space); an answer to messages stands for itself. A text that has no tokens begins with bos_token_id there.
 * With beams, a stop string cuts the text but does not end the search.
 * Errors: those of tfm_generate; TFM_ERROR_STATE (no tokenizer in the file).
 */
TFM_API tfm_status tfm_generate_text(tfm_session *session, const tfm_text_input *inputs, size_t n,
                                     const tfm_generate_params *params, const tfm_text_callbacks *callbacks,
                                     tfm_error *error);

#ifdef __cplusplus
}
#endif

#endif
