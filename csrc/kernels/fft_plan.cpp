// Plans of Fourier transforms: factors of lengths, tables of roots, and how plans run.
#include "kernels/fft_plan.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/conv.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

// What is transformed in lanes, and what is split: of few rows nearly everything, since lanes that
// stay empty cost as much as others; of many, what the caches do not hold in lanes.
constexpr Index kFewLanes = 32, kManyLanes = 128, kRaggedLanes = 1024;
constexpr double kRagged = 1.2;  // the price of the empty lanes of a split
constexpr Index kWholeTable = 1 << 14;  // of split transforms

Index divide_up(Index a, Index b) { return (a + b - 1) / b; }

struct Root {
    double re, im;
};

// exp(2 pi i k / n), from an angle of at most pi / 4, so that mirrored roots are mirrored exactly.
Root root(Index k, Index n) {
    k %= n;
    if (8 * k > 4 * n) {
        const Root other = root(n - k, n);
        return {other.re, -other.im};
    }
    const auto at = [n](Index eighths) {  // eighths of the way once around, times n
        const double angle = std::numbers::pi * double(eighths) / (4.0 * double(n));
        return Root{std::cos(angle), std::sin(angle)};
    };
    const Index x = 8 * k;
    if (x <= n) return at(x);
    if (x <= 2 * n) {
        const Root r = at(2 * n - x);
        return {r.im, r.re};
    }
    if (x <= 3 * n) {
        const Root r = at(x - 2 * n);
        return {-r.im, r.re};
    }
    const Root r = at(4 * n - x);
    return {-r.re, r.im};
}

// The radices of a length, in the order of the passes; what is left of it is put into `rest`.
std::vector<Index> radices_of(Index n, Index& rest) {
    std::vector<Index> radices;
    int twos = 0;
    for (; n % 2 == 0; n /= 2) ++twos;
    const int fours = twos % 3 == 2 ? 1 : twos % 3 == 1 && twos > 1 ? 2 : 0;
    if (twos == 1) radices.push_back(2);
    else radices.insert(radices.end(), std::size_t((twos - 2 * fours) / 3), 8);
    radices.insert(radices.end(), std::size_t(fours), 4);
    for (Index p = 3; p <= kLargestFftRadix; p += 2) {
        for (; n % p == 0; n /= p) radices.push_back(p);
    }
    rest = n;
    return radices;
}

// n = rows * columns with as few empty lanes as possible.
struct Cut {
    Index rows = 1;
    double price = 0;  // 1 if no lane is empty
};

Cut cut_of(Index n, Index w) {
    Cut best;
    double least = 0;
    for (Index r = 1; r * r <= n; ++r) {
        if (n % r) continue;
        for (Index rows : {r, n / r}) {
            const Index columns = n / rows;
            const double whole = double(n) / double(w);
            const double one = double(divide_up(columns, w) * rows) / whole;
            const double two = double(divide_up(rows, w) * columns) / whole;
            const auto passes = [](Index m) { return 2.0 + std::log2(double(m)); };
            const double cost = one * passes(rows) + two * passes(columns);
            if (least == 0 || cost < least) {
                least = cost;
                best = {rows, cost / (passes(rows) + passes(columns))};
            }
        }
    }
    return best;
}

template <class T>
void append(std::vector<T>& table, Root r) {
    table.push_back(T(r.re));
    table.push_back(T(r.im));
}

int width(const auto& loops) { return loops.width; }

}  // namespace

bool has_lanes(Index n) {
    Index rest = 1;
    radices_of(n, rest);
    return rest == 1;
}

template <class T>
LanePlan<T>::LanePlan(Index n) : n_(n) {
    Index rest = 1, inner = n, outer = 1;
    const std::vector<Index> radices = radices_of(n, rest);
    tables_.reserve(2 * radices.size());
    for (Index radix : radices) {
        inner /= radix;
        std::vector<T> twiddles, roots;
        for (Index i = 0; i < inner && inner > 1; ++i) {
            for (Index u = 1; u < radix; ++u) {
                const Root r = root(u * i * outer, n);
                append(twiddles, {r.re, -r.im});
            }
        }
        for (Index j = 0; j < radix; ++j) append(roots, root(j, radix));
        bytes_ += Index((twiddles.size() + roots.size()) * sizeof(T));
        passes_.push_back({radix, inner, outer, twiddles.data(), roots.data()});
        tables_.push_back(std::move(twiddles));
        tables_.push_back(std::move(roots));
        outer *= radix;
    }
}

template <class T>
FftPlan<T>::FftPlan(Index n, bool many) : n_(n) {
    if (!has_lanes(n)) {
        kind_ = Kind::Convolution;
        make_convolution(many);
        return;
    }
    const Cut cut = cut_of(n, fft_table().get<T>().width);
    if (n <= (!many ? kFewLanes : cut.price < kRagged ? kManyLanes : kRaggedLanes)) {
        kind_ = Kind::Lanes;
        lanes_ = LanePlan<T>(n);
        bytes_ = lanes_.bytes();
    } else {
        kind_ = Kind::Split;
        make_split(cut.rows);
    }
}

template <class T>
void FftPlan<T>::make_split(Index rows) {
    const Index w = width(fft_table().get<T>());
    const Index columns = n_ / rows, blocks = divide_up(columns, w);
    lanes_ = LanePlan<T>(rows);
    columns_ = LanePlan<T>(columns);
    const bool whole = n_ <= kWholeTable;
    for (Index r = 0; r < rows; ++r) {
        for (Index b = 0; b < (whole ? blocks : 1); ++b) {
            for (Index l = 0; l < w; ++l) near_.push_back(T(root(r * (b * w + l), n_).re));
            for (Index l = 0; l < w; ++l) near_.push_back(T(-root(r * (b * w + l), n_).im));
        }
    }
    for (Index b = 0; b < blocks && !whole; ++b) {
        for (Index r = 0; r < rows; ++r) {
            const Root x = root(r * b * w, n_);
            append(far_, {x.re, -x.im});
        }
    }
    bytes_ = lanes_.bytes() + columns_.bytes() + Index((near_.size() + far_.size()) * sizeof(T));
}

template <class T>
void FftPlan<T>::make_convolution(bool many) {
    Index smooth = divide_up(2 * n_ - 1, 64) * 64;
    for (Index rest;; smooth += 64) {
        rest = smooth;
        for (Index p : {2, 3, 5}) {
            while (rest % p == 0) rest /= p;
        }
        if (rest == 1) break;
    }
    inner_ = std::make_unique<FftPlan>(smooth, many);
    std::vector<double> wave(std::size_t(2 * smooth), 0.0);
    for (Index j = 0; j < n_; ++j) {
        const Root r = root(Index((unsigned __int128)(j) * (unsigned __int128)(j) %
                                  (unsigned __int128)(2 * n_)), 2 * n_);
        append(chirp_, {r.re, -r.im});
        for (Index at : {j, (smooth - j) % smooth}) {
            wave[std::size_t(2 * at)] = r.re / double(smooth);
            wave[std::size_t(2 * at) + 1] = r.im / double(smooth);
        }
    }
    const FftPlan<double> exact(smooth, false);
    std::vector<double> scratch(std::size_t(exact.scratch_size()) + 8);
    void* aligned = scratch.data();
    std::size_t space = scratch.size() * sizeof(double);
    std::align(64, std::size_t(exact.scratch_size()) * sizeof(double), aligned, space);
    exact.run(wave.data(), smooth, wave.data(), smooth, 1, false, 1.0,
              static_cast<double*>(aligned));
    spectrum_.assign(wave.begin(), wave.end());
    bytes_ = inner_->bytes() + Index((chirp_.size() + spectrum_.size()) * sizeof(T));
}

template <class T>
FftSplit<T> FftPlan<T>::split() const {
    return {lanes_.view(), columns_.view(), near_.data(), far_.empty() ? nullptr : far_.data()};
}

template <class T>
Index FftPlan<T>::split_size() const {
    const Index w = width(fft_table().get<T>());
    return 2 * divide_up(lanes_.view().n, w) * divide_up(columns_.view().n, w) * w * w;
}

template <class T>
Index FftPlan<T>::group() const {
    return kind_ == Kind::Lanes         ? width(fft_table().get<T>())
           : kind_ == Kind::Convolution ? inner_->group()
                                        : 1;
}

template <class T>
Index FftPlan<T>::scratch_size() const {
    const Index w = width(fft_table().get<T>());
    switch (kind_) {
        case Kind::Lanes: return 4 * n_ * w;
        case Kind::Split:
            return split_size() + 4 * w * std::max(lanes_.view().n, columns_.view().n);
        default:
            return divide_up(2 * inner_->n_ * inner_->group(), 16) * 16 + inner_->scratch_size();
    }
}

template <class T>
void FftPlan<T>::run(const T* in, Index in_stride, T* out, Index out_stride, Index rows,
                     bool inverse, T scale, T* scratch) const {
    const FftLoops<T>& loops = fft_table().get<T>();
    if (kind_ == Kind::Split) {
        const FftSplit<T> plan = split();
        T* const rest = scratch + split_size();
        const Index columns = divide_up(plan.columns.n, loops.width);
        const Index lines = divide_up(plan.rows.n, loops.width);
        for (Index r = 0; r < rows; ++r) {
            loops.split_columns(plan, in + 2 * r * in_stride, scratch, inverse, 0, columns, rest);
            loops.split_rows(plan, scratch, out + 2 * r * out_stride, inverse, scale, 0, lines,
                             rest);
        }
        return;
    }
    const Index each = group();
    for (Index r = 0; r < rows; r += each) {
        const Index lanes = std::min(each, rows - r);
        const T* from = in + 2 * r * in_stride;
        T* to = out + 2 * r * out_stride;
        if (kind_ == Kind::Lanes) {
            loops.rows(lanes_.view(), {from, to, in_stride, out_stride, lanes, inverse, scale},
                       scratch);
            continue;
        }
        const Index m = inner_->n_;
        T* const wave = scratch;
        T* const rest = scratch + divide_up(2 * m * each, 16) * 16;
        for (Index l = 0; l < lanes; ++l) {
            T* const row = wave + 2 * m * l;
            loops.multiply(from + 2 * l * in_stride, chirp_.data(), row, n_, inverse, false, T(1));
            std::fill(row + 2 * n_, row + 2 * m, T(0));
        }
        inner_->run(wave, m, wave, m, lanes, false, T(1), rest);
        for (Index l = 0; l < lanes; ++l) {
            T* const row = wave + 2 * m * l;
            loops.multiply(row, spectrum_.data(), row, m, false, false, T(1));
        }
        inner_->run(wave, m, wave, m, lanes, true, T(1), rest);
        for (Index l = 0; l < lanes; ++l) {
            loops.multiply(wave + 2 * m * l, chirp_.data(), to + 2 * l * out_stride, n_, false,
                           inverse, scale);
        }
    }
}

template <class T>
void FftPlan<T>::run_parallel(const T* in, T* out, bool inverse, T scale) const {
    const FftLoops<T>& loops = fft_table().get<T>();
    const FftSplit<T> plan = split();
    const Index rows = plan.rows.n, columns = plan.columns.n, w = loops.width;
    const Array memory = Array::empty({split_size()}, dtype_of<T>);
    T* const between = memory.data<T>();
    ScratchBlocks scratch(std::size_t(4 * w * std::max(rows, columns)) * sizeof(T));
    const auto run = [&](Index blocks, Index length, auto&& part) {
        const Index each = std::max<Index>(1, 16384 / (length * w));
        parallel_for(divide_up(blocks, each), 2e-9 * double(each * length * w), [&](Index task) {
            const ScratchBlocks::Lease lease(scratch);
            part(task * each, std::min(blocks, (task + 1) * each),
                 reinterpret_cast<T*>(lease.data()));
        });
    };
    run(divide_up(columns, w), rows, [&](Index first, Index last, T* memory) {
        loops.split_columns(plan, in, between, inverse, first, last, memory);
    });
    run(divide_up(rows, w), columns, [&](Index first, Index last, T* memory) {
        loops.split_rows(plan, between, out, inverse, scale, first, last, memory);
    });
}

namespace {

// The last few things that were made, by length; large ones are not kept.
template <class Value>
class Recent {
public:
    template <class Make, class Bytes>
    std::shared_ptr<const Value> get(Index n, Make&& make, Bytes&& bytes) {
        const auto found = std::find_if(kept_.begin(), kept_.end(),
                                        [n](const auto& entry) { return entry.first == n; });
        if (found != kept_.end()) {
            std::rotate(kept_.begin(), found, found + 1);
            return kept_.front().second;
        }
        std::shared_ptr<const Value> made = make();
        if (bytes(*made) <= kMostBytes) {
            if (kept_.size() == kMost) kept_.pop_back();
            kept_.emplace(kept_.begin(), n, made);
        }
        return made;
    }

private:
    static constexpr std::size_t kMost = 16;
    static constexpr Index kMostBytes = 1 << 20;
    std::vector<std::pair<Index, std::shared_ptr<const Value>>> kept_;
};

}  // namespace

template <class T>
std::shared_ptr<const FftPlan<T>> fft_plan(Index n, Index rows) {
    static Recent<FftPlan<T>> recent[2];
    const bool many = rows >= fft_table().get<T>().width;
    return recent[many].get(n, [&] { return std::make_shared<const FftPlan<T>>(n, many); },
                      [](const FftPlan<T>& plan) { return plan.bytes(); });
}

template <class T>
std::shared_ptr<const LanePlan<T>> lane_plan(Index n) {
    static Recent<LanePlan<T>> recent;
    return recent.get(n, [n] { return std::make_shared<const LanePlan<T>>(n); },
                      [](const LanePlan<T>& plan) { return plan.bytes(); });
}

template <class T>
std::shared_ptr<const std::vector<T>> quarter_roots(Index n) {
    static Recent<std::vector<T>> recent;
    const auto make = [n] {
        std::vector<T> table;
        table.reserve(std::size_t(n / 2 + 4));
        for (Index k = 0; k <= n / 4 + 1; ++k) {
            const Root r = root(k, n);
            append(table, {r.re, -r.im});
        }
        return std::make_shared<const std::vector<T>>(std::move(table));
    };
    return recent.get(n, make,
                      [](const std::vector<T>& table) { return Index(table.size() * sizeof(T)); });
}

template class LanePlan<float>;
template class LanePlan<double>;
template class FftPlan<float>;
template class FftPlan<double>;
template std::shared_ptr<const FftPlan<float>> fft_plan(Index, Index);
template std::shared_ptr<const FftPlan<double>> fft_plan(Index, Index);
template std::shared_ptr<const LanePlan<float>> lane_plan(Index);
template std::shared_ptr<const LanePlan<double>> lane_plan(Index);
template std::shared_ptr<const std::vector<float>> quarter_roots(Index);
template std::shared_ptr<const std::vector<double>> quarter_roots(Index);

}  // namespace rushlight
