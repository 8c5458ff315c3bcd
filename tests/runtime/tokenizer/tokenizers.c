/* tokenizers.c - packing, opening and comparing for the tokenizer suites. */
#include "tokenizers.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/tokenizer/common/unknowns.h"
#include "tools/pack/tokenizer/tokenizer_pack.h"

static char folder[64];
static char written[16][64]; /* names in it */
static size_t n_written;

const char *scratch(void) {
    if (folder[0] == 0) {
        strcpy(folder, "/tmp/tfm-tokenizer-XXXXXX");
        cr_assert_not_null(mkdtemp(folder));
    }
    return folder;
}

const char *scratch_file(const char *name) {
    static char path[2048];
    snprintf(path, sizeof path, "%s/%s", scratch(), name);
    return path;
}

static void remember(const char *name) {
    for (size_t i = 0; i < n_written; i++) {
        if (strcmp(written[i], name) == 0) return;
    }
    cr_assert_lt(n_written, 16);
    snprintf(written[n_written++], sizeof written[0], "%s", name);
}

void remove_scratch(void) {
    for (size_t i = 0; i < n_written; i++) unlink(scratch_file(written[i]));
    if (folder[0] != 0) rmdir(folder);
    folder[0] = 0;
    n_written = 0;
}

void write_scratch(const char *name, const void *data, size_t n) {
    FILE *file = fopen(scratch_file(name), "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(data, 1, n, file), n);
    cr_assert_eq(fclose(file), 0);
    remember(name);
}

static tfm_status open_side(packed *p, const char *name, tfm_tokenizer **tokenizer, tfm_error *error) {
    const tfm_table *table = tfm_file_table(p->file, name);
    return table ? tfm_tokenizer_open(tokenizer, table, name, error) : TFM_OK;
}

tfm_status pack(const char *path, packed *result, tfm_error *error) {
    char bin[2048];
    snprintf(bin, sizeof bin, "%s", scratch_file("tokenizer.bin"));
    *result = (packed){0};
    tfm_writer *writer;
    tfm_status status = tfm_writer_create(&writer, bin, error);
    if (status != TFM_OK) return status;
    status = tfm_pack_tokenizers(path, writer, true, NULL, error);
    if (status != TFM_OK) {
        tfm_writer_abort(&writer);
        return status;
    }
    remember("tokenizer.bin");
    status = tfm_writer_commit(&writer, error);
    if (status == TFM_OK) status = tfm_file_open(&result->file, bin, error);
    if (status == TFM_OK) status = open_side(result, "tokenizer", &result->source, error);
    if (status == TFM_OK) status = open_side(result, "tokenizer.target", &result->target, error);
    if (status != TFM_OK) packed_close(result);
    return status;
}

packed must_pack(const char *path) {
    packed result;
    tfm_error error = {0};
    tfm_status status = pack(path, &result, &error);
    cr_assert_eq(status, TFM_OK, "%s", error.message);
    cr_assert_not_null(result.source, "%s: no section tokenizer", path);
    return result;
}

tfm_status pack_bytes(const void *data, size_t n, packed *result, tfm_error *error) {
    write_scratch("bytes.spm", data, n);
    char path[2048];
    snprintf(path, sizeof path, "%s", scratch_file("bytes.spm"));
    return pack(path, result, error);
}

void packed_close(packed *p) {
    tfm_tokenizer_close(&p->source);
    tfm_tokenizer_close(&p->target);
    tfm_file_close(&p->file);
}

const char *shared_or_skip(const char *relative) {
    static char path[4096];
    const char *shared = getenv("TFM_SHARED");
    snprintf(path, sizeof path, "%s/%s", shared ? shared : "", relative);
    if (!shared || access(path, R_OK) != 0) cr_skip_test("%s is not there", path);
    return path;
}

json_t *read_json(const char *path) {
    json_error_t error;
    json_t *json = json_load_file(path, JSON_ALLOW_NUL, &error);
    cr_assert_not_null(json, "%s:%d: %s", path, error.line, error.text);
    return json;
}

char *read_bytes(const char *path, size_t *n) {
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    struct stat st;
    cr_assert_eq(fstat(fileno(file), &st), 0);
    char *data = malloc((size_t)st.st_size + 1);
    cr_assert_not_null(data);
    *n = fread(data, 1, (size_t)st.st_size, file);
    data[*n] = 0;
    fclose(file);
    return data;
}

static void print_ids(const char *label, const int32_t *ids, size_t n) {
    fprintf(stderr, "%s:", label);
    for (size_t i = 0; i < n; i++) fprintf(stderr, " %d", ids[i]);
    fputc('\n', stderr);
}

static int32_t *ids_of(const json_t *json, size_t *n) {
    *n = json_array_size(json);
    int32_t *ids = calloc(*n + 1, sizeof *ids);
    cr_assert_not_null(ids);
    for (size_t i = 0; i < *n; i++) ids[i] = (int32_t)json_integer_value(json_array_get(json, i));
    return ids;
}

/* Each unknown id has been noted. */
static void check_unknowns(const tfm_tokenizer *tokenizer, const tfm_ids *ids, const tfm_text *noted, const char *what,
                           size_t i) {
    size_t n_unknown = 0, n_noted = 0;
    for (size_t k = 0; k < ids->size; k++) n_unknown += ids->data[k] == tfm_tokenizer_unknown_id(tokenizer);
    for (size_t n; tfm_unknowns_at(noted, n_noted, &n);) n_noted++;
    cr_expect_eq(n_unknown, n_noted, "%s %zu: %zu unknown ids, %zu noted", what, i, n_unknown, n_noted);
}

void expect_ids(const tfm_tokenizer *tokenizer, const char *text, size_t n, bool special, const json_t *json,
                const char *what, size_t i) {
    tfm_ids got = {0};
    tfm_error error = {0};
    size_t n_expected;
    int32_t *expected = ids_of(json, &n_expected);
    tfm_text unknowns = {0};
    cr_assert_eq(tfm_tokenizer_encode_noting(tokenizer, text, n, special, &got, &unknowns, &error), TFM_OK, "%s",
                 error.message);
    check_unknowns(tokenizer, &got, &unknowns, what, i);
    tfm_text_free(&unknowns);
    bool same = got.size == n_expected && (n_expected == 0 || memcmp(got.data, expected, n_expected * 4) == 0);
    if (!same) {
        fprintf(stderr, "%s %zu: %.*s\n", what, i, (int)n, text);
        print_ids("expected", expected, n_expected);
        print_ids("got     ", got.data, got.size);
    }
    free(expected);
    tfm_ids_free(&got);
    cr_expect(same, "%s %zu: ids differ", what, i);
}

void expect_text(const tfm_tokenizer *tokenizer, const json_t *json, bool skip_special, const char *text, size_t n,
                 const char *what, size_t i) {
    tfm_text got = {0};
    tfm_error error = {0};
    size_t n_ids;
    int32_t *ids = ids_of(json, &n_ids);
    cr_assert_eq(tfm_tokenizer_decode(tokenizer, ids, n_ids, skip_special, &got, &error), TFM_OK, "%s", error.message);
    bool same = got.size == n && memcmp(got.data, text, n) == 0 && got.data[n] == 0;
    if (!same) {
        print_ids("ids     ", ids, n_ids);
        fprintf(stderr, "%s %zu\nexpected: %.*s\ngot     : %.*s\n", what, i, (int)n, text, (int)got.size, got.data);
    }
    free(ids);
    tfm_text_free(&got);
    cr_expect(same, "%s %zu: texts differ", what, i);
}

static bool same_text(const tfm_text *a, const tfm_text *b) {
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

/* The ids in parts of 1 to max ids. */
static void stream_in_parts(tfm_text_stream *stream, const int32_t *ids, size_t n, size_t max, tfm_text *text) {
    tfm_error error = {0};
    text->size = 0;
    for (size_t k = 0, part; k < n; k += part) {
        part = 1 + (k * 7 + n) % max;
        if (part > n - k) part = n - k;
        cr_assert_eq(tfm_text_stream_push(stream, ids + k, part, text, &error), TFM_OK, "%s", error.message);
    }
    cr_assert_eq(tfm_text_stream_finish(stream, text, &error), TFM_OK, "%s", error.message);
}

void expect_stream(const tfm_tokenizer *tokenizer, const json_t *json, const char *what, size_t i) {
    size_t n;
    int32_t *ids = ids_of(json, &n);
    for (int skip_special = 0; skip_special < 2; skip_special++) {
        tfm_text_stream *stream;
        tfm_text whole = {0}, parts = {0};
        tfm_error error = {0};
        cr_assert_eq(tfm_tokenizer_decode(tokenizer, ids, n, skip_special, &whole, &error), TFM_OK, "%s",
                     error.message);
        cr_assert_eq(tfm_text_stream_create(&stream, tokenizer, skip_special, &error), TFM_OK, "%s", error.message);
        for (size_t max = 1; max < 4; max += 2) { /* the stream is used again */
            stream_in_parts(stream, ids, n, max, &parts);
            cr_expect(same_text(&whole, &parts), "%s %zu: \"%.*s\" bit by bit, \"%.*s\" as a whole", what, i,
                      (int)parts.size, parts.data, (int)whole.size, whole.data);
        }
        tfm_text_stream_free(&stream);
        tfm_text_free(&whole);
        tfm_text_free(&parts);
    }
    free(ids);
}
