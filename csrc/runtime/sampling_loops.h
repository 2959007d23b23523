// The hot loops of random sampling: the steps of the Mersenne twister and the maps from its words
// to uniforms and normals. Compiled once per instruction set (sampling_loops.isa.cpp).
#pragma once

#include <cstdint>

#include "runtime/isa.h"

namespace rushlight {

struct SamplingLoops {
    // The next 624 words of the twister, in place.
    void (*twist)(std::uint32_t* words);
    // out[i] = the output bits of words[i]
    void (*temper)(const std::uint32_t* words, std::uint32_t* out, std::int64_t n);

    // n uniforms in [from, to), each from 24 bits of one word, or from 53 bits of two.
    void (*uniform_float)(const std::uint32_t* words, float* out, std::int64_t n, float from,
                          float to);
    void (*uniform_double)(const std::uint32_t* words, double* out, std::int64_t n, double from,
                           double to);
    // out[i] = 1 with probability threshold / 2^53, else 0; each from two words.
    void (*bernoulli)(const std::uint32_t* words, std::uint8_t* out, std::int64_t n,
                      std::int64_t threshold);

    // Box-Muller in place over blocks of 16 uniforms in [0, 1): the first 8 give the radii, the
    // last 8 the angles; cosines come out first, then sines.
    void (*normal_float)(float* data, std::int64_t blocks, float mean, float deviation);
};

RUSHLIGHT_ISA_TABLE(SamplingLoops, sampling_loops)

}  // namespace rushlight
