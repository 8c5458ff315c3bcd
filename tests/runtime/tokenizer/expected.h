/* expected.h - comparing a tokenizer with what its real library made of texts, as an expected.json records it. */
#ifndef TFM_TESTS_RUNTIME_TOKENIZER_EXPECTED_H
#define TFM_TESTS_RUNTIME_TOKENIZER_EXPECTED_H

#include "tokenizers.h"

/*
 * Ids and texts of a list of texts, ids one by one, arbitrary ids, and what else the file has: special tokens around
 * texts, pairs, invalid UTF-8. Fails the test where something differs.
 */
void check_expected(const packed *p, const json_t *texts, const json_t *expected);

#endif
