/* record.c - lines of JSON. */
#include "record.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/tfm.h"
#include "tools/common/cli.h"

tfm_status tfm_record_fail(const tfm_text_file *file, tfm_error *error, tfm_status status, const char *format, ...) {
    char message[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return tfm_fail(error, status, "%s:%" PRIu64 ": %s", file->name, file->lines.number, message);
}

tfm_status tfm_record_no_memory(const tfm_text_file *file, tfm_error *error) {
    return tfm_no_memory(error, "%s:%" PRIu64, file->name, file->lines.number);
}

tfm_status tfm_record_parse(const tfm_text_file *file, tfm_slice line, json_t **object, tfm_error *error) {
    json_error_t reason;
    *object = json_loadb(line.data, line.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &reason);
    if (!*object) return tfm_record_fail(file, error, TFM_ERROR_FORMAT, "not JSON: %s", reason.text);
    if (json_is_object(*object)) return TFM_OK;
    json_decref(*object);
    *object = NULL;
    return tfm_record_fail(file, error, TFM_ERROR_FORMAT, "not a JSON object");
}

/* A key that is missing may be there under another name: say which keys there are. */
static tfm_status say_missing(const tfm_text_file *file, const json_t *object, const char *key, tfm_error *error) {
    char keys[200] = "";
    size_t used = 0;
    const char *other;
    json_t *value;
    json_object_foreach((json_t *)object, other, value) {
        int n = snprintf(keys + used, sizeof keys - used, "%s\"%.40s\"", used ? ", " : "", other);
        if (n < 0 || (size_t)n >= sizeof keys - used) {
            keys[used] = 0;
            break;
        }
        used += (size_t)n;
    }
    return tfm_record_fail(file, error, TFM_ERROR_FORMAT, "\"%s\" is missing; the keys there are: %s", key,
                           used ? keys : "none");
}

tfm_status tfm_record_ids(const tfm_text_file *file, const json_t *object, const char *key, uint32_t vocab_size,
                          size_t max, bool empty, tfm_ids *ids, tfm_error *error) {
    const json_t *list = json_object_get(object, key);
    if (!list) return say_missing(file, object, key, error);
    if (!json_is_array(list)) return tfm_record_fail(file, error, TFM_ERROR_FORMAT, "\"%s\" is not a list", key);
    size_t n = json_array_size(list);
    if (n == 0 && !empty) return tfm_record_fail(file, error, TFM_ERROR_ARGUMENT, "\"%s\" is empty", key);
    if (n > max)
        return tfm_record_fail(file, error, TFM_ERROR_LIMIT, "\"%s\" has %zu tokens; the model takes at most %zu", key,
                               n, max);
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(list, i);
        if (!json_is_integer(value))
            return tfm_record_fail(file, error, TFM_ERROR_FORMAT, "\"%s\"[%zu] is not a whole number", key, i);
        json_int_t id = json_integer_value(value);
        if (id < 0 || id >= (json_int_t)vocab_size)
            return tfm_record_fail(file, error, TFM_ERROR_ARGUMENT,
                                   "\"%s\"[%zu] is %" JSON_INTEGER_FORMAT ", but token ids go from 0 to %" PRIu32, key,
                                   i, id, vocab_size - 1);
        int32_t id32 = (int32_t)id;
        if (!tfm_ids_append(ids, &id32, 1)) return tfm_record_no_memory(file, error);
    }
    return TFM_OK;
}
