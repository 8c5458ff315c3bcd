/*
 * search.h - choosing tokens for one input: greedy search and beam search.
 *
 * The tokens of all beams form a tree of nodes; a beam is a node, its text the path to the root.
 */
#ifndef TFM_SEARCH_H
#define TFM_SEARCH_H

#include "logits_processors.h"
#include "tfm.h"

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
    uint32_t parent; /* which beam it continues */
    int32_t node;
    int32_t sequence;
} tfm_beam;

typedef struct tfm_finished {
    double score, sum;
    int32_t node;
    bool ended;
} tfm_finished;

typedef struct tfm_search {
    const tfm_generate_params *params;
    size_t vocab_size, prompt_length, length, max_length;
    uint32_t n_rows;   /* rows of scores the next step needs: 1 after the prompt, then num_beams */
    bool done, failed; /* failed: fewer candidates than beams (scores are NaN, or the vocabulary is too small) */

    tfm_node *nodes; /* (node_capacity) */
    int32_t n_nodes;
    tfm_beam *beams;        /* (num_beams) */
    tfm_beam *next;         /* (num_beams) chosen by tfm_search_choose */
    tfm_beam *candidates;   /* (num_beams * n_candidates) */
    tfm_finished *finished; /* (num_beams + 1) */
    uint32_t n_finished;
    double worst; /* score of the worst finished one */
    /* What tfm_search_score finds, for each beam's row; rows may be scored at the same time. */
    float *values;     /* (num_beams, n_candidates) the best scores */
    uint32_t *indices; /* (num_beams, n_candidates) their tokens */
    size_t *found;     /* (num_beams) how many there are */
    int32_t *ids;      /* (num_beams, history) scratch: a beam's tokens; see tfm_search_history */
    float *scratch;    /* (num_beams, history) */
    size_t history;    /* tfm_search_history */
    float *attention;  /* (node_capacity, n_source) or NULL */
} tfm_search;

/* Candidates looked at in each step. */
size_t tfm_search_candidates(const tfm_generate_params *params);
/* Tokens of each beam that the processors asked for must see: max_length, or 0 if they see none. */
size_t tfm_search_history(const tfm_generate_params *params, size_t max_length);
/* Nodes a search of max_length tokens can make. */
size_t tfm_search_nodes(const tfm_generate_params *params, size_t max_length);

/* Starts over with a prompt; the buffers are the caller's and stay. */
void tfm_search_start(tfm_search *search, const int32_t *prompt, size_t n, size_t max_length);

/*
 * A step is: every row of logits scored (row b < n_rows is beam b's; overwritten), then the next tokens chosen. Rows
 * may be scored on different threads; neither touches a session. Ended hypotheses go to finished, the beams that go on
 * to next.
 */
void tfm_search_score(tfm_search *search, uint32_t b, float *logits, const tfm_kernels *kernels);
void tfm_search_choose(tfm_search *search);

/* Unless the search is done, makes next the beams (with the sequences the caller gave them); ends it at max_length. */
void tfm_search_advance(tfm_search *search);

/* Turns what is left into finished hypotheses and sorts all, best first. */
void tfm_search_finish(tfm_search *search);

/* Writes the path of n nodes that ends in node to ids and log_probs (either may be NULL), oldest first. */
void tfm_search_path(const tfm_search *search, int32_t node, size_t n, int32_t *ids, float *log_probs);

#endif
