/* methods.c - methods of strings, lists and dictionaries. */
#include <string.h>

#include "interpreter.h"

static bool given(jinja_value value) { return value.type != JINJA_MISSING; }

/* An argument that must be a string; what is none (or not given, where that is allowed) is NULL. */
static const jinja_string *text_argument(jinja_context *c, jinja_value value, bool optional) {
    if (value.type == JINJA_STRING) return value.string;
    if (!optional || (given(value) && value.type != JINJA_NONE)) {
        if (!tfm_jinja_refuse_undefined(c, value))
            tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "a method of strings needs a string, not %s",
                           tfm_jinja_type_name(value));
    }
    return NULL;
}

static int64_t count_argument(jinja_context *c, jinja_value value, int64_t fallback) {
    if (!given(value)) return fallback;
    if (value.type == JINJA_INT || value.type == JINJA_BOOL) return tfm_jinja_whole(value);
    tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "a method needs a whole number, not %s", tfm_jinja_type_name(value));
    return fallback;
}

/* A part of a string; markup stays markup. */
static jinja_value part(jinja_context *c, const jinja_string *s, size_t start, size_t end) {
    jinja_value text = tfm_jinja_text(&c->work, s->data + start, end - start);
    if (!s->markup || text.type != JINJA_STRING) return text;
    jinja_string *marked = tfm_jinja_take(&c->work, 1, sizeof *marked);
    if (!marked) return JINJA_UNDEFINED_VALUE;
    *marked = *text.string;
    marked->markup = true;
    return (jinja_value){.type = JINJA_STRING, .string = marked};
}

/* ---- what stands at the ends ---- */

static bool is_one_of(const jinja_string *set, const char *character, size_t length) {
    for (size_t i = 0, n; i < set->n; i += n) {
        n = tfm_jinja_step_char(set->data + i, set->n - i);
        if (n == length && memcmp(set->data + i, character, n) == 0) return true;
    }
    return false;
}

static jinja_value strip_ends(jinja_context *c, jinja_value self, const jinja_arguments *a, bool left, bool right) {
    const jinja_string *s = self.string, *set = text_argument(c, a->at[0], true);
    size_t start = 0, end = s->n;
    if (!tfm_jinja_step_bytes(&c->work, s->n) || (set && !tfm_jinja_step_bytes(&c->work, set->n * 16)))
        return JINJA_UNDEFINED_VALUE;
    if (!set) {
        if (left) start = tfm_jinja_leading_space(s->data, s->n);
        if (right) end = start + tfm_jinja_without_trailing_space(s->data + start, s->n - start);
        return part(c, s, start, end);
    }
    while (left && start < end && tfm_jinja_step(&c->work, 1)) {
        size_t n = tfm_jinja_step_char(s->data + start, end - start);
        if (!is_one_of(set, s->data + start, n)) break;
        start += n;
    }
    while (right && start < end && tfm_jinja_step(&c->work, 1 + set->n / 16)) {
        size_t at = end - 1;
        while (at > start && end - at < 4 && ((unsigned char)s->data[at] & 0xC0) == 0x80) at--;
        if (tfm_jinja_step_char(s->data + at, end - at) != end - at) at = end - 1;
        if (!is_one_of(set, s->data + at, end - at)) break;
        end = at;
    }
    return part(c, s, start, end);
}

static jinja_value strip(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    return strip_ends(c, self, a, true, true);
}

static jinja_value lstrip(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    return strip_ends(c, self, a, true, false);
}

static jinja_value rstrip(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    return strip_ends(c, self, a, false, true);
}

static bool begins(const jinja_string *s, const jinja_string *with) {
    return s->n >= with->n && memcmp(s->data, with->data, with->n) == 0;
}

static bool ends(const jinja_string *s, const jinja_string *with) {
    return s->n >= with->n && memcmp(s->data + s->n - with->n, with->data, with->n) == 0;
}

static jinja_value has_end(jinja_context *c, jinja_value self, const jinja_arguments *a,
                           bool (*has)(const jinja_string *s, const jinja_string *with)) {
    if (given(a->at[1]))
        tfm_jinja_fail(&c->work, TFM_ERROR_UNSUPPORTED, "startswith and endswith of a part is not known");
    if (a->at[0].type == JINJA_LIST && a->at[0].list->kind == JINJA_A_TUPLE) {
        bool found = false;
        for (size_t i = 0; i < a->at[0].list->n && !found && tfm_jinja_step(&c->work, 1); i++) {
            const jinja_string *with = text_argument(c, a->at[0].list->items[i], false);
            found = with && has(self.string, with);
        }
        return jinja_bool(found);
    }
    const jinja_string *with = text_argument(c, a->at[0], false);
    return jinja_bool(with && has(self.string, with));
}

static jinja_value startswith(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    return has_end(c, self, a, begins);
}

static jinja_value endswith(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    return has_end(c, self, a, ends);
}

static jinja_value removeprefix(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_string *with = text_argument(c, a->at[0], false);
    return with && begins(self.string, with) ? part(c, self.string, with->n, self.string->n) : self;
}

static jinja_value removesuffix(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_string *with = text_argument(c, a->at[0], false);
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

static size_t char_number(jinja_context *c, const jinja_string *s, size_t offset) {
    size_t number = 0;
    tfm_jinja_step_bytes(&c->work, offset);
    for (size_t i = 0; i < offset; number++) i += tfm_jinja_step_char(s->data + i, s->n - i);
    return number;
}

static jinja_value find_in(jinja_context *c, jinja_value self, const jinja_arguments *a, bool from_end, bool must) {
    const jinja_string *s = self.string, *what = text_argument(c, a->at[0], false);
    int64_t start = count_argument(c, a->at[1], 0);
    if (!what || !tfm_jinja_step_bytes(&c->work, s->n + (from_end ? s->n * (what->n < 64 ? 16 : what->n) : 0)))
        return JINJA_UNDEFINED_VALUE;
    if (start < 0) start = start + (int64_t)s->n_chars < 0 ? 0 : start + (int64_t)s->n_chars;
    const char *from = s->data + tfm_jinja_offset(s, (size_t)start), *end = s->data + s->n, *hit;
    if ((uint64_t)start > s->n_chars)
        hit = NULL;
    else if (what->n == 0)
        hit = from_end ? end : from;
    else
        hit = from_end ? find_last(from, end, what) : memmem(from, (size_t)(end - from), what->data, what->n);
    if (!hit && must) tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "a string that index() looks for is not there");
    return jinja_int(hit ? (int64_t)char_number(c, s, (size_t)(hit - s->data)) : -1);
}

static jinja_value find(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    return find_in(c, self, a, false, false);
}

static jinja_value rfind(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    return find_in(c, self, a, true, false);
}

static jinja_value index_of(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    return find_in(c, self, a, false, true);
}

static jinja_value rindex_of(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    return find_in(c, self, a, true, true);
}

static jinja_value count(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_string *s = self.string, *what = text_argument(c, a->at[0], false);
    int64_t n = 0;
    if (!what || !tfm_jinja_step_bytes(&c->work, s->n)) return JINJA_UNDEFINED_VALUE;
    if (what->n == 0) return jinja_int((int64_t)s->n_chars + 1);
    const char *at = s->data, *end = s->data + s->n;
    while ((at = memmem(at, (size_t)(end - at), what->data, what->n))) {
        at += what->n;
        n++;
    }
    return jinja_int(n);
}

static jinja_value replace(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_string *s = self.string, *old = text_argument(c, a->at[0], false),
                       *new = text_argument(c, a->at[1], false);
    int64_t times = count_argument(c, a->at[2], -1);
    jinja_buffer text = {0};
    if (!old || !new || !tfm_jinja_step_bytes(&c->work, s->n)) return JINJA_UNDEFINED_VALUE;
    size_t at = 0;
    while (times != 0 && at <= s->n && c->work.status == TFM_OK) {
        const char *hit = old->n == 0 ? s->data + at : memmem(s->data + at, s->n - at, old->data, old->n);
        if (!hit) break;
        size_t place = (size_t)(hit - s->data);
        tfm_jinja_put(&c->work, &text, s->data + at, place - at);
        tfm_jinja_put(&c->work, &text, new->data, new->n);
        at = place + old->n;
        if (old->n == 0) {
            size_t n = at < s->n ? tfm_jinja_step_char(s->data + at, s->n - at) : 0;
            tfm_jinja_put(&c->work, &text, s->data + at, n);
            if (at++ == s->n) break;
            at += n - 1;
        }
        times -= times > 0;
    }
    if (at < s->n) tfm_jinja_put(&c->work, &text, s->data + at, s->n - at);
    return tfm_jinja_buffer_text(&c->work, &text);
}

/* ---- in parts ---- */

static void push_part(jinja_context *c, jinja_list *list, const jinja_string *s, size_t start, size_t end) {
    tfm_jinja_push(&c->work, list, part(c, s, start, end));
}

static void split_at_space(jinja_context *c, jinja_list *list, const jinja_string *s, int64_t times) {
    size_t at = tfm_jinja_leading_space(s->data, s->n);
    while (at < s->n && c->work.status == TFM_OK) {
        size_t end = at, length;
        if (times == 0) {
            push_part(c, list, s, at, s->n);
            return;
        }
        while (end < s->n && !tfm_jinja_is_space(tfm_jinja_code(s->data + end, s->n - end, &length))) end += length;
        push_part(c, list, s, at, end);
        at = end + tfm_jinja_leading_space(s->data + end, s->n - end);
        times -= times > 0;
    }
}

static jinja_value split(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_string *s = self.string, *by = text_argument(c, a->at[0], true);
    int64_t times = count_argument(c, a->at[1], -1);
    jinja_value list = tfm_jinja_list(&c->work, JINJA_A_LIST, 0);
    if (!tfm_jinja_step_bytes(&c->work, s->n)) return JINJA_UNDEFINED_VALUE;
    if (!by) {
        split_at_space(c, list.list, s, times);
        return list;
    }
    if (by->n == 0) tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "split() by an empty string");
    size_t at = 0;
    const char *hit;
    while (c->work.status == TFM_OK && times != 0 && (hit = memmem(s->data + at, s->n - at, by->data, by->n))) {
        push_part(c, list.list, s, at, (size_t)(hit - s->data));
        at = (size_t)(hit - s->data) + by->n;
        times -= times > 0;
    }
    if (c->work.status == TFM_OK) push_part(c, list.list, s, at, s->n);
    return list;
}

static jinja_value rsplit(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_string *s = self.string, *by = text_argument(c, a->at[0], true);
    int64_t times = count_argument(c, a->at[1], -1);
    if (times < 0 || c->work.status != TFM_OK) return split(c, self, a);
    jinja_value list = tfm_jinja_list(&c->work, JINJA_A_LIST, 0);
    if (!by || by->n == 0)
        tfm_jinja_fail(&c->work, TFM_ERROR_UNSUPPORTED, "rsplit() at white space with a number is not known");
    size_t end = s->n;
    const char *hit;
    while (times != 0 && tfm_jinja_step(&c->work, s->n) && (hit = find_last(s->data, s->data + end, by))) {
        size_t at = (size_t)(hit - s->data);
        push_part(c, list.list, s, at + by->n, end);
        end = at;
        times--;
    }
    if (c->work.status != TFM_OK) return list;
    push_part(c, list.list, s, 0, end);
    jinja_list *l = list.list;
    for (size_t i = 0; l->n > 0 && i < l->n / 2; i++) {
        jinja_value other = l->items[i];
        l->items[i] = l->items[l->n - 1 - i];
        l->items[l->n - 1 - i] = other;
    }
    return list;
}

static jinja_value splitlines(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_string *s = self.string;
    bool keep = given(a->at[0]) && tfm_jinja_truth(a->at[0]);
    jinja_value list = tfm_jinja_list(&c->work, JINJA_A_LIST, 0);
    for (size_t start = 0, at = 0, length; at < s->n && tfm_jinja_step(&c->work, 1);) {
        uint32_t code = tfm_jinja_code(s->data + at, s->n - at, &length);
        bool end = tfm_jinja_ends_line(code);
        if (code == '\r' && at + 1 < s->n && s->data[at + 1] == '\n') length = 2;
        if (end || at + length == s->n) push_part(c, list.list, s, start, end && !keep ? at : at + length);
        at += length;
        if (end) start = at;
    }
    return list;
}

static jinja_value partition_at(jinja_context *c, const jinja_string *s, const jinja_string *by, const char *hit,
                                bool last) {
    jinja_value list = tfm_jinja_list(&c->work, JINJA_A_TUPLE, 3), empty = tfm_jinja_text(&c->work, "", 0);
    if (c->work.status != TFM_OK) return list;
    size_t at = hit ? (size_t)(hit - s->data) : 0;
    jinja_value whole = part(c, s, 0, s->n);
    tfm_jinja_push(&c->work, list.list, hit ? part(c, s, 0, at) : last ? empty : whole);
    tfm_jinja_push(&c->work, list.list, hit ? part(c, s, at, at + by->n) : empty);
    tfm_jinja_push(&c->work, list.list, hit ? part(c, s, at + by->n, s->n) : last ? whole : empty);
    return list;
}

static jinja_value partition_by(jinja_context *c, jinja_value self, const jinja_arguments *a, bool last) {
    const jinja_string *s = self.string, *by = text_argument(c, a->at[0], false);
    if (by && by->n == 0) tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "partition() by an empty string");
    if (!by || !tfm_jinja_step(&c->work, 1 + (last ? s->n : s->n / 16))) return JINJA_UNDEFINED_VALUE;
    const char *hit = last ? find_last(s->data, s->data + s->n, by) : memmem(s->data, s->n, by->data, by->n);
    return partition_at(c, s, by, hit, last);
}

static jinja_value partition(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    return partition_by(c, self, a, false);
}

static jinja_value rpartition(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    return partition_by(c, self, a, true);
}

/* ---- the other methods of strings ---- */

#define CASE_METHOD(name, how)                                                                                         \
    static jinja_value name(jinja_context *c, jinja_value self, const jinja_arguments *a) {                            \
        (void)a;                                                                                                       \
        return tfm_jinja_change_case(c, self.string, how);                                                             \
    }
CASE_METHOD(upper, JINJA_UPPER)
CASE_METHOD(lower, JINJA_LOWER)
CASE_METHOD(title, JINJA_TITLE)
CASE_METHOD(capitalize, JINJA_CAPITALIZE)
CASE_METHOD(swapcase, JINJA_SWAP)

static jinja_value is_upper(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    return jinja_bool(tfm_jinja_has_case(c, self.string, true));
}

static jinja_value is_lower(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    return jinja_bool(tfm_jinja_has_case(c, self.string, false));
}

/* Whether there are characters and all of them are letters or digits. */
static jinja_value all_are(jinja_context *c, const jinja_string *s, bool letters, bool digits) {
    bool all = s->n > 0;
    for (size_t i = 0, length; i < s->n && all && tfm_jinja_step(&c->work, 1); i += length) {
        uint32_t code = tfm_jinja_code(s->data + i, s->n - i, &length);
        bool digit = code >= '0' && code <= '9';
        all = digit ? digits : letters ? tfm_jinja_is_letter(c, code) != 0 : (tfm_jinja_is_letter(c, code), false);
    }
    return jinja_bool(all);
}

static jinja_value is_digit(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    return all_are(c, self.string, false, true);
}

static jinja_value is_alpha(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    return all_are(c, self.string, true, false);
}

static jinja_value is_alnum(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    return all_are(c, self.string, true, true);
}

static jinja_value is_space(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    const jinja_string *s = self.string;
    tfm_jinja_step_bytes(&c->work, s->n);
    return jinja_bool(s->n > 0 && tfm_jinja_leading_space(s->data, s->n) == s->n);
}

static jinja_value join(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_list *items = tfm_jinja_items(&c->work, a->at[0]);
    for (size_t i = 0; i < items->n && tfm_jinja_step(&c->work, 1); i++) text_argument(c, items->items[i], false);
    return tfm_jinja_join(c, self.string, items);
}

static jinja_value justify(jinja_context *c, const jinja_string *s, const jinja_arguments *a, int right_share) {
    const jinja_string *fill = text_argument(c, a->at[1], true);
    int64_t width = count_argument(c, a->at[0], 0), n = (int64_t)s->n_chars, pad = width > n ? width - n : 0;
    jinja_buffer text = {0};
    if (fill && fill->n_chars != 1)
        tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "a string is filled up with one character");
    int64_t left = right_share == 2 ? 0 : right_share == 0 ? pad : pad / 2 + (pad & width & 1);
    for (int64_t i = 0; i <= pad && c->work.status == TFM_OK; i++) {
        if (i == left) tfm_jinja_put(&c->work, &text, s->data, s->n);
        if (i < pad) tfm_jinja_put(&c->work, &text, fill ? fill->data : " ", fill ? fill->n : 1);
    }
    return tfm_jinja_buffer_text(&c->work, &text);
}

static jinja_value center(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    return justify(c, self.string, a, 1);
}
static jinja_value ljust(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    return justify(c, self.string, a, 2);
}
static jinja_value rjust(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    return justify(c, self.string, a, 0);
}

static jinja_value format(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    return tfm_jinja_format(c, self.string, a);
}

/* run NULL: Python has it, templates here cannot use it. */
static const jinja_builtin string_methods[] = {
    {"capitalize", "", 0, capitalize},
    {"center", "width fillchar", 1, center},
    {"count", "sub", 1, count},
    {"endswith", "suffix start end", 1, endswith},
    {"find", "sub start", 1, find},
    {"format", NULL, 0, format},
    {"index", "sub start", 1, index_of},
    {"isalnum", "", 0, is_alnum},
    {"isalpha", "", 0, is_alpha},
    {"isdigit", "", 0, is_digit},
    {"islower", "", 0, is_lower},
    {"isspace", "", 0, is_space},
    {"isupper", "", 0, is_upper},
    {"join", "iterable", 1, join},
    {"ljust", "width fillchar", 1, ljust},
    {"lower", "", 0, lower},
    {"lstrip", "chars", 0, lstrip},
    {"partition", "sep", 1, partition},
    {"removeprefix", "prefix", 1, removeprefix},
    {"removesuffix", "suffix", 1, removesuffix},
    {"replace", "old new count", 2, replace},
    {"rfind", "sub start", 1, rfind},
    {"rindex", "sub start", 1, rindex_of},
    {"rjust", "width fillchar", 1, rjust},
    {"rpartition", "sep", 1, rpartition},
    {"rsplit", "sep maxsplit", 0, rsplit},
    {"rstrip", "chars", 0, rstrip},
    {"split", "sep maxsplit", 0, split},
    {"splitlines", "keepends", 0, splitlines},
    {"startswith", "prefix start end", 1, startswith},
    {"strip", "chars", 0, strip},
    {"swapcase", "", 0, swapcase},
    {"title", "", 0, title},
    {"upper", "", 0, upper},
    {"casefold", NULL, 0, NULL},
    {"encode", NULL, 0, NULL},
    {"expandtabs", NULL, 0, NULL},
    {"format_map", NULL, 0, NULL},
    {"isascii", NULL, 0, NULL},
    {"isdecimal", NULL, 0, NULL},
    {"isidentifier", NULL, 0, NULL},
    {"isnumeric", NULL, 0, NULL},
    {"isprintable", NULL, 0, NULL},
    {"istitle", NULL, 0, NULL},
    {"maketrans", NULL, 0, NULL},
    {"translate", NULL, 0, NULL},
    {"zfill", NULL, 0, NULL},
};

/* ---- lists, dictionaries, loops ---- */

static jinja_value list_index(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    for (size_t i = 0; i < self.list->n && c->work.status == TFM_OK; i++) {
        if (tfm_jinja_equal(&c->work, self.list->items[i], a->at[0])) return jinja_int((int64_t)i);
    }
    tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "a value that index() looks for is not in the list");
    return JINJA_UNDEFINED_VALUE;
}

static jinja_value list_count(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    int64_t n = 0;
    for (size_t i = 0; i < self.list->n && c->work.status == TFM_OK; i++)
        n += tfm_jinja_equal(&c->work, self.list->items[i], a->at[0]);
    return jinja_int(n);
}

static const jinja_builtin list_methods[] = {{"count", "value", 1, list_count},
                                             {"index", "value", 1, list_index},
                                             {"append", NULL, 0, NULL},
                                             {"clear", NULL, 0, NULL},
                                             {"copy", NULL, 0, NULL},
                                             {"extend", NULL, 0, NULL},
                                             {"insert", NULL, 0, NULL},
                                             {"pop", NULL, 0, NULL},
                                             {"remove", NULL, 0, NULL},
                                             {"reverse", NULL, 0, NULL},
                                             {"sort", NULL, 0, NULL}};

static jinja_value get(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_value *found = tfm_jinja_get(&c->work, self.dict, a->at[0]);
    return found ? *found : given(a->at[1]) ? a->at[1] : JINJA_NONE_VALUE;
}

static jinja_value view(jinja_context *c, const jinja_dict *dict, jinja_list_kind kind) {
    jinja_value list = tfm_jinja_list(&c->work, kind, dict->n);
    for (size_t i = 0; i < dict->n && c->work.status == TFM_OK; i++) {
        const jinja_entry *e = &dict->entries[i];
        tfm_jinja_push(&c->work, list.list,
                       kind == JINJA_KEYS     ? e->key
                       : kind == JINJA_VALUES ? e->value
                                              : tfm_jinja_pair(&c->work, e->key, e->value));
    }
    return list;
}

static jinja_value keys(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    return view(c, self.dict, JINJA_KEYS);
}

static jinja_value values(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    return view(c, self.dict, JINJA_VALUES);
}

static jinja_value items(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    return view(c, self.dict, JINJA_ITEMS);
}

static const jinja_builtin dict_methods[] = {
    {"get", "key default", 1, get}, {"items", "", 0, items},  {"keys", "", 0, keys},
    {"values", "", 0, values},      {"clear", NULL, 0, NULL}, {"copy", NULL, 0, NULL},
    {"fromkeys", NULL, 0, NULL},    {"pop", NULL, 0, NULL},   {"popitem", NULL, 0, NULL},
    {"setdefault", NULL, 0, NULL},  {"update", NULL, 0, NULL}};

static jinja_value cycle(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    if (a->places->n == 0) tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "loop.cycle() needs values");
    return a->places->n > 0 ? a->places->items[(size_t)self.loop->index0 % a->places->n] : JINJA_UNDEFINED_VALUE;
}

static jinja_value changed(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    jinja_value now = tfm_jinja_list(&c->work, JINJA_A_TUPLE, a->places->n);
    for (size_t i = 0; i < a->places->n && c->work.status == TFM_OK; i++)
        tfm_jinja_push(&c->work, now.list, a->places->items[i]);
    if (c->work.status != TFM_OK) return now;
    bool same = self.loop->changed.type == JINJA_LIST && tfm_jinja_equal(&c->work, self.loop->changed, now);
    self.loop->changed = now;
    return jinja_bool(!same);
}

static const jinja_builtin loop_methods[] = {{"cycle", NULL, 0, cycle}, {"changed", NULL, 0, changed}};

static const jinja_builtin number_methods[] = {
    {"as_integer_ratio", NULL, 0, NULL}, {"bit_count", NULL, 0, NULL},   {"bit_length", NULL, 0, NULL},
    {"conjugate", NULL, 0, NULL},        {"denominator", NULL, 0, NULL}, {"from_bytes", NULL, 0, NULL},
    {"fromhex", NULL, 0, NULL},          {"hex", NULL, 0, NULL},         {"imag", NULL, 0, NULL},
    {"is_integer", NULL, 0, NULL},       {"numerator", NULL, 0, NULL},   {"real", NULL, 0, NULL},
    {"to_bytes", NULL, 0, NULL}};

bool tfm_jinja_find_method(jinja_value self, const jinja_string *name, const jinja_builtin **function) {
    const jinja_builtin *table = NULL;
    size_t n = 0;
    if (self.type == JINJA_STRING) {
        table = string_methods;
        n = sizeof string_methods / sizeof *table;
    } else if (self.type == JINJA_LIST && self.list->kind <= JINJA_A_RANGE) {
        table = list_methods;
        n = self.list->kind == JINJA_A_LIST ? sizeof list_methods / sizeof *table : 2;
    } else if (self.type == JINJA_DICT) {
        table = dict_methods;
        n = sizeof dict_methods / sizeof *table;
    } else if (self.type == JINJA_LOOP) {
        table = loop_methods;
        n = sizeof loop_methods / sizeof *table;
    } else if (tfm_jinja_is_number(self)) {
        table = number_methods;
        n = sizeof number_methods / sizeof *table;
    }
    const jinja_builtin *found = tfm_jinja_find_in(table, n, name);
    *function = found && found->run ? found : NULL;
    return found != NULL;
}
