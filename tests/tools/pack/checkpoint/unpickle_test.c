/* unpickle_test.c - pickles: tensors are found, code is refused by name, damage never does harm. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tools/pack/checkpoints.h"
#include "tools/pack/checkpoint/unpickle.h"

TestSuite(unpickle, .timeout = 120);

static tfm_status unpickle(const void *data, size_t n, tfm_error *error) {
    const tfm_pk_value *value;
    tfm_unpickler *u = tfm_unpickler_memory("test.bin", data, n);
    tfm_status status = tfm_unpickle(u, &value, error);
    tfm_unpickler_free(&u);
    return status;
}

/* A pickle as a string literal with bytes of any value. */
#define REFUSED(pickle, status, text)                                                                                  \
    do {                                                                                                               \
        static const char bytes[] = pickle;                                                                            \
        REQUIRE_ERROR(status, unpickle(bytes, sizeof bytes - 1, error), text);                                         \
    } while (0)
#define ACCEPTED(pickle)                                                                                               \
    do {                                                                                                               \
        static const char bytes[] = pickle;                                                                            \
        REQUIRE_OK(unpickle(bytes, sizeof bytes - 1, error));                                                          \
    } while (0)

Test(unpickle, code_is_refused_by_name) {
    REFUSED("\x80\x02"
            "cposix\nsystem\nX\x07\0\0\0echo hi\x85R.",
            TFM_ERROR_UNSUPPORTED, "posix.system");
    REFUSED("cos\nsystem\n(S'echo'\ntR.", TFM_ERROR_UNSUPPORTED, "os.system");
    REFUSED("\x80\x04\x95\x20\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94.",
            TFM_ERROR_UNSUPPORTED, "posix.system");
    REFUSED("\x80\x02"
            "c__builtin__\neval\n.",
            TFM_ERROR_UNSUPPORTED, "__builtin__.eval");
    REFUSED("\x80\x02"
            "cbuiltins\nexec\n.",
            TFM_ERROR_UNSUPPORTED, "builtins.exec");
    REFUSED("\x80\x02"
            "ctorch\nload\n.",
            TFM_ERROR_UNSUPPORTED, "torch.load");
    REFUSED("\x80\x02"
            "ctorch.FloatStorage\n__reduce__\n.",
            TFM_ERROR_UNSUPPORTED, "torch.FloatStorage.__reduce__");
    REFUSED("\x80\x02"
            "ccollections\nOrderedDict.__init__\n.",
            TFM_ERROR_UNSUPPORTED, "OrderedDict.__init__");
    REFUSED("(ios\nsystem\n.", TFM_ERROR_UNSUPPORTED, "os.system");
    REFUSED("(icollections\nOrderedDict\n.", TFM_ERROR_UNSUPPORTED, "construct an object");
    REFUSED("(ccollections\nOrderedDict\no.", TFM_ERROR_UNSUPPORTED, "construct an object");
    REFUSED("\x80\x02"
            "ccollections\nOrderedDict\n)\x81.",
            TFM_ERROR_UNSUPPORTED, "construct an object");
    REFUSED("\x80\x04"
            "ccollections\nOrderedDict\n)}\x92.",
            TFM_ERROR_UNSUPPORTED, "construct an object");
    REFUSED("\x80\x02\x82\x01.", TFM_ERROR_UNSUPPORTED, "construct an object");
    REFUSED("\x80\x02"
            "ctorch\nFloatStorage\n}b.",
            TFM_ERROR_UNSUPPORTED, "sets the state");
    REFUSED("\x80\x02}K\x01"
            "b.",
            TFM_ERROR_UNSUPPORTED, "sets the state");
    REFUSED("\x80\x02"
            "ctorch\nFloatStorage\n)R.",
            TFM_ERROR_FORMAT, "called");
    REFUSED("\x80\x02K\x01)R.", TFM_ERROR_FORMAT, "a call of no function");
    /* names cannot forge the message */
    REFUSED("\x80\x02"
            "ca\x1b[2J\nb\r\n.",
            TFM_ERROR_UNSUPPORTED, "a?[2J.b?");
}

Test(unpickle, structure_is_checked) {
    REFUSED("", TFM_ERROR_FORMAT, "ends early");
    REFUSED(".", TFM_ERROR_FORMAT, "end too early");
    REFUSED("NN.", TFM_ERROR_FORMAT, "end too early");
    REFUSED("(.", TFM_ERROR_FORMAT, "end too early");
    REFUSED("\x80\x09N.", TFM_ERROR_FORMAT, "protocol");
    REFUSED("t.", TFM_ERROR_FORMAT, "mark");
    REFUSED("\x85.", TFM_ERROR_FORMAT, "empty stack");
    REFUSED("N\x86.", TFM_ERROR_FORMAT, "empty stack");
    REFUSED("(N\x86.", TFM_ERROR_FORMAT, "stray mark");
    REFUSED("a.", TFM_ERROR_FORMAT, "empty stack");
    REFUSED("NNa.", TFM_ERROR_FORMAT, "takes none");
    REFUSED("(e.", TFM_ERROR_FORMAT, "takes none");
    REFUSED("](Nu.", TFM_ERROR_FORMAT, "takes none");
    REFUSED("}(Nu.", TFM_ERROR_FORMAT, "without a value");
    REFUSED("h\x05.", TFM_ERROR_FORMAT, "never set");
    REFUSED("j\xff\xff\xff\xff.", TFM_ERROR_FORMAT, "never set");
    REFUSED("Nr\xff\xff\xff\xff.", TFM_ERROR_FORMAT, "memo");
    REFUSED("q\x01.", TFM_ERROR_FORMAT, "empty stack");
    REFUSED("X\xff\xff\xff\xff"
            "abc.",
            TFM_ERROR_FORMAT, "1 MiB");
    REFUSED("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
            "abc.",
            TFM_ERROR_FORMAT, "1 MiB");
    REFUSED("X\x10\0\0\0abc.", TFM_ERROR_FORMAT, "ends early");
    REFUSED("\x8b\xff\xff\xff\x7f.", TFM_ERROR_FORMAT, "digits");
    REFUSED("ccollections", TFM_ERROR_FORMAT, "ends early");
    REFUSED("NQ.", TFM_ERROR_FORMAT, "persistent id");
    REFUSED(")Q.", TFM_ERROR_FORMAT, "persistent id");
    REFUSED("I1\n.", TFM_ERROR_FORMAT, "opcode 0x49");
    ACCEPTED("N.");
    ACCEPTED("\x80\x02}(K\x01M\x02\x03\x8a\x01\xffG\0\0\0\0\0\0\0\0u.");
    ACCEPTED("]q\0h\0a."); /* a list in itself */
    ACCEPTED("\x80\x04\x95\x03\0\0\0\0\0\0\0}\x94.");
}

Test(unpickle, integers) {
    static const struct {
        const char *pickle;
        size_t n;
        int64_t value;
    } cases[] = {{"K\xff.", 3, 255},
                 {"M\xff\xff.", 4, 65535},
                 {"J\xff\xff\xff\xff.", 6, -1},
                 {"J\xff\xff\xff\x7f.", 6, INT32_MAX},
                 {"\x8a\0.", 3, 0},
                 {"\x8a\x01\x80.", 4, -128},
                 {"\x8a\x02\xff\0.", 5, 255},
                 {"\x8a\x08\0\0\0\0\0\0\0\x80.", 11, INT64_MIN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const tfm_pk_value *value = NULL;
        tfm_unpickler *u = tfm_unpickler_memory("test.bin", cases[i].pickle, cases[i].n);
        REQUIRE_OK(tfm_unpickle(u, &value, error));
        cr_assert(value->kind == TFM_PK_INT && value->integer == cases[i].value, "case %zu", i);
        tfm_unpickler_free(&u);
    }
}

/* One tensor over a storage of `count` elements at `offset` with two dimensions and strides. */
static tfm_status one_tensor(uint64_t count, int64_t offset, int64_t rows, int64_t columns, int64_t row_stride,
                             int64_t column_stride, tfm_error *error) {
    buffer b = {0};
    const int64_t numbers[] = {offset, rows, columns, row_stride, column_stride};
    static const char *const between[] = {"", "(", "", "t(", ""};
    put_text(&b, "ctorch._utils\n_rebuild_tensor_v2\n((X");
    put_number(&b, 7, 4);
    put_text(&b, "storagectorch\nFloatStorage\nX");
    put_number(&b, 1, 4);
    put_text(&b, "0X");
    put_number(&b, 3, 4);
    put_text(&b, "cpu\x8a\x08");
    put_number(&b, count, 8);
    put_text(&b, "tQ");
    for (int i = 0; i < 5; i++) {
        put_text(&b, between[i]);
        put_text(&b, "\x8a\x08");
        put_number(&b, (uint64_t)numbers[i], 8);
    }
    put_text(&b, "t\x89}tR.");
    tfm_status status = unpickle(b.data, b.n, error);
    buffer_free(&b);
    return status;
}

Test(unpickle, tensors_stay_in_their_storage) {
    REQUIRE_OK(one_tensor(12, 0, 3, 4, 4, 1, error));
    REQUIRE_OK(one_tensor(12, 0, 4, 3, 1, 4, error));   /* transposed */
    REQUIRE_OK(one_tensor(4, 0, 1000, 4, 0, 1, error)); /* expanded */
    REQUIRE_OK(one_tensor(0, 0, 0, 4, 4, 1, error));
    REQUIRE_OK(one_tensor(12, 4, 2, 4, 4, 1, error));
    const char *outside = "outside its storage";
    REQUIRE_ERROR(TFM_ERROR_FORMAT, one_tensor(11, 0, 3, 4, 4, 1, error), outside);
    REQUIRE_ERROR(TFM_ERROR_FORMAT, one_tensor(12, 1, 3, 4, 4, 1, error), outside);
    REQUIRE_ERROR(TFM_ERROR_FORMAT, one_tensor(12, INT64_MAX, 3, 4, 4, 1, error), outside);
    REQUIRE_ERROR(TFM_ERROR_FORMAT, one_tensor(12, 0, 3, 4, INT64_MAX, 1, error), outside);
    REQUIRE_ERROR(TFM_ERROR_FORMAT, one_tensor(12, 0, INT64_MAX, INT64_MAX, 0, 0, error), outside);
    REQUIRE_ERROR(TFM_ERROR_FORMAT, one_tensor(12, 0, INT64_MAX, 1, INT64_MAX, 1, error), outside);
    REQUIRE_ERROR(TFM_ERROR_FORMAT, one_tensor(12, -1, 3, 4, 4, 1, error), "without a storage");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, one_tensor(12, 0, -3, 4, 4, 1, error), "bad shape");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, one_tensor(12, 0, 3, 4, -4, 1, error), "bad shape");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, one_tensor(UINT64_MAX, 0, 3, 4, 4, 1, error), "persistent id");
}

/* Few bytes that would copy a long list for ever: work and memory have a limit of their own. */
Test(unpickle, copies_are_bounded) {
    buffer b = {0};
    put_text(&b, "NN\x86q\x01]("); /* a pair, number 1; then a list of 100,000 of it in a tuple, number 2 */
    for (int i = 0; i < 100000; i++) put_text(&b, "h\x01");
    put_text(&b, "e\x85q\x02"
                 "ccollections\nOrderedDict\nq\x03");
    for (int i = 0; i < 100000; i++) put_text(&b, "h\x03h\x02R");
    put_text(&b, ".");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, unpickle(b.data, b.n, error), "too many items");
    buffer_free(&b);
}

static buffer small_pickle(void) {
    marian small = marian_default();
    small.encoder_layers = 1;
    small.decoder_layers = 0;
    model *m = model_marian(&small);
    model_tie(m, "model.encoder.embed_tokens.weight", "model.shared.weight");
    buffer b = state_pickle(m, false);
    model_free(&m);
    return b;
}

Test(unpickle, every_truncation_is_refused) {
    buffer b = small_pickle();
    REQUIRE_OK(unpickle(b.data, b.n, error));
    for (size_t i = 0; i < b.n; i++) {
        tfm_error problem;
        unsigned char *exact = malloc(i + 1); /* so that a sanitiser sees a read past the end */
        cr_assert(exact);
        memcpy(exact, b.data, i);
        cr_assert(unpickle(exact, i, &problem) != TFM_OK, "%zu of %zu bytes", i, b.n);
        free(exact);
    }
    buffer_free(&b);
}

/* Any damage gives a result or an error, and no tensor outside its storage. */
Test(unpickle, mutations_do_no_harm) {
    const uint64_t seed = 20240607;
    cr_log_info("seed %llu", (unsigned long long)seed);
    uint64_t state = seed;
    buffer b = small_pickle();
    unsigned char *copy = malloc(b.n);
    size_t good = 0;
    cr_assert(copy);
    for (int round = 0; round < 20000; round++) {
        memcpy(copy, b.data, b.n);
        for (uint32_t k = 1 + random_u32(&state) % 4; k > 0; k--) {
            size_t at = random_u32(&state) % b.n;
            uint32_t how = random_u32(&state) % 3;
            if (how == 0) copy[at] ^= (unsigned char)(1u << random_u32(&state) % 8);
            if (how == 1) copy[at] = (unsigned char)random_u32(&state);
            if (how == 2) memmove(copy + at, copy + at / 2, (b.n - at) / 2);
        }
        const tfm_pk_value *value;
        tfm_error problem = {0};
        tfm_unpickler *u = tfm_unpickler_memory("test.bin", copy, b.n);
        tfm_status status = tfm_unpickle(u, &value, &problem);
        good += status == TFM_OK;
        cr_assert(status == TFM_OK || problem.message[0], "an error without a message");
        tfm_unpickler_free(&u);
    }
    cr_assert(good > 0 && good < 20000, "the mutations must reach both outcomes; good: %zu", good);
    free(copy);
    buffer_free(&b);
}
