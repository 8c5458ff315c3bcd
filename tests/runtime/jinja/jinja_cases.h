/* jinja_cases.h - templates, conversations and texts that jinja2 made (make_cases.py), and rendering in tests. */
#ifndef TFM_TESTS_RUNTIME_JINJA_JINJA_CASES_H
#define TFM_TESTS_RUNTIME_JINJA_JINJA_CASES_H

#include <jansson.h>

#include "runtime/chat.h"

/* cases.json; ends the test where it cannot be read. */
json_t *cases_load(void);

typedef struct rendered {
    tfm_status status;
    tfm_error error;
    tfm_text text;
} rendered;
void rendered_free(rendered *r);

/* Messages, tokens and variables as cases.json has them; tokens and variables may be NULL. */
rendered render(const char *template, size_t n, const json_t *messages, const json_t *tokens, const json_t *variables,
                const tfm_chat_params *params);
/* Without messages and variables. */
rendered render_text(const char *template);

#endif
