/* shortlist_section.c - section shortlist: which target tokens each source token allows, checked. */
#include "model.h"

static bool ascending(const uint32_t *ids, size_t n, uint32_t vocab_size) {
    for (size_t i = 0; i < n; i++)
        if (ids[i] >= vocab_size || (i > 0 && ids[i] <= ids[i - 1])) return false;
    return true;
}

static bool lists_good(const tfm_shortlist *shortlist, size_t n_targets, uint32_t vocab_size) {
    if (shortlist->offsets[0] != 0 || shortlist->offsets[shortlist->n_sources] != n_targets) return false;
    for (size_t i = 0; i < shortlist->n_sources; i++)
        if (shortlist->offsets[i] > shortlist->offsets[i + 1] || shortlist->offsets[i + 1] > n_targets) return false;
    for (size_t i = 0; i < shortlist->n_sources; i++)
        if (!ascending(shortlist->targets + shortlist->offsets[i], shortlist->offsets[i + 1] - shortlist->offsets[i],
                       vocab_size))
            return false;
    return true;
}

tfm_status tfm_shortlist_read(tfm_shortlist *shortlist, const tfm_table *table, const tfm_architecture *arch,
                              const char *path, tfm_error *error) {
    *shortlist = (tfm_shortlist){0};
    if (!table) return TFM_OK;
    const tfm_value *always = tfm_table_find(table, "always"), *offsets = tfm_table_find(table, "offsets");
    const tfm_value *targets = tfm_table_find(table, "targets");
    bool good = arch->kind == TFM_KIND_ENCODER_DECODER && tfm_table_count(table) == 3 && always && offsets && targets &&
                always->type == TFM_VALUE_U32S && offsets->type == TFM_VALUE_U32S && targets->type == TFM_VALUE_U32S &&
                offsets->n == (size_t)arch->encoder.vocab_size + 1;
    if (good) {
        *shortlist = (tfm_shortlist){.always = always->data,
                                     .offsets = offsets->data,
                                     .targets = targets->data,
                                     .n_always = always->n,
                                     .n_sources = arch->encoder.vocab_size};
        uint32_t vocab_size = arch->decoder.vocab_size;
        good = ascending(shortlist->always, shortlist->n_always, vocab_size) &&
               lists_good(shortlist, targets->n, vocab_size);
    }
    if (good) return TFM_OK;
    *shortlist = (tfm_shortlist){0};
    return tfm_fail(error, TFM_ERROR_FORMAT, "%s: section shortlist does not fit the model; pack it again", path);
}
