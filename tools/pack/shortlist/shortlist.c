/* shortlist.c - what a file of shortlists says becomes the section shortlist: one sorted list for each source token. */
#include "shortlist_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/disk.h"

/* The model as far as shortlists concern it: its tables and tokenizers, opened from what the writer will write. */
typedef struct translation_model {
    tfm_table *architecture, *generation, *source_table, *target_table;
    tfm_tokenizer *source, *target; /* target: NULL if the source's serves both */
    uint64_t source_vocab, target_vocab;
    tfm_shortlist_pieces source_pieces, target_pieces;
} translation_model;

/* ---- pieces ---- */

static int compare_text(const char *a, size_t n_a, const char *b, size_t n_b) {
    int order = memcmp(a, b, n_a < n_b ? n_a : n_b);
    return order ? order : (n_a > n_b) - (n_a < n_b);
}

static int compare_pieces(const void *a, const void *b, void *tokenizer) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    size_t n_x = 0, n_y = 0;
    const char *p = tfm_tokenizer_piece(tokenizer, (int32_t)x, &n_x),
               *q = tfm_tokenizer_piece(tokenizer, (int32_t)y, &n_y);
    int order = compare_text(p ? p : "", p ? n_x : 0, q ? q : "", q ? n_y : 0);
    return order ? order : (x > y) - (x < y);
}

tfm_status tfm_shortlist_pieces_open(tfm_shortlist_pieces *pieces, const tfm_tokenizer *tokenizer, uint64_t n_ids,
                                     tfm_error *error) {
    uint64_t n = tfm_tokenizer_size(tokenizer) < n_ids ? tfm_tokenizer_size(tokenizer) : n_ids;
    *pieces = (tfm_shortlist_pieces){
        .tokenizer = tokenizer, .n = (uint32_t)n, .order = malloc((n + 1) * sizeof *pieces->order)};
    if (!pieces->order) return tfm_no_memory(error, "the pieces of a shortlist");
    for (uint32_t i = 0; i < pieces->n; i++) pieces->order[i] = i;
    qsort_r(pieces->order, pieces->n, sizeof *pieces->order, compare_pieces, (void *)(uintptr_t)tokenizer);
    return TFM_OK;
}

void tfm_shortlist_pieces_close(tfm_shortlist_pieces *pieces) {
    free(pieces->order);
    *pieces = (tfm_shortlist_pieces){0};
}

bool tfm_shortlist_pieces_find(const tfm_shortlist_pieces *pieces, const char *text, size_t n, uint32_t *id) {
    size_t low = 0, high = pieces->n;
    while (low < high) { /* the first that is not before text */
        size_t middle = low + (high - low) / 2, length = 0;
        const char *piece = tfm_tokenizer_piece(pieces->tokenizer, (int32_t)pieces->order[middle], &length);
        if (!piece || compare_text(piece, length, text, n) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    size_t length = 0;
    const char *piece =
        low < pieces->n ? tfm_tokenizer_piece(pieces->tokenizer, (int32_t)pieces->order[low], &length) : NULL;
    if (!piece || compare_text(piece, length, text, n) != 0) return false;
    *id = pieces->order[low];
    return true;
}

/* ---- the model ---- */

static tfm_status open_table(const tfm_writer *writer, const char *name, tfm_table **table, tfm_error *error) {
    size_t n;
    const void *data = tfm_writer_section_data(writer, name, &n);
    return data ? tfm_table_open(table, data, n, name, error) : TFM_OK;
}

static tfm_status open_model(translation_model *model, const tfm_writer *writer, tfm_error *error) {
    tfm_status status = open_table(writer, "architecture", &model->architecture, error);
    if (status == TFM_OK) status = open_table(writer, "generation", &model->generation, error);
    if (status == TFM_OK) status = open_table(writer, "tokenizer", &model->source_table, error);
    if (status == TFM_OK) status = open_table(writer, "tokenizer.target", &model->target_table, error);
    if (status != TFM_OK) return status;
    if (strcmp(tfm_table_string(model->architecture, "kind", ""), "encoder-decoder") != 0)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "--shortlist: only models with encoder and decoder can have one");
    model->source_vocab = tfm_table_u64(model->architecture, "encoder.vocab_size", 0);
    model->target_vocab = tfm_table_u64(model->architecture, "decoder.vocab_size", 0);
    if (!model->source_table) {
        model->source_pieces.n = (uint32_t)model->source_vocab;
        model->target_pieces.n = (uint32_t)model->target_vocab;
        return TFM_OK;
    }
    status = tfm_tokenizer_open(&model->source, model->source_table, "tokenizer", error);
    if (status == TFM_OK && model->target_table)
        status = tfm_tokenizer_open(&model->target, model->target_table, "tokenizer.target", error);
    if (status == TFM_OK)
        status = tfm_shortlist_pieces_open(&model->source_pieces, model->source, model->source_vocab, error);
    if (status == TFM_OK)
        status = tfm_shortlist_pieces_open(&model->target_pieces, model->target ? model->target : model->source,
                                           model->target_vocab, error);
    return status;
}

static void close_model(translation_model *model) {
    tfm_shortlist_pieces_close(&model->source_pieces);
    tfm_shortlist_pieces_close(&model->target_pieces);
    tfm_tokenizer_close(&model->source);
    tfm_tokenizer_close(&model->target);
    tfm_table_close(&model->architecture);
    tfm_table_close(&model->generation);
    tfm_table_close(&model->source_table);
    tfm_table_close(&model->target_table);
}

/* Whether every id means the same piece on both sides; without pieces, vocabularies of one size are taken for one. */
static bool share_vocabulary(const translation_model *model) {
    if (!model->source) return model->source_vocab == model->target_vocab;
    if (!model->target) return true;
    if (model->source_pieces.n != model->target_pieces.n) return false;
    for (uint32_t i = 0; i < model->source_pieces.n; i++) {
        size_t n_a = 0, n_b = 0;
        const char *a = tfm_tokenizer_piece(model->source, (int32_t)i, &n_a);
        const char *b = tfm_tokenizer_piece(model->target, (int32_t)i, &n_b);
        if (!a || !b || compare_text(a, n_a, b, n_b) != 0) return false;
    }
    return true;
}

/* ---- what is always allowed ---- */

static bool add_always(tfm_shortlist_file *file, const translation_model *model, uint64_t id) {
    return id >= model->target_vocab || tfm_shortlist_file_always(file, (uint32_t)id);
}

static bool add_value(tfm_shortlist_file *file, const translation_model *model, const tfm_table *table,
                      const char *key) {
    const tfm_value *value = tfm_table_find(table, key);
    if (!value) return true;
    if (value->type == TFM_VALUE_U64) return add_always(file, model, value->u64);
    bool ok = true;
    for (size_t i = 0; value->type == TFM_VALUE_U32S && i < value->n; i++)
        ok = ok && add_always(file, model, ((const uint32_t *)value->data)[i]);
    return ok;
}

/* Tokens that begin, end and stand for what is unknown, and the first ids, which are the most frequent ones. */
static tfm_status complete_always(tfm_shortlist_file *file, const translation_model *model,
                                  const tfm_shortlist_request *request, tfm_error *error) {
    static const char *const of_generation[] = {"eos_token_id", "forced_eos_token_id", "forced_bos_token_id",
                                                "bos_token_id", "pad_token_id"};
    const tfm_table *tokenizer = model->target_table ? model->target_table : model->source_table;
    if (!tfm_table_find(model->generation, "eos_token_id"))
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "--shortlist: the checkpoint names no end token (eos_token_id)");
    uint32_t first = request->has_first                      ? request->first
                     : file->format == TFM_SHORTLIST_LEXICAL ? TFM_SHORTLIST_FIRST
                                                             : 0;
    bool ok = !tokenizer || add_value(file, model, tokenizer, "unknown.id");
    for (size_t i = 0; i < sizeof of_generation / sizeof *of_generation; i++)
        ok = ok && add_value(file, model, model->generation, of_generation[i]);
    for (uint32_t id = 0; ok && id < first && id < model->target_pieces.n; id++) ok = add_always(file, model, id);
    return ok ? TFM_OK : tfm_no_memory(error, "a shortlist");
}

/* ---- the section ---- */

static int compare_ids(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Sorts and drops what is there twice; returns how many are left. */
static size_t sort_ids(uint32_t *ids, size_t n) {
    size_t kept = 0;
    if (n > 0) qsort(ids, n, sizeof *ids, compare_ids);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || ids[kept - 1] != ids[i]) ids[kept++] = ids[i];
    return kept;
}

/* By source; there the most probable first, of equals the lower id. */
static int compare_entries(const void *a, const void *b) {
    const tfm_shortlist_entry *x = a, *y = b;
    if (x->source != y->source) return x->source < y->source ? -1 : 1;
    if (x->probability != y->probability) return x->probability > y->probability ? -1 : 1;
    return (x->target > y->target) - (x->target < y->target);
}

typedef struct lists {
    uint32_t *offsets, *targets;
    size_t n_targets, n_nonempty;
    bool *common; /* of each target: always allowed, so that lists need not name it */
} lists;

/* The entries of one source token, in order: the best of them, and itself where vocabularies are shared. */
static void add_list(lists *l, const tfm_shortlist_file *file, const tfm_shortlist_request *request, uint32_t source,
                     const tfm_shortlist_entry *entries, size_t n, bool itself) {
    bool lexical = file->format == TFM_SHORTLIST_LEXICAL;
    uint32_t *list = l->targets + l->n_targets;
    size_t taken = 0;
    for (size_t i = 0; i < n && (!lexical || taken < request->best); i++) {
        if (lexical && entries[i].probability <= (float)request->threshold) break;
        list[taken++] = entries[i].target;
    }
    if (itself) list[taken++] = source;
    size_t kept = 0;
    for (size_t i = 0, sorted = sort_ids(list, taken); i < sorted; i++)
        if (!l->common[list[i]]) list[kept++] = list[i];
    l->n_targets += kept;
    l->n_nonempty += kept > 0;
}

/* A pair that is there several times counts once, with its highest probability. */
static size_t drop_repeated(tfm_shortlist_entry *entries, size_t n, uint32_t *last_source) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (last_source[entries[i].target] == entries[i].source) continue;
        last_source[entries[i].target] = entries[i].source;
        entries[kept++] = entries[i];
    }
    return kept;
}

static tfm_status make_lists(lists *l, tfm_shortlist_file *file, const translation_model *model,
                             const tfm_shortlist_request *request, tfm_error *error) {
    size_t n_sources = (size_t)model->source_vocab, n_targets = (size_t)model->target_vocab;
    bool itself = file->format == TFM_SHORTLIST_LEXICAL && share_vocabulary(model);
    uint32_t *last_source = malloc((n_targets + 1) * sizeof *last_source);
    l->offsets = calloc(n_sources + 1, sizeof *l->offsets);
    l->targets = malloc((file->n_entries + n_sources + 1) * sizeof *l->targets);
    l->common = calloc(n_targets + 1, sizeof *l->common);
    if (!last_source || !l->offsets || !l->targets || !l->common) {
        free(last_source);
        return tfm_no_memory(error, "a shortlist");
    }
    file->n_always = sort_ids(file->always, file->n_always);
    for (size_t i = 0; i < file->n_always; i++) l->common[file->always[i]] = true;
    memset(last_source, 0xff, (n_targets + 1) * sizeof *last_source); /* no source has the number 2^32 - 1 */
    if (file->n_entries > 0) qsort(file->entries, file->n_entries, sizeof *file->entries, compare_entries);
    size_t n = drop_repeated(file->entries, file->n_entries, last_source), next = 0;
    free(last_source);
    for (size_t source = 0; source < n_sources; source++) {
        size_t begin = next;
        while (next < n && file->entries[next].source == source) next++;
        add_list(l, file, request, (uint32_t)source, file->entries + begin, next - begin,
                 itself && source < model->target_pieces.n);
        if (l->n_targets > TFM_DISK_MAX_SECTION / 8)
            return tfm_fail(error, TFM_ERROR_LIMIT,
                            "%s: gives more targets than a model file holds; lower "
                            "--shortlist-best",
                            request->path);
        l->offsets[source + 1] = (uint32_t)l->n_targets;
    }
    return TFM_OK;
}

static tfm_status write_section(const lists *l, const tfm_shortlist_file *file, size_t n_sources, tfm_writer *writer,
                                tfm_error *error) {
    tfm_table_builder *table = tfm_table_builder_new();
    if (!table) return tfm_no_memory(error, "section shortlist");
    tfm_table_set_array(table, "always", TFM_VALUE_U32S, file->always, file->n_always);
    tfm_table_set_array(table, "offsets", TFM_VALUE_U32S, l->offsets, n_sources + 1);
    tfm_table_set_array(table, "targets", TFM_VALUE_U32S, l->targets, l->n_targets);
    tfm_status status = tfm_writer_section(writer, "shortlist", table, error);
    tfm_table_builder_free(&table);
    return status;
}

static void tell(const lists *l, const tfm_shortlist_file *file, const tfm_shortlist_request *request,
                 const tfm_pack_options *options) {
    static const char *const formats[] = {"a lexical table", "a vocabulary map", "a list of tokens"};
    tfm_pack_note(options, "%s: %s; %zu tokens are always allowed, and %.1f more for each of %zu source tokens",
                  request->path, formats[file->format], file->n_always,
                  l->n_nonempty ? (double)l->n_targets / (double)l->n_nonempty : 0.0, l->n_nonempty);
    if (file->n_unknown_sources + file->n_unknown_targets > 0)
        tfm_pack_note(
            options, "%s: left out what the vocabulary does not have: %llu times a source, %llu times a target",
            request->path, (unsigned long long)file->n_unknown_sources, (unsigned long long)file->n_unknown_targets);
    if (file->n_long_ngrams > 0)
        tfm_pack_note(options, "%s: left out %llu entries for several source tokens in a row", request->path,
                      (unsigned long long)file->n_long_ngrams);
}

static bool wants_to_stop(void *user) {
    const tfm_pack_options *options = user;
    return options->progress && options->progress(options->progress_user, 1, 1) != 0;
}

tfm_status tfm_pack_shortlist(const tfm_shortlist_request *request, tfm_writer *writer, const tfm_pack_options *options,
                              tfm_error *error) {
    translation_model model = {0};
    lists l = {0};
    tfm_shortlist_file file = {.source = &model.source_pieces, .target = &model.target_pieces};
    tfm_status status = open_model(&model, writer, error);
    if (status == TFM_OK)
        status = tfm_shortlist_file_read(&file, request->path, wants_to_stop, (void *)(uintptr_t)options, error);
    if (status == TFM_OK && file.n_entries + file.n_always == 0)
        status =
            tfm_fail(error, TFM_ERROR_FORMAT, "%s: none of its tokens is in the model's vocabulary", request->path);
    if (status == TFM_OK) status = complete_always(&file, &model, request, error);
    if (status == TFM_OK) status = make_lists(&l, &file, &model, request, error);
    if (status == TFM_OK) status = write_section(&l, &file, (size_t)model.source_vocab, writer, error);
    if (status == TFM_OK) tell(&l, &file, request, options);
    free(l.offsets);
    free(l.targets);
    free(l.common);
    tfm_shortlist_file_free(&file);
    close_model(&model);
    return status;
}
