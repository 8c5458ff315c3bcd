/*
 * options.h - command-line options from one table, which also writes the help and takes settings by name.
 *
 * Names are written with dashes in the table; underscores are taken for dashes. Accepted: --name value, --name=value,
 * -l value, and flags by their letters in one word (-jq), of which the last may take a value; flags take no value;
 * booleans may leave theirs out ("true"). Options and other arguments may be mixed; after "--" nothing is an option.
 */
#ifndef TFM_TOOLS_COMMON_OPTIONS_H
#define TFM_TOOLS_COMMON_OPTIONS_H

#include "cli.h"

typedef enum tfm_option_kind {
    TFM_OPTION_GROUP,  /* no option: name is a heading of the help, help a sentence below it or NULL */
    TFM_OPTION_FLAG,   /* bool: true when given */
    TFM_OPTION_BOOL,   /* bool: true|false */
    TFM_OPTION_U32,    /* uint32_t within [min, max] */
    TFM_OPTION_ID,     /* int32_t: a token, or -1 for none; parse() stores it */
    TFM_OPTION_DOUBLE, /* double within [min, max] */
    TFM_OPTION_CHOICE, /* int: index into choices */
    TFM_OPTION_STRING, /* const char *: points into argv */
    TFM_OPTION_CUSTOM  /* parse() stores it */
} tfm_option_kind;

typedef struct tfm_option {
    tfm_option_kind kind;
    char letter;          /* one-letter form, or 0 */
    const char *name;     /* "num-beams" */
    const char *argument; /* "N" in the help; NULL for flags, choices and booleans */
    const char *help;     /* one or more sentences; wrapped by the help */
    size_t offset;        /* of the value in the settings */
    double min, max;
    const char *const *choices; /* NULL-terminated */
    /* ID and CUSTOM only: settings is the whole structure; what names the option in messages ("--prefix"). */
    tfm_status (*parse)(void *settings, const struct tfm_option *option, const char *what, const char *value,
                        tfm_error *error);
} tfm_option;

/* An option of another program, for those who know it by that name. */
typedef struct tfm_foreign_option {
    const char *name;    /* without dashes before it; _ and - are the same */
    const char *program; /* whose it is */
    const char *ours;    /* the option here, or NULL */
    const char *advice;  /* what to do instead, if ours is NULL */
} tfm_foreign_option;
typedef struct tfm_foreign_options {
    const tfm_foreign_option *options;
    size_t n;
} tfm_foreign_options;

/* Options of one settings structure; a table may go on in another, so that each part stands beside what it is about. */
typedef struct tfm_option_table {
    const tfm_option *options;
    size_t n;
    const struct tfm_option_table *next;
    const tfm_foreign_options *foreign; /* of the first table: what others call options; or NULL */
} tfm_option_table;

/* Options of a table and those after it, counted together: how many, the i-th (NULL past the last), the place of one.
 */
size_t tfm_options_count(const tfm_option_table *table);
const tfm_option *tfm_options_at(const tfm_option_table *table, size_t i);
size_t tfm_options_index(const tfm_option_table *table, const tfm_option *option);

/*
 * Reads argv[1 .. argc - 1]. given[i], if given is not NULL, becomes true for each option i of the table that occurs.
 * What is not an option is moved, in order, to the front: argv[1 .. *n_arguments].
 * Error: TFM_ERROR_ARGUMENT, with a message for the user.
 */
tfm_status tfm_options_parse(const tfm_option_table *table, void *settings, bool *given, int argc, char **argv,
                             size_t *n_arguments, tfm_error *error);

/* The option of a name of n bytes (with or without leading dashes, underscores as dashes), or NULL. */
const tfm_option *tfm_options_find(const tfm_option_table *table, const char *name, size_t n);
/* The name most like the one given, or ours for the one that other programs have, for "did you mean"; or NULL. */
const char *tfm_options_nearest(const tfm_option_table *table, const char *name, size_t n);
/* How many slips lie between two short names: a letter too many, missing, wrong, or two swapped; _ of a is a dash too.
 */
size_t tfm_name_distance(const char *a, size_t na, const char *b, size_t nb);
/* Sets one option. what: how messages call it. value NULL: none was given. */
tfm_status tfm_option_set(const tfm_option *option, void *settings, const char *what, const char *value,
                          tfm_error *error);
/* The option's part of the help: its options by group, wrapped to width columns. The caller frees the text. */
char *tfm_options_help(const tfm_option_table *table, unsigned width);
/* The same for those who set them by name: names without dashes and letters. */
char *tfm_options_list(const tfm_option_table *table, unsigned width);

#endif
