/*
 * piece_json.h - a SentencePiece file as the tokenizer.json that transformers makes of it: for classes whose ids are
 * not the numbers of its pieces, and where tokens are added to them.
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_PIECE_JSON_H
#define TFM_TOOLS_PACK_TOKENIZER_PIECE_JSON_H

#include "tools/pack/tokenizer/settings/tokenizer_files.h"
#include "tools/pack/tokenizer/spm/spm_model.h"

/*
 * *root: the whole of tokenizer.json, its added tokens and its template included; the caller's to decref, NULL after an
 * error. The class of files must be one made of a SentencePiece file. Errors: TFM_ERROR_FORMAT, _LIMIT, _MEMORY.
 */
tfm_status tfm_piece_json(const tfm_tokenizer_files *files, const tfm_spm_model *model, const char *what, json_t **root,
                          tfm_error *error);

#endif
