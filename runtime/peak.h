/* peak.h: loops that find a machine's limits, compiled once per instruction set from peak.c. */
#ifndef NC_PEAK_H
#define NC_PEAK_H

struct nc_peak {
    const char *name; /* of the instruction set */
    /* `rounds` rounds of independent fused multiply-adds; how many operations a round is. */
    void (*multiply)(float *sink, long rounds);
    double round_flops;
    /* Reads `count` floats, a multiple of 256. */
    void (*read)(float *sink, const float *data, long count);
};

#if defined(__x86_64__)
extern const struct nc_peak nc_peak_sse2, nc_peak_avx2, nc_peak_avx512;
#else
extern const struct nc_peak nc_peak_generic;
#endif

#endif
