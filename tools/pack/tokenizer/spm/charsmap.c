/* charsmap.c - enumerates the rules of a precompiled character map, so that they can be laid out anew. */
#include "charsmap.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "format/grow.h"
#include "format/names.h"
#include "format/utf8.h"
#include "runtime/tokenizer/common/trie.h"

#define MAX_SPELLING 256u /* bytes; the longest of Unicode's rules has 18 */
#define MAX_RULES (1u << 18)
#define MAX_VISITS (1u << 21) /* the array may share its ends, so it is a graph whose paths can be many */

typedef struct rules {
    const unsigned char *units;
    uint32_t n_units;
    const char *texts; /* replacements in the file */
    size_t n_texts;
    tfm_charsmap *map;
    size_t key_capacity, n_spellings, spelling_capacity;
    size_t *starts;    /* offset of each key's spelling, since the buffer moves */
    uint32_t *numbers; /* (n_texts) number of the replacement that begins there + 1, or 0 */
    size_t n_text, text_capacity, offset_capacity;
    uint32_t visits;
    char spelling[MAX_SPELLING];
    const char *what;
    tfm_error *error;
} rules;

static tfm_status damaged(rules *r, const char *wrong) {
    return tfm_fail(r->error, TFM_ERROR_FORMAT, "%s: its character map is damaged: %s", r->what, wrong);
}

static uint32_t unit(const rules *r, uint32_t i) {
    uint32_t value;
    memcpy(&value, r->units + 4 * (size_t)i, 4);
    return le32toh(value);
}

/* Distance from a unit to its children, as Darts-clone packs it. */
static uint32_t unit_offset(uint32_t u) { return (u >> 10) << ((u & 0x200u) >> 6); }

/* The number (from 1) of the replacement that begins at an offset of the file's texts. */
static tfm_status replacement(rules *r, uint32_t at, uint32_t *number) {
    if (at >= r->n_texts) return damaged(r, "a rule leads outside the replacements");
    if (r->numbers[at] == 0) {
        tfm_charsmap *map = r->map;
        const char *text = r->texts + at;
        size_t n = strnlen(text, r->n_texts - at);
        if (n == r->n_texts - at) return damaged(r, "a replacement has no end");
        if (tfm_utf8_valid_prefix(text, n) != n) return damaged(r, "a replacement is not UTF-8");
        if (r->n_text + n > UINT32_MAX) return damaged(r, "its replacements overlap too much");
        if (!tfm_grow(&map->text, &r->text_capacity, r->n_text, n + 1, 1) ||
            !tfm_grow(&map->offsets, &r->offset_capacity, map->n_replacements, 2, sizeof(uint32_t))) {
            return tfm_no_memory(r->error, "%s: its character map", r->what);
        }
        memcpy(map->text + r->n_text, text, n);
        r->n_text += n;
        map->offsets[0] = 0;
        map->offsets[++map->n_replacements] = (uint32_t)r->n_text;
        r->numbers[at] = (uint32_t)map->n_replacements;
    }
    *number = r->numbers[at];
    return TFM_OK;
}

static tfm_status add_rule(rules *r, uint32_t depth, uint32_t number) {
    tfm_charsmap *map = r->map;
    if (map->n_keys == MAX_RULES) return damaged(r, "it has more rules than Unicode has characters");
    size_t capacity = r->key_capacity;
    if (!tfm_grow(&map->keys, &r->key_capacity, map->n_keys, 1, sizeof *map->keys) ||
        !tfm_grow(&r->starts, &capacity, map->n_keys, 1, sizeof *r->starts) ||
        !tfm_grow(&map->spellings, &r->spelling_capacity, r->n_spellings, depth, 1)) {
        return tfm_no_memory(r->error, "%s: its character map", r->what);
    }
    memcpy(map->spellings + r->n_spellings, r->spelling, depth);
    r->starts[map->n_keys] = r->n_spellings; // NOLINT(clang-analyzer-core.NullDereference): grows with map->keys
    r->n_spellings += depth;
    map->keys[map->n_keys++] = (tfm_trie_key){NULL, depth, number};
    return TFM_OK;
}

/* Collects the rules whose spelling begins with the depth bytes that lead to node. */
static tfm_status collect(rules *r, uint32_t node, uint32_t depth) {
    if (++r->visits > MAX_VISITS) return damaged(r, "it goes round in circles");
    uint32_t u = unit(r, node);
    uint32_t children = node ^ unit_offset(u);
    tfm_status status = TFM_OK;
    if ((u >> 8 & 1) != 0 && depth > 0) {
        uint32_t number = 0;
        if (children >= r->n_units) return damaged(r, "a rule leads outside it");
        status = replacement(r, unit(r, children) & 0x7FFFFFFFu, &number);
        if (status == TFM_OK) status = add_rule(r, depth, number);
    }
    for (uint32_t byte = 1; byte < 256 && status == TFM_OK; byte++) {
        uint32_t child = children ^ byte;
        if (child >= r->n_units || (unit(r, child) & 0x800000FFu) != byte) continue;
        if (depth == MAX_SPELLING) return damaged(r, "a spelling is too long");
        r->spelling[depth] = (char)byte;
        status = collect(r, child, depth + 1);
    }
    return status;
}

tfm_status tfm_charsmap_read(tfm_charsmap *map, const unsigned char *data, size_t n, const char *what,
                             tfm_error *error) {
    *map = (tfm_charsmap){0};
    rules r = {.map = map, .what = what, .error = error};
    uint32_t n_array = 0;
    if (n >= 4) {
        memcpy(&n_array, data, 4);
        n_array = le32toh(n_array);
    }
    if (n < 8 || n_array >= n - 4 || n_array < 4) return damaged(&r, "its sizes do not fit");
    r.units = data + 4;
    r.n_units = n_array / 4;
    r.texts = (const char *)data + 4 + n_array;
    r.n_texts = n - 4 - n_array;
    r.numbers = calloc(r.n_texts, sizeof(uint32_t));
    tfm_status status = r.numbers ? collect(&r, 0, 0) : tfm_no_memory(r.error, "%s: its character map", r.what);
    if (status == TFM_OK) {
        for (size_t i = 0; i < map->n_keys; i++) map->keys[i].text = map->spellings + r.starts[i];
    } else {
        tfm_charsmap_free(map);
    }
    free(r.starts);
    free(r.numbers);
    return status;
}

void tfm_charsmap_free(tfm_charsmap *map) {
    free(map->keys);
    free(map->spellings);
    free(map->text);
    free(map->offsets);
    *map = (tfm_charsmap){0};
}
