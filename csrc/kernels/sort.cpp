// Order along an axis: sort, topk, kthvalue, median, mode.
#include "kernels/sort.h"

#include <limits>

#include "bind/casters.h"

namespace rushlight {

namespace {

// --- sorting entries -------------------------------------------------------------------------

constexpr Index kRadixFrom = 256;        // shorter lists are sorted by comparison
constexpr Index kWideDigitsFrom = 8192;  // longer lists take fewer passes with wider digits
constexpr Index kRadixBlock = 1 << 16;  // a list that threads share is cut into blocks of this size

// Least significant digit first. Every pass is stable, so positions stay in order.
template <int digit_bits, class E>
void radix_sort(E* entries, E* spare, Index count) {
    constexpr int kDigits = 1 << digit_bits;
    constexpr int kPasses = (E::kKeyBits + digit_bits - 1) / digit_bits;
    std::vector<std::uint32_t> counts(std::size_t(kPasses) * kDigits, 0);
    for (Index i = 0; i < count; ++i) {
        const auto key = entries[i].key();
        for (int pass = 0; pass < kPasses; ++pass) {
            ++counts[std::size_t(pass * kDigits) +
                     (std::size_t(key >> (pass * digit_bits)) % kDigits)];
        }
    }
    E* from = entries;
    E* to = spare;
    for (int pass = 0; pass < kPasses; ++pass) {
        std::uint32_t* place = counts.data() + pass * kDigits;
        const auto digit_of = [pass](const E& entry) {
            return std::size_t(entry.key() >> (pass * digit_bits)) % kDigits;
        };
        if (Index(place[digit_of(from[0])]) == count) continue;  // the same digit everywhere
        std::uint32_t start = 0;
        for (int digit = 0; digit < kDigits; ++digit) start += std::exchange(place[digit], start);
        for (Index i = 0; i < count; ++i) to[place[digit_of(from[i])]++] = from[i];
        std::swap(from, to);
    }
    if (from != entries) std::copy_n(from, count, entries);
}

// The same for a list that threads share: each block counts its digits, then writes to places of
// its own, so the result does not depend on the threads.
template <class E>
void shared_radix_sort(E* entries, E* spare, Index count) {
    constexpr int kDigitBits = 11, kDigits = 1 << kDigitBits;
    const Index blocks = (count + kRadixBlock - 1) / kRadixBlock;
    std::vector<std::uint32_t> counts(static_cast<std::size_t>(blocks) * kDigits);
    E* from = entries;
    E* to = spare;
    for (int shift = 0; shift < E::kKeyBits; shift += kDigitBits) {
        const auto digit_of = [shift](const E& entry) {
            return std::size_t(entry.key() >> shift) % kDigits;
        };
        std::fill(counts.begin(), counts.end(), 0);
        for_ranges(count, kRadixBlock, 1e-9, [&](Index begin, Index end) {
            std::uint32_t* count_of = counts.data() + begin / kRadixBlock * kDigits;
            for (Index i = begin; i < end; ++i) ++count_of[digit_of(from[i])];
        });
        bool all_equal = false;
        std::uint32_t start = 0;
        for (int digit = 0; digit < kDigits; ++digit) {
            const std::uint32_t before = start;
            for (Index block = 0; block < blocks; ++block) {
                start += std::exchange(counts[std::size_t(block * kDigits + digit)], start);
            }
            all_equal |= Index(start - before) == count;
        }
        if (all_equal) continue;
        for_ranges(count, kRadixBlock, 2e-9, [&](Index begin, Index end) {
            std::uint32_t* place_of = counts.data() + begin / kRadixBlock * kDigits;
            for (Index i = begin; i < end; ++i) to[place_of[digit_of(from[i])]++] = from[i];
        });
        std::swap(from, to);
    }
    if (from != entries) std::copy_n(from, count, entries);
}

template <class E>
void sort_any(E* entries, E* spare, Index count, bool parallel) {
    if (count < kRadixFrom) {
        std::sort(entries, entries + count);
    } else if (count < kWideDigitsFrom) {
        radix_sort<8>(entries, spare, count);
    } else if (parallel) {
        shared_radix_sort(entries, spare, count);
    } else {
        radix_sort<11>(entries, spare, count);
    }
}

// Sorting n entries, in seconds.
double sort_seconds(Index count) { return 2e-8 * double(count) + 5e-8; }

// --- lanes -----------------------------------------------------------------------------------

// Positions share 32 bits with the key.
void check_length(std::string_view what, Index length) {
    check(length < Index(0xffffffff), what, ": an axis of ", length, " elements is too long");
}

struct ValuesAndIndices {
    ValuesAndIndices(const Dims& shape, DType dtype)
        : values(Array::empty(shape, dtype)), indices(Array::empty(shape, DType::I64)) {}
    Array values, indices;
};
using ArrayPair = std::pair<Array, Array>;

// work(entries, spare, row) for every row, with buffers for a row of entries.
template <class T, class Work>
void for_each_row(Index rows, Index length, double seconds_each, Work work) {
    const Index grain = std::max<Index>(1, 4096 / std::max<Index>(1, length));
    for_ranges(rows, grain, seconds_each, [&](Index begin, Index end) {
        const auto buffer = std::make_unique_for_overwrite<EntryOf<T>[]>(std::size_t(2 * length));
        for (Index row = begin; row < end; ++row) work(buffer.get(), buffer.get() + length, row);
    });
}

ArrayPair sort(const Array& x, Index dim, bool descending, bool stable) {
    (void)stable;  // it always is
    const int axis = lane_axis("sort", dim, x);
    check_length("sort", lane_size(x, axis));
    const Array source = rows_along(x, axis);
    const ValuesAndIndices result(source.shape(), x.dtype());
    if (result.values.nothing_to_compute())
        return {unrow(result.values, axis), unrow(result.indices, axis)};
    const Index length = lane_size(x, axis), rows = x.numel() / length;
    dispatch_ordered("sort", x.dtype(), [&]<class T>() {
        const T* from = source.data<T>();
        T* values = result.values.data<T>();
        auto* indices = result.indices.data<Index>();
        const auto sort_row = [&](EntryOf<T>* entries, EntryOf<T>* spare, Index row,
                                  bool parallel) {
            const T* in = from + row * length;
            fill_entries(entries, in, length, descending);
            sort_entries(entries, spare, length, parallel);
            for (Index i = 0; i < length; ++i) {
                const Index position = entries[i].position();
                indices[row * length + i] = position;
                values[row * length + i] = in[position];
            }
        };
        if (rows < 4 && length >= 2 * kRadixBlock) {  // the row itself is shared among threads
            const auto buffer =
                std::make_unique_for_overwrite<EntryOf<T>[]>(std::size_t(2 * length));
            for (Index row = 0; row < rows; ++row) {
                sort_row(buffer.get(), buffer.get() + length, row, true);
            }
        } else {
            for_each_row<T>(rows, length, sort_seconds(length),
                            [&](EntryOf<T>* entries, EntryOf<T>* spare, Index row) {
                                sort_row(entries, spare, row, false);
                            });
        }
    });
    return {unrow(result.values, axis), unrow(result.indices, axis)};
}

// Whether some of `kGroup` values may come before `last`, without branches.
constexpr Index kGroup = 32;
template <class T>
bool some_before(const T* values, T last, bool descending) {
    KeyOf<T> some = 0;  // as wide as a value, so that most types become vectors
    if (descending)
        for (Index i = 0; i < kGroup; ++i) some |= values[i] <= last ? 0u : 1u;
    else
        for (Index i = 0; i < kGroup; ++i) some |= values[i] >= last ? 0u : 1u;
    return some;
}

constexpr auto by_key = [](const auto& a, const auto& b) { return a.key() < b.key(); };

// The k first entries of a row by the algorithms that PyTorch's topk runs. They look at values
// alone, so of equal ones the same are taken, in the same order.
template <class T>
void first_of_equals(EntryOf<T>* entries, const T* values, Index length, Index k, bool descending,
                     bool sorted) {
    fill_entries(entries, values, length, descending);
    if (k * 64 <= length) {
        std::partial_sort(entries, entries + k, entries + length, by_key);
        return;
    }
    std::nth_element(entries, entries + (k - 1), entries + length, by_key);
    if (sorted) std::sort(entries, entries + (k - 1), by_key);
}

// Whether the k first entries, in order, are those of any algorithm: no two are equal, and none
// left out is equal to the last.
template <class T>
bool are_distinct(const EntryOf<T>* entries, Index k, const T* values, Index length) {
    for (Index i = 1; i < k; ++i) {
        if (entries[i].key() == entries[i - 1].key()) return false;
    }
    using Number = std::conditional_t<is_half_type<T>, float, T>;
    const auto last = Number(values[entries[k - 1].position()]);
    std::uint32_t equal = 0;  // none, if it is nan
    for (Index i = 0; i < length; ++i) equal += Number(values[i]) == last ? 1u : 0u;
    return equal == 1;
}

// The k first entries of a row at the front of `entries`, in order if `sorted`; `entries` has room
// for max(length, 2 k).
template <class T>
void first_entries(EntryOf<T>* entries, const T* values, Index length, Index k, bool descending,
                   bool sorted) {
    using E = EntryOf<T>;
    // Whole numbers and halves are likely to have equal ones.
    if (k * 64 > length || length < 2048 || !std::is_floating_point_v<T>) {
        first_of_equals(entries, values, length, k, descending, sorted);
        return;
    }
    // Keep candidates below a bound; whenever 2 k of them have gathered, halve them.
    const KeyOf<T> flip = descending ? ~KeyOf<T>(0) : KeyOf<T>(0);
    Index held = 0;
    E bound{};
    T last{};  // the value of the bound
    bool bounded = false;
    for (Index begin = 0; begin < length; begin += kGroup) {
        if constexpr (std::is_floating_point_v<T>)
            if (bounded && begin + kGroup <= length &&
                !some_before(values + begin, last, descending))
                continue;
        const Index end = std::min(length, begin + kGroup);
        for (Index i = begin; i < end; ++i) {
            const E entry = E::make(key_of(values[i], flip), i);
            if (bounded && !(entry < bound)) continue;
            entries[held++] = entry;
            if (held < 2 * k) continue;
            std::nth_element(entries, entries + (k - 1), entries + held);
            bound = entries[k - 1];
            last = values[bound.position()];
            bounded = true;
            held = k;
        }
    }
    std::nth_element(entries, entries + (k - 1), entries + held);
    std::sort(entries, entries + k);
    if (!are_distinct(entries, k, values, length)) {
        first_of_equals(entries, values, length, k, descending, sorted);
    }
}

ArrayPair topk(const Array& x, Index k, Index dim, bool largest, bool sorted) {
    const int axis = lane_axis("topk", dim, x);
    const Index length = lane_size(x, axis);
    check(k >= 0 && k <= length, "topk: selected index k out of range: k = ", k,
          " for an axis of size ", length);
    check(x.dtype() != DType::Bool, "topk: bool is not supported");
    check_length("topk", length);
    Dims shape = x.shape();
    if (x.ndim()) {
        shape.erase(axis);
        shape.push_back(k);
    } else if (k == 0) {
        return {clone(x), Array::zeros(shape, DType::I64)};
    }
    const ValuesAndIndices result(shape, x.dtype());
    if (result.values.nothing_to_compute()) {
        return {unrow(result.values, axis), unrow(result.indices, axis)};
    }
    const Array source = rows_along(x, axis);
    const Index rows = x.numel() / length;
    dispatch_ordered("topk", x.dtype(), [&]<class T>() {
        const T* from = source.data<T>();
        T* values = result.values.data<T>();
        auto* indices = result.indices.data<Index>();
        for_each_row<T>(rows, length, 4e-9 * double(length) + sort_seconds(k),
                        [&](EntryOf<T>* entries, EntryOf<T>*, Index row) {
                            const T* in = from + row * length;
                            first_entries(entries, in, length, k, largest, sorted);
                            for (Index i = 0; i < k; ++i) {
                                const Index position = entries[i].position();
                                indices[row * k + i] = position;
                                values[row * k + i] = in[position];
                            }
                        });
    });
    return {unrow(result.values, axis), unrow(result.indices, axis)};
}

// --- one element of each lane ------------------------------------------------------------------

// pick(entries, in) -> the position of the element that stands for the row.
template <class Pick>
ArrayPair pick_of_rows(std::string_view what, const Array& x, int axis, bool keepdim, Pick pick) {
    const Index length = lane_size(x, axis);
    const Dims shape = reduced_shape(x.shape(), axis, keepdim);
    const ValuesAndIndices result(shape, x.dtype());
    if (x.numel() == 0) {
        check_as(ErrorKind::Index, length > 0, what, "(): Expected reduction dim ", axis,
                 " to have non-zero size.");
        return {result.values, result.indices};
    }
    check_length(what, length);
    if (result.values.is_meta()) return {result.values, result.indices};
    const Array source = rows_along(x, axis);
    dispatch_ordered(what, x.dtype(), [&]<class T>() {
        const T* from = source.data<T>();
        T* values = result.values.data<T>();
        auto* indices = result.indices.data<Index>();
        for_each_row<T>(x.numel() / length, length, 1e-8 * double(length),
                        [&](EntryOf<T>* entries, EntryOf<T>* spare, Index row) {
                            const T* in = from + row * length;
                            const Index position = pick(entries, spare, in);
                            indices[row] = position;
                            values[row] = in[position];
                        });
    });
    return {result.values, result.indices};
}

void check_selectable(std::string_view what, const Array& x) {
    check_as(ErrorKind::NotImplemented, x.dtype() != DType::Bool && !is_complex(x.dtype()), what,
             ": not implemented for dtype ", name_of(x.dtype()));
}

// Position of the entry that has rank `rank` (from 0) among the row's.
template <class E>
Index position_of_rank(E* entries, Index length, Index rank) {
    std::nth_element(entries, entries + rank, entries + length);
    return entries[rank].position();
}

ArrayPair kthvalue(const Array& x, Index k, Index dim, bool keepdim) {
    const int axis = lane_axis("kthvalue", dim, x);
    const Index length = lane_size(x, axis);
    check_selectable("kthvalue", x);
    check_as(ErrorKind::Index, length > 0, "kthvalue(): Expected reduction dim ", axis,
             " to have non-zero size.");
    check(k >= 1 && k <= length, "kthvalue(): selected number k out of range for dimension ", axis,
          ": k = ", k, " for an axis of size ", length);
    return pick_of_rows("kthvalue", x, axis, keepdim,
                        [=]<class T, class E>(E* entries, E*, const T* in) {
                            fill_entries(entries, in, length, false);
                            return position_of_rank(entries, length, k - 1);
                        });
}

// The lower median; a NaN is the median of its row, unless NaNs are left out.
ArrayPair median_of_rows(std::string_view what, const Array& x, int axis, bool keepdim,
                         bool skip_nan) {
    const Index length = lane_size(x, axis);
    return pick_of_rows(what, x, axis, keepdim, [=]<class T, class E>(E* entries, E*, const T* in) {
        Index nans = 0, first_nan = -1;
        for (Index i = 0; i < length; ++i) {
            if (!is_nan(in[i])) continue;
            if (nans++ == 0) first_nan = i;
        }
        if (nans == length || (nans > 0 && !skip_nan)) return first_nan;
        fill_entries(entries, in, length, false);
        return position_of_rank(entries, length, (length - nans - 1) / 2);
    });
}

ArrayPair median_with_index(const Array& x, Index dim, bool keepdim, bool skip_nan) {
    check_selectable("median", x);
    return median_of_rows("median", x, lane_axis("median", dim, x), keepdim, skip_nan);
}

// Over all elements; of none, NaN (or the least integer).
Array median(const Array& x, bool skip_nan) {
    check_selectable("median", x);
    if (x.numel() == 0) {
        const Array result = Array::empty(Dims{}, x.dtype());
        dispatch(x.dtype(), [&]<class T>() {
            *result.data<T>() = convert<T>(std::numeric_limits<double>::quiet_NaN());
            if constexpr (std::is_integral_v<T>) {
                *result.data<T>() = std::numeric_limits<T>::lowest();
            }
        });
        return result;
    }
    return median_of_rows("median", x.reshape(Dims{x.numel()}), 0, false, skip_nan).first;
}

// The most frequent value, the least of several, and its last position.
ArrayPair mode(const Array& x, Index dim, bool keepdim) {
    const int axis = lane_axis("mode", dim, x);
    check_as(ErrorKind::NotImplemented, !is_complex(x.dtype()), "mode: not implemented for dtype ",
             name_of(x.dtype()));
    const Index length = lane_size(x, axis);
    return pick_of_rows(
        "mode", x, axis, keepdim, [=]<class T, class E>(E* entries, E* spare, const T* in) {
            fill_entries(entries, in, length, false);
            sort_entries(entries, spare, length, false);
            Index best = 0, best_run = 0, run = 0;
            for (Index i = 0; i < length; ++i) {
                run = i > 0 && entries[i].key() == entries[i - 1].key() ? run + 1 : 1;
                if (run <= best_run) continue;
                best_run = run;
                best = entries[i].position();
            }
            return best;
        });
}

}  // namespace

void sort_entries(Entry<std::uint32_t>* entries, Entry<std::uint32_t>* spare, Index count,
                  bool parallel) {
    sort_any(entries, spare, count, parallel);
}

void sort_entries(Entry<std::uint64_t>* entries, Entry<std::uint64_t>* spare, Index count,
                  bool parallel) {
    sort_any(entries, spare, count, parallel);
}

Array rows_along(const Array& x, int axis) {
    if (x.ndim() == 0 || axis == x.ndim() - 1) return contiguous(x);
    Dims axes;
    for (int d = 0; d < x.ndim(); ++d) {
        if (d != axis) axes.push_back(d);
    }
    axes.push_back(axis);
    return contiguous(x.permute(axes));
}

Array unrow(const Array& rows, int axis) {
    const int last = rows.ndim() - 1;
    if (last < 0 || axis == last) return rows;
    Dims axes;
    for (int d = 0; d < last; ++d) axes.push_back(d);
    axes.insert(axis, last);
    return contiguous(rows.permute(axes));
}

void bind_sort(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("sort", &sort, "x"_a, "dim"_a = -1, "descending"_a = false, "stable"_a = false);
    m.def("topk", &topk, "x"_a, "k"_a, "dim"_a = -1, "largest"_a = true, "sorted"_a = true);
    m.def("kthvalue", &kthvalue, "x"_a, "k"_a, "dim"_a = -1, "keepdim"_a = false);
    m.def("median", &median, "x"_a, "skip_nan"_a = false);
    m.def("median_with_index", &median_with_index, "x"_a, "dim"_a = -1, "keepdim"_a = false,
          "skip_nan"_a = false);
    m.def("mode", &mode, "x"_a, "dim"_a = -1, "keepdim"_a = false);
}

}  // namespace rushlight
