/*
 * model_reader_fuzz.c - libFuzzer's entry: the bytes are opened as a model file and everything in it is looked at.
 *
 * The reader it is linked with takes any hash for right (TFM_FUZZ_IGNORE_HASHES), so that the structure is what is
 * tried. Besides crashes it looks for files that are accepted though a second one would mean the same: every table
 * must have the one form the builder gives it.
 */
#include "model_reader_fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_files.h"

static void require(bool condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "fuzz_reader: %s\n", what);
    abort();
}

static uint64_t sum_of_bytes(const void *data, uint64_t n) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < n; i++) sum += ((const unsigned char *)data)[i];
    return sum;
}

/* Reads all the reader points to. */
static uint64_t look_at_everything(tfm_file *file) {
    uint64_t sum = 0;
    for (size_t i = 0; i < tfm_file_section_count(file); i++) {
        const tfm_section *section = tfm_file_section_at(file, i);
        const tfm_table *table = tfm_file_table(file, section->name);
        sum += sum_of_bytes(section->data, section->length);
        require(!table || table_is_canonical(table, section->data, section->length), "a table has a second form");
        for (size_t k = 0; k < tfm_table_count(table); k++)
            require(tfm_table_find(table, tfm_table_at(table, k)->key) == tfm_table_at(table, k), "a key is not found");
    }
    for (size_t i = 0; i < tfm_file_tensor_count(file); i++) {
        const tfm_tensor *tensor = tfm_file_tensor_at(file, i);
        require(tfm_file_tensor(file, tensor->name) == tensor, "a tensor is not found");
        sum += sum_of_bytes(tensor->data, tensor->length);
        require(tfm_file_verify_tensor(file, tensor, NULL, NULL) == TFM_OK, "a tensor cannot be verified");
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    image im = {.data = (unsigned char *)(uintptr_t)data, .n = n};
    tfm_file *file;
    tfm_error error = {0};
    tfm_status status = tfm_file_open_fd(&file, image_fd(&im), "input", NULL, &error);
    require(status == TFM_OK || (error.status == status && error.message[0] != '\0'), "an error without a message");
    require((status == TFM_OK) == (file != NULL), "status and file do not agree");
    if (status == TFM_OK) {
        volatile uint64_t sum = look_at_everything(file);
        (void)sum;
        status = tfm_file_verify(file, NULL, NULL, NULL, &error);
        require(status == TFM_OK || status == TFM_ERROR_CORRUPT, "padding is right or not"); /* hashes are ignored */
    }
    tfm_file_close(&file);
    return 0;
}
