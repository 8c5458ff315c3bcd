/* bert_like.c - imports encoders in the manner of BERT; see bert_like.h. */
#include "bert_like.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pack/families/sentence_transformers.h"

const tfm_bert_keys tfm_bert_keys_of_bert = {
    .d_model = "hidden_size",
    .n_layers = "num_hidden_layers",
    .n_heads = "num_attention_heads",
    .d_ff = "intermediate_size",
    .activation = "hidden_act",
    .norm_eps = "layer_norm_eps",
};

const tfm_layer_names tfm_layer_names_of_bert = {
    .query = "attention.self.query",
    .key = "attention.self.key",
    .value = "attention.self.value",
    .out = "attention.output.dense",
    .norm = "attention.output.LayerNorm",
    .up = "intermediate.dense",
    .down = "output.dense",
    .ffn_norm = "output.LayerNorm",
};

typedef struct import {
    tfm_family family;
    const tfm_bert_like *like;
    const char *prefix; /* of the body's tensors, or "" */
    bool tied, has_pooler, unused_pooler;
    uint64_t token_types, classes, embed_width;
    const tfm_bert_head *head; /* NULL: none */
    const char *cross_encoder; /* the function of scores that sentence-transformers wrote down, or NULL */
    tfm_family_stack stack;
} import;

/* ---- configuration ---- */

/*
 * CrossEncoder of sentence-transformers keeps a class of PyTorch for its scores, first under one key and since its
 * version 4 under another.
 */
static const char *read_cross_encoder(tfm_config *config) {
    static const char *const functions[][2] = {{"torch.nn.modules.linear.Identity", "none"},
                                               {"torch.nn.modules.activation.Sigmoid", "sigmoid"}};
    tfm_config newer = tfm_config_within(config, "sentence_transformers");
    const char *older = tfm_config_string(config, "sbert_ce_default_activation_function", NULL);
    const char *class = tfm_config_string(&newer, "activation_fn", older);
    for (size_t i = 0; class && i < sizeof functions / sizeof *functions; i++)
        if (strcmp(class, functions[i][0]) == 0) return functions[i][1];
    if (config->status == TFM_OK) config->status = newer.status;
    if (class && class != older)
        tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, "sentence_transformers.activation_fn",
                        tfm_name_format("'%.80s' is not supported", class).text);
    else if (class)
        tfm_config_unsupported(config, "sbert_ce_default_activation_function");
    return NULL;
}

static uint64_t value_or(uint64_t value, uint64_t otherwise) { return value ? value : otherwise; }

static tfm_status read_config(import *m, tfm_error *error) {
    const tfm_bert_like *like = m->like;
    const tfm_bert_keys *keys = like->keys;
    tfm_config config = tfm_checkpoint_read_config(m->family.checkpoint, error);
    const uint64_t d = m->family.d_model =
        tfm_config_u64(&config, keys->d_model, 1, 1 << 20, value_or(like->defaults.d_model, 768));
    tfm_family_stack stack = {.name = "encoder",
                              .activation = tfm_family_activation(&config, keys->activation, "gelu"),
                              .norm = "layer",
                              .norm_placement = "post",
                              .position = "table",
                              .biases = "all",
                              .embed_norm = true,
                              .norm_eps = 1e-12,
                              .embed_scale = 1.0};
    if (keys->norm_eps) stack.norm_eps = tfm_config_real(&config, keys->norm_eps, 0, 1, 1e-12);
    stack.vocab_size = tfm_config_u64(&config, "vocab_size", 1, 1 << 24, like->defaults.vocab_size);
    stack.n_layers = tfm_config_u64(&config, keys->n_layers, 0, 1024, like->defaults.n_layers);
    stack.n_heads = stack.n_kv_heads =
        tfm_config_u64(&config, keys->n_heads, 1, 4096, value_or(like->defaults.n_heads, 12));
    stack.d_ff = tfm_config_u64(&config, keys->d_ff, 1, 1 << 20, value_or(like->defaults.d_ff, 3072));
    stack.max_positions = tfm_config_u64(&config, "max_position_embeddings", 1, 1 << 22, 512);
    if (like->positions_after_padding)
        stack.position_offset = tfm_config_u64(&config, "pad_token_id", 0, 1 << 19, like->defaults.pad) + 1;
    if (like->token_types)
        m->token_types = tfm_config_u64(&config, "type_vocab_size", 1, 1 << 16, like->defaults.token_types);
    m->tied = tfm_config_bool(&config, "tie_word_embeddings", true);
    if (d % stack.n_heads != 0 || d / stack.n_heads > 4096)
        tfm_config_fail(&config, TFM_ERROR_FORMAT, keys->n_heads, "does not divide the width, or not enough");
    if (stack.max_positions <= stack.position_offset)
        tfm_config_fail(&config, TFM_ERROR_FORMAT, "max_position_embeddings", "leaves no position");
    if (strcmp(tfm_config_string(&config, "position_embedding_type", "absolute"), "absolute") != 0)
        tfm_config_fail(&config, TFM_ERROR_UNSUPPORTED, "position_embedding_type", "is not \"absolute\"");
    if (tfm_config_bool(&config, "is_decoder", false))
        tfm_config_fail(&config, TFM_ERROR_UNSUPPORTED, "is_decoder", "is not supported");
    m->embed_width = tfm_config_u64(&config, "embedding_size", 1, 1 << 20, value_or(like->defaults.embed_width, d));
    if (m->embed_width != d && !like->embed_projection)
        tfm_config_fail(&config, TFM_ERROR_UNSUPPORTED, "embedding_size", "differs from the width of the layers");
    stack.head_dim = d / stack.n_heads;
    stack.attention_scale = 1.0 / sqrt((double)stack.head_dim);
    stack.max_positions -= stack.position_offset;
    m->stack = stack;
    m->cross_encoder = read_cross_encoder(&config);
    return config.status;
}

/* ---- heads ---- */

static const tfm_checkpoint_tensor *find(const import *m, const char *name, const char *kind) {
    return tfm_checkpoint_find(m->family.checkpoint, tfm_name_format("%s%s", name, kind).text);
}

/* Whether one of the words is in the class's name; a checkpoint that names no class passes. */
static bool is_class(const import *m, const char *words) {
    const json_t *list = json_object_get(tfm_checkpoint_config(m->family.checkpoint), "architectures");
    const char *class = json_string_value(json_array_get(list, 0));
    char word[64];
    for (int n = 0; class && words && sscanf(words, "%63s%n", word, &n) == 1; words += n)
        if (strstr(class, word)) return true;
    return !class || !words;
}

static bool is_masked_lm(const tfm_bert_head *head) { return strcmp(head->kind, "masked_lm") == 0; }

static void find_head(import *m) {
    for (const tfm_bert_head *head = m->like->heads; head && head->kind; head++) {
        bool there =
            is_masked_lm(head) ? find(m, head->bias, "") != NULL : find(m, head->projection, ".weight") != NULL;
        if (!there || !is_class(m, head->architectures)) continue;
        m->head = head;
        m->classes = is_masked_lm(head) ? 0 : find(m, head->projection, ".weight")->shape[0];
        break;
    }
    m->has_pooler = m->like->pooler && find(m, tfm_name_format("%s%s", m->prefix, m->like->pooler).text, ".weight");
    /* In the model file a pooler stands before the head of sequences; one that is only left over from pre-training
     * must not. */
    m->unused_pooler = m->has_pooler && m->head && strcmp(m->head->kind, "sequence") == 0 && !m->head->pooled;
    if (m->unused_pooler) m->has_pooler = false;
}

/* The name of class i in id2label, or NULL; transformers writes the numbers as keys. */
static const char *label_of(const json_t *config, uint64_t i) {
    char key[24];
    snprintf(key, sizeof key, "%llu", (unsigned long long)i);
    return json_string_value(json_object_get(json_object_get(config, "id2label"), key));
}

static tfm_status set_labels(const import *m, tfm_table_builder *table, tfm_error *error) {
    const json_t *config = tfm_checkpoint_config(m->family.checkpoint);
    const uint64_t n = m->classes;
    size_t n_named = json_object_size(json_object_get(config, "id2label"));
    if (n_named > 0 && n_named != n && !m->head->labels)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s/config.json: id2label has %zu labels, the classifier %llu classes",
                        tfm_checkpoint_path(m->family.checkpoint), n_named, (unsigned long long)n);
    tfm_name *own = calloc(n, sizeof *own);
    const char **labels = calloc(n, sizeof *labels), *words = m->head->labels;
    for (uint64_t i = 0; own && labels && i < n; i++) {
        int used = 0;
        labels[i] = words ? NULL : label_of(config, i);
        if (words && sscanf(words, "%199s%n", own[i].text, &used) == 1) words += used;
        if (!own[i].text[0]) own[i] = tfm_name_format("LABEL_%llu", (unsigned long long)i);
        if (!labels[i]) labels[i] = own[i].text;
    }
    bool ok = own && labels;
    if (ok) tfm_table_set_strings(table, "head.labels", labels, n);
    free(own);
    free(labels);
    return ok ? TFM_OK : tfm_no_memory(error, "%s", tfm_checkpoint_path(m->family.checkpoint));
}

/* As CrossEncoder or the pipelines of transformers choose it; heads with words of their own for classes have no say in
 * config.json. */
static const char *score_function(const import *m) {
    const char *problem =
        json_string_value(json_object_get(tfm_checkpoint_config(m->family.checkpoint), "problem_type"));
    if (m->head->function) return m->head->function;
    if (strcmp(m->head->kind, "sequence") != 0) return "softmax";
    if (m->cross_encoder) return m->cross_encoder;
    if (problem && strcmp(problem, "regression") == 0) return "none";
    return m->classes == 1 || (problem && strcmp(problem, "multi_label_classification") == 0) ? "sigmoid" : "softmax";
}

static tfm_status set_head(const import *m, tfm_table_builder *table, tfm_error *error) {
    const tfm_bert_head *head = m->head;
    if (m->has_pooler) tfm_table_set_u64(table, "pooler", 1);
    if (!head) return TFM_OK;
    tfm_table_set_string(table, "head", head->kind);
    if (head->dense) {
        tfm_table_set_u64(table, "head.dense", 1);
        tfm_table_set_string(table, "head.activation", head->activation ? head->activation : m->stack.activation);
    }
    if (head->norm) tfm_table_set_u64(table, "head.norm", 1);
    if (is_masked_lm(head)) return TFM_OK;
    tfm_table_set_u64(table, "head.classes", m->classes);
    tfm_table_set_string(table, "head.function", score_function(m));
    return set_labels(m, table, error);
}

static tfm_status write_architecture(const import *m, tfm_writer *writer, tfm_error *error) {
    tfm_table_builder *table = tfm_family_architecture(&m->family, "encoder", error);
    if (!table) return TFM_ERROR_MEMORY;
    tfm_family_set_stack(table, &m->stack);
    if (m->token_types) tfm_family_set_u64(table, "encoder", "token_types", m->token_types);
    if (m->embed_width != m->family.d_model) tfm_family_set_u64(table, "encoder", "embed_width", m->embed_width);
    tfm_status status = set_head(m, table, error);
    if (status == TFM_OK)
        status = tfm_sentence_transformers_set(m->family.checkpoint, m->stack.max_positions, table, m->family.options,
                                               error);
    return tfm_family_write_architecture(&table, status, writer, error);
}

/* ---- tensors ---- */

/* The family where rows are as wide as embeddings, for their planning. */
static tfm_family of_embeddings(const import *m) {
    tfm_family family = m->family;
    family.d_model = m->embed_width;
    return family;
}

static tfm_status plan_embeddings(import *m, tfm_error *error) {
    const tfm_name prefix = tfm_name_format("%sembeddings.", m->prefix);
    const tfm_family family = of_embeddings(m);
    const bool masked_lm = m->head && is_masked_lm(m->head);
    tfm_name names[2] = {tfm_name_format("%sword_embeddings.weight", prefix.text)};
    size_t n = 1;
    if (masked_lm) names[1] = tfm_name_format("%s.weight", m->head->projection);
    if (masked_lm && m->tied && tfm_checkpoint_find(m->family.checkpoint, names[1].text)) n = 2;
    tfm_status status = tfm_family_embedding(&family, "embed", names, n, m->stack.vocab_size, error);
    if (status == TFM_OK && masked_lm && !m->tied)
        status = tfm_family_embedding(&family, "output.weight", &names[1], 1, m->stack.vocab_size, error);
    tfm_plan_rows(m->family.plan, "position", tfm_name_format("%sposition_embeddings.weight", prefix.text).text,
                  m->stack.max_positions + m->stack.position_offset, m->embed_width);
    if (m->token_types)
        tfm_plan_rows(m->family.plan, "encoder.token_type",
                      tfm_name_format("%stoken_type_embeddings.weight", prefix.text).text, m->token_types,
                      m->embed_width);
    tfm_family_norm(&family, "encoder.embed_norm", prefix.text, "LayerNorm", true);
    if (m->embed_width != m->family.d_model)
        tfm_family_linear(&family, "encoder.embed_projection", m->prefix, 1, &m->like->embed_projection,
                          &m->family.d_model, m->embed_width, true);
    return status;
}

/* The bias of a masked-LM head may be stored a second time beside the projection. */
static tfm_status plan_masked_lm_bias(import *m, tfm_error *error) {
    const tfm_name second = tfm_name_format("%s.bias", m->head->projection);
    const tfm_checkpoint_tensor *a = find(m, m->head->bias, ""),
                                *b = tfm_checkpoint_find(m->family.checkpoint, second.text);
    tfm_plan_vector(m->family.plan, "output.bias", 1, &m->head->bias, &m->stack.vocab_size);
    if (!a || !b || a == b) return TFM_OK;
    bool equal;
    tfm_status status = tfm_checkpoint_equal(m->family.checkpoint, a, b, &equal, error);
    if (status == TFM_OK && equal) tfm_plan_alias(m->family.plan, second.text);
    return status; /* another bias is reported as not expected */
}

static tfm_status plan_head(import *m, tfm_error *error) {
    const tfm_bert_head *head = m->head;
    const uint64_t d = m->family.d_model;
    if (m->has_pooler) tfm_family_linear(&m->family, "pooler", m->prefix, 1, &m->like->pooler, &d, d, true);
    if (!head) return TFM_OK;
    if (head->pooled && !m->has_pooler)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: tensors do not fit the model: 1 missing: %s%s.weight",
                        tfm_checkpoint_path(m->family.checkpoint), m->prefix, m->like->pooler);
    /* Words are projected from rows as wide as their embeddings. */
    const tfm_family family = is_masked_lm(head) ? of_embeddings(m) : m->family;
    if (head->dense) tfm_family_linear(&family, "head.dense", "", 1, &head->dense, &family.d_model, d, true);
    if (head->norm) tfm_family_norm(&family, "head.norm", "", head->norm, true);
    if (is_masked_lm(head)) return plan_masked_lm_bias(m, error);
    tfm_plan_embedding(m->family.plan, "output.weight", tfm_name_format("%s.weight", head->projection).text, m->classes,
                       d);
    const tfm_name bias = tfm_name_format("%s.bias", head->projection);
    const char *text = bias.text;
    tfm_plan_vector(m->family.plan, "output.bias", 1, &text, &m->classes);
    return TFM_OK;
}

static void leave_out_tensor(import *m, const char *name) {
    if (!tfm_checkpoint_find(m->family.checkpoint, name)) return;
    tfm_plan_ignore(m->family.plan, name);
    tfm_pack_note(m->family.options, "%s is left out", name);
}

static void leave_out(import *m) {
    for (const char *const *name = m->like->ignorable; name && *name; name++) leave_out_tensor(m, *name);
    if (!m->unused_pooler) return;
    leave_out_tensor(m, tfm_name_format("%s%s.weight", m->prefix, m->like->pooler).text);
    leave_out_tensor(m, tfm_name_format("%s%s.bias", m->prefix, m->like->pooler).text);
}

tfm_status tfm_import_bert_like(const tfm_importer *importer, tfm_checkpoint *checkpoint, tfm_writer *writer,
                                const tfm_pack_options *options, tfm_error *error) {
    const tfm_bert_like *like = importer->bert_like;
import m = {.like = like };
    tfm_status status = tfm_family_begin(&m.family, importer, checkpoint, options, error);
    if (status == TFM_OK) m.prefix = tfm_family_has_prefix(&m.family, like->prefix) ? like->prefix : "";
    if (status == TFM_OK) status = read_config(&m, error);
    if (status == TFM_OK) {
        find_head(&m);
        leave_out(&m);
    }
    if (status == TFM_OK) status = plan_embeddings(&m, error);
    for (uint64_t i = 0; status == TFM_OK && i < m.stack.n_layers; i++)
        tfm_family_layer(&m.family, &m.stack, like->names,
                         tfm_name_format("%s%s%llu.", m.prefix, like->layers, (unsigned long long)i).text, i);
    if (status == TFM_OK) status = plan_head(&m, error);
    if (status == TFM_OK) status = tfm_family_check(&m.family, error);
    if (status == TFM_OK) status = write_architecture(&m, writer, error);
    if (status == TFM_OK) status = tfm_plan_run(m.family.plan, writer, options, error);
    tfm_family_end(&m.family);
    return status;
}
