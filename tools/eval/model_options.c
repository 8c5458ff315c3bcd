/* model_options.c - opening a model by the options of the command line. */
#include "model_options.h"

#include <stdio.h>

const char *const tfm_verify_names[] = {[TFM_VERIFY_ALL] = "all", [TFM_VERIFY_LAZY] = "header", NULL};

tfm_status tfm_opened_open(tfm_opened *opened, const char *path, const tfm_model_settings *settings, tfm_error *error) {
    *opened = (tfm_opened){0};
    tfm_status status = tfm_pool_create(&opened->pool, settings->threads, error);
    if (status != TFM_OK) return status;
    char what[256];
    snprintf(what, sizeof what, "verifying %s", path);
    tfm_progress_bar bar = {.what = what, .min_bytes = 256 << 20};
    tfm_model_params params = tfm_model_params_default();
    params.verify = settings->verify;
    params.isa = settings->isa;
    params.pool = opened->pool;
    params.progress = tfm_progress_show;
    params.progress_user = &bar;
    status = tfm_model_open(&opened->model, path, &params, error);
    tfm_progress_end(&bar);
    if (status == TFM_OK) opened->info = tfm_model_get_info(opened->model);
    return status;
}

void tfm_opened_close(tfm_opened *opened) {
    tfm_model_close(&opened->model);
    tfm_pool_free(&opened->pool);
}
