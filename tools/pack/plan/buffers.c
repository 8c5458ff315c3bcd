/*
 * buffers.c - the table of buffers; see buffers.h.
 *
 * From _keys_to_ignore_on_load_unexpected, _keys_to_ignore_on_load_missing and register_buffer of the classes in
 * transformers 2 to 5, and from what fairseq's checkpoints bring along: buffers that became not persistent, but are in
 * files that were saved before.
 */
#include "buffers.h"

#include <string.h>

#include "tools/pack/common/word_list.h"

#define ROTATED                                                                                                        \
    "cohere cohere2 deepseek_v2 deepseek_v3 gemma gemma2 gemma3 gemma3_text glm gpt_neox gpt_oss granite granitemoe "  \
    "llama mistral mixtral modernbert olmo olmo2 olmoe phi phi3 qwen2 qwen2_moe qwen3 qwen3_moe smollm3 stablelm "     \
    "starcoder2"
#define FROM_FAIRSEQ "bart m2m_100 marian mbart nllb-moe opt pegasus roberta xlm-roberta camembert"

typedef enum shape {
    NUMBERS,     /* whole numbers 0, 1, 2, ... or zeros: one row, or a list */
    ONE,         /* a single number */
    FEW,         /* at most three numbers: a version */
    FREQUENCIES, /* a list */
    TABLE,       /* what is computed from a list: rows, perhaps with dimensions of 1 before them */
    MASK         /* (1, 1, n, n) */
} shape;

/* A name ends so, after a dot or from its beginning. */
static const struct {
    const char *tail, *model_types; /* model types: separated by spaces; NULL: all */
    shape shape;
} buffers[] = {
    {"position_ids", NULL, NUMBERS},
    {"token_type_ids", NULL, NUMBERS},
    {"version", FROM_FAIRSEQ, FEW},
    {"embed_positions._float_tensor", FROM_FAIRSEQ, FEW},
    {"embed_positions.weights", "m2m_100 nllb-moe", TABLE},
    {"rotary_emb.inv_freq", ROTATED, FREQUENCIES},
    {"rotary_emb.original_inv_freq", ROTATED, FREQUENCIES},
    {"rotary_emb.cos_cached", ROTATED, TABLE},
    {"rotary_emb.sin_cached", ROTATED, TABLE},
    {"attn.bias", "gpt2", MASK},
    {"attn.masked_bias", "gpt2", ONE},
    {"attn.attention.bias", "gpt_neo", MASK},
    {"attn.attention.masked_bias", "gpt_neo", ONE},
    {"attention.bias", "gpt_neox", MASK},
    {"attention.masked_bias", "gpt_neox", ONE},
};

static bool has_tail(const char *name, const char *tail) {
    const size_t n = strlen(name), k = strlen(tail);
    return n >= k && strcmp(name + n - k, tail) == 0 && (n == k || name[n - k - 1] == '.');
}

static bool has_shape(const tfm_checkpoint_tensor *t, shape wanted) {
    uint64_t count = 1;
    for (uint32_t i = 0; i < t->rank; i++)
        if (__builtin_mul_overflow(count, t->shape[i], &count)) return false;
    switch (wanted) {
    case NUMBERS: return t->dtype == TFM_DTYPE_COUNT && (t->rank == 1 || (t->rank == 2 && t->shape[0] == 1));
    case ONE: return count == 1 && t->rank <= 1;
    case FEW: return count <= 3 && t->rank <= 1;
    case FREQUENCIES: return t->rank == 1;
    case TABLE: return t->rank >= 2;
    case MASK: return t->rank == 4 && t->shape[0] == 1 && t->shape[1] == 1 && t->shape[2] == t->shape[3];
    }
    return false;
}

bool tfm_is_buffer(const char *model_type, const tfm_checkpoint_tensor *tensor) {
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        if (has_tail(tensor->name, buffers[i].tail) && has_shape(tensor, buffers[i].shape) &&
            (!buffers[i].model_types || (model_type && tfm_word_list_has(buffers[i].model_types, model_type))))
            return true;
    return false;
}
