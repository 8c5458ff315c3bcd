/* tiny_json.c - tokenizer.json files made for a test. */
#include "tiny_json.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tiny_spm.h"

static const char *const files[N_TINY_JSON] = {
    /* byte-level BPE: words by a pattern, prefix space, special tokens around */
    "{\"added_tokens\": [{\"id\": 9, \"content\": \"<s>\", \"special\": true, \"normalized\": false},"
    " {\"id\": 10, \"content\": \"<x>\", \"special\": false, \"normalized\": true, \"lstrip\": true, \"rstrip\": true},"
    " {\"id\": 11, \"content\": \"<w>\", \"special\": false, \"normalized\": false, \"single_word\": true}],"
    " \"normalizer\": {\"type\": \"NFC\"},"
    " \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": ["
    "  {\"type\": \"Split\", \"pattern\": {\"Regex\": \"\\\\p{N}{1,3}|(?i:'s)|\\\\s+(?!\\\\S)|[^\\\\d\\\\s']+\"},"
    "   \"behavior\": \"Isolated\", \"invert\": false},"
    "  {\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"use_regex\": false},"
    "  {\"type\": \"Punctuation\", \"behavior\": \"MergedWithPrevious\"}]},"
    " \"post_processor\": {\"type\": \"RobertaProcessing\", \"cls\": [\"<s>\", 9], \"sep\": [\"<x>\", 10]},"
    " \"decoder\": {\"type\": \"ByteLevel\"},"
    " \"model\": {\"type\": \"BPE\", \"unk_token\": null, \"ignore_merges\": true, \"vocab\": {\"a\": 0, \"b\": 1, "
    "\"\\u0120\": 2,"
    "  \"\\u0120a\": 3, \"ab\": 4, \"\\u00c3\": 5, \"\\u00a9\": 6, \"\\u00c3\\u00a9\": 7, \"\\u0120ab\": 8},"
    "  \"merges\": [\"\\u0120 a\", \"a b\", [\"\\u00c3\", \"\\u00a9\"], \"\\u0120 ab\"]}}",
    /* BPE of characters with unknown ones, suffixes and prefixes of words */
    "{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", \"prepend\": \"_\"},"
    "  {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"_\"},"
    "  {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"_{2,}\"}, \"content\": \"_\"}]},"
    " \"pre_tokenizer\": {\"type\": \"CharDelimiterSplit\", \"delimiter\": \"_\"},"
    " \"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"BPEDecoder\", \"suffix\": \"</w>\"},"
    "  {\"type\": \"Replace\", \"pattern\": {\"String\": \"##\"}, \"content\": \"\"}]},"
    " \"model\": {\"type\": \"BPE\", \"unk_token\": \"<unk>\", \"fuse_unk\": true, \"continuing_subword_prefix\": "
    "\"##\","
    "  \"end_of_word_suffix\": \"</w>\", \"vocab\": {\"<unk>\": 0, \"a\": 1, \"##b\": 2, \"##b</w>\": 3, \"a</w>\": 4,"
    "  \"ab</w>\": 5, \"ab\": 6}, \"merges\": [\"a ##b</w>\", \"a ##b\"]}}",
    /* WordPiece as BERT has it */
    "{\"added_tokens\": [{\"id\": 0, \"content\": \"[UNK]\", \"special\": true, \"normalized\": false},"
    " {\"id\": 1, \"content\": \"[CLS]\", \"special\": true, \"normalized\": false}],"
    " \"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true,"
    "  \"strip_accents\": null, \"lowercase\": true},"
    " \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"},"
    " \"post_processor\": {\"type\": \"BertProcessing\", \"cls\": [\"[CLS]\", 1], \"sep\": [\"[UNK]\", 0]},"
    " \"decoder\": {\"type\": \"WordPiece\", \"prefix\": \"##\", \"cleanup\": true},"
    " \"model\": {\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"continuing_subword_prefix\": \"##\","
    "  \"max_input_chars_per_word\": 5, \"vocab\": {\"[UNK]\": 0, \"[CLS]\": 1, \"a\": 2, \"##a\": 3, \"##b\": 4, "
    "\"ab\": 5, \"!\": 6,"
    "  \"\\u4e00\": 7}}}",
    /* Unigram: character map (A to a, a with diaeresis to a single one), words behind U+2581 */
    "{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Precompiled\", \"precompiled_charsmap\": "
    "\"CHARSMAP\"},"
    "  {\"type\": \"Nmt\"}, {\"type\": \"Strip\", \"strip_left\": true, \"strip_right\": true}]},"
    " \"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"\\u2581\", \"prepend_scheme\": \"first\", "
    "\"split\": true},"
    " \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": \"A\", \"type_id\": "
    "0}},"
    "  {\"SpecialToken\": {\"id\": \"</s>\", \"type_id\": 0}}], \"pair\": [{\"Sequence\": {\"id\": \"A\", \"type_id\": "
    "0}},"
    "  {\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}], \"special_tokens\": {\"</s>\": {\"id\": \"</s>\", \"ids\": "
    "[1]}}},"
    " \"decoder\": {\"type\": \"Metaspace\", \"replacement\": \"\\u2581\", \"prepend_scheme\": \"first\"},"
    " \"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"<unk>\", 0.0], [\"</s>\", 0.0], [\"\\u2581\", "
    "-2.5],"
    "  [\"a\", -1.25], [\"\\u2581a\", -3.0], [\"ab\", -2.0], [\"b\", -1.5]]}}",
    /* whole words, and the normal forms that take marks away */
    "{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFKD\"}, {\"type\": \"StripAccents\"},"
    "  {\"type\": \"Lowercase\"}]},"
    " \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Whitespace\"},"
    "  {\"type\": \"Digits\", \"individual_digits\": true}]},"
    " \"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"},"
    "  {\"type\": \"Strip\", \"content\": \"a\", \"start\": 2, \"stop\": 1}]},"
    " \"model\": {\"type\": \"WordLevel\", \"unk_token\": \"?\", \"vocab\": {\"?\": 0, \"a\": 1, \"ab\": 2, \"1\": 3, "
    "\"fi\": 4, \"!!\": 5,"
    "  \"<0xC3>\": 6, \"<0xA9>\": 7}}}",
};

static const tiny_rule rules[] = {
    {"A", "a"}, {"A\xCC\x88", "\xC3\xA4"}, {"\xEF\xAC\x81", "ab"}, {"\t", " "}, {NULL, NULL}};

static void write_base64(FILE *out, const unsigned char *data, size_t n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        unsigned value =
            (unsigned)data[i] << 16 | (i + 1 < n ? (unsigned)data[i + 1] << 8 : 0) | (i + 2 < n ? data[i + 2] : 0);
        fputc(digits[value >> 18], out);
        fputc(digits[value >> 12 & 63], out);
        fputc(i + 1 < n ? digits[value >> 6 & 63] : '=', out);
        fputc(i + 2 < n ? digits[value & 63] : '=', out);
    }
}

char *tiny_json(int which) {
    static const char place[] = "CHARSMAP";
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    cr_assert_not_null(out);
    const char *hole = strstr(files[which], place);
    if (hole) {
        unsigned char *map = tiny_charsmap(rules, &n);
        fwrite(files[which], 1, (size_t)(hole - files[which]), out);
        write_base64(out, map, n);
        fputs(hole + strlen(place), out);
        free(map);
    } else {
        fputs(files[which], out);
    }
    cr_assert_eq(fclose(out), 0);
    return text;
}
