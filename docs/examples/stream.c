/* stream.c - prints an answer as it comes, until Ctrl-C: stream MODEL QUESTION */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <tfm.h>

static tfm_session *session; /* for the signal handler */

static void on_interrupt(int number) {
    (void)number;
    tfm_session_cancel(session); /* may be called from signal handlers and other threads */
}

/* The new text of the answer; what may still change is held back, so characters are whole. */
static int on_text(void *user, size_t index, uint32_t output, const char *text, size_t n) {
    (void)user, (void)index, (void)output;
    return fwrite(text, 1, n, stdout) == n && fflush(stdout) == 0 ? TFM_GO_ON : TFM_CANCEL;
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: stream MODEL QUESTION\n"), 2;
    tfm_error error;
    tfm_pool *pool = NULL;
    tfm_model *model = NULL;
    tfm_message question = {0};
    question.role = "user";
    question.content = argv[2];
    question.n = strlen(argv[2]);
    tfm_text_input input = {0};
    input.messages = &question;
    input.n_messages = 1;
    tfm_text_callbacks callbacks = tfm_text_callbacks_default();
    callbacks.on_text = on_text;

    tfm_status status = tfm_pool_create(&pool, 0, &error); /* a thread for each core */
    tfm_session_params threads = tfm_session_params_default();
    threads.pool = pool;
    if (status == TFM_OK) status = tfm_model_open(&model, argv[1], NULL, &error);
    if (status == TFM_OK) status = tfm_session_create(&session, model, &threads, &error);
    if (status == TFM_OK) {
        tfm_generate_params params = tfm_generate_params_default(model);
        params.max_length = tfm_model_get_info(model).max_target; /* as long as the context has room */
        params.max_new_tokens = 0;
        signal(SIGINT, on_interrupt);
        status = tfm_generate_text(session, &input, 1, &params, &callbacks, &error);
        signal(SIGINT, SIG_DFL);
        putchar('\n');
    }
    if (status != TFM_OK) fprintf(stderr, "stream: %s\n", error.message);
    tfm_session_free(&session);
    tfm_model_close(&model);
    tfm_pool_free(&pool);
    return status == TFM_OK ? 0 : 1;
}
