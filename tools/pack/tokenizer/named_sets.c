/* named_sets.c - sets of characters by name; see named_sets.h. */
#include "named_sets.h"

#include <stdlib.h>
#include <string.h>

static const char names[TFM_NAMED_SETS][3] = {"s",  "w",  "d", /* White_Space; word characters; decimal digits */
                                              "L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc", "Me", "N",
                                              "Nd", "Nl", "No", "P",  "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
                                              "S",  "Sm", "Sc", "Sk", "So", "Z",  "Zs", "Zl", "Zp"};

bool tfm_named_sets_work(tfm_named_sets *sets, uint64_t work) {
    sets->work += work;
    return sets->work <= TFM_TOKENIZER_WORK;
}

static bool is_in(uint32_t code, const char *name) {
    switch (name[0]) {
    case 's': return tfm_unicode_space(code);
    case 'w': return tfm_unicode_word(code);
    case 'd': return tfm_unicode_category(code) == UTF8PROC_CATEGORY_ND;
    default: return tfm_unicode_in(tfm_unicode_category(code), name[0], name[1]);
    }
}

tfm_status tfm_named_set(tfm_named_sets *sets, const char *name, size_t n, const tfm_char_set **set) {
    size_t i = 0;
    *set = NULL;
    while (i < TFM_NAMED_SETS && (strlen(names[i]) != n || memcmp(names[i], name, n) != 0)) i++;
    if (i == TFM_NAMED_SETS) return TFM_OK;
    if (!sets->sets[i]) {
        sets->sets[i] = calloc(1, sizeof *sets->sets[i]);
        if (!sets->sets[i]) return TFM_ERROR_MEMORY;
        tfm_named_sets_work(sets, TFM_UNICODE_CODES);
        for (uint32_t code = 0; code < TFM_UNICODE_CODES; code++)
            if (is_in(code, names[i])) tfm_char_set_add(sets->sets[i], code);
    }
    *set = sets->sets[i];
    return TFM_OK;
}

void tfm_named_sets_free(tfm_named_sets *sets) {
    for (size_t i = 0; i < TFM_NAMED_SETS; i++) free(sets->sets[i]);
    *sets = (tfm_named_sets){0};
}
