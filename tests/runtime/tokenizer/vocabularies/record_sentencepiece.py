#!/usr/bin/env python3
"""record_sentencepiece.py - writes expected.json beside each model.spm of this folder, and for marian/: what the
SentencePiece library makes of texts.json.

usage: record_sentencepiece.py [FOLDER]...      (needs g++ and SentencePiece's headers: libsentencepiece-dev 0.1.97)

ids: of each text; text: what the ids are decoded to, null where that is the text itself; decode: sequences of arbitrary
ids; invalid_utf8: ids of what is no UTF-8.

marian/: transformers' MarianTokenizer is SentencePiece's pieces looked up in vocab.json, the end token behind them.
Here the pieces are the library's, and looking them up is done below, as tokenization_marian.py of transformers 4.46
does it; but the spelling of a special token in a text is text (docs/tokenizers.md).
"""
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

# Reads requests: a letter, a length, bytes. e: a text, to pieces; i: a text, to ids; d: ids, to a text; p: pieces (each
# with its length), to a text. Writes answers: a length and bytes.
PROGRAM = r'''
#include <cstdint>
#include <cstdio>
#include <sentencepiece_processor.h>
#include <string>
#include <vector>

static bool get(void *data, size_t n) { return fread(data, 1, n, stdin) == n; }

static void put(const std::string &bytes) {
    uint32_t n = bytes.size();
    fwrite(&n, 1, 4, stdout);
    fwrite(bytes.data(), 1, n, stdout);
    fflush(stdout);
}

template <class T> static std::string bytes_of(const std::vector<T> &v) {
    return std::string(reinterpret_cast<const char *>(v.data()), v.size() * sizeof(T));
}

int main(int, char **argv) {
    sentencepiece::SentencePieceProcessor processor;
    if (!processor.Load(argv[1]).ok()) return 1;
    char kind;
    uint32_t n;
    while (get(&kind, 1) && get(&n, 4)) {
        std::string request(n, 0), text, answer;
        if (!get(&request[0], n)) return 1;
        if (kind == 'i') {
            std::vector<int> ids;
            processor.Encode(request, &ids);
            answer = bytes_of(ids);
        } else if (kind == 'e') {
            std::vector<std::string> pieces;
            processor.Encode(request, &pieces);
            for (const std::string &piece : pieces) {
                uint32_t size = piece.size();
                answer += std::string(reinterpret_cast<const char *>(&size), 4) + piece;
            }
        } else if (kind == 'd') {
            const int *ids = reinterpret_cast<const int *>(request.data());
            processor.Decode(std::vector<int>(ids, ids + n / 4), &answer);
        } else if (kind == 'p') {
            std::vector<std::string> pieces;
            for (size_t at = 0; at < n;) {
                uint32_t size = *reinterpret_cast<const uint32_t *>(&request[at]);
                pieces.push_back(request.substr(at + 4, size));
                at += 4 + size;
            }
            processor.Decode(pieces, &answer);
        } else {
            uint32_t size = processor.GetPieceSize();
            answer = std::string(reinterpret_cast<const char *>(&size), 4);
        }
        put(answer);
    }
}
'''


class Processor:
    def __init__(self, program, model):
        self.process = subprocess.Popen([program, model], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, kind, data):
        self.process.stdin.write(kind + struct.pack('<I', len(data)) + data)
        self.process.stdin.flush()
        n, = struct.unpack('<I', self.process.stdout.read(4))
        return self.process.stdout.read(n)

    def size(self):
        return struct.unpack('<I', self.ask(b's', b''))[0]

    def ids(self, text):
        answer = self.ask(b'i', text)
        return list(struct.unpack(f'<{len(answer) // 4}i', answer))

    def pieces(self, text):
        answer, pieces, at = self.ask(b'e', text), [], 0
        while at < len(answer):
            n, = struct.unpack_from('<I', answer, at)
            pieces.append(answer[at + 4:at + 4 + n])
            at += 4 + n
        return pieces

    def text(self, ids):
        return self.ask(b'd', struct.pack(f'<{len(ids)}i', *ids)).decode()

    def text_of_pieces(self, pieces):
        return self.ask(b'p', b''.join(struct.pack('<I', len(p)) + p for p in pieces))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def arbitrary(size):
    """Deterministic ids, many of them of bytes and special pieces."""
    state = 12345

    def below(n):
        nonlocal state
        state = (state * 1103515245 + 12345) & 0xFFFFFFFF
        return (state >> 8) % n
    for i in range(80):
        n, most = below(4 if i < 20 else 24), min(size, 270) if i % 3 == 0 else size
        yield [below(most) for _ in range(n)]


def lines(values):
    return '[\n' + ',\n'.join(json.dumps(v, ensure_ascii=False, separators=(',', ':')) for v in values) + ']'


def write(folder, **fields):
    with open(os.path.join(folder, 'expected.json'), 'w', encoding='utf-8') as file:
        file.write('{"recorded by": "record_sentencepiece.py, sentencepiece 0.1.97"')
        for name, value in fields.items():
            file.write(f',\n"{name}": {lines(value) if isinstance(value, list) else json.dumps(value)}')
        file.write('}\n')


def record(program, folder, texts, invalid):
    processor = Processor(program, os.path.join(folder, 'model.spm'))
    ids = [processor.ids(text.encode()) for text in texts]
    decoded = [processor.text(i) for i in ids]
    write(folder, vocab_size=processor.size(), ids=ids, text=[None if d == t else d for d, t in zip(decoded, texts)],
          decode=[{'ids': i, 'text': processor.text(i)} for i in arbitrary(processor.size())],
          invalid_utf8=[{'hex': h, 'ids': processor.ids(bytes.fromhex(h))} for h in invalid])
    processor.close()


def record_marian(program, folder, texts):
    with open(os.path.join(folder, 'vocab.json'), encoding='utf-8') as file:
        vocabulary = json.load(file)
    pieces_by_id = {i: piece for piece, i in vocabulary.items()}
    unknown, end = vocabulary['<unk>'], vocabulary['</s>']
    special = {'<unk>', '</s>', '<pad>'}
    source, target = (Processor(program, os.path.join(folder, side + '.spm')) for side in ('source', 'target'))

    def encode(text):
        codes = re.compile('>>.+<<')
        match = codes.match(text)
        code = [match.group(0)] if match else []
        pieces = [p.decode() for p in source.pieces(codes.sub('', text).encode())]
        return [vocabulary.get(p, unknown) for p in code + pieces] + [end]

    def decode(ids, skip):
        text, row = '', []
        for i in ids:
            piece = pieces_by_id.get(i)
            if piece is None or (skip and piece in special):
                continue
            if piece in special:
                text += target.text_of_pieces(row).decode() + piece + ' '
                row = []
            else:
                row.append(piece.encode())
        text += target.text_of_pieces(row).decode()
        return text.replace('\u2581', ' ').strip()

    size = max(vocabulary.values()) + 1
    ids = [encode(text) for text in texts]
    write(folder, vocab_size=size, ids=ids, text=[decode(i, True) for i in ids],
          decode=[{'ids': i, 'text': decode(i, False), 'text_skip_special': decode(i, True)} for i in arbitrary(size)])
    source.close()
    target.close()


def main():
    with open(os.path.join(HERE, 'texts.json'), encoding='utf-8') as file:
        data = json.load(file)
    folders = sys.argv[1:] or [os.path.join(HERE, name) for name in sorted(os.listdir(HERE))]
    with tempfile.TemporaryDirectory() as scratch:
        program = os.path.join(scratch, 'processor')
        subprocess.run(['g++', '-O2', '-x', 'c++', '-', '-o', program, '-lsentencepiece'], input=PROGRAM.encode(),
                       check=True)
        for folder in folders:
            if os.path.exists(os.path.join(folder, 'model.spm')):
                record(program, folder, data['texts'], data['invalid'])
            elif os.path.exists(os.path.join(folder, 'source.spm')):
                record_marian(program, folder, data['texts'])


if __name__ == '__main__':
    main()
