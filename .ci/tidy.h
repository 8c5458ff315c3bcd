/*
 * tidy.h - included before each file by `.ci/run tidy`: clang's analyzer does not look into functions of a variable
 * number of arguments, and so would take it for possible that `return tfm_fail(...)` returns TFM_OK and that a caller
 * goes on with what was never set.
 */
#include "../format/tfm_error.h"

void tfm_tidy_said(tfm_error *error, const char *format, ...);
#define tfm_fail(error, status, ...) (tfm_tidy_said(error, __VA_ARGS__), (status))
#define tfm_no_memory(error, ...) (tfm_tidy_said(error, __VA_ARGS__), TFM_ERROR_MEMORY)
