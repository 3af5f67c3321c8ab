// The kernels' own source, for the emulated GPU.
#include "cuda/distinct.cu"
#include "cuda/kernels.cu"
