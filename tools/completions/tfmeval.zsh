#compdef tfmeval
# Completion of tfmeval for zsh, made by: tfmeval --shell-completion zsh
local context state state_descr line ret=1
typeset -A opt_args
_arguments -s -S -C -A '-*' \
    '(-h --help)'{-h,--help}'[Print this help and exit]' \
    '(-V --version)'{-V,--version}'[Print the version and exit]' \
    '--shell-completion[Print the script by which bash, zsh or fish completes commands and options]:value:_files' \
    '1:command:((bleu\:"BLEU of translations, as sacreBLEU computes it" chrf\:"chrF and chrF++ of translations, as sacreBLEU computes them" perplexity\:"how well a model predicts given translations" logits\:"encoder states and logits of a model, as a safetensors file" tokenize\:"token ids of texts, and texts of token ids" similarity\:"texts ranked by how close they are to a query, with an encoder" bench\:"how fast a model runs here"))' \
    '*::argument:->rest' && ret=0
[[ $state == rest ]] || return $ret
case $line[1] in
bleu)
    _arguments -s -S \
        '(-r --ref)'{-r,--ref}'[Reference translations, one a line]:value:_files' \
        '(-i --hyp)'{-i,--hyp}'[Translations to be scored, one a line]:value:_files' \
        '--lowercase[Ignore case]' \
        '(-w --width)'{-w,--width}'[Digits after the point]:value: ' \
        '--json[Print a JSON object a line]' \
        '(-h --help)'{-h,--help}'[Print this help and exit]' \
        '--char-order[Longest n-gram of characters]:value: ' \
        '--word-order[Longest n-gram of words]:value: ' \
        '--beta[How many times as much recall counts as precision]:value: ' \
        '--whitespace[Count white space as characters]' \
        '--eps-smoothing[Average the F scores of all orders, as chrF++.py, NLTK and Moses do]' \
        '--chrf[Print chrF on a second line]' \
        '--tokenize[How sentences are split into words]:value:(13a intl char none)' \
        '--smooth[What becomes of n-gram orders without a match]:value:(none floor add-k exp)' \
        '--smooth-value[Value for --smooth floor]:value: ' \
        '*:file:_files' ;;
chrf)
    _arguments -s -S \
        '(-r --ref)'{-r,--ref}'[Reference translations, one a line]:value:_files' \
        '(-i --hyp)'{-i,--hyp}'[Translations to be scored, one a line]:value:_files' \
        '--lowercase[Ignore case]' \
        '(-w --width)'{-w,--width}'[Digits after the point]:value: ' \
        '--json[Print a JSON object a line]' \
        '(-h --help)'{-h,--help}'[Print this help and exit]' \
        '--char-order[Longest n-gram of characters]:value: ' \
        '--word-order[Longest n-gram of words]:value: ' \
        '--beta[How many times as much recall counts as precision]:value: ' \
        '--whitespace[Count white space as characters]' \
        '--eps-smoothing[Average the F scores of all orders, as chrF++.py, NLTK and Moses do]' \
        '*:file:_files' ;;
perplexity)
    _arguments -s -S \
        '(-s --src)'{-s,--src}'[Source sentences, one a line]:value:_files' \
        '(-r --ref)'{-r,--ref}'[Their translations, one a line]:value:_files' \
        '(-i --in)'{-i,--in}'[Instead of both]:value:_files' \
        '--text[Decoder-only models]:value:_files' \
        '--max-length[Decoder-only models]:value: ' \
        '--stride[Decoder-only models]:value: ' \
        '--per-line[Print every lines figures before the total]' \
        '--json[Print JSON, one object a line]' \
        '--source-lang[Language of the sources, for models of many languages (tfmrun MODEL --languages lists them)]:value:_files' \
        '--target-lang[Language of their translations]:value:_files' \
        '(-t --threads)'{-t,--threads}'[Threads]:value: ' \
        '--batch-tokens[Tokens that are computed at the same time]:value: ' \
        '--isa[Instruction set]:value:_files' \
        '--verify[What is checked before the model is used]:value:(all header)' \
        '(-h --help)'{-h,--help}'[Print this help and exit]' \
        '*:file:_files' ;;
logits)
    _arguments -s -S \
        '(-i --in)'{-i,--in}'[Lines of JSON with the ids]:value:_files' \
        '(-o --out)'{-o,--out}'[The safetensors file to write]:value:_files' \
        '--decoder-states[Also write N.decoder, the states of an encoder-decoders decoder before the vocabulary projection]' \
        '--vectors[Encoder-only models]' \
        '(-t --threads)'{-t,--threads}'[Threads]:value: ' \
        '--batch-tokens[Tokens that are computed at the same time]:value: ' \
        '--isa[Instruction set]:value:_files' \
        '--verify[What is checked before the model is used]:value:(all header)' \
        '(-h --help)'{-h,--help}'[Print this help and exit]' \
        '*:file:_files' ;;
tokenize)
    _arguments -s -S \
        '(-i --in)'{-i,--in}'[Lines of JSON to answer]:value:_files' \
        '(-o --out)'{-o,--out}'[Where answers go]:value:_files' \
        '--side[Whose vocabulary, where a model has two]:value:(source target)' \
        '--no-special[Leave out what the model wants around a text, such as the end token]' \
        '--keep-special[Spell out control tokens in text]' \
        '--json[Of a TEXT]' \
        '--source-lang[Language of the sources, for models of many languages (tfmrun MODEL --languages lists them)]:value:_files' \
        '--target-lang[Language of their translations]:value:_files' \
        '--isa[Instruction set]:value:_files' \
        '--verify[What is checked before the model is used]:value:(all header)' \
        '(-h --help)'{-h,--help}'[Print this help and exit]' \
        '*:file:_files' ;;
similarity)
    _arguments -s -S \
        '(-i --in)'{-i,--in}'[The texts, one a line]:value:_files' \
        '--top[Only the N closest texts]:value: ' \
        '--json[A line of JSON for each text]' \
        '(-t --threads)'{-t,--threads}'[Threads]:value: ' \
        '--batch-tokens[Tokens that are computed at the same time]:value: ' \
        '--isa[Instruction set]:value:_files' \
        '--verify[What is checked before the model is used]:value:(all header)' \
        '(-h --help)'{-h,--help}'[Print this help and exit]' \
        '*:file:_files' ;;
bench)
    _arguments -s -S \
        '--repeats[Times that each case is measured, after a first time that is not]:value: ' \
        '(-t --threads)'{-t,--threads}'[Threads]:value: ' \
        '--batch-tokens[Tokens that are computed at the same time]:value: ' \
        '--isa[Instruction set]:value:_files' \
        '--verify[What is checked before the model is used]:value:(all header)' \
        '(-h --help)'{-h,--help}'[Print this help and exit]' \
        '*:file:_files' ;;
esac
