/* tfmpack.c - the command: checkpoint folders into model files, and a look into model files. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "converter_options.h"
#include "inspect.h"
#include "inspect_lines.h"
#include "simd/kernels.h"
#include "tools/common/options.h"
#include "tools/common/shell_completion.h"
#include "tools/common/shown.h"
#include "tools/pack/checkpoint/hf_folder.h"
#include "tools/pack/families/importer.h"

typedef struct settings {
    /* tfm_dtype; dtype: also DTYPE_AUTO; dtype_embed: what --dtype asks for if it is EMBED_AS_DTYPE */
    int dtype, dtype_embed;
    const char *license, *tokenizer;
    const char *metadata[32]; /* KEY=VALUE */
    size_t n_metadata;
    const char *shortlist, *chat_template;
    uint32_t shortlist_first, shortlist_best; /* shortlist_first: FIRST_BY_FORMAT if not given */
    double shortlist_threshold;
    bool tokenizer_only, force, report, json, quiet;
    bool verbose; /* --inspect */
    bool inspect, verify, export, list, help, version;
    int shell; /* tfm_shell: print its completions */
} settings;

/* In the order of tfm_dtype. */
static const char *const dtype_names[] = {"f32", "f16", "bf16", "int8", "int4", NULL};
static const char *const dtype_choices[] = {"f32", "f16", "bf16", "int8", "int4", "auto", NULL};
enum { EMBED_AS_DTYPE = -1, DTYPE_AUTO = 5 };
#define FIRST_BY_FORMAT UINT32_MAX

#define AT(member) offsetof(settings, member)

static tfm_status parse_metadata(void *user, const tfm_option *option, const char *what, const char *value,
                                 tfm_error *error) {
    (void)option;
    settings *chosen = user;
    if (chosen->n_metadata == sizeof chosen->metadata / sizeof *chosen->metadata)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: at most %zu of them", what, chosen->n_metadata);
    chosen->metadata[chosen->n_metadata++] = value;
    return tfm_pack_check_metadata(what, value, error);
}

static const tfm_option options[] = {
    {.kind = TFM_OPTION_GROUP, .name = "Packing"},
    {.kind = TFM_OPTION_CHOICE,
     .letter = 'd',
     .name = "dtype",
     .argument = "TYPE",
     .offset = AT(dtype),
     .choices = dtype_choices,
     .help = "Type of weight matrices: f32 (default), f16, bf16, int8 (a scale for each output) or int4 (a scale for "
             "32 inputs "
             "of an output); auto: the nearest to what most weights of SRC have. Norms, biases and position tables "
             "stay f32."},
    {.kind = TFM_OPTION_CHOICE,
     .name = "dtype-embed",
     .argument = "TYPE",
     .offset = AT(dtype_embed),
     .choices = dtype_names,
     .help = "Type of embeddings and of the vocabulary projection; if not given as --dtype, but int8 with int4."},
    {.kind = TFM_OPTION_FLAG,
     .name = "report",
     .offset = AT(report),
     .help = "Show for each matrix how far its values are from the checkpoint's."},
    {.kind = TFM_OPTION_STRING,
     .name = "license",
     .argument = "TEXT",
     .offset = AT(license),
     .help = "The weights' licence, to be kept in the file."},
    {.kind = TFM_OPTION_CUSTOM,
     .name = "metadata",
     .argument = "KEY=VALUE",
     .parse = parse_metadata,
     .help = "Something else to be kept in the file for people, as languages=de,en or source=https://...; may be "
             "repeated."},
    {.kind = TFM_OPTION_FLAG,
     .name = "tokenizer-only",
     .offset = AT(tokenizer_only),
     .help = "Pack only the tokenizer of SRC (a checkpoint folder, a GGUF file, or a .spm or .model file)."},
    {.kind = TFM_OPTION_STRING,
     .name = "tokenizer",
     .argument = "PATH",
     .offset = AT(tokenizer),
     .help = "Take the tokenizer from PATH, not from SRC: a folder with tokenizer files, a .spm or .model file, or a "
             "tokenizer "
             "of llama2.c (.bin); none: pack the weights without one."},
    {.kind = TFM_OPTION_STRING,
     .name = "shortlist",
     .argument = "FILE",
     .offset = AT(shortlist),
     .help = "Pack what FILE says about which target tokens a source token may become: a lexical table (lines 'target "
             "source "
             "probability'), a vocabulary map (source, tab, targets) or a list of tokens. tfmrun --shortlist uses it."},
    {.kind = TFM_OPTION_U32,
     .name = "shortlist-first",
     .argument = "N",
     .offset = AT(shortlist_first),
     .max = 1 << 24,
     .help = "Tokens with the N lowest ids are always allowed (default: 100 with a lexical table, else 0)."},
    {.kind = TFM_OPTION_U32,
     .name = "shortlist-best",
     .argument = "N",
     .offset = AT(shortlist_best),
     .min = 1,
     .max = 1 << 24,
     .help = "Most targets of a source token in a lexical table (default 100)."},
    {.kind = TFM_OPTION_DOUBLE,
     .name = "shortlist-threshold",
     .argument = "P",
     .offset = AT(shortlist_threshold),
     .max = 1,
     .help = "Leave out what a lexical table gives a probability of P or less (default 0)."},
    {.kind = TFM_OPTION_STRING,
     .name = "chat-template",
     .argument = "FILE",
     .offset = AT(chat_template),
     .help =
         "Pack the chat template in FILE instead of the checkpoint's own: how a conversation becomes a prompt, in the "
         "language of Jinja."},
    {.kind = TFM_OPTION_FLAG,
     .letter = 'f',
     .name = "force",
     .offset = AT(force),
     .help = "Replace OUT even if it is not a file that tfmpack wrote. A model file is replaced without being asked."},
    {.kind = TFM_OPTION_GROUP, .name = "Looking into a model file or a checkpoint"},
    {.kind = TFM_OPTION_FLAG,
     .letter = 'i',
     .name = "inspect",
     .offset = AT(inspect),
     .help = "Show what a model file is, or what a checkpoint would become if it were packed (nothing is written): "
             "family, size, tokenizer, options, notes, and a summary of tensors."},
    {.kind = TFM_OPTION_FLAG,
     .letter = 'v',
     .name = "verbose",
     .offset = AT(verbose),
     .help = "With --inspect: all values, and each tensor (type, shape, layout, size, hash)."},
    {.kind = TFM_OPTION_FLAG,
     .name = "verify",
     .offset = AT(verify),
     .help = "Check every byte of FILE against its hashes; name the first damaged part."},
    {.kind = TFM_OPTION_FLAG,
     .name = "export",
     .offset = AT(export),
     .help =
         "Write the tensors of FILE to OUT.safetensors, under the names and in the shapes of the checkpoint they came "
         "from."},
    {.kind = TFM_OPTION_GROUP, .name = "General"},
    {.kind = TFM_OPTION_FLAG,
     .letter = 'l',
     .name = "list",
     .offset = AT(list),
     .help = "List model families, checkpoint formats and types."},
    {.kind = TFM_OPTION_FLAG, .name = "json", .offset = AT(json), .help = "Results on standard output as JSON."},
    {.kind = TFM_OPTION_FLAG,
     .letter = 'q',
     .name = "quiet",
     .offset = AT(quiet),
     .help = "No summary, no notes, no progress bar; errors only."},
    {.kind = TFM_OPTION_CUSTOM,
     .name = "shell-completion",
     .argument = "SHELL",
     .help = "Print the script by which bash, zsh or fish completes these options.",
     .offset = AT(shell),
     .parse = tfm_parse_shell},
    {.kind = TFM_OPTION_FLAG, .letter = 'h', .name = "help", .offset = AT(help), .help = "Show this help."},
    {.kind = TFM_OPTION_FLAG,
     .letter = 'V',
     .name = "version",
     .offset = AT(version),
     .help = "Show the version and the instruction set of this processor."},
};
static const tfm_option_table table = {
    .options = options, .n = sizeof options / sizeof *options, .foreign = &tfm_pack_foreign_options};

/* ---- signals and progress ---- */

static volatile sig_atomic_t stop_signal;

static void on_signal(int number) { stop_signal = number; }

/* The work stops at its next report of progress and cleans up; end_by_signal then dies as the shell expects. */
static void catch_signals(void) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction old, action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
        sigemptyset(&action.sa_mask);
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) sigaction(signals[i], &action, NULL);
    }
}

static int end_by_signal(void) {
    int number = stop_signal;
    fflush(NULL);
    signal(number, SIG_DFL);
    raise(number);
    return 128 + number;
}

typedef struct work {
    const settings *settings;
    tfm_progress_bar bar;
    json_t *notes, *matrices; /* matrices: for --report */
} work;

static int on_progress(void *user, uint64_t done, uint64_t total) {
    work *w = user;
    if (!w->settings->quiet) tfm_progress_show(&w->bar, done, total);
    return stop_signal != 0;
}

static void on_note(void *user, const char *text) {
    work *w = user;
    const bool kept = w->settings->json || w->settings->inspect; /* they are part of the result */
    if (kept) json_array_append_new(w->notes, json_string(text));
    if (w->settings->quiet || kept) return;
    tfm_progress_end(&w->bar);
    tfm_note("%s", text);
}

static void on_rounded(void *user, const tfm_rounding *r) {
    work *w = user;
    json_array_append_new(w->matrices,
                          json_pack("{s:s, s:s, s:[I, I], s:f, s:f, s:I, s:f}", "name", r->name, "dtype",
                                    tfm_dtype_name(r->dtype), "shape", (json_int_t)r->n, (json_int_t)r->k, "max_error",
                                    r->max_error, "relative_error", r->relative_error, "worst_row",
                                    (json_int_t)r->worst_row, "worst_row_error", r->worst_row_error));
}

/* ---- output ---- */

static int print_json(json_t *object) {
    int failed = !object || json_dumpf(object, stdout, JSON_COMPACT) != 0 || fputc('\n', stdout) == EOF;
    json_decref(object);
    return failed ? tfm_complain("cannot write the result as JSON") : TFM_EXIT_OK;
}

static int fail(const work *w, const tfm_error *error) {
    (void)w;
    return stop_signal ? end_by_signal() : tfm_complain("%s", error->message);
}

/* What --report collected. The relative error is that of the whole matrix, then that of its worst row. */
static void print_report(const json_t *matrices) {
    size_t i;
    const json_t *m;
    printf("\n%-34s %-5s %14s %12s %12s %9s %12s\n", "matrix", "type", "shape", "largest", "relative", "worst row",
           "its relative");
    json_array_foreach(matrices, i, m) {
        const char *name, *dtype;
        json_int_t n, k, row;
        double largest, relative, of_row;
        char shape[48];
        json_unpack((json_t *)(uintptr_t)m, "{s:s, s:s, s:[I, I], s:f, s:f, s:I, s:f}", "name", &name, "dtype", &dtype,
                    "shape", &n, &k, "max_error", &largest, "relative_error", &relative, "worst_row", &row,
                    "worst_row_error", &of_row);
        snprintf(shape, sizeof shape, "%" JSON_INTEGER_FORMAT " x %" JSON_INTEGER_FORMAT, n, k);
        tfm_say(stdout, "%-34s %-5s %14s %12.4g %12.4g %9" JSON_INTEGER_FORMAT " %12.4g", name, dtype, shape, largest,
                relative, row, of_row);
    }
}

/* ---- commands ---- */

static void print_summary(const char *out, const tfm_pack_facts *facts, double seconds) {
    char bytes[40], parameters[40], embeddings[40] = "";
    tfm_grouped(facts->file_bytes, bytes, sizeof bytes);
    if (strcmp(facts->kind, "tokenizer") == 0) {
        tfm_say(stdout, "%s: tokenizer, %s bytes, %.2f s", out, bytes, seconds);
        return;
    }
    if (strcmp(facts->dtype, facts->dtype_embed) != 0)
        snprintf(embeddings, sizeof embeddings, " (embeddings in %s)", facts->dtype_embed);
    tfm_say(stdout, "%s: %s, %s parameters in %s%s, %s tokenizer, %s bytes, %.2f s", out, facts->family,
            tfm_grouped(facts->n_parameters, parameters, sizeof parameters), facts->dtype, embeddings,
            facts->has_tokenizer ? "with" : "without", bytes, seconds);
}

static int pack_summary(const work *w, const char *out, double seconds) {
    tfm_error error;
    tfm_file *file;
    tfm_pack_facts facts;
    if (w->settings->quiet && !w->settings->json && !w->settings->report) return TFM_EXIT_OK;
    if (tfm_file_open(&file, out, &error) != TFM_OK) return tfm_complain("%s", error.message);
    tfm_pack_get_facts(file, &facts);
    tfm_file_close(&file);
    if (w->settings->json) {
        json_t *summary = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:b, s:b, s:b, s:f, s:O}", "file", out,
                                    "kind", facts.kind, "family", facts.family, "dtype", facts.dtype, "dtype_embed",
                                    facts.dtype_embed, "bytes", (json_int_t)facts.file_bytes, "tensors",
                                    (json_int_t)facts.n_tensors, "parameters", (json_int_t)facts.n_parameters,
                                    "tokenizer", facts.has_tokenizer, "shortlist", facts.has_shortlist, "chat_template",
                                    facts.has_chat_template, "seconds", seconds, "notes", w->notes);
        if (w->settings->report) json_object_set(summary, "matrices", w->matrices);
        return print_json(summary);
    }
    if (!w->settings->quiet) print_summary(out, &facts, seconds);
    if (w->settings->report) print_report(w->matrices);
    return TFM_EXIT_OK;
}

static tfm_pack_request pack_request(work *w, const char *source, const char *out) {
    const settings *chosen = w->settings;
    return (tfm_pack_request){.source = source,
                              .out = out,
                              .license = chosen->license,
                              .metadata = chosen->metadata,
                              .n_metadata = chosen->n_metadata,
                              .tokenizer = chosen->tokenizer,
                              .dtype_auto = chosen->dtype == DTYPE_AUTO,
                              .tokenizer_only = chosen->tokenizer_only,
                              .chat_template = chosen->chat_template,
                              .force = chosen->force,
                              .shortlist = {.path = chosen->shortlist,
                                            .first = chosen->shortlist_first,
                                            .has_first = chosen->shortlist_first != FIRST_BY_FORMAT,
                                            .best = chosen->shortlist_best,
                                            .threshold = chosen->shortlist_threshold},
                              .options = {.dtype = chosen->dtype == DTYPE_AUTO ? TFM_F32 : (tfm_dtype)chosen->dtype,
                                          .dtype_embed = (tfm_dtype)chosen->dtype_embed,
                                          .has_dtype_embed = chosen->dtype_embed != EMBED_AS_DTYPE,
                                          .rounded = chosen->report ? on_rounded : NULL,
                                          .rounded_user = w,
                                          .progress = on_progress,
                                          .progress_user = w,
                                          .note = on_note,
                                          .note_user = w}};
}

static int run_pack(work *w, const char *source, const char *out) {
    const tfm_pack_request request = pack_request(w, source, out);
    tfm_error error;
    double start = tfm_seconds();
    w->bar.what = "packing";
    tfm_status status = tfm_pack(&request, &error);
    tfm_progress_end(&w->bar);
    return status != TFM_OK ? fail(w, &error) : pack_summary(w, out, tfm_seconds() - start);
}

static int inspect(const work *w, const tfm_model_view *view, const json_t *source) {
    const tfm_inspection inspection = {.verbose = w->settings->verbose, .source = source, .notes = w->notes};
    tfm_error error;
    tfm_status status = w->settings->json ? tfm_inspect_json(view, &inspection, stdout, &error)
                                          : tfm_inspect_text(view, &inspection, stdout, &error);
    return status != TFM_OK ? fail(w, &error) : TFM_EXIT_OK;
}

/* What a checkpoint would become; if it cannot be packed, what can be seen of it, and why. */
static int inspect_checkpoint(work *w, const char *path) {
    const tfm_pack_request request = pack_request(w, path, NULL);
    tfm_error error;
    tfm_writer *writer;
    tfm_model_view view = {0};
    json_t *source;
    tfm_status status = tfm_pack_outline(&request, &writer, &source, &error);
    if (status == TFM_OK) status = tfm_view_of_outline(&view, writer, path, &error);
    if (status != TFM_OK && source && !w->settings->json) tfm_inspect_checkpoint(path, source, stdout);
    int code = status == TFM_OK ? inspect(w, &view, source) : fail(w, &error);
    tfm_view_close(&view);
    tfm_writer_abort(&writer);
    json_decref(source);
    return code;
}

static int run_inspect(work *w, const char *path) {
    tfm_error error;
    tfm_file *file;
    tfm_model_view view = {0};
    if (!tfm_pack_is_model_file(path)) return inspect_checkpoint(w, path);
    tfm_status status = tfm_file_open(&file, path, &error);
    if (status == TFM_OK) status = tfm_view_of_file(&view, file, &error);
    int code = status == TFM_OK ? inspect(w, &view, NULL) : fail(w, &error);
    tfm_view_close(&view);
    tfm_file_close(&file);
    return code;
}

static int run_verify(work *w, const char *path) {
    tfm_error error = {0};
    tfm_file *file;
    uint64_t bytes = 0;
    double start = tfm_seconds();
    w->bar.what = "verifying";
    tfm_status status = tfm_file_open(&file, path, &error);
    if (status == TFM_OK) {
        bytes = tfm_file_length(file);
        status = tfm_file_verify(file, NULL, on_progress, w, &error);
    }
    tfm_file_close(&file);
    tfm_progress_end(&w->bar);
    if (stop_signal) return end_by_signal();
    double seconds = tfm_seconds() - start;
    if (w->settings->json) {
        int code = print_json(json_pack("{s:s, s:b, s:I, s:f, s:s?}", "file", path, "ok", status == TFM_OK, "bytes",
                                        (json_int_t)bytes, "seconds", seconds, "error",
                                        status != TFM_OK ? error.message : NULL));
        return code ? code : status != TFM_OK ? TFM_EXIT_FAILURE : TFM_EXIT_OK;
    }
    if (status != TFM_OK) return fail(w, &error);
    char text[40];
    if (!w->settings->quiet)
        tfm_say(stdout, "%s: good, %s bytes verified in %.2f s", path, tfm_grouped(bytes, text, sizeof text), seconds);
    return TFM_EXIT_OK;
}

static int run_export(work *w, const char *path, const char *out) {
    tfm_error error;
    tfm_file *file;
    tfm_pack_facts facts = {0};
    w->bar.what = "exporting";
    tfm_status status = tfm_file_open(&file, path, &error);
    if (status == TFM_OK) status = tfm_file_verify(file, NULL, NULL, NULL, &error); /* never hand on damaged weights */
    if (status == TFM_OK) status = tfm_export(file, out, w->settings->force, on_progress, w, &error);
    if (status == TFM_OK) tfm_pack_get_facts(file, &facts);
    tfm_file_close(&file);
    tfm_progress_end(&w->bar);
    if (status != TFM_OK) return fail(w, &error);
    if (strncmp(facts.dtype, "int", 3) == 0 || strncmp(facts.dtype_embed, "int", 3) == 0)
        on_note(
            w,
            "quantised matrices were written in f32: as the model computes with them, not as the checkpoint had them");
    if (w->settings->json)
        return print_json(json_pack("{s:s, s:s, s:O}", "file", path, "export", out, "notes", w->notes));
    return TFM_EXIT_OK;
}

static int run_list(const work *w) {
    if (!w->settings->json) {
        printf("Model families (model_type in config.json):\n");
        for (size_t i = 0; tfm_importers[i]; i++)
            printf("  %-10s %s\n", tfm_importers[i]->model_types, tfm_importers[i]->what);
        printf("Checkpoint formats:\n");
        for (size_t i = 0; tfm_hf_containers[i]; i++) printf("  %s\n", tfm_hf_containers[i]);
        for (size_t i = 0; tfm_foreign_formats[i]; i++)
            printf("  %-10s %s\n", tfm_foreign_formats[i]->name, tfm_foreign_formats[i]->what);
        printf("Types of weight matrices, embeddings and vocabulary projection:\n ");
        for (size_t i = 0; dtype_names[i]; i++) printf(" %s", dtype_names[i]);
        printf("\n");
        return TFM_EXIT_OK;
    }
    json_t *families = json_array(), *format_list = json_array(), *dtypes = json_array();
    for (size_t i = 0; tfm_importers[i]; i++)
        json_array_append_new(families, json_pack("{s:s, s:s, s:s}", "family", tfm_importers[i]->family, "model_types",
                                                  tfm_importers[i]->model_types, "what", tfm_importers[i]->what));
    for (size_t i = 0; tfm_hf_containers[i]; i++) json_array_append_new(format_list, json_string(tfm_hf_containers[i]));
    for (size_t i = 0; tfm_foreign_formats[i]; i++)
        json_array_append_new(format_list, json_string(tfm_foreign_formats[i]->name));
    for (size_t i = 0; dtype_names[i]; i++) json_array_append_new(dtypes, json_string(dtype_names[i]));
    return print_json(json_pack("{s:o, s:o, s:o}", "families", families, "formats", format_list, "dtypes", dtypes));
}

static int run_help(void) {
    char *text = tfm_options_help(&table, tfm_terminal_columns(STDOUT_FILENO));
    if (!text) return tfm_complain("out of memory");
    printf(
        "Usage: tfmpack [OPTION]... SRC OUT.bin\n"
        "       tfmpack [OPTION]... MODEL.bin OUT.bin\n"
        "       tfmpack --tokenizer-only SRC OUT.bin\n"
        "       tfmpack --inspect FILE|SRC | --verify FILE | --export FILE OUT.safetensors | --list\n"
        "Packs a checkpoint folder of Hugging Face transformers (config.json with model.safetensors, shards and\n"
        "their index, or pytorch_model.bin; tokenizer files beside it), a GGUF file or another format (--list) into\n"
        "one model file for tfmrun and libtfm. A model file is packed again in other types.\n"
        "SRC may also be the name of a model in the local cache of the Hugging Face hub: org/name.\n"
        "The same checkpoint and options give the same bytes. A run that fails or is interrupted leaves no file.\n"
        "\n%s\n"
        "Exit status: 0 if all is well, 1 on failure, 2 on wrong usage.\n"
        "\n"
        "Examples:\n"
        "  tfmpack opus-mt-de-en de-en.bin\n"
        "  tfmpack --dtype bf16 --license Apache-2.0 opus-mt-de-en de-en.bin\n"
        "  tfmpack --dtype int8 --report opus-mt-de-en de-en.bin\n"
        "  tfmpack --inspect opus-mt-de-en\n"
        "  tfmpack --inspect de-en.bin\n",
        text);
    free(text);
    return TFM_EXIT_OK;
}

static int run(const settings *chosen, char **arguments, size_t n) {
    int modes = chosen->inspect + chosen->verify + chosen->export + chosen->list + chosen->tokenizer_only;
    if (modes > 1)
        return tfm_complain_usage("only one of --inspect, --verify, --export, --list, --tokenizer-only makes sense");
    if (chosen->tokenizer && modes > 0) return tfm_complain_usage("--tokenizer needs a checkpoint to pack");
    if (chosen->chat_template && modes > 0) return tfm_complain_usage("--chat-template needs a checkpoint to pack");
    if (chosen->shortlist && modes > 0) return tfm_complain_usage("--shortlist needs a checkpoint to pack");
    size_t wanted = chosen->list ? 0 : chosen->inspect || chosen->verify ? 1 : 2;
    if (n == 1 && wanted == 2 && !chosen->export && !chosen->tokenizer_only && tfm_pack_is_model_file(arguments[0]))
        return tfm_complain_usage("missing operand: %s is a model file already: 'tfmrun %s' runs it, 'tfmpack "
                                  "--inspect %s' tells what it is, "
                                  "and with the name of a file to write it is packed again in another --dtype",
                                  arguments[0], arguments[0], arguments[0]);
    if (n != wanted) {
        static const char *const what[] = {"no file", "one FILE", "two names: what to read and what to write"};
        return tfm_complain_usage(n < wanted ? "missing operand: needs %s" : "too many operands: needs %s",
                                  what[wanted]);
    }
    work w = {
        .settings = chosen, .bar = {.min_bytes = (uint64_t)16 << 20}, .notes = json_array(), .matrices = json_array()};
    if (!w.notes || !w.matrices) return tfm_complain("out of memory");
    catch_signals();
    int code = chosen->list      ? run_list(&w)
               : chosen->inspect ? run_inspect(&w, arguments[0])
               : chosen->verify  ? run_verify(&w, arguments[0])
               : chosen->export  ? run_export(&w, arguments[0], arguments[1])
                                 : run_pack(&w, arguments[0], arguments[1]);
    json_decref(w.notes);
    json_decref(w.matrices);
    return code;
}

int main(int argc, char **argv) {
    settings chosen = {.dtype = TFM_F32,
                       .dtype_embed = EMBED_AS_DTYPE,
                       .shortlist_first = FIRST_BY_FORMAT,
                       .shortlist_best = TFM_SHORTLIST_BEST};
    tfm_error error;
    size_t n = 0;
    tfm_program("tfmpack");
    if (tfm_options_parse(&table, &chosen, NULL, argc, argv, &n, &error) != TFM_OK)
        return tfm_complain_usage("%s", error.message);
    int code;
    if (chosen.help)
        code = run_help();
    else if (chosen.shell)
        return tfm_print_completion(&table, NULL, "tfmpack", (tfm_shell)chosen.shell);
    else if (chosen.version)
        return tfm_print_version(NULL);
    else
        code = run(&chosen, argv + 1, n);
    return tfm_finish_output(code);
}
