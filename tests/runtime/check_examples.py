#!/usr/bin/env python3
"""check_examples.py - builds the programs of docs/examples against an installed copy of the library and runs them.

usage: check_examples.py [--meson MESON] [--flags FLAGS] BUILD_FOLDER SOURCE_FOLDER CC [CXX]

What `meson install` puts down must be enough: the headers, pkg-config, the shared library and the static one, for C99
and for C++17. CC and CXX are commands; without CXX there is no C++. FLAGS are what the library was built with and
programs need, too (sanitizers).
"""
import argparse
import concurrent.futures
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

ANSWER = 'I like a \U0001f99c bird'


class Failure(Exception):
    pass


def run(command, **more):
    """The output of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if done.returncode:
        raise Failure(f'{shlex.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}')
    return done.stdout


def expect(what, got, wanted):
    if got != wanted:
        raise Failure(f'{what}\nprinted  {got!r}\nexpected {wanted!r}')


class Installed:
    """An installed copy below a scratch folder, and how programs are built with it."""

    def __init__(self, scratch, options):
        self.scratch, self.options = scratch, options
        root = os.path.join(scratch, 'root')
        run([*shlex.split(options.meson), 'install', '-C', options.build, '--no-rebuild', '--quiet', '--destdir', root])
        self.files = [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names]
        pc = self.find('tfm.pc')
        self.libdir = os.path.dirname(self.find('libtfm.a'))
        self.prefix = root + re.search('^prefix=(.*)$', open(pc, encoding='utf-8').read(), re.M)[1]
        self.environment = {**os.environ, 'PKG_CONFIG_PATH': os.path.dirname(pc), 'LD_LIBRARY_PATH': self.libdir}
        # With the archive alone in its folder the linker has no choice.
        self.static = os.path.join(scratch, 'static')
        os.mkdir(self.static)
        shutil.copy(os.path.join(self.libdir, 'libtfm.a'), self.static)

    def find(self, name, folder=''):
        """the one installed file of this name, in a folder of this name where it is given"""
        found = [path for path in self.files
                 if os.path.basename(path) == name and os.path.dirname(path).endswith(folder)]
        if len(found) != 1:
            raise Failure(f'{name} was installed {len(found)} times')
        return found[0]

    def compile(self, example, language, library):
        out = os.path.join(self.scratch, f'{example}-{language}-{library}')
        source = os.path.join(self.options.source, 'docs', 'examples', f'{example}.c')
        pkg_config = ['pkg-config', f'--define-variable=prefix={self.prefix}', '--cflags', '--libs', 'tfm']
        if library == 'static':
            pkg_config[1:1] = [f'--define-variable=libdir={self.static}', '--static']
        if language == 'c++17':
            compiler = self.options.cxx
            flags = ['-Wno-missing-field-initializers', '-x', 'c++', '-std=c++17'] # = {0} says the rest is 0
        else:
            compiler = self.options.cc
            flags = ['-x', 'c', '-std=c99']
        libraries = shlex.split(run(pkg_config, env=self.environment))
        run([*shlex.split(compiler), *shlex.split(self.options.flags), '-Wall', '-Wextra', '-pedantic', '-Werror',
             *flags, source, '-x', 'none', '-o', out, *libraries, '-lm'], env=self.environment)
        return out

    def start(self, program, *arguments, **more):
        environment = dict(self.environment)
        if program.endswith('static'):
            del environment['LD_LIBRARY_PATH']
        return subprocess.Popen([program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=environment, **more)

    def outcome(self, program, *arguments, given=''):
        with self.start(program, *arguments) as process:
            out, err = process.communicate(given.encode(), timeout=500)
        return process.returncode, out.decode(), err.decode()

    def model(self, kind):
        """A tiny model, packed with the installed tfmpack."""
        folder = os.path.join(self.scratch, kind)
        path = folder + '.bin'
        if not os.path.exists(path):
            run([sys.executable, os.path.join(self.options.source, 'tests', 'support', 'make_tiny_checkpoint.py'), kind,
                 folder])
            run([self.find('tfmpack', '/bin'), folder, path], env=self.environment)
        return path

    def tfmrun(self, *arguments):
        return run([self.find('tfmrun', '/bin'), *arguments], env=self.environment)


# ---- what each program must print ----

def check_usage(installed, example, program):
    code, out, err = installed.outcome(program)
    expect('without arguments', (code, out), (2, ''))
    if not err.startswith(f'usage: {example} MODEL'):
        raise Failure(f'without arguments: {err!r}')
    # One argument is too few or, of a program that reads lines, enough; a second one is.
    code, out, err = installed.outcome(program, *(['/nonexistent.bin', 'x'][:1 if example == 'chat' else 2]))
    expect('a missing model', (code, out), (1, ''))
    if '/nonexistent.bin' not in err or not err.startswith(f'{example}: '):
        raise Failure(f'a missing model: {err!r}')


def check_translate(installed, program):
    checkpoint = os.path.join(installed.options.source, 'tests', 'models', 'multi30k-de-en')
    model = os.path.join(installed.scratch, 'multi30k.bin')
    if not os.path.exists(model):
        run([installed.find('tfmpack', '/bin'), checkpoint, model], env=installed.environment)

    def lines(name):
        with open(os.path.join(checkpoint, 'expected', name), encoding='utf-8') as file:
            return file.read().split('\n')

    for i in (0, 5):
        expect('a translation', installed.outcome(program, model, lines('test.de')[i]),
               (0, lines('beam4.txt')[i] + '\n', ''))
    code, out, err = installed.outcome(program, model, 'Hund ' * 2000)
    expect('a text that is too long', (code, out), (1, ''))
    if 'translate: the input has 200' not in err:
        raise Failure(f'a text that is too long: {err!r}')


def check_chat(installed, program):
    expect('a conversation', installed.outcome(program, installed.model('parrot'), given='Hello\nWhat do you like?\n'),
           (0, f'{ANSWER}\n{ANSWER}\n', ''))
    code, out, err = installed.outcome(program, installed.model('embedder'), given='Hello\n')
    expect('a model that cannot talk', (code, out), (1, ''))
    if not err.startswith('chat: '):
        raise Failure(f'a model that cannot talk: {err!r}')


def check_stream(installed, program):
    expect('an answer', installed.outcome(program, installed.model('parrot'), 'What do you like?'),
           (0, ANSWER + '\n', ''))
    # Unbuffered: what a buffer had read beyond the first answer, communicate() would not see.
    with installed.start(program, installed.model('babbler'), 'Hello', bufsize=0) as process:
        first = b''
        while len(first) < len((ANSWER + ' ').encode()) and (more := process.stdout.read(1)):
            first += more
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=500)
    expect('the beginning of an answer', first.decode(), ANSWER + ' ')
    expect('status after Ctrl-C', process.returncode, 1)
    if not ((ANSWER + ' ') * 4000).startswith((first + out).decode().rstrip('\n')):
        raise Failure(f'the rest: {out!r}')
    expect('stderr after Ctrl-C', err.decode(), 'stream: cancelled\n')


def check_embed(installed, program):
    texts = ['This is a story.', 'A dog and a cat play on snow', 'this is a story .', 'bird']
    printed = installed.tfmrun(installed.model('embedder'), *texts)
    vectors = [json.loads(line)['embedding'] for line in printed.splitlines()]
    code, out, err = installed.outcome(program, installed.model('embedder'), *texts)
    expect('embeddings', (code, err, len(out.splitlines())), (0, '', len(texts)))
    for line, vector, text in zip(out.splitlines(), vectors, texts):
        cosine = sum(a * b for a, b in zip(vectors[0], vector)) # they are normalised
        if line[8:] != text or abs(float(line[:7]) - cosine) > 1e-4:
            raise Failure(f'{line!r}, and {cosine} of {text!r}')
    expect('the first and the third text are the same', out[:7], out.splitlines()[2][:7])
    code, out, err = installed.outcome(program, installed.model('embedder'), 'a', 'bird ' * 50)
    expect('a text that is too long', (code, out), (1, ''))
    if 'text 1: the text has 52 tokens' not in err:
        raise Failure(f'a text that is too long: {err!r}')


def check_classify(installed, program):
    for text in ('This is great!', 'a boring story'):
        code, out, err = installed.outcome(program, installed.model('judge'), text)
        expect('classes', (code, err), (0, ''))
        scores = {label: float(score) for score, label in (line.split(' ') for line in out.splitlines())}
        expect('labels', list(scores), ['bad', 'neither', 'good'])
        if abs(sum(scores.values()) - 1) > 2e-4:
            raise Failure(f'probabilities add up to {sum(scores.values())}')
        label, score = installed.tfmrun(installed.model('judge'), text).split()
        expect('the best label', max(scores, key=scores.get), label)
        if abs(scores[label] - float(score)) > 1e-4:
            raise Failure(f'{label}: {scores[label]}, not {score}')


CHECKS = {'translate': check_translate, 'chat': check_chat, 'stream': check_stream, 'embed': check_embed,
          'classify': check_classify}


def check_page(source):
    """docs/api.md shows the first example as it is, and links to all."""
    with open(os.path.join(source, 'docs', 'api.md'), encoding='utf-8') as file:
        page = file.read()
    for block in re.findall('^```c\n(.*?)^```$', page, re.M | re.S):
        name = re.match(r'/\* (\w+\.c) - ', block)
        if not name:
            raise Failure(f'a block of C in docs/api.md does not begin with the name of an example: {block[:60]!r}')
        with open(os.path.join(source, 'docs', 'examples', name[1]), encoding='utf-8') as file:
            expect(f'docs/api.md shows another {name[1]}', block, file.read())
    expect('examples that docs/api.md links to', sorted(re.findall(r'\(examples/(\w+)\.c\)', page)), sorted(CHECKS))
    expect('examples that there are', sorted(os.listdir(os.path.join(source, 'docs', 'examples'))),
           sorted(f'{name}.c' for name in CHECKS))


def main():
    parser = argparse.ArgumentParser()
    for name in ('build', 'source', 'cc'):
        parser.add_argument(name)
    parser.add_argument('cxx', nargs='?', default='')
    parser.add_argument('--meson', default='meson')
    parser.add_argument('--flags', default='')
    options = parser.parse_args()
    options.build, options.source = os.path.abspath(options.build), os.path.abspath(options.source)
    n_tests = n_failed = 0

    def test(what, function, *arguments):
        nonlocal n_tests, n_failed
        n_tests += 1
        try:
            result = function(*arguments)
        except (Failure, OSError, subprocess.SubprocessError, ValueError) as problem:
            n_failed += 1
            print(f'not ok {n_tests} - {what}')
            print('# ' + str(problem).replace('\n', '\n# '), flush=True)
            return None
        print(f'ok {n_tests} - {what}', flush=True)
        return result

    test('docs/api.md and docs/examples agree', check_page, options.source)
    with tempfile.TemporaryDirectory(prefix='tfm-examples-') as scratch:
        installed = test('meson install', Installed, scratch, options)
        if not options.cxx:
            print('# there is no C++ compiler')
        languages = ['c99', 'c++17'] if options.cxx else ['c99']
        kinds = [(example, language, library) for example in CHECKS for language in languages
                 for library in ('shared', 'static')]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            programs = {kind: pool.submit(installed.compile, *kind) for kind in kinds} if installed else {}
            for kind, future in programs.items():
                example, name = kind[0], ' '.join(kind)
                program = test(f'{name}: compiles', future.result)
                if program:
                    test(f'{name}: usage', check_usage, installed, example, program)
                    test(f'{name}: output', CHECKS[example], installed, program)
    print(f'1..{n_tests}')
    return 1 if n_failed else 0


sys.exit(main())
