#!/usr/bin/env python3
"""make_tiny_checkpoint.py - writes checkpoints small enough to know what they do, as Hugging Face lays them out.

usage: make_tiny_checkpoint.py KIND FOLDER [STAMP]      (STAMP: an empty file that says it is done)

  parrot    a Llama with a tokenizer like Phi-3's (byte fallback) and a chat template. It answers everything with
            "I like a \U0001f99c bird": each token is a function of the one before, so the answer is exact.
  babbler   the same, but it begins again where the parrot ends
  chatter   the same with random weights: it chatters, bytes that are no UTF-8 among it
  embedder  a BERT with random weights, as sentence-transformers has them: the mean of the states, normalised
  judge     a BERT with random weights that classifies a text as one of three labels
"""
import json
import os
import random
import string
import struct
import sys


def write_json(folder, name, value):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        json.dump(value, file, ensure_ascii=False, indent=1)


def write_safetensors(folder, tensors):
    """tensors: {name: (shape, floats)}"""
    header, data = {}, bytearray()
    for name, (shape, values) in tensors.items():
        begin = len(data)
        data += struct.pack(f'<{len(values)}f', *values)
        header[name] = {'dtype': 'F32', 'shape': shape, 'data_offsets': [begin, len(data)]}
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with open(os.path.join(folder, 'model.safetensors'), 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text + data)


class Weights:
    """Tensors of fixed pseudo-random values."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.tensors = {}

    def add(self, name, *shape, value=None, spread=0.2):
        n = 1
        for side in shape:
            n *= side
        values = [value if value is not None else self.random.uniform(-spread, spread) for _ in range(n)]
        self.tensors[name] = (list(shape), values)
        return values

    def linear(self, name, n, k):
        self.add(f'{name}.weight', n, k)
        self.add(f'{name}.bias', n)

    def norm(self, name, d):
        self.add(f'{name}.weight', d, value=1.0)
        self.add(f'{name}.bias', d, value=0.0)


def added(number, content):
    return {'id': number, 'content': content, 'single_word': False, 'lstrip': False, 'rstrip': False,
            'normalized': False, 'special': True}


# ---- the Llamas ----

ANSWER = ['\u2581I', '\u2581like', '\u2581a', '\u2581', '<0xF0>', '<0x9F>', '<0xA6>', '<0x9C>', '\u2581bird']
CHAT_TEMPLATE = ("{% for message in messages %}"
                 "{{ '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}{% endfor %}"
                 "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}")


def phi_like_tokenizer():
    merges = ['\u2581 I', 'l i', 'k e', 'li ke', '\u2581 like', '\u2581 a', 'b i', 'r d', 'bi rd', '\u2581 bird']
    pieces = ['<unk>', '<s>', '</s>'] + [f'<0x{byte:02X}>' for byte in range(256)]
    pieces += ['\u2581'] + list(string.ascii_letters + ".,?'") + [merge.replace(' ', '') for merge in merges]
    specials = ['<unk>', '<s>', '</s>', '<|system|>', '<|user|>', '<|assistant|>', '<|end|>']
    numbers = {piece: i for i, piece in enumerate(pieces)}
    for special in specials:
        numbers.setdefault(special, len(numbers))
    return {
        'version': '1.0', 'truncation': None, 'padding': None,
        'added_tokens': [added(numbers[special], special) for special in specials],
        'normalizer': {'type': 'Sequence', 'normalizers': [
            {'type': 'Prepend', 'prepend': '\u2581'},
            {'type': 'Replace', 'pattern': {'String': ' '}, 'content': '\u2581'}]},
        'pre_tokenizer': None,
        'post_processor': {
            'type': 'TemplateProcessing',
            'single': [{'SpecialToken': {'id': '<s>', 'type_id': 0}}, {'Sequence': {'id': 'A', 'type_id': 0}}],
            'pair': [{'SpecialToken': {'id': '<s>', 'type_id': 0}}, {'Sequence': {'id': 'A', 'type_id': 0}},
                     {'SpecialToken': {'id': '<s>', 'type_id': 1}}, {'Sequence': {'id': 'B', 'type_id': 1}}],
            'special_tokens': {'<s>': {'id': '<s>', 'ids': [1], 'tokens': ['<s>']}}},
        'decoder': {'type': 'Sequence', 'decoders': [
            {'type': 'Replace', 'pattern': {'String': '\u2581'}, 'content': ' '}, {'type': 'ByteFallback'},
            {'type': 'Fuse'}, {'type': 'Strip', 'content': ' ', 'start': 1, 'stop': 0}]},
        'model': {'type': 'BPE', 'dropout': None, 'unk_token': '<unk>', 'continuing_subword_prefix': None,
                  'end_of_word_suffix': None, 'fuse_unk': True, 'byte_fallback': True,
                  'vocab': {piece: numbers[piece] for piece in pieces}, 'merges': merges},
    }, numbers


def write_llama(folder, last=None, n_positions=512):
    """last: the token behind the answer; None: random weights."""
    parrot = last is not None
    tokenizer, numbers = phi_like_tokenizer()
    d, d_ff, n_heads, n_layers, vocab = 32, 48, 2, 1 if parrot else 2, len(numbers)
    w = Weights(7)
    embed = w.add('model.embed_tokens.weight', vocab, d, value=0.0 if parrot else None, spread=1)
    for i in range(n_layers):
        layer = f'model.layers.{i}'
        for name in 'qkv':
            w.add(f'{layer}.self_attn.{name}_proj.weight', d, d)
        # What the parrot's layers compute adds nothing.
        w.add(f'{layer}.self_attn.o_proj.weight', d, d, value=0.0 if parrot else None)
        w.add(f'{layer}.mlp.gate_proj.weight', d_ff, d)
        w.add(f'{layer}.mlp.up_proj.weight', d_ff, d)
        w.add(f'{layer}.mlp.down_proj.weight', d, d_ff, value=0.0 if parrot else None)
        w.add(f'{layer}.input_layernorm.weight', d, value=1.0)
        w.add(f'{layer}.post_attention_layernorm.weight', d, value=1.0)
    w.add('model.norm.weight', d, value=1.0)
    head = w.add('lm_head.weight', vocab, d, value=0.0 if parrot else None, spread=0.5)
    if parrot:
        path = [numbers[piece] for piece in ['<0x0A>', *ANSWER, last]]
        for i, (token, following) in enumerate(zip(path, path[1:])):
            embed[token * d + i] = 1.0
            head[following * d + i] = 1.0
    write_safetensors(folder, w.tensors)
    write_json(folder, 'config.json', {
        'architectures': ['LlamaForCausalLM'], 'model_type': 'llama', 'hidden_size': d, 'intermediate_size': d_ff,
        'num_hidden_layers': n_layers, 'num_attention_heads': n_heads, 'num_key_value_heads': n_heads,
        'hidden_act': 'silu', 'rms_norm_eps': 1e-5, 'rope_theta': 10000.0, 'max_position_embeddings': n_positions,
        'vocab_size': vocab, 'tie_word_embeddings': False, 'attention_bias': False, 'torch_dtype': 'float32',
        'bos_token_id': 1, 'eos_token_id': numbers['<|end|>']})
    write_json(folder, 'generation_config.json', {'bos_token_id': 1, 'eos_token_id': [numbers['<|end|>'], 2]})
    write_json(folder, 'tokenizer.json', tokenizer)
    write_json(folder, 'tokenizer_config.json', {
        'tokenizer_class': 'LlamaTokenizerFast', 'bos_token': '<s>', 'eos_token': '<|end|>', 'unk_token': '<unk>',
        'chat_template': CHAT_TEMPLATE})


# ---- the BERTs ----

WORDS = ('a and bad bird boring cat dog good great is like my not of on snow story the this two was what '
         'play ##s ##ed ##ing . , ! ?').split()


def wordpiece_tokenizer():
    specials = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
    pieces = specials + WORDS + list(string.ascii_lowercase) + ['##' + letter for letter in string.ascii_lowercase]
    numbers = {}
    for piece in pieces:
        numbers.setdefault(piece, len(numbers))
    return {
        'version': '1.0', 'truncation': None, 'padding': None,
        'added_tokens': [added(numbers[special], special) for special in specials],
        'normalizer': {'type': 'BertNormalizer', 'clean_text': True, 'handle_chinese_chars': True,
                       'strip_accents': None, 'lowercase': True},
        'pre_tokenizer': {'type': 'BertPreTokenizer'},
        'post_processor': {
            'type': 'TemplateProcessing',
            'single': [{'SpecialToken': {'id': '[CLS]', 'type_id': 0}}, {'Sequence': {'id': 'A', 'type_id': 0}},
                       {'SpecialToken': {'id': '[SEP]', 'type_id': 0}}],
            'pair': [{'SpecialToken': {'id': '[CLS]', 'type_id': 0}}, {'Sequence': {'id': 'A', 'type_id': 0}},
                     {'SpecialToken': {'id': '[SEP]', 'type_id': 0}}, {'Sequence': {'id': 'B', 'type_id': 1}},
                     {'SpecialToken': {'id': '[SEP]', 'type_id': 1}}],
            'special_tokens': {name: {'id': name, 'ids': [numbers[name]], 'tokens': [name]}
                               for name in ('[CLS]', '[SEP]')}},
        'decoder': {'type': 'WordPiece', 'prefix': '##', 'cleanup': True},
        'model': {'type': 'WordPiece', 'unk_token': '[UNK]', 'continuing_subword_prefix': '##',
                  'max_input_chars_per_word': 100, 'vocab': numbers},
    }, numbers


def write_bert(folder, labels):
    tokenizer, numbers = wordpiece_tokenizer()
    d, d_ff, n_heads, n_layers, n_positions = 32, 48, 4, 2, 40
    prefix = 'bert.' if labels else ''
    w = Weights(11)
    w.add(f'{prefix}embeddings.word_embeddings.weight', len(numbers), d, spread=1)
    w.add(f'{prefix}embeddings.position_embeddings.weight', n_positions, d)
    w.add(f'{prefix}embeddings.token_type_embeddings.weight', 2, d)
    w.norm(f'{prefix}embeddings.LayerNorm', d)
    for i in range(n_layers):
        layer = f'{prefix}encoder.layer.{i}'
        for name in ('query', 'key', 'value'):
            w.linear(f'{layer}.attention.self.{name}', d, d)
        w.linear(f'{layer}.attention.output.dense', d, d)
        w.norm(f'{layer}.attention.output.LayerNorm', d)
        w.linear(f'{layer}.intermediate.dense', d_ff, d)
        w.linear(f'{layer}.output.dense', d, d_ff)
        w.norm(f'{layer}.output.LayerNorm', d)
    w.linear(f'{prefix}pooler.dense', d, d)
    config = {
        'architectures': ['BertForSequenceClassification' if labels else 'BertModel'], 'model_type': 'bert',
        'vocab_size': len(numbers), 'hidden_size': d, 'num_hidden_layers': n_layers, 'num_attention_heads': n_heads,
        'intermediate_size': d_ff, 'hidden_act': 'gelu', 'max_position_embeddings': n_positions, 'type_vocab_size': 2,
        'layer_norm_eps': 1e-12, 'position_embedding_type': 'absolute', 'pad_token_id': 0, 'torch_dtype': 'float32'}
    if labels:
        w.linear('classifier', len(labels), d)
        config['id2label'] = {str(i): label for i, label in enumerate(labels)}
        config['label2id'] = {label: i for i, label in enumerate(labels)}
    else:
        write_json(folder, 'modules.json', [
            {'idx': 0, 'name': '0', 'path': '', 'type': 'sentence_transformers.models.Transformer'},
            {'idx': 1, 'name': '1', 'path': '1_Pooling', 'type': 'sentence_transformers.models.Pooling'},
            {'idx': 2, 'name': '2', 'path': '2_Normalize', 'type': 'sentence_transformers.models.Normalize'}])
        write_json(folder, '1_Pooling/config.json', {
            'word_embedding_dimension': d, 'pooling_mode_cls_token': False, 'pooling_mode_mean_tokens': True,
            'pooling_mode_max_tokens': False, 'pooling_mode_mean_sqrt_len_tokens': False})
        write_json(folder, 'config_sentence_transformers.json', {
            'prompts': {'query': 'what was it ? ', 'document': ''}, 'default_prompt_name': 'document',
            'similarity_fn_name': 'cosine', '__version__': {'sentence_transformers': '3.0.0'}})
    write_safetensors(folder, w.tensors)
    write_json(folder, 'config.json', config)
    write_json(folder, 'tokenizer.json', tokenizer)
    write_json(folder, 'tokenizer_config.json', {
        'tokenizer_class': 'BertTokenizer', 'do_lower_case': True, 'cls_token': '[CLS]', 'sep_token': '[SEP]',
        'unk_token': '[UNK]', 'pad_token': '[PAD]', 'mask_token': '[MASK]', 'model_max_length': n_positions})


KINDS = {
    'parrot': lambda folder: write_llama(folder, '<|end|>'),
    'babbler': lambda folder: write_llama(folder, ANSWER[0], 32768),
    'chatter': lambda folder: write_llama(folder),
    'embedder': lambda folder: write_bert(folder, None),
    'judge': lambda folder: write_bert(folder, ['bad', 'neither', 'good']),
}


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[1] not in KINDS:
        sys.exit(__doc__)
    os.makedirs(sys.argv[2], exist_ok=True)
    KINDS[sys.argv[1]](sys.argv[2])
    for stamp in sys.argv[3:]:
        with open(stamp, 'w', encoding='utf-8'):
            pass


main()
