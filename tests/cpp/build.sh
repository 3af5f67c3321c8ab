#!/bin/sh
# Configures and builds the tests of the C++ core and the emulated GPU: build.sh FOLDER TARGET [SANITIZER].
set -e
root=$(cd "$(dirname "$0")/../.." && pwd)
torch=$("${PYTHON:-python3}" -c \
  'from importlib.util import find_spec; print(find_spec("torch").submodule_search_locations[0])' \
  2>/dev/null) || torch=  # without torch there is no emulated GPU as torch operators
cmake -S "$root" -B "$1" -G Ninja -DSWAPNAS_SANITIZE="$3" -DSWAPNAS_TESTS=ON -DSWAPNAS_CUDA=0 \
  -DSWAPNAS_TORCH_DIR="$torch" >/dev/null
cmake --build "$1" --target "$2"
