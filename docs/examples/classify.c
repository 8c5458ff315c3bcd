/* classify.c - probabilities of a classifier's labels for a text: classify MODEL TEXT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tfm.h>

/* Scores of n classes become probabilities, in the way the model was trained for. */
static void normalize(float *scores, size_t n, tfm_score_function function) {
    double sum = 0;
    for (size_t i = 0; function == TFM_SCORES_SOFTMAX && i < n; i++) sum += exp(scores[i]);
    for (size_t i = 0; i < n; i++) {
        if (function == TFM_SCORES_SOFTMAX) scores[i] = (float)(exp(scores[i]) / sum);
        if (function == TFM_SCORES_SIGMOID) scores[i] = (float)(1 / (1 + exp(-scores[i])));
    }
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: classify MODEL TEXT\n"), 2;
    tfm_error error;
    tfm_model *model = NULL;
    tfm_session *session = NULL;
    tfm_ids ids = {0};
    tfm_example example = {0};
    tfm_status status = tfm_model_open(&model, argv[1], NULL, &error);
    if (status == TFM_OK) status = tfm_session_create(&session, model, NULL, &error);
    if (status == TFM_OK) status = tfm_tokenize(model, TFM_SOURCE, argv[2], strlen(argv[2]), true, &ids, &error);
    if (status == TFM_OK) {
        tfm_model_info info = tfm_model_get_info(model);
        if (info.head != TFM_HEAD_SEQUENCE) return fprintf(stderr, "classify: this model classifies no texts\n"), 1;
        example.ids = ids.data;
        example.n = ids.size;
        example.scores = (float *)calloc(info.n_outputs, sizeof *example.scores);
        if (example.scores == NULL) return 1;
        status = tfm_analyze(session, &example, 1, NULL, NULL, &error);
        if (status == TFM_OK) normalize(example.scores, info.n_outputs, info.score_function);
        for (uint32_t i = 0; status == TFM_OK && i < info.n_outputs; i++)
            printf("%.4f %s\n", (double)example.scores[i], tfm_model_label(model, i));
    }
    if (status != TFM_OK) fprintf(stderr, "classify: %s\n", error.message);
    free(example.scores);
    tfm_ids_free(&ids);
    tfm_session_free(&session);
    tfm_model_close(&model);
    return status == TFM_OK ? 0 : 1;
}
