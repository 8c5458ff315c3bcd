#compdef tfmpack
# Completion of tfmpack for zsh, made by: tfmpack --shell-completion zsh
_arguments -s -S \
    '(-d --dtype)'{-d,--dtype}'[Type of weight matrices]:value:(f32 f16 bf16 int8 int4 auto)' \
    '--dtype-embed[Type of embeddings and of the vocabulary projection]:value:(f32 f16 bf16 int8 int4)' \
    '--report[Show for each matrix how far its values are from the checkpoints]' \
    '--license[The weights licence, to be kept in the file]:value:_files' \
    '--metadata[Something else to be kept in the file for people, as languages=de,en or source=https]:value:_files' \
    '--tokenizer-only[Pack only the tokenizer of SRC (a checkpoint folder, a GGUF file, or a .spm or .model file)]' \
    '--tokenizer[Take the tokenizer from PATH, not from SRC]:value:_files' \
    '--shortlist[Pack what FILE says about which target tokens a source token may become]:value:_files' \
    '--shortlist-first[Tokens with the N lowest ids are always allowed]:value: ' \
    '--shortlist-best[Most targets of a source token in a lexical table (default 100)]:value: ' \
    '--shortlist-threshold[Leave out what a lexical table gives a probability of P or less (default 0)]:value: ' \
    '--chat-template[Pack the chat template in FILE instead of the checkpoints own]:value:_files' \
    '(-f --force)'{-f,--force}'[Replace OUT even if it is not a file that tfmpack wrote]' \
    '(-i --inspect)'{-i,--inspect}'[Show what a model file is, or what a checkpoint would become if it were packed (nothing is written)]' \
    '(-v --verbose)'{-v,--verbose}'[With --inspect]' \
    '--verify[Check every byte of FILE against its hashes]' \
    '--export[Write the tensors of FILE to OUT.safetensors, under the names and in the shapes of the checkpoint they came from]' \
    '(-l --list)'{-l,--list}'[List model families, checkpoint formats and types]' \
    '--json[Results on standard output as JSON]' \
    '(-q --quiet)'{-q,--quiet}'[No summary, no notes, no progress bar]' \
    '--shell-completion[Print the script by which bash, zsh or fish completes these options]:value:_files' \
    '(-h --help)'{-h,--help}'[Show this help]' \
    '(-V --version)'{-V,--version}'[Show the version and the instruction set of this processor]' \
    '*:file:_files'
