/* model.c - opening and closing models, and what must hold while they are used. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/os/pool.h"
#include "runtime/os/sigbus.h"
#include "runtime/params.h"
#include "simd/isa.h"

static const tfm_model_params standard = {.size = sizeof standard, .verify = TFM_VERIFY_ALL};

void tfm_model_params_init(tfm_model_params *params, size_t size) {
    tfm_params_give(params, size, &standard, sizeof standard);
}

static tfm_status choose_kernels(const char *name, const tfm_kernels **kernels, tfm_error *error) {
    const char *chosen;
    tfm_status status = tfm_isa_choose(name, &chosen, error);
    if (status == TFM_OK) *kernels = tfm_kernels_get(tfm_isa_parse(chosen));
    return status;
}

/* Ids that a side's tokenizer may be given to decode; the first serves both sides where there is no second. */
static size_t count_rows(const tfm_model *model, bool both) {
    const tfm_model_info info = tfm_model_get_info(model);
    const bool source = both && info.source_vocab_size > info.target_vocab_size;
    return source ? info.source_vocab_size : info.target_vocab_size;
}

static tfm_status open_tokenizers(tfm_model *model, const char *path, tfm_error *error) {
    static const char *const names[2] = {"tokenizer", "tokenizer.target"};
    tfm_tokenizer **const out[2] = {&model->tokenizer, &model->target_tokenizer};
    for (int i = 0; i < 2; i++) {
        const tfm_table *table = tfm_file_table(model->file, names[i]);
        if (!table) continue;
        char what[512];
        snprintf(what, sizeof what, "%s: %s", path, names[i]);
        tfm_status status = tfm_tokenizer_open(out[i], table, what, error);
        if (status != TFM_OK) return status;
        tfm_tokenizer_set_rows(*out[i], count_rows(model, i == 0));
    }
    return TFM_OK;
}

/* A target that the checkpoint names counts unless its decoding defaults name another. */
static void set_target_language(tfm_model *model) {
    const tfm_languages *languages = &model->languages;
    if (languages->target_default >= 0 && model->defaults.forced_bos_token_id < 0)
        model->defaults.target_language = languages->codes[languages->target_default];
}

/* The sections in the order in which a text goes through them; last, what lies in none: the bytes of the tensors. */
static tfm_status read_model(tfm_model *model, const char *path, const tfm_model_params *params, tfm_error *error) {
    const tfm_file *file = model->file;
    tfm_status status = tfm_architecture_read(&model->arch, tfm_file_table(file, "architecture"), path, error);
    if (status == TFM_OK && model->arch.kind != TFM_KIND_TOKENIZER) status = tfm_weights_bind(model, error);
    if (status == TFM_OK) status = open_tokenizers(model, path, error);
    if (status == TFM_OK)
        status = tfm_languages_read(&model->languages, tfm_file_table(file, "languages"), &model->arch, path, error);
    if (status == TFM_OK)
        status = tfm_chat_read(&model->chat, tfm_file_table(file, "chat"), path, model->chat_tokens,
                               &model->n_chat_tokens, error);
    if (status == TFM_OK) status = tfm_generation_defaults_read(model, tfm_file_table(file, "generation"), error);
    if (status == TFM_OK) set_target_language(model);
    if (status == TFM_OK)
        status = tfm_shortlist_read(&model->shortlist, tfm_file_table(file, "shortlist"), &model->arch, path, error);
    if (status == TFM_OK && !model->lazy) {
        tfm_parallel parallel = tfm_pool_parallel(params->pool);
        status = tfm_file_verify(model->file, &parallel, params->progress, params->progress_user, error);
    }
    tfm_status changed = tfm_model_check_unchanged(model, status != TFM_OK ? NULL : error);
    return status != TFM_OK ? status : changed;
}

static void watch(void *model, const void *base, uint64_t n) {
    tfm_sigbus_watch(base, (size_t)n, &((tfm_model *)model)->shrank);
}

static void forget(void *model, const void *base, uint64_t n) {
    (void)model, (void)n;
    tfm_sigbus_forget(base);
}

tfm_status tfm_model_open(tfm_model **out, const char *path, const tfm_model_params *params, tfm_error *error) {
    *out = NULL;
    tfm_model_params own = standard;
    tfm_status status = tfm_params_take(&own, sizeof own, params, "tfm_model_params", error);
    if (status != TFM_OK) return status;
    if ((unsigned)own.verify > TFM_VERIFY_LAZY)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "verify is %d, which is none of tfm_verify", (int)own.verify);
    tfm_model *model = calloc(1, sizeof *model);
    if (!model) return tfm_no_memory(error, "%s", path);
    model->lazy = own.verify == TFM_VERIFY_LAZY;
    status = choose_kernels(own.isa, &model->kernels, error);
    tfm_map_guard guard = {watch, forget, model};
    if (status == TFM_OK) status = tfm_file_open_with(&model->file, path, own.no_sigbus_handler ? NULL : &guard, error);
    if (status == TFM_OK) status = read_model(model, path, &own, error);
    if (status != TFM_OK) {
        tfm_model_close(&model);
        return status;
    }
    *out = model;
    return TFM_OK;
}

void tfm_model_close(tfm_model **out) {
    if (!out || !*out) return;
    tfm_model *model = *out;
    *out = NULL;
    tfm_tokenizer_close(&model->tokenizer);
    tfm_tokenizer_close(&model->target_tokenizer);
    tfm_chat_close(&model->chat);
    tfm_languages_free(&model->languages);
    tfm_weights_release(model);
    free(model->lists);
    free(model->words);
    tfm_file_close(&model->file);
    free(model);
}

tfm_status tfm_model_check_unchanged(const tfm_model *model, tfm_error *error) {
    if (!atomic_load_explicit(&model->shrank, memory_order_relaxed)) return TFM_OK;
    return tfm_fail(
        error, TFM_ERROR_CHANGED,
        "%s: the file became shorter while it was in use; results since then are void: restore the file and "
        "open it again",
        tfm_file_path(model->file));
}

tfm_status tfm_model_verify_group(tfm_model *model, tfm_weight_group *group, tfm_pool *pool, tfm_error *error) {
    if (!model->lazy || atomic_load_explicit(&group->verified, memory_order_acquire)) return TFM_OK;
    tfm_parallel parallel = tfm_pool_parallel(pool);
    for (size_t i = 0; i < group->n; i++) {
        tfm_status status = tfm_file_verify_tensor(model->file, group->tensors[i], &parallel, error);
        if (status != TFM_OK) return status;
    }
    atomic_store_explicit(&group->verified, true, memory_order_release);
    return TFM_OK;
}
