/* tokenizer_hostile_test.c - damaged and malicious tokenizer files are refused or harmless; run it under a sanitizer.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/thorough.h"
#include "tiny_json.h"
#include "tiny_spm.h"
#include "tokenizer_fuzz.h"
#include "tokenizers.h"

TestSuite(hostile, .fini = remove_scratch, .timeout = 600);

static const tiny_rule rules[] = {{"A", "a"}, {"A\xCC\x88", "\xC3\xA4"}, {"\t", " "}, {NULL, NULL}};
static const tiny_piece pieces[] = {
    {"a", -1, 0}, {"b", -1.5f, 0}, {"ab", -2, 0}, {"<x>", 0, 4}, {"\xE2\x96\x81", -1, 0}, {"ba", -3, 5}, {NULL, 0, 0}};

/* A fuzz input: a first byte, then the bytes given. */
typedef struct input {
    uint8_t *data;
    size_t n;
} input;

static input input_of(uint8_t kind, const void *data, size_t n) {
    input in = {malloc(n + 1), n + 1};
    cr_assert_not_null(in.data);
    in.data[0] = kind;
    memcpy(in.data + 1, data, n);
    return in;
}

static input model_input(const tiny_options *options) {
    size_t n;
    unsigned char *model = tiny_spm_model(options, pieces, &n);
    input in = input_of(0, model, n);
    free(model);
    return in;
}

/* The section as it lies in a written file. */
static input table_input(const tiny_options *options) {
    input model = model_input(options);
    packed p;
    tfm_error error = {0};
    cr_assert_eq(pack_bytes(model.data + 1, model.n - 1, &p, &error), TFM_OK, "%s", error.message);
    cr_assert_str_eq(tfm_file_section_at(p.file, 0)->name, "tokenizer");
    const tfm_section *section = tfm_file_section_at(p.file, 0);
    input in = input_of(1, section->data, (size_t)section->length);
    free(model.data);
    packed_close(&p);
    return in;
}

/* The section that a tokenizer.json becomes. */
static input json_table_input(int which) {
    char *json = tiny_json(which);
    write_scratch("tokenizer.json", json, strlen(json));
    packed p = must_pack(scratch());
    const tfm_section *section = tfm_file_section_at(p.file, 0);
    input in = input_of(1, section->data, (size_t)section->length);
    free(json);
    packed_close(&p);
    return in;
}

static int run(const input *in) {
    LLVMFuzzerTestOneInput(in->data, in->n);
    return fuzz_outcome;
}

static const tiny_options variants[] = {
    {.rules = rules, .denormalizer_rules = rules}, {.bpe = true, .rules = rules}, {.byte_fallback = true}};
#define N_VARIANTS (sizeof variants / sizeof variants[0])

Test(hostile, sound_inputs_open) {
    for (size_t i = 0; i < N_VARIANTS; i++) {
        input model = model_input(&variants[i]), table = table_input(&variants[i]);
        cr_expect_eq(run(&model), FUZZ_OPENED);
        cr_expect_eq(run(&table), FUZZ_OPENED);
        free(model.data);
        free(table.data);
    }
}

/* Every u32 of every kind of table becomes each of a few values, or one of them if not thorough. */
Test(hostile, every_word_of_a_table_changed) {
    const size_t stride = test_stride(8);
    for (size_t i = 0; i < N_VARIANTS; i++) {
        input in = table_input(&variants[i]);
        size_t n_refused = 0, n_tried = 0, word = 0;
        for (size_t at = 1; at + 4 <= in.n; at += 4) {
            uint32_t old;
            memcpy(&old, in.data + at, 4);
            uint32_t values[] = {0,           UINT32_MAX,    old + 1,    old ^ 0x80000000u, old ^ 0x40000000u,
                                 old + 0x200, old + 0x20000, 0x7FC00000u};
            for (size_t k = word++ % stride; k < sizeof values / sizeof values[0]; k += stride, n_tried++) {
                memcpy(in.data + at, &values[k], 4);
                n_refused += run(&in) == FUZZ_REFUSED;
            }
            memcpy(in.data + at, &old, 4);
        }
        cr_expect_gt(n_refused, n_tried / 16, "only %zu of %zu changes were noticed", n_refused, n_tried);
        cr_expect_eq(run(&in), FUZZ_OPENED);
        free(in.data);
    }
}

Test(hostile, sound_json_opens) {
    for (int i = 0; i < N_TINY_JSON; i++) {
        char *json = tiny_json(i);
        input text = {(uint8_t *)json, strlen(json)}, table = json_table_input(i);
        cr_expect_eq(run(&text), FUZZ_OPENED, "%d", i);
        cr_expect_eq(run(&table), FUZZ_OPENED, "%d", i);
        free(json);
        free(table.data);
    }
}

/* As above for the tables that tokenizer.json files become; of classes of characters, which are many, a part. */
Test(hostile, every_word_of_a_json_table_changed) {
    const size_t stride = test_stride(6);
    for (int i = 0; i < N_TINY_JSON; i++) {
        input in = json_table_input(i);
        size_t n_refused = 0, n_tried = 0, word = 0;
        for (size_t at = 1; at + 4 <= in.n; at += at < 2048 ? 8 : 4 * 211) {
            uint32_t old;
            memcpy(&old, in.data + at, 4);
            uint32_t values[] = {0, UINT32_MAX, old + 1, old ^ 0x80000000u, old + 0x200, 0x3030302Au};
            for (size_t k = word++ % stride; k < sizeof values / sizeof values[0]; k += stride, n_tried++) {
                memcpy(in.data + at, &values[k], 4);
                n_refused += run(&in) == FUZZ_REFUSED;
            }
            memcpy(in.data + at, &old, 4);
        }
        cr_expect_gt(n_refused, n_tried / 8, "%d: only %zu of %zu changes were noticed", i, n_refused, n_tried);
        cr_expect_eq(run(&in), FUZZ_OPENED);
        free(in.data);
    }
}

/* Bytes all over every file, more of them if thorough, so that its values and names are others. */
Test(hostile, bytes_of_json_changed) {
    for (int i = 0; i < N_TINY_JSON; i++) {
        char *json = tiny_json(i);
        size_t n = strlen(json), end = n < 2400 ? n : 2400;
        for (size_t at = 0; at < end; at += 97 * test_stride(4)) {
            char old = json[at];
            json[at] = old == '0' ? '9' : old == '"' ? '\\' : '0';
            input in = {(uint8_t *)json, n};
            run(&in);
            json[at] = old;
        }
        free(json);
    }
}

Test(hostile, every_truncation) {
    input model = model_input(&variants[0]), table = table_input(&variants[0]);
    for (input cut = model; cut.n-- > 0;) run(&cut);
    for (input cut = table; cut.n > 64; cut.n -= cut.n > 4096 ? 61 : 1) {
        cut.n--;
        cr_expect_eq(run(&cut), FUZZ_REFUSED);
    }
    free(model.data);
    free(table.data);
}

Test(hostile, every_byte_of_a_model_file_changed) {
    tiny_options options = {.denormalizer_rules = NULL};
    static const tiny_rule short_rules[] = {{"A", "a"}, {NULL, NULL}};
    options.rules = short_rules;
    input in = model_input(&options);
    size_t n_refused = 0;
    for (size_t at = 1; at < in.n; at++) {
        uint8_t old = in.data[at];
        uint8_t values[] = {0, 0xFF, (uint8_t)(old + 1), (uint8_t)(old ^ 0x80), (uint8_t)(old ^ 4)};
        for (size_t k = 0; k < sizeof values; k++) {
            in.data[at] = values[k];
            n_refused += run(&in) == FUZZ_REFUSED;
        }
        in.data[at] = old;
    }
    cr_expect_gt(n_refused, 100);
    free(in.data);
}

/* One change to an otherwise sound table: the key's array gets `value` (of the element's size) at index i. */
typedef struct change {
    const char *key;
    size_t i;
    uint32_t value;
    bool shorten; /* instead: one element less */
} change;

/* Opens a table that is the given one with one array changed. */
static tfm_status open_changed(const tfm_table *table, const change *c, tfm_error *error) {
    tfm_table_builder *builder = tfm_table_builder_new();
    cr_assert_not_null(builder);
    bool found = false;
    for (size_t k = 0; k < tfm_table_count(table); k++) {
        const tfm_value *v = tfm_table_at(table, k);
        size_t size = v->type == TFM_VALUE_U8S ? 1 : 4, n = v->n;
        if (v->type == TFM_VALUE_U64) tfm_table_set_u64(builder, v->key, v->u64);
        if (v->type == TFM_VALUE_F64) tfm_table_set_f64(builder, v->key, v->f64);
        if (v->type == TFM_VALUE_STRING) tfm_table_set_string(builder, v->key, v->data);
        if (v->type != TFM_VALUE_U8S && v->type != TFM_VALUE_U32S && v->type != TFM_VALUE_F32S) continue;
        char *copy = malloc(n * size + 1);
        cr_assert_not_null(copy);
        memcpy(copy, v->data, n * size);
        if (strcmp(v->key, c->key) == 0) {
            found = true;
            cr_assert_lt(c->i, n);
            if (!c->shorten) memcpy(copy + c->i * size, &c->value, size);
            n -= c->shorten;
        }
        tfm_table_set_array(builder, v->key, v->type, copy, n);
        free(copy);
    }
    cr_assert(found, "there is no %s", c->key);
    void *bytes;
    size_t n_bytes;
    tfm_table *changed;
    tfm_tokenizer *tokenizer;
    cr_assert_eq(tfm_table_build(builder, &bytes, &n_bytes, error), TFM_OK, "%s", error->message);
    cr_assert_eq(tfm_table_open(&changed, bytes, n_bytes, "changed", error), TFM_OK, "%s", error->message);
    tfm_status status = tfm_tokenizer_open(&tokenizer, changed, "changed", error);
    tfm_tokenizer_close(&tokenizer);
    tfm_table_close(&changed);
    tfm_table_builder_free(&builder);
    free(bytes);
    return status;
}

static size_t length_of(const tfm_table *table, const char *key) {
    const tfm_value *value = tfm_table_find(table, key);
    cr_assert_not_null(value, "%s", key);
    return value->n;
}

Test(hostile, changed_tables_are_refused) {
    tiny_options options = {.byte_fallback = true, .rules = rules, .denormalizer_rules = rules};
    input model = model_input(&options);
    packed p;
    tfm_error error = {0};
    cr_assert_eq(pack_bytes(model.data + 1, model.n - 1, &p, &error), TFM_OK, "%s", error.message);
    const tfm_table *table = tfm_file_table(p.file, "tokenizer");
    static const char *const tries[] = {"pieces.trie", "symbols.trie", "normalizer.rules", "denormalizer.rules"};
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        uint32_t n_units = (uint32_t)length_of(table, tries[i]) / 2;
        change base = {tries[i], 2 * (n_units - 1), n_units << 9, false}, value = {tries[i], 3, 0x3FFFFFFF, false},
               mark = {tries[i], 3, 0x80000000u, false}, odd = {tries[i], 0, 0, true};
        cr_expect_eq(open_changed(table, &base, &error), TFM_ERROR_FORMAT, "%s: base", tries[i]);
        cr_expect_eq(open_changed(table, &value, &error), TFM_ERROR_FORMAT, "%s: value", tries[i]);
        cr_expect_eq(open_changed(table, &mark, &error), TFM_ERROR_FORMAT, "%s: mark without value", tries[i]);
        cr_expect_eq(open_changed(table, &odd, &error), TFM_ERROR_FORMAT, "%s: length", tries[i]);
        base.value = (n_units - 1) << 9;
        cr_expect_eq(open_changed(table, &base, &error), TFM_OK, "%s: the highest base", tries[i]);
    }
    uint32_t size = (uint32_t)length_of(table, "vocabulary.kinds");
    const change changes[] = {
        {"vocabulary.kinds", 0, 5, false},
        {"vocabulary.kinds", 0, 3, false},
        {"vocabulary.kinds", 0, 0, true},
        {"vocabulary.offsets", 1, 0xFFFFFF, false},
        {"vocabulary.offsets", size, 0xFFFFFF, false},
        {"vocabulary.offsets", 0, 0, true},
        {"pieces.scores", 0, 0x7FC00000, false},
        {"bytes.ids", 255, size, false},
        {"bytes.ids", 0, 0, true},
        {"normalizer.replacements.offsets", 1, 0xFFFFFF, false},
        {"normalizer.replacements.offsets", 0, 0, true},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        cr_expect_eq(open_changed(table, &changes[i], &error), TFM_ERROR_FORMAT, "change %zu: %s", i, changes[i].key);
        cr_expect_not_null(strstr(error.message, "changed: "), "%s", error.message);
    }
    packed_close(&p);
    free(model.data);
}

/* Inputs that the fuzzer found worth keeping, and every one that ever failed. */
Test(hostile, corpus) {
    DIR *dir = opendir(TFM_TOKENIZER_CORPUS);
    cr_assert_not_null(dir, "%s", TFM_TOKENIZER_CORPUS);
    size_t n_files = 0, n_opened = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", TFM_TOKENIZER_CORPUS, entry->d_name);
        size_t n;
        char *data = read_bytes(path, &n);
        input in = {(uint8_t *)data, n};
        n_opened += run(&in) == FUZZ_OPENED;
        n_files++;
        free(data);
    }
    closedir(dir);
    cr_expect_geq(n_files, 20);
    cr_expect_geq(n_opened, 5);
}

/* ---- refusals, each with its reason ---- */

static void refuses(const tiny_options *options, const tiny_piece *list, tfm_status status, const char *reason) {
    size_t n;
    unsigned char *data = tiny_spm_model(options, list, &n);
    packed p;
    tfm_error error = {0};
    cr_expect_eq(pack_bytes(data, n, &p, &error), status, "%s", reason);
    cr_expect_not_null(strstr(error.message, reason), "\"%s\" lacks \"%s\"", error.message, reason);
    cr_expect_not_null(strstr(error.message, "bytes.spm"), "\"%s\" does not name the file", error.message);
    free(data);
}

Test(hostile, refusals_say_why) {
    tiny_options plain = {0}, bpe = {.bpe = true};
    refuses(&plain, (tiny_piece[]){{NULL, 0, 0}}, TFM_ERROR_FORMAT, "no piece that could occur");
    refuses(&plain, (tiny_piece[]){{"a", 0, 0}, {"a", 0, 0}, {NULL, 0, 0}}, TFM_ERROR_FORMAT, "piece 4 is there twice");
    refuses(&plain, (tiny_piece[]){{"a", 0, 0}, {"<s>", 0, 3}, {NULL, 0, 0}}, TFM_ERROR_FORMAT, "is there twice");
    refuses(&plain, (tiny_piece[]){{"a", 0, 0}, {"u", 0, 2}, {NULL, 0, 0}}, TFM_ERROR_FORMAT, "2 unknown pieces");
    refuses(&plain, (tiny_piece[]){{"", 0, 0}, {NULL, 0, 0}}, TFM_ERROR_FORMAT, "piece 3 has no text");
    refuses(&plain, (tiny_piece[]){{"\xFF", 0, 0}, {NULL, 0, 0}}, TFM_ERROR_FORMAT, "not UTF-8");
    refuses(&plain, (tiny_piece[]){{"a", NAN, 0}, {NULL, 0, 0}}, TFM_ERROR_FORMAT, "not finite");
    refuses(&plain, (tiny_piece[]){{"a", -INFINITY, 0}, {NULL, 0, 0}}, TFM_ERROR_FORMAT, "not finite");
    refuses(&plain, (tiny_piece[]){{"a", 0, 9}, {NULL, 0, 0}}, TFM_ERROR_FORMAT, "unknown kind");
    refuses(&plain, (tiny_piece[]){{"a", 0, 0}, {"<0x41>", 0, 6}, {NULL, 0, 0}}, TFM_ERROR_FORMAT,
            "although the model has none");
    refuses(&bpe, (tiny_piece[]){{"a", 0, 0}, {"b", 0, 3}, {NULL, 0, 0}}, TFM_ERROR_UNSUPPORTED,
            "could also come from text");
    char *text = malloc(1025);
    cr_assert_not_null(text);
    memset(text, 'a', 1024);
    text[1024] = 0;
    refuses(&plain, (tiny_piece[]){{text, 0, 0}, {NULL, 0, 0}}, TFM_ERROR_FORMAT, "longer than 1023");
    text[1023] = 0;
    size_t n;
    tfm_error error = {0};
    unsigned char *data = tiny_spm_model(&plain, (tiny_piece[]){{text, 0, 0}, {NULL, 0, 0}}, &n);
    packed p;
    cr_expect_eq(pack_bytes(data, n, &p, &error), TFM_OK, "%s", error.message);
    packed_close(&p);
    free(data);
    free(text);
}

Test(hostile, other_kinds_of_files_and_tables) {
    packed p;
    tfm_error error = {0};
    cr_expect_eq(pack_bytes("", 0, &p, &error), TFM_ERROR_FORMAT);
    cr_expect_eq(pack_bytes("hello", 5, &p, &error), TFM_ERROR_FORMAT);
    cr_expect_eq(pack("/nowhere/at/all", &p, &error), TFM_ERROR_IO);
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", scratch());
    remove_scratch();
    cr_expect_eq(pack(folder, &p, &error), TFM_ERROR_IO);

    tfm_table_builder *builder = tfm_table_builder_new();
    tfm_table *table;
    tfm_tokenizer *tokenizer;
    void *bytes;
    size_t n;
    tfm_table_set_string(builder, "type", "telepathy");
    cr_assert_eq(tfm_table_build(builder, &bytes, &n, &error), TFM_OK);
    cr_assert_eq(tfm_table_open(&table, bytes, n, "t", &error), TFM_OK);
    cr_expect_eq(tfm_tokenizer_open(&tokenizer, table, "t", &error), TFM_ERROR_UNSUPPORTED);
    cr_expect_null(tokenizer);
    cr_expect_not_null(strstr(error.message, "telepathy"));
    tfm_table_close(&table);
    free(bytes);
    tfm_table_set_string(builder, "type", "sentencepiece-unigram");
    cr_assert_eq(tfm_table_build(builder, &bytes, &n, &error), TFM_OK);
    cr_assert_eq(tfm_table_open(&table, bytes, n, "t", &error), TFM_OK);
    cr_expect_eq(tfm_tokenizer_open(&tokenizer, table, "t", &error), TFM_ERROR_FORMAT);
    cr_expect_not_null(strstr(error.message, "is missing"));
    tfm_table_close(&table);
    free(bytes);
    tfm_table_builder_free(&builder);
}
