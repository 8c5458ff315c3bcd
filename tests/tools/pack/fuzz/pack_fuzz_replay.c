/* pack_fuzz_replay.c - runs every file of the fuzzers' corpora, cut short in several places too. Prints TAP. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pack_fuzz.h"

typedef int (*target)(const uint8_t *data, size_t n);

static uint8_t *load(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    long size = f && fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    uint8_t *data = size >= 0 ? malloc((size_t)size + 1) : NULL;
    if (data) rewind(f);
    *n = data ? fread(data, 1, (size_t)size, f) : 0;
    if (f) fclose(f);
    return data;
}

/* Files of one folder; those whose names begin with "good" must be accepted, the others refused. */
static void replay(const char *corpus, const char *name, target run, int number) {
    char path[1000];
    size_t files = 0, wrong = 0;
    snprintf(path, sizeof path, "%s/%s", corpus, name);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        size_t n;
        snprintf(path, sizeof path, "%s/%s/%s", corpus, name, e->d_name);
        uint8_t *data = load(path, &n);
        int accepted = data && run(data, n);
        files++;
        if (!data || accepted != (strncmp(e->d_name, "good", 4) == 0)) {
            printf("# %s: %s\n", path, !data ? "cannot be read" : accepted ? "accepted" : "refused");
            wrong++;
        }
        for (size_t cut = 0; data && cut < n; cut += 1 + n / 50) run(data, cut);
        free(data);
    }
    if (d) closedir(d);
    printf("%s %d - %s: %zu files\n", wrong == 0 && files > 0 ? "ok" : "not ok", number, name, files);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: pack_replay CORPUS_FOLDER\n");
        return 2;
    }
    static const struct {
        const char *name;
        target run;
    } targets[] = {
        {"pickle", tfm_fuzz_pickle}, {"safetensors", tfm_fuzz_safetensors}, {"pytorch", tfm_fuzz_pytorch},
        {"gguf", tfm_fuzz_gguf},     {"llama2c", tfm_fuzz_llama2c},         {"ct2", tfm_fuzz_ct2},
        {"npz", tfm_fuzz_npz},       {"config", tfm_fuzz_config},           {"shortlist", tfm_fuzz_shortlist}};
    const int n = sizeof targets / sizeof *targets;
    printf("1..%d\n", n);
    for (int i = 0; i < n; i++) replay(argv[1], targets[i].name, targets[i].run, i + 1);
    return 0;
}
