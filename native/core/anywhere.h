// Marks functions that are compiled for GPUs too.
#pragma once

#ifdef __CUDACC__
#define SAMPLED_SOFTMAX_ANYWHERE __host__ __device__
#else
#define SAMPLED_SOFTMAX_ANYWHERE
#endif
