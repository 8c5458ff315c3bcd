/*
 * stories.h - a small decoder-only model with real weights for the tests, with and without a chat template.
 */
#ifndef TFM_TESTS_TOOLS_RUN_STORIES_H
#define TFM_TESTS_TOOLS_RUN_STORIES_H

#include "interact.h"

#define STORIES "stories.bin"   /* no chat template */
#define CHATTING "chatting.bin" /* the same with one */
#define STORIES_CONTEXT 512

/* Packs tinystories-656k into the scratch directory; skips the test where there is no folder of checkpoints. */
void pack_stories(void);
void pack_chatting(void);

#endif
