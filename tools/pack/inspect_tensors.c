/* inspect_tensors.c - see inspect_tensors.h. */
#include "inspect_tensors.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"
#include "inspect_lines.h"

/* ---- groups ---- */

typedef struct group {
    char name[TFM_NAME_MAX + 1];
    char dtypes[24]; /* "f32, int8" */
    uint64_t n_tensors, elements, bytes;
} group;

/*
 * "encoder.3.attention.qkv.weight" is of "encoder.*.attention": the part of a layer that it is in. What is in no layer
 * is a group by itself, but for weight and bias, which are one.
 */
static void group_name(const char *tensor, char *name) {
    size_t used = 0, parts_after = 0;
    bool in_layer = false;
    for (const char *part = tensor; *part;) {
        const size_t n = strcspn(part, ".");
        const bool number = isdigit((unsigned char)part[0]), last = part[n] == '\0';
        if (parts_after == 1 || (used > 0 && last && (!strncmp(part, "weight", n) || !strncmp(part, "bias", n)))) break;
        used += (size_t)snprintf(name + used, TFM_NAME_MAX + 1 - used, "%s%.*s", used ? "." : "", number ? 1 : (int)n,
                                 number ? "*" : part);
        parts_after += in_layer;
        in_layer |= number;
        part += n + !last;
    }
}

static void add_dtype(group *g, const char *dtype) {
    const size_t used = strlen(g->dtypes);
    if (!strstr(g->dtypes, dtype)) snprintf(g->dtypes + used, sizeof g->dtypes - used, "%s%s", used ? ", " : "", dtype);
}

static group *find_group(group *groups, size_t *n, const char *name) {
    for (size_t i = *n; i-- > 0;)
        if (strcmp(groups[i].name, name) == 0) return &groups[i];
    group *added = &groups[(*n)++];
    *added = (group){0};
    strcpy(added->name, name);
    return added;
}

static void print_group(FILE *out, const char *name, const group *g) {
    char elements[40], size[32];
    fprintf(out, "  %-28s %6" PRIu64 " %16s %10s%s%s\n", name, g->n_tensors,
            tfm_grouped(g->elements, elements, sizeof elements), tfm_size_text(g->bytes, size, sizeof size),
            g->dtypes[0] ? "  " : "", g->dtypes);
}

tfm_status tfm_print_tensor_groups(const tfm_model_view *view, FILE *out, tfm_error *error) {
    group *groups = calloc(view->n_tensors + 1, sizeof *groups), all = {0};
    size_t n = 0;
    if (!groups) return tfm_no_memory(error, "%s", view->path);
    for (size_t i = 0; i < view->n_tensors; i++) {
        const tfm_tensor *t = &view->tensors[i];
        char name[TFM_NAME_MAX + 1] = "";
        uint64_t elements = 1;
        for (uint32_t k = 0; k < t->rank; k++) elements *= t->shape[k];
        group_name(t->name, name);
        group *g = find_group(groups, &n, name);
        g->n_tensors++, all.n_tensors++;
        g->elements += elements, all.elements += elements;
        g->bytes += t->length, all.bytes += t->length;
        add_dtype(g, tfm_dtype_name(t->dtype));
    }
    fprintf(out, "\n%-30s %6s %16s %10s  %s\n", "tensors (* any layer)", "count", "elements", "size", "types");
    for (size_t i = 0; i < n; i++) print_group(out, groups[i].name, &groups[i]);
    print_group(out, "all", &all);
    free(groups);
    return TFM_OK;
}

/* ---- each of them ---- */

void tfm_print_tensors(const tfm_model_view *view, FILE *out) {
    fprintf(out, "\ntensors\n  %-32s %-5s %-16s %-7s %10s%s\n", "name", "dtype", "shape", "layout", "size",
            view->is_outline ? "" : "  hash");
    for (size_t i = 0; i < view->n_tensors; i++) {
        const tfm_tensor *t = &view->tensors[i];
        char size[32], shape[96] = "";
        for (uint32_t k = 0, used = 0; k < t->rank && used < sizeof shape; k++)
            used += (uint32_t)snprintf(shape + used, sizeof shape - used, "%s%" PRIu64, k ? " x " : "", t->shape[k]);
        fprintf(out, "  %-32s %-5s %-16s %-7s %10s", t->name, tfm_dtype_name(t->dtype), shape,
                tfm_layout_name(t->layout), tfm_size_text(t->length, size, sizeof size));
        if (!view->is_outline) fprintf(out, "  %016" PRIx64, t->hash);
        fputc('\n', out);
    }
}
