// Two models in one C++11 program, at once.
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "small.h"
#include "wide.h"

extern "C" int small_product(const char *x, const char *y, const char *weights, double tolerance);
extern "C" int wide_product(const char *x, const char *y, const char *weights, double tolerance);

int main(int argc, char **argv)
{
    if (argc != 8)
        return 2;
    int small = 0, wide = 0;
    double tolerance = atof(argv[7]);
    std::thread other([&] { small = small_product(argv[1], argv[2], argv[3], tolerance); });
    wide = wide_product(argv[4], argv[5], argv[6], tolerance);
    other.join();
    return small != 0 || wide != 0;
}
