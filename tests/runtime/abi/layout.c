/*
 * layout.c - where the members of the structs of tfm.h lie, so that no program that was built against an older header
 * finds another member at its place. Compiling it is the test; there is nothing to run.
 *
 * Structs with a size, results and facts grow: a new member gets a line at the end, its struct's SIZE the new size. It
 * must lie at or behind the size before, not in the padding that older programs copy about: if need be, something that
 * fills the padding comes first. Elements of input arrays (those with reserved members, tfm_tokens, tfm_chat_variable,
 * tfm_logit_bias) keep their size. All of this is for 64-bit systems; elsewhere the order is the same.
 */
#include "runtime/tfm.h"

#ifdef __LP64__

#define AT(type, member, offset) _Static_assert(offsetof(type, member) == (offset), #type "." #member " has moved")
#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " has another size")

AT(tfm_model_params, size, 0);
AT(tfm_model_params, verify, 8);
AT(tfm_model_params, isa, 16);
AT(tfm_model_params, pool, 24);
AT(tfm_model_params, progress, 32);
AT(tfm_model_params, progress_user, 40);
AT(tfm_model_params, no_sigbus_handler, 48);
SIZE(tfm_model_params, 56);

AT(tfm_model_info, kind, 0);
AT(tfm_model_info, isa, 8);
AT(tfm_model_info, family, 16);
AT(tfm_model_info, file_bytes, 24);
AT(tfm_model_info, n_parameters, 32);
AT(tfm_model_info, d_model, 40);
AT(tfm_model_info, encoder_layers, 44);
AT(tfm_model_info, decoder_layers, 48);
AT(tfm_model_info, source_vocab_size, 52);
AT(tfm_model_info, target_vocab_size, 56);
AT(tfm_model_info, max_source, 60);
AT(tfm_model_info, max_target, 64);
AT(tfm_model_info, has_tokenizer, 68);
AT(tfm_model_info, has_shortlist, 69);
AT(tfm_model_info, has_chat_template, 70);
AT(tfm_model_info, n_token_types, 72);
AT(tfm_model_info, head, 76);
AT(tfm_model_info, n_outputs, 80);
AT(tfm_model_info, score_function, 84);
AT(tfm_model_info, has_pooler, 88);
AT(tfm_model_info, hash, 96);
AT(tfm_model_info, dtype, 104);
AT(tfm_model_info, decoder_heads, 112);
SIZE(tfm_model_info, 120);

AT(tfm_ids, data, 0);
AT(tfm_ids, size, 8);
AT(tfm_ids, capacity, 16);
SIZE(tfm_ids, 24);

AT(tfm_text, data, 0);
AT(tfm_text, size, 8);
AT(tfm_text, capacity, 16);
SIZE(tfm_text, 24);

AT(tfm_message, role, 0);
AT(tfm_message, content, 8);
AT(tfm_message, n, 16);
AT(tfm_message, reserved, 24);
SIZE(tfm_message, 40);

AT(tfm_chat_variable, name, 0);
AT(tfm_chat_variable, value, 8);
SIZE(tfm_chat_variable, 16);

AT(tfm_chat_params, size, 0);
AT(tfm_chat_params, add_generation_prompt, 8);
AT(tfm_chat_params, continue_final_message, 9);
AT(tfm_chat_params, variables, 16);
AT(tfm_chat_params, n_variables, 24);
SIZE(tfm_chat_params, 32);

AT(tfm_session_params, size, 0);
AT(tfm_session_params, pool, 8);
AT(tfm_session_params, max_sources, 16);
AT(tfm_session_params, max_sequences, 20);
AT(tfm_session_params, max_batch_tokens, 24);
AT(tfm_session_params, max_source, 28);
AT(tfm_session_params, max_target, 32);
AT(tfm_session_params, kv_type, 36);
SIZE(tfm_session_params, 40);

AT(tfm_tokens, ids, 0);
AT(tfm_tokens, n, 8);
SIZE(tfm_tokens, 16);

AT(tfm_example, ids, 0);
AT(tfm_example, n, 8);
AT(tfm_example, token_types, 16);
AT(tfm_example, states, 24);
AT(tfm_example, pooled, 32);
AT(tfm_example, embedding, 40);
AT(tfm_example, scores, 48);
AT(tfm_example, score_tokens, 56);
AT(tfm_example, n_score_tokens, 64);
AT(tfm_example, reserved, 72);
SIZE(tfm_example, 88);

AT(tfm_embed_params, size, 0);
AT(tfm_embed_params, pooling, 8);
AT(tfm_embed_params, normalize, 12);
AT(tfm_embed_params, prompt, 16);
SIZE(tfm_embed_params, 24);

AT(tfm_span, sequence, 0);
AT(tfm_span, ids, 8);
AT(tfm_span, n, 16);
AT(tfm_span, logits, 24);
AT(tfm_span, states, 32);
AT(tfm_span, all_logits, 40);
AT(tfm_span, reserved, 48);
SIZE(tfm_span, 64);

AT(tfm_attention_event, kind, 0);
AT(tfm_attention_event, layer, 4);
AT(tfm_attention_event, n_heads, 8);
AT(tfm_attention_event, sequence, 12);
AT(tfm_attention_event, first, 16);
AT(tfm_attention_event, n_queries, 24);
AT(tfm_attention_event, n_keys, 32);
AT(tfm_attention_event, weights, 40);
SIZE(tfm_attention_event, 48);

AT(tfm_attention_tap, size, 0);
AT(tfm_attention_tap, kinds, 8);
AT(tfm_attention_tap, layer, 12);
AT(tfm_attention_tap, on_attention, 16);
AT(tfm_attention_tap, user, 24);
SIZE(tfm_attention_tap, 32);

AT(tfm_logit_bias, id, 0);
AT(tfm_logit_bias, bias, 4);
SIZE(tfm_logit_bias, 8);

AT(tfm_attention_head, layer, 0);
AT(tfm_attention_head, head, 4);
SIZE(tfm_attention_head, 8);

AT(tfm_generate_params, size, 0);
AT(tfm_generate_params, num_beams, 8);
AT(tfm_generate_params, num_return_sequences, 12);
AT(tfm_generate_params, max_length, 16);
AT(tfm_generate_params, max_new_tokens, 20);
AT(tfm_generate_params, min_length, 24);
AT(tfm_generate_params, min_new_tokens, 28);
AT(tfm_generate_params, length_penalty, 32);
AT(tfm_generate_params, early_stopping, 40);
AT(tfm_generate_params, repetition_penalty, 48);
AT(tfm_generate_params, no_repeat_ngram_size, 56);
AT(tfm_generate_params, renormalize_logits, 60);
AT(tfm_generate_params, decoder_start_token_id, 64);
AT(tfm_generate_params, bos_token_id, 68);
AT(tfm_generate_params, forced_bos_token_id, 72);
AT(tfm_generate_params, forced_eos_token_id, 76);
AT(tfm_generate_params, pad_token_id, 80);
AT(tfm_generate_params, eos_token_ids, 88);
AT(tfm_generate_params, n_eos_token_ids, 96);
AT(tfm_generate_params, bad_words, 104);
AT(tfm_generate_params, n_bad_words, 112);
AT(tfm_generate_params, suppress_tokens, 120);
AT(tfm_generate_params, n_suppress_tokens, 128);
AT(tfm_generate_params, do_sample, 136);
AT(tfm_generate_params, temperature, 144);
AT(tfm_generate_params, top_k, 152);
AT(tfm_generate_params, top_p, 160);
AT(tfm_generate_params, min_p, 168);
AT(tfm_generate_params, typical_p, 176);
AT(tfm_generate_params, seed, 184);
AT(tfm_generate_params, presence_penalty, 192);
AT(tfm_generate_params, frequency_penalty, 200);
AT(tfm_generate_params, logit_bias, 208);
AT(tfm_generate_params, n_logit_bias, 216);
AT(tfm_generate_params, n_top_log_probs, 224);
AT(tfm_generate_params, shortlist, 228);
AT(tfm_generate_params, stop_strings, 232);
AT(tfm_generate_params, n_stop_strings, 240);
AT(tfm_generate_params, keep_attention, 248);
AT(tfm_generate_params, keep_log_probs, 249);
AT(tfm_generate_params, prefix_bias_beta, 256);
AT(tfm_generate_params, patience, 264);
AT(tfm_generate_params, min_alternative_expansion_prob, 272);
AT(tfm_generate_params, return_alternatives, 280);
AT(tfm_generate_params, source_language, 288);
AT(tfm_generate_params, target_language, 296);
AT(tfm_generate_params, attention_heads, 304);
AT(tfm_generate_params, n_attention_heads, 312);
AT(tfm_generate_params, replace_unknowns, 320);
SIZE(tfm_generate_params, 328);

AT(tfm_hypothesis, ids, 0);
AT(tfm_hypothesis, n, 8);
AT(tfm_hypothesis, ended, 16);
AT(tfm_hypothesis, sum_log_prob, 24);
AT(tfm_hypothesis, score, 32);
AT(tfm_hypothesis, log_probs, 40);
AT(tfm_hypothesis, attention, 48);
AT(tfm_hypothesis, top_ids, 56);
AT(tfm_hypothesis, top_log_probs, 64);
SIZE(tfm_hypothesis, 72);

AT(tfm_input, ids, 0);
AT(tfm_input, n, 8);
AT(tfm_input, prefix, 16);
AT(tfm_input, n_prefix, 24);
AT(tfm_input, sequence, 32);
AT(tfm_input, params, 40);
AT(tfm_input, reserved, 48);
SIZE(tfm_input, 64);

AT(tfm_result, status, 0);
AT(tfm_result, message, 8);
AT(tfm_result, hypotheses, 16);
AT(tfm_result, n, 24);
SIZE(tfm_result, 32);

AT(tfm_generate_callbacks, size, 0);
AT(tfm_generate_callbacks, on_token, 8);
AT(tfm_generate_callbacks, on_result, 16);
AT(tfm_generate_callbacks, on_logits, 24);
AT(tfm_generate_callbacks, user, 32);
SIZE(tfm_generate_callbacks, 40);

AT(tfm_text_input, text, 0);
AT(tfm_text_input, n, 8);
AT(tfm_text_input, no_special, 16);
AT(tfm_text_input, messages, 24);
AT(tfm_text_input, n_messages, 32);
AT(tfm_text_input, chat_params, 40);
AT(tfm_text_input, prefix, 48);
AT(tfm_text_input, n_prefix, 56);
AT(tfm_text_input, params, 64);
AT(tfm_text_input, reserved, 72);
SIZE(tfm_text_input, 88);

AT(tfm_text_output, text, 0);
AT(tfm_text_output, n, 8);
AT(tfm_text_output, stop_string, 16);
AT(tfm_text_output, hypothesis, 24);
SIZE(tfm_text_output, 32);

AT(tfm_text_result, status, 0);
AT(tfm_text_result, message, 8);
AT(tfm_text_result, outputs, 16);
AT(tfm_text_result, n, 24);
AT(tfm_text_result, n_input_tokens, 32);
SIZE(tfm_text_result, 40);

AT(tfm_text_callbacks, size, 0);
AT(tfm_text_callbacks, on_text, 8);
AT(tfm_text_callbacks, on_result, 16);
AT(tfm_text_callbacks, user, 24);
SIZE(tfm_text_callbacks, 32);

AT(tfm_error, status, 0);
AT(tfm_error, message, 4);
SIZE(tfm_error, 504);

#endif
