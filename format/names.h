/* names.h - rules for text in model.bin: names of tensors and sections, keys. */
#ifndef TFM_FORMAT_NAMES_H
#define TFM_FORMAT_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* Whether all n bytes are characters a name or key may have. */
bool tfm_name_chars(const char *text, size_t n);

/* Whether a section of this name is known to this version, or an extension ("x-..."). */
bool tfm_section_known(const char *name);
bool tfm_section_extension(const char *name);

#endif
