/* cpu.h: which instruction sets this machine runs. */
#ifndef NC_CPU_H
#define NC_CPU_H

/* Of "sse2", "avx2", "avx512" (x86-64 to its levels v3 and v4) or, off x86, "generic". */
int nc_cpu_has(const char *isa);

/* The first of `count` names that this machine runs, -1 where there is none; NETCC_ISA=NAME overrides
 * the choice where it is valid. */
int nc_cpu_choose(const char *const *names, int count);

#endif
