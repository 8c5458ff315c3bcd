/* params_test.c - structs that begin with their size, from programs older and newer than the library. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "runtime/params.h"
#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

/* What a library knows, and what programs of other versions have. */
typedef struct known {
    size_t size;
    uint32_t a, b;
    const char *word;
} known;

typedef struct older {
    size_t size;
    uint32_t a, b;
} older;

typedef struct newer {
    size_t size;
    uint32_t a, b;
    const char *word;
    void *unknown;
    uint32_t more, still_more;
} newer;

static const known standard = {.size = sizeof standard, .a = 1, .b = 2, .word = "standard"};

Test(params, a_program_of_this_version) {
    known own = standard, caller;
    tfm_params_give(&caller, sizeof caller, &standard, sizeof standard);
    cr_assert(caller.size == sizeof caller && caller.a == 1 && caller.b == 2 && !strcmp(caller.word, "standard"));
    caller.a = 10;
    caller.word = "own";
    REQUIRE_OK(tfm_params_take(&own, sizeof own, &caller, "known", error));
    cr_assert(own.size == sizeof own && own.a == 10 && own.b == 2 && !strcmp(own.word, "own"));
    own = standard;
    REQUIRE_OK(tfm_params_take(&own, sizeof own, NULL, "known", error));
    cr_assert(!memcmp(&own, &standard, sizeof own), "NULL: the defaults");
}

Test(params, an_older_program_leaves_the_defaults_of_what_it_does_not_know) {
    struct {
        older caller;
        char behind[16];
    } memory;
    memset(&memory, 0x5a, sizeof memory);
    tfm_params_give(&memory.caller, sizeof memory.caller, &standard, sizeof standard);
    cr_assert(memory.caller.size == sizeof(older) && memory.caller.a == 1 && memory.caller.b == 2);
    for (size_t i = 0; i < sizeof memory.behind; i++) cr_assert(memory.behind[i] == 0x5a, "written past the end");
    memory.caller.b = 20;
    known own = standard;
    REQUIRE_OK(tfm_params_take(&own, sizeof own, &memory.caller, "known", error));
    cr_assert(own.size == sizeof own && own.a == 1 && own.b == 20 && !strcmp(own.word, "standard"));
}

Test(params, a_newer_program_runs_if_it_asks_for_nothing_new) {
    newer caller;
    memset(&caller, 0x5a, sizeof caller);
    tfm_params_give(&caller, sizeof caller, &standard, sizeof standard);
    cr_assert(caller.size == sizeof caller && caller.a == 1 && !caller.unknown && !caller.more && !caller.still_more);
    caller.a = 10;
    known own = standard;
    REQUIRE_OK(tfm_params_take(&own, sizeof own, &caller, "known", error));
    cr_assert(own.size == sizeof own && own.a == 10 && !strcmp(own.word, "standard"));
    own = standard;
    caller.still_more = 1;
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tfm_params_take(&own, sizeof own, &caller, "known", error),
                  "known is of a newer version", tfm_version());
    cr_assert(!memcmp(&own, &standard, sizeof own), "changed by an error");
}

Test(params, a_size_that_is_none) {
    static const size_t sizes[] = {0, 1, sizeof(size_t) - 1, (size_t)1 << 20, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        known own = standard, caller = {.size = sizes[i]};
        char said[64];
        snprintf(said, sizeof said, "known.size is %zu: start from known_default()", sizes[i]);
        REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_params_take(&own, sizeof own, &caller, "known", error), said);
        cr_assert(!memcmp(&own, &standard, sizeof own));
    }
}

/* Every function that takes such a struct refuses one that was not started from its defaults, by its name. */
Test(params, every_struct_is_asked_for_its_size) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_model *model;
    tfm_session *session;
    tfm_input input = {.ids = (const int32_t[]){3, 4}, .n = 2};
    const tfm_model_params model_params = {.verify = TFM_VERIFY_ALL};
    const tfm_session_params session_params = {.max_sources = 1};
    const tfm_generate_params generate_params = {.num_beams = 1};
    const tfm_generate_callbacks callbacks = {.user = NULL};
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_model_open(&model, f.path, &model_params, error),
                  "tfm_model_params.size is 0: start from tfm_model_params_default()");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_session_create(&session, f.model, &session_params, error),
                  "tfm_session_params.size is 0: start from tfm_session_params_default()");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate(f.session, &input, 1, &generate_params, NULL, error),
                  "tfm_generate_params.size is 0: start from tfm_generate_params_default()");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate(f.session, &input, 1, NULL, &callbacks, error),
                  "tfm_generate_callbacks.size is 0: start from tfm_generate_callbacks_default()");
    const tfm_attention_tap tap = {.kinds = TFM_ATTENTION_CROSS};
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_session_tap_attention(f.session, &tap, error),
                  "tfm_attention_tap.size is 0: start from tfm_attention_tap_default()");
    cr_assert(!model && !session);
    fixture_close(&f);
}

/* The functions of tfm.h that write such structs write no more than they are allowed to. */
Test(params, defaults_stay_within_their_size) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    enum { INFO = 8, N_STRUCTS }; /* the last has no size in it */
    union {
        size_t size;
        tfm_model_params model;
        tfm_session_params session;
        tfm_generate_params generate;
        tfm_generate_callbacks callbacks;
        tfm_embed_params embed;
        tfm_chat_params chat;
        tfm_text_callbacks text_callbacks;
        tfm_attention_tap tap;
        tfm_model_info info;
        unsigned char bytes[1024];
    } p, whole;
    for (int which = 0; which < N_STRUCTS; which++) {
        for (size_t n = sizeof p + 1; n-- > (which == INFO ? 0 : sizeof(size_t));) {
            memset(&p, 0x5a, sizeof p);
            switch (which) {
            case 0: tfm_model_params_init(&p.model, n); break;
            case 1: tfm_session_params_init(&p.session, n); break;
            case 2: tfm_generate_params_init(&p.generate, n, f.model); break;
            case 3: tfm_generate_callbacks_init(&p.callbacks, n); break;
            case 4: tfm_embed_params_init(&p.embed, n, f.model); break;
            case 5: tfm_chat_params_init(&p.chat, n); break;
            case 6: tfm_text_callbacks_init(&p.text_callbacks, n); break;
            case 7: tfm_attention_tap_init(&p.tap, n); break;
            default: tfm_model_info_read(f.model, &p.info, n); break;
            }
            if (n == sizeof p) whole = p;
            if (which < INFO) cr_assert(p.size == n);
            size_t from = which < INFO ? sizeof(size_t) : 0;
            cr_assert(!memcmp(p.bytes + from, whole.bytes + from, n - from), "struct %d of %zu bytes", which, n);
            for (size_t i = n; i < sizeof p; i++)
                cr_assert(p.bytes[i] == 0x5a, "struct %d: byte %zu of %zu", which, i, n);
        }
    }
    cr_assert(tfm_attention_tap_default().layer == -1 && !tfm_text_callbacks_default().on_text);
    cr_assert(tfm_session_params_default().max_sequences == 128 && tfm_chat_params_default().add_generation_prompt);
    fixture_close(&f);
}

Test(params, reserved_members_are_for_newer_libraries) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_input input = {.ids = (const int32_t[]){3, 4}, .n = 2, .reserved = {NULL, &f}};
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tfm_generate(f.session, &input, 1, NULL, NULL, error),
                  "tfm_input.reserved is not NULL");
    int32_t source = fixture_source(&f, input.ids, 2);
    tfm_span span = {.sequence = fixture_sequence(&f, source), .ids = input.ids, .n = 2, .reserved = {&f, NULL}};
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tfm_decode(f.session, &span, 1, error), "tfm_span.reserved is not NULL");
    fixture_close(&f);
}
