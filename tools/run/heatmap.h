/*
 * heatmap.h - drawings of cross-attention: which input tokens an output token looked at, as SVG or HTML.
 */
#ifndef TFM_TOOLS_RUN_HEATMAP_H
#define TFM_TOOLS_RUN_HEATMAP_H

#include "tools/common/bytes.h"

/* A label per token, UTF-8; weights are (n_target, n_source), each row summing to about 1. */
typedef struct tfm_heatmap {
    const tfm_text *source, *target;
    size_t n_source, n_target;
    const float *weights;
    const char *source_text, *target_text; /* the sentences, for captions; may be "" */
} tfm_heatmap;

/* Appends a complete SVG file. false when memory is out. */
bool tfm_heatmap_svg(const tfm_heatmap *map, tfm_text *out);

/* An HTML page of any number of drawings: start, one figure each, end. false when memory is out. */
bool tfm_heatmap_html_start(tfm_text *out);
bool tfm_heatmap_html_figure(const tfm_heatmap *map, size_t number, tfm_text *out);
bool tfm_heatmap_html_end(tfm_text *out);

#endif
