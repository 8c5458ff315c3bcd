/*
 * model_reader_replay.c - the fuzz target without the fuzzer, for the normal suite.
 *
 * Each file of the corpus named as argument is tried, then changes of the fixtures' files with a fixed seed.
 * --write-corpus FOLDER writes the corpus of corpus/model_reader instead.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_files.h"
#include "model_reader_fuzz.h"

#define N_CHANGES 20000

/* Values that make trouble in counts, offsets and lengths. */
static uint64_t awkward(random_state *random) {
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      3,
                                      5,
                                      15,
                                      16,
                                      63,
                                      64,
                                      65,
                                      127,
                                      128,
                                      4095,
                                      4096,
                                      UINT32_MAX,
                                      (1ull << 32),
                                      1ull << 61,
                                      1ull << 62,
                                      1ull << 63,
                                      UINT64_MAX,
                                      UINT64_MAX - 63,
                                      UINT64_MAX - 4095};
    return values[random_next(random) % (sizeof values / sizeof *values)];
}

static void change(image *im, random_state *random) {
    uint64_t directory = image_header(im)->directory_offset;
    for (uint64_t i = 0, n = 1 + random_next(random) % 4; i < n && im->n > 8; i++) {
        size_t at = random_next(random) % (im->n - 8);
        if (directory < im->n - 8 && random_next(random) % 2) at = directory + at % (im->n - 8 - directory);
        uint64_t value = awkward(random), old;
        memcpy(&old, im->data + at, 8);
        if (random_next(random) % 2) value += old;
        switch (random_next(random) % 4) {
        case 0: memcpy(im->data + at / 8 * 8, &value, 8); break;
        case 1: memcpy(im->data + at / 4 * 4, &value, 4); break;
        case 2: im->data[at] ^= (unsigned char)(1u << (random_next(random) % 8)); break;
        default: im->n -= random_next(random) % 100 == 0 ? random_next(random) % im->n / 2 : 0;
        }
    }
}

static image seed(size_t i) { return i == 0 ? example_image() : sample_image(); }

static void replay_changes(void) {
    random_state random = {.s = 0xF022};
    printf("# seed 0xF022, %d changed files\n", N_CHANGES);
    image seeds[2] = {seed(0), seed(1)};
    for (size_t i = 0; i < 2; i++) LLVMFuzzerTestOneInput(seeds[i].data, seeds[i].n);
    for (int round = 0; round < N_CHANGES; round++) {
        image copy = image_copy(&seeds[round % 2]);
        change(&copy, &random);
        LLVMFuzzerTestOneInput(copy.data, copy.n);
        image_free(&copy);
    }
    image_free(&seeds[0]);
    image_free(&seeds[1]);
}

static void write_corpus(const char *folder) {
    static const char *const names[] = {"example.bin", "sample.bin"};
    for (size_t i = 0; i < 2; i++) {
        char *path = scratch_path(folder, names[i]);
        image im = seed(i);
        image_write(&im, path);
        image_free(&im);
        free(path);
    }
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--write-corpus") == 0) {
        write_corpus(argv[2]);
        return 0;
    }
    for (int i = 1; i < argc; i++) {
        image im = image_read(argv[i]);
        LLVMFuzzerTestOneInput(im.data, im.n);
        image_free(&im);
    }
    replay_changes();
    printf("1..1\nok 1 - replay_reader\n");
    return 0;
}
