#compdef tfmrun
# Completion of tfmrun for zsh, made by: tfmrun --shell-completion zsh
_arguments -s -S \
    '--num-beams[Width of beam search]:value: ' \
    '(-n --num-return-sequences)'{-n,--num-return-sequences}'[How many outputs of each input]:value: ' \
    '--length-penalty[Scores of beam search are divided by (tokens)^X]:value: ' \
    '--early-stopping[Beam search ends once it has num-beams results (true), when better ones are unlikely (false) or impossible (never)]:value:(false true never)' \
    '--no-repeat-ngram-size[No sequence of N tokens occurs twice in an output]:value: ' \
    '--repetition-penalty[Makes tokens that occurred less likely]:value: ' \
    '--presence-penalty[Subtracted from the logit of each token that the output has]:value: ' \
    '--frequency-penalty[The same for each time that the output has the token]:value: ' \
    '--logit-bias[Added to the logit of token ID]:value:_files' \
    '--max-length[Longest output in tokens, with the start token, or with the prompt where there is no encoder]:value: ' \
    '--max-new-tokens[Longest output in new tokens]:value: ' \
    '--min-length[Shortest output in tokens, counted as for max-length]:value: ' \
    '--min-new-tokens[Shortest output in new tokens]:value: ' \
    '--stop[The output ends before this text]:value:_files' \
    '--renormalize-logits[Normalise the probabilities again after the rules above changed them]::value:(true false)' \
    '--shortlist[Choose only among the tokens that the models shortlist (tfmpack --shortlist) gives for the input]::value:(true false)' \
    '--source-lang[Language of the inputs, for models of many languages (--languages lists them)]:value:_files' \
    '--target-lang[Language of the outputs]:value:_files' \
    '--prefix[Text every output starts with]:value:_files' \
    '--prefix-ids[Token ids every output starts with]:value:_files' \
    '--prefix-bias-beta[Outputs are drawn to the prefix instead of forced to start with it]:value: ' \
    '--patience[Beam search keeps num-beams times X results before it ends (CTranslate2)]:value: ' \
    '--return-alternatives[The num-return-sequences outputs differ in the token after the prefix]::value:(true false)' \
    '--min-alternative-expansion-prob[Alternatives less probable than P are left out, but for the best]:value: ' \
    '--replace-unknowns[Each unknown token of an output becomes what stands in the input where it looked most, see alignment-from (CTranslate2)]::value:(true false)' \
    '--alignment-from[Of which decoder layers and heads alignments and pictures of attention are the mean]:value:_files' \
    '--decoder-start-token-id[The token before the first one]:value: ' \
    '--forced-bos-token-id[The first token of every output, or none]:value: ' \
    '--forced-eos-token-id[The last token of an output that reaches max-length, or none]:value: ' \
    '--eos-token-id[Tokens that end an output, or none]:value:_files' \
    '--pad-token-id[The padding token, or none]:value: ' \
    '--bad-words-ids[Token sequences that must not occur]:value:_files' \
    '--suppress-tokens[Tokens that must not occur, or none]:value:_files' \
    '--do-sample[Draw tokens instead of taking the most probable ones]::value:(true false)' \
    '--temperature[Below 1]:value: ' \
    '--top-k[Draw among the N most probable tokens only]:value: ' \
    '--top-p[Draw among the most probable tokens that together reach P]:value: ' \
    '--min-p[Draw among tokens with at least P times the highest probability]:value: ' \
    '--typical-p[Draw among the tokens of typical information that together reach P]:value: ' \
    '--seed[The same seed and request give the same text, everywhere]:value:_files' \
    '--chat[Each input is a users message, put into the models chat template]' \
    '--completion[Each input is a text to go on with, at the prompt too]' \
    '--system[The conversations system message]:value:_files' \
    '--system-file[The same from a file]:value:_files' \
    '--echo[The prompt before what it is continued with]' \
    '--prompt-file[One input]:value:_files' \
    '--json-in[Each input is a JSON object]' \
    '--prefix-file[A prefix for each input, from the same line of FILE]:value:_files' \
    '--ids[Inputs and outputs are token ids separated by spaces]' \
    '(-j --json)'{-j,--json}'[One JSON object a line]' \
    '--scores[Each output line begins with the outputs score and a tab]' \
    '--alignment[Behind each output, or as a member with --json]' \
    '--attention-weights[With --json]' \
    '--log-probs[With --json]' \
    '--top-log-probs[With --json]:value: ' \
    '--no-timing[No timing, in --json and at the prompt]' \
    '--attention[Draw which input tokens each output token looked at]:value:_files' \
    '--max-source-length[Longest input in tokens, if less than what the model takes]:value: ' \
    '--truncate[Cut inputs that are too long, instead of reporting an error]' \
    '--embed[The vector of each input]' \
    '--similarity[The cosine of two texts]' \
    '--fill-mask[Words for the mask tokens of each input]' \
    '--classify[The class of each input, or of each of its tokens]' \
    '--top[How many words for a mask (default 5) or classes of an input]:value: ' \
    '--format[Of vectors]:value:(json f32 npy)' \
    '--pooling[How a vector is made of those of the tokens]:value:(mean cls max)' \
    '--normalize[Divide vectors by their length]::value:(true false)' \
    '--prompt[Which of the models prompts is put before each text of a vector]:value:_files' \
    '--mask-id[The mask token]:value: ' \
    '(-t --threads)'{-t,--threads}'[Threads]:value: ' \
    '--isa[Instruction set of the kernels (see --version)]:value:_files' \
    '--batch-tokens[Most tokens in one pass through the model (default 4096)]:value: ' \
    '--kv-dtype[Type of the keys and values of earlier tokens]:value:(f32 f16 int8)' \
    '--verify[Check every byte of the model file first (all, the default), or each tensor when it is first used (header)]:value:(all header)' \
    '--progress[How far lines have come, on stderr, and a summary]' \
    '(-q --quiet)'{-q,--quiet}'[No progress and no summary]' \
    '--shell-completion[Print the script by which bash, zsh or fish completes these options]:value:_files' \
    '(-h --help)'{-h,--help}'[Print this help]' \
    '--languages[List the languages of MODEL, as --source-lang and --target-lang take them]' \
    '(-V --version)'{-V,--version}'[Print version, instruction sets and threads]' \
    '*:file:_files'
