/* case_mapping.c - upper, lower and title case, as Python has them. */
#include <string.h>

#include "case_mapping_table.h"
#include "characters.h"
#include "interpreter.h"
#include "runtime/tokenizer/common/white_space.h"

static bool is_ascii_letter(uint32_t code) { return (code | 0x20) >= 'a' && (code | 0x20) <= 'z'; }

static const case_range *look_up(const case_range *table, size_t n, uint32_t code) {
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (table[middle].last < code)
            low = middle + 1;
        else
            high = middle;
    }
    const case_range *range = &table[low];
    return low < n && range->first <= code && (code - range->first) % range->stride == 0 ? range : NULL;
}

static const case_range *changes(uint32_t code, bool upper) {
    return upper ? look_up(to_upper, sizeof to_upper / sizeof *to_upper, code)
                 : look_up(to_lower, sizeof to_lower / sizeof *to_lower, code);
}

static uint32_t change(jinja_context *c, uint32_t code, bool upper) {
    if (code < 0x80) {
        if (!is_ascii_letter(code)) return code;
        return upper ? code & ~0x20u : code | 0x20u;
    }
    const case_range *range = changes(code, upper);
    if (!range) return code;
    if (range->delta == 0)
        tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "the %s case of U+%04X is not known",
                       upper ? "upper" : "lower", code);
    return code + (uint32_t)range->delta;
}

/* 1: upper case, -1: lower case, 0: neither. */
static int case_of(uint32_t code) {
    if (code < 0x80) return is_ascii_letter(code) ? (code & 0x20 ? -1 : 1) : 0;
    return changes(code, false) ? 1 : changes(code, true) ? -1 : 0;
}

/* What the filter title begins a word after. */
static bool separates(uint32_t code) { return tfm_is_white_space(code) || (code < 0x80 && strchr("-({[<", (int)code)); }

jinja_value tfm_jinja_change_case(jinja_context *c, const jinja_string *string, jinja_case how) {
    jinja_buffer text = {0};
    bool begin = true; /* of a word, or of the text */
    for (size_t i = 0, length; i < string->n && c->state.status == TFM_OK; i += length) {
        uint32_t code = tfm_jinja_decode_char(string->data + i, string->n - i, &length);
        char changed[4];
        bool upper = how == JINJA_UPPER || (how == JINJA_SWAP ? case_of(code) < 0 : how != JINJA_LOWER && begin);
        bool leave = how == JINJA_SWAP && case_of(code) == 0;
        size_t n = tfm_jinja_encode_char(changed, leave ? code : change(c, code, upper));
        tfm_jinja_buffer_append(&c->state, &text, changed, n);
        begin = how == JINJA_TITLE ? case_of(code) == 0 : how == JINJA_FILTER_TITLE && separates(code);
    }
    return tfm_jinja_buffer_string(&c->state, &text);
}

bool tfm_jinja_has_case(jinja_context *c, const jinja_string *string, bool upper) {
    bool any = false;
    if (!tfm_jinja_charge(&c->state, string->n)) return false;
    for (size_t i = 0, length; i < string->n; i += length) {
        int is = case_of(tfm_jinja_decode_char(string->data + i, string->n - i, &length));
        if (is == (upper ? -1 : 1)) return false;
        any = any || is != 0;
    }
    return any;
}

int tfm_jinja_is_letter(jinja_context *c, uint32_t code) {
    if (code >= 0x80)
        tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "what kind of character U+%04X is, is not known", code);
    return case_of(code);
}
