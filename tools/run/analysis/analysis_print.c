/* analysis_print.c - vectors, similarities, candidates for masks and classes, as lines and as JSON. */
#include <endian.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis_internal.h"
#include "runtime/tfm.h"
#include "tools/common/json_line.h"
#include "tools/common/shown.h"
#include "tools/common/vectors.h"

/* Six places, which the exponential functions of all C libraries agree on. */
static json_t *json_probability(double value) { return tfm_json_number(round(value * 1e6) / 1e6); }

/* Takes the object. Nine digits are enough to give a float back bit for bit. */
static tfm_status print_object(json_t *object, tfm_text *out, tfm_error *error) {
    bool ok = object && tfm_json_line(object, JSON_COMPACT | JSON_REAL_PRECISION(9), out);
    json_decref(object);
    return ok ? TFM_OK : tfm_no_memory(error, "results");
}

/* ---- vectors ---- */

static bool print_row(const float *row, size_t n, tfm_text *out) {
    bool ok = tfm_text_reserve(out, n * sizeof *row);
    for (size_t i = 0; ok && i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &row[i], sizeof bits);
        bits = htole32(bits);
        ok = tfm_text_append(out, (const char *)&bits, sizeof bits);
    }
    return ok;
}

static bool print_vector(const float *row, size_t n, tfm_text *out) {
    bool ok = tfm_text_print(out, "{\"embedding\":[");
    for (size_t i = 0; ok && i < n; i++)
        ok = isfinite(row[i]) ? tfm_text_print(out, "%s%.9g", i ? "," : "", (double)row[i])
                              : tfm_text_print(out, "%snull", i ? "," : "");
    return ok && tfm_text_print(out, "]}\n");
}

/* ---- scores and what becomes of them ---- */

typedef struct ranked {
    uint32_t index;
    float score;
} ranked;

static int higher_first(const void *left, const void *right) {
    const ranked *l = left, *r = right;
    if (l->score != r->score) return l->score > r->score ? -1 : 1;
    return l->index < r->index ? -1 : 1;
}

/* Is a below b, so that b stands nearer to the front? */
static bool below(ranked a, ranked b) { return higher_first(&a, &b) > 0; }

/* The k highest scores, highest first, the lower index first of equals; k at most n. NULL when memory is out. */
static ranked *highest(const float *scores, size_t n, size_t k) {
    ranked *best = calloc(k ? k : 1, sizeof *best); /* a heap, its lowest on top */
    for (size_t i = 0; best && k && i < n; i++) {
        ranked fresh = {(uint32_t)i, scores[i]};
        size_t at = 0;
        if (i < k) {
            for (at = i; at > 0 && below(fresh, best[(at - 1) / 2]); at = (at - 1) / 2) best[at] = best[(at - 1) / 2];
            best[at] = fresh;
            continue;
        }
        if (below(fresh, best[0])) continue;
        for (size_t child; (child = 2 * at + 1) < k; at = child) {
            if (child + 1 < k && below(best[child + 1], best[child])) child++;
            if (!below(best[child], fresh)) break;
            best[at] = best[child];
        }
        best[at] = fresh;
    }
    if (best) qsort(best, k, sizeof *best, higher_first);
    return best;
}

/* What turns a score of a row into a probability. */
typedef struct score_scale {
    tfm_score_function function;
    double largest, sum; /* of a softmax */
} score_scale;

static score_scale make_scale(tfm_score_function function, const float *scores, size_t n) {
    score_scale scale = {.function = function};
    if (function != TFM_SCORES_SOFTMAX || n == 0) return scale;
    scale.largest = (double)scores[0];
    for (size_t i = 1; i < n; i++)
        if ((double)scores[i] > scale.largest) scale.largest = (double)scores[i];
    for (size_t i = 0; i < n; i++) scale.sum += exp((double)scores[i] - scale.largest);
    return scale;
}

static double probability(const score_scale *scale, float score) {
    if (scale->function == TFM_SCORES_SOFTMAX) return exp((double)score - scale->largest) / scale->sum;
    return scale->function == TFM_SCORES_SIGMOID ? 1 / (1 + exp(-(double)score)) : (double)score;
}

/* Members score and, where there is one, probability. */
static bool set_score(json_t *object, const score_scale *scale, float score) {
    bool ok = !json_object_set_new(object, "score", tfm_json_number((double)score));
    if (scale->function == TFM_SCORES_RAW) return ok;
    return ok && !json_object_set_new(object, "probability", json_probability(probability(scale, score)));
}

/* ---- classes ---- */

static const char *label(const tfm_analysis *a, uint32_t i, char own[24]) {
    const char *name = tfm_model_label(a->engine->model, i);
    snprintf(own, 24, "LABEL_%u", i);
    return name ? name : own;
}

static json_t *class_object(const tfm_analysis *a, const score_scale *scale, ranked class) {
    char own[24];
    const char *name = label(a, class.index, own);
    json_t *object = json_object();
    if (object && !json_object_set_new(object, "label", tfm_json_text(name, strlen(name))) &&
        set_score(object, scale, class.score))
        return object;
    json_decref(object);
    return NULL;
}

/* Members label, score, probability of the best class, and classes, if there is more than that to say. */
static bool set_classes(const tfm_analysis *a, json_t *object, const float *scores, bool list) {
    size_t n = a->engine->info.n_outputs, k = a->all_classes || a->top > n ? n : a->top;
    score_scale scale = make_scale(a->engine->info.score_function, scores, n);
    ranked *best = highest(scores, n, k);
    json_t *first = best ? class_object(a, &scale, best[0]) : NULL, *classes = list ? json_array() : NULL;
    bool ok = first && !json_object_update(object, first) && (!list || classes);
    for (size_t i = 0; ok && list && i < k; i++) ok = !json_array_append_new(classes, class_object(a, &scale, best[i]));
    if (ok && list) ok = !json_object_set(object, "classes", classes);
    json_decref(first);
    json_decref(classes);
    free(best);
    return ok;
}

/* A name of the model file in a line of its own kind: no character of it ends the line, or a column. */
static bool print_name(const char *name, size_t n, tfm_text *out) { return tfm_text_append_shown(out, name, n, ""); }

static bool print_label(const tfm_analysis *a, uint32_t i, tfm_text *out) {
    char own[24];
    const char *name = label(a, i, own);
    return print_name(name, strlen(name), out);
}

/* LABEL, tab, probability; more such pairs behind tabs. */
static bool print_classes(const tfm_analysis *a, const float *scores, tfm_text *out) {
    size_t n = a->engine->info.n_outputs, k = a->top < n ? a->top : n;
    score_scale scale = make_scale(a->engine->info.score_function, scores, n);
    ranked *best = highest(scores, n, k);
    bool ok = best;
    for (size_t i = 0; ok && i < k; i++)
        ok = tfm_text_append(out, "\t", i > 0) && print_label(a, best[i].index, out) &&
             tfm_text_print(out, "\t%.6f", probability(&scale, best[i].score));
    free(best);
    return ok && tfm_text_append(out, "\n", 1);
}

/* ---- tokens ---- */

/* Is it one of the tokens that the tokenizer puts around every text? */
static bool is_around(const tfm_analysis *a, int32_t id) {
    for (size_t i = 0; i < a->around.size; i++)
        if (a->around.data[i] == id) return true;
    return false;
}

/* The token as the vocabulary spells it, or its number. */
static bool print_piece(const tfm_analysis *a, int32_t id, tfm_text *out) {
    size_t n = 0;
    const char *piece = a->settings->ids ? NULL : tfm_token_piece(a->engine->model, TFM_SOURCE, id, &n);
    return piece ? print_name(piece, n, out) : tfm_text_print(out, "%d", id);
}

/* TOKEN/LABEL; all numbers where it is not that one class holds. */
static bool print_token(const tfm_analysis *a, int32_t id, const float *scores, tfm_text *out) {
    size_t n = a->engine->info.n_outputs;
    score_scale scale = make_scale(a->engine->info.score_function, scores, n);
    bool ok = print_piece(a, id, out) && tfm_text_append(out, "/", 1);
    if (scale.function != TFM_SCORES_SOFTMAX) {
        for (size_t i = 0; ok && i < n; i++)
            ok = tfm_text_print(out, "%s%.6f", i ? "," : "", probability(&scale, scores[i]));
        return ok;
    }
    ranked *best = highest(scores, n, 1);
    ok = ok && best && print_label(a, best[0].index, out);
    free(best);
    return ok;
}

static bool print_tokens(const tfm_analysis *a, const tfm_analysis_input *input, const float *scores, tfm_text *out) {
    bool ok = true, first = true;
    for (size_t i = 0; ok && i < input->ids.size; i++) {
        if (is_around(a, input->ids.data[i])) continue;
        if (!first) ok = tfm_text_append(out, " ", 1);
        first = false;
        ok = ok && print_token(a, input->ids.data[i], scores + i * a->engine->info.n_outputs, out);
    }
    return ok && tfm_text_append(out, "\n", 1);
}

static json_t *token_object(const tfm_analysis *a, int32_t id, const float *scores) {
    size_t n = 0;
    const char *piece = tfm_token_piece(a->engine->model, TFM_SOURCE, id, &n);
    json_t *object = json_pack("{s:i}", "id", (int)id);
    bool ok = object && (!piece || !json_object_set_new(object, "token", tfm_json_text(piece, n)));
    if (ok && set_classes(a, object, scores, a->engine->info.score_function != TFM_SCORES_SOFTMAX || !a->all_classes))
        return object;
    json_decref(object);
    return NULL;
}

static bool set_tokens(const tfm_analysis *a, json_t *object, const tfm_analysis_input *input, const float *scores) {
    json_t *tokens = json_array();
    bool ok = tokens && !json_object_set_new(object, "tokens", tokens);
    for (size_t i = 0; ok && i < input->ids.size; i++)
        if (!is_around(a, input->ids.data[i]))
            ok = !json_array_append_new(tokens,
                                        token_object(a, input->ids.data[i], scores + i * a->engine->info.n_outputs));
    return ok;
}

static tfm_status print_classified(const tfm_analysis *a, const tfm_analysis_input *input, const float *scores,
                                   tfm_text *out, tfm_error *error) {
    bool sequence = a->engine->info.head == TFM_HEAD_SEQUENCE;
    if (!a->settings->json) {
        bool ok = sequence ? print_classes(a, scores, out) : print_tokens(a, input, scores, out);
        return ok ? TFM_OK : tfm_no_memory(error, "results");
    }
    json_t *object = json_object();
    if (object && (sequence ? set_classes(a, object, scores, true) : set_tokens(a, object, input, scores)))
        return print_object(object, out, error);
    json_decref(object);
    return tfm_no_memory(error, "results");
}

/* ---- masks ---- */

/*
 * The text of ids without those the tokenizer put around (but with number keep); or the ids as numbers. In a line it
 * is shown as one, in JSON as it is.
 */
static tfm_status print_filled(const tfm_analysis *a, const int32_t *ids, size_t n, size_t keep, tfm_text *out,
                               tfm_error *error) {
    tfm_ids kept = {0};
    tfm_text text = {0};
    tfm_status status = TFM_OK;
    bool ok = true;
    for (size_t i = 0; a->settings->ids && ok && i < n; i++) ok = tfm_text_print(out, "%s%d", i ? " " : "", ids[i]);
    for (size_t i = 0; !a->settings->ids && ok && i < n; i++)
        if (i == keep || !is_around(a, ids[i])) ok = tfm_ids_append(&kept, &ids[i], 1);
    if (ok && !a->settings->ids)
        status = tfm_detokenize(a->engine->model, TFM_SOURCE, kept.data, kept.size, false, &text, error);
    if (status == TFM_OK && ok)
        ok = a->settings->json ? tfm_text_append(out, text.data, text.size) : print_name(text.data, text.size, out);
    tfm_ids_free(&kept);
    tfm_text_free(&text);
    return status != TFM_OK || ok ? status : tfm_no_memory(error, "results");
}

/* One candidate: PROBABILITY, tab, TOKEN, tab, TEXT; or an object with them. The candidate is in ids already. */
static tfm_status print_candidate(const tfm_analysis *a, const score_scale *scale, ranked candidate, const tfm_ids *ids,
                                  size_t position, json_t *list, tfm_text *out, tfm_error *error) {
    tfm_text token = {0}, text = {0};
    int32_t id = (int32_t)candidate.index;
    tfm_status status = print_filled(a, &id, 1, 0, &token, error);
    if (status == TFM_OK) status = print_filled(a, ids->data, ids->size, position, &text, error);
    bool ok = true;
    if (status == TFM_OK && list) {
        json_t *object = json_pack("{s:i}", "id", (int)id);
        ok = object && !json_object_set_new(object, "token", tfm_json_text(token.data, token.size)) &&
             set_score(object, scale, candidate.score) &&
             !json_object_set_new(object, "text", tfm_json_text(text.data, text.size));
        if (ok)
            ok = !json_array_append_new(list, object);
        else
            json_decref(object);
    } else if (status == TFM_OK) {
        ok = tfm_text_print(out, "%.6f\t", probability(scale, candidate.score)) &&
             tfm_text_append(out, token.data, token.size) && tfm_text_append(out, "\t", 1) &&
             tfm_text_append(out, text.data, text.size) && tfm_text_append(out, "\n", 1);
    }
    tfm_text_free(&token);
    tfm_text_free(&text);
    return status != TFM_OK || ok ? status : tfm_no_memory(error, "results");
}

/* The candidates of a mask, into a list of JSON or as lines. */
static tfm_status print_mask(const tfm_analysis *a, const tfm_analysis_input *input, size_t position,
                             const float *scores, json_t *list, tfm_text *out, tfm_error *error) {
    size_t n = a->engine->info.n_outputs, k = a->top < n ? a->top : n;
    score_scale scale = make_scale(TFM_SCORES_SOFTMAX, scores, n);
    ranked *best = highest(scores, n, k);
    tfm_status status = best ? TFM_OK : tfm_no_memory(error, "results");
    int32_t *ids = input->ids.data, before = ids[position];
    for (size_t i = 0; status == TFM_OK && i < k; i++) {
        ids[position] = (int32_t)best[i].index;
        status = print_candidate(a, &scale, best[i], &input->ids, position, list, out, error);
    }
    ids[position] = before;
    free(best);
    return status;
}

static tfm_status print_masks(const tfm_analysis *a, const tfm_analysis_input *input, const float *scores,
                              tfm_text *out, tfm_error *error) {
    json_t *masks = a->settings->json ? json_array() : NULL;
    tfm_status status = masks || !a->settings->json ? TFM_OK : tfm_no_memory(error, "results");
    for (size_t i = 0; status == TFM_OK && i < input->masks.size; i++) {
        int32_t position = input->masks.data[i];
        json_t *list = masks ? json_array() : NULL;
        if (masks &&
            json_array_append_new(masks, json_pack("{s:i, s:o}", "position", (int)position, "candidates", list)))
            status = tfm_no_memory(error, "results");
        if (status == TFM_OK)
            status = print_mask(a, input, (size_t)position, scores + i * a->engine->info.n_outputs, list, out, error);
    }
    if (status == TFM_OK && masks) return print_object(json_pack("{s:o}", "masks", masks), out, error);
    json_decref(masks);
    return status;
}

/* ---- any of them ---- */

tfm_status tfm_analysis_print(const tfm_analysis *a, const tfm_analysis_input *inputs, float *const *results,
                              tfm_text *out, tfm_error *error) {
    size_t d = a->engine->info.d_model;
    bool ok = true;
    switch (a->action) {
    case TFM_EMBED:
        ok = a->settings->analysis.format == TFM_VECTORS_JSON ? print_vector(results[0], d, out)
                                                              : print_row(results[0], d, out);
        break;
    case TFM_SIMILARITY:
        if (a->settings->json)
            return print_object(
                json_pack("{s:o}", "similarity", tfm_json_number(tfm_cosine(results[0], results[1], d))), out, error);
        ok = tfm_text_print(out, "%.6f\n", tfm_cosine(results[0], results[1], d));
        break;
    case TFM_FILL_MASK: return print_masks(a, inputs, results[0], out, error);
    case TFM_CLASSIFY: return print_classified(a, inputs, results[0], out, error);
    }
    return ok ? TFM_OK : tfm_no_memory(error, "results");
}

/* Rows of numbers keep their count: an input that failed has a row of NaNs. */
tfm_status tfm_analysis_print_error(const tfm_analysis *a, const char *message, tfm_text *out, tfm_error *error) {
    bool vectors = a->action == TFM_EMBED, ok = true;
    if (vectors && a->settings->analysis.format != TFM_VECTORS_JSON) {
        const float nothing = NAN;
        for (size_t i = 0; ok && i < a->engine->info.d_model; i++) ok = print_row(&nothing, 1, out);
    } else if (vectors || a->settings->json) {
        return print_object(json_pack("{s:o}", "error", tfm_json_text(message, strlen(message))), out, error);
    } else {
        ok = tfm_text_append(out, "\n", 1);
    }
    return ok ? TFM_OK : tfm_no_memory(error, "results");
}
