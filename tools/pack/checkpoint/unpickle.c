/* unpickle.c - the stack machine: opcodes, values, memo. What the globals mean is in torch_objects.c. */
#include "unpickle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/grow.h"

#define INPUT_MAX ((uint64_t)64 << 20) /* bytes of pickles in one file */
#define OBJECTS_MAX ((size_t)4 << 20)
#define ITEMS_MAX ((size_t)16 << 20)
#define STACK_MAX ((size_t)1 << 20)
#define MEMO_MAX ((size_t)4 << 20)
#define TEXT_MAX ((size_t)1 << 20)
#define LINE_MAX_BYTES ((size_t)256)
#define CHUNK_BYTES ((size_t)1 << 16)

struct tfm_pk_chunk {
    struct tfm_pk_chunk *next;
    size_t used, size;
    max_align_t data[];
};

static tfm_status bad(const tfm_unpickler *u, tfm_error *error, const char *what) {
    return tfm_fail(error, TFM_ERROR_FORMAT, "%s: not a valid checkpoint: %s at byte %llu of its pickle", u->what, what,
                    (unsigned long long)tfm_unpickler_position(u));
}

/* ---- input ---- */

static tfm_unpickler *unpickler_new(const char *what) {
    tfm_unpickler *u = calloc(1, sizeof *u);
    if (!u) return NULL;
    u->what = what;
    u->fd = -1;
    return u;
}

tfm_unpickler *tfm_unpickler_memory(const char *what, const void *data, size_t n) {
    tfm_unpickler *u = unpickler_new(what);
    if (!u) return NULL;
    u->data = data;
    u->n = n;
    u->at_end = true;
    return u;
}

tfm_unpickler *tfm_unpickler_fd(const char *what, int fd) {
    tfm_unpickler *u = unpickler_new(what);
    if (!u) return NULL;
    u->fd = fd;
    return u;
}

void tfm_unpickler_free(tfm_unpickler **handle) {
    tfm_unpickler *u = *handle;
    if (!u) return;
    for (struct tfm_pk_chunk *chunk = u->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(u->buffer);
    free(u->stack);
    free(u->memo);
    free(u->storages);
    free(u->tensors);
    free(u);
    *handle = NULL;
}

uint64_t tfm_unpickler_position(const tfm_unpickler *u) { return u->base + u->position; }

size_t tfm_unpickler_storages(const tfm_unpickler *u, const tfm_pk_storage **storages) {
    *storages = u->storages;
    return u->n_storages;
}

const tfm_pk_tensor *tfm_unpickler_tensor(const tfm_unpickler *u, uint32_t index) { return &u->tensors[index]; }

/* Brings at least n bytes from the file into the buffer, if the file has them. */
static tfm_status refill(tfm_unpickler *u, size_t n, tfm_error *error) {
    size_t left = u->n - u->position;
    size_t size = n > CHUNK_BYTES ? n : CHUNK_BYTES;
    if (!tfm_grow(&u->buffer, &u->buffer_size, 0, size, 1)) return tfm_no_memory(error, "%s: its pickle", u->what);
    if (left > 0) memmove(u->buffer, u->buffer + u->position, left);
    u->base += u->position;
    u->position = 0;
    u->data = u->buffer;
    u->n = left;
    while (u->n < n && !u->at_end) {
        ssize_t got = pread(u->fd, u->buffer + u->n, u->buffer_size - u->n, (off_t)(u->base + u->n));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot read: %s", u->what, strerror(errno));
        if (got == 0) u->at_end = true;
        u->n += (size_t)got;
    }
    return TFM_OK;
}

/* The next n bytes, contiguous. They stay until the next call. */
static tfm_status take(tfm_unpickler *u, size_t n, const unsigned char **bytes, tfm_error *error) {
    if (n > u->n - u->position && !u->at_end) {
        tfm_status status = refill(u, n, error);
        if (status != TFM_OK) return status;
    }
    if (n > u->n - u->position) return bad(u, error, "the file ends early");
    if (u->base + u->position + n > INPUT_MAX) return bad(u, error, "a pickle over 64 MiB");
    *bytes = u->data + u->position;
    u->position += n;
    return TFM_OK;
}

/* A little-endian number of n <= 8 bytes. */
static tfm_status take_number(tfm_unpickler *u, size_t n, uint64_t *value, tfm_error *error) {
    const unsigned char *bytes = NULL;
    tfm_status status = take(u, n, &bytes, error);
    *value = 0;
    for (size_t i = n; status == TFM_OK && i-- > 0;) *value = *value << 8 | bytes[i];
    return status;
}

/* A line without its newline, NUL-terminated, into text[LINE_MAX_BYTES]. */
static tfm_status take_line(tfm_unpickler *u, char *text, tfm_error *error) {
    const unsigned char *byte = NULL;
    for (size_t i = 0; i < LINE_MAX_BYTES; i++) {
        tfm_status status = take(u, 1, &byte, error);
        if (status != TFM_OK) return status;
        if (*byte == '\0') break;
        text[i] = *byte == '\n' ? '\0' : (char)*byte;
        if (*byte == '\n') return TFM_OK;
    }
    return bad(u, error, "a bad name");
}

/* ---- values ---- */

static void *allocate(tfm_unpickler *u, size_t n) {
    n = (n + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    struct tfm_pk_chunk *chunk = u->chunks;
    if (!chunk || n > chunk->size - chunk->used) {
        size_t size = n > CHUNK_BYTES ? n : CHUNK_BYTES;
        chunk = malloc(sizeof *chunk + size);
        if (!chunk) return NULL;
        chunk->next = u->chunks;
        chunk->used = 0;
        chunk->size = size;
        u->chunks = chunk;
    }
    void *place = (char *)chunk->data + chunk->used;
    chunk->used += n;
    return place;
}

tfm_status tfm_pk_new(tfm_unpickler *u, tfm_pk_kind kind, tfm_pk_value **value, tfm_error *error) {
    if (u->n_objects >= OBJECTS_MAX) return bad(u, error, "too many objects");
    tfm_pk_value *fresh = allocate(u, sizeof *fresh);
    if (!fresh) return tfm_no_memory(error, "%s: its pickle", u->what);
    memset(fresh, 0, sizeof *fresh);
    fresh->kind = kind;
    u->n_objects++;
    *value = fresh;
    return TFM_OK;
}

tfm_status tfm_pk_append(tfm_unpickler *u, tfm_pk_value *list, tfm_pk_value *item, tfm_error *error) {
    /* A list can be copied again and again by a few bytes of pickle, so the input's length bounds nothing here. */
    if (u->n_items++ >= ITEMS_MAX) return bad(u, error, "too many items");
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 8;
        tfm_pk_value **items = allocate(u, capacity * sizeof *items);
        if (!items) return tfm_no_memory(error, "%s: its pickle", u->what);
        if (list->n > 0) memcpy(items, list->items, list->n * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->n++] = item;
    return TFM_OK;
}

tfm_status tfm_pk_grow(tfm_unpickler *u, void *array, size_t n, size_t *capacity, size_t element, tfm_error *error) {
    if (tfm_grow(array, capacity, n, 1, element)) return TFM_OK;
    return tfm_no_memory(error, "%s: its pickle", u->what);
}

static tfm_status push(tfm_unpickler *u, tfm_pk_value *value, tfm_error *error) {
    if (u->depth >= STACK_MAX) return bad(u, error, "too deep a stack");
    tfm_status status = tfm_pk_grow(u, &u->stack, u->depth, &u->stack_size, sizeof *u->stack, error);
    if (status == TFM_OK) u->stack[u->depth++] = value;
    return status;
}

static tfm_status push_new(tfm_unpickler *u, tfm_pk_kind kind, int64_t integer, tfm_error *error) {
    tfm_pk_value *value = NULL;
    tfm_status status = tfm_pk_new(u, kind, &value, error);
    if (status != TFM_OK) return status;
    value->integer = integer;
    return push(u, value, error);
}

/* Not a mark. */
static tfm_status pop(tfm_unpickler *u, tfm_pk_value **value, tfm_error *error) {
    if (u->depth == 0 || u->stack[u->depth - 1]->kind == TFM_PK_MARK) return bad(u, error, "an empty stack");
    *value = u->stack[--u->depth];
    return TFM_OK;
}

/* Stack index of the first value after the topmost mark. */
static tfm_status find_mark(tfm_unpickler *u, size_t *first, tfm_error *error) {
    for (size_t i = u->depth; i-- > 0;)
        if (u->stack[i]->kind == TFM_PK_MARK) {
            *first = i + 1;
            return TFM_OK;
        }
    return bad(u, error, "a mark missing");
}

static tfm_status push_text(tfm_unpickler *u, tfm_pk_kind kind, uint64_t n, tfm_error *error) {
    const unsigned char *bytes = NULL;
    if (n > TEXT_MAX) return bad(u, error, "a text over 1 MiB");
    tfm_status status = take(u, (size_t)n, &bytes, error);
    if (status != TFM_OK) return status;
    char *text = allocate(u, (size_t)n + 1);
    tfm_pk_value *value = NULL;
    if (!text) return tfm_no_memory(error, "%s: its pickle", u->what);
    status = tfm_pk_new(u, kind, &value, error);
    if (status != TFM_OK) return status;
    if (n > 0) memcpy(text, bytes, (size_t)n);
    text[n] = '\0';
    value->text = text;
    value->n = (size_t)n;
    return push(u, value, error);
}

static tfm_status push_long(tfm_unpickler *u, uint64_t n, tfm_error *error) {
    if (n > 8) return n <= 64 ? push_text(u, TFM_PK_BIG, n, error) : bad(u, error, "an integer of too many digits");
    uint64_t value;
    tfm_status status = take_number(u, (size_t)n, &value, error);
    if (status != TFM_OK) return status;
    if (n > 0 && n < 8 && (value >> (8 * n - 1) & 1)) value |= ~(uint64_t)0 << 8 * n;
    return push_new(u, TFM_PK_INT, (int64_t)value, error);
}

/* The top n values become a tuple. */
static tfm_status make_tuple(tfm_unpickler *u, size_t first, size_t drop, tfm_error *error) {
    tfm_pk_value *tuple = NULL;
    tfm_status status = tfm_pk_new(u, TFM_PK_TUPLE, &tuple, error);
    for (size_t i = first; status == TFM_OK && i < u->depth; i++)
        status = u->stack[i]->kind == TFM_PK_MARK ? bad(u, error, "a stray mark")
                                                  : tfm_pk_append(u, tuple, u->stack[i], error);
    if (status != TFM_OK) return status;
    u->depth = first - drop;
    return push(u, tuple, error);
}

/* Moves stack values from `first` on into the list or dict below them (below the mark, if drop is 1). */
static tfm_status add_items(tfm_unpickler *u, size_t first, size_t drop, tfm_pk_kind kind, tfm_error *error) {
    if (first < drop + 1 || u->stack[first - drop - 1]->kind != kind)
        return bad(u, error, "items for something that takes none");
    tfm_pk_value *list = u->stack[first - drop - 1];
    if (kind == TFM_PK_DICT && (u->depth - first) % 2 != 0) return bad(u, error, "a key without a value");
    for (size_t i = first; i < u->depth; i++) {
        tfm_status status = tfm_pk_append(u, list, u->stack[i], error);
        if (status != TFM_OK) return status;
    }
    u->depth = first - drop;
    return TFM_OK;
}

/* ---- memo ---- */

static tfm_status memo_put(tfm_unpickler *u, uint64_t index, tfm_error *error) {
    if (index >= MEMO_MAX) return bad(u, error, "too large a memo");
    if (u->depth == 0 || u->stack[u->depth - 1]->kind == TFM_PK_MARK) return bad(u, error, "an empty stack");
    size_t before = u->memo_size;
    if (index >= before) {
        tfm_status status = tfm_pk_grow(u, &u->memo, (size_t)index, &u->memo_size, sizeof *u->memo, error);
        if (status != TFM_OK) return status;
        memset(u->memo + before, 0, (u->memo_size - before) * sizeof *u->memo);
    }
    u->memo[index] = u->stack[u->depth - 1];
    if (index >= u->memo_n) u->memo_n = (size_t)index + 1;
    return TFM_OK;
}

static tfm_status memo_get(tfm_unpickler *u, uint64_t index, tfm_error *error) {
    if (index >= u->memo_size || !u->memo[index]) return bad(u, error, "a memo that was never set");
    return push(u, u->memo[index], error);
}

/* ---- opcodes ---- */

static tfm_status push_global(tfm_unpickler *u, const char *module, const char *name, tfm_error *error) {
    uint32_t index;
    tfm_status status = tfm_pk_find_global(u, module, name, &index, error);
    if (status != TFM_OK) return status;
    status = push_new(u, TFM_PK_GLOBAL, 0, error);
    if (status == TFM_OK) u->stack[u->depth - 1]->index = index;
    return status;
}

static tfm_status op_global(tfm_unpickler *u, tfm_error *error) {
    char module[LINE_MAX_BYTES + 1], name[LINE_MAX_BYTES + 1];
    tfm_status status = take_line(u, module, error);
    if (status == TFM_OK) status = take_line(u, name, error);
    return status == TFM_OK ? push_global(u, module, name, error) : status;
}

static tfm_status op_stack_global(tfm_unpickler *u, tfm_error *error) {
    tfm_pk_value *module = NULL, *name = NULL;
    tfm_status status = pop(u, &name, error);
    if (status == TFM_OK) status = pop(u, &module, error);
    if (status != TFM_OK) return status;
    if (module->kind != TFM_PK_STRING || name->kind != TFM_PK_STRING || strlen(module->text) != module->n ||
        strlen(name->text) != name->n)
        return bad(u, error, "a global without a name");
    return push_global(u, module->text, name->text, error);
}

static tfm_status op_reduce(tfm_unpickler *u, tfm_error *error) {
    tfm_pk_value *arguments = NULL, *function = NULL, *result = NULL;
    tfm_status status = pop(u, &arguments, error);
    if (status == TFM_OK) status = pop(u, &function, error);
    if (status != TFM_OK) return status;
    if (function->kind != TFM_PK_GLOBAL || arguments->kind != TFM_PK_TUPLE)
        return bad(u, error, "a call of no function");
    status = tfm_pk_call(u, function, arguments, &result, error);
    return status == TFM_OK ? push(u, result, error) : status;
}

static tfm_status op_persistent_id(tfm_unpickler *u, tfm_error *error) {
    tfm_pk_value *id = NULL, *result = NULL;
    tfm_status status = pop(u, &id, error);
    if (status == TFM_OK) status = tfm_pk_persistent_id(u, id, &result, error);
    return status == TFM_OK ? push(u, result, error) : status;
}

/* State dicts carry attributes of the OrderedDict (its _metadata: versions of modules); they are not needed. */
static tfm_status op_build(tfm_unpickler *u, tfm_error *error) {
    tfm_pk_value *state = NULL;
    tfm_status status = pop(u, &state, error);
    if (status != TFM_OK) return status;
    if (u->depth == 0 || u->stack[u->depth - 1]->kind != TFM_PK_DICT || state->kind != TFM_PK_DICT)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                        "%s: refused: its pickle sets the state of an object that is not a plain dictionary", u->what);
    return TFM_OK;
}

static tfm_status refuse(const tfm_unpickler *u, unsigned char op, tfm_error *error) {
    if (op == 'i' || op == 'o' || op == 0x81 || op == 0x92 || (op >= 0x82 && op <= 0x84))
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                        "%s: refused: its pickle would construct an object (opcode 0x%02x), which can execute code; a "
                        "file of tensors does not need that",
                        u->what, op);
    return tfm_fail(error, TFM_ERROR_FORMAT, "%s: not a valid checkpoint: opcode 0x%02x at byte %llu of its pickle",
                    u->what, op, (unsigned long long)tfm_unpickler_position(u) - 1);
}

static tfm_status op_instance(tfm_unpickler *u, tfm_error *error) {
    char module[LINE_MAX_BYTES + 1], name[LINE_MAX_BYTES + 1];
    uint32_t index;
    tfm_status status = take_line(u, module, error);
    if (status == TFM_OK) status = take_line(u, name, error);
    if (status == TFM_OK) status = tfm_pk_find_global(u, module, name, &index, error);
    return status == TFM_OK ? refuse(u, 'i', error) : status;
}

/* Opcodes that push a plain value. */
static tfm_status step_value(tfm_unpickler *u, unsigned char op, tfm_error *error) {
    static const struct {
        unsigned char op, bytes;
    } sizes[] = {{'J', 4}, {'K', 1}, {'M', 2}, {'X', 4},  {0x8c, 1}, {0x8d, 8},
                 {'T', 4}, {'U', 1}, {'G', 8}, {0x8a, 1}, {0x8b, 4}};
    uint64_t number = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].op == op) {
            tfm_status status = take_number(u, sizes[i].bytes, &number, error);
            if (status != TFM_OK) return status;
        }
    switch (op) {
    case 'N': return push_new(u, TFM_PK_NONE, 0, error);
    case 0x88: return push_new(u, TFM_PK_BOOL, 1, error);
    case 0x89: return push_new(u, TFM_PK_BOOL, 0, error);
    case 'J': return push_new(u, TFM_PK_INT, (int32_t)(uint32_t)number, error);
    case 'K':
    case 'M': return push_new(u, TFM_PK_INT, (int64_t)number, error);
    case 'G': return push_new(u, TFM_PK_FLOAT, 0, error);
    case 0x8a:
    case 0x8b: return push_long(u, number, error);
    case 'X':
    case 0x8c:
    case 0x8d:
    case 'T':
    case 'U': return push_text(u, TFM_PK_STRING, number, error);
    case '}': return push_new(u, TFM_PK_DICT, 0, error);
    case ']': return push_new(u, TFM_PK_LIST, 0, error);
    case ')': return push_new(u, TFM_PK_TUPLE, 0, error);
    case '(': return push_new(u, TFM_PK_MARK, 0, error);
    default: return refuse(u, op, error);
    }
}

/* Opcodes on the stack and the memo. */
static tfm_status step(tfm_unpickler *u, unsigned char op, tfm_error *error) {
    tfm_status status = TFM_OK;
    size_t first = 0;
    uint64_t number = 0;
    if (op == 't' || op == 'e' || op == 'u') status = find_mark(u, &first, error);
    if (op == 'q' || op == 'h') status = take_number(u, 1, &number, error);
    if (op == 'r' || op == 'j') status = take_number(u, 4, &number, error);
    if (op == 0x95) status = take_number(u, 8, &number, error);
    if (op == 0x80) status = take_number(u, 1, &number, error);
    if (op == 'a' && u->depth < 2) status = bad(u, error, "an empty stack");
    if (op == 's' && u->depth < 3) status = bad(u, error, "an empty stack");
    if (op >= 0x85 && op <= 0x87 && u->depth < op - 0x84u) status = bad(u, error, "an empty stack");
    if (status != TFM_OK) return status;
    switch (op) {
    case 0x80: return number <= 5 ? TFM_OK : bad(u, error, "an unknown protocol");
    case 0x95: return TFM_OK; /* frames only group bytes */
    case 't': return make_tuple(u, first, 1, error);
    case 0x85:
    case 0x86:
    case 0x87: return make_tuple(u, u->depth - (op - 0x84u), 0, error);
    case 'a': return add_items(u, u->depth - 1, 0, TFM_PK_LIST, error);
    case 'e': return add_items(u, first, 1, TFM_PK_LIST, error);
    case 's': return add_items(u, u->depth - 2, 0, TFM_PK_DICT, error);
    case 'u': return add_items(u, first, 1, TFM_PK_DICT, error);
    case 'q':
    case 'r': return memo_put(u, number, error);
    case 0x94: return memo_put(u, u->memo_n, error); /* writers that number by themselves never mix both */
    case 'h':
    case 'j': return memo_get(u, number, error);
    case 'c': return op_global(u, error);
    case 0x93: return op_stack_global(u, error);
    case 'R': return op_reduce(u, error);
    case 'Q': return op_persistent_id(u, error);
    case 'b': return op_build(u, error);
    case 'i': return op_instance(u, error);
    default: return step_value(u, op, error);
    }
}

tfm_status tfm_unpickle(tfm_unpickler *u, const tfm_pk_value **value, tfm_error *error) {
    u->depth = u->memo_n = 0;
    if (u->memo_size > 0) memset(u->memo, 0, u->memo_size * sizeof *u->memo);
    for (;;) {
        const unsigned char *op = NULL;
        tfm_status status = take(u, 1, &op, error);
        if (status != TFM_OK) return status;
        if (*op == '.') break;
        status = step(u, *op, error);
        if (status != TFM_OK) return status;
    }
    if (u->depth != 1 || u->stack[0]->kind == TFM_PK_MARK) return bad(u, error, "an end too early");
    *value = u->stack[0];
    return TFM_OK;
}
