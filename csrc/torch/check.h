// Refuses an argument in the torch half.
#pragma once

#include <sstream>
#include <stdexcept>

namespace swapnas {

// Throws std::invalid_argument with the parts of the message, one after another. They are joined
// only then: an operator on a small tensor takes less time than a few strings.
template <class... Parts>
void check(bool condition, const Parts&... parts) {
    if (condition) [[likely]]
        return;
    std::ostringstream message;
    (message << "swapnas: " << ... << parts);
    throw std::invalid_argument(message.str());
}

}  // namespace swapnas
