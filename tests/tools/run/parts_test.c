/* parts_test.c - what the tools share and tfmrun's drawing, tested from inside. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/utf8.h"
#include "tools/common/bytes.h"
#include "tools/common/cli.h"
#include "tools/common/json_line.h"
#include "tools/run/heatmap.h"

/* ---- lines ---- */

/* Feeds text in pieces of n bytes and compares each line that comes. */
static void read_in_pieces(size_t piece) {
    static const char text[] = "one\n\ntwo\r\nth\0ree\n0123456789\n0123456789X\nlast";
    static const struct {
        const char *line;
        size_t n;
    } want[] = {{"one", 3}, {"", 0}, {"two", 3}, {"th\0ree", 6}, {"0123456789", 10}, {NULL, 0}, {"last", 4}};
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    tfm_lines lines;
    tfm_lines_open(&lines, ends[0], 10);
    size_t sent = 0, got = 0;
    for (;;) {
        const char *line = NULL;
        size_t n = 0;
        tfm_line result = tfm_lines_next(&lines, 0, &line, &n);
        if (result == TFM_LINE_END) break;
        cr_assert_neq(result, TFM_LINE_FAILED);
        if (result == TFM_LINE_PAUSE) {
            size_t left = sizeof text - 1 - sent;
            if (left == 0) {
                close(ends[1]);
                continue;
            }
            size_t now = left < piece ? left : piece;
            cr_assert_eq(write(ends[1], text + sent, now), (ssize_t)now);
            sent += now;
            continue;
        }
        cr_assert_lt(got, sizeof want / sizeof *want);
        cr_expect_eq(result, want[got].line ? TFM_LINE_READ : TFM_LINE_TOO_LONG, "line %zu, pieces of %zu", got, piece);
        if (want[got].line)
            cr_expect(n == want[got].n && memcmp(line, want[got].line, n) == 0, "line %zu: '%.*s'", got, (int)n, line);
        got++;
        cr_expect_eq(lines.number, got);
    }
    cr_expect_eq(got, sizeof want / sizeof *want);
    tfm_lines_close(&lines);
    close(ends[0]);
}

Test(parts, lines_in_pieces_of_every_size) {
    for (size_t piece = 1; piece <= 48; piece++) read_in_pieces(piece);
}

/* ---- numbers ---- */

Test(parts, numbers_are_strict) {
    uint64_t u = 7;
    int64_t i = 7;
    double d = 7;
    bool b = false;
    static const char *const none[] = {"", " 1", "1 ", "+1", "1x", "x", "0x10", "1e3", "18446744073709551616", "--1"};
    for (size_t k = 0; k < sizeof none / sizeof *none; k++) {
        cr_expect_neq(tfm_parse_u64("n", none[k], 0, UINT64_MAX, &u, NULL), TFM_OK, "'%s'", none[k]);
        cr_expect_neq(tfm_parse_i64("n", none[k], INT64_MIN, INT64_MAX, &i, NULL), TFM_OK, "'%s'", none[k]);
    }
    cr_expect(u == 7 && i == 7);
    cr_expect_eq(tfm_parse_u64("n", "18446744073709551615", 0, UINT64_MAX, &u, NULL), TFM_OK);
    cr_expect_eq(u, UINT64_MAX);
    cr_expect_eq(tfm_parse_i64("n", "-5", -5, 5, &i, NULL), TFM_OK);
    cr_expect_eq(i, -5);
    cr_expect_neq(tfm_parse_i64("n", "-6", -5, 5, &i, NULL), TFM_OK);
    static const char *const no_double[] = {"", " 1", "1 ", "+1", "nan", "inf", "-inf", "1e999", "0x1p3", "1,5", "."};
    for (size_t k = 0; k < sizeof no_double / sizeof *no_double; k++)
        cr_expect_neq(tfm_parse_double("n", no_double[k], -INFINITY, INFINITY, &d, NULL), TFM_OK, "'%s'", no_double[k]);
    cr_expect_eq(tfm_parse_double("n", "-1.5e-3", -1, 1, &d, NULL), TFM_OK);
    cr_expect_eq(d, -1.5e-3);
    cr_expect_eq(tfm_parse_bool("n", "True", &b, NULL), TFM_OK);
    cr_expect(b);
    cr_expect_neq(tfm_parse_bool("n", "1", &b, NULL), TFM_OK);
    tfm_error error;
    tfm_parse_u64("--num-beams", "zero", 1, 9, &u, &error);
    cr_expect_str_eq(error.message, "--num-beams: 'zero' is not a whole number from 1 to 9");
}

/* ---- UTF-8 ---- */

Test(parts, utf8_is_made_valid) {
    tfm_text out = {0};
    cr_assert(tfm_text_append_valid(&out, "a\xff\xc3\xa4\xe2\x82z", 7));
    cr_expect(out.size == 13 && memcmp(out.data, "a\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbdz", 13) == 0, "%.*s",
              (int)out.size, out.data);
    tfm_text_free(&out);
}

/* ---- drawings ---- */

/* A strict little reader of XML: tags nest, attributes are quoted, references are known, characters are allowed. */
static bool reference_ok(const char **at) {
    static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(*at, known[i], strlen(known[i])) == 0) {
            *at += strlen(known[i]);
            return true;
        }
    unsigned code;
    int n = 0;
    if (sscanf(*at, "&#x%x;%n", &code, &n) != 1 || n == 0 || code < 0x20) return false;
    *at += n;
    return true;
}

static const char *tag_end(const char *at) {
    char quote = 0;
    for (; *at && (quote || *at != '>'); at++) {
        if (quote ? *at == quote : *at == '"') quote = quote ? 0 : *at;
        if (*at == '<') return NULL;
    }
    return *at && !quote ? at : NULL;
}

static void check_xml(const char *text, size_t size) {
    char stack[32][16];
    size_t depth = 0, n_tags = 0;
    const char *at = text;
    if (strncmp(at, "<?xml", 5) == 0 || strncmp(at, "<!DOCTYPE", 9) == 0) at = strchr(at, '>') + 1;
    while (at < text + size) {
        if (*at == '&') {
            cr_assert(reference_ok(&at), "%.40s", at);
        } else if (*at == '<') {
            bool closing = at[1] == '/';
            const char *name = at + 1 + closing, *end = tag_end(at + 1);
            cr_assert(end, "%.60s", at);
            size_t n = strcspn(name, " />");
            cr_assert_lt(n, sizeof stack[0]);
            bool empty = end[-1] == '/' || strncmp(name, "meta", 4) == 0; /* HTML's only empty element here */
            if (closing) {
                cr_assert(depth > 0 && strlen(stack[depth - 1]) == n && memcmp(stack[depth - 1], name, n) == 0, "%.60s",
                          at);
                depth--;
            } else if (!empty) {
                cr_assert_lt(depth, 32);
                snprintf(stack[depth++], sizeof stack[0], "%.*s", (int)n, name);
            }
            n_tags++;
            at = end + 1;
        } else {
            uint32_t code = 0;
            size_t n = tfm_utf8_decode(at, (size_t)(text + size - at), &code);
            cr_assert(n && (code >= 0x20 || code == '\n') && code != 0xfffe && code != 0xffff, "U+%04X", code);
            at += n;
        }
    }
    cr_expect_eq(depth, 0);
    cr_expect_gt(n_tags, 10);
}

static tfm_text label(const char *text, size_t n) { return (tfm_text){.data = (char *)text, .size = n}; }

/* Every character but those some readers end a line at comes as it is. */
Test(parts, json_lines_are_single_lines) {
    json_t *object = json_pack("{s:s}", "text", "\xC3\xA9\xC2\x85|\xE2\x80\xA8|\xE2\x80\xA9|\xE2\x80\xA6\xC2\x86\n\"");
    tfm_text line = {0};
    cr_assert(tfm_json_line(object, JSON_COMPACT, &line));
    static const char want[] = "{\"text\":\"\xC3\xA9\\u0085|\\u2028|\\u2029|\xE2\x80\xA6\xC2\x86\\n\\\"\"}\n";
    cr_expect_eq(line.size, sizeof want - 1);
    cr_expect_eq(memcmp(line.data, want, sizeof want - 1), 0, "%.*s", (int)line.size, line.data);
    tfm_text_free(&line);
    json_decref(object);
}

Test(parts, drawings_are_well_formed) {
    tfm_text source[] = {label("\xe2\x96\x81<script>", 11),
                         label("a&b\"'", 5),
                         label("\x00\x01\x1f\x7f", 4),
                         label("\xff\xc3", 2),
                         label("\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7", 10),
                         label("\xe2\x80\xae"
                               "evil",
                               7),
                         label("\xef\xbf\xbe\xef\xbf\xbf", 6),
                         label("", 0)};
    char longest[400];
    memset(longest, 'w', sizeof longest);
    tfm_text target[] = {label(longest, sizeof longest), label("\xe4\xb8\x9c\xe4\xba\xac", 6), label("]]>", 3)};
    float weights[3 * 8];
    for (size_t i = 0; i < 24; i++) weights[i] = (float)i / 24;
    weights[3] = NAN;
    weights[4] = -1;
    weights[5] = INFINITY;
    tfm_heatmap map = {source, target, 8, 3, weights, "a <b> & \"c\" \xff\x02", "--> ]]> \xe2\x80\xae"};
    tfm_text svg = {0}, html = {0};
    cr_assert(tfm_heatmap_svg(&map, &svg));
    check_xml(svg.data, svg.size);
    cr_assert(tfm_heatmap_html_start(&html));
    cr_assert(tfm_heatmap_html_figure(&map, 1, &html));
    cr_assert(tfm_heatmap_html_figure(&map, 2, &html));
    cr_assert(tfm_heatmap_html_end(&html));
    check_xml(html.data, html.size);
    cr_expect(!strstr(svg.data, "<script"));
    cr_expect(!strstr(svg.data, "\xe2\x80\xae"), "an override of direction would turn the labels around it");
    cr_expect(strstr(svg.data, "fill-opacity=\"0.000\"") && strstr(svg.data, "fill-opacity=\"1.000\""));
    cr_expect(strstr(svg.data, "prefers-color-scheme"));
    tfm_text_free(&svg);
    tfm_text_free(&html);
    map.n_source = 1;
    map.n_target = 1;
    weights[0] = 0;
    cr_assert(tfm_heatmap_svg(&map, &svg));
    check_xml(svg.data, svg.size);
    tfm_text_free(&svg);
}
