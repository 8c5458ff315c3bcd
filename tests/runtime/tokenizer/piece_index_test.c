/* piece_index_test.c - pieces of ids, ids of pieces, and how many ids a tokenizer puts around texts. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tiny_json.h"
#include "tiny_spm.h"
#include "tokenizers.h"

TestSuite(piece_index, .fini = remove_scratch, .timeout = 300);

static packed open_tiny(int which) {
    char *json = tiny_json(which);
    write_scratch("tokenizer.json", json, strlen(json));
    free(json);
    return must_pack(scratch());
}

/* Every id that is spelled is found under its spelling, or a lower one that is spelled the same. */
static void check_all(const tfm_tokenizer *t) {
    size_t n, size = tfm_tokenizer_size(t);
    for (int32_t id = 0; (size_t)id < size; id++) {
        const char *piece = tfm_tokenizer_piece(t, id, &n), *first_piece;
        cr_assert_not_null(piece);
        int32_t first = tfm_tokenizer_id(t, piece, n);
        if (n == 0) {
            cr_expect_eq(first, -1);
            continue;
        }
        cr_assert(first >= 0 && first <= id, "id %d: %d", id, first);
        size_t n_first;
        first_piece = tfm_tokenizer_piece(t, first, &n_first);
        cr_expect(n_first == n && memcmp(first_piece, piece, n) == 0);
    }
    cr_expect_eq(tfm_tokenizer_id(t, "no such piece", 13), -1);
    cr_expect_eq(tfm_tokenizer_id(t, "", 0), -1);
    cr_expect_null(tfm_tokenizer_piece(t, -1, &n));
    cr_expect_null(tfm_tokenizer_piece(t, (int32_t)size, &n));
}

Test(piece_index, every_kind) {
    for (int which = 0; which < N_TINY_JSON; which++) {
        packed p = open_tiny(which);
        check_all(p.source);
        packed_close(&p);
    }
    static const tiny_piece pieces[] = {{"a", -1, 0}, {"b", -1, 0}, {TFM_SPACE, -3, 0}, {"<x>", 0, 4}, {NULL, 0, 0}};
    tiny_options options = {.byte_fallback = true};
    size_t n;
    unsigned char *data = tiny_spm_model(&options, pieces, &n);
    packed p;
    cr_assert_eq(pack_bytes(data, n, &p, NULL), TFM_OK);
    check_all(p.source);
    cr_expect_eq(tfm_tokenizer_id(p.source, "</s>", 4), 2); /* a control piece: no text has it */
    cr_expect_eq(tfm_tokenizer_id(p.source, "<0x41>", 6), TINY_FIRST + 0x41);
    cr_expect_eq(tfm_tokenizer_id(p.source, "a", 1), TINY_FIRST_AFTER_BYTES);
    packed_close(&p);
    free(data);
}

Test(piece_index, as_the_vocabulary_spells_it) {
    packed p = open_tiny(TINY_BYTES);
    cr_expect_eq(tfm_tokenizer_id(p.source,
                                  "\xC4\xA0"
                                  "a",
                                  3),
                 3); /* not " a" */
    cr_expect_eq(tfm_tokenizer_id(p.source, " a", 2), -1);
    cr_expect_eq(tfm_tokenizer_id(p.source, "<s>", 3), 9);
    packed_close(&p);
    p = open_tiny(TINY_WORDPIECE);
    cr_expect_eq(tfm_tokenizer_id(p.source, "##a", 3), 3);
    cr_expect_eq(tfm_tokenizer_id(p.source, "[CLS]", 5), 1);
    packed_close(&p);
}

static void *ask(void *tokenizer) {
    long wrong = 0;
    for (int i = 0; i < 100; i++) wrong += tfm_tokenizer_id(tokenizer, "<s>", 3) != 9;
    return (void *)wrong;
}

/* The index is made by whoever asks first. */
Test(piece_index, from_several_threads) {
    packed p = open_tiny(TINY_BYTES);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) cr_assert_eq(pthread_create(&threads[i], NULL, ask, p.source), 0);
    for (size_t i = 0; i < 4; i++) {
        void *wrong;
        cr_assert_eq(pthread_join(threads[i], &wrong), 0);
        cr_expect_null(wrong);
    }
    packed_close(&p);
}

/* ---- special ids ---- */

static void counts_are(const tfm_tokenizer *t, bool pair, size_t before, size_t between, size_t after) {
    tfm_special_split counts;
    tfm_ids plain = {0}, special = {0};
    cr_assert(tfm_tokenizer_special_counts(t, pair, &counts));
    cr_expect_eq(counts.before, before);
    cr_expect_eq(counts.between, between);
    cr_expect_eq(counts.after, after);
    tfm_status (*encode_pair)(const tfm_tokenizer *, const char *, size_t, const char *, size_t, bool, tfm_ids *,
                              tfm_ids *, tfm_error *) = tfm_tokenizer_encode_pair;
    for (int with = 0; with < 2; with++) {
        tfm_ids *ids = with ? &special : &plain;
        tfm_status status = pair ? encode_pair(t, "a", 1, "ab", 2, with, ids, NULL, NULL)
                                 : tfm_tokenizer_encode(t, "a", 1, with, ids, NULL);
        cr_assert_eq(status, TFM_OK);
    }
    cr_expect_eq(special.size, plain.size + before + between + after);
    tfm_ids_free(&plain);
    tfm_ids_free(&special);
}

Test(piece_index, special_counts) {
    packed p = open_tiny(TINY_BYTES); /* RoBERTa's */
    counts_are(p.source, false, 1, 0, 1);
    counts_are(p.source, true, 1, 2, 1);
    packed_close(&p);
    p = open_tiny(TINY_WORDPIECE); /* BERT's */
    counts_are(p.source, false, 1, 0, 1);
    counts_are(p.source, true, 1, 1, 1);
    packed_close(&p);
    p = open_tiny(TINY_UNIGRAM);
    counts_are(p.source, false, 0, 0, 1);
    counts_are(p.source, true, 0, 0, 0);
    packed_close(&p);
    p = open_tiny(TINY_WORDLEVEL);
    counts_are(p.source, false, 0, 0, 0);
    packed_close(&p);
}

Test(piece_index, special_counts_of_sentencepiece) {
    static const tiny_piece pieces[] = {{"a", -1, 0}, {TFM_SPACE, -3, 0}, {NULL, 0, 0}};
    tiny_options options = {.bpe = true};
    size_t n;
    unsigned char *data = tiny_spm_model(&options, pieces, &n);
    write_scratch("tokenizer.model", data, n);
    write_scratch("config.json", "{\"model_type\": \"llama\"}", 23);
    write_scratch("tokenizer_config.json", "{\"add_eos_token\": true}", 23);
    packed p = must_pack(scratch());
    counts_are(p.source, false, 1, 0, 1);
    tfm_special_split counts = {1, 1, 1};
    cr_expect_not(tfm_tokenizer_special_counts(p.source, true, &counts));
    cr_expect_eq(counts.before + counts.between + counts.after, 0);
    packed_close(&p);
    free(data);
}
