/*
 * model.c - opening and closing models.
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/os/pool.h"
#include "runtime/generate/vocab_subset.h"
#include "runtime/os/sigbus.h"
#include "runtime/params.h"

static const tfm_model_params standard = {.size = sizeof standard, .verify = TFM_VERIFY_ALL};

void tfm_model_params_init(tfm_model_params *params, size_t size) {
    tfm_params_give(params, size, &standard, sizeof standard);
}

/* The kernels asked for by name, by the environment, or the best there are. */
static tfm_status choose_kernels(const char *name, const tfm_kernels **kernels, tfm_error *error) {
    char sentence[TFM_ISA_SENTENCE];
    tfm_isa isa;
    tfm_isa_choice choice = tfm_isa_select(name, &isa, sentence);
    if (choice != TFM_ISA_CHOSEN)
        return tfm_fail(error, choice == TFM_ISA_UNKNOWN ? TFM_ERROR_ARGUMENT : TFM_ERROR_UNSUPPORTED, "%s", sentence);
    *kernels = tfm_kernels_get(isa);
    return TFM_OK;
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
        if (status) return status;
    }
    return TFM_OK;
}

static tfm_status read_model(tfm_model *model, const char *path, const tfm_model_params *params, tfm_error *error) {
    tfm_status s = tfm_architecture_read(&model->arch, tfm_file_table(model->file, "architecture"), path, error);
    if (!s && model->arch.kind != TFM_KIND_TOKENIZER) s = tfm_weights_bind(model, error);
    if (!s) s = tfm_generation_defaults_read(model, error);
    if (!s)
        s = tfm_shortlist_read(&model->shortlist, tfm_file_table(model->file, "shortlist"), &model->arch, path, error);
    if (!s) s = open_tokenizers(model, path, error);
    if (!s)
        s = tfm_chat_read(&model->chat, tfm_file_table(model->file, "chat"), path, model->chat_tokens,
                          &model->n_chat_tokens, error);
    if (!s && !model->lazy) {
        tfm_parallel parallel = tfm_pool_parallel(params->pool);
        s = tfm_file_verify(model->file, &parallel, params->progress, params->progress_user, error);
    }
    tfm_status changed = tfm_model_check_unchanged(model, s ? NULL : error);
    return s ? s : changed;
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
    if (!model) return tfm_fail(error, TFM_ERROR_MEMORY, "no memory for a model");
    model->lazy = own.verify == TFM_VERIFY_LAZY;
    status = choose_kernels(own.isa, &model->kernels, error);
    tfm_map_guard guard = {watch, forget, model};
    if (!status) status = tfm_file_open_with(&model->file, path, own.no_sigbus_handler ? NULL : &guard, error);
    if (!status) status = read_model(model, path, &own, error);
    if (status) {
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
        if (status) return status;
    }
    atomic_store_explicit(&group->verified, true, memory_order_release);
    return TFM_OK;
}

void tfm_model_info_read(const tfm_model *model, tfm_model_info *info, size_t size) {
    const tfm_architecture *o = &model->arch;
    const tfm_stack_options *source = o->has_encoder ? &o->encoder : &o->decoder;
    const tfm_stack_options *target = o->has_decoder ? &o->decoder : &o->encoder;
    const tfm_model_info own = {
        .kind = o->kind,
        .isa = tfm_isa_name(model->kernels->isa),
        .family = o->family,
        .file_bytes = tfm_file_length(model->file),
        .n_parameters = tfm_weights_count(model->file),
        .d_model = o->d_model,
        .encoder_layers = o->has_encoder ? o->encoder.n_layers : 0,
        .decoder_layers = o->has_decoder ? o->decoder.n_layers : 0,
        .source_vocab_size = source->vocab_size,
        .target_vocab_size = target->vocab_size,
        .max_source = source->max_positions,
        .max_target = o->has_decoder ? o->decoder.max_positions : 0,
        .has_tokenizer = model->tokenizer != NULL,
        .has_shortlist = model->shortlist.offsets != NULL,
        .has_chat_template = model->chat != NULL,
        .n_token_types = o->has_encoder ? o->encoder.token_types : 0,
        .head = (tfm_head)o->head.kind,
        .n_outputs = o->head.kind == TFM_HEAD_NONE ? 0 : (uint32_t)model->output.w.n,
        .score_function = (tfm_score_function)o->head.function,
        .has_pooler = o->head.pooler != 0,
    };
    memcpy(info, &own, size < sizeof own ? size : sizeof own);
    if (size > sizeof own) memset((char *)info + sizeof own, 0, size - sizeof own);
}

const char *tfm_model_label(const tfm_model *model, uint32_t i) {
    const tfm_value *labels = model->arch.head.labels;
    if (!labels || i >= labels->n) return NULL;
    const char *label = labels->data;
    while (i-- > 0) label += strlen(label) + 1;
    return label;
}

void tfm_embed_params_init(tfm_embed_params *params, size_t size, const tfm_model *model) {
    const tfm_head_options *head = &model->arch.head;
    const tfm_embed_params own = {
        .size = sizeof own, .pooling = (tfm_pooling)head->pooling, .normalize = head->normalize != 0};
    tfm_params_give(params, size, &own, sizeof own);
}

void tfm_generate_params_init(tfm_generate_params *params, size_t size, const tfm_model *model) {
    tfm_params_give(params, size, &model->defaults, sizeof model->defaults);
}

const tfm_tokenizer *tfm_model_tokenizer(const tfm_model *model, tfm_side side) {
    return side == TFM_TARGET && model->target_tokenizer ? model->target_tokenizer : model->tokenizer;
}

static tfm_status need_tokenizer(const tfm_model *model, tfm_side side, const tfm_tokenizer **out, tfm_error *error) {
    *out = tfm_model_tokenizer(model, side);
    if (*out) return TFM_OK;
    return tfm_fail(error, TFM_ERROR_STATE,
                    "%s has no tokenizer: give token ids instead of text, or pack it from a "
                    "folder with tokenizer files",
                    tfm_file_path(model->file));
}

tfm_status tfm_tokenize(const tfm_model *model, tfm_side side, const char *text, size_t n, bool special, tfm_ids *ids,
                        tfm_error *error) {
    const tfm_tokenizer *tokenizer;
    tfm_status status = need_tokenizer(model, side, &tokenizer, error);
    return status ? status : tfm_tokenizer_encode(tokenizer, text, n, special, ids, error);
}

tfm_status tfm_tokenize_pair(const tfm_model *model, const char *a, size_t n_a, const char *b, size_t n_b, bool special,
                             tfm_ids *ids, tfm_ids *types, tfm_error *error) {
    const tfm_tokenizer *tokenizer;
    tfm_status status = need_tokenizer(model, TFM_SOURCE, &tokenizer, error);
    return status ? status : tfm_tokenizer_encode_pair(tokenizer, a, n_a, b, n_b, special, ids, types, error);
}

tfm_status tfm_detokenize(const tfm_model *model, tfm_side side, const int32_t *ids, size_t n, bool skip_special,
                          tfm_text *text, tfm_error *error) {
    const tfm_tokenizer *tokenizer;
    tfm_status status = need_tokenizer(model, side, &tokenizer, error);
    return status ? status : tfm_tokenizer_decode(tokenizer, ids, n, skip_special, text, error);
}

const char *tfm_token_piece(const tfm_model *model, tfm_side side, int32_t id, size_t *n) {
    const tfm_tokenizer *tokenizer = tfm_model_tokenizer(model, side);
    return tokenizer ? tfm_tokenizer_piece(tokenizer, id, n) : NULL;
}
