// Answers about whole arrays: whether two are equal, which elements of one are in another.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "bind/casters.h"
#include "elementwise/pending.h"
#include "elementwise/shapes.h"
#include "kernels/axis_walk.h"

namespace rushlight {

namespace {

constexpr Index kBlock = 1024;  // elements that a loop of known length takes at once

// --- equal ---------------------------------------------------------------------------------------

template <class T>
bool same_values(const T* __restrict a, const T* __restrict b, Index n) {
    Index i = 0;
    for (; i + kBlock <= n; i += kBlock) {
        std::uint32_t differ = 0;
        for (Index k = 0; k < kBlock; ++k) differ |= a[i + k] != b[i + k];
        if (differ) return false;
    }
    return std::equal(a + i, a + n, b + i);
}

bool equal(const Array& a, const Array& b) {
    if (!(a.shape() == b.shape())) return false;
    const DType dtype = a.dtype();
    if (dtype != b.dtype() || is_half(dtype) || !a.is_contiguous() || !b.is_contiguous()) {
        static const int eq = row_named("eq");
        const Operand operands[2] = {{a, Scalar()}, {b, Scalar()}};
        const Array same = pointwise(eq, operands);
        return value_of(reduce(Reduction::Min, same, all_axes(same.ndim()), false, false,
                               DType::Bool)).to<bool>();
    }
    const Index n = a.numel();
    bool same = false;
    dispatch(dtype, [&]<class T>() {
        if constexpr (is_complex_type<T>) {
            using Part = typename T::value_type;
            same = same_values(a.data<Part>(), b.data<Part>(), 2 * n);
        } else if constexpr (!is_half_type<T>) {
            same = same_values(a.data<T>(), b.data<T>(), n);
        }
    });
    return same;
}

// --- isin ----------------------------------------------------------------------------------------

constexpr Index kFew = 12;  // members up to which each is compared with all elements

// found[i] = whether x[i] is one of the members.
template <class T>
void among_few(const T* x, const T* member, Index members, bool* found, Index n) {
    T values[kBlock] = {};
    std::uint8_t flags[kBlock];
    for (Index at = 0; at < n; at += kBlock) {
        const Index size = std::min(kBlock, n - at);
        std::copy_n(x + at, size, values);
        std::fill_n(flags, kBlock, std::uint8_t(0));
        for (Index m = 0; m < members; ++m) {
            const auto one = Compute<T>(member[m]);
            for (Index k = 0; k < kBlock; ++k)
                flags[k] = std::uint8_t(flags[k] | std::uint8_t(Compute<T>(values[k]) == one));
        }
        std::memcpy(found + at, flags, std::size_t(size));
    }
}

// A flag for each integer from the least member to the greatest; none where these lie far apart.
template <class T>
std::vector<bool> flags_of(const T* sorted, Index members, Index n) {
    const auto first = std::uint64_t(sorted[0]);
    const std::uint64_t range = std::uint64_t(sorted[members - 1]) - first;
    if (range >= std::uint64_t(8 * (n + members))) return {};
    std::vector<bool> flags(range + 1);
    for (Index m = 0; m < members; ++m) flags[std::uint64_t(sorted[m]) - first] = true;
    return flags;
}

// Whether each element is among `sorted`, which rises and has nan last. nan is nowhere.
Array isin(const Array& elements, const Array& sorted) {
    const Array x = contiguous(elements), known = contiguous(sorted);
    const Index n = x.numel(), members = known.numel();
    if (x.is_meta()) return Array::meta(x.shape(), DType::Bool);
    const Array result = Array::empty(x.shape(), DType::Bool);
    bool* found = result.data<bool>();
    if (members == 0) {
        std::fill_n(found, n, false);
        return result;
    }
    check_as(ErrorKind::NotImplemented, !is_complex(x.dtype()),
             "isin: not implemented for dtype ", name_of(x.dtype()));
    dispatch(x.dtype(), [&]<class T>() {
        if constexpr (!is_complex_type<T>) {
            const T* in = x.data<T>();
            const T* member = known.data<T>();
            const auto each = [&](double seconds, auto&& is_member) {
                for_ranges(n, 8192, seconds, [&](Index begin, Index end) {
                    for (Index i = begin; i < end; ++i) found[i] = is_member(in[i]);
                });
            };
            if (members <= kFew) {
                for_ranges(n, 8 * kBlock, 3e-10 * double(members), [&](Index begin, Index end) {
                    among_few(in + begin, member, members, found + begin, end - begin);
                });
                return;
            }
            if constexpr (std::is_integral_v<T>) {
                if (const auto flags = flags_of(member, members, n); !flags.empty()) {
                    each(1e-9, [&](T value) {
                        const std::uint64_t at = std::uint64_t(value) - std::uint64_t(member[0]);
                        return at < flags.size() && flags[at];
                    });
                    return;
                }
            }
            each(4e-9 * std::log2(double(members)), [&](T value) {
                const T* place = member;  // the last one that is not above the value
                for (Index rest = members; rest > 1; rest -= rest / 2)
                    place += Compute<T>(place[rest / 2]) <= Compute<T>(value) ? rest / 2 : 0;
                return Compute<T>(*place) == Compute<T>(value);
            });
        }
    });
    return result;
}

}  // namespace

void bind_compare(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("equal", &equal, "input"_a, "other"_a);
    m.def("isin", &isin, "elements"_a, "sorted"_a);
}

}  // namespace rushlight
