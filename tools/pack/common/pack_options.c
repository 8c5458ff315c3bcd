/* pack_options.c - see pack_options.h. */
#include "pack_options.h"

#include <stdarg.h>
#include <stdio.h>

tfm_dtype tfm_pack_embed_dtype(const tfm_pack_options *options) {
    if (options->has_dtype_embed) return options->dtype_embed;
    return options->dtype == TFM_I4 ? TFM_I8 : options->dtype;
}

void tfm_pack_note(const tfm_pack_options *options, const char *format, ...) {
    char text[1200];
    va_list arguments;
    if (!options || !options->note) return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    options->note(options->note_user, text);
}
