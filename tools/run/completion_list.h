/*
 * completion_list.h - what the word at the end of a line may become.
 */
#ifndef TFM_TOOLS_RUN_COMPLETION_LIST_H
#define TFM_TOOLS_RUN_COMPLETION_LIST_H

#include "tools/common/bytes.h"

/* {0} is empty. */
typedef struct tfm_completion_list {
    const char *word; /* the end of the line that is to be completed, (n_word) */
    size_t n_word;
    char **names; /* (n) those that begin with it, once sorted in order and each once */
    size_t n, capacity;
    char end;    /* what a name that is the only one is followed by, or 0 */
    bool failed; /* memory is out */
} tfm_completion_list;

/* Sets the word; tfm_completion_add takes what begins with it. */
void tfm_completion_start(tfm_completion_list *list, const char *word, size_t n, char end);
void tfm_completion_add(tfm_completion_list *list, const char *name);
/* The files that the word, a path, may become; folders end in "/". Names with control characters are left out. */
void tfm_completion_add_files(tfm_completion_list *list);
void tfm_completion_free(tfm_completion_list *list);

/* Sorts the names; the bytes they have in common behind the word are at names[0] + n_word. Their count. */
size_t tfm_completion_finish(tfm_completion_list *list);

/* Appends the names in columns of a terminal of that width. */
bool tfm_completion_print(const tfm_completion_list *list, unsigned width, tfm_text *out);

#endif
