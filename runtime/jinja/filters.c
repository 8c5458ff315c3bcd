/* filters.c - what comes after `|`, by its name. */
#include "builtins.h"

const jinja_builtin *tfm_jinja_find_filter(const jinja_string *name) {
    const jinja_builtin *filter = tfm_jinja_find_str_filter(name);
    if (!filter) filter = tfm_jinja_find_number_filter(name);
    return filter ? filter : tfm_jinja_find_list_filter(name);
}
