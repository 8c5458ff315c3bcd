#!/usr/bin/env node
/*
 * record_tokenizers.js - writes expected.json beside each tokenizer.json of this folder: what the Hugging Face library
 * (its Rust code, npm package tokenizers) makes of texts.json.
 *
 * usage: record_tokenizers.js [FOLDER]...        (needs `npm install tokenizers@0.23.2` where node finds it)
 *
 * ids: of each text, without special tokens; special: the ids that are put around every text; text: what the ids are
 * decoded to without special tokens, null where that is the text itself. pairs: two texts as one input, with special
 * tokens. decode: sequences of arbitrary ids.
 */
'use strict'
const fs = require('fs')
const path = require('path')
const {Tokenizer} = require('tokenizers')
const version = require('tokenizers/package.json').version

const {texts, pairs} = JSON.parse(fs.readFileSync(path.join(__dirname, 'texts.json'), 'utf8'))

const plain = {addSpecialTokens: false}, special = {addSpecialTokens: true}

function same(a, b) {
  return a.length === b.length && a.every((id, i) => id === b[i])
}

/* What is put around every text; fails if that depends on the text. */
function around(whole, ids) {
  for (let n = 0; n + ids[0].length <= whole[0].length; n++) {
    const before = whole[0].slice(0, n), after = whole[0].slice(n + ids[0].length)
    if (whole.every((w, i) => same(w, [...before, ...ids[i], ...after]))) return {before, after}
  }
  throw new Error('special tokens that depend on the text')
}

/* Deterministic ids, many of them of bytes and special tokens. */
function* arbitrary(size, count = 80) {
  let state = 12345
  const next = n => (state = (Math.imul(state, 1103515245) + 12345) >>> 0, (state >>> 8) % n)
  for (let i = 0; i < count; i++) {
    const ids = [], n = next(i < 20 ? 4 : 24), range = i % 3 === 0 ? Math.min(size, 270) : size
    for (let k = 0; k < n; k++) ids.push(i % 5 === 4 && next(3) === 0 ? size - 1 - next(4) : next(range))
    yield ids
  }
}

/* A line for each entry. */
function lines(values) {
  return '[\n' + values.map(value => JSON.stringify(value)).join(',\n') + ']'
}

async function record(folder) {
  const tokenizer = Tokenizer.fromString(fs.readFileSync(path.join(folder, 'tokenizer.json'), 'utf8'))
  const encode = async (a, b, options) => (await tokenizer.encode(a, b, options))
  const ids = [], whole = [], decoded = []
  for (const text of texts) {
    ids.push((await encode(text, null, plain)).getIds())
    whole.push((await encode(text, null, special)).getIds())
    const back = await tokenizer.decode(ids[ids.length - 1], true)
    decoded.push(back === text ? null : back)
  }
  const pairIds = []
  for (const [a, b] of pairs) {
    const encoding = await encode(a, b, special)
    pairIds.push({a, b, ids: encoding.getIds(), type_ids: encoding.getTypeIds()})
  }
  const size = 1 + Math.max(...Object.values(tokenizer.getVocab(true)))
  const decode = []
  for (const sequence of arbitrary(size))
    decode.push({ids: sequence, text: await tokenizer.decode(sequence, false), text_skip_special: await tokenizer.decode(sequence, true)})
  const {before, after} = around(whole, ids)
  fs.writeFileSync(path.join(folder, 'expected.json'),
    `{"recorded by": "record_tokenizers.js, tokenizers ${version}",\n"vocab_size": ${size},\n` +
    `"special_prefix": ${JSON.stringify(before)},\n"special_suffix": ${JSON.stringify(after)},\n` +
    `"ids": ${lines(ids)},\n"text": ${lines(decoded)},\n"pairs": ${lines(pairIds)},\n"decode": ${lines(decode)}}\n`)
  console.log(`${path.basename(folder)}: ${size} ids`)
}

/*
 * Decoders alone: steps that meet in no folder here. first: ids that every sequence begins with; the library's Strip ends
 * the program where it has to take more from the end of a text than there is.
 */

async function recordDecoders() {
  const file = path.join(__dirname, 'decoders.json')
  const {vocabulary, decoders} = JSON.parse(fs.readFileSync(file, 'utf8'))
  const made = []
  for (const {first, steps} of decoders) {
    const tokenizer = Tokenizer.fromString(JSON.stringify({
      version: '1.0', added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null,
      decoder: {type: 'Sequence', decoders: steps},
      model: {type: 'WordLevel', unk_token: '?', vocab: Object.fromEntries(vocabulary.map((piece, i) => [piece, i]))}}))
    const decode = []
    for (const sequence of arbitrary(vocabulary.length, 40)) {
      const ids = [...first, ...sequence.slice(0, 12)]
      decode.push({ids, text: await tokenizer.decode(ids, false)})
    }
    made.push({first, steps, decode})
  }
  fs.writeFileSync(file, `{"recorded by": "record_tokenizers.js, tokenizers ${version}",\n"vocabulary": ${JSON.stringify(vocabulary)},\n` +
    `"decoders": ${lines(made)}}\n`)
  console.log(`decoders: ${made.length}`)
}

async function main() {
  const given = process.argv.slice(2)
  const folders = given.length ? given : fs.readdirSync(__dirname).map(name => path.join(__dirname, name))
  for (const folder of folders)
    if (fs.existsSync(path.join(folder, 'tokenizer.json'))) await record(folder)
  if (!given.length) await recordDecoders()
}

main().catch(error => { console.error(error); process.exit(1) })
