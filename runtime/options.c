/*
 * options.c - reading the architecture section.
 */
#include "options.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../format/model_file.h"

/* How an option is stored and what it may be. */
typedef enum field_kind { FIELD_COUNT, FIELD_FLAG, FIELD_FLOAT, FIELD_WORD } field_kind;

typedef struct field {
    const char *name;
    field_kind kind;
    size_t offset;
    double min, max;   /* of numbers; counts below min and above max are refused */
    const char *words; /* FIELD_WORD: the words in order of their values, separated by spaces */
    bool optional;     /* missing: 0 */
} field;

#define AT(member) offsetof(tfm_stack_options, member)

/* The limits keep every product of two sizes far from overflow, and a hostile file from asking for the moon. */
static const field stack_fields[] = {
    {"vocab_size", FIELD_COUNT, AT(vocab_size), 1, 1 << 24, NULL, false},
    {"n_layers", FIELD_COUNT, AT(n_layers), 0, 1024, NULL, false},
    {"n_heads", FIELD_COUNT, AT(n_heads), 1, 4096, NULL, false},
    {"n_kv_heads", FIELD_COUNT, AT(n_kv_heads), 1, 4096, NULL, false},
    {"head_dim", FIELD_COUNT, AT(head_dim), 1, 4096, NULL, false},
    {"d_ff", FIELD_COUNT, AT(d_ff), 1, 1 << 20, NULL, false},
    {"activation", FIELD_WORD, AT(activation), 0, 0, "none relu gelu gelu_tanh silu tanh", false},
    {"gated", FIELD_FLAG, AT(gated), 0, 1, NULL, false},
    {"norm", FIELD_WORD, AT(norm), 0, 0, "layer rms", false},
    {"norm_placement", FIELD_WORD, AT(norm_placement), 0, 0, "post pre", false},
    {"norm_eps", FIELD_FLOAT, AT(norm_eps), 0, 1, NULL, false},
    {"position", FIELD_WORD, AT(position), 0, 0, "none table", false},
    {"position_offset", FIELD_COUNT, AT(position_offset), 0, 1 << 20, NULL, true},
    {"max_positions", FIELD_COUNT, AT(max_positions), 1, 1 << 22, NULL, false},
    {"embed_scale", FIELD_FLOAT, AT(embed_scale), -1e6, 1e6, NULL, false},
    {"embed_norm", FIELD_FLAG, AT(embed_norm), 0, 1, NULL, false},
    {"final_norm", FIELD_FLAG, AT(final_norm), 0, 1, NULL, false},
    {"attention_scale", FIELD_FLOAT, AT(attention_scale), 0, 1e6, NULL, false},
    {"biases", FIELD_WORD, AT(biases), 0, 0, "none all", false},
};
#define N_STACK_FIELDS (sizeof stack_fields / sizeof *stack_fields)

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

static tfm_status read_field(reader *in, const char *stack, const field *f, tfm_stack_options *options) {
    char key[128];
    snprintf(key, sizeof key, "%s.%s", stack, f->name);
    void *out = (char *)options + f->offset;
    const tfm_value *value = tfm_table_find(in->table, key);
    if (!value) {
        memset(out, 0, 4);
        return f->optional ? TFM_OK : bad_option(in, key, "is missing");
    }
    if (f->kind != FIELD_WORD) return read_number(in, key, f, value, out);
    int index = value->type == TFM_VALUE_STRING ? word_index(f->words, value->data) : -1;
    if (index < 0) return bad_option(in, key, "has a value this version does not know");
    *(uint32_t *)out = (uint32_t)index;
    return TFM_OK;
}

static tfm_status read_stack(reader *in, const char *stack, tfm_stack_options *options) {
    for (size_t i = 0; i < N_STACK_FIELDS; i++) {
        tfm_status status = read_field(in, stack, &stack_fields[i], options);
        if (status) return status;
    }
    if (options->n_heads % options->n_kv_heads != 0)
        return bad_option(in, stack, "has a number of heads that is no multiple of its key/value heads");
    return TFM_OK;
}

/* The first key of the table that no field has: it would change results in a way this version does not know. */
static tfm_status unknown_key(reader *in, const tfm_options *options) {
    for (size_t i = 0; i < tfm_table_count(in->table); i++) {
        const char *key = tfm_table_at(in->table, i)->key;
        const char *dot = strchr(key, '.');
        bool known = !strcmp(key, "kind") || !strcmp(key, "family") || !strcmp(key, "d_model");
        size_t length = dot ? (size_t)(dot - key) : 0;
        bool stack = length == 7 && ((options->has_encoder && !memcmp(key, "encoder", 7)) ||
                                     (options->has_decoder && !memcmp(key, "decoder", 7)));
        for (size_t f = 0; stack && f < N_STACK_FIELDS; f++) known |= !strcmp(dot + 1, stack_fields[f].name);
        if (!known) return bad_option(in, key, "is not known to this version");
    }
    return TFM_OK;
}

tfm_status tfm_options_read(tfm_options *options, const tfm_table *table, const char *path, tfm_error *error) {
    *options = (tfm_options){.family = ""};
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
    if (options->kind != TFM_KIND_TOKENIZER) {
        const field f = {"d_model", FIELD_COUNT, 0, 1, 1 << 20, NULL, false};
        const tfm_value *value = tfm_table_find(table, f.name);
        if (!value) return bad_option(&in, f.name, "is missing");
        tfm_status status = read_number(&in, f.name, &f, value, &options->d_model);
        if (status) return status;
    }
    tfm_status status = TFM_OK;
    if (options->has_encoder) status = read_stack(&in, "encoder", &options->encoder);
    if (!status && options->has_decoder) status = read_stack(&in, "decoder", &options->decoder);
    return status ? status : unknown_key(&in, options);
}
