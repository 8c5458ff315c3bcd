/*
 * tokenizer_pack.h - puts a checkpoint's tokenizer into a model file as a table (docs/tokenizers.md).
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_TOKENIZER_PACK_H
#define TFM_TOOLS_PACK_TOKENIZER_TOKENIZER_PACK_H

#include "tools/pack/common/pack_options.h"

/*
 * Looks for tokenizer files at path and writes sections "tokenizer", "tokenizer.target" where the target side differs,
 * and "languages" for models of many. path is one of
 *   - a Marian folder: vocab.json with source.spm and target.spm, perhaps target_vocab.json;
 *   - a folder with tokenizer.json;
 *   - a folder with vocab.json and sentencepiece.bpe.model (M2M100);
 *   - a folder with spiece.model, sentencepiece.bpe.model, tokenizer.model or a single other .spm or .model file;
 *   - such a file itself, whose ids are then the numbers of its pieces;
 *   - a folder with vocab.txt, or with vocab.json and merges.txt;
 *   - a folder whose config.json lists the characters of inputs and outputs (grapheme_chars, phoneme_chars).
 * The class of tokenizers that tokenizer_config.json, config.json or the model_type there names says how they are read.
 * required: false lets a folder without tokenizer files pass with nothing written.
 * options: told notes; may be NULL. Errors: TFM_ERROR_IO, _FORMAT, _UNSUPPORTED, _LIMIT, _MEMORY; the message names the
 * file.
 */
tfm_status tfm_pack_tokenizers(const char *path, tfm_writer *writer, bool required, const tfm_pack_options *options,
                               tfm_error *error);

#endif
