/* cpu.c - detection: cpuid and XGETBV on x86, getauxval on AArch64. */
#include "cpu.h"

bool tfm_cpu_has_scalar(void) { return true; }

#if defined(__x86_64__)
#include <cpuid.h>

/* Register state the system saves on a context switch (XCR0). */
enum { STATE_YMM = 0x06, STATE_ZMM = 0xe6 };

static unsigned long long saved_state(void) {
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE)) return 0;
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (unsigned long long)high << 32 | low;
}

bool tfm_cpu_has_avx2(void) {
    unsigned eax, ebx, ecx, edx;
    const unsigned leaf1 = bit_AVX | bit_FMA | bit_F16C;
    if ((saved_state() & STATE_YMM) != STATE_YMM) return false;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || (ecx & leaf1) != leaf1) return false;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & bit_AVX2);
}

/* VPDPBUSD on vectors of 32 bytes in its VEX form. */
bool tfm_cpu_has_avx2_vnni(void) {
    unsigned eax, ebx, ecx, edx;
    return tfm_cpu_has_avx2() && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax >> 4 & 1);
}

/* One bundle: F, BW, VL, DQ, which every AVX-512 server processor since Skylake has. */
bool tfm_cpu_has_avx512(void) {
    unsigned eax, ebx, ecx, edx;
    const unsigned leaf7 = bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ;
    if (!tfm_cpu_has_avx2() || (saved_state() & STATE_ZMM) != STATE_ZMM) return false;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & leaf7) == leaf7;
}

bool tfm_cpu_has_avx512_vnni(void) {
    unsigned eax, ebx, ecx, edx;
    return tfm_cpu_has_avx512() && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ecx & bit_AVX512VNNI);
}

#elif defined(__aarch64__)
#include <sys/auxv.h>

#ifndef HWCAP_ASIMD
#define HWCAP_ASIMD (1 << 1)
#endif
#ifndef HWCAP_ASIMDDP
#define HWCAP_ASIMDDP (1 << 20)
#endif

bool tfm_cpu_has_neon(void) { return (getauxval(AT_HWCAP) & HWCAP_ASIMD) != 0; }

bool tfm_cpu_has_neon_dot(void) { return tfm_cpu_has_neon() && (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }

#endif
