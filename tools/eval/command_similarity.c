/* command_similarity.c - tfmeval similarity: texts ranked by the cosine between their embeddings and a query's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_options.h"
#include "text_file.h"
#include "tools/common/json_line.h"
#include "tools/common/shown.h"
#include "tools/common/vectors.h"

typedef struct settings {
    tfm_model_command_settings base;
    const char *in;
    uint32_t top;
    bool json;
} settings;

#define AT(member) .offset = offsetof(settings, member)
static const tfm_option options[] = {
    {.kind = TFM_OPTION_STRING,
     .letter = 'i',
     .name = "in",
     .argument = "FILE",
     AT(in),
     .help = "The texts, one a line (default: -, standard input)."},
    {.kind = TFM_OPTION_U32,
     .name = "top",
     .argument = "N",
     .max = UINT32_MAX,
     AT(top),
     .help = "Only the N closest texts (default: 0, all)."},
    {.kind = TFM_OPTION_FLAG, .name = "json", AT(json), .help = "A line of JSON for each text: score, line and text."},
};

const tfm_command tfm_similarity_page = {
    .usage = "similarity [OPTION]... MODEL QUERY [--in TEXTS]",
    .description = "Ranks texts, one a line, by how close they are to QUERY: the cosine of the angle\n"
                   "between their embeddings and that of the query, pooled as the model's checkpoint\n"
                   "says. The closest comes first; of equals the one that stood first.\n",
    .examples = "  tfmeval similarity minilm.bin 'How do I open an account?' < questions.txt\n",
    .options = {.options = options, .n = sizeof options / sizeof *options, .next = &tfm_run_options},
    .n_arguments = 2};

enum { GROUP = 256 }; /* texts that are embedded in one call */

typedef struct ranked {
    double score;
    size_t line; /* from 1 */
    char *text;  /* own memory */
    size_t n;
} ranked;

typedef struct ranker {
    const settings *settings;
    tfm_opened model;
    tfm_session *session;
    tfm_text_file in;
    float *query, *embeddings; /* (d_model), (GROUP, d_model) */
    ranked *texts;             /* (n) */
    size_t n, capacity;
} ranker;

static int closest_first(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static tfm_status keep_line(ranker *r, tfm_slice line, size_t number, tfm_error *error) {
    if (r->n == r->capacity && !tfm_grow(&r->texts, &r->capacity, r->n, 1, sizeof *r->texts))
        return tfm_no_memory(error, "%zu texts", r->n);
    char *text = malloc(line.n + 1);
    if (!text) return tfm_no_memory(error, "a text of %zu bytes", line.n);
    memcpy(text, line.data, line.n);
    text[line.n] = '\0';
    r->texts[r->n++] = (ranked){.line = number, .text = text, .n = line.n};
    return TFM_OK;
}

/* Texts first .. n - 1 get their scores. */
static tfm_status embed_from(ranker *r, size_t first, tfm_error *error) {
    const char *texts[GROUP] = {NULL};
    size_t sizes[GROUP] = {0}, n = r->n - first, d_model = r->model.info.d_model;
    static tfm_error errors[GROUP];
    for (size_t i = 0; i < n; i++) {
        texts[i] = r->texts[first + i].text;
        sizes[i] = r->texts[first + i].n;
    }
    tfm_status status = tfm_embed_text(r->session, texts, sizes, n, NULL, r->embeddings, errors, error);
    for (size_t i = 0; i < n && status == TFM_OK; i++) {
        ranked *text = &r->texts[first + i];
        if (errors[i].status != TFM_OK)
            return tfm_fail(error, errors[i].status, "%s:%zu: %s", r->in.name, text->line, errors[i].message);
        text->score = tfm_cosine(r->query, r->embeddings + i * d_model, d_model);
    }
    return status;
}

static tfm_status read_texts(ranker *r, tfm_error *error) {
    size_t first = 0, number = 0;
    for (;;) {
        tfm_slice line;
        bool end;
        tfm_status status = tfm_text_file_next(&r->in, &line, &end, error);
        if (status == TFM_OK && !end && line.n > 0) status = keep_line(r, line, number + 1, error);
        number++;
        if (status == TFM_OK && (end || r->n - first == GROUP)) {
            status = embed_from(r, first, error);
            first = r->n;
        }
        if (status != TFM_OK || end) return status;
    }
}

static tfm_status open_ranker(ranker *r, const char *path, const char *query, tfm_error *error) {
    tfm_status status = tfm_opened_open(&r->model, path, &r->settings->base.model, error);
    if (status != TFM_OK) return status;
    if (r->model.info.kind != TFM_KIND_ENCODER)
        return tfm_fail(error, TFM_ERROR_STATE, "%s is no encoder-only model: it has no embeddings of texts", path);
    tfm_session_params params = tfm_session_params_default();
    params.pool = r->model.pool;
    params.max_batch_tokens = r->settings->base.model.batch_tokens;
    params.max_sources = GROUP;
    status = tfm_session_create(&r->session, r->model.model, &params, error);
    if (status != TFM_OK) return status;
    r->query = calloc(r->model.info.d_model, sizeof *r->query);
    r->embeddings = calloc((size_t)GROUP * r->model.info.d_model, sizeof *r->embeddings);
    if (!r->query || !r->embeddings) return tfm_no_memory(error, "embeddings");
    tfm_error of_query;
    status = tfm_embed_text(r->session, &query, NULL, 1, NULL, r->query, &of_query, error);
    if (status == TFM_OK && of_query.status != TFM_OK)
        return tfm_fail(error, of_query.status, "the query: %s", of_query.message);
    return status == TFM_OK ? tfm_text_file_open(&r->in, r->settings->in, error) : status;
}

static tfm_status print_json(const ranked *text, tfm_error *error) {
    tfm_text line = {0};
    json_t *object = json_pack("{s:f, s:I, s:o?}", "score", text->score, "line", (json_int_t)text->line, "text",
                               tfm_json_text(text->text, text->n));
    bool ok = object && tfm_json_line(object, JSON_REAL_PRECISION(9), &line);
    json_decref(object);
    if (ok) fwrite(line.data, 1, line.size, stdout);
    tfm_text_free(&line);
    return ok ? TFM_OK : tfm_no_memory(error, "a text");
}

static tfm_status print_ranks(const ranker *r, tfm_error *error) {
    size_t n = r->settings->top > 0 && r->settings->top < r->n ? r->settings->top : r->n;
    tfm_status status = TFM_OK;
    for (size_t i = 0; i < n && status == TFM_OK; i++) {
        if (r->settings->json)
            status = print_json(&r->texts[i], error);
        else
            tfm_say(stdout, "%7.4f  %s", r->texts[i].score, r->texts[i].text);
    }
    return status;
}

int tfm_command_similarity(int argc, char **argv) {
    settings set = {.base.model.batch_tokens = TFM_BATCH_TOKENS_DEFAULT, .in = "-"};
    int code;
    if (!tfm_command_begin(&tfm_similarity_page, &set.base.command, argc, argv, &code)) return code;
    tfm_error error = {0};
    ranker r = {.settings = &set, .in = {.fd = -1}};
    tfm_status status = open_ranker(&r, argv[1], argv[2], &error);
    if (status == TFM_OK) status = read_texts(&r, &error);
    if (status == TFM_OK && r.n > 0) qsort(r.texts, r.n, sizeof *r.texts, closest_first);
    if (status == TFM_OK) status = print_ranks(&r, &error);
    code = status == TFM_OK ? tfm_command_end() : tfm_command_fail(&error);
    for (size_t i = 0; i < r.n; i++) free(r.texts[i].text);
    free(r.texts);
    free(r.query);
    free(r.embeddings);
    tfm_text_file_close(&r.in);
    tfm_session_free(&r.session);
    tfm_opened_close(&r.model);
    return code;
}
