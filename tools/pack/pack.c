/* pack.c - a checkpoint folder becomes a model file. */
#include "pack_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/disk.h"
#include "format/names.h"
#include "format/regular_file.h"
#include "format/utf8.h"
#include "runtime/tfm.h"
#include "tools/common/bytes.h"
#include "tools/pack/checkpoint/chat_template.h"
#include "tools/pack/checkpoint/checkpoint.h"
#include "tools/pack/checkpoint/checkpoint_facts.h"
#include "tools/pack/checkpoint/hf_folder.h"
#include "tools/pack/checkpoint/hub_cache.h"
#include "tools/pack/common/word_list.h"
#include "tools/pack/families/importer.h"
#include "tools/pack/foreign/llama2c/llama2c.h"
#include "tools/pack/tokenizer/tokenizer_pack.h"
#include "tools/pack/tokenizer/vocabulary_rows.h"

/* ---- where to write ---- */

/* or_empty: a file without a byte passes for one. */
static bool is_model_file(const char *path, bool or_empty) {
    unsigned char start[8];
    int fd;
    if (tfm_open_regular(path, "a model file", &fd, NULL, NULL) != TFM_OK) return false;
    ssize_t got = read(fd, start, sizeof start);
    close(fd);
    return (or_empty && got == 0) || (got == sizeof start && memcmp(start, TFM_DISK_MAGIC, sizeof start) == 0);
}

bool tfm_pack_is_model_file(const char *path) { return is_model_file(path, false); }

/* Replacing an older model file is what people expect; replacing a checkpoint or anything else is a slip. */
static tfm_status check_out(const tfm_pack_request *request, tfm_error *error) {
    struct stat out, source;
    if (stat(request->out, &out) != 0) return TFM_OK; /* what cannot be written, the writer says */
    if (S_ISDIR(out.st_mode))
        return tfm_fail(error, TFM_ERROR_IO, "%s: is a folder; name the file to write, for example %s/model.bin",
                        request->out, request->out);
    if (stat(request->source, &source) == 0 && source.st_dev == out.st_dev && source.st_ino == out.st_ino)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: source and output are the same file", request->out);
    if (!request->force && S_ISREG(out.st_mode) && !is_model_file(request->out, true))
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "%s: exists and is not a model file; it is replaced only with --force", request->out);
    return TFM_OK;
}

/* ---- sections ---- */

/* A table takes UTF-8 only, and names of files may be anything. */
static void keep_ascii(char *text) {
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e) *c = '?';
}

/* Last component of the folder's real path, so that "." and "model/" name it too. */
static tfm_status folder_name(const char *path, char *name, size_t size, tfm_error *error) {
    char *real = realpath(path, NULL);
    if (!real) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
    const char *slash = strrchr(real, '/');
    int n = snprintf(name, size, "%s", slash && slash[1] ? slash + 1 : "/");
    if (n > 0) keep_ascii(name);
    free(real);
    return TFM_OK;
}

/* The options that change the file, with names of files but not where they lie. */
static void describe_command(const tfm_pack_request *request, char *text, size_t size) {
    const tfm_shortlist_request *shortlist = &request->shortlist;
    if (request->tokenizer_only) {
        snprintf(text, size, "--tokenizer-only");
        return;
    }
    int n = snprintf(text, size, "--dtype %s --dtype-embed %s", tfm_dtype_name(request->options.dtype),
                     tfm_dtype_name(tfm_pack_embed_dtype(&request->options)));
    const char *slash = request->chat_template ? strrchr(request->chat_template, '/') : NULL;
    if (request->chat_template)
        n +=
            snprintf(text + n, size - (size_t)n, " --chat-template %.255s", slash ? slash + 1 : request->chat_template);
    keep_ascii(text);
    if (!shortlist->path) return;
    slash = strrchr(shortlist->path, '/');
    n += snprintf(text + n, size - (size_t)n, " --shortlist %.255s --shortlist-best %u --shortlist-threshold %g",
                  slash ? slash + 1 : shortlist->path, shortlist->best, shortlist->threshold);
    if (shortlist->has_first) snprintf(text + n, size - (size_t)n, " --shortlist-first %u", shortlist->first);
    keep_ascii(text);
}

tfm_status tfm_pack_check_metadata(const char *what, const char *pair, tfm_error *error) {
    static const char *const own[] = {"source_format", "created_by", "command", "ignored"};
    const char *equals = strchr(pair, '=');
    size_t n = equals ? (size_t)(equals - pair) : 0;
    if (n == 0 || n > 63 || !tfm_name_chars(pair, n) || memchr(pair, '/', n) || !equals[1])
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: '%.80s' is not KEY=VALUE, as languages=de,en", what, pair);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strlen(own[i]) == n && memcmp(own[i], pair, n) == 0)
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: tfmpack itself says what %s is", what, own[i]);
    n = strlen(equals + 1);
    if (tfm_utf8_valid_prefix(equals + 1, n) < n)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: the value of %.*s is not valid UTF-8", what,
                        (int)(equals - pair), pair);
    return TFM_OK;
}

/* Pairs were checked; one that is there twice counts as it is there last. */
static void set_pairs(tfm_table_builder *table, const tfm_pack_request *request) {
    for (size_t i = 0; i < request->n_metadata; i++) {
        const char *pair = request->metadata[i], *equals = strchr(pair, '=');
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)(equals - pair), pair);
        tfm_table_set_string(table, key, equals + 1);
    }
}

/* What configuration files said and nobody obeyed, a line each. */
static tfm_status set_ignored(tfm_table_builder *table, const json_t *ignored, tfm_error *error) {
    tfm_text lines = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < json_array_size(ignored); i++)
        ok = tfm_text_print(&lines, "%s%s", i > 0 ? "\n" : "", json_string_value(json_array_get(ignored, i)));
    if (ok && lines.size > 0) tfm_table_set_string(table, "ignored", lines.data);
    tfm_text_free(&lines);
    return ok ? TFM_OK : tfm_no_memory(error, "section metadata");
}

/* before: what a model file that is packed again had, where its source and its licence are; NULL: none. */
static tfm_status write_metadata(tfm_writer *writer, const tfm_pack_request *request, const char *folder,
                                 const char *format, const tfm_table *before, tfm_error *error) {
    char name[256] = "", created_by[64], command[800];
    tfm_status status = before ? TFM_OK : folder_name(folder, name, sizeof name, error);
    if (status != TFM_OK) return status;
    tfm_table_builder *table = tfm_table_builder_new();
    if (!table) return tfm_no_memory(error, "section metadata");
    describe_command(request, command, sizeof command);
    snprintf(created_by, sizeof created_by, "tfmpack %s", tfm_version());
    tfm_table_set_all(table, before);
    if (!before) tfm_table_set_string(table, "source", name);
    if (!before) tfm_table_set_string(table, "source_format", format);
    if (request->name) tfm_table_set_string(table, "name", request->name);
    tfm_table_set_string(table, "created_by", created_by);
    tfm_table_set_string(table, "command", command);
    if (request->license) tfm_table_set_string(table, "license", request->license);
    set_pairs(table, request);
    status = set_ignored(table, request->options.ignored, error);
    if (status == TFM_OK) status = tfm_writer_section(writer, "metadata", table, error);
    tfm_table_builder_free(&table);
    return status;
}

static tfm_status write_tokenizer_kind(tfm_writer *writer, tfm_error *error) {
    tfm_table_builder *table = tfm_table_builder_new();
    if (!table) return tfm_no_memory(error, "section architecture");
    tfm_table_set_string(table, "kind", "tokenizer");
    tfm_status status = tfm_writer_section(writer, "architecture", table, error);
    tfm_table_builder_free(&table);
    return status;
}

/* ---- families ---- */

static tfm_status find_importer(const tfm_checkpoint *checkpoint, const tfm_importer **importer, tfm_error *error) {
    const char *type = json_string_value(json_object_get(tfm_checkpoint_config(checkpoint), "model_type"));
    if (!type)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                        "%s/config.json: has no model_type; cannot tell what model this is",
                        tfm_checkpoint_path(checkpoint));
    char known[sizeof error->message] = "";
    for (size_t i = 0, used = 0; tfm_importers[i]; i++) {
        if (tfm_word_list_has(tfm_importers[i]->model_types, type)) {
            *importer = tfm_importers[i];
            return TFM_OK;
        }
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? " " : "",
                                     tfm_importers[i]->model_types);
    }
    return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                    "%s/config.json: model_type '%.60s' is not supported (see tfmpack --list); known are: %s",
                    tfm_checkpoint_path(checkpoint), type, known);
}

/* ---- packing ---- */

/* The tokenizer of a checkpoint, or of the place the user named for it. */
static tfm_status write_tokenizer(const tfm_pack_request *request, tfm_checkpoint *checkpoint, tfm_writer *writer,
                                  tfm_error *error) {
    const char *path = request->tokenizer;
    size_t n = path ? strlen(path) : 0;
    if (path && strcmp(path, "none") == 0) return TFM_OK;
    if (!path) return tfm_checkpoint_write_tokenizers(checkpoint, writer, &request->options, error);
    if (n < 4 || strcmp(path + n - 4, ".bin") != 0)
        return tfm_pack_tokenizers(path, writer, true, &request->options, error);
    json_int_t size = json_integer_value(json_object_get(tfm_checkpoint_config(checkpoint), "vocab_size"));
    return tfm_llama2c_write_tokenizer(path, (uint64_t)size, writer, error);
}

/* checkpoint: NULL for a folder or a file of a tokenizer alone. */
static tfm_status pack_tokenizer(const tfm_pack_request *request, tfm_checkpoint *checkpoint, tfm_writer *writer,
                                 tfm_error *error) {
    tfm_status status = checkpoint ? write_tokenizer(request, checkpoint, writer, error)
                                   : tfm_pack_tokenizers(request->source, writer, true, &request->options, error);
    size_t n;
    if (status == TFM_OK && !tfm_writer_section_data(writer, "tokenizer", &n))
        status = tfm_fail(error, TFM_ERROR_IO, "%s: has no tokenizer", request->source);
    if (status == TFM_OK) status = write_tokenizer_kind(writer, error);
    if (status == TFM_OK) status = write_metadata(writer, request, request->source, "tokenizer", NULL, error);
    return status;
}

/* The type of ours that is nearest to the one most elements of the checkpoint's matrices have. */
static tfm_dtype nearest_dtype(const tfm_checkpoint *checkpoint, const char **theirs) {
    static const struct {
        const char *theirs;
        tfm_dtype ours;
    } types[] = {{"F32", TFM_F32}, {"F16", TFM_F16}, {"BF16", TFM_BF16}, {"Q8_0", TFM_I8}, {"Q8", TFM_I8},
                 {"Q6_K", TFM_I8}, {"Q5_0", TFM_I8}, {"Q5_1", TFM_I8},   {"Q5_K", TFM_I8}, {"Q4_0", TFM_I4},
                 {"Q4_1", TFM_I4}, {"Q4_K", TFM_I4}, {"I8", TFM_I8},     {"I16", TFM_F16}};
    const size_t n_types = sizeof types / sizeof *types;
    double elements[sizeof types / sizeof *types] = {0};
    size_t most = 0;
    for (size_t i = 0; i < tfm_checkpoint_count(checkpoint); i++) {
        const tfm_checkpoint_tensor *t = tfm_checkpoint_at(checkpoint, i);
        for (size_t k = 0; k < n_types; k++)
            if (t->rank > 1 && strcmp(t->dtype_name, types[k].theirs) == 0)
                elements[k] += (double)t->shape[0] * (double)t->shape[1];
    }
    for (size_t k = 1; k < n_types; k++)
        if (elements[k] > elements[most]) most = k;
    *theirs = types[most].theirs;
    return types[most].ours;
}

/* Puts the type that `auto` means into the request, and says so. */
static void choose_dtype(tfm_pack_request *request, const tfm_checkpoint *checkpoint) {
    const char *theirs;
    if (!request->dtype_auto) return;
    request->options.dtype = nearest_dtype(checkpoint, &theirs);
    tfm_pack_note(&request->options, "most weights are %s: packed as %s", theirs,
                  tfm_dtype_name(request->options.dtype));
}

static tfm_status pack_model(const tfm_pack_request *request, tfm_checkpoint *checkpoint, tfm_writer *writer,
                             tfm_error *error) {
    const tfm_importer *importer = NULL;
    if (tfm_checkpoint_count(checkpoint) == 0)
        return tfm_fail(error, TFM_ERROR_FORMAT,
                        "%s: has no tensors; a tokenizer alone is packed with --tokenizer-only",
                        tfm_checkpoint_path(checkpoint));
    const char *folder = tfm_checkpoint_home(checkpoint), *note = tfm_checkpoint_note(checkpoint);
    tfm_status status = find_importer(checkpoint, &importer, error);
    if (status != TFM_OK) return status;
    if (note) tfm_pack_note(&request->options, "%s", note);
    if (request->options.ignored && tfm_checkpoint_ignored(checkpoint))
        json_array_extend(request->options.ignored, (json_t *)(uintptr_t)tfm_checkpoint_ignored(checkpoint));
    status = write_tokenizer(request, checkpoint, writer, error);
    if (status == TFM_OK)
        status = tfm_pack_chat_template(checkpoint, request->chat_template, writer, &request->options, error);
    if (status == TFM_OK) status = importer->import(importer, checkpoint, writer, &request->options, error);
    if (status == TFM_OK) status = tfm_vocabulary_rows_check(writer, folder, &request->options, error);
    if (status == TFM_OK && request->shortlist.path)
        status = tfm_pack_shortlist(&request->shortlist, writer, &request->options, error);
    if (status == TFM_OK)
        status = write_metadata(writer, request, folder, tfm_checkpoint_container(checkpoint), NULL, error);
    return status;
}

/* `auto` keeps the type that the file has. */
static void keep_dtype(tfm_pack_request *request, const tfm_file *file) {
    tfm_pack_facts facts;
    tfm_pack_get_facts(file, &facts);
    for (int dtype = 0; request->dtype_auto && dtype < TFM_DTYPE_COUNT; dtype++)
        if (strcmp(tfm_dtype_name((tfm_dtype)dtype), facts.dtype) == 0) request->options.dtype = (tfm_dtype)dtype;
}

/* A model file that is packed again, or a checkpoint; neither for a tokenizer alone, which is read where it lies. */
static tfm_status open_source(tfm_pack_request *request, tfm_file **file, tfm_checkpoint **checkpoint,
                              tfm_error *error) {
    tfm_status status = TFM_OK;
    if (is_model_file(request->source, false)) {
        status = tfm_file_open(file, request->source, error);
        if (status == TFM_OK) keep_dtype(request, *file);
        return status;
    }
    if (!request->tokenizer_only || tfm_checkpoint_is_foreign(request->source))
        status = tfm_checkpoint_open(checkpoint, request->source, error);
    if (status == TFM_OK && *checkpoint && !request->name) request->name = tfm_checkpoint_name(*checkpoint);
    if (status == TFM_OK && !request->tokenizer_only) choose_dtype(request, *checkpoint);
    return status;
}

static tfm_status write_source(const tfm_pack_request *request, tfm_file *file, tfm_checkpoint *checkpoint,
                               tfm_writer *writer, tfm_error *error) {
    if (!file)
        return request->tokenizer_only ? pack_tokenizer(request, checkpoint, writer, error)
                                       : pack_model(request, checkpoint, writer, error);
    tfm_status status = tfm_repack(request, file, writer, error);
    if (status != TFM_OK) return status;
    return write_metadata(writer, request, request->source, "tfm", tfm_file_table(file, "metadata"), error);
}

/* The request with a list for what is ignored, its source opened. */
typedef struct packing {
    tfm_pack_request request;
    tfm_hub_source source; /* what the request's source turned out to be */
    tfm_file *file;
    tfm_checkpoint *checkpoint;
} packing;

static tfm_status begin(packing *p, const tfm_pack_request *asked, tfm_error *error) {
    *p = (packing){.request = *asked};
    p->request.options.ignored = json_array();
    if (!p->request.options.ignored) return tfm_no_memory(error, "%s", asked->source);
    tfm_status status = tfm_hub_find(asked->source, &p->source, error);
    if (status != TFM_OK) return status;
    p->request.source = p->source.path.text;
    p->request.name = p->source.name[0] ? p->source.name : NULL;
    return open_source(&p->request, &p->file, &p->checkpoint, error);
}

static void end(packing *p) {
    tfm_file_close(&p->file);
    tfm_checkpoint_close(&p->checkpoint);
    json_decref(p->request.options.ignored);
}

tfm_status tfm_pack(const tfm_pack_request *request, tfm_error *error) {
    packing p = {0};
    tfm_writer *writer = NULL;
    tfm_status status = check_out(request, error);
    if (status == TFM_OK) status = begin(&p, request, error);
    if (status == TFM_OK) status = tfm_writer_create(&writer, request->out, error);
    if (status == TFM_OK) status = write_source(&p.request, p.file, p.checkpoint, writer, error);
    /* A request to stop that came after the last tensor still counts. */
    if (status == TFM_OK && request->options.progress &&
        request->options.progress(request->options.progress_user, 1, 1))
        status = tfm_fail(error, TFM_ERROR_CANCELLED, "interrupted");
    if (status != TFM_OK)
        tfm_writer_abort(&writer);
    else
        status = tfm_writer_commit(&writer, error);
    end(&p);
    return status;
}

static tfm_status outline(const tfm_pack_request *request, tfm_writer **writer, json_t **source, tfm_error *error) {
    packing p;
    *source = NULL;
    *writer = NULL;
    tfm_status status = begin(&p, request, error);
    if (status == TFM_OK && p.checkpoint) *source = tfm_checkpoint_facts(p.checkpoint);
    if (status == TFM_OK) status = tfm_writer_create_outline(writer, request->source, error);
    if (status == TFM_OK) status = write_source(&p.request, p.file, p.checkpoint, *writer, error);
    if (status != TFM_OK) tfm_writer_abort(writer);
    end(&p);
    return status;
}

/* Whether the source may be a tokenizer alone: it has no weights of any format, or is a file of one without tensors. */
static bool has_no_weights(const char *source, const json_t *facts) {
    if (facts) return json_integer_value(json_object_get(facts, "tensors")) == 0;
    return !tfm_checkpoint_is_foreign(source) && !tfm_hf_folder_has_weights(source);
}

tfm_status tfm_pack_outline(const tfm_pack_request *request, tfm_writer **writer, json_t **source, tfm_error *error) {
    tfm_status status = outline(request, writer, source, error);
    if (status == TFM_OK || !has_no_weights(request->source, *source)) return status;
    tfm_pack_request alone = *request;
    tfm_error ignored; /* what was wrong at first is what people want to know */
    alone.tokenizer_only = true;
    json_decref(*source);
    return outline(&alone, writer, source, &ignored) == TFM_OK ? TFM_OK : status;
}

bool tfm_pack_is_embedding(const char *name) {
    return strcmp(name, "embed") == 0 || strcmp(name, "encoder.embed") == 0 || strcmp(name, "decoder.embed") == 0 ||
           strcmp(name, "output.weight") == 0;
}
