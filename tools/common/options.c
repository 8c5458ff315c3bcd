/* options.c - command-line options from one table: parsing, setting by name, help. */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bytes.h"
#include "runtime/tfm.h"

size_t tfm_options_count(const tfm_option_table *table) {
    size_t n = 0;
    for (; table; table = table->next) n += table->n;
    return n;
}

const tfm_option *tfm_options_at(const tfm_option_table *table, size_t i) {
    for (; table && i >= table->n; table = table->next) i -= table->n;
    return table ? &table->options[i] : NULL;
}

size_t tfm_options_index(const tfm_option_table *table, const tfm_option *option) {
    size_t i = 0;
    while (option < table->options || option >= table->options + table->n) {
        i += table->n;
        table = table->next;
    }
    return i + (size_t)(option - table->options);
}

static char dashed(char c) { return c == '_' ? '-' : c; }

static bool same_name(const char *a, const char *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!a[i] || dashed(a[i]) != dashed(b[i])) return false;
    return a[n] == 0;
}

static void skip_dashes(const char **name, size_t *n) {
    while (*n > 0 && dashed(**name) == '-') {
        (*name)++;
        (*n)--;
    }
}

const tfm_option *tfm_options_find(const tfm_option_table *table, const char *name, size_t n) {
    skip_dashes(&name, &n);
    const tfm_option *option;
    for (size_t i = 0; (option = tfm_options_at(table, i)); i++)
        if (option->kind != TFM_OPTION_GROUP && same_name(option->name, name, n)) return option;
    return NULL;
}

static bool same_letter(char a, char b) { return a == b || dashed(a) == b; }

size_t tfm_name_distance(const char *a, size_t na, const char *b, size_t nb) {
    enum { MOST = 40 };
    if (na > MOST || nb > MOST) return MOST;
    size_t rows[3][MOST + 1]; /* of the last letters of a, by turns */
    for (size_t j = 0; j <= nb; j++) rows[0][j] = j;
    for (size_t i = 1; i <= na; i++) {
        const size_t *above = rows[(i - 1) % 3], *over = rows[(i + 1) % 3];
        size_t *row = rows[i % 3];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            row[j] = above[j - 1] + !same_letter(a[i - 1], b[j - 1]);
            if (above[j] + 1 < row[j]) row[j] = above[j] + 1;
            if (row[j - 1] + 1 < row[j]) row[j] = row[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1]);
            if (swapped && over[j - 2] + 1 < row[j]) row[j] = over[j - 2] + 1;
        }
    }
    return rows[na % 3][nb];
}

static const tfm_foreign_option *find_foreign(const tfm_foreign_options *foreign, const char *name, size_t n) {
    skip_dashes(&name, &n);
    for (size_t i = 0; foreign && i < foreign->n; i++)
        if (same_name(foreign->options[i].name, name, n)) return &foreign->options[i];
    return NULL;
}

/* The one option that has the name among its words: beams of num-beams; NULL where there are none or several. */
static const char *only_with_word(const tfm_option_table *table, const char *name, size_t n) {
    const tfm_option *option;
    const char *found = NULL;
    for (size_t i = 0; n > 0 && (option = tfm_options_at(table, i)); i++) {
        bool has = false;
        if (option->kind == TFM_OPTION_GROUP) continue;
        for (const char *word = option->name; word; word = strchr(word, '-')) {
            word += *word == '-';
            has |= strncmp(word, name, n) == 0 && (word[n] == 0 || word[n] == '-');
        }
        if (has && found) return NULL;
        if (has) found = option->name;
    }
    return found;
}

const char *tfm_options_nearest(const tfm_option_table *table, const char *name, size_t n) {
    const tfm_foreign_option *foreign = find_foreign(table->foreign, name, n);
    if (foreign && foreign->ours) return foreign->ours;
    skip_dashes(&name, &n);
    const char *nearest = NULL;
    size_t least = n / 3 + 1; /* about one slip in three letters */
    const tfm_option *option;
    for (size_t i = 0; (option = tfm_options_at(table, i)); i++) {
        if (option->kind == TFM_OPTION_GROUP) continue;
        const char *other = option->name;
        size_t length = strlen(other);
        bool starts = n >= 4 && length > n && strncmp(other, name, n) == 0;
        size_t d = starts ? 1 : tfm_name_distance(name, n, other, length);
        if (d < least) {
            least = d;
            nearest = other;
        }
    }
    return nearest ? nearest : only_with_word(table, name, n);
}

/* ---- values ---- */

static tfm_status set_choice(const tfm_option *option, int *value, const char *what, const char *text,
                             tfm_error *error) {
    char list[200];
    size_t used = 0;
    for (int i = 0; option->choices[i]; i++) {
        if (strcasecmp(option->choices[i], text) == 0) {
            *value = i;
            return TFM_OK;
        }
        int n = snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", option->choices[i]);
        if (n > 0 && (size_t)n < sizeof list - used) used += (size_t)n;
    }
    return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: '%.80s' is none of: %s", what, text, list);
}

static bool value_optional(const tfm_option *option) {
    if (option->kind == TFM_OPTION_BOOL) return true;
    if (option->kind != TFM_OPTION_CHOICE) return false;
    for (int i = 0; option->choices[i]; i++)
        if (strcmp(option->choices[i], "true") == 0) return true;
    return false;
}

/* May text be the value of an option that can do without? Only what cannot be meant otherwise. */
static bool is_optional_value(const tfm_option *option, const char *text) {
    if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0) return true;
    for (int i = 0; option->kind == TFM_OPTION_CHOICE && option->choices[i]; i++)
        if (strcasecmp(option->choices[i], text) == 0) return true;
    return false;
}

tfm_status tfm_option_set(const tfm_option *option, void *settings, const char *what, const char *value,
                          tfm_error *error) {
    void *field = (char *)settings + option->offset;
    if (option->kind == TFM_OPTION_FLAG) {
        if (value) return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s takes no value", what);
        *(bool *)field = true;
        return TFM_OK;
    }
    if (!value && value_optional(option)) value = "true";
    if (!value) return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s needs a value", what);
    tfm_status status = TFM_OK;
    switch (option->kind) {
    case TFM_OPTION_BOOL: return tfm_parse_bool(what, value, field, error);
    case TFM_OPTION_U32: {
        uint64_t number = 0;
        status = tfm_parse_u64(what, value, (uint64_t)option->min, (uint64_t)option->max, &number, error);
        if (status == TFM_OK) *(uint32_t *)field = (uint32_t)number;
        return status;
    }
    case TFM_OPTION_DOUBLE: return tfm_parse_double(what, value, option->min, option->max, field, error);
    case TFM_OPTION_CHOICE: return set_choice(option, field, what, value, error);
    case TFM_OPTION_STRING: *(const char **)field = value; return TFM_OK;
    case TFM_OPTION_ID:
    case TFM_OPTION_CUSTOM: return option->parse(settings, option, what, value, error);
    case TFM_OPTION_GROUP:
    case TFM_OPTION_FLAG: break;
    }
    return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s cannot be set", what);
}

/* ---- the command line ---- */

static tfm_status unknown(const tfm_option_table *table, const char *word, size_t n, tfm_error *error) {
    const tfm_foreign_option *foreign = find_foreign(table->foreign, word, n);
    if (foreign && foreign->ours)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "unknown option %.*s, which is of %s: here it is --%s", (int)n, word,
                        foreign->program, foreign->ours);
    if (foreign)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "unknown option %.*s, which is of %s: %s", (int)n, word,
                        foreign->program, foreign->advice);
    const char *nearest = tfm_options_nearest(table, word, n);
    if (nearest)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "unknown option %.*s; did you mean --%s?", (int)(n > 80 ? 80 : n),
                        word, nearest);
    return tfm_fail(error, TFM_ERROR_ARGUMENT, "unknown option %.*s", (int)(n > 80 ? 80 : n), word);
}

static const tfm_option *find_letter(const tfm_option_table *table, char letter) {
    const tfm_option *option;
    for (size_t i = 0; (option = tfm_options_at(table, i)); i++)
        if (option->letter && option->letter == letter) return option;
    return NULL;
}

/*
 * Sets the flags that stand before the last letter of a word of letters, "-jqt4"; moves *word to the place before what
 * is left. Nothing is set of a word that is none: it may be an option of another program, "-ngl".
 */
static tfm_status parse_flags(const tfm_option_table *table, void *settings, bool *given, char **word,
                              tfm_error *error) {
    const tfm_option *option;
    size_t n = 1;
    for (; (option = find_letter(table, (*word)[n])) && option->kind == TFM_OPTION_FLAG && (*word)[n + 1]; n++)
        ;
    if (!option || n == 1) return TFM_OK;
    for (size_t i = 1; i < n; i++) {
        char what[3] = {'-', (*word)[i], 0};
        option = find_letter(table, (*word)[i]);
        tfm_status status = tfm_option_set(option, settings, what, NULL, error);
        if (status != TFM_OK) return status;
        if (given) given[tfm_options_index(table, option)] = true;
    }
    *word += n - 1;
    return TFM_OK;
}

/* Reads the option at argv[*i]; moves *i to the last word it used. */
static tfm_status parse_word(const tfm_option_table *table, void *settings, bool *given, int argc, char **argv, int *i,
                             tfm_error *error) {
    char *word = argv[*i];
    const tfm_option *option;
    const char *value = NULL;
    char what[128];
    if (word[1] == '-') {
        size_t n = strcspn(word, "=");
        option = tfm_options_find(table, word, n);
        if (!option) return unknown(table, word, n, error);
        if (word[n] == '=') value = word + n + 1;
        snprintf(what, sizeof what, "--%s", option->name);
    } else {
        bool foreign = word[2] && find_foreign(table->foreign, word, strlen(word)); /* one word: -ngl */
        if (foreign) return unknown(table, word, strlen(word), error);
        tfm_status status = parse_flags(table, settings, given, &word, error);
        if (status != TFM_OK) return status;
        option = find_letter(table, word[1]);
        if (!option || (word[2] && option->kind == TFM_OPTION_FLAG))
            return unknown(table, argv[*i], strlen(argv[*i]), error);
        if (word[2]) value = word + 2;
        snprintf(what, sizeof what, "-%c", word[1]);
    }
    if (!value && option->kind != TFM_OPTION_FLAG && *i + 1 < argc &&
        (!value_optional(option) || is_optional_value(option, argv[*i + 1])))
        value = argv[++*i];
    if (given) given[tfm_options_index(table, option)] = true;
    return tfm_option_set(option, settings, what, value, error);
}

tfm_status tfm_options_parse(const tfm_option_table *table, void *settings, bool *given, int argc, char **argv,
                             size_t *n_arguments, tfm_error *error) {
    size_t n = 0;
    bool options = true;
    for (int i = 1; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1]) {
            tfm_status status = parse_word(table, settings, given, argc, argv, &i, error);
            if (status != TFM_OK) return status;
        } else {
            argv[++n] = argv[i]; /* n is below i: nothing unread is lost */
        }
    }
    *n_arguments = n;
    return TFM_OK;
}

/* ---- help ---- */

enum { HELP_COLUMN = 30, NARROW = 60, NARROW_COLUMN = 8 };

/* Appends text wrapped at width, each further line indented. The first line starts at column. */
static bool wrap(tfm_text *out, const char *text, size_t column, size_t indent, size_t width) {
    bool ok = true;
    bool first = true;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (!first && column + 1 + word > width) {
            ok = ok && tfm_text_print(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            ok = ok && tfm_text_append(out, " ", 1);
            column++;
        }
        ok = ok && tfm_text_append(out, text, word);
        column += word;
        first = false;
        text += word;
        text += strspn(text, " ");
    }
    return ok && tfm_text_append(out, "\n", 1);
}

static bool help_option(tfm_text *out, const tfm_option *option, size_t width, bool dashes) {
    size_t start = out->size;
    bool ok = !dashes          ? tfm_text_print(out, "  %s", option->name)
              : option->letter ? tfm_text_print(out, "  -%c, --%s", option->letter, option->name)
                               : tfm_text_print(out, "      --%s", option->name);
    if (option->argument) {
        ok = ok && tfm_text_print(out, " %s", option->argument);
    } else if (option->kind == TFM_OPTION_BOOL) {
        ok = ok && tfm_text_print(out, " true|false");
    } else if (option->kind == TFM_OPTION_CHOICE) {
        for (int i = 0; option->choices[i]; i++)
            ok = ok && tfm_text_print(out, "%c%s", i ? '|' : ' ', option->choices[i]);
    }
    size_t column = out->size - start, help = width < NARROW ? NARROW_COLUMN : HELP_COLUMN;
    if (column + 2 > help) {
        ok = ok && tfm_text_append(out, "\n", 1);
        column = 0;
    }
    ok = ok && tfm_text_print(out, "%*s", (int)(help - column), "");
    return ok && wrap(out, option->help, help, help, width);
}

static char *help_text(const tfm_option_table *table, unsigned width, bool dashes) {
    if (width > 100) width = 100;
    if (width < 40) width = 40;
    tfm_text out = {0};
    bool ok = true;
    const tfm_option *option;
    for (size_t i = 0; ok && (option = tfm_options_at(table, i)); i++) {
        if (option->kind != TFM_OPTION_GROUP) {
            ok = help_option(&out, option, width, dashes);
            continue;
        }
        ok = tfm_text_print(&out, "%s%s:\n", i ? "\n" : "", option->name);
        if (ok && option->help) ok = tfm_text_append(&out, "  ", 2) && wrap(&out, option->help, 2, 2, width);
    }
    if (!ok || !tfm_text_append(&out, "", 0)) tfm_text_free(&out);
    return out.data;
}

char *tfm_options_help(const tfm_option_table *table, unsigned width) { return help_text(table, width, true); }
char *tfm_options_list(const tfm_option_table *table, unsigned width) { return help_text(table, width, false); }
