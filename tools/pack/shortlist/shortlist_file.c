/*
 * shortlist_file.c - reading shortlists: Marian's lexical tables, CTranslate2's vocabulary maps, lists of tokens.
 *
 * Which of the three a file is shows its first line that is not empty; all others must be of the same format.
 */
#include "shortlist_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/grow.h"
#include "format/regular_file.h"
#include "tools/common/bytes.h"

#define LINE_MAX_BYTES ((size_t)16 << 20)
#define NUMBER_MAX_BYTES 63
#define LINES_BETWEEN_STOPS 65536

/* Part of a line. */
typedef struct span {
    const char *text;
    size_t n;
} span;

typedef struct reading {
    tfm_shortlist_file *file;
    const char *path;
    uint64_t line;
    /* Of a list: its lines taken as numbers, as long as all of them are numbers of target tokens. */
    uint32_t *numbers;
    size_t n_numbers, number_capacity;
    bool all_numbers;
    tfm_error *error;
} reading;

/* ---- growing arrays ---- */

static bool add_id(uint32_t **list, size_t *n, size_t *capacity, uint32_t id) {
    if (!tfm_grow(list, capacity, *n, 1, sizeof id)) return false;
    (*list)[(*n)++] = id;
    return true;
}

bool tfm_shortlist_file_always(tfm_shortlist_file *file, uint32_t target) {
    return add_id(&file->always, &file->n_always, &file->always_capacity, target);
}

static bool add_entry(tfm_shortlist_file *file, uint32_t source, uint32_t target, float probability) {
    if (!tfm_grow(&file->entries, &file->entry_capacity, file->n_entries, 1, sizeof *file->entries)) return false;
    file->entries[file->n_entries++] = (tfm_shortlist_entry){source, target, probability};
    return true;
}

void tfm_shortlist_file_free(tfm_shortlist_file *file) {
    free(file->entries);
    free(file->always);
    file->entries = NULL;
    file->always = NULL;
}

static tfm_status bad_line(const reading *r, const char *wanted, span line) {
    return tfm_fail(r->error, TFM_ERROR_FORMAT,
                    "%s: line %llu: '%.*s' is not of the form '%s', which the first line has", r->path,
                    (unsigned long long)r->line, line.n < 80 ? (int)line.n : 80, line.text, wanted);
}

/* ---- parts of a line ---- */

static bool is_space(char c) { return c == ' ' || c == '\t'; }

/* The next word of the rest of a line; false at its end. */
static bool next_word(span *rest, span *word) {
    while (rest->n > 0 && is_space(*rest->text)) rest->text++, rest->n--;
    word->text = rest->text;
    while (rest->n > 0 && !is_space(*rest->text)) rest->text++, rest->n--;
    word->n = (size_t)(rest->text - word->text);
    return word->n > 0;
}

/* The words of a line, at most three; returns how many there are, four for more. */
static size_t words_of(span line, span *words) {
    size_t n = 0;
    span word;
    while (n < 4 && next_word(&line, &word)) {
        if (n < 3) words[n] = word;
        n++;
    }
    return n;
}

static bool parse_probability(span word, float *probability) {
    char text[NUMBER_MAX_BYTES + 1], *end;
    if (word.n == 0 || word.n > NUMBER_MAX_BYTES) return false;
    memcpy(text, word.text, word.n);
    text[word.n] = '\0';
    if (!strchr("0123456789.", text[0])) return false; /* strtof would take "nan", "inf" and signs */
    *probability = strtof(text, &end);
    return *end == '\0' && end != text && isfinite(*probability);
}

static bool parse_number(span word, uint32_t limit, uint32_t *number) {
    uint64_t value = 0;
    for (size_t i = 0; i < word.n; i++) {
        if (word.text[i] < '0' || word.text[i] > '9' || value >= limit) return false;
        value = value * 10 + (uint64_t)(word.text[i] - '0');
    }
    *number = (uint32_t)value;
    return word.n > 0 && value < limit;
}

static bool is_number(span word) {
    for (size_t i = 0; i < word.n; i++)
        if (word.text[i] < '0' || word.text[i] > '9') return false;
    return word.n > 0;
}

/* The id of a word of the file, if the vocabulary has it: a piece, or an id where there are no pieces. */
static tfm_status look_up(const reading *r, const tfm_shortlist_pieces *pieces, span word, uint32_t *id, bool *known) {
    *known = pieces->tokenizer ? tfm_shortlist_pieces_find(pieces, word.text, word.n, id)
                               : parse_number(word, pieces->n, id);
    if (pieces->tokenizer || is_number(word)) return TFM_OK;
    return tfm_fail(r->error, TFM_ERROR_FORMAT,
                    "%s: line %llu: '%.*s' is no token id, and the model has no tokenizer in which to look it up: a "
                    "shortlist for it has ids alone",
                    r->path, (unsigned long long)r->line, word.n < 80 ? (int)word.n : 80, word.text);
}

/* Cuts a line at its tab, or at " ||| " if it has no tab; false if it has neither or several tabs. */
static bool cut(span line, span *left, span *right) {
    static const char bars[] = " ||| ", bars_first[] = "||| ";
    const char *tab = memchr(line.text, '\t', line.n), *at = tab;
    size_t skip = 1;
    if (tab && memchr(tab + 1, '\t', line.n - (size_t)(tab + 1 - line.text))) return false;
    if (!at && line.n >= strlen(bars_first) && memcmp(line.text, bars_first, strlen(bars_first)) == 0) {
        at = line.text;
        skip = strlen(bars_first);
    } else if (!at) {
        at = memmem(line.text, line.n, bars, strlen(bars));
        skip = strlen(bars);
    }
    if (!at) return false;
    *left = (span){line.text, (size_t)(at - line.text)};
    *right = (span){at + skip, line.n - left->n - skip};
    return true;
}

/* ---- formats ---- */

/* Three words of which the last is a number; such a line with one tab could be both, and is a map's. */
static bool looks_lexical(span line) {
    span words[3], left, right;
    float probability;
    return words_of(line, words) == 3 && parse_probability(words[2], &probability) && !cut(line, &left, &right);
}

static tfm_status find_format(reading *r, span line) {
    span left, right, words[3];
    if (line.n >= 2 && memcmp(line.text, "\x1f\x8b", 2) == 0)
        return tfm_fail(r->error, TFM_ERROR_FORMAT, "%s: is compressed; unpack it first (gunzip)", r->path);
    if (looks_lexical(line))
        r->file->format = TFM_SHORTLIST_LEXICAL;
    else if (cut(line, &left, &right))
        r->file->format = TFM_SHORTLIST_MAP;
    else if (words_of(line, words) == 1)
        r->file->format = TFM_SHORTLIST_LIST;
    else
        return tfm_fail(r->error, TFM_ERROR_FORMAT,
                        "%s: line %llu: '%.*s' begins no form of shortlist: 'target source probability', 'source, tab, "
                        "targets', or one target a line",
                        r->path, (unsigned long long)r->line, line.n < 80 ? (int)line.n : 80, line.text);
    return TFM_OK;
}

static bool is_null(span word) { return word.n == 4 && memcmp(word.text, "NULL", 4) == 0; }

static tfm_status take_lexical(reading *r, span line) {
    tfm_shortlist_file *f = r->file;
    span words[3];
    float probability;
    uint32_t source, target;
    if (words_of(line, words) != 3 || !parse_probability(words[2], &probability))
        return bad_line(r, "target source probability", line);
    if (is_null(words[0]) || is_null(words[1])) return TFM_OK; /* what an aligner left without a partner */
    bool has_target, has_source;
    tfm_status status = look_up(r, f->target, words[0], &target, &has_target);
    if (status == TFM_OK) status = look_up(r, f->source, words[1], &source, &has_source);
    if (status != TFM_OK) return status;
    f->n_unknown_targets += !has_target;
    f->n_unknown_sources += !has_source;
    if (!has_target || !has_source) return TFM_OK;
    return add_entry(f, source, target, probability)
               ? TFM_OK
               : tfm_no_memory(r->error, "%s: its %llu lines and what follows", r->path, (unsigned long long)r->line);
}

static tfm_status take_map(reading *r, span line) {
    tfm_shortlist_file *f = r->file;
    span left, rest, word;
    uint32_t source = 0, target;
    if (!cut(line, &left, &rest)) return bad_line(r, "source, tab, targets", line);
    bool always = left.n == 0;
    if (memchr(left.text, ' ', left.n)) {
        f->n_long_ngrams++;
        return TFM_OK;
    }
    bool known = true;
    tfm_status status = always ? TFM_OK : look_up(r, f->source, left, &source, &known);
    if (status != TFM_OK || !known) {
        f->n_unknown_sources += status == TFM_OK;
        return status;
    }
    while (next_word(&rest, &word)) {
        status = look_up(r, f->target, word, &target, &known);
        if (status != TFM_OK) return status;
        if (!known)
            f->n_unknown_targets++;
        else if (!(always ? tfm_shortlist_file_always(f, target) : add_entry(f, source, target, 1.0f)))
            return tfm_no_memory(r->error, "%s: its %llu lines and what follows", r->path, (unsigned long long)r->line);
    }
    return TFM_OK;
}

/* A list of numbers alone is one of ids; until that is known each line is kept as both. */
static tfm_status take_list(reading *r, span line) {
    tfm_shortlist_file *f = r->file;
    span words[3];
    uint32_t target, number;
    if (words_of(line, words) != 1) return bad_line(r, "one target a line", line);
    r->all_numbers = r->all_numbers && parse_number(words[0], f->target->n, &number);
    if (r->all_numbers && !add_id(&r->numbers, &r->n_numbers, &r->number_capacity, number))
        return tfm_no_memory(r->error, "%s: its %llu lines and what follows", r->path, (unsigned long long)r->line);
    bool known;
    tfm_status status = look_up(r, f->target, words[0], &target, &known);
    if (status != TFM_OK) return status;
    if (!known)
        f->n_unknown_targets++;
    else if (!tfm_shortlist_file_always(f, target))
        return tfm_no_memory(r->error, "%s: its %llu lines and what follows", r->path, (unsigned long long)r->line);
    return TFM_OK;
}

static void end_list(reading *r) {
    tfm_shortlist_file *f = r->file;
    if (f->format != TFM_SHORTLIST_LIST || !r->all_numbers || r->n_numbers == 0) return;
    free(f->always);
    f->always = r->numbers;
    f->n_always = r->n_numbers;
    f->always_capacity = r->number_capacity;
    f->n_unknown_targets = 0;
    r->numbers = NULL;
}

/* ---- the file ---- */

static tfm_status take_line(reading *r, span line, bool *begun) {
    static tfm_status (*const take[])(reading * r, span line) = {take_lexical, take_map, take_list};
    span rest = line, word;
    if (!next_word(&rest, &word)) return TFM_OK;
    if (!*begun) {
        tfm_status status = find_format(r, line);
        if (status != TFM_OK) return status;
        *begun = true;
    }
    return take[r->file->format](r, line);
}

static tfm_status read_lines(reading *r, int fd, bool (*stop)(void *user), void *user) {
    tfm_lines lines;
    tfm_line found;
    span line;
    bool begun = false;
    tfm_status status = TFM_OK;
    tfm_lines_open(&lines, fd, LINE_MAX_BYTES);
    while (status == TFM_OK && (found = tfm_lines_next(&lines, -1, &line.text, &line.n)) != TFM_LINE_END) {
        r->line = lines.number;
        if (found == TFM_LINE_TOO_LONG)
            status = tfm_fail(r->error, TFM_ERROR_LIMIT, "%s: line %llu is longer than %zu bytes", r->path,
                              (unsigned long long)r->line, LINE_MAX_BYTES);
        else if (found == TFM_LINE_FAILED)
            status = tfm_fail(r->error, TFM_ERROR_IO, "%s: cannot be read: %s", r->path, strerror(errno));
        else
            status = take_line(r, line, &begun);
        if (status == TFM_OK && r->line % LINES_BETWEEN_STOPS == 0 && stop(user))
            status = tfm_fail(r->error, TFM_ERROR_CANCELLED, "interrupted");
    }
    tfm_lines_close(&lines);
    if (status == TFM_OK && !begun)
        status = tfm_fail(r->error, TFM_ERROR_FORMAT, "%s: holds no shortlist: it is empty", r->path);
    return status;
}

tfm_status tfm_shortlist_file_read(tfm_shortlist_file *file, const char *path, bool (*stop)(void *user), void *user,
                                   tfm_error *error) {
    reading r = {.file = file, .path = path, .all_numbers = true, .error = error};
    int fd;
    tfm_status status = tfm_open_regular(path, "a shortlist", &fd, NULL, error);
    if (status != TFM_OK) return status;
    status = read_lines(&r, fd, stop, user);
    close(fd);
    if (status == TFM_OK) end_list(&r);
    free(r.numbers);
    return status;
}
