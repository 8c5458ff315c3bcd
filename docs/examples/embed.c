/* embed.c - how close texts are to the first one, from -1 to 1: embed MODEL TEXT... */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <tfm.h>

static double cosine(const float *a, const float *b, size_t n) {
    double dot = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        dot += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return dot / sqrt(aa * bb);
}

int main(int argc, char **argv) {
    if (argc < 3) return fprintf(stderr, "usage: embed MODEL TEXT...\n"), 2;
    const char *const *texts = (const char *const *)argv + 2;
    size_t n = (size_t)argc - 2;
    tfm_error error;
    tfm_model *model = NULL;
    tfm_session *session = NULL;
    float *embeddings = NULL; /* (n, d_model) */
    tfm_status status = tfm_model_open(&model, argv[1], NULL, &error);
    if (status == TFM_OK) status = tfm_session_create(&session, model, NULL, &error);
    if (status == TFM_OK) {
        size_t d_model = tfm_model_get_info(model).d_model;
        embeddings = (float *)malloc(n * d_model * sizeof *embeddings);
        if (embeddings == NULL) return 1;
        status = tfm_embed_text(session, texts, NULL, n, NULL, embeddings, NULL, &error);
        for (size_t i = 0; status == TFM_OK && i < n; i++)
            printf("%7.4f %s\n", cosine(embeddings, embeddings + i * d_model, d_model), texts[i]);
    }
    if (status != TFM_OK) fprintf(stderr, "embed: %s\n", error.message);
    free(embeddings);
    tfm_session_free(&session);
    tfm_model_close(&model);
    return status == TFM_OK ? 0 : 1;
}
