// What Python needs beside the operators swapnas_simt::*.
#include "cuda/kernels.h"
#include "emulator.h"

extern "C" {

int64_t simt_table_words(int64_t samples, bool ternary, int64_t patterns) {
    return swapnas::cuda::table_words({samples, ternary}, patterns);
}

void simt_settings(uint64_t seed, int multiprocessors) {
    simt::settings() = {.seed = seed, .multiprocessors = multiprocessors};
}
}
