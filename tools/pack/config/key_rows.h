/*
 * key_rows.h - rows of tables of keys as *_keys.def write them; see keys.h.
 */
#ifndef TFM_TOOLS_PACK_CONFIG_KEY_ROWS_H
#define TFM_TOOLS_PACK_CONFIG_KEY_ROWS_H

#include "keys.h"

#define READ(name, unused) {name, TFM_KEY_READ, NULL, unused},
#define HARMLESS(name) {name, TFM_KEY_HARMLESS, NULL, NULL},
#define LEFT_OUT(name, neutral) {name, TFM_KEY_LEFT_OUT, neutral, NULL},
#define REFUSED(name, neutral) {name, TFM_KEY_REFUSED, neutral, NULL},

#endif
