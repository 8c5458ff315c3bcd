/*
 * verify.c - hashing the tensors of a model file, and seeing that its padding is zero.
 *
 * The bytes to look at are cut into pieces (a chunk of a tensor, or padding) in file order. A window of pieces is
 * looked at in parallel, then judged in order on the calling thread; so no memory is allocated, and what is reported
 * does not depend on threads.
 */
#include "model_reader_internal.h"

#include "disk.h"

#define WINDOW_PIECES 1024
#define WINDOW_BYTES ((uint64_t)64 << 20)
#define TASK_BYTES ((uint64_t)1 << 20) /* pieces are joined to tasks of about this size */
#define REPORTS 100                    /* calls of progress for a whole file, about */

typedef struct piece {
    const unsigned char *data;
    const tfm_tensor *tensor; /* NULL: padding */
    size_t length;            /* at most a chunk */
    uint64_t result;          /* hash of a chunk; 1 if padding is zero */
} piece;

typedef struct window {
    tfm_hash_function *hash;
    size_t n_pieces;
    uint64_t bytes;
    piece pieces[WINDOW_PIECES];
    size_t task_begin[WINDOW_PIECES + 1];
} window;

/* A walk through the file from offset `at` to `stop`; tensor and section are the next ones not yet passed. */
typedef struct walk {
    const tfm_file *file;
    uint64_t at, stop;
    size_t tensor, section;
    tfm_hash_join join; /* of the tensor whose chunks are being judged */
} walk;

/* Cuts the next piece; false at the end. Sections are passed by: they were hashed when the file was opened. */
static bool cut_piece(walk *w, piece *out) {
    const tfm_file *file = w->file;
    while (w->at < w->stop) {
        uint64_t next = w->stop;
        if (w->tensor < file->n_tensors) {
            const tfm_tensor *tensor = &file->tensors[w->tensor];
            uint64_t end = tensor->offset + tensor->length;
            if (w->at >= tensor->offset) {
                size_t length = end - w->at < TFM_DISK_CHUNK ? (size_t)(end - w->at) : TFM_DISK_CHUNK;
                *out = (piece){.data = file->base + w->at, .tensor = tensor, .length = length};
                w->at += length;
                w->tensor += w->at == end;
                return true;
            }
            next = tensor->offset < next ? tensor->offset : next;
        }
        if (w->section < file->n_sections) {
            const tfm_section *section = &file->sections[w->section].section;
            if (w->at == section->offset) {
                w->at += section->length;
                w->section++;
                continue;
            }
            next = section->offset < next ? section->offset : next;
        }
        *out = (piece){.data = file->base + w->at, .length = (size_t)(next - w->at)};
        w->at = next;
        return true;
    }
    return false;
}

static void fill_window(window *win, walk *w) {
    win->n_pieces = 0;
    win->bytes = 0;
    while (win->n_pieces < WINDOW_PIECES && win->bytes < WINDOW_BYTES && cut_piece(w, &win->pieces[win->n_pieces]))
        win->bytes += win->pieces[win->n_pieces++].length;
}

static void look_at_pieces(void *arg, size_t task) {
    window *win = arg;
    for (size_t i = win->task_begin[task]; i < win->task_begin[task + 1]; i++) {
        piece *p = &win->pieces[i];
        p->result = p->tensor ? win->hash(p->data, p->length) : tfm_all_zero(p->data, p->length);
    }
}

static void look_at_window(window *win, const tfm_parallel *parallel) {
    size_t n_tasks = 0;
    uint64_t in_task = 0;
    for (size_t i = 0; i < win->n_pieces; i++) {
        if (in_task == 0) win->task_begin[n_tasks++] = i;
        in_task += win->pieces[i].length;
        if (in_task >= TASK_BYTES) in_task = 0;
    }
    win->task_begin[n_tasks] = win->n_pieces;
    if (parallel && parallel->run && n_tasks > 1)
        parallel->run(parallel->pool, n_tasks, look_at_pieces, win);
    else
        for (size_t i = 0; i < n_tasks; i++) look_at_pieces(win, i);
}

static tfm_status bad_padding(const tfm_file *file, const piece *p, tfm_error *error) {
    tfm_status status = tfm_file_check_size(file, error);
    if (status != TFM_OK) return status;
    return tfm_fail(error, TFM_ERROR_CORRUPT,
                    "%s: is damaged: the padding at byte %llu is not zero; get the file again", file->path,
                    (unsigned long long)(p->data - file->base));
}

/* Compares what was found in a window with what should be, in file order. */
static tfm_status judge_window(tfm_file *file, walk *w, const window *win, tfm_error *error) {
    for (size_t i = 0; i < win->n_pieces; i++) {
        const piece *p = &win->pieces[i];
        const tfm_tensor *tensor = p->tensor;
        if (!tensor) {
            if (!p->result) return bad_padding(file, p, error);
            continue;
        }
        if (p->data == tensor->data) tfm_hash_join_begin(&w->join);
        tfm_hash_join_add(&w->join, p->result);
        if (p->data + p->length != (const unsigned char *)tensor->data + tensor->length) continue;
        if (!tfm_hash_matches(tensor->hash, tfm_hash_join_end(&w->join)))
            return tfm_file_damaged(file, error, "tensor", tensor->name);
        atomic_store_explicit(&file->verified[tensor - file->tensors], 1, memory_order_relaxed);
    }
    return TFM_OK;
}

/* Calls progress when another hundredth is done. */
static tfm_status report(const tfm_file *file, tfm_progress progress, void *user, uint64_t done, uint64_t total,
                         uint64_t *next, tfm_error *error) {
    if (!progress || done < *next) return TFM_OK;
    *next = done + total / REPORTS;
    if (*next > total && done < total) *next = total;
    if (progress(user, done, total) != 0)
        return tfm_fail(error, TFM_ERROR_CANCELLED, "%s: verification was cancelled", file->path);
    return TFM_OK;
}

tfm_status tfm_file_verify(tfm_file *file, const tfm_parallel *parallel, tfm_progress progress, void *progress_user,
                           tfm_error *error) {
    window win; /* 64 KiB: not worth zeroing for a small file */
    win.hash = file->hash;
    walk w = {.file = file, .at = TFM_DISK_HEADER, .stop = file->directory_offset};
    uint64_t done = 0, total = w.stop - w.at, next = 0;
    for (size_t i = 0; i < file->n_sections; i++) total -= file->sections[i].section.length;
    tfm_status status = TFM_OK;
    do {
        fill_window(&win, &w);
        look_at_window(&win, parallel);
        status = judge_window(file, &w, &win, error);
        done += win.bytes;
        if (status == TFM_OK) status = report(file, progress, progress_user, done, total, &next, error);
    } while (status == TFM_OK && done < total);
    return status == TFM_OK ? tfm_file_check_size(file, error) : status;
}

tfm_status tfm_file_verify_tensor(tfm_file *file, const tfm_tensor *tensor, const tfm_parallel *parallel,
                                  tfm_error *error) {
    size_t index = (size_t)(tensor - file->tensors);
    /* Relaxed: the flag guards no other memory; the bytes it speaks of never change. */
    if (atomic_load_explicit(&file->verified[index], memory_order_relaxed)) return TFM_OK;
    window win;
    win.hash = file->hash;
    walk w = {.file = file,
              .at = tensor->offset,
              .stop = tensor->offset + tensor->length,
              .tensor = index,
              .section = file->n_sections};
    tfm_status status = TFM_OK;
    while (status == TFM_OK && w.at < w.stop) {
        fill_window(&win, &w);
        look_at_window(&win, parallel);
        status = judge_window(file, &w, &win, error);
    }
    return status;
}
