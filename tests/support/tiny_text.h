/*
 * tiny_text.h - models that know text, made by make_tiny_checkpoint.py (folder: TFM_TINY_MODELS), and what they say.
 */
#ifndef TFM_TESTS_SUPPORT_TINY_TEXT_H
#define TFM_TESTS_SUPPORT_TINY_TEXT_H

#include "runtime/tfm.h"
#include "tiny_session.h"

/* What the parrot says. Its tokenizer has the bird's picture as four tokens of a byte each. */
#define PARROT_TEXT "I like a \xF0\x9F\xA6\x9C bird"
enum { PARROT_TOKENS = 9 };

typedef struct text_bench {
    tfm_model *model;
    tfm_session *session;
} text_bench;

/* Opens the model of a kind, with a session. */
void text_bench_open(text_bench *b, const char *kind);
void text_bench_close(text_bench *b);

/* The tokens of PARROT_TEXT. */
void text_bench_parrot_ids(const text_bench *b, int32_t ids[PARROT_TOKENS]);

/* Stop strings, what they leave of PARROT_TEXT, and which of them comes (-1: none). */
typedef struct stop_case {
    const char *stops[3];
    size_t n;
    const char *text;
    int which;
} stop_case;
enum { N_STOP_CASES = 8 };
extern const stop_case stop_cases[N_STOP_CASES];

#endif
