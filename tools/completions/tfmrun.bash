# Completion of tfmrun for bash, made by: tfmrun --shell-completion bash
_tfmrun() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    case $prev in
    --early-stopping) COMPREPLY=($(compgen -W 'false true never' -- "$cur")); return ;;
    --renormalize-logits) COMPREPLY=($(compgen -W 'true false' -- "$cur")); return ;;
    --shortlist) COMPREPLY=($(compgen -W 'true false' -- "$cur")); return ;;
    --return-alternatives) COMPREPLY=($(compgen -W 'true false' -- "$cur")); return ;;
    --replace-unknowns) COMPREPLY=($(compgen -W 'true false' -- "$cur")); return ;;
    --do-sample) COMPREPLY=($(compgen -W 'true false' -- "$cur")); return ;;
    --format) COMPREPLY=($(compgen -W 'json f32 npy' -- "$cur")); return ;;
    --pooling) COMPREPLY=($(compgen -W 'mean cls max' -- "$cur")); return ;;
    --normalize) COMPREPLY=($(compgen -W 'true false' -- "$cur")); return ;;
    --kv-dtype) COMPREPLY=($(compgen -W 'f32 f16 int8' -- "$cur")); return ;;
    --verify) COMPREPLY=($(compgen -W 'all header' -- "$cur")); return ;;
    esac
    [[ $cur == -* ]] && COMPREPLY=($(compgen -W ' --num-beams --num-return-sequences --length-penalty --early-stopping --no-repeat-ngram-size --repetition-penalty --presence-penalty --frequency-penalty --logit-bias --max-length --max-new-tokens --min-length --min-new-tokens --stop --renormalize-logits --shortlist --source-lang --target-lang --prefix --prefix-ids --prefix-bias-beta --patience --return-alternatives --min-alternative-expansion-prob --replace-unknowns --alignment-from --decoder-start-token-id --forced-bos-token-id --forced-eos-token-id --eos-token-id --pad-token-id --bad-words-ids --suppress-tokens --do-sample --temperature --top-k --top-p --min-p --typical-p --seed --chat --completion --system --system-file --echo --prompt-file --json-in --prefix-file --ids --json --scores --alignment --attention-weights --log-probs --top-log-probs --no-timing --attention --max-source-length --truncate --embed --similarity --fill-mask --classify --top --format --pooling --normalize --prompt --mask-id --threads --isa --batch-tokens --kv-dtype --verify --progress --quiet --shell-completion --help --languages --version' -- "$cur"))
}
complete -o default -F _tfmrun tfmrun
