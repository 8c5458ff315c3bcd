/* first_look_test.c - a path where no checkpoint is: the message says what to do. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tools/pack/packed.h"
#include "tests/tools/pack/run_tfmpack.h"

TestSuite(first_look, .init = enter_scratch, .fini = leave_scratch);

static void expect(const char *make, const char *source, const char *reason) {
    cr_assert_eq(system(make), 0, "%s", make);
    outcome o = RUN_TFMPACK(source, "out.bin");
    cr_expect_eq(o.code, 1, "%s", source);
    cr_expect(strstr(o.err, reason), "'%s' is not in: %s", reason, o.err);
    free_outcome(&o);
}

Test(first_look, folders_and_files) {
    expect("mkdir a", "a", "a: is an empty folder");
    expect("mkdir -p b/.git", "b", "but for .git");
    expect("mkdir -p c/.git; touch c/README.md", "c", "git lfs pull");
    expect("touch c/tf_model.h5", "c", "c/tf_model.h5: is of weights of TensorFlow");
    expect("mkdir d; touch d/adapter_model.safetensors", "d", "merge it into its base model");
    expect("mkdir e; touch e/x.gguf", "e", "name the file: e/x.gguf");
    expect("mkdir -p f/checkpoint-5; echo {} >f/checkpoint-5/config.json", "f", "give one of them: f/checkpoint-5");
    expect("touch f/checkpoint-5/README.md", "f/checkpoint-5/README.md", "pytorch_model.bin: f/checkpoint-5");
    expect("touch opus-mt-de-en", "opus-mt-de-ne", "did you mean opus-mt-de-en?");
    expect("true", "f/chekpoint-5", "did you mean f/checkpoint-5?");
    expect("true", "nothing-like-it", "cannot be opened: No such file or directory\n");
    expect(
        "mkdir g; printf 'version https://git-lfs.github.com/spec/v1\\n' >g/model.safetensors; echo {} >g/config.json",
        "g", "is a Git LFS pointer");
}

static void expect_usage(outcome o, const char *reason) {
    cr_expect_eq(o.code, 2);
    cr_expect(strstr(o.err, reason), "'%s' is not in: %s", reason, o.err);
    free_outcome(&o);
}

/* What users of other programs type, and a model file where a checkpoint was due. */
Test(first_look, command_lines) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    outcome o = RUN_TFMPACK("-q", folder, "m.bin");
    free_outcome(&o);
    expect_usage(RUN_TFMPACK("m.bin"), "m.bin is a model file already: 'tfmrun m.bin' runs it");
    expect_usage(RUN_TFMPACK("--quantization", "int8_float16", "a", "b"), "of CTranslate2: here it is --dtype");
    expect_usage(RUN_TFMPACK("--output_dir", "b", "--model", "a"), "is the last argument: tfmpack SRC OUT.bin");
    expect_usage(RUN_TFMPACK("a", "--outtype", "q8_0"), "of llama.cpp: here it is --dtype");
    expect_usage(RUN_TFMPACK("--models", "model.npz"), "of Marian: the checkpoint is the first argument");
    expect_usage(RUN_TFMPACK("--weight-format", "int8"), "of Optimum: here it is --dtype");
    scratch_remove(&folder);
}
