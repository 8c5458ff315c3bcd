/* command_score.c - tfmeval bleu and tfmeval chrf: translations against references. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bleu.h"
#include "chrf.h"
#include "command.h"
#include "runtime/tfm.h"
#include "text_file.h"

enum { MAX_REFERENCES = 64 };

typedef struct settings {
    tfm_command_settings common;
    const char *references[MAX_REFERENCES];
    size_t n_references;
    const char *hypothesis;
    bool bleu, chrf, lowercase, json;
    uint32_t width;
    int tokenizer, smooth;
    double smooth_value; /* negative: the method's own */
    uint32_t char_order, word_order, beta;
    bool whitespace, eps_smoothing;
} settings;

static const settings defaults = {.hypothesis = "-",
                                  .width = 2,
                                  .tokenizer = TFM_TOKENIZE_13A,
                                  .smooth = TFM_SMOOTH_EXP,
                                  .smooth_value = -1,
                                  .char_order = 6,
                                  .beta = 2};

static const char *const tokenizer_names[] = {[TFM_TOKENIZE_13A] = "13a",
                                              [TFM_TOKENIZE_INTL] = "intl",
                                              [TFM_TOKENIZE_CHAR] = "char",
                                              [TFM_TOKENIZE_NONE] = "none",
                                              NULL};
static const char *const smooth_names[] = {[TFM_SMOOTH_NONE] = "none",
                                           [TFM_SMOOTH_FLOOR] = "floor",
                                           [TFM_SMOOTH_ADD_K] = "add-k",
                                           [TFM_SMOOTH_EXP] = "exp",
                                           NULL};

static tfm_status add_reference(void *user, const tfm_option *option, const char *what, const char *value,
                                tfm_error *error) {
    (void)option;
    settings *set = user;
    if (set->n_references == MAX_REFERENCES)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: more than %d references", what, MAX_REFERENCES);
    set->references[set->n_references++] = value;
    return TFM_OK;
}

#define AT(member) .offset = offsetof(settings, member)
/* Of both commands; bleu has more. */
static const tfm_option options[] = {
    {.kind = TFM_OPTION_GROUP, .name = "Texts"},
    {.kind = TFM_OPTION_CUSTOM,
     .letter = 'r',
     .name = "ref",
     .argument = "FILE",
     .parse = add_reference,
     .help = "Reference translations, one a line. Give it several times for several references."},
    {.kind = TFM_OPTION_STRING,
     .letter = 'i',
     .name = "hyp",
     .argument = "FILE",
     AT(hypothesis),
     .help = "Translations to be scored, one a line (default: -, standard input)."},
    {.kind = TFM_OPTION_FLAG, .name = "lowercase", AT(lowercase), .help = "Ignore case."},

    {.kind = TFM_OPTION_GROUP, .name = "Output"},
    {.kind = TFM_OPTION_U32,
     .letter = 'w',
     .name = "width",
     .argument = "N",
     .min = 0,
     .max = 15,
     AT(width),
     .help = "Digits after the point (default: 2)."},
    {.kind = TFM_OPTION_FLAG, .name = "json", AT(json), .help = "Print a JSON object a line."},
    {.kind = TFM_OPTION_FLAG,
     .letter = 'h',
     .name = "help",
     .offset = offsetof(settings, common.help),
     .help = "Print this help and exit."},

    {.kind = TFM_OPTION_GROUP, .name = "chrF"},
    {.kind = TFM_OPTION_U32,
     .name = "char-order",
     .argument = "N",
     .min = 1,
     .max = TFM_CHRF_MAX_ORDER,
     AT(char_order),
     .help = "Longest n-gram of characters (default: 6)."},
    {.kind = TFM_OPTION_U32,
     .name = "word-order",
     .argument = "N",
     .min = 0,
     .max = TFM_CHRF_MAX_ORDER,
     AT(word_order),
     .help = "Longest n-gram of words (default: 0; 2 is chrF++)."},
    {.kind = TFM_OPTION_U32,
     .name = "beta",
     .argument = "N",
     .min = 0,
     .max = 1000,
     AT(beta),
     .help = "How many times as much recall counts as precision (default: 2)."},
    {.kind = TFM_OPTION_FLAG, .name = "whitespace", AT(whitespace), .help = "Count white space as characters."},
    {.kind = TFM_OPTION_FLAG,
     .name = "eps-smoothing",
     AT(eps_smoothing),
     .help = "Average the F scores of all orders, as chrF++.py, NLTK and Moses do."},
};

static const tfm_option bleu_options[] = {
    {.kind = TFM_OPTION_FLAG, .name = "chrf", AT(chrf), .help = "Print chrF on a second line."},
    {.kind = TFM_OPTION_GROUP, .name = "BLEU"},
    {.kind = TFM_OPTION_CHOICE,
     .name = "tokenize",
     .choices = tokenizer_names,
     AT(tokenizer),
     .help = "How sentences are split into words (default: 13a)."},
    {.kind = TFM_OPTION_CHOICE,
     .name = "smooth",
     .choices = smooth_names,
     AT(smooth),
     .help = "What becomes of n-gram orders without a match (default: exp)."},
    {.kind = TFM_OPTION_DOUBLE,
     .name = "smooth-value",
     .argument = "X",
     .min = 0,
     .max = 1000,
     AT(smooth_value),
     .help = "Value for --smooth floor (default: 0.1) and add-k (default: 1)."},
};
static const tfm_option_table bleu_table = {.options = bleu_options, .n = sizeof bleu_options / sizeof *bleu_options};

const tfm_command tfm_bleu_page = {
    .usage = "bleu [OPTION]... --ref REF [--ref REF2]... --hyp HYP",
    .description = "Prints corpus BLEU, with a signature that says how it was computed. The figures are\n"
                   "those of sacreBLEU with the same signature.\n",
    .examples = "  tfmeval bleu --ref test.en --hyp out.en\n"
                "  tfmrun model.bin < test.de | tfmeval bleu --ref test.en --chrf\n",
    .options = {.options = options, .n = sizeof options / sizeof *options, .next = &bleu_table}};
const tfm_command tfm_chrf_page = {
    .usage = "chrf [OPTION]... --ref REF [--ref REF2]... --hyp HYP",
    .description = "Prints corpus chrF, with a signature that says how it was computed. The figures are\n"
                   "those of sacreBLEU with the same signature.\n",
    .examples = "  tfmeval chrf --ref test.en --hyp out.en\n"
                "  tfmeval chrf --word-order 2 --ref test.en --hyp out.en    # chrF++\n",
    .options = {.options = options, .n = sizeof options / sizeof *options}};

/* ---- reading and counting ---- */

typedef struct scorer {
    const settings *settings;
    tfm_chrf_options chrf_options;
    tfm_bleu_tokenizer *tokenizer;
    tfm_lowercase *lowercase;
    tfm_text_file files[1 + MAX_REFERENCES]; /* the hypotheses first */
    tfm_slice lines[1 + MAX_REFERENCES];
    tfm_slice prepared[1 + MAX_REFERENCES];
    tfm_text buffers[1 + MAX_REFERENCES];
    size_t n; /* files */
    uint64_t n_sentences, n_tokenized;
    tfm_bleu_stats bleu;
    tfm_chrf_stats chrf;
} scorer;

static tfm_status open_scorer(scorer *run, const settings *set, tfm_error *error) {
    run->settings = set;
    run->chrf_options =
        (tfm_chrf_options){set->char_order, set->word_order, set->beta, set->whitespace, set->eps_smoothing};
    run->n = 1 + set->n_references;
    for (size_t i = 0; i < run->n; i++) run->files[i].fd = -1;
    tfm_status status = tfm_bleu_tokenizer_create(&run->tokenizer, set->tokenizer, set->lowercase, error);
    if (status == TFM_OK) status = tfm_lowercase_create(&run->lowercase, error);
    for (size_t i = 0; status == TFM_OK && i < run->n; i++)
        status = tfm_text_file_open(&run->files[i], i ? set->references[i - 1] : set->hypothesis, error);
    return status;
}

static void close_scorer(scorer *run) {
    for (size_t i = 0; i < run->n; i++) {
        tfm_text_file_close(&run->files[i]);
        tfm_text_free(&run->buffers[i]);
    }
    tfm_bleu_tokenizer_free(&run->tokenizer);
    tfm_lowercase_free(&run->lowercase);
}

/* chrF takes sentences as they are, but for case and white space at the end. */
static tfm_status prepare_chrf(scorer *run, size_t i, tfm_error *error) {
    run->prepared[i] = tfm_trim_end(run->lines[i]);
    if (!run->settings->lowercase) return TFM_OK;
    run->buffers[i].size = 0;
    tfm_status status = tfm_lowercase_run(run->lowercase, run->prepared[i], &run->buffers[i], error);
    run->prepared[i] = (tfm_slice){run->buffers[i].data, run->buffers[i].size};
    return status;
}

static tfm_status prepare_bleu(scorer *run, size_t i, tfm_error *error) {
    tfm_status status = tfm_bleu_tokenizer_run(run->tokenizer, run->lines[i], &run->buffers[i], error);
    run->prepared[i] = (tfm_slice){run->buffers[i].data, run->buffers[i].size};
    return status;
}

static tfm_status add_sentence(scorer *run, tfm_error *error) {
    tfm_status status = TFM_OK;
    bool ok = true;
    const tfm_slice *p = run->prepared;
    if (run->settings->bleu) {
        for (size_t i = 0; status == TFM_OK && i < run->n; i++) status = prepare_bleu(run, i, error);
        ok = status == TFM_OK && tfm_bleu_add(&run->bleu, p[0], p + 1, run->n - 1);
    }
    if (ok && run->settings->chrf) {
        for (size_t i = 0; status == TFM_OK && i < run->n; i++) status = prepare_chrf(run, i, error);
        ok = status == TFM_OK && tfm_chrf_add(&run->chrf, &run->chrf_options, p[0], p + 1, run->n - 1);
    }
    if (status != TFM_OK) return status;
    return ok ? TFM_OK : tfm_no_memory(error, "%s:%" PRIu64, run->files[0].name, run->files[0].lines.number);
}

static bool ends_tokenized(tfm_slice line) {
    line = tfm_trim_end(line);
    return line.n >= 2 && line.data[line.n - 2] == ' ' && line.data[line.n - 1] == '.';
}

static tfm_status read_all(scorer *run, tfm_error *error) {
    for (;;) {
        bool end;
        tfm_status status = tfm_text_files_next(run->files, run->n, run->lines, &end, error);
        if (status != TFM_OK || end) return status;
        run->n_sentences++;
        run->n_tokenized += ends_tokenized(run->lines[0]);
        status = add_sentence(run, error);
        if (status != TFM_OK) return status;
    }
}

/* ---- printing ---- */

/* signature: the metric's own part. details is given up. */
static int print_score(const scorer *run, const char *name, double score, const char *signature, const char *verbose,
                       json_t *details) {
    char whole[256];
    snprintf(whole, sizeof whole, "nrefs:%zu|case:%s|%s|version:tfm-%s", run->n - 1,
             run->settings->lowercase ? "lc" : "mixed", signature, tfm_version());
    if (!run->settings->json) {
        json_decref(details);
        printf("%s|%s = %.*f%s%s\n", name, whole, (int)run->settings->width, score, *verbose ? " " : "", verbose);
        return TFM_EXIT_OK;
    }
    json_t *object = json_pack("{s:s, s:f, s:s, s:I}", "name", name, "score", score, "signature", whole, "sentences",
                               (json_int_t)run->n_sentences);
    bool ok = object && details && json_object_update(object, details) == 0 &&
              (*verbose == 0 || json_object_set_new(object, "verbose_score", json_string(verbose)) == 0) &&
              json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17)) == 0 && putchar('\n') != EOF;
    json_decref(object);
    json_decref(details);
    return ok ? TFM_EXIT_OK : tfm_complain("cannot write the result");
}

static double smooth_value(const settings *set) {
    if (set->smooth_value >= 0) return set->smooth_value;
    return set->smooth == TFM_SMOOTH_FLOOR ? 0.1 : 1;
}

static json_t *bleu_details(const tfm_bleu_stats *stats, const tfm_bleu_score *score) {
    const double *p = score->precisions;
    const uint64_t *c = stats->correct, *t = stats->total;
    return json_pack("{s:[ffff], s:[IIII], s:[IIII], s:f, s:f, s:I, s:I}", "precisions", p[0], p[1], p[2], p[3],
                     "correct", (json_int_t)c[0], (json_int_t)c[1], (json_int_t)c[2], (json_int_t)c[3], "total",
                     (json_int_t)t[0], (json_int_t)t[1], (json_int_t)t[2], (json_int_t)t[3], "bp",
                     score->brevity_penalty, "ratio", score->ratio, "hyp_len", (json_int_t)stats->hyp_len, "ref_len",
                     (json_int_t)stats->ref_len);
}

static int print_bleu(const scorer *run) {
    const settings *set = run->settings;
    tfm_bleu_score score = tfm_bleu_compute(&run->bleu, set->smooth, smooth_value(set));
    char signature[96], verbose[192], value[32] = "";
    if (set->smooth == TFM_SMOOTH_FLOOR || set->smooth == TFM_SMOOTH_ADD_K)
        snprintf(value, sizeof value, "[%.2f]", smooth_value(set));
    snprintf(signature, sizeof signature, "eff:no|tok:%s|smooth:%s%s", tokenizer_names[set->tokenizer],
             smooth_names[set->smooth], value);
    const double *p = score.precisions;
    snprintf(verbose, sizeof verbose,
             "%.1f/%.1f/%.1f/%.1f (BP = %.3f ratio = %.3f hyp_len = %" PRIu64 " ref_len = %" PRIu64 ")", p[0], p[1],
             p[2], p[3], score.brevity_penalty, score.ratio, run->bleu.hyp_len, run->bleu.ref_len);
    return print_score(run, "BLEU", score.score, signature, verbose, bleu_details(&run->bleu, &score));
}

static int print_chrf(const scorer *run) {
    const settings *set = run->settings;
    char signature[96], name[64];
    snprintf(signature, sizeof signature, "eff:%s|nc:%" PRIu32 "|nw:%" PRIu32 "|space:%s",
             set->eps_smoothing ? "no" : "yes", set->char_order, set->word_order, set->whitespace ? "yes" : "no");
    snprintf(name, sizeof name, "chrF%" PRIu32 "%.*s", set->beta, (int)set->word_order, "++++++++++++++++");
    return print_score(run, name, tfm_chrf_compute(&run->chrf, &run->chrf_options), signature, "", json_object());
}

static int print_all(const scorer *run) {
    if (run->n_tokenized >= 100)
        fprintf(stderr,
                "tfmeval: warning: %" PRIu64 " lines of %s end in \" .\"; scores of text that is already tokenized "
                "cannot be compared with others\n",
                run->n_tokenized, run->files[0].name);
    int code = run->settings->bleu ? print_bleu(run) : TFM_EXIT_OK;
    if (code == TFM_EXIT_OK && run->settings->chrf) code = print_chrf(run);
    return code == TFM_EXIT_OK ? tfm_command_end() : code;
}

static int run_scorer(const settings *set) {
    tfm_error error = {0};
    scorer *run = calloc(1, sizeof *run);
    if (!run) return tfm_complain("out of memory");
    tfm_status status = open_scorer(run, set, &error);
    if (status == TFM_OK) status = read_all(run, &error);
    if (status == TFM_OK && run->n_sentences == 0)
        status = tfm_fail(&error, TFM_ERROR_FORMAT, "%s: no lines, nothing to score", run->files[0].name);
    int code = status == TFM_OK ? print_all(run) : tfm_command_fail(&error);
    close_scorer(run);
    free(run);
    return code;
}

static int run(const tfm_command *command, settings *set, int argc, char **argv) {
    int code;
    if (!tfm_command_begin(command, &set->common, argc, argv, &code)) return code;
    if (set->n_references == 0) return tfm_complain_usage("%s: --ref is missing", argv[0]);
    size_t n_stdin = strcmp(set->hypothesis, "-") == 0;
    for (size_t i = 0; i < set->n_references; i++) n_stdin += strcmp(set->references[i], "-") == 0;
    if (n_stdin > 1) return tfm_complain_usage("%s: only one file can be stdin; is --hyp missing?", argv[0]);
    return run_scorer(set);
}

int tfm_command_bleu(int argc, char **argv) {
    settings set = defaults;
    set.bleu = true;
    return run(&tfm_bleu_page, &set, argc, argv);
}

int tfm_command_chrf(int argc, char **argv) {
    settings set = defaults;
    set.chrf = true;
    return run(&tfm_chrf_page, &set, argc, argv);
}
