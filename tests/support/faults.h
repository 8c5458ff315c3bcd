/*
 * faults.h - memory and system calls that fail when a test wants it: every one in turn, and each time a clean status
 * and no leak.
 *
 * Whoever compiles faults.c (test_faults of meson.build) links with test_faults_wraps, by which the linker leads the
 * calls of all code that is linked statically here. What happens inside shared libraries is neither counted nor failed.
 */
#ifndef TFM_TESTS_SUPPORT_FAULTS_H
#define TFM_TESTS_SUPPORT_FAULTS_H

#include <stdbool.h>

#include "format/tfm_error.h"

/* ---- memory ---- */

/* Allocations asked for since the program began; anonymous mappings are such too. */
long allocations_made(void);
/* Blocks that are allocated and not yet freed; mappings not counted. */
long allocations_alive(void);

/* Allocation number k from now on (0: the next) fails, and with `lasting` all that follow it, until faults_end. */
void faults_begin(long k, bool lasting);
void faults_end(void);

/*
 * Runs job again and again, each time with another of its allocations failing: that one alone, and then all from it on.
 * As long as there is such an allocation the job must end with TFM_ERROR_MEMORY and a message about memory, and
 * otherwise with TFM_OK; afterwards nothing that it allocated may be left. Returns how many allocations there are.
 */
long fail_each_allocation(tfm_status (*job)(void *arg, tfm_error *error), void *arg);

/* ---- the system ---- */

/* What system calls do. The errnos: the call fails with it; 0: it is made. */
typedef struct system_faults {
    int pread, pwrite, mmap, fsync, linkat, renameat;
    int fsync_number;      /* which fsync from now on fails, from 1 */
    bool no_unnamed_files; /* a file system without O_TMPFILE */
    bool trickle;          /* reads and writes come byte by byte, with interruptions */
} system_faults;

/* From now on; {0} for none. mmap is that of files. */
void system_faults_set(system_faults faults);

#endif
