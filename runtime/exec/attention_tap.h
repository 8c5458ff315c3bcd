/*
 * attention_tap.h - attention weights, for showing.
 */
#ifndef TFM_RUNTIME_EXEC_ATTENTION_TAP_H
#define TFM_RUNTIME_EXEC_ATTENTION_TAP_H

#include "attention_pass.h"

/* Keeps the newest row's cross-attention weights of each run, mean over heads, for tfm_cross_attention. */
void tfm_attention_keep(const tfm_attention_pass *pass);

#endif
