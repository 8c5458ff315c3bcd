/* hub_cache_test.c - models in the cache of the Hugging Face hub, and their names. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/tools/pack/packed.h"
#include "tests/tools/pack/run_tfmpack.h"
#include "tools/pack/checkpoint/hub_cache.h"

TestSuite(hub_cache, .init = enter_scratch, .fini = leave_scratch);

static void shell(const char *command) { cr_assert_eq(system(command), 0, "%s", command); }

/* hub/models--some--model with a snapshot of links to blobs, as huggingface_hub makes it. */
static void make_cache(void) {
    marian small = marian_default();
    char *folder = marian_folder(&small), command[4096];
    snprintf(command, sizeof command,
             "set -e; m=hub/models--some--model; mkdir -p $m/blobs $m/refs $m/snapshots/abc123;"
             "cp '%s/config.json' $m/blobs/1; cp '%s/model.safetensors' $m/blobs/2;"
             "ln -s ../../blobs/1 $m/snapshots/abc123/config.json;"
             "ln -s ../../blobs/2 $m/snapshots/abc123/model.safetensors; printf abc123 > $m/refs/main",
             folder, folder);
    shell(command);
    scratch_remove(&folder);
}

static void expect_name(const char *source, const char *expected) {
    outcome o = RUN_TFMPACK("-q", source, "m.bin");
    cr_assert_eq(o.code, 0, "%s", o.err);
    tfm_file *file;
    REQUIRE_OK(tfm_file_open(&file, "m.bin", error));
    cr_expect_str_eq(tfm_table_string(tfm_file_table(file, "metadata"), "name", "(none)"), expected);
    tfm_file_close(&file);
    free_outcome(&o);
}

static void expect_refused(const char *source, const char *reason) {
    outcome o = RUN_TFMPACK("-q", source, "none.bin");
    cr_expect_eq(o.code, 1, "%s", source);
    cr_expect(strstr(o.err, reason), "%s: %s", source, o.err);
    cr_expect_neq(access("none.bin", F_OK), 0);
    free_outcome(&o);
}

Test(hub_cache, folder_snapshot_and_name) {
    make_cache();
    setenv("HF_HUB_CACHE", "hub", 1);
    expect_name("hub/models--some--model", "some/model");
    expect_name("hub/models--some--model/", "some/model");
    expect_name("hub/models--some--model/snapshots/abc123", "some/model");
    expect_name("some/model", "some/model");
    outcome o = RUN_TFMPACK("--inspect", "some/model");
    cr_expect(strstr(o.out, "  name           some/model\n"), "%s", o.out);
    free_outcome(&o);
    o = RUN_TFMPACK("-q", "--metadata", "name=mine", "some/model", "m.bin");
    free_outcome(&o);
    o = RUN_TFMPACK("--inspect", "m.bin");
    cr_expect(strstr(o.out, "  name           mine\n"), "%s", o.out);
    free_outcome(&o);
}

Test(hub_cache, where_it_is) {
    make_cache();
    shell("mkdir -p home/.cache/huggingface && ln -s \"$PWD/hub\" home/.cache/huggingface/hub");
    unsetenv("HF_HUB_CACHE");
    unsetenv("HUGGINGFACE_HUB_CACHE");
    unsetenv("XDG_CACHE_HOME");
    setenv("HF_HOME", ".", 1);
    expect_name("some/model", "some/model");
    unsetenv("HF_HOME");
    setenv("HOME", "home", 1);
    expect_name("some/model", "some/model");
    setenv("HF_HUB_CACHE", "elsewhere", 1);
    expect_refused("some/model", "no such model in elsewhere");
    expect_refused("some/model", "hf download some/model");
    shell("mkdir some"); /* a path of the name goes first */
    shell("mkdir some/model");
    expect_refused("some/model", "some/model: is an empty folder");
}

Test(hub_cache, which_snapshot) {
    make_cache();
    shell("cd hub/models--some--model && rm refs/main");
    expect_name("hub/models--some--model", "some/model");
    shell("cd hub/models--some--model && cp -a snapshots/abc123 snapshots/def456");
    expect_refused("hub/models--some--model", "has 2 snapshots, and no refs/main");
    expect_refused("hub/models--some--model", "abc123, def456");
    shell("cd hub/models--some--model && printf 'def456\\n' > refs/main");
    expect_name("hub/models--some--model", "some/model");
    shell("cd hub/models--some--model && printf gone > refs/main");
    expect_refused("hub/models--some--model", "snapshots/gone: is not there, though");
    shell("cd hub/models--some--model && printf ../../x > refs/main");
    expect_refused("hub/models--some--model", "does not name a snapshot");
    shell("cd hub/models--some--model && rm -r refs snapshots/*");
    expect_refused("hub/models--some--model", "without a snapshot");
}

/* The configuration's own name counts where it is one and no path. */
Test(hub_cache, name_in_config) {
    static const struct {
        const char *value, *name;
    } cases[] = {{"org/a-model_1.5", "org/a-model_1.5"},
                 {"/data/model", "(none)"},
                 {"./out/x", "(none)"},
                 {"out/x/y", "(none)"},
                 {"", "(none)"},
                 {"gpt2", "(none)"}};
    marian small = marian_default();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = marian_folder(&small), extra[100];
        snprintf(extra, sizeof extra, ", \"_name_or_path\": \"%s\"", cases[i].value);
        write_config(folder, &small, extra);
        expect_name(folder, cases[i].name);
        scratch_remove(&folder);
    }
    cr_expect(tfm_hub_is_name("a/b") && !tfm_hub_is_name("a") && !tfm_hub_is_name("a/") && !tfm_hub_is_name("../b"));
}
