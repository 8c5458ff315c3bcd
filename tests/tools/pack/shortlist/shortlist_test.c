/* shortlist_test.c - shortlists of every format become the section of docs/model-contents.md, or are refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/tools/pack/checkpoints.h"
#include "tests/tools/pack/run_tfmpack.h"
#include "tools/pack/pack.h"

TestSuite(shortlist, .timeout = 120);

/* ---- a checkpoint with a vocabulary of words: "▁w0" ... and three special tokens ---- */

/* Ids 2 ... 31; 0 is </s>, 1 <unk>, 32 <pad>; the model has 37 rows, and its configuration pads with 3. */
#define WORDS 30
#define PAD (WORDS + 2)

static void put_varint(buffer *b, uint64_t n) {
    for (; n >= 0x80; n >>= 7) put_byte(b, (unsigned char)(n | 0x80));
    put_byte(b, (unsigned char)n);
}

/* A piece of a SentencePiece file: fields text, score, kind. */
static void put_piece(buffer *b, const char *text, float score, unsigned char kind) {
    buffer piece = {0};
    put_byte(&piece, 1 << 3 | 2);
    put_varint(&piece, strlen(text));
    put_text(&piece, text);
    put_byte(&piece, 2 << 3 | 5);
    put(&piece, &score, 4);
    put_byte(&piece, 3 << 3);
    put_byte(&piece, kind);
    put_byte(b, 1 << 3 | 2);
    put_varint(b, piece.n);
    put(b, piece.data, piece.n);
    buffer_free(&piece);
}

/* prefix: of the words of this side. */
static void write_spm(const char *path, const char *prefix) {
    buffer b = {0};
    char word[40];
    put_piece(&b, "<unk>", 0, 2);
    put_piece(&b, "</s>", 0, 3);
    for (int i = 0; i < WORDS; i++) {
        snprintf(word, sizeof word, "▁%s%d", prefix, i);
        put_piece(&b, word, -1.0f - (float)i, 1);
    }
    write_file(path, b.data, b.n);
    buffer_free(&b);
}

static void write_vocabulary(const char *path, const char *prefix) {
    json_t *map = json_object();
    char word[40];
    json_object_set_new(map, "</s>", json_integer(0));
    json_object_set_new(map, "<unk>", json_integer(1));
    for (int i = 0; i < WORDS; i++) {
        snprintf(word, sizeof word, "▁%s%d", prefix, i);
        json_object_set_new(map, word, json_integer(i + 2));
    }
    json_object_set_new(map, "<pad>", json_integer(PAD));
    char *text = json_dumps(map, 0);
    write_file(path, text, strlen(text));
    free(text);
    json_decref(map);
}

static char *folder;

/* Source words are "s0", "s1", ..., target words "t0", ...; with a shared vocabulary both are "s0", .... */
static void make_checkpoint(bool shared) {
    marian m = marian_default();
    folder = marian_folder(&m);
    write_config(folder, &m, NULL);
    write_spm(in(folder, "source.spm"), "s");
    write_spm(in(folder, "target.spm"), shared ? "s" : "t");
    write_vocabulary(in(folder, "vocab.json"), "s");
    if (shared) return;
    write_vocabulary(in(folder, "target_vocab.json"), "t");
    write_text_in(folder, "tokenizer_config.json", "{\"separate_vocabs\": true}");
}

static char notes[2000];

static void keep_note(void *user, const char *text) {
    (void)user;
    strncat(notes, text, sizeof notes - strlen(notes) - 1);
    strncat(notes, "\n", sizeof notes - strlen(notes) - 1);
}

static const tfm_shortlist_request defaults = {.best = TFM_SHORTLIST_BEST};

static tfm_status pack(const void *text, size_t n, tfm_shortlist_request how, tfm_error *error) {
    write_file(in(folder, "shortlist"), text, n);
    how.path = in(folder, "shortlist");
    tfm_pack_request request = {
        .source = folder, .out = in(folder, "m.bin"), .shortlist = how, .options = {.note = keep_note}};
    notes[0] = '\0';
    return tfm_pack(&request, error);
}

static tfm_file *pack_open(const char *text, tfm_shortlist_request how) {
    tfm_file *file;
    REQUIRE_OK(pack(text, strlen(text), how, error));
    REQUIRE_OK(tfm_file_open(&file, in(folder, "m.bin"), error));
    return file;
}

/* n numbers of the array `key` from `first` on, as text: "2 3 5". */
static const char *numbers(const tfm_table *table, const char *key, size_t first, size_t n) {
    static char text[400];
    const tfm_value *value = tfm_table_find(table, key);
    cr_assert(value && value->type == TFM_VALUE_U32S && first + n <= value->n, "%s", key);
    text[0] = '\0';
    for (size_t i = first, used = 0; i < first + n; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%u", used ? " " : "",
                                 ((const uint32_t *)value->data)[i]);
    return text;
}

static const char *always(const tfm_file *file) {
    const tfm_table *table = tfm_file_table(file, "shortlist");
    return numbers(table, "always", 0, tfm_table_find(table, "always")->n);
}

static const char *targets_of(const tfm_file *file, uint32_t source) {
    const tfm_table *table = tfm_file_table(file, "shortlist");
    const tfm_value *value = tfm_table_find(table, "offsets");
    cr_assert(value && value->type == TFM_VALUE_U32S && value->n == 37 + 1);
    const uint32_t *offsets = value->data;
    cr_assert(offsets[0] == 0 && offsets[37] == tfm_table_find(table, "targets")->n);
    return numbers(table, "targets", offsets[source], offsets[source + 1] - offsets[source]);
}

static void finish(tfm_file *file) {
    tfm_file_close(&file);
    scratch_remove(&folder);
}

/* ---- lexical tables ---- */

/* Lists hold the most probable targets, sorted by id; what is always allowed is not repeated in them. */
Test(shortlist, lexical) {
    make_checkpoint(false);
    tfm_shortlist_request how = {.best = 2, .first = 4, .has_first = true};
    tfm_file *file = pack_open("▁t9 ▁s5 0.1\n▁t7 ▁s5 0.5\n▁t8 ▁s5 0.4\n▁t1 ▁s6 0.9\nNULL ▁s5 0.7\n▁t4 NULL 1\n\n"
                               "▁t20\t▁s0  1e-3\r\n▁t11 ▁s0 .25",
                               how);
    cr_assert_str_eq(always(file), "0 1 2 3"); /* </s>, <unk>, the first four; 3 also pads */
    cr_assert_str_eq(targets_of(file, 7), "9 10");
    cr_assert_str_eq(targets_of(file, 8), ""); /* ▁t1 is id 3 */
    cr_assert_str_eq(targets_of(file, 2), "13 22");
    cr_assert_str_eq(targets_of(file, 36), "");
    cr_assert(strstr(notes, "a lexical table; 4 tokens are always allowed, and 2.0 more for each of 2 source tokens"),
              "%s", notes);
    finish(file);
}

Test(shortlist, lexical_defaults_threshold_and_repetition) {
    make_checkpoint(false);
    tfm_shortlist_request how = {.best = TFM_SHORTLIST_BEST, .first = 0, .has_first = true, .threshold = 0.2};
    /* Of equal probability the lower id comes first; a pair that is repeated counts once; 0.2 is not above 0.2. */
    const char *text = "▁t9 ▁s5 0.3\n▁t8 ▁s5 0.3\n▁t9 ▁s5 0.8\n▁t7 ▁s5 0.2\n▁t6 ▁s5 0\n";
    tfm_file *file = pack_open(text, how);
    cr_assert_str_eq(always(file), "0 1 3");
    cr_assert_str_eq(targets_of(file, 7), "10 11");
    tfm_file_close(&file);
    how.best = 1;
    file = pack_open(text, how);
    cr_assert_str_eq(targets_of(file, 7), "11");
    tfm_file_close(&file);
    file = pack_open(text, defaults); /* 100 ids are more than there are */
    cr_assert_str_eq(targets_of(file, 7), "");
    cr_assert_eq(tfm_table_find(tfm_file_table(file, "shortlist"), "always")->n, WORDS + 3);
    finish(file);
}

/* With one vocabulary for both sides a token may be copied. */
Test(shortlist, lexical_of_a_shared_vocabulary) {
    make_checkpoint(true);
    tfm_shortlist_request how = {.best = 1, .has_first = true};
    tfm_file *file = pack_open("▁s9 ▁s5 0.3\n▁s3 ▁s5 0.1\n▁s6 ▁s6 0.1\n", how);
    cr_assert_str_eq(targets_of(file, 7), "7 11");
    cr_assert_str_eq(targets_of(file, 8), "8");
    cr_assert_str_eq(targets_of(file, 20), "20");
    cr_assert_str_eq(targets_of(file, 0), "");  /* always allowed */
    cr_assert_str_eq(targets_of(file, 36), ""); /* a row of the model without a piece */
    finish(file);
}

Test(shortlist, unknown_pieces_are_counted) {
    make_checkpoint(false);
    tfm_file *file =
        pack_open("▁t9 ▁s5 0.3\n▁s9 ▁s5 0.3\n▁t9 nothing 0.3\n▁t9 ▁s 0.3\nt9 s5 0.1\n▁t300 ▁s1 1\n", defaults);
    cr_assert(strstr(notes, "3 times a source, 3 times a target"), "%s", notes);
    finish(file);
}

/* ---- maps ---- */

Test(shortlist, map) {
    make_checkpoint(false);
    tfm_file *file =
        pack_open("\t▁t3 ▁t4\n▁s5\t▁t9  ▁t7 ▁t8 ▁t7\n▁s5 ▁s6\t▁t20 ▁t21\n▁s6\t\n▁s7\t▁t3 ▁t10 what\n▁s5\t▁t1\n"
                  "who\t▁t1\n",
                  defaults);
    cr_assert_str_eq(always(file), "0 1 3 5 6");
    cr_assert_str_eq(targets_of(file, 7), "9 10 11");
    cr_assert_str_eq(targets_of(file, 8), "");
    cr_assert_str_eq(targets_of(file, 9), "12");
    cr_assert(strstr(notes, "a vocabulary map"), "%s", notes);
    cr_assert(strstr(notes, "1 times a source, 1 times a target"), "%s", notes);
    cr_assert(strstr(notes, "1 entries for several source tokens"), "%s", notes);
    tfm_file_close(&file);
    tfm_shortlist_request how = {.best = 1, .first = 3, .has_first = true, .threshold = 1}; /* best is for tables */
    file = pack_open(" ||| ▁t3\n▁s5 ||| ▁t9 ▁t8\n||| ▁t4\n", how);
    cr_assert_str_eq(always(file), "0 1 2 3 5 6");
    cr_assert_str_eq(targets_of(file, 7), "10 11");
    finish(file);
}

/* Three words with a tab are a map's line, even where the last is a number. */
Test(shortlist, map_that_looks_lexical) {
    make_checkpoint(false);
    tfm_file *file = pack_open("▁s5\t▁t9 0.5\n", defaults);
    cr_assert_str_eq(targets_of(file, 7), "11");
    cr_assert(strstr(notes, "a vocabulary map"), "%s", notes);
    finish(file);
}

/* ---- lists ---- */

Test(shortlist, list_of_pieces_or_ids) {
    make_checkpoint(false);
    tfm_file *file = pack_open("▁t5\n▁t1\n▁t5\n7\n", defaults); /* 7 is no piece, and pieces are what the list is of */
    cr_assert_str_eq(always(file), "0 1 3 7");
    cr_assert_str_eq(targets_of(file, 7), "");
    cr_assert(strstr(notes, "a list of tokens"), "%s", notes);
    cr_assert(strstr(notes, "0 times a source, 1 times a target"), "%s", notes);
    tfm_file_close(&file);
    file = pack_open("7\n\n31\n007\n", defaults);
    cr_assert_str_eq(always(file), "0 1 3 7 31");
    cr_assert(!strstr(notes, "left out"), "%s", notes);
    finish(file);
}

/* ---- what is refused ---- */

static void check_refused(const char *text, tfm_status status, const char *part) {
    REQUIRE_ERROR(status, pack(text, strlen(text), defaults, error), part);
    cr_assert_eq(access(in(folder, "m.bin"), F_OK), -1, "a file was written");
}

Test(shortlist, bad_lines) {
    make_checkpoint(false);
    check_refused("", TFM_ERROR_FORMAT, "is empty");
    check_refused("\n \n\t\n", TFM_ERROR_FORMAT, "is empty");
    check_refused("▁t1 ▁s1 0.5\n▁t1 ▁s1\n", TFM_ERROR_FORMAT, "line 2: '▁t1 ▁s1'");
    check_refused("▁t1 ▁s1 0.5\n\n▁t1 ▁s1 nan\n", TFM_ERROR_FORMAT, "line 3");
    check_refused("▁t1 ▁s1 0.5\n▁t1 ▁s1 inf\n", TFM_ERROR_FORMAT, "line 2");
    check_refused("▁t1 ▁s1 0.5\n▁t1 ▁s1 -1\n", TFM_ERROR_FORMAT, "line 2");
    check_refused("▁t1 ▁s1 0.5\n▁t1 ▁s1 1e99\n", TFM_ERROR_FORMAT, "line 2");
    check_refused("▁t1 ▁s1 0.5\n▁t1 ▁s1 0.5x\n", TFM_ERROR_FORMAT, "line 2");
    check_refused("▁t1 ▁s1 0.5\n▁t1 ▁s1 0.5 7\n", TFM_ERROR_FORMAT, "line 2");
    check_refused("▁t1 ▁s1 zero\n", TFM_ERROR_FORMAT, "begins no form");
    check_refused("▁t1 ▁s1\n", TFM_ERROR_FORMAT, "begins no form");
    check_refused("▁s1\t▁t1\n▁s1 ▁t1\n", TFM_ERROR_FORMAT, "line 2");
    check_refused("▁s1\t▁t1\n▁s1\t▁t1\t▁t2\n", TFM_ERROR_FORMAT, "line 2");
    check_refused("▁t1\n▁t1 ▁t2\n", TFM_ERROR_FORMAT, "line 2");
    check_refused("\x1f\x8b\x08 gz", TFM_ERROR_FORMAT, "compressed");
    check_refused("▁s9 ▁t5 0.5\n", TFM_ERROR_FORMAT, "none of its tokens"); /* the wrong way round */
    check_refused("1000\n", TFM_ERROR_FORMAT, "none of its tokens");
    check_refused("99999999999999999999999999\n", TFM_ERROR_FORMAT, "none of its tokens");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, pack("\0\0 \xff\n", 5, defaults, error), "begins no form");
    size_t n = ((size_t)16 << 20) + 10;
    char *line = malloc(n);
    cr_assert(line);
    memset(line, 'x', n);
    REQUIRE_ERROR(TFM_ERROR_LIMIT, pack(line, n, defaults, error), "line 1 is longer");
    free(line);
    scratch_remove(&folder);
}

/* Without pieces the file has ids, in every form. */
Test(shortlist, of_ids_for_a_model_without_a_tokenizer) {
    marian m = marian_default();
    folder = marian_folder(&m);
    tfm_shortlist_request how = {.best = 2, .first = 3, .has_first = true};
    tfm_file *file = pack_open("11 7 0.1\n9 7 0.5\n10 7 0.4\n12 8 1\n99 8 1\n12 99 1\nNULL 8 1\n", how);
    cr_assert_str_eq(always(file), "0 1 2 3"); /* </s>, the first three, and 3 also pads */
    cr_assert_str_eq(targets_of(file, 7), "7 9 10");
    cr_assert_str_eq(targets_of(file, 8), "8 12");
    cr_assert(strstr(notes, "1 times a source, 1 times a target"), "%s", notes);
    tfm_file_close(&file);
    file = pack_open("\t20 21\n7\t9 10\n8 9\t11\n36\t5\n", how);
    cr_assert_str_eq(always(file), "0 1 2 3 20 21");
    cr_assert_str_eq(targets_of(file, 7), "9 10");
    cr_assert_str_eq(targets_of(file, 36), "5");
    tfm_file_close(&file);
    file = pack_open("7\n36\n9\n", defaults);
    cr_assert_str_eq(always(file), "0 3 7 9 36");
    finish(file);
    folder = marian_folder(&m);
    static const char *const words[] = {"▁t9 7 0.5\n", "9 ▁s7 0.5\n", "▁s7\t9\n", "7\t9 ▁t9\n", "7\n▁t9\n", "-7\n"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        check_refused(words[i], TFM_ERROR_FORMAT,
                      "is no token id, and the model has no tokenizer in which to look it up");
    check_refused("99\n", TFM_ERROR_FORMAT, "none of its tokens is in the model's vocabulary");
    scratch_remove(&folder);
}

Test(shortlist, models_that_cannot_have_one) {
    make_checkpoint(true);
    tfm_pack_request request = {.source = folder, .out = in(folder, "m.bin"), .shortlist = defaults};
    request.shortlist.path = in(folder, "none");
    REQUIRE_ERROR(TFM_ERROR_IO, tfm_pack(&request, error), "none: cannot be opened");
    request.shortlist.path = folder;
    REQUIRE_ERROR(TFM_ERROR_IO, tfm_pack(&request, error), "is a folder, not a shortlist");
    scratch_remove(&folder);
}

/* Bytes of any kind are read or refused, never more. */
Test(shortlist, random_files) {
    static const char *const parts[] = {"▁s5",   "▁t9", " ",    "\t", "\n",   "0.5", "NULL",
                                        " ||| ", "7",   "\r\n", "\0", "\xff", "1e-5"};
    uint64_t state = 0x5EED5;
    size_t n_good = 0;
    make_checkpoint(false);
    for (int round = 0; round < 300; round++) {
        buffer b = {0};
        for (uint32_t i = 0, n = random_u32(&state) % 40; i < n; i++) {
            const char *part = parts[random_u32(&state) % (sizeof parts / sizeof *parts)];
            put(&b, part, *part ? strlen(part) : 1);
        }
        tfm_error error = {0};
        tfm_status status = pack(b.data ? (const char *)b.data : "", b.n, defaults, &error);
        cr_assert(status == TFM_OK || status == TFM_ERROR_FORMAT, "%s", error.message);
        n_good += status == TFM_OK;
        buffer_free(&b);
    }
    cr_assert(n_good > 3 && n_good < 290, "%zu", n_good);
    scratch_remove(&folder);
}

Test(shortlist, command, .init = enter_scratch, .fini = leave_scratch) {
    make_checkpoint(false);
    const char *out = in(folder, "m.bin"), *list = in(folder, "lex.s2t");
    write_text_in(folder, "lex.s2t", "▁t9 ▁s5 0.3\n▁t9 ▁s6 0.3\n▁t20 ▁s6 0.4\n");
    outcome o = RUN_TFMPACK("--shortlist", list, "--shortlist-first=3", "--shortlist-best", "1",
                            "--shortlist-threshold", "0.1", folder, out);
    cr_assert_eq(o.code, 0, "%s", o.err);
    cr_assert(strstr(o.err, "a lexical table; 4 tokens are always allowed, and 1.0 more for each of 2"), "%s", o.err);
    free_outcome(&o);
    o = RUN_TFMPACK("--inspect", "--json", out);
    cr_assert(strstr(o.out, "--shortlist lex.s2t --shortlist-best 1 --shortlist-threshold 0.1 --shortlist-first 3"),
              "%s", o.out);
    free_outcome(&o);
    o = RUN_TFMPACK("--inspect", "--verbose", out);
    cr_assert(strstr(o.out, "\nshortlist ("), "%s", o.out);
    size_t n;
    char *data = read_file(out, &n);
    cr_assert_null(memmem(data, n, folder, strlen(folder)), "the path got into the file");
    free(data);
    free_outcome(&o);
    o = RUN_TFMPACK("--json", "--shortlist", list, folder, out);
    cr_assert(strstr(o.out, "\"shortlist\":true"), "%s", o.out);
    free_outcome(&o);
    o = RUN_TFMPACK("--inspect", "--shortlist", list, out);
    cr_assert_eq(o.code, 2, "%s", o.err);
    free_outcome(&o);
    scratch_remove(&folder);
}
