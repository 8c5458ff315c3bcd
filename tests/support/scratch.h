/* scratch.h - a folder for the files of a test. */
#ifndef TFM_TESTS_SUPPORT_SCRATCH_H
#define TFM_TESTS_SUPPORT_SCRATCH_H

/* A fresh folder; its path lives until scratch_remove, which deletes it with what is in it. Both abort on a failure. */
char *scratch_make(void);
void scratch_remove(char **folder);

#endif
