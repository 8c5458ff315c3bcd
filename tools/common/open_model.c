/* open_model.c - a model with the threads it runs on, opened as the options of a command line say. */
#include "open_model.h"

#include <stdio.h>

#include "cli.h"

enum { QUICK_BYTES = 256 << 20 }; /* smaller files are verified before a bar could be seen */

const char *const tfm_verify_names[] = {[TFM_VERIFY_ALL] = "all", [TFM_VERIFY_LAZY] = "header", NULL};

tfm_status tfm_open_model(const char *path, const tfm_model_choice *choice, tfm_pool **pool, tfm_model **model,
                          tfm_error *error) {
    *model = NULL;
    tfm_status status = tfm_pool_create(pool, choice->threads, error);
    if (status != TFM_OK) return status;
    char what[256];
    snprintf(what, sizeof what, "verifying %s", path);
    tfm_progress_bar bar = {.what = what, .min_bytes = QUICK_BYTES};
    tfm_model_params params = tfm_model_params_default();
    params.verify = (tfm_verify)choice->verify;
    params.isa = choice->isa;
    params.pool = *pool;
    params.progress = tfm_progress_show;
    params.progress_user = &bar;
    status = tfm_model_open(model, path, &params, error);
    tfm_progress_end(&bar);
    return status;
}
