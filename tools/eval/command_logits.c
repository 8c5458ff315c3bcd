/* command_logits.c - tfmeval logits: hidden states and logits of given ids, as a safetensors file. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "logits.h"
#include "record.h"
#include "runtime/tfm.h"

#define AT(member) .offset = offsetof(tfm_logits_settings, member)
static const tfm_option options[] = {
    {.kind = TFM_OPTION_STRING,
     .letter = 'i',
     .name = "in",
     .argument = "FILE",
     AT(in),
     .help = "Lines of JSON with the ids (default: -, standard input)."},
    {.kind = TFM_OPTION_STRING,
     .letter = 'o',
     .name = "out",
     .argument = "FILE",
     AT(out),
     .help = "The safetensors file to write."},
    {.kind = TFM_OPTION_FLAG,
     .name = "decoder-states",
     AT(decoder_states),
     .help = "Also write N.decoder, the states of an encoder-decoder's decoder before the vocabulary projection."},
    {.kind = TFM_OPTION_FLAG,
     .name = "vectors",
     AT(vectors),
     .help = "Encoder-only models: also write N.embedding and, where there is a pooler, N.pooled."},
};

const tfm_command tfm_logits_page = {
    .usage = "logits [OPTION]... MODEL --in IN.jsonl --out OUT.safetensors",
    .description = "Runs a model over given ids. Each input line is\n"
                   "  {\"input_ids\": [...], \"decoder_input_ids\": [...]}\n"
                   "(decoder_input_ids for encoder-decoders only, the decoder's start token included;\n"
                   "token_type_ids are taken where the model has token types). For line N, the first being 0,\n"
                   "the output holds, in F32, N.encoder (source tokens, d_model), the last hidden states, and,\n"
                   "where the model has a head, N.logits (target tokens, vocabulary), or (1, classes) for a\n"
                   "classifier of sequences.\n",
    .examples = "  tfmeval logits model.bin --in cases.jsonl --out logits.safetensors\n",
    .options = {.options = options, .n = sizeof options / sizeof *options, .next = &tfm_run_options},
    .n_arguments = 1};

/* ---- input ---- */

static tfm_status add_ids(tfm_logits *r, const tfm_text_file *in, const json_t *object, const char *key,
                          uint32_t vocab_size, size_t max, size_t *at, size_t *n, tfm_error *error) {
    *at = r->ids.size;
    tfm_status status = tfm_record_ids(in, object, key, vocab_size, max, false, &r->ids, error);
    *n = r->ids.size - *at;
    return status;
}

/* Types are 0 where a line has none; a model without types takes zeros. */
static tfm_status add_types(tfm_logits *r, const tfm_text_file *in, const json_t *object, tfm_logits_line *line,
                            tfm_error *error) {
    const tfm_model_info *info = &r->model.info;
    size_t n = 0;
    if (!json_object_get(object, "token_type_ids")) return TFM_OK;
    line->has_types = true;
    tfm_status status = add_ids(r, in, object, "token_type_ids", info->n_token_types ? info->n_token_types : 1,
                                info->max_source, &line->types, &n, error);
    if (status == TFM_OK && n != line->n_source)
        status =
            tfm_record_fail(in, error, TFM_ERROR_FORMAT, "%zu token_type_ids for %zu input_ids", n, line->n_source);
    return status;
}

static tfm_status add_line(tfm_logits *r, const tfm_text_file *in, const json_t *object, tfm_error *error) {
    const tfm_model_info *info = &r->model.info;
    if (!tfm_grow(&r->lines, &r->capacity, r->n_lines, 1, sizeof *r->lines)) return tfm_record_no_memory(in, error);
    tfm_logits_line line = {0};
    tfm_status status;
    if (info->kind == TFM_KIND_DECODER)
        status = add_ids(r, in, object, "input_ids", info->target_vocab_size, info->max_target, &line.target,
                         &line.n_target, error);
    else
        status = add_ids(r, in, object, "input_ids", info->source_vocab_size, info->max_source, &line.source,
                         &line.n_source, error);
    if (status == TFM_OK && info->kind == TFM_KIND_ENCODER_DECODER)
        status = add_ids(r, in, object, "decoder_input_ids", info->target_vocab_size, info->max_target, &line.target,
                         &line.n_target, error);
    if (status == TFM_OK && info->kind == TFM_KIND_ENCODER) status = add_types(r, in, object, &line, error);
    if (status != TFM_OK) return status;
    if (line.n_source > r->longest_source) r->longest_source = line.n_source;
    if (line.n_target > r->longest_target) r->longest_target = line.n_target;
    r->lines[r->n_lines++] = line;
    return TFM_OK;
}

static tfm_status read_lines(tfm_logits *r, tfm_text_file *in, tfm_error *error) {
    for (;;) {
        tfm_slice line;
        bool end;
        tfm_status status = tfm_text_file_next(in, &line, &end, error);
        if (status != TFM_OK || end) return status;
        json_t *object;
        status = tfm_record_parse(in, line, &object, error);
        if (status != TFM_OK) return status;
        status = add_line(r, in, object, error);
        json_decref(object);
        if (status != TFM_OK) return status;
    }
}

static tfm_status read_input(tfm_logits *r, tfm_error *error) {
    tfm_text_file in = {.fd = -1};
    tfm_status status = tfm_text_file_open(&in, r->settings->in, error);
    if (status == TFM_OK) status = read_lines(r, &in, error);
    if (status == TFM_OK && r->n_lines == 0)
        status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: no lines, nothing to compute", in.name);
    tfm_text_file_close(&in);
    return status;
}

/* ---- command ---- */

/* What is asked for must be something the model has. */
static tfm_status check(const tfm_logits *r, const char *path, tfm_error *error) {
    tfm_kind kind = r->model.info.kind;
    if (kind == TFM_KIND_TOKENIZER) return tfm_fail(error, TFM_ERROR_STATE, "%s: has no weights", path);
    if (r->settings->decoder_states && kind != TFM_KIND_ENCODER_DECODER)
        return tfm_fail(error, TFM_ERROR_STATE, "%s: --decoder-states is for encoder-decoders", path);
    if (r->settings->vectors && kind != TFM_KIND_ENCODER)
        return tfm_fail(error, TFM_ERROR_STATE, "%s: --vectors is for encoder-only models", path);
    return TFM_OK;
}

int tfm_command_logits(int argc, char **argv) {
    tfm_logits_settings set = {.in = "-", .base.model.batch_tokens = TFM_BATCH_TOKENS_DEFAULT};
    int code;
    if (!tfm_command_begin(&tfm_logits_page, &set.base.command, argc, argv, &code)) return code;
    if (!set.out) return tfm_complain_usage("%s: --out is missing", argv[0]);
    tfm_error error = {0};
    tfm_logits r = {.settings = &set};
    tfm_status status = tfm_opened_open(&r.model, argv[1], &set.base.model, &error);
    if (status == TFM_OK) status = check(&r, argv[1], &error);
    if (status == TFM_OK) status = read_input(&r, &error);
    if (status == TFM_OK) status = tfm_logits_run(&r, &error);
    tfm_safetensors_writer_abort(&r.writer);
    tfm_session_free(&r.session);
    tfm_opened_close(&r.model);
    tfm_ids_free(&r.ids);
    free(r.lines);
    free(r.encoder);
    free(r.decoder);
    free(r.logits);
    free(r.vectors);
    return status == TFM_OK ? TFM_EXIT_OK : tfm_command_fail(&error);
}
