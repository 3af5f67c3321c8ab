// How an insert spreads over the GPU: what a thread takes.
#pragma once

#include <cstdint>

namespace swapnas::cuda {

enum class Form {
    Runs,    // all samples of the neurons of 16 bytes: the fewest instructions, and the fewest
             // threads
    Single,  // all samples of one neuron
    Split,   // some samples of one neuron (split_insert.cuh)
    Lines,   // runs, in rows that begin anywhere (lines_insert.cuh)
};

inline constexpr int64_t kSplitNeurons = 32;  // of a block: a warp reads them in one row
inline constexpr int64_t kMaxSplitWarps = 9;  // of a block

// What decides the form. A trip is the time from a read of memory to its use; trips that follow one
// another are what a launch with few threads waits for.
struct InsertWork {
    int64_t bytes;    // read and written
    int64_t neurons;  // of all groups
    int64_t samples;
    int64_t run;           // neurons of 16 bytes; 0 if they don't all lie at multiples of 16 bytes
    bool rows_in_runs;     // whether every row begins at a multiple of 16 bytes
    int64_t strip;         // runs of a warp as Lines; 0 if it can't
    int64_t parts;         // into which Split divides the samples; 0 if it can't
    int64_t run_of_lines;  // the same if they do lie there
    int64_t rows_of_run;   // kRows
    int64_t rows;          // kRows of one neuron
    int64_t set_trips;     // to insert a pattern
    bool one_by_one;       // whether a thread inserts its patterns one after another
};

// The form with the fewest trips, or the first form that keeps memory as busy. In tests the
// environment variable SWAPNAS_CUDA_FORM (runs, single, split, lines) decides, where the form is
// possible.
Form choose_form(const InsertWork& work);

}  // namespace swapnas::cuda
