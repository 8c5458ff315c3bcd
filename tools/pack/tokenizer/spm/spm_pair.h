/*
 * spm_pair.h - tokenizers of source and target, each from a SentencePiece file whose ids a vocabulary of its own gives.
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_SPM_SPM_PAIR_H
#define TFM_TOOLS_PACK_TOKENIZER_SPM_SPM_PAIR_H

#include <jansson.h>

#include "format/model_file.h"
#include "vocabulary.h"

/* The table of the SentencePiece file at path with the ids of a vocabulary; the caller's to free, NULL after an error.
 */
tfm_status tfm_spm_pair_side(const char *path, const tfm_vocabulary *vocabulary, tfm_table_builder **table,
                             tfm_error *error);
/*
 * The same with the ids of numbers, {token: id}, which is taken over; NULL: the numbers of its pieces. padding: id of
 * "<pad>" if that is not among them; -1: none. settings: names of special tokens, and add_source_bos (else
 * false) and add_source_eos (else true), which say what stands around an input; or NULL.
 */
tfm_status tfm_spm_pair_numbered_side(const char *path, json_t *numbers, int64_t padding, const json_t *settings,
                                      tfm_table_builder **table, tfm_error *error);
/* Writes sections tokenizer and, if target is another table and not NULL, tokenizer.target. */
tfm_status tfm_spm_pair_write(tfm_writer *writer, const tfm_table_builder *source, const tfm_table_builder *target,
                              tfm_error *error);

#endif
