// The kernels' own source, for the emulated GPU.
#include "cuda/agreements_kernels.cu"
#include "cuda/pack_kernels.cu"
#include "cuda/set_kernels.cu"
