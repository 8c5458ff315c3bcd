/* command_tokenize.c - tfmeval tokenize: pieces and ids of a text; token ids of texts, and texts of token ids. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "model_options.h"
#include "record.h"
#include "runtime/tfm.h"
#include "tools/common/json_line.h"
#include "tools/common/shown.h"

typedef struct settings {
    tfm_model_command_settings base;
    const char *in, *out;
    int side;
    bool no_special, keep_special, json;
} settings;

static const char *const side_names[] = {[TFM_SOURCE] = "source", [TFM_TARGET] = "target", NULL};

#define AT(member) .offset = offsetof(settings, member)
static const tfm_option options[] = {
    {.kind = TFM_OPTION_STRING,
     .letter = 'i',
     .name = "in",
     .argument = "FILE",
     AT(in),
     .help = "Lines of JSON to answer (default: -, standard input)."},
    {.kind = TFM_OPTION_STRING,
     .letter = 'o',
     .name = "out",
     .argument = "FILE",
     AT(out),
     .help = "Where answers go (default: -, standard output)."},
    {.kind = TFM_OPTION_CHOICE,
     .name = "side",
     .choices = side_names,
     AT(side),
     .help = "Whose vocabulary, where a model has two (default: source)."},
    {.kind = TFM_OPTION_FLAG,
     .name = "no-special",
     AT(no_special),
     .help = "Leave out what the model wants around a text, such as the end token."},
    {.kind = TFM_OPTION_FLAG,
     .name = "keep-special",
     AT(keep_special),
     .help = "Spell out control tokens in \"text\"; they are left out otherwise."},
    {.kind = TFM_OPTION_FLAG,
     .name = "json",
     AT(json),
     .help = "Of a TEXT: one line of JSON with ids, pieces and text."},
};

const tfm_command tfm_tokenize_page = {
    .usage = "tokenize [OPTION]... MODEL [TEXT | --in IN.jsonl]",
    .description =
        "Shows the tokens of TEXT, a line each: its id, and its piece as the vocabulary\n"
        "spells it.\n\n"
        "Without TEXT: answers each line of JSON with {\"ids\": [...], \"text\": \"...\"}: the token ids, and the\n"
        "text that these ids decode to. A line asks with one of\n"
        "  {\"text\": \"...\"}       a text\n"
        "  {\"bytes_hex\": \"...\"}  a text that need not be UTF-8, two hexadecimal digits a byte\n"
        "  {\"ids\": [...]}        token ids\n",
    .examples = "  tfmeval tokenize model.bin 'Ein Hund.'\n"
                "  echo '{\"text\": \"Ein Hund.\"}' | tfmeval tokenize model.bin\n"
                "  tfmeval tokenize model.bin --in cases.jsonl --out answers.jsonl --no-special\n",
    .options = {.options = options, .n = sizeof options / sizeof *options, .next = &tfm_language_model_options},
    .n_arguments = 1,
    .n_optional = 1};

typedef struct answerer {
    const settings *settings;
    tfm_opened model;
    tfm_generate_params params; /* the languages */
    tfm_text_file in;
    FILE *out;
    tfm_ids ids;
    tfm_text text;
    tfm_text bytes;
} answerer;

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static tfm_status read_hex(answerer *a, const json_t *value, tfm_error *error) {
    const char *digits = json_string_value(value);
    size_t n = json_string_length(value);
    a->bytes.size = 0;
    for (size_t i = 0; i < n; i += 2) {
        int high = hex_digit(digits[i]), low = i + 1 < n ? hex_digit(digits[i + 1]) : -1;
        if (high < 0 || low < 0)
            return tfm_record_fail(&a->in, error, TFM_ERROR_FORMAT,
                                   "\"bytes_hex\" is not made of pairs of hexadecimal digits at character %zu", i + 1);
        char byte = (char)(high * 16 + low);
        if (!tfm_text_append(&a->bytes, &byte, 1)) return tfm_record_no_memory(&a->in, error);
    }
    return TFM_OK;
}

/* An error of the library, with file and line. */
static tfm_status say_line(const answerer *a, tfm_status status, tfm_error *error) {
    if (status == TFM_OK) return status;
    tfm_error inner = *error;
    return tfm_record_fail(&a->in, error, status, "%s", inner.message);
}

static tfm_status tokenize(answerer *a, const char *text, size_t n, tfm_error *error) {
    const settings *chosen = a->settings;
    const tfm_model *model = a->model.model;
    if (chosen->no_special) return tfm_tokenize(model, chosen->side, text, n, false, &a->ids, error);
    return chosen->side == TFM_SOURCE ? tfm_tokenize_input(model, &a->params, text, n, &a->ids, error)
                                      : tfm_tokenize_output(model, &a->params, text, n, &a->ids, error);
}

static tfm_status encode(answerer *a, const char *text, size_t n, tfm_error *error) {
    return say_line(a, tokenize(a, text, n, error), error);
}

/* Fills ids by what the line asks with. */
static tfm_status ids_of_record(answerer *a, const json_t *object, tfm_error *error) {
    const json_t *text = json_object_get(object, "text"), *hex = json_object_get(object, "bytes_hex");
    const json_t *ids = json_object_get(object, "ids");
    if ((text != NULL) + (hex != NULL) + (ids != NULL) != 1)
        return tfm_record_fail(&a->in, error, TFM_ERROR_FORMAT,
                               "exactly one of \"text\", \"bytes_hex\" and \"ids\" must be there");
    if (ids) {
        /* Ids beyond what the model computes with may still be the tokenizer's: it is the one to say. */
        return tfm_record_ids(&a->in, object, "ids", INT32_MAX, SIZE_MAX, true, &a->ids, error);
    }
    if (!json_is_string(text ? text : hex))
        return tfm_record_fail(&a->in, error, TFM_ERROR_FORMAT, "\"%s\" is not a string", text ? "text" : "bytes_hex");
    if (text) return encode(a, json_string_value(text), json_string_length(text), error);
    tfm_status status = read_hex(a, hex, error);
    return status == TFM_OK ? encode(a, a->bytes.data ? a->bytes.data : "", a->bytes.size, error) : status;
}

static tfm_status print_answer(answerer *a, tfm_error *error) {
    a->bytes.size = 0;
    json_t *list = json_array();
    bool ok = list && tfm_text_append_valid(&a->bytes, a->text.data ? a->text.data : "", a->text.size);
    for (size_t i = 0; ok && i < a->ids.size; i++) ok = json_array_append_new(list, json_integer(a->ids.data[i])) == 0;
    json_t *text = ok ? json_stringn(a->bytes.data ? a->bytes.data : "", a->bytes.size) : NULL;
    json_t *object = json_pack("{s:o?, s:o?}", "ids", list, "text", text);
    if (!ok || !text || !object) {
        json_decref(object);
        return tfm_record_no_memory(&a->in, error);
    }
    a->bytes.size = 0;
    ok = tfm_json_line(object, 0, &a->bytes);
    json_decref(object);
    if (!ok) return tfm_record_no_memory(&a->in, error);
    ok = fwrite(a->bytes.data, 1, a->bytes.size, a->out) == a->bytes.size;
    return ok ? TFM_OK : tfm_fail(error, TFM_ERROR_IO, "%s: cannot write: %s", a->settings->out, strerror(errno));
}

static tfm_status answer(answerer *a, tfm_slice line, tfm_error *error) {
    json_t *object;
    tfm_status status = tfm_record_parse(&a->in, line, &object, error);
    if (status != TFM_OK) return status;
    a->ids.size = 0;
    a->text.size = 0;
    status = ids_of_record(a, object, error);
    json_decref(object);
    if (status != TFM_OK) return status;
    status = tfm_detokenize(a->model.model, a->settings->side, a->ids.data, a->ids.size, !a->settings->keep_special,
                            &a->text, error);
    if (status != TFM_OK) return say_line(a, status, error);
    return print_answer(a, error);
}

/* ---- one text ---- */

static tfm_status print_tokens(answerer *a, size_t n_bytes, tfm_error *error) {
    for (size_t i = 0; i < a->ids.size; i++) {
        size_t n = 0;
        const char *piece = tfm_token_piece(a->model.model, a->settings->side, a->ids.data[i], &n);
        a->bytes.size = 0;
        if (!tfm_text_append_shown(&a->bytes, piece ? piece : "", n, "")) return tfm_no_memory(error, "a token");
        printf("%7d  %s\n", a->ids.data[i], a->bytes.data ? a->bytes.data : "");
    }
    printf("%zu tokens of %zu bytes\n", a->ids.size, n_bytes);
    return TFM_OK;
}

static tfm_status print_tokens_json(answerer *a, tfm_error *error) {
    json_t *ids = json_array(), *pieces = json_array();
    bool ok = ids && pieces;
    for (size_t i = 0; ok && i < a->ids.size; i++) {
        size_t n = 0;
        const char *piece = tfm_token_piece(a->model.model, a->settings->side, a->ids.data[i], &n);
        ok = json_array_append_new(ids, json_integer(a->ids.data[i])) == 0 &&
             json_array_append_new(pieces, tfm_json_text(piece ? piece : "", n)) == 0;
    }
    json_t *text = tfm_json_text(a->text.data ? a->text.data : "", a->text.size);
    json_t *object = json_pack("{s:o?, s:o?, s:o?}", "ids", ids, "pieces", pieces, "text", text);
    a->bytes.size = 0;
    ok = ok && text && object && tfm_json_line(object, 0, &a->bytes);
    json_decref(object);
    if (!ok) return tfm_no_memory(error, "tokens");
    fwrite(a->bytes.data, 1, a->bytes.size, stdout); /* tfm_command_end says if that failed */
    return TFM_OK;
}

static tfm_status show_text(answerer *a, const char *text, tfm_error *error) {
    const settings *chosen = a->settings;
    tfm_status status = tokenize(a, text, strlen(text), error);
    if (status == TFM_OK && chosen->json)
        status = tfm_detokenize(a->model.model, chosen->side, a->ids.data, a->ids.size, !chosen->keep_special, &a->text,
                                error);
    if (status != TFM_OK) return status;
    return chosen->json ? print_tokens_json(a, error) : print_tokens(a, strlen(text), error);
}

/* ---- lines ---- */

/* text: of the command line, or NULL. */
static tfm_status answer_all(answerer *a, const char *path, const char *text, tfm_error *error) {
    const settings *chosen = a->settings;
    tfm_model_settings model = chosen->base.model;
    model.choice.threads = 1;
    tfm_status status = tfm_opened_open(&a->model, path, &model, error);
    if (status != TFM_OK) return status;
    if (!a->model.info.has_tokenizer) return tfm_fail(error, TFM_ERROR_STATE, "%s: has no tokenizer", path);
    status = tfm_opened_params(&a->model, &chosen->base, &a->params, error);
    if (status != TFM_OK) return status;
    if (text) return show_text(a, text, error);
    status = tfm_text_file_open(&a->in, chosen->in, error);
    if (status != TFM_OK) return status;
    a->out = strcmp(chosen->out, "-") == 0 ? stdout : fopen(chosen->out, "we");
    if (!a->out) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot open: %s", chosen->out, strerror(errno));
    a->in.output = a->out;
    for (;;) {
        tfm_slice line;
        bool end;
        status = tfm_text_file_next(&a->in, &line, &end, error);
        if (status != TFM_OK || end) return status;
        status = answer(a, line, error);
        if (status != TFM_OK) return status;
    }
}

int tfm_command_tokenize(int argc, char **argv) {
    settings set = {.in = "-", .out = "-"};
    int code;
    if (!tfm_command_begin(&tfm_tokenize_page, &set.base.command, argc, argv, &code)) return code;
    if (argv[2] && (strcmp(set.in, "-") != 0 || strcmp(set.out, "-") != 0))
        return tfm_complain_usage("tokenize: a text does not go with --in and --out");
    if (!argv[2] && set.json)
        return tfm_complain_usage("tokenize: --json is for a TEXT on the command line: answers to lines are JSON");
    if (set.no_special && (set.base.source_language || set.base.target_language))
        return tfm_complain_usage("tokenize: --%s does not go with --no-special, which leaves the language codes out",
                                  set.base.source_language ? "source-lang" : "target-lang");
    if (set.side == TFM_TARGET && set.base.source_language)
        return tfm_complain_usage("tokenize: --source-lang is for sources, and --side is target");
    tfm_error error = {0};
    answerer a = {.settings = &set, .in = {.fd = -1}};
    tfm_status status = answer_all(&a, argv[1], argv[2], &error);
    if (a.out && a.out != stdout && fclose(a.out) != 0 && status == TFM_OK)
        status = tfm_fail(&error, TFM_ERROR_IO, "%s: cannot write: %s", set.out, strerror(errno));
    code = tfm_command_end(); /* the answers before a wrong line stand */
    if (status != TFM_OK) code = tfm_command_fail(&error);
    tfm_text_file_close(&a.in);
    tfm_opened_close(&a.model);
    tfm_ids_free(&a.ids);
    tfm_text_free(&a.text);
    tfm_text_free(&a.bytes);
    return code;
}
