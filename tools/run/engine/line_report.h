/*
 * line_report.h - how far a run over lines has come, on stderr: while it runs, and a summary at the end.
 */
#ifndef TFM_TOOLS_RUN_ENGINE_LINE_REPORT_H
#define TFM_TOOLS_RUN_ENGINE_LINE_REPORT_H

#include "settings.h"

typedef struct tfm_line_report {
    bool on, terminal, drawn;
    uint64_t n_inputs, n_tokens; /* done */
    uint64_t bytes, total_bytes; /* of the input: done, and all of a regular file; total 0: not known */
    double start, last;
} tfm_line_report;

/* Begins a run over lines of stdin, or (lines being false) over arguments. */
void tfm_line_report_start(tfm_line_report *report, const tfm_settings *settings, bool lines);
/* An input is done, of so many bytes; n_tokens of it or of its output. */
void tfm_line_report_done(tfm_line_report *report, size_t n_bytes, size_t n_tokens);
/* Takes what is shown away, before a message. */
void tfm_line_report_hide(tfm_line_report *report);
/* Ends it, with a summary if all of it took some time. */
void tfm_line_report_end(tfm_line_report *report);

#endif
