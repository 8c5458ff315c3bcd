/* bert_test.c - BERT, RoBERTa, DistilBERT, ELECTRA: bodies, heads, labels, pooling, and every misfit named. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/tools/pack/families/encoder_reference.h"
#include "tests/tools/pack/packed.h"
#include "tools/pack/common/name_format.h"
#include "tools/pack/families/importer.h"

TestSuite(bert, .timeout = 120);

enum { D = 12, V = 37, F = 20, POSITIONS = 20 };

#define CONFIG(type, more)                                                                                             \
    "{\"model_type\": \"" type "\", \"hidden_size\": 12, \"vocab_size\": 37, \"intermediate_size\": 20,"               \
    " \"num_attention_heads\": 3, \"num_hidden_layers\": 2, \"max_position_embeddings\": 20, \"type_vocab_size\": "    \
    "2" more "}"
#define DISTIL_CONFIG                                                                                                  \
    "{\"model_type\": \"distilbert\", \"dim\": 12, \"vocab_size\": 37, \"hidden_dim\": 20, \"n_heads\": 3,"            \
    " \"n_layers\": 2, \"max_position_embeddings\": 20, \"architectures\": [\"DistilBertForSequenceClassification\"]}"

static void add(model *m, const char *prefix, const char *name, uint64_t rows, uint64_t columns) {
    model_add(m, tfm_name_format("%s%s", prefix, name).text, rows, columns, TFM_ST_F32);
}

/* Weight (rows, columns) and bias; a norm with columns 0. */
static void add_linear(model *m, const char *prefix, const char *name, uint64_t rows, uint64_t columns) {
    model_add_linear(m, tfm_name_format("%s%s", prefix, name).text, rows, columns, true, TFM_ST_F32);
}

/* Embeddings of `width` columns. */
static model *start(const char *prefix, bool types, uint64_t width) {
    model *m = model_new(0x2545f491);
    add(m, prefix, "embeddings.word_embeddings.weight", V, width);
    add(m, prefix, "embeddings.position_embeddings.weight", POSITIONS, width);
    if (types) add(m, prefix, "embeddings.token_type_embeddings.weight", 2, width);
    add_linear(m, prefix, "embeddings.LayerNorm", width, 0);
    if (width != D) add_linear(m, prefix, "embeddings_project", D, width);
    return m;
}

static model *make_of_width(const char *prefix, uint64_t width) {
    model *m = start(prefix, true, width);
    for (int i = 0; i < 2; i++) {
        const tfm_name at = tfm_name_format("%sencoder.layer.%d.", prefix, i);
        const char *const layer = at.text;
        add_linear(m, layer, "attention.self.query", D, D);
        add_linear(m, layer, "attention.self.key", D, D);
        add_linear(m, layer, "attention.self.value", D, D);
        add_linear(m, layer, "attention.output.dense", D, D);
        add_linear(m, layer, "attention.output.LayerNorm", D, 0);
        add_linear(m, layer, "intermediate.dense", F, D);
        add_linear(m, layer, "output.dense", D, F);
        add_linear(m, layer, "output.LayerNorm", D, 0);
    }
    return m;
}

static model *make(const char *prefix) { return make_of_width(prefix, D); }

static model *make_distil(void) {
    model *m = start("distilbert.", false, D);
    for (int i = 0; i < 2; i++) {
        const tfm_name at = tfm_name_format("distilbert.transformer.layer.%d.", i);
        const char *const layer = at.text;
        add_linear(m, layer, "attention.q_lin", D, D);
        add_linear(m, layer, "attention.k_lin", D, D);
        add_linear(m, layer, "attention.v_lin", D, D);
        add_linear(m, layer, "attention.out_lin", D, D);
        add_linear(m, layer, "sa_layer_norm", D, 0);
        add_linear(m, layer, "ffn.lin1", F, D);
        add_linear(m, layer, "ffn.lin2", D, F);
        add_linear(m, layer, "output_layer_norm", D, 0);
    }
    return m;
}

static void finish(tfm_file **file, model **m, char **folder) {
    tfm_file_close(file);
    model_free(m);
    scratch_remove(folder);
}

/* ---- bodies ---- */

Test(bert, bare_model_with_pooler) {
    model *m = make("");
    add_linear(m, "", "pooler.dense", D, D);
    model_add(m, "embeddings.position_ids", 1, POSITIONS, TFM_ST_I64);
    char *folder = packed_folder(CONFIG("bert", ""), m);
    tfm_file *file = packed_open(folder);
    cr_assert_str_eq(packed_word(file, "kind"), "encoder");
    cr_assert_str_eq(packed_word(file, "encoder.norm_placement"), "post");
    cr_assert_str_eq(packed_word(file, "head"), "");
    cr_assert_eq(packed_number(file, "encoder.token_types"), 2);
    cr_assert_eq(packed_number(file, "encoder.embed_norm"), 1);
    cr_assert_eq(packed_number(file, "encoder.max_positions"), POSITIONS);
    cr_assert_eq(packed_number(file, "pooler"), 1);
    cr_assert_eq(packed_real(file, "encoder.norm_eps"), 1e-12);
    cr_assert_eq(packed_real(file, "encoder.attention_scale"), 0.5);
    packed_check(file, "embed", 0, model_find(m, "embeddings.word_embeddings.weight"));
    packed_check_table(file, "position", model_find(m, "embeddings.position_embeddings.weight"));
    packed_check_table(file, "encoder.token_type", model_find(m, "embeddings.token_type_embeddings.weight"));
    packed_check_linear(file, "encoder.embed_norm", 0, m, "embeddings.LayerNorm");
    packed_check_linear(file, "encoder.1.attention.qkv", 24, m, "encoder.layer.1.attention.self.value");
    packed_check_linear(file, "encoder.0.attention.norm", 0, m, "encoder.layer.0.attention.output.LayerNorm");
    packed_check_linear(file, "encoder.1.ffn.down", 0, m, "encoder.layer.1.output.dense");
    packed_check_linear(file, "encoder.1.ffn.norm", 0, m, "encoder.layer.1.output.LayerNorm");
    packed_check_linear(file, "pooler", 0, m, "pooler.dense");
    finish(&file, &m, &folder);
}

/* Position 0 is the row after the padding's. */
Test(bert, roberta_positions) {
    model *m = make("roberta.");
    char *folder = packed_folder(CONFIG("xlm-roberta", ", \"pad_token_id\": 1, \"layer_norm_eps\": 1e-5"), m);
    tfm_file *file = packed_open(folder);
    cr_assert_str_eq(packed_word(file, "family"), "roberta");
    cr_assert_eq(packed_number(file, "encoder.position_offset"), 2);
    cr_assert_eq(packed_number(file, "encoder.max_positions"), POSITIONS - 2);
    cr_assert_eq(packed_real(file, "encoder.norm_eps"), 1e-5);
    packed_check_table(file, "position", model_find(m, "roberta.embeddings.position_embeddings.weight"));
    finish(&file, &m, &folder);
}

/* ---- heads ---- */

/* As the first BERT was published: gamma and beta, the tied projection stored again, the next-sentence head too. */
Test(bert, masked_lm) {
    model *m = make("bert.");
    add_linear(m, "", "cls.predictions.transform.dense", D, D);
    add(m, "", "cls.predictions.transform.LayerNorm.gamma", D, 0);
    add(m, "", "cls.predictions.transform.LayerNorm.beta", D, 0);
    add(m, "", "cls.predictions.bias", V, 0);
    add_linear(m, "", "cls.seq_relationship", 2, D);
    model_tie(m, "cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight");
    model_tie(m, "cls.predictions.decoder.bias", "cls.predictions.bias");
    char *folder = packed_folder(CONFIG("bert", ""), m);
    tfm_file *file = packed_open(folder);
    cr_assert_str_eq(packed_word(file, "head"), "masked_lm");
    cr_assert_eq(packed_number(file, "head.dense"), 1);
    cr_assert_eq(packed_number(file, "head.norm"), 1);
    cr_assert_str_eq(packed_word(file, "head.activation"), "gelu");
    cr_assert_null(tfm_file_tensor(file, "output.weight"));
    packed_check(file, "output.bias", 0, model_find(m, "cls.predictions.bias"));
    packed_check(file, "head.norm.weight", 0, model_find(m, "cls.predictions.transform.LayerNorm.gamma"));
    packed_check(file, "head.norm.bias", 0, model_find(m, "cls.predictions.transform.LayerNorm.beta"));
    cr_assert(strstr(packed_notes, "cls.seq_relationship.weight is left out"), "%s", packed_notes);
    finish(&file, &m, &folder);
}

static void check_labels(const tfm_file *file, const char *const *labels, size_t n) {
    const tfm_value *value = tfm_table_find(tfm_file_table(file, "architecture"), "head.labels");
    cr_assert(value && value->type == TFM_VALUE_STRINGS && value->n == n);
    const char *at = value->data;
    for (size_t i = 0; i < n; at += strlen(at) + 1, i++) cr_assert_str_eq(at, labels[i]);
    cr_assert_eq(packed_number(file, "head.classes"), n);
}

#define CLASS(name) ", \"architectures\": [\"" name "\"]"

Test(bert, classifiers) {
    model *m = make("bert.");
    add_linear(m, "bert.", "pooler.dense", D, D);
    add_linear(m, "", "classifier", 3, D);
    char *folder = packed_folder(CONFIG("bert", CLASS("BertForSequenceClassification") ", \"id2label\": {\"2\": \"c\","
                                                                                       " \"0\": \"a\", \"1\": \"b\"}"),
                                 m);
    tfm_file *file = packed_open(folder);
    cr_assert_str_eq(packed_word(file, "head"), "sequence");
    cr_assert_eq(packed_number(file, "pooler"), 1);
    check_labels(file, (const char *const[]){"a", "b", "c"}, 3);
    packed_check_linear(file, "output", 0, m, "classifier");
    packed_check_linear(file, "pooler", 0, m, "bert.pooler.dense");
    tfm_file_close(&file);
    packed_configure(folder, "{\"id2label\": {\"0\": \"a\", \"1\": \"b\"}}");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, packed_try(folder, TFM_F32, error), "id2label has 2 labels, the classifier 3");
    model_drop(m, "bert.pooler.dense.weight");
    model_drop(m, "bert.pooler.dense.bias");
    write_safetensors(in(folder, "model.safetensors"), m);
    REQUIRE_ERROR(TFM_ERROR_FORMAT, packed_try(folder, TFM_F32, error), "1 missing: bert.pooler.dense.weight");
    packed_configure(folder, "{\"architectures\": [\"BertForTokenClassification\"], \"id2label\": null}");
    file = packed_open(folder);
    cr_assert_str_eq(packed_word(file, "head"), "token");
    check_labels(file, (const char *const[]){"LABEL_0", "LABEL_1", "LABEL_2"}, 3);
    tfm_file_close(&file);
    packed_configure(folder, "{\"architectures\": [\"BertForMultipleChoice\"]}");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, packed_try(folder, TFM_F32, error), "2 not expected: classifier");
    model_free(&m);
    scratch_remove(&folder);
}

Test(bert, answers) {
    model *m = make("bert.");
    add_linear(m, "", "qa_outputs", 2, D);
    char *folder = packed_folder(CONFIG("bert", CLASS("BertForQuestionAnswering")), m);
    tfm_file *file = packed_open(folder);
    cr_assert_str_eq(packed_word(file, "head"), "token");
    check_labels(file, (const char *const[]){"start", "end"}, 2);
    finish(&file, &m, &folder);
}

Test(bert, roberta_heads) {
    model *m = make("roberta.");
    add_linear(m, "", "classifier.dense", D, D);
    add_linear(m, "", "classifier.out_proj", 2, D);
    char *folder = packed_folder(CONFIG("roberta", ""), m);
    tfm_file *file = packed_open(folder);
    cr_assert_str_eq(packed_word(file, "head"), "sequence");
    cr_assert_str_eq(packed_word(file, "head.activation"), "tanh");
    packed_check_linear(file, "head.dense", 0, m, "classifier.dense");
    packed_check_linear(file, "output", 0, m, "classifier.out_proj");
    finish(&file, &m, &folder);
    m = make("roberta.");
    add_linear(m, "", "lm_head.dense", D, D);
    add_linear(m, "", "lm_head.layer_norm", D, 0);
    add(m, "", "lm_head.bias", V, 0);
    add(m, "", "lm_head.decoder.weight", V, D);
    folder = packed_folder(CONFIG("roberta", ", \"tie_word_embeddings\": false"), m);
    file = packed_open(folder);
    packed_check(file, "output.weight", 0, model_find(m, "lm_head.decoder.weight"));
    packed_check_linear(file, "head.norm", 0, m, "lm_head.layer_norm");
    finish(&file, &m, &folder);
}

Test(bert, distilbert) {
    model *m = make_distil();
    add_linear(m, "", "pre_classifier", D, D);
    add_linear(m, "", "classifier", 2, D);
    char *folder = packed_folder(DISTIL_CONFIG, m);
    tfm_file *file = packed_open(folder);
    cr_assert_eq(packed_number(file, "encoder.token_types"), 12345678, "has none");
    cr_assert_str_eq(packed_word(file, "head.activation"), "relu");
    packed_check_linear(file, "head.dense", 0, m, "pre_classifier");
    packed_check_linear(file, "encoder.1.attention.qkv", 12, m, "distilbert.transformer.layer.1.attention.k_lin");
    packed_check_linear(file, "encoder.0.ffn.up", 0, m, "distilbert.transformer.layer.0.ffn.lin1");
    finish(&file, &m, &folder);
}

Test(bert, electra_finds_replaced_tokens) {
    model *m = make("electra.");
    add_linear(m, "", "discriminator_predictions.dense", D, D);
    add(m, "", "discriminator_predictions.dense_prediction.weight", 1, D);
    add(m, "", "discriminator_predictions.dense_prediction.bias", 1, 0);
    char *folder = packed_folder(CONFIG("electra", ", \"embedding_size\": 12"), m);
    tfm_file *file = packed_open(folder);
    cr_assert_str_eq(packed_word(file, "head"), "token");
    check_labels(file, (const char *const[]){"replaced"}, 1);
    tfm_file_close(&file);
    packed_configure(folder, "{\"embedding_size\": 6}");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, packed_try(folder, TFM_F32, error), "embeddings_project");
    model_free(&m);
    scratch_remove(&folder);
}

/* What it computes is in the golden checkpoints: states, scores and words of models whose embeddings are narrower. */
static void check_width(uint64_t width) {
    model *m = make_of_width("electra.", width);
    add_linear(m, "", "generator_predictions.dense", width, D);
    add_linear(m, "", "generator_predictions.LayerNorm", width, 0);
    add(m, "", "generator_lm_head.bias", V, 0);
    char *folder = packed_folder(CONFIG("electra", ", \"embedding_size\": 12"), m);
    char config[60];
    snprintf(config, sizeof config, "{\"embedding_size\": %d}", (int)width);
    packed_configure(folder, config);
    tfm_file *file = packed_open(folder);
    cr_assert_eq(packed_number(file, "encoder.embed_width"), width);
    packed_check(file, "embed", 0, model_find(m, "electra.embeddings.word_embeddings.weight"));
    packed_check_linear(file, "encoder.embed_projection", 0, m, "electra.embeddings_project");
    packed_check_linear(file, "encoder.embed_norm", 0, m, "electra.embeddings.LayerNorm");
    packed_check_linear(file, "head.dense", 0, m, "generator_predictions.dense");
    finish(&file, &m, &folder);
}

Test(bert, electra_of_other_widths) {
    check_width(5);
    check_width(40);
}

/* What config.json does not say is as transformers' ElectraConfig has it. */
Test(bert, electra_without_sizes) {
    model *m = start("electra.", true, D);
    char *folder = packed_folder("{\"model_type\": \"electra\", \"num_hidden_layers\": 0}", m);
    REQUIRE_ERROR(TFM_ERROR_FORMAT, packed_try(folder, TFM_F32, error), "[37, 12] instead of [30522, 128]");
    model_free(&m);
    scratch_remove(&folder);
}

/* ---- what the heads compute ---- */

static const reference_encoder bert_reference = {.prefix = "bert.",
                                                 .layers = "encoder.layer.",
                                                 .query = "attention.self.query",
                                                 .key = "attention.self.key",
                                                 .value = "attention.self.value",
                                                 .out = "attention.output.dense",
                                                 .norm = "attention.output.LayerNorm",
                                                 .up = "intermediate.dense",
                                                 .down = "output.dense",
                                                 .final = "output.LayerNorm",
                                                 .n_layers = 2,
                                                 .n_heads = 3,
                                                 .types = true,
                                                 .norm_eps = 1e-12};
static const reference_encoder distil_reference = {.prefix = "distilbert.",
                                                   .layers = "transformer.layer.",
                                                   .query = "attention.q_lin",
                                                   .key = "attention.k_lin",
                                                   .value = "attention.v_lin",
                                                   .out = "attention.out_lin",
                                                   .norm = "sa_layer_norm",
                                                   .up = "ffn.lin1",
                                                   .down = "ffn.lin2",
                                                   .final = "output_layer_norm",
                                                   .n_layers = 2,
                                                   .n_heads = 3,
                                                   .norm_eps = 1e-12};

/* The head's scores of one token's states x (D), which it may overwrite. */
typedef void (*head_function)(model *m, double *x, double *scores);

static const int32_t some_ids[] = {2, 36, 0, 17, 8, 9, 30, 3, 1, 22, 5},
                     some_types[] = {0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0};
enum { N_IDS = sizeof some_ids / sizeof *some_ids };

/*
 * Packs the checkpoint, runs it, and holds all it gives to the formulas. rows: of scores (1 for sequences); a few
 * tokens' scores alone must be the same bits.
 */
static void check_scores(const char *config, const reference_encoder *e, size_t rows, size_t width,
                         head_function head) {
    char *folder = packed_folder(config, e->m);
    tfm_model *run;
    tfm_session *session;
    float states[N_IDS * D], scores[N_IDS * V], few[2 * V];
    double *expected = reference_states(e, some_ids, e->types ? some_types : NULL, N_IDS), wanted[V] = {0};
    REQUIRE_OK(packed_try(folder, TFM_F32, error));
    REQUIRE_OK(tfm_model_open(&run, in(folder, "m.bin"), NULL, error));
    REQUIRE_OK(tfm_session_create(&session, run, NULL, error));
    cr_assert_eq(tfm_model_get_info(run).n_outputs, width);
    tfm_example example = {
        .ids = some_ids, .n = N_IDS, .token_types = e->types ? some_types : NULL, .states = states, .scores = scores};
    REQUIRE_OK(tfm_analyze(session, &example, 1, NULL, NULL, error));
    for (size_t i = 0; i < N_IDS * D; i++)
        cr_assert(fabs((double)states[i] - expected[i]) < 1e-5, "state %zu: %g, not %g", i, (double)states[i],
                  expected[i]);
    for (size_t t = 0; t < rows; t++) {
        head(e->m, expected + t * D, wanted);
        for (size_t i = 0; i < width; i++)
            cr_assert(fabs((double)scores[t * width + i] - wanted[i]) < 1e-5, "score (%zu, %zu): %g, not %g", t, i,
                      (double)scores[t * width + i], wanted[i]);
    }
    const uint32_t chosen[] = {9, 4};
    tfm_example some = example;
    some.states = NULL;
    some.scores = few;
    some.score_tokens = chosen;
    some.n_score_tokens = 2;
    if (rows == 1) {
        REQUIRE_ERROR(TFM_ERROR_STATE, tfm_analyze(session, &some, 1, NULL, NULL, error), "scores whole inputs");
    } else {
        REQUIRE_OK(tfm_analyze(session, (tfm_example[]){example, some}, 2, NULL, NULL, error));
        for (size_t i = 0; i < 2; i++)
            cr_assert_arr_eq(few + i * width, scores + chosen[i] * width, width * sizeof *few, "token %u", chosen[i]);
        some.score_tokens = (const uint32_t[]){N_IDS, 0};
        REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_analyze(session, &some, 1, NULL, NULL, error), "scores of token 11");
        some.n_score_tokens = N_IDS + 1;
        REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_analyze(session, &some, 1, NULL, NULL, error), "scores of 12 tokens");
    }
    tfm_session_free(&session);
    tfm_model_close(&run);
    free(expected);
    scratch_remove(&folder);
}

static void apply(model *m, const char *name, double (*function)(double), double *x) {
    double y[D];
    checkpoint_linear(m, name, x, y);
    for (size_t i = 0; i < D; i++) x[i] = function ? function(y[i]) : y[i];
}

static double relu(double x) { return x > 0 ? x : 0; }

static void bert_sequence(model *m, double *x, double *scores) {
    apply(m, "bert.pooler.dense", tanh, x);
    checkpoint_linear(m, "classifier", x, scores);
}
static void roberta_sequence(model *m, double *x, double *scores) {
    apply(m, "classifier.dense", tanh, x);
    checkpoint_linear(m, "classifier.out_proj", x, scores);
}
static void electra_sequence(model *m, double *x, double *scores) {
    apply(m, "classifier.dense", reference_gelu, x);
    checkpoint_linear(m, "classifier.out_proj", x, scores);
}
static void distil_sequence(model *m, double *x, double *scores) {
    apply(m, "pre_classifier", relu, x);
    checkpoint_linear(m, "classifier", x, scores);
}
static void tokens(model *m, double *x, double *scores) { checkpoint_linear(m, "classifier", x, scores); }
static void electra_replaced(model *m, double *x, double *scores) {
    apply(m, "discriminator_predictions.dense", reference_gelu, x);
    checkpoint_linear(m, "discriminator_predictions.dense_prediction", x, scores);
}

/* Logits of all words with the tied embedding. */
static void masked(model *m, const char *dense, const char *norm, const char *embedding, const char *bias, double *x,
                   double *scores) {
    apply(m, dense, reference_gelu, x);
    checkpoint_norm(m, norm, 1e-12, x);
    for (size_t i = 0; i < V; i++) {
        scores[i] = (double)model_find(m, bias)->values[i];
        for (size_t j = 0; j < D; j++) scores[i] += (double)model_find(m, embedding)->values[i * D + j] * x[j];
    }
}
static void bert_masked(model *m, double *x, double *scores) {
    masked(m, "cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm",
           "bert.embeddings.word_embeddings.weight", "cls.predictions.bias", x, scores);
}
static void electra_masked(model *m, double *x, double *scores) {
    masked(m, "generator_predictions.dense", "generator_predictions.LayerNorm",
           "electra.embeddings.word_embeddings.weight", "generator_lm_head.bias", x, scores);
}

static reference_encoder like(const char *prefix, model *m) {
    reference_encoder e = bert_reference;
    e.prefix = prefix;
    e.m = m;
    return e;
}

Test(bert, heads_of_bert) {
    reference_encoder e = like("bert.", make("bert."));
    add_linear(e.m, "bert.", "pooler.dense", D, D);
    add_linear(e.m, "", "classifier", 3, D);
    check_scores(CONFIG("bert", CLASS("BertForSequenceClassification")), &e, 1, 3, bert_sequence);
    check_scores(CONFIG("bert", CLASS("BertForTokenClassification")), &e, N_IDS, 3, tokens);
    model_free(&e.m);
    e.m = make("bert.");
    add_linear(e.m, "", "cls.predictions.transform.dense", D, D);
    add_linear(e.m, "", "cls.predictions.transform.LayerNorm", D, 0);
    add(e.m, "", "cls.predictions.bias", V, 0);
    check_scores(CONFIG("bert", ""), &e, N_IDS, V, bert_masked);
    model_free(&e.m);
}

/* A pooler that was left in the checkpoint has no part in it. */
Test(bert, heads_of_roberta) {
    for (int with_pooler = 0; with_pooler < 2; with_pooler++) {
        reference_encoder e = like("roberta.", make("roberta."));
        e.position_offset = 2;
        if (with_pooler) add_linear(e.m, "roberta.", "pooler.dense", D, D);
        add_linear(e.m, "", "classifier.dense", D, D);
        add_linear(e.m, "", "classifier.out_proj", 2, D);
        check_scores(CONFIG("roberta", ""), &e, 1, 2, roberta_sequence);
        cr_assert_eq(strstr(packed_notes, "roberta.pooler.dense.bias is left out") != NULL, with_pooler, "%s",
                     packed_notes);
        model_free(&e.m);
    }
}

Test(bert, heads_of_distilbert) {
    reference_encoder e = distil_reference;
    e.m = make_distil();
    add_linear(e.m, "", "pre_classifier", D, D);
    add_linear(e.m, "", "classifier", 2, D);
    check_scores(DISTIL_CONFIG, &e, 1, 2, distil_sequence);
    model_free(&e.m);
}

Test(bert, heads_of_electra) {
    reference_encoder e = like("electra.", make("electra."));
    add_linear(e.m, "", "classifier.dense", D, D);
    add_linear(e.m, "", "classifier.out_proj", 4, D);
    check_scores(CONFIG("electra", ", \"embedding_size\": 12"), &e, 1, 4, electra_sequence);
    model_free(&e.m);
    e.m = make("electra.");
    add_linear(e.m, "", "discriminator_predictions.dense", D, D);
    add_linear(e.m, "", "discriminator_predictions.dense_prediction", 1, D);
    check_scores(CONFIG("electra", ", \"embedding_size\": 12"), &e, N_IDS, 1, electra_replaced);
    model_free(&e.m);
    e.m = make("electra.");
    add_linear(e.m, "", "generator_predictions.dense", D, D);
    add_linear(e.m, "", "generator_predictions.LayerNorm", D, 0);
    add(e.m, "", "generator_lm_head.bias", V, 0);
    check_scores(CONFIG("electra", ", \"embedding_size\": 12"), &e, N_IDS, V, electra_masked);
    model_free(&e.m);
}

/* What becomes of scores, as the pipelines of transformers have it. */
Test(bert, functions_of_scores) {
    static const struct {
        uint64_t classes;
        const char *changes, *function;
    } cases[] = {
        {2, "{\"problem_type\": \"single_label_classification\"}", "softmax"},
        {2, "{\"problem_type\": \"multi_label_classification\"}", "sigmoid"},
        {1, "{\"problem_type\": null}", "sigmoid"},
        {1, "{\"sbert_ce_default_activation_function\": \"torch.nn.modules.linear.Identity\"}", "none"},
        {1,
         "{\"sentence_transformers\": {\"activation_fn\": \"torch.nn.modules.linear.Identity\", \"version\": "
         "\"4.1.0\"}}",
         "none"},
        {2, "{\"sentence_transformers\": {\"activation_fn\": \"torch.nn.modules.activation.Sigmoid\"}}", "sigmoid"},
        {1, "{\"problem_type\": \"regression\"}", "none"},
        {1, "{\"architectures\": [\"BertForTokenClassification\"]}", "softmax"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        model *m = make("bert.");
        add_linear(m, "bert.", "pooler.dense", D, D);
        add_linear(m, "", "classifier", cases[i].classes, D);
        char *folder = packed_folder(CONFIG("bert", CLASS("BertForSequenceClassification")), m);
        packed_configure(folder, cases[i].changes);
        tfm_file *file = packed_open(folder);
        cr_expect_str_eq(packed_word(file, "head.function"), cases[i].function, "%s", cases[i].changes);
        finish(&file, &m, &folder);
    }
}

/* ---- sentence-transformers ---- */

#define MODULE(idx, path, type)                                                                                        \
    "{\"idx\": " #idx ", \"path\": \"" path "\", \"type\": \"sentence_transformers.models." type "\"}"
#define FIRST "[" MODULE(0, "", "Transformer")

Test(bert, sentence_embeddings) {
    model *m = make("");
    char *folder = packed_folder(CONFIG("bert", ""), m);
    const tfm_name pooled = tfm_name_format("%s", in(folder, "1_Pooling"));
    const char *const pooling = pooled.text;
    cr_assert_eq(mkdir(pooling, 0777), 0);
    write_text_in(folder, "modules.json",
                  FIRST ", " MODULE(1, "1_Pooling", "Pooling") ", " MODULE(2, "2_Normalize", "Normalize") "]");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, packed_try(folder, TFM_F32, error), "1_Pooling/config.json: is missing");
    write_text_in(pooling, "config.json", "{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": false}");
    tfm_file *file = packed_open(folder);
    cr_assert_str_eq(packed_word(file, "pooling"), "cls");
    cr_assert_eq(packed_number(file, "pooling.normalize"), 1);
    tfm_file_close(&file);
    write_text_in(pooling, "config.json", "{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": true}");
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, packed_try(folder, TFM_F32, error), "several ways of pooling");
    write_text_in(pooling, "config.json", "{\"pooling_mode_lasttoken\": true}");
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, packed_try(folder, TFM_F32, error), "pooling_mode_lasttoken");
    write_text_in(pooling, "config.json", "{}");
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, packed_try(folder, TFM_F32, error), "no known way of pooling");
    write_text_in(pooling, "config.json", "{\"pooling_mode\": \"max\"}");
    write_text_in(folder, "modules.json", FIRST ", " MODULE(1, "1_Pooling", "Pooling") "]");
    file = packed_open(folder);
    cr_assert_str_eq(packed_word(file, "pooling"), "max");
    tfm_file_close(&file);
    write_text_in(folder, "modules.json",
                  FIRST ", " MODULE(1, "1_Pooling", "Pooling") ", " MODULE(2, "2_Dense", "Dense") "]");
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, packed_try(folder, TFM_F32, error), "module 2, Dense, is not supported");
    write_text_in(folder, "modules.json", FIRST ", " MODULE(1, "../1_Pooling", "Pooling") "]");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, packed_try(folder, TFM_F32, error), "leaves the folder");
    write_text_in(folder, "modules.json", "[{\"idx\": 0}]");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, packed_try(folder, TFM_F32, error), "module 0 has no type");
    write_text_in(folder, "modules.json", FIRST ", " MODULE(1, "1_Pooling", "Pooling") "]");
    write_text_in(folder, "sentence_bert_config.json", "{\"max_seq_length\": 16, \"do_lower_case\": true}");
    REQUIRE_OK(packed_try(folder, TFM_F32, error));
    cr_assert(strstr(packed_notes, "--truncate --max-source-length 16") && strstr(packed_notes, "lower case"), "%s",
              packed_notes);
    write_text_in(folder, "sentence_bert_config.json", "{\"max_seq_length\": 20, \"do_lower_case\": false}");
    REQUIRE_OK(packed_try(folder, TFM_F32, error));
    cr_assert_str_eq(packed_notes, "");
    write_text_in(folder, "modules.json", "[");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, packed_try(folder, TFM_F32, error), "modules.json: line 1");
    cr_assert_eq(unlink(in(pooling, "config.json")), 0);
    cr_assert_eq(rmdir(pooling), 0);
    model_free(&m);
    scratch_remove(&folder);
}

/* A folder with pooling by the mean. */
static char *sentence_folder(model *m) {
    char *folder = packed_folder(CONFIG("bert", ""), m);
    write_text_in(folder, "modules.json", FIRST ", " MODULE(1, "1_Pooling", "Pooling") "]");
    const tfm_name pooling = tfm_name_format("%s/1_Pooling", folder);
    cr_assert_eq(mkdir(pooling.text, 0777), 0);
    write_text_in(pooling.text, "config.json", "{\"pooling_mode_mean_tokens\": true}");
    return folder;
}

/* Removes a folder of a folder, and the files in it. */
static void remove_folder(const char *folder, const char *name, const char *const *files) {
    for (; *files; files++) cr_assert_eq(unlink(tfm_name_format("%s/%s/%s", folder, name, *files).text), 0);
    cr_assert_eq(rmdir(in(folder, name)), 0);
}

Test(bert, sentence_prompts) {
    static const struct {
        const char *pooling, *text, *message; /* NULL: well */
    } cases[] = {
        {"{\"pooling_mode_mean_tokens\": true}", "{\"prompts\": {\"q\": \"ask: \"}, \"default_prompt_name\": \"r\"}",
         "default_prompt_name is 'r', which is none of the prompts"},
        {"{\"pooling_mode_mean_tokens\": true, \"include_prompt\": false}",
         "{\"prompts\": {\"q\": \"ask: \"}, \"default_prompt_name\": \"q\"}", "include_prompt false"},
        {"{\"pooling_mode_mean_tokens\": true, \"include_prompt\": false}",
         "{\"prompts\": {\"q\": \"\"}, \"default_prompt_name\": \"q\"}", NULL},
        {"{\"pooling_mode_mean_tokens\": true}", "{\"prompts\": {\"q\": 7}}", "prompts has one that is no string"},
        {"{\"pooling_mode_mean_tokens\": true}", "{\"prompts\": null, \"default_prompt_name\": null}", NULL},
        {"{\"pooling_mode_mean_tokens\": true}", "[]", "config_sentence_transformers.json: not a JSON object"},
    };
    model *m = make("");
    char *folder = sentence_folder(m);
    write_text_in(
        folder, "config_sentence_transformers.json",
        "{\"prompts\": {\"q\": \"ask: \", \"d\": \"\"}, \"default_prompt_name\": \"q\", \"truncate_dim\": 4}");
    tfm_file *file = packed_open(folder);
    const tfm_value *texts = tfm_table_find(tfm_file_table(file, "architecture"), "prompts.texts");
    cr_assert(texts && texts->n == 2 && !strcmp(texts->data, "ask: "));
    cr_assert_str_eq(packed_word(file, "prompts.default"), "q");
    cr_assert(strstr(packed_notes, "the prompt 'q' is put before each text") &&
                  strstr(packed_notes, "truncate_dim = 4") && !strstr(packed_notes, "not known"),
              "%s", packed_notes);
    tfm_file_close(&file);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tfm_error error;
        write_text_in(tfm_name_format("%s/1_Pooling", folder).text, "config.json", cases[i].pooling);
        write_text_in(folder, "config_sentence_transformers.json", cases[i].text);
        const tfm_status status = packed_try(folder, TFM_F32, &error);
        cr_expect_eq(status == TFM_OK, !cases[i].message, "%s", cases[i].text);
        if (cases[i].message && status != TFM_OK)
            cr_expect(strstr(error.message, cases[i].message), "%s: %s", cases[i].text, error.message);
    }
    remove_folder(folder, "1_Pooling", (const char *const[]){"config.json", NULL});
    model_free(&m);
    scratch_remove(&folder);
}

/* Before version 1 the model lay in a folder of its own, whose module had the family's name. */
Test(bert, sentence_folders_of_old) {
    model *m = make("");
    char *folder = sentence_folder(m);
    const tfm_name inner = tfm_name_format("%s/0_BERT", folder);
    cr_assert_eq(mkdir(inner.text, 0777), 0);
    for (size_t i = 0; i < 2; i++) {
        static const char *const files[] = {"config.json", "model.safetensors"};
        copy_file(folder, inner.text, files[i]);
        cr_assert_eq(unlink(in(folder, files[i])), 0);
    }
    write_text_in(folder, "modules.json", "[" MODULE(0, "0_BERT", "BERT") ", " MODULE(1, "1_Pooling", "Pooling") "]");
    write_text_in(folder, "config.json", "{\"__version__\": \"0.2.5\"}");
    write_text_in(inner.text, "sentence_bert_config.json", "{\"max_seq_length\": 16}");
    tfm_file *file = packed_open(folder);
    cr_assert_str_eq(packed_word(file, "pooling"), "mean");
    cr_assert(strstr(packed_notes, "--max-source-length 16"), "%s", packed_notes);
    tfm_file_close(&file);
    write_text_in(folder, "modules.json", "[" MODULE(0, "../0_BERT", "BERT") "]");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, packed_try(folder, TFM_F32, error),
                  "modules.json: path ../0_BERT leaves the folder");
    write_text_in(folder, "modules.json", "[" MODULE(0, "0_Other", "BERT") "]");
    REQUIRE_ERROR(TFM_ERROR_IO, packed_try(folder, TFM_F32, error), "0_Other: is an empty folder");
    remove_folder(folder, "1_Pooling", (const char *const[]){"config.json", NULL});
    remove_folder(folder, "0_BERT",
                  (const char *const[]){"config.json", "model.safetensors", "sentence_bert_config.json", NULL});
    model_free(&m);
    scratch_remove(&folder);
}

/* What is not known is refused by its name, with all that is known. */
Test(bert, unknown_families_are_named) {
    model *m = make("bert.");
    char *folder = packed_folder(CONFIG("bert", ""), m);
    tfm_error error;
    packed_configure(folder, "{\"model_type\": \"perceiver\"}");
    cr_assert_eq(packed_try(folder, TFM_F32, &error), TFM_ERROR_UNSUPPORTED);
    cr_assert(strstr(error.message, "model_type 'perceiver' is not supported"), "%s", error.message);
    for (size_t i = 0; tfm_importers[i]; i++)
        cr_expect(strstr(error.message, tfm_importers[i]->model_types), "%s: %s", tfm_importers[i]->model_types,
                  error.message);
    model_free(&m);
    scratch_remove(&folder);
}

/* ---- misfits ---- */

static void nothing(model *m) { (void)m; }
static void drop_types(model *m) { model_drop(m, "bert.embeddings.token_type_embeddings.weight"); }
static void drop_bias(model *m) { model_drop(m, "bert.encoder.layer.1.output.dense.bias"); }
static void add_layer(model *m) { add_linear(m, "bert.", "encoder.layer.2.output.dense", D, F); }
static void reshape(model *m) {
    tensor *t = model_find(m, "bert.encoder.layer.0.intermediate.dense.weight");
    t->shape[0] = D;
    t->shape[1] = F;
}
static void other_bias(model *m) {
    add_linear(m, "", "cls.predictions.transform.dense", D, D);
    add_linear(m, "", "cls.predictions.transform.LayerNorm", D, 0);
    add(m, "", "cls.predictions.bias", V, 0);
    add(m, "", "cls.predictions.decoder.bias", V, 0);
}

Test(bert, misfits_are_named) {
    const char *config = CONFIG("bert", "");
    packed_misfit(config, make("bert."), drop_types, TFM_ERROR_FORMAT,
                  "1 missing: bert.embeddings.token_type_embeddings.weight");
    packed_misfit(config, make("bert."), drop_bias, TFM_ERROR_FORMAT,
                  "1 missing: bert.encoder.layer.1.output.dense.bias");
    packed_misfit(config, make("bert."), add_layer, TFM_ERROR_FORMAT,
                  "2 not expected: bert.encoder.layer.2.output.dense.weight");
    packed_misfit(config, make("bert."), reshape, TFM_ERROR_FORMAT,
                  "bert.encoder.layer.0.intermediate.dense.weight [12, 20] instead of [20, 12]");
    packed_misfit(config, make("bert."), other_bias, TFM_ERROR_FORMAT, "1 not expected: cls.predictions.decoder.bias");
    packed_misfit(CONFIG("bert", ", \"position_embedding_type\": \"relative_key\""), make("bert."), nothing,
                  TFM_ERROR_UNSUPPORTED, "position_embedding_type");
    packed_misfit(CONFIG("bert", ", \"is_decoder\": true"), make("bert."), nothing, TFM_ERROR_UNSUPPORTED,
                  "is_decoder");
    packed_misfit(CONFIG("roberta", ", \"pad_token_id\": 19"), make("roberta."), nothing, TFM_ERROR_FORMAT,
                  "leaves no position");
}
