/*
 * same_bits_test.c - the same bits on every instruction set, with any number of threads, alone or in a batch, whole or
 * token by token.
 *
 * usage: same_bits CHECKPOINT [MODEL]...
 *
 * MODEL is CHECKPOINT packed; models of random weights are made here, and some golden checkpoints are packed. Logits of
 * some sentences are hashed in every way they can be computed; all hashes must equal the one stored here, so that other
 * machines are held to the same bits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/hash.h"
#include "multi30k_results.h"
#include "runtime/model/model.h"
#include "tests/support/data.h"
#include "tests/support/outputs.h"
#include "tests/support/tap.h"
#include "tests/support/tiny_model.h"
#include "tools/pack/pack.h"

#define N_BATCH 64
#define N_TESTED 4
#define N_STEPS 5
#define N_LONGEST 20 /* tokens of a sentence */
#define N_GENERATED 6

static const struct known {
    const char *name;
    uint64_t logits, outputs, drawn; /* drawn 0: not tested */
} table[] = {
    {"random f32", 0x3b97aec5fecd933a, 0xf6624c9a4f0fb18a, 0xc9882e1435c4584f},
    {"random f16", 0x01092ec074d2bd32, 0x41bd5a10d88a4b6a, 0x9b8be829d67be6fc},
    {"random bf16", 0xdf0949b5bdd53cc8, 0xd051b9d2d1b3bacb, 0x26e0ddddc5496040},
    {"random decoder", 0x96f213d1f594c1ee, 0x4d5f1b4ee452047e, 0x89cba2df4acbab20},
    {"golden gptneox", 0xdba9061ade96ff64, 0xe3249d6d6f2b3221, 0xa662a55681495b27},
    {"golden gemma2 int8", 0xc4acf2c660b56c01, 0x15d08412071b849a, 0x3c8a4579ce0817cb},
    {"golden llama3 int4", 0xc80820a92e2cff83, 0x455b9b130dd48226, 0xe365cb9f897782ae},
    {"golden bert-mlm", 0x45f9abb5d0ef9552, 0, 0},
    {"golden bert-mlm bf16", 0x30b31d7a5cca93c9, 0, 0},
    {"golden bert-mlm int8", 0xe5cdafce76c9be8d, 0, 0},
    {"golden roberta-seqcls f16", 0x9fbd83d6956e96ea, 0, 0},
    {"golden marian", 0x311a0d3805917cbc, 0xd4b2c0da2bf27c21, 0xf27d921380c87379},
    {"golden marian-ptbin", 0x2641f827f4150317, 0x9aabe43af590afc9, 0xa02ed764ee645184},
    {"multi30k f32", 0x38cbe28b9146c627, 0x6596381ec8f8c91c, 0xc5e4488b1b858788},
    {"multi30k f16", 0xe4465cda61df0ec4, 0x844502628a257b64, 0},
    {"multi30k bf16", 0x63fcb6fe889e4d33, 0x842b7dd430dcbc83, 0},
    {"multi30k int8", 0x934f1d8315a62874, 0x116cdd0a7f1a192f, 0},
    {"multi30k int4", 0x400af63b876a514d, 0xe2f2e29184a5c1c0, 0},
};

/* What is run: the tested sentences are every sixteenth of the batch. */
typedef struct sentences {
    tfm_tokens sources[N_BATCH];
    int32_t targets[N_BATCH][N_STEPS];
    tfm_input inputs[N_BATCH];
} sentences;

typedef enum mode {
    WHOLE,
    STEPS,
    BATCH_WHOLE,
    BATCH_STEPS,
    FORKED,
    BEAMS,
    BATCH_BEAMS,
    DRAWN,
    BATCH_DRAWN,
    MODE_COUNT
} mode;
static const char *const mode_names[] = {"alone, whole",
                                         "alone, token by token",
                                         "in a batch of 64, whole",
                                         "in a batch of 64, token by token",
                                         "forked and reordered",
                                         "beam search alone",
                                         "beam search in a batch of 64",
                                         "drawn alone",
                                         "drawn in a batch of 64"};
#define BIT(mode) (1u << (mode))
#define ALL_MODES (BIT(MODE_COUNT) - 1)

/* Which modes run with how many threads: each mode with several numbers, but not all with all, which would take
 * minutes. */
typedef struct plan {
    unsigned n_threads, modes;
} plan;
#define MAX_PLANS 4

static const plan all_plans[MAX_PLANS] = {
    {1, ALL_MODES},
    {2, BIT(BATCH_WHOLE) | BIT(STEPS) | BIT(BATCH_BEAMS) | BIT(DRAWN)},
    {3, BIT(WHOLE) | BIT(BATCH_STEPS) | BIT(FORKED) | BIT(BEAMS)},
    {8, BIT(BATCH_WHOLE) | BIT(BATCH_STEPS) | BIT(BATCH_BEAMS) | BIT(BATCH_DRAWN)},
};
static const plan some_plans[MAX_PLANS] = {
    {1, BIT(WHOLE) | BIT(BEAMS) | BIT(DRAWN)},
    {3, BIT(STEPS) | BIT(BATCH_STEPS) | BIT(FORKED) | BIT(BATCH_DRAWN)},
};
/* The shipped model is a thousand times larger: in f32 and in others, on the best instruction set and on others. */
static const plan large_best[MAX_PLANS] = {
    {1, BIT(WHOLE) | BIT(STEPS) | BIT(BEAMS)},
    {2, BIT(BATCH_STEPS) | BIT(BATCH_DRAWN)},
    {3, BIT(FORKED) | BIT(BEAMS)},
    {8, BIT(STEPS)},
};
static const plan large_other[MAX_PLANS] = {{1, BIT(STEPS)}, {2, BIT(WHOLE) | BIT(BEAMS) | BIT(DRAWN)}};
static const plan encoder_plans[MAX_PLANS] = {
    {1, BIT(WHOLE) | BIT(BATCH_WHOLE)},
    {2, BIT(WHOLE)},
    {3, BIT(BATCH_WHOLE)},
};
static const plan half_best[MAX_PLANS] = {{1, BIT(STEPS)}, {2, BIT(WHOLE) | BIT(BEAMS)}};
static const plan half_other[MAX_PLANS] = {{2, BIT(WHOLE)}};

typedef struct bench {
    const char *name;
    sentences set;
    tfm_pool *pool;
    tfm_model *model;
    tfm_session *session;
    size_t vocab;
    float *logits; /* (N_TESTED, N_STEPS, vocab) */
    float *unused; /* (N_STEPS, vocab) of the other sentences */
    tfm_error error;
} bench;

static void must(bench *b, tfm_status status) {
    if (status != TFM_OK) tap_bail_out("%s: %s", b->name, b->error.message);
}

/* ---- logits ---- */

static float *row_of(bench *b, size_t sentence, size_t step) {
    bool tested = sentence % (N_BATCH / N_TESTED) == 0;
    float *logits = tested ? b->logits + sentence / (N_BATCH / N_TESTED) * N_STEPS * b->vocab : b->unused;
    return logits + step * b->vocab;
}

static bool encodes(const bench *b) { return b->model->arch.has_encoder; }

/* A decoder-only model reads sentences as prompts: all at once, or each token by token. */
static void read_prompts(bench *b, size_t first, size_t n, const tfm_span *sequences, bool whole) {
    tfm_span spans[N_BATCH];
    if (encodes(b)) return;
    for (size_t i = 0; i < n; i++) {
        const tfm_tokens *prompt = &b->set.sources[first + i];
        spans[i] = (tfm_span){.sequence = sequences[i].sequence, .ids = prompt->ids, .n = prompt->n};
        for (size_t t = 0; !whole && t < prompt->n; t++) {
            tfm_span one = {.sequence = sequences[i].sequence, .ids = prompt->ids + t, .n = 1};
            must(b, tfm_decode(b->session, &one, 1, &b->error));
        }
    }
    if (whole) must(b, tfm_decode(b->session, spans, n, &b->error));
}

/* Sentences first, first + 1, ... together. */
static void run_together(bench *b, size_t first, size_t n, bool whole) {
    int32_t sources[N_BATCH];
    tfm_span spans[N_BATCH];
    if (encodes(b)) must(b, tfm_encode(b->session, b->set.sources + first, n, sources, NULL, &b->error));
    for (size_t i = 0; i < n; i++) {
        if (!encodes(b)) sources[i] = -1;
        spans[i] = (tfm_span){.n = whole ? N_STEPS : 1, .all_logits = whole};
        must(b, tfm_sequence_new(b->session, sources[i], &spans[i].sequence, &b->error));
    }
    read_prompts(b, first, n, spans, whole);
    for (size_t step = 0; step < N_STEPS; step += spans[0].n) {
        for (size_t i = 0; i < n; i++) {
            spans[i].ids = b->set.targets[first + i] + step;
            spans[i].logits = row_of(b, first + i, step);
        }
        must(b, tfm_decode(b->session, spans, n, &b->error));
    }
    for (size_t i = 0; i < n; i++) {
        tfm_sequence_free(b->session, spans[i].sequence);
        tfm_source_free(b->session, sources[i]);
    }
}

/*
 * As beams do it: before every step the sequence is forked twice, one copy goes astray, the other takes the place of
 * the original, which goes too. The copies lie in other slots and pages from step to step.
 */
static void run_forked(bench *b, size_t sentence) {
    int32_t source = -1, sequence, astray, copy;
    if (encodes(b)) must(b, tfm_encode(b->session, &b->set.sources[sentence], 1, &source, NULL, &b->error));
    must(b, tfm_sequence_new(b->session, source, &sequence, &b->error));
    read_prompts(b, sentence, 1, &(tfm_span){.sequence = sequence}, true);
    for (size_t step = 0; step < N_STEPS; step++) {
        must(b, tfm_sequence_fork(b->session, sequence, &astray, &b->error));
        must(b, tfm_sequence_fork(b->session, sequence, &copy, &b->error));
        int32_t wrong = (int32_t)((size_t)(b->set.targets[sentence][step] + 1) % b->vocab);
        tfm_span spans[2] = {
            {.sequence = astray, .ids = &wrong, .n = 1},
            {.sequence = copy, .ids = &b->set.targets[sentence][step], .n = 1, .logits = row_of(b, sentence, step)}};
        must(b, tfm_decode(b->session, spans, 2, &b->error));
        tfm_sequence_free(b->session, sequence);
        tfm_sequence_free(b->session, astray);
        sequence = copy;
    }
    tfm_sequence_free(b->session, sequence);
    tfm_source_free(b->session, source);
}

/* States, embedding and scores of an encoder-only model, of as many sentences together as asked for. */
static void analyze(bench *b, size_t first, size_t n, float *results, size_t size) {
    tfm_model_info info = tfm_model_get_info(b->model);
    tfm_example examples[N_BATCH];
    tfm_embed_params params = {.size = sizeof params, .pooling = TFM_POOLING_MEAN, .normalize = true};
    for (size_t i = 0; i < n; i++) {
        float *at = results + (first + i) * size;
        examples[i] = (tfm_example){.ids = b->set.sources[first + i].ids, .n = b->set.sources[first + i].n};
        examples[i].embedding = at;
        examples[i].states = at += info.d_model;
        examples[i].scores = info.head != TFM_HEAD_NONE ? at + N_LONGEST * info.d_model : NULL;
    }
    must(b, tfm_analyze(b->session, examples, n, &params, NULL, &b->error));
}

static uint64_t hash_analysis(bench *b, bool batch) {
    tfm_model_info info = tfm_model_get_info(b->model);
    size_t size = info.d_model + N_LONGEST * ((size_t)info.d_model + info.n_outputs);
    float *results = calloc(N_BATCH * size, sizeof *results);
    if (!results) tap_bail_out("no memory");
    if (batch) analyze(b, 0, N_BATCH, results, size);
    for (size_t i = 0; i < N_TESTED; i++) {
        size_t sentence = i * (N_BATCH / N_TESTED);
        if (!batch) analyze(b, sentence, 1, results, size);
        memmove(results + i * size, results + sentence * size, size * sizeof *results);
    }
    uint64_t hash = tfm_hash_baseline(results, N_TESTED * size * sizeof *results);
    free(results);
    return hash;
}

static uint64_t hash_logits(bench *b, mode how) {
    if (b->model->arch.kind == TFM_KIND_ENCODER) return hash_analysis(b, how == BATCH_WHOLE);
    size_t size = N_TESTED * N_STEPS * b->vocab * sizeof *b->logits;
    memset(b->logits, 0xff, size);
    if (how == BATCH_WHOLE || how == BATCH_STEPS) run_together(b, 0, N_BATCH, how == BATCH_WHOLE);
    for (size_t i = 0; i < N_BATCH; i += N_BATCH / N_TESTED) {
        if (how == WHOLE || how == STEPS) run_together(b, i, 1, how == WHOLE);
        if (how == FORKED) run_forked(b, i);
    }
    return tfm_hash_baseline(b->logits, size);
}

/* ---- generation ---- */

static uint64_t hash_outputs(bench *b, bool batch, bool drawn) {
    tfm_generate_params params = tfm_generate_params_default(b->model);
    params.num_beams = drawn ? 1 : 3;
    params.num_return_sequences = 3;
    params.do_sample = drawn;
    params.temperature = 1.5;
    params.top_p = 0.95;
    params.min_p = 0.001;
    params.frequency_penalty = drawn ? 0.2 : 0;
    params.seed = 271828;
    params.max_new_tokens = N_GENERATED;
    params.no_repeat_ngram_size = 2;
    outputs *all = NULL, tested;
    tfm_input inputs[N_TESTED];
    for (size_t i = 0; i < N_TESTED; i++) inputs[i] = b->set.inputs[i * (N_BATCH / N_TESTED)];
    if (!batch) {
        must(b, outputs_generate_singly(b->session, inputs, N_TESTED, &params, &all, &b->error));
        uint64_t hash = outputs_hash(all);
        outputs_free(&all);
        return hash;
    }
    must(b, outputs_generate(b->session, b->set.inputs, N_BATCH, &params, &all, &b->error));
    output items[N_TESTED * 3];
    size_t counts[N_TESTED];
    tested = (outputs){.inputs = inputs, .n = N_TESTED, .n_each = 3, .items = items, .counts = counts};
    for (size_t i = 0; i < N_TESTED; i++) {
        counts[i] = all->counts[i * (N_BATCH / N_TESTED)];
        for (size_t j = 0; j < 3; j++) items[i * 3 + j] = *outputs_at(all, i * (N_BATCH / N_TESTED), j);
    }
    uint64_t hash = outputs_hash(&tested);
    outputs_free(&all);
    return hash;
}

/* ---- one model ---- */

static void check_mode(bench *b, const struct known *known, unsigned n_threads, mode how) {
    bool drawn = how == DRAWN || how == BATCH_DRAWN, chosen = drawn || how == BEAMS || how == BATCH_BEAMS;
    if (drawn && known->drawn == 0) return;
    uint64_t hash = chosen ? hash_outputs(b, how == BATCH_BEAMS || how == BATCH_DRAWN, drawn) : hash_logits(b, how);
    uint64_t expected = drawn ? known->drawn : chosen ? known->outputs : known->logits;
    if (!tap_ok(hash == expected, "%s: %s, %u thread%s, %s", b->name, tfm_model_get_info(b->model).isa, n_threads,
                n_threads > 1 ? "s" : "", mode_names[how]))
        tap_note("hash 0x%016llx, expected 0x%016llx", (unsigned long long)hash, (unsigned long long)expected);
}

static void check_with(bench *b, const char *path, const struct known *known, const char *isa, const plan *how) {
    tfm_model_params params = tfm_model_params_default();
    params.isa = isa;
    must(b, tfm_pool_create(&b->pool, how->n_threads, &b->error));
    must(b, tfm_model_open(&b->model, path, &params, &b->error));
    tfm_session_params session = {.size = sizeof session,
                                  .pool = b->pool,
                                  .max_sources = N_BATCH,
                                  .max_sequences = 3 * N_BATCH,
                                  .max_batch_tokens = 4096};
    must(b, tfm_session_create(&b->session, b->model, &session, &b->error));
    b->vocab = tfm_model_get_info(b->model).target_vocab_size;
    b->logits = calloc(N_TESTED * N_STEPS * b->vocab, sizeof *b->logits);
    b->unused = calloc(N_STEPS * b->vocab, sizeof *b->unused);
    if (!b->logits || !b->unused) tap_bail_out("no memory");
    for (int m = 0; m < MODE_COUNT; m++)
        if (how->modes & BIT(m)) check_mode(b, known, how->n_threads, (mode)m);
    free(b->logits);
    free(b->unused);
    tfm_session_free(&b->session);
    tfm_model_close(&b->model);
    tfm_pool_free(&b->pool);
}

static void check_model(bench *b, const char *path, const plan *best_plans, const plan *other_plans) {
    const struct known *known = NULL;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].name, b->name)) known = &table[i];
    if (!tap_ok(known != NULL, "%s: expected hashes are known", b->name)) return;
    const plan *plans = best_plans;
    const char *isa;
    bool usable;
    for (size_t i = 0; (isa = tfm_isa_list(i, &usable)); i++) {
        if (!usable) continue;
        for (size_t p = 0; p < MAX_PLANS && plans[p].n_threads; p++) check_with(b, path, known, isa, &plans[p]);
        plans = other_plans;
    }
}

/* ---- the models ---- */

static void random_sentences(bench *b, int32_t ids[N_BATCH][N_LONGEST], uint32_t source_vocab, uint32_t target_vocab,
                             size_t longest) {
    uint64_t random = 4711;
    for (size_t i = 0; i < N_BATCH; i++) {
        size_t n = 1 + tiny_random(&random) % longest;
        for (size_t j = 0; j < n; j++) ids[i][j] = (int32_t)(tiny_random(&random) % source_vocab);
        for (size_t j = 0; j < N_STEPS; j++) b->set.targets[i][j] = (int32_t)(tiny_random(&random) % target_vocab);
        b->set.sources[i] = (tfm_tokens){ids[i], n};
        b->set.inputs[i] = (tfm_input){.ids = ids[i], .n = n};
    }
}

static char *scratch_file(void) {
    const char *scratch = getenv("TMPDIR");
    char *path = NULL;
    if (asprintf(&path, "%s/tfm-bits-XXXXXX.bin", scratch ? scratch : "/tmp") < 0) tap_bail_out("no memory");
    int fd = mkstemps(path, 4);
    if (fd < 0) tap_bail_out("cannot make %s", path);
    close(fd);
    return path;
}

/* An encoder-decoder, or a decoder alone with rotations, norms of queries and keys, windows and caps. */
static void check_random(tfm_dtype dtype, bool alone, const char *name) {
    tiny_config config = tiny_config_default();
    if (alone) {
        config.kind = "decoder";
        config.decoder.pre_norm = config.decoder.final_norm = config.decoder.rms = true;
        config.decoder.position_table = false;
        config.decoder.position_word = "rope";
        config.decoder.head_dim = 36;
        config.decoder.rope_dim = 34;
        config.decoder.rope_interleaved = true;
        config.decoder.qk_norm = 1;
        config.decoder.window = 7;
        config.decoder.soft_cap = 3;
        config.output_soft_cap = 5;
    }
    config.d_model = 40;
    config.encoder.n_heads = config.encoder.n_kv_heads = config.decoder.n_heads = 4;
    config.decoder.n_kv_heads = 2;
    config.decoder.activation = "silu";
    config.encoder.activation = "gelu";
    config.decoder.gated = true;
    config.decoder.vocab_size = config.encoder.vocab_size = 101;
    config.dtype = dtype;
    char *path = scratch_file();
    tiny_model *tiny = tiny_model_make(&config);
    tiny_model_write(tiny, path);
    tiny_model_free(&tiny);
    static bench b;
    int32_t ids[N_BATCH][N_LONGEST];
    b = (bench){.name = name};
    random_sentences(&b, ids, 101, 101, N_LONGEST);
    const plan *plans = dtype == TFM_F32 && !alone ? all_plans : some_plans;
    check_model(&b, path, plans, plans);
    unlink(path);
    free(path);
}

static void check_golden(const char *folder, tfm_dtype dtype, const plan *plans) {
    char name[64];
    const char *source = golden_path(folder);
    snprintf(name, sizeof name, "golden %s%s%s", folder, dtype == TFM_F32 ? "" : " ",
             dtype == TFM_F32 ? "" : tfm_dtype_name(dtype));
    static bench b;
    b = (bench){.name = name};
    char *path = scratch_file();
    tfm_pack_request request = {.source = source, .out = path, .force = true, .options = {.dtype = dtype}};
    must(&b, tfm_pack(&request, &b.error));
    must(&b, tfm_model_open(&b.model, path, NULL, &b.error));
    tfm_model_info info = tfm_model_get_info(b.model);
    tfm_model_close(&b.model);
    int32_t ids[N_BATCH][N_LONGEST];
    random_sentences(&b, ids, info.source_vocab_size, info.target_vocab_size, N_LONGEST);
    check_model(&b, path, plans, plans);
    unlink(path);
    free(path);
}

/* The first 64 sentences of at most 10 tokens, each with what it is known to become. */
static void check_multi30k(const multi30k *data, const char *path) {
    static bench b;
    b = (bench){.name = path};
    must(&b, tfm_model_open(&b.model, path, NULL, &b.error));
    char name[64];
    bool full = b.model->decoder.embed.dtype == TFM_F32;
    snprintf(name, sizeof name, "multi30k %s", tfm_dtype_name(b.model->decoder.layers[0].attention.qkv.w.dtype));
    int32_t start = tfm_generate_params_default(b.model).decoder_start_token_id;
    tfm_model_close(&b.model);
    b.name = name;
    size_t n = 0;
    for (size_t i = 0; i < data->n && n < N_BATCH; i++) {
        if (data->sources[i].n > 10) continue;
        b.set.sources[n] = data->sources[i];
        b.set.inputs[n] = data->inputs[i];
        const tfm_tokens *ids = &data->greedy[i].ids;
        for (size_t j = 0; j < N_STEPS; j++) b.set.targets[n][j] = j == 0 ? start : ids->ids[(j - 1) % ids->n];
        n++;
    }
    if (n < N_BATCH) tap_bail_out("only %zu short sentences", n);
    check_model(&b, path, full ? large_best : half_best, full ? large_other : half_other);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s CHECKPOINT [MODEL]...\n", argv[0]);
        return 2;
    }
    check_random(TFM_F32, false, "random f32");
    check_random(TFM_F16, false, "random f16");
    check_random(TFM_BF16, false, "random bf16");
    check_random(TFM_F32, true, "random decoder");
    check_golden("marian", TFM_F32, some_plans);
    check_golden("marian-ptbin", TFM_F32, some_plans);
    check_golden("gptneox", TFM_F32, some_plans);
    check_golden("gemma2", TFM_I8, some_plans);
    check_golden("llama3", TFM_I4, some_plans);
    check_golden("bert-mlm", TFM_F32, encoder_plans);
    check_golden("bert-mlm", TFM_BF16, encoder_plans);
    check_golden("bert-mlm", TFM_I8, encoder_plans);
    check_golden("roberta-seqcls", TFM_F16, encoder_plans);
    unsetenv("TFM_TEST_SENTENCES"); /* the hashes are of these sentences */
    multi30k data;
    multi30k_read(&data, argv[1], 0);
    for (int i = 2; i < argc; i++) check_multi30k(&data, argv[i]);
    multi30k_free(&data);
    return tap_done();
}
