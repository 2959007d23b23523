// Transposing copies: the axes along which both arrays are walked become a batch of matrices,
// which are cut into tasks by their shape alone.
#include "elementwise/transpose.h"

#include <algorithm>
#include <bit>

#include "array/small_vector.h"
#include "elementwise/loops.h"
#include "runtime/parallel.h"

namespace rushlight {

namespace {

constexpr Index kTaskElements = 32768;
constexpr Index kTaskRows = 512;  // of the result: so long are the runs that are read
constexpr Index kFewest = 256;    // elements of a matrix from which its squares pay
constexpr Index kNarrow = 8;      // columns below which only pixels side by side are worth it

struct Axis {
    Index size, dst, src;  // strides in elements
};

// dst[b, r, c] = src[b, r, c] where dst is dense along c and src along r.
struct Matrices {
    Axis rows{}, cols{};
    Dims sizes, dst, src;  // of the axes of the batch
    bool found = false;
};

// Axes of more than one element, joined where both arrays walk them as one.
Matrices matrices_of(const Dims& shape, const Dims& dst, const Dims& src) {
    Matrices result;
    SmallVector<Axis, 8> axes;
    for (int d = 0; d < shape.size(); ++d)
        if (shape[d] != 1) axes.push_back({shape[d], dst[d], src[d]});
    std::sort(axes.begin(), axes.end(),
              [](const Axis& a, const Axis& b) { return a.dst > b.dst; });
    int rows = -1, cols = -1, kept = 0;
    for (int d = 0; d < int(axes.size()); ++d) {
        const Axis axis = axes[std::size_t(d)];
        if (kept > 0 && axes[kept - 1].dst == axis.dst * axis.size &&
            axes[kept - 1].src == axis.src * axis.size)
            axes[kept - 1] = {axes[kept - 1].size * axis.size, axis.dst, axis.src};
        else
            axes[kept++] = axis;
    }
    for (int d = 0; d < kept; ++d) {
        if (axes[d].dst == 0) return result;  // written more than once: in order
        if (axes[d].dst == 1) cols = d;
        if (axes[d].src == 1) rows = d;
    }
    if (rows < 0 || cols < 0 || rows == cols) return result;
    if (axes[cols].src == 0) return result;  // one value along dst
    result.rows = axes[rows];
    result.cols = axes[cols];
    const bool narrow = result.cols.size < kNarrow &&
                        (result.cols.size > 4 || result.rows.dst != result.cols.size);
    if (result.rows.size < kNarrow || narrow || result.rows.size * result.cols.size < kFewest)
        return result;
    for (int d = 0; d < kept; ++d) {
        if (d == rows || d == cols) continue;
        result.sizes.push_back(axes[d].size);
        result.dst.push_back(axes[d].dst);
        result.src.push_back(axes[d].src);
    }
    result.found = true;
    return result;
}

}  // namespace

bool lies_across(const Array& src, const Dims& dst_strides) {
    return matrices_of(src.shape(), dst_strides, src.strides()).found;
}

bool copy_across(const Array& dst, const Array& src) {
    const Matrices m = matrices_of(dst.shape(), dst.strides(), src.strides());
    if (!m.found) return false;
    const std::size_t size = src.itemsize();
    const TransposeLoop loop = loops().transpose[std::countr_zero(size)];
    const std::byte* from = src.bytes();
    std::byte* to = dst.bytes();
    const Index task_rows = std::min(m.rows.size, kTaskRows);
    const Index task_cols =
        std::min(m.cols.size, std::max<Index>(64, kTaskElements / task_rows / 64 * 64));
    const Index down = (m.rows.size + task_rows - 1) / task_rows;
    const Index across = (m.cols.size + task_cols - 1) / task_cols;
    const Index pieces = m.sizes.product() * down * across;
    const Index together = std::max<Index>(1, kTaskElements / (task_rows * task_cols));
    const double seconds = 0.3e-9 * double(task_rows * task_cols * together);
    parallel_for((pieces + together - 1) / together, seconds, [&](Index task) {
        const Index end = std::min(pieces, (task + 1) * together);
        for (Index piece = task * together; piece < end; ++piece) {
            const Index c = piece % across * task_cols, r = piece / across % down * task_rows;
            Index rest = piece / (across * down);
            Index read = r + c * m.cols.src, write = c + r * m.rows.dst;
            for (int d = m.sizes.size() - 1; d >= 0; --d) {
                read += rest % m.sizes[d] * m.src[d];
                write += rest % m.sizes[d] * m.dst[d];
                rest /= m.sizes[d];
            }
            loop(to + write * Index(size), m.rows.dst, from + read * Index(size), m.cols.src,
                 std::min(task_rows, m.rows.size - r), std::min(task_cols, m.cols.size - c));
        }
    });
    return true;
}

}  // namespace rushlight
