// Masks over all elements of an array, in blocks of flags that are worked on side by side.
#include "kernels/mask.h"

namespace rushlight {

namespace {

// An array as rows of elements that lie `step` apart, in row-major order.
class Rows {
public:
    explicit Rows(const Array& x) : size_(Index(x.itemsize())), x_(x.bytes()) {
        if (x.is_contiguous()) {
            width_ = std::max<Index>(x.numel(), 1);
            starts_.push_back(0);
            return;
        }
        const int last = x.ndim() - 1;
        width_ = x.size(last);
        step_ = x.stride(last);
        starts_ = element_offsets(span_of(x.shape(), 0, last), span_of(x.strides(), 0, last));
    }

    // f(i, n, first, step) for the elements of [begin, end), in stretches of `n` from the i-th on.
    template <class F>
    void visit(Index begin, Index end, F&& f) const {
        for (Index i = begin; i < end;) {
            const Index row = i / width_, stop = std::min(end, (row + 1) * width_);
            const Index place = starts_[std::size_t(row)] + (i - row * width_) * step_;
            f(i, stop - i, x_ + place * size_, step_);
            i = stop;
        }
    }

private:
    Index size_, width_ = 1, step_ = 1;
    std::byte* x_;
    std::vector<Index> starts_;
};

}  // namespace

Mask::Mask(const Array& mask)
    : flags(contiguous(mask)),
      flag(flags.data<std::uint8_t>()),
      before(std::size_t((flags.numel() + kMaskBlock - 1) / kMaskBlock) + 1, 0) {
    for_ranges(flags.numel(), kMaskBlock, 5e-11, [&](Index begin, Index end) {
        before[std::size_t(begin / kMaskBlock) + 1] = mask_table().count(end - begin, flag + begin);
    });
    for (std::size_t b = 1; b < before.size(); ++b) before[b] += before[b - 1];
}

Array pack_masked(const Array& x, const Mask& mask) {
    const Array result = Array::empty(Dims{mask.count()}, x.dtype());
    if (mask.count() == 0) return result;
    const MaskMoves& moves = mask_table().of_size(x.itemsize());
    const Rows rows(x);
    const Index size = Index(x.itemsize());
    std::byte* packed = result.bytes();
    for_ranges(x.numel(), kMaskBlock, 1e-9, [&](Index begin, Index end) {
        std::byte* out = packed + mask.before[std::size_t(begin / kMaskBlock)] * size;
        rows.visit(begin, end, [&](Index i, Index n, const std::byte* from, Index step) {
            out += moves.pack(n, mask.flag + i, from, step, out) * size;
        });
    });
    return result;
}

void spread_masked(const Array& x, const Mask& mask, const Array& packed, bool clear) {
    if (x.numel() == 0 || (mask.count() == 0 && !clear)) return;
    const MaskMoves& moves = mask_table().of_size(x.itemsize());
    const Rows rows(x);
    const Index size = Index(x.itemsize());
    const std::byte* from = packed.bytes();
    for_ranges(x.numel(), kMaskBlock, 1e-9, [&](Index begin, Index end) {
        const std::size_t block = std::size_t(begin / kMaskBlock);
        Index taken = mask.before[block];
        const Index held = mask.before[block + 1];
        rows.visit(begin, end, [&](Index i, Index n, std::byte* to, Index step) {
            taken += moves.spread(n, mask.flag + i, to, step, from + taken * size, held - taken,
                                  clear);
        });
    });
}

void fill_masked(const Array& x, const Array& mask, const Array& value) {
    if (x.nothing_to_compute()) return;
    const bool shared = &mask.storage() == &x.storage();
    const Array flags = shared ? clone(mask) : contiguous(mask);
    const auto* flag = flags.data<std::uint8_t>();
    const MaskMoves& moves = mask_table().of_size(x.itemsize());
    const Rows rows(x);
    const std::byte* one = value.bytes();
    for_ranges(x.numel(), kMaskBlock, 2e-10, [&](Index begin, Index end) {
        rows.visit(begin, end, [&](Index i, Index n, std::byte* to, Index step) {
            moves.fill(n, flag + i, to, step, one);
        });
    });
}

}  // namespace rushlight
