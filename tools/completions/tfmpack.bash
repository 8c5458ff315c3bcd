# Completion of tfmpack for bash, made by: tfmpack --shell-completion bash
_tfmpack() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    case $prev in
    --dtype) COMPREPLY=($(compgen -W 'f32 f16 bf16 int8 int4 auto' -- "$cur")); return ;;
    --dtype-embed) COMPREPLY=($(compgen -W 'f32 f16 bf16 int8 int4' -- "$cur")); return ;;
    esac
    [[ $cur == -* ]] && COMPREPLY=($(compgen -W ' --dtype --dtype-embed --report --license --metadata --tokenizer-only --tokenizer --shortlist --shortlist-first --shortlist-best --shortlist-threshold --chat-template --force --inspect --verbose --verify --export --list --json --quiet --shell-completion --help --version' -- "$cur"))
}
complete -o default -F _tfmpack tfmpack
