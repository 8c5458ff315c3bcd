/* unicode.c - properties of characters for the tables that are packed. */
#include "unicode.h"

#include <string.h>

static const tfm_unicode_range *find(uint32_t code) {
    size_t low = 0, high = tfm_n_unicode_ages;
    if (code > tfm_unicode_ages[high - 1].last) return NULL; /* most codes, of which loops over all ask */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tfm_unicode_ages[middle].last < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < tfm_n_unicode_ages && tfm_unicode_ages[low].first <= code ? &tfm_unicode_ages[low] : NULL;
}

unsigned tfm_unicode_version(uint32_t code) {
    const tfm_unicode_range *range = find(code);
    return range ? range->version : 8;
}

utf8proc_category_t tfm_unicode_category(uint32_t code) {
    const tfm_unicode_range *range = find(code);
    if (range && range->version > 15) return (utf8proc_category_t)range->category;
    return utf8proc_category((utf8proc_int32_t)code);
}

bool tfm_unicode_in(utf8proc_category_t category, char group, char subgroup) {
    static const char names[][3] = {"Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd",
                                    "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm",
                                    "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co"};
    const char *name = names[category];
    return name[0] == group && (subgroup == 0 || name[1] == subgroup);
}

bool tfm_unicode_space(uint32_t code) {
    return (code >= 9 && code <= 13) || code == 0x85 || tfm_unicode_in(tfm_unicode_category(code), 'Z', 0);
}

bool tfm_unicode_numeric(uint32_t code) { return tfm_unicode_in(tfm_unicode_category(code), 'N', 0); }

bool tfm_unicode_word(uint32_t code) {
    utf8proc_category_t category = tfm_unicode_category(code);
    /* Alphabetic symbols: letters in circles and squares */
    if ((code >= 0x24B6 && code <= 0x24E9) || (code >= 0x1F130 && code <= 0x1F149) ||
        (code >= 0x1F150 && code <= 0x1F169) || (code >= 0x1F170 && code <= 0x1F189)) {
        return true;
    }
    return tfm_unicode_in(category, 'L', 0) || tfm_unicode_in(category, 'M', 0) || tfm_unicode_in(category, 'N', 'd') ||
           tfm_unicode_in(category, 'N', 'l') || tfm_unicode_in(category, 'P', 'c');
}

/* General category in Unicode 8.0; three characters have another one since. */
static utf8proc_category_t category_8(uint32_t code) {
    if (code == 0x1734) return UTF8PROC_CATEGORY_MN;
    if (code == 0x166D || code == 0x111C9) return UTF8PROC_CATEGORY_PO;
    return tfm_unicode_version(code) > 8 ? UTF8PROC_CATEGORY_CN : utf8proc_category((utf8proc_int32_t)code);
}

bool tfm_unicode_bert_punctuation(uint32_t code) {
    if (code < 0x80)
        return code > 32 && code < 127 && !((code | 32) >= 'a' && (code | 32) <= 'z') && (code < '0' || code > '9');
    return tfm_unicode_in(category_8(code), 'P', 0);
}

bool tfm_unicode_bert_control(uint32_t code) {
    if (code == '\t' || code == '\n' || code == '\r') return false;
    utf8proc_category_t category = category_8(code);
    return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF || category == UTF8PROC_CATEGORY_CO;
}

bool tfm_unicode_nonspacing(uint32_t code) { return category_8(code) == UTF8PROC_CATEGORY_MN; }

bool tfm_unicode_mark(uint32_t code) {
    return tfm_unicode_version(code) <= 9 && tfm_unicode_in(utf8proc_category((utf8proc_int32_t)code), 'M', 0);
}

unsigned tfm_unicode_boundclass(uint32_t code) {
    if (tfm_unicode_version(code) > 15) {
        utf8proc_category_t category = tfm_unicode_category(code);
        return category == UTF8PROC_CATEGORY_MN   ? UTF8PROC_BOUNDCLASS_EXTEND
               : category == UTF8PROC_CATEGORY_MC ? UTF8PROC_BOUNDCLASS_SPACINGMARK
                                                  : UTF8PROC_BOUNDCLASS_OTHER;
    }
    return utf8proc_get_property((utf8proc_int32_t)code)->boundclass;
}

size_t tfm_unicode_lower(uint32_t code, uint32_t out[2]) {
    /* Letters of Unicode 16.0 */
    static const uint32_t newer[][2] = {
        {0x1C89, 0x1C8A}, {0xA7CB, 0x264}, {0xA7CC, 0xA7CD}, {0xA7DA, 0xA7DB}, {0xA7DC, 0x19B}};
    out[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)code);
    out[1] = 0x307;
    for (size_t i = 0; i < sizeof newer / sizeof newer[0]; i++) {
        if (newer[i][0] == code) out[0] = newer[i][1];
    }
    if (code >= 0x10D50 && code <= 0x10D65) out[0] = code + 0x20;
    if (code == 0x130) out[0] = 'i';
    return code == 0x130 ? 2 : 1;
}

size_t tfm_unicode_decompose(uint32_t code, bool compatibility, uint32_t out[32]) {
    if (tfm_unicode_version(code) > 9 || (code >= 0xAC00 && code <= 0xD7A3)) return 0;
    utf8proc_int32_t result[32];
    int last = 0;
    utf8proc_option_t options = UTF8PROC_DECOMPOSE | (compatibility ? UTF8PROC_COMPAT : 0);
    utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)code, result, 32, options, &last);
    if (n <= 0 || n > 32 || (n == 1 && result[0] == (utf8proc_int32_t)code)) return 0;
    for (utf8proc_ssize_t i = 0; i < n; i++) out[i] = (uint32_t)result[i];
    return (size_t)n;
}

unsigned tfm_unicode_combining_class(uint32_t code) {
    if (tfm_unicode_version(code) > 9) return 0;
    return utf8proc_get_property((utf8proc_int32_t)code)->combining_class;
}

/* The one character that n characters compose to, or 0. */
static uint32_t compose(const uint32_t *codes, size_t n) {
    utf8proc_int32_t buffer[33];
    for (size_t i = 0; i < n; i++) buffer[i] = (utf8proc_int32_t)codes[i];
    if (n == 1) return codes[0];
    utf8proc_ssize_t left = utf8proc_normalize_utf32(buffer, (utf8proc_ssize_t)n, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    return left == 1 ? (uint32_t)buffer[0] : 0;
}

bool tfm_unicode_pair(uint32_t code, uint32_t *first, uint32_t *second) {
    uint32_t parts[32];
    size_t n = tfm_unicode_decompose(code, false, parts);
    if (n < 2 || compose(parts, n) != code) return false;
    *first = compose(parts, n - 1);
    *second = parts[n - 1];
    return *first != 0;
}
