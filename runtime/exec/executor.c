/* executor.c - see executor.h. */
#include "executor.h"

#include "attention_pass.h"
#include "layers.h"
#include "linear.h"
#include "rows.h"

/* Makes the table of rotations reach the last position of every run. */
static void extend_rope(const tfm_pass *p, tfm_rope_cache *rope) {
    size_t n = 0;
    for (const tfm_run *run = p->batch->runs; run < p->batch->runs + p->batch->n_runs; run++)
        if (run->past + run->n > n) n = run->past + run->n;
    tfm_rope_cache_extend(rope, p->stack->options, n, p->session->pool);
}

/* What must hold before a layer runs. */
static tfm_status check_layer(tfm_session *session, tfm_layer *layer, tfm_error *error) {
    tfm_status status = tfm_model_verify_group(session->model, &layer->group, session->pool, error);
    return status != TFM_OK ? status : tfm_session_take_cancel(session, error);
}

tfm_status tfm_forward(tfm_session *session, tfm_stack *stack, tfm_ragged_batch *batch, tfm_error *error) {
    bool is_decoder = stack == &session->model->decoder;
    tfm_stack_state *state = is_decoder ? &session->decoder : &session->encoder;
    const tfm_stack_options *o = stack->options;
    tfm_pass pass = {.session = session, .stack = stack, .state = state, .batch = batch, .causal = is_decoder};

    /* A request that came before counts, also where there are no layers to look for one. */
    tfm_status status = tfm_session_take_cancel(session, error);
    if (status == TFM_OK) status = tfm_model_verify_group(session->model, &stack->group, session->pool, error);
    if (status != TFM_OK) return status;
    if (o->position == TFM_POSITION_ROPE) extend_rope(&pass, &state->rope);
    tfm_embed_batch(session, stack, batch);
    for (uint32_t i = 0; i < o->n_layers; i++) {
        status = check_layer(session, &stack->layers[i], error);
        if (status == TFM_OK) status = tfm_run_layer(&pass, i, error);
        if (status != TFM_OK) return status;
    }
    if (o->final_norm) tfm_apply_norm(session, o, &stack->final_norm, session->x, batch->n_tokens, session->x);
    return tfm_model_check_unchanged(session->model, error);
}

tfm_status tfm_forward_cross(tfm_session *session, const tfm_ragged_batch *batch, tfm_error *error) {
    tfm_stack *stack = &session->model->decoder;
    const tfm_stack_options *o = stack->options;
    size_t width = (size_t)o->n_heads * o->head_dim;
    tfm_linear_input input = {session->x, batch->n_tokens, false};
    if (o->n_layers > 0) input = tfm_quantize_input(session, session->x, batch->n_tokens, &stack->layers[0].cross.kv);
    for (uint32_t i = 0; i < o->n_layers; i++) {
        tfm_status status = check_layer(session, &stack->layers[i], error);
        if (status != TFM_OK) return status;
        tfm_apply_linear_to(session, &stack->layers[i].cross.kv, input, session->qkv, (tfm_epilogue){0});
        tfm_attention_store(&(tfm_attention_pass){.session = session,
                                                  .batch = batch,
                                                  .options = o,
                                                  .cache = &session->cross_kv,
                                                  .layer = i,
                                                  .cross = true,
                                                  .query_stride = 2 * width,
                                                  .key = session->qkv,
                                                  .value = session->qkv + width});
    }
    return tfm_model_check_unchanged(session->model, error);
}

tfm_status tfm_project(tfm_session *session, const tfm_linear *output, const float *states, size_t m, float *logits,
                       tfm_error *error) {
    const tfm_architecture *arch = &session->model->arch;
    tfm_status status = tfm_model_verify_group(session->model, &session->model->output_group, session->pool, error);
    if (status != TFM_OK) return status;
    tfm_apply_linear(session, output, states, m, logits, (tfm_epilogue){.scale = arch->output_scale});
    if (arch->output_soft_cap != 0.0f) tfm_apply_soft_cap(session, logits, m * output->w.n, arch->output_soft_cap);
    return tfm_model_check_unchanged(session->model, error);
}
