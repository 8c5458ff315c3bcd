/*
 * weights.c - binding the tensors of a file to the places of the executor, by the names of docs/model-contents.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

typedef struct binder {
    tfm_model *model;
    tfm_error *error;
    tfm_weight_group *group; /* where bound tensors are noted */
    bool *bound;             /* by index in the file */
} binder;

static tfm_status refuse(binder *b, const char *name, const char *why) {
    return tfm_fail(b->error, TFM_ERROR_FORMAT, "%s: tensor %s %s", tfm_file_path(b->model->file), name, why);
}

static const char *join(char name[TFM_NAME_MAX + 1], const char *prefix, const char *rest) {
    if ((size_t)snprintf(name, TFM_NAME_MAX + 1, "%s%s", prefix, rest) > TFM_NAME_MAX) name[0] = '\0';
    return name;
}

static void note(binder *b, const tfm_tensor *tensor) {
    size_t index = (size_t)(tensor - tfm_file_tensor_at(b->model->file, 0));
    b->bound[index] = true;
    b->group->tensors[b->group->n++] = tensor;
}

static tfm_status check_shape(binder *b, const tfm_tensor *tensor, uint64_t n, uint64_t k) {
    uint64_t columns = tensor->rank == 2 ? tensor->shape[1] : 1;
    if (tensor->rank != (k ? 2 : 1) || tensor->shape[0] != n || (k && columns != k)) {
        return tfm_fail(b->error, TFM_ERROR_FORMAT,
                        "%s: tensor %s has shape (%llu, %llu) where the options ask for (%llu, %llu)",
                        tfm_file_path(b->model->file), tensor->name, (unsigned long long)tensor->shape[0],
                        (unsigned long long)columns, (unsigned long long)n, (unsigned long long)(k ? k : 1));
    }
    return TFM_OK;
}

/* A vector (n) or table (n, k) of f32 rows; k = 0 for a vector. */
static tfm_status bind_floats(binder *b, const char *name, uint64_t n, uint64_t k, const float **out) {
    const tfm_tensor *tensor = tfm_file_tensor(b->model->file, name);
    if (!tensor) return refuse(b, name, "is missing");
    if (tensor->dtype != TFM_F32 || tensor->layout != TFM_LAYOUT_ROWS) return refuse(b, name, "must be f32 in rows");
    tfm_status status = check_shape(b, tensor, n, k);
    if (status != TFM_OK) return status;
    *out = tensor->data;
    note(b, tensor);
    return TFM_OK;
}

static tfm_status bind_matrix(binder *b, const char *name, uint64_t n, uint64_t k, tfm_matrix *out,
                              tfm_layout *layout) {
    const tfm_tensor *tensor = tfm_file_tensor(b->model->file, name);
    if (!tensor) return refuse(b, name, "is missing");
    if (!layout && tensor->layout != TFM_LAYOUT_PANELS) return refuse(b, name, "must be in panel layout");
    tfm_status status = check_shape(b, tensor, n, k);
    if (status != TFM_OK) return status;
    *out = (tfm_matrix){tensor->data, tensor->dtype, n, k};
    if (layout) *layout = tensor->layout;
    note(b, tensor);
    return TFM_OK;
}

static tfm_status bind_linear(binder *b, const char *prefix, const char *rest, uint64_t n, uint64_t k, bool bias,
                              tfm_linear *out) {
    char stem[TFM_NAME_MAX + 1], name[TFM_NAME_MAX + 1];
    join(stem, prefix, rest);
    tfm_status status = bind_matrix(b, join(name, stem, ".weight"), n, k, &out->w, NULL);
    if (status == TFM_OK && bias) status = bind_floats(b, join(name, stem, ".bias"), n, 0, &out->bias);
    return status;
}

static tfm_status bind_norm_of(binder *b, const tfm_stack_options *o, const char *prefix, const char *rest, uint32_t n,
                               tfm_norm *out) {
    char stem[TFM_NAME_MAX + 1], name[TFM_NAME_MAX + 1];
    join(stem, prefix, rest);
    out->n = n;
    tfm_status status = bind_floats(b, join(name, stem, ".weight"), n, 0, &out->weight);
    if (status == TFM_OK && o->norm == TFM_NORM_LAYER && o->norm_bias)
        status = bind_floats(b, join(name, stem, ".bias"), n, 0, &out->bias);
    return status;
}

static tfm_status bind_norm(binder *b, const tfm_stack_options *o, const char *prefix, const char *rest,
                            tfm_norm *out) {
    return bind_norm_of(b, o, prefix, rest, b->model->arch.d_model, out);
}

/* The norm of queries or keys: one weight for all heads or one for each. */
static tfm_status bind_head_norm(binder *b, const tfm_stack_options *o, const char *prefix, const char *rest,
                                 uint64_t n_heads, tfm_norm *out) {
    char stem[TFM_NAME_MAX + 1], name[TFM_NAME_MAX + 1];
    bool heads = o->qk_norm == TFM_QK_NORM_HEADS;
    uint64_t n = heads ? n_heads : o->head_dim, k = heads ? o->head_dim : 0;
    join(stem, prefix, rest);
    tfm_status status = bind_floats(b, join(name, stem, ".weight"), n, k, &out->weight);
    join(name, stem, ".bias");
    if (status == TFM_OK && o->norm == TFM_NORM_LAYER && tfm_file_tensor(b->model->file, name))
        status = bind_floats(b, name, n, k, &out->bias);
    return status;
}

static tfm_status bind_attention(binder *b, const char *prefix, const tfm_stack_options *o,
                                 tfm_attention_sublayer *attention) {
    uint64_t d = b->model->arch.d_model, q = (uint64_t)o->n_heads * o->head_dim;
    uint64_t kv = (uint64_t)o->n_kv_heads * o->head_dim;
    tfm_status status =
        bind_linear(b, prefix, "attention.qkv", q + 2 * kv, d, o->biases & TFM_BIAS_QKV, &attention->qkv);
    if (status == TFM_OK)
        status = bind_linear(b, prefix, "attention.out", d, q, o->biases & TFM_BIAS_OUT, &attention->out);
    if (status == TFM_OK) status = bind_norm(b, o, prefix, "attention.norm", &attention->norm);
    if (status == TFM_OK && o->norm_placement == TFM_NORM_BOTH)
        status = bind_norm(b, o, prefix, "attention.post_norm", &attention->post_norm);
    if (status == TFM_OK && o->qk_norm)
        status = bind_head_norm(b, o, prefix, "attention.q_norm", o->n_heads, &attention->q_norm);
    if (status == TFM_OK && o->qk_norm)
        status = bind_head_norm(b, o, prefix, "attention.k_norm", o->n_kv_heads, &attention->k_norm);
    return status;
}

static tfm_status bind_cross(binder *b, const char *prefix, const tfm_stack_options *o, tfm_cross_sublayer *cross) {
    uint64_t d = b->model->arch.d_model, q = (uint64_t)o->n_heads * o->head_dim;
    tfm_status status = bind_linear(b, prefix, "cross.q", q, d, o->biases & TFM_BIAS_QKV, &cross->q);
    if (status == TFM_OK) status = bind_linear(b, prefix, "cross.kv", 2 * q, d, o->biases & TFM_BIAS_QKV, &cross->kv);
    if (status == TFM_OK) status = bind_linear(b, prefix, "cross.out", d, q, o->biases & TFM_BIAS_OUT, &cross->out);
    if (status == TFM_OK) status = bind_norm(b, o, prefix, "cross.norm", &cross->norm);
    if (status == TFM_OK && o->norm_placement == TFM_NORM_BOTH)
        status = bind_norm(b, o, prefix, "cross.post_norm", &cross->post_norm);
    return status;
}

static tfm_status bind_ffn(binder *b, const char *prefix, const tfm_stack_options *o, tfm_ffn_sublayer *ffn) {
    uint64_t d = b->model->arch.d_model;
    bool bias = o->biases & TFM_BIAS_FFN;
    tfm_status status = bind_linear(b, prefix, "ffn.up", o->d_ff, d, bias, &ffn->up);
    if (status == TFM_OK && o->gated) status = bind_linear(b, prefix, "ffn.gate", o->d_ff, d, bias, &ffn->gate);
    if (status == TFM_OK) status = bind_linear(b, prefix, "ffn.down", d, o->d_ff, bias, &ffn->down);
    if (status == TFM_OK && o->sublayers != TFM_PARALLEL_SHARED)
        status = bind_norm(b, o, prefix, "ffn.norm", &ffn->norm);
    if (status == TFM_OK && o->norm_placement == TFM_NORM_BOTH)
        status = bind_norm(b, o, prefix, "ffn.post_norm", &ffn->post_norm);
    return status;
}

static tfm_status bind_layer(binder *b, const char *stack_name, const tfm_stack *stack, uint32_t index,
                             tfm_layer *layer) {
    char prefix[32];
    snprintf(prefix, sizeof prefix, "%s.%u.", stack_name, index);
    b->group = &layer->group;
    tfm_status status = bind_attention(b, prefix, stack->options, &layer->attention);
    if (status == TFM_OK && stack->cross) status = bind_cross(b, prefix, stack->options, &layer->cross);
    return status != TFM_OK ? status : bind_ffn(b, prefix, stack->options, &layer->ffn);
}

/* The name of a tensor that a stack may have for itself, else the one that stacks share. */
static const char *own_or_shared(binder *b, char name[TFM_NAME_MAX + 1], const char *stack_name, const char *shared) {
    char prefix[32];
    snprintf(prefix, sizeof prefix, "%s.", stack_name);
    return tfm_file_tensor(b->model->file, join(name, prefix, shared)) ? name : shared;
}

/* What becomes the first layer's input; embeddings may be narrower or wider than that (ELECTRA). */
static tfm_status bind_embeddings(binder *b, const char *stack_name, tfm_stack *stack) {
    const tfm_stack_options *o = stack->options;
    const uint32_t d = b->model->arch.d_model, width = o->embed_width ? o->embed_width : d;
    char name[TFM_NAME_MAX + 1], prefix[32];
    snprintf(prefix, sizeof prefix, "%s.", stack_name);
    tfm_status status = bind_matrix(b, own_or_shared(b, name, stack_name, "embed"), o->vocab_size, width, &stack->embed,
                                    &stack->embed_layout);
    if (status == TFM_OK && o->position == TFM_POSITION_TABLE)
        status = bind_floats(b, own_or_shared(b, name, stack_name, "position"),
                             (uint64_t)o->max_positions + o->position_offset, width, &stack->position);
    if (status == TFM_OK && o->token_types)
        status = bind_floats(b, join(name, prefix, "token_type"), o->token_types, width, &stack->token_type);
    if (status == TFM_OK && o->embed_norm) status = bind_norm_of(b, o, prefix, "embed_norm", width, &stack->embed_norm);
    if (status == TFM_OK && o->embed_width)
        status = bind_linear(b, prefix, "embed_projection", d, width, true, &stack->embed_projection);
    return status;
}

static tfm_status bind_stack(binder *b, const char *stack_name, const tfm_stack_options *o, bool cross,
                             tfm_stack *stack) {
    char name[TFM_NAME_MAX + 1], prefix[32];
    snprintf(prefix, sizeof prefix, "%s.", stack_name);
    stack->options = o;
    stack->cross = cross;
    stack->layers = calloc(o->n_layers ? o->n_layers : 1, sizeof *stack->layers);
    if (!stack->layers) return tfm_no_memory(b->error, "%s", tfm_file_path(b->model->file));

    b->group = &stack->group;
    tfm_status status = bind_embeddings(b, stack_name, stack);
    if (status == TFM_OK && o->position == TFM_POSITION_RELATIVE)
        status = bind_floats(b, join(name, prefix, "relative"), o->relative_buckets, o->n_heads, &stack->relative);
    if (status == TFM_OK && o->final_norm) status = bind_norm(b, o, prefix, "norm", &stack->final_norm);
    for (uint32_t i = 0; status == TFM_OK && i < o->n_layers; i++)
        status = bind_layer(b, stack_name, stack, i, &stack->layers[i]);
    return status;
}

/* The vocabulary projection of a stack: a tensor of its own, or the stack's embedding; or that of a classifier. */
static tfm_status bind_output(binder *b, const tfm_stack *stack, uint64_t rows, uint64_t k, bool may_tie) {
    tfm_model *model = b->model;
    b->group = &model->output_group;
    if (tfm_file_tensor(model->file, "output.bias")) {
        tfm_status status = bind_floats(b, "output.bias", rows, 0, &model->output.bias);
        if (status != TFM_OK) return status;
    }
    if (!may_tie || tfm_file_tensor(model->file, "output.weight"))
        return bind_matrix(b, "output.weight", rows, k, &model->output.w, NULL);
    if (stack->embed_layout != TFM_LAYOUT_PANELS)
        return refuse(b, "embed", "serves as vocabulary projection and must be in panel layout");
    model->output.w = stack->embed;
    return TFM_OK;
}

/* What an encoder has after its last layer; words are projected from rows as wide as their embeddings. */
static tfm_status bind_head(binder *b) {
    tfm_model *model = b->model;
    const tfm_head_options *head = &model->arch.head;
    const bool words = head->kind == TFM_HEAD_MASKED_LM;
    const uint32_t d = model->arch.d_model, embed_width = model->arch.encoder.embed_width;
    const uint32_t width = words && embed_width ? embed_width : d;
    b->group = &model->output_group;
    tfm_status status = TFM_OK;
    if (head->pooler) status = bind_linear(b, "", "pooler", d, d, true, &model->pooler);
    if (head->kind == TFM_HEAD_NONE) return status;
    if (status == TFM_OK && head->dense) status = bind_linear(b, "", "head.dense", width, d, true, &model->head_dense);
    if (status == TFM_OK && head->norm)
        status = bind_norm_of(b, &model->arch.encoder, "", "head.norm", width, &model->head_norm);
    uint64_t rows = words ? model->arch.encoder.vocab_size : head->classes;
    return status != TFM_OK ? status : bind_output(b, &model->encoder, rows, width, words);
}

static tfm_status bind_all(binder *b) {
    tfm_model *model = b->model;
    const tfm_architecture *arch = &model->arch;
    tfm_status status = TFM_OK;
    if (arch->has_encoder) status = bind_stack(b, "encoder", &arch->encoder, false, &model->encoder);
    if (status == TFM_OK && arch->has_decoder)
        status = bind_stack(b, "decoder", &arch->decoder, arch->has_encoder, &model->decoder);
    if (status == TFM_OK && arch->has_decoder)
        status = bind_output(b, &model->decoder, arch->decoder.vocab_size, arch->d_model, true);
    if (status == TFM_OK && !arch->has_decoder) status = bind_head(b);
    for (size_t i = 0; status == TFM_OK && i < tfm_file_tensor_count(model->file); i++)
        if (!b->bound[i])
            status = refuse(b, tfm_file_tensor_at(model->file, i)->name, "is not asked for by the options");
    return status;
}

tfm_status tfm_weights_bind(tfm_model *model, tfm_error *error) {
    size_t n = tfm_file_tensor_count(model->file);
    binder b = {.model = model, .error = error, .bound = calloc(n ? n : 1, sizeof(bool))};
    if (!b.bound) return tfm_no_memory(error, "%s", tfm_file_path(model->file));
    tfm_status status = bind_all(&b);
    free(b.bound);
    return status;
}

/* Position tables that tfmpack computed are no parameters of the checkpoint; section origin does not have them. */
static uint64_t element_count(const tfm_tensor *tensor) {
    uint64_t count = 1;
    for (uint32_t j = 0; j < tensor->rank; j++) count *= tensor->shape[j];
    return count;
}

const char *tfm_weights_dtype(const tfm_file *file) {
    uint64_t counts[TFM_DTYPE_COUNT] = {0};
    size_t best = 0;
    for (size_t i = 0; i < tfm_file_tensor_count(file); i++) {
        const tfm_tensor *tensor = tfm_file_tensor_at(file, i);
        counts[tensor->dtype] += element_count(tensor);
    }
    for (size_t i = 1; i < TFM_DTYPE_COUNT; i++)
        if (counts[i] > counts[best]) best = i;
    return counts[best] ? tfm_dtype_name((tfm_dtype)best) : "";
}

uint64_t tfm_weights_count(const tfm_file *file) {
    const tfm_table *origin = tfm_file_table(file, "origin");
    uint64_t n_parameters = 0;
    for (size_t i = 0; i < tfm_file_tensor_count(file); i++) {
        const tfm_tensor *tensor = tfm_file_tensor_at(file, i);
        if (origin && !tfm_table_find(origin, tensor->name)) continue;
        n_parameters += element_count(tensor);
    }
    return n_parameters;
}

void tfm_weights_release(tfm_model *model) {
    free(model->encoder.layers);
    free(model->decoder.layers);
}
