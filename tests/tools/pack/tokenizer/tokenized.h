/* tokenized.h - folders of tokenizer files, packed and asked for the ids of texts. */
#ifndef TFM_TESTS_TOOLS_PACK_TOKENIZER_TOKENIZED_H
#define TFM_TESTS_TOOLS_PACK_TOKENIZER_TOKENIZED_H

#include "tests/tools/pack/packed.h"

/* A folder with files: names and contents, ended by NULL. */
char *tokenizer_folder(const char *const *files);
/* Packs the tokenizer of a folder to folder/t.bin; notes are kept in packed_notes. */
tfm_status tokenizer_try(const char *folder, tfm_error *error);
/* Packs it and compares the ids of a text, special tokens around it included, with "1 2 3". */
void tokenizer_check(const char *folder, const char *text, const char *ids);

/* A tokenizer.json with whole words a to e (ids 0 to 4), <unk> 5, <s> 6, </s> 7; more: further members. */
const char *words_json(const char *more);
/* A file of SentencePiece with <unk>, <s>, </s>, then the pieces U+2581 a, U+2581 b, a, b, U+2581. */
void write_pieces(const char *folder, const char *name, bool byte_pairs);

#endif
