/* log.h - the one logarithm there is need of. */
#ifndef TFM_SIMD_LOG_H
#define TFM_SIMD_LOG_H

/* ln x in double; the same bits on every processor, unlike libm's. */
double tfm_log(double x);

#endif
