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
    bool optional;     /* missing: the fallback, of words the first */
    double fallback;
} field;

#define ACTIVATIONS "none relu gelu gelu_tanh silu tanh"

/* The limits keep every product of two sizes far from overflow, and a hostile file from asking for the moon. */
#define STACK(member) .name = #member, .offset = offsetof(tfm_stack_options, member)
static const field stack_fields[] = {
    {STACK(vocab_size), .kind = FIELD_COUNT, .min = 1, .max = 1 << 24},
    {STACK(n_layers), .kind = FIELD_COUNT, .max = 1024},
    {STACK(n_heads), .kind = FIELD_COUNT, .min = 1, .max = 4096},
    {STACK(n_kv_heads), .kind = FIELD_COUNT, .min = 1, .max = 4096},
    {STACK(head_dim), .kind = FIELD_COUNT, .min = 1, .max = 4096},
    {STACK(d_ff), .kind = FIELD_COUNT, .min = 1, .max = 1 << 20},
    {STACK(activation), .kind = FIELD_WORD, .words = ACTIVATIONS},
    {STACK(gated), .kind = FIELD_FLAG, .max = 1},
    {STACK(norm), .kind = FIELD_WORD, .words = "layer rms"},
    {STACK(norm_bias), .kind = FIELD_FLAG, .max = 1, .optional = true, .fallback = 1},
    {STACK(norm_placement), .kind = FIELD_WORD, .words = "post pre both"},
    {STACK(norm_eps), .kind = FIELD_FLOAT, .max = 1},
    {STACK(sublayers), .kind = FIELD_WORD, .words = "sequential parallel parallel_shared", .optional = true},
    {STACK(residual_scale), .kind = FIELD_FLOAT, .min = -1e6, .max = 1e6, .optional = true, .fallback = 1},
    {STACK(position), .kind = FIELD_WORD, .words = "none table rope alibi relative"},
    {STACK(position_offset), .kind = FIELD_COUNT, .max = 1 << 20, .optional = true},
    {STACK(max_positions), .kind = FIELD_COUNT, .min = 1, .max = 1 << 22},
    {STACK(rope_dim), .kind = FIELD_COUNT, .min = 2, .max = 4096, .optional = true},
    {STACK(rope_layout), .kind = FIELD_WORD, .words = "halves interleaved", .optional = true},
    {STACK(rope_factor), .kind = FIELD_FLOAT, .max = 1e6, .optional = true, .fallback = 1},
    {STACK(relative_buckets), .kind = FIELD_COUNT, .min = 2, .max = 1 << 16, .optional = true},
    {STACK(relative_max_distance), .kind = FIELD_COUNT, .min = 1, .max = 1 << 22, .optional = true},
    {STACK(embed_scale), .kind = FIELD_FLOAT, .min = -1e6, .max = 1e6},
    {STACK(token_types), .kind = FIELD_COUNT, .max = 1 << 16, .optional = true},
    {STACK(embed_width), .kind = FIELD_COUNT, .max = 1 << 20, .optional = true},
    {STACK(embed_norm), .kind = FIELD_FLAG, .max = 1},
    {STACK(final_norm), .kind = FIELD_FLAG, .max = 1},
    {STACK(attention_scale), .kind = FIELD_FLOAT, .max = 1e6},
    {STACK(attention_soft_cap), .kind = FIELD_FLOAT, .max = 1e6, .optional = true},
    {STACK(qk_norm), .kind = FIELD_WORD, .words = "none shared heads", .optional = true},
    {STACK(biases), .kind = FIELD_WORD, .words = "none all qkv attention ffn out_ffn"},
};
#define N_STACK_FIELDS (sizeof stack_fields / sizeof *stack_fields)
#undef STACK

/* The words of biases as bits. */
static const uint32_t bias_bits[] = {0,
                                     TFM_BIAS_QKV | TFM_BIAS_OUT | TFM_BIAS_FFN,
                                     TFM_BIAS_QKV,
                                     TFM_BIAS_QKV | TFM_BIAS_OUT,
                                     TFM_BIAS_FFN,
                                     TFM_BIAS_OUT | TFM_BIAS_FFN};

/* Arrays of a stack; unlike fields they are used where they lie. */
static const char *const stack_arrays[] = {"windows", "rope_frequencies", "alibi_slopes", NULL};

#define MODEL(key, member) .name = key, .offset = offsetof(tfm_architecture, member)
static const field model_fields[] = {
    {MODEL("d_model", d_model), .kind = FIELD_COUNT, .min = 1, .max = 1 << 20},
    {MODEL("output.scale", output_scale), .kind = FIELD_FLOAT, .min = -1e6, .max = 1e6, .optional = true,
     .fallback = 1},
    {MODEL("output.soft_cap", output_soft_cap), .kind = FIELD_FLOAT, .max = 1e6, .optional = true},
    {MODEL("head", head.kind), .kind = FIELD_WORD, .words = "none masked_lm token sequence", .optional = true},
    {MODEL("head.dense", head.dense), .kind = FIELD_FLAG, .max = 1, .optional = true},
    {MODEL("head.norm", head.norm), .kind = FIELD_FLAG, .max = 1, .optional = true},
    {MODEL("head.activation", head.activation), .kind = FIELD_WORD, .words = ACTIVATIONS, .optional = true},
    {MODEL("head.classes", head.classes), .kind = FIELD_COUNT, .min = 1, .max = 1 << 20, .optional = true},
    {MODEL("head.function", head.function), .kind = FIELD_WORD, .words = "softmax sigmoid none", .optional = true},
    {MODEL("pooler", head.pooler), .kind = FIELD_FLAG, .max = 1, .optional = true},
    {MODEL("pooling", head.pooling), .kind = FIELD_WORD, .words = "mean cls max", .optional = true},
    {MODEL("pooling.normalize", head.normalize), .kind = FIELD_FLAG, .max = 1, .optional = true},
};
#define N_MODEL_FIELDS (sizeof model_fields / sizeof *model_fields)
#undef MODEL

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
    if (status == TFM_OK) status = read_array(in, stack, stack_arrays[1], TFM_VALUE_F32S, o->rope_dim, &frequencies);
    if (status == TFM_OK) status = read_array(in, stack, stack_arrays[2], TFM_VALUE_F32S, o->n_heads, &slopes);
    if (status != TFM_OK) return status;
    o->windows = windows;
    o->rope_frequencies = frequencies;
    o->alibi_slopes = slopes;
    if ((frequencies && !all_finite(frequencies, o->rope_dim)) || (slopes && !all_finite(slopes, o->n_heads)))
        return bad_option(in, stack, "has a frequency or slope that is no number");
    return TFM_OK;
}

/* Options of one kind of positions: elsewhere they would change nothing, where somebody meant them to. */
static const struct position_option {
    const char *name;
    tfm_position_kind kind;
} position_options[] = {{"rope_dim", TFM_POSITION_ROPE},
                        {"rope_layout", TFM_POSITION_ROPE},
                        {"rope_frequencies", TFM_POSITION_ROPE},
                        {"rope_factor", TFM_POSITION_ROPE},
                        {"alibi_slopes", TFM_POSITION_ALIBI},
                        {"relative_buckets", TFM_POSITION_RELATIVE},
                        {"relative_max_distance", TFM_POSITION_RELATIVE}};

static bool has_option(const reader *in, const char *stack, const char *name) {
    char key[128];
    snprintf(key, sizeof key, "%s.%s", stack, name);
    return tfm_table_find(in->table, key) != NULL;
}

/* The first option that a stack's other options leave nothing to do for. */
static tfm_status unused_option(reader *in, const char *stack, const tfm_stack_options *o) {
    const char *unused = NULL, *why = "is not for this kind of position";
    for (size_t i = 0; !unused && i < sizeof position_options / sizeof *position_options; i++)
        if (o->position != position_options[i].kind && has_option(in, stack, position_options[i].name))
            unused = position_options[i].name;
    if (!unused && o->position != TFM_POSITION_TABLE && o->position_offset > 0) unused = "position_offset";
    if (!unused && o->norm == TFM_NORM_RMS && has_option(in, stack, "norm_bias")) {
        unused = "norm_bias";
        why = "is for layer norms";
    }
    if (!unused) return TFM_OK;
    char key[128];
    snprintf(key, sizeof key, "%s.%s", stack, unused);
    return bad_option(in, key, why);
}

/* What one option asks of others. */
static tfm_status check_stack(reader *in, const char *stack, const tfm_stack_options *o, const tfm_architecture *arch) {
    const char *why = NULL;
    bool rope = o->position == TFM_POSITION_ROPE, decoder = o == &arch->decoder;
    if (o->n_heads % o->n_kv_heads != 0)
        why = "has a number of heads that is no multiple of its key/value heads";
    else if (rope && (!o->rope_frequencies || o->rope_dim % 2 != 0 || o->rope_dim > o->head_dim))
        why = "has no rope_frequencies, or a rope_dim that is odd or larger than a head";
    else if (o->position == TFM_POSITION_ALIBI && !o->alibi_slopes)
        why = "has no alibi_slopes";
    else if (o->position == TFM_POSITION_RELATIVE && (o->relative_buckets < 4 || o->relative_max_distance == 0))
        why = "has no relative_buckets (4 at least) or relative_max_distance";
    else if (o->sublayers != TFM_SEQUENTIAL && (o->norm_placement != TFM_NORM_PRE || (decoder && arch->has_encoder)))
        why = "has parallel sublayers, which need norm_placement pre and no cross-attention";
    else if (o->residual_scale == 0.0f)
        why = "has a residual_scale of 0, which leaves nothing of its layers";
    else if (o->norm_placement == TFM_NORM_BOTH && o->residual_scale != 1.0f)
        why = "has a residual_scale together with norm_placement both";
    else if (decoder && o->token_types > 0)
        why = "has token_types, which are for encoders";
    else if (decoder && o->embed_width > 0)
        why = "has an embed_width, which is for encoders";
    else if (o->embed_width > 0 && arch->head.kind == TFM_HEAD_MASKED_LM && !arch->head.dense)
        why = "has an embed_width that no head.dense leads back to";
    else if (!decoder && o->windows)
        why = "has windows, which are for decoders";
    else if ((o->position == TFM_POSITION_ALIBI || o->position == TFM_POSITION_RELATIVE) &&
             (uint64_t)o->n_heads * o->max_positions > 1 << 26)
        why = "has more heads and max_positions than biases of scores can be kept for";
    return why ? bad_option(in, stack, why) : TFM_OK;
}

static tfm_status read_stack(reader *in, const char *stack, tfm_stack_options *o, const tfm_architecture *arch) {
    char prefix[16];
    snprintf(prefix, sizeof prefix, "%s.", stack);
    tfm_status status = TFM_OK;
    for (size_t i = 0; status == TFM_OK && i < N_STACK_FIELDS; i++)
        status = read_field(in, prefix, &stack_fields[i], o);
    if (status != TFM_OK) return status;
    o->biases = bias_bits[o->biases];
    status = read_arrays(in, stack, o);
    if (status == TFM_OK) status = check_stack(in, stack, o, arch);
    return status != TFM_OK ? status : unused_option(in, stack, o);
}

/* Options of a head that there is none of, or of another kind. */
static tfm_status unused_head_option(reader *in, const tfm_architecture *arch) {
    const tfm_head_options *head = &arch->head;
    bool encoder = arch->kind == TFM_KIND_ENCODER;
    bool classes = head->kind == TFM_HEAD_TOKEN || head->kind == TFM_HEAD_SEQUENCE;
    const struct {
        const char *key;
        bool used;
    } options[] = {{"head.dense", head->kind != TFM_HEAD_NONE},
                   {"head.norm", head->kind != TFM_HEAD_NONE},
                   {"head.activation", head->dense},
                   {"head.classes", classes},
                   {"head.function", classes},
                   {"pooling", encoder},
                   {"pooling.normalize", encoder}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (!options[i].used && tfm_table_find(in->table, options[i].key))
            return bad_option(in, options[i].key, "is of no use to this kind of model and head");
    return TFM_OK;
}

/* Prompts of encoders: names, texts, and which of them is the default. */
static tfm_status read_prompts(reader *in, tfm_architecture *arch) {
    tfm_head_options *head = &arch->head;
    const tfm_value *names = tfm_table_find(in->table, "prompts.names");
    const tfm_value *texts = tfm_table_find(in->table, "prompts.texts");
    const tfm_value *standard = tfm_table_find(in->table, "prompts.default");
    if (!names && !texts && !standard) return TFM_OK;
    if (arch->kind != TFM_KIND_ENCODER) return bad_option(in, "prompts.names", "is for encoders");
    if (!names || !texts || names->type != TFM_VALUE_STRINGS || texts->type != TFM_VALUE_STRINGS ||
        names->n != texts->n)
        return bad_option(in, "prompts.names", "is no list of one name for each of prompts.texts");
    head->prompt_names = names;
    head->prompt_texts = texts;
    if (!standard) return TFM_OK;
    head->default_prompt = standard->type == TFM_VALUE_STRING ? standard->data : "";
    return tfm_architecture_prompt(arch, head->default_prompt) ? TFM_OK
                                                               : bad_option(in, "prompts.default", "names no prompt");
}

const char *tfm_architecture_prompt(const tfm_architecture *arch, const char *name) {
    const tfm_value *names = arch->head.prompt_names;
    const char *at = names ? names->data : NULL, *text = names ? arch->head.prompt_texts->data : NULL;
    for (size_t i = 0; names && i < names->n; i++) {
        if (strcmp(at, name) == 0) return text;
        at += strlen(at) + 1;
        text += strlen(text) + 1;
    }
    return NULL;
}

/* What comes after the last layer. */
static tfm_status check_output(reader *in, tfm_architecture *arch) {
    tfm_head_options *head = &arch->head;
    bool classes = head->kind == TFM_HEAD_TOKEN || head->kind == TFM_HEAD_SEQUENCE;
    if ((head->kind != TFM_HEAD_NONE || head->pooler) && arch->kind != TFM_KIND_ENCODER)
        return bad_option(in, "head", "is for encoders");
    if (arch->output_scale == 0.0f) return bad_option(in, "output.scale", "is 0, which leaves nothing of logits");
    if (classes && head->classes == 0) return bad_option(in, "head.classes", "is missing");
    head->labels = tfm_table_find(in->table, "head.labels");
    if (head->labels && (head->labels->type != TFM_VALUE_STRINGS || !classes || head->labels->n != head->classes))
        return bad_option(in, "head.labels", "is no list of one name for each class");
    return unused_head_option(in, arch);
}

static bool known_to_stack(const char *name) {
    for (size_t i = 0; i < N_STACK_FIELDS; i++)
        if (!strcmp(name, stack_fields[i].name)) return true;
    for (size_t i = 0; stack_arrays[i]; i++)
        if (!strcmp(name, stack_arrays[i])) return true;
    return false;
}

/* The first key of the table that no field has: it would change results in a way this version does not know. */
static tfm_status unknown_key(reader *in, const tfm_architecture *arch) {
    for (size_t i = 0; i < tfm_table_count(in->table); i++) {
        const char *key = tfm_table_at(in->table, i)->key;
        bool known = !strcmp(key, "kind") || !strcmp(key, "family") || !strcmp(key, "head.labels") ||
                     !strcmp(key, "prompts.names") || !strcmp(key, "prompts.texts") || !strcmp(key, "prompts.default");
        for (size_t f = 0; !known && f < N_MODEL_FIELDS; f++) known = !strcmp(key, model_fields[f].name);
        bool stack =
            (arch->has_encoder && !strncmp(key, "encoder.", 8)) || (arch->has_decoder && !strncmp(key, "decoder.", 8));
        if (!known && !(stack && known_to_stack(key + 8))) return bad_option(in, key, "is not known to this version");
    }
    return TFM_OK;
}

tfm_status tfm_architecture_read(tfm_architecture *arch, const tfm_table *table, const char *path, tfm_error *error) {
    *arch = (tfm_architecture){.family = ""};
    reader in = {table, path, error};
    if (!table) return tfm_fail(error, TFM_ERROR_FORMAT, "%s: section architecture is missing", path);

    const tfm_value *kind = tfm_table_find(table, "kind");
    int index = kind && kind->type == TFM_VALUE_STRING
                    ? word_index("encoder-decoder encoder decoder tokenizer", kind->data)
                    : -1;
    if (index < 0) return bad_option(&in, "kind", kind ? "has a value this version does not know" : "is missing");
    arch->kind = (tfm_kind)index;
    arch->has_encoder = arch->kind == TFM_KIND_ENCODER_DECODER || arch->kind == TFM_KIND_ENCODER;
    arch->has_decoder = arch->kind == TFM_KIND_ENCODER_DECODER || arch->kind == TFM_KIND_DECODER;

    arch->family = tfm_table_string(table, "family", "");
    tfm_status status = TFM_OK;
    if (arch->kind != TFM_KIND_TOKENIZER) {
        for (size_t i = 0; status == TFM_OK && i < N_MODEL_FIELDS; i++)
            status = read_field(&in, "", &model_fields[i], arch);
        if (status == TFM_OK) status = check_output(&in, arch);
        if (status == TFM_OK) status = read_prompts(&in, arch);
    }
    if (status == TFM_OK && arch->has_encoder) status = read_stack(&in, "encoder", &arch->encoder, arch);
    if (status == TFM_OK && arch->has_decoder) status = read_stack(&in, "decoder", &arch->decoder, arch);
    return status != TFM_OK ? status : unknown_key(&in, arch);
}
