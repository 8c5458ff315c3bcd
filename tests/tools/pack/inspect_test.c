/* inspect_test.c - --inspect: of a checkpoint what packing it would give, and nothing is written. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "packed.h"
#include "run_tfmpack.h"
#include "tests/support/data.h"

TestSuite(inspect, .init = enter_scratch, .fini = leave_scratch);

static json_t *inspected(const char *path) {
    outcome o = RUN_TFMPACK("--inspect", "--json", path);
    cr_assert_eq(o.code, 0, "%s: %s", path, o.err);
    json_t *object = json_loads(o.out, 0, NULL);
    cr_assert(object, "%s", o.out);
    free_outcome(&o);
    return object;
}

/* What only a file has, or only a checkpoint. */
static void drop_differences(json_t *object) {
    static const char *const names[] = {"file", "checkpoint", "source", "notes"};
    const char *name;
    json_t *value;
    size_t i;
    for (i = 0; i < sizeof names / sizeof *names; i++) json_object_del(object, names[i]);
    json_object_foreach(json_object_get(object, "sections"), name, value) {
        json_object_del(value, "offset");
        json_object_del(value, "hash");
    }
    json_array_foreach(json_object_get(object, "tensors"), i, value) {
        json_object_del(value, "offset");
        json_object_del(value, "hash");
    }
}

/* Of a checkpoint: all that the model file says which is made of it, down to its length. */
static void expect_same(const char *from) {
    outcome o = RUN_TFMPACK("-q", from, "packed.bin");
    cr_assert_eq(o.code, 0, "%s", o.err);
    free_outcome(&o);
    json_t *before = inspected(from), *after = inspected("packed.bin");
    cr_expect_str_eq(json_string_value(json_object_get(before, "checkpoint")), from);
    cr_expect(json_integer_value(json_object_get(json_object_get(before, "source"), "bytes")) > 0, "%s", from);
    drop_differences(before);
    drop_differences(after);
    cr_expect(json_equal(before, after), "%s", from);
    json_decref(before);
    json_decref(after);
    unlink("packed.bin");
}

Test(inspect, checkpoint_says_what_its_file_will) {
    expect_same(getenv("TFM_MODEL"));
    expect_same(golden_path("distilbert-seqcls"));
    expect_same(golden_path("llama"));
    expect_same(golden_path("mt5"));
}

Test(inspect, nothing_is_written) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    outcome first = RUN_TFMPACK("--list"); /* the files in which its output is caught are there from now on */
    const size_t here = count_files("."), there = count_files(folder);
    outcome o = RUN_TFMPACK("--inspect", folder);
    cr_expect_eq(o.code, 0, "%s", o.err);
    cr_expect(count_files(".") == here && count_files(folder) == there);
    free_outcome(&first);
    free_outcome(&o);
    scratch_remove(&folder);
}

static void expect_lines(outcome o, const char *const *lines, size_t n) {
    cr_expect_eq(o.code, 0, "%s", o.err);
    const char *at = o.out;
    for (size_t i = 0; i < n; i++) {
        const char *found = strstr(at, lines[i]);
        cr_expect(found, "'%s' is missing, or in another order:\n%s", lines[i], o.out);
        at = found ? found : at;
    }
    for (const char *line = o.out; *line; line += strcspn(line, "\n") + 1) {
        size_t columns = 0, n_line = strcspn(line, "\n");
        for (size_t i = 0; i < n_line; i++) columns += ((unsigned char)line[i] & 0xC0) != 0x80;
        /* the path is as long as it is */
        cr_expect(line == o.out || columns <= 80, "%zu columns: %.*s", columns, (int)n_line, line);
        cr_expect(n_line == 0 || line[n_line - 1] != ' ', "blanks at the end: %.*s", (int)n_line, line);
    }
    free_outcome(&o);
}

Test(inspect, in_an_order_for_people) {
    static const char *const lines[] = {": checkpoint (safetensors), 21.0 MiB\n",
                                        "  family         marian (encoder-decoder)\n",
                                        "  parameters     5,495,921\n",
                                        "  weights        5,495,921 F32 in 128 tensors\n",
                                        "  packed         f32 22.2 MiB, bf16",
                                        "  tokenizer      sentencepiece-unigram, 6,001 tokens (MarianTokenizer)\n",
                                        "\narchitecture\n",
                                        "                               encoder           decoder\n",
                                        "  n_layers                     3                 3\n",
                                        "\ngeneration\n",
                                        "  num_beams                    4\n",
                                        "\ntensors ",
                                        "  encoder.*.attention              18          791,040"};
    expect_lines(RUN_TFMPACK("--inspect", getenv("TFM_MODEL")), lines, sizeof lines / sizeof *lines);
    outcome o = RUN_TFMPACK("--inspect", getenv("TFM_MODEL"));
    const char *once = strstr(o.out, "\n  n_layers ");
    cr_expect(once && !strstr(once + 1, "\n  n_layers "), "%s", o.out);
    free_outcome(&o);
}

/* Keys that nobody obeys are named before packing, wrapped; --dtype says in which type. */
Test(inspect, notes_and_types) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    write_config(folder, &small,
                 ", \"first_key_of_a_stranger\": 1.5, \"second_key_of_a_stranger\": \"a value that is rather long\","
                 " \"third_key_of_a_stranger\": 7");
    static const char *const lines[] = {"\nnotes\n  - config.json: not known to this kind of model, and left out",
                                        "first_key_of_a_stranger = 1.5,", "third_key_of_a_stranger = 7"};
    expect_lines(RUN_TFMPACK("--inspect", folder), lines, sizeof lines / sizeof *lines);
    static const char *const types[] = {"int8, f32\n"};
    expect_lines(RUN_TFMPACK("--inspect", "--dtype", "int8", folder), types, 1);
    static const char *const verbose[] = {"\ntensors\n", "encoder.1.attention.qkv.weight   f32   36 x 12"};
    outcome o = RUN_TFMPACK("--inspect", "--verbose", folder);
    for (size_t i = 0; i < 2; i++) cr_expect(strstr(o.out, verbose[i]), "%s", o.out);
    free_outcome(&o);
    scratch_remove(&folder);
}

/* What cannot be packed is shown as far as it is known, and refused. */
Test(inspect, checkpoint_that_is_refused) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    packed_configure(folder, "{\"model_type\": \"rwkv\"}");
    outcome o = RUN_TFMPACK("--inspect", folder);
    cr_expect_eq(o.code, 1);
    cr_expect(strstr(o.out, ": checkpoint (safetensors)") && strstr(o.out, "rwkv") && strstr(o.out, "weights"), "%s",
              o.out);
    cr_expect(strstr(o.err, "model_type 'rwkv' is not supported"), "%s", o.err);
    free_outcome(&o);
    scratch_remove(&folder);
}

static void expect_tokenizer(const char *path, const char *type) {
    outcome o = RUN_TFMPACK("--inspect", path);
    cr_expect_eq(o.code, 0, "%s", o.err);
    cr_expect(strstr(o.out, "a tokenizer without a model") && strstr(o.out, type), "%s", o.out);
    free_outcome(&o);
}

/* A file of SentencePiece, and a GGUF file without tensors. */
Test(inspect, tokenizer_alone) {
    char path[1100];
    snprintf(path, sizeof path, "%s/source.spm", getenv("TFM_MODEL"));
    expect_tokenizer(path, "sentencepiece-unigram");
    const char *published = getenv("TFM_PUBLISHED"); /* beside the corpora of the fuzz targets */
    snprintf(path, sizeof path, "%.*s/../corpus/gguf/good-bpe-gpt-2", (int)(strrchr(published, '/') - published),
             published);
    expect_tokenizer(path, "bpe");
}
