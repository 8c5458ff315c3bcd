/*
 * sections_fuzz.c - see sections_fuzz.h. Besides crashes it looks for what is accepted and breaks what the executor and
 * decoding build on: the limits of every size, lists that lie in the table, tokens within the vocabulary.
 */
#include "sections_fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/generate/generate_params.h"
#include "runtime/model/model.h"

int fuzz_accepted;

static void require(bool truth) {
    if (!truth) abort();
}

/* A refusal is a sentence of one line. */
static void check_refusal(tfm_status status, const tfm_error *error) {
    require(error->status == status && error->message[0]);
}

/* ---- architecture ---- */

static void check_stack(const tfm_stack_options *o, uint32_t d_model) {
    require(o->vocab_size >= 1 && o->vocab_size <= 1 << 24 && o->n_layers <= 1024 && d_model <= 1 << 20);
    require(o->n_heads >= 1 && o->n_kv_heads >= 1 && o->n_heads % o->n_kv_heads == 0 && o->head_dim >= 1);
    require(o->max_positions >= 1 && isfinite(o->norm_eps) && isfinite(o->attention_scale));
    double sum = 0;
    for (uint32_t i = 0; o->windows && i < o->n_layers; i++) sum += o->windows[i];
    for (uint32_t i = 0; o->alibi_slopes && i < o->n_heads; i++) sum += (double)o->alibi_slopes[i];
    if (o->position == TFM_POSITION_ROPE) {
        require(o->rope_frequencies && o->rope_dim % 2 == 0 && o->rope_dim <= o->head_dim);
        for (uint32_t i = 0; i < o->rope_dim; i++) sum += (double)o->rope_frequencies[i];
    }
    require(isfinite(sum));
}

static void use_architecture(const tfm_table *table) {
    tfm_architecture arch;
    tfm_error error = {0};
    tfm_status status = tfm_architecture_read(&arch, table, "fuzz", &error);
    if (status != TFM_OK) {
        check_refusal(status, &error);
        return;
    }
    fuzz_accepted = 1;
    if (arch.has_encoder) check_stack(&arch.encoder, arch.d_model);
    if (arch.has_decoder) check_stack(&arch.decoder, arch.d_model);
    require(strlen(arch.family) < 1 << 20);
}

/* ---- generation ---- */

static void use_generation(const tfm_table *table) {
    tfm_model model = {.arch = {.kind = TFM_KIND_DECODER, .has_decoder = true}};
    tfm_error error = {0};
    tfm_status status = tfm_generation_defaults_read(&model, table, &error);
    if (status == TFM_OK) {
        const tfm_generate_params *p = &model.defaults;
        int64_t sum = 0;
        for (size_t i = 0; i < p->n_eos_token_ids; i++) sum += p->eos_token_ids[i];
        for (size_t i = 0; i < p->n_suppress_tokens; i++) sum += p->suppress_tokens[i];
        for (size_t i = 0; i < p->n_bad_words; i++) {
            require(p->bad_words[i].n > 0);
            for (size_t k = 0; k < p->bad_words[i].n; k++) sum += p->bad_words[i].ids[k];
        }
        require(sum >= 0 && tfm_start_token(p) >= -1 && (unsigned)p->early_stopping <= TFM_EARLY_NEVER);
        fuzz_accepted = 1;
    } else {
        check_refusal(status, &error);
    }
    free(model.lists);
    free(model.words);
}

/* ---- shortlist ---- */

static void use_shortlist(const tfm_table *table) {
    const tfm_architecture arch = {
        .kind = TFM_KIND_ENCODER_DECODER, .encoder = {.vocab_size = 5}, .decoder = {.vocab_size = 7}};
    tfm_shortlist shortlist;
    tfm_error error = {0};
    tfm_status status = tfm_shortlist_read(&shortlist, table, &arch, "fuzz", &error);
    if (status != TFM_OK) {
        check_refusal(status, &error);
        return;
    }
    fuzz_accepted = 1;
    for (size_t i = 0; i < shortlist.n_always; i++) require(shortlist.always[i] < 7);
    for (uint32_t s = 0; s < 5; s++)
        for (uint32_t i = shortlist.offsets[s]; i < shortlist.offsets[s + 1]; i++) require(shortlist.targets[i] < 7);
}

/* The table lies in memory of exactly its size, so that a sanitizer sees every step outside. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    fuzz_accepted = 0;
    if (n == 0) return 0;
    void *copy = NULL;
    require(posix_memalign(&copy, 64, n) == 0);
    memcpy(copy, data + 1, n - 1);
    tfm_table *table = NULL;
    if (tfm_table_open(&table, copy, n - 1, "fuzz", NULL) == TFM_OK) {
        if (data[0] == 'a') use_architecture(table);
        if (data[0] == 'g') use_generation(table);
        if (data[0] == 's') use_shortlist(table);
    }
    tfm_table_close(&table);
    free(copy);
    return 0;
}
