/*
 * golden_test.c - holds the runtime against checkpoints with known results.
 *
 * usage: golden_test [--unsupported LIST] [--by-name NAME,...] [--optional] FOLDER...
 *
 * FOLDER is a golden checkpoint, or a folder of them. A checkpoint (README.md has its layout) is packed as f32 to a
 * scratch file and run; every array and every generation case is a test of its own. Inputs run one by one and all
 * together. A checkpoint named in LIST must be refused as it says there, and every checkpoint of LIST must be there.
 * NAMEs are checkpoints that have a test of their own: of a folder of checkpoints only the others are run, and these
 * must all be in LIST, so that none is forgotten. With --optional, one skipped case stands for all folders that are not
 * there.
 */
#include "golden.h"

#include <dirent.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/model/model.h"
#include "tests/support/tap.h"
#include "tools/pack/pack.h"

/* ---- one checkpoint ---- */

static bool pack_and_open(golden *g) {
    const char *scratch = getenv("TMPDIR");
    char *file = golden_join(scratch ? scratch : "/tmp", "tfm-golden-XXXXXX.bin");
    int fd = mkstemps(file, 4);
    if (fd < 0) tap_bail_out("cannot make %s", file);
    close(fd);
    tfm_pack_request request = {.source = g->path, .out = file, .force = true, .options = {.dtype = TFM_F32}};
    tfm_status status = tfm_pack(&request, &g->error);
    if (status == TFM_OK) status = tfm_model_open(&g->model, file, NULL, &g->error);
    unlink(file);
    free(file);
    tfm_session_params params = tfm_session_params_default();
    params.pool = g->pool;
    params.max_batch_tokens = 1 << 14;
    if (status == TFM_OK) status = tfm_session_create(&g->session, g->model, &params, &g->error);
    bool ok = status == TFM_OK;
    return tap_ok(ok, "%s: packed and opened%s%s", g->name, ok ? "" : ": ", ok ? "" : g->error.message);
}

static bool read_expected(golden *g) {
    char *path = golden_join(g->path, "expected/expected.json");
    json_error_t json_error;
    g->expected = json_load_file(path, 0, &json_error);
    if (!g->expected) tap_note("%s: %s", path, json_error.text);
    free(path);
    path = golden_join(g->path, "expected/expected.safetensors");
    tfm_status status = tfm_safetensors_open(&g->arrays, path, &g->error);
    if (status != TFM_OK) tap_note("%s", g->error.message);
    free(path);
    g->inputs = golden_read_ids(g, "sequences");
    return tap_ok(status == TFM_OK && g->inputs.n > 0, "%s: expected results are there", g->name);
}

static void check_model(golden *g) {
    tfm_model_info info = tfm_model_get_info(g->model);
    const tfm_architecture *o = &g->model->arch;
    g->d_model = info.d_model;
    g->vocab_size = info.target_vocab_size;
    for (int i = 0; i < 2; i++) {
        g->n_layers[i] = (i ? &o->decoder : &o->encoder)->n_layers;
        g->final_norm[i] = (i ? &o->decoder : &o->encoder)->final_norm;
    }
    switch (info.kind) {
    case TFM_KIND_ENCODER_DECODER: golden_check_seq2seq(g); break;
    case TFM_KIND_ENCODER: golden_check_encoder(g); break;
    case TFM_KIND_DECODER: golden_check_causal(g); break;
    default: tap_ok(false, "%s: a model of this kind", g->name);
    }
    if (info.kind != TFM_KIND_ENCODER && !g->lacks) golden_check_generation(g);
    tap_note("%s: largest difference of states %.2g, of logits %.2g, of vectors and probabilities %.2g", g->name,
             g->largest[0], g->largest[1], g->largest[2]);
}

static void release(golden *g) {
    golden_free_ids(&g->inputs);
    tfm_session_free(&g->session);
    tfm_model_close(&g->model);
    tfm_safetensors_close(&g->arrays);
    json_decref(g->expected);
}

static void check_checkpoint(const char *path, const golden_unsupported *lacks, tfm_pool *pool) {
    const char *slash = strrchr(path, '/');
    golden g = {.path = path, .name = slash ? slash + 1 : path, .lacks = lacks, .pool = pool};
    if (lacks && lacks->stage == GOLDEN_PACK) {
        golden_check_refused(path, g.name, lacks);
        return;
    }
    if (read_expected(&g) && pack_and_open(&g)) check_model(&g);
    release(&g);
}

/* ---- folders ---- */

typedef struct plan {
    golden_list list;
    const char *names; /* "bart,bert,...": those with a test of their own; NULL: all are run here */
    bool optional;
    tfm_pool *pool;
} plan;

static bool is_checkpoint(const char *folder) {
    char *path = golden_join(folder, "expected/expected.json");
    bool ok = access(path, R_OK) == 0;
    free(path);
    return ok;
}

/* Whether a name is in a list with commas. */
static bool is_among(const char *name, const char *names) {
    size_t n = strlen(name);
    for (const char *at = names; at; at = strchr(at, ','), at += at != NULL)
        if (strcspn(at, ",") == n && !memcmp(at, name, n)) return true;
    return false;
}

static void check_one(plan *p, const char *folder) {
    check_checkpoint(folder, golden_list_find(&p->list, folder), p->pool);
}

/* A checkpoint of a set, which either has a test of its own or is in the list. */
static void check_member(plan *p, const char *folder, const char *name) {
    const golden_unsupported *lacks = golden_list_find(&p->list, folder);
    if (!p->names || (lacks && !is_among(name, p->names)))
        check_checkpoint(folder, lacks, p->pool);
    else if (lacks)
        tap_ok(false, "%s: has a test of its own in meson.build, and is listed as not supported", name);
    else if (!is_among(name, p->names))
        tap_ok(false, "%s: has no test of its own in meson.build, and is not listed as not supported", name);
}

static int is_visible(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static void check_set(plan *p, const char *folder) {
    struct dirent **entries;
    int n = scandir(folder, &entries, is_visible, alphasort);
    size_t n_checkpoints = 0;
    for (int i = 0; i < n; i++) {
        char *path = golden_join(folder, entries[i]->d_name);
        if (is_checkpoint(path)) {
            check_member(p, path, entries[i]->d_name);
            n_checkpoints++;
        }
        free(path);
        free(entries[i]);
    }
    if (n >= 0) free(entries);
    if (n_checkpoints == 0) tap_bail_out("%s: no golden checkpoints", folder);
    golden_list_check_met(&p->list, folder);
}

static void check_folders(plan *p, char *const *folders, int n) {
    const char *missing = NULL;
    for (int i = 0; i < n; i++) {
        size_t length = strlen(folders[i]);
        while (length > 1 && folders[i][length - 1] == '/') folders[i][--length] = '\0';
        if (p->optional && access(folders[i], F_OK) != 0)
            missing = folders[i];
        else if (is_checkpoint(folders[i]))
            check_one(p, folders[i]);
        else
            check_set(p, folders[i]);
    }
    if (missing) tap_skip(missing, "golden checkpoints that are not part of the project; one of those not found:");
}

static int usage(const char *program) {
    fprintf(stderr, "usage: %s [--unsupported LIST] [--by-name NAME,...] [--optional] FOLDER...\n", program);
    return 2;
}

int main(int argc, char **argv) {
    static const struct option options[] = {{.name = "unsupported", .has_arg = required_argument, .val = 'u'},
                                            {.name = "by-name", .has_arg = required_argument, .val = 'n'},
                                            {.name = "optional", .val = 'o'},
                                            {0}};
    plan p = {0};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'u': p.list = golden_list_read(optarg); break;
        case 'n': p.names = optarg; break;
        case 'o': p.optional = true; break;
        default: return usage(argv[0]);
        }
    }
    if (optind == argc) return usage(argv[0]);
    tfm_error error;
    if (tfm_pool_create(&p.pool, 2, &error) != TFM_OK) tap_bail_out("%s", error.message);
    check_folders(&p, argv + optind, argc - optind);
    tfm_pool_free(&p.pool);
    golden_list_free(&p.list);
    return tap_done();
}
