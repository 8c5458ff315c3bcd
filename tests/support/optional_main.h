/* optional_main.h - main() of a Criterion suite whose data are not part of the project. */
#ifndef TFM_TESTS_SUPPORT_OPTIONAL_MAIN_H
#define TFM_TESTS_SUPPORT_OPTIONAL_MAIN_H

/* What the suite reads, below the folder TFM_SHARED. Without it the whole suite is one skipped case, with the reason.
 */
extern const char *const optional_data;

/* The path of NAME below TFM_SHARED. It lives until eight further calls; a test fails where it is not there. */
const char *shared_path(const char *name);

#endif
