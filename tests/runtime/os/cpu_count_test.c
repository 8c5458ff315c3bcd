/* cpu_count_test.c - the number of cores this process may use. */
#include <sched.h>

#include "tests/support/tiny_session.h"

Test(cpu_count, follows_affinity) {
    unsigned before = tfm_cpu_count();
    cpu_set_t all, one;
    cr_assert(sched_getaffinity(0, sizeof all, &all) == 0);
    cr_assert(before >= 1 && before <= (unsigned)CPU_COUNT(&all));
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all)) CPU_SET(i, &one);
    cr_assert(sched_setaffinity(0, sizeof one, &one) == 0);
    cr_assert(tfm_cpu_count() == 1);
}
