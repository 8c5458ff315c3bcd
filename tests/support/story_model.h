/*
 * story_model.h - a small decoder-only checkpoint with a tokenizer: a golden one, whose random weights tell stories in
 * a vocabulary of words. They make no sense, but they are the same everywhere and change with every word before them.
 */
#ifndef TFM_TESTS_SUPPORT_STORY_MODEL_H
#define TFM_TESTS_SUPPORT_STORY_MODEL_H

enum { STORY_CONTEXT = 512, STORY_VOCABULARY = 200 };

/*
 * Makes the folder in the current directory. Tokens are single characters (small letters, some others, the line feed)
 * and words with a space before them; <s> stands before every text, </s> ends a story.
 */
void make_story_checkpoint(const char *folder);

#endif
