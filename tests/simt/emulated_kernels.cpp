// The kernels' own source, for the emulated GPU.
#include "cuda/kernels.cu"
