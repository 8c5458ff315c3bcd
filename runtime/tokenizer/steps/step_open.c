/* step_open.c - reads the steps of a normalizer or pre-tokenizer from a table and checks them. */
#include "steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STEPS 256

static const char *const ops[TFM_STEP_KINDS] = {[TFM_STEP_MAP] = "map",
                                                [TFM_STEP_PRECOMPILED] = "precompiled",
                                                [TFM_STEP_NORMAL_FORM] = "normal-form",
                                                [TFM_STEP_REPLACE] = "replace",
                                                [TFM_STEP_PREPEND] = "prepend",
                                                [TFM_STEP_FILTER] = "filter",
                                                [TFM_STEP_SURROUND] = "surround",
                                                [TFM_STEP_STRIP] = "strip",
                                                [TFM_STEP_PREFIX] = "prefix",
                                                [TFM_STEP_SPLIT] = "split"};

static const char *const behaviors[TFM_SPLIT_BEHAVIORS] = {[TFM_SPLIT_REMOVED] = "removed",
                                                           [TFM_SPLIT_ISOLATED] = "isolated",
                                                           [TFM_SPLIT_MERGED_WITH_PREVIOUS] = "merged-with-previous",
                                                           [TFM_SPLIT_MERGED_WITH_NEXT] = "merged-with-next",
                                                           [TFM_SPLIT_CONTIGUOUS] = "contiguous"};

typedef struct step_reader {
    tfm_table_reader *r;
    const char *name;
    size_t i;
    char key[96];
} step_reader;

static const char *key_of(step_reader *reader, const char *field) {
    snprintf(reader->key, sizeof reader->key, "%s.%zu.%s", reader->name, reader->i, field);
    return reader->key;
}

/* Which of n words a string value is; 0 and a failure if it is none. */
static unsigned get_word(step_reader *reader, const char *field, const char *const *words, unsigned n) {
    const tfm_value *value = tfm_reader_get(reader->r, key_of(reader, field), TFM_VALUE_STRING, true);
    for (unsigned i = 0; value && i < n; i++) {
        if (strcmp(value->data, words[i]) == 0) return i;
    }
    if (value) tfm_reader_fail(reader->r, reader->key, "is unknown to this version");
    return 0;
}

static void get_text(step_reader *reader, tfm_step *step) {
    const tfm_value *value = tfm_reader_get(reader->r, key_of(reader, "text"), TFM_VALUE_STRING, true);
    if (!value) return;
    step->text = value->data;
    step->n_text = value->n;
}

static void get_classes(step_reader *reader, tfm_step *step) {
    if (tfm_table_find(reader->r->table, key_of(reader, "bytes"))) {
        const tfm_value *bytes = tfm_reader_get(reader->r, reader->key, TFM_VALUE_U8S, true);
        if (!bytes) return;
        if (bytes->n != 256) tfm_reader_fail(reader->r, reader->key, "has the wrong length");
        step->byte_classes = bytes->data;
        return;
    }
    tfm_reader_char_classes(reader->r, key_of(reader, "classes"), &step->classes);
}

static void get_rules(step_reader *reader, tfm_step *step) {
    tfm_reader_texts(reader->r, key_of(reader, "replacements"), &step->replacements, &step->offsets,
                     &step->n_replacements);
    tfm_reader_trie(reader->r, key_of(reader, "rules"), true, 0, step->n_replacements, &step->rules);
    if (reader->r->status != TFM_OK) return;
    for (unsigned byte = 0; byte < 128; byte++) {
        uint32_t node = 0;
        step->plain[byte] = !tfm_trie_step(&step->rules, &node, (unsigned char)byte);
    }
}

/* ---- patterns ---- */

/* arg: where to note that there was no memory. */
static void *allocate(size_t n, void *arg) {
    void *pointer = malloc(n);
    if (!pointer) *(bool *)arg = true;
    return pointer;
}

static void release(void *pointer, void *arg) {
    (void)arg;
    free(pointer);
}

/* The compiled pattern keeps &step->no_memory, so the step must not move. */
static tfm_status compile(const char *text, size_t n, tfm_step *step) {
    int error;
    PCRE2_SIZE at;
    pcre2_general_context *general = pcre2_general_context_create(allocate, release, &step->no_memory);
    pcre2_compile_context *context = general ? pcre2_compile_context_create(general) : NULL;
    if (context) {
        pcre2_set_max_pattern_length(context, TFM_STEP_MAX_PATTERN);
        step->pattern =
            pcre2_compile((PCRE2_SPTR)text, n, PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NO_AUTO_CAPTURE | PCRE2_DOTALL,
                          &error, &at, context);
    }
    pcre2_compile_context_free(context);
    pcre2_general_context_free(general);
    /* Faster where it can be had; the same matches without. */
    if (step->pattern) pcre2_jit_compile(step->pattern, PCRE2_JIT_COMPLETE);
    return step->no_memory ? TFM_ERROR_MEMORY : step->pattern ? TFM_OK : TFM_ERROR_FORMAT;
}

static void get_pattern(step_reader *reader, tfm_step *step, bool required) {
    if (!required && !tfm_table_find(reader->r->table, key_of(reader, "pattern"))) return;
    const tfm_value *value = tfm_reader_get(reader->r, key_of(reader, "pattern"), TFM_VALUE_STRING, true);
    if (!value) return;
    tfm_status status = compile(value->data, value->n, step);
    if (status == TFM_ERROR_MEMORY) {
        reader->r->status = tfm_no_memory(reader->r->error, "%s: a pattern", reader->r->what);
    } else if (status != TFM_OK) {
        tfm_reader_fail(reader->r, reader->key, "is no pattern");
    }
}

/* ---- steps ---- */

static bool get_flag(step_reader *reader, const char *field) {
    return tfm_reader_bool(reader->r, key_of(reader, field));
}

static void read_step(step_reader *reader, tfm_step *step) {
    step->kind = (tfm_step_kind)get_word(reader, "op", ops, TFM_STEP_KINDS);
    if (reader->r->status != TFM_OK) return;
    switch (step->kind) {
    case TFM_STEP_MAP: get_rules(reader, step); break;
    case TFM_STEP_PRECOMPILED:
        get_rules(reader, step);
        get_classes(reader, step);
        break;
    case TFM_STEP_NORMAL_FORM:
        get_rules(reader, step);
        get_classes(reader, step);
        tfm_reader_trie(reader->r, key_of(reader, "pairs"), false, 0, 0x10FFFF, &step->pairs);
        break;
    case TFM_STEP_REPLACE:
        get_text(reader, step);
        get_classes(reader, step);
        get_pattern(reader, step, true);
        break;
    case TFM_STEP_FILTER:
    case TFM_STEP_SURROUND:
        get_text(reader, step);
        get_classes(reader, step);
        break;
    case TFM_STEP_STRIP:
        get_classes(reader, step);
        step->left = get_flag(reader, "left");
        step->right = get_flag(reader, "right");
        break;
    case TFM_STEP_PREFIX:
        get_text(reader, step);
        step->first = get_flag(reader, "first");
        break;
    case TFM_STEP_SPLIT:
        get_classes(reader, step);
        get_pattern(reader, step, false);
        step->behavior = (tfm_split_behavior)get_word(reader, "behavior", behaviors, TFM_SPLIT_BEHAVIORS);
        step->invert = get_flag(reader, "invert");
        break;
    default: get_text(reader, step); break; /* prepend */
    }
}

void tfm_steps_read(tfm_table_reader *r, const char *name, tfm_steps *steps) {
    step_reader reader = {.r = r, .name = name};
    snprintf(reader.key, sizeof reader.key, "%s.count", name);
    const tfm_value *count = tfm_reader_get(r, reader.key, TFM_VALUE_U64, true);
    if (count && count->u64 > MAX_STEPS) tfm_reader_fail(r, reader.key, "is too many");
    if (!count || r->status != TFM_OK || count->u64 == 0) return;
    steps->steps = calloc(count->u64, sizeof *steps->steps);
    if (!steps->steps) {
        r->status = tfm_no_memory(r->error, "%s", r->what);
        return;
    }
    steps->n = count->u64;
    for (reader.i = 0; reader.i < steps->n && r->status == TFM_OK; reader.i++)
        read_step(&reader, &steps->steps[reader.i]);
}

void tfm_steps_close(tfm_steps *steps) {
    for (size_t i = 0; i < steps->n; i++) pcre2_code_free(steps->steps[i].pattern);
    free(steps->steps);
    *steps = (tfm_steps){0};
}
