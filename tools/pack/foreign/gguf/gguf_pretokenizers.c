/*
 * gguf_pretokenizers.c - the table; see gguf_pretokenizers.h. Names and what they stand for are those of llama.cpp
 * (src/llama-vocab.cpp), the patterns those of the tokenizer.json that each was made for.
 */
#include "gguf_pretokenizers.h"

#include "tools/pack/common/word_list.h"

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SPACES "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define LLAMA3 CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" SPACES
#define QWEN2 CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" SPACES
#define TEKKEN                                                                                                         \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER                                \
    "*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" SPACES
#define GPT_4O                                                                                                         \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" CONTRACTIONS "?|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER               \
    "*" CONTRACTIONS "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" SPACES
#define BLOOM " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"

/* ---- DeepSeek's ---- */

/* Letters that have cases, of the Unicode version they were listed with. */
#define CASED                                                                                                          \
    "A-Za-z"                                                                                                           \
    "\\x{B5}\\x{C0}-\\x{D6}\\x{D8}-\\x{F6}\\x{F8}-\\x{1BA}\\x{1BC}-\\x{1BF}\\x{1C4}-\\x{293}\\x{295}-\\x{2AF}"         \
    "\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37B}-\\x{37D}\\x{37F}\\x{386}\\x{388}-\\x{38A}\\x{38C}\\x{38E}-\\x{3A1}"     \
    "\\x{3A3}-\\x{3F5}\\x{3F7}-\\x{481}\\x{48A}-\\x{52F}\\x{531}-\\x{556}\\x{10A0}-\\x{10C5}\\x{13A0}-\\x{13F5}"       \
    "\\x{13F8}-\\x{13FD}\\x{1C90}-\\x{1CBA}\\x{1CBD}-\\x{1CBF}\\x{1D00}-\\x{1D2B}\\x{1D6B}-\\x{1D77}"                  \
    "\\x{1D79}-\\x{1D9A}\\x{1E00}-\\x{1F15}\\x{1F18}-\\x{1F1D}\\x{1F20}-\\x{1F45}\\x{1F48}-\\x{1F4D}"                  \
    "\\x{1F50}-\\x{1F57}\\x{1F59}\\x{1F5B}\\x{1F5D}\\x{1F5F}-\\x{1F7D}\\x{1F80}-\\x{1FB4}\\x{1FB6}-\\x{1FBC}"          \
    "\\x{1FBE}\\x{1FC2}-\\x{1FC4}\\x{1FC6}-\\x{1FCC}\\x{1FD0}-\\x{1FD3}\\x{1FD6}-\\x{1FDB}\\x{1FE0}-\\x{1FEC}"         \
    "\\x{1FF2}-\\x{1FF4}\\x{1FF6}-\\x{1FFC}\\x{2102}\\x{2107}\\x{210A}-\\x{2113}\\x{2115}\\x{2119}-\\x{211D}"          \
    "\\x{2124}\\x{2126}\\x{2128}\\x{212A}-\\x{212D}\\x{212F}-\\x{2134}\\x{2139}\\x{213C}-\\x{213F}"                    \
    "\\x{2145}-\\x{2149}\\x{214E}\\x{2183}\\x{2184}\\x{2C00}-\\x{2C7B}\\x{2C7E}-\\x{2CE4}\\x{2CEB}-\\x{2CEE}"          \
    "\\x{2CF2}\\x{2CF3}\\x{A640}-\\x{A66D}\\x{A680}-\\x{A69B}\\x{A722}-\\x{A76F}\\x{A771}-\\x{A787}"                   \
    "\\x{A78B}-\\x{A78E}\\x{AB70}-\\x{ABBF}\\x{FB00}-\\x{FB06}\\x{FB13}-\\x{FB17}\\x{FF21}-\\x{FF3A}"                  \
    "\\x{FF41}-\\x{FF5A}\\x{10400}-\\x{1044F}\\x{104B0}-\\x{104D3}\\x{104D8}-\\x{104FB}\\x{10C80}-\\x{10CB2}"          \
    "\\x{10CC0}-\\x{10CF2}\\x{118A0}-\\x{118DF}\\x{1E900}-\\x{1E943}"
#define CASED_WORDS "\\s?[" CASED "]+"
#define MARKS "\\s?[!-/:-~\\x{FF01}-\\x{FF0F}\\x{FF1A}-\\x{FF5E}\\x{2018}-\\x{201F}\\x{3000}-\\x{3002}]+"
#define TO_THE_END "\\s+(?![\\s\\S])"
#define IDEOGRAPHS "[\\x{4E00}-\\x{9FA5}\\x{800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]+"
#define IDEOGRAPHS_V3 "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+"
#define WORDS_V3                                                                                                       \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"               \
    " ?[\\p{P}\\p{S}]+[\\r\\n]*" SPACES

/* ---- the table ---- */

static const tfm_gguf_pretokenizer pretokenizers[] = {
    {.names = "gpt-2 gpt2 phi-2 roberta-bpe jina-es jina-de jina-v2-es jina-v2-de jina-v1-en jina-v2-code modern-bert "
              "gigachat a.x-4.0 mellum exaone4 jais trillion granite-docling"},
    {.names = "olmo mpt gpt-neox dbrx-neox", .nfc = true},
    {.names = "smollm starcoder refact codeshell exaone minerva-7b mellum2", .digits = true},
    {.names = "command-r", .digits = true, .nfc = true},
    {.names = "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
     .patterns = {LLAMA3},
     .ignore_merges = true,
     .bos = true},
    {.names = "dbrx smaug-bpe glm4 chatglm-bpe", .patterns = {LLAMA3}},
    {.names = "qwen2 deepseek-r1-qwen kormo f2llmv2 megrez", .patterns = {QWEN2}, .nfc = true},
    {.names = "stablelm2 hunyuan solar-open grok-2", .patterns = {QWEN2}},
    {.names = "tekken", .patterns = {TEKKEN}, .ignore_merges = true, .bos = true},
    {.names = "gpt-4o llama4 kanana2 talkie minimax-m2", .patterns = {GPT_4O}},
    {.names = "bloom poro-chat gpt3-finnish", .patterns = {BLOOM}},
    {.names = "viking", .patterns = {BLOOM, "\\p{N}"}},
    {.names = "deepseek-llm", .patterns = {"[\\r\\n]", CASED_WORDS, MARKS, TO_THE_END, IDEOGRAPHS, "\\p{N}+"}},
    {.names = "deepseek-coder", .patterns = {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", IDEOGRAPHS, "\\p{N}"}},
    {.names = "deepseek-v3 hunyuan-dense joyai-llm", .patterns = {"\\p{N}{1,3}", IDEOGRAPHS_V3, WORDS_V3}},
    {.names = "falcon", .falcon = true},
    {.names = "default", .patterns = {"[\\p{P}$+<=>^~|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}},
};

const tfm_gguf_pretokenizer *tfm_gguf_pretokenizer_find(const char *name) {
    for (size_t i = 0; i < sizeof pretokenizers / sizeof *pretokenizers; i++)
        if (tfm_word_list_has(pretokenizers[i].names, name[0] ? name : "default")) return &pretokenizers[i];
    return NULL;
}

static bool append_split(json_t *steps, const char *pattern) {
    json_t *split = json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex", pattern, "behavior",
                              "Isolated", "invert", 0);
    return json_array_append_new(steps, split) == 0;
}

static bool append_steps(json_t *steps, const tfm_gguf_pretokenizer *words) {
    const bool own = words->patterns[0] != NULL;
    bool ok = steps != NULL;
    for (size_t i = 0; ok && i < TFM_GGUF_PATTERNS && words->patterns[i]; i++)
        ok = append_split(steps, words->patterns[i]);
    if (ok && words->digits)
        ok = json_array_append_new(steps, json_pack("{s:s, s:b}", "type", "Digits", "individual_digits", 1)) == 0;
    if (ok && words->falcon)
        ok =
            json_array_append_new(steps, json_pack("{s:s, s:s}", "type", "Punctuation", "behavior", "Contiguous")) == 0;
    ok = ok && json_array_append_new(steps, json_pack("{s:s, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0,
                                                      "use_regex", !own)) == 0;
    if (ok && words->falcon)
        ok = json_array_append_new(steps, json_pack("{s:s, s:b}", "type", "Digits", "individual_digits", 0)) == 0 &&
             append_split(steps, "[0-9][0-9][0-9]");
    return ok;
}

json_t *tfm_gguf_pretokenizer_json(const tfm_gguf_pretokenizer *words) {
    json_t *steps = json_array();
    json_t *all =
        append_steps(steps, words) ? json_pack("{s:s, s:O}", "type", "Sequence", "pretokenizers", steps) : NULL;
    json_decref(steps);
    return all;
}
