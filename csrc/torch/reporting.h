// How an operator's errors reach Python.
#pragma once

#include <exception>
#include <stdexcept>
#include <utility>

namespace swapnas {

// Turns every error of the function into a std::runtime_error: otherwise its Python class would
// depend on torch's version. Python decides which argument to name, and with which error.
template <auto function>
struct Reporting;

template <class Result, class... Arguments, Result (*function)(Arguments...)>
struct Reporting<function> {
    static Result call(Arguments... arguments) {
        try {
            return function(std::move(arguments)...);
        } catch (const std::exception& error) {
            throw std::runtime_error(error.what());
        }
    }
};

}  // namespace swapnas
