/* files.c - see files.h. */
#include "files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "format/grow.h"

const char *in(const char *folder, const char *name) {
    static char paths[64][600];
    static unsigned next;
    char *path = paths[next++ % 64];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

size_t count_files(const char *folder) {
    size_t n = 0;
    DIR *d = opendir(folder);
    cr_assert(d);
    for (struct dirent *e; (e = readdir(d));) n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

void write_file(const char *path, const void *data, size_t n) {
    unlink(path); /* some file systems flush a file that is cut to nothing and written again */
    FILE *f = fopen(path, "wb");
    cr_assert(f, "cannot write %s", path);
    cr_assert(n == 0 || fwrite(data, 1, n, f) == n);
    cr_assert(fclose(f) == 0);
}

void write_text_in(const char *folder, const char *name, const char *text) {
    write_file(in(folder, name), text, strlen(text));
}

void copy_file(const char *from_folder, const char *to_folder, const char *name) {
    size_t n;
    char *data = read_file(in(from_folder, name), &n);
    write_file(in(to_folder, name), data, n);
    free(data);
}

char *read_file(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    cr_assert(f, "cannot read %s", path);
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    char *data = malloc(*n + 1);
    cr_assert(data && fread(data, 1, *n, f) == *n);
    data[*n] = '\0';
    fclose(f);
    return data;
}

uint32_t random_u32(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32);
}

/* ---- a buffer ---- */

void put(buffer *b, const void *data, size_t n) {
    cr_assert(tfm_grow(&b->data, &b->capacity, b->n, n, 1));
    if (n > 0) memcpy(b->data + b->n, data, n);
    b->n += n;
}

void put_text(buffer *b, const char *text) { put(b, text, strlen(text)); }
void put_byte(buffer *b, unsigned char byte) { put(b, &byte, 1); }

void put_number(buffer *b, uint64_t number, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) put_byte(b, (unsigned char)(number >> 8 * i));
}

void buffer_free(buffer *b) {
    free(b->data);
    *b = (buffer){0};
}
