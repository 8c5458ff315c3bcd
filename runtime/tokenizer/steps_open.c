/* steps_open.c - reads the steps of a normalizer or pre-tokenizer from a table and checks them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steps.h"

#define MAX_STEPS 256
#define MAX_PATTERN 65536

static const char *const ops[TFM_STEP_KINDS] = {"map",    "precompiled", "normal-form", "replace", "prepend",
                                                "filter", "surround",    "strip",       "prefix",  "split"};
static const char *const behaviors[TFM_SPLIT_BEHAVIORS] = {"removed", "isolated", "merged-with-previous",
                                                           "merged-with-next", "contiguous"};

typedef struct step_reader {
    tfm_table_reader *r;
    const char *name;
    size_t i;
    char key[96];
} step_reader;

static const char *key_of(step_reader *s, const char *field) {
    snprintf(s->key, sizeof s->key, "%s.%zu.%s", s->name, s->i, field);
    return s->key;
}

/* Which of n words a string value is; 0 and a failure if it is none. */
static unsigned get_word(step_reader *s, const char *field, const char *const *words, unsigned n) {
    const tfm_value *value = tfm_reader_get(s->r, key_of(s, field), TFM_VALUE_STRING, true);
    for (unsigned i = 0; value && i < n; i++) {
        if (strcmp(value->data, words[i]) == 0) return i;
    }
    if (value) tfm_reader_fail(s->r, s->key, "is unknown to this version");
    return 0;
}

static void get_text(step_reader *s, tfm_step *step) {
    const tfm_value *value = tfm_reader_get(s->r, key_of(s, "text"), TFM_VALUE_STRING, true);
    if (!value) return;
    step->text = value->data;
    step->n_text = value->n;
}

void tfm_reader_classes(tfm_table_reader *r, const char *name, tfm_classes *classes) {
    char key[96];
    snprintf(key, sizeof key, "%s.pages", name);
    const tfm_value *pages = tfm_reader_get(r, key, TFM_VALUE_U8S, true);
    snprintf(key, sizeof key, "%s.index", name);
    size_t n;
    const uint32_t *index = tfm_reader_indices(r, key, true, pages ? pages->n / 256 : 0, &n);
    if (index && n != TFM_CLASSES_PAGES) tfm_reader_fail(r, key, "has the wrong length");
    if (!pages || !index) return;
    classes->index = index;
    classes->pages = pages->data;
}

static void get_classes(step_reader *s, tfm_step *step) {
    if (tfm_table_find(s->r->table, key_of(s, "bytes"))) {
        const tfm_value *bytes = tfm_reader_get(s->r, s->key, TFM_VALUE_U8S, true);
        if (!bytes) return;
        if (bytes->n != 256) tfm_reader_fail(s->r, s->key, "has the wrong length");
        step->byte_classes = bytes->data;
        return;
    }
    tfm_reader_classes(s->r, key_of(s, "classes"), &step->classes);
}

static void get_rules(step_reader *s, tfm_step *step) {
    tfm_reader_texts(s->r, key_of(s, "replacements"), &step->replacements, &step->offsets, &step->n_replacements);
    tfm_reader_trie(s->r, key_of(s, "rules"), true, 0, step->n_replacements, &step->rules);
    if (s->r->status != TFM_OK) return;
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
        pcre2_set_max_pattern_length(context, MAX_PATTERN);
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

static void get_pattern(step_reader *s, tfm_step *step, bool required) {
    if (!required && !tfm_table_find(s->r->table, key_of(s, "pattern"))) return;
    const tfm_value *value = tfm_reader_get(s->r, key_of(s, "pattern"), TFM_VALUE_STRING, true);
    if (!value) return;
    tfm_status status = compile(value->data, value->n, step);
    if (status == TFM_ERROR_MEMORY) {
        s->r->status = tfm_fail(s->r->error, TFM_ERROR_MEMORY, "%s: no memory for a pattern", s->r->what);
    } else if (status != TFM_OK) {
        tfm_reader_fail(s->r, s->key, "is no pattern");
    }
}

/* ---- steps ---- */

static bool get_flag(step_reader *s, const char *field) { return tfm_reader_bool(s->r, key_of(s, field)); }

static void read_step(step_reader *s, tfm_step *step) {
    step->kind = (tfm_step_kind)get_word(s, "op", ops, TFM_STEP_KINDS);
    if (s->r->status != TFM_OK) return;
    switch (step->kind) {
    case TFM_STEP_MAP: get_rules(s, step); break;
    case TFM_STEP_PRECOMPILED:
        get_rules(s, step);
        get_classes(s, step);
        break;
    case TFM_STEP_NORMAL_FORM:
        get_rules(s, step);
        get_classes(s, step);
        tfm_reader_trie(s->r, key_of(s, "pairs"), false, 0, 0x10FFFF, &step->pairs);
        break;
    case TFM_STEP_REPLACE:
        get_text(s, step);
        get_classes(s, step);
        get_pattern(s, step, true);
        break;
    case TFM_STEP_FILTER:
    case TFM_STEP_SURROUND:
        get_text(s, step);
        get_classes(s, step);
        break;
    case TFM_STEP_STRIP:
        get_classes(s, step);
        step->left = get_flag(s, "left");
        step->right = get_flag(s, "right");
        break;
    case TFM_STEP_PREFIX:
        get_text(s, step);
        step->first = get_flag(s, "first");
        break;
    case TFM_STEP_SPLIT:
        get_classes(s, step);
        get_pattern(s, step, false);
        step->behavior = (tfm_split_behavior)get_word(s, "behavior", behaviors, TFM_SPLIT_BEHAVIORS);
        step->invert = get_flag(s, "invert");
        break;
    default: get_text(s, step); break; /* prepend */
    }
}

void tfm_steps_read(tfm_table_reader *r, const char *name, tfm_steps *steps) {
    step_reader s = {.r = r, .name = name};
    snprintf(s.key, sizeof s.key, "%s.count", name);
    const tfm_value *count = tfm_reader_get(r, s.key, TFM_VALUE_U64, true);
    if (count && count->u64 > MAX_STEPS) tfm_reader_fail(r, s.key, "is too many");
    if (!count || r->status != TFM_OK || count->u64 == 0) return;
    steps->steps = calloc(count->u64, sizeof *steps->steps);
    if (!steps->steps) {
        r->status = tfm_fail(r->error, TFM_ERROR_MEMORY, "%s: no memory", r->what);
        return;
    }
    steps->n = count->u64;
    for (s.i = 0; s.i < steps->n && r->status == TFM_OK; s.i++) read_step(&s, &steps->steps[s.i]);
}

void tfm_steps_close(tfm_steps *steps) {
    for (size_t i = 0; i < steps->n; i++) pcre2_code_free(steps->steps[i].pattern);
    free(steps->steps);
    *steps = (tfm_steps){0};
}
