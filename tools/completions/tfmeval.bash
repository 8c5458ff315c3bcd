# Completion of tfmeval for bash, made by: tfmeval --shell-completion bash
_tfmeval() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W ' bleu chrf perplexity logits tokenize similarity bench' -- "$cur"))
        [[ $cur == -* ]] || return
    fi
    case ${COMP_WORDS[1]} in
    bleu)
        case $prev in
        --tokenize) COMPREPLY=($(compgen -W '13a intl char none' -- "$cur")); return ;;
        --smooth) COMPREPLY=($(compgen -W 'none floor add-k exp' -- "$cur")); return ;;
        esac
        [[ $cur == -* ]] && COMPREPLY=($(compgen -W ' --ref --hyp --lowercase --width --json --help --char-order --word-order --beta --whitespace --eps-smoothing --chrf --tokenize --smooth --smooth-value' -- "$cur"))
        ;;
    chrf)
        [[ $cur == -* ]] && COMPREPLY=($(compgen -W ' --ref --hyp --lowercase --width --json --help --char-order --word-order --beta --whitespace --eps-smoothing' -- "$cur"))
        ;;
    perplexity)
        case $prev in
        --verify) COMPREPLY=($(compgen -W 'all header' -- "$cur")); return ;;
        esac
        [[ $cur == -* ]] && COMPREPLY=($(compgen -W ' --src --ref --in --text --max-length --stride --per-line --json --source-lang --target-lang --threads --batch-tokens --isa --verify --help' -- "$cur"))
        ;;
    logits)
        case $prev in
        --verify) COMPREPLY=($(compgen -W 'all header' -- "$cur")); return ;;
        esac
        [[ $cur == -* ]] && COMPREPLY=($(compgen -W ' --in --out --decoder-states --vectors --threads --batch-tokens --isa --verify --help' -- "$cur"))
        ;;
    tokenize)
        case $prev in
        --side) COMPREPLY=($(compgen -W 'source target' -- "$cur")); return ;;
        --verify) COMPREPLY=($(compgen -W 'all header' -- "$cur")); return ;;
        esac
        [[ $cur == -* ]] && COMPREPLY=($(compgen -W ' --in --out --side --no-special --keep-special --json --source-lang --target-lang --isa --verify --help' -- "$cur"))
        ;;
    similarity)
        case $prev in
        --verify) COMPREPLY=($(compgen -W 'all header' -- "$cur")); return ;;
        esac
        [[ $cur == -* ]] && COMPREPLY=($(compgen -W ' --in --top --json --threads --batch-tokens --isa --verify --help' -- "$cur"))
        ;;
    bench)
        case $prev in
        --verify) COMPREPLY=($(compgen -W 'all header' -- "$cur")); return ;;
        esac
        [[ $cur == -* ]] && COMPREPLY=($(compgen -W ' --repeats --threads --batch-tokens --isa --verify --help' -- "$cur"))
        ;;
    *)
        [[ $cur == -* ]] && COMPREPLY=($(compgen -W ' --help --version --shell-completion' -- "$cur"))
        ;;
    esac
}
complete -o default -F _tfmeval tfmeval
