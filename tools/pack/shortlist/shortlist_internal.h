/*
 * shortlist_internal.h - what the part that reads files of shortlists hands to the part that makes the section.
 */
#ifndef TFM_TOOLS_PACK_SHORTLIST_SHORTLIST_INTERNAL_H
#define TFM_TOOLS_PACK_SHORTLIST_SHORTLIST_INTERNAL_H

#include "runtime/tokenizer/tokenizer.h"
#include "shortlist.h"

/* The pieces of a tokenizer, to be found by their spelling; without one there are ids alone. */
typedef struct tfm_shortlist_pieces {
    const tfm_tokenizer *tokenizer; /* NULL: none */
    uint32_t n;                     /* ids that the model has too */
    uint32_t *order;                /* ids by spelling, lower ids first where spellings are equal */
} tfm_shortlist_pieces;

/* Ids from n_ids on are left out. */
tfm_status tfm_shortlist_pieces_open(tfm_shortlist_pieces *pieces, const tfm_tokenizer *tokenizer, uint64_t n_ids,
                                     tfm_error *error);
void tfm_shortlist_pieces_close(tfm_shortlist_pieces *pieces);
/* The lowest id of exactly this spelling; needs a tokenizer. */
bool tfm_shortlist_pieces_find(const tfm_shortlist_pieces *pieces, const char *text, size_t n, uint32_t *id);

typedef enum tfm_shortlist_format {
    TFM_SHORTLIST_LEXICAL, /* lines "target source probability" */
    TFM_SHORTLIST_MAP,     /* lines "source words, tab, targets" */
    TFM_SHORTLIST_LIST     /* a target a line */
} tfm_shortlist_format;

typedef struct tfm_shortlist_entry {
    uint32_t source, target;
    float probability; /* 1 where there is none */
} tfm_shortlist_entry;

/* What a file says, in terms of ids. Start with all zero but the pieces. */
typedef struct tfm_shortlist_file {
    const tfm_shortlist_pieces *source, *target;
    tfm_shortlist_format format;
    tfm_shortlist_entry *entries;
    size_t n_entries, entry_capacity;
    uint32_t *always;
    size_t n_always, always_capacity;
    uint64_t n_unknown_sources, n_unknown_targets, n_long_ngrams;
} tfm_shortlist_file;

/* stop is asked now and then; it returns true to give up. */
tfm_status tfm_shortlist_file_read(tfm_shortlist_file *file, const char *path, bool (*stop)(void *user), void *user,
                                   tfm_error *error);
void tfm_shortlist_file_free(tfm_shortlist_file *file);
/* False when memory is out. */
bool tfm_shortlist_file_always(tfm_shortlist_file *file, uint32_t target);

#endif
