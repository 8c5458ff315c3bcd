/*
 * tokenizer_class.h - the classes of tokenizers in transformers (4.46): which files each is made of, and what it puts
 * around a text by itself.
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_SETTINGS_TOKENIZER_CLASS_H
#define TFM_TOOLS_PACK_TOKENIZER_SETTINGS_TOKENIZER_CLASS_H

#include <stdbool.h>

/* What a class is made of where there is no tokenizer.json. */
typedef enum tfm_tokenizer_source {
    TFM_SOURCE_JSON,       /* tokenizer.json alone */
    TFM_SOURCE_WORDS,      /* vocab.txt */
    TFM_SOURCE_BYTE_PAIRS, /* vocab.json and merges.txt */
    TFM_SOURCE_PIECES,     /* a SentencePiece file */
    TFM_SOURCE_NUMBERED,   /* a SentencePiece file and a vocab.json with ids */
    TFM_SOURCE_PAIR,       /* vocab.json, source.spm and target.spm */
    TFM_SOURCE_LACKING     /* something that is not here: see `lacks` */
} tfm_tokenizer_source;

/* Which ids the pieces of a SentencePiece file have. */
typedef enum tfm_piece_order {
    TFM_ORDER_FILE,      /* their numbers in the file */
    TFM_ORDER_FAIRSEQ,   /* <s> <pad> </s> <unk>, then the fourth piece and so on; language codes and <mask> last */
    TFM_ORDER_CAMEMBERT, /* <s>NOTUSED <pad> </s>NOTUSED <unk> <unk>NOTUSED, then the second piece and so on */
    TFM_ORDER_PEGASUS    /* <pad> </s> and 103 others, then the third piece and so on */
} tfm_piece_order;

/* Where the code of the source language stands. */
typedef enum tfm_language_place {
    TFM_LANGUAGE_NONE,
    TFM_LANGUAGE_FIRST, /* code, text, end */
    TFM_LANGUAGE_LAST   /* text, end, code */
} tfm_language_place;

typedef struct tfm_tokenizer_class {
    const char *name; /* without "Fast" */
    tfm_tokenizer_source source;
    const char *lacks;     /* what TFM_SOURCE_LACKING would need */
    const char *bos, *eos; /* defaults of bos_token and eos_token */
    bool rebuilds;         /* add_bos_token and add_eos_token count beside tokenizer.json too */
    bool lower_case;       /* do_lower_case, strip_accents and tokenize_chinese_chars count beside tokenizer.json too */
    bool cls_sep;          /* cls_token and sep_token around a text */
    tfm_piece_order order;
    bool adds_bos, adds_eos; /* around the pieces of a file, where no flag says something else */
    tfm_language_place language;
    const char *source_language; /* if src_lang does not say */
    bool starts_with_language;   /* the target's code is the decoder's start token, not forced behind it */
    const char *codes;           /* language codes that are no pieces, in the order of their ids, separated by spaces */
    const char *code_format;     /* how a code is spelled as a token; NULL: as it is */
} tfm_tokenizer_class;

/* The class of a name, with "Fast" at its end or without, or NULL. */
const tfm_tokenizer_class *tfm_tokenizer_class_find(const char *name);
/* The class that transformers takes for a model_type of config.json, or NULL. */
const tfm_tokenizer_class *tfm_tokenizer_class_of_model(const char *model_type);
/* The files a class is made of, for messages. */
const char *tfm_tokenizer_class_files(const tfm_tokenizer_class *class);

#endif
