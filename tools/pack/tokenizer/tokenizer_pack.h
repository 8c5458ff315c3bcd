/*
 * tokenizer_pack.h - puts a checkpoint's tokenizer into a model file as a table (docs/tokenizers.md).
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_TOKENIZER_PACK_H
#define TFM_TOOLS_PACK_TOKENIZER_TOKENIZER_PACK_H

#include "format/model_file.h"

/*
 * Looks for tokenizer files at path and writes sections "tokenizer" and, where the target side differs,
 * "tokenizer.target". path is one of
 *   - a Marian folder: vocab.json with source.spm and target.spm, perhaps target_vocab.json;
 *   - a folder with tokenizer.json;
 *   - a folder with spiece.model, sentencepiece.bpe.model, tokenizer.model or a single other .spm or .model file;
 *   - such a file itself. In these two cases ids are those of the SentencePiece file;
 *   - a folder with vocab.txt, or with vocab.json and merges.txt;
 *   - a folder whose config.json lists the characters of inputs and outputs (grapheme_chars, phoneme_chars).
 * required: false lets a folder without tokenizer files pass with nothing written.
 * Errors: TFM_ERROR_IO, _FORMAT, _UNSUPPORTED, _LIMIT, _MEMORY; the message names the file.
 */
tfm_status tfm_pack_tokenizers(const char *path, tfm_writer *writer, bool required, tfm_error *error);

#endif
