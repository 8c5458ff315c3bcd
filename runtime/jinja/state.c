/* state.c - memory, work and failures of reading and rendering a chat template. */
#include "state.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "characters.h"

#define BLOCK_SIZE ((size_t)32 << 10)
#define DEPTH_MAX 200

struct jinja_block {
    jinja_block *next;
    max_align_t data[];
};

/* A message is one line of valid UTF-8, whatever a template or a message has put into it. */
static void make_line(char *text) {
    size_t n = strlen(text), out = 0;
    for (size_t i = 0; i < n;) {
        size_t length;
        uint32_t code = tfm_jinja_decode_char(text + i, n - i, &length);
        if (code >= 0xDC00 && code <= 0xDFFF) {
            text[out++] = '?';
        } else if (code < 0x20 || code == 0x7F) {
            text[out++] = ' ';
        } else {
            memmove(text + out, text + i, length);
            out += length;
        }
        i += length;
    }
    text[out] = '\0';
}

void tfm_jinja_fail(jinja_state *state, tfm_status status, const char *format, ...) {
    if (state->status != TFM_OK) return;
    state->status = state->error.status = status;
    int n = 0;
    if (state->line > 0)
        n = snprintf(state->error.message, sizeof state->error.message, "chat template, line %u: ", state->line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(state->error.message + n, sizeof state->error.message - (size_t)n, format, arguments);
    va_end(arguments);
    make_line(state->error.message);
}

static void *new_block(jinja_state *state, size_t n) {
    size_t bytes, size;
    if (__builtin_add_overflow(n, sizeof(jinja_block), &bytes) || __builtin_add_overflow(state->size, bytes, &size) ||
        size > state->size_max) {
        tfm_jinja_fail(state, TFM_ERROR_LIMIT, "the template needs more than %zu MiB of memory", state->size_max >> 20);
        return NULL;
    }
    jinja_block *block = malloc(bytes);
    if (!block) {
        tfm_jinja_fail(state, TFM_ERROR_MEMORY, "chat template: out of memory");
        return NULL;
    }
    state->size = size;
    block->next = state->blocks;
    state->blocks = block;
    return block->data;
}

void *tfm_jinja_alloc(jinja_state *state, size_t n, size_t size) {
    size_t bytes;
    const size_t align = sizeof(max_align_t);
    if (state->status != TFM_OK) return NULL;
    if (__builtin_mul_overflow(n, size, &bytes) || __builtin_add_overflow(bytes, align - 1, &bytes))
        bytes = SIZE_MAX - 2 * align; /* new_block refuses it */
    bytes = bytes < align ? align : bytes / align * align;
    void *part;
    if (bytes > BLOCK_SIZE / 4) {
        part = new_block(state, bytes);
    } else {
        if (bytes > state->n_free) {
            char *block = new_block(state, BLOCK_SIZE);
            if (!block) return NULL;
            state->free = block;
            state->n_free = BLOCK_SIZE;
        }
        part = state->free;
        state->free += bytes;
        state->n_free -= bytes;
    }
    return part ? memset(part, 0, bytes) : NULL;
}

bool tfm_jinja_charge(jinja_state *state, uint64_t n) {
    if (state->status != TFM_OK) return false;
    state->work = state->work_max - state->work < n ? state->work_max : state->work + n;
    if (state->work < state->work_max) return true;
    tfm_jinja_fail(state, TFM_ERROR_LIMIT, "the template takes too long");
    return false;
}

bool tfm_jinja_charge_bytes(jinja_state *state, size_t n) { return tfm_jinja_charge(state, 1 + n / 16); }

bool tfm_jinja_enter(jinja_state *state) {
    if (!tfm_jinja_charge(state, 1)) return false;
    if (state->depth >= DEPTH_MAX) {
        tfm_jinja_fail(state, TFM_ERROR_LIMIT, "the template is nested too deeply");
        return false;
    }
    state->depth++;
    return true;
}

void tfm_jinja_leave(jinja_state *state) { state->depth--; }

void tfm_jinja_state_free(jinja_state *state) {
    for (jinja_block *block = state->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    state->blocks = NULL;
    state->free = NULL;
    state->n_free = state->size = 0;
}
