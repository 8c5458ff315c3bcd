/* hostile_test.c - the fuzz target of tfmeval's inputs over its corpus and damaged lines, without the fuzzer. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "eval_fuzz.h"

/* As it is, cut, and with bytes changed: the target itself says what must hold. */
static void try_all(uint8_t *bytes, size_t n) {
    uint32_t random = 1;
    LLVMFuzzerTestOneInput(bytes, n);
    for (size_t cut = 0; cut < n; cut += 1 + n / 32) LLVMFuzzerTestOneInput(bytes, cut);
    for (int i = 0; i < 300 && n > 0; i++) {
        random = random * 1664525 + 1013904223;
        uint8_t *at = bytes + (random >> 8) % n, before = *at;
        *at = (uint8_t)(random >> 3);
        LLVMFuzzerTestOneInput(bytes, n);
        *at = before;
    }
}

Test(hostile, lines) {
    DIR *folder = opendir(TFM_EVAL_CORPUS);
    cr_assert(folder, TFM_EVAL_CORPUS);
    size_t n_files = 0;
    for (struct dirent *entry; (entry = readdir(folder)); n_files += entry->d_name[0] != '.') {
        char path[4096];
        static uint8_t bytes[1 << 16];
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", TFM_EVAL_CORPUS, entry->d_name);
        FILE *file = fopen(path, "rb");
        cr_assert(file, "%s", path);
        size_t n = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        try_all(bytes, n);
    }
    closedir(folder);
    cr_assert_gt(n_files, 3);
}
