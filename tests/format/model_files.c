/* model_files.c - model files in memory for the tests of format/. */
#include "model_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/hash.h"
#include "tests/support/write_tensors.h"

/* Fixtures also serve the fuzz target, which has no test framework: what cannot happen ends the process. */
static void need(bool condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "fixture: %s failed\n", what);
    abort();
}
#define NEED(condition) need((condition), #condition)

char *scratch_path(const char *folder, const char *name) {
    char *path;
    NEED(asprintf(&path, "%s/%s", folder, name) > 0);
    return path;
}

static bool is_dots(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

size_t scratch_count(const char *folder) {
    DIR *dir = opendir(folder);
    NEED(dir);
    size_t n = 0;
    for (struct dirent *entry; (entry = readdir(dir));) n += !is_dots(entry->d_name);
    closedir(dir);
    return n;
}

/* ---- samples ---- */

static tfm_table_builder *sample_table(void) {
    tfm_table_builder *table = tfm_table_builder_new();
    NEED(table);
    const uint32_t ids[] = {3, 1, 4, 1, 5};
    const float scores[] = {-1.5f, 0.0f, 2.25f};
    tfm_table_set_u64(table, "d_model", 64);
    tfm_table_set_f64(table, "norm_eps", 1e-5);
    tfm_table_set_string(table, "kind", "encoder-decoder");
    tfm_table_set_string(table, "empty", "");
    tfm_table_set_array(table, "bytes", TFM_VALUE_U8S, "\x00\x01\xFF", 3);
    tfm_table_set_array(table, "ids", TFM_VALUE_U32S, ids, 5);
    tfm_table_set_array(table, "scores", TFM_VALUE_F32S, scores, 3);
    tfm_table_set_strings(table, "pieces",
                          (const char *const[]){"\xE2\x96\x81"
                                                "der",
                                                "", "Hund"},
                          3);
    tfm_table_set_array(table, "zero", TFM_VALUE_U32S, NULL, 0);
    return table;
}

void add_sample_sections(tfm_writer *writer) {
    tfm_table_builder *table = sample_table();
    NEED(tfm_writer_section(writer, "architecture", table, NULL) == TFM_OK);
    tfm_table_builder_free(&table);
    table = tfm_table_builder_new();
    tfm_table_set_string(table, "license", "none: \xC3\xA4\xF0\x9F\x99\x82");
    NEED(tfm_writer_section(writer, "metadata", table, NULL) == TFM_OK);
    NEED(tfm_writer_section(writer, "x-note", table, NULL) == TFM_OK);
    tfm_table_builder_free(&table);
}

static void add_matrix(tfm_writer *writer, const char *name, tfm_dtype dtype, tfm_layout layout, size_t n, size_t k) {
    float *rows = malloc(n * k * sizeof *rows);
    NEED(rows);
    for (size_t i = 0; i < n * k; i++) rows[i] = (float)((i * 7919) % 4096) / 64.0f - 32.0f;
    NEED(write_matrix(writer, name, dtype, layout, rows, n, k, NULL) == TFM_OK);
    free(rows);
}

void add_sample_tensors(tfm_writer *writer) {
    const float bias[] = {1.0f, -2.0f, 3.5f};
    NEED(write_vector(writer, "decoder.0.ffn.up.bias", bias, 3, NULL) == TFM_OK);
    add_matrix(writer, "embed", TFM_F32, TFM_LAYOUT_PANELS, 17, 33); /* 4224 bytes: on a page of its own */
    add_matrix(writer, "half", TFM_F16, TFM_LAYOUT_PANELS, 16, 5);
    add_matrix(writer, "brain", TFM_BF16, TFM_LAYOUT_ROWS, 3, 11);
    add_matrix(writer, "page", TFM_F32, TFM_LAYOUT_ROWS, 32, 32);   /* 4096 bytes */
    add_matrix(writer, "below", TFM_F32, TFM_LAYOUT_ROWS, 1, 1023); /* 4092 bytes */
    add_matrix(writer, "bytes", TFM_I8, TFM_LAYOUT_PANELS, 17, 33);
    add_matrix(writer, "nibbles", TFM_I4, TFM_LAYOUT_PANELS, 16, 70);
    const uint64_t shape[] = {2, 1, 3, 2};
    const unsigned char bytes[24] = {1, 2, 3};
    NEED(tfm_writer_tensor(writer, "four", TFM_F16, TFM_LAYOUT_ROWS, 4, shape, NULL) == TFM_OK);
    NEED(tfm_writer_write(writer, bytes, sizeof bytes, NULL) == TFM_OK);
}

static image make_image(void (*fill)(tfm_writer *writer)) {
    char *folder = scratch_make(), *path = scratch_path(folder, "model.bin");
    tfm_writer *writer;
    NEED(tfm_writer_create(&writer, path, NULL) == TFM_OK);
    fill(writer);
    NEED(tfm_writer_commit(&writer, NULL) == TFM_OK);
    image im = image_read(path);
    free(path);
    scratch_remove(&folder);
    return im;
}

static void fill_sample(tfm_writer *writer) {
    add_sample_sections(writer);
    add_sample_tensors(writer);
}

image sample_image(void) { return make_image(fill_sample); }

static void fill_example(tfm_writer *writer) {
    const float values[] = {1.0f, 2.0f, -0.5f};
    tfm_table_builder *table = tfm_table_builder_new();
    tfm_table_set_string(table, "kind", "decoder");
    tfm_table_set_u64(table, "d_model", 512);
    NEED(tfm_writer_section(writer, "architecture", table, NULL) == TFM_OK);
    tfm_table_builder_free(&table);
    NEED(write_vector(writer, "norm.weight", values, 3, NULL) == TFM_OK);
}

image example_image(void) { return make_image(fill_example); }

static void fill_large(tfm_writer *writer) {
    fill_sample(writer);
    add_matrix(writer, "large", TFM_F32, TFM_LAYOUT_ROWS, 1, 3 * 1024 * 256 + 7);
    add_matrix(writer, "exact", TFM_F32, TFM_LAYOUT_ROWS, 1024, 256); /* one chunk */
    add_matrix(writer, "last", TFM_F32, TFM_LAYOUT_ROWS, 3, 5);
}

image large_image(void) { return make_image(fill_large); }

/* ---- images ---- */

image image_read(const char *path) {
    FILE *in = fopen(path, "rbe");
    NEED(in && fseek(in, 0, SEEK_END) == 0);
    long n = ftell(in);
    image im = {.data = malloc((size_t)n + 1), .n = (size_t)n};
    NEED(im.data && fseek(in, 0, SEEK_SET) == 0);
    NEED(fread(im.data, 1, im.n, in) == im.n);
    fclose(in);
    return im;
}

void image_write(const image *im, const char *path) {
    FILE *out = fopen(path, "wbe");
    NEED(out);
    NEED(fwrite(im->data, 1, im->n, out) == im->n && fclose(out) == 0);
}

image image_copy(const image *im) {
    image copy = {.data = malloc(im->n + 1), .n = im->n};
    NEED(copy.data);
    memcpy(copy.data, im->data, im->n);
    return copy;
}

void image_free(image *im) {
    free(im->data);
    *im = (image){0};
}

tfm_disk_header *image_header(image *im) { return (tfm_disk_header *)(void *)im->data; }

tfm_disk_record *image_record(image *im, size_t i) {
    return (tfm_disk_record *)(void *)(im->data + image_header(im)->directory_offset) + i;
}

size_t image_find(image *im, const char *name) {
    size_t n = image_header(im)->n_sections + image_header(im)->n_tensors;
    for (size_t i = 0; i < n; i++)
        if (strcmp(image_record(im, i)->name, name) == 0) return i;
    need(false, "finding a record of this name");
    return 0;
}

static bool inside(const image *im, uint64_t offset, uint64_t length) {
    return offset <= im->n && length <= im->n - offset;
}

void image_reseal(image *im) {
    tfm_disk_header *header = image_header(im);
    uint64_t length = header->directory_length;
    if (inside(im, header->directory_offset, length) && header->directory_offset % 8 == 0) {
        for (size_t i = 0; i < length / sizeof(tfm_disk_record); i++) {
            tfm_disk_record *record = image_record(im, i);
            if (inside(im, record->offset, record->length))
                record->hash = tfm_hash_extent(tfm_hash_baseline, im->data + record->offset, record->length);
        }
        header->directory_hash = tfm_hash_extent(tfm_hash_baseline, im->data + header->directory_offset, length);
    }
    header->header_hash = tfm_hash_baseline(header, offsetof(tfm_disk_header, header_hash));
}

int image_fd(const image *im) {
    int fd = memfd_create("image", MFD_CLOEXEC);
    NEED(fd >= 0);
    for (size_t done = 0; done < im->n;) {
        ssize_t put = write(fd, im->data + done, im->n - done);
        NEED(put > 0);
        done += (size_t)put;
    }
    return fd;
}

tfm_status image_check(const image *im, bool all, tfm_error *error) {
    tfm_file *file;
    tfm_status status = tfm_file_open_fd(&file, image_fd(im), "image.bin", NULL, error);
    if (status == TFM_OK && all) status = tfm_file_verify(file, NULL, NULL, NULL, error);
    tfm_file_close(&file);
    return status;
}

/* ---- the rest ---- */

typedef struct shared_work {
    atomic_size_t next;
    size_t n;
    void (*task)(void *arg, size_t i);
    void *arg;
} shared_work;

static void *work(void *arg) {
    shared_work *shared = arg;
    for (size_t i; (i = atomic_fetch_add(&shared->next, 1)) < shared->n;) shared->task(shared->arg, i);
    return NULL;
}

void run_on_threads(void *pool, size_t n, void (*task)(void *arg, size_t i), void *arg) {
    (void)pool;
    shared_work shared = {.n = n, .task = task, .arg = arg};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) NEED(pthread_create(&threads[i], NULL, work, &shared) == 0);
    for (size_t i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

uint64_t random_next(random_state *random) {
    random->s ^= random->s >> 12;
    random->s ^= random->s << 25;
    random->s ^= random->s >> 27;
    return random->s * 0x2545F4914F6CDD1Du;
}

static void set_again(tfm_table_builder *builder, const tfm_value *value) {
    switch (value->type) {
    case TFM_VALUE_U64: tfm_table_set_u64(builder, value->key, value->u64); break;
    case TFM_VALUE_F64: tfm_table_set_f64(builder, value->key, value->f64); break;
    case TFM_VALUE_STRING: tfm_table_set_string(builder, value->key, value->data); break;
    case TFM_VALUE_STRINGS: {
        const char **strings = calloc(value->n + 1, sizeof *strings);
        NEED(strings);
        const char *at = value->data;
        for (size_t i = 0; i < value->n; i++, at += strlen(at) + 1) strings[i] = at;
        tfm_table_set_strings(builder, value->key, strings, value->n);
        free(strings);
        break;
    }
    default: tfm_table_set_array(builder, value->key, value->type, value->data, value->n);
    }
}

bool table_is_canonical(const tfm_table *table, const void *data, size_t n) {
    tfm_table_builder *builder = tfm_table_builder_new();
    NEED(builder);
    for (size_t i = 0; i < tfm_table_count(table); i++) set_again(builder, tfm_table_at(table, i));
    void *again;
    size_t n_again;
    bool same = tfm_table_build(builder, &again, &n_again, NULL) == TFM_OK && n_again == n && !memcmp(again, data, n);
    free(again);
    tfm_table_builder_free(&builder);
    return same;
}
