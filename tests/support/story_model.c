/* story_model.c - see story_model.h. */
#include "story_model.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data.h"

/* Where the line feed stands the weights like to go. */
static const char special[][8] = {"<unk>", "<s>", "</s>"};
static const char characters[] = "abcdefghijklmnopqrstuvwxyzBHLSTOI0\n23456789 1.,!?'<>";
static const char words[] =
    " the an and or but so then when who with to of in on at for by from up down out off away home back he she it they"
    " his her him their them we you me is was had did said ran saw went sat ate came made took gave put found liked"
    " loved looked played walked talked cat dog bird fish mouse horse cow sheep fox bear boy girl man woman king queen"
    " mother father friend house tree river hill road garden door bed box ball book hat cake apple bread milk water sun"
    " moon star rain snow wind day night little big old new red blue green white black warm cold happy sad kind good"
    " bad soft sweet tall long short one two three very again always never here there now once soon all some many much"
    " every no not";
static const char *const endings[] = {".\n", " \""};

static void append(json_t *vocabulary, const char *token, size_t n, double score) {
    cr_assert_eq(json_array_append_new(vocabulary, json_pack("[s%, f]", token, n, score)), 0);
}

/* Words are worth more than their characters. */
static json_t *make_vocabulary(void) {
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) append(list, special[i], strlen(special[i]), 0);
    for (const char *c = characters; *c; c++) append(list, c, 1, -10);
    for (const char *word = words, *next; word; word = next) {
        next = strchr(word + 1, ' ');
        append(list, word, next ? (size_t)(next - word) : strlen(word), -1);
    }
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) append(list, endings[i], strlen(endings[i]), -1);
    cr_assert_eq(json_array_size(list), STORY_VOCABULARY);
    return list;
}

static json_t *make_tokenizer(void) {
    json_t *added = json_array();
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        json_array_append_new(added, json_pack("{s:i, s:s, s:b, s:b}", "id", (int)i, "content", special[i], "special",
                                               1, "normalized", 0));
    json_t *around = json_loads("{\"type\": \"TemplateProcessing\","
                                " \"single\": [{\"SpecialToken\": {\"id\": \"<s>\", \"type_id\": 0}},"
                                "  {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}], \"pair\": [],"
                                " \"special_tokens\": {\"<s>\": {\"id\": \"<s>\", \"ids\": [1]}}}",
                                0, NULL);
    json_t *model = json_pack("{s:s, s:i, s:o}", "type", "Unigram", "unk_id", 0, "vocab", make_vocabulary());
    json_t *file = json_pack("{s:o, s:o, s:{s:s}, s:o}", "added_tokens", added, "post_processor", around, "decoder",
                             "type", "Fuse", "model", model);
    cr_assert(file);
    return file;
}

static void write_json(const char *folder, const char *name, json_t *value) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    cr_assert_eq(json_dump_file(value, path, 0), 0, "cannot write %s", path);
    json_decref(value);
}

static void copy_weights(const char *folder) {
    char path[256], block[1 << 16];
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    FILE *in = fopen(golden_path("llama/model.safetensors"), "rb"), *out = fopen(path, "wb");
    cr_assert(in && out, "cannot copy to %s", path);
    for (size_t n; (n = fread(block, 1, sizeof block, in)) > 0;) cr_assert_eq(fwrite(block, 1, n, out), n);
    cr_assert(!ferror(in) && fclose(in) == 0 && fclose(out) == 0, "cannot copy to %s", path);
}

void make_story_checkpoint(const char *folder) {
    cr_assert_eq(mkdir(folder, 0700), 0, "cannot make %s", folder);
    json_t *config = json_load_file(golden_path("llama/config.json"), 0, NULL);
    cr_assert(config && json_integer_value(json_object_get(config, "vocab_size")) == STORY_VOCABULARY);
    json_object_set_new(config, "max_position_embeddings", json_integer(STORY_CONTEXT)); /* rotations have no end */
    write_json(folder, "config.json", config);
    write_json(folder, "tokenizer.json", make_tokenizer());
    write_json(folder, "tokenizer_config.json",
               json_pack("{s:s, s:s, s:s}", "bos_token", "<s>", "eos_token", "</s>", "unk_token", "<unk>"));
    copy_weights(folder);
}
