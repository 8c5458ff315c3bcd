/* example_test.c - the worked example of docs/format.md and the files kept in corpus/model_reader are what the writer
 * writes.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_files.h"
#include "tests/support/require.h"

/* The bytes as the page shows them: 16 a line; a run of lines of zeros is one line "*". */
static char *hex_of(const image *im) {
    char *text;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    bool skipping = false;
    for (size_t at = 0; at < im->n; at += 16) {
        if (at != 0 && at + 16 < im->n && tfm_all_zero(im->data + at, 16)) {
            if (!skipping) fputs("*\n", out);
            skipping = true;
            continue;
        }
        skipping = false;
        fprintf(out, "%04zx ", at);
        for (size_t i = 0; i < 16; i++) fprintf(out, " %02x", im->data[at + i]);
        fputc('\n', out);
    }
    fclose(out);
    return text;
}

Test(example, is_that_of_the_specification) {
    image im = example_image();
    REQUIRE_OK(image_check(&im, true, error));
    cr_assert_eq(im.n % 64, 0);
    char *hex = hex_of(&im);
    image page = image_read(TFM_FORMAT_PAGE);
    page.data[page.n] = '\0';
    cr_assert(strstr((const char *)page.data, hex), "%s should contain\n%s", TFM_FORMAT_PAGE, hex);
    free(hex);
    image_free(&page);
    image_free(&im);
}

/* Files of version 1 that were written once and must be readable, and be written the same, for ever. */
Test(example, kept_files) {
    static const struct {
        const char *path;
        image (*make)(void);
    } files[] = {{TFM_FORMAT_CORPUS "/example.bin", example_image}, {TFM_FORMAT_CORPUS "/sample.bin", sample_image}};
    for (size_t i = 0; i < 2; i++) {
        tfm_file *file;
        REQUIRE_OK(tfm_file_open(&file, files[i].path, error));
        REQUIRE_OK(tfm_file_verify(file, NULL, NULL, NULL, error));
        tfm_file_close(&file);
        image kept = image_read(files[i].path), made = files[i].make();
        cr_assert_eq(kept.n, made.n);
        cr_assert_arr_eq(kept.data, made.data, kept.n);
        image_free(&kept);
        image_free(&made);
    }
}
