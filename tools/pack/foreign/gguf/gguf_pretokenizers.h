/* gguf_pretokenizers.h - how byte-level BPE finds words, by the names that tokenizer.ggml.pre has for it. */
#ifndef TFM_TOOLS_PACK_FOREIGN_GGUF_GGUF_PRETOKENIZERS_H
#define TFM_TOOLS_PACK_FOREIGN_GGUF_GGUF_PRETOKENIZERS_H

#include <jansson.h>
#include <stdbool.h>

#define TFM_GGUF_PATTERNS 6

typedef struct tfm_gguf_pretokenizer {
    const char *names; /* separated by spaces */
    /* One after the other, each cuts what those before it have left, on the text; none: words are those of GPT-2. */
    const char *patterns[TFM_GGUF_PATTERNS];
    bool digits; /* each digit is a word of its own, before that */
    bool falcon; /* punctuation apart before that, digits by threes after it, on bytes as the vocabulary spells them */
    bool nfc, ignore_merges, bos;
} tfm_gguf_pretokenizer;

/* The one of this name ("": "default"); NULL: not known. */
const tfm_gguf_pretokenizer *tfm_gguf_pretokenizer_find(const char *name);
/* As pre_tokenizer of a tokenizer.json; NULL: no memory. */
json_t *tfm_gguf_pretokenizer_json(const tfm_gguf_pretokenizer *words);

#endif
