/* stories.c - packs the small decoder-only model that the tests run. */
#include "stories.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

static void pack(const char *model, const char *template) {
    const char *const words[] = {
        getenv("TFM_TFMPACK"), "stories", model, template ? "--chat-template" : NULL, template, NULL};
    cr_assert(words[0], "TFM_TFMPACK is not set; run the tests through meson");
    make_story_checkpoint("stories");
    outcome packed = run_program(words, NULL);
    cr_assert_eq(packed.code, 0, "tfmpack: %s", packed.err);
    free_outcome(&packed);
}

void pack_stories(void) { pack(STORIES, NULL); }

void pack_stories_with(const char *generation) {
    if (access("stories", F_OK) != 0) make_story_checkpoint("stories");
    write_text("stories/generation_config.json", generation);
    const char *const words[] = {getenv("TFM_TFMPACK"), "-f", "stories", STORIES, NULL};
    outcome packed = run_program(words, NULL);
    cr_assert_eq(packed.code, 0, "tfmpack: %s", packed.err);
    free_outcome(&packed);
}

void pack_chatting(void) {
    write_text("template.jinja",
               "{% for m in messages %}{{ '<' + m['role'] + '> ' + m['content'] + '\\n' }}{% endfor %}"
               "{% if add_generation_prompt %}{{ '<assistant> ' }}{% endif %}");
    pack(CHATTING, "template.jinja");
}
