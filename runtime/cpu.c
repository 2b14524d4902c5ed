#include "cpu.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

static int has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512cd");
}

int nc_cpu_has(const char *isa)
{
    if (strcmp(isa, "avx512") == 0)
        return has_avx512();
    if (strcmp(isa, "avx2") == 0)
        return has_avx2();
    return strcmp(isa, "sse2") == 0;
}
#else
int nc_cpu_has(const char *isa)
{
    return strcmp(isa, "generic") == 0;
}
#endif

int nc_cpu_choose(const char *const *names, int count)
{
    const char *wish = getenv("NETCC_ISA");
    int chosen = -1;
    for (int i = count - 1; i >= 0; i--) {
        if (nc_cpu_has(names[i]))
            chosen = i;
    }
    for (int i = 0; wish && i < count; i++) {
        if (strcmp(names[i], wish) == 0 && nc_cpu_has(wish))
            return i;
    }
    return chosen;
}
