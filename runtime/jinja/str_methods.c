/* str_methods.c - methods of strings, as Python's. */
#include <string.h>

#include "characters.h"
#include "format/utf8.h"
#include "interpreter.h"
#include "runtime/tokenizer/common/white_space.h"

/* An argument that must be a string; what is none (or not given, where that is allowed) is NULL. */
static const jinja_string *text_argument(jinja_context *c, jinja_value value, bool optional) {
    if (value.type == JINJA_STRING) return value.string;
    if (!optional || (jinja_given(value) && value.type != JINJA_NONE)) {
        if (!tfm_jinja_fail_if_undefined(&c->state, value))
            tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "a method of strings needs a string, not %s",
                           tfm_jinja_type_name(value));
    }
    return NULL;
}

static int64_t count_argument(jinja_context *c, jinja_value value, int64_t fallback) {
    if (!jinja_given(value)) return fallback;
    if (jinja_is_whole(value)) return tfm_jinja_to_int(value);
    tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "a method needs a whole number, not %s", tfm_jinja_type_name(value));
    return fallback;
}

/* A part of a string; markup stays markup. */
static jinja_value part(jinja_context *c, const jinja_string *string, size_t start, size_t end) {
    jinja_value text = tfm_jinja_new_string(&c->state, string->data + start, end - start);
    return string->markup && text.type == JINJA_STRING ? tfm_jinja_new_markup(&c->state, text.string) : text;
}

/* ---- what stands at the ends ---- */

static bool is_one_of(const jinja_string *set, const char *character, size_t length) {
    for (size_t i = 0, n; i < set->n; i += n) {
        n = tfm_utf8_step(set->data + i, set->n - i);
        if (n == length && memcmp(set->data + i, character, n) == 0) return true;
    }
    return false;
}

static jinja_value strip_ends(jinja_context *c, jinja_value self, const jinja_arguments *a, bool left, bool right) {
    const jinja_string *string = self.string, *set = text_argument(c, a->bound[0], true);
    size_t start = 0, end = string->n;
    if (!tfm_jinja_charge_bytes(&c->state, string->n) || (set && !tfm_jinja_charge_bytes(&c->state, set->n * 16)))
        return JINJA_UNDEFINED_VALUE;
    if (!set) {
        if (left) start = tfm_leading_white_space(string->data, string->n);
        if (right) end = start + tfm_trimmed_length(string->data + start, string->n - start);
        return part(c, string, start, end);
    }
    while (left && start < end && tfm_jinja_charge(&c->state, 1)) {
        size_t n = tfm_utf8_step(string->data + start, end - start);
        if (!is_one_of(set, string->data + start, n)) break;
        start += n;
    }
    while (right && start < end && tfm_jinja_charge(&c->state, 1 + set->n / 16)) {
        uint32_t code;
        size_t at = start + tfm_utf8_last(string->data + start, end - start, &code);
        if (!is_one_of(set, string->data + at, end - at)) break;
        end = at;
    }
    return part(c, string, start, end);
}

JINJA_BUILTIN(strip, strip_ends(c, self, a, true, true))
JINJA_BUILTIN(lstrip, strip_ends(c, self, a, true, false))
JINJA_BUILTIN(rstrip, strip_ends(c, self, a, false, true))

static bool begins(const jinja_string *string, const jinja_string *with) {
    return string->n >= with->n && memcmp(string->data, with->data, with->n) == 0;
}

static bool ends(const jinja_string *string, const jinja_string *with) {
    return string->n >= with->n && memcmp(string->data + string->n - with->n, with->data, with->n) == 0;
}

static jinja_value has_end(jinja_context *c, jinja_value self, const jinja_arguments *a,
                           bool (*has)(const jinja_string *string, const jinja_string *with)) {
    if (jinja_given(a->bound[1]))
        tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "startswith and endswith of a part is not known");
    if (a->bound[0].type == JINJA_LIST && a->bound[0].list->kind == JINJA_KIND_TUPLE) {
        bool found = false;
        for (size_t i = 0; i < a->bound[0].list->n && !found && tfm_jinja_charge(&c->state, 1); i++) {
            const jinja_string *with = text_argument(c, a->bound[0].list->items[i], false);
            found = with && has(self.string, with);
        }
        return jinja_bool(found);
    }
    const jinja_string *with = text_argument(c, a->bound[0], false);
    return jinja_bool(with && has(self.string, with));
}

JINJA_BUILTIN(startswith, has_end(c, self, a, begins))
JINJA_BUILTIN(endswith, has_end(c, self, a, ends))

static jinja_value removeprefix(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_string *with = text_argument(c, a->bound[0], false);
    return with && begins(self.string, with) ? part(c, self.string, with->n, self.string->n) : self;
}

static jinja_value removesuffix(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_string *with = text_argument(c, a->bound[0], false);
    return with && ends(self.string, with) ? part(c, self.string, 0, self.string->n - with->n) : self;
}

/* ---- finding ---- */

/* The last place of what is not empty in [start, end), or NULL. */
static const char *find_last(const char *start, const char *end, const jinja_string *what) {
    if ((size_t)(end - start) < what->n) return NULL;
    for (const char *at = end - what->n;; at--) {
        if (memcmp(at, what->data, what->n) == 0) return at;
        if (at == start) return NULL;
    }
}

static size_t char_number(jinja_context *c, const jinja_string *string, size_t offset) {
    size_t number = 0;
    tfm_jinja_charge_bytes(&c->state, offset);
    for (size_t i = 0; i < offset; number++) i += tfm_utf8_step(string->data + i, string->n - i);
    return number;
}

static jinja_value find_in(jinja_context *c, jinja_value self, const jinja_arguments *a, bool from_end, bool must) {
    const jinja_string *string = self.string, *what = text_argument(c, a->bound[0], false);
    int64_t start = count_argument(c, a->bound[1], 0);
    if (!what ||
        !tfm_jinja_charge_bytes(&c->state, string->n + (from_end ? string->n * (what->n < 64 ? 16 : what->n) : 0)))
        return JINJA_UNDEFINED_VALUE;
    if (start < 0) start = start + (int64_t)string->n_chars < 0 ? 0 : start + (int64_t)string->n_chars;
    const char *from = string->data + tfm_jinja_char_offset(string, (size_t)start), *end = string->data + string->n,
               *hit;
    if ((uint64_t)start > string->n_chars)
        hit = NULL;
    else if (what->n == 0)
        hit = from_end ? end : from;
    else
        hit = from_end ? find_last(from, end, what) : memmem(from, (size_t)(end - from), what->data, what->n);
    if (!hit && must) tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "a string that index() looks for is not there");
    return jinja_int(hit ? (int64_t)char_number(c, string, (size_t)(hit - string->data)) : -1);
}

JINJA_BUILTIN(find, find_in(c, self, a, false, false))
JINJA_BUILTIN(rfind, find_in(c, self, a, true, false))
JINJA_BUILTIN(index_of, find_in(c, self, a, false, true))
JINJA_BUILTIN(rindex_of, find_in(c, self, a, true, true))

static jinja_value count(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_string *string = self.string, *what = text_argument(c, a->bound[0], false);
    int64_t n = 0;
    if (!what || !tfm_jinja_charge_bytes(&c->state, string->n)) return JINJA_UNDEFINED_VALUE;
    if (what->n == 0) return jinja_int((int64_t)string->n_chars + 1);
    const char *at = string->data, *end = string->data + string->n;
    while ((at = memmem(at, (size_t)(end - at), what->data, what->n))) {
        at += what->n;
        n++;
    }
    return jinja_int(n);
}

static jinja_value replace(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_string *string = self.string, *old = text_argument(c, a->bound[0], false),
                       *new = text_argument(c, a->bound[1], false);
    int64_t times = count_argument(c, a->bound[2], -1);
    jinja_buffer text = {0};
    if (!old || !new || !tfm_jinja_charge_bytes(&c->state, string->n)) return JINJA_UNDEFINED_VALUE;
    size_t at = 0;
    while (times != 0 && at <= string->n && c->state.status == TFM_OK) {
        const char *hit =
            old->n == 0 ? string->data + at : memmem(string->data + at, string->n - at, old->data, old->n);
        if (!hit) break;
        size_t place = (size_t)(hit - string->data);
        tfm_jinja_buffer_append(&c->state, &text, string->data + at, place - at);
        tfm_jinja_buffer_append(&c->state, &text, new->data, new->n);
        at = place + old->n;
        if (old->n == 0) {
            size_t n = at < string->n ? tfm_utf8_step(string->data + at, string->n - at) : 0;
            tfm_jinja_buffer_append(&c->state, &text, string->data + at, n);
            if (at++ == string->n) break;
            at += n - 1;
        }
        times -= times > 0;
    }
    if (at < string->n) tfm_jinja_buffer_append(&c->state, &text, string->data + at, string->n - at);
    return tfm_jinja_buffer_string(&c->state, &text);
}

/* ---- in parts ---- */

static void push_part(jinja_context *c, jinja_list *list, const jinja_string *string, size_t start, size_t end) {
    tfm_jinja_list_append(&c->state, list, part(c, string, start, end));
}

static void split_at_space(jinja_context *c, jinja_list *list, const jinja_string *string, int64_t times) {
    size_t at = tfm_leading_white_space(string->data, string->n);
    while (at < string->n && c->state.status == TFM_OK) {
        size_t end = at, length;
        if (times == 0) {
            push_part(c, list, string, at, string->n);
            return;
        }
        while (end < string->n &&
               !tfm_is_white_space(tfm_jinja_decode_char(string->data + end, string->n - end, &length)))
            end += length;
        push_part(c, list, string, at, end);
        at = end + tfm_leading_white_space(string->data + end, string->n - end);
        times -= times > 0;
    }
}

static jinja_value split(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_string *string = self.string, *by = text_argument(c, a->bound[0], true);
    int64_t times = count_argument(c, a->bound[1], -1);
    jinja_value list = tfm_jinja_new_list(&c->state, JINJA_KIND_LIST, 0);
    if (!tfm_jinja_charge_bytes(&c->state, string->n)) return JINJA_UNDEFINED_VALUE;
    if (!by) {
        split_at_space(c, list.list, string, times);
        return list;
    }
    if (by->n == 0) tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "split() by an empty string");
    size_t at = 0;
    const char *hit;
    while (c->state.status == TFM_OK && times != 0 &&
           (hit = memmem(string->data + at, string->n - at, by->data, by->n))) {
        push_part(c, list.list, string, at, (size_t)(hit - string->data));
        at = (size_t)(hit - string->data) + by->n;
        times -= times > 0;
    }
    if (c->state.status == TFM_OK) push_part(c, list.list, string, at, string->n);
    return list;
}

static jinja_value rsplit(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_string *string = self.string, *by = text_argument(c, a->bound[0], true);
    int64_t times = count_argument(c, a->bound[1], -1);
    if (times < 0 || c->state.status != TFM_OK) return split(c, self, a);
    jinja_value list = tfm_jinja_new_list(&c->state, JINJA_KIND_LIST, 0);
    if (!by || by->n == 0) {
        tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "rsplit() at white space with a number is not known");
        return list;
    }
    size_t end = string->n;
    const char *hit;
    while (times != 0 && tfm_jinja_charge(&c->state, string->n) &&
           (hit = find_last(string->data, string->data + end, by))) {
        size_t at = (size_t)(hit - string->data);
        push_part(c, list.list, string, at + by->n, end);
        end = at;
        times--;
    }
    if (c->state.status != TFM_OK) return list;
    push_part(c, list.list, string, 0, end);
    jinja_list *l = list.list;
    for (size_t i = 0; l->n > 0 && i < l->n / 2; i++) {
        jinja_value other = l->items[i];
        l->items[i] = l->items[l->n - 1 - i];
        l->items[l->n - 1 - i] = other;
    }
    return list;
}

static jinja_value splitlines(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_string *string = self.string;
    bool keep = jinja_given(a->bound[0]) && tfm_jinja_truth(a->bound[0]);
    jinja_value list = tfm_jinja_new_list(&c->state, JINJA_KIND_LIST, 0);
    for (size_t start = 0, at = 0, length; at < string->n && tfm_jinja_charge(&c->state, 1);) {
        uint32_t code = tfm_jinja_decode_char(string->data + at, string->n - at, &length);
        bool end = tfm_jinja_is_line_end(code);
        if (code == '\r' && at + 1 < string->n && string->data[at + 1] == '\n') length = 2;
        if (end || at + length == string->n) push_part(c, list.list, string, start, end && !keep ? at : at + length);
        at += length;
        if (end) start = at;
    }
    return list;
}

static jinja_value partition_at(jinja_context *c, const jinja_string *string, const jinja_string *by, const char *hit,
                                bool last) {
    jinja_value list = tfm_jinja_new_list(&c->state, JINJA_KIND_TUPLE, 3),
                empty = tfm_jinja_new_string(&c->state, "", 0);
    if (c->state.status != TFM_OK) return list;
    size_t at = hit ? (size_t)(hit - string->data) : 0;
    jinja_value whole = part(c, string, 0, string->n);
    tfm_jinja_list_append(&c->state, list.list, hit ? part(c, string, 0, at) : last ? empty : whole);
    tfm_jinja_list_append(&c->state, list.list, hit ? part(c, string, at, at + by->n) : empty);
    tfm_jinja_list_append(&c->state, list.list, hit ? part(c, string, at + by->n, string->n) : last ? whole : empty);
    return list;
}

static jinja_value partition_by(jinja_context *c, jinja_value self, const jinja_arguments *a, bool last) {
    const jinja_string *string = self.string, *by = text_argument(c, a->bound[0], false);
    if (by && by->n == 0) tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "partition() by an empty string");
    if (!by || !tfm_jinja_charge(&c->state, 1 + (last ? string->n : string->n / 16))) return JINJA_UNDEFINED_VALUE;
    const char *hit =
        last ? find_last(string->data, string->data + string->n, by) : memmem(string->data, string->n, by->data, by->n);
    return partition_at(c, string, by, hit, last);
}

JINJA_BUILTIN(partition, partition_by(c, self, a, false))
JINJA_BUILTIN(rpartition, partition_by(c, self, a, true))

/* ---- the other methods of strings ---- */

JINJA_BUILTIN(upper, tfm_jinja_change_case(c, self.string, JINJA_UPPER))
JINJA_BUILTIN(lower, tfm_jinja_change_case(c, self.string, JINJA_LOWER))
JINJA_BUILTIN(title, tfm_jinja_change_case(c, self.string, JINJA_TITLE))
JINJA_BUILTIN(capitalize, tfm_jinja_change_case(c, self.string, JINJA_CAPITALIZE))
JINJA_BUILTIN(swapcase, tfm_jinja_change_case(c, self.string, JINJA_SWAP))

JINJA_BUILTIN(is_upper, jinja_bool(tfm_jinja_has_case(c, self.string, true)))
JINJA_BUILTIN(is_lower, jinja_bool(tfm_jinja_has_case(c, self.string, false)))

/* Whether there are characters and all of them are letters or digits. */
static jinja_value all_are(jinja_context *c, const jinja_string *string, bool letters, bool digits) {
    bool all = string->n > 0;
    for (size_t i = 0, length; i < string->n && all && tfm_jinja_charge(&c->state, 1); i += length) {
        uint32_t code = tfm_jinja_decode_char(string->data + i, string->n - i, &length);
        bool digit = code >= '0' && code <= '9';
        all = digit ? digits : letters ? tfm_jinja_is_letter(c, code) != 0 : (tfm_jinja_is_letter(c, code), false);
    }
    return jinja_bool(all);
}

JINJA_BUILTIN(is_digit, all_are(c, self.string, false, true))
JINJA_BUILTIN(is_alpha, all_are(c, self.string, true, false))
JINJA_BUILTIN(is_alnum, all_are(c, self.string, true, true))

static jinja_value is_space(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    const jinja_string *string = self.string;
    tfm_jinja_charge_bytes(&c->state, string->n);
    return jinja_bool(string->n > 0 && tfm_leading_white_space(string->data, string->n) == string->n);
}

static jinja_value join(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_list *items = tfm_jinja_iterate(&c->state, a->bound[0]);
    for (size_t i = 0; i < items->n && tfm_jinja_charge(&c->state, 1); i++) text_argument(c, items->items[i], false);
    return tfm_jinja_join(c, self.string, items);
}

static jinja_value justify(jinja_context *c, const jinja_string *string, const jinja_arguments *a, int right_share) {
    const jinja_string *fill = text_argument(c, a->bound[1], true);
    int64_t width = count_argument(c, a->bound[0], 0), n = (int64_t)string->n_chars, pad = width > n ? width - n : 0;
    jinja_buffer text = {0};
    if (fill && fill->n_chars != 1)
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "a string is filled up with one character");
    int64_t left = right_share == 2 ? 0 : right_share == 0 ? pad : pad / 2 + (pad & width & 1);
    for (int64_t i = 0; i <= pad && c->state.status == TFM_OK; i++) {
        if (i == left) tfm_jinja_buffer_append(&c->state, &text, string->data, string->n);
        if (i < pad) tfm_jinja_buffer_append(&c->state, &text, fill ? fill->data : " ", fill ? fill->n : 1);
    }
    return tfm_jinja_buffer_string(&c->state, &text);
}

JINJA_BUILTIN(center, justify(c, self.string, a, 1))
JINJA_BUILTIN(ljust, justify(c, self.string, a, 2))
JINJA_BUILTIN(rjust, justify(c, self.string, a, 0))
JINJA_BUILTIN(format, tfm_jinja_format_braces(c, self.string, a))

/* Without run: Python has it, templates here cannot use it. */
static const jinja_builtin string_methods[] = {
    {.name = "capitalize", .parameters = "", .run = capitalize},
    {.name = "center", .parameters = "width fillchar", .required = 1, .run = center},
    {.name = "count", .parameters = "sub", .required = 1, .run = count},
    {.name = "endswith", .parameters = "suffix start end", .required = 1, .run = endswith},
    {.name = "find", .parameters = "sub start", .required = 1, .run = find},
    {.name = "format", .run = format},
    {.name = "index", .parameters = "sub start", .required = 1, .run = index_of},
    {.name = "isalnum", .parameters = "", .run = is_alnum},
    {.name = "isalpha", .parameters = "", .run = is_alpha},
    {.name = "isdigit", .parameters = "", .run = is_digit},
    {.name = "islower", .parameters = "", .run = is_lower},
    {.name = "isspace", .parameters = "", .run = is_space},
    {.name = "isupper", .parameters = "", .run = is_upper},
    {.name = "join", .parameters = "iterable", .required = 1, .run = join},
    {.name = "ljust", .parameters = "width fillchar", .required = 1, .run = ljust},
    {.name = "lower", .parameters = "", .run = lower},
    {.name = "lstrip", .parameters = "chars", .run = lstrip},
    {.name = "partition", .parameters = "sep", .required = 1, .run = partition},
    {.name = "removeprefix", .parameters = "prefix", .required = 1, .run = removeprefix},
    {.name = "removesuffix", .parameters = "suffix", .required = 1, .run = removesuffix},
    {.name = "replace", .parameters = "old new count", .required = 2, .run = replace},
    {.name = "rfind", .parameters = "sub start", .required = 1, .run = rfind},
    {.name = "rindex", .parameters = "sub start", .required = 1, .run = rindex_of},
    {.name = "rjust", .parameters = "width fillchar", .required = 1, .run = rjust},
    {.name = "rpartition", .parameters = "sep", .required = 1, .run = rpartition},
    {.name = "rsplit", .parameters = "sep maxsplit", .run = rsplit},
    {.name = "rstrip", .parameters = "chars", .run = rstrip},
    {.name = "split", .parameters = "sep maxsplit", .run = split},
    {.name = "splitlines", .parameters = "keepends", .run = splitlines},
    {.name = "startswith", .parameters = "prefix start end", .required = 1, .run = startswith},
    {.name = "strip", .parameters = "chars", .run = strip},
    {.name = "swapcase", .parameters = "", .run = swapcase},
    {.name = "title", .parameters = "", .run = title},
    {.name = "upper", .parameters = "", .run = upper},
    {.name = "casefold"},
    {.name = "encode"},
    {.name = "expandtabs"},
    {.name = "format_map"},
    {.name = "isascii"},
    {.name = "isdecimal"},
    {.name = "isidentifier"},
    {.name = "isnumeric"},
    {.name = "isprintable"},
    {.name = "istitle"},
    {.name = "maketrans"},
    {.name = "translate"},
    {.name = "zfill"},
};

const jinja_builtin *tfm_jinja_find_str_method(const jinja_string *name) {
    return tfm_jinja_find_builtin(string_methods, sizeof string_methods / sizeof *string_methods, name);
}
