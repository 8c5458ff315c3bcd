/* heatmap.c - draws cross-attention as SVG: a cell for each pair of tokens, labels, legend, tooltips. */
#include "heatmap.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tools/common/shown.h"

/*
 * The weight is the opacity of one colour over the page, so that the same drawing reads on light and on dark pages;
 * only the colours below change with the viewer's scheme. The rules serve standalone files and HTML pages alike.
 */
static const char style[] =
    ".tfm-map{font:13px system-ui,'Noto Sans','Noto Sans CJK SC',sans-serif}"
    ".tfm-map .page{fill:#ffffff}.tfm-map .grid{fill:#eef1f6}.tfm-map .cell{fill:#1d4fd8}"
    ".tfm-map .label{fill:#1b1f27}.tfm-map .mark{fill:#9aa3b2}.tfm-map .note{fill:#5d6675;font-size:12px}"
    ".tfm-map .frame{fill:none;stroke:transparent}.tfm-map .pair:hover .frame{stroke:#e0662c;stroke-width:2}"
    ".tfm-map .border{fill:none;stroke:#c9cfda}"
    "@media (prefers-color-scheme:dark){.tfm-map .page{fill:#14171c}.tfm-map .grid{fill:#20252d}"
    ".tfm-map .cell{fill:#6aa5ff}.tfm-map .label{fill:#e6e9ef}.tfm-map .mark{fill:#6b7483}"
    ".tfm-map .note{fill:#99a2b1}.tfm-map .border{stroke:#3a414c}}";

enum { LABEL_COLUMNS = 28 }; /* longer labels are cut; the tooltip has them whole */

/* All lengths in SVG units, about pixels. */
typedef struct layout {
    double cell, font, gap;
    double left, top; /* of the grid */
    double grid_width, grid_height, width, height;
    float most; /* the largest weight: full colour */
} layout;

/* ---- text in XML ---- */

/* Control characters, code points XML forbids, and those that lend the text beside them a direction. */
static bool is_unfit(uint32_t code) {
    return tfm_is_control(code) || (code & 0xfffe) == 0xfffe || code == 0x061c || (code >= 0x200e && code <= 0x200f) ||
           (code >= 0xfdd0 && code <= 0xfdef);
}

static bool append_code(tfm_text *out, const char *text, size_t n, uint32_t code) {
    switch (code) {
    case '&': return tfm_text_print(out, "&amp;");
    case '<': return tfm_text_print(out, "&lt;");
    case '>': return tfm_text_print(out, "&gt;");
    case '"': return tfm_text_print(out, "&quot;");
    }
    if (code < 0x20) return tfm_text_print(out, "&#x%x;", 0x2400u + code); /* control pictures */
    if (is_unfit(code)) return tfm_text_print(out, "[U+%04X]", code);
    return tfm_text_append(out, text, n);
}

/* Escapes n bytes; invalid UTF-8 becomes U+FFFD; at most columns columns, then an ellipsis. */
static bool append_escaped(tfm_text *out, const char *text, size_t n, size_t columns) {
    size_t used = 0;
    bool ok = true;
    for (size_t i = 0; i < n && ok;) {
        uint32_t code;
        size_t length = tfm_character(text + i, n - i, &code);
        used += length && is_unfit(code) && code >= 0x20 ? 8 : tfm_columns(code);
        if (used > columns) return tfm_text_print(out, "\xe2\x80\xa6");
        ok = length ? append_code(out, text + i, length, code) : tfm_text_print(out, "\xef\xbf\xbd");
        i += length ? length : 1;
    }
    return ok;
}

static size_t label_columns(const tfm_text *label) {
    size_t columns = 0;
    for (size_t i = 0; i < label->size && columns <= LABEL_COLUMNS;) {
        uint32_t code;
        size_t length = tfm_character(label->data + i, label->size - i, &code);
        columns += length && is_unfit(code) && code >= 0x20 ? 8 : tfm_columns(code);
        i += length ? length : 1;
    }
    return columns > LABEL_COLUMNS ? LABEL_COLUMNS + 1 : columns;
}

static double label_width(const layout *l, const tfm_text *label) {
    return 0.62 * l->font * (double)label_columns(label);
}

/* The mark of a word's beginning is part of the piece but not what one reads: it is drawn paler. */
static bool append_label(tfm_text *out, const tfm_text *label) {
    static const char mark[] = "\xe2\x96\x81";
    bool marked = label->size >= 3 && memcmp(label->data, mark, 3) == 0;
    bool ok = true;
    if (marked) ok = tfm_text_print(out, "<tspan class=\"mark\">%s</tspan>", mark);
    return ok && append_escaped(out, label->data + 3 * marked, label->size - 3 * marked, LABEL_COLUMNS);
}

/* ---- layout ---- */

static layout lay_out(const tfm_heatmap *map) {
    layout l = {.gap = 8};
    size_t longest = map->n_source > map->n_target ? map->n_source : map->n_target;
    l.cell = longest <= 24 ? 30 : longest <= 48 ? 22 : longest <= 100 ? 16 : 12;
    l.font = l.cell >= 22 ? 13 : l.cell >= 16 ? 11 : 9;
    l.grid_width = l.cell * (double)map->n_source;
    l.grid_height = l.cell * (double)map->n_target;
    double wide = 60, high = 0, right = 0;
    for (size_t i = 0; i < map->n_target; i++) wide = fmax(wide, label_width(&l, &map->target[i]));
    for (size_t j = 0; j < map->n_source; j++) {
        double slant = label_width(&l, &map->source[j]) * 0.7072; /* drawn at 45 degrees */
        high = fmax(high, slant);
        right = fmax(right, l.cell * ((double)j + 0.5) + slant - l.grid_width);
    }
    l.left = 20 + wide + l.gap;
    l.top = 46 + high + l.gap;
    l.width = fmax(l.left + l.grid_width + fmax(right, 0) + 20, 470);
    l.height = l.top + l.grid_height + 56;
    for (size_t i = 0; i < map->n_source * map->n_target; i++)
        if (isfinite(map->weights[i])) l.most = fmaxf(l.most, map->weights[i]);
    if (!(l.most > 0)) l.most = 1;
    return l;
}

/* ---- parts ---- */

static bool draw_labels(const tfm_heatmap *map, const layout *l, tfm_text *out) {
    bool ok = true;
    for (size_t j = 0; j < map->n_source && ok; j++) {
        double x = l->left + l->cell * ((double)j + 0.5), y = l->top - l->gap;
        ok = tfm_text_print(out, "<text class=\"label\" font-size=\"%g\" transform=\"translate(%g %g) rotate(-45)\">",
                            l->font, x + l->font * 0.3, y) &&
             append_label(out, &map->source[j]) && tfm_text_print(out, "</text>\n");
    }
    for (size_t i = 0; i < map->n_target && ok; i++) {
        double y = l->top + l->cell * ((double)i + 0.5);
        ok = tfm_text_print(out, "<text class=\"label\" font-size=\"%g\" text-anchor=\"end\" x=\"%g\" y=\"%g\">",
                            l->font, l->left - l->gap, y + l->font * 0.35) &&
             append_label(out, &map->target[i]) && tfm_text_print(out, "</text>\n");
    }
    return ok;
}

static bool draw_cell(const tfm_heatmap *map, const layout *l, size_t i, size_t j, tfm_text *out) {
    float weight = map->weights[i * map->n_source + j];
    double strength = isfinite(weight) && weight > 0 ? (double)(weight / l->most) : 0;
    double x = l->left + l->cell * (double)j, y = l->top + l->cell * (double)i;
    /* Under one part in 500 nothing can be seen, but the tooltip still answers. */
    return tfm_text_print(out, "<g class=\"pair\"><title>") &&
           append_escaped(out, map->target[i].data, map->target[i].size, 200) &&
           tfm_text_print(out, " \xe2\x86\x90 ") &&
           append_escaped(out, map->source[j].data, map->source[j].size, 200) &&
           tfm_text_print(out,
                          ": %.4f</title><rect class=\"cell\" x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" "
                          "fill-opacity=\"%.3f\"/><rect class=\"frame\" x=\"%g\" y=\"%g\" width=\"%g\" "
                          "height=\"%g\"/></g>\n",
                          (double)weight, x + 0.5, y + 0.5, l->cell - 1, l->cell - 1, strength, x + 1, y + 1,
                          l->cell - 2, l->cell - 2);
}

static bool draw_cells(const tfm_heatmap *map, const layout *l, tfm_text *out) {
    bool ok = tfm_text_print(out, "<rect class=\"grid\" x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\"/>\n", l->left,
                             l->top, l->grid_width, l->grid_height);
    for (size_t i = 0; i < map->n_target && ok; i++)
        for (size_t j = 0; j < map->n_source && ok; j++) ok = draw_cell(map, l, i, j, out);
    return ok && tfm_text_print(out,
                                "<rect class=\"border\" x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" "
                                "pointer-events=\"none\"/>\n",
                                l->left, l->top, l->grid_width, l->grid_height);
}

static bool draw_legend(const layout *l, tfm_text *out) {
    enum { STEPS = 10 };
    double x = l->left, y = l->top + l->grid_height + 22, step = 14;
    bool ok = tfm_text_print(out, "<text class=\"note\" x=\"%g\" y=\"%g\" text-anchor=\"end\">weight 0</text>\n",
                             x - l->gap, y + 10) &&
              tfm_text_print(out, "<rect class=\"grid\" x=\"%g\" y=\"%g\" width=\"%g\" height=\"12\"/>\n", x, y,
                             step * STEPS);
    for (int i = 0; i < STEPS && ok; i++)
        ok = tfm_text_print(out,
                            "<rect class=\"cell\" x=\"%g\" y=\"%g\" width=\"%g\" height=\"12\" "
                            "fill-opacity=\"%.3f\"/>\n",
                            x + step * i, y, step, (double)i / (STEPS - 1));
    return ok && tfm_text_print(out, "<text class=\"note\" x=\"%g\" y=\"%g\">%.2f</text>\n", x + step * STEPS + l->gap,
                                y + 10, (double)l->most);
}

static bool draw(const tfm_heatmap *map, bool standalone, tfm_text *out) {
    layout l = lay_out(map);
    bool ok = true;
    if (standalone) ok = tfm_text_print(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    ok = ok && tfm_text_print(out,
                              "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"tfm-map\" role=\"img\" "
                              "width=\"%g\" height=\"%g\" viewBox=\"0 0 %g %g\">\n",
                              l.width, l.height, l.width, l.height);
    if (standalone)
        ok = ok && tfm_text_print(out, "<style>%s</style>\n", style) && tfm_text_print(out, "<desc>Input: ") &&
             append_escaped(out, map->source_text, strlen(map->source_text), 2000) &&
             tfm_text_print(out, " Output: ") &&
             append_escaped(out, map->target_text, strlen(map->target_text), 2000) &&
             tfm_text_print(out, "</desc>\n<rect class=\"page\" width=\"100%%\" height=\"100%%\"/>\n");
    ok =
        ok && tfm_text_print(out, "<text class=\"note\" x=\"20\" y=\"24\">Cross-attention, mean over layers and heads: "
                                  "input across, output down</text>\n");
    return ok && draw_labels(map, &l, out) && draw_cells(map, &l, out) && draw_legend(&l, out) &&
           tfm_text_print(out, "</svg>\n");
}

bool tfm_heatmap_svg(const tfm_heatmap *map, tfm_text *out) { return draw(map, true, out); }

/* ---- the page ---- */

bool tfm_heatmap_html_start(tfm_text *out) {
    return tfm_text_print(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Cross-attention</title>\n"
        "<meta name=\"viewport\" content=\"width=device-width\"><style>\n"
        ":root{color-scheme:light dark}body{margin:2rem auto;padding:0 1.5rem;max-width:80rem;"
        "font:16px/1.5 system-ui,'Noto Sans',sans-serif;background:#ffffff;color:#1b1f27}"
        "figure{margin:0 0 3rem}figcaption{margin-bottom:.5rem}figcaption p{margin:0}"
        "figcaption p+p{font-weight:600}.map{overflow-x:auto}svg{display:block}"
        "@media (prefers-color-scheme:dark){body{background:#14171c;color:#e6e9ef}}\n%s\n</style></head><body>\n",
        style);
}

bool tfm_heatmap_html_figure(const tfm_heatmap *map, size_t number, tfm_text *out) {
    return tfm_text_print(out, "<figure id=\"pair-%zu\"><figcaption><p dir=\"auto\">", number) &&
           append_escaped(out, map->source_text, strlen(map->source_text), SIZE_MAX) &&
           tfm_text_print(out, "</p><p dir=\"auto\">") &&
           append_escaped(out, map->target_text, strlen(map->target_text), SIZE_MAX) &&
           tfm_text_print(out, "</p></figcaption><div class=\"map\">\n") && draw(map, false, out) &&
           tfm_text_print(out, "</div></figure>\n");
}

bool tfm_heatmap_html_end(tfm_text *out) { return tfm_text_print(out, "</body></html>\n"); }
