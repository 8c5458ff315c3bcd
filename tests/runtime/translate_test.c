/*
 * translate_test.c - the shipped model on its test sentences, held against an independent float64 implementation.
 *
 * usage: translate CHECKPOINT MODEL
 *
 * MODEL is CHECKPOINT packed. In f32 every sentence must come out token for token, greedy and with 4 beams, with the
 * expected scores and text. In other types the weights are others, so BLEU may differ: by 0.2 for f16 and bf16, 0.3
 * for int8, 1.0 for int4. States and logits are compared with golden.safetensors.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "multi30k_results.h"
#include "runtime/model/model.h"
#include "tests/support/outputs.h"
#include "tests/support/tap.h"
#include "tests/support/tensor_values.h"
#include "tools/eval/bleu.h"

typedef struct translation {
    const char *checkpoint;
    multi30k data;
    tfm_pool *pool;
    tfm_model *model;
    tfm_session *session;
    tfm_dtype layers; /* type of the layers' matrices */
    char dtype[24];   /* for people: of layers and, if another, of embeddings */
    bool exact;       /* f32 */
    tfm_error error;
} translation;

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- text ---- */

static char *text_of(translation *t, const int32_t *ids, size_t n) {
    tfm_text text = {0};
    if (tfm_detokenize(t->model, TFM_TARGET, ids, n, true, &text, &t->error) != TFM_OK)
        tap_bail_out("%s", t->error.message);
    return text.data ? text.data : strdup("");
}

static void check_tokenizer(translation *t) {
    size_t n_wrong = 0;
    for (size_t i = 0; i < t->data.n; i++) {
        tfm_ids ids = {0};
        const char *line = t->data.german[i];
        tfm_status status = tfm_tokenize(t->model, TFM_SOURCE, line, strlen(line), true, &ids, &t->error);
        const tfm_tokens *expected = &t->data.sources[i];
        bool same = status == TFM_OK && ids.size == expected->n &&
                    !memcmp(ids.data, expected->ids, ids.size * sizeof *ids.data);
        if (!same) tap_note("sentence %zu: other source ids: %s", i, line);
        n_wrong += !same;
        tfm_ids_free(&ids);
    }
    tap_ok(n_wrong == 0, "source ids of %zu sentences", t->data.n);
}

/* Every piece is found again, and what special adds to a text is what tfm_special_counts says. */
static void check_pieces(translation *t) {
    tfm_model_info info = tfm_model_get_info(t->model);
    const uint32_t sizes[2] = {info.source_vocab_size, info.target_vocab_size};
    size_t n_wrong = 0, n, found_n, before, after;
    for (int side = TFM_SOURCE; side <= TFM_TARGET; side++) {
        for (int32_t id = 0; id < (int32_t)sizes[side]; id++) {
            const char *piece = tfm_token_piece(t->model, (tfm_side)side, id, &n);
            int32_t found = piece ? tfm_token_id(t->model, (tfm_side)side, piece, n) : id;
            const char *same = piece ? tfm_token_piece(t->model, (tfm_side)side, found, &found_n) : NULL;
            n_wrong += piece && (!same || found > id || found_n != n || memcmp(piece, same, n) != 0);
        }
        n_wrong += tfm_token_id(t->model, (tfm_side)side, "no such piece", 13) != -1;
        tfm_ids plain = {0}, special = {0};
        const char *line = t->data.german[0];
        tfm_status status = tfm_special_counts(t->model, (tfm_side)side, &before, &after, &t->error);
        if (status == TFM_OK)
            status = tfm_tokenize(t->model, (tfm_side)side, line, strlen(line), false, &plain, &t->error);
        if (status == TFM_OK)
            status = tfm_tokenize(t->model, (tfm_side)side, line, strlen(line), true, &special, &t->error);
        n_wrong += status != TFM_OK || special.size != before + plain.size + after ||
                   memcmp(special.data + before, plain.data, plain.size * sizeof *plain.data) != 0;
        tfm_ids_free(&plain);
        tfm_ids_free(&special);
    }
    tap_ok(n_wrong == 0, "pieces of %u and %u ids, and the ids around a text", sizes[0], sizes[1]);
}

/* ---- BLEU ---- */

static void tokenized(const tfm_bleu_tokenizer *tokenizer, const char *line, tfm_text *out) {
    tfm_error error;
    out->size = 0;
    if (tfm_bleu_tokenizer_run(tokenizer, (tfm_slice){line, strlen(line)}, out, &error) != TFM_OK)
        tap_bail_out("%s", error.message);
}

static double bleu(char *const *hypotheses, char *const *references, size_t n) {
    tfm_bleu_tokenizer *tokenizer;
    tfm_error error;
    if (tfm_bleu_tokenizer_create(&tokenizer, TFM_TOKENIZE_13A, false, &error) != TFM_OK)
        tap_bail_out("%s", error.message);
    tfm_bleu_stats stats = {0};
    tfm_text hypothesis = {0}, reference = {0};
    for (size_t i = 0; i < n; i++) {
        tokenized(tokenizer, hypotheses[i], &hypothesis);
        tokenized(tokenizer, references[i], &reference);
        tfm_slice slice = {reference.data, reference.size};
        if (!tfm_bleu_add(&stats, (tfm_slice){hypothesis.data, hypothesis.size}, &slice, 1)) tap_bail_out("no memory");
    }
    tfm_text_free(&hypothesis);
    tfm_text_free(&reference);
    tfm_bleu_tokenizer_free(&tokenizer);
    return tfm_bleu_compute(&stats, TFM_SMOOTH_EXP, 0).score;
}

/* ---- generation ---- */

static void note_ids(const char *what, const int32_t *ids, size_t n) {
    printf("#   %s:", what);
    for (size_t i = 0; i < n; i++) printf(" %d", ids[i]);
    putchar('\n');
}

typedef struct differences {
    size_t n_ids, n_texts, n_scores; /* that differ */
    double worst_score;
} differences;

static void compare_sentence(translation *t, size_t i, const output *got, const known_output *known, const char *text,
                             const char *expected_text, bool beams, differences *tally) {
    bool same = got->n == known->ids.n && !memcmp(got->ids, known->ids.ids, got->n * sizeof *got->ids);
    if (!same) {
        tally->n_ids++;
        if (t->exact) {
            tap_note("sentence %zu differs (smallest gap of a decision %g): %s", i, known->gap, t->data.german[i]);
            note_ids("expected", known->ids.ids, known->ids.n);
            note_ids("got", got->ids, got->n);
        }
        return;
    }
    double score = beams ? got->score : got->sum_log_prob;
    double difference = fabs(score - known->score) / fmax(1, fabs(known->score));
    if (!(difference <= tally->worst_score)) tally->worst_score = difference;
    if (!(difference <= 1e-5)) {
        tally->n_scores++;
        if (t->exact) tap_note("sentence %zu: score %.9g, expected %.9g", i, score, known->score);
    }
    if (strcmp(text, expected_text)) {
        tally->n_texts++;
        tap_note("sentence %zu: text \"%s\", expected \"%s\"", i, text, expected_text);
    }
}

/* Another type of weights may change a sentence; of a part of the set each then weighs more. */
static void check_bleu(translation *t, const char *name, char **texts, char **expected_texts) {
    double ours = bleu(texts, t->data.english, t->data.n);
    double expected = bleu(expected_texts, t->data.english, t->data.n);
    static const double allowed[TFM_DTYPE_COUNT] = {
        [TFM_F32] = 0.2, [TFM_F16] = 0.2, [TFM_BF16] = 0.2, [TFM_I8] = 0.3, [TFM_I4] = 1.0};
    double tolerance = allowed[t->layers] * fmax(1, 1000.0 / (double)t->data.n);
    tap_ok(fabs(ours - expected) <= tolerance, "%s %s: BLEU %.2f, in float64 %.2f", t->dtype, name, ours, expected);
}

static void check_search(translation *t, const char *name, uint32_t num_beams, const known_output *known,
                         char **expected_texts) {
    tfm_generate_params params = tfm_generate_params_default(t->model);
    params.num_beams = num_beams;
    outputs *got;
    double start = seconds();
    tfm_status status = outputs_generate(t->session, t->data.inputs, t->data.n, &params, &got, &t->error);
    double time = seconds() - start;
    if (!tap_ok(status == TFM_OK, "%s %s: %zu sentences in %.2f s%s%s", t->dtype, name, t->data.n, time,
                status != TFM_OK ? ": " : "", status != TFM_OK ? t->error.message : ""))
        return;
    char **texts = calloc(t->data.n, sizeof *texts);
    differences tally = {0};
    for (size_t i = 0; texts && i < t->data.n; i++) {
        const output *best = outputs_at(got, i, 0);
        texts[i] = text_of(t, best->ids, best->n);
        compare_sentence(t, i, best, &known[i], texts[i], expected_texts[i], num_beams > 1, &tally);
    }
    outputs_free(&got);
    if (t->exact) {
        tap_ok(tally.n_ids == 0, "%s %s: %zu sentences differ", t->dtype, name, tally.n_ids);
        tap_ok(tally.n_scores == 0, "%s %s: scores within %.2g of their size", t->dtype, name, tally.worst_score);
    } else {
        tap_note("%s %s: %zu sentences differ from f32", t->dtype, name, tally.n_ids);
    }
    tap_ok(tally.n_texts == 0, "%s %s: text of equal ids", t->dtype, name);
    check_bleu(t, name, texts, expected_texts);
    for (size_t i = 0; i < t->data.n; i++) free(texts[i]);
    free(texts);
}

/* ---- states and logits ---- */

typedef struct vectors {
    tfm_safetensors *file;
    double encoder, decoder, logits; /* largest differences */
} vectors;

static double largest_difference(const vectors *v, const char *name, const float *got, size_t count) {
    float *expected = NULL;
    const tfm_st_tensor *tensor = NULL;
    tfm_error error;
    if (load_tensor_f32(v->file, name, &expected, &tensor, &error) != TFM_OK) tap_bail_out("%s", error.message);
    if (tensor->count != count)
        tap_bail_out("%s has %llu values, not %zu", name, (unsigned long long)tensor->count, count);
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)got[i] - (double)expected[i]);
        if (!(difference <= largest)) largest = difference;
    }
    free(expected);
    return largest;
}

static tfm_tokens json_ids(const json_t *list) {
    size_t n = json_array_size(list);
    int32_t *ids = calloc(n + 1, sizeof *ids);
    for (size_t i = 0; ids && i < n; i++) ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return (tfm_tokens){ids, ids ? n : 0};
}

static void check_sentence_vectors(translation *t, vectors *v, const json_t *sentence) {
    tfm_model_info info = tfm_model_get_info(t->model);
    tfm_tokens source = json_ids(json_object_get(sentence, "src_ids"));
    tfm_tokens target = json_ids(json_object_get(sentence, "decoder_input_ids"));
    size_t d = info.d_model, vocab = info.target_vocab_size;
    float *encoded = calloc(source.n * d + 1, sizeof *encoded);
    float *states = calloc(target.n * d + 1, sizeof *states), *logits = calloc(target.n * vocab + 1, sizeof *logits);
    int32_t number, sequence;
    tfm_status status = tfm_encode(t->session, &source, 1, &number, &encoded, &t->error);
    if (status == TFM_OK) status = tfm_sequence_new(t->session, number, &sequence, &t->error);
    tfm_span span = {.ids = target.ids, .n = target.n, .logits = logits, .states = states, .all_logits = true};
    if (status == TFM_OK) span.sequence = sequence;
    if (status == TFM_OK) status = tfm_decode(t->session, &span, 1, &t->error);
    if (status != TFM_OK) tap_bail_out("%s", t->error.message);
    tfm_sequence_free(t->session, sequence);
    tfm_source_free(t->session, number);

    int k = (int)json_integer_value(json_object_get(sentence, "k"));
    char name[3][64];
    snprintf(name[0], sizeof name[0], "s%d.encoder.%u", k, info.encoder_layers);
    snprintf(name[1], sizeof name[1], "s%d.decoder.%u", k, info.decoder_layers);
    snprintf(name[2], sizeof name[2], "s%d.logits", k);
    v->encoder = fmax(v->encoder, largest_difference(v, name[0], encoded, source.n * d));
    v->decoder = fmax(v->decoder, largest_difference(v, name[1], states, target.n * d));
    v->logits = fmax(v->logits, largest_difference(v, name[2], logits, target.n * vocab));
    free(encoded);
    free(states);
    free(logits);
    free((void *)source.ids);
    free((void *)target.ids);
}

static void check_vectors(translation *t) {
    char path[4096];
    vectors v = {0};
    snprintf(path, sizeof path, "%s/expected/golden.json", t->checkpoint);
    json_t *golden = json_load_file(path, 0, NULL);
    if (!golden) tap_bail_out("%s cannot be read", path);
    strcpy(strrchr(path, '.'), ".safetensors");
    if (tfm_safetensors_open(&v.file, path, &t->error) != TFM_OK) tap_bail_out("%s", t->error.message);
    size_t index;
    json_t *sentence;
    json_array_foreach(json_object_get(golden, "sentences"), index, sentence) check_sentence_vectors(t, &v, sentence);
    tap_ok(index > 0 && v.encoder <= 1e-4, "encoder states of %zu sentences: largest difference %.3g", index,
           v.encoder);
    tap_ok(index > 0 && v.decoder <= 1e-4, "decoder states: largest difference %.3g", v.decoder);
    tap_ok(index > 0 && v.logits <= 1e-4, "logits: largest difference %.3g", v.logits);
    tfm_safetensors_close(&v.file);
    json_decref(golden);
}

static void name_dtype(translation *t) {
    tfm_dtype layers = t->model->decoder.layers[0].attention.qkv.w.dtype, embed = t->model->decoder.embed.dtype;
    snprintf(t->dtype, sizeof t->dtype, "%s%s%s", tfm_dtype_name(layers), layers != embed ? " and " : "",
             layers != embed ? tfm_dtype_name(embed) : "");
    t->layers = layers;
    t->exact = layers == TFM_F32 && embed == TFM_F32;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: %s CHECKPOINT MODEL\n", argv[0]);
        return 2;
    }
    translation t = {.checkpoint = argv[1]};
    multi30k_read(&t.data, argv[1], 0);
    tfm_status status = tfm_pool_create(&t.pool, 0, &t.error);
    if (status == TFM_OK) status = tfm_model_open(&t.model, argv[2], NULL, &t.error);
    tfm_session_params params = tfm_session_params_default();
    params.pool = t.pool;
    if (status == TFM_OK) status = tfm_session_create(&t.session, t.model, &params, &t.error);
    if (status != TFM_OK) tap_bail_out("%s", t.error.message);
    name_dtype(&t);
    check_tokenizer(&t);
    check_pieces(&t);
    if (t.exact) check_vectors(&t);
    check_search(&t, "greedy", 1, t.data.greedy, t.data.greedy_text);
    check_search(&t, "beam 4", 4, t.data.beam4, t.data.beam4_text);
    tfm_session_free(&t.session);
    tfm_model_close(&t.model);
    tfm_pool_free(&t.pool);
    multi30k_free(&t.data);
    return tap_done();
}
