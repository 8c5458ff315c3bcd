/* pack_fuzz.h - what the fuzzers run and the replay test runs on the corpus: one function a format. */
#ifndef TFM_TESTS_TOOLS_PACK_FUZZ_PACK_FUZZ_H
#define TFM_TESTS_TOOLS_PACK_FUZZ_PACK_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* A pickle from memory; aborts if a tensor reaches outside its storage. Returns 1 if it was accepted. */
int tfm_fuzz_pickle(const uint8_t *data, size_t n);
/* A safetensors file; aborts if tensors overlap or reach outside the file. */
int tfm_fuzz_safetensors(const uint8_t *data, size_t n);
/* pytorch_model.bin in a folder, zip or legacy, all tensors read. */
int tfm_fuzz_pytorch(const uint8_t *data, size_t n);

/* A GGUF file; aborts if a tensor or a value reaches outside it. Its tokenizer is made, its tensors are read. */
int tfm_fuzz_gguf(const uint8_t *data, size_t n);
/* A checkpoint of llama2.c, or a tokenizer of it behind the word TOK. */
int tfm_fuzz_llama2c(const uint8_t *data, size_t n);

/* model.bin of CTranslate2; aborts if a variable reaches outside the file. All tensors are read. */
int tfm_fuzz_ct2(const uint8_t *data, size_t n);
/* Marian's .npz, all tensors read; the bytes are also taken for a vocabulary in YAML. */
int tfm_fuzz_npz(const uint8_t *data, size_t n);

/* config.json, generation_config.json and tokenizer_config.json, with a NUL between them, and no tensors: packed. */
int tfm_fuzz_config(const uint8_t *data, size_t n);
/* A file of a shortlist; aborts if an entry is outside the vocabulary. */
int tfm_fuzz_shortlist(const uint8_t *data, size_t n);

#endif
