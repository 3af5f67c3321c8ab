// The small part of a test framework that the C++ tests need.
#pragma once

#include <cstdio>
#include <cstdlib>

#define CHECK(condition)                                                                 \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            std::fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
            std::exit(1);                                                                \
        }                                                                                \
    } while (false)

#define CHECK_THROWS(expression)                                                                 \
    do {                                                                                         \
        bool threw = false;                                                                      \
        try {                                                                                    \
            expression;                                                                          \
        } catch (const std::exception&) {                                                        \
            threw = true;                                                                        \
        }                                                                                        \
        if (!threw) {                                                                            \
            std::fprintf(stderr, "%s:%d: did not throw: %s\n", __FILE__, __LINE__, #expression); \
            std::exit(1);                                                                        \
        }                                                                                        \
    } while (false)
