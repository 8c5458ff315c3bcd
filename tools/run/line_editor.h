/*
 * line_editor.h - lines typed at a terminal: editing by libedit, a history that is shared with other prompts, pasted
 * text as it is, and Tab.
 */
#ifndef TFM_TOOLS_RUN_LINE_EDITOR_H
#define TFM_TOOLS_RUN_LINE_EDITOR_H

#include "completion_list.h"

typedef struct tfm_line_editor tfm_line_editor;

/* What Tab may complete at the end of n bytes of line; called only for lines that begin with "/". */
typedef void (*tfm_complete_line)(void *user, const char *line, size_t n, tfm_completion_list *list);

/*
 * Sets up the terminal on stdin and stdout and reads the history. NULL where that cannot be. Signals must be caught
 * already: see signals.h.
 */
tfm_line_editor *tfm_line_editor_open(tfm_complete_line complete, void *user);
/* Puts the terminal right and keeps the history. Accepts NULL. */
void tfm_line_editor_close(tfm_line_editor *editor);

typedef enum tfm_typed {
    TFM_TYPED_LINE,
    TFM_TYPED_DISCARDED, /* by Ctrl-C */
    TFM_TYPED_END        /* Ctrl-D, the terminal is gone, or a signal asks for the end */
} tfm_typed;

/*
 * Reads a line behind a prompt, which must stay. *text has n bytes without the newline at its end; newlines within it
 * were pasted. It lives until the next call.
 */
tfm_typed tfm_line_editor_read(tfm_line_editor *editor, const char *prompt, const char **text, size_t *n);

/* Adds n bytes to the history. */
void tfm_line_editor_remember(tfm_line_editor *editor, const char *text, size_t n);

#endif
