#include "cuda/insert_form.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "cuda/device.h"

namespace swapnas::cuda {
namespace {

// Of a multiprocessor.
constexpr int64_t kResidentRuns = 768;      // threads, as the launch bounds of the kernels ask for
constexpr int64_t kResidentSingles = 1024;  // threads, of binary keys; others have fewer
constexpr int64_t kResidentSplits = 1152;   // threads
// What keeps memory busy (Little's law): 4.3 TB/s for the 1 us of a trip, over 132 multiprocessors.
constexpr int64_t kBytesOfTrip = 32 * 1024;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

bool possible(const InsertWork& work, Form form) {
    if (form == Form::Runs) return work.run > 0;
    if (form == Form::Lines) return work.strip > 0;
    return form == Form::Single || work.parts > 0;
}

// Percent of the time that rows take which begin at multiples of 16 bytes: elsewhere, accesses of a
// warp share sectors of memory, except as Lines.
int64_t percent(const InsertWork& work, Form form) {
    if (form == Form::Lines) return 103 + 25 / work.strip;
    return work.rows_in_runs ? 100 : 200;
}

// Trips that follow one another.
int64_t trips(const InsertWork& work, Form form) {
    const int64_t busy = multiprocessors();
    if (form == Form::Runs) {
        const int64_t waves = ceil_div(work.neurons / work.run, busy * kResidentRuns);
        const int64_t inserts = work.one_by_one ? work.run : 1;
        return waves * (ceil_div(work.samples, work.rows_of_run) + inserts * work.set_trips);
    }
    const int64_t rounds = ceil_div(work.samples, work.rows);
    if (form == Form::Lines) {
        const int64_t rounds_of_run = ceil_div(work.samples, work.rows_of_run);
        const int64_t strips = ceil_div(work.neurons, work.run_of_lines * work.strip);
        const int64_t inserts = work.one_by_one ? work.run_of_lines : 1;
        const int64_t of_strip =
            (work.strip + 1) * rounds_of_run + work.strip * inserts * work.set_trips;
        return ceil_div(strips, busy * kResidentRuns) * of_strip;
    }
    if (form == Form::Single)
        return ceil_div(work.neurons, busy * kResidentSingles) * (rounds + work.set_trips);
    const int64_t warps = std::min(work.parts, kMaxSplitWarps);
    const int64_t blocks = busy * (kResidentSplits / (kSplitNeurons * warps));
    return ceil_div(ceil_div(work.neurons, kSplitNeurons), blocks) *
           (ceil_div(work.parts, warps) + work.set_trips);
}

}  // namespace

Form choose_form(const InsertWork& work) {
    constexpr struct {
        Form form;
        const char* name;
    } kForms[] = {{Form::Runs, "runs"},
                  {Form::Single, "single"},
                  {Form::Split, "split"},
                  {Form::Lines, "lines"}};
    if (const char* wanted = std::getenv("SWAPNAS_CUDA_FORM"); wanted != nullptr && *wanted) {
        const auto* found = std::ranges::find(
            kForms, std::string(wanted), [](const auto& one) { return std::string(one.name); });
        if (found == std::end(kForms))
            throw std::invalid_argument("swapnas: SWAPNAS_CUDA_FORM is " + std::string(wanted) +
                                        ", expected runs, single, split or lines");
        if (possible(work, found->form)) return found->form;
    }
    const int64_t floor = ceil_div(work.bytes, multiprocessors() * kBytesOfTrip);
    Form best = Form::Single;
    int64_t fewest = -1;
    for (const auto& [form, name] : kForms) {
        if (!possible(work, form)) continue;
        const int64_t needed = std::max(trips(work, form), floor * percent(work, form) / 100);
        if (fewest >= 0 && needed >= fewest) continue;
        best = form;
        fewest = needed;
    }
    return best;
}

}  // namespace swapnas::cuda
