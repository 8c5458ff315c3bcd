/*
 * cpu_count.c - how many cores this process may use: affinity, and the CPU quota of its cgroups.
 */
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/tfm.h"

/* Cores by affinity; machines with more than 1024 need a larger mask than cpu_set_t. */
static unsigned affinity_count(void) {
    for (int n = 1024; n <= 1 << 16; n *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)n);
        if (!set) break;
        size_t size = CPU_ALLOC_SIZE((size_t)n);
        int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0) return (unsigned)count;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

static unsigned round_up_quota(long long quota, long long period) {
    if (quota <= 0 || period <= 0) return UINT_MAX;
    long long cores = quota / period + (quota % period != 0);
    return cores < UINT_MAX ? (unsigned)cores : UINT_MAX;
}

/* cgroup v2: "max 100000" or "150000 100000" in one file. */
static unsigned quota_v2(const char *directory) {
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/cpu.max", directory);
    FILE *file = fopen(path, "re");
    if (!file) return UINT_MAX;
    long long quota = 0, period = 0;
    int n = fscanf(file, "%lld %lld", &quota, &period);
    fclose(file);
    return n == 2 ? round_up_quota(quota, period) : UINT_MAX;
}

/* cgroup v1: two files. */
static unsigned quota_v1(const char *directory) {
    static const char *const names[2] = {"cpu.cfs_quota_us", "cpu.cfs_period_us"};
    long long values[2];
    for (int i = 0; i < 2; i++) {
        char path[PATH_MAX + 32];
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        FILE *file = fopen(path, "re");
        if (!file) return UINT_MAX;
        int n = fscanf(file, "%lld", &values[i]);
        fclose(file);
        if (n != 1) return UINT_MAX;
    }
    return round_up_quota(values[0], values[1]);
}

/* The smallest quota of a cgroup and all above it, up to the mount point root. */
static unsigned quota_upwards(const char *root, const char *group, unsigned (*quota)(const char *directory)) {
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s%s", root, group) >= sizeof path) return UINT_MAX;
    unsigned smallest = UINT_MAX;
    for (;;) {
        unsigned here = quota(path);
        if (here < smallest) smallest = here;
        char *slash = strrchr(path, '/');
        if (!slash || strlen(path) <= strlen(root)) return smallest;
        *slash = '\0';
    }
}

/* One line of /proc/self/cgroup: "0::/group" (v2) or "4:cpu,cpuacct:/group" (v1). */
static unsigned quota_of_line(char *line) {
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) return UINT_MAX;
    controllers++;
    *group++ = '\0';
    if (!*controllers) return quota_upwards("/sys/fs/cgroup", group, quota_v2);
    char *rest = controllers;
    for (char *name; (name = strsep(&rest, ","));)
        if (!strcmp(name, "cpu")) return quota_upwards("/sys/fs/cgroup/cpu", group, quota_v1);
    return UINT_MAX;
}

unsigned tfm_cpu_count(void) {
    unsigned count = affinity_count();
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file) return count;
    char line[PATH_MAX + 256];
    while (fgets(line, sizeof line, file)) {
        unsigned quota = quota_of_line(line);
        if (quota < count) count = quota;
    }
    fclose(file);
    return count;
}
