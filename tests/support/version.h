/* version.h - the version as tools print it, from the numbers in tfm.h. */
#ifndef TFM_TESTS_SUPPORT_VERSION_H
#define TFM_TESTS_SUPPORT_VERSION_H

#include "runtime/tfm.h"

#define VERSION_AS_TEXT(major, minor, patch) #major "." #minor "." #patch
#define VERSION_OF(major, minor, patch) VERSION_AS_TEXT(major, minor, patch)
#define VERSION VERSION_OF(TFM_VERSION_MAJOR, TFM_VERSION_MINOR, TFM_VERSION_PATCH)

#endif
