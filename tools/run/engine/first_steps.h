/*
 * first_steps.h - what to do, for who is here for the first time: notes beside messages.
 */
#ifndef TFM_TOOLS_RUN_ENGINE_FIRST_STEPS_H
#define TFM_TOOLS_RUN_ENGINE_FIRST_STEPS_H

#include "settings.h"

/* About a MODEL that is none, with the n arguments of the command line, at least one; the first is MODEL. */
void tfm_first_steps(char *const *arguments, size_t n);
/* About n texts that look like one whose quotes were forgotten; said at a terminal only. */
void tfm_first_texts(const tfm_settings *settings, char *const *texts, size_t n);

#endif
