// The loops of fft_loops.h. Transforms run forward; the inverse is the same with real and imaginary
// parts changing places at both ends.
#include "kernels/fft_loops.h"

#include "runtime/vectors.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

template <class T>
constexpr int W = Vector<T>::lanes;
template <class T>
using Vec = typename Vector<T>::type;

template <class T>
struct Pair {
    Vec<T> re, im;
};

template <class T>
[[gnu::always_inline]] inline Pair<T> operator+(Pair<T> a, Pair<T> b) {
    return {a.re + b.re, a.im + b.im};
}
template <class T>
[[gnu::always_inline]] inline Pair<T> operator-(Pair<T> a, Pair<T> b) {
    return {a.re - b.re, a.im - b.im};
}
// -i a
template <class T>
[[gnu::always_inline]] inline Pair<T> turned(Pair<T> a) {
    return {a.im, -a.re};
}
template <class T>
[[gnu::always_inline]] inline Pair<T> times(Pair<T> a, Vec<T> re, Vec<T> im) {
    return {fma(a.re, re, -(a.im * im)), fma(a.re, im, a.im * re)};
}
template <class T>
[[gnu::always_inline]] inline Pair<T> times(Pair<T> a, const T* factor) {
    return times(a, spread<Vec<T>>(factor[0]), spread<Vec<T>>(factor[1]));
}

// ---- butterflies: x[0..R) becomes its transform

template <class T>
[[gnu::always_inline]] inline void butterfly2(Pair<T>& a, Pair<T>& b) {
    const Pair<T> sum = a + b;
    b = a - b;
    a = sum;
}

template <class T>
[[gnu::always_inline]] inline void butterfly4(Pair<T>& a, Pair<T>& b, Pair<T>& c, Pair<T>& d) {
    const Pair<T> even = a + c, odd = b + d, left = a - c, right = turned(b - d);
    a = even + odd;
    b = left + right;
    c = even - odd;
    d = left - right;
}

template <int R, class T>
[[gnu::always_inline]] inline void butterfly(Pair<T>* x, const T* roots) {
    if constexpr (R == 2) {
        butterfly2(x[0], x[1]);
    } else if constexpr (R == 4) {
        butterfly4(x[0], x[1], x[2], x[3]);
    } else if constexpr (R == 8) {
        Pair<T> even[4] = {x[0], x[2], x[4], x[6]}, odd[4] = {x[1], x[3], x[5], x[7]};
        butterfly4(even[0], even[1], even[2], even[3]);
        butterfly4(odd[0], odd[1], odd[2], odd[3]);
        const Vec<T> half = spread<Vec<T>>(T(0.70710678118654752440));
        odd[1] = {(odd[1].re + odd[1].im) * half, (odd[1].im - odd[1].re) * half};
        odd[2] = turned(odd[2]);
        odd[3] = {(odd[3].im - odd[3].re) * half, -(odd[3].re + odd[3].im) * half};
        for (int q = 0; q < 4; ++q) {
            x[q] = even[q] + odd[q];
            x[q + 4] = even[q] - odd[q];
        }
    } else {  // odd: what is symmetric in j, R - j has real factors, the rest imaginary ones
        constexpr int H = R / 2;
        Pair<T> sums[H], differences[H], total = x[0];
        for (int j = 0; j < H; ++j) {
            sums[j] = x[j + 1] + x[R - 1 - j];
            differences[j] = x[j + 1] - x[R - 1 - j];
            total = total + sums[j];
        }
        for (int u = 1; u <= H; ++u) {
            Pair<T> a = x[0], b = {Vec<T>{}, Vec<T>{}};
            for (int j = 0; j < H; ++j) {
                const int at = (j + 1) * u % R;
                const Vec<T> c = spread<Vec<T>>(roots[2 * at]);
                const Vec<T> s = spread<Vec<T>>(roots[2 * at + 1]);
                a = {fma(sums[j].re, c, a.re), fma(sums[j].im, c, a.im)};
                b = {fma(differences[j].re, s, b.re), fma(differences[j].im, s, b.im)};
            }
            x[u] = {a.re + b.im, a.im - b.re};  // a - i b
            x[R - u] = {a.re - b.im, a.im + b.re};
        }
        x[0] = total;
    }
}

// As above for any odd radix; out is not x.
template <class T>
void butterfly_any(const Pair<T>* x, Pair<T>* out, int radix, const T* roots) {
    const int half = radix / 2;
    Pair<T> sums[kLargestFftRadix / 2], differences[kLargestFftRadix / 2], total = x[0];
    for (int j = 0; j < half; ++j) {
        sums[j] = x[j + 1] + x[radix - 1 - j];
        differences[j] = x[j + 1] - x[radix - 1 - j];
        total = total + sums[j];
    }
    out[0] = total;
    for (int u = 1; u <= half; ++u) {
        Pair<T> a = x[0], b = {Vec<T>{}, Vec<T>{}};
        for (int j = 0, at = u; j < half; ++j) {
            const Vec<T> c = spread<Vec<T>>(roots[2 * at]);
            const Vec<T> s = spread<Vec<T>>(roots[2 * at + 1]);
            a = {fma(sums[j].re, c, a.re), fma(sums[j].im, c, a.im)};
            b = {fma(differences[j].re, s, b.re), fma(differences[j].im, s, b.im)};
            at += u;
            if (at >= radix) at -= radix;
        }
        out[u] = {a.re + b.im, a.im - b.re};
        out[radix - u] = {a.re - b.im, a.im + b.re};
    }
}

// ---- passes: in is (outer, radix, inner), out (radix, outer, inner) after the factors

template <int R, class T>
void pass(const FftPass<T>& p, const Pair<T>* in, Pair<T>* out) {
    const Index inner = p.inner, outer = p.outer;
    const T* roots = p.roots;
    if (inner == 1) {
        for (Index k = 0; k < outer; ++k) {
            Pair<T> x[R];
            for (int q = 0; q < R; ++q) x[q] = in[q + R * k];
            butterfly<R, T>(x, roots);
            for (int u = 0; u < R; ++u) out[k + outer * u] = x[u];
        }
        return;
    }
    for (Index k = 0; k < outer; ++k) {
        const Pair<T>* from = in + inner * R * k;
        Pair<T>* to = out + inner * k;
        const T* factor = p.twiddles;
        for (Index i = 0; i < inner; ++i, factor += 2 * (R - 1)) {
            Pair<T> x[R];
            for (int q = 0; q < R; ++q) x[q] = from[i + inner * q];
            butterfly<R, T>(x, roots);
            to[i] = x[0];
            for (int u = 1; u < R; ++u) {
                to[i + inner * outer * u] = times<T>(x[u], factor + 2 * (u - 1));
            }
        }
    }
}

template <class T>
void pass_any(const FftPass<T>& p, const Pair<T>* in, Pair<T>* out) {
    const Index inner = p.inner, outer = p.outer;
    const int radix = int(p.radix);
    Pair<T> x[kLargestFftRadix], y[kLargestFftRadix];
    for (Index k = 0; k < outer; ++k) {
        for (Index i = 0; i < inner; ++i) {
            for (int q = 0; q < radix; ++q) x[q] = in[i + inner * (q + radix * k)];
            butterfly_any<T>(x, y, radix, p.roots);
            out[i + inner * k] = y[0];
            const T* factor = p.twiddles + 2 * (radix - 1) * i;
            for (int u = 1; u < radix; ++u) {
                Pair<T>& to = out[i + inner * (k + outer * u)];
                to = inner == 1 ? y[u] : times<T>(y[u], factor + 2 * (u - 1));
            }
        }
    }
}

// The transform of data, which is in one of the two afterwards.
template <class T>
Pair<T>* transform(const FftLanes<T>& plan, Pair<T>* data, Pair<T>* other) {
    for (Index i = 0; i < plan.count; ++i) {
        const FftPass<T>& p = plan.passes[i];
        switch (p.radix) {
            case 2: pass<2, T>(p, data, other); break;
            case 3: pass<3, T>(p, data, other); break;
            case 4: pass<4, T>(p, data, other); break;
            case 5: pass<5, T>(p, data, other); break;
            case 7: pass<7, T>(p, data, other); break;
            case 8: pass<8, T>(p, data, other); break;
            default: pass_any<T>(p, data, other);
        }
        Pair<T>* const swap = data;
        data = other;
        other = swap;
    }
    return data;
}

// ---- between pairs in memory and vectors

template <class T, int... i>
[[gnu::always_inline]] inline Pair<T> apart(Vec<T> a, Vec<T> b, std::integer_sequence<int, i...>) {
    return {__builtin_shufflevector(a, b, (2 * i)...),
            __builtin_shufflevector(a, b, (2 * i + 1)...)};
}

template <class T, int... i>
[[gnu::always_inline]] inline void together(Pair<T> x, T* to, std::integer_sequence<int, i...>) {
    constexpr int w = int(sizeof...(i));
    store(to, Vec<T>(__builtin_shufflevector(x.re, x.im, (i / 2 + i % 2 * w)...)));
    store(to + w, Vec<T>(__builtin_shufflevector(x.re, x.im, (w / 2 + i / 2 + i % 2 * w)...)));
}

template <class T>
[[gnu::always_inline]] inline Pair<T> swapped(Pair<T> x, bool inverse) {
    return inverse ? Pair<T>{x.im, x.re} : x;
}

// The next W pairs.
template <class T>
[[gnu::always_inline]] inline Pair<T> load_pairs(const T* from) {
    return apart<T>(load(from), load(from + W<T>), std::make_integer_sequence<int, W<T>>());
}
template <class T>
[[gnu::always_inline]] inline void store_pairs(T* to, Pair<T> x) {
    together<T>(x, to, std::make_integer_sequence<int, W<T>>());
}
// `count` pairs, and zeros behind them.
template <class T>
inline Pair<T> load_some(const T* from, Index count) {
    T part[2 * W<T>] = {};
    __builtin_memcpy(part, from, std::size_t(2 * count) * sizeof(T));
    return load_pairs<T>(part);
}
template <class T>
inline void store_some(T* to, Pair<T> x, Index count) {
    T part[2 * W<T>];
    store_pairs<T>(part, x);
    __builtin_memcpy(to, part, std::size_t(2 * count) * sizeof(T));
}

template <class T>
[[gnu::always_inline]] inline void turn(Pair<T>* square) {
    Vec<T> re[W<T>], im[W<T>];
    for (int l = 0; l < W<T>; ++l) {
        re[l] = square[l].re;
        im[l] = square[l].im;
    }
    transpose<W<T>>(re);
    for (int l = 0; l < W<T>; ++l) square[l].re = re[l];
    transpose<W<T>>(im);
    for (int l = 0; l < W<T>; ++l) square[l].im = im[l];
}

template <class T>
void store_adjacent(const Pair<T>* from, T* out, Index stride, Index n, Index lanes, bool inverse,
                    T scale) {
    const Vec<T> factor = spread<Vec<T>>(scale);
    for (Index j = 0; j < n; ++j) {
        Pair<T> x = swapped(from[j], inverse);
        x = {x.re * factor, x.im * factor};
        T* to = out + 2 * j * stride;
        if (lanes == W<T>) store_pairs<T>(to, x);
        else store_some<T>(to, x, lanes);
    }
}

template <class T>
void load_adjacent(const T* in, Index stride, Index n, Index lanes, bool inverse, Pair<T>* to) {
    for (Index j = 0; j < n; ++j) {
        const T* from = in + 2 * j * stride;
        to[j] = swapped(lanes == W<T> ? load_pairs<T>(from) : load_some<T>(from, lanes), inverse);
    }
}

template <class T>
void adjacent(const FftLanes<T>& plan, const FftPlaces<T>& p, T* scratch) {
    auto* data = reinterpret_cast<Pair<T>*>(scratch);
    load_adjacent<T>(p.in, p.in_stride, plan.n, p.lanes, p.inverse, data);
    const Pair<T>* found = transform<T>(plan, data, data + plan.n);
    store_adjacent<T>(found, p.out, p.out_stride, plan.n, p.lanes, p.inverse, p.scale);
}

template <class T>
void rows(const FftLanes<T>& plan, const FftPlaces<T>& p, T* scratch) {
    constexpr Index w = W<T>;
    auto* data = reinterpret_cast<Pair<T>*>(scratch);
    const Index n = plan.n;
    const int re = p.inverse, im = !p.inverse;
    const Index whole = p.lanes == w ? n / w * w : 0;  // places in squares
    for (Index j = 0; j < whole; j += w) {
        for (Index l = 0; l < w; ++l) {
            data[j + l] = load_pairs<T>(p.in + 2 * (l * p.in_stride + j));
        }
        turn<T>(data + j);
        if (p.inverse) {
            for (Index l = 0; l < w; ++l) data[j + l] = swapped(data[j + l], true);
        }
    }
    for (Index j = whole; j < n; ++j) {
        T part[2 * w] = {};
        for (Index l = 0; l < p.lanes; ++l) {
            const T* from = p.in + 2 * (l * p.in_stride + j);
            part[l] = from[re];
            part[l + w] = from[im];
        }
        data[j] = {load(part), load(part + w)};
    }
    Pair<T>* found = transform<T>(plan, data, data + n);
    const Vec<T> factor = spread<Vec<T>>(p.scale);
    for (Index j = 0; j < n; ++j) found[j] = {found[j].re * factor, found[j].im * factor};
    for (Index j = 0; j < whole; j += w) {
        turn<T>(found + j);
        for (Index l = 0; l < w; ++l) {
            store_pairs<T>(p.out + 2 * (l * p.out_stride + j), swapped(found[j + l], p.inverse));
        }
    }
    for (Index j = whole; j < n; ++j) {
        T part[2 * w];
        store(part, found[j].re);
        store(part + w, found[j].im);
        for (Index l = 0; l < p.lanes; ++l) {
            T* to = p.out + 2 * (l * p.out_stride + j);
            to[re] = part[l];
            to[im] = part[l + w];
        }
    }
}

// ---- split transforms

template <class T>
Index blocks_of(Index n) {
    return (n + W<T> - 1) / W<T>;
}

template <class T>
void split_columns(const FftSplit<T>& plan, const T* in, T* between, bool inverse, Index first,
                   Index last, T* scratch) {
    constexpr Index w = W<T>;
    auto* data = reinterpret_cast<Pair<T>*>(scratch);
    auto* to = reinterpret_cast<Pair<T>*>(between);
    const Index rows = plan.rows.n, columns = plan.columns.n, blocks = blocks_of<T>(columns);
    for (Index b = first; b < last; ++b) {
        const Index lanes = columns - b * w < w ? columns - b * w : w;
        load_adjacent<T>(in + 2 * b * w, columns, rows, lanes, inverse, data);
        const Pair<T>* found = transform<T>(plan.rows, data, data + rows);
        const T* far = plan.far ? plan.far + 2 * b * rows : nullptr;
        const T* near = plan.near + (far ? 0 : 2 * w * b);
        const Index step = 2 * w * (far ? 1 : blocks);
        for (Index r = 0; r < rows; ++r, near += step) {
            Pair<T> x = times<T>(found[r], load(near), load(near + w));
            if (far) x = times<T>(x, far + 2 * r);
            to[r * blocks + b] = x;
        }
    }
}

template <class T>
void split_rows(const FftSplit<T>& plan, const T* between, T* out, bool inverse, T scale,
                Index first, Index last, T* scratch) {
    constexpr Index w = W<T>;
    auto* data = reinterpret_cast<Pair<T>*>(scratch);
    const Index rows = plan.rows.n, columns = plan.columns.n, blocks = blocks_of<T>(columns);
    for (Index b = first; b < last; ++b) {
        const auto* from = reinterpret_cast<const Pair<T>*>(between) + b * w * blocks;
        const Index lanes = rows - b * w < w ? rows - b * w : w;
        for (Index c = 0; c < blocks; ++c) {
            Pair<T> square[w];
            for (Index l = 0; l < w; ++l) square[l] = l < lanes ? from[l * blocks + c] : Pair<T>{};
            turn<T>(square);
            const Index count = columns - c * w < w ? columns - c * w : w;
            for (Index l = 0; l < count; ++l) data[c * w + l] = square[l];
        }
        const Pair<T>* found = transform<T>(plan.columns, data, data + columns);
        store_adjacent<T>(found, out + 2 * b * w, rows, columns, lanes, inverse, scale);
    }
}

// ---- what is done element by element

template <class T>
void multiply(const T* in, const T* factor, T* out, Index n, bool conjugate_in, bool conjugate_out,
              T scale) {
    const T one = conjugate_in ? T(-1) : T(1), two = conjugate_out ? -scale : scale;
    const auto run = [&](Pair<T> x, Pair<T> y) {
        x.im *= spread<Vec<T>>(one);
        const Pair<T> z = times<T>(x, y.re, y.im);
        return Pair<T>{z.re * spread<Vec<T>>(scale), z.im * spread<Vec<T>>(two)};
    };
    Index j = 0;
    for (; j + W<T> <= n; j += W<T>) {
        store_pairs<T>(out + 2 * j, run(load_pairs<T>(in + 2 * j), load_pairs<T>(factor + 2 * j)));
    }
    if (j < n) {
        store_some<T>(out + 2 * j,
                      run(load_some<T>(in + 2 * j, n - j), load_some<T>(factor + 2 * j, n - j)),
                      n - j);
    }
}

template <class T, int... i>
[[gnu::always_inline]] inline Pair<T> backwards(Pair<T> x, std::integer_sequence<int, i...>) {
    constexpr int last = int(sizeof...(i)) - 1;
    return {__builtin_shufflevector(x.re, x.re, (last - i)...),
            __builtin_shufflevector(x.im, x.im, (last - i)...)};
}

// run(x[k], x[half - k], roots[k], &y[k], &y[half - k]) for k in [1, half / 2], in vectors.
template <class T, class Run>
[[gnu::always_inline]] inline void for_mirrored(const T* x, const T* roots, T* y, Index half,
                                                Run run) {
    constexpr Index w = W<T>;
    const auto order = std::make_integer_sequence<int, int(w)>();
    Index k = 1;
    for (; k + w - 1 < half - k - w + 1; k += w) {
        const Index m = half - k - w + 1;
        Pair<T> one, two;
        run(load_pairs<T>(x + 2 * k), backwards<T>(load_pairs<T>(x + 2 * m), order),
            load_pairs<T>(roots + 2 * k), one, two);
        store_pairs<T>(y + 2 * k, one);
        store_pairs<T>(y + 2 * m, backwards<T>(two, order));
    }
    for (const Index last = half / 2; k <= last; k += w) {
        const Index count = last - k + 1 < w ? last - k + 1 : w, m = half - k - count + 1;
        T part[2 * w] = {};
        for (Index l = 0; l < count; ++l) {
            part[2 * l] = x[2 * (half - k - l)];
            part[2 * l + 1] = x[2 * (half - k - l) + 1];
        }
        Pair<T> one, two;
        run(load_some<T>(x + 2 * k, count), load_pairs<T>(part),
            load_some<T>(roots + 2 * k, count), one, two);
        store_some<T>(y + 2 * k, one, count);
        store_pairs<T>(part, two);
        for (Index l = 0; l < count; ++l) {
            y[2 * (m + count - 1 - l)] = part[2 * l];
            y[2 * (m + count - 1 - l) + 1] = part[2 * l + 1];
        }
    }
}

// With z of the pairs x[2 j] + i x[2 j + 1] and m = conj z[half - k]: (z + m) / 2 and (z - m) / 2i
// are the transforms of the even and the odd places, and the result is even + root odd; that of
// half - k is conj(even - root odd).
template <class T>
void unpack(const T* z, const T* roots, T* out, Index half, T scale) {
    const T re = z[0], im = z[1];
    const Vec<T> s = spread<Vec<T>>(scale / 2);
    for_mirrored<T>(z, roots, out, half, [s](Pair<T> a, Pair<T> b, Pair<T> root, Pair<T>& one,
                                             Pair<T>& two) {
        const Pair<T> even = {(a.re + b.re) * s, (a.im - b.im) * s};
        const Pair<T> odd = times<T>({(a.im + b.im) * s, (b.re - a.re) * s}, root.re, root.im);
        one = even + odd;
        two = {even.re - odd.re, odd.im - even.im};
    });
    out[0] = (re + im) * scale;
    out[1] = 0;
    out[2 * half] = (re - im) * scale;
    out[2 * half + 1] = 0;
}

// The other way: z = (x + m) + i conj(root) (x - m). The parts of x[0] and x[half] that a real
// signal does not have are passed over.
template <class T>
void pack(const T* x, const T* roots, T* out, Index half) {
    const T sum = x[0] + x[2 * half], difference = x[0] - x[2 * half];
    for_mirrored<T>(x, roots, out, half, [](Pair<T> a, Pair<T> b, Pair<T> root, Pair<T>& one,
                                            Pair<T>& two) {
        const Pair<T> even = {a.re + b.re, a.im - b.im};
        const Pair<T> odd = times<T>({-(a.im + b.im), a.re - b.re}, root.re, -root.im);
        one = even + odd;
        two = {even.re - odd.re, odd.im - even.im};
    });
    out[0] = sum;
    out[1] = difference;
}

// The frequencies n - k, conjugates of k, of a real signal.
template <class T>
void mirror(T* x, Index n) {
    const auto order = std::make_integer_sequence<int, W<T>>();
    const Index last = (n - 1) / 2;
    Index k = 1;
    for (; k + W<T> - 1 <= last; k += W<T>) {
        const Pair<T> v = load_pairs<T>(x + 2 * k);
        store_pairs<T>(x + 2 * (n - k - W<T> + 1), backwards<T>({v.re, -v.im}, order));
    }
    for (; k <= last; ++k) {
        x[2 * (n - k)] = x[2 * k];
        x[2 * (n - k) + 1] = -x[2 * k + 1];
    }
}

template <class T>
constexpr FftLoops<T> loops_of() {
    return {W<T>, adjacent<T>, rows<T>, split_columns<T>, split_rows<T>, multiply<T>, unpack<T>,
            pack<T>, mirror<T>};
}

constexpr FftTable kTable{loops_of<float>(), loops_of<double>()};

}  // namespace

const FftTable& fft_table() { return kTable; }

}  // namespace rushlight::RUSHLIGHT_ISA
