/* optional_main.c - see optional_main.h. */
#include "optional_main.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *path_of(const char *name) {
    static char paths[8][1024];
    static unsigned next;
    const char *folder = getenv("TFM_SHARED");
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder ? folder : "TFM_SHARED", name);
    return path;
}

const char *shared_path(const char *name) {
    const char *path = path_of(name);
    cr_assert(access(path, R_OK) == 0, "%s cannot be read", path);
    return path;
}

int main(int argc, char **argv) {
    struct criterion_test_set *tests = criterion_initialize();
    int status = 0;
    if (access(path_of(optional_data), R_OK) != 0)
        printf("1..0 # SKIP %s is not part of the project and not in the folder of the option shared_dir\n",
               optional_data);
    else if (criterion_handle_args(argc, argv, true))
        status = !criterion_run_all_tests(tests);
    criterion_finalize(tests);
    return status;
}
