#!/bin/sh
# Builds and runs the tests of the C++ core; an argument names a sanitizer.
set -e
root=$(cd "$(dirname "$0")/../.." && pwd)
build="$root/build/core${1:+-$1}"
sh "$root/tests/cpp/build.sh" "$build" all "$1"
ctest --test-dir "$build" --output-on-failure -j2
