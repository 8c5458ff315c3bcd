/* keys_test.c - each key of a configuration file is read, or harmless, or left out with a word, or refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/require.h"
#include "tools/pack/config/keys.h"

TestSuite(keys, .timeout = 60);

static const tfm_key rows[] = {
    {"size", TFM_KEY_READ, NULL, NULL},        {"other", TFM_KEY_READ, NULL, "bert roberta"},
    {"dropout", TFM_KEY_HARMLESS, NULL, NULL}, {"penalty", TFM_KEY_LEFT_OUT, "1 none", NULL},
    {"pruned", TFM_KEY_REFUSED, NULL, NULL},   {"rope", TFM_KEY_READ, NULL, NULL},
    {"rope.factor", TFM_KEY_READ, NULL, NULL}, {"notes", TFM_KEY_READ, NULL, NULL},
    {"notes.*", TFM_KEY_HARMLESS, NULL, NULL},
};
static const tfm_key others_rows[] = {{"length", TFM_KEY_READ, NULL, NULL}};
static const tfm_key_table others = {others_rows, 1, NULL};
static const tfm_key_table table = {rows, sizeof rows / sizeof *rows, &others};

static char told[2000];

static void note(void *user, const char *text) {
    (void)user;
    strncat(told, text, sizeof told - strlen(told) - 2);
    strcat(told, "\n");
}

/* Checks a file of which `size`, `rope`, `rope.factor` and `notes` were asked for. */
static tfm_status check(const char *text, const char *scope, bool listed_only, json_t *ignored, tfm_error *error) {
    json_t *object = json_loads(text, 0, NULL);
    cr_assert_not_null(object, "%s", text);
    tfm_config config = {
        .folder = "f", .file = "c.json", .object = object, .scope = scope, .asked = json_object(), .error = error};
    const tfm_pack_options options = {.note = note, .ignored = ignored};
    tfm_config_u64(&config, "size", 0, 9, 0);
    tfm_config rope = tfm_config_within(&config, "rope");
    tfm_config_real(&rope, "factor", 0, 9, 1);
    tfm_config_within(&config, "notes");
    told[0] = '\0';
    tfm_status status = tfm_keys_check(&table, &config, listed_only, &options);
    json_decref(config.asked);
    json_decref(object);
    return status;
}

Test(keys, told) {
    static const struct {
        const char *text, *scope, *told;
    } cases[] = {
        {"{}", NULL, ""},
        {"{\"size\": 5, \"dropout\": 0.1, \"length\": 7}", NULL, ""},
        {"{\"x\": null, \"y\": false, \"z\": 0, \"a\": \"\", \"b\": [], \"c\": {}, \"d\": 0.0}", NULL, ""},
        {"{\"x\": true}", NULL, "c.json: not known to this kind of model, and left out: x = true\n"},
        {"{\"x\": 1.5, \"y\": \"a\\nb\", \"z\": [1, {}]}", NULL,
         "c.json: not known to this kind of model, and left out: x = 1.5, y = \"a\\nb\", z = [1,{}]\n"},
        {"{\"other\": 1}", NULL, "c.json: not known to this kind of model, and left out: other = 1\n"},
        {"{\"other\": 1}", "gpt2", "c.json: not known to this kind of model, and left out: other = 1\n"},
        {"{\"other\": 1}", "roberta", ""},
        {"{\"penalty\": 0.5}", NULL, "c.json: settings that are not supported are left out: penalty = 0.5\n"},
        {"{\"penalty\": 1.0}", NULL, ""},
        {"{\"penalty\": 1}", NULL, ""},
        {"{\"penalty\": \"none\"}", NULL, ""},
        {"{\"penalty\": \"no\"}", NULL, "c.json: settings that are not supported are left out: penalty = \"no\"\n"},
        {"{\"pruned\": {}}", NULL, ""},
        {"{\"rope\": {\"factor\": 2}}", NULL, ""},
        {"{\"rope\": {\"factor\": 2, \"beta\": 3}}", NULL,
         "c.json: not known to this kind of model, and left out: rope.beta = 3\n"},
        {"{\"notes\": {\"a\": 1, \"b\": 2}}", NULL, ""},
        {"{\"penalty\": 2, \"x\": 1}", NULL,
         "c.json: settings that are not supported are left out: penalty = 2\n"
         "c.json: not known to this kind of model, and left out: x = 1\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        REQUIRE_OK(check(cases[i].text, cases[i].scope, false, NULL, error));
        cr_expect_str_eq(told, cases[i].told, "%s\n%s", cases[i].text, told);
    }
}

/* Where another file's keys stand beside them, only those that the table has are looked at. */
Test(keys, of_another_file) {
    REQUIRE_OK(check("{\"x\": 1, \"penalty\": 3}", NULL, true, NULL, error));
    cr_expect_str_eq(told, "c.json: settings that are not supported are left out: penalty = 3\n");
}

Test(keys, refused) {
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, check("{\"x\": 1, \"pruned\": {\"0\": [1]}}", NULL, false, NULL, error),
                  "f/c.json: pruned is not supported ({\"0\":[1]})");
}

/* Lines for the model file, and a note that does not go on for ever. */
Test(keys, many) {
    char text[4000] = "{\"k\": \"";
    for (int i = 0; i < 300; i++) strcat(text, "\xC3\xA4");
    strcat(text, "\"");
    for (int i = 0; i < 30; i++) snprintf(text + strlen(text), 40, ", \"key%d\": %d", i, i + 1);
    strcat(text, "}");
    json_t *ignored = json_array();
    REQUIRE_OK(check(text, NULL, false, ignored, error));
    cr_expect_eq(json_array_size(ignored), 31);
    cr_expect_str_eq(json_string_value(json_array_get(ignored, 30)), "c.json: key29 = 30");
    cr_expect(strstr(told, "\xC3\xA4..., key0 = 1,"), "%s", told);
    cr_expect(strstr(told, ", and 19 more\n"), "%s", told);
    json_decref(ignored);
}

/* A file of a million unknown keys does not make a model file of their size. */
Test(keys, more_than_are_kept) {
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    for (int i = 1; i <= 1500; i++) fprintf(out, "%s\"key%d\": %d", i > 1 ? ", " : "{", i, i);
    fputs("}", out);
    cr_assert_eq(fclose(out), 0);
    json_t *ignored = json_array();
    REQUIRE_OK(check(text, NULL, false, ignored, error));
    cr_expect_eq(json_array_size(ignored), 1001);
    cr_expect_str_eq(json_string_value(json_array_get(ignored, 999)), "c.json: key1000 = 1000");
    cr_expect_str_eq(json_string_value(json_array_get(ignored, 1000)), "and more");
    json_decref(ignored);
    free(text);
}

/* What is read and in no table is a fault of the table. */
Test(keys, unlisted) {
    tfm_error error;
    json_t *object = json_object();
    tfm_config config = {.folder = "f", .file = "c.json", .object = object, .asked = json_object(), .error = &error};
    const tfm_pack_options options = {0};
    tfm_config_get(&config, "size");
    cr_expect_eq(tfm_keys_check(&table, &config, false, &options), TFM_OK);
    tfm_config_get(&config, "length");
    cr_expect_eq(tfm_keys_check(&table, &config, false, &options), TFM_OK);
    tfm_config_get(&config, "width");
    cr_expect_eq(tfm_keys_check(&table, &config, false, &options), TFM_ERROR_ARGUMENT);
    cr_expect_str_eq(error.message, "f/c.json: key 'width' is read, and in no table of keys");
    json_decref(config.asked);
    json_decref(object);
}

/* Two names of one thing. */
Test(keys, aliases) {
    static const struct {
        const char *text, *type;
        uint64_t right; /* 0: refused */
    } cases[] = {
        {"{\"n_embd\": 4}", "gpt2", 4},
        {"{\"hidden_size\": 5}", "gpt2", 5},
        {"{\"hidden_size\": 5, \"n_embd\": 5}", "gpt2", 5},
        {"{\"hidden_size\": 5, \"n_embd\": null}", "gpt2", 5},
        {"{\"hidden_size\": null, \"n_embd\": 6}", "gpt2", 6},
        {"{\"hidden_size\": 5, \"n_embd\": 6}", "gpt2", 0},
        {"{\"hidden_size\": 5}", "llama", 7},
        {"{\"hidden_size\": 5}", NULL, 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tfm_error error;
        json_t *object = json_loads(cases[i].text, 0, NULL);
        tfm_config config = {
            .folder = "f", .file = "c.json", .object = object, .scope = cases[i].type, .error = &error};
        const uint64_t value = tfm_config_u64(&config, "n_embd", 1, 9, 7);
        cr_expect_eq(config.status, cases[i].right ? TFM_OK : TFM_ERROR_FORMAT, "%s", cases[i].text);
        if (cases[i].right) cr_expect_eq(value, cases[i].right, "%s", cases[i].text);
        if (!cases[i].right)
            cr_expect_str_eq(error.message, "f/c.json: n_embd and hidden_size, which mean the same, differ");
        json_decref(object);
    }
}

/* The tables themselves: no key twice, and none that stands in both. */
Test(keys, tables) {
    static const tfm_key_table *const tables[] = {&tfm_config_keys, &tfm_generation_keys};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (size_t i = 0; i < tables[t]->n; i++)
            for (size_t k = 0; k < i; k++)
                cr_expect_str_neq(tables[t]->keys[i].name, tables[t]->keys[k].name, "twice in a table");
}
