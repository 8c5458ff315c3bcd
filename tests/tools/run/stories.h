/*
 * stories.h - a small decoder-only model for the tests, with and without a chat template.
 */
#ifndef TFM_TESTS_TOOLS_RUN_STORIES_H
#define TFM_TESTS_TOOLS_RUN_STORIES_H

#include "interact.h"
#include "tests/support/story_model.h"

#define STORIES "stories.bin"   /* no chat template */
#define CHATTING "chatting.bin" /* the same with one */

/* Packs the story model into the scratch directory. */
void pack_stories(void);
void pack_chatting(void);
/* Packs STORIES, again if it is there, with a generation_config.json of its own. */
void pack_stories_with(const char *generation);

#endif
