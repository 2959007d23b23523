// Discrete Fourier transforms over any axes: complex to complex, real to half of the spectrum, and
// back.
#include <algorithm>
#include <cmath>

#include "bind/casters.h"
#include "kernels/conv.h"
#include "kernels/fft_plan.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

constexpr Index kLongestAdjacent = 2048;  // longer ones are made contiguous first
constexpr Index kParallelLength = 1 << 15;
constexpr double kTaskSeconds = 40e-6;

double seconds_of(Index n) { return 4e-10 * double(n) * (2.0 + std::log2(double(n))); }

// task(first, count, scratch, extra memory) for each group of rows that the plan runs together.
template <class T, class Task>
void for_groups(const FftPlan<T>& plan, Index rows, Index extra, Task&& task) {
    const double each = seconds_of(plan.n());
    const Index group = plan.group();
    const Index groups = std::max<Index>(1, Index(kTaskSeconds / (each * double(group))));
    const Index per_task = std::min(rows, groups * group);
    const Index tasks = (rows + per_task - 1) / per_task;
    const Index size = (plan.scratch_size() + 15) / 16 * 16;
    ScratchBlocks scratch(std::size_t(size + extra) * sizeof(T));
    parallel_for(tasks, each * double(per_task), [&](Index i) {
        const ScratchBlocks::Lease lease(scratch);
        T* const memory = reinterpret_cast<T*>(lease.data());
        const Index end = std::min(rows, (i + 1) * per_task);
        for (Index first = i * per_task; first < end; first += group) {
            task(first, std::min(group, end - first), memory, memory + size);
        }
    });
}

// Few long rows are cut themselves.
template <class T>
bool by_parts(const FftPlan<T>& plan, Index rows) {
    return plan.kind() == FftPlan<T>::Kind::Split && plan.n() >= kParallelLength && rows <= 16;
}

template <class T>
void complex_rows(const T* in, T* out, Index n, Index rows, bool inverse, T scale) {
    const auto plan = fft_plan<T>(n, rows);
    if (by_parts(*plan, rows)) {
        for (Index r = 0; r < rows; ++r) {
            plan->run_parallel(in + 2 * n * r, out + 2 * n * r, inverse, scale);
        }
        return;
    }
    for_groups(*plan, rows, 0, [&](Index first, Index count, T* scratch, T*) {
        plan->run(in + 2 * n * first, n, out + 2 * n * first, n, count, inverse, scale, scratch);
    });
}

// From rows of n real numbers to rows of n / 2 + 1 frequencies, `stride` apart; all n if `whole`.
template <class T>
void real_rows(const T* in, T* out, Index n, Index rows, T scale, bool whole) {
    const FftLoops<T>& loops = fft_table().get<T>();
    const Index half = n / 2, stride = whole ? n : half + 1;
    if (n % 2 == 0) {
        const auto plan = fft_plan<T>(half, rows);
        const auto roots = quarter_roots<T>(n);
        const auto finish = [&](Index r) {
            T* const row = out + 2 * stride * r;
            loops.unpack(row, roots->data(), row, half, scale);
            if (whole) loops.mirror(row, n);
        };
        if (by_parts(*plan, rows)) {
            for (Index r = 0; r < rows; ++r) {
                plan->run_parallel(in + n * r, out + 2 * stride * r, false, T(1));
                finish(r);
            }
            return;
        }
        for_groups(*plan, rows, 0, [&](Index first, Index count, T* scratch, T*) {
            plan->run(in + n * first, half, out + 2 * stride * first, stride, count, false, T(1),
                      scratch);
            for (Index r = first; r < first + count; ++r) finish(r);
        });
        return;
    }
    const auto plan = fft_plan<T>(n, rows);
    const Index room = 2 * n * plan->group();
    for_groups(*plan, rows, room, [&](Index first, Index count, T* scratch, T* wave) {
        for (Index i = 0; i < count * n; ++i) {
            wave[2 * i] = in[n * first + i];
            wave[2 * i + 1] = T(0);
        }
        plan->run(wave, n, wave, n, count, false, scale, scratch);
        for (Index l = 0; l < count; ++l) {
            T* const row = out + 2 * stride * (first + l);
            std::copy_n(wave + 2 * n * l, 2 * (half + 1), row);
            row[1] = 0;
            if (whole) loops.mirror(row, n);
        }
    });
}

// From rows of n / 2 + 1 frequencies to rows of n real numbers.
template <class T>
void half_rows(const T* in, T* out, Index n, Index rows, T scale) {
    const FftLoops<T>& loops = fft_table().get<T>();
    const Index half = n / 2, stride = half + 1;
    if (n % 2 == 0) {
        const auto plan = fft_plan<T>(half, rows);
        const auto roots = quarter_roots<T>(n);
        if (by_parts(*plan, rows)) {
            for (Index r = 0; r < rows; ++r) {
                loops.pack(in + 2 * stride * r, roots->data(), out + n * r, half);
                plan->run_parallel(out + n * r, out + n * r, true, scale);
            }
            return;
        }
        for_groups(*plan, rows, 0, [&](Index first, Index count, T* scratch, T*) {
            for (Index r = first; r < first + count; ++r) {
                loops.pack(in + 2 * stride * r, roots->data(), out + n * r, half);
            }
            plan->run(out + n * first, half, out + n * first, half, count, true, scale, scratch);
        });
        return;
    }
    const auto plan = fft_plan<T>(n, rows);
    const Index room = 2 * n * plan->group();
    for_groups(*plan, rows, room, [&](Index first, Index count, T* scratch, T* wave) {
        for (Index l = 0; l < count; ++l) {
            T* const row = wave + 2 * n * l;
            std::copy_n(in + 2 * stride * (first + l), 2 * stride, row);
            row[1] = 0;
            loops.mirror(row, n);
        }
        plan->run(wave, n, wave, n, count, true, scale, scratch);
        for (Index i = 0; i < count * n; ++i) out[n * first + i] = wave[2 * i];
    });
}

// Transforms along an axis with `inner` adjacent elements to a place.
template <class T>
void adjacent(const T* in, T* out, Index outer, Index n, Index inner, bool inverse, T scale) {
    const FftLoops<T>& loops = fft_table().get<T>();
    const auto plan = lane_plan<T>(n);
    const Index w = loops.width, blocks = (inner + w - 1) / w;
    const double each = seconds_of(n) * double(w);
    const Index per_task = std::max<Index>(1, Index(kTaskSeconds / each));
    ScratchBlocks scratch(std::size_t(4 * n * w) * sizeof(T));
    const Index total = outer * blocks;
    parallel_for((total + per_task - 1) / per_task, each * double(per_task), [&](Index task) {
        const ScratchBlocks::Lease lease(scratch);
        for (Index i = task * per_task; i < std::min(total, (task + 1) * per_task); ++i) {
            const Index lane = i % blocks * w, at = 2 * (i / blocks * n * inner + lane);
            loops.adjacent(plan->view(),
                           {in + at, out + at, inner, inner, std::min(w, inner - lane), inverse,
                            scale},
                           reinterpret_cast<T*>(lease.data()));
        }
    });
}

struct Around {
    Index outer = 1, n = 1, inner = 1;

    Around(const Dims& shape, Index axis) : n(shape[int(axis)]) {
        for (int d = 0; d < shape.size(); ++d) {
            if (d < axis) outer *= shape[d];
            if (d > axis) inner *= shape[d];
        }
    }
};

// `x` with the axis exchanged with the last one, in memory.
Array turned(const Array& x, Index axis) {
    return contiguous(x.transpose(int(axis), x.ndim() - 1));
}

// from and to are contiguous and may be the same.
template <class T>
void along(const Array& from, const Array& to, Index axis, bool inverse, T scale) {
    const Around place(from.shape(), axis);
    if (place.inner == 1) {
        complex_rows(from.data<T>(), to.data<T>(), place.n, place.outer, inverse, scale);
    } else if (place.n <= kLongestAdjacent && has_lanes(place.n) &&
               2 * place.inner >= fft_table().get<T>().width) {
        adjacent(from.data<T>(), to.data<T>(), place.outer, place.n, place.inner, inverse, scale);
    } else {
        const Array rows = turned(from, axis);
        complex_rows(rows.data<T>(), rows.data<T>(), place.n, rows.numel() / place.n, inverse,
                     scale);
        assign(to, rows.transpose(int(axis), to.ndim() - 1));
    }
}

void check_axes(const Array& x, const Dims& axes) {
    check(!axes.empty(), "fft: expected at least one dimension");
    for (Index axis : axes) {
        check(axis >= 0 && axis < x.ndim(), "fft: no axis ", axis, " in shape ", x.shape());
    }
}

template <class F>
decltype(auto) by_precision(DType dtype, F&& f) {
    return dispatch_real("fft", real_of(dtype), std::forward<F>(f));
}

// The frequencies of a real array along `axis`, the first half or all.
template <class T>
Array from_real(const Array& x, Index axis, T scale, bool whole) {
    const bool last = axis == x.ndim() - 1;
    const Array rows = last ? contiguous(x) : turned(x, axis);
    Dims shape = rows.shape();
    const Index n = shape[shape.size() - 1];
    shape[shape.size() - 1] = whole ? n : n / 2 + 1;
    const Array found = Array::empty(shape, complex_of(x.dtype()));
    if (!found.nothing_to_compute()) {
        real_rows(rows.data<T>(), found.data<T>(), n, rows.numel() / n, scale, whole);
    }
    return last ? found : turned(found, axis);
}

}  // namespace

Array fft_c2c(const Array& x, const Dims& axes, bool inverse, double scale) {
    check_axes(x, axes);
    const DType dtype = is_complex(x.dtype()) ? x.dtype() : complex_of(x.dtype());
    if (x.is_meta()) return Array::meta(x.shape(), dtype);
    if (x.numel() == 0) return Array::empty(x.shape(), dtype);
    return by_precision(x.dtype(), [&]<class T>() {
        int left = axes.size() - 1;
        const Index first = axes[left];
        Array result;
        if (is_complex(x.dtype()) || inverse) {
            const Array source = contiguous(cast(x, dtype));
            result = Array::empty(x.shape(), dtype);
            along<T>(source, result, first, inverse, T(scale));
        } else {
            result = from_real<T>(x, first, T(scale), true);
        }
        while (--left >= 0) along<T>(result, result, axes[left], inverse, T(1));
        return result;
    });
}

Array fft_r2c(const Array& x, const Dims& axes, double scale) {
    check_axes(x, axes);
    return by_precision(x.dtype(), [&]<class T>() {
        int left = axes.size() - 1;
        Array result = from_real<T>(x, axes[left], T(scale), false);
        if (result.nothing_to_compute()) return result;
        while (--left >= 0) along<T>(result, result, axes[left], false, T(1));
        return result;
    });
}

Array fft_c2r(const Array& x, const Dims& axes, Index n, double scale) {
    check_axes(x, axes);
    const DType dtype = is_complex(x.dtype()) ? x.dtype() : complex_of(x.dtype());
    const Index axis = axes[axes.size() - 1];
    check(n >= 1 && n / 2 + 1 == x.size(int(axis)), "fft: ", n, " elements come from ", n / 2 + 1,
          " frequencies, got shape ", x.shape());
    return by_precision(x.dtype(), [&]<class T>() {
        Array source = contiguous(cast(x, dtype));
        Dims shape = x.shape();
        const bool last = axis == x.ndim() - 1;
        for (int i = 0; i + 1 < axes.size() && !x.nothing_to_compute(); ++i) {
            const Array found = i ? source : Array::empty(shape, dtype);
            along<T>(source, found, axes[i], true, T(1));
            source = found;
        }
        if (!last) source = turned(source, axis);
        shape = source.shape();
        shape[shape.size() - 1] = n;
        const Array found = Array::empty(shape, real_of(dtype));
        if (!found.nothing_to_compute()) {
            half_rows(source.data<T>(), found.data<T>(), n, found.numel() / n, T(scale));
        }
        return last ? found : turned(found, axis);
    });
}

void bind_fft(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("fft_c2c", &fft_c2c, "input"_a, "axes"_a, "inverse"_a, "scale"_a);
    m.def("fft_r2c", &fft_r2c, "input"_a, "axes"_a, "scale"_a);
    m.def("fft_c2r", &fft_c2r, "input"_a, "axes"_a, "size"_a, "scale"_a);
}

}  // namespace rushlight
