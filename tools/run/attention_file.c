/* attention_file.c - writes heat maps of cross-attention to a file, with the tokens' pieces as labels. */
#include "attention_file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "heatmap.h"
#include "runtime/tfm.h"

static bool ends_with(const char *path, const char *suffix) {
    size_t n = strlen(path), m = strlen(suffix);
    return n > m && strcasecmp(path + n - m, suffix) == 0;
}

static bool is_html(const char *path) { return ends_with(path, ".html") || ends_with(path, ".htm"); }

tfm_status tfm_attention_check(const char *path, tfm_error *error) {
    if (is_html(path) || ends_with(path, ".svg")) return TFM_OK;
    return tfm_fail(error, TFM_ERROR_ARGUMENT, "attention: '%s' must end in .svg or .html", path);
}

bool tfm_attention_is_open(const tfm_attention_file *file) { return file->file.fd >= 0; }

static tfm_status write_file(tfm_attention_file *file, const tfm_text *bytes, tfm_error *error) {
    return tfm_new_file_write(&file->file, bytes->data, bytes->size, error);
}

tfm_status tfm_attention_open(tfm_attention_file *file, const char *path, tfm_error *error) {
    *file = (tfm_attention_file){.path = path, .file = {.fd = -1}, .html = is_html(path)};
    tfm_status status = tfm_attention_check(path, error);
    if (status == TFM_OK) status = tfm_new_file_open(&file->file, path, error);
    if (status != TFM_OK || !file->html) return status;
    tfm_text start = {0};
    if (tfm_heatmap_html_start(&start))
        status = write_file(file, &start, error);
    else
        status = tfm_no_memory(error, "%s", path);
    tfm_text_free(&start);
    return status;
}

/* ---- drawings ---- */

static void free_labels(tfm_text *labels, size_t n) {
    for (size_t i = 0; labels && i < n; i++) free(labels[i].data);
    free(labels);
}

/* The piece of each token, or its number where there is no tokenizer; NULL when memory is out. */
static tfm_text *make_labels(const tfm_engine *engine, tfm_side side, const int32_t *ids, size_t n) {
    tfm_text *labels = calloc(n ? n : 1, sizeof *labels);
    for (size_t i = 0; labels && i < n; i++) {
        size_t length = 0;
        const char *piece = engine->info.has_tokenizer ? tfm_token_piece(engine->model, side, ids[i], &length) : NULL;
        if (piece ? tfm_text_append(&labels[i], piece, length) : tfm_text_print(&labels[i], "%d", ids[i])) continue;
        free_labels(labels, n);
        return NULL;
    }
    return labels;
}

/* The tokens as a sentence; "" where there is no tokenizer. */
static tfm_status sentence(const tfm_engine *engine, tfm_side side, const int32_t *ids, size_t n, tfm_text *text,
                           tfm_error *error) {
    if (!engine->info.has_tokenizer) return TFM_OK;
    return tfm_detokenize(engine->model, side, ids, n, true, text, error);
}

tfm_status tfm_attention_draw(const tfm_attention_file *file, const tfm_engine *engine, const tfm_ids *source,
                              const tfm_hypothesis *hypothesis, uint64_t number, tfm_text *out, tfm_error *error) {
    if (!hypothesis->attention)
        return tfm_fail(error, TFM_ERROR_STATE, "%s: this model gives no cross-attention", file->path);
    tfm_text source_text = {0}, target_text = {0};
    tfm_text *source_labels = make_labels(engine, TFM_SOURCE, source->data, source->size);
    tfm_text *target_labels = make_labels(engine, TFM_TARGET, hypothesis->ids, hypothesis->n);
    tfm_status status = sentence(engine, TFM_SOURCE, source->data, source->size, &source_text, error);
    if (status == TFM_OK) status = sentence(engine, TFM_TARGET, hypothesis->ids, hypothesis->n, &target_text, error);
    if (status == TFM_OK) {
        tfm_heatmap map = {source_labels,
                           target_labels,
                           source->size,
                           hypothesis->n,
                           hypothesis->attention,
                           source_text.data ? source_text.data : "",
                           target_text.data ? target_text.data : ""};
        bool ok = source_labels && target_labels;
        ok = ok && (file->html ? tfm_heatmap_html_figure(&map, (size_t)number, out) : tfm_heatmap_svg(&map, out));
        if (!ok) status = tfm_no_memory(error, "%s", file->path);
    }
    free_labels(source_labels, source->size);
    free_labels(target_labels, hypothesis->n);
    tfm_text_free(&source_text);
    tfm_text_free(&target_text);
    return status;
}

tfm_status tfm_attention_add(tfm_attention_file *file, const tfm_text *drawing, tfm_error *error) {
    if (!file->html && file->n_pairs > 0)
        return tfm_fail(error, TFM_ERROR_STATE,
                        "%s: an SVG shows one sentence pair, the first; for several use a name that ends in .html",
                        file->path);
    file->n_pairs++;
    return write_file(file, drawing, error);
}

tfm_status tfm_attention_close(tfm_attention_file *file, bool keep, tfm_error *error) {
    if (!tfm_attention_is_open(file)) return TFM_OK;
    tfm_status status = TFM_OK;
    if (file->html && keep) {
        tfm_text end = {0};
        if (tfm_heatmap_html_end(&end))
            status = write_file(file, &end, error);
        else
            status = tfm_no_memory(error, "%s", file->path);
        tfm_text_free(&end);
    }
    bool whole = keep && status == TFM_OK;
    tfm_status closed = tfm_new_file_close(&file->file, whole, error);
    return status == TFM_OK ? closed : status;
}
