// Mean and variance over axes, in two passes and double precision.
#include "bind/casters.h"
#include "kernels/axis_walk.h"

namespace rushlight {

namespace {

// Sums run in double, complex ones in complex double.
template <class T>
struct MomentType {
    using type = double;
};
template <>
struct MomentType<Complex64> {
    using type = Complex128;
};
template <>
struct MomentType<Complex128> {
    using type = Complex128;
};
template <class T>
using Moment = typename MomentType<T>::type;

inline double squared(double value) { return value * value; }
inline double squared(Complex128 value) { return std::norm(value); }

template <class M, class T>
M moment(T value) {
    return M(Compute<T>(value));
}

// Mean and sum of squared distances from it.
template <class M>
struct Moments {
    M mean{};
    double squares = 0;
};

// Of one row that lies side by side: eight sums in parallel, added in a fixed order.
template <class M, class T>
Moments<M> moments_of_row(const T* in, Index count) {
    constexpr int kSums = 8;
    const auto sum = [&](auto&& term, auto zero) {
        decltype(zero) sums[kSums] = {};
        Index i = 0;
        for (; i + kSums <= count; i += kSums) {
            for (int k = 0; k < kSums; ++k) sums[k] += term(in[i + k]);
        }
        for (int k = 0; i < count; ++i, ++k) sums[k] += term(in[i]);
        for (int half = kSums / 2; half > 0; half /= 2) {
            for (int k = 0; k < half; ++k) sums[k] += sums[k + half];
        }
        return sums[0];
    };
    Moments<M> result;
    result.mean = sum([](T value) { return moment<M>(value); }, M{}) / double(count);
    result.squares = sum([&](T value) { return squared(moment<M>(value) - result.mean); }, 0.0);
    return result;
}

// Of neighbouring lanes with `stride` between the elements of each.
template <class M, class T>
void moments_of_lanes(const T* in, Index count, Index stride, Index lanes, Moments<M>* result) {
    M mean[64] = {};
    double squares[64] = {};
    for (Index l = 0; l < count; ++l) {
        for (Index i = 0; i < lanes; ++i) mean[i] += moment<M>(in[l * stride + i]);
    }
    for (Index i = 0; i < lanes; ++i) mean[i] /= double(count);
    for (Index l = 0; l < count; ++l) {
        for (Index i = 0; i < lanes; ++i)
            squares[i] += squared(moment<M>(in[l * stride + i]) - mean[i]);
    }
    for (Index i = 0; i < lanes; ++i) result[i] = {mean[i], squares[i]};
}

// The moments of two sets together (Chan, Golub, LeVeque 1979).
template <class M>
Moments<M> joined(const Moments<M>& a, double count_a, const Moments<M>& b, double count_b) {
    const M apart = b.mean - a.mean;
    const double count = count_a + count_b;
    return {a.mean + apart * (count_b / count),
            a.squares + b.squares + squared(apart) * (count_a * count_b / count)};
}

// The moments of every lane, (outer, inner); long lanes are cut into pieces.
template <class M, class T>
std::vector<Moments<M>> moments_of(const T* in, const Lanes& at) {
    constexpr Index kBlock = 64;
    const Index width = std::min(at.inner, kBlock);
    const Index blocks = (at.inner + kBlock - 1) / kBlock;
    const Index piece_size = std::min(at.length, std::max<Index>(1, (1 << 16) / width));
    const Index pieces = (at.length + piece_size - 1) / piece_size;
    std::vector<Moments<M>> parts(static_cast<std::size_t>(at.outer * pieces * at.inner));
    const Index work = piece_size * width;
    for_ranges(at.outer * pieces * blocks, grain_for(work), 1.5e-9 * double(work),
               [&](Index begin, Index end) {
                   for (Index task = begin; task < end; ++task) {
                       const Index lane = task % blocks * kBlock, row = task / blocks;
                       const Index start = row % pieces * piece_size;
                       const Index count = std::min(piece_size, at.length - start);
                       const T* from = in + (row / pieces * at.length + start) * at.inner + lane;
                       Moments<M>* part = parts.data() + row * at.inner + lane;
                       if (at.inner == 1) {
                           *part = moments_of_row<M>(from, count);
                       } else {
                           moments_of_lanes<M>(from, count, at.inner,
                                               std::min(kBlock, at.inner - lane), part);
                       }
                   }
               });
    if (pieces == 1) return parts;
    std::vector<Moments<M>> lanes(static_cast<std::size_t>(at.outer * at.inner));
    for (Index o = 0; o < at.outer; ++o) {
        for (Index i = 0; i < at.inner; ++i) {
            Moments<M> all = parts[std::size_t(o * pieces * at.inner + i)];
            for (Index p = 1; p < pieces; ++p) {
                const Index start = p * piece_size;
                all =
                    joined(all, double(start), parts[std::size_t((o * pieces + p) * at.inner + i)],
                           double(std::min(piece_size, at.length - start)));
            }
            lanes[std::size_t(o * at.inner + i)] = all;
        }
    }
    return lanes;
}

// Which axes are reduced: all when none is named.
Dims reduced_flags(std::string_view what, const Array& x, const Dims& dims) {
    const int rank = std::max(x.ndim(), 1);
    Dims reduced(rank, dims.empty() ? 1 : 0);
    for (Index dim : dims) {
        const int axis = normalize_axis(what, dim, rank);
        check(!reduced[axis], what, ": dim ", axis, " appears multiple times in the list of dims");
        reduced[axis] = 1;
    }
    return reduced;
}

// (variance, mean): the squares over max(0, n - correction).
std::pair<Array, Array> var_mean(const Array& x, const Dims& dims, double correction,
                                 bool keepdim) {
    check(is_floating(x.dtype()) || is_complex(x.dtype()),
          "std and var only support floating point and complex dtypes, got ", name_of(x.dtype()));
    const Dims reduced = reduced_flags("var", x, dims);
    // The reduced axes as one lane: where they stand if they are neighbours, else moved to the end.
    Dims kept_first, shape;
    int first = -1, last = -1;
    Index count = 1;
    bool neighbours = true;
    for (int d = 0; d < x.ndim(); ++d) {
        if (reduced[d]) {
            count *= x.size(d);
            neighbours = neighbours && (last < 0 || last == d - 1);
            first = first < 0 ? d : first;
            last = d;
            if (keepdim) shape.push_back(1);
        } else {
            kept_first.push_back(d);
            shape.push_back(x.size(d));
        }
    }
    Lanes at;
    at.length = count;
    for (int d = 0; d < x.ndim(); ++d) {
        if (!reduced[d]) (neighbours && d > last ? at.inner : at.outer) *= x.size(d);
    }
    for (int d = 0; d < x.ndim(); ++d) {
        if (reduced[d]) kept_first.push_back(d);
    }
    const Array variance = Array::empty(shape, real_of(x.dtype()));
    const Array mean = Array::empty(shape, x.dtype());
    if (mean.nothing_to_compute()) return {variance, mean};
    const Array source = contiguous(neighbours ? x : x.permute(kept_first));
    const double freedom = std::max(0.0, double(count) - correction);
    dispatch(x.dtype(), [&]<class T>() {
        if constexpr (!std::is_integral_v<T>) {
            using M = Moment<T>;
            using Real =
                std::conditional_t<std::is_same_v<T, Complex64>, float,
                                   std::conditional_t<std::is_same_v<T, Complex128>, double, T>>;
            std::vector<Moments<M>> lanes;
            if (count > 0) {
                lanes = moments_of<M>(source.data<T>(), at);
            } else {
                lanes.assign(std::size_t(mean.numel()), {M(0.0 / 0.0), 0.0});
            }
            for (std::size_t i = 0; i < lanes.size(); ++i) {
                variance.data<Real>()[i] = convert<Real>(lanes[i].squares / freedom);
                mean.data<T>()[i] = convert<T>(lanes[i].mean);
            }
        }
    });
    return {variance, mean};
}

Array var(const Array& x, const Dims& dims, double correction, bool keepdim) {
    return var_mean(x, dims, correction, keepdim).first;
}

}  // namespace

void bind_variance(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("var", &var, "x"_a, "dims"_a, "correction"_a, "keepdim"_a = false);
    m.def("var_mean", &var_mean, "x"_a, "dims"_a, "correction"_a, "keepdim"_a = false);
}

}  // namespace rushlight
