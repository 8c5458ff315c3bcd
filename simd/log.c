/* log.c - the logarithm of SLEEF whose bits no processor changes. */
#include "log.h"

#include <sleef.h>

double tfm_log(double x) { return Sleef_cinz_logd1_u10purec(x); }
