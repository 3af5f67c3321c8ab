// Refuses an argument in the torch half.
#pragma once

#include <stdexcept>
#include <string>

namespace swapnas {

inline void check(bool condition, const std::string& message) {
    if (!condition) throw std::invalid_argument("swapnas: " + message);
}

}  // namespace swapnas
