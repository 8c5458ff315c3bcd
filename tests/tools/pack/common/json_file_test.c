/* json_file_test.c - what is wrong with a JSON file is said in one way: the file, the line, the problem. */
#include <unistd.h>

#include "tests/tools/pack/files.h"
#include "tools/pack/common/json_file.h"

TestSuite(json_file, .timeout = 60);

static const struct {
    const char *text;
    unsigned rules;
    const char *message; /* NULL: it is read */
} cases[] = {
    {"{\"a\": 1}", TFM_JSON_OBJECT, NULL},
    {"[1]", 0, NULL},
    {"[1]", TFM_JSON_OBJECT, "x.json: not a JSON object"},
    {"", 0, "x.json: line 1: "},
    {"{\n\"a\" 1}", 0, "x.json: line 2: "},
    {"{\"a\": 1} x", 0, "x.json: line 1: end of file expected"},
    {"[\"\xff\"]", 0, "x.json: line 1: unable to decode byte 0xff"},
    {"{\n\"a\": NaN,\n\"b\": nan}", 0, "x.json: line 3: "},
    {"[Infinity", 0, "x.json: line 1: "},
    {"[\"NaN", 0, "x.json: line 1: "},
    {"[\"\\", 0, "x.json: line 1: "},
    {"[\"\\u0000\"]", 0, "x.json: line 1: \\u0000 is not allowed"},
    {"[\"\\u0000\"]", TFM_JSON_NUL, NULL},
};

Test(json_file, contents) {
    char *folder = scratch_make();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *json;
        write_text_in(folder, "x.json", cases[i].text);
        if (cases[i].message) {
            REQUIRE_ERROR(TFM_ERROR_FORMAT, tfm_json_load(in(folder, "x.json"), cases[i].rules, &json, error),
                          cases[i].message);
            cr_expect_null(json);
        } else {
            REQUIRE_OK(tfm_json_load(in(folder, "x.json"), cases[i].rules, &json, error));
            cr_expect_not_null(json);
            json_decref(json);
        }
    }
    scratch_remove(&folder);
}

/* What Python's json module writes and reads, and the JSON that it becomes. */
static const struct {
    const char *text, *json;
} python[] = {
    {"{\"a\": 1, \"a\": 2}", "{\"a\": 2}"},
    {"\xEF\xBB\xBF[1]", "[1]"},
    {"\xEF\xBB\xBF[NaN]", "[\"NaN\"]"},
    {"[NaN, Infinity,-Infinity]", "[\"NaN\", \"Infinity\", \"-Infinity\"]"},
    {"{\"NaN\": NaN, \"b\": \"\\\"NaN\\\\\", \"c\": Infinity}",
     "{\"NaN\": \"NaN\", \"b\": \"\\\"NaN\\\\\", \"c\": \"Infinity\"}"},
    {"[1e400, -1e400, 1.5E+400, 1e30]", "[\"1e400\", \"-1e400\", \"1.5E+400\", 1e30]"},
    {"[9223372036854775807, 1e-400]", "[9223372036854775807, 0.0]"},
    {"[9223372036854775808]", "[9223372036854775808.0]"},
    {"[1000000000000000019884624838656, -1000000000000000019884624838656, 7, 7.5, true, null]",
     "[1e30, -1e30, 7, 7.5, true, null]"},
};

Test(json_file, what_python_writes) {
    char *folder = scratch_make();
    for (size_t i = 0; i < sizeof python / sizeof *python; i++) {
        json_t *json, *right = json_loads(python[i].json, 0, NULL);
        write_text_in(folder, "x.json", python[i].text);
        REQUIRE_OK(tfm_json_load(in(folder, "x.json"), 0, &json, error));
        cr_assert_not_null(right);
        cr_expect(json_equal(json, right), "%s is not %s", python[i].text, python[i].json);
        json_decref(json);
        json_decref(right);
    }
    scratch_remove(&folder);
}

Test(json_file, files) {
    char *folder = scratch_make();
    json_t *json;
    REQUIRE_ERROR(TFM_ERROR_IO, tfm_json_load(in(folder, "none"), 0, &json, error),
                  "none: cannot be opened: No such file");
    cr_expect_null(json);
    REQUIRE_OK(tfm_json_load(in(folder, "none"), TFM_JSON_OPTIONAL, &json, error));
    cr_expect_null(json);
    REQUIRE_ERROR(TFM_ERROR_IO, tfm_json_load(folder, TFM_JSON_OPTIONAL, &json, error), folder);
    write_text_in(folder, "huge", "");
    cr_assert_eq(truncate(in(folder, "huge"), ((off_t)256 << 20) + 1), 0);
    REQUIRE_ERROR(TFM_ERROR_FORMAT, tfm_json_load(in(folder, "huge"), 0, &json, error), "huge: too large");
    scratch_remove(&folder);
}
