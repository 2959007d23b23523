// How a Fourier transform of one length is computed, and the factors that it needs. The loops are
// in fft_loops.h.
#pragma once

#include <memory>
#include <vector>

#include "array/dims.h"
#include "kernels/fft_loops.h"

namespace rushlight {

// Owns what an FftLanes points to.
template <class T>
class LanePlan {
public:
    LanePlan() = default;
    explicit LanePlan(Index n);  // has_lanes(n)
    LanePlan(LanePlan&&) = default;
    LanePlan& operator=(LanePlan&&) = default;
    FftLanes<T> view() const { return {n_, passes_.data(), Index(passes_.size())}; }
    Index bytes() const { return bytes_; }

private:
    Index n_ = 1, bytes_ = 0;
    std::vector<std::vector<T>> tables_;
    std::vector<FftPass<T>> passes_;
};

// Whether all prime factors are small.
bool has_lanes(Index n);

// Short lengths are transformed in lanes, longer ones split in two; lengths with a large prime
// factor as a convolution of a smooth length (Bluestein 1970). `many`: for at least as many rows
// as a vector has lanes.
template <class T>
class FftPlan {
public:
    enum class Kind { Lanes, Split, Convolution };

    FftPlan(Index n, bool many);

    Index n() const { return n_; }
    Kind kind() const { return kind_; }
    Index bytes() const { return bytes_; }
    const LanePlan<T>& lanes() const { return lanes_; }
    FftSplit<T> split() const;
    // Numbers that `run` needs beside the data.
    Index scratch_size() const;
    // How many rows run at the same price as one.
    Index group() const;

    // Transforms of contiguous rows, `stride`s apart in complex numbers; out may be in.
    void run(const T* in, Index in_stride, T* out, Index out_stride, Index rows, bool inverse,
             T scale, T* scratch) const;

    // The same of one row, over the threads; only for Split.
    void run_parallel(const T* in, T* out, bool inverse, T scale) const;

private:
    void make_split(Index rows);
    void make_convolution(bool many);
    Index split_size() const;  // numbers between the halves

    Index n_, bytes_ = 0;
    Kind kind_;
    LanePlan<T> lanes_, columns_;  // of a split: rows, columns
    std::vector<T> near_, far_;
    // of a convolution: exp(-i pi j^2 / n), and the transform of its conjugate
    std::vector<T> chirp_, spectrum_;
    std::unique_ptr<FftPlan> inner_;
};

// Of plans used lately, a few small ones are kept. Called with the GIL held.
template <class T>
std::shared_ptr<const FftPlan<T>> fft_plan(Index n, Index rows);
// Lanes only, whatever the length.
template <class T>
std::shared_ptr<const LanePlan<T>> lane_plan(Index n);
// exp(-2 pi i k / n) for k <= n / 4: what real transforms of even length need.
template <class T>
std::shared_ptr<const std::vector<T>> quarter_roots(Index n);

}  // namespace rushlight
