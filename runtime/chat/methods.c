/* methods.c - methods of strings, lists and dictionaries. */
#include <string.h>

#include "interpreter.h"

static bool given(chat_value value) { return value.type != CHAT_MISSING; }

/* An argument that must be a string; what is none (or not given, where that is allowed) is NULL. */
static const chat_string *text_argument(chat_context *c, chat_value value, bool optional) {
    if (value.type == CHAT_STRING) return value.string;
    if (!optional || (given(value) && value.type != CHAT_NONE)) {
        if (!tfm_chat_refuse_undefined(c, value))
            tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "a method of strings needs a string, not %s",
                          tfm_chat_type_name(value));
    }
    return NULL;
}

static int64_t count_argument(chat_context *c, chat_value value, int64_t fallback) {
    if (!given(value)) return fallback;
    if (value.type == CHAT_INT || value.type == CHAT_BOOL) return tfm_chat_whole(value);
    tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "a method needs a whole number, not %s", tfm_chat_type_name(value));
    return fallback;
}

/* A part of a string; markup stays markup. */
static chat_value part(chat_context *c, const chat_string *s, size_t start, size_t end) {
    chat_value text = tfm_chat_text(&c->work, s->data + start, end - start);
    if (!s->markup || text.type != CHAT_STRING) return text;
    chat_string *marked = tfm_chat_take(&c->work, 1, sizeof *marked);
    if (marked == NULL) return CHAT_UNDEFINED_VALUE;
    *marked = *text.string;
    marked->markup = true;
    return (chat_value){.type = CHAT_STRING, .string = marked};
}

/* ---- what stands at the ends ----------------------------------------------------------------------------------- */

static bool is_one_of(const chat_string *set, const char *character, size_t length) {
    for (size_t i = 0, n; i < set->n; i += n) {
        n = tfm_chat_step_char(set->data + i, set->n - i);
        if (n == length && memcmp(set->data + i, character, n) == 0) return true;
    }
    return false;
}

static chat_value strip_ends(chat_context *c, chat_value self, const chat_arguments *a, bool left, bool right) {
    const chat_string *s = self.string, *set = text_argument(c, a->at[0], true);
    size_t start = 0, end = s->n;
    if (!tfm_chat_step_bytes(&c->work, s->n) || (set != NULL && !tfm_chat_step_bytes(&c->work, set->n * 16)))
        return CHAT_UNDEFINED_VALUE;
    if (set == NULL) {
        if (left) start = tfm_chat_leading_space(s->data, s->n);
        if (right) end = start + tfm_chat_without_trailing_space(s->data + start, s->n - start);
        return part(c, s, start, end);
    }
    while (left && start < end && tfm_chat_step(&c->work, 1)) {
        size_t n = tfm_chat_step_char(s->data + start, end - start);
        if (!is_one_of(set, s->data + start, n)) break;
        start += n;
    }
    while (right && start < end && tfm_chat_step(&c->work, 1 + set->n / 16)) {
        size_t at = end - 1;
        while (at > start && end - at < 4 && ((unsigned char)s->data[at] & 0xC0) == 0x80) at--;
        if (tfm_chat_step_char(s->data + at, end - at) != end - at) at = end - 1;
        if (!is_one_of(set, s->data + at, end - at)) break;
        end = at;
    }
    return part(c, s, start, end);
}

static chat_value strip(chat_context *c, chat_value self, const chat_arguments *a) {
    return strip_ends(c, self, a, true, true);
}

static chat_value lstrip(chat_context *c, chat_value self, const chat_arguments *a) {
    return strip_ends(c, self, a, true, false);
}

static chat_value rstrip(chat_context *c, chat_value self, const chat_arguments *a) {
    return strip_ends(c, self, a, false, true);
}

static bool begins(const chat_string *s, const chat_string *with) {
    return s->n >= with->n && memcmp(s->data, with->data, with->n) == 0;
}

static bool ends(const chat_string *s, const chat_string *with) {
    return s->n >= with->n && memcmp(s->data + s->n - with->n, with->data, with->n) == 0;
}

static chat_value has_end(chat_context *c, chat_value self, const chat_arguments *a,
                          bool (*has)(const chat_string *s, const chat_string *with)) {
    if (given(a->at[1]))
        tfm_chat_fail(&c->work, TFM_ERROR_UNSUPPORTED, "startswith and endswith of a part is not known");
    if (a->at[0].type == CHAT_LIST && a->at[0].list->kind == CHAT_A_TUPLE) {
        bool found = false;
        for (size_t i = 0; i < a->at[0].list->n && !found && tfm_chat_step(&c->work, 1); i++) {
            const chat_string *with = text_argument(c, a->at[0].list->items[i], false);
            found = with != NULL && has(self.string, with);
        }
        return chat_bool(found);
    }
    const chat_string *with = text_argument(c, a->at[0], false);
    return chat_bool(with != NULL && has(self.string, with));
}

static chat_value startswith(chat_context *c, chat_value self, const chat_arguments *a) {
    return has_end(c, self, a, begins);
}

static chat_value endswith(chat_context *c, chat_value self, const chat_arguments *a) {
    return has_end(c, self, a, ends);
}

static chat_value removeprefix(chat_context *c, chat_value self, const chat_arguments *a) {
    const chat_string *with = text_argument(c, a->at[0], false);
    return with != NULL && begins(self.string, with) ? part(c, self.string, with->n, self.string->n) : self;
}

static chat_value removesuffix(chat_context *c, chat_value self, const chat_arguments *a) {
    const chat_string *with = text_argument(c, a->at[0], false);
    return with != NULL && ends(self.string, with) ? part(c, self.string, 0, self.string->n - with->n) : self;
}

/* ---- finding --------------------------------------------------------------------------------------------------- */

/* The last place of what is not empty in [start, end), or NULL. */
static const char *find_last(const char *start, const char *end, const chat_string *what) {
    if ((size_t)(end - start) < what->n) return NULL;
    for (const char *at = end - what->n;; at--) {
        if (memcmp(at, what->data, what->n) == 0) return at;
        if (at == start) return NULL;
    }
}

static size_t char_number(chat_context *c, const chat_string *s, size_t offset) {
    size_t number = 0;
    tfm_chat_step_bytes(&c->work, offset);
    for (size_t i = 0; i < offset; number++) i += tfm_chat_step_char(s->data + i, s->n - i);
    return number;
}

static chat_value find_in(chat_context *c, chat_value self, const chat_arguments *a, bool from_end, bool must) {
    const chat_string *s = self.string, *what = text_argument(c, a->at[0], false);
    int64_t start = count_argument(c, a->at[1], 0);
    if (what == NULL || !tfm_chat_step_bytes(&c->work, s->n + (from_end ? s->n * (what->n < 64 ? 16 : what->n) : 0)))
        return CHAT_UNDEFINED_VALUE;
    if (start < 0) start = start + (int64_t)s->n_chars < 0 ? 0 : start + (int64_t)s->n_chars;
    const char *from = s->data + tfm_chat_offset(s, (size_t)start), *end = s->data + s->n, *hit;
    if ((uint64_t)start > s->n_chars)
        hit = NULL;
    else if (what->n == 0)
        hit = from_end ? end : from;
    else
        hit = from_end ? find_last(from, end, what) : memmem(from, (size_t)(end - from), what->data, what->n);
    if (hit == NULL && must)
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "a string that index() looks for is not there");
    return chat_int(hit != NULL ? (int64_t)char_number(c, s, (size_t)(hit - s->data)) : -1);
}

static chat_value find(chat_context *c, chat_value self, const chat_arguments *a) {
    return find_in(c, self, a, false, false);
}

static chat_value rfind(chat_context *c, chat_value self, const chat_arguments *a) {
    return find_in(c, self, a, true, false);
}

static chat_value index_of(chat_context *c, chat_value self, const chat_arguments *a) {
    return find_in(c, self, a, false, true);
}

static chat_value rindex_of(chat_context *c, chat_value self, const chat_arguments *a) {
    return find_in(c, self, a, true, true);
}

static chat_value count(chat_context *c, chat_value self, const chat_arguments *a) {
    const chat_string *s = self.string, *what = text_argument(c, a->at[0], false);
    int64_t n = 0;
    if (what == NULL || !tfm_chat_step_bytes(&c->work, s->n)) return CHAT_UNDEFINED_VALUE;
    if (what->n == 0) return chat_int((int64_t)s->n_chars + 1);
    const char *at = s->data, *end = s->data + s->n;
    while ((at = memmem(at, (size_t)(end - at), what->data, what->n)) != NULL) {
        at += what->n;
        n++;
    }
    return chat_int(n);
}

static chat_value replace(chat_context *c, chat_value self, const chat_arguments *a) {
    const chat_string *s = self.string, *old = text_argument(c, a->at[0], false),
                      *new = text_argument(c, a->at[1], false);
    int64_t times = count_argument(c, a->at[2], -1);
    chat_buffer text = {0};
    if (old == NULL || new == NULL || !tfm_chat_step_bytes(&c->work, s->n)) return CHAT_UNDEFINED_VALUE;
    size_t at = 0;
    while (times != 0 && at <= s->n && c->work.status == TFM_OK) {
        const char *hit = old->n == 0 ? s->data + at : memmem(s->data + at, s->n - at, old->data, old->n);
        if (hit == NULL) break;
        size_t place = (size_t)(hit - s->data);
        tfm_chat_put(&c->work, &text, s->data + at, place - at);
        tfm_chat_put(&c->work, &text, new->data, new->n);
        at = place + old->n;
        if (old->n == 0) {
            size_t n = at < s->n ? tfm_chat_step_char(s->data + at, s->n - at) : 0;
            tfm_chat_put(&c->work, &text, s->data + at, n);
            if (at++ == s->n) break;
            at += n - 1;
        }
        times -= times > 0;
    }
    if (at < s->n) tfm_chat_put(&c->work, &text, s->data + at, s->n - at);
    return tfm_chat_buffer_text(&c->work, &text);
}

/* ---- in parts -------------------------------------------------------------------------------------------------- */

static void push_part(chat_context *c, chat_list *list, const chat_string *s, size_t start, size_t end) {
    tfm_chat_push(&c->work, list, part(c, s, start, end));
}

static void split_at_space(chat_context *c, chat_list *list, const chat_string *s, int64_t times) {
    size_t at = tfm_chat_leading_space(s->data, s->n);
    while (at < s->n && c->work.status == TFM_OK) {
        size_t end = at, length;
        if (times == 0) {
            push_part(c, list, s, at, s->n);
            return;
        }
        while (end < s->n && !tfm_chat_is_space(tfm_chat_code(s->data + end, s->n - end, &length))) end += length;
        push_part(c, list, s, at, end);
        at = end + tfm_chat_leading_space(s->data + end, s->n - end);
        times -= times > 0;
    }
}

static chat_value split(chat_context *c, chat_value self, const chat_arguments *a) {
    const chat_string *s = self.string, *by = text_argument(c, a->at[0], true);
    int64_t times = count_argument(c, a->at[1], -1);
    chat_value list = tfm_chat_list(&c->work, CHAT_A_LIST, 0);
    if (!tfm_chat_step_bytes(&c->work, s->n)) return CHAT_UNDEFINED_VALUE;
    if (by == NULL) {
        split_at_space(c, list.list, s, times);
        return list;
    }
    if (by->n == 0) tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "split() by an empty string");
    size_t at = 0;
    const char *hit;
    while (c->work.status == TFM_OK && times != 0 && (hit = memmem(s->data + at, s->n - at, by->data, by->n)) != NULL) {
        push_part(c, list.list, s, at, (size_t)(hit - s->data));
        at = (size_t)(hit - s->data) + by->n;
        times -= times > 0;
    }
    if (c->work.status == TFM_OK) push_part(c, list.list, s, at, s->n);
    return list;
}

static chat_value rsplit(chat_context *c, chat_value self, const chat_arguments *a) {
    const chat_string *s = self.string, *by = text_argument(c, a->at[0], true);
    int64_t times = count_argument(c, a->at[1], -1);
    if (times < 0 || c->work.status != TFM_OK) return split(c, self, a);
    chat_value list = tfm_chat_list(&c->work, CHAT_A_LIST, 0);
    if (by == NULL || by->n == 0)
        tfm_chat_fail(&c->work, TFM_ERROR_UNSUPPORTED, "rsplit() at white space with a number is not known");
    size_t end = s->n;
    const char *hit;
    while (times != 0 && tfm_chat_step(&c->work, s->n) && (hit = find_last(s->data, s->data + end, by)) != NULL) {
        size_t at = (size_t)(hit - s->data);
        push_part(c, list.list, s, at + by->n, end);
        end = at;
        times--;
    }
    if (c->work.status != TFM_OK) return list;
    push_part(c, list.list, s, 0, end);
    chat_list *l = list.list;
    for (size_t i = 0; l->n > 0 && i < l->n / 2; i++) {
        chat_value other = l->items[i];
        l->items[i] = l->items[l->n - 1 - i];
        l->items[l->n - 1 - i] = other;
    }
    return list;
}

static chat_value splitlines(chat_context *c, chat_value self, const chat_arguments *a) {
    const chat_string *s = self.string;
    bool keep = given(a->at[0]) && tfm_chat_truth(a->at[0]);
    chat_value list = tfm_chat_list(&c->work, CHAT_A_LIST, 0);
    for (size_t start = 0, at = 0, length; at < s->n && tfm_chat_step(&c->work, 1);) {
        uint32_t code = tfm_chat_code(s->data + at, s->n - at, &length);
        bool end = tfm_chat_ends_line(code);
        if (code == '\r' && at + 1 < s->n && s->data[at + 1] == '\n') length = 2;
        if (end || at + length == s->n) push_part(c, list.list, s, start, end && !keep ? at : at + length);
        at += length;
        if (end) start = at;
    }
    return list;
}

static chat_value partition_at(chat_context *c, const chat_string *s, const chat_string *by, const char *hit,
                               bool last) {
    chat_value list = tfm_chat_list(&c->work, CHAT_A_TUPLE, 3), empty = tfm_chat_text(&c->work, "", 0);
    if (c->work.status != TFM_OK) return list;
    size_t at = hit != NULL ? (size_t)(hit - s->data) : 0;
    chat_value whole = part(c, s, 0, s->n);
    tfm_chat_push(&c->work, list.list, hit != NULL ? part(c, s, 0, at) : last ? empty : whole);
    tfm_chat_push(&c->work, list.list, hit != NULL ? part(c, s, at, at + by->n) : empty);
    tfm_chat_push(&c->work, list.list, hit != NULL ? part(c, s, at + by->n, s->n) : last ? whole : empty);
    return list;
}

static chat_value partition_by(chat_context *c, chat_value self, const chat_arguments *a, bool last) {
    const chat_string *s = self.string, *by = text_argument(c, a->at[0], false);
    if (by != NULL && by->n == 0) tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "partition() by an empty string");
    if (by == NULL || !tfm_chat_step(&c->work, 1 + (last ? s->n : s->n / 16))) return CHAT_UNDEFINED_VALUE;
    const char *hit = last ? find_last(s->data, s->data + s->n, by) : memmem(s->data, s->n, by->data, by->n);
    return partition_at(c, s, by, hit, last);
}

static chat_value partition(chat_context *c, chat_value self, const chat_arguments *a) {
    return partition_by(c, self, a, false);
}

static chat_value rpartition(chat_context *c, chat_value self, const chat_arguments *a) {
    return partition_by(c, self, a, true);
}

/* ---- the other methods of strings ------------------------------------------------------------------------------ */

#define CASE_METHOD(name, how)                                                                                         \
    static chat_value name(chat_context *c, chat_value self, const chat_arguments *a) {                                \
        (void)a;                                                                                                       \
        return tfm_chat_change_case(c, self.string, how);                                                              \
    }
CASE_METHOD(upper, CHAT_UPPER)
CASE_METHOD(lower, CHAT_LOWER)
CASE_METHOD(title, CHAT_TITLE)
CASE_METHOD(capitalize, CHAT_CAPITALIZE)
CASE_METHOD(swapcase, CHAT_SWAP)

static chat_value is_upper(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    return chat_bool(tfm_chat_has_case(c, self.string, true));
}

static chat_value is_lower(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    return chat_bool(tfm_chat_has_case(c, self.string, false));
}

/* Whether there are characters and all of them are letters or digits. */
static chat_value all_are(chat_context *c, const chat_string *s, bool letters, bool digits) {
    bool all = s->n > 0;
    for (size_t i = 0, length; i < s->n && all && tfm_chat_step(&c->work, 1); i += length) {
        uint32_t code = tfm_chat_code(s->data + i, s->n - i, &length);
        bool digit = code >= '0' && code <= '9';
        all = digit ? digits : letters ? tfm_chat_is_letter(c, code) != 0 : (tfm_chat_is_letter(c, code), false);
    }
    return chat_bool(all);
}

static chat_value is_digit(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    return all_are(c, self.string, false, true);
}

static chat_value is_alpha(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    return all_are(c, self.string, true, false);
}

static chat_value is_alnum(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    return all_are(c, self.string, true, true);
}

static chat_value is_space(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    const chat_string *s = self.string;
    tfm_chat_step_bytes(&c->work, s->n);
    return chat_bool(s->n > 0 && tfm_chat_leading_space(s->data, s->n) == s->n);
}

static chat_value join(chat_context *c, chat_value self, const chat_arguments *a) {
    const chat_list *items = tfm_chat_items(&c->work, a->at[0]);
    for (size_t i = 0; i < items->n && tfm_chat_step(&c->work, 1); i++) text_argument(c, items->items[i], false);
    return tfm_chat_join(c, self.string, items);
}

static chat_value justify(chat_context *c, const chat_string *s, const chat_arguments *a, int right_share) {
    const chat_string *fill = text_argument(c, a->at[1], true);
    int64_t width = count_argument(c, a->at[0], 0), n = (int64_t)s->n_chars, pad = width > n ? width - n : 0;
    chat_buffer text = {0};
    if (fill != NULL && fill->n_chars != 1)
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "a string is filled up with one character");
    int64_t left = right_share == 2 ? 0 : right_share == 0 ? pad : pad / 2 + (pad & width & 1);
    for (int64_t i = 0; i <= pad && c->work.status == TFM_OK; i++) {
        if (i == left) tfm_chat_put(&c->work, &text, s->data, s->n);
        if (i < pad) tfm_chat_put(&c->work, &text, fill != NULL ? fill->data : " ", fill != NULL ? fill->n : 1);
    }
    return tfm_chat_buffer_text(&c->work, &text);
}

static chat_value center(chat_context *c, chat_value self, const chat_arguments *a) {
    return justify(c, self.string, a, 1);
}
static chat_value ljust(chat_context *c, chat_value self, const chat_arguments *a) {
    return justify(c, self.string, a, 2);
}
static chat_value rjust(chat_context *c, chat_value self, const chat_arguments *a) {
    return justify(c, self.string, a, 0);
}

static chat_value format(chat_context *c, chat_value self, const chat_arguments *a) {
    return tfm_chat_format(c, self.string, a);
}

/* run NULL: Python has it, templates here cannot use it. */
static const chat_builtin string_methods[] = {
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

/* ---- lists, dictionaries, loops -------------------------------------------------------------------------------- */

static chat_value list_index(chat_context *c, chat_value self, const chat_arguments *a) {
    for (size_t i = 0; i < self.list->n && c->work.status == TFM_OK; i++) {
        if (tfm_chat_equal(&c->work, self.list->items[i], a->at[0])) return chat_int((int64_t)i);
    }
    tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "a value that index() looks for is not in the list");
    return CHAT_UNDEFINED_VALUE;
}

static chat_value list_count(chat_context *c, chat_value self, const chat_arguments *a) {
    int64_t n = 0;
    for (size_t i = 0; i < self.list->n && c->work.status == TFM_OK; i++)
        n += tfm_chat_equal(&c->work, self.list->items[i], a->at[0]);
    return chat_int(n);
}

static const chat_builtin list_methods[] = {{"count", "value", 1, list_count},
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

static chat_value get(chat_context *c, chat_value self, const chat_arguments *a) {
    const chat_value *found = tfm_chat_get(&c->work, self.dict, a->at[0]);
    return found != NULL ? *found : given(a->at[1]) ? a->at[1] : CHAT_NONE_VALUE;
}

static chat_value view(chat_context *c, const chat_dict *dict, chat_list_kind kind) {
    chat_value list = tfm_chat_list(&c->work, kind, dict->n);
    for (size_t i = 0; i < dict->n && c->work.status == TFM_OK; i++) {
        const chat_entry *e = &dict->entries[i];
        tfm_chat_push(&c->work, list.list,
                      kind == CHAT_KEYS     ? e->key
                      : kind == CHAT_VALUES ? e->value
                                            : tfm_chat_pair(&c->work, e->key, e->value));
    }
    return list;
}

static chat_value keys(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    return view(c, self.dict, CHAT_KEYS);
}

static chat_value values(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    return view(c, self.dict, CHAT_VALUES);
}

static chat_value items(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    return view(c, self.dict, CHAT_ITEMS);
}

static const chat_builtin dict_methods[] = {
    {"get", "key default", 1, get}, {"items", "", 0, items},  {"keys", "", 0, keys},
    {"values", "", 0, values},      {"clear", NULL, 0, NULL}, {"copy", NULL, 0, NULL},
    {"fromkeys", NULL, 0, NULL},    {"pop", NULL, 0, NULL},   {"popitem", NULL, 0, NULL},
    {"setdefault", NULL, 0, NULL},  {"update", NULL, 0, NULL}};

static chat_value cycle(chat_context *c, chat_value self, const chat_arguments *a) {
    if (a->places->n == 0) tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "loop.cycle() needs values");
    return a->places->n > 0 ? a->places->items[(size_t)self.loop->index0 % a->places->n] : CHAT_UNDEFINED_VALUE;
}

static chat_value changed(chat_context *c, chat_value self, const chat_arguments *a) {
    chat_value now = tfm_chat_list(&c->work, CHAT_A_TUPLE, a->places->n);
    for (size_t i = 0; i < a->places->n && c->work.status == TFM_OK; i++)
        tfm_chat_push(&c->work, now.list, a->places->items[i]);
    if (c->work.status != TFM_OK) return now;
    bool same = self.loop->changed.type == CHAT_LIST && tfm_chat_equal(&c->work, self.loop->changed, now);
    self.loop->changed = now;
    return chat_bool(!same);
}

static const chat_builtin loop_methods[] = {{"cycle", NULL, 0, cycle}, {"changed", NULL, 0, changed}};

static const chat_builtin number_methods[] = {
    {"as_integer_ratio", NULL, 0, NULL}, {"bit_count", NULL, 0, NULL},   {"bit_length", NULL, 0, NULL},
    {"conjugate", NULL, 0, NULL},        {"denominator", NULL, 0, NULL}, {"from_bytes", NULL, 0, NULL},
    {"fromhex", NULL, 0, NULL},          {"hex", NULL, 0, NULL},         {"imag", NULL, 0, NULL},
    {"is_integer", NULL, 0, NULL},       {"numerator", NULL, 0, NULL},   {"real", NULL, 0, NULL},
    {"to_bytes", NULL, 0, NULL}};

bool tfm_chat_find_method(chat_value self, const chat_string *name, const chat_builtin **function) {
    const chat_builtin *table = NULL;
    size_t n = 0;
    if (self.type == CHAT_STRING) {
        table = string_methods;
        n = sizeof string_methods / sizeof *table;
    } else if (self.type == CHAT_LIST && self.list->kind <= CHAT_A_RANGE) {
        table = list_methods;
        n = self.list->kind == CHAT_A_LIST ? sizeof list_methods / sizeof *table : 2;
    } else if (self.type == CHAT_DICT) {
        table = dict_methods;
        n = sizeof dict_methods / sizeof *table;
    } else if (self.type == CHAT_LOOP) {
        table = loop_methods;
        n = sizeof loop_methods / sizeof *table;
    } else if (tfm_chat_is_number(self)) {
        table = number_methods;
        n = sizeof number_methods / sizeof *table;
    }
    const chat_builtin *found = tfm_chat_find_in(table, n, name);
    *function = found != NULL && found->run != NULL ? found : NULL;
    return found != NULL;
}
