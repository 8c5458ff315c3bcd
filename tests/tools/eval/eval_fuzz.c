/*
 * eval_fuzz.c - what tfmeval reads, as a fuzzer gives it: lines of text, lines of JSON with lists of ids in them, and
 * sentences for the metrics.
 */
#include "eval_fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/eval/record.h"
#include "tools/eval/sentence.h"

static void require(bool truth) {
    if (!truth) abort();
}

/* A refusal names file and line. */
static void check_refusal(tfm_status status, const tfm_error *error) {
    require(error->status == status && error->message[0]);
}

static void use_record(const tfm_text_file *file, tfm_slice line, tfm_ids *ids) {
    static const char *const keys[] = {"ids", "input_ids", "labels"};
    json_t *object = NULL;
    tfm_error error = {0};
    tfm_status status = tfm_record_parse(file, line, &object, &error);
    if (status != TFM_OK) {
        check_refusal(status, &error);
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        ids->size = 0;
        status = tfm_record_ids(file, object, keys[i], 100, 50, i == 0, ids, &error);
        if (status != TFM_OK) check_refusal(status, &error);
        for (size_t k = 0; status == TFM_OK && k < ids->size; k++) require(ids->data[k] >= 0 && ids->data[k] < 100);
        require(status != TFM_OK || ids->size <= 50);
    }
    json_decref(object);
}

/* Tokenizers are made once: their patterns take longer than a line. */
static void use_sentence(tfm_slice line, tfm_text *out) {
    enum { KINDS = TFM_TOKENIZE_NONE + 1 };
    static tfm_bleu_tokenizer *tokenizers[2 * KINDS];
    for (size_t i = 0; i < 2 * KINDS; i++) {
        tfm_error error = {0};
        if (!tokenizers[i])
            require(tfm_bleu_tokenizer_create(&tokenizers[i], (tfm_bleu_tokenizer_kind)(i / 2), i % 2, &error) ==
                    TFM_OK);
        out->size = 0;
        tfm_status status = tfm_bleu_tokenizer_run(tokenizers[i], line, out, &error);
        if (status != TFM_OK) check_refusal(status, &error);
    }
    tfm_words words = {0};
    tfm_characters characters = {0};
    require(tfm_words_split(&words, line) && tfm_words_split_punctuation(&words) && tfm_words_number(&words, 1));
    require(tfm_characters_decode(&characters, line, true));
    tfm_words_free(&words);
    tfm_characters_free(&characters);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static int fd = -1;
    if (fd < 0) fd = memfd_create("input", MFD_CLOEXEC);
    require(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, n, 0) == (ssize_t)n);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    tfm_text_file file = {.fd = -1};
    tfm_error error = {0};
    require(tfm_text_file_open(&file, path, &error) == TFM_OK);
    tfm_ids ids = {0};
    tfm_text out = {0};
    for (bool end = false; !end;) {
        tfm_slice line;
        tfm_status status = tfm_text_file_next(&file, &line, &end, &error);
        if (status != TFM_OK) {
            check_refusal(status, &error);
            break;
        }
        if (end) break;
        use_record(&file, line, &ids);
        use_sentence(line, &out);
    }
    tfm_ids_free(&ids);
    tfm_text_free(&out);
    tfm_text_file_close(&file);
    return 0;
}
