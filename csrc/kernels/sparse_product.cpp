// Sparse matrices: the order of their entries, and products with them. Entries come as rows that
// are compressed: row r has the entries start[r] up to start[r + 1].
#include <algorithm>
#include <numeric>
#include <vector>

#include "bind/casters.h"
#include "kernels/axis_walk.h"
#include "kernels/embedding_bag_loops.h"

namespace rushlight {
namespace {

// So many entries are added up by themselves; the sums of such runs are added in double precision.
constexpr Index kRun = 64;
constexpr double kSecondsPerElement = 0.2e-9, kSecondsPerEntry = 10e-9;

// ---- order

constexpr int kDigit = 11;  // bits that one pass of the sort looks at
constexpr Index kBuckets = Index(1) << kDigit;

struct Entry {
    std::uint64_t key;
    Index place;
};

// Sorts by key, entries of one key in the order in which they came.
void sort_entries(std::vector<Entry>& entries, std::uint64_t largest) {
    if (entries.size() < 512) {
        std::stable_sort(entries.begin(), entries.end(),
                         [](const Entry& a, const Entry& b) { return a.key < b.key; });
        return;
    }
    std::vector<Entry> other(entries.size());
    std::vector<Index> begin(kBuckets);
    for (int shift = 0; shift < 64 && largest >> shift; shift += kDigit) {
        std::fill(begin.begin(), begin.end(), 0);
        for (const Entry& entry : entries) ++begin[entry.key >> shift & (kBuckets - 1)];
        Index total = 0;
        for (Index& count : begin) total += std::exchange(count, total);
        for (const Entry& entry : entries) {
            other[std::size_t(begin[entry.key >> shift & (kBuckets - 1)]++)] = entry;
        }
        entries.swap(other);
        pass_or_stop();
    }
}

// (places, starts): the entries in lexicographic order of their indices (dims, entries), and where
// each group of equal indices starts, with the end behind it. Entries of a group stay in order.
std::pair<Array, Array> sparse_order(const Array& indices, const Dims& sizes) {
    check(indices.ndim() == 2 && indices.size(0) == sizes.size(),
          "sparse_order: expected indices (", sizes.size(), ", entries), got ", indices.shape());
    const Array given = as_index(indices);
    const Index count = given.size(1);
    const auto* index = given.data<Index>();
    std::vector<Entry> entries(static_cast<std::size_t>(count));
    for (Index i = 0; i < count; ++i) entries[std::size_t(i)] = {0, i};
    unsigned __int128 range = 1;
    for (int d = 0; d < sizes.size(); ++d) {
        range *= std::uint64_t(std::max<Index>(sizes[d], 1));
        check(range < (static_cast<unsigned __int128>(1) << 63),
              "coalesce: the sparse sizes ", sizes, " have more places than int64 can number");
        for (Index i = 0; i < count; ++i) {
            Entry& entry = entries[std::size_t(i)];
            entry.key = entry.key * std::uint64_t(sizes[d]) + std::uint64_t(index[d * count + i]);
        }
    }
    const bool sorted = std::is_sorted(entries.begin(), entries.end(),
                                       [](const Entry& a, const Entry& b) { return a.key < b.key; });
    if (!sorted) sort_entries(entries, std::uint64_t(range - 1));
    const Array places = Array::empty({count}, DType::I64);
    auto* place = places.data<Index>();
    std::vector<Index> starts;
    for (Index i = 0; i < count; ++i) {
        const Entry& entry = entries[std::size_t(i)];
        place[i] = entry.place;
        if (i == 0 || entry.key != entries[std::size_t(i - 1)].key) starts.push_back(i);
    }
    starts.push_back(count);
    const Array limits = Array::empty({Index(starts.size())}, DType::I64);
    std::copy(starts.begin(), starts.end(), limits.data<Index>());
    return {places, limits};
}

// Where the entries of each row start, of rows that are in order; (rows + 1).
Array row_starts(const Array& sorted, Index rows) {
    const Array given = as_index(sorted);
    const auto* row = given.data<Index>();
    const Index count = given.numel();
    const Index wrong = find_outside(row, count, 0, rows);
    if (wrong >= 0)
        fail(ErrorKind::Index, "row_starts: row ", row[wrong], " of a matrix of ", rows, " rows");
    const Array starts = Array::empty({rows + 1}, DType::I64);
    auto* start = starts.data<Index>();
    Index at = 0;
    for (Index r = 0; r <= rows; ++r) {
        while (at < count && row[at] < r) ++at;
        start[r] = at;
    }
    return starts;
}

// (indices, places of a, places of b): the entries of two sparse tensors in one, where each of theirs
// has gone. Both are walked side by side, and heads with equal indices become one: where both are in
// order, so is the result, without duplicates.
std::tuple<Array, Array, Array> sparse_merge(const Array& a_indices, const Array& b_indices) {
    check(a_indices.ndim() == 2 && b_indices.ndim() == 2 && a_indices.size(0) == b_indices.size(0),
          "sparse_merge: expected indices (dims, entries), got ", a_indices.shape(), " and ",
          b_indices.shape());
    const Array first = as_index(a_indices), second = as_index(b_indices);
    const Index dims = first.size(0), n = first.size(1), m = second.size(1);
    const auto *a = first.data<Index>(), *b = second.data<Index>();
    const Array a_places = Array::empty({n}, DType::I64), b_places = Array::empty({m}, DType::I64);
    auto *to_a = a_places.data<Index>(), *to_b = b_places.data<Index>();
    Index count = 0;
    for (Index i = 0, k = 0; i < n || k < m; ++count) {
        int order = i == n ? 1 : k == m ? -1 : 0;
        if (i < n && k < m) {
            for (Index d = 0; d < dims && order == 0; ++d)
                order = int(a[d * n + i] > b[d * m + k]) - int(a[d * n + i] < b[d * m + k]);
        }
        if (order <= 0) to_a[i++] = count;
        if (order >= 0) to_b[k++] = count;
    }
    const Array merged = Array::empty({dims, count}, DType::I64);
    auto* to = merged.data<Index>();
    for (Index d = 0; d < dims; ++d) {
        for (Index i = 0; i < n; ++i) to[d * count + to_a[i]] = a[d * n + i];
        for (Index k = 0; k < m; ++k) to[d * count + to_b[k]] = b[d * m + k];
    }
    return {merged, a_places, b_places};
}

// ---- rows of a dense matrix added up

// The compressed rows, checked: nothing points outside.
struct Rows {
    Array starts, columns;
    const Index* start;
    const Index* column;
    Index rows;

    Rows(const char* what, const Array& given_starts, const Array& given_columns, Index range)
        : starts(as_index(given_starts)), columns(as_index(given_columns)) {
        check(starts.ndim() == 1 && columns.ndim() == 1 && starts.numel() > 0, what,
              ": expected starts (rows + 1,) and columns (entries,), got ", starts.shape(), " and ",
              columns.shape());
        start = starts.data<Index>();
        column = columns.data<Index>();
        rows = starts.numel() - 1;
        bool rising = start[0] == 0 && start[rows] == columns.numel();
        for (Index r = 0; r < rows; ++r) rising &= start[r] <= start[r + 1];
        check(rising, what, ": the rows' starts have to rise from 0 to the ", columns.numel(),
              " entries");
        const Index wrong = find_outside(column, columns.numel(), 0, range);
        if (wrong >= 0)
            fail(ErrorKind::Index, what, ": column ", column[wrong], " of a matrix of ", range,
                 " columns");
    }
    double mean() const { return double(columns.numel()) / double(std::max<Index>(rows, 1)); }
};

template <class T>
constexpr bool kHasLoops = std::is_same_v<T, float> || std::is_same_v<T, double>;

// sum = the rows that `index` names, each times its factor (1 without factors).
template <class T>
void add_rows(const T* table, Index width, const Index* index, Index count, const T* factors, T* sum,
              std::vector<double>& totals) {
    std::fill_n(sum, width, T(0));
    if constexpr (kHasLoops<T>) {
        const auto& loops = bag_table().get<T>();
        if (count <= kRun || std::is_same_v<T, double>)
            return loops.add_rows(table, width, width, index, count, factors, sum);
        totals.assign(std::size_t(width), 0.0);
        for (Index at = 0; at < count; at += kRun) {
            loops.add_rows(table, width, width, index + at, std::min(kRun, count - at),
                           factors ? factors + at : nullptr, sum);
            for (Index c = 0; c < width; ++c) {
                totals[std::size_t(c)] += double(sum[c]);
                sum[c] = T(0);
            }
        }
        for (Index c = 0; c < width; ++c) sum[c] = T(totals[std::size_t(c)]);
    } else {
        for (Index i = 0; i < count; ++i) {
            const T* row = table + index[i] * width;
            for (Index c = 0; c < width; ++c) {
                if constexpr (std::is_same_v<T, bool>)
                    sum[c] = sum[c] || (row[c] && (!factors || factors[i]));
                else sum[c] = T(sum[c] + (factors ? T(factors[i] * row[c]) : row[c]));
            }
        }
    }
}

// The dtype to add up in: halves do it in float32.
DType working(DType dtype) { return is_half(dtype) ? DType::F32 : dtype; }

template <class F>
void dispatch_working(DType dtype, F&& f) {
    dispatch_modular(dtype, [&]<class T>() {
        if constexpr (!std::is_same_v<T, Half> && !std::is_same_v<T, BFloat16>)
            f.template operator()<T>();
    });
}

// (rows, width): for each row the sum of values[entry] * dense[column of the entry]; without
// values, of the rows themselves.
Array sparse_product(const Array& given_starts, const Array& given_columns,
                     const std::optional<Array>& values, const Array& dense) {
    check(dense.ndim() == 2, "sparse_product: expected a matrix, got shape ", dense.shape());
    const Rows rows("sparse_product", given_starts, given_columns, dense.size(0));
    check(!values || (values->ndim() == 1 && values->numel() == rows.columns.numel() &&
                      values->dtype() == dense.dtype()),
          "sparse_product: expected a value of the matrix's dtype for each of the ",
          rows.columns.numel(), " entries");
    const DType dtype = working(dense.dtype());
    const Index width = dense.size(1);
    const Array result = Array::empty({rows.rows, width}, dtype);
    dispatch_working(dtype, [&]<class T>() {
        const Array table = contiguous(cast(dense, dtype));
        const Array weights = values ? contiguous(cast(*values, dtype)) : Array();
        const T* const from = table.data<T>();
        const T* const factor = weights ? weights.data<T>() : nullptr;
        T* const to = result.data<T>();
        const double seconds =
            (rows.mean() + 1) * (double(width) * kSecondsPerElement + kSecondsPerEntry);
        for_ranges(rows.rows, std::max<Index>(1, Index(50e-6 / seconds)), seconds,
                   [&](Index begin, Index end) {
                       std::vector<double> totals;
                       for (Index r = begin; r < end; ++r) {
                           const Index at = rows.start[r];
                           add_rows(from, width, rows.column + at, rows.start[r + 1] - at,
                                    factor ? factor + at : nullptr, to + r * width, totals);
                       }
                   });
    });
    return cast(result, dense.dtype());
}

// For each entry the product of row `left[entry]` of a and row `right[entry]` of b, without
// conjugation.
Array sampled_products(const Array& given_left, const Array& given_right, const Array& a,
                       const Array& b) {
    check(a.ndim() == 2 && b.ndim() == 2 && a.size(1) == b.size(1) && a.dtype() == b.dtype(),
          "sampled_products: expected matrices with rows of one length and dtype, got ", a.shape(),
          " and ", b.shape());
    const Array lefts = as_index(given_left), rights = as_index(given_right);
    const Index count = lefts.numel(), width = a.size(1);
    check(rights.numel() == count, "sampled_products: ", count, " rows on the left and ",
          rights.numel(), " on the right");
    const auto *left = lefts.data<Index>(), *right = rights.data<Index>();
    check_as(ErrorKind::Index, find_outside(left, count, 0, a.size(0)) < 0 &&
                                   find_outside(right, count, 0, b.size(0)) < 0,
             "sampled_products: a row is out of range");
    const DType dtype = working(a.dtype());
    const Array result = Array::empty({count}, dtype);
    dispatch_working(dtype, [&]<class T>() {
        const Array first = contiguous(cast(a, dtype)), second = contiguous(cast(b, dtype));
        const T *const x = first.data<T>(), *const y = second.data<T>();
        T* const to = result.data<T>();
        const double seconds = double(width) * kSecondsPerElement + kSecondsPerEntry;
        for_ranges(count, std::max<Index>(1, Index(50e-6 / seconds)), seconds,
                   [&](Index begin, Index end) {
                       constexpr Index kLanes = 16;
                       for (Index i = begin; i < end; ++i) {
                           const T *u = x + left[i] * width, *v = y + right[i] * width;
                           T lanes[kLanes] = {};
                           Index c = 0;
                           for (; c + kLanes <= width; c += kLanes)
                               for (Index k = 0; k < kLanes; ++k)
                                   lanes[k] = T(lanes[k] + T(u[c + k] * v[c + k]));
                           for (; c < width; ++c) lanes[0] = T(lanes[0] + T(u[c] * v[c]));
                           for (Index half = kLanes / 2; half; half /= 2)
                               for (Index k = 0; k < half; ++k)
                                   lanes[k] = T(lanes[k] + lanes[k + half]);
                           to[i] = lanes[0];
                       }
                   });
    });
    return cast(result, a.dtype());
}

// ---- sparse times sparse (Gustavson, https://doi.org/10.1145/355791.355796)

// (starts, columns, values) of the product of two matrices of compressed rows; the columns of a row
// are in order.
std::tuple<Array, Array, Array> sparse_times_sparse(const Array& a_starts, const Array& a_columns,
                                                    const Array& a_values, const Array& b_starts,
                                                    const Array& b_columns, const Array& b_values,
                                                    Index width) {
    check(a_values.dtype() == b_values.dtype(), "sparse_times_sparse: dtypes ",
          name_of(a_values.dtype()), " and ", name_of(b_values.dtype()));
    const Rows b("sparse_times_sparse", b_starts, b_columns, width);
    const Rows a("sparse_times_sparse", a_starts, a_columns, b.rows);
    check(a_values.numel() == a.columns.numel() && b_values.numel() == b.columns.numel(),
          "sparse_times_sparse: one value for each entry is needed");
    const Array starts = Array::empty({a.rows + 1}, DType::I64);
    auto* start = starts.data<Index>();
    start[0] = 0;
    std::vector<Index> seen(std::size_t(width), -1), columns;
    for (Index r = 0; r < a.rows; ++r) {
        const std::size_t first = columns.size();
        for (Index i = a.start[r]; i < a.start[r + 1]; ++i) {
            for (Index k = b.start[a.column[i]]; k < b.start[a.column[i] + 1]; ++k) {
                if (std::exchange(seen[std::size_t(b.column[k])], r) != r)
                    columns.push_back(b.column[k]);
            }
        }
        std::sort(columns.begin() + std::ptrdiff_t(first), columns.end());
        start[r + 1] = Index(columns.size());
        if ((r & 0xffff) == 0xffff) pass_or_stop();
    }
    const Array places = Array::empty({Index(columns.size())}, DType::I64);
    std::copy(columns.begin(), columns.end(), places.data<Index>());
    const DType dtype = working(a_values.dtype());
    const Array values = Array::empty({Index(columns.size())}, dtype);
    dispatch_working(dtype, [&]<class T>() {
        const Array left = contiguous(cast(a_values, dtype));
        const Array right = contiguous(cast(b_values, dtype));
        const T *const x = left.data<T>(), *const y = right.data<T>();
        T* const to = values.data<T>();
        const Index* const column = columns.data();
        std::vector<std::conditional_t<std::is_same_v<T, bool>, char, T>> sums(
            static_cast<std::size_t>(width));
        for (Index r = 0; r < a.rows; ++r) {
            for (Index i = a.start[r]; i < a.start[r + 1]; ++i) {
                for (Index k = b.start[a.column[i]]; k < b.start[a.column[i] + 1]; ++k) {
                    auto& sum = sums[std::size_t(b.column[k])];
                    if constexpr (std::is_same_v<T, bool>) sum = sum || (x[i] && y[k]);
                    else sum = T(sum + T(x[i] * y[k]));
                }
            }
            for (Index k = start[r]; k < start[r + 1]; ++k)
                to[k] = T(std::exchange(sums[std::size_t(column[k])], {}));
        }
    });
    return {starts, places, cast(values, a_values.dtype())};
}

}  // namespace

void bind_sparse_product(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("sparse_order", &sparse_order, "indices"_a, "sizes"_a);
    m.def("sparse_merge", &sparse_merge, "a_indices"_a, "b_indices"_a);
    m.def("row_starts", &row_starts, "rows"_a, "size"_a);
    m.def("sparse_product", &sparse_product, "starts"_a, "columns"_a, "values"_a.none(), "dense"_a);
    m.def("sampled_products", &sampled_products, "left"_a, "right"_a, "a"_a, "b"_a);
    m.def("sparse_times_sparse", &sparse_times_sparse, "a_starts"_a, "a_columns"_a, "a_values"_a,
          "b_starts"_a, "b_columns"_a, "b_values"_a, "width"_a);
}

}  // namespace rushlight
