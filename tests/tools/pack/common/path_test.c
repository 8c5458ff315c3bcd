/* path_test.c - names of files beside each other, and looking for them. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/tools/pack/files.h"
#include "tools/pack/common/path.h"

TestSuite(path, .timeout = 60);

Test(path, names) {
    cr_expect_str_eq(tfm_path_in("a/b", "c").text, "a/b/c");
    cr_expect_str_eq(tfm_path_folder("a/b/c").text, "a/b");
    cr_expect_str_eq(tfm_path_folder("c").text, ".");
    cr_expect_str_eq(tfm_path_folder("/c").text, "/");
    cr_expect(tfm_path_ends_with("a.bin", ".bin") && !tfm_path_ends_with("a.bin", "bun"));
    cr_expect(!tfm_path_ends_with(".bin", ".bin"), "nothing before it");
}

/* A path that is too long cannot be opened, however it is cut. */
Test(path, too_long) {
    char *folder = malloc(PATH_MAX + 100);
    cr_assert(folder);
    memset(folder, 'x', PATH_MAX + 99);
    folder[PATH_MAX + 99] = '\0';
    cr_expect_eq(strlen(tfm_path_of(folder).text), PATH_MAX);
    cr_expect_eq(strlen(tfm_path_in(folder, "name").text), PATH_MAX);
    folder[PATH_MAX + 50] = '/';
    cr_expect_eq(strlen(tfm_path_folder(folder).text), PATH_MAX);
    cr_expect(!tfm_path_has(folder, "name"));
    free(folder);
}

Test(path, search) {
    tfm_path found = tfm_path_of("untouched");
    char *folder = scratch_make();
    cr_expect_eq(tfm_path_search(folder, "", ".spm", &found), 0);
    cr_expect_eq(tfm_path_search(in(folder, "none"), "", ".spm", &found), 0);
    cr_expect_str_eq(found.text, "untouched");
    write_text_in(folder, "tok12.bin", "");
    write_text_in(folder, "tok.spm", "");
    cr_expect_eq(tfm_path_search(folder, "tok", ".bin", &found), 1);
    cr_expect_str_eq(found.text, in(folder, "tok12.bin"));
    write_text_in(folder, "tok13.bin", "");
    cr_expect_eq(tfm_path_search(folder, "tok", ".bin", &found), 2);
    cr_expect(tfm_path_has(folder, "tok.spm") && !tfm_path_has(folder, "none"));
    cr_assert_eq(mkdir(in(folder, "inside"), 0700), 0);
    cr_expect(!tfm_path_has(folder, "inside"), "a folder is no file");
    cr_assert_eq(rmdir(in(folder, "inside")), 0);
    scratch_remove(&folder);
}
