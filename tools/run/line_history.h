/*
 * line_history.h - the lines typed at prompts, in a file that all prompts of a user share.
 */
#ifndef TFM_TOOLS_RUN_LINE_HISTORY_H
#define TFM_TOOLS_RUN_LINE_HISTORY_H

#include <histedit.h>
#include <stddef.h>

/* Opaque. */
typedef struct tfm_line_history tfm_line_history;

/* Reads the file, if there is one; NULL when memory is out. Where there can be none, lines are kept in memory alone. */
tfm_line_history *tfm_line_history_open(void);

/* The list that is searched and walked through. */
History *tfm_line_history_list(tfm_line_history *history);

/* Adds n bytes, which may have newlines in them. */
void tfm_line_history_add(tfm_line_history *history, const char *text, size_t n);

/*
 * Adds to the file what was added here: other prompts may have written it in the meantime, and theirs stays. The file
 * is replaced whole, while no other prompt does so, and can be read by its owner alone. Accepts NULL.
 */
void tfm_line_history_close(tfm_line_history *history);

#endif
