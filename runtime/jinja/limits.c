/* limits.c - memory, work and failures of parsing and rendering a chat template. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

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
        uint32_t code = tfm_jinja_code(text + i, n - i, &length);
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

void tfm_jinja_fail(jinja_work *w, tfm_status status, const char *format, ...) {
    if (w->status != TFM_OK) return;
    w->status = w->error.status = status;
    int n = 0;
    if (w->line > 0) n = snprintf(w->error.message, sizeof w->error.message, "chat template, line %u: ", w->line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(w->error.message + n, sizeof w->error.message - (size_t)n, format, arguments);
    va_end(arguments);
    make_line(w->error.message);
}

static void *new_block(jinja_work *w, size_t n) {
    size_t bytes, used;
    if (__builtin_add_overflow(n, sizeof(jinja_block), &bytes) || __builtin_add_overflow(w->used, bytes, &used) ||
        used > w->used_max) {
        tfm_jinja_fail(w, TFM_ERROR_LIMIT, "the template needs more than %zu MiB of memory", w->used_max >> 20);
        return NULL;
    }
    jinja_block *block = malloc(bytes);
    if (!block) {
        tfm_jinja_fail(w, TFM_ERROR_MEMORY, "no memory for the chat template");
        return NULL;
    }
    w->used = used;
    block->next = w->blocks;
    w->blocks = block;
    return block->data;
}

void *tfm_jinja_take(jinja_work *w, size_t n, size_t size) {
    size_t bytes;
    const size_t align = sizeof(max_align_t);
    if (w->status != TFM_OK) return NULL;
    if (__builtin_mul_overflow(n, size, &bytes) || __builtin_add_overflow(bytes, align - 1, &bytes))
        bytes = SIZE_MAX - 2 * align; /* new_block refuses it */
    bytes = bytes < align ? align : bytes / align * align;
    void *part;
    if (bytes > BLOCK_SIZE / 4) {
        part = new_block(w, bytes);
    } else {
        if (bytes > w->left) {
            char *block = new_block(w, BLOCK_SIZE);
            if (!block) return NULL;
            w->free = block;
            w->left = BLOCK_SIZE;
        }
        part = w->free;
        w->free += bytes;
        w->left -= bytes;
    }
    return part ? memset(part, 0, bytes) : NULL;
}

bool tfm_jinja_step(jinja_work *w, uint64_t n) {
    if (w->status != TFM_OK) return false;
    w->steps = w->steps_max - w->steps < n ? w->steps_max : w->steps + n;
    if (w->steps < w->steps_max) return true;
    tfm_jinja_fail(w, TFM_ERROR_LIMIT, "the template takes too long");
    return false;
}

bool tfm_jinja_step_bytes(jinja_work *w, size_t n) { return tfm_jinja_step(w, 1 + n / 16); }

bool tfm_jinja_enter(jinja_work *w) {
    if (!tfm_jinja_step(w, 1)) return false;
    if (w->depth >= DEPTH_MAX) {
        tfm_jinja_fail(w, TFM_ERROR_LIMIT, "the template is nested too deeply");
        return false;
    }
    w->depth++;
    return true;
}

void tfm_jinja_leave(jinja_work *w) { w->depth--; }

void tfm_jinja_release(jinja_work *w) {
    for (jinja_block *block = w->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    w->blocks = NULL;
    w->free = NULL;
    w->left = w->used = 0;
}
