/* converter_options.c - see converter_options.h. */
#include "converter_options.h"

#define CT2 "CTranslate2"
#define LLAMA "llama.cpp"
#define MARIAN "Marian"
#define OPTIMUM "Optimum"

static const char source[] = "the checkpoint is the first argument: tfmpack SRC OUT.bin";
static const char target[] = "the file to write is the last argument: tfmpack SRC OUT.bin";
static const char no_code[] = "code of a checkpoint is never run; leave it out";
static const char tokenizer[] = "tokenizer and configuration are packed with the weights; leave it out";

static const tfm_foreign_option options[] = {
    {.name = "quantization", .program = CT2, .ours = "dtype"},
    {.name = "model", .program = CT2 ", " OPTIMUM " and " MARIAN, .advice = source},
    {.name = "model_path", .program = CT2, .advice = source},
    {.name = "model_dir", .program = CT2, .advice = source},
    {.name = "output_dir", .program = CT2, .advice = target},
    {.name = "copy_files", .program = CT2, .advice = tokenizer},
    {.name = "vocab_mapping", .program = CT2, .ours = "shortlist"},
    {.name = "low_cpu_mem_usage", .program = CT2, .advice = "little memory is used anyway; leave it out"},
    {.name = "load_as_float16", .program = CT2, .advice = "weights are read as they are; leave it out"},
    {.name = "revision", .program = CT2, .advice = "give the folder of that snapshot in the cache of the hub"},
    {.name = "trust_remote_code", .program = CT2 " and " OPTIMUM, .advice = no_code},
    {.name = "outtype", .program = LLAMA, .ours = "dtype"},
    {.name = "outfile", .program = LLAMA, .advice = target},
    {.name = "vocab-only", .program = LLAMA, .ours = "tokenizer-only"},
    {.name = "model-name", .program = LLAMA, .ours = "metadata name=NAME"},
    {.name = "remote",
     .program = LLAMA,
     .advice = "nothing is downloaded: hf download NAME, then tfmpack NAME OUT.bin"},
    {.name = "dry-run", .program = LLAMA, .ours = "inspect"},
    {.name = "print-supported-models", .program = LLAMA, .ours = "list"},
    {.name = "split-max-size", .program = LLAMA, .advice = "a model is one file; leave it out"},
    {.name = "split-max-tensors", .program = LLAMA, .advice = "a model is one file; leave it out"},
    {.name = "models", .program = MARIAN, .advice = source},
    {.name = "m", .program = OPTIMUM " and " MARIAN, .advice = source},
    {.name = "from", .program = MARIAN, .advice = source},
    {.name = "to", .program = MARIAN, .advice = target},
    {.name = "gemm-type", .program = MARIAN, .ours = "dtype"},
    {.name = "vocabs", .program = MARIAN, .ours = "tokenizer"},
    {.name = "output", .program = OPTIMUM, .advice = target},
    {.name = "o", .program = OPTIMUM, .advice = target},
    {.name = "task", .program = OPTIMUM, .advice = "config.json says what the model is for; leave it out"},
    {.name = "optimize", .program = OPTIMUM, .advice = "there is nothing to choose; leave it out"},
    {.name = "opset", .program = OPTIMUM, .advice = "there is nothing to choose; leave it out"},
    {.name = "weight-format", .program = OPTIMUM, .ours = "dtype"},
    {.name = "torch_dtype", .program = "transformers", .ours = "dtype"},
    {.name = "load_in_8bit", .program = "transformers", .ours = "dtype int8"},
    {.name = "load_in_4bit", .program = "transformers", .ours = "dtype int4"},
};

const tfm_foreign_options tfm_pack_foreign_options = {options, sizeof options / sizeof *options};
