// The transformations of winograd_loops.h.
#include "kernels/winograd_loops.h"

#include <utility>

#include "runtime/vectors.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

constexpr int kWidth = Vector<float, kVectorBytes>::lanes;
constexpr int kHalfBytes = kVectorBytes > 16 ? kVectorBytes / 2 : 16;

// Every other number of two vectors, from the first or the second on.
template <int first, class V, int... i>
[[gnu::always_inline]] inline V every_other(V a, V b, std::integer_sequence<int, i...>) {
    return __builtin_shufflevector(a, b, (2 * i + first)...);
}
template <int Bytes, int first>
[[gnu::always_inline]] inline auto every_other(const float* from) {
    constexpr int W = Vector<float, Bytes>::lanes;
    return every_other<first>(load<float, Bytes>(from), load<float, Bytes>(from + W),
                                     std::make_integer_sequence<int, W>());
}

// Four numbers of the image to the four places of one axis.
template <class V>
[[gnu::always_inline]] inline void to_places(V a, V b, V c, V d, V* to, int step) {
    to[0] = a - c;
    to[step] = b + c;
    to[2 * step] = c - b;
    to[3 * step] = b - d;
}

template <int Bytes>
void image_of_width(const ImageTiles& g) {
    using V = typename Vector<float, Bytes>::type;
    for (Index channel = 0; channel < g.channels; ++channel) {
        for (Index row = 0; row < g.rows; ++row) {
            const float* from = g.image + channel * g.channel_pitch + 2 * row * g.row_pitch;
            float* to = g.tiles + channel * g.tile_channel + row * g.cols;
            for (Index col = 0; col < g.cols; col += Vector<float, Bytes>::lanes) {
                V half[16], places[16];
#pragma GCC unroll 4
                for (int y = 0; y < 4; ++y) {
                    const float* x = from + y * g.row_pitch + 2 * col;
                    to_places(every_other<Bytes, 0>(x), every_other<Bytes, 1>(x),
                              every_other<Bytes, 0>(x + 2), every_other<Bytes, 1>(x + 2),
                              half + 4 * y, 1);
                }
#pragma GCC unroll 4
                for (int x = 0; x < 4; ++x) {
                    to_places(half[x], half[4 + x], half[8 + x], half[12 + x], places + x, 4);
                }
#pragma GCC unroll 16
                for (int p = 0; p < 16; ++p) {
                    store<Bytes>(to + p * g.tile_place + col, places[p]);
                }
            }
        }
    }
}

void image(const ImageTiles& g) {
    if (g.cols <= 4) return image_of_width<16>(g);
    if (g.cols <= kWidth / 2) return image_of_width<kHalfBytes>(g);
    image_of_width<kVectorBytes>(g);
}

// Four places of one axis to two results.
template <class V>
[[gnu::always_inline]] inline void to_results(V a, V b, V c, V d, V* to, int step) {
    to[0] = a + b + c;
    to[step] = b - c - d;
}

template <int Bytes>
bool results_of_width(const LaneTiles& g, const float* tiles, float* results) {
    using V = typename Vector<float, Bytes>::type;
    constexpr Index W = Vector<float, Bytes>::lanes;
    V odd = {};  // stays 0 as long as everything is finite
    for (Index row = 0; row < g.rows; ++row) {
        for (Index col = 0; col < g.cols; ++col) {
            float* to = results + (2 * row * 2 * g.cols + 2 * col) * g.lanes;
            for (Index l = 0; l < g.lanes; l += W, tiles += W) {
                V half[8], out[4];
#pragma GCC unroll 4
                for (int y = 0; y < 4; ++y) {
                    const float* at = tiles + 4 * y * g.tile_place;
                    to_results(load<float, Bytes>(at), load<float, Bytes>(at + g.tile_place),
                               load<float, Bytes>(at + 2 * g.tile_place),
                               load<float, Bytes>(at + 3 * g.tile_place), half + 2 * y, 1);
                }
#pragma GCC unroll 2
                for (int x = 0; x < 2; ++x) {
                    to_results(half[x], half[2 + x], half[4 + x], half[6 + x], out + x, 2);
                }
                const Index below = 2 * g.cols * g.lanes;
                store<Bytes>(to + l, out[0]);
                store<Bytes>(to + l + g.lanes, out[1]);
                store<Bytes>(to + l + below, out[2]);
                store<Bytes>(to + l + below + g.lanes, out[3]);
                for (int i = 0; i < 4; ++i) odd += out[i] - out[i];
            }
        }
    }
    bool finite = true;
    for (int l = 0; l < W; ++l) finite = finite && odd[l] == 0;
    return finite;
}

// Two gradients of one axis to four places.
template <class V>
[[gnu::always_inline]] inline void from_results(V a, V b, V* to, int step) {
    to[0] = a;
    to[step] = a + b;
    to[2 * step] = a - b;
    to[3 * step] = V{} - b;
}

template <int Bytes>
void gradients_of_width(const LaneTiles& g, const float* gradients, float* tiles) {
    using V = typename Vector<float, Bytes>::type;
    constexpr Index W = Vector<float, Bytes>::lanes;
    const Index below = 2 * g.cols * g.lanes;
    for (Index row = 0; row < g.rows; ++row) {
        for (Index col = 0; col < g.cols; ++col) {
            const float* from = gradients + (2 * row * 2 * g.cols + 2 * col) * g.lanes;
            for (Index l = 0; l < g.lanes; l += W, tiles += W) {
                V half[8], places[16];
                from_results(load<float, Bytes>(from + l), load<float, Bytes>(from + l + below), half, 2);
                from_results(load<float, Bytes>(from + l + g.lanes),
                             load<float, Bytes>(from + l + below + g.lanes), half + 1, 2);
#pragma GCC unroll 4
                for (int y = 0; y < 4; ++y) {
                    from_results(half[2 * y], half[2 * y + 1], places + 4 * y, 1);
                }
#pragma GCC unroll 16
                for (int p = 0; p < 16; ++p) store<Bytes>(tiles + p * g.tile_place, places[p]);
            }
        }
    }
}

bool results(const LaneTiles& g, const float* tiles, float* to) {
    return g.lanes % kWidth == 0 ? results_of_width<kVectorBytes>(g, tiles, to)
                                 : results_of_width<16>(g, tiles, to);
}
void gradients(const LaneTiles& g, const float* from, float* tiles) {
    return g.lanes % kWidth == 0 ? gradients_of_width<kVectorBytes>(g, from, tiles)
                                 : gradients_of_width<16>(g, from, tiles);
}

// Three weights of one axis to four places, and the transpose of that.
template <class V>
[[gnu::always_inline]] inline void from_weights(V a, V b, V c, V* to, int step) {
    to[0] = a;
    to[step] = (a + b + c) * 0.5f;
    to[2 * step] = (a - b + c) * 0.5f;
    to[3 * step] = c;
}
template <class V>
[[gnu::always_inline]] inline void to_weights(V a, V b, V c, V d, V* to, int step) {
    to[0] = a + (b + c) * 0.5f;
    to[step] = (b - c) * 0.5f;
    to[2 * step] = (b + c) * 0.5f + d;
}

void weight(Index channels, Index lanes, Index pitch, const float* from, float* places) {
    using V = Vector<float, 16>::type;
    for (Index channel = 0; channel < channels; ++channel) {
        for (Index l = 0; l < lanes; l += 4) {
            const float* w = from + channel * 9 * lanes + l;
            V half[12], all[16];
#pragma GCC unroll 3
            for (int x = 0; x < 3; ++x) {
                from_weights(load<float, 16>(w + x * lanes), load<float, 16>(w + (3 + x) * lanes),
                             load<float, 16>(w + (6 + x) * lanes), half + x, 3);
            }
#pragma GCC unroll 4
            for (int y = 0; y < 4; ++y) {
                from_weights(half[3 * y], half[3 * y + 1], half[3 * y + 2], all + 4 * y, 1);
            }
#pragma GCC unroll 16
            for (int p = 0; p < 16; ++p) {
                store<16>(places + p * pitch + channel * lanes + l, all[p]);
            }
        }
    }
}

void weight_gradient(Index channels, Index lanes, Index pitch, const float* places, float* to) {
    using V = Vector<float, 16>::type;
    for (Index channel = 0; channel < channels; ++channel) {
        for (Index l = 0; l < lanes; l += 4) {
            const auto at = [&](int p) {
                return load<float, 16>(places + p * pitch + channel * lanes + l);
            };
            V half[12], all[9];
#pragma GCC unroll 4
            for (int x = 0; x < 4; ++x) {
                to_weights(at(x), at(4 + x), at(8 + x), at(12 + x), half + x, 4);
            }
#pragma GCC unroll 3
            for (int y = 0; y < 3; ++y) {
                to_weights(half[4 * y], half[4 * y + 1], half[4 * y + 2], half[4 * y + 3],
                           all + 3 * y, 1);
            }
            for (int k = 0; k < 9; ++k) store<16>(to + (channel * 9 + k) * lanes + l, all[k]);
        }
    }
}

constexpr WinogradTable kTable{image, results, gradients, weight, weight_gradient};

}  // namespace

const WinogradTable& winograd_table() { return kTable; }

}  // namespace rushlight::RUSHLIGHT_ISA
