/*
 * search.h - choosing tokens for one input: greedy search, beam search, and sampling.
 *
 * The tokens of all beams form a tree of nodes; a beam is a node, its text the path to the root. Of sampling each
 * output drawn is a beam that goes its own way; greedy search is one output whose tokens are not drawn.
 */
#ifndef TFM_RUNTIME_GENERATE_SEARCH_H
#define TFM_RUNTIME_GENERATE_SEARCH_H

#include "logits_processors.h"
#include "runtime/os/arena.h"
#include "runtime/tfm.h"
#include "sampling.h"

typedef struct tfm_node {
    int32_t token;
    int32_t parent; /* -1 for the first */
    float log_prob;
} tfm_node;

/* A beam, or a candidate for one. */
typedef struct tfm_beam {
    double score; /* sum of log-probabilities */
    float log_prob;
    int32_t token;
    uint32_t parent; /* which row of scores it was chosen from */
    uint32_t output; /* without beams: which of num_return_sequences it is */
    bool ends;       /* without beams: its token is the last */
    bool on_prefix;  /* its output is a beginning of the prefix it is drawn to */
    int32_t node;
    int32_t sequence;
} tfm_beam;

typedef struct tfm_finished {
    double score, sum;
    int32_t node;
    uint32_t output;
    bool ended;
} tfm_finished;

typedef struct tfm_search {
    const tfm_generate_params *params;
    size_t vocab_size, prompt_length, length, max_length;
    size_t output_start; /* tokens before the output; a prefix is a part of it */
    const int32_t *bias; /* (n_bias) the prefix that outputs are drawn to, the caller's */
    size_t n_bias;
    uint32_t width;    /* beams, or outputs drawn */
    uint32_t n_rows;   /* rows of scores the next step needs: 1 after the prompt, then n_beams */
    uint32_t n_beams;  /* width, less the outputs that have ended */
    uint32_t n_next;   /* those that go on */
    bool done, failed; /* failed: fewer candidates than beams (scores are NaN, or the vocabulary is too small) */

    tfm_node *nodes; /* (node_capacity) */
    int32_t n_nodes;
    tfm_beam *beams;        /* (width) */
    tfm_beam *next;         /* (width) chosen by tfm_search_choose */
    tfm_beam *candidates;   /* (width * n_candidates): of each row no more than the vocabulary has */
    tfm_finished *finished; /* (n_kept + 1) */
    uint32_t n_kept;        /* with beams: the most hypotheses that are kept; else width */
    uint32_t n_finished;
    double worst; /* score of the worst finished one */
    /* What tfm_search_score finds, for each beam; rows may be scored at the same time. */
    float *values;     /* (width, n_candidates) the best scores */
    uint32_t *indices; /* (width, n_candidates) their tokens */
    size_t *found;     /* (width) how many there are */
    int32_t *ids;      /* (width, history) scratch: a beam's tokens; see tfm_search_allocate */
    float *scratch;    /* (width, history) */
    size_t history;    /* tokens the processors asked for must see: max_length, or 0 if they see none */
    float *attention;  /* (node_capacity, n_source) or NULL */
    size_t n_top;      /* n_top_log_probs */
    float *row_top_log_probs, *top_log_probs; /* (width, n_top) of rows, (node_capacity, n_top) of nodes */
    int32_t *row_top_ids, *top_ids;
} tfm_search;

/* Lays out a search of at most max_length tokens. max_source: of the attention to be kept, 0 for none. */
void tfm_search_allocate(tfm_search *search, tfm_arena *arena, const tfm_generate_params *params, size_t vocab_size,
                         size_t max_length, size_t max_source);

/* Starts over with a prompt, of which the last n - output_start tokens are a prefix of the output. */
void tfm_search_start(tfm_search *search, const int32_t *prompt, size_t n, size_t output_start, size_t max_length);

/* Right after tfm_search_start: outputs are drawn to a prefix (prefix_bias_beta). */
void tfm_search_draw_to(tfm_search *search, const int32_t *prefix, size_t n);

/*
 * A step is: every row of logits scored (row b < n_rows is beam b's; overwritten), then the next tokens chosen. Rows
 * may be scored on different threads, each with its sampler (NULL if params do not sample); neither touches a session.
 * Without beams next then holds all n_beams outputs, those that end with this token marked, and the caller may mark
 * more. tfm_search_settle moves what ended to finished; the n_next beams that go on stay in next.
 */
void tfm_search_score(tfm_search *search, uint32_t b, float *logits, const tfm_kernels *kernels, tfm_sampler *sampler);
void tfm_search_choose(tfm_search *search);
void tfm_search_settle(tfm_search *search);

/* Unless the search is done, makes next the beams (with the sequences the caller gave them); ends it at max_length. */
void tfm_search_advance(tfm_search *search);

/* Sorts the finished hypotheses: best first, samples by their number. */
void tfm_search_finish(tfm_search *search);

/* Writes the path of n nodes that ends in node to ids and log_probs (either may be NULL), oldest first. */
void tfm_search_path(const tfm_search *search, int32_t node, size_t n, int32_t *ids, float *log_probs);

#endif
