/* golden_unsupported.h - the list of golden checkpoints that tfm does not run, or not wholly. */
#ifndef TFM_TESTS_GOLDEN_GOLDEN_UNSUPPORTED_H
#define TFM_TESTS_GOLDEN_GOLDEN_UNSUPPORTED_H

#include <stdbool.h>
#include <stddef.h>

/* Where a checkpoint is refused; everything before must be right. */
typedef enum golden_stage {
    GOLDEN_PACK,      /* by tfmpack */
    GOLDEN_POSITIONS, /* packed, but inputs beyond a limit of positions are refused */
    GOLDEN_EMBEDDING, /* packed, but no embedding is made of its states */
} golden_stage;

typedef struct golden_unsupported {
    char *key; /* "checkpoints/albert": the last two folders of its path */
    const char *model_class;
    golden_stage stage;
    const char *message; /* part of what tfm says */
    const char *missing; /* in words */
    bool met;
} golden_unsupported;

typedef struct golden_list {
    golden_unsupported *entries;
    size_t n;
} golden_list;

/*
 * Reads a list: a line for each checkpoint, "SET/NAME | class | pack, positions or embedding | message | what is
 * missing"; empty lines and those that start with # mean nothing. Ends the test at a line that is something else.
 */
golden_list golden_list_read(const char *path);
void golden_list_free(golden_list *list);
/* The entry of a folder, marked as met; NULL if it has none. */
const golden_unsupported *golden_list_find(golden_list *list, const char *folder);
/* A case: every entry of the set that folder is was met. */
void golden_list_check_met(const golden_list *list, const char *folder);

/* A case: tfmpack refuses the folder, says why as the entry has it, and leaves no file. */
void golden_check_refused(const char *folder, const char *name, const golden_unsupported *entry);

#endif
