/* tokenizer_class.c - see tokenizer_class.h. The names and their habits are those of transformers' documentation. */
#include "tokenizer_class.h"

#include <stddef.h>
#include <string.h>

#include "tools/pack/common/word_list.h"

#define MBART                                                                                                          \
    "ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT lv_LV my_MM ne_NP "     \
    "nl_XX ro_RO ru_RU si_LK tr_TR vi_VN zh_CN"
#define MBART50                                                                                                        \
    MBART " af_ZA az_AZ bn_IN fa_IR he_IL hr_HR id_ID ka_GE km_KH mk_MK ml_IN mn_MN mr_IN pl_PL ps_AF pt_XX sv_SE "    \
          "sw_KE ta_IN te_IN th_TH tl_XX uk_UA ur_PK xh_ZA gl_ES sl_SI"
#define NLLB                                                                                                           \
    "ace_Arab ace_Latn acm_Arab acq_Arab aeb_Arab afr_Latn ajp_Arab aka_Latn amh_Ethi apc_Arab arb_Arab ars_Arab "     \
    "ary_Arab arz_Arab asm_Beng ast_Latn awa_Deva ayr_Latn azb_Arab azj_Latn bak_Cyrl bam_Latn ban_Latn bel_Cyrl "     \
    "bem_Latn ben_Beng bho_Deva bjn_Arab bjn_Latn bod_Tibt bos_Latn bug_Latn bul_Cyrl cat_Latn ceb_Latn ces_Latn "     \
    "cjk_Latn ckb_Arab crh_Latn cym_Latn dan_Latn deu_Latn dik_Latn dyu_Latn dzo_Tibt ell_Grek eng_Latn epo_Latn "     \
    "est_Latn eus_Latn ewe_Latn fao_Latn pes_Arab fij_Latn fin_Latn fon_Latn fra_Latn fur_Latn fuv_Latn gla_Latn "     \
    "gle_Latn glg_Latn grn_Latn guj_Gujr hat_Latn hau_Latn heb_Hebr hin_Deva hne_Deva hrv_Latn hun_Latn hye_Armn "     \
    "ibo_Latn ilo_Latn ind_Latn isl_Latn ita_Latn jav_Latn jpn_Jpan kab_Latn kac_Latn kam_Latn kan_Knda kas_Arab "     \
    "kas_Deva kat_Geor knc_Arab knc_Latn kaz_Cyrl kbp_Latn kea_Latn khm_Khmr kik_Latn kin_Latn kir_Cyrl kmb_Latn "     \
    "kon_Latn kor_Hang kmr_Latn lao_Laoo lvs_Latn lij_Latn lim_Latn lin_Latn lit_Latn lmo_Latn ltg_Latn ltz_Latn "     \
    "lua_Latn lug_Latn luo_Latn lus_Latn mag_Deva mai_Deva mal_Mlym mar_Deva min_Latn mkd_Cyrl plt_Latn mlt_Latn "     \
    "mni_Beng khk_Cyrl mos_Latn mri_Latn zsm_Latn mya_Mymr nld_Latn nno_Latn nob_Latn npi_Deva nso_Latn nus_Latn "     \
    "nya_Latn oci_Latn gaz_Latn ory_Orya pag_Latn pan_Guru pap_Latn pol_Latn por_Latn prs_Arab pbt_Arab quy_Latn "     \
    "ron_Latn run_Latn rus_Cyrl sag_Latn san_Deva sat_Beng scn_Latn shn_Mymr sin_Sinh slk_Latn slv_Latn smo_Latn "     \
    "sna_Latn snd_Arab som_Latn sot_Latn spa_Latn als_Latn srd_Latn srp_Cyrl ssw_Latn sun_Latn swe_Latn swh_Latn "     \
    "szl_Latn tam_Taml tat_Cyrl tel_Telu tgk_Cyrl tgl_Latn tha_Thai tir_Ethi taq_Latn taq_Tfng tpi_Latn tsn_Latn "     \
    "tso_Latn tuk_Latn tum_Latn tur_Latn twi_Latn tzm_Tfng uig_Arab ukr_Cyrl umb_Latn urd_Arab uzn_Latn vec_Latn "     \
    "vie_Latn war_Latn wol_Latn xho_Latn ydd_Hebr yor_Latn yue_Hant zho_Hans zho_Hant zul_Latn"
#define M2M100                                                                                                         \
    "af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga gd gl gu ha he hi hr ht hu "   \
    "hy id ig ilo is it ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml mn mr ms my ne nl no ns oc or pa pl ps pt "    \
    "ro ru sd si sk sl so sq sr ss su sv sw ta th tl tn tr uk ur uz vi wo xh yi yo zh zu"

#define WORDS(class_name)                                                                                              \
    { .name = class_name, .source = TFM_SOURCE_WORDS, .lower_case = true, .cls_sep = true }
#define ROBERTA(class_name)                                                                                            \
    { .name = class_name, .source = TFM_SOURCE_BYTE_PAIRS, .bos = "<s>", .eos = "</s>", .cls_sep = true }
#define GPT2(class_name)                                                                                               \
    { .name = class_name, .source = TFM_SOURCE_BYTE_PAIRS, .bos = "<|endoftext|>", .eos = "<|endoftext|>" }
#define LACKING(class_name, what)                                                                                      \
    { .name = class_name, .source = TFM_SOURCE_LACKING, .lacks = what }

static const tfm_tokenizer_class classes[] = {
    {.name = "PreTrainedTokenizer", .source = TFM_SOURCE_JSON},
    {.name = "TokenizersBackend", .source = TFM_SOURCE_JSON},
    {.name = "BloomTokenizer", .source = TFM_SOURCE_JSON, .bos = "<s>", .eos = "</s>"},
    {.name = "CohereTokenizer",
     .source = TFM_SOURCE_JSON,
     .bos = "<BOS_TOKEN>",
     .eos = "<|END_OF_TURN_TOKEN|>",
     .rebuilds = true},
    {.name = "GPTNeoXTokenizer",
     .source = TFM_SOURCE_JSON,
     .bos = "<|endoftext|>",
     .eos = "<|endoftext|>",
     .rebuilds = true},
    WORDS("BertTokenizer"),
    WORDS("DistilBertTokenizer"),
    WORDS("ElectraTokenizer"),
    WORDS("ConvBertTokenizer"),
    WORDS("LayoutLMTokenizer"),
    WORDS("LxmertTokenizer"),
    WORDS("MobileBertTokenizer"),
    WORDS("RetriBertTokenizer"),
    WORDS("SqueezeBertTokenizer"),
    WORDS("DPRContextEncoderTokenizer"),
    WORDS("DPRQuestionEncoderTokenizer"),
    GPT2("GPT2Tokenizer"),
    GPT2("CodeGenTokenizer"),
    {.name = "Qwen2Tokenizer", .source = TFM_SOURCE_BYTE_PAIRS, .eos = "<|endoftext|>"},
    ROBERTA("RobertaTokenizer"),
    ROBERTA("BartTokenizer"),
    ROBERTA("LongformerTokenizer"),
    ROBERTA("LEDTokenizer"),
    ROBERTA("MvpTokenizer"),
    {.name = "LlamaTokenizer",
     .source = TFM_SOURCE_PIECES,
     .bos = "<s>",
     .eos = "</s>",
     .rebuilds = true,
     .adds_bos = true},
    {.name = "CodeLlamaTokenizer",
     .source = TFM_SOURCE_PIECES,
     .bos = "<s>",
     .eos = "</s>",
     .rebuilds = true,
     .adds_bos = true},
    {.name = "GemmaTokenizer",
     .source = TFM_SOURCE_PIECES,
     .bos = "<bos>",
     .eos = "<eos>",
     .rebuilds = true,
     .adds_bos = true},
    {.name = "T5Tokenizer", .source = TFM_SOURCE_PIECES, .eos = "</s>", .adds_eos = true},
    {.name = "MT5Tokenizer", .source = TFM_SOURCE_PIECES, .eos = "</s>", .adds_eos = true},
    {.name = "XLMRobertaTokenizer",
     .source = TFM_SOURCE_PIECES,
     .bos = "<s>",
     .eos = "</s>",
     .order = TFM_ORDER_FAIRSEQ,
     .cls_sep = true},
    {.name = "CamembertTokenizer",
     .source = TFM_SOURCE_PIECES,
     .bos = "<s>",
     .eos = "</s>",
     .order = TFM_ORDER_CAMEMBERT,
     .cls_sep = true},
    {.name = "PegasusTokenizer",
     .source = TFM_SOURCE_PIECES,
     .eos = "</s>",
     .order = TFM_ORDER_PEGASUS,
     .adds_eos = true},
    {.name = "MBartTokenizer",
     .source = TFM_SOURCE_PIECES,
     .bos = "<s>",
     .eos = "</s>",
     .order = TFM_ORDER_FAIRSEQ,
     .language = TFM_LANGUAGE_LAST,
     .source_language = "en_XX",
     .starts_with_language = true,
     .codes = MBART},
    {.name = "MBart50Tokenizer",
     .source = TFM_SOURCE_PIECES,
     .bos = "<s>",
     .eos = "</s>",
     .order = TFM_ORDER_FAIRSEQ,
     .language = TFM_LANGUAGE_FIRST,
     .source_language = "en_XX",
     .codes = MBART50},
    {.name = "NllbTokenizer",
     .source = TFM_SOURCE_PIECES,
     .bos = "<s>",
     .eos = "</s>",
     .order = TFM_ORDER_FAIRSEQ,
     .language = TFM_LANGUAGE_FIRST,
     .source_language = "eng_Latn",
     .codes = NLLB},
    {.name = "M2M100Tokenizer",
     .source = TFM_SOURCE_NUMBERED,
     .bos = "<s>",
     .eos = "</s>",
     .language = TFM_LANGUAGE_FIRST,
     .source_language = "en",
     .codes = M2M100,
     .code_format = "__%.*s__"},
    {.name = "MarianTokenizer", .source = TFM_SOURCE_PAIR, .eos = "</s>"},
    LACKING("BertJapaneseTokenizer", "a morphological analyser (MeCab, Sudachi or Juman++)"),
    LACKING("BertweetTokenizer", "its own rules for tweets and bpe.codes"),
    LACKING("PhobertTokenizer", "bpe.codes, and words that were cut before"),
    LACKING("RoFormerTokenizer", "the word segmenter jieba"),
    LACKING("CpmTokenizer", "the word segmenter jieba"),
    LACKING("CpmAntTokenizer", "the word segmenter jieba"),
    LACKING("FlaubertTokenizer", "the Moses tokenizer"),
    LACKING("XLMTokenizer", "the Moses tokenizer"),
    LACKING("FSMTTokenizer", "the Moses tokenizer"),
    LACKING("BioGptTokenizer", "the Moses tokenizer"),
    LACKING("TransfoXLTokenizer", "the Moses tokenizer"),
    LACKING("CTRLTokenizer", "its own splitting at white space"),
    LACKING("ProphetNetTokenizer", "its own splitting"),
    LACKING("BertGenerationTokenizer", "its own framing of a SentencePiece file"),
    LACKING("XLMProphetNetTokenizer", "its own framing of a SentencePiece file"),
    LACKING("GPTNeoXJapaneseTokenizer", "its own rules for Japanese"),
    LACKING("GPTSw3Tokenizer", "its own normalisation"),
    LACKING("ByT5Tokenizer", "bytes as tokens"),
    LACKING("MyT5Tokenizer", "bytes as tokens"),
    LACKING("PerceiverTokenizer", "bytes as tokens"),
    LACKING("CanineTokenizer", "characters as tokens"),
    LACKING("Wav2Vec2CTCTokenizer", "characters as tokens"),
    LACKING("EsmTokenizer", "its own splitting"),
    LACKING("LukeTokenizer", "entities beside the text"),
    LACKING("MLukeTokenizer", "entities beside the text"),
    LACKING("BartphoTokenizer", "a vocabulary of two files"),
    LACKING("RagTokenizer", "two tokenizers"),
    LACKING("MistralCommonTokenizer", "tekken.json"),
};

static const struct {
    const char *model_types, *class;
} models[] = {
    {"bert distilbert electra convbert layoutlm lxmert mobilebert megatron-bert nezha qdqbert realm retribert "
     "squeezebert visual_bert ernie",
     "BertTokenizer"},
    {"gpt2 gpt_neo gptj gpt_bigcode opt starcoder2 granite granitemoe imagegpt", "GPT2Tokenizer"},
    {"codegen phi", "CodeGenTokenizer"},
    {"qwen2 qwen2_moe qwen3 qwen3_moe", "Qwen2Tokenizer"},
    {"roberta roberta-prelayernorm data2vec-text ibert longformer", "RobertaTokenizer"},
    {"bart led mvp", "BartTokenizer"},
    {"llama mistral mixtral phi3 persimmon", "LlamaTokenizer"},
    {"gemma gemma2 recurrent_gemma", "GemmaTokenizer"},
    {"cohere", "CohereTokenizer"},
    {"gpt_neox stablelm mamba mpt olmo olmo2", "GPTNeoXTokenizer"},
    {"bloom", "BloomTokenizer"},
    {"t5 mt5 umt5 longt5 switch_transformers", "T5Tokenizer"},
    {"xlm-roberta xlm-roberta-xl xmod", "XLMRobertaTokenizer"},
    {"camembert", "CamembertTokenizer"},
    {"mbart", "MBartTokenizer"},
    {"m2m_100", "M2M100Tokenizer"},
    {"nllb-moe", "NllbTokenizer"},
    {"marian", "MarianTokenizer"},
    {"pegasus bigbird_pegasus pegasus_x", "PegasusTokenizer"},
    {"bert-japanese", "BertJapaneseTokenizer"},
    {"flaubert", "FlaubertTokenizer"},
    {"xlm", "XLMTokenizer"},
    {"fsmt", "FSMTTokenizer"},
    {"biogpt", "BioGptTokenizer"},
    {"canine", "CanineTokenizer"},
    {"ctrl", "CTRLTokenizer"},
};

const tfm_tokenizer_class *tfm_tokenizer_class_find(const char *name) {
    size_t n = strlen(name);
    if (n > 4 && strcmp(name + n - 4, "Fast") == 0) n -= 4;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strlen(classes[i].name) == n && memcmp(classes[i].name, name, n) == 0) return &classes[i];
    return NULL;
}

const tfm_tokenizer_class *tfm_tokenizer_class_of_model(const char *model_type) {
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (tfm_word_list_has(models[i].model_types, model_type)) return tfm_tokenizer_class_find(models[i].class);
    return NULL;
}

const char *tfm_tokenizer_class_files(const tfm_tokenizer_class *class) {
    switch (class->source) {
    case TFM_SOURCE_JSON: return "tokenizer.json";
    case TFM_SOURCE_WORDS: return "vocab.txt";
    case TFM_SOURCE_BYTE_PAIRS: return "vocab.json and merges.txt";
    case TFM_SOURCE_PIECES: return "a SentencePiece file";
    case TFM_SOURCE_NUMBERED: return "vocab.json and sentencepiece.bpe.model";
    case TFM_SOURCE_PAIR: return "vocab.json, source.spm and target.spm";
    case TFM_SOURCE_LACKING: return class->lacks;
    }
    return "";
}
