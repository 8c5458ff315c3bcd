/* tiny_spm.c - encodes a model as the SentencePiece trainer would, with the simplest possible double array. */
#include "tiny_spm.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spm.pb-c.h"

#define MAX_NODES 256
#define MAX_PIECES 600

/* A Darts-clone double array in which every node with children has a block of its own. */
typedef struct charsmap {
    uint32_t units[MAX_NODES * 256];
    uint32_t n_blocks;
    char texts[4096];
    size_t n_texts;
} charsmap;

/* The first unit of a node's block, made if need be. */
static uint32_t block_of(charsmap *map, uint32_t node) {
    uint32_t offset = map->units[node] >> 10;
    if (offset == 0) {
        cr_assert_lt(map->n_blocks, MAX_NODES);
        offset = node ^ (map->n_blocks++ * 256);
        map->units[node] |= offset << 10;
    }
    return node ^ offset;
}

static void add_rule(charsmap *map, const char *from, const char *to) {
    uint32_t node = 0;
    for (; *from != 0; from++) {
        uint32_t child = block_of(map, node) ^ (unsigned char)*from;
        map->units[child] |= (unsigned char)*from;
        node = child;
    }
    uint32_t leaf = block_of(map, node);
    map->units[node] |= 1u << 8;
    map->units[leaf] = 0x80000000u | (uint32_t)map->n_texts;
    cr_assert_lt(map->n_texts + strlen(to) + 1, sizeof map->texts);
    strcpy(map->texts + map->n_texts, to);
    map->n_texts += strlen(to) + 1;
}

static ProtobufCBinaryData make_charsmap(const tiny_rule *rules) {
    if (!rules) return (ProtobufCBinaryData){0};
    charsmap *map = calloc(1, sizeof *map);
    cr_assert_not_null(map);
    map->n_blocks = 1;
    for (; rules->from != NULL; rules++) add_rule(map, rules->from, rules->to);
    uint32_t n_array = map->n_blocks * 1024;
    ProtobufCBinaryData data = {4 + n_array + map->n_texts, malloc(4 + n_array + map->n_texts)};
    cr_assert_not_null(data.data);
    memcpy(data.data, &n_array, 4);
    memcpy(data.data + 4, map->units, n_array);
    memcpy(data.data + 4 + n_array, map->texts, map->n_texts);
    free(map);
    return data;
}

static void set_piece(Spm__Piece *piece, const char *text, float score, int kind) {
    spm__piece__init(piece);
    piece->has_text = piece->has_score = true;
    piece->text = (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
    piece->score = score;
    piece->has_kind = kind != 0;
    if (kind != 0) piece->kind = kind;
}

static size_t set_pieces(const tiny_options *options, const tiny_piece *pieces, Spm__Piece *all, char bytes[256][8]) {
    size_t n = 0;
    set_piece(&all[n++], "<unk>", 0, 2);
    set_piece(&all[n++], "<s>", 0, 3);
    set_piece(&all[n++], "</s>", 0, 3);
    for (int i = 0; options->byte_fallback && i < 256; i++) {
        snprintf(bytes[i], 8, "<0x%02X>", (unsigned)i);
        set_piece(&all[n++], bytes[i], 0, 6);
    }
    for (; pieces->text != NULL; pieces++) {
        cr_assert_lt(n, MAX_PIECES);
        set_piece(&all[n++], pieces->text, pieces->score, pieces->kind);
    }
    return n;
}

static void set_normalizer(Spm__Normalizer *z, const tiny_options *options, const tiny_rule *rules) {
    spm__normalizer__init(z);
    z->precompiled_charsmap = make_charsmap(rules);
    z->has_precompiled_charsmap = rules != NULL;
    z->has_add_dummy_prefix = z->has_remove_extra_whitespaces = z->has_escape_whitespaces = true;
    z->add_dummy_prefix = !options->no_dummy_prefix;
    z->remove_extra_whitespaces = !options->keep_spaces;
    z->escape_whitespaces = !options->no_escape;
}

unsigned char *tiny_spm_model(const tiny_options *options, const tiny_piece *pieces, size_t *n) {
    static Spm__Piece all[MAX_PIECES];
    static Spm__Piece *pointers[MAX_PIECES];
    char bytes[256][8];
    Spm__Model model = SPM__MODEL__INIT;
    Spm__Trainer trainer = SPM__TRAINER__INIT;
    Spm__Normalizer normalizer, denormalizer;
    tiny_options plain = {.no_dummy_prefix = true, .keep_spaces = true, .no_escape = true};
    trainer.has_model_type = trainer.has_byte_fallback = trainer.has_treat_whitespace_as_suffix = true;
    trainer.model_type = options->bpe ? 2 : 1;
    trainer.byte_fallback = options->byte_fallback;
    trainer.treat_whitespace_as_suffix = options->as_suffix;
    if (options->unknown_surface) {
        trainer.has_unk_surface = true;
        trainer.unk_surface =
            (ProtobufCBinaryData){strlen(options->unknown_surface), (uint8_t *)(uintptr_t)options->unknown_surface};
    }
    set_normalizer(&normalizer, options, options->rules);
    set_normalizer(&denormalizer, &plain, options->denormalizer_rules);
    model.n_pieces = set_pieces(options, pieces, all, bytes);
    for (size_t i = 0; i < model.n_pieces; i++) pointers[i] = &all[i];
    model.pieces = pointers;
    model.trainer = &trainer;
    model.normalizer = &normalizer;
    if (options->denormalizer_rules) model.denormalizer = &denormalizer;
    *n = spm__model__get_packed_size(&model);
    unsigned char *data = malloc(*n);
    cr_assert_not_null(data);
    spm__model__pack(&model, data);
    free(normalizer.precompiled_charsmap.data);
    free(denormalizer.precompiled_charsmap.data);
    return data;
}

unsigned char *tiny_charsmap(const tiny_rule *rules, size_t *n) {
    ProtobufCBinaryData map = make_charsmap(rules);
    *n = map.len;
    return map.data;
}
