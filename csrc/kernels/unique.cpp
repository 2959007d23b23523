// Distinct values: unique and unique_consecutive, of elements or of slices along an axis.
#include <numeric>

#include "bind/casters.h"
#include "kernels/sort.h"

namespace rushlight {

namespace {

using Triple = std::tuple<Array, Array, Array>;

// Which group each place of the input belongs to, how many there are in each, and a place that
// stands for each.
struct Groups {
    std::vector<Index> representatives;
    std::vector<Index> sizes;
    std::vector<Index> group_of;  // by place in the input

    explicit Groups(Index places) : group_of(static_cast<std::size_t>(places)) {}
    void start(Index place) {
        representatives.push_back(place);
        sizes.push_back(0);
    }
    void add(Index place) {
        ++sizes.back();
        group_of[std::size_t(place)] = Index(sizes.size()) - 1;
    }
};

Array from_vector(const std::vector<Index>& values, const Dims& shape) {
    const Array result = Array::empty(shape, DType::I64);
    if (!values.empty()) std::memcpy(result.bytes(), values.data(), values.size() * sizeof(Index));
    return result;
}

// values: the slices of `rows` (places x width) that stand for the groups.
Array representatives_of(const Array& rows, const Groups& groups, Index width) {
    const Array result = Array::empty(Dims{Index(groups.sizes.size()), width}, rows.dtype());
    const std::size_t bytes = std::size_t(width) * rows.itemsize();
    for (std::size_t g = 0; bytes > 0 && g < groups.sizes.size(); ++g) {
        copy_bytes(result.bytes() + g * bytes,
                   rows.bytes() + std::size_t(groups.representatives[g]) * bytes, bytes);
    }
    return result;
}

// NaN differs from everything, itself included.
template <class T>
bool equal(T a, T b) {
    return Compute<T>(a) == Compute<T>(b);
}

template <class F>
void dispatch_comparable(std::string_view what, DType dtype, F&& f) {
    check_as(ErrorKind::NotImplemented, !is_complex(dtype), what, ": not implemented for dtype ",
             name_of(dtype));
    dispatch_ordered(what, dtype, f);
}

// Integers that lie close together are counted, not sorted. Empty: they do not.
template <class T>
std::optional<Triple> unique_in_range(const Array& x, const T* in, bool inverse) {
    const Index count = x.numel();
    if (count == 0) return {};
    const auto [least, most] = std::minmax_element(in, in + count);
    const std::uint64_t range = std::uint64_t(*most) - std::uint64_t(*least);
    if (range >= std::uint64_t(count) * 2 + 256) return {};
    const std::uint64_t first = std::uint64_t(*least);
    std::vector<Index> sizes(range + 1), rank(inverse ? range + 1 : 0);
    for (Index i = 0; i < count; ++i) ++sizes[std::uint64_t(in[i]) - first];
    const Dims shape{Index(sizes.size()) - std::ranges::count(sizes, Index(0))};
    const Array values = Array::empty(shape, x.dtype()), counts = Array::empty(shape, DType::I64);
    Index found = 0;
    for (std::uint64_t at = 0; at <= range; ++at) {
        if (inverse) rank[at] = found;
        if (sizes[at] == 0) continue;
        values.data<T>()[found] = T(first + at);
        counts.data<Index>()[found++] = sizes[at];
    }
    const Array groups = Array::empty(inverse ? x.shape() : Dims{0}, DType::I64);
    if (inverse)
        for (Index i = 0; i < count; ++i)
            groups.data<Index>()[i] = rank[std::uint64_t(in[i]) - first];
    return Triple{values, groups, counts};
}

// (values in rising order, group of each element, sizes of the groups); without `inverse` the
// groups may be missing.
Triple unique(const Array& x, bool inverse) {
    const Array source = contiguous(x);
    const Index count = x.numel();
    check(count < Index(0xffffffff), "unique: ", count, " elements are too many");
    std::optional<Triple> counted;
    Groups groups(count);
    dispatch_comparable("unique", x.dtype(), [&]<class T>() {
        const T* in = source.data<T>();
        if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
            if ((counted = unique_in_range(x, in, inverse))) return;
        const auto entries = std::make_unique_for_overwrite<EntryOf<T>[]>(std::size_t(2 * count));
        fill_entries(entries.get(), in, count, false);
        sort_entries(entries.get(), entries.get() + count, count, count > (1 << 17));
        for (Index i = 0; i < count; ++i) {
            const Index place = entries[i].position();
            if (i == 0 || !equal(in[place], in[entries[i - 1].position()])) groups.start(place);
            groups.add(place);
        }
    });
    if (counted) return *counted;
    const Dims shape{Index(groups.sizes.size())};
    return {representatives_of(source, groups, 1).view(shape),
            from_vector(groups.group_of, x.shape()), from_vector(groups.sizes, shape)};
}

// Runs of equal neighbours in the flattened tensor.
Triple unique_consecutive(const Array& x) {
    const Array source = contiguous(x);
    Groups groups(x.numel());
    dispatch_comparable("unique_consecutive", x.dtype(), [&]<class T>() {
        const T* in = source.data<T>();
        for (Index i = 0; i < x.numel(); ++i) {
            if (i == 0 || !equal(in[i], in[i - 1])) groups.start(i);
            groups.add(i);
        }
    });
    const Dims shape{Index(groups.sizes.size())};
    return {representatives_of(source, groups, 1).view(shape),
            from_vector(groups.group_of, x.shape()), from_vector(groups.sizes, shape)};
}

// -1, 0 or 1 for the first element in which two slices differ; with `only_equal`, 1 for any
// difference, NaN from NaN included.
template <class T>
int compare_rows(const T* a, const T* b, Index width, bool only_equal) {
    for (Index i = 0; i < width; ++i) {
        if (only_equal) {
            if (!equal(a[i], b[i])) return 1;
        } else {
            const KeyOf<T> left = key_of(a[i], KeyOf<T>(0)), right = key_of(b[i], KeyOf<T>(0));
            if (left != right) return left < right ? -1 : 1;
        }
    }
    return 0;
}

Triple unique_slices(std::string_view what, const Array& x, Index dim, bool consecutive) {
    check_as(ErrorKind::Index, x.ndim() > 0, what, ": Dimension specified as ", dim,
             " but tensor has no dimensions");
    const int axis = lane_axis(what, dim, x);
    const Index count = x.size(axis);
    Dims axes{axis};
    for (int d = 0; d < x.ndim(); ++d) {
        if (d != axis) axes.push_back(d);
    }
    const Array rows = contiguous(x.permute(axes));
    Index width = 1;
    for (int d = 1; d < x.ndim(); ++d) width *= rows.size(d);
    check(width > 0 || count == 0, what,
          ": There are 0 sized dimensions, and they aren't selected, so unique cannot be applied; "
          "the input has shape ",
          x.shape());
    Groups groups(count);
    dispatch_comparable(what, x.dtype(), [&]<class T>() {
        const T* in = rows.data<T>();
        std::vector<Index> order(static_cast<std::size_t>(count));
        std::iota(order.begin(), order.end(), 0);
        if (!consecutive) {
            std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
                return compare_rows(in + a * width, in + b * width, width, false) < 0;
            });
        }
        for (Index i = 0; i < count; ++i) {
            const Index place = order[std::size_t(i)];
            const bool first =
                i == 0 || compare_rows(in + place * width, in + order[std::size_t(i) - 1] * width,
                                       width, true);
            if (first) groups.start(place);
            groups.add(place);
        }
    });
    Dims shape = rows.shape();
    shape[0] = Index(groups.sizes.size());
    Dims back;
    for (int d = 1; d < x.ndim(); ++d) back.push_back(d);
    back.insert(axis, 0);
    const Array values = representatives_of(rows, groups, width).view(shape);
    return {contiguous(values.permute(back)), from_vector(groups.group_of, Dims{count}),
            from_vector(groups.sizes, Dims{shape[0]})};
}

Triple unique_dim(const Array& x, Index dim) { return unique_slices("unique", x, dim, false); }
Triple unique_consecutive_dim(const Array& x, Index dim) {
    return unique_slices("unique_consecutive", x, dim, true);
}

}  // namespace

void bind_unique(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("unique", &unique, "x"_a, "inverse"_a = true);
    m.def("unique_consecutive", &unique_consecutive, "x"_a);
    m.def("unique_dim", &unique_dim, "x"_a, "dim"_a);
    m.def("unique_consecutive_dim", &unique_consecutive_dim, "x"_a, "dim"_a);
}

}  // namespace rushlight
