/* line_report.c - see line_report.h. */
#include "line_report.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const double redraw = 0.2, relate = 10, worth_a_summary = 2; /* seconds */

void tfm_line_report_start(tfm_line_report *report, const tfm_settings *settings, bool lines) {
    struct stat facts;
    bool terminal = isatty(STDERR_FILENO);
    bool alone = terminal && !isatty(STDIN_FILENO) && !isatty(STDOUT_FILENO); /* nothing else is on the screen */
    *report = (tfm_line_report){.on = !settings->quiet && (settings->progress || (lines && alone)),
                                .terminal = terminal,
                                .start = tfm_seconds()};
    report->last = report->start;
    if (lines && fstat(STDIN_FILENO, &facts) == 0 && S_ISREG(facts.st_mode)) {
        int64_t at = lseek(STDIN_FILENO, 0, SEEK_CUR);
        if (at >= 0 && facts.st_size > at) report->total_bytes = (uint64_t)(facts.st_size - at);
    }
}

static void print_state(const tfm_line_report *report, double now) {
    char left[32] = "";
    double part = report->total_bytes ? (double)report->bytes / (double)report->total_bytes : 0;
    double seconds = now - report->start;
    if (part > 0 && part <= 1) {
        unsigned rest = (unsigned)(seconds / part - seconds + 0.5);
        snprintf(left, sizeof left, ", %u:%02u left", rest / 60, rest % 60);
    }
    fprintf(stderr, "%llu lines, %.0f tokens/s%s", (unsigned long long)report->n_inputs,
            (double)report->n_tokens / seconds, left);
}

void tfm_line_report_done(tfm_line_report *report, size_t n_bytes, size_t n_tokens) {
    double now = tfm_seconds();
    report->n_inputs++;
    report->n_tokens += n_tokens;
    report->bytes += n_bytes;
    if (!report->on || now - report->last < (report->terminal ? redraw : relate)) return;
    report->last = now;
    tfm_line_report_hide(report);
    print_state(report, now);
    if (!report->terminal) fputc('\n', stderr);
    fflush(stderr);
    report->drawn = report->terminal;
}

void tfm_line_report_hide(tfm_line_report *report) {
    if (report->drawn) fprintf(stderr, "\r%*s\r", (int)tfm_terminal_columns(STDERR_FILENO) - 1, "");
    report->drawn = false;
}

void tfm_line_report_end(tfm_line_report *report) {
    double seconds = tfm_seconds() - report->start;
    tfm_line_report_hide(report);
    if (!report->on || (report->terminal && seconds < worth_a_summary)) return;
    fprintf(stderr, "%llu lines, %llu tokens in %.1f s, %.0f tokens/s\n", (unsigned long long)report->n_inputs,
            (unsigned long long)report->n_tokens, seconds, (double)report->n_tokens / seconds);
}
