#pragma once
// SLIPWAY_CHECK states what the code around it relies on. It aborts: for bugs only, never for input.
#include <cstdio>
#include <cstdlib>

#define SLIPWAY_CHECK(condition, why)                                                                \
  do {                                                                                               \
    if (!(condition)) {                                                                              \
      std::fprintf(stderr, "slipway: bug at %s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, why); \
      std::abort();                                                                                  \
    }                                                                                                \
  } while (false)
