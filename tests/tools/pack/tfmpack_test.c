/* tfmpack_test.c - tfmpack as a user types it: what it prints, its exit status, what it leaves behind. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "checkpoints.h"
#include "format/model_file.h"
#include "run_tfmpack.h"
#include "tests/support/tensor_values.h"
#include "tests/support/version.h"

TestSuite(command, .init = enter_scratch, .fini = leave_scratch, .timeout = 240);

/* Runs, checks the exit status and that out and err have these texts in them ("": must be empty). */
static void check_run(outcome o, int code, const char *out, const char *err) {
    cr_assert_eq(o.code, code, "exit status %d, not %d; out: %s; err: %s", o.code, code, o.out, o.err);
    cr_assert(*out ? strstr(o.out, out) != NULL : !*o.out, "stdout: %s", o.out);
    cr_assert(*err ? strstr(o.err, err) != NULL : !*o.err, "stderr: %s", o.err);
    free_outcome(&o);
}

static char *small_folder(void) {
    marian small = marian_default();
    return marian_folder(&small);
}

Test(command, help_version_usage) {
    check_run(RUN_TFMPACK("--help"), 0, "Usage: tfmpack", "");
    check_run(RUN_TFMPACK("-h"), 0, "--tokenizer-only", "");
    check_run(RUN_TFMPACK("--version"), 0, "tfmpack (tfm) " VERSION "\n", "");
    check_run(RUN_TFMPACK("--list"), 0, "marian", "");
    check_run(RUN_TFMPACK("a"), 2, "", "missing operand");
    check_run(RUN_TFMPACK("a", "b", "c"), 2, "", "too many operands");
    check_run(RUN_TFMPACK("--inspect"), 2, "", "missing operand");
    check_run(RUN_TFMPACK("--dtype", "f64", "a", "b"), 2, "", "f64");
    check_run(RUN_TFMPACK("--dtype-embed", "int2", "a", "b"), 2, "", "int2");
    check_run(RUN_TFMPACK("--no-such"), 2, "", "--help");
    check_run(RUN_TFMPACK("--inspect", "--verify", "a"), 2, "", "only one");
    check_run(RUN_TFMPACK("--metadata", "languages", "a", "b"), 2, "", "'languages' is not KEY=VALUE");
    check_run(RUN_TFMPACK("--metadata", "=de", "a", "b"), 2, "", "is not KEY=VALUE");
    check_run(RUN_TFMPACK("--metadata", "a b=de", "a", "b"), 2, "", "is not KEY=VALUE");
    check_run(RUN_TFMPACK("--metadata", "command=x", "a", "b"), 2, "", "tfmpack itself says what command is");
    check_run(RUN_TFMPACK("--metadata", "name=\xFF", "a", "b"), 2, "", "the value of name is not valid UTF-8");
}

Test(command, pack_inspect_verify_export) {
    char *folder = small_folder();
    const char *out = in(folder, "m.bin"), *st = in(folder, "back.safetensors");
    check_run(RUN_TFMPACK(folder, out), 0, "marian, ", "");
    check_run(RUN_TFMPACK("--quiet", "--license", "CC0-1.0", folder, out), 0, "", ""); /* replaces the model file */
    check_run(RUN_TFMPACK("--inspect", out), 0, "CC0-1.0", "");
    check_run(RUN_TFMPACK("--metadata", "languages=de,en", "--metadata=source=somewhere", folder, out), 0, "marian",
              "");
    check_run(RUN_TFMPACK("--inspect", out), 0, "languages                    de,en", "");
    check_run(RUN_TFMPACK("--inspect", out), 0, "somewhere", "");
    check_run(RUN_TFMPACK("--inspect", "--verbose", out), 0, "encoder.1.attention.qkv.weight   f32   36 x 12", "");
    check_run(RUN_TFMPACK("--verify", out), 0, "good", "");
    check_run(RUN_TFMPACK("--export", out, st), 0, "", "");
    tfm_safetensors *file;
    REQUIRE_OK(tfm_safetensors_open(&file, st, error));
    cr_assert(tfm_safetensors_find(file, "model.encoder.layers.1.self_attn.k_proj.weight"));
    tfm_safetensors_close(&file);
    check_run(RUN_TFMPACK("--", folder, out), 0, "marian", "");
    scratch_remove(&folder);
}

Test(command, json) {
    char *folder = small_folder();
    const char *out = in(folder, "m.bin");
    outcome o = RUN_TFMPACK("--json", "--dtype=bf16", folder, out);
    json_t *j = json_loads(o.out, 0, NULL);
    cr_assert_eq(o.code, 0, "%s", o.err);
    cr_assert_str_eq(json_string_value(json_object_get(j, "dtype")), "bf16");
    marian small = marian_default();
    model *m = model_marian(&small);
    uint64_t parameters = 0;
    for (size_t i = 0; i < m->n; i++) parameters += m->list[i].count;
    model_free(&m);
    cr_assert_eq((uint64_t)json_integer_value(json_object_get(j, "parameters")), parameters, "%s", o.out);
    cr_assert(json_is_false(json_object_get(j, "tokenizer")));
    json_decref(j);
    free_outcome(&o);
    o = RUN_TFMPACK("--inspect", "--json", out);
    j = json_loads(o.out, 0, NULL);
    cr_assert(j, "%s", o.out);
    const json_t *tensors = json_object_get(j, "tensors"), *first = json_array_get(tensors, 0);
    cr_assert_str_eq(json_string_value(json_object_get(first, "name")), "embed");
    cr_assert_str_eq(json_string_value(json_object_get(first, "dtype")), "bf16");
    cr_assert_str_eq(json_string_value(json_object_get(first, "layout")), "panels");
    cr_assert_eq(strlen(json_string_value(json_object_get(first, "hash"))), 16);
    const json_t *sections = json_object_get(j, "sections");
    const json_t *options = json_object_get(json_object_get(sections, "architecture"), "values");
    cr_assert_eq(json_integer_value(json_object_get(options, "d_model")), 12);
    json_decref(j);
    free_outcome(&o);
    check_run(RUN_TFMPACK("--json", "--verify", out), 0, "\"ok\":true", "");
    check_run(RUN_TFMPACK("--json", "--list"), 0, "\"safetensors\"", "");
    scratch_remove(&folder);
}

/* The types of layers and embeddings are chosen apart; the file, the summary and --inspect say which they are. */
Test(command, quantised) {
    static const struct {
        const char *dtype, *embed, *layers_get, *embed_gets;
    } cases[] = {{"int8", NULL, "int8", "int8"}, {"int4", NULL, "int4", "int8"}, {"int4", "int4", "int4", "int4"},
                 {"int8", "f32", "int8", "f32"}, {"f32", "int4", "f32", "int4"}, {"bf16", NULL, "bf16", "bf16"}};
    char *folder = small_folder();
    const char *out = in(folder, "m.bin");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        outcome o = cases[i].embed
                        ? RUN_TFMPACK("--json", "--dtype", cases[i].dtype, "--dtype-embed", cases[i].embed, folder, out)
                        : RUN_TFMPACK("--json", "--dtype", cases[i].dtype, folder, out);
        json_t *j = json_loads(o.out, 0, NULL);
        cr_assert_eq(o.code, 0, "%s", o.err);
        cr_assert_str_eq(json_string_value(json_object_get(j, "dtype")), cases[i].layers_get);
        cr_assert_str_eq(json_string_value(json_object_get(j, "dtype_embed")), cases[i].embed_gets);
        json_decref(j);
        free_outcome(&o);
        check_run(RUN_TFMPACK("--verify", out), 0, "good", "");
        tfm_file *file;
        REQUIRE_OK(tfm_file_open(&file, out, error));
        for (size_t k = 0; k < tfm_file_tensor_count(file); k++) {
            const tfm_tensor *t = tfm_file_tensor_at(file, k);
            const char *wanted = t->layout == TFM_LAYOUT_ROWS    ? "f32"
                                 : strcmp(t->name, "embed") == 0 ? cases[i].embed_gets
                                                                 : cases[i].layers_get;
            cr_assert_str_eq(tfm_dtype_name(t->dtype), wanted, "%s", t->name);
        }
        tfm_file_close(&file);
    }
    check_run(RUN_TFMPACK("--dtype", "int4", folder, out), 0, "in int4 (embeddings in int8)", "");
    check_run(RUN_TFMPACK("--inspect", out), 0, "matrices in int4, embeddings in int8", "");
    check_run(RUN_TFMPACK("--inspect", out), 0, "--dtype int4 --dtype-embed int8", "");
    check_run(RUN_TFMPACK("--list"), 0, "int8 int4", "");
    scratch_remove(&folder);
}

Test(command, report) {
    char *folder = small_folder();
    const char *out = in(folder, "m.bin");
    check_run(RUN_TFMPACK("--report", "--dtype", "int8", folder, out), 0, "encoder.0.attention.qkv.weight     int8 ",
              "");
    check_run(RUN_TFMPACK("--report", "--quiet", folder, out), 0, "embed ", "");
    outcome o = RUN_TFMPACK("--json", "--report", "--dtype", "int4", "--dtype-embed", "f32", folder, out);
    json_t *j = json_loads(o.out, 0, NULL), *matrices = json_object_get(j, "matrices"), *m;
    cr_assert_eq(o.code, 0, "%s", o.err);
    cr_assert_eq(json_array_size(matrices), 1 + 2 * 4 + 1 * 7, "%s", o.out);
    size_t i;
    json_array_foreach(matrices, i, m) {
        double relative = json_real_value(json_object_get(m, "relative_error"));
        double largest = json_real_value(json_object_get(m, "max_error"));
        double worst = json_real_value(json_object_get(m, "worst_row_error"));
        bool exact = strcmp(json_string_value(json_object_get(m, "dtype")), "f32") == 0;
        cr_assert_eq(exact, strcmp(json_string_value(json_object_get(m, "name")), "embed") == 0);
        if (exact)
            cr_assert(relative == 0 && largest == 0 && worst == 0);
        else
            cr_assert(relative > 0.01 && relative < 0.15 && worst >= relative && worst < 0.4 && largest > 0);
        json_int_t row = json_integer_value(json_object_get(m, "worst_row"));
        cr_assert(row >= 0 && row < json_integer_value(json_array_get(json_object_get(m, "shape"), 0)));
    }
    json_decref(j);
    free_outcome(&o);
    scratch_remove(&folder);
}

/* A quantised file is exported as the model computes with it: in f32, near the checkpoint. */
Test(command, export_of_quantised_weights) {
    char *folder = small_folder();
    const char *out = in(folder, "m.bin"), *st = in(folder, "back.safetensors");
    marian small = marian_default();
    model *m = model_marian(&small);
    check_run(RUN_TFMPACK("-q", "--dtype", "int8", folder, out), 0, "", "");
    check_run(RUN_TFMPACK("--export", out, st), 0, "", "quantised matrices were written in f32");
    check_run(RUN_TFMPACK("--json", "--export", out, st), 0, "\"notes\":[\"quantised", "");
    tfm_safetensors *file;
    REQUIRE_OK(tfm_safetensors_open(&file, st, error));
    for (size_t i = 0; i < m->n; i++) {
        const tfm_st_tensor *back;
        float *values, largest = 0;
        REQUIRE_OK(load_tensor_f32(file, m->list[i].name, &values, &back, error));
        cr_assert(back->dtype == TFM_ST_F32 && back->count == m->list[i].count, "%s", m->list[i].name);
        for (uint64_t k = 0; k < back->count; k++) largest = fmaxf(largest, fabsf(m->list[i].values[k]));
        bool matrix = m->list[i].rank == 2 && m->list[i].shape[0] > 1;
        for (uint64_t k = 0; k < back->count; k++)
            cr_assert(fabsf(values[k] - m->list[i].values[k]) <= (matrix ? largest / 250 : 0), "%s", m->list[i].name);
        free(values);
    }
    tfm_safetensors_close(&file);
    model_free(&m);
    scratch_remove(&folder);
}

Test(command, failures) {
    char *folder = small_folder();
    const char *out = in(folder, "m.bin"), *other = in(folder, "other");
    check_run(RUN_TFMPACK(in(folder, "none"), out), 1, "", "none");
    check_run(RUN_TFMPACK(folder, in(folder, "none/m.bin")), 1, "", "none/m.bin");
    check_run(RUN_TFMPACK(folder, folder), 1, "", "is a folder");
    check_run(RUN_TFMPACK("--inspect", in(folder, "config.json")), 1, "", "config.json");
    check_run(RUN_TFMPACK("--verify", in(folder, "none")), 1, "", "none");
    check_run(RUN_TFMPACK("--tokenizer-only", folder, out), 1, "", folder);
    write_file(other, "my notes", 8);
    check_run(RUN_TFMPACK(folder, other), 1, "", "--force");
    check_run(RUN_TFMPACK(folder, in(folder, "model.safetensors")), 1, "", "not a model file");
    check_run(RUN_TFMPACK(in(folder, "model.safetensors"), in(folder, "model.safetensors")), 1, "", "same file");
    check_run(RUN_TFMPACK("--force", in(folder, "model.safetensors"), in(folder, "model.safetensors")), 1, "",
              "same file");
    size_t n;
    char *data = read_file(other, &n);
    cr_assert(n == 8 && memcmp(data, "my notes", 8) == 0);
    free(data);
    check_run(RUN_TFMPACK("--force", folder, other), 0, "marian", "");
    check_run(RUN_TFMPACK("--export", other, in(folder, "config.json")), 1, "", "--force");
    check_run(RUN_TFMPACK("--export", other, in(folder, "none/x")), 1, "", "none/x");
    cr_assert_eq(count_files(folder), 3);
    scratch_remove(&folder);
}

/* ---- what is opened ---- */

#define POINTER "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"

/* Files of a checkpoint folder, and of the folder of another format. */
static const char *const names_in_folders[] = {"config.json",    "generation_config.json", "model.safetensors",
                                               "tokenizer.json", "tokenizer_config.json",  "chat_template.jinja"};
static const char *const names_of_files[] = {"m.safetensors", "m.gguf", "m.npz", "m.bin", "m.spm", "pytorch_model.bin"};

static void expect_named(const char *source, const char *name, const char *reason) {
    outcome o = RUN_TFMPACK("-q", source, "out.bin");
    cr_expect_eq(o.code, 1, "%s: exit status %d", name, o.code);
    const char *found = strstr(o.err, name);
    cr_expect(found && strstr(found, reason), "%s: %s", name, o.err);
    cr_expect_neq(access("out.bin", F_OK), 0, "%s", name);
    free_outcome(&o);
}

/* Puts something else in the place of a file of a folder that is else in order. */
static void expect_named_in_folder(const char *name, void (*put_there)(const char *path), const char *reason) {
    char *folder = small_folder();
    unlink(in(folder, name));
    put_there(in(folder, name));
    expect_named(folder, name, reason);
    scratch_remove(&folder);
}

static void put_pipe(const char *path) { cr_assert_eq(mkfifo(path, 0600), 0); }
static void put_pointer(const char *path) { write_file(path, POINTER, strlen(POINTER)); }
static void put_dangling_link(const char *path) { cr_assert_eq(symlink("../../blobs/none", path), 0); }

Test(command, opens_regular_files_only) {
    for (size_t i = 0; i < sizeof names_in_folders / sizeof *names_in_folders; i++) {
        expect_named_in_folder(names_in_folders[i], put_pipe, ": is a pipe, not a regular file");
        expect_named_in_folder(names_in_folders[i], put_pointer, ": is a Git LFS pointer, not the file itself");
        expect_named_in_folder(names_in_folders[i], put_dangling_link, ": cannot be opened: No such file");
    }
    for (size_t i = 0; i < sizeof names_of_files / sizeof *names_of_files; i++) {
        put_pipe(names_of_files[i]);
        expect_named(names_of_files[i], names_of_files[i], ": is a pipe, not a regular file");
        unlink(names_of_files[i]);
        put_pointer(names_of_files[i]);
        expect_named(names_of_files[i], names_of_files[i], ": is a Git LFS pointer, not the file itself");
        unlink(names_of_files[i]);
    }
    cr_assert_eq(mkdir("ct2", 0700), 0);
    put_pointer("ct2/model.bin");
    expect_named("ct2", "model.bin", ": is a Git LFS pointer, not the file itself");
    unlink("ct2/model.bin");
    put_pipe("ct2/model.bin");
    expect_named("ct2", "model.bin", ": is a pipe, not a regular file");
    check_run(RUN_TFMPACK("--inspect", "ct2/model.bin"), 1, "", "ct2/model.bin: is a pipe, not a regular file");
    unlink("ct2/model.bin");
}

/* tfmpack SOURCE /dev/stdout > FILE would replace the link, and leave FILE empty. */
Test(command, output_is_no_open_file) {
    char *folder = small_folder();
    cr_assert_eq(symlink("/proc/self/fd/1", "link"), 0);
    const char *const words[] = {
        "sh",   "-c", "exec $TFM_EMULATOR \"$0\" \"$@\" >file", getenv("TFM_PACK_TOOL"), "-q", "-f", folder,
        "link", NULL};
    check_run(run_program(words, NULL), 1, "", "link: leads to what a process has open (/proc/self/fd/1)");
    struct stat facts;
    cr_expect(lstat("link", &facts) == 0 && S_ISLNK(facts.st_mode), "the link is still a link");
    scratch_remove(&folder);
}

Test(command, damage_is_found) {
    char *folder = small_folder();
    const char *out = in(folder, "m.bin");
    check_run(RUN_TFMPACK("-q", folder, out), 0, "", "");
    size_t n;
    char *data = read_file(out, &n);
    data[4096 + 40] ^= 4; /* the embedding begins at the second page or in the first */
    write_file(out, data, n);
    free(data);
    check_run(RUN_TFMPACK("--verify", out), 1, "", "m.bin");
    check_run(RUN_TFMPACK("--verify", "--json", out), 1, "\"ok\":false", "");
    check_run(RUN_TFMPACK("--export", out, in(folder, "x.safetensors")), 1, "", "m.bin");
    cr_assert_eq(count_files(folder), 3);
    scratch_remove(&folder);
}

Test(command, same_input_same_bytes) {
    char *folder = small_folder();
    size_t n, k;
    check_run(RUN_TFMPACK("-q", folder, in(folder, "a.bin")), 0, "", "");
    check_run(RUN_TFMPACK("-q", folder, in(folder, "b.bin")), 0, "", "");
    char *a = read_file(in(folder, "a.bin"), &n), *b = read_file(in(folder, "b.bin"), &k);
    cr_assert(n == k && memcmp(a, b, n) == 0);
    cr_assert_null(memmem(a, n, folder, strlen(folder)), "an absolute path got into the file");
    free(a);
    free(b);
    scratch_remove(&folder);
}

/* An embedding of zeros that takes no space on disk but some time to pack. */
static char *slow_folder(uint64_t vocab, uint64_t d) {
    marian big = marian_default();
    big.encoder_layers = big.decoder_layers = 0;
    big.vocab = big.decoder_vocab = vocab;
    big.d = d;
    big.encoder_heads = big.decoder_heads = 1;
    char *folder = scratch_make();
    const uint64_t shape[] = {vocab, d};
    buffer b = {0};
    char *header;
    write_config(folder, &big, NULL);
    uint64_t bytes = shape[0] * shape[1] * 4;
    int length =
        asprintf(&header, "{\"model.shared.weight\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[0,%llu]}}",
                 (int)vocab, (int)d, (unsigned long long)bytes);
    cr_assert(length > 0);
    put_number(&b, (uint64_t)length, 8);
    put(&b, header, (size_t)length);
    write_file(in(folder, "model.safetensors"), b.data, b.n);
    cr_assert(truncate(in(folder, "model.safetensors"), (off_t)(b.n + bytes)) == 0);
    buffer_free(&b);
    free(header);
    return folder;
}

/* A run that is stopped dies of the signal and leaves nothing; one that was faster leaves a whole file. */
Test(command, interrupted_runs_leave_nothing) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGKILL};
    char *folder = slow_folder(60000, 128);
    const char *out = in(folder, "m.bin");
    for (size_t i = 0; i < 4; i++) {
        bool stopped = false;
        signal(signals[i], SIG_DFL); /* nohup, say, hands on an ignored SIGHUP */
        for (long wait = 5; !stopped && wait < 2000; wait += wait / 2) {
            dialog run = start_tfmpack((const char *const[]){folder, out, NULL});
            nanosleep(&(struct timespec){0, wait % 1000 * 1000000}, NULL);
            kill(run.child, signals[i]);
            const int code = end_dialog(&run);
            stopped = code == 128 + signals[i];
            cr_assert(stopped || code == 0, "exit status %d", code);
            cr_assert_eq(access(out, F_OK) == 0, !stopped);
            cr_assert_eq(count_files(folder), stopped ? 2 : 3, "a temporary file was left");
            if (!stopped) unlink(out);
        }
        cr_assert(stopped, "no run was slow enough for signal %d", signals[i]);
    }
    scratch_remove(&folder);
}
