/* tiny_json.h - tokenizer.json files made for a test, small enough to know what they do. */
#ifndef TFM_TESTS_RUNTIME_TOKENIZER_TINY_JSON_H
#define TFM_TESTS_RUNTIME_TOKENIZER_TINY_JSON_H

/* One of each model, all kinds of steps among them. */
enum { TINY_BYTES, TINY_WORDS, TINY_WORDPIECE, TINY_UNIGRAM, TINY_WORDLEVEL, N_TINY_JSON };

/* The file in memory the caller frees. */
char *tiny_json(int which);

#endif
