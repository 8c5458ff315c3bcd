/*
 * tokenizer_kinds.h - what a tokenizer is inside: one of the two families. For the files that choose between them.
 */
#ifndef TFM_RUNTIME_TOKENIZER_TOKENIZER_KINDS_H
#define TFM_RUNTIME_TOKENIZER_TOKENIZER_KINDS_H

#include "piece_index.h"
#include "runtime/tokenizer/pipeline/pipeline.h"
#include "runtime/tokenizer/spm/spm.h"
#include "tokenizer.h"

struct tfm_tokenizer {
    bool is_spm;
    union {
        tfm_spm spm;
        tfm_pipeline pipeline;
    };
    size_t rows;            /* ids that may come, those without text included; at least the number of ids */
    tfm_piece_index *index; /* of tfm_tokenizer_id; it fills itself, while the tokenizer never changes */
};

#endif
