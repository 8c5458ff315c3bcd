/* new_file_test.c - files that are there whole or not at all. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "interact.h"
#include "tools/common/new_file.h"

TestSuite(new_file, .init = enter_scratch, .fini = leave_scratch, .timeout = 10 * TEST_SECONDS);

/* Files whose names begin so. */
static size_t count_files(const char *start) {
    size_t n = 0;
    DIR *folder = opendir(".");
    for (const struct dirent *entry; (entry = readdir(folder));)
        n += entry->d_name[0] != '.' && strncmp(entry->d_name, start, strlen(start)) == 0;
    closedir(folder);
    return n;
}

static tfm_status write_new(const char *path, const char *text, bool keep, tfm_error *error) {
    tfm_new_file file;
    tfm_status status = tfm_new_file_open(&file, path, error);
    if (status != TFM_OK) return status;
    status = tfm_new_file_write(&file, text, strlen(text), error);
    tfm_status closed = tfm_new_file_close(&file, keep && status == TFM_OK, error);
    return status == TFM_OK ? closed : status;
}

static void expect_file(const char *name, const char *want) {
    char *text = read_text(name);
    cr_expect_str_eq(text, want);
    free(text);
}

Test(new_file, replaces_whole_or_not_at_all) {
    tfm_error error;
    cr_assert_eq(write_new("a", "first", true, &error), TFM_OK, "%s", error.message);
    expect_file("a", "first");
    cr_expect_eq(write_new("a", "second", false, &error), TFM_OK);
    expect_file("a", "first");
    cr_expect_eq(write_new("b", "never", false, &error), TFM_OK);
    cr_expect_eq(count_files(""), 1, "what is not kept leaves nothing");
    chmod("a", 0640);
    cr_assert_eq(symlink("a", "link"), 0);
    cr_expect_eq(write_new("link", "third", true, &error), TFM_OK, "%s", error.message);
    expect_file("a", "third");
    struct stat facts;
    cr_expect(lstat("link", &facts) == 0 && S_ISLNK(facts.st_mode), "a link stays one");
    cr_expect(stat("a", &facts) == 0 && (facts.st_mode & 07777) == 0640, "permissions stay");
    cr_expect_eq(count_files(""), 2);
}

Test(new_file, refuses) {
    tfm_error error;
    mkdir("folder", 0700);
    cr_expect_eq(write_new("folder", "x", true, &error), TFM_ERROR_IO);
    cr_expect(strstr(error.message, "folder: is a folder"), "%s", error.message);
    cr_expect_eq(write_new("no/such", "x", true, &error), TFM_ERROR_IO);
    cr_expect(strstr(error.message, "no/such: cannot create"), "%s", error.message);
    cr_expect_eq(write_new("/dev/null", "x", true, &error), TFM_OK, "%s", error.message);
    cr_assert_eq(symlink("nothing", "link"), 0);
    cr_expect_eq(write_new("link", "x", true, &error), TFM_ERROR_IO);
    cr_expect(strstr(error.message, "link: is a link to a file that is not there"), "%s", error.message);
    cr_expect_eq(write_new("/dev/full", "x", true, &error), TFM_ERROR_IO);
    cr_expect(strstr(error.message, "/dev/full: cannot write"), "%s", error.message);
}

/* What stdout goes to is written where it is: a new file of that name would take away what it has already. */
Test(new_file, where_stdout_goes) {
    tfm_error error;
    const int before = dup(STDOUT_FILENO), fd = open("out", O_CREAT | O_WRONLY, 0600);
    cr_assert(dup2(fd, STDOUT_FILENO) == STDOUT_FILENO && write(STDOUT_FILENO, "first ", 6) == 6);
    cr_assert_eq(symlink("/proc/self/fd/1", "link"), 0);
    const tfm_status status = write_new("link", "second ", true, &error);
    const tfm_status again = write_new("out", "third ", true, &error);
    cr_assert(write(STDOUT_FILENO, "last", 4) == 4 && dup2(before, STDOUT_FILENO) == STDOUT_FILENO);
    cr_expect(status == TFM_OK && again == TFM_OK, "%s", error.message);
    expect_file("out", "first second third last");
    close(before);
    close(fd);
}

/* What --attention had begun when the run failed is not there afterwards, and what was there before is. */
Test(new_file, of_a_run_that_fails) {
    write_text("map.html", "before");
    const char *const words[] = {"sh",
                                 "-c",
                                 "exec $TFM_EMULATOR \"$0\" \"$@\" >/dev/full",
                                 tfmrun_path(),
                                 shipped_model(),
                                 "--attention=map.html",
                                 "--num-beams=1",
                                 "Ein Hund.",
                                 NULL};
    outcome run = run_program(words, NULL);
    cr_expect_eq(run.code, 1);
    expect_file("map.html", "before");
    cr_expect_eq(count_files("map"), 1);
    free_outcome(&run);
}

/* The picture on the first page is what the program draws, on every machine. */
Test(new_file, picture_of_the_first_page) {
    char *kept = read_text(getenv("TFM_ATTENTION_PICTURE"));
    outcome r = RUN(NULL, getenv("TFM_MODEL"), "--attention", "map.svg",
                    "Ein Hund l\xC3\xA4uft mit einem Ball im Maul \xC3\xBC"
                    "ber die Wiese.");
    cr_assert_eq(r.code, 0, "%s", r.err);
    char *drawn = read_text("map.svg");
    cr_assert_str_eq(drawn, kept, "docs/attention.svg is another: draw it anew as this test does");
    free(drawn);
    free(kept);
    free_outcome(&r);
}
