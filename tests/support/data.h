/* data.h - where the data of tests lies, as the build passes it in the environment. */
#ifndef TFM_TESTS_SUPPORT_DATA_H
#define TFM_TESTS_SUPPORT_DATA_H

/*
 * The path of NAME in the folder of golden checkpoints (TFM_GOLDEN). It lives until eight further calls. The program
 * ends with a message where it is not there: these data are part of the project.
 */
const char *golden_path(const char *name);

#endif
