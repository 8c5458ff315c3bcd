/* torch_objects.c - the few globals a PyTorch state dict needs: dictionaries, storages, tensors. Nothing is called. */
#include "unpickle.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *module, *name;
    uint32_t index;
} globals[] = {
    {"collections", "OrderedDict", TFM_PK_ORDERED_DICT},
    {"torch._utils", "_rebuild_tensor", TFM_PK_REBUILD_TENSOR},
    {"torch._utils", "_rebuild_tensor_v2", TFM_PK_REBUILD_TENSOR_V2},
    {"torch._utils", "_rebuild_parameter", TFM_PK_REBUILD_PARAMETER},
    {"torch", "FloatStorage", TFM_PK_FIRST_STORAGE + TFM_ST_F32},
    {"torch", "HalfStorage", TFM_PK_FIRST_STORAGE + TFM_ST_F16},
    {"torch", "BFloat16Storage", TFM_PK_FIRST_STORAGE + TFM_ST_BF16},
    {"torch", "DoubleStorage", TFM_PK_FIRST_STORAGE + TFM_ST_F64},
    {"torch", "LongStorage", TFM_PK_FIRST_STORAGE + TFM_ST_I64},
    {"torch", "IntStorage", TFM_PK_FIRST_STORAGE + TFM_ST_I32},
    {"torch", "ShortStorage", TFM_PK_FIRST_STORAGE + TFM_ST_I16},
    {"torch", "CharStorage", TFM_PK_FIRST_STORAGE + TFM_ST_I8},
    {"torch", "ByteStorage", TFM_PK_FIRST_STORAGE + TFM_ST_U8},
    {"torch", "BoolStorage", TFM_PK_FIRST_STORAGE + TFM_ST_BOOL},
};

static tfm_status bad(const tfm_unpickler *u, tfm_error *error, const char *what) {
    return tfm_fail(error, TFM_ERROR_FORMAT, "%s: not a valid checkpoint: %s", u->what, what);
}

/* Text of the file for a message: no control characters, not too long. */
static const char *printable(const char *text, char *out, size_t size) {
    size_t i = 0;
    for (; text[i] && i + 1 < size; i++) out[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
    out[i] = '\0';
    return out;
}

tfm_status tfm_pk_find_global(tfm_unpickler *u, const char *module, const char *name, uint32_t *index,
                              tfm_error *error) {
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        if (strcmp(module, globals[i].module) == 0 && strcmp(name, globals[i].name) == 0) {
            *index = globals[i].index;
            return TFM_OK;
        }
    char a[96], b[96];
    return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                    "%s: refused: its pickle would execute code: %s.%s; a file of tensors does not need that. Use a "
                    "safetensors file from a source you trust",
                    u->what, printable(module, a, sizeof a), printable(name, b, sizeof b));
}

/* ---- storages ---- */

static tfm_status find_storage(tfm_unpickler *u, const char *key, tfm_st_dtype dtype, uint64_t count, uint32_t *index,
                               tfm_error *error) {
    /* Neighbours often share; what else is there twice is joined in pytorch.c, which sorts. */
    if (u->n_storages > 0) {
        const tfm_pk_storage *last = &u->storages[u->n_storages - 1];
        if (last->dtype == dtype && last->count == count && strcmp(last->key, key) == 0) {
            *index = (uint32_t)(u->n_storages - 1);
            return TFM_OK;
        }
    }
    tfm_status status = tfm_pk_grow(u, &u->storages, u->n_storages, &u->storages_size, sizeof *u->storages, error);
    if (status != TFM_OK) return status;
    u->storages[u->n_storages] = (tfm_pk_storage){key, dtype, count};
    *index = (uint32_t)u->n_storages++;
    return TFM_OK;
}

/* ('storage', type, key, location, elements[, None or (view key, offset, elements)]) */
tfm_status tfm_pk_persistent_id(tfm_unpickler *u, const tfm_pk_value *id, tfm_pk_value **value, tfm_error *error) {
    if (id->kind != TFM_PK_TUPLE || id->n < 5 || id->n > 6 || id->items[0]->kind != TFM_PK_STRING ||
        strcmp(id->items[0]->text, "storage") != 0 || id->items[1]->kind != TFM_PK_GLOBAL ||
        id->items[1]->index < TFM_PK_FIRST_STORAGE || id->items[2]->kind != TFM_PK_STRING ||
        id->items[2]->n != strlen(id->items[2]->text) || id->items[4]->kind != TFM_PK_INT || id->items[4]->integer < 0)
        return bad(u, error, "a persistent id that is no storage");
    tfm_st_dtype dtype = (tfm_st_dtype)(id->items[1]->index - TFM_PK_FIRST_STORAGE);
    uint64_t count = (uint64_t)id->items[4]->integer, begin = 0, length = count;
    if (id->n == 6 && id->items[5]->kind != TFM_PK_NONE) { /* a window of the storage, in files of old */
        const tfm_pk_value *view = id->items[5];
        if (view->kind != TFM_PK_TUPLE || view->n != 3 || view->items[1]->kind != TFM_PK_INT ||
            view->items[2]->kind != TFM_PK_INT || view->items[1]->integer < 0 || view->items[2]->integer < 0)
            return bad(u, error, "a bad view of a storage");
        begin = (uint64_t)view->items[1]->integer;
        length = (uint64_t)view->items[2]->integer;
        if (begin > count || length > count - begin) return bad(u, error, "a view outside its storage");
    }
    uint32_t index;
    tfm_status status = find_storage(u, id->items[2]->text, dtype, count, &index, error);
    if (status == TFM_OK) status = tfm_pk_new(u, TFM_PK_STORAGE, value, error);
    if (status != TFM_OK) return status;
    (*value)->index = index;
    (*value)->integer = (int64_t)begin;
    (*value)->n = (size_t)length;
    return TFM_OK;
}

/* ---- tensors ---- */

static tfm_status get_dimensions(const tfm_unpickler *u, const tfm_pk_value *tuple, uint64_t *values, uint32_t *rank,
                                 tfm_error *error) {
    if ((tuple->kind != TFM_PK_TUPLE && tuple->kind != TFM_PK_LIST)) return bad(u, error, "a tensor without a shape");
    if (tuple->n > TFM_RANK_MAX)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: a tensor of %zu dimensions; at most %d are supported",
                        u->what, tuple->n, TFM_RANK_MAX);
    for (size_t i = 0; i < tuple->n; i++) {
        if (tuple->items[i]->kind != TFM_PK_INT || tuple->items[i]->integer < 0)
            return bad(u, error, "a tensor with a bad shape or stride");
        values[i] = (uint64_t)tuple->items[i]->integer;
    }
    *rank = (uint32_t)tuple->n;
    return TFM_OK;
}

/* Whether offset + sum (shape - 1) x stride stays below `count`. */
static bool inside(const tfm_pk_tensor *tensor, uint64_t offset, uint64_t count) {
    uint64_t last = offset, step, elements = 1;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (tensor->shape[i] == 0) return true;
        if (__builtin_mul_overflow(elements, tensor->shape[i], &elements)) return false;
    }
    for (uint32_t i = 0; i < tensor->rank; i++)
        if (__builtin_mul_overflow(tensor->shape[i] - 1, tensor->stride[i], &step) ||
            __builtin_add_overflow(last, step, &last))
            return false;
    return last < count;
}

/* (storage, offset, shape, stride, ...) */
static tfm_status rebuild_tensor(tfm_unpickler *u, const tfm_pk_value *arguments, tfm_pk_value **value,
                                 tfm_error *error) {
    tfm_pk_tensor tensor = {0};
    uint32_t stride_rank;
    for (int i = 0; i < TFM_RANK_MAX; i++) tensor.shape[i] = 1;
    if (arguments->n < 4 || arguments->items[0]->kind != TFM_PK_STORAGE || arguments->items[1]->kind != TFM_PK_INT ||
        arguments->items[1]->integer < 0)
        return bad(u, error, "a tensor without a storage");
    const tfm_pk_value *storage = arguments->items[0];
    tfm_status status = get_dimensions(u, arguments->items[2], tensor.shape, &tensor.rank, error);
    if (status == TFM_OK) status = get_dimensions(u, arguments->items[3], tensor.stride, &stride_rank, error);
    if (status != TFM_OK) return status;
    uint64_t offset = (uint64_t)arguments->items[1]->integer;
    if (stride_rank != tensor.rank || !inside(&tensor, offset, storage->n))
        return bad(u, error, "a tensor reaches outside its storage");
    tensor.storage = storage->index;
    tensor.dtype = u->storages[storage->index].dtype;
    tensor.offset = (uint64_t)storage->integer + offset;
    status = tfm_pk_grow(u, &u->tensors, u->n_tensors, &u->tensors_size, sizeof *u->tensors, error);
    if (status == TFM_OK) status = tfm_pk_new(u, TFM_PK_TENSOR, value, error);
    if (status != TFM_OK) return status;
    u->tensors[u->n_tensors] = tensor;
    (*value)->index = (uint32_t)u->n_tensors++;
    return TFM_OK;
}

/* OrderedDict() or, as Python 2 wrote it, OrderedDict([[key, value], ...]). */
static tfm_status ordered_dict(tfm_unpickler *u, const tfm_pk_value *arguments, tfm_pk_value **value,
                               tfm_error *error) {
    tfm_status status = tfm_pk_new(u, TFM_PK_DICT, value, error);
    if (status != TFM_OK || arguments->n == 0) return status;
    const tfm_pk_value *pairs = arguments->items[0];
    if (arguments->n != 1 || pairs->kind != TFM_PK_LIST) return bad(u, error, "a bad OrderedDict");
    for (size_t i = 0; i < pairs->n; i++) {
        const tfm_pk_value *pair = pairs->items[i];
        if ((pair->kind != TFM_PK_TUPLE && pair->kind != TFM_PK_LIST) || pair->n != 2)
            return bad(u, error, "a bad OrderedDict");
        status = tfm_pk_append(u, *value, pair->items[0], error);
        if (status == TFM_OK) status = tfm_pk_append(u, *value, pair->items[1], error);
        if (status != TFM_OK) return status;
    }
    return TFM_OK;
}

tfm_status tfm_pk_call(tfm_unpickler *u, const tfm_pk_value *function, const tfm_pk_value *arguments,
                       tfm_pk_value **value, tfm_error *error) {
    switch (function->index) {
    case TFM_PK_ORDERED_DICT: return ordered_dict(u, arguments, value, error);
    case TFM_PK_REBUILD_TENSOR:
    case TFM_PK_REBUILD_TENSOR_V2: return rebuild_tensor(u, arguments, value, error);
    case TFM_PK_REBUILD_PARAMETER: /* (tensor, requires_grad, hooks) */
        if (arguments->n < 1 || arguments->items[0]->kind != TFM_PK_TENSOR) return bad(u, error, "a bad parameter");
        *value = arguments->items[0];
        return TFM_OK;
    default: return bad(u, error, "a storage that is called");
    }
}
