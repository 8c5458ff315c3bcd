/*
 * architecture.c - reading the architecture section.
 */
#include "architecture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format/model_file.h"

/* How an option is stored and what it may be. */
typedef enum field_kind { FIELD_COUNT, FIELD_FLAG, FIELD_FLOAT, FIELD_WORD } field_kind;

typedef struct field {
    const char *name;
    field_kind kind;
    size_t offset;
    double min, max;   /* of numbers; counts below min and above max are refused */
    const char *words; /* FIELD_WORD: the words in order of their values, separated by spaces */
    bool optional;     /* missing: the fallback */
    double fallback;
} field;

#define ACTIVATIONS "none relu gelu gelu_tanh silu tanh"

/* The limits keep every product of two sizes far from overflow, and a hostile file from asking for the moon. */
#define AT(member) offsetof(tfm_stack_options, member)
static const field stack_fields[] = {
    {"vocab_size", FIELD_COUNT, AT(vocab_size), 1, 1 << 24, NULL, false, 0},
    {"n_layers", FIELD_COUNT, AT(n_layers), 0, 1024, NULL, false, 0},
    {"n_heads", FIELD_COUNT, AT(n_heads), 1, 4096, NULL, false, 0},
    {"n_kv_heads", FIELD_COUNT, AT(n_kv_heads), 1, 4096, NULL, false, 0},
    {"head_dim", FIELD_COUNT, AT(head_dim), 1, 4096, NULL, false, 0},
    {"d_ff", FIELD_COUNT, AT(d_ff), 1, 1 << 20, NULL, false, 0},
    {"activation", FIELD_WORD, AT(activation), 0, 0, ACTIVATIONS, false, 0},
    {"gated", FIELD_FLAG, AT(gated), 0, 1, NULL, false, 0},
    {"norm", FIELD_WORD, AT(norm), 0, 0, "layer rms", false, 0},
    {"norm_bias", FIELD_FLAG, AT(norm_bias), 0, 1, NULL, true, 1},
    {"norm_placement", FIELD_WORD, AT(norm_placement), 0, 0, "post pre both", false, 0},
    {"norm_eps", FIELD_FLOAT, AT(norm_eps), 0, 1, NULL, false, 0},
    {"sublayers", FIELD_WORD, AT(sublayers), 0, 0, "sequential parallel parallel_shared", true, TFM_SEQUENTIAL},
    {"residual_scale", FIELD_FLOAT, AT(residual_scale), -1e6, 1e6, NULL, true, 1},
    {"position", FIELD_WORD, AT(position), 0, 0, "none table rope alibi relative", false, 0},
    {"position_offset", FIELD_COUNT, AT(position_offset), 0, 1 << 20, NULL, true, 0},
    {"max_positions", FIELD_COUNT, AT(max_positions), 1, 1 << 22, NULL, false, 0},
    {"rope_dim", FIELD_COUNT, AT(rope_dim), 2, 4096, NULL, true, 0},
    {"rope_layout", FIELD_WORD, AT(rope_layout), 0, 0, "halves interleaved", true, 0},
    {"rope_factor", FIELD_FLOAT, AT(rope_factor), 0, 1e6, NULL, true, 1},
    {"relative_buckets", FIELD_COUNT, AT(relative_buckets), 2, 1 << 16, NULL, true, 0},
    {"relative_max_distance", FIELD_COUNT, AT(relative_max_distance), 1, 1 << 22, NULL, true, 0},
    {"embed_scale", FIELD_FLOAT, AT(embed_scale), -1e6, 1e6, NULL, false, 0},
    {"token_types", FIELD_COUNT, AT(token_types), 0, 1 << 16, NULL, true, 0},
    {"embed_norm", FIELD_FLAG, AT(embed_norm), 0, 1, NULL, false, 0},
    {"final_norm", FIELD_FLAG, AT(final_norm), 0, 1, NULL, false, 0},
    {"attention_scale", FIELD_FLOAT, AT(attention_scale), 0, 1e6, NULL, false, 0},
    {"attention_soft_cap", FIELD_FLOAT, AT(attention_soft_cap), 0, 1e6, NULL, true, 0},
    {"qk_norm", FIELD_WORD, AT(qk_norm), 0, 0, "none shared heads", true, TFM_QK_NORM_NONE},
    {"biases", FIELD_WORD, AT(biases), 0, 0, "none all qkv attention ffn out_ffn", false, 0},
};
#define N_STACK_FIELDS (sizeof stack_fields / sizeof *stack_fields)
#undef AT

/* The words of biases as bits. */
static const uint32_t bias_bits[] = {0,
                                     TFM_BIAS_QKV | TFM_BIAS_OUT | TFM_BIAS_FFN,
                                     TFM_BIAS_QKV,
                                     TFM_BIAS_QKV | TFM_BIAS_OUT,
                                     TFM_BIAS_FFN,
                                     TFM_BIAS_OUT | TFM_BIAS_FFN};

/* Arrays of a stack; unlike fields they are used where they lie. */
static const char *const stack_arrays[] = {"windows", "rope_frequencies", "alibi_slopes", NULL};

#define AT(member) offsetof(tfm_architecture, member)
static const field model_fields[] = {
    {"d_model", FIELD_COUNT, AT(d_model), 1, 1 << 20, NULL, false, 0},
    {"output.scale", FIELD_FLOAT, AT(output_scale), -1e6, 1e6, NULL, true, 1},
    {"output.soft_cap", FIELD_FLOAT, AT(output_soft_cap), 0, 1e6, NULL, true, 0},
    {"head", FIELD_WORD, AT(head.kind), 0, 0, "none masked_lm token sequence", true, TFM_HEAD_NONE},
    {"head.dense", FIELD_FLAG, AT(head.dense), 0, 1, NULL, true, 0},
    {"head.norm", FIELD_FLAG, AT(head.norm), 0, 1, NULL, true, 0},
    {"head.activation", FIELD_WORD, AT(head.activation), 0, 0, ACTIVATIONS, true, TFM_ACT_NONE},
    {"head.classes", FIELD_COUNT, AT(head.classes), 1, 1 << 20, NULL, true, 0},
    {"head.function", FIELD_WORD, AT(head.function), 0, 0, "softmax sigmoid none", true, TFM_SCORES_SOFTMAX},
    {"pooler", FIELD_FLAG, AT(head.pooler), 0, 1, NULL, true, 0},
    {"pooling", FIELD_WORD, AT(head.pooling), 0, 0, "mean cls max", true, TFM_POOLING_MEAN},
    {"pooling.normalize", FIELD_FLAG, AT(head.normalize), 0, 1, NULL, true, 0},
};
#define N_MODEL_FIELDS (sizeof model_fields / sizeof *model_fields)
#undef AT

typedef struct reader {
    const tfm_table *table;
    const char *path;
    tfm_error *error;
} reader;

static tfm_status bad_option(reader *in, const char *key, const char *why) {
    return tfm_fail(in->error, TFM_ERROR_UNSUPPORTED,
                    "%s: architecture option %s %s; pack the checkpoint again with a matching tfmpack", in->path, key,
                    why);
}

/* Index of a word in a list separated by spaces, or -1. */
static int word_index(const char *words, const char *word) {
    size_t n = strlen(word);
    int index = 0;
    for (const char *w = words; *w; index++) {
        size_t length = strcspn(w, " ");
        if (length == n && !memcmp(w, word, n)) return index;
        w += length;
        w += *w == ' ';
    }
    return -1;
}

static tfm_status read_number(reader *in, const char *key, const field *f, const tfm_value *value, void *out) {
    bool is_float = f->kind == FIELD_FLOAT;
    if (value->type != (is_float ? TFM_VALUE_F64 : TFM_VALUE_U64)) return bad_option(in, key, "has the wrong type");
    double number = is_float ? value->f64 : (double)value->u64;
    if (!(number >= f->min && number <= f->max)) return bad_option(in, key, "is out of range");
    if (is_float)
        *(float *)out = (float)number;
    else
        *(uint32_t *)out = (uint32_t)value->u64;
    return TFM_OK;
}

static void use_fallback(const field *f, void *out) {
    if (f->kind == FIELD_FLOAT)
        *(float *)out = (float)f->fallback;
    else
        *(uint32_t *)out = (uint32_t)f->fallback;
}

/* prefix: of the key, "encoder." */
static tfm_status read_field(reader *in, const char *prefix, const field *f, void *options) {
    char key[128];
    snprintf(key, sizeof key, "%s%s", prefix, f->name);
    void *out = (char *)options + f->offset;
    const tfm_value *value = tfm_table_find(in->table, key);
    if (!value) {
        use_fallback(f, out);
        return f->optional ? TFM_OK : bad_option(in, key, "is missing");
    }
    if (f->kind != FIELD_WORD) return read_number(in, key, f, value, out);
    int index = value->type == TFM_VALUE_STRING ? word_index(f->words, value->data) : -1;
    if (index < 0) return bad_option(in, key, "has a value this version does not know");
    *(uint32_t *)out = (uint32_t)index;
    return TFM_OK;
}

/* NULL in *out if the key is not there; an array of another type or length is refused. */
static tfm_status read_array(reader *in, const char *stack, const char *name, tfm_value_type type, size_t n,
                             const void **out) {
    char key[128];
    snprintf(key, sizeof key, "%s.%s", stack, name);
    const tfm_value *value = tfm_table_find(in->table, key);
    *out = NULL;
    if (!value) return TFM_OK;
    if (value->type != type || value->n != n) return bad_option(in, key, "is no list of the right type and length");
    *out = value->data;
    return TFM_OK;
}

static bool all_finite(const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

static tfm_status read_arrays(reader *in, const char *stack, tfm_stack_options *o) {
    const void *windows, *frequencies, *slopes;
    tfm_status status = read_array(in, stack, stack_arrays[0], TFM_VALUE_U32S, o->n_layers, &windows);
    if (!status) status = read_array(in, stack, stack_arrays[1], TFM_VALUE_F32S, o->rope_dim, &frequencies);
    if (!status) status = read_array(in, stack, stack_arrays[2], TFM_VALUE_F32S, o->n_heads, &slopes);
    if (status) return status;
    o->windows = windows;
    o->rope_frequencies = frequencies;
    o->alibi_slopes = slopes;
    if ((frequencies && !all_finite(frequencies, o->rope_dim)) || (slopes && !all_finite(slopes, o->n_heads)))
        return bad_option(in, stack, "has a frequency or slope that is no number");
    return TFM_OK;
}

/* What one option asks of others. */
static tfm_status check_stack(reader *in, const char *stack, const tfm_stack_options *o,
                              const tfm_architecture *options) {
    const char *why = NULL;
    bool rope = o->position == TFM_POSITION_ROPE, decoder = o == &options->decoder;
    if (o->n_heads % o->n_kv_heads != 0)
        why = "has a number of heads that is no multiple of its key/value heads";
    else if (rope && (!o->rope_frequencies || o->rope_dim % 2 != 0 || o->rope_dim > o->head_dim))
        why = "has no rope_frequencies, or a rope_dim that is odd or larger than a head";
    else if (o->position == TFM_POSITION_ALIBI && !o->alibi_slopes)
        why = "has no alibi_slopes";
    else if (o->position == TFM_POSITION_RELATIVE && (o->relative_buckets < 4 || o->relative_max_distance == 0))
        why = "has no relative_buckets (4 at least) or relative_max_distance";
    else if (o->sublayers != TFM_SEQUENTIAL && (o->norm_placement != TFM_NORM_PRE || (decoder && options->has_encoder)))
        why = "has parallel sublayers, which need norm_placement pre and no cross-attention";
    else if (o->residual_scale == 0.0f)
        why = "has a residual_scale of 0, which leaves nothing of its layers";
    else if (o->norm_placement == TFM_NORM_BOTH && o->residual_scale != 1.0f)
        why = "has a residual_scale together with norm_placement both";
    else if (decoder && o->token_types > 0)
        why = "has token_types, which are for encoders";
    else if (!decoder && o->windows)
        why = "has windows, which are for decoders";
    else if ((o->position == TFM_POSITION_ALIBI || o->position == TFM_POSITION_RELATIVE) &&
             (uint64_t)o->n_heads * o->max_positions > 1 << 26)
        why = "has more heads and max_positions than biases of scores can be kept for";
    return why ? bad_option(in, stack, why) : TFM_OK;
}

static tfm_status read_stack(reader *in, const char *stack, tfm_stack_options *o, const tfm_architecture *options) {
    char prefix[16];
    snprintf(prefix, sizeof prefix, "%s.", stack);
    tfm_status status = TFM_OK;
    for (size_t i = 0; !status && i < N_STACK_FIELDS; i++) status = read_field(in, prefix, &stack_fields[i], o);
    if (status) return status;
    o->biases = bias_bits[o->biases];
    status = read_arrays(in, stack, o);
    return status ? status : check_stack(in, stack, o, options);
}

/* What comes after the last layer. */
static tfm_status check_output(reader *in, tfm_architecture *options) {
    tfm_head_options *head = &options->head;
    bool classes = head->kind == TFM_HEAD_TOKEN || head->kind == TFM_HEAD_SEQUENCE;
    if ((head->kind != TFM_HEAD_NONE || head->pooler) && options->kind != TFM_KIND_ENCODER)
        return bad_option(in, "head", "is for encoders");
    if (options->output_scale == 0.0f) return bad_option(in, "output.scale", "is 0, which leaves nothing of logits");
    if (classes && head->classes == 0) return bad_option(in, "head.classes", "is missing");
    head->labels = tfm_table_find(in->table, "head.labels");
    if (head->labels && (head->labels->type != TFM_VALUE_STRINGS || !classes || head->labels->n != head->classes))
        return bad_option(in, "head.labels", "is no list of one name for each class");
    return TFM_OK;
}

static bool known_to_stack(const char *name) {
    for (size_t i = 0; i < N_STACK_FIELDS; i++)
        if (!strcmp(name, stack_fields[i].name)) return true;
    for (size_t i = 0; stack_arrays[i]; i++)
        if (!strcmp(name, stack_arrays[i])) return true;
    return false;
}

/* The first key of the table that no field has: it would change results in a way this version does not know. */
static tfm_status unknown_key(reader *in, const tfm_architecture *options) {
    for (size_t i = 0; i < tfm_table_count(in->table); i++) {
        const char *key = tfm_table_at(in->table, i)->key;
        bool known = !strcmp(key, "kind") || !strcmp(key, "family") || !strcmp(key, "head.labels");
        for (size_t f = 0; !known && f < N_MODEL_FIELDS; f++) known = !strcmp(key, model_fields[f].name);
        bool stack = (options->has_encoder && !strncmp(key, "encoder.", 8)) ||
                     (options->has_decoder && !strncmp(key, "decoder.", 8));
        if (!known && !(stack && known_to_stack(key + 8))) return bad_option(in, key, "is not known to this version");
    }
    return TFM_OK;
}

tfm_status tfm_architecture_read(tfm_architecture *options, const tfm_table *table, const char *path,
                                 tfm_error *error) {
    *options = (tfm_architecture){.family = ""};
    reader in = {table, path, error};
    if (!table) return tfm_fail(error, TFM_ERROR_FORMAT, "%s: section architecture is missing", path);

    const tfm_value *kind = tfm_table_find(table, "kind");
    int index = kind && kind->type == TFM_VALUE_STRING
                    ? word_index("encoder-decoder encoder decoder tokenizer", kind->data)
                    : -1;
    if (index < 0) return bad_option(&in, "kind", kind ? "has a value this version does not know" : "is missing");
    options->kind = (tfm_kind)index;
    options->has_encoder = options->kind == TFM_KIND_ENCODER_DECODER || options->kind == TFM_KIND_ENCODER;
    options->has_decoder = options->kind == TFM_KIND_ENCODER_DECODER || options->kind == TFM_KIND_DECODER;

    options->family = tfm_table_string(table, "family", "");
    tfm_status status = TFM_OK;
    if (options->kind != TFM_KIND_TOKENIZER) {
        for (size_t i = 0; !status && i < N_MODEL_FIELDS; i++) status = read_field(&in, "", &model_fields[i], options);
        if (!status) status = check_output(&in, options);
    }
    if (!status && options->has_encoder) status = read_stack(&in, "encoder", &options->encoder, options);
    if (!status && options->has_decoder) status = read_stack(&in, "decoder", &options->decoder, options);
    return status ? status : unknown_key(&in, options);
}
