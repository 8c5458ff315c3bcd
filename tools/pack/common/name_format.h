/*
 * name_format.h - names put together by printf, as values: nothing to free, nothing to check.
 */
#ifndef TFM_TOOLS_PACK_COMMON_NAME_FORMAT_H
#define TFM_TOOLS_PACK_COMMON_NAME_FORMAT_H

/* Longer than any name of a tensor may be, so that who takes it sees what was cut off. */
typedef struct tfm_name {
    char text[200];
} tfm_name;

__attribute__((format(printf, 1, 2))) tfm_name tfm_name_format(const char *format, ...);

#endif
