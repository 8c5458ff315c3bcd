/*
 * generate_params.c - see generate_params.h.
 */
#include "generate_params.h"

#include <math.h>

#include "runtime/detokenizer.h"

uint32_t tfm_generate_width(const tfm_generate_params *params) {
    return params->do_sample || params->return_alternatives ? params->num_return_sequences : params->num_beams;
}

bool tfm_is_end_token(const tfm_generate_params *params, int32_t id) {
    for (size_t i = 0; i < params->n_eos_token_ids; i++)
        if (params->eos_token_ids[i] == id) return true;
    return false;
}

/* Larger numbers than any use of them has; they keep scores finite. */
#define PENALTY_MAX 1e6
#define PATIENCE_MAX 1e3
/* Longer than any list is: such a number is a mistake. */
#define LIST_MAX ((size_t)1 << 24)
/* Every candidate of a step is compared with all end tokens, and every bad word of one token. */
#define END_TOKENS_MAX 1024
#define COMPARISONS_MAX ((size_t)1 << 24)

/* Nothing is read of a list that cannot be one. */
static tfm_status check_lists(const tfm_generate_params *p, tfm_error *error) {
    const struct {
        const char *name;
        const void *list;
        size_t n;
    } lists[] = {{"eos_token_ids", p->eos_token_ids, p->n_eos_token_ids},
                 {"bad_words", p->bad_words, p->n_bad_words},
                 {"suppress_tokens", p->suppress_tokens, p->n_suppress_tokens},
                 {"logit_bias", p->logit_bias, p->n_logit_bias},
                 {"attention_heads", p->attention_heads, p->n_attention_heads}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (lists[i].n > LIST_MAX || (lists[i].n > 0 && !lists[i].list))
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: there are %zu at %s", lists[i].name, lists[i].n,
                            lists[i].list ? "once" : "NULL");
    for (size_t i = 0; i < p->n_bad_words; i++)
        if (p->bad_words[i].n > LIST_MAX || (p->bad_words[i].n > 0 && !p->bad_words[i].ids))
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "bad_words: word %zu has %zu tokens at %s", i, p->bad_words[i].n,
                            p->bad_words[i].ids ? "once" : "NULL");
    if (p->n_eos_token_ids > END_TOKENS_MAX)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "eos_token_ids: there are %zu; at most %d are allowed",
                        p->n_eos_token_ids, END_TOKENS_MAX);
    if (p->n_bad_words * p->n_eos_token_ids > COMPARISONS_MAX)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "%zu bad_words and %zu eos_token_ids are too many together: each step would compare them all",
                        p->n_bad_words, p->n_eos_token_ids);
    return tfm_stop_strings_check(p->stop_strings, p->n_stop_strings, error);
}

uint32_t tfm_hypotheses_kept(const tfm_generate_params *p) {
    double kept = round(p->num_beams * p->patience);
    return kept < 1 ? 1 : (uint32_t)kept;
}

/* What CTranslate2 has. */
static tfm_status check_ct2_options(const tfm_session *session, const tfm_generate_params *p, tfm_error *error) {
    if (!(p->prefix_bias_beta >= 0 && p->prefix_bias_beta < 1))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "prefix_bias_beta is %g; it must be from 0 to below 1",
                        p->prefix_bias_beta);
    if (p->prefix_bias_beta > 0 && (p->do_sample || p->return_alternatives))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "prefix_bias_beta does not go with %s",
                        p->do_sample ? "do_sample" : "return_alternatives");
    if (!(p->patience > 0 && p->patience <= PATIENCE_MAX))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "patience is %g; it must be above 0, and at most %g", p->patience,
                        PATIENCE_MAX);
    if (!(p->min_alternative_expansion_prob >= 0 && p->min_alternative_expansion_prob <= 1))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "min_alternative_expansion_prob is %g; it must be from 0 to 1",
                        p->min_alternative_expansion_prob);
    if (p->return_alternatives && p->num_beams > 1)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "return_alternatives with num_beams %u: each alternative goes on without beams; give 1",
                        p->num_beams);
    if (p->return_alternatives && p->num_return_sequences > session->model->arch.decoder.vocab_size)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%u alternatives are more than the %u tokens of the vocabulary",
                        p->num_return_sequences, session->model->arch.decoder.vocab_size);
    return TFM_OK;
}

static tfm_status check_counts(const tfm_session *session, const tfm_generate_params *p, tfm_error *error) {
    uint32_t most = session->params.max_sequences;
    if (p->num_beams == 0 || p->num_beams > most)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "num_beams is %u; this session allows 1 to %u", p->num_beams, most);
    if (p->do_sample && p->num_beams > 1)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "do_sample with num_beams %u: tokens are drawn without beams only",
                        p->num_beams);
    bool beams = !p->do_sample && !p->return_alternatives;
    if (!beams && (p->num_return_sequences == 0 || p->num_return_sequences > most))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "num_return_sequences is %u; this session allows 1 to %u",
                        p->num_return_sequences, most);
    if (beams && (p->num_return_sequences == 0 || p->num_return_sequences > p->num_beams))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "num_return_sequences is %u; it must be 1 to num_beams (%u)",
                        p->num_return_sequences, p->num_beams);
    if (beams && p->num_return_sequences > tfm_hypotheses_kept(p))
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "num_return_sequences is %u; with num_beams %u and patience %g there are %u hypotheses",
                        p->num_return_sequences, p->num_beams, p->patience, tfm_hypotheses_kept(p));
    if ((unsigned)p->early_stopping > TFM_EARLY_NEVER)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "early_stopping is %d, which is none of tfm_early_stopping",
                        (int)p->early_stopping);
    if (p->n_top_log_probs > TFM_TOP_LOG_PROBS_MAX)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "n_top_log_probs is %u; at most %d are given", p->n_top_log_probs,
                        TFM_TOP_LOG_PROBS_MAX);
    return TFM_OK;
}

tfm_status tfm_check_minimum_lengths(const tfm_model *model, const tfm_generate_params *p, size_t max_length,
                                     size_t max_new_tokens, tfm_error *error) {
    if (p->min_length > max_length && p->min_length != model->defaults.min_length)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "min_length %u is more than the longest output: %zu tokens%s",
                        p->min_length, max_length, p->max_new_tokens ? " with max_new_tokens" : " by max_length");
    if (p->min_new_tokens > max_new_tokens && p->min_new_tokens != model->defaults.min_new_tokens)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "min_new_tokens %u is more than the longest output: %zu new tokens",
                        p->min_new_tokens, max_new_tokens);
    return TFM_OK;
}

/* Contradictions that every input would show. */
static tfm_status check_lengths(const tfm_session *session, const tfm_generate_params *p, tfm_error *error) {
    if (p->max_new_tokens) return tfm_check_minimum_lengths(session->model, p, SIZE_MAX, p->max_new_tokens, error);
    return tfm_check_minimum_lengths(session->model, p, p->max_length, p->max_length, error);
}

static tfm_status check_penalties(const tfm_generate_params *p, tfm_error *error) {
    const struct {
        const char *name;
        double value;
    } penalties[] = {{"presence_penalty", p->presence_penalty}, {"frequency_penalty", p->frequency_penalty}};
    if (!(p->repetition_penalty > 0))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "repetition_penalty is %g; it must be above 0",
                        p->repetition_penalty);
    if (!(p->length_penalty > -1e3 && p->length_penalty < 1e3))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "length_penalty is %g; it must be a small number",
                        p->length_penalty);
    for (size_t i = 0; i < 2; i++)
        if (!(fabs(penalties[i].value) <= PENALTY_MAX))
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s is %g; it must be a number from %g to %g", penalties[i].name,
                            penalties[i].value, -PENALTY_MAX, PENALTY_MAX);
    return TFM_OK;
}

/* What is not used is not looked at: checkpoints say temperature 0 where they mean greedy search. */
static tfm_status check_sampling(const tfm_generate_params *p, tfm_error *error) {
    const struct {
        const char *name;
        double value;
    } parts[] = {{"top_p", p->top_p}, {"min_p", p->min_p}, {"typical_p", p->typical_p}};
    if (!p->do_sample) return TFM_OK;
    if (!(p->temperature > 0 && isfinite(p->temperature)))
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "temperature is %g; it must be above 0 (without do_sample the most probable token is taken)",
                        p->temperature);
    for (size_t i = 0; i < 3; i++)
        if (!(parts[i].value >= 0 && parts[i].value <= 1))
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s is %g; it must be from 0 to 1", parts[i].name,
                            parts[i].value);
    return TFM_OK;
}

/*
 * End tokens outside the vocabulary never come, as checkpoints with a vocabulary smaller than their configuration's
 * default have them; nor do others that are forbidden. What is to be put into the output must be a token.
 */
static tfm_status check_ids(const tfm_generate_params *p, uint32_t vocab_size, tfm_error *error) {
    const struct {
        const char *name;
        int32_t id;
    } forced[] = {{"forced_bos_token_id", p->forced_bos_token_id}, {"forced_eos_token_id", p->forced_eos_token_id}};
    for (size_t i = 0; i < 2; i++)
        if (forced[i].id >= 0 && !tfm_id_valid(forced[i].id, vocab_size))
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s %d is outside the vocabulary (0 .. %u); -1: none",
                            forced[i].name, forced[i].id, vocab_size - 1);
    for (size_t i = 0; i < p->n_logit_bias; i++) {
        if (!tfm_id_valid(p->logit_bias[i].id, vocab_size))
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "logit_bias: token %d is outside the vocabulary (0 .. %u)",
                            p->logit_bias[i].id, vocab_size - 1);
        if (!(p->logit_bias[i].bias <= (float)PENALTY_MAX))
            return tfm_fail(error, TFM_ERROR_ARGUMENT,
                            "logit_bias of token %d is %g; it must be a number of at most %g, or minus infinity",
                            p->logit_bias[i].id, (double)p->logit_bias[i].bias, PENALTY_MAX);
    }
    return TFM_OK;
}

static tfm_status check_attention_heads(const tfm_generate_params *p, const tfm_architecture *arch, tfm_error *error) {
    const int64_t n_layers = arch->decoder.n_layers, n_heads = arch->decoder.n_heads;
    if (p->n_attention_heads > (size_t)(n_layers * (n_heads + 1)))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "attention_heads: there are %zu, more than the %lld of the decoder",
                        p->n_attention_heads, (long long)(n_layers * n_heads));
    for (size_t i = 0; i < p->n_attention_heads; i++) {
        const tfm_attention_head *chosen = &p->attention_heads[i];
        if (chosen->layer < -n_layers || chosen->layer >= n_layers)
            return tfm_fail(error, TFM_ERROR_ARGUMENT,
                            "attention_heads: there is no layer %d; the decoder has layers 0 to %lld (-1: the last)",
                            chosen->layer, (long long)n_layers - 1);
        if (chosen->head < -1 || chosen->head >= n_heads)
            return tfm_fail(error, TFM_ERROR_ARGUMENT,
                            "attention_heads: there is no head %d; each layer has heads 0 to %lld (-1: all of them)",
                            chosen->head, (long long)n_heads - 1);
    }
    return TFM_OK;
}

tfm_status tfm_generate_params_check(const tfm_session *session, const tfm_generate_params *p, tfm_error *error) {
    const tfm_architecture *o = &session->model->arch;
    const char *path = tfm_file_path(session->model->file);
    if (!o->has_decoder) return tfm_fail(error, TFM_ERROR_STATE, "%s has no decoder, it cannot generate", path);
    tfm_status status = check_ct2_options(session, p, error);
    if (status == TFM_OK) status = check_counts(session, p, error);
    if (status == TFM_OK) status = check_lists(p, error);
    if (status == TFM_OK) status = check_lengths(session, p, error);
    if (status == TFM_OK) status = check_penalties(p, error);
    if (status == TFM_OK) status = check_sampling(p, error);
    if (status != TFM_OK) return status;
    if (o->has_encoder && !tfm_id_valid(tfm_start_token(p), o->decoder.vocab_size))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "decoder_start_token_id is %d; the model has tokens 0 to %u",
                        tfm_start_token(p), o->decoder.vocab_size - 1);
    if (p->shortlist && !session->model->shortlist.offsets)
        return tfm_fail(error, TFM_ERROR_STATE, "%s has no shortlist: pack it with --shortlist", path);
    if (p->keep_attention && o->kind != TFM_KIND_ENCODER_DECODER)
        return tfm_fail(error, TFM_ERROR_STATE, "%s has no cross-attention to keep", path);
    if (p->replace_unknowns && o->kind != TFM_KIND_ENCODER_DECODER)
        return tfm_fail(error, TFM_ERROR_STATE, "%s has no source to replace unknown tokens from", path);
    if (p->replace_unknowns && p->n_stop_strings > 0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "replace_unknowns makes texts at their end: no stop_strings with it");
    if (p->keep_attention || p->replace_unknowns) status = check_attention_heads(p, o, error);
    if (status != TFM_OK) return status;
    return check_ids(p, o->decoder.vocab_size, error);
}
