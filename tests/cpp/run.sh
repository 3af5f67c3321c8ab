#!/bin/sh
# Builds and runs the tests of the C++ core; an argument names a sanitizer.
set -e
root=$(cd "$(dirname "$0")/../.." && pwd)
build="$root/build/core${1:+-$1}"
cmake -S "$root" -B "$build" -G Ninja -DSWAPNAS_SANITIZE="$1" -DSWAPNAS_TESTS=ON -DSWAPNAS_CUDA=0 \
  >/dev/null
cmake --build "$build"
ctest --test-dir "$build" --output-on-failure -j2
