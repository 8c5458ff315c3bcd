/* translate.c - translates a text: translate MODEL TEXT */
#include <stdio.h>
#include <string.h>
#include <tfm.h>

/* What came of the text; it is gone when this returns. */
static int on_result(void *user, size_t index, const tfm_text_result *result) {
    (void)index; /* there is one text */
    *(tfm_status *)user = result->status;
    if (result->status == TFM_OK)
        puts(result->outputs[0]->text);
    else
        fprintf(stderr, "translate: %s\n", result->message);
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: translate MODEL TEXT\n"), 2;
    tfm_error error;
    tfm_model *model = NULL;
    tfm_session *session = NULL;
    tfm_status outcome = TFM_OK;
    tfm_text_input input = {0};
    input.text = argv[2];
    input.n = strlen(argv[2]);
    tfm_text_callbacks callbacks = tfm_text_callbacks_default();
    callbacks.on_result = on_result;
    callbacks.user = &outcome;
    tfm_status status = tfm_model_open(&model, argv[1], NULL, &error);
    if (status == TFM_OK) status = tfm_session_create(&session, model, NULL, &error);
    if (status == TFM_OK) status = tfm_generate_text(session, &input, 1, NULL, &callbacks, &error);
    if (status != TFM_OK) fprintf(stderr, "translate: %s\n", error.message);
    tfm_session_free(&session);
    tfm_model_close(&model);
    return status == TFM_OK && outcome == TFM_OK ? 0 : 1;
}
