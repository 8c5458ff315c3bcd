/* command_bench.c - tfmeval bench: a table of how fast a model runs on this machine. */
#include <stdio.h>

#include "bench.h"
#include "model_options.h"
#include "tools/common/shown.h"

typedef struct settings {
    tfm_model_command_settings base;
    uint32_t repeats;
} settings;

static const tfm_option options[] = {
    {.kind = TFM_OPTION_U32,
     .name = "repeats",
     .argument = "N",
     .min = 1,
     .max = TFM_BENCH_REPEATS,
     .offset = offsetof(settings, repeats),
     .help = "Times that each case is measured, after a first time that is not; the median counts (default: 5)."},
};

const tfm_command tfm_bench_page = {
    .usage = "bench [OPTION]... MODEL",
    .description = "Prints a Markdown table of how fast a model runs here: prompts (or inputs of an\n"
                   "encoder) of several lengths, and decoding with several outputs at the same time\n"
                   "and at several depths. The tokens mean nothing; the work is that of any text.\n"
                   "What does not fit the model is left out.\n",
    .examples = "  tfmeval bench model.bin --threads 4\n",
    .options = {.options = options, .n = sizeof options / sizeof *options, .next = &tfm_run_options},
    .n_arguments = 1};

static const tfm_bench_case cases[] = {
    {TFM_BENCH_INPUT, 1, 32},    {TFM_BENCH_INPUT, 1, 128},  {TFM_BENCH_INPUT, 1, 512},   {TFM_BENCH_INPUT, 1, 2048},
    {TFM_BENCH_INPUT, 16, 32},   {TFM_BENCH_INPUT, 16, 128}, {TFM_BENCH_DECODE, 1, 1},    {TFM_BENCH_DECODE, 4, 1},
    {TFM_BENCH_DECODE, 16, 1},   {TFM_BENCH_DECODE, 1, 256}, {TFM_BENCH_DECODE, 16, 256}, {TFM_BENCH_DECODE, 1, 1024},
    {TFM_BENCH_DECODE, 1, 4096},
};

static void print_head(const char *path, const tfm_bench *bench, const tfm_pool *pool, uint32_t repeats) {
    const tfm_model_info *info = &bench->info;
    tfm_say(stdout, "%s: %s, %s, %.2f million parameters, %.1f MB", path, info->family[0] ? info->family : "a model",
            info->dtype, (double)info->n_parameters / 1e6, (double)info->file_bytes / 1e6);
    printf("tfm %s, %s, %u thread%s; medians of %u, in brackets the least and the most\n\n", tfm_version(), info->isa,
           tfm_pool_threads(pool), tfm_pool_threads(pool) == 1 ? "" : "s", repeats);
    printf("| | at once | tokens before | tokens | tokens/s | ms |\n|---|---:|---:|---:|---:|---:|\n");
}

static void print_row(const tfm_bench *bench, const tfm_bench_case *c, const tfm_bench_time *t) {
    bool input = c->kind == TFM_BENCH_INPUT;
    double tokens = (double)c->batch * (input ? c->length : 1);
    const char *what = !input ? "decode" : bench->info.kind == TFM_KIND_DECODER ? "prompt" : "encode";
    printf("| %s | %u | %u | %.0f | %.1f | %.2f (%.2f-%.2f) |\n", what, c->batch, input ? 0 : c->length, tokens,
           tokens / t->median, 1e3 * t->median, 1e3 * t->least, 1e3 * t->most);
    fflush(stdout);
}

static tfm_status run(const char *path, const settings *set, tfm_opened *opened, tfm_bench *bench, tfm_error *error) {
    tfm_status status = tfm_opened_open(opened, path, &set->base.model, error);
    if (status == TFM_OK && opened->info.kind == TFM_KIND_TOKENIZER)
        status = tfm_fail(error, TFM_ERROR_STATE, "%s is a tokenizer: there is nothing to compute", path);
    if (status == TFM_OK)
        status = tfm_bench_open(bench, opened->model, opened->pool, set->base.model.batch_tokens, error);
    if (status != TFM_OK) return status;
    print_head(path, bench, opened->pool, set->repeats);
    for (size_t i = 0; i < sizeof cases / sizeof *cases && status == TFM_OK; i++) {
        tfm_bench_time time;
        bool decodes = opened->info.kind != TFM_KIND_ENCODER;
        if ((cases[i].kind == TFM_BENCH_DECODE && !decodes) || !tfm_bench_fits(bench, &cases[i])) continue;
        status = tfm_bench_run(bench, &cases[i], set->repeats, &time, error);
        if (status == TFM_OK) print_row(bench, &cases[i], &time);
    }
    return status;
}

int tfm_command_bench(int argc, char **argv) {
    settings set = {.base.model.batch_tokens = TFM_BATCH_TOKENS_DEFAULT, .repeats = 5};
    int code;
    if (!tfm_command_begin(&tfm_bench_page, &set.base.command, argc, argv, &code)) return code;
    tfm_error error = {0};
    tfm_opened opened = {0};
    tfm_bench bench = {0};
    tfm_status status = run(argv[1], &set, &opened, &bench, &error);
    code = status == TFM_OK ? tfm_command_end() : tfm_command_fail(&error);
    tfm_bench_close(&bench);
    tfm_opened_close(&opened);
    return code;
}
