/* sections_test.c - the fuzz target of sections over good tables and damaged ones, without the fuzzer. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sections_fuzz.h"
#include "tests/support/require.h"
#include "tests/support/tiny_model.h"

/* The table behind its letter. */
static uint8_t *bytes_of(char letter, tfm_table_builder *builder, size_t *n) {
    void *data;
    size_t length;
    REQUIRE_OK(tfm_table_build(builder, &data, &length, error));
    tfm_table_builder_free(&builder);
    uint8_t *bytes = malloc(length + 1);
    cr_assert(bytes);
    bytes[0] = (uint8_t)letter;
    memcpy(bytes + 1, data, length);
    free(data);
    *n = length + 1;
    return bytes;
}

/* As it is, cut, and with bytes changed: the target itself says what must hold. */
static void try_all(uint8_t *bytes, size_t n) {
    uint64_t random = n;
    LLVMFuzzerTestOneInput(bytes, n);
    cr_assert(fuzz_accepted);
    for (size_t cut = 0; cut < n; cut += 1 + n / 64) LLVMFuzzerTestOneInput(bytes, cut);
    for (int i = 0; i < 4000; i++) {
        uint8_t *at = bytes + 1 + tiny_random(&random) % (n - 1), before = *at;
        *at = (uint8_t)tiny_random(&random);
        LLVMFuzzerTestOneInput(bytes, n);
        *at = before;
    }
    free(bytes);
}

Test(sections, architecture) {
    tiny_config c = tiny_config_default();
    size_t n;
    uint8_t *bytes = bytes_of('a', tiny_architecture(&c), &n);
    try_all(bytes, n);
    c = tiny_config_decoder();
    c.decoder.position_word = "rope";
    c.decoder.rope_dim = 4;
    c.decoder.window = 7;
    bytes = bytes_of('a', tiny_architecture(&c), &n);
    try_all(bytes, n);
}

Test(sections, generation) {
    static const uint32_t ids[] = {3, 4}, words[] = {1, 5, 2, 6, 7};
    tfm_table_builder *builder = tfm_table_builder_new();
    tfm_table_set_u64(builder, "max_length", 24);
    tfm_table_set_u64(builder, "decoder_start_token_id", 1);
    tfm_table_set_string(builder, "early_stopping", "never");
    tfm_table_set_f64(builder, "patience", 2);
    tfm_table_set_array(builder, "eos_token_id", TFM_VALUE_U32S, ids, 2);
    tfm_table_set_array(builder, "bad_words_ids", TFM_VALUE_U32S, words, 5);
    size_t n;
    uint8_t *bytes = bytes_of('g', builder, &n);
    try_all(bytes, n);
}

Test(sections, shortlist) {
    static const uint32_t always[] = {0, 1}, offsets[] = {0, 2, 2, 3, 5, 6}, targets[] = {2, 3, 6, 0, 4, 5};
    tfm_table_builder *builder = tfm_table_builder_new();
    tfm_table_set_array(builder, "always", TFM_VALUE_U32S, always, 2);
    tfm_table_set_array(builder, "offsets", TFM_VALUE_U32S, offsets, 6);
    tfm_table_set_array(builder, "targets", TFM_VALUE_U32S, targets, 6);
    size_t n;
    uint8_t *bytes = bytes_of('s', builder, &n);
    try_all(bytes, n);
}

/* The corpus of the fuzzer, and what it found. */
Test(sections, corpus) {
    DIR *folder = opendir(TFM_SECTIONS_CORPUS);
    cr_assert(folder, TFM_SECTIONS_CORPUS);
    size_t n_files = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.') continue;
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", TFM_SECTIONS_CORPUS, entry->d_name);
        FILE *file = fopen(path, "rb");
        static uint8_t bytes[1 << 20];
        cr_assert(file, "%s", path);
        size_t n = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        LLVMFuzzerTestOneInput(bytes, n);
        cr_expect(fuzz_accepted == !strncmp(entry->d_name, "good", 4), "%s", path);
        n_files++;
    }
    closedir(folder);
    cr_assert_gt(n_files, 3);
}
