// Transformations of tiles for 3x3 convolutions with 16 multiplications for four results instead of
// 36: F(2x2, 3x3) of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016),
// after Winograd. A tile of the image has 4x4 numbers, one of the result 2x2; between the
// transformations lie 16 matrix products, one for each of the 4x4 places. Compiled once per
// instruction set.
#pragma once

#include <cstdint>

#include "runtime/isa.h"

namespace rushlight {

inline constexpr std::int64_t kPlaces = 16;
// So many numbers behind an image, and behind the tiles of a channel, may be read and written.
inline constexpr std::int64_t kTileSlack = 64;

// Images, as rows that lie side by side in memory, to tiles: number (y, x) of tile (ty, tx) is
// image[channel * channel_pitch + (2 ty + y) * row_pitch + 2 tx + x].
struct ImageTiles {
    const float* image;
    std::int64_t channels, channel_pitch, row_pitch;
    std::int64_t rows, cols;  // of tiles
    float* tiles;             // [place][channel][row][col]
    std::int64_t tile_channel, tile_place;  // distances
};

// Results or gradients: [2 rows][2 cols][lanes] numbers, and tiles [place][row][col][lanes].
struct LaneTiles {
    std::int64_t rows, cols, lanes;
    std::int64_t tile_place;
};

struct WinogradTable {
    void (*image)(const ImageTiles& g);
    // Tiles to results. False if one of them is not finite.
    bool (*results)(const LaneTiles& g, const float* tiles, float* results);
    void (*gradients)(const LaneTiles& g, const float* gradients, float* tiles);
    // [channel][3x3][lanes] to [place][channel][lanes] and, for the gradient, back; `pitch` from
    // one place to the next.
    void (*weight)(std::int64_t channels, std::int64_t lanes, std::int64_t pitch,
                   const float* weight, float* places);
    void (*weight_gradient)(std::int64_t channels, std::int64_t lanes, std::int64_t pitch,
                            const float* places, float* weight);
};

RUSHLIGHT_ISA_TABLE(WinogradTable, winograd_table)

}  // namespace rushlight
