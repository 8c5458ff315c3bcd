/*
 * published_test.c - configurations of published checkpoints, packed with the tensors of a small one of their kind:
 * what is said of their keys is what a person would want to hear.
 *
 * published.json has for each its name, the small checkpoint (a folder of tests/golden/checkpoints), config.json and
 * perhaps generation_config.json as they are published, and the notes. Where both have a key the small one's value
 * stands, so that sizes fit; sizes and ids that it has not, or has under another name, are written small there.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/support/data.h"
#include "tests/tools/pack/packed.h"
#include "tools/pack/common/name_format.h"

TestSuite(published, .timeout = 120);

static json_t *load(const char *path) {
    json_error_t problem;
    json_t *json = json_load_file(path, 0, &problem);
    cr_assert_not_null(json, "%s: line %d: %s", path, problem.line, problem.text);
    return json;
}

/* Writes a configuration with the values of the small checkpoint's own file where it has the key. */
static void write_merged(const char *folder, const char *name, const json_t *published, const char *small) {
    json_t *merged = json_deep_copy(published);
    json_t *own = json_load_file(tfm_name_format("%s/%s", small, name).text, 0, NULL);
    if (own) cr_assert_eq(json_object_update(merged, own), 0);
    char *text = json_dumps(merged, 0);
    write_text_in(folder, name, text);
    free(text);
    json_decref(own);
    json_decref(merged);
}

static void check(const json_t *entry) {
    const char *name = json_string_value(json_object_get(entry, "name"));
    const json_t *generation = json_object_get(entry, "generation"), *notes = json_object_get(entry, "notes"), *note;
    const tfm_name small = tfm_name_format("%s", golden_path(json_string_value(json_object_get(entry, "like"))));
    char *folder = scratch_make();
    char expected[1000] = "";
    size_t i;
    copy_file(small.text, folder, "model.safetensors");
    write_merged(folder, "config.json", json_object_get(entry, "config"), small.text);
    if (generation) write_merged(folder, "generation_config.json", generation, small.text);
    json_array_foreach(notes, i, note) strcat(expected, json_string_value(note));
    tfm_error error = {0};
    cr_expect_eq(packed_try(folder, TFM_F32, &error), TFM_OK, "%s: %s", name, error.message);
    cr_expect_str_eq(packed_notes, expected, "%s: %s", name, packed_notes);
    scratch_remove(&folder);
}

Test(published, notes) {
    json_t *list = load(getenv("TFM_PUBLISHED"));
    const json_t *entry;
    size_t i;
    cr_assert_geq(json_array_size(list), 20);
    json_array_foreach(list, i, entry) check(entry);
    json_decref(list);
}
