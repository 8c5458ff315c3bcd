/*
 * signals.h - signals while the prompt is open: Ctrl-C stops an answer and nothing else; what asks the program to end
 * is obeyed where the terminal can be put right and the history be kept.
 */
#ifndef TFM_TOOLS_RUN_SIGNALS_H
#define TFM_TOOLS_RUN_SIGNALS_H

#include <stdbool.h>

#include "runtime/tfm.h"

/*
 * Catches SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCONT and SIGWINCH from now on; those that were ignored stay so.
 * Remembers the terminal on stdin as it is: a second request to end, where the first is not obeyed, restores it and
 * ends at once.
 */
bool tfm_signals_catch(void);

/* An answer begins: an interrupt from now on is for it. It is cancelled at once until its first token has come. */
void tfm_signals_answer(tfm_session *session);
void tfm_signals_token_came(void);
void tfm_signals_answered(void);
/* Was the answer to be stopped? */
bool tfm_signals_interrupted(void);

/* The signal that asks the program to end, or 0. */
int tfm_signals_end(void);
/* As if that signal had come. */
void tfm_signals_ask_end(int number);
/* Ends the program as that signal does: to be called when everything is put right. */
void tfm_signals_die(void);

typedef enum tfm_awaited {
    TFM_AWAITED_INPUT,
    TFM_AWAITED_INTERRUPT,
    TFM_AWAITED_END,     /* tfm_signals_end says which signal */
    TFM_AWAITED_TERMINAL /* the terminal has another size, or is ours again */
} tfm_awaited;
/* Forgets interrupts that came before. */
void tfm_signals_expect(void);
/* Waits until fd can be read or a signal has come, whichever was first. */
tfm_awaited tfm_signals_wait(int fd);

#endif
